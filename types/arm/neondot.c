/* Dot products of q4 by the instructions for them; everything else is in neon.c. */
#ifdef __aarch64__
#define WITH_DOTPROD
#include "types/arm/neon.h"

typedef int32x4_t q4_sums;

/* vdotq_s32, which clang before 16 hides unless the whole file is compiled for such processors. */
INLINE void q4_add(q4_sums *sums, vi weights, vi x) {
    __asm__("sdot %0.4s, %1.16b, %2.16b" : "+w"(*sums) : "w"(weights), "w"(x));
}

INLINE vi q4_total(q4_sums sums) {
    return (vi)sums;
}

#include "types/panels.h"

DEFINE_PANELS_MATVEC(q4, i8)
#endif
