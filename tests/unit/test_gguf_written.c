/* Writing GGUF: what was written is read again as the same model, weight for weight, and what llama.cpp could
 * not run is refused. That it does run the rest is for tests/differential/export.py to show. */
#include "convert/export.c" /* a program's own, in no archive */
#include "convert/gguf.c"
#include "convert/gguf_tokenizer.c"
#include "convert/targets.c"

#include "infer/tokenizer.h"
#include "models/encode.h"
#include "tests/checkpoint.h"

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

bool write_folder(const struct request *request, struct import *import, const char *out, struct pool *threads,
                  struct error *error) {
    return write_qm(request, import, out, threads, error);
}

bool write_safetensors(const struct request *request, struct import *import, const char *out,
                       struct pool *threads, struct error *error) {
    return write_qm(request, import, out, threads, error);
}

static void import_good(struct import *import, const char *path) {
    struct error error;
    if (!import_open(import, path, &error))
        fail_msg("%s", error.text);
}

static void import_from(struct import *import, const char *folder) {
    char path[8192];
    snprintf(path, sizeof path, "%s/%.240s", root, folder);
    import_good(import, path);
}

/* A checkpoint as a .qm file, its matrices of this type, or as they are for NULL. */
static void make_qm(const char *folder, const char *type, const char *out) {
    struct import import;
    struct arena arena = {0};
    struct error error;
    import_from(&import, folder);
    struct encode_plan plan = {ARENA_NEW(&arena, const struct type *, import.n_tensors, &error), "{}", NULL};
    for (size_t i = 0; i < import.n_tensors; i++)
        plan.types[i] = type && import.roles[i].n_dims > 1 ? type_find(type) : NULL;
    if (!encode_model(&import, &plan, out, true, pool, "", true, &error))
        fail_msg("%s", error.text);
    import_close(&import);
    arena_free(&arena);
}

static const struct request quiet = {.dtype = "keep", .common = {.quiet = true, .force = true}};

static void write_good(struct import *import, const char *as) {
    struct error error;
    struct request request = quiet;
    request.as = as;
    if (!write_gguf(&request, import, "model.gguf", pool, &error))
        fail_msg("%s", error.text);
}

static void write_refused(struct import *import, const char *sentence) {
    struct error error = {""};
    assert_false(write_gguf(&quiet, import, "refused.gguf", pool, &error));
    assert_string_equal(error.text, sentence);
    assert_false(file_exists("refused.gguf"));
}

/* ---- What comes back ---- */

static float *values_of(const struct import *import, size_t i, size_t *count, struct arena *arena) {
    struct error error;
    struct tensor shape = {.n_dims = import->roles[i].n_dims};
    uint64_t n_rows, n_cols;
    memcpy(shape.dims, import->roles[i].dims, sizeof import->roles[i].dims);
    tensor_rows_cols(&shape, &n_rows, &n_cols);
    *count = (size_t)(n_rows * n_cols);
    float *values = ARENA_NEW(arena, float, *count, &error);
    void *raw = ARENA_NEW(arena, float, (n_rows + PANEL_ROWS) * (n_cols + BLOCK_COLS), &error);
    if (!import_read_rows(import, i, 0, n_rows, values, raw, &error))
        fail_msg("%s", error.text);
    return values;
}

static void assert_same_weights(const struct import *a, const struct import *b) {
    assert_int_equal(a->n_tensors, b->n_tensors);
    for (size_t i = 0; i < a->n_tensors; i++) {
        struct arena arena = {0};
        size_t n, m;
        const float *x = values_of(a, i, &n, &arena), *y = values_of(b, i, &m, &arena);
        assert_string_equal(a->roles[i].name, b->roles[i].name);
        assert_int_equal(n, m);
        if (memcmp(x, y, n * sizeof *x))
            fail_msg("%s: %s differs", a->container.path, a->roles[i].name);
        arena_free(&arena);
    }
}

