/* Checks files: structure, checksums, values, and against the checkpoint that they were made of. */
#include "format/qm.h"
#include "lib/options.h"
#include "lib/progress.h"
#include "verify/checks.h"
#include "verify/list.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct request {
    const char *source;
    bool list, json;
    struct common common;
    struct pool *pool;
};

void found(struct findings *findings, const char *sentence) {
    progress_done();
    fprintf(stderr, "verify: %s\n", sentence);
    findings->count++;
}

/* ---- What is said of a file ---- */

struct totals {
    uint64_t n_weights, bytes;
    const char *main_type; /* that most bytes are of */
};

static uint64_t weights_of(const struct tensor *tensor) {
    uint64_t n_rows, n_cols;
    tensor_rows_cols(tensor, &n_rows, &n_cols);
    return n_rows * n_cols;
}

static uint64_t bytes_of_type(const struct container *container, const char *type) {
    uint64_t bytes = 0;
    for (size_t i = 0; i < container->n_tensors; i++)
        if (!strcmp(container->tensors[i].layout.name, type))
            bytes += container->tensors[i].size;
    return bytes;
}

static struct totals total(const struct container *container) {
    struct totals totals = {.main_type = "no type"};
    uint64_t most = 0;
    for (size_t i = 0; i < container->n_tensors; i++) {
        const struct tensor *tensor = &container->tensors[i];
        totals.n_weights += weights_of(tensor);
        totals.bytes += tensor->size;
        if (!strcmp(tensor->layout.name, totals.main_type))
            continue;
        uint64_t bytes = bytes_of_type(container, tensor->layout.name);
        if (bytes > most) {
            most = bytes;
            totals.main_type = tensor->layout.name;
        }
    }
    return totals;
}

static void print_id(const struct container *container) {
    if (container->format != &qm_format)
        return;
    const struct qm_details *details = container->details;
    printf(", id ");
    for (size_t i = 0; i < sizeof details->model_id.bytes; i++)
        printf("%02x", details->model_id.bytes[i]);
}

static void print_good(const struct container *container, size_t n_references) {
    struct totals totals = total(container);
    printf("%s: ok, %zu tensors, %.2f M weights, %s, %.2f bits per weight", container->path,
           container->n_tensors, 1e-6 * (double)totals.n_weights, totals.main_type,
           totals.n_weights ? 8 * (double)totals.bytes / (double)totals.n_weights : 0);
    print_id(container);
    if (n_references)
        printf(", %zu reference strings", n_references);
    printf("\n");
}

#define WORST_SHOWN 10

static void print_comparison(const char *source, const struct comparison *c, bool all) {
    printf("  against %s: %zu files as recorded, %zu of %zu tensors exact, relative error %.3g\n", source,
           c->n_files, c->n_exact, c->count, relative_error(c->squares, c->source_squares));
    for (size_t i = 0; i < c->count && (all || i < WORST_SHOWN); i++) {
        const struct difference *d = &c->differences[i];
        if (d->squares > 0)
            printf("  %-28s %-5s %.3e\n", d->role->name, d->type,
                   relative_error(d->squares, d->source_squares));
        else if (all)
            printf("  %-28s %-5s exact\n", d->role->name, d->type);
    }
}

/* ---- The checks ---- */

static void found_in_data(void *findings, const struct tensor *tensor, const char *sentence) {
    (void)tensor;
    found(findings, sentence);
}

static void check_data(const struct request *request, const struct container *container,
                       struct findings *findings) {
    bool is_qm = container->format == &qm_format;
    uint64_t bytes = total(container).bytes;
    progress_start("verify", is_qm ? 2 * bytes : bytes, "B", request->common.quiet);
    if (is_qm)
        qm_check_data(container, request->pool, found_in_data, findings);
    check_values(container, request->pool, findings);
    progress_done();
}

static bool open_or_find(struct import *import, const char *path, struct findings *findings) {
    struct error error;
    if (import_open(import, path, &error))
        return true;
    found(findings, error.text);
    return false;
}

static void check_source(const struct request *request, const struct import *model,
                         struct comparison *comparison, struct arena *arena, struct findings *findings) {
    struct import source;
    if (!request->source || !open_or_find(&source, request->source, findings))
        return;
    compare_with_source(model, &source, request->pool, request->common.quiet, comparison, arena, findings);
    import_close(&source);
}

static void report(const struct request *request, const struct container *container,
                   const struct comparison *comparison, size_t n_references,
                   const struct findings *findings) {
    if (findings->count)
        printf("%s: failed, %zu problem%s\n", container->path, findings->count,
               findings->count > 1 ? "s" : "");
    else
        print_good(container, n_references);
    if (request->common.verbose)
        print_tensors(container);
    if (comparison->count)
        print_comparison(request->source, comparison, request->common.verbose);
}

