/* Importing: a checkpoint's tensors under their .qm names, and the sentence for each way in which they do not
 * make the model that the configuration describes. */
#include "lib/half.h"
#include "models/encode.h"
#include "tests/checkpoint.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static struct import import_good(const struct checkpoint *checkpoint) {
    struct import import;
    struct error error = {""};
    checkpoint_write(".", checkpoint);
    if (!import_open(&import, ".", &error))
        fail_msg("%s", error.text);
    return import;
}

static void assert_refused(const struct checkpoint *checkpoint, const char *sentence) {
    struct import import;
    struct error error = {""};
    checkpoint_write(".", checkpoint);
    if (import_open(&import, ".", &error))
        fail_msg("was imported; expected: %s", sentence);
    if (strcmp(error.text, sentence))
        fail_msg("\nsays:     %s\nexpected: %s", error.text, sentence);
    assert_null(import.arena.newest);
}

static int remove_companions(void **state) {
    (void)state;
    unlink("config.json");
    unlink("tokenizer.json");
    return 0;
}

/* ---- What is found ---- */

static void each_role_finds_its_tensor(void **state) {
    (void)state;
    struct import import = import_good(&(struct checkpoint){0});
    assert_int_equal(import.n_tensors, 1 + 2 * 9 + 1);
    assert_false(import.is_qm);
    assert_string_equal(import.roles[0].name, "token_embd.weight");
    assert_string_equal(import.tensors[0]->name, "model.embed_tokens.weight");
    assert_string_equal(import.roles[10].name, "blk.1.attn_norm.weight");
    assert_string_equal(import.tensors[10]->name, "model.layers.1.input_layernorm.weight");
    assert_string_equal(import.roles[19].name, "output_norm.weight");
    assert_string_equal(import.tensors[19]->name, "model.norm.weight");
    import_close(&import);
}

static void a_single_file_is_as_good_as_its_folder(void **state) {
    (void)state;
    struct import import;
    struct error error = {""};
    checkpoint_write(".", &(struct checkpoint){0});
    assert_true(import_open(&import, "model.safetensors", &error));
    assert_int_equal(import.config.dim, 40);
    import_close(&import);
}

static void stored_rope_tables_are_passed_over(void **state) {
    (void)state;
    struct import import =
        import_good(&(struct checkpoint){.extra = "model.layers.11.self_attn.rotary_emb.inv_freq"});
    assert_int_equal(import.n_tensors, 20);
    import_close(&import);
    assert_refused(
        &(struct checkpoint){.extra = "model.layers.x.self_attn.rotary_emb.inv_freq"},
        "./model.safetensors: tensor 'model.layers.x.self_attn.rotary_emb.inv_freq' has no place in this "
        "model");
}

static void a_separate_head_has_a_role(void **state) {
    (void)state;
    struct import import =
        import_good(&(struct checkpoint){.config = CHECKPOINT_CONFIG_WITH(""), .head = true});
    assert_int_equal(import.n_tensors, 21);
    assert_string_equal(import.roles[20].name, "output.weight");
    import_close(&import);
}

/* Some checkpoints with a tied head store it all the same. */
static void a_copy_of_a_tied_head_is_passed_over(void **state) {
    (void)state;
    struct import import = import_good(&(struct checkpoint){.copy_of_embedding = "lm_head.weight"});
    assert_int_equal(import.n_tensors, 20);
    import_close(&import);
    assert_refused(&(struct checkpoint){.head = true},
                   ".: tie_word_embeddings is true, but tensor 'lm_head.weight' differs from "
                   "'model.embed_tokens.weight'; set it to false to keep both");
}

/* ---- What is refused ---- */

static void missing_tensors_are_named(void **state) {
    (void)state;
    assert_refused(&(struct checkpoint){.drop = "model.layers.1.mlp.up_proj.weight"},
                   ".: tensor 'model.layers.1.mlp.up_proj.weight' is missing");
    assert_refused(&(struct checkpoint){.config = CHECKPOINT_CONFIG_WITH("")},
                   ".: tensor 'lm_head.weight' is missing");
    assert_refused(&(struct checkpoint){.config = CHECKPOINT_CONFIG_WITH(",\"attention_bias\":true")},
                   ".: tensor 'model.layers.0.self_attn.q_proj.bias' is missing");
}

