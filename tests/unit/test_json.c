/* JSON is read within limits, refused with line and column, and written so that it reads back the same. */
#include "lib/json.h"

#include "lib/file.h"

#include <locale.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static json_t *read_text(const char *text, struct error *error) {
    return json_read("a.json", text, strlen(text), error);
}

static void assert_refused(const char *text, const char *sentence) {
    struct error error;
    assert_null(read_text(text, &error));
    assert_string_equal(error.text, sentence);
}

static void trees_are_read(void **state) {
    (void)state;
    struct error error;
    json_t *tree = read_text("{\"a\": [1, -2.5e3, true, null, \"\\u00e9\\\\\\\"[[\"], \"b\": {}}", &error);
    assert_non_null(tree);
    json_t *a = json_object_get(tree, "a");
    assert_int_equal(json_array_size(a), 5);
    assert_true(json_real_value(json_array_get(a, 1)) == -2500);
    assert_string_equal(json_string_value(json_array_get(a, 4)), "é\\\"[[");
    json_decref(tree);
}

static void mistakes_are_located(void **state) {
    (void)state;
    struct error error;
    assert_refused("", "a.json: line 1, column 0: '[' or '{' expected near end of file");
    assert_refused("{\n  \"a\": 1,\n  \"a\": 2}",
                   "a.json: line 3, column 5: duplicate object key near '\"a\"'");
    assert_refused("[1, 2", "a.json: line 1, column 5: ']' expected near end of file");
    assert_refused("[1] x", "a.json: line 1, column 5: end of file expected near 'x'");
    static const char *const malformed[] = {
        "[\"\xff\"]", "[\"a\\u0000b\"]", "[1e999]",       "[01]", "[nan]",
        "[-]",        "{a:1}",           "[\"\\ud800\"]", "[\"",  "[\"\\"};
    for (size_t i = 0; i < sizeof malformed / sizeof *malformed; i++) {
        assert_null(read_text(malformed[i], &error));
        assert_memory_equal(error.text, "a.json: line 1, column ", 23);
    }
}

static void nest(char *text, size_t depth) {
    memset(text, '[', depth);
    memset(text + depth, ']', depth);
    text[2 * depth] = '\0';
}

static void depth_is_limited(void **state) {
    (void)state;
    struct error error;
    char text[2 * JSON_DEPTH_LIMIT + 3];
    nest(text, JSON_DEPTH_LIMIT);
    json_t *tree = read_text(text, &error);
    assert_non_null(tree);
    json_decref(tree);
    nest(text, JSON_DEPTH_LIMIT + 1);
    assert_refused(text, "a.json: line 1, column 65: nested deeper than 64");
    memset(text, '[', 100);
    text[0] = text[100] = '"'; /* brackets in a string don't nest */
    text[101] = '\0';
    assert_refused(text, "a.json: line 1, column 101: '[' or '{' expected");
}

static void the_number_of_values_is_limited(void **state) {
    (void)state;
    struct error error;
    size_t size = (size_t)JSON_VALUE_LIMIT * 2 + 2;
    char *text = memory_alloc(size);
    for (size_t i = 0; i < size; i++)
        text[i] = i % 2 ? '1' : ',';
    text[0] = '[';
    text[size - 1] = ']';
    assert_null(json_read("a.json", text, size, &error));
    assert_string_equal(error.text, "a.json: line 1, column 16777217: more values than 8388608");
    memory_free(text);
    assert_null(json_read("a.json", "", (size_t)JSON_SIZE_LIMIT + 1, &error));
    assert_string_equal(error.text, "a.json: 268435457 bytes of JSON are more than the limit of 268435456");
}

/* "model_max_length": 1000000000000000019884624838656 stands in many a tokenizer_config.json. */
static void integers_beyond_64_bits_become_reals(void **state) {
    (void)state;
    struct error error;
    json_t *tree = read_text(
        "{\"a\": 1000000000000000019884624838656, \"b\": -9223372036854775808,\"c\":[9223372036854775807,"
        "9223372036854775808,-99999999999999999999], \"12345678901234567890\": 0.12345678901234567890,"
        "\"d\": \"12345678901234567890\"}",
        &error);
    assert_non_null(tree);
    assert_true(json_real_value(json_object_get(tree, "a")) == 1000000000000000019884624838656.0);
    assert_true(json_integer_value(json_object_get(tree, "b")) == INT64_MIN);
    json_t *c = json_object_get(tree, "c");
    assert_true(json_integer_value(json_array_get(c, 0)) == INT64_MAX);
    assert_true(json_real_value(json_array_get(c, 1)) == 0x1p63);
    assert_true(json_real_value(json_array_get(c, 2)) == -1e20);
    assert_true(json_real_value(json_object_get(tree, "12345678901234567890")) == 0.12345678901234567890);
    assert_string_equal(json_string_value(json_object_get(tree, "d")), "12345678901234567890");
    json_decref(tree);
}

