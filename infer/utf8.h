/* UTF-8 from strangers. Ill-formed bytes are grouped into maximal subparts (Unicode 15, section 3.9, table
 * 3-8), each of which reads as one U+FFFD. */
#ifndef INFER_UTF8_H
#define INFER_UTF8_H

#include "lib/memory.h"

#define UTF8_REPLACEMENT 0xfffdu
#define UTF8_REPLACEMENT_BYTES "\xef\xbf\xbd"

/* The character or ill-formed subpart at `text` (size at least 1): its length in bytes, and in *code its code
 * point, or UTF8_REPLACEMENT with *well_formed false. */
size_t utf8_decode(const char *text, size_t size, uint32_t *code, bool *well_formed);

/* The same where the text is known to be well-formed. */
size_t utf8_next(const char *text, uint32_t *code);

/* The same for the character that ends at `end`, not 0. */
size_t utf8_last(const char *text, size_t end, uint32_t *code);

/* Writes 1 to 4 bytes and returns how many. */
size_t utf8_encode(uint32_t code, char out[4]);

/* How many leading bytes are well-formed. */
size_t utf8_well_formed(const char *text, size_t size);

/* Appends the text with U+FFFD in place of every ill-formed subpart. */
bool utf8_repair(const char *text, size_t size, struct buffer *to, struct error *error);

/* How many leading bytes there are before a character at the end that more bytes could complete. */
size_t utf8_complete(const char *text, size_t size);

#endif
