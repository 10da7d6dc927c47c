/* Properties of characters as Hugging Face `tokenizers` sees them.
 *
 * That library mixes three generations of Unicode: its patterns (Oniguruma) and added tokens know version 16,
 * its Digits pre-tokenizer and Lowercase version 17, its other normalizers version 9, its Punctuation
 * version 7. The system's PCRE2 and utf8proc have one of their own, 14 or later. The tables here bridge the
 * difference, so that ids do not depend on the machine. */
#ifndef INFER_TOKENIZER_UNICODE_H
#define INFER_TOKENIZER_UNICODE_H

#include "lib/memory.h"

bool is_white_space(uint32_t code); /* the property White_Space; \s of a pattern */
bool is_numeric(uint32_t code); /* general categories Nd, Nl, No, in Unicode 17 */
bool is_word(uint32_t code); /* \w of Unicode Technical Standard 18 */
bool is_punctuation(uint32_t code); /* general categories P, and ASCII's symbols */
bool is_mark(uint32_t code); /* general categories M */

/* The first byte that is not of white space, and the end without the white space before it. */
size_t white_space_before(const char *text, size_t size);
size_t without_white_space_behind(const char *text, size_t begin, size_t end);

/* The size of the extended grapheme cluster that a text, well-formed and not empty, begins with. */
size_t unicode_cluster(const char *text, size_t size);

/* A text as a pattern should see it: the same bytes, or, where characters occur whose category PCRE2 may not
 * know, a copy in `scratch` with those replaced by older ones of the same category and length. NULL on
 * failure. The text is well-formed UTF-8. */
const char *unicode_alike(const char *text, size_t size, struct buffer *scratch, struct error *error);

#define UNICODE_MOST 18 /* characters that one decomposes to */

/* Writes the character in small letters, whatever stands beside it, and returns the size: at most 4 bytes. */
size_t unicode_lowercase(uint32_t code, char *out);

enum normal_form { FORM_NFC, FORM_NFD, FORM_NFKC, FORM_NFKD };

/* Appends the normal form of a well-formed text. Linear time, whatever the marks. */
bool unicode_normalize(enum normal_form form, const char *text, size_t size, struct buffer *to,
                       struct error *error);

#endif
