/* Cutting text into the words that the model encodes one by one: the pre-tokenizers of a description. */
#ifndef INFER_TOKENIZER_PRETOKENIZE_H
#define INFER_TOKENIZER_PRETOKENIZE_H

#include "infer/tokenizer/description.h"

struct pretokenizer {
    struct step {
        enum pretokenizer_kind kind;
        enum behavior behavior;
        bool invert, literal;
        struct pattern *pattern; /* NULL where the step needs none */
        enum prepend_scheme scheme;
        bool split;
        char replacement[5]; /* of STEP_METASPACE, one character */
    } steps[DESCRIPTION_MAX_STEPS];
    size_t n_steps;
};

/* `name` begins sentences and must outlive the pre-tokenizer, which is to be freed also after a failure. */
bool pretokenizer_init(struct pretokenizer *pretokenizer, const char *name,
                       const struct pretokenizer_step *steps, size_t count, struct error *error);
void pretokenizer_free(struct pretokenizer *pretokenizer);

/* Called for each word, never an empty one, in order. */
typedef bool word_fn(void *context, const char *word, size_t size, struct error *error);

/* Working memory that calls share, one for each thread. */
struct pretokenizer_scratch {
    struct pattern_scratch *patterns; /* made when first needed */
    struct buffer alike;
    struct buffer made[DESCRIPTION_MAX_STEPS], made_alike[DESCRIPTION_MAX_STEPS]; /* by a step, a piece */
};
void pretokenizer_scratch_free(struct pretokenizer_scratch *scratch);

/* `text` is well-formed UTF-8, and `first` where nothing stands before it. */
bool pretokenize(const struct pretokenizer *pretokenizer, const char *text, size_t size, bool first,
                 struct pretokenizer_scratch *scratch, word_fn *word, void *context, struct error *error);

#endif
