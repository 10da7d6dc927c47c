#include "evaluate/results.h"
#include "lib/cpu.h"
#include "lib/options.h"

#include <sys/utsname.h>

#if defined __clang__
#define COMPILER "clang " __clang_version__
#else
#define COMPILER "gcc " __VERSION__
#endif

struct machine machine_here(unsigned threads, struct arena *arena) {
    struct utsname name;
    struct error error;
    const char *os = uname(&name) >= 0
                         ? arena_printf(arena, &error, "%s %s %s", name.sysname, name.release, name.machine)
                         : NULL;
    return (struct machine){
        .cpu = cpu_model_name(),
        .level = cpu_level(),
        .os = os ? os : "unknown",
        .compiler = COMPILER,
        .version = PROJECT_VERSION,
        .threads = threads,
        .processors = cpu_online(),
    };
}
