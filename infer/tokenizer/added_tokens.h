/* Added tokens: texts that become one token wherever they stand, before anything else looks at the text. */
#ifndef INFER_TOKENIZER_ADDED_TOKENS_H
#define INFER_TOKENIZER_ADDED_TOKENS_H

#include "lib/memory.h"

struct added_token {
    const char *text; /* as it is looked for: where `normalized`, in normal form */
    size_t size; /* never 0 */
    uint32_t id;
    bool special;
    bool normalized; /* looked for in normalized text, after those that are not */
    bool single_word; /* not next to a letter, digit or mark */
    bool lstrip, rstrip; /* takes the white space before or behind it along */
};

/* Finds the longest token at the leftmost place where there is one. A byte trie: children of a node are a
 * linked list. An empty one (zeroed) finds nothing. */
struct matcher {
    struct matcher_node *nodes; /* the root first */
    uint32_t n_nodes;
    bool begins[256]; /* some token begins with the byte */
};

/* For those of `tokens` that are `normalized` or not. False also where two have the same text. */
bool matcher_init(struct matcher *matcher, const char *name, const struct added_token *tokens, size_t count,
                  bool normalized, struct arena *arena, struct error *error);

/* The size of the longest token that the text begins with, or 0. */
size_t matcher_longest(const struct matcher *matcher, const char *text, size_t size);

/* Called in order for what lies between the tokens (id NULL, never empty), and for each token. */
typedef bool section_fn(void *context, const char *text, size_t size, const uint8_t *plain,
                        const uint32_t *id, struct error *error);

/* Cuts a well-formed text at the tokens in it, as Hugging Face does. `plain` has a byte for each byte of
 * text, not 0 where special tokens do not count, or is NULL where they all do; each section gets its part of
 * it. */
bool matcher_split(const struct matcher *matcher, const struct added_token *tokens, const char *text,
                   size_t size, const uint8_t *plain, section_fn *section, void *context,
                   struct error *error);

#endif