static void files_are_read(void **state) {
    (void)state;
    struct error error;
    char path[] = "/tmp/test_json.XXXXXX", expected[100];
    int fd = mkstemp(path);
    assert_int_equal(write(fd, "{\"a\":}", 6), 6);
    close(fd);
    assert_null(json_read_file(path, &error));
    snprintf(expected, sizeof expected, "%s: line 1, column 6: unexpected token near '}'", path);
    assert_string_equal(error.text, expected);
    unlink(path);
    assert_null(json_read_file(path, &error));
    snprintf(expected, sizeof expected, "%s: No such file or directory", path);
    assert_string_equal(error.text, expected);
}

static void assert_written(json_t *tree, const char *expected) {
    struct buffer text = {0};
    struct error error;
    assert_non_null(tree);
    assert_true(json_write(tree, &text, &error));
    assert_string_equal(text.data, expected);
    buffer_free(&text);
    json_decref(tree);
}

static void trees_are_written_in_their_order(void **state) {
    (void)state;
    assert_written(json_pack("{s:i,s:[],s:{},s:[b,n,{s:s}]}", "z", 1, "a", "m", "list", 1, "key", "value"),
                   "{\n  \"z\": 1,\n  \"a\": [],\n  \"m\": {},\n  \"list\": [\n    true,\n    null,\n    {\n"
                   "      \"key\": \"value\"\n    }\n  ]\n}\n");
    assert_written(json_string("é\"\\\b\f\n\r\t\x01/"), "\"é\\\"\\\\\\b\\f\\n\\r\\t\\u0001/\"\n");
}

static void reals_are_as_short_as_they_can_be(void **state) {
    (void)state;
    assert_written(json_real(0.1), "0.1\n");
    assert_written(json_real(3), "3.0\n");
    assert_written(json_real(-0.0), "-0.0\n");
    assert_written(json_real(1e300), "1e+300\n");
    assert_written(json_real(1.0 / 3), "0.3333333333333333\n");
    assert_written(json_real(0x1.fffffffffffffp1023), "1.7976931348623157e+308\n");
    assert_written(json_real(0x1p-1074), "5e-324\n");
}

static void what_is_not_finite_is_refused(void **state) {
    (void)state;
    struct buffer text = {0};
    struct error error;
    assert_false(json_write(json_real(NAN), &text, &error));
    assert_false(json_write(json_pack("{s:f}", "x", INFINITY), &text, &error));
    assert_string_equal(error.text, "no JSON was built: a number isn't finite, or memory is out");
    buffer_free(&text);
}

static void trees_too_deep_to_read_are_not_written(void **state) {
    (void)state;
    struct buffer text = {0};
    struct error error;
    json_t *tree = json_array();
    for (int i = 0; i <= JSON_DEPTH_LIMIT; i++) {
        json_t *outer = json_array();
        json_array_append_new(outer, tree);
        tree = outer;
    }
    assert_false(json_write(tree, &text, &error));
    assert_string_equal(error.text, "JSON nested deeper than 64");
    buffer_free(&text);
    json_decref(tree);
}

static void what_is_written_reads_back_the_same(void **state) {
    (void)state;
    struct error error;
    struct buffer text = {0};
    json_t *tree = json_array(), *again;
    double x = 1.2345678901234567e-300;
    for (int i = 0; i < 2000; i++, x *= -1.987654321)
        json_array_append_new(tree, json_real(x));
    json_array_append_new(tree, json_integer(INT64_MIN));
    json_array_append_new(tree, json_string("\x7f\x01 \xf0\x9f\x98\x80 </script>"));
    assert_true(json_write(tree, &text, &error));
    assert_non_null(again = json_read("again", text.data, text.size, &error));
    assert_true(json_equal(tree, again));
    json_decref(tree);
    json_decref(again);
    buffer_free(&text);
}

static void memory_may_fail(void **state) {
    (void)state;
    static const char source[] = "{\"a\": [1, 2.5, 12345678901234567890, \"x\\ny\"], \"b\": {\"c\": null}}";
    for (size_t n = 1;; n++) {
        struct error error;
        struct buffer text = {0};
        memory_fail_at(n);
        json_t *tree = read_text(source, &error);
        bool done = tree && json_write(tree, &text, &error);
        memory_fail_at(0);
        json_decref(tree);
        buffer_free(&text);
        if (done) {
            assert_true(n > 10);
            return;
        }
    }
}

static void the_locale_has_no_say(void **state) {
    (void)state;
    if (!setlocale(LC_NUMERIC, "de_DE.UTF-8"))
        skip();
    assert_written(json_real(0.5), "0.5\n");
    setlocale(LC_NUMERIC, "C");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(trees_are_read),
        cmocka_unit_test(mistakes_are_located),
        cmocka_unit_test(depth_is_limited),
        cmocka_unit_test(the_number_of_values_is_limited),
        cmocka_unit_test(integers_beyond_64_bits_become_reals),
        cmocka_unit_test(files_are_read),
        cmocka_unit_test(trees_are_written_in_their_order),
        cmocka_unit_test(reals_are_as_short_as_they_can_be),
        cmocka_unit_test(what_is_not_finite_is_refused),
        cmocka_unit_test(trees_too_deep_to_read_are_not_written),
        cmocka_unit_test(what_is_written_reads_back_the_same),
        cmocka_unit_test(memory_may_fail),
        cmocka_unit_test(the_locale_has_no_say),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
