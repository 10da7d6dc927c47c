/* Families: the spellings of config.json that are read, and the sentence for each that is not. */
#include "models/family.h"
#include "tests/checkpoint.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define LLAMA CHECKPOINT_CONFIG_WITH

static struct model_config read_good(const char *json) {
    const struct family *family;
    struct model_config config;
    struct error error = {""};
    if (!family_read_config("config.json", json, strlen(json), &family, &config, &error))
        fail_msg("%s", error.text);
    return config;
}

static void assert_refused(const char *json, const char *sentence) {
    const struct family *family;
    struct model_config config;
    struct error error = {""};
    if (family_read_config("config.json", json, strlen(json), &family, &config, &error))
        fail_msg("was read; expected: %s", sentence);
    if (strcmp(error.text, sentence))
        fail_msg("\nsays:     %s\nexpected: %s", error.text, sentence);
}

/* ---- What is read ---- */

static void defaults_are_those_of_transformers(void **state) {
    (void)state;
    struct model_config c = read_good("{\"architectures\":[\"LlamaForCausalLM\"],\"num_hidden_layers\":2,"
                                      "\"hidden_size\":40,\"intermediate_size\":72,\"num_attention_heads\":4,"
                                      "\"vocab_size\":50}");
    assert_string_equal(c.family, "llama");
    assert_int_equal(c.n_kv_heads, 4);
    assert_int_equal(c.head_dim, 10);
    assert_int_equal(c.context, 2048);
    assert_true(c.norm_eps == 1e-6);
    assert_true(c.rope_theta == 10000 && c.rope_kind == ROPE_PLAIN && c.rope_factor == 1);
    assert_false(c.tied_head || c.attention_bias || c.mlp_bias);
}

static void given_values_are_taken(void **state) {
    (void)state;
    struct model_config c =
        read_good(LLAMA(",\"head_dim\":16,\"rms_norm_eps\":1e-5,\"attention_bias\":true,\"mlp_bias\":true,"
                        "\"tie_word_embeddings\":true,\"hidden_act\":\"silu\",\"pretraining_tp\":1,"
                        "\"torch_dtype\":\"bfloat16\",\"dtype\":\"bfloat16\",\"use_cache\":false"));
    assert_int_equal(c.n_layers, 2);
    assert_int_equal(c.dim, 40);
    assert_int_equal(c.ffn_dim, 72);
    assert_int_equal(c.n_heads, 4);
    assert_int_equal(c.n_kv_heads, 2);
    assert_int_equal(c.head_dim, 16);
    assert_int_equal(c.vocab_size, 50);
    assert_int_equal(c.context, 64);
    assert_true(c.norm_eps == 1e-5 && c.tied_head && c.attention_bias && c.mlp_bias);
}

static void null_is_the_default(void **state) {
    (void)state;
    struct model_config c =
        read_good(LLAMA(",\"head_dim\":null,\"rope_scaling\":null,\"rope_parameters\":null,"
                        "\"hidden_act\":null,\"quantization_config\":null"));
    assert_int_equal(c.head_dim, 10);
}

static void rope_is_read_in_every_spelling(void **state) {
    (void)state;
    static const char *const plain[] = {
        LLAMA(",\"rope_theta\":5e5"),
        LLAMA(",\"rope_theta\":500000,\"rope_scaling\":{\"rope_type\":\"default\"}"),
        LLAMA(",\"rope_parameters\":{\"rope_type\":\"default\",\"rope_theta\":500000.0}"),
        LLAMA(",\"rope_theta\":500000,\"rope_parameters\":{\"rope_theta\":500000.0,\"partial_rotary_factor\":"
              "1.0}"),
        LLAMA(",\"rope_parameters\":{\"type\":\"default\",\"rope_type\":\"default\",\"rope_theta\":500000.0,"
              "\"factor\":4}"),
    };
    static const char *const linear[] = {
        LLAMA(",\"rope_scaling\":{\"type\":\"linear\",\"factor\":4.0}"),
        LLAMA(",\"rope_parameters\":{\"rope_type\":\"linear\",\"factor\":4,\"rope_theta\":10000}"),
    };
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++) {
        struct model_config c = read_good(plain[i]);
        assert_true(c.rope_kind == ROPE_PLAIN && c.rope_theta == 500000 && c.rope_factor == 1);
    }
    for (size_t i = 0; i < sizeof linear / sizeof *linear; i++) {
        struct model_config c = read_good(linear[i]);
        assert_true(c.rope_kind == ROPE_LINEAR && c.rope_theta == 10000 && c.rope_factor == 4);
    }
}

