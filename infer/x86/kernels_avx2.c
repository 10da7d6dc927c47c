#if defined(__x86_64__)
#include <immintrin.h>

#define LANES 8
#define TARGET __attribute__((target("avx2,fma,f16c")))
#define MULTIPLY_ADD(a, b, c) _mm256_fmadd_ps(a, b, c)
#define LOAD_HALVES(pointer) _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(const void *)(pointer)))
#define STORE_HALVES(pointer, x)                                                                             \
    _mm_storeu_si128((__m128i *)(void *)(pointer), _mm256_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT))
#include "infer/kernels_vector.h"

extern const struct kernels kernels_avx2;
const struct kernels kernels_avx2 = KERNELS("avx2", CPU_AVX2);
#endif
