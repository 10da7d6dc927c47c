/* A GGUF file as a model: its configuration, tensors and tokenizer, and the sentence for what would change
 * results and is not known. */
#include "infer/tokenizer.h"
#include "models/import.h"
#include "tests/checkpoint.h"
#include "tests/gguf_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct gguf_file file;

/* A llama with a tokenizer. */
static void begin(const char *kind) {
    static const int32_t kinds[] = {2, 3, 3, 6, 1, 1, 1, 1, 1, 4, 1};
    file = (struct gguf_file){0};
    gguf_put_llama(&file);
    gguf_put_text(&file, "tokenizer.ggml.model", kind);
    gguf_put_texts(&file, "tokenizer.ggml.tokens", "<unk> <s> </s> <0x41> a b ab ba aba <u> \u2581");
    gguf_put_ints(&file, "tokenizer.ggml.token_type", 11, kinds);
    gguf_put_uint(&file, "tokenizer.ggml.unknown_token_id", 0);
    gguf_put_uint(&file, "tokenizer.ggml.bos_token_id", 1);
    gguf_put_uint(&file, "tokenizer.ggml.eos_token_id", 2);
}

static const float scores[] = {0, 0, 0, 0, -1, -2, -3, -4, -5, 0, -6};

static void put_scores(void) {
    uint8_t bytes[16 + sizeof scores] = {9, 0, 0, 0, 6, 0, 0, 0, 11};
    memcpy(bytes + 16, scores, sizeof scores);
    gguf_put_raw(&file, "tokenizer.ggml.scores", bytes, sizeof bytes);
}

static int begin_pieces(void **state) {
    (void)state;
    begin("llama");
    put_scores();
    return 0;
}

static struct import import_good(void) {
    struct import import;
    struct error error = {""};
    gguf_write(&file, "x.gguf");
    if (!import_open(&import, "x.gguf", &error))
        fail_msg("%s", error.text);
    return import;
}

static void assert_refused(const char *sentence) {
    struct import import;
    struct error error = {""};
    gguf_write(&file, "x.gguf");
    if (import_open(&import, "x.gguf", &error))
        fail_msg("was imported; expected: %s", sentence);
    if (strcmp(error.text, sentence))
        fail_msg("\nsays:     %s\nexpected: %s", error.text, sentence);
    assert_null(import.arena.newest);
}

/* ---- Configuration and tensors ---- */

static void keys_are_fields(void **state) {
    (void)state;
    gguf_put_uint(&file, "llama.rope.dimension_count", 32);
    gguf_put_real(&file, "llama.rope.freq_base", 5e5f);
    struct import import = import_good();
    assert_false(import.is_qm);
    assert_string_equal(import.config.family, "llama");
    assert_int_equal(import.config.dim, 32);
    assert_int_equal(import.config.n_kv_heads, 1);
    assert_int_equal(import.config.vocab_size, 40);
    assert_int_equal(import.config.rope_dim, 0);
    assert_true(import.config.tied_head);
    assert_true(import.config.norm_eps >= 1e-5 &&
                import.config.norm_eps <= 1e-5); /* no float's 9.9999997e-6 */
    assert_int_equal(import.n_sources, 1);
    assert_string_equal(import.sources[0].name, "x.gguf");
    import_close(&import);
}

static void pairs_side_by_side_come_apart(void **state) {
    (void)state;
    struct error error;
    float rows[32 * 32], raw[32 * 32];
    struct import import = import_good();
    const struct tensor *q = container_tensor(&import.container, "blk.0.attn_q.weight");
    FILE *to = fopen("x.gguf", "r+b"); /* number its rows */
    for (int row = 0; row < 32; row++) {
        float x = (float)row;
        fseek(to, (long)q->offset + row * 32 * 4, SEEK_SET);
        assert_int_equal(fwrite(&x, sizeof x, 1, to), 1);
    }
    fclose(to);
    size_t i = 0;
    while (import.roles[i].role != ROLE_ATTN_Q)
        i++;
    assert_non_null(import.views[i]);
    if (!import_read_rows(&import, i, 0, 32, rows, raw, &error))
        fail_msg("%s", error.text);
    for (int row = 0; row < 32; row++)
        assert_int_equal((int)rows[row * 32], row < 16 ? 2 * row : 2 * (row - 16) + 1);
    import_close(&import);
}