/* A GGUF file says less than a checkpoint about the family, and of rotary scaling what it comes to. */
static bool may_differ(const char *key) {
    static const char *const keys[] = {"family",
                                       "context",
                                       "window",
                                       "window_layers",
                                       "tied_head",
                                       "rope_kind",
                                       "rope_factor",
                                       "rope_low_freq_factor",
                                       "rope_high_freq_factor",
                                       "rope_original_context",
                                       "rope_short_factors",
                                       "rope_long_factors",
                                       "rope_attention_factor"};
    for (size_t i = 0; i < COUNT(keys); i++)
        if (!strcmp(keys[i], strchr(key, '.') + 1))
            return true;
    return false;
}

static bool nearly(const struct value *a, const struct value *b) {
    return a && b && a->kind == b->kind && a->kind == VALUE_REAL && a->real > b->real * (1 - 1e-6) &&
           a->real < b->real * (1 + 1e-6);
}

static void assert_same_config(const struct import *a, const struct import *b) {
    struct arena arena = {0};
    struct metadata x = {.arena = &arena}, y = {.arena = &arena};
    struct error error;
    assert_true(config_to_metadata(&a->config, &x, &error) && config_to_metadata(&b->config, &y, &error));
    for (size_t i = 0; i < x.count; i++) {
        const struct value *value = metadata_find(&y, x.items[i].key);
        if (!may_differ(x.items[i].key) && !nearly(&x.items[i].value, value) &&
            (!value || memcmp(&x.items[i].value, value, sizeof *value)) &&
            (!value || x.items[i].value.kind != VALUE_TEXT || strcmp(x.items[i].value.text, value->text)))
            fail_msg("%s: %s differs", a->container.path, x.items[i].key);
    }
    arena_free(&arena);
}

static const char *const written[] = {"falcon-11b",
                                      "falcon-40b",
                                      "falcon-7b",
                                      "gemma",
                                      "gpt-neox",
                                      "gpt-neox-serial",
                                      "gpt2",
                                      "granite",
                                      "llama",
                                      "mistral",
                                      "mixtral",
                                      "olmo2",
                                      "olmo3",
                                      "phi3",
                                      "phi3-long",
                                      "qwen2",
                                      "smollm3",
                                      "stablelm",
                                      "stablelm-parallel",
                                      "starcoder2"};

static void every_family_comes_back(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(written); i++) {
        struct import model, back;
        char folder[256];
        snprintf(folder, sizeof folder, "tests/golden/families/%s", written[i]);
        make_qm(folder, NULL, "model.qm");
        import_good(&model, "model.qm");
        write_good(&model, NULL);
        import_good(&back, "model.gguf");
        assert_same_weights(&model, &back);
        assert_same_config(&model, &back);
        import_close(&model);
        import_close(&back);
    }
}

static void assert_same_ids(const struct import *a, const struct import *b, const char *text) {
    struct error error;
    struct tokens x = {0}, y = {0};
    struct tokenizer *one = tokenizer_open(&a->container, a->config.vocab_size, &error);
    struct tokenizer *other = tokenizer_open(&b->container, b->config.vocab_size, &error);
    assert_true(one && other && tokenizer_encode(one, text, strlen(text), true, &x, &error) &&
                tokenizer_encode(other, text, strlen(text), true, &y, &error));
    assert_int_equal(x.count, y.count);
    assert_memory_equal(x.ids, y.ids, x.count * sizeof *x.ids);
    tokens_free(&x);
    tokens_free(&y);
    tokenizer_free(one);
    tokenizer_free(other);
}

