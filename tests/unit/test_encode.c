/* Writing models: the same bytes however many threads work, copies that are exact, values that do not fit
 * named, and nothing left behind where it fails. */
#include "lib/half.h"
#include "models/encode.h"
#include "models/recipe.h"
#include "tests/checkpoint.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* Matrices in `matrices`, all else in `vectors`; NULL keeps the type. */
struct order {
    const char *in, *out, *matrices, *vectors;
    unsigned n_threads;
};

static bool encode(const struct order *order, bool force, struct error *error) {
    const struct type *types_[32];
    struct import import;
    struct buffer recipe = {0};
    if (!import_open(&import, order->in, error))
        return false;
    for (size_t i = 0; i < import.n_tensors; i++) {
        const char *name = import.roles[i].n_dims == 2 ? order->matrices : order->vectors;
        types_[i] = name ? type_find(name) : NULL;
    }
    struct pool *pool = pool_new(order->n_threads ? order->n_threads : 1, error);
    bool ok = pool && recipe_write(&import, "test",
                                   json_pack("{s:s}", "type", order->matrices ? order->matrices : ""),
                                   &recipe, error);
    struct encode_plan plan = {.types = types_, .recipe = recipe.data};
    ok = ok && encode_model(&import, &plan, order->out, force, pool, "test", true, error);
    buffer_free(&recipe);
    pool_free(pool);
    import_close(&import);
    return ok;
}

static void encode_good(struct order order) {
    struct error error = {""};
    if (!encode(&order, true, &error))
        fail_msg("%s", error.text);
}

static void encode_refused(struct order order, const char *sentence) {
    struct error error = {""};
    if (encode(&order, false, &error))
        fail_msg("was written; expected: %s", sentence);
    if (strcmp(error.text, sentence))
        fail_msg("\nsays:     %s\nexpected: %s", error.text, sentence);
}

static struct import open_good(const char *path) {
    struct import import;
    struct error error = {""};
    if (!import_open(&import, path, &error))
        fail_msg("%s", error.text);
    return import;
}

static void assert_same_files(const char *a, const char *b) {
    struct arena arena = {0};
    struct error error;
    char *one, *other;
    size_t size, other_size;
    assert_true(file_read_all(a, 1 << 24, &arena, &one, &size, &error));
    assert_true(file_read_all(b, 1 << 24, &arena, &other, &other_size, &error));
    assert_int_equal(size, other_size);
    assert_memory_equal(one, other, size);
    arena_free(&arena);
}

static void assert_nothing_left(void) {
    assert_false(file_exists("out.qm"));
    assert_int_equal(system("ls -A | grep -q tmp"), 256);
}

static int write_checkpoint(void **state) {
    (void)state;
    checkpoint_write(".", &(struct checkpoint){0});
    unlink("out.qm");
    return 0;
}

/* ---- Bytes ---- */

static void kept_tensors_are_copied_exactly(void **state) {
    (void)state;
    static const char *const dtypes[] = {"F32", "F16", "BF16"};
    for (size_t d = 0; d < 3; d++) {
        checkpoint_write(".", &(struct checkpoint){.dtype = dtypes[d]});
        encode_good((struct order){.in = ".", .out = "out.qm"});
        struct import from = open_good("."), to = open_good("out.qm");
        for (size_t i = 0; i < from.n_tensors; i++) {
            uint8_t a[16384], b[16384];
            size_t size = (size_t)from.tensors[i]->size;
            struct error error;
            assert_ptr_equal(from.tensors[i]->type, to.tensors[i]->type);
            assert_int_equal(to.tensors[i]->size, size);
            assert_true(tensor_read(&from.container, from.tensors[i], a, size, 0, &error));
            assert_true(tensor_read(&to.container, to.tensors[i], b, size, 0, &error));
            assert_memory_equal(a, b, size);
        }
        import_close(&from);
        import_close(&to);
    }
}

static void threads_do_not_change_bytes(void **state) {
    (void)state;
    static const char *const matrices[] = {NULL, "f32", "f16", "bf16", "q8", "q4"};
    for (size_t m = 0; m < sizeof matrices / sizeof *matrices; m++) {
        encode_good((struct order){".", "one.qm", matrices[m], "f32", 1});
        for (unsigned n = 2; n < 8; n += 5) {
            encode_good((struct order){".", "many.qm", matrices[m], "f32", n});
            assert_same_files("one.qm", "many.qm");
        }
    }
}