static void scaled_positions_are_told_by_their_keys(void **state) {
    gguf_put_real(&file, "llama.rope.scaling.factor", 4);
    gguf_put_uint(&file, "llama.rope.scaling.original_context_length", 16);
    struct import import = import_good();
    assert_int_equal(import.config.rope_kind, ROPE_LINEAR); /* without a type */
    assert_int_equal(import.config.rope_original_context, 0);
    import_close(&import);

    gguf_put_text(&file, "llama.rope.scaling.type", "yarn");
    import = import_good();
    assert_int_equal(import.config.rope_kind, ROPE_YARN);
    assert_int_equal(import.config.rope_original_context, 16);
    assert_true(import.config.rope_beta_fast > 31 && import.config.rope_beta_slow < 2);
    import_close(&import);

    begin_pieces(state);
    gguf_put_real(&file, "llama.rope.scaling.factor", 4);
    gguf_put_text(&file, "llama.rope.scaling.type", "none");
    import = import_good();
    assert_int_equal(import.config.rope_kind, ROPE_PLAIN);
    assert_true(import.config.rope_factor < 2);
    import_close(&import);
}

static void unknown_architectures_are_named(void **state) {
    (void)state;
    file = (struct gguf_file){0};
    gguf_put_text(&file, "general.architecture", "mamba");
    assert_refused("x.gguf: the architecture 'mamba' is not known here; known are llama, granite, smollm3, "
                   "qwen2, qwen3, qwen2moe, qwen3moe, olmo2, olmoe, phi3, gemma, gemma2, gemma3, stablelm, "
                   "starcoder2, gpt2, gptneox, falcon");
}

static void keys_that_are_not_known_are_refused(void **state) {
    (void)state;
    gguf_put_real(&file, "llama.attention.clamp_kqv", 8);
    assert_refused("x.gguf: llama.attention.clamp_kqv is a key that this version does not know");
}

