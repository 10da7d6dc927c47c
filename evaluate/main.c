/* Measures models: what they have forgotten, and how fast they are. */
#include "assets/assets.h"
#include "evaluate/arithmetic.h"
#include "evaluate/dump.h"
#include "evaluate/quality.h"
#include "evaluate/results.h"
#include "evaluate/shapes.h"
#include "evaluate/speed.h"
#include "evaluate/subject.h"
#include "lib/file.h"
#include "lib/options.h"

#include <inttypes.h>
#include <string.h>

#define MAX_TEXT ((uint64_t)1 << 30)
#define MIN_CONTEXT 4 /* of which one token is scored */

struct request {
    bool perplexity, speed, batches, roofline, json;
    const char *reference, *text, *report, *dump, *shape, *types;
    uint64_t context, windows, depth; /* windows, depth 0: the default */
    struct common common;
    struct text_list paths;
    const char *command;
};

/* Everything that is open while models are measured. Subjects are the models of the rows, then the reference
 * where it is none of them; synthetic models come without a text. */
struct bench {
    const struct request *request;
    struct pool *pool;
    struct text text;
    struct subject *subjects;
    struct model **models; /* of the rows */
    size_t n_subjects, n_opened, reference;
    struct evaluation evaluation;
    struct arena arena;
};

/* ---- What to measure ---- */

static bool check_request(struct request *request, struct error *error) {
    bool named = request->paths.count > 0;
    if (named == (request->shape != NULL))
        return fail(error, named ? "--shape makes up its own models, so none can be named beside it"
                                 : "no model was named");
    if (request->shape && (request->perplexity || request->reference || request->dump))
        return fail(error, "--shape is for --speed alone: its weights are made up and say nothing");
    if (request->types && !request->shape)
        return fail(error, "--types is for --shape: a file has the types that it has");
    if (request->json && request->report)
        return fail(error, "--json and --report are two ways to show the same results: choose one");
    if (request->dump && request->paths.count != 1)
        return fail(error, "--dump-logits takes one model, %zu were named", request->paths.count);
    if (request->dump && (request->perplexity || request->reference || request->speed || request->batches ||
                          request->roofline || request->report))
        return fail(error, "--dump-logits measures nothing: leave out --ppl, --kl, --speed, --batch, "
                           "--roofline and --report");
    if (request->depth && !request->speed && !request->batches && !request->roofline &&
        (request->perplexity || request->reference || request->dump))
        return fail(error, "--depth is for --speed: perplexity and divergence read windows of --ctx");
    if (request->context < MIN_CONTEXT || request->context > CONFIG_MAX_CONTEXT)
        return fail(error, "--ctx %" PRIu64 ": expected %d to %u", request->context, MIN_CONTEXT,
                    CONFIG_MAX_CONTEXT);
    return true;
}

/* Asked for nothing in particular: all that there is no need to ask for. */
static void choose_measures(struct request *request) {
    /* Both stand beside the speed of one sequence and of the memory. */
    request->speed |= request->batches | request->roofline;
    if (request->perplexity || request->speed || request->reference || request->dump)
        return;
    request->perplexity = !request->shape;
    request->speed = true;
}

static size_t window_limit(const struct request *request) {
    uint64_t otherwise = request->dump ? 1 : 40;
    uint64_t limit = request->windows ? request->windows : otherwise;
    return limit < SIZE_MAX ? (size_t)limit : SIZE_MAX;
}

static bool read_text(struct bench *bench, struct error *error) {
    const char *path = bench->request->text;
    char *bytes;
    if (!path) {
        bench->text = (struct text){"the text of the pocket model", asset_evaluation_text,
                                    (size_t)(asset_evaluation_text_end - asset_evaluation_text)};
        return true;
    }
    bench->text.name = path;
    if (!file_read_all(path, MAX_TEXT, &bench->arena, &bytes, &bench->text.size, error))
        return false;
    bench->text.bytes = bytes;
    return true;
}

/* ---- Opening models ---- */

