/* Writing checkpoints: what was read is written again, bit for bit, whatever the family; what was quantized
 * is written as what it stands for; and what cannot be written is refused. */
#include "convert/checkpoint.c" /* a program's own, in no archive */
#include "convert/export.c"
#include "convert/targets.c"

#include "models/encode.h"
#include "tests/checkpoint.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>

#include <cmocka.h>

static char root[4096];
static struct pool *pool;

bool write_qm(const struct request *request, struct import *import, const char *out, struct pool *threads,
              struct error *error) {
    (void)request, (void)import, (void)out, (void)threads, (void)error;
    return false;
}

bool write_gguf(const struct request *request, struct import *import, const char *out, struct pool *threads,
                struct error *error) {
    return write_qm(request, import, out, threads, error);
}

static void import_golden(struct import *import, const char *name) {
    char path[8192];
    struct error error;
    snprintf(path, sizeof path, "%s/tests/golden/%.240s", root, name);
    if (!import_open(import, path, &error))
        fail_msg("%s", error.text);
}

/* A golden checkpoint as model.qm, its matrices in one of these types by turns, and vectors as they are. */
static void open_qm(struct import *import, const char *name, const char *const types_[2]) {
    struct arena arena = {0};
    struct error error;
    import_golden(import, name);
    struct encode_plan plan = {ARENA_NEW(&arena, const struct type *, import->n_tensors, &error), "{}", NULL};
    for (size_t i = 0; types_ && i < import->n_tensors; i++)
        plan.types[i] = import->roles[i].n_dims > 1 ? type_find(types_[i % 2]) : NULL;
    bool good = encode_model(import, &plan, "model.qm", true, pool, "", true, &error);
    import_close(import);
    arena_free(&arena);
    if (!good || !import_open(import, "model.qm", &error))
        fail_msg("%s", error.text);
}

static const struct request quiet = {.dtype = "keep", .common = {.quiet = true, .force = true}};

static void write_good(struct import *import) {
    struct error error;
    if (!write_folder(&quiet, import, "out", pool, &error))
        fail_msg("%s", error.text);
}

static void write_refused(struct import *import, const char *sentence) {
    struct error error = {""};
    assert_false(write_folder(&quiet, import, "refused", pool, &error));
    assert_string_equal(error.text, sentence);
    assert_false(file_exists("refused"));
}

static const uint8_t *data_of(const struct container *container, const struct tensor *tensor,
                              struct arena *arena) {
    struct error error;
    uint8_t *data = arena_alloc(arena, 1, (size_t)tensor->size, &error);
    assert_true(data && tensor_read(container, tensor, data, (size_t)tensor->size, 0, &error));
    return data;
}

static void assert_same_tensor(const struct container *a, const struct container *b, size_t i) {
    const struct tensor *x = &a->tensors[i], *y = &b->tensors[i];
    struct arena arena = {0};
    if (strcmp(x->name, y->name) || x->type != y->type || x->n_dims != y->n_dims ||
        memcmp(x->dims, y->dims, sizeof x->dims) ||
        memcmp(data_of(a, x, &arena), data_of(b, y, &arena), (size_t)x->size))
        fail_msg("%s: tensor '%s' and '%s' differ", a->path, x->name, y->name);
    arena_free(&arena);
}

static void assert_same_blob(const struct blob *a, const struct blob *b) {
    assert_string_equal(a->name, b->name);
    assert_int_equal(a->size, b->size);
    assert_memory_equal(a->data, b->data, a->size);
}

/* ---- What comes back ---- */

static void assert_comes_back(const char *name) {
    struct import source, model, back;
    struct error error;
    open_qm(&model, name, NULL);
    write_good(&model);
    import_golden(&source, name);
    if (!import_open(&back, "out", &error))
        fail_msg("%s", error.text);
    assert_int_equal(back.container.n_tensors, source.container.n_tensors);
    for (size_t i = 0; i < source.container.n_tensors; i++)
        assert_same_tensor(&source.container, &back.container, i);
    assert_int_equal(back.container.n_blobs, source.container.n_blobs);
    for (size_t i = 0; i < source.container.n_blobs; i++)
        assert_same_blob(&source.container.blobs[i], &back.container.blobs[i]);
    import_close(&source);
    import_close(&model);
    import_close(&back);
}