static void llama3_rope_is_read(void **state) {
    (void)state;
    struct model_config c = read_good(
        LLAMA(",\"rope_theta\":500000.0,\"rope_scaling\":{\"factor\":8.0,\"high_freq_factor\":4.0,"
              "\"low_freq_factor\":1.0,\"original_max_position_embeddings\":8192,\"rope_type\":\"llama3\"}"));
    assert_true(c.rope_kind == ROPE_LLAMA3 && c.rope_theta == 500000 && c.rope_factor == 8);
    assert_true(c.rope_low_freq_factor == 1 && c.rope_high_freq_factor == 4);
    assert_int_equal(c.rope_original_context, 8192);
}

static void yarn_is_read(void **state) {
    (void)state;
    struct model_config c = read_good(LLAMA(
        ",\"rope_scaling\":{\"type\":\"yarn\",\"factor\":4.0,\"original_max_position_embeddings\":32768}"));
    assert_true(c.rope_kind == ROPE_YARN && c.rope_factor == 4 && c.rope_original_context == 32768);
    assert_true(c.rope_beta_fast == 32 && c.rope_beta_slow == 1 && c.rope_truncate);
    assert_true(c.rope_attention_factor == 0 && c.rope_mscale == 0 && c.rope_mscale_all_dim == 0);
    c = read_good(LLAMA(",\"rope_parameters\":{\"rope_type\":\"yarn\",\"rope_theta\":5e5,\"beta_fast\":8,"
                        "\"beta_slow\":2,\"original_max_position_embeddings\":16,\"truncate\":false,"
                        "\"mscale\":0.9,\"mscale_all_dim\":0.8}"));
    assert_true(c.rope_theta == 5e5 && c.rope_factor == 64.0 / 16 && c.rope_original_context == 16);
    assert_true(c.rope_beta_fast == 8 && c.rope_beta_slow == 2 && !c.rope_truncate);
    assert_true(c.rope_mscale == 0.9 && c.rope_mscale_all_dim == 0.8);
}

/* Two files that say the same in other words make equal models. */
static void numbers_that_yarn_does_not_use_are_dropped(void **state) {
    (void)state;
    struct model_config c =
        read_good(LLAMA(",\"rope_scaling\":{\"rope_type\":\"yarn\",\"factor\":4,\"mscale\":1}"));
    assert_true(c.rope_mscale == 0 && c.rope_original_context == 64);
    c = read_good(LLAMA(",\"rope_scaling\":{\"rope_type\":\"yarn\",\"factor\":4,\"attention_factor\":1.2,"
                        "\"mscale\":1,\"mscale_all_dim\":2}"));
    assert_true(c.rope_attention_factor == 1.2 && c.rope_mscale == 0 && c.rope_mscale_all_dim == 0);
    c = read_good(LLAMA(",\"rope_scaling\":{\"rope_type\":\"linear\",\"factor\":4,\"attention_factor\":1.2,"
                        "\"beta_fast\":32}"));
    assert_true(c.rope_attention_factor == 0 && c.rope_beta_fast == 0 && c.rope_beta_slow == 0);
    assert_false(c.rope_truncate);
}

#define MISTRAL(more)                                                                                        \
    "{\"architectures\":[\"MistralForCausalLM\"],\"num_hidden_layers\":2,\"hidden_size\":80,"                \
    "\"intermediate_size\":72,\"num_attention_heads\":8,\"vocab_size\":50" more "}"