static void values_are_checked(void **state) {
    static const struct {
        const char *key;
        uint32_t value;
        const char *sentence;
    } cases[] = {
        {"attention.value_length", 16,
         "llama.attention.value_length is 16, keys have 32; only the same is supported"},
        {"rope.dimension_count", 16,
         "llama.rope.dimension_count is 16, heads have 32; only the same is supported"},
        {"attention.causal", 0, "llama.attention.causal is not true, other models are not supported"},
        {"attention.head_count_kv", 0, "llama.attention.head_count_kv is 0, expected 1 to 131072"},
        {"rope.freq_base", 0, "llama.rope.freq_base is 0, expected 1 to 1e+12"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char key[64], sentence[256];
        begin_pieces(state);
        snprintf(key, sizeof key, "llama.%s", cases[i].key);
        snprintf(sentence, sizeof sentence, "x.gguf: %s", cases[i].sentence);
        if (!strcmp(key, "llama.attention.causal"))
            gguf_put_flag(&file, key, 0);
        else
            gguf_put_uint(&file, key, cases[i].value);
        assert_refused(sentence);
    }
    begin_pieces(state);
    gguf_put_text(&file, "llama.rope.scaling.type", "dynamic");
    assert_refused(
        "x.gguf: llama.rope.scaling.type is 'dynamic', only none, linear, yarn and longrope are supported");
}

static void tensors_without_a_place_are_named(void **state) {
    (void)state;
    gguf_put_tensor(&file, "blk.0.attn_sinks.weight", 0, 4, 1, 0);
    assert_refused("x.gguf: tensor 'blk.0.attn_sinks.weight' has no place in this model");
}

static void types_that_are_not_read_are_named(void **state) {
    (void)state;
    file = (struct gguf_file){0};
    gguf_put_text(&file, "general.architecture", "llama");
    gguf_put_uint(&file, "llama.block_count", 1);
    gguf_put_uint(&file, "llama.embedding_length", 256);
    gguf_put_uint(&file, "llama.feed_forward_length", 256);
    gguf_put_uint(&file, "llama.attention.head_count", 1);
    gguf_put_uint(&file, "llama.context_length", 64);
    gguf_put_real(&file, "llama.attention.layer_norm_rms_epsilon", 1e-5f);
    gguf_put_tensor(&file, "token_embd.weight", 16, 66, 1, 256);
    assert_refused(
        "x.gguf: tensor 'token_embd.weight' is of type IQ2_XXS, weights must be F32, F16 or BF16, or "
        "of a block type that is read");
}

/* ---- Tokenizers ---- */

static void assert_ids(const struct import *import, const char *text, const char *expected) {
    struct error error;
    struct tokens tokens = {0};
    char found[256] = "";
    size_t used = 0;
    struct tokenizer *tokenizer = tokenizer_open(&import->container, import->config.vocab_size, &error);
    if (!tokenizer || !tokenizer_encode(tokenizer, text, strlen(text), true, &tokens, &error))
        fail_msg("%s", error.text);
    for (size_t i = 0; i < tokens.count; i++)
        used += (size_t)snprintf(found + used, sizeof found - used, i ? " %u" : "%u", tokens.ids[i]);
    assert_string_equal(found, expected);
    tokens_free(&tokens);
    tokenizer_free(tokenizer);
}

static void pieces_merge_by_their_scores(void **state) {
    (void)state;
    struct import import = import_good();
    assert_ids(&import, "ab", "10 6");
    assert_ids(&import, "bab", "10 5 6"); /* "ab" before "ba" */
    assert_ids(&import, "aba", "10 8"); /* "ab" and "a" */
    assert_ids(&import, "A<u></s>", "10 3 9 2");
    import_close(&import);
}

static void spaces_are_put_before_unless_the_file_says_no(void **state) {
    (void)state;
    gguf_put_flag(&file, "tokenizer.ggml.add_space_prefix", 0);
    struct import import = import_good();
    assert_ids(&import, "ab", "6");
    import_close(&import);
}

static void put_merges(const char *bytes, size_t size) {
    gguf_put_raw(&file, "tokenizer.ggml.merges", bytes, size);
}

#define MERGES "\11\0\0\0\10\0\0\0\1\0\0\0\0\0\0\0\3\0\0\0\0\0\0\0a b"

static void merges_are_the_files_own(void **state) {
    (void)state;
    begin("gpt2");
    gguf_put_text(&file, "tokenizer.ggml.pre", "gpt-2");
    put_merges(MERGES, sizeof MERGES - 1);
    struct import import = import_good();
    assert_ids(&import, "ab", "6");
    assert_ids(&import, "aba", "6 4");
    import_close(&import);
}

static void tokenizers_that_are_not_known_are_named(void **state) {
    (void)state;
    begin("bert");
    assert_refused("x.gguf: a tokenizer of kind 'bert' is not supported, only gpt2 and llama are");
    begin("gpt2");
    assert_refused("x.gguf: tokenizer.ggml.pre, which says how text is cut into words, is missing");
    gguf_put_text(&file, "tokenizer.ggml.pre", "viking");
    assert_refused("x.gguf: the pre-tokenizer 'viking' (tokenizer.ggml.pre) is not known here");
    begin("gpt2");
    gguf_put_text(&file, "tokenizer.ggml.pre", "gpt-2");
    assert_refused("x.gguf: the tokenizer has no merges");
    begin("llama");
    assert_refused("x.gguf: the tokenizer has no score for each token");
}

static void templates_and_ends_come_along(void **state) {
    (void)state;
    gguf_put_text(&file, "tokenizer.chat_template", "{{ messages }}");
    gguf_put_uint(&file, "tokenizer.ggml.eot_token_id", 9);
    struct import import = import_good();
    const char *config = container_blob(&import.container, "tokenizer_config.json")->data;
    const char *generation = container_blob(&import.container, "generation_config.json")->data;
    assert_non_null(strstr(config, "\"chat_template\": \"{{ messages }}\""));
    assert_non_null(strstr(config, "\"bos_token\": \"<s>\""));
    assert_non_null(strstr(generation, "\"eos_token_id\": [\n    2,\n    9\n  ]"));
    import_close(&import);
}

static void every_failure_of_memory_is_told(void **state) {
    (void)state;
    gguf_write(&file, "x.gguf");
    for (size_t n = 1, failed = 1; failed; n++) {
        struct import import;
        struct error error = {""};
        memory_fail_at(n);
        failed = !import_open(&import, "x.gguf", &error);
        memory_fail_at(0);
        assert_true(!failed || strlen(error.text) > 0);
        import_close(&import);
    }
}

int main(void) {
    enter_scratch_folder();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(keys_are_fields, begin_pieces),
        cmocka_unit_test_setup(pairs_side_by_side_come_apart, begin_pieces),
        cmocka_unit_test_setup(scaled_positions_are_told_by_their_keys, begin_pieces),
        cmocka_unit_test_setup(unknown_architectures_are_named, begin_pieces),
        cmocka_unit_test_setup(keys_that_are_not_known_are_refused, begin_pieces),
        cmocka_unit_test_setup(values_are_checked, begin_pieces),
        cmocka_unit_test_setup(tensors_without_a_place_are_named, begin_pieces),
        cmocka_unit_test_setup(types_that_are_not_read_are_named, begin_pieces),
        cmocka_unit_test_setup(pieces_merge_by_their_scores, begin_pieces),
        cmocka_unit_test_setup(spaces_are_put_before_unless_the_file_says_no, begin_pieces),
        cmocka_unit_test_setup(merges_are_the_files_own, begin_pieces),
        cmocka_unit_test_setup(tokenizers_that_are_not_known_are_named, begin_pieces),
        cmocka_unit_test_setup(templates_and_ends_come_along, begin_pieces),
        cmocka_unit_test_setup(every_failure_of_memory_is_told, begin_pieces),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
