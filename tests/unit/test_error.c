/* Sentences: whole, cut at characters, without anything that a terminal would obey. */
#include "lib/error.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#undef fail /* cmocka's macro; here it is our function */

static void fail_writes_the_sentence_and_returns_false(void **state) {
    (void)state;
    struct error error;
    assert_false(fail(&error, "%s: tensor '%s' ends at %d, the file is %d bytes", "a.qm", "w", 4096, 4000));
    assert_string_equal(error.text, "a.qm: tensor 'w' ends at 4096, the file is 4000 bytes");
}

static void errno_becomes_the_end_of_the_sentence(void **state) {
    (void)state;
    struct error error;
    errno = ENOSPC;
    assert_false(fail_errno(&error, "out.qm: writing %d bytes", 7));
    assert_string_equal(error.text, "out.qm: writing 7 bytes: No space left on device");
}

static void a_sentence_may_quote_the_one_it_replaces(void **state) {
    (void)state;
    struct error error;
    fail(&error, "inner");
    fail(&error, "outer: %s", error.text);
    assert_string_equal(error.text, "outer: inner");
    errno = ENOENT;
    fail_errno(&error, "%s", error.text);
    assert_string_equal(error.text, "outer: inner: No such file or directory");
}

static void control_characters_from_names_are_blanked(void **state) {
    (void)state;
    struct error error;
    fail(&error, "tensor '%s'", "a\x1b[2J\r\nb\x7f");
    assert_string_equal(error.text, "tensor 'a?[2J??b?'");
}

/* Whatever is at the cut, 1 to 4 bytes a character, the text ends at a whole character. */
static void long_sentences_are_cut_between_characters(void **state) {
    (void)state;
    static const char *characters[] = {"a", "ü", "語", "😀"};
    for (size_t width = 1; width <= 4; width++)
        for (size_t shift = 0; shift < 4; shift++) {
            char text[2000] = "xxxx";
            struct error error;
            for (size_t at = shift; at + width < sizeof text; at += width)
                strcpy(text + at, characters[width - 1]);
            fail(&error, "%s", text);
            size_t length = strlen(error.text);
            assert_in_range(length, sizeof error.text - 4, sizeof error.text - 1);
            assert_int_equal((length - shift) % width, 0);
        }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fail_writes_the_sentence_and_returns_false),
        cmocka_unit_test(errno_becomes_the_end_of_the_sentence),
        cmocka_unit_test(a_sentence_may_quote_the_one_it_replaces),
        cmocka_unit_test(control_characters_from_names_are_blanked),
        cmocka_unit_test(long_sentences_are_cut_between_characters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