static bool open_file(struct bench *bench, const char *path, struct error *error) {
    struct subject *subject = &bench->subjects[bench->n_opened];
    if (!subject_open(subject, path, error))
        return false;
    bench->n_opened++;
    const struct request *request = bench->request;
    return !(request->perplexity || request->reference || request->dump) ||
           subject_read(subject, &bench->text, error);
}

static bool open_files(struct bench *bench, struct error *error) {
    const struct text_list *paths = &bench->request->paths;
    const char *reference = bench->request->reference;
    bench->subjects = ARENA_NEW(&bench->arena, struct subject, paths->count + 1, error);
    if (!bench->subjects)
        return false;
    bench->reference = SIZE_MAX;
    for (size_t i = 0; i < paths->count; i++) {
        if (!open_file(bench, paths->items[i], error))
            return false;
        if (reference && file_same(reference, paths->items[i]))
            bench->reference = i;
    }
    bench->evaluation.n_rows = paths->count;
    if (reference && bench->reference == SIZE_MAX) {
        bench->reference = paths->count;
        if (!open_file(bench, reference, error))
            return false;
    }
    bench->n_subjects = bench->n_opened;
    if (!reference)
        bench->reference = bench->n_subjects;
    return true;
}

static const struct type *next_type(const char **list, struct error *error) {
    char name[32];
    size_t length = strcspn(*list, ",");
    snprintf(name, sizeof name, "%.*s", (int)(length < sizeof name ? length : sizeof name - 1), *list);
    *list += length + ((*list)[length] == ',');
    const struct type *type = type_find(name);
    if (!type)
        fail(error, "--types: there is no type '%s'", name);
    return type;
}

static bool open_synthetic(struct bench *bench, const struct shape *shape, const struct type *type,
                           struct error *error) {
    const char *label =
        arena_printf(&bench->arena, error, "synthetic %s %s (%s)", shape->name, type->name, shape->model);
    struct subject *subject = &bench->subjects[bench->n_opened];
    if (!label || !model_synthetic(&subject->model, &shape->config, type, label, bench->pool, error))
        return false;
    bench->n_opened++;
    return true;
}

static bool open_shape(struct bench *bench, struct error *error) {
    const struct shape *shape = shape_find(bench->request->shape, error);
    const char *list = bench->request->types ? bench->request->types : "f16,q8,q4";
    bench->subjects = shape ? ARENA_NEW(&bench->arena, struct subject, strlen(list) / 2 + 1, error) : NULL;
    if (!bench->subjects)
        return false;
    while (*list) {
        const struct type *type = next_type(&list, error);
        if (!type || !open_synthetic(bench, shape, type, error))
            return false;
    }
    bench->evaluation.n_rows = bench->n_subjects = bench->reference = bench->n_opened;
    return true;
}

/* ---- Measuring ---- */

static void describe(const struct model *model, struct row *row) {
    row->file = row->name = model->path;
    row->type = model->main_type;
    row->synthetic = model->pages != NULL;
    row->file_bytes = model->file_bytes;
    row->tensor_bytes = model->tensor_bytes;
    row->bits_per_weight = 8 * (double)model->tensor_bytes / (double)model->n_weights;
}

/* Paths without their folders, unless two of them would look alike. */
static void name_rows(struct evaluation *evaluation) {
    for (size_t i = 0; i < evaluation->n_rows; i++)
        for (size_t k = 0; k < i; k++)
            if (!strcmp(path_base(evaluation->rows[i].file), path_base(evaluation->rows[k].file)))
                return;
    for (size_t i = 0; i < evaluation->n_rows; i++)
        if (!evaluation->rows[i].synthetic)
            evaluation->rows[i].name = path_base(evaluation->rows[i].file);
}

/* One row more than shown, for a reference that is none of them. */
static bool make_rows(struct bench *bench, struct error *error) {
    struct evaluation *evaluation = &bench->evaluation;
    evaluation->rows = ARENA_NEW(&bench->arena, struct row, bench->n_subjects + 1, error);
    bench->models = ARENA_NEW(&bench->arena, struct model *, bench->n_subjects + 1, error);
    if (!evaluation->rows || !bench->models)
        return false;
    for (size_t i = 0; i < evaluation->n_rows; i++) {
        bench->models[i] = &bench->subjects[i].model;
        describe(bench->models[i], &evaluation->rows[i]);
    }
    name_rows(evaluation);
    return true;
}

