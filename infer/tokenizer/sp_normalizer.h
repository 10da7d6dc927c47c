/* SentencePiece's normalizer: characters are rewritten as the charsmap says, but for user-defined symbols,
 * spaces become a mark that pieces are spelled with, and one may be added before or behind the text. */
#ifndef INFER_TOKENIZER_SP_NORMALIZER_H
#define INFER_TOKENIZER_SP_NORMALIZER_H

#include "infer/tokenizer/added_tokens.h"
#include "infer/tokenizer/charsmap.h"

struct sp_normalizer {
    struct charsmap charsmap; /* zeroed where there is none */
    const struct matcher *kept; /* the user-defined symbols */
    const char *mark; /* U+2581, or a space */
    size_t mark_size;
    bool before, behind; /* a mark is added where any text is left */
    bool squeeze; /* no spaces at the ends, no two in a row */
};

/* Appends the normal form of a well-formed text. Of a text in stretches, only the first `begins` it and only
 * the last `ends` it. */
bool sp_normalize(const struct sp_normalizer *normalizer, const char *text, size_t size, bool begins,
                  bool ends, struct buffer *to, struct error *error);

#endif