static void every_family_comes_back(void **state) {
    (void)state;
    char path[8192], name[240];
    struct dirent *entry;
    size_t count = 0;
    snprintf(path, sizeof path, "%s/tests/golden/families", root);
    DIR *folder = opendir(path);
    while (folder && (entry = readdir(folder)))
        if (entry->d_name[0] != '.') {
            snprintf(name, sizeof name, "families/%.200s", entry->d_name);
            assert_comes_back(name);
            count++;
        }
    assert_true(folder && count > 20);
    closedir(folder);
}

/* Both as floats. */
static void assert_same_values(const struct import *a, const struct import *b, size_t i) {
    struct arena arena = {0};
    struct error error;
    struct tensor tensor = {.n_dims = a->roles[i].n_dims};
    uint64_t n_rows, n_cols;
    memcpy(tensor.dims, a->roles[i].dims, sizeof a->roles[i].dims);
    tensor_rows_cols(&tensor, &n_rows, &n_cols);
    float *x = ARENA_NEW(&arena, float, n_rows *n_cols, &error);
    float *y = ARENA_NEW(&arena, float, n_rows *n_cols, &error);
    void *raw = ARENA_NEW(&arena, float, (n_rows + PANEL_ROWS) * (n_cols + BLOCK_COLS), &error);
    if (!import_read_rows(a, i, 0, n_rows, x, raw, &error) ||
        !import_read_rows(b, i, 0, n_rows, y, raw, &error))
        fail_msg("%s", error.text);
    assert_memory_equal(x, y, n_rows * n_cols * sizeof *x);
    arena_free(&arena);
}

static void assert_values_come_back(const char *name, const char *const types_[2]) {
    struct import model, back;
    struct error error;
    open_qm(&model, name, types_);
    write_good(&model);
    if (!import_open(&back, "out", &error))
        fail_msg("%s", error.text);
    for (size_t i = 0; i < model.n_tensors; i++)
        assert_same_values(&model, &back, i);
    import_close(&model);
    import_close(&back);
}

static void quantized_weights_are_written_exactly(void **state) {
    (void)state;
    static const char *const names[] = {"tiny-llama",      "families/gpt2",    "families/gpt-neox",
                                        "families/gemma3", "families/mixtral", "families/phi3"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        assert_values_come_back(names[i], (const char *const[]){"q8", "q8"});
        assert_values_come_back(names[i], (const char *const[]){"q4", "f16"});
        assert_values_come_back(names[i], (const char *const[]){"bf16", "f16"});
    }
}

static const struct tensor *written(const struct container *container, const char *name) {
    const struct tensor *tensor = container_tensor(container, name);
    if (!tensor)
        fail_msg("%s is missing", name);
    return tensor;
}

/* Norms of f16, less 1, are not all numbers of bf16, so they are written as f32. */
static void norms_less_one_lose_nothing(void **state) {
    (void)state;
    struct import model;
    struct container out;
    struct error error;
    open_qm(&model, "families/gemma", (const char *const[]){"bf16", "bf16"});
    write_good(&model);
    assert_true(container_open(&out, "out", &error));
    assert_string_equal(written(&out, "model.embed_tokens.weight")->type->name, "bf16");
    assert_string_equal(written(&out, "model.norm.weight")->type->name, "f32");
    container_close(&out);
    import_close(&model);
}

static void a_type_may_be_asked_for(void **state) {
    (void)state;
    struct import model;
    struct container out;
    struct error error;
    struct request request = quiet;
    request.dtype = "bf16";
    open_qm(&model, "families/gemma", (const char *const[]){"q8", "q8"});
    assert_true(write_safetensors(&request, &model, "one.safetensors", pool, &error));
    assert_true(container_open(&out, "one.safetensors", &error));
    for (size_t i = 0; i < out.n_tensors; i++)
        assert_string_equal(out.tensors[i].type->name, "bf16");
    container_close(&out);
    import_close(&model);
}