static bool run_quality(struct bench *bench, struct error *error) {
    const struct request *request = bench->request;
    struct evaluation *evaluation = &bench->evaluation;
    const struct quality_request quality = {
        .subjects = bench->subjects,
        .n_subjects = bench->n_subjects,
        .reference = bench->reference,
        .text = &bench->text,
        .context = request->context,
        .windows = window_limit(request),
        .pool = bench->pool,
        .quiet = request->common.quiet,
    };
    evaluation->has_perplexity = request->perplexity;
    evaluation->has_divergence = request->reference != NULL;
    evaluation->text = bench->text.name;
    evaluation->reference = request->reference;
    evaluation->context = request->context;
    evaluation->scored = scored_tokens(request->context);
    return measure_quality(&quality, evaluation->rows, &evaluation->windows, error);
}

/* The law that the project rests on: a token takes the time that reading its weights takes. */
static bool fit_speed(struct bench *bench, struct error *error) {
    struct evaluation *evaluation = &bench->evaluation;
    double *bytes = ARENA_NEW(&bench->arena, double, evaluation->n_rows, error);
    double *seconds = ARENA_NEW(&bench->arena, double, evaluation->n_rows, error);
    size_t n = 0;
    if (!bytes || !seconds)
        return false;
    for (size_t i = 0; i < evaluation->n_rows; i++) {
        const struct row *row = &evaluation->rows[i];
        if (row_may_be_cached(row))
            continue;
        bytes[n] = row->streamed_bytes;
        seconds[n++] = 1 / row->decode;
    }
    evaluation->has_fit = fit_line(bytes, seconds, n, &evaluation->fit) && evaluation->fit.slope > 0;
    return true;
}

static bool run_speed(struct bench *bench, struct error *error) {
    struct evaluation *evaluation = &bench->evaluation;
    const struct speed_request speed = {
        .models = bench->models,
        .n_models = evaluation->n_rows,
        .pool = bench->pool,
        .depth = bench->request->depth,
        .batches = bench->request->batches,
        .quiet = bench->request->common.quiet,
    };
    evaluation->has_speed = true;
    evaluation->has_batches = bench->request->batches;
    return measure_speed(&speed, evaluation->rows, evaluation, error) && fit_speed(bench, error) &&
           (!bench->request->roofline || measure_rooflines(&speed, evaluation, &bench->arena, error));
}

static bool run_dump(struct bench *bench, struct error *error) {
    const struct request *request = bench->request;
    size_t windows;
    return subject_windows(&bench->subjects[0], &bench->text, request->context, window_limit(request),
                           &windows, error) &&
           dump_logits(request->dump, request->common.force, &bench->subjects[0], request->context, windows,
                       bench->pool, error);
}

/* ---- Showing ---- */

static bool write_report(const struct request *request, const struct evaluation *evaluation,
                         struct error *error) {
    struct buffer page = {0};
    struct output *output = NULL;
    bool good = print_report(evaluation, &page, error) &&
                (output = output_create(request->report, request->common.force, error)) &&
                output_write(output, page.data, page.size, 0, error);
    if (good)
        good = output_commit(output, error);
    else
        output_abandon(output);
    buffer_free(&page);
    return good;
}

static bool show(const struct bench *bench, struct error *error) {
    const struct request *request = bench->request;
    struct buffer text = {0};
    bool good = (request->json ? print_json : print_table)(&bench->evaluation, &text, error);
    if (good)
        fwrite(text.data, 1, text.size, stdout);
    buffer_free(&text);
    return good && finish_output(error) &&
           (!request->report || write_report(request, &bench->evaluation, error));
}

/* Said before hours of work, not behind them. */
static bool check_outputs(const struct request *request, struct error *error) {
    const char *path = request->report ? request->report : request->dump;
    if (path && !request->common.force && file_exists(path))
        return fail(error, "%s: exists already; --force replaces it", path);
    return true;
}