/* Blocks go over as they are, and the bytes come back. */
static void quantized_weights_come_back_byte_for_byte(void **state) {
    (void)state;
    static const char *const types_[][2] = {{"q8", "Q8_0"}, {"q4", "Q4_0"}, {"f16", "f16"}, {"bf16", "bf16"}};
    for (size_t t = 0; t < COUNT(types_); t++) {
        struct import model, back;
        make_qm("assets/pocket", types_[t][0], "model.qm");
        import_good(&model, "model.qm");
        write_good(&model, NULL);
        import_good(&back, "model.gguf");
        assert_string_equal(back.tensors[0]->type->name, types_[t][1]);
        assert_same_weights(&model, &back);
        assert_same_ids(&model, &back,
                        "Once upon a time, there was <|endoftext|> nothing \xc3\xa9\xf0\x9f\x98\x80.");
        import_close(&model);
        import_close(&back);
    }
}

static void a_type_may_be_asked_for(void **state) {
    (void)state;
    static const char *const names[][2] = {
        {"F32", "f32"}, {"F16", "f16"}, {"BF16", "bf16"}, {"Q8_0", "Q8_0"}, {"Q4_0", "Q4_0"}};
    for (size_t t = 0; t < COUNT(names); t++) {
        struct import model;
        struct container out;
        struct error error;
        import_from(&model, "assets/pocket");
        write_good(&model, names[t][0]);
        assert_true(container_open(&out, "model.gguf", &error));
        assert_string_equal(container_tensor(&out, "blk.0.ffn_up.weight")->type->name, names[t][1]);
        assert_string_equal(container_tensor(&out, "blk.0.ffn_norm.weight")->type->name, "f32");
        container_close(&out);
        import_close(&model);
    }
}

/* Q8_0 by way of a file is q8 by quantize, byte for byte. */
static void a_type_asked_for_is_our_own_encoders(void **state) {
    (void)state;
    struct import source, model, back;
    make_qm("assets/pocket", "q4", "model.qm");
    import_good(&model, "model.qm");
    import_from(&source, "assets/pocket");
    write_good(&source, "Q4_0");
    import_good(&back, "model.gguf");
    assert_same_weights(&model, &back);
    import_close(&source);
    import_close(&model);
    import_close(&back);
}

/* Blocks that a .qm file has no type for go from one GGUF file to the next as they are. */
static void gguf_comes_back(void **state) {
    (void)state;
    struct import source, model, back;
    import_from(&source, "assets/pocket");
    write_good(&source, "Q4_0");
    assert_int_equal(rename("model.gguf", "first.gguf"), 0);
    import_good(&model, "first.gguf");
    write_good(&model, NULL);
    import_good(&back, "model.gguf");
    assert_string_equal(back.tensors[0]->type->name, "Q4_0");
    assert_same_weights(&model, &back);
    import_close(&source);
    import_close(&model);
    import_close(&back);
}

/* ---- What does not ---- */

static void what_llama_cpp_cannot_run_is_refused(void **state) {
    (void)state;
    static const char *const refused[][2] = {
        {"gemma2",
         "architecture gemma2 has its own idea of model.attention_scale, and a GGUF file has no place "
         "for another"},
        {"qwen3",
         "architecture qwen3 has its own idea of model.attention_bias, and a GGUF file has no place for "
         "another"},
        {"qwen2moe",
         "architecture qwen2moe has its own idea of model.expert_layers, and a GGUF file has no place "
         "for another"}};
    for (size_t i = 0; i < COUNT(refused); i++) {
        struct import model;
        char folder[256], sentence[512];
        snprintf(folder, sizeof folder, "tests/golden/families/%s", refused[i][0]);
        make_qm(folder, NULL, "model.qm");
        import_good(&model, "model.qm");
        snprintf(sentence, sizeof sentence, "model.qm: llama.cpp's %s", refused[i][1]);
        write_refused(&model, sentence);
        import_close(&model);
    }
}

