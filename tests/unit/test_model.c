/* Opening models: what must be there, and what the sums for reports come to. */
#include "infer/model.h"
#include "infer/session.h"
#include "models/encode.h"
#include "tests/checkpoint.h"

#include <inttypes.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "format/qm.h"

/* A configuration whose embedding is large beside the rest, so that counting it wrongly would show. */
static const struct model_config shape = {
    .family = "llama",
    .n_layers = 2,
    .dim = 64,
    .ffn_dim = 96,
    .n_heads = 4,
    .n_kv_heads = 2,
    .head_dim = 16,
    .vocab_size = 500,
    .context = 64,
    .norm_eps = 1e-5,
    .rope_theta = 10000,
    .rope_kind = ROPE_PLAIN,
    .rope_factor = 1,
    .tied_head = true,
};

/* How a file is spoiled. */
struct spoiled {
    const char *drop, *extra, *reshape, *retype; /* names of tensors */
    bool no_config;
};

/* Writes model.qm with the tensors of the shape, all ones in f32. */
static void write_model(const struct model_config *config, const struct spoiled *how) {
    struct arena arena = {0};
    struct error error;
    size_t n_roles, n = 0;
    struct role_tensor *roles = config_tensors(config, &n_roles, &arena, &error);
    struct tensor *tensors = ARENA_NEW(&arena, struct tensor, n_roles + 1, &error);
    for (size_t i = 0; i < n_roles; i++) {
        bool retyped = how->retype && !strcmp(roles[i].name, how->retype);
        if (how->drop && !strcmp(roles[i].name, how->drop))
            continue;
        struct tensor *tensor = &tensors[n++];
        *tensor = (struct tensor){.name = roles[i].name,
                                  .layout = {retyped ? "x9" : "f32", 1, 1, 4},
                                  .type = retyped ? NULL : type_find("f32"),
                                  .n_dims = roles[i].n_dims,
                                  .dims = {roles[i].dims[0], roles[i].dims[1]}};
        if (how->reshape && !strcmp(roles[i].name, how->reshape))
            tensor->dims[0]++;
    }
    if (how->extra)
        tensors[n++] = (struct tensor){.name = how->extra,
                                       .layout = {"f32", 1, 1, 4},
                                       .type = type_find("f32"),
                                       .n_dims = 1,
                                       .dims = {3}};
    struct qm_writer *writer = qm_create("model.qm", true, tensors, n, &error);
    if (!writer)
        fail_msg("%s", error.text);
    for (size_t i = 0; i < n; i++) {
        uint64_t bytes;
        assert_true(tensor_bytes(&tensors[i], &bytes));
        float *ones = ARENA_NEW(&arena, float, bytes / 4, &error);
        for (size_t k = 0; k < bytes / 4; k++)
            ones[k] = 1;
        assert_true(qm_write(writer, i, ones, bytes, 0, &error));
        qm_digest(writer, i, ones, bytes);
    }
    struct metadata metadata = {.arena = &arena};
    assert_true(how->no_config || config_to_metadata(config, &metadata, &error));
    if (!qm_finish(writer, &metadata, NULL, 0, &error))
        fail_msg("%s", error.text);
    arena_free(&arena);
}

static void refuses(const struct spoiled *how, const char *sentence) {
    struct model model;
    struct error error;
    write_model(&shape, how);
    assert_false(model_open(&model, "model.qm", &error));
    if (!strstr(error.text, sentence) || strncmp(error.text, "model.qm: ", 10) != 0)
        fail_msg("'%s' was expected, found '%s'", sentence, error.text);
}

static void every_tensor_must_be_there_and_fit(void **unused) {
    (void)unused;
    refuses(&(struct spoiled){.drop = "blk.1.ffn_up.weight"}, "tensor 'blk.1.ffn_up.weight' is missing");
    refuses(&(struct spoiled){.reshape = "blk.0.attn_q.weight"},
            "tensor 'blk.0.attn_q.weight' is 65 x 64, its configuration calls for 64 x 64");
    refuses(&(struct spoiled){.reshape = "output_norm.weight"},
            "tensor 'output_norm.weight' is 65, its configuration calls for 64");
    refuses(&(struct spoiled){.retype = "blk.0.ffn_down.weight"},
            "tensor 'blk.0.ffn_down.weight' is of type 'x9', which this version cannot decode");
    refuses(&(struct spoiled){.extra = "blk.0.attn_q.bias"},
            "tensor 'blk.0.attn_q.bias' is not one that the configuration calls for");
    refuses(&(struct spoiled){.extra = "zzz"}, "tensor 'zzz' is not one");
    refuses(&(struct spoiled){.no_config = true}, "model.");
}

static void only_qm_files_run(void **unused) {
    (void)unused;
    struct model model;
    struct error error;
    checkpoint_write(".", &(struct checkpoint){0});
    assert_false(model_open(&model, "model.safetensors", &error));
    assert_non_null(strstr(error.text, "model.safetensors: "));
    assert_non_null(strstr(error.text, "only a .qm file can be run; convert makes one"));
    assert_false(model_open(&model, "nowhere.qm", &error));
    assert_non_null(strstr(error.text, "nowhere.qm: "));
}

/* Weights of the two layers, by hand. */
#define LAYERS_WEIGHTS (2 * (2 * 64 * 64 + 2 * 32 * 64 + 3 * 64 * 96))
#define NORMS (5 * 64)

