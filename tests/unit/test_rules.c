/* quantize's plan: the type that each tensor gets by default and by rule. */
#include "quantize/rules.c" /* a program's own, in no archive */

#include "tests/checkpoint.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct import import;
static const struct type *planned[32];
static struct arena arena;

static int open_tied(void **state) {
    (void)state;
    struct error error;
    checkpoint_write(".", &(struct checkpoint){0});
    return import_open(&import, ".", &error) ? 0 : -1;
}

static int open_untied(void **state) {
    (void)state;
    struct error error;
    checkpoint_write(".", &(struct checkpoint){.config = CHECKPOINT_CONFIG_WITH(""), .head = true});
    return import_open(&import, ".", &error) ? 0 : -1;
}

static int close_import(void **state) {
    (void)state;
    import_close(&import);
    arena_free(&arena);
    return 0;
}

static bool plan(const char *target, const char *first, const char *second, struct error *error) {
    const char *items[] = {first, second};
    struct text_list rules = {items, first ? second ? 2 : 1 : 0};
    return rules_plan(&import, type_find(target), &rules, planned, &arena, error);
}

static void assert_plan(const char *target, const char *first, const char *second) {
    struct error error = {""};
    if (!plan(target, first, second, &error))
        fail_msg("%s", error.text);
}

static void assert_refused(const char *rule, const char *sentence) {
    struct error error = {""};
    assert_false(plan("q4", rule, NULL, &error));
    assert_string_equal(error.text, sentence);
}

static const char *type_of(const char *name) {
    for (size_t i = 0; i < import.n_tensors; i++)
        if (!strcmp(import.roles[i].name, name))
            return planned[i]->name;
    return "absent";
}

static void vectors_become_f32_and_matrices_the_target(void **state) {
    (void)state;
    static const char *const targets[] = {"f32", "f16", "bf16", "q8", "q4"};
    for (size_t i = 0; i < 5; i++) {
        assert_plan(targets[i], NULL, NULL);
        assert_string_equal(type_of("output_norm.weight"), "f32");
        assert_string_equal(type_of("blk.1.attn_norm.weight"), "f32");
        assert_string_equal(type_of("blk.1.attn_q.weight"), targets[i]);
        assert_string_equal(type_of("blk.0.ffn_down.weight"), targets[i]);
    }
}

static void a_tied_head_gets_8_bits_beside_4(void **state) {
    (void)state;
    assert_plan("q4", NULL, NULL);
    assert_string_equal(type_of("token_embd.weight"), "q8");
    assert_plan("f16", NULL, NULL);
    assert_string_equal(type_of("token_embd.weight"), "f16");
}

static void a_separate_head_gets_8_bits_beside_4(void **state) {
    (void)state;
    assert_plan("q4", NULL, NULL);
    assert_string_equal(type_of("token_embd.weight"), "q4");
    assert_string_equal(type_of("output.weight"), "q8");
}

static void the_last_rule_that_matches_decides(void **state) {
    (void)state;
    assert_plan("q4", "ffn=q8", "ffn_(norm|down)=f16");
    assert_string_equal(type_of("blk.0.ffn_up.weight"), "q8");
    assert_string_equal(type_of("blk.1.ffn_down.weight"), "f16");
    assert_string_equal(type_of("blk.1.ffn_norm.weight"), "f16");
    assert_string_equal(type_of("blk.1.attn_q.weight"), "q4");
}

static void rules_override_the_default_of_the_head(void **state) {
    (void)state;
    assert_plan("q4", "^token_embd\\.weight$=q4", NULL);
    assert_string_equal(type_of("token_embd.weight"), "q4");
}

/* The type stands behind the last '=', so that a pattern may hold one. */
static void patterns_may_hold_an_equals_sign(void **state) {
    (void)state;
    assert_plan("q4", "attn(?=_q)=f16", NULL);
    assert_string_equal(type_of("blk.0.attn_q.weight"), "f16");
    assert_string_equal(type_of("blk.0.attn_k.weight"), "q4");
}

static void bad_rules_are_shown(void **state) {
    (void)state;
    assert_refused("attn_q", "--rule 'attn_q': expected REGEX=TYPE");
    assert_refused("=q8", "--rule '=q8': expected REGEX=TYPE");
    assert_refused("attn_q=q9", "--rule 'attn_q=q9': 'q9' is not a type; known are f32, f16, bf16, q8, q4");
    assert_refused("attn_q=", "--rule 'attn_q=': '' is not a type; known are f32, f16, bf16, q8, q4");
    assert_refused("attn_(q=q8", "--rule 'attn_(q=q8': missing closing parenthesis at character 8");
    assert_refused("attn_z=q8", "--rule 'attn_z=q8': matches no tensor; --dry-run lists their names");
    assert_refused("norm=q8",
                   "--rule 'norm=q8': tensor 'blk.0.attn_norm.weight' has one dimension, which q8 cannot "
                   "hold");
}

/* A pattern made to backtrack for ever meets PCRE2's limit and does not match. */
static void patterns_end(void **state) {
    (void)state;
    assert_refused("^(([a-z0-9._]+)+)+!=q8",
                   "--rule '^(([a-z0-9._]+)+)+!=q8': matches no tensor; --dry-run lists "
                   "their names");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(vectors_become_f32_and_matrices_the_target, open_tied, close_import),
        cmocka_unit_test_setup_teardown(a_tied_head_gets_8_bits_beside_4, open_tied, close_import),
        cmocka_unit_test_setup_teardown(a_separate_head_gets_8_bits_beside_4, open_untied, close_import),
        cmocka_unit_test_setup_teardown(the_last_rule_that_matches_decides, open_tied, close_import),
        cmocka_unit_test_setup_teardown(rules_override_the_default_of_the_head, open_tied, close_import),
        cmocka_unit_test_setup_teardown(patterns_may_hold_an_equals_sign, open_tied, close_import),
        cmocka_unit_test_setup_teardown(bad_rules_are_shown, open_tied, close_import),
        cmocka_unit_test_setup_teardown(patterns_end, open_tied, close_import),
    };
    enter_scratch_folder();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
