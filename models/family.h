/* A model family as data: how a Hugging Face checkpoint of it spells its configuration and its tensors.
 *
 * A family is one file ending in a descriptor, and one line in families.c. docs/adding-a-model.md walks
 * through one. */
#ifndef MODELS_FAMILY_H
#define MODELS_FAMILY_H

#include "models/config.h"

/* A key of config.json and the field that it sets. Within objects a dot goes down a level; "a|b" where
 * checkpoints spell it either way (with different values in both, the file is refused). Rope keys are common
 * to all families: family.c has them. */
struct family_key {
    const char *key; /* "num_hidden_layers" */
    size_t field; /* offsetof(struct model_config, ...) */
    enum { KEY_UINT, KEY_REAL, KEY_BOOL, KEY_ROPE } kind;
    enum {
        KEY_REQUIRED,
        KEY_OPTIONAL
    } presence; /* an optional one that is absent or null leaves the family's default */
};

/* A key that must be absent, null or have this value, because another would change results. */
struct family_fixed {
    const char *key;
    const char *value; /* as compact JSON: "\"silu\"", "false", "1"; "null" for must be absent */
};

/* A key with the length of a sliding attention window. Null, or no shorter than the context, it changes
 * nothing; a shorter one is refused. */
struct family_window {
    const char *key; /* NULL where the family has none */
    uint64_t otherwise; /* where the key is absent */
};

/* In `defaults`, n_kv_heads 0 stands for n_heads, and head_dim 0 for dim / n_heads. */
struct family {
    const char *name; /* "llama" */
    const char *const *classes; /* of "architectures", NULL behind the last */
    struct model_config defaults;
    const struct family_key *keys; /* zeroed entry behind the last, and so below */
    const struct family_fixed *fixed;
    struct family_window window;
    /* How each role's tensor is called in the checkpoint, {} standing for the layer:
     * "model.layers.{}.self_attn.q_proj.weight". */
    const char *const *tensors; /* [ROLES] */
    /* Tensors that carry nothing, such as stored rope tables; NULL behind the last. */
    const char *const *ignored_tensors;
};

/* Spellings that most families share with Llama, for use in their descriptors. */
extern const char *const llama_tensors[ROLES];
extern const char *const llama_ignored_tensors[];

extern const struct family *const families[]; /* THE LIST, in families.c, NULL behind the last */

/* The family and configuration of a config.json. An unknown class is refused by name with the list of those
 * known. */
bool family_read_config(const char *path, const char *json, size_t size, const struct family **family,
                        struct model_config *config, struct error *error);

#endif