static void data_lies_in_the_order_of_a_token(void **state) {
    (void)state;
    encode_good((struct order){.in = ".", .out = "out.qm"});
    struct import import = open_good("out.qm");
    for (size_t i = 1; i < import.n_tensors; i++)
        assert_true(import.tensors[i - 1]->offset < import.tensors[i]->offset);
    import_close(&import);
}

static void a_wider_type_and_back_is_the_same_model(void **state) {
    (void)state;
    encode_good((struct order){".", "out.qm", "f32", "f32", 2});
    encode_good((struct order){"out.qm", "back.qm", "f16", "f16", 2});
    struct import from = open_good("."), to = open_good("back.qm");
    for (size_t i = 0; i < from.n_tensors; i++) {
        float a[72 * 40], b[72 * 40], raw[72 * 40];
        struct error error;
        uint64_t n_rows, n_cols;
        tensor_rows_cols(from.tensors[i], &n_rows, &n_cols);
        assert_true(import_read_rows(&from, i, 0, n_rows, a, raw, &error));
        assert_true(import_read_rows(&to, i, 0, n_rows, b, raw, &error));
        assert_memory_equal(a, b, n_rows * n_cols * sizeof *a);
    }
    import_close(&from);
    import_close(&to);
}

/* A quantized file can be read again as any other. */
static void quantized_tensors_are_converted_too(void **state) {
    (void)state;
    encode_good((struct order){".", "q8.qm", "q8", "f32", 2});
    encode_good((struct order){"q8.qm", "f32.qm", "f32", "f32", 2});
    encode_good((struct order){"f32.qm", "again.qm", "q8", "f32", 2});
    struct import q8 = open_good("q8.qm"), f32 = open_good("f32.qm");
    float a[16 * 40], b[16 * 40], raw[16 * 64];
    struct error error;
    assert_true(import_read_rows(&q8, 0, 16, 16, a, raw, &error));
    assert_true(import_read_rows(&f32, 0, 16, 16, b, raw, &error));
    assert_memory_equal(a, b, sizeof a);
    import_close(&q8);
    import_close(&f32);
}

/* ---- What goes along ---- */

static void blobs_go_along_and_recipes_grow(void **state) {
    (void)state;
    encode_good((struct order){".", "out.qm", "f32", "f32", 1});
    encode_good((struct order){"out.qm", "second.qm", "q8", "f32", 1});
    struct import first = open_good("out.qm"), second = open_good("second.qm");
    static const char *const kept[] = {"config.json", "tokenizer.json", "sources.json"};
    for (size_t i = 0; i < 3; i++) {
        const struct blob *a = container_blob(&first.container, kept[i]);
        const struct blob *b = container_blob(&second.container, kept[i]);
        assert_true(a && b && a->size == b->size && !memcmp(a->data, b->data, a->size));
    }
    assert_string_equal(
        container_blob(&first.container, "recipe.json")->data,
        "{\n  \"steps\": [\n    {\n      \"program\": \"test\",\n      \"version\": \"1.0.0\",\n"
        "      \"type\": \"f32\"\n    }\n  ]\n}\n");
    const char *recipe = container_blob(&second.container, "recipe.json")->data;
    assert_non_null(strstr(recipe, "\"type\": \"f32\"\n    },\n    {"));
    assert_non_null(strstr(recipe, "\"type\": \"q8\",\n      \"input\": \""));
    assert_int_equal(second.n_sources, 3);
    assert_string_equal(second.sources[1].name, "model.safetensors");
    assert_int_equal(strlen(second.sources[1].sha256), 64);
    import_close(&first);
    import_close(&second);
}

/* ---- Values ---- */

static void values_beyond_f16_are_named(void **state) {
    (void)state;
    checkpoint_write(".", &(struct checkpoint){.dtype = "BF16",
                                               .poke = "model.layers.1.mlp.up_proj.weight",
                                               .poke_at = 40 * 70 + 3,
                                               .poke_value = -65536});
    encode_refused(
        (struct order){".", "out.qm", "f16", "f16", 2},
        "./model.safetensors: tensor 'model.layers.1.mlp.up_proj.weight' has -65536 in row 70, column 3, "
        "which does not fit f16");
    assert_nothing_left();
}

static void values_that_are_not_finite_are_named(void **state) {
    (void)state;
    static const char *const matrices[] = {NULL, "f16", "f32", "q4"};
    checkpoint_write(".", &(struct checkpoint){.dtype = "BF16",
                                               .poke = "model.layers.0.mlp.up_proj.weight",
                                               .poke_at = 40 * 17 + 33,
                                               .poke_value = bits_float(0x7f800000)});
    for (size_t i = 0; i < 4; i++) {
        encode_refused(
            (struct order){".", "out.qm", matrices[i], NULL, 2},
            "./model.safetensors: tensor 'model.layers.0.mlp.up_proj.weight' has inf in row 17, column 33");
        assert_nothing_left();
    }
}

