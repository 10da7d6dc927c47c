/* What stands beside a tokenizer.model: which tokens transformers adds to its pieces, and what it puts before
 * and behind a text. Added tokens are looked for in the text as it is, whatever "normalized" says of them. */
#ifndef INFER_TOKENIZER_SPECIAL_TOKENS_H
#define INFER_TOKENIZER_SPECIAL_TOKENS_H

#include "infer/tokenizer/pieces.h"
#include "infer/tokenizer/sentencepiece.h"

struct special_tokens {
    bool legacy; /* each section between added tokens has a space of its own added */
    bool adds_space; /* where the model's rules do */
};

/* Sets `added`, `prefix` and `suffix` of the description too. */
bool special_tokens_read(struct special_tokens *special, struct description *description,
                         const struct pieces *pieces, const struct sentencepiece_files *files,
                         uint64_t vocab_size, struct arena *arena, struct error *error);

#endif
