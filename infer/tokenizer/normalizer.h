/* Changing a text before it is cut: the normalizers of a description, one after the other. */
#ifndef INFER_TOKENIZER_NORMALIZER_H
#define INFER_TOKENIZER_NORMALIZER_H

#include "infer/tokenizer/description.h"
#include "infer/tokenizer/sp_normalizer.h"

struct normalizer {
    const char *name;
    struct normal_step {
        enum normalizer_kind kind;
        bool left, right, literal;
        struct pattern *pattern; /* of NORMALIZE_REPLACE */
        struct span content;
        struct charsmap charsmap; /* of NORMALIZE_CHARSMAP */
        struct sp_normalizer sentencepiece; /* of NORMALIZE_SENTENCEPIECE */
    } steps[DESCRIPTION_MAX_STEPS];
    size_t n_steps;
};

/* `name` begins sentences; it, `kept`, the tokens that NORMALIZE_SENTENCEPIECE leaves as they are, and the
 * arena must outlive the normalizer, which is to be freed also after a failure. */
bool normalizer_init(struct normalizer *normalizer, const char *name, const struct normalizer_step *steps,
                     size_t count, const struct matcher *kept, struct arena *arena, struct error *error);
void normalizer_free(struct normalizer *normalizer);

/* Working memory that calls share, one for each thread. */
struct normalizer_scratch {
    struct pattern_scratch *patterns; /* made when first needed */
    struct buffer texts[2], alike;
    bool shortened; /* the last call took something away at the beginning of its text */
};
void normalizer_scratch_free(struct normalizer_scratch *scratch);

/* Appends the normal form of a well-formed text. Of a text in stretches, only the first `begins` it and only
 * the last `ends` it. */
bool normalize(const struct normalizer *normalizer, const char *text, size_t size, bool begins, bool ends,
               struct normalizer_scratch *scratch, struct buffer *to, struct error *error);

#endif
