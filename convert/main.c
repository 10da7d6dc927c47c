/* Makes a .qm file of a checkpoint. */
#include "infer/reference.h"
#include "lib/options.h"
#include "lib/progress.h"
#include "models/encode.h"
#include "models/recipe.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct request {
    const char *dtype;
    struct common common;
};

static bool find_dtype(const char *name, const struct type **type, struct error *error) {
    static const char *const known[] = {"keep", "f32", "f16", "bf16"};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (!strcmp(name, known[i])) {
            *type = i ? type_find(name) : NULL;
            return true;
        }
    return fail(error, "--dtype %s: expected keep, f32, f16 or bf16", name);
}

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

static void report(const char *out, const struct encode_totals *totals, double seconds) {
    double bits = 8 * (double)totals->bytes_after / (double)totals->n_weights;
    fprintf(stderr, "%s: %.2f M weights, %.1f MB, %.2f bits per weight, %.2f s\n", out,
            1e-6 * (double)totals->n_weights, 1e-6 * (double)totals->bytes_after, bits, seconds);
}

static void describe(const struct model_config *c) {
    fprintf(stderr,
            "%s: %" PRIu64 " layers, width %" PRIu64 ", feed-forward %" PRIu64 ", %" PRIu64
            " heads of %" PRIu64 " over %" PRIu64 " key-value heads, %" PRIu64 " tokens, context %" PRIu64
            "%s\n",
            c->family, c->n_layers, c->dim, c->ffn_dim, c->n_heads, c->head_dim, c->n_kv_heads, c->vocab_size,
            c->context, c->tied_head ? ", tied head" : "");
}

static bool encode(const struct request *request, struct import *import, const char *out, struct pool *pool,
                   struct arena *arena, struct error *error) {
    struct buffer recipe = {0};
    struct encode_plan plan;
    struct encode_totals totals;
    double started = clock_seconds();
    bool ok = make_plan(import, request->dtype, &plan, &recipe, arena, error) &&
              encode_total(import, &plan, &totals, error) &&
              reference_make(&import->container, import->config.vocab_size, arena, &plan.references, error) &&
              encode_model(import, &plan, out, request->common.force, pool, "convert", request->common.quiet,
                           error);
    buffer_free(&recipe);
    if (ok && !request->common.quiet)
        report(out, &totals, clock_seconds() - started);
    return ok;
}

static bool convert(const struct request *request, const char *in, const char *out, struct arena *arena,
                    struct error *error) {
    struct import import;
    if (!encode_check_path(out, error) || !import_open(&import, in, error))
        return false;
    if (request->common.verbose)
        describe(&import.config);
    struct pool *pool = pool_new(request->common.n_threads, error);
    bool ok = pool && encode(request, &import, out, pool, arena, error);
    pool_free(pool);
    import_close(&import);
    return ok;
}

int main(int argc, char **argv) {
    struct request request = {.dtype = "keep"};
    const struct option options[] = {
        {"dtype", OPTION_TEXT, &request.dtype, "TYPE",
         "store all tensors as f32, f16 or bf16; without it each keeps its type"},
        {0},
    };
    const struct command command = {
        "convert",
        "IN OUT.qm",
        "Makes one .qm file of a checkpoint: weights, configuration and tokenizer.\n"
        "IN is a Hugging Face folder, a .safetensors file with config.json and tokenizer.json\n"
        "beside it, the .safetensors.index.json of one in shards, or a .qm file.",
        options,
        2,
        2};
    struct arena arena = {0};
    struct text_list arguments = {0};
    struct error error;
    outputs_guard_signals();
    enum parsed parsed = options_parse(&command, argc, argv, &request.common, &arguments, &arena, &error);
    bool ok = parsed == PARSED_EXIT || (parsed == PARSED_RUN && convert(&request, arguments.items[0],
                                                                        arguments.items[1], &arena, &error));
    arena_free(&arena);
    return ok ? EXIT_DONE : report_failure(&command, &error);
}
