/* Vectors of LANES floats or 32-bit integers, the language of the templates rows.h, search.h, panels.h,
 * product.h and round.h. A file that instantiates them includes one of plain.h, x86/avx2.h, x86/avx512.h and
 * arm/neon.h first, which defines
 *
 *   LANES, TARGET    floats in a register, and the function attribute that allows it
 *   VARIANT(name)    the name with the variant's suffix
 *   FETCH_AHEAD      how many bytes before they are needed a matvec asks for weights, on processors that
 *                    gain by it; 0 where none do
 *
 * includes this file, and adds what instructions it has for
 *
 *   fused(a, b, c)                  a * b + c, rounded once where the processor can
 *   lesser(a, b), greater(a, b)     elementwise, for numbers
 *   widen_half(h), narrow_half(x)   fp16 to float and back, bit for bit as lib/half.h does it
 *   widen_bfloat(h)                 bf16 to float
 *   round_to_half(x)                to the nearest fp16 number, ties to even, of |x| <= 65504
 *   nearest(x)                      to the nearest integer, ties to even, of |x| < 2^22
 *   pack_bytes(v, low, high)        byte j of a lane: the integer nearest to v[j], clamped; of |v[j]| < 2^22
 *   load_quads(p, stride)           4 words from each of LANES / 4 places, `stride` bytes apart
 *   transpose_quads(v)              in each 128 bits: v[j][i] becomes v[i][j]
 *   q4_add ..., q8_add ...          the integer dot products of panels.h
 *
 * Elementwise operators are the compiler's own, each rounded as in plain C at any width: that is how encoders
 * write the same bytes everywhere. */
#include "lib/cpu.h"
#include "lib/half.h"
#include "types/blocks.h"
#include "types/variants.h"

#define INLINE static inline __attribute__((always_inline)) TARGET
#define PARTS (PANEL_ROWS / LANES) /* registers for the rows of a panel */

typedef float vf __attribute__((vector_size(4 * LANES)));
typedef int32_t vi __attribute__((vector_size(4 * LANES)));
typedef uint16_t vh __attribute__((vector_size(2 * LANES)));
typedef uint32_t vu __attribute__((vector_size(4 * LANES)));

INLINE vf load(const float *from) {
    vf v;
    memcpy(&v, from, sizeof v);
    return v;
}

INLINE vi load_words(const void *from) {
    vi v;
    memcpy(&v, from, sizeof v);
    return v;
}

INLINE vh load_halves(const void *from) {
    vh v;
    memcpy(&v, from, sizeof v);
    return v;
}

INLINE void store(float *to, vf v) {
    memcpy(to, &v, sizeof v);
}

INLINE vf splat(float x) {
    return x - (vf){0};
}

/* Four bytes or two 16-bit integers in every lane. */
INLINE vi splat_word(const void *from) {
    int32_t word;
    memcpy(&word, from, 4);
    return word - (vi){0};
}

INLINE float sum_lanes(vf v) {
    float part[LANES];
    store(part, v);
    for (int n = LANES / 2; n > 0; n /= 2)
        for (int i = 0; i < n; i++)
            part[i] += part[i + n];
    return part[0];
}

INLINE vf select_lanes(vi mask, vf yes, vf no) {
    return (vf)((mask & (vi)yes) | (~mask & (vi)no));
}

INLINE vf magnitude(vf x) {
    return (vf)((vi)x & 0x7fffffff);
}

INLINE bool any_lane(vi mask) {
    uint64_t words[LANES / 2], any = 0;
    memcpy(words, &mask, sizeof mask);
    for (int i = 0; i < LANES / 2; i++)
        any |= words[i];
    return any;
}

/* Asks for what lies `ahead` bytes behind `from`; to be called for each `size` bytes of a stream in turn. */
INLINE void fetch_ahead(const void *from, size_t size, size_t ahead) {
    for (size_t line = 0; ahead > 0 && line < size; line += 64)
        __builtin_prefetch((const void *)((uintptr_t)from + ahead + line));
}

/* The same for one of several streams that are read in turn. They often lie a multiple of a page apart, and
 * where all enter a page at once, a core waits for the first lines of each together: so each asks for what
 * lies a little further ahead than the one before. */
INLINE void fetch_stream(const void *from, size_t size, size_t ahead, size_t stream) {
    fetch_ahead(from, size, ahead > 0 ? ahead + 256 * stream : 0);
}

/* Whether a matvec does so: settled by the compiler where no processor gains by it. */
INLINE bool asks_ahead(void) {
    return FETCH_AHEAD > 0 && cpu_gains_by_prefetch();
}

/* Asks for the line `ahead` bytes behind `from` on any processor, but only into the second-level cache: for
 * what is needed much later, or would displace what is needed now. */
INLINE void fetch_for_later(const void *from, size_t ahead) {
    if (ahead > 0)
        __builtin_prefetch((const void *)((uintptr_t)from + ahead), 0, 2);
}

/* Added to |x| < 2^22, it leaves no bits for a fraction: the integer nearest to x, ties to even, stands in
 * the lowest bits. */
#define ROUNDER 0x1.8p23f
