/* A .qm file: configuration, tokenizer and weights of any input. */
#include "convert/targets.h"
#include "infer/reference.h"
#include "lib/progress.h"
#include "models/encode.h"
#include "models/recipe.h"
#include "types/gguf.h"

#include <stdio.h>

static bool make_plan(const struct import *import, const char *dtype, struct encode_plan *plan,
                      struct buffer *recipe, struct arena *arena, struct error *error) {
    const struct type *type = NULL;
    if (!find_dtype(dtype, &type, error))
        return false;
    plan->types = ARENA_NEW(arena, const struct type *, import->n_tensors, error);
    if (!plan->types || !recipe_write(import, "convert", json_pack("{s:s}", "dtype", dtype), recipe, error))
        return false;
    plan->recipe = recipe->data;
    for (size_t i = 0; i < import->n_tensors; i++)
        plan->types[i] = type;
    return true;
}

static size_t count_decoded(const struct import *import, const struct encode_plan *plan,
                            const struct type *type) {
    size_t count = 0;
    for (size_t i = 0; i < import->n_tensors; i++)
        count += import->tensors[i]->type == type && encode_planned(import, plan, i).type != type;
    return count;
}

/* Says which block types of a GGUF file a .qm file cannot hold as they are. */
static void report_decoded(const struct import *import, const struct encode_plan *plan) {
    for (size_t i = 0; i < n_gguf_types; i++) {
        const struct type *type = gguf_types[i].type;
        if (!type || type_is_plain(type) || type->repack)
            continue;
        size_t count = count_decoded(import, plan, type);
        if (count)
            fprintf(stderr,
                    "%s: %zu tensors of type %s are decoded: no type of .qm files holds such blocks\n",
                    import->container.path, count, type->name);
    }
}

bool write_qm(const struct request *request, struct import *import, const char *out, struct pool *pool,
              struct error *error) {
    struct buffer recipe = {0};
    struct arena arena = {0};
    struct encode_plan plan;
    struct encode_totals totals;
    double started = clock_seconds();
    bool good =
        make_plan(import, request->dtype, &plan, &recipe, &arena, error) &&
        encode_total(import, &plan, &totals, error) &&
        reference_make(&import->container, import->config.vocab_size, &arena, &plan.references, error) &&
        encode_model(import, &plan, out, request->common.force, pool, "convert", request->common.quiet,
                     error);
    if (good && !request->common.quiet)
        report_decoded(import, &plan);
    buffer_free(&recipe);
    arena_free(&arena);
    if (good && !request->common.quiet)
        report_written(out, totals.n_weights, totals.bytes_after, started);
    return good;
}
