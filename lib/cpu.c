#include "lib/cpu.h"

#include "lib/file.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#if defined __x86_64__
#include <cpuid.h>
#endif
#if defined __linux__
#include <sched.h>
#endif
#if defined __linux__ && defined __x86_64__
#include <sys/syscall.h>
#endif
#if defined __linux__ && defined __aarch64__
#include <sys/auxv.h>
#endif
#if defined __APPLE__
#include <sys/sysctl.h>
#endif

#define AVX512VNNI_LEVEL (CPU_AVX2 | CPU_AVX512 | CPU_AVX512_VNNI)

static const struct level {
    const char *name;
    uint32_t features;
} levels[] = {
    /* rising */
    {"scalar", 0},
    {"avx2", CPU_AVX2},
    {"avx512", CPU_AVX2 | CPU_AVX512},
    {"avx512vnni", AVX512VNNI_LEVEL},
    {"amx", AVX512VNNI_LEVEL | CPU_AMX},
    {"neon", CPU_NEON},
    {"neondot", CPU_NEON | CPU_NEON_DOTPROD},
};
enum { N_LEVELS = sizeof levels / sizeof *levels };

#if defined __x86_64__

static uint64_t enabled_state(void) { /* XCR0: the registers that the operating system saves */
    uint32_t low, high;
    __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (uint64_t)high << 32 | low;
}

static bool has(uint32_t bits, uint32_t wanted) {
    return (bits & wanted) == wanted;
}

/* Linux gives tiles to processes that ask for them, before they start threads
 * (Documentation/arch/x86/xstate.rst). */
static bool may_use_tiles(void) {
#if defined __linux__
    const unsigned long request_permission = 0x1023, tile_data = 18; /* ARCH_REQ_XCOMP_PERM, of a state */
    return syscall(SYS_arch_prctl, request_permission, tile_data) == 0;
#else
    return false;
#endif
}

/* `d` is that of leaf 7. */
static bool has_amx(uint32_t d, uint64_t state) {
    const uint32_t amx = 1u << 22 | 1u << 24 | 1u << 25; /* BF16, TILE, INT8 */
    const uint32_t avx512_bf16 = 1u << 5; /* leaf 7, 1, eax */
    const uint64_t tiles = 3u << 17;
    uint32_t more, unused;
    return has(d, amx) && (state & tiles) == tiles &&
           __get_cpuid_count(7, 1, &more, &unused, &unused, &unused) && has(more, avx512_bf16) &&
           may_use_tiles();
}

/* Intel's Software Developer's Manual, volume 2, CPUID, and volume 1, 14.3, 15.2 and 18.3 on detection. */
static uint32_t detect(void) {
    const uint32_t fma = 1u << 12, osxsave = 1u << 27, f16c = 1u << 29; /* leaf 1, ecx */
    const uint32_t bmi1 = 1u << 3, avx2 = 1u << 5, bmi2 = 1u << 8; /* leaf 7, ebx */
    const uint32_t avx512 = 1u << 16 | 1u << 17 | 1u << 30 | 1u << 31; /* F, DQ, BW, VL */
    const uint32_t vnni = 1u << 11; /* leaf 7, ecx */
    const uint64_t ymm = 0x6, zmm = 0xe6;
    uint32_t a, b, c, d, basic, features = 0;
    if (!__get_cpuid(1, &a, &b, &basic, &d) || !has(basic, osxsave) ||
        !__get_cpuid_count(7, 0, &a, &b, &c, &d))
        return 0;
    uint64_t state = enabled_state();
    if ((state & ymm) == ymm && has(basic, fma | f16c) && has(b, avx2 | bmi1 | bmi2))
        features |= CPU_AVX2;
    if (features && (state & zmm) == zmm && has(b, avx512))
        features |= has(c, vnni) ? CPU_AVX512 | CPU_AVX512_VNNI : CPU_AVX512;
    if (features & CPU_AVX512_VNNI && has_amx(d, state))
        features |= CPU_AMX;
    return features;
}

/* The brand string: 48 bytes in three leaves, padded with spaces on either side. */
static void find_model_name(char *name, size_t size) {
    uint32_t words[12];
    for (uint32_t i = 0; i < 3; i++)
        if (!__get_cpuid(0x80000002 + i, &words[4 * i], &words[4 * i + 1], &words[4 * i + 2],
                         &words[4 * i + 3]))
            return;
    snprintf(name, size, "%.48s", (const char *)words);
}