/* Configuration and tensors as a model, which a bare file of weights is not; and against the source. */
static void check_model(const struct request *request, const struct container *container,
                        struct findings *findings) {
    struct comparison comparison = {0};
    struct arena arena = {0};
    struct import model;
    bool is_model = container->format == &qm_format || container_blob(container, "config.json");
    if (is_model && open_or_find(&model, container->path, findings)) {
        size_t n_references = check_tokens(&model, findings);
        check_source(request, &model, &comparison, &arena, findings);
        report(request, container, &comparison, n_references, findings);
        import_close(&model);
    } else
        report(request, container, &comparison, 0, findings);
    arena_free(&arena);
}

/* Is it there, and of a format that we know by its first bytes? Then what is wrong with it is a finding. */
static bool is_ours(const char *path) {
    for (size_t i = 0; formats[i]; i++)
        if (file_exists(path) && formats[i]->probe(path))
            return true;
    return false;
}

static int check_file(const struct request *request, const char *path) {
    struct container container;
    struct findings findings = {0};
    struct error error;
    if (!container_open(&container, path, &error)) {
        found(&findings, error.text);
        if (!is_ours(path))
            return EXIT_UNABLE;
        printf("%s: failed, it cannot be read\n", path);
        return EXIT_CHECK_FAILED;
    }
    check_data(request, &container, &findings);
    check_model(request, &container, &findings);
    container_close(&container);
    return findings.count ? EXIT_CHECK_FAILED : EXIT_DONE;
}

static bool verify(struct request *request, const struct text_list *paths, int *status, struct error *error) {
    request->pool = pool_new(request->common.n_threads, error);
    for (size_t i = 0; request->pool && i < paths->count; i++) {
        int one = check_file(request, paths->items[i]);
        *status = one > *status ? one : *status;
    }
    pool_free(request->pool);
    return request->pool != NULL;
}

/* ---- Listing ---- */

/* Adds the file to `files`, or prints it where that is NULL. */
static bool list_file(const char *path, json_t *files, struct error *error) {
    struct container container;
    if (!container_open(&container, path, error))
        return false;
    bool good = true;
    if (!files)
        print_list(&container);
    else if (json_array_append_new(files, list_json(&container)))
        good = fail(error, "%s: cannot be listed as JSON, there is no memory", path);
    container_close(&container);
    return good;
}

static bool print_document(const json_t *files, struct error *error) {
    struct buffer text = {0};
    bool good = json_write(files, &text, error);
    if (good)
        fwrite(text.data, 1, text.size, stdout);
    buffer_free(&text);
    return good;
}

static bool list(const struct request *request, const struct text_list *paths, struct error *error) {
    json_t *document = request->json ? json_pack("{s:[]}", "files") : NULL;
    json_t *files = json_object_get(document, "files");
    bool good = !request->json || files || fail(error, "there is no memory for a list");
    for (size_t i = 0; good && i < paths->count; i++)
        good = list_file(paths->items[i], files, error);
    good = good && (!document || print_document(document, error));
    json_decref(document);
    return good;
}

static bool run(struct request *request, const struct text_list *paths, int *status, struct error *error) {
    if (request->json && !request->list)
        return fail(error, "--json is the form of --list");
    return (request->list ? list(request, paths, error) : verify(request, paths, status, error)) &&
           finish_output(error);
}

int main(int argc, char **argv) {
    struct request request = {0};
    const struct option options[] = {
        {"source", OPTION_TEXT, &request.source, "CHECKPOINT",
         "compare with what it was made of: SHA-256 of its files, error of each tensor"},
        {"list", OPTION_FLAG, &request.list, NULL,
         "show metadata, blobs and tensors in place of checking; of checkpoints and .gguf files too"},
        {"json", OPTION_FLAG, &request.json, NULL, "the list as JSON"},
        {0},
    };
    const struct command command = {
        "verify",
        "FILE...",
        "Checks each file's structure, every checksum, that all weights are finite and padding is\n"
        "zero, that tensors and configuration make a model, and that its reference strings have the\n"
        "tokens that it says. One line a file; -v lists tensors.\n"
        "Exits with 0 where all is well, 1 where something is wrong, 2 where a file could not be read.",
        options,
        1,
        SIZE_MAX};
    struct arena arena = {0};
    struct text_list paths = {0};
    struct error error;
    int status = EXIT_DONE;
    outputs_guard_signals();
    enum parsed parsed = options_parse(&command, argc, argv, &request.common, &paths, &arena, &error);
    bool ok = parsed == PARSED_EXIT || (parsed == PARSED_RUN && run(&request, &paths, &status, &error));
    arena_free(&arena);
    return ok ? status : report_failure(&command, &error);
}
