/* precompiled_charsmap: which characters SentencePiece rewrites, and as what, such as all of NFKC.
 *
 * u32 little-endian size of the trie | trie | texts, each ended by a NUL
 *
 * The trie is a double array as the library Darts-clone builds it, of units of 32 bits:
 *
 *     bits 0-7, 31  the byte that leads here; of a value bit 31 is set, so that no byte does
 *     bit 8         a value is among the children, under the byte 0
 *     bits 10-30    the children's base, relative to this unit by XOR; shifted left by 8 where bit 9 is set
 *
 * A value, in bits 0 to 30 of its unit, is where in the texts the replacement begins. Nothing here is
 * trusted: a step outside the array ends a search, a value that is not in the texts is none. */
#ifndef INFER_TOKENIZER_CHARSMAP_H
#define INFER_TOKENIZER_CHARSMAP_H

#include "lib/memory.h"

struct charsmap {
    const uint32_t *units;
    size_t n_units;
    const char *texts; /* well-formed UTF-8, a NUL at its end */
    size_t texts_size;
};

/* `name` begins sentences. The charsmap's memory is in the arena; `data` may go afterwards. */
bool charsmap_init(struct charsmap *charsmap, const char *name, const void *data, size_t size,
                   struct arena *arena, struct error *error);

/* As SentencePiece applies it: the longest key that `text` begins with, of up to CHARSMAP_LONGEST_KEY bytes.
 * Returns its size and what replaces it, ended by a NUL; 0 where there is none. */
#define CHARSMAP_LONGEST_KEY 256
size_t charsmap_longest(const struct charsmap *charsmap, const char *text, size_t size,
                        const char **replacement);

/* As `tokenizers` applies it: a cluster of characters (Unicode Standard Annex 29) of less than 6 bytes that
 * begins with a key, the shortest one counting, becomes the replacement as a whole; any other goes character
 * by character. Appends a well-formed text so rewritten. */
bool charsmap_apply(const struct charsmap *charsmap, const char *text, size_t size, struct buffer *to,
                    struct error *error);

#endif
