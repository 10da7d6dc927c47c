/* Properties of characters as Hugging Face `tokenizers` sees them.
 *
 * That library mixes three generations of Unicode: its patterns (Oniguruma) and added tokens know version 16,
 * its Digits pre-tokenizer version 17, its normalizer version 9. The system's PCRE2 and utf8proc have one of
 * their own, 14 or later. The tables here bridge the difference, so that ids do not depend on the machine. */
#ifndef INFER_TOKENIZER_UNICODE_H
#define INFER_TOKENIZER_UNICODE_H

#include "lib/memory.h"

bool is_white_space(uint32_t code); /* the property White_Space; \s of a pattern */
bool is_numeric(uint32_t code); /* general categories Nd, Nl, No, in Unicode 17 */
bool is_word(uint32_t code); /* \w of Unicode Technical Standard 18 */

/* A text as a pattern should see it: the same bytes, or, where characters occur whose category PCRE2 may not
 * know, a copy in `scratch` with those replaced by older ones of the same category and length. NULL on
 * failure. The text is well-formed UTF-8. */
const char *unicode_alike(const char *text, size_t size, struct buffer *scratch, struct error *error);

enum normal_form { FORM_NONE, FORM_NFC, FORM_NFD };

/* Appends the normal form of a well-formed text. Linear time, whatever the marks. */
bool unicode_normalize(enum normal_form form, const char *text, size_t size, struct buffer *to,
                       struct error *error);

#endif
