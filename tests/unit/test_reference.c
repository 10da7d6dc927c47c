/* Reference strings: what is written is found again, and what differs is shown. */
#include "infer/reference.h"
#include "lib/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static const char small[] =
    "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1,\"ab\":2},\"merges\":[\"a b\"]},"
    "\"added_tokens\":[{\"id\":3,\"content\":\"<s>\",\"special\":true}],"
    "\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_space\":false},\"decoder\":{\"type\":"
    "\"ByteLevel\"}}";

static struct tokenizer *tokenizer;

static int open_tokenizer(void **state) {
    (void)state;
    struct error error;
    tokenizer = tokenizer_new("small", small, strlen(small), 9, &error);
    return tokenizer ? 0 : -1;
}

static int close_tokenizer(void **state) {
    (void)state;
    tokenizer_free(tokenizer);
    return 0;
}

static bool check(const char *text, size_t size, size_t *count, struct error *error) {
    const struct blob blob = {REFERENCE_BLOB, text, size};
    return reference_check(tokenizer, "m.qm", &blob, count, error);
}

static void what_is_written_is_found_again(void **state) {
    (void)state;
    struct buffer text = {0};
    struct error error;
    size_t count;
    assert_true(reference_write(tokenizer, &text, &error));
    assert_true(check(text.data, text.size, &count, &error));
    assert_int_equal(count, 21);
    json_t *tests = json_read("", text.data, text.size, &error);
    const json_t *last = json_array_get(tests, count - 1);
    assert_string_equal(json_string_value(json_object_get(last, "text")), "a<s>b ");
    json_decref(tests);
    buffer_free(&text);
}

static void the_first_that_differs_is_shown(void **state) {
    (void)state;
    static const struct {
        const char *text, *sentence;
    } cases[] = {
        {"[{\"text\":\"ab\",\"ids\":[2]},{\"text\":\"<s>ab\",\"ids\":[3,0,1]}]",
         "m.qm: 1 of 2 reference strings have other tokens here; the first, \"<s>ab\", has token 0 at place "
         "1, "
         "here token 2"},
        {"[{\"text\":\"ab\",\"ids\":[2,2]},{\"text\":\"\",\"ids\":[0]}]",
         "m.qm: 2 of 2 reference strings have other tokens here; the first, \"ab\", has token 2 at place 1, "
         "here "
         "none"},
        {"[{\"text\":\"ab\",\"ids\":[]}]",
         "m.qm: 1 of 1 reference strings have other tokens here; the first, \"ab\", has none at place 0, here "
         "token 2"},
        {"{}", "m.qm: tokenizer_tests.json is no list"},
        {"[{\"text\":\"ab\",\"ids\":[2]},{\"text\":\"ab\"}]",
         "m.qm: entry 1 of tokenizer_tests.json is not a text and ids"},
        {"[{\"text\":\"ab\",\"ids\":[\"2\"]}]",
         "m.qm: entry 0 of tokenizer_tests.json is not a text and ids"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct error error;
        size_t count;
        assert_false(check(cases[i].text, strlen(cases[i].text), &count, &error));
        assert_string_equal(error.text, cases[i].sentence);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_found_again),
        cmocka_unit_test(the_first_that_differs_is_shown),
    };
    return cmocka_run_group_tests(tests, open_tokenizer, close_tokenizer);
}
