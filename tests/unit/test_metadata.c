/* Typed values under rising keys, copied in; and what counts as a name. */
#include "format/metadata.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct arena arena;
static struct metadata metadata;

static int start(void **state) {
    (void)state;
    metadata = (struct metadata){.arena = &arena};
    return 0;
}

static int stop(void **state) {
    (void)state;
    arena_free(&arena);
    return 0;
}

static void set_uint(const char *key, uint64_t uint) {
    struct error error;
    assert_true(metadata_set(&metadata, key, (struct value){.kind = VALUE_UINT, .uint = uint}, &error));
}

static void keys_rise_in_whatever_order_they_come(void **state) {
    (void)state;
    char key[8];
    for (unsigned i = 0; i < 500; i++) {
        snprintf(key, sizeof key, "%03u", i * 7 % 500);
        set_uint(key, i);
    }
    assert_int_equal(metadata.count, 500);
    for (size_t i = 1; i < metadata.count; i++)
        assert_true(strcmp(metadata.items[i - 1].key, metadata.items[i].key) < 0);
    assert_int_equal(metadata_uint(&metadata, "007", 999), 1);
}

static void a_second_value_replaces_the_first(void **state) {
    (void)state;
    struct error error;
    set_uint("a", 1);
    set_uint("b", 2);
    assert_true(metadata_set(&metadata, "a", (struct value){.kind = VALUE_TEXT, .text = "one"}, &error));
    assert_int_equal(metadata.count, 2);
    assert_string_equal(metadata_text(&metadata, "a"), "one");
    assert_int_equal(metadata_find(&metadata, "a")->count, 3);
}

static void keys_texts_and_arrays_are_copied(void **state) {
    (void)state;
    struct error error;
    char key[] = "key", text[] = "text";
    uint64_t uints[] = {1, 2, 3};
    double reals[] = {0.5};
    assert_true(metadata_set(&metadata, key, (struct value){.kind = VALUE_TEXT, .text = text}, &error));
    assert_true(metadata_set(&metadata, "uints",
                             (struct value){.kind = VALUE_UINTS, .uints = uints, .count = 3}, &error));
    assert_true(metadata_set(&metadata, "reals",
                             (struct value){.kind = VALUE_REALS, .reals = reals, .count = 1}, &error));
    assert_true(metadata_set(&metadata, "none", (struct value){.kind = VALUE_UINTS}, &error));
    key[0] = text[0] = 'X';
    uints[2] = 0;
    reals[0] = 0;
    assert_string_equal(metadata_text(&metadata, "key"), "text");
    assert_int_equal(metadata_find(&metadata, "uints")->uints[2], 3);
    assert_true(metadata_find(&metadata, "reals")->reals[0] == 0.5);
    assert_int_equal(metadata_find(&metadata, "none")->count, 0);
}

static void what_is_absent_or_of_another_kind_is_not_found(void **state) {
    (void)state;
    assert_null(metadata_find(&metadata, "a"));
    set_uint("b", 5);
    assert_null(metadata_find(&metadata, "a"));
    assert_null(metadata_find(&metadata, "c"));
    assert_null(metadata_text(&metadata, "b"));
    assert_int_equal(metadata_uint(&metadata, "a", 42), 42);
}

static void names_are_printable_text(void **state) {
    (void)state;
    char longest[MAX_NAME + 2];
    memset(longest, 'x', sizeof longest);
    assert_true(name_is_valid("blk.0.attn_q.weight", 19));
    assert_true(name_is_valid("gr\xc3\xbc\xc3\x9f", 6));
    assert_true(name_is_valid(longest, MAX_NAME));
    assert_false(name_is_valid(longest, MAX_NAME + 1));
    assert_false(name_is_valid("", 0));
    static const char *const bad[] = {"a\nb", "\x1b[2J", "a\x7f",        "\xc2\x9b",
                                      "\xff", "\xc3",    "\xed\xa0\x80", "\xc0\x80"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(name_is_valid(bad[i], strlen(bad[i])));
    assert_false(name_is_valid("a\0b", 3));
}

static void texts_may_have_controls_but_no_nul(void **state) {
    (void)state;
    assert_true(text_is_valid("a\n\tb\x1b", 5));
    assert_true(text_is_valid("", 0));
    assert_false(text_is_valid("a\0b", 3));
    assert_false(text_is_valid("\xe2\x82", 2));
}

static void running_out_of_memory_leaves_what_was_there(void **state) {
    (void)state;
    struct error error;
    char key[16];
    set_uint("kept", 1);
    for (unsigned i = 0; i < 200; i++) {
        snprintf(key, sizeof key, "k%u", i);
        struct value text = {.kind = VALUE_TEXT, .text = "some text that takes room in the arena"};
        memory_fail_at(1);
        if (!metadata_set(&metadata, key, text, &error))
            assert_non_null(strstr(error.text, "out of memory"));
        memory_fail_at(0);
        assert_int_equal(metadata_uint(&metadata, "kept", 0), 1);
        assert_true(metadata_set(&metadata, key, text, &error));
    }
    assert_int_equal(metadata.count, 201);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(keys_rise_in_whatever_order_they_come, start, stop),
        cmocka_unit_test_setup_teardown(a_second_value_replaces_the_first, start, stop),
        cmocka_unit_test_setup_teardown(keys_texts_and_arrays_are_copied, start, stop),
        cmocka_unit_test_setup_teardown(what_is_absent_or_of_another_kind_is_not_found, start, stop),
        cmocka_unit_test_setup_teardown(names_are_printable_text, start, stop),
        cmocka_unit_test_setup_teardown(texts_may_have_controls_but_no_nul, start, stop),
        cmocka_unit_test_setup_teardown(running_out_of_memory_leaves_what_was_there, start, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
