/* Configurations: kept in metadata and read back, refused where numbers make no model, and the tensors they
 * call for. */
#include "models/config.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const struct model_config small = {
    .family = "llama",
    .n_layers = 2,
    .dim = 40,
    .ffn_dim = 72,
    .n_heads = 4,
    .n_kv_heads = 2,
    .head_dim = 12,
    .vocab_size = 50,
    .context = 64,
    .norm_eps = 1e-5,
    .rope_theta = 500000,
    .rope_kind = ROPE_LLAMA3,
    .rope_factor = 8,
    .rope_low_freq_factor = 1,
    .rope_high_freq_factor = 4,
    .rope_original_context = 32,
    .tied_head = true,
    .attention_bias = true,
};

static struct arena arena;
static struct metadata metadata;

static int keep_small(void **state) {
    (void)state;
    struct error error;
    metadata = (struct metadata){.arena = &arena};
    return config_to_metadata(&small, &metadata, &error) ? 0 : -1;
}

static int forget(void **state) {
    (void)state;
    arena_free(&arena);
    return 0;
}

static void assert_says(const struct error *error, const char *fragment) {
    if (!strstr(error->text, fragment))
        fail_msg("'%s' lacks '%s'", error->text, fragment);
}

static void assert_unread(const char *fragment) {
    struct model_config config;
    struct error error = {""};
    assert_false(config_from_metadata(&config, &metadata, "x.qm", &error));
    assert_says(&error, fragment);
}

/* ---- Metadata ---- */

static void it_comes_back_from_metadata(void **state) {
    (void)state;
    struct model_config config;
    struct error error;
    assert_true(config_from_metadata(&config, &metadata, "x.qm", &error));
    assert_string_equal(config.family, "llama");
    config.family = small.family;
    assert_memory_equal(&config, &small, sizeof small);
}

static void every_key_is_needed(void **state) {
    (void)state;
    struct metadata_item *items = metadata.items;
    size_t count = metadata.count;
    assert_int_equal(count, 19);
    for (size_t i = 0; i < count; i++) {
        struct metadata_item without[32];
        memcpy(without, items, i * sizeof *items);
        memcpy(without + i, items + i + 1, (count - i - 1) * sizeof *items);
        metadata.items = without;
        metadata.count = count - 1;
        assert_unread("x.qm: the metadata lacks model.");
        assert_unread(items[i].key);
    }
}

static void keys_of_others_do_not_matter(void **state) {
    (void)state;
    struct model_config config;
    struct error error;
    assert_true(metadata_set(&metadata, "general.name",
                             (struct value){.kind = VALUE_TEXT, .text = "x", .count = 1}, &error));
    assert_true(config_from_metadata(&config, &metadata, "x.qm", &error));
}

/* A newer version's trait would change results: it must not be overlooked. */
static void an_unknown_trait_is_refused(void **state) {
    (void)state;
    struct error error;
    assert_true(
        metadata_set(&metadata, "model.memory", (struct value){.kind = VALUE_REAL, .real = 50}, &error));
    assert_unread("x.qm: the model has a trait that this version does not know, model.memory");
}

static void values_of_another_kind_are_refused(void **state) {
    (void)state;
    struct error error;
    for (size_t i = 0; i < metadata.count; i++) {
        struct value was = metadata.items[i].value;
        metadata.items[i].value = (struct value){.kind = VALUE_INT, .sint = -1};
        assert_unread(metadata.items[i].key);
        metadata.items[i].value = was;
    }
    assert_true(metadata_set(&metadata, "model.rope_kind",
                             (struct value){.kind = VALUE_TEXT, .text = "dynamic", .count = 7}, &error));
    assert_unread("x.qm: model.rope_kind is \"dynamic\", known are plain, linear, llama3, longrope, yarn");
}

/* ---- Ranges ---- */

static void assert_bad(const struct model_config *config, const char *sentence) {
    struct error error = {""};
    assert_false(config_check(config, "x.qm", &error));
    assert_string_equal(error.text, sentence);
}

#define REFUSED(field, number, sentence)                                                                     \
    do {                                                                                                     \
        struct model_config spoilt = small;                                                                  \
        spoilt.field = number;                                                                               \
        assert_bad(&spoilt, "x.qm: " sentence);                                                              \
    } while (0)

