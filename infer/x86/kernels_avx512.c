#if defined(__x86_64__)
#include <immintrin.h>

#define LANES 16
#define TARGET __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")))
#define MULTIPLY_ADD(a, b, c) _mm512_fmadd_ps(a, b, c)
#define LOAD_HALVES(pointer) _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)(const void *)(pointer)))
#define STORE_HALVES(pointer, x)                                                                             \
    _mm256_storeu_si256((__m256i *)(void *)(pointer), _mm512_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT))
#include "infer/kernels_vector.h"

extern const struct kernels kernels_avx512;
const struct kernels kernels_avx512 = KERNELS("avx512", CPU_AVX512 | CPU_AVX2);
#endif
