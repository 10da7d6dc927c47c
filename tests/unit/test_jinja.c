/* Templates come out as Python's jinja2 writes them (tests/golden/jinja, made by tests/differential/chat.py),
 * what can't be done has a sentence with its place, each byte says where it came from, and strangers'
 * programs end. */
#include "infer/jinja/jinja.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define CASES "tests/golden/jinja/cases.json"

static const struct tm moment = {.tm_year = 125, .tm_mon = 6, .tm_mday = 20};

/* NULL with a sentence. */
static const char *rendered(const char *template, size_t size, const json_t *own, const json_t *outside,
                            struct jinja_output *output, struct arena *arena, struct error *error) {
    struct jinja_input input = {own, outside, &moment};
    const struct jinja_template *parsed = jinja_parse("t", template, size, arena, error);
    return parsed && jinja_render(parsed, &input, output, arena, error) ? output->text : NULL;
}

static void assert_case(const json_t *variables, const json_t *one) {
    const json_t *template = json_object_get(one, "template");
    const char *expected = json_string_value(json_object_get(one, "text"));
    struct arena arena = {0};
    struct error error = {""};
    struct jinja_output output;
    const char *text = rendered(json_string_value(template), json_string_length(template), NULL, variables,
                                &output, &arena, &error);
    if (!text && expected)
        fail_msg("%s\nof: %s", error.text, json_string_value(template));
    if (text && !expected)
        fail_msg("not refused: %s", json_string_value(template));
    if (text)
        assert_string_equal(text, expected);
    else
        assert_memory_equal(error.text, "t: line ", 8);
    arena_free(&arena);
}

static void templates_come_out_as_in_python(void **state) {
    (void)state;
    struct error error;
    json_t *golden = json_read_file(CASES, &error), *one;
    size_t i;
    if (!golden)
        fail_msg("%s", error.text);
    json_array_foreach(json_object_get(golden, "cases"), i, one)
        assert_case(json_object_get(golden, "variables"), one);
    assert_true(i > 40);
    json_decref(golden);
}

/* ---- Sentences ---- */

static void assert_refused(const char *template, const char *expected) {
    struct arena arena = {0};
    struct error error = {""};
    struct jinja_output output;
    assert_null(rendered(template, strlen(template), NULL, NULL, &output, &arena, &error));
    assert_string_equal(error.text, expected);
    arena_free(&arena);
}

static void sentences_name_place_and_construct(void **state) {
    (void)state;
    assert_refused("a\n  {% include 'x' %}",
                   "t: line 2, column 6: expected a tag that is supported, found 'include'");
    assert_refused("{% if x %}", "t: line 1, column 11: expected elif, found the end of the template");
    assert_refused("{{ 'é' | wordcount }}", "t: line 1, column 10: the filter wordcount is not supported");
    assert_refused("{{ x | nothing }}", "t: line 1, column 8: there is no filter 'nothing'");
    assert_refused("{{ 'x'.zfill(2) }}", "t: line 1, column 7: the method zfill is not supported");
    assert_refused("{{ x is sameas 1 }}", "t: line 1, column 9: the test sameas is not supported");
    assert_refused("{{ x.y }}", "t: line 1, column 5: 'x' is undefined");
    assert_refused("{{ {}.y.z }}", "t: line 1, column 8: a dict has no 'y'");
    assert_refused("{{ [].append(1) }}",
                   "t: line 1, column 6: the attribute 'append' of a list is not for templates");
    assert_refused("{{ raise_exception('Roles alternate') }}",
                   "t: line 1, column 4: the template says: Roles alternate");
    assert_refused("{{ 9 ** 99 }}", "t: line 1, column 4: a number beyond 64 bits");
    assert_refused("{{ 'x'.split(1) }}", "t: line 1, column 7: an argument is a int, not a str");
    assert_refused("{{ 'x'.split(on=1) }}", "t: line 1, column 7: the method split takes no argument 'on'");
    assert_refused("\xff", "t: byte 0 is not UTF-8");
}