static void tensors_without_a_place_are_named(void **state) {
    (void)state;
    assert_refused(
        &(struct checkpoint){.extra = "model.layers.0.self_attn.q_norm.weight"},
        "./model.safetensors: tensor 'model.layers.0.self_attn.q_norm.weight' has no place in this model");
    assert_refused(
        &(struct checkpoint){.extra = "model.layers.2.mlp.up_proj.weight",
                             .head = true,
                             .config = CHECKPOINT_CONFIG_WITH(",\"tie_word_embeddings\":false"),
                             .copy_of_embedding = "visual.weight"},
        "./model.safetensors: tensor 'model.layers.2.mlp.up_proj.weight' and 1 more have no place in this "
        "model");
}

static void wrong_shapes_are_shown_with_the_right_ones(void **state) {
    (void)state;
    assert_refused(
        &(struct checkpoint){.reshape = "model.layers.0.mlp.down_proj.weight"},
        "./model.safetensors: tensor 'model.layers.0.mlp.down_proj.weight' has the shape [41, 72], the "
        "configuration calls for [40, 72]");
    assert_refused(
        &(struct checkpoint){.reshape = "model.norm.weight"},
        "./model.safetensors: tensor 'model.norm.weight' has the shape [41], the configuration calls for "
        "[40]");
}

static void integers_are_no_weights(void **state) {
    (void)state;
    assert_refused(
        &(struct checkpoint){.retype = "model.norm.weight"},
        "./model.safetensors: tensor 'model.norm.weight' is of type I16, weights must be F32, F16 or BF16");
}

static void a_configuration_is_needed(void **state) {
    (void)state;
    assert_refused(&(struct checkpoint){.config = ""},
                   "./config.json: is missing; a checkpoint's configuration is read from there");
    assert_refused(&(struct checkpoint){.config = "{\"architectures\":"},
                   "./config.json: line 1, column 17: unexpected token near end of file");
}

/* ---- Rows ---- */

static void rows_are_read_as_floats(void **state) {
    (void)state;
    static const struct {
        const char *dtype;
        float expected;
    } cases[] = {{"F32", 0.3f}, {"F16", 0.300048828125f}, {"BF16", 0.30078125f}};
    for (size_t i = 0; i < 3; i++) {
        float rows[2 * 40], raw[2 * 40];
        struct error error = {""};
        struct import import = import_good(&(struct checkpoint){.dtype = cases[i].dtype,
                                                                .poke = "model.embed_tokens.weight",
                                                                .poke_at = 40 * 7 + 5,
                                                                .poke_value = 0.3f});
        assert_true(import_read_rows(&import, 0, 6, 2, rows, raw, &error));
        assert_true(rows[40 + 5] == cases[i].expected);
        import_close(&import);
    }
}

static void values_that_are_not_finite_are_placed(void **state) {
    (void)state;
    float rows[2 * 40], raw[2 * 40];
    struct error error = {""};
    struct import import = import_good(&(struct checkpoint){.dtype = "BF16",
                                                            .poke = "model.embed_tokens.weight",
                                                            .poke_at = 40 * 7 + 5,
                                                            .poke_value = -bits_float(0x7f800000)});
    assert_true(import_read_rows(&import, 0, 4, 2, rows, raw, &error));
    assert_false(import_read_rows(&import, 0, 6, 2, rows, raw, &error));
    assert_string_equal(
        error.text, "./model.safetensors: tensor 'model.embed_tokens.weight' has -inf in row 7, column 5");
    import_close(&import);
}

/* ---- Sources ---- */

static void sources_are_the_files_that_were_read(void **state) {
    (void)state;
    struct buffer text = {0};
    struct error error = {""};
    struct import import = import_good(&(struct checkpoint){0});
    assert_int_equal(import.n_sources, 3);
    assert_string_equal(import.sources[0].name, "config.json");
    assert_string_equal(import.sources[1].name, "model.safetensors");
    assert_string_equal(import.sources[2].name, "tokenizer.json");
    assert_string_equal(import.sources[2].sha256, "");
    assert_true(import_hash_sources(&import, &error));
    assert_string_equal(import.sources[2].sha256, /* of "{}" */
                        "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a");
    assert_true(import_write_sources(&import, &text, &error));
    assert_non_null(strstr(text.data,
                           "\"name\": \"tokenizer.json\",\n    \"size\": 2,\n    \"sha256\": "
                           "\"44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a\""));
    buffer_free(&text);
    import_close(&import);
}