#elif defined __aarch64__

static uint32_t detect(void) {
#if defined __linux__
    const unsigned long asimddp = 1ul << 20; /* HWCAP_ASIMDDP */
    return getauxval(AT_HWCAP) & asimddp ? CPU_NEON | CPU_NEON_DOTPROD : CPU_NEON;
#elif defined __APPLE__
    return CPU_NEON | CPU_NEON_DOTPROD; /* since the first of them */
#else
    return CPU_NEON;
#endif
}

static void find_model_name(char *name, size_t size) {
#if defined __APPLE__
    sysctlbyname("machdep.cpu.brand_string", name, &size, NULL, 0);
#else
    struct arena arena = {0};
    struct error none;
    char *text;
    size_t length;
    if (file_read_all("/proc/device-tree/model", 4096, &arena, &text, &length, &none))
        snprintf(name, size, "%s", text);
    arena_free(&arena);
#endif
}

#else

static uint32_t detect(void) {
    return 0;
}

static void find_model_name(char *name, size_t size) {
    (void)name, (void)size;
}

#endif

static bool is_intel(void) {
#if defined __x86_64__
    uint32_t largest_leaf, b = 0, c = 0, d = 0; /* the vendor's name is in b, d and c */
    return __get_cpuid(0, &largest_leaf, &b, &c, &d) && b == signature_INTEL_ebx &&
           d == signature_INTEL_edx && c == signature_INTEL_ecx;
#else
    return false;
#endif
}

static pthread_once_t once = PTHREAD_ONCE_INIT;
static uint32_t detected;
static bool gains_by_prefetch;
static char model_name[64];
static _Atomic uint32_t allowed = UINT32_MAX;

static void trim(char *text) {
    size_t begin = strspn(text, " "), length = strlen(text + begin);
    while (length > 0 && text[begin + length - 1] == ' ')
        length--;
    memmove(text, text + begin, length);
    text[length] = '\0';
}

static void look(void) {
    detected = detect();
    gains_by_prefetch = is_intel();
    find_model_name(model_name, sizeof model_name);
    trim(model_name);
    if (!model_name[0])
        strcpy(model_name, "unknown");
}

static uint32_t present(void) {
    pthread_once(&once, look);
    return detected;
}

uint32_t cpu_features(void) {
    return present() & atomic_load_explicit(&allowed, memory_order_relaxed);
}

bool cpu_gains_by_prefetch(void) {
    present();
    return gains_by_prefetch;
}

static bool within(const struct level *level, uint32_t features) {
    return (level->features & ~features) == 0;
}

static bool refuse_level(const char *name, struct error *error) {
    char list[128] = "";
    size_t length = 0;
    for (const struct level *level = levels; level < levels + N_LEVELS; level++)
        if (within(level, present()))
            length += (size_t)snprintf(list + length, sizeof list - length, "%s%s", length ? ", " : "",
                                       level->name);
    return fail(error, "--cpu %s: this processor has %s", name, list);
}

bool cpu_limit(const char *name, struct error *error) {
    for (const struct level *level = levels; level < levels + N_LEVELS; level++)
        if (strcmp(level->name, name) == 0 && within(level, present())) {
            atomic_store(&allowed, level->features);
            return true;
        }
    return refuse_level(name, error);
}

const char *cpu_level(void) {
    const struct level *level = levels + N_LEVELS - 1;
    while (!within(level, cpu_features()))
        level--;
    return level->name;
}

const char *cpu_model_name(void) {
    present();
    return model_name;
}

unsigned cpu_online(void) {
#if defined __linux__
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 0)
        return (unsigned)CPU_COUNT(&set);
#endif
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    return online > 0 ? (unsigned)online : 1;
}

uint64_t cpu_cache_bytes(void) {
    uint64_t largest = 0;
#if defined __APPLE__
    size_t size = sizeof largest;
    if (sysctlbyname("hw.perflevel0.l2cachesize", &largest, &size, NULL, 0) != 0)
        largest = 0;
#elif defined __linux__
    for (int index = 0; index < 8; index++) {
        char path[64];
        unsigned long long kib = 0;
        snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu0/cache/index%d/size", index);
        FILE *file = fopen(path, "re");
        if (!file)
            break;
        if (fscanf(file, "%lluK", &kib) == 1 && kib < 1ull << 30 && kib << 10 > largest)
            largest = kib << 10;
        fclose(file);
    }
#endif
    return largest ? largest : (uint64_t)64 << 20;
}
