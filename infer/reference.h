/* Reference strings: a few texts and their ids, kept in a model as the blob "tokenizer_tests.json", so that a
 * machine, a version or another implementation that tokenizes otherwise is noticed.
 *
 *     [{"text": "Hello world", "ids": [15496, 995]}, ...]
 *
 * Special tokens written out in a text count; nothing is put before or behind. */
#ifndef INFER_REFERENCE_H
#define INFER_REFERENCE_H

#include "infer/tokenizer.h"

#define REFERENCE_BLOB "tokenizer_tests.json"

/* Appends the blob for a tokenizer: texts of many scripts and kinds, the same for all models, and one with
 * special tokens of its own written out. */
bool reference_write(const struct tokenizer *tokenizer, struct buffer *to, struct error *error);

/* The same, in the arena, for a checkpoint or model that is to be written in other types: its tokenizer is
 * loaded, so that one that does not load is noticed. NULL where it brings the blob along. */
bool reference_make(const struct container *container, uint64_t vocab_size, struct arena *arena,
                    const char **references, struct error *error);

/* Tokenizes the texts of a blob again and counts them. False where the blob cannot be read, and where ids
 * differ: the sentence says in how many texts, and how in the first of them. `name` begins it. */
bool reference_check(const struct tokenizer *tokenizer, const char *name, const struct blob *blob,
                     size_t *count, struct error *error);

#endif
