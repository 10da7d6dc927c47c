/* What this processor can do, and what we call it. */
#ifndef LIB_CPU_H
#define LIB_CPU_H

#include "lib/error.h"

#include <stdint.h>

enum cpu_feature {
    CPU_AVX2 = 1 << 0, /* AVX2, FMA, F16C, BMI2: x86-64-v3 */
    CPU_AVX512 = 1 << 1, /* AVX-512 F, BW, DQ, VL: x86-64-v4 */
    CPU_AVX512_VNNI = 1 << 2,
    CPU_AMX = 1 << 3, /* tiles, their products of 8-bit integers and of bf16, and AVX-512 BF16 */
    CPU_NEON = 1 << 4, /* AArch64's base, with fp16 conversion */
    CPU_NEON_DOTPROD = 1 << 5,
};

/* Features of this processor that the operating system supports, less what cpu_limit took away. */
uint32_t cpu_features(void);

/* --cpu LEVEL: use nothing beyond the level: scalar, avx2, avx512, avx512vnni, amx, neon, neondot. A level
 * that this processor lacks is an error that lists those it has. Call before any kernel is chosen. */
bool cpu_limit(const char *level, struct error *error);

/* Whether a core reads memory faster where prefetch instructions tell it what comes: Intel's do, AMD's are
 * held up by them (docs/types.md has what was measured). */
bool cpu_gains_by_prefetch(void);

const char *cpu_level(void); /* the name of the highest level in use */
const char *cpu_model_name(void); /* such as "AMD EPYC 7B13", or "unknown" */
unsigned cpu_online(void); /* processors that this process may run on */

/* The largest cache that one processor reaches, 64 MiB where the system does not say: what a model must
 * exceed, several times, before its speed is that of memory. */
uint64_t cpu_cache_bytes(void);

#endif