static void traits_without_a_place_are_refused(void **state) {
    (void)state;
    struct import model;
    make_qm("tests/golden/families/qwen2", NULL, "model.qm");
    import_good(&model, "model.qm");
    model.config.rope_kind = ROPE_LLAMA3;
    write_refused(&model, "model.qm: llama.cpp's architecture qwen2 has no rotary scaling of kind llama3");
    model.config.rope_kind = ROPE_PLAIN;
    model.config.head_dim = 6;
    write_refused(&model,
                  "model.qm: llama.cpp expects heads of a model of qwen2 to be as wide together as the "
                  "model, 24; they are 36");
    model.config.head_dim = 4;
    model.config.logit_softcap = 3;
    write_refused(&model,
                  "model.qm: llama.cpp's architecture qwen2 has its own idea of model.logit_softcap, and "
                  "a GGUF file has no place for another");
    model.config.family = "strange";
    write_refused(&model, "model.qm: llama.cpp has no architecture for a model of family strange");
    import_close(&model);
}

/* `json` in place of the tokenizer that came along. */
static void assert_tokenizer_refused(const char *json, const char *sentence) {
    struct import model;
    make_qm("tests/golden/families/qwen2", NULL, "model.qm");
    import_good(&model, "model.qm");
    for (size_t i = 0; i < model.container.n_blobs; i++)
        if (!strcmp(model.container.blobs[i].name, "tokenizer.json"))
            model.container.blobs[i] = (struct blob){"tokenizer.json", json, strlen(json)};
    write_refused(&model, sentence);
    import_close(&model);
}

#define DECODER "\"decoder\":{\"type\":\"ByteLevel\"},"
#define MODEL(more)                                                                                          \
    "\"model\":{\"type\":\"BPE\"," more "\"vocab\":{\"a\":0,\"b\":1,\"ab\":2,\"c\":3,\"abc\":4,\"bc\":5}"

static void tokenizers_without_a_place_are_refused(void **state) {
    (void)state;
    assert_tokenizer_refused(
        "{\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_space\":true}," DECODER MODEL(
            "") ",\"merges\":[\"a b\"]}}",
        "model.qm: llama.cpp has no name for the way in which its tokenizer cuts words");
    assert_tokenizer_refused("{" DECODER MODEL("") ",\"merges\":[\"a b\"]}}",
                             "model.qm: only byte-level tokenizers and those that fall back to bytes can be "
                             "written");
    assert_tokenizer_refused("{\"normalizer\":{\"type\":\"NFKC\"}," DECODER MODEL(
                                 "\"byte_fallback\":true,") ",\"merges\":[\"a b\"]}}",
                             "model.qm: its tokenizer changes texts in ways that llama.cpp does not know");
    assert_tokenizer_refused(
        "{" DECODER MODEL("\"byte_fallback\":true,") ",\"merges\":[\"a b\",\"ab c\"]}}",
        "model.qm: the merges of its tokenizer do not follow from scores, which llama.cpp "
        "has in their place");
}

static void options_are_for_their_target(void **state) {
    (void)state;
    struct error error;
    const struct request as = {.dtype = "keep", .as = "Q8_0"}, dtype = {.dtype = "f16"};
    assert_true(check_options(&as, find_target("a.gguf", &error), &error));
    assert_false(check_options(&as, find_target("a.qm", &error), &error));
    assert_string_equal(error.text,
                        "--as Q8_0: is for .gguf; --dtype is for other outputs, and quantize makes "
                        "smaller ones");
    assert_false(check_options(&dtype, find_target("a.gguf", &error), &error));
    assert_string_equal(error.text, "--dtype f16: for .gguf, say --as F16 and the like");
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
        cmocka_unit_test(quantized_weights_come_back_byte_for_byte),
        cmocka_unit_test(a_type_may_be_asked_for),
        cmocka_unit_test(a_type_asked_for_is_our_own_encoders),
        cmocka_unit_test(gguf_comes_back),
        cmocka_unit_test(what_llama_cpp_cannot_run_is_refused),
        cmocka_unit_test(traits_without_a_place_are_refused),
        cmocka_unit_test(tokenizers_without_a_place_are_refused),
        cmocka_unit_test(options_are_for_their_target),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
