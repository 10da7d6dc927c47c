/* Makes a smaller .qm file: weights in fewer bits. */
#include "infer/reference.h"
#include "lib/options.h"
#include "lib/progress.h"
#include "models/encode.h"
#include "models/recipe.h"
#include "quantize/rules.h"

#include <inttypes.h>
#include <stdio.h>

struct request {
    const char *type;
    struct text_list rules;
    bool dry_run;
    struct common common;
};

/* ---- The plan ---- */

static json_t *asked(const struct request *request) {
    json_t *rules = json_array(), *options = json_pack("{s:s, s:o}", "type", request->type, "rules", rules);
    for (size_t i = 0; options && i < request->rules.count; i++)
        if (json_array_append_new(rules, json_string(request->rules.items[i]))) {
            json_decref(options);
            return NULL;
        }
    return options;
}

static bool make_plan(const struct request *request, const struct import *import, struct encode_plan *plan,
                      struct buffer *recipe, struct arena *arena, struct error *error) {
    const struct type *target = known_type("--type", request->type, error);
    plan->types = target ? ARENA_NEW(arena, const struct type *, import->n_tensors, error) : NULL;
    if (!plan->types || !rules_plan(import, target, &request->rules, plan->types, arena, error) ||
        !recipe_write(import, "quantize", asked(request), recipe, error))
        return false;
    plan->recipe = recipe->data;
    return true;
}

static double bits_per_weight(const struct encode_totals *totals) {
    return 8 * (double)totals->bytes_after / (double)totals->n_weights;
}

static void print_row(const struct import *import, const struct encode_plan *plan, size_t i) {
    struct tensor planned = encode_planned(import, plan, i);
    uint64_t bytes = 0;
    tensor_bytes(&planned, &bytes);
    printf("%-28s %15s  %-5s %-5s %13" PRIu64 "\n", planned.name,
           dims_text(planned.n_dims, planned.dims).text, import->tensors[i]->layout.name, planned.layout.name,
           bytes);
}

static void print_plan(const struct import *import, const struct encode_plan *plan,
                       const struct encode_totals *totals) {
    printf("%-28s %15s  %-5s %-5s %13s\n", "tensor", "shape", "from", "to", "bytes");
    for (size_t i = 0; i < import->n_tensors; i++)
        print_row(import, plan, i);
    printf("%zu tensors, %.2f M weights, %" PRIu64 " bytes -> %" PRIu64 " bytes, %.3f bits per weight\n",
           import->n_tensors, 1e-6 * (double)totals->n_weights, totals->bytes_before, totals->bytes_after,
           bits_per_weight(totals));
}

/* ---- The work ---- */

static bool write_model(const struct request *request, struct import *import, const struct encode_plan *plan,
                        const struct encode_totals *totals, const char *out, struct error *error) {
    double started = clock_seconds();
    struct pool *pool = pool_new(request->common.n_threads, error);
    bool ok = pool && encode_model(import, plan, out, request->common.force, pool, "quantize",
                                   request->common.quiet, error);
    pool_free(pool);
    if (ok && !request->common.quiet)
        fprintf(stderr, "%s: %.1f MB -> %.1f MB, %.2f bits per weight, %.2f s\n", out,
                1e-6 * (double)totals->bytes_before, 1e-6 * (double)totals->bytes_after,
                bits_per_weight(totals), clock_seconds() - started);
    return ok;
}

static bool plan_and_write(const struct request *request, struct import *import, const char *out,
                           struct arena *arena, struct error *error) {
    struct buffer recipe = {0};
    struct encode_plan plan;
    struct encode_totals totals;
    bool ok = make_plan(request, import, &plan, &recipe, arena, error) &&
              encode_total(import, &plan, &totals, error);
    if (ok && (request->dry_run || request->common.verbose))
        print_plan(import, &plan, &totals);
    if (ok && !request->dry_run)
        ok = reference_make(&import->container, import->config.vocab_size, arena, &plan.references, error) &&
             write_model(request, import, &plan, &totals, out, error);
    buffer_free(&recipe);
    return ok;
}

static bool quantize(const struct request *request, const struct text_list *arguments, struct arena *arena,
                     struct error *error) {
    const char *out = arguments->count > 1 ? arguments->items[1] : NULL;
    struct import import;
    if (!request->type)
        return fail(error, "--type is needed, such as --type q4");
    if (!out && !request->dry_run)
        return fail(error, "where to? give the output's name behind the input's, or --dry-run");
    if ((out && !encode_check_path(out, error)) || !import_open(&import, arguments->items[0], error))
        return false;
    bool ok = plan_and_write(request, &import, out, arena, error);
    import_close(&import);
    return ok && finish_output(error);
}

int main(int argc, char **argv) {
    struct request request = {0};
    const struct option options[] = {
        {"type", OPTION_TEXT, &request.type, "TYPE",
         "of the matrices: q8, q4, f16, bf16 or f32; must be given"},
        {"rule", OPTION_LIST, &request.rules, "REGEX=TYPE",
         "another type for tensors whose name matches; may repeat, the last that matches decides"},
        {"dry-run", OPTION_FLAG, &request.dry_run, NULL,
         "print what would become of each tensor, write nothing"},
        {0},
    };
    const struct command command = {
        "quantize",
        "--type TYPE IN OUT.qm",
        "Makes a .qm file whose weights take fewer bits.\n"
        "IN is a .qm file or whatever convert reads. Tensors of one dimension become f32; with\n"
        "q4, the matrix that makes the logits becomes q8.",
        options,
        1,
        2};
    struct arena arena = {0};
    struct text_list arguments = {0};
    struct error error;
    outputs_guard_signals();
    enum parsed parsed = options_parse(&command, argc, argv, &request.common, &arguments, &arena, &error);
    bool ok =
        parsed == PARSED_EXIT || (parsed == PARSED_RUN && quantize(&request, &arguments, &arena, &error));
    arena_free(&arena);
    return ok ? EXIT_DONE : report_failure(&command, &error);
}
