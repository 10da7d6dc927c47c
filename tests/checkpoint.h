/* A tiny Llama checkpoint in a folder, and the ways in which tests spoil it.
 *
 * 2 layers, width 40, feed-forward 72, 4 heads of 10 over 2 key-value heads, 50 tokens: nothing is a multiple
 * of 32. */
#ifndef TESTS_CHECKPOINT_H
#define TESTS_CHECKPOINT_H

#include <stdbool.h>
#include <stddef.h>

struct checkpoint {
    const char *config; /* text of config.json; NULL for CHECKPOINT_CONFIG, "" for no such file */
    const char *dtype; /* of all tensors; NULL for "F16" */
    bool head; /* has lm_head.weight (with values of its own) */
    const char *drop; /* a tensor that is left out */
    const char *extra; /* one that is there besides, of shape [3] */
    const char *reshape; /* one that has a row more, or a value */
    const char *retype; /* one that is of type I16 */
    const char *copy_of_embedding; /* one that is there besides, equal to the embedding */
    const char *poke; /* one in which value number poke_at is poke_value */
    size_t poke_at;
    float poke_value;
};

#define CHECKPOINT_CONFIG_WITH(more)                                                                         \
    "{\"architectures\":[\"LlamaForCausalLM\"],\"num_hidden_layers\":2,\"hidden_size\":40,"                  \
    "\"intermediate_size\":72,\"num_attention_heads\":4,\"num_key_value_heads\":2,\"vocab_size\":50,"        \
    "\"max_position_embeddings\":64" more "}"
#define CHECKPOINT_CONFIG CHECKPOINT_CONFIG_WITH(",\"tie_word_embeddings\":true")

/* Writes model.safetensors, config.json and tokenizer.json into `folder`, which exists. Dies if it cannot. */
void checkpoint_write(const char *folder, const struct checkpoint *checkpoint);

/* Makes a folder below /tmp that goes when the program ends, and goes there. */
void enter_scratch_folder(void);

#endif
