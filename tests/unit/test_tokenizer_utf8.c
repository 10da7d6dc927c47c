/* UTF-8 is read as Python's errors="replace" reads it, and cut only between characters. */
#include "infer/utf8.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define R UTF8_REPLACEMENT_BYTES

static void each_maximal_subpart_becomes_one_replacement(void **state) {
    static const struct {
        const char *text, *repaired;
    } cases[] = {
        {"", ""},
        {"plain", "plain"},
        {"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"},
        {"a\xc3", "a" R},
        {"\xc3(", R "("},
        {"\xe2\x82", R}, /* one part: it could have gone on */
        {"\xe2\x82x", R "x"},
        {"\xf0\x9f\x98 ", R " "},
        {"\xed\xa0\x80", R R R}, /* a surrogate */
        {"\xe0\x80\x80", R R R}, /* overlong */
        {"\xc0\xaf", R R},
        {"\xf4\x90\x80\x80", R R R R}, /* beyond U+10FFFF */
        {"\xf4\x8f\xbf\xbf", "\xf4\x8f\xbf\xbf"},
        {"\xf8\x88\x80\x80\x80", R R R R R},
        {"\x80\xbf", R R},
        {"\xff"
         "12345678\xfe",
         R "12345678" R},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buffer out = {0};
        struct error error;
        assert_true(utf8_repair(cases[i].text, strlen(cases[i].text), &out, &error));
        assert_string_equal(out.data ? out.data : "", cases[i].repaired);
        buffer_free(&out);
    }
}

static void every_character_survives_a_round_trip(void **state) {
    (void)state;
    for (uint32_t code = 0; code < 0x110000; code++) {
        char bytes[4];
        uint32_t back;
        bool well_formed;
        size_t length = utf8_encode(code, bytes);
        bool surrogate = code >= 0xd800 && code < 0xe000;
        size_t taken = utf8_decode(bytes, length, &back, &well_formed);
        if (surrogate ? well_formed || back != UTF8_REPLACEMENT : taken != length || back != code)
            fail_msg("U+%04X", code);
        if (!surrogate && length > 1 && utf8_complete(bytes, length - 1) != 0)
            fail_msg("U+%04X is not held back", code);
    }
}

static void only_what_can_still_become_a_character_is_held_back(void **state) {
    (void)state;
    assert_int_equal(utf8_complete("", 0), 0);
    assert_int_equal(utf8_complete("ab", 2), 2);
    assert_int_equal(utf8_complete("a\xc3", 2), 1);
    assert_int_equal(utf8_complete("a\xc3\xa9", 3), 3);
    assert_int_equal(utf8_complete("a\xf0\x9f\x98", 4), 1);
    assert_int_equal(utf8_complete("a\xed\xa0", 3), 3);
    assert_int_equal(utf8_complete("\x80\x80\x80\x80", 4), 4);
    assert_int_equal(utf8_complete("a\xff", 2), 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_maximal_subpart_becomes_one_replacement),
        cmocka_unit_test(every_character_survives_a_round_trip),
        cmocka_unit_test(only_what_can_still_become_a_character_is_held_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
