/* The two long lists of a tokenizer.json, model.vocab and model.merges, read where they stand. They are
 * nearly all of the file, and building a tree of them would take most of the time of loading a model. */
#ifndef INFER_TOKENIZER_LISTS_H
#define INFER_TOKENIZER_LISTS_H

#include "lib/json.h"

struct list {
    const char *text; /* from its bracket to behind its other bracket; NULL where there is none */
    size_t size;
};

struct lists {
    const char *name, *json; /* as given */
    size_t size;
    struct list vocab, merges;
};

/* A tree of the file with both lists empty. NULL where the file is malformed. */
json_t *lists_open(struct lists *lists, const char *name, const char *json, size_t size, struct error *error);

/* Texts are well-formed UTF-8 without NUL, and last as long as the call. */
typedef bool token_fn(void *context, const char *text, size_t size, uint64_t id, struct error *error);
typedef bool merge_fn(void *context, size_t rank, const char *const texts[2], const size_t sizes[2],
                      struct error *error);

/* Calls for each entry in the order of the file. */
bool lists_each_token(const struct lists *lists, token_fn *token, void *context, struct error *error);
bool lists_each_merge(const struct lists *lists, merge_fn *merge, void *context, struct error *error);

#endif
