#if defined(__aarch64__)
#include <arm_neon.h>

#define LANES 4
#define TARGET
#define MULTIPLY_ADD(a, b, c) vfmaq_f32(c, a, b)
#define LOAD_HALVES(pointer) vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(pointer)))
#define STORE_HALVES(pointer, x) vst1_u16(pointer, vreinterpret_u16_f16(vcvt_f16_f32(x)))
#include "infer/kernels_vector.h"

extern const struct kernels kernels_neon;
const struct kernels kernels_neon = KERNELS("neon", CPU_NEON);
#endif
