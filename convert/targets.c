#include "convert/targets.h"

#include "lib/progress.h"

#include <stdio.h>
#include <string.h>

static const struct target targets[] = {
    {".qm", write_qm}, {".gguf", write_gguf}, {".safetensors", write_safetensors}, {"", write_folder}};

/* A name that looks like a single file's of a format that is not written so. */
static const char *const other_endings[] = {".bin", ".pt", ".pth", ".json"};

static bool ends_in(const char *path, const char *ending) {
    size_t length = strlen(path), size = strlen(ending);
    return length > size && !strcmp(path + length - size, ending);
}

const struct target *find_target(const char *out, struct error *error) {
    const struct target *target = targets;
    while (*target->ending && !ends_in(out, target->ending))
        target++;
    for (size_t i = 0; !*target->ending && i < sizeof other_endings / sizeof *other_endings; i++)
        if (ends_in(out, other_endings[i])) {
            fail(error, "%s: .qm, .gguf, .safetensors and folders can be written, not %s", out,
                 other_endings[i]);
            return NULL;
        }
    return target;
}

bool check_options(const struct request *request, const struct target *target, struct error *error) {
    bool gguf = target->write == write_gguf;
    if (request->as && !gguf)
        return fail(error,
                    "--as %s: is for .gguf; --dtype is for other outputs, and quantize makes smaller ones",
                    request->as);
    return !gguf || !strcmp(request->dtype, "keep") ||
           fail(error, "--dtype %s: for .gguf, say --as F16 and the like", request->dtype);
}

bool find_dtype(const char *name, const struct type **type, struct error *error) {
    static const char *const known[] = {"keep", "f32", "f16", "bf16"};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (!strcmp(name, known[i])) {
            *type = i ? type_find(name) : NULL;
            return true;
        }
    return fail(error, "--dtype %s: expected keep, f32, f16 or bf16", name);
}

void report_written(const char *out, uint64_t n_weights, uint64_t bytes, double started) {
    fprintf(stderr, "%s: %.2f M weights, %.1f MB, %.2f bits per weight, %.2f s\n", out,
            1e-6 * (double)n_weights, 1e-6 * (double)bytes, 8 * (double)bytes / (double)n_weights,
            clock_seconds() - started);
}