static void strangers_programs_end(void **state) {
    (void)state;
    assert_refused("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
                   "t: line 1, column 19: nested deeper than 400");
    assert_refused("{% set x = range(9999) %}{% for i in x %}{% for j in x %}{% endfor %}{% endfor %}",
                   "t: line 1, column 49: the template has used up 10000000 steps");
    assert_refused("{{ 'ab' * 99999999 }}",
                   "t: line 1, column 4: the template makes a text of over 33554432 bytes");
    assert_refused(
        "{% set ns = namespace(x=[1]) %}{% for i in range(99) %}{% set ns.x = ns.x + ns.x %}{% endfor %}",
        "t: line 1, column 72: the template has used up 268435456 bytes of memory");
    assert_refused("{{ range(999999999) }}", "t: line 1, column 4: a range of over 100000");
}

/* ---- Provenance ---- */

/* Bytes from outside stand between « and ». */
static void assert_marked(const char *template, const char *expected) {
    struct arena arena = {0};
    struct error error = {""};
    struct jinja_output output;
    json_t *own = json_pack("{s:s}", "bos_token", "<s>");
    json_t *outside = json_pack("{s:[{s:s, s:s}], s:[s]}", "messages", "role", "user", "content",
                                "Some <s> é", "tools", "\n");
    char marked[256] = "";
    if (!rendered(template, strlen(template), own, outside, &output, &arena, &error))
        fail_msg("%s", error.text);
    for (size_t i = 0; i <= output.size; i++) {
        int before = i > 0 ? output.outside[i - 1] : 0, here = i < output.size ? output.outside[i] : 0;
        strcat(marked, here > before ? "«" : here < before ? "»" : "");
        strncat(marked, output.text + i, 1);
    }
    assert_string_equal(marked, expected);
    json_decref(outside);
    json_decref(own);
    arena_free(&arena);
}

static void each_byte_says_where_it_came_from(void **state) {
    (void)state;
    assert_marked("{{ bos_token }}{{ messages[0].role }}: {{ messages[0]['content'] }}",
                  "<s>user: «Some <s> é»");
    assert_marked("{% set c = messages[0].content %}{{ '[' + c + ']' }}{{ c[:2] ~ 'x' }}",
                  "[«Some <s> é»]«So»x");
    assert_marked("{% set c = messages[0].content %}{{ c.split(' ') | join('-') }}", "«Some»-«<s>»-«é»");
    assert_marked("{% set c = messages[0].content %}{{ c | upper | replace('<S>', bos_token) }}",
                  "«SOME »<s>« É»");
    assert_marked("{% for c in messages[0].content %}{{ c if loop.last }}{% endfor %}", "«é»");
    assert_marked("{{ messages | tojson }}", "[{\"«role»\": \"user\", \"«content»\": \"«Some <s> é»\"}]");
    assert_marked("{{ tools }}{{ tools | tojson }}{{ '%s' % tools[0] }}", "['«\\n»'][\"«\\n»\"]«\n»");
    assert_marked("{% macro m(x) %}<{{ x }}>{% endmacro %}{{ m(messages[0].content) | trim('<>') | length }}",
                  "10");
    assert_marked("{% set s %}<{{ tools[0] }}>{% endset %}{{ s }}{% filter e %}{{ s }}{% endfilter %}",
                  "<«\n»>&lt;«\n»&gt;");
}

static void the_date_is_the_one_given(void **state) {
    (void)state;
    assert_marked("{{ strftime_now('%d %b %Y') }}", "20 Jul 2025");
}

static void running_out_of_memory_is_a_sentence(void **state) {
    static const char template[] =
        "{% macro m(x) %}{{ x | upper }}{% endmacro %}{% for x in ['a', {'b': 1}] %}{{ m(x) }}{% endfor %}";
    (void)state;
    for (size_t n = 1;; n++) {
        struct arena arena = {0};
        struct error error = {""};
        struct jinja_output output;
        memory_fail_at(n);
        const char *text = rendered(template, strlen(template), NULL, NULL, &output, &arena, &error);
        memory_fail_at(0);
        if (text)
            assert_string_equal(text, "A{'B': 1}");
        else
            assert_true(strlen(error.text) > 0);
        arena_free(&arena);
        if (text)
            break;
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(templates_come_out_as_in_python),
        cmocka_unit_test(sentences_name_place_and_construct),
        cmocka_unit_test(strangers_programs_end),
        cmocka_unit_test(each_byte_says_where_it_came_from),
        cmocka_unit_test(the_date_is_the_one_given),
        cmocka_unit_test(running_out_of_memory_is_a_sentence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