static bool measure(struct bench *bench, struct error *error) {
    const struct request *request = bench->request;
    if (!(request->shape ? open_shape : open_files)(bench, error))
        return false;
    if (request->dump)
        return run_dump(bench, error);
    return make_rows(bench, error) &&
           (!(request->perplexity || request->reference) || run_quality(bench, error)) &&
           (!request->speed || run_speed(bench, error)) && show(bench, error);
}

static bool evaluate(struct request *request, struct error *error) {
    struct bench bench = {.request = request};
    if (!check_request(request, error) || !check_outputs(request, error))
        return false;
    choose_measures(request);
    bench.pool = pool_new(request->common.n_threads, error);
    bool good = bench.pool && read_text(&bench, error);
    if (good) {
        bench.evaluation.machine = machine_here(pool_size(bench.pool), &bench.arena);
        bench.evaluation.command = request->command;
        good = measure(&bench, error);
    }
    for (size_t i = 0; i < bench.n_opened; i++)
        subject_close(&bench.subjects[i]);
    pool_free(bench.pool);
    arena_free(&bench.arena);
    return good;
}

/* ---- The command line ---- */

static const char *join_arguments(int argc, char **argv, struct arena *arena, struct error *error) {
    const char *line = "evaluate";
    for (int i = 1; line && i < argc; i++)
        line = arena_printf(arena, error, "%s %s", line, argv[i]);
    return line;
}

int main(int argc, char **argv) {
    struct request request = {.context = 512};
    const struct option options[] = {
        {"ppl", OPTION_FLAG, &request.perplexity, NULL, "measure perplexity"},
        {"kl", OPTION_TEXT, &request.reference, "MODEL",
         "measure the divergence from this model, usually the unquantized one"},
        {"speed", OPTION_FLAG, &request.speed, NULL, "measure tokens a second, and the memory's speed"},
        {"depth", OPTION_COUNT, &request.depth, "N",
         "with --speed: tokens of the prefill, behind which it generates (128)"},
        {"batch", OPTION_FLAG, &request.batches, NULL,
         "measure speed, also of up to 64 sequences together, and where arithmetic takes over from memory"},
        {"roofline", OPTION_FLAG, &request.roofline, NULL,
         "measure speed, then say what memory and arithmetic allow, here and on known devices"},
        {"text", OPTION_TEXT, &request.text, "FILE",
         "the text to read, - for standard input; without it, books that come with the program"},
        {"ctx", OPTION_COUNT, &request.context, "N", "tokens to a window (512); the last half is scored"},
        {"windows", OPTION_COUNT, &request.windows, "N", "windows to read at most (40)"},
        {"json", OPTION_FLAG, &request.json, NULL, "print the results as JSON"},
        {"report", OPTION_TEXT, &request.report, "FILE.html", "write a page with tables and plots as well"},
        {"dump-logits", OPTION_TEXT, &request.dump, "FILE",
         "only write the logits of all tokens of the windows (1), as float32"},
        {"shape", OPTION_TEXT, &request.shape, "SHAPE",
         "in place of MODEL: made-up weights in a shape such as 1b or 7b, for --speed"},
        {"types", OPTION_TEXT, &request.types, "LIST", "with --shape: its types (f16,q8,q4)"},
        {0},
    };
    const struct command command = {
        "evaluate",
        "MODEL.qm... | --shape SHAPE",
        "Measures models, a row for each: perplexity, divergence from a reference, speed.\n"
        "Without --ppl, --kl or --speed it measures perplexity and speed.",
        options,
        0,
        SIZE_MAX};
    struct arena arena = {0};
    struct error error;
    outputs_guard_signals();
    enum parsed parsed = options_parse(&command, argc, argv, &request.common, &request.paths, &arena, &error);
    bool good = parsed == PARSED_EXIT;
    if (parsed == PARSED_RUN) {
        request.command = join_arguments(argc, argv, &arena, &error);
        good = request.command && evaluate(&request, &error);
    }
    arena_free(&arena);
    return good ? EXIT_DONE : report_failure(&command, &error);
}