static void a_window_no_shorter_than_the_context_is_none(void **state) {
    (void)state;
    struct model_config c = read_good(MISTRAL(",\"sliding_window\":null"));
    assert_string_equal(c.family, "mistral");
    assert_int_equal(c.n_kv_heads, 8);
    assert_int_equal(c.window, 0);
    c = read_good(MISTRAL(",\"sliding_window\":4096,\"max_position_embeddings\":4096"));
    assert_int_equal(c.window, 0);
    c = read_good(MISTRAL(",\"max_position_embeddings\":2048"));
    assert_int_equal(c.window, 0);
    c = read_good(MISTRAL(""));
    assert_int_equal(c.window, 4096);
    assert_string_equal(c.window_layers.text, "");
    assert_refused(MISTRAL(",\"sliding_window\":-1"),
                   "config.json: sliding_window is -1, expected a whole number");
}

/* ---- What is refused ---- */

static void unknown_classes_are_refused_by_name(void **state) {
    (void)state;
    assert_refused(
        "{\"architectures\":[\"GPT9ForCausalLM\"]}",
        "config.json: models of class GPT9ForCausalLM are not known here; known are LlamaForCausalLM, "
        "MistralForCausalLM, MixtralForCausalLM, Qwen2ForCausalLM, Qwen2MoeForCausalLM, Qwen3ForCausalLM, "
        "Qwen3MoeForCausalLM, GemmaForCausalLM, Gemma2ForCausalLM, Gemma3ForCausalLM, Phi3ForCausalLM, "
        "SmolLM3ForCausalLM, Olmo2ForCausalLM, Olmo3ForCausalLM, OlmoeForCausalLM, GraniteForCausalLM, "
        "StableLmForCausalLM, Starcoder2ForCausalLM, GPT2LMHeadModel, GPTNeoXForCausalLM, "
        "FalconForCausalLM");
    assert_refused("{}", "config.json: architectures does not name the model's class");
    assert_refused("{\"architectures\":[]}", "config.json: architectures does not name the model's class");
    assert_refused("{\"architectures\":\"LlamaForCausalLM\"}",
                   "config.json: architectures does not name the model's class");
    assert_refused("[]", "config.json: is not a JSON object");
}

static void missing_keys_are_named(void **state) {
    (void)state;
    assert_refused("{\"architectures\":[\"LlamaForCausalLM\"]}", "config.json: num_hidden_layers is missing");
}