/* A .qm file with this for its manifest: made by passing the checkpoint off as one that brings its own. */
static void put_model_with_manifest(const char *manifest) {
    struct import import = import_good(&(struct checkpoint){0});
    struct error error = {""};
    struct pool *pool = pool_new(1, &error);
    const struct type *keep[32] = {NULL};
    struct blob blob = {"sources.json", manifest, strlen(manifest)};
    import.is_qm = true;
    import.container.blobs = &blob;
    import.container.n_blobs = 1;
    assert_true(encode_model(&import, &(struct encode_plan){.types = keep, .recipe = "{}"}, "x.qm", true,
                             pool, "", true, &error));
    pool_free(pool);
    import_close(&import);
}

#define SHA "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"

static void manifests_are_checked(void **state) {
    (void)state;
    static const char *const bad[] = {
        "[{\"name\":\"a\",\"size\":1}]",
        "[{\"name\":\"a\",\"size\":-1,\"sha256\":\"" SHA "\"}]",
        "[{\"name\":\"a\",\"size\":1,\"sha256\":\"" SHA "0\"}]",
        "[{\"name\":\"a\",\"size\":1,\"sha256\":\"X" SHA "\"}]",
        "[{\"name\":\"a\\u001b[31m\",\"size\":1,\"sha256\":\"" SHA "\"}]",
        "[7]",
    };
    struct import import;
    struct error error = {""};
    put_model_with_manifest("[{\"name\":\"a\",\"size\":1,\"sha256\":\"" SHA "\"}]");
    assert_true(import_open(&import, "x.qm", &error));
    assert_int_equal(import.n_sources, 1);
    assert_string_equal(import.sources[0].sha256, SHA);
    import_close(&import);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        put_model_with_manifest(bad[i]);
        assert_false(import_open(&import, "x.qm", &error));
        assert_string_equal(error.text, "x.qm: entry 0 of sources.json is not name, size and sha256");
    }
    put_model_with_manifest("{}");
    assert_false(import_open(&import, "x.qm", &error));
    assert_string_equal(error.text, "x.qm: sources.json is not a list of up to 4096 files");
}

/* ---- When memory runs out ---- */

static void every_lack_of_memory_is_survived(void **state) {
    (void)state;
    checkpoint_write(".", &(struct checkpoint){0});
    for (size_t n = 1; n < 10000; n++) {
        struct import import;
        struct error error = {""};
        memory_fail_at(n);
        bool ok = import_open(&import, ".", &error);
        memory_fail_at(0);
        if (ok) {
            import_close(&import);
            return;
        }
        assert_true(strlen(error.text) > 0);
    }
    fail_msg("importing never succeeded");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_role_finds_its_tensor),
        cmocka_unit_test(a_single_file_is_as_good_as_its_folder),
        cmocka_unit_test(stored_rope_tables_are_passed_over),
        cmocka_unit_test(a_separate_head_has_a_role),
        cmocka_unit_test(a_copy_of_a_tied_head_is_passed_over),
        cmocka_unit_test(missing_tensors_are_named),
        cmocka_unit_test(tensors_without_a_place_are_named),
        cmocka_unit_test(wrong_shapes_are_shown_with_the_right_ones),
        cmocka_unit_test(integers_are_no_weights),
        cmocka_unit_test_setup(a_configuration_is_needed, remove_companions),
        cmocka_unit_test(rows_are_read_as_floats),
        cmocka_unit_test(values_that_are_not_finite_are_placed),
        cmocka_unit_test(sources_are_the_files_that_were_read),
        cmocka_unit_test(manifests_are_checked),
        cmocka_unit_test(every_lack_of_memory_is_survived),
    };
    enter_scratch_folder();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