static void numbers_out_of_range_are_named(void **state) {
    (void)state;
    struct error error;
    assert_true(config_check(&small, "x.qm", &error));
    REFUSED(n_layers, 0, "model.n_layers is 0, expected 1 to 1024");
    REFUSED(n_layers, 1025, "model.n_layers is 1025, expected 1 to 1024");
    REFUSED(dim, 0, "model.dim is 0, expected 1 to 262144");
    REFUSED(dim, UINT64_MAX, "model.dim is 18446744073709551615, expected 1 to 262144");
    REFUSED(ffn_dim, 0, "model.ffn_dim is 0, expected 1 to 262144");
    REFUSED(n_kv_heads, 0, "model.n_kv_heads is 0, expected 1 to 131072");
    REFUSED(vocab_size, 1ull << 40, "model.vocab_size is 1099511627776, expected 1 to 4194304");
    REFUSED(context, 0, "model.context is 0, expected 1 to 134217728");
    REFUSED(norm_eps, 0, "model.norm_eps is 0, expected 1e-12 to 1");
    REFUSED(norm_eps, (double)NAN, "model.norm_eps is nan, expected 1e-12 to 1");
    REFUSED(rope_theta, -1, "model.rope_theta is -1, expected 1 to 1e+12");
    REFUSED(rope_factor, 0.5, "model.rope_factor is 0.5, expected 1 to 1e+06");
}

static void numbers_must_fit_each_other(void **state) {
    (void)state;
    REFUSED(n_kv_heads, 3, "4 heads cannot be shared out over 3 key-value heads");
    REFUSED(head_dim, 11, "head_dim is 11, rotary positions need an even number");
    REFUSED(head_dim, 1 << 17, "4 heads of 131072 are wider than 262144");
    REFUSED(rope_high_freq_factor, 1,
            "rope low_freq_factor is 1 and high_freq_factor 1, expected 0 < the first < the second");
    REFUSED(rope_original_context, 0, "rope of kind llama3 needs its original context, which is 0");
}

/* ---- Patterns of layers ---- */

static void patterns_are_as_short_as_they_can_be(void **state) {
    (void)state;
    static const struct {
        const char *flags, *text;
    } cases[] = {{"1111", ""},   {"0000", "0"},           {"1010", "10"},   {"10101", "10"},
                 {"110", "110"}, {"111110111", "111110"}, {"0011", "0011"}, {"1", ""}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct layer_pattern pattern;
        bool flags[16];
        size_t n = strlen(cases[i].flags);
        for (size_t layer = 0; layer < n; layer++)
            flags[layer] = cases[i].flags[layer] == '1';
        layer_pattern_set(&pattern, flags, n);
        assert_string_equal(pattern.text, cases[i].text);
        for (size_t layer = 0; layer < n; layer++)
            assert_int_equal(layer_has(&pattern, layer), flags[layer]);
    }
    struct model_config spoilt = small;
    strcpy(spoilt.window_layers.text, "1");
    assert_bad(&spoilt, "x.qm: model.window_layers is \"1\", expected the shortest text for it, \"\"");
}

static void longrope_divides_by_a_logarithm(void **state) {
    (void)state;
    struct model_config config = small;
    struct error error;
    config.rope_kind = ROPE_LONG;
    config.rope_original_context = 2;
    config.rope_short_factors.count = config.rope_long_factors.count = config.head_dim / 2;
    for (uint64_t i = 0; i < config.head_dim / 2; i++)
        config.rope_short_factors.values[i] = config.rope_long_factors.values[i] = 1;
    assert_true(config_check(&config, "x.qm", &error));
    config.rope_original_context = 1;
    assert_bad(&config, "x.qm: rope of kind longrope has an original context of 1, expected 2 or more");
}

static void yarn_slows_slow_pairs_more(void **state) {
    (void)state;
    struct model_config config = small;
    struct error error;
    config.rope_kind = ROPE_YARN;
    config.rope_beta_fast = config.rope_beta_slow = 2;
    assert_true(config_check(&config, "x.qm", &error));
    config.rope_beta_slow = 3;
    assert_bad(&config, "x.qm: rope beta_fast is 2 and beta_slow 3, expected 0 < the second <= the first");
    config.rope_beta_slow = 0;
    assert_bad(&config, "x.qm: rope beta_fast is 2 and beta_slow 0, expected 0 < the second <= the first");
    config.rope_beta_slow = 1;
    config.rope_theta = 1;
    assert_bad(&config, "x.qm: rope of kind yarn has a theta of 1, expected more");
    config.rope_original_context = 0;
    assert_bad(&config, "x.qm: rope of kind yarn needs its original context, which is 0");
}

