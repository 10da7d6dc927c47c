/* From tokens back to bytes: the decoders of a description, applied to each token when the tokenizer is made,
 * so that a text is the bytes of its tokens, but for what a text may leave out at its beginning. */
#ifndef INFER_TOKENIZER_DECODER_H
#define INFER_TOKENIZER_DECODER_H

#include "infer/tokenizer/description.h"
#include "infer/tokenizer/vocab.h"

struct decoder {
    struct span *first; /* [vocab.size] the bytes of tokens that begin a text, or NULL: the same as ever */
};

/* Whether tokens are spelled in GPT-2's alphabet, which the vocabulary then reads itself (vocab_init). False
 * with a sentence where the steps are not supported. */
bool decoder_check(const struct description *description, bool *spelled, struct error *error);

/* Gives each token of the vocabulary its bytes. Not for spelled ones. */
bool decoder_apply(struct decoder *decoder, struct vocab *vocab, const struct description *description,
                   struct arena *arena, struct error *error);

#endif
