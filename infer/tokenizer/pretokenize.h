/* Cutting text into the words that are merged one by one: the pre_tokenizer of a tokenizer.json.
 *
 * Known are Split, Digits and ByteLevel, and Sequences of these that end in ByteLevel. */
#ifndef INFER_TOKENIZER_PRETOKENIZE_H
#define INFER_TOKENIZER_PRETOKENIZE_H

#include "lib/json.h"

#define PRETOKENIZE_MAX_STEPS 16

struct pretokenizer {
    struct step {
        enum step_kind { STEP_SPLIT, STEP_DIGITS, STEP_PREFIX_SPACE } kind;
        enum behavior { ISOLATED, REMOVED, CONTIGUOUS, MERGED_WITH_PREVIOUS, MERGED_WITH_NEXT } behavior;
        bool invert; /* the pattern finds words, not what stands between them */
        struct pattern *pattern; /* of STEP_SPLIT */
    } steps[PRETOKENIZE_MAX_STEPS];
    size_t n_steps;
};

/* `name` begins sentences and must outlive the pre-tokenizer. */
bool pretokenizer_read(struct pretokenizer *pretokenizer, const char *name, const json_t *json,
                       struct error *error);
void pretokenizer_free(struct pretokenizer *pretokenizer);

/* Called for each word, never an empty one, in order. */
typedef bool word_fn(void *context, const char *word, size_t size, struct error *error);

/* Working memory that calls share, one for each thread. */
struct pretokenizer_scratch {
    struct pattern_scratch *patterns; /* made when first needed */
    struct buffer alike, prefixed, prefixed_alike;
};
void pretokenizer_scratch_free(struct pretokenizer_scratch *scratch);

/* `text` is well-formed UTF-8. */
bool pretokenize(const struct pretokenizer *pretokenizer, const char *text, size_t size,
                 struct pretokenizer_scratch *scratch, word_fn *word, void *context, struct error *error);

#endif