static void experts_must_make_sense(void **state) {
    (void)state;
    struct model_config experts = small;
    struct error error;
    experts.dim = 48;
    experts.n_experts = 8;
    experts.n_experts_used = 2;
    experts.expert_ffn_dim = 32;
    assert_true(config_check(&experts, "x.qm", &error));
    experts.expert_ffn_dim = 40;
    assert_bad(&experts, "x.qm: experts of 40 by 48, expected multiples of 16");
    experts.n_experts_used = 9;
    assert_bad(&experts, "x.qm: 9 experts of 8 are used for a token, expected 1 to all");
    experts.n_experts = 0;
    assert_bad(&experts, "x.qm: the model has no experts, but numbers of them");
}

/* ---- Tensors ---- */

static void tensors_stand_in_the_order_of_a_token(void **state) {
    (void)state;
    static const char *const names[] = {
        "token_embd.weight",      "blk.0.attn_norm.weight", "blk.0.attn_q.weight",
        "blk.0.attn_q.bias",      "blk.0.attn_k.weight",    "blk.0.attn_k.bias",
        "blk.0.attn_v.weight",    "blk.0.attn_v.bias",      "blk.0.attn_output.weight",
        "blk.0.attn_output.bias", "blk.0.ffn_norm.weight",  "blk.0.ffn_gate.weight",
        "blk.0.ffn_up.weight",    "blk.0.ffn_down.weight",  "output_norm.weight",
    };
    struct model_config config = small;
    struct error error;
    size_t count;
    config.n_layers = 1;
    const struct role_tensor *tensors = config_tensors(&config, &count, &arena, &error);
    assert_non_null(tensors);
    assert_int_equal(count, sizeof names / sizeof *names);
    for (size_t i = 0; i < count; i++)
        assert_string_equal(tensors[i].name, names[i]);
}

static void assert_tensor(const struct model_config *config, const char *name, uint64_t rows, uint64_t cols) {
    struct error error;
    size_t count;
    const struct role_tensor *tensors = config_tensors(config, &count, &arena, &error);
    for (size_t i = 0; i < count; i++)
        if (!strcmp(tensors[i].name, name)) {
            assert_int_equal(tensors[i].n_dims, cols ? 2 : 1);
            assert_int_equal(tensors[i].dims[0], rows);
            assert_int_equal(tensors[i].dims[1], cols);
            return;
        }
    fail_msg("no tensor '%s'", name);
}

static void shapes_follow_from_the_configuration(void **state) {
    (void)state;
    struct model_config config = small;
    config.tied_head = false;
    config.mlp_bias = true;
    assert_tensor(&config, "token_embd.weight", 50, 40);
    assert_tensor(&config, "output.weight", 50, 40);
    assert_tensor(&config, "blk.1.attn_q.weight", 48, 40);
    assert_tensor(&config, "blk.1.attn_k.weight", 24, 40);
    assert_tensor(&config, "blk.1.attn_output.weight", 40, 48);
    assert_tensor(&config, "blk.1.ffn_down.weight", 40, 72);
    assert_tensor(&config, "blk.1.attn_v.bias", 24, 0);
    assert_tensor(&config, "blk.1.ffn_up.bias", 72, 0);
    assert_tensor(&config, "blk.1.ffn_norm.weight", 40, 0);
}

static void the_largest_configuration_has_names_that_fit(void **state) {
    (void)state;
    struct model_config config = small;
    config.n_layers = CONFIG_MAX_LAYERS;
    assert_tensor(&config, "blk.1023.attn_output.weight", 40, 48);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(it_comes_back_from_metadata, keep_small, forget),
        cmocka_unit_test_setup_teardown(every_key_is_needed, keep_small, forget),
        cmocka_unit_test_setup_teardown(keys_of_others_do_not_matter, keep_small, forget),
        cmocka_unit_test_setup_teardown(an_unknown_trait_is_refused, keep_small, forget),
        cmocka_unit_test_setup_teardown(values_of_another_kind_are_refused, keep_small, forget),
        cmocka_unit_test(numbers_out_of_range_are_named),
        cmocka_unit_test(numbers_must_fit_each_other),
        cmocka_unit_test(patterns_are_as_short_as_they_can_be),
        cmocka_unit_test(longrope_divides_by_a_logarithm),
        cmocka_unit_test(yarn_slows_slow_pairs_more),
        cmocka_unit_test(experts_must_make_sense),
        cmocka_unit_test_teardown(tensors_stand_in_the_order_of_a_token, forget),
        cmocka_unit_test_teardown(shapes_follow_from_the_configuration, forget),
        cmocka_unit_test_teardown(the_largest_configuration_has_names_that_fit, forget),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