static void sums_count_what_a_token_reads(void **unused) {
    (void)unused;
    struct model model;
    struct error error;
    write_model(&shape, &(struct spoiled){0});
    assert_true(model_open(&model, "model.qm", &error));
    assert_int_equal(model.n_weights, LAYERS_WEIGHTS + NORMS + 500 * 64);
    assert_int_equal(model.tensor_bytes, 4 * model.n_weights);
    assert_int_equal(model.streamed_bytes, model.tensor_bytes); /* the tied embedding is read as the head */
    assert_string_equal(model.main_type, "f32");
    assert_ptr_equal(model.head.data, model.embedding.data);
    assert_int_equal(strlen(model.model_id), 32);
    assert_int_equal(model.file_bytes, model.container.files[0].size);
    assert_true(model.layers[1].ffn_norm.weight[63] == 1 && !model.layers[1].q_bias);
    model_close(&model);

    struct model_config untied = shape;
    untied.tied_head = false;
    write_model(&untied, &(struct spoiled){0});
    assert_true(model_open(&model, "model.qm", &error));
    assert_int_equal(model.tensor_bytes, 4 * (LAYERS_WEIGHTS + NORMS + 2 * 500 * 64));
    assert_int_equal(model.tensor_bytes - model.streamed_bytes, 4 * 499 * 64); /* one row is looked up */
    model_close(&model);
}

/* Layer 1 is dense, layer 0 has experts, of which a token reads 3 of 8 and the shared one. */
static struct model_config shape_of_experts(void) {
    struct model_config config = shape;
    config.n_experts = 8;
    config.n_experts_used = 3;
    config.expert_ffn_dim = 32;
    config.shared_ffn_dim = 48;
    config.learned_positions = true;
    strcpy(config.expert_layers.text, "10");
    return config;
}

static void check_synthetic(const struct model_config *config, const struct type *type, struct pool *pool) {
    struct model model;
    struct session session;
    struct error error;
    static float logits[3 * 500];
    const uint32_t tokens[] = {1, 499, 250};
    if (!model_synthetic(&model, config, type, "synthetic", pool, &error))
        fail_msg("%s", error.text);
    assert_string_equal(model.main_type, type->name);
    assert_string_equal(model.path, "synthetic");
    assert_int_equal(model.file_bytes, 0);
    assert_true(session_open(&session, &model, 8, 4, pool, &error));
    assert_true(session_forward(&session, tokens, 3, logits, 3, &error));
    for (size_t k = 0; k < 3 * 500; k++)
        assert_true(isfinite(logits[k]));
    assert_true(logits[0] != logits[500]);
    session_close(&session);
    model_close(&model);
}

static void synthetic_models_have_every_shape_and_type(void **unused) {
    (void)unused;
    struct error error;
    struct pool *pool = pool_new(2, &error);
    struct model_config config = shape;
    config.attention_bias = config.mlp_bias = true;
    config.tied_head = false;
    config.dim = 72; /* no multiple of a block */
    struct model_config experts = shape_of_experts();
    experts.dim = 80;
    for (size_t i = 0; types[i]; i++) {
        check_synthetic(&config, types[i], pool);
        check_synthetic(&experts, types[i], pool);
    }
    pool_free(pool);
}

static void sums_count_the_experts_that_a_token_reads(void **unused) {
    (void)unused;
    const struct model_config config = shape_of_experts();
    const uint64_t attention = 2 * 64 * 64 + 2 * 32 * 64, expert = 3 * 64 * 32;
    const uint64_t always = 2 * attention + 3 * 64 * 96 + 8 * 64 + 3 * 64 * 48 + 64 + NORMS + 500 * 64;
    struct model model;
    struct error error;
    struct pool *pool = pool_new(2, &error);
    assert_true(model_synthetic(&model, &config, type_find("f32"), "synthetic", pool, &error));
    assert_int_equal(model.n_weights, always + 8 * expert + 64 * 64); /* the last: positions */
    assert_int_equal(model.tensor_bytes, 4 * model.n_weights);
    assert_int_equal(model.n_streamed_weights, always + 3 * expert + 64);
    assert_int_equal(model.streamed_bytes, 4 * model.n_streamed_weights);
    assert_true(model.layers[0].experts.down.n_rows == 8 * 64 && model.layers[0].experts.down.n_cols == 32);
    assert_true(model.layers[0].ffn.up.n_rows == 48 && model.layers[1].ffn.up.n_rows == 96);
    assert_null(model.layers[1].experts.router.type);
    model_close(&model);
    pool_free(pool);
}

static void impossible_shapes_are_refused(void **unused) {
    (void)unused;
    struct error error;
    struct model model;
    struct pool *pool = pool_new(1, &error);
    struct model_config config = shape;
    config.n_kv_heads = 3;
    assert_false(model_synthetic(&model, &config, types[0], "synthetic", pool, &error));
    config = shape;
    config.n_layers = CONFIG_MAX_LAYERS;
    config.dim = config.ffn_dim = CONFIG_MAX_DIM;
    config.vocab_size = CONFIG_MAX_VOCAB;
    assert_false(model_synthetic(&model, &config, types[0], "synthetic", pool, &error));
    assert_non_null(strstr(error.text, "synthetic: "));
    pool_free(pool);
}

static int set_up(void **unused) {
    (void)unused;
    enter_scratch_folder();
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_tensor_must_be_there_and_fit),
        cmocka_unit_test(only_qm_files_run),
        cmocka_unit_test(sums_count_what_a_token_reads),
        cmocka_unit_test(sums_count_the_experts_that_a_token_reads),
        cmocka_unit_test(synthetic_models_have_every_shape_and_type),
        cmocka_unit_test(impossible_shapes_are_refused),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