/* ---- Refusals ---- */

static void an_output_that_exists_is_left_alone(void **state) {
    (void)state;
    fclose(fopen("out.qm", "w"));
    encode_refused((struct order){".", "out.qm", NULL, NULL, 1},
                   "out.qm: already exists; --force replaces it");
}

static void the_input_is_not_written_onto(void **state) {
    (void)state;
    encode_good((struct order){".", "out.qm", NULL, NULL, 1});
    assert_int_equal(symlink("out.qm", "link.qm"), 0);
    encode_refused((struct order){"out.qm", "./out.qm", "q8", "f32", 1},
                   "./out.qm: is the input itself; the output must be another file");
    encode_refused((struct order){"out.qm", "link.qm", "q8", "f32", 1},
                   "link.qm: is the input itself; the output must be another file");
}

static void vectors_stay_out_of_panels(void **state) {
    (void)state;
    encode_refused((struct order){".", "out.qm", "q8", "q8", 1},
                   ".: tensor 'blk.0.attn_norm.weight' has one dimension, which type q8 cannot hold");
}

static void only_qm_endings_are_written(void **state) {
    (void)state;
    struct error error = {""};
    assert_true(encode_check_path("a/b.qm", &error));
    static const char *const others[] = {"a.gguf", "a.qm/b", "folder/", "qm", "a.qm.safetensors"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        assert_false(encode_check_path(others[i], &error));
        assert_non_null(strstr(error.text, "only files whose name ends in .qm can be written so far"));
    }
}

/* ---- Faults ---- */

static void every_failure_of_the_disk_leaves_nothing(void **state) {
    (void)state;
    for (size_t n = 1; n < 10000; n++) {
        struct error error = {""};
        struct order order = {".", "out.qm", "q8", "f32", 2};
        file_fail_at(n, ENOSPC);
        bool ok = encode(&order, false, &error);
        file_fail_at(0, 0);
        if (ok)
            return;
        assert_non_null(strstr(error.text, "No space left on device"));
        if (file_exists("out.qm")) { /* the last thing that can fail: making the name itself durable */
            encode_good((struct order){".", "good.qm", "q8", "f32", 2});
            assert_same_files("out.qm", "good.qm");
            unlink("out.qm");
        }
        assert_nothing_left();
    }
    fail_msg("encoding never succeeded");
}

static void every_lack_of_memory_leaves_nothing(void **state) {
    (void)state;
    for (size_t n = 1; n < 10000; n++) {
        struct error error = {""};
        struct order order = {".", "out.qm", "q8", "f32", 1};
        memory_fail_at(n);
        bool ok = encode(&order, false, &error);
        memory_fail_at(0);
        if (ok)
            return;
        assert_true(strlen(error.text) > 0);
        assert_nothing_left();
    }
    fail_msg("encoding never succeeded");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(kept_tensors_are_copied_exactly, write_checkpoint),
        cmocka_unit_test_setup(threads_do_not_change_bytes, write_checkpoint),
        cmocka_unit_test_setup(data_lies_in_the_order_of_a_token, write_checkpoint),
        cmocka_unit_test_setup(a_wider_type_and_back_is_the_same_model, write_checkpoint),
        cmocka_unit_test_setup(quantized_tensors_are_converted_too, write_checkpoint),
        cmocka_unit_test_setup(blobs_go_along_and_recipes_grow, write_checkpoint),
        cmocka_unit_test_setup(values_beyond_f16_are_named, write_checkpoint),
        cmocka_unit_test_setup(values_that_are_not_finite_are_named, write_checkpoint),
        cmocka_unit_test_setup(an_output_that_exists_is_left_alone, write_checkpoint),
        cmocka_unit_test_setup(the_input_is_not_written_onto, write_checkpoint),
        cmocka_unit_test_setup(vectors_stay_out_of_panels, write_checkpoint),
        cmocka_unit_test(only_qm_endings_are_written),
        cmocka_unit_test_setup(every_failure_of_the_disk_leaves_nothing, write_checkpoint),
        cmocka_unit_test_setup(every_lack_of_memory_leaves_nothing, write_checkpoint),
    };
    enter_scratch_folder();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