/* ---- What does not ---- */

static void only_known_files_are_written(void **state) {
    (void)state;
    struct import model;
    struct blob blobs[3];
    open_qm(&model, "tiny-llama", NULL);
    blobs[0] = (struct blob){"../escaped", "x", 1};
    blobs[1] = *container_blob(&model.container, "config.json");
    blobs[2] = (struct blob){"notes.txt", "x", 1};
    model.container.blobs = blobs;
    model.container.n_blobs = 3;
    write_good(&model);
    assert_false(file_exists("escaped") || file_exists("out/notes.txt"));
    import_close(&model);
}

static void what_cannot_be_is_refused(void **state) {
    (void)state;
    struct import model;
    struct error error;
    open_qm(&model, "tiny-llama", NULL);
    const struct blob *config = container_blob(&model.container, "config.json");
    size_t at = (size_t)(config - model.container.blobs);
    model.container.blobs[at].data = CHECKPOINT_CONFIG;
    model.container.blobs[at].size = strlen(CHECKPOINT_CONFIG);
    write_refused(&model, "model.qm: its config.json calls for other tensors than it holds");
    model.container.n_blobs = at;
    write_refused(&model, "model.qm: holds no config.json, without which a checkpoint would be of no use");
    import_close(&model);

    open_qm(&model, "tiny-llama", NULL);
    struct tensor strange = *model.tensors[3];
    strange.type = NULL;
    strange.layout.name = "q9";
    model.tensors[3] = &strange;
    write_refused(&model,
                  "model.qm: tensor 'blk.0.attn_k.weight' is of type q9, which this version cannot decode");
    import_close(&model);

    import_golden(&model, "tiny-llama");
    write_good(&model);
    import_close(&model);
    assert_true(import_open(&model, "out", &error));
    assert_false(write_folder(&quiet, &model, "out", pool, &error));
    assert_string_equal(error.text,
                        "out/model.safetensors: is the input itself; the output must be another file");
    import_close(&model);
}

static void endings_say_what_is_written(void **state) {
    (void)state;
    struct error error;
    assert_true(find_target("a.qm", &error)->write == write_qm);
    assert_true(find_target("a/b.safetensors", &error)->write == write_safetensors);
    assert_true(find_target("Llama-3.2-1B", &error)->write == write_folder);
    assert_null(find_target("a.bin", &error));
    assert_string_equal(error.text, "a.bin: .qm, .gguf, .safetensors and folders can be written, not .bin");
}

/* However far it gets, nothing is left of a folder that could not be written. */
static void a_failure_anywhere_leaves_nothing(void **state) {
    (void)state;
    struct import model;
    struct error error;
    bool good = false;
    open_qm(&model, "families/gpt2", (const char *const[]){"q8", "f16"});
    for (size_t n = 1; !good && n < 10000; n++) {
        memory_fail_at(n);
        good = write_folder(&quiet, &model, "failed", pool, &error);
        memory_fail_at(0);
        assert_true(good || !file_exists("failed"));
    }
    assert_true(good);
    import_close(&model);
}

static int set_up(void **state) {
    (void)state;
    struct error error;
    if (!getcwd(root, sizeof root))
        return -1;
    enter_scratch_folder();
    pool = pool_new(2, &error);
    return pool ? 0 : -1;
}

static int tear_down(void **state) {
    (void)state;
    pool_free(pool);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_family_comes_back),
        cmocka_unit_test(quantized_weights_are_written_exactly),
        cmocka_unit_test(norms_less_one_lose_nothing),
        cmocka_unit_test(a_type_may_be_asked_for),
        cmocka_unit_test(only_known_files_are_written),
        cmocka_unit_test(what_cannot_be_is_refused),
        cmocka_unit_test(endings_say_what_is_written),
        cmocka_unit_test(a_failure_anywhere_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
