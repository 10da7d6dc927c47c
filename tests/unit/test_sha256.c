/* SHA-256: the examples of FIPS 180-4's reference, of bytes and of files. */
#include "models/sha256.h"
#include "tests/checkpoint.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const char *of_file(const char *path, char text[SHA256_TEXT]) {
    struct input input;
    struct arena arena = {0};
    struct error error;
    assert_true(input_open(&input, path, &arena, &error));
    assert_true(sha256_file(&input, text, &error));
    input_close(&input);
    arena_free(&arena);
    return text;
}

static void of_bytes(void **state) {
    (void)state;
    char text[SHA256_TEXT];
    struct error error;
    assert_true(sha256_bytes("", 0, text, &error));
    assert_string_equal(text, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    assert_true(sha256_bytes("abc", 3, text, &error));
    assert_string_equal(text, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

/* Longer than what is read at once. */
static void of_a_million_letters(void **state) {
    (void)state;
    char text[SHA256_TEXT];
    FILE *file = fopen("letters", "wb");
    for (int i = 0; i < 1000000; i++)
        fputc('a', file);
    fclose(file);
    assert_string_equal(of_file("letters", text),
                        "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

static void of_an_empty_file(void **state) {
    (void)state;
    char text[SHA256_TEXT];
    fclose(fopen("empty", "wb"));
    assert_string_equal(of_file("empty", text),
                        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

/* A file that became shorter since it was opened is an error, not a digest of something else. */
static void a_file_cut_short_is_refused(void **state) {
    (void)state;
    char text[SHA256_TEXT];
    struct input input;
    struct arena arena = {0};
    struct error error = {""};
    FILE *file = fopen("short", "wb");
    fputs("0123456789", file);
    fclose(file);
    assert_true(input_open(&input, "short", &arena, &error));
    fclose(fopen("short", "wb"));
    assert_false(sha256_file(&input, text, &error));
    assert_non_null(strstr(error.text, "short: ends at 0"));
    input_close(&input);
    arena_free(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(of_bytes),
        cmocka_unit_test(of_a_million_letters),
        cmocka_unit_test(of_an_empty_file),
        cmocka_unit_test(a_file_cut_short_is_refused),
    };
    enter_scratch_folder();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