static void bad_numbers_are_shown(void **state) {
    (void)state;
    static const struct {
        const char *value, *complaint;
    } cases[] = {
        {"0", "is 0, expected 1 to 262144"},
        {"-40", "is -40, expected a whole number"},
        {"40.5", "is 40.5, expected a whole number"},
        {"40.0", "is 40.0, expected a whole number"},
        {"\"40\"", "is \"40\", expected a whole number"},
        {"[40]", "is [40], expected a whole number"},
        {"true", "is true, expected a whole number"},
        {"9007199254740993", "is 9007199254740993, expected 1 to 262144"},
        {"\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
         "aaa\"",
         "is \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa..., expected a "
         "whole "
         "number"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char json[512], sentence[512];
        snprintf(json, sizeof json,
                 "{\"architectures\":[\"LlamaForCausalLM\"],\"num_hidden_layers\":2,\"hidden_size\":%s}",
                 cases[i].value);
        snprintf(sentence, sizeof sentence, "config.json: hidden_size %s", cases[i].complaint);
        assert_refused(json, sentence);
    }
}

static void bad_values_of_other_kinds_are_shown(void **state) {
    (void)state;
    assert_refused(LLAMA(",\"rms_norm_eps\":0"), "config.json: rms_norm_eps is 0, expected 1e-12 to 1");
    assert_refused(LLAMA(",\"rms_norm_eps\":\"1e-5\""),
                   "config.json: rms_norm_eps is \"1e-5\", expected a number");
    assert_refused(LLAMA(",\"rope_theta\":0"), "config.json: rope_theta is 0, expected 1 to 1e+12");
    assert_refused(LLAMA(",\"tie_word_embeddings\":1"),
                   "config.json: tie_word_embeddings is 1, expected true or false");
    assert_refused(LLAMA(",\"head_dim\":0"), "config.json: head_dim is 0, expected 2 to 262144");
    assert_refused(LLAMA(",\"head_dim\":7"),
                   "config.json: head_dim is 7, rotary positions need an even number");
    assert_refused("{\"architectures\":[\"LlamaForCausalLM\"],\"num_hidden_layers\":2,\"hidden_size\":41,"
                   "\"intermediate_size\":72,\"num_attention_heads\":4,\"vocab_size\":50}",
                   "config.json: a width of 41 cannot be divided by 4 heads, and head_dim is not given");
}

static void what_would_change_results_is_refused(void **state) {
    (void)state;
    assert_refused(LLAMA(",\"hidden_act\":\"relu6\""),
                   "config.json: hidden_act is \"relu6\", expected one of the kinds known here: silu, swish, "
                   "gelu, gelu_python, "
                   "gelu_new, gelu_fast, gelu_accurate, gelu_pytorch_tanh, gelu_python_tanh");
    assert_refused(LLAMA(",\"embedding_multiplier\":12"),
                   "config.json: embedding_multiplier is 12, only 1 is supported in a llama model");
    assert_refused(LLAMA(",\"pretraining_tp\":2"),
                   "config.json: pretraining_tp is 2, only 1 is supported in a llama model");
    assert_refused(LLAMA(",\"partial_rotary_factor\":0.5"),
                   "config.json: partial_rotary_factor is 0.5, only 1 is supported in a llama model");
    assert_refused(
        LLAMA(",\"quantization_config\":{\"bits\":4}"),
        "config.json: quantization_config is {\"bits\":4}, only null is supported in a llama model");
}

static void bad_ropes_are_refused(void **state) {
    (void)state;
    assert_refused(
        LLAMA(",\"rope_scaling\":{\"rope_type\":\"dynamic\",\"factor\":4}"),
        "config.json: rope_scaling.rope_type is \"dynamic\", expected one of the kinds known here: "
        "default, linear, llama3, longrope, su, yarn");
    assert_refused(LLAMA(",\"rope_scaling\":{\"type\":\"linear\",\"factor\":4,\"mrope_section\":[8,8]}"),
                   "config.json: rope_scaling has a key that this version does not know, 'mrope_section'");
    assert_refused(LLAMA(",\"rope_scaling\":{\"type\":\"yarn\",\"factor\":4,\"attention_factor\":0}"),
                   "config.json: rope_scaling.attention_factor is 0, expected a number above 0");
    assert_refused(LLAMA(",\"rope_scaling\":{\"type\":\"yarn\",\"factor\":4,\"beta_fast\":-1}"),
                   "config.json: rope_scaling.beta_fast is -1, expected 0.001 to 1e+06");
    assert_refused(LLAMA(",\"rope_scaling\":{\"type\":\"linear\"}"),
                   "config.json: rope of type linear needs a factor");
    assert_refused(LLAMA(",\"rope_scaling\":{\"type\":\"linear\",\"factor\":0}"),
                   "config.json: rope_scaling.factor is 0, expected 1 to 1e+06");
    assert_refused(LLAMA(",\"rope_scaling\":{\"rope_type\":\"llama3\",\"factor\":8}"),
                   "config.json: rope of type llama3 needs low_freq_factor and high_freq_factor");
    assert_refused(LLAMA(",\"rope_theta\":10000,\"rope_parameters\":{\"rope_theta\":500000}"),
                   "config.json: rope_parameters.rope_theta is 500000, but rope_theta is 10000");
    assert_refused(LLAMA(",\"rope_scaling\":\"linear\""),
                   "config.json: rope_scaling is \"linear\", expected an object or null");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_are_those_of_transformers),
        cmocka_unit_test(given_values_are_taken),
        cmocka_unit_test(null_is_the_default),
        cmocka_unit_test(rope_is_read_in_every_spelling),
        cmocka_unit_test(llama3_rope_is_read),
        cmocka_unit_test(yarn_is_read),
        cmocka_unit_test(numbers_that_yarn_does_not_use_are_dropped),
        cmocka_unit_test(a_window_no_shorter_than_the_context_is_none),
        cmocka_unit_test(unknown_classes_are_refused_by_name),
        cmocka_unit_test(missing_keys_are_named),
        cmocka_unit_test(bad_numbers_are_shown),
        cmocka_unit_test(bad_values_of_other_kinds_are_shown),
        cmocka_unit_test(what_would_change_results_is_refused),
        cmocka_unit_test(bad_ropes_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
