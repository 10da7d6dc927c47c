/* Looks for infinities and NaNs: numbers whose exponent bits are all ones. */
#ifndef TYPES_FINITE_H
#define TYPES_FINITE_H

#include "types/blocks.h"

#include <string.h>

/* The index of the first of n numbers that is not finite, or n. Looks at a run as a whole first, which
 * compilers turn into vectors. */
#define DEFINE_FIRST_SPECIAL(name, bits_type)                                                                \
    static inline size_t name(const bits_type *bits, size_t n, bits_type exponent) {                         \
        enum { RUN = 1024 };                                                                                 \
        for (size_t begin = 0; begin < n; begin += RUN) {                                                    \
            size_t end = smaller(begin + RUN, n);                                                            \
            bits_type found = 0;                                                                             \
            for (size_t i = begin; i < end; i++)                                                             \
                found |= (bits[i] & exponent) == exponent;                                                   \
            for (size_t i = begin; found && i < end; i++)                                                    \
                if ((bits[i] & exponent) == exponent)                                                        \
                    return i;                                                                                \
        }                                                                                                    \
        return n;                                                                                            \
    }

DEFINE_FIRST_SPECIAL(first_special_16, uint16_t)
DEFINE_FIRST_SPECIAL(first_special_32, uint32_t)

/* The same of blocks that begin with PANEL_ROWS fp16 scales. */
static inline size_t first_special_block(const uint8_t *blocks, size_t n_blocks, size_t block_bytes) {
    for (size_t i = 0; i < n_blocks; i++) {
        uint16_t scales[PANEL_ROWS];
        memcpy(scales, blocks + i * block_bytes, sizeof scales);
        if (first_special_16(scales, PANEL_ROWS, 0x7c00) < PANEL_ROWS)
            return i;
    }
    return n_blocks;
}

#endif
