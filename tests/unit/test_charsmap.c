/* Charsmaps of SentencePiece: which characters they rewrite, in both ways of applying them, and that nothing
 * in them is trusted. */
#include "infer/tokenizer/charsmap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

/* ---- A charsmap small enough to write down: "a" becomes "bc", "aa" an e with an acute accent ---- */

#define N_UNITS 256

struct example {
    uint8_t bytes[4 + 4 * N_UNITS + 16];
    size_t size;
};

static void put_u32(uint8_t *to, uint32_t value) {
    for (size_t i = 0; i < 4; i++)
        to[i] = (uint8_t)(value >> 8 * i);
}

static void set_unit(struct example *example, size_t at, uint32_t unit) {
    put_u32(example->bytes + 4 + 4 * at, unit);
}

#define UNIT(offset, has_value, byte) ((uint32_t)(offset) << 10 | (has_value) << 8 | (byte))
#define VALUE(value) (0x80000000u | (value))

/* The root's children are at 0 XOR their byte; those of "a", at 61, begin at 61 ^ 60 = 1; of "aa" at 2. */
static struct example example(const char *texts, size_t size) {
    struct example example = {.size = 4 + 4 * N_UNITS + size};
    put_u32(example.bytes, 4 * N_UNITS);
    set_unit(&example, 'a', UNIT('a' ^ 1, 1, 'a'));
    set_unit(&example, 1, VALUE(0));
    set_unit(&example, 1 ^ 'a', UNIT((1 ^ 'a') ^ 2, 1, 'a'));
    set_unit(&example, 2, VALUE(3));
    memcpy(example.bytes + 4 + 4 * N_UNITS, texts, size);
    return example;
}

#define TEXTS "bc\0\xc3\xa9"
#define EXAMPLE example(TEXTS, sizeof TEXTS)

static bool init(struct charsmap *charsmap, const struct example *from, struct arena *arena,
                 struct error *error) {
    return charsmap_init(charsmap, "x", from->bytes, from->size, arena, error);
}

/* ---- Applying ---- */

static void assert_applied(const struct charsmap *charsmap, const char *text, const char *expected) {
    struct buffer to = {0};
    struct error error;
    assert_true(charsmap_apply(charsmap, text, strlen(text), &to, &error));
    assert_int_equal(to.size, strlen(expected));
    assert_memory_equal(to.data, expected, to.size);
    buffer_free(&to);
}

static void characters_and_clusters_are_rewritten(void **state) {
    (void)state;
    struct example from = EXAMPLE;
    struct arena arena = {0};
    struct charsmap charsmap;
    struct error error;
    assert_true(init(&charsmap, &from, &arena, &error));
    assert_applied(&charsmap, "xay", "xbcy");
    assert_applied(&charsmap, "aaa", "bcbcbc"); /* two letters are two clusters */
    assert_applied(&charsmap, "a\u0301b", "bcb"); /* one cluster, of which the key is the beginning */
    assert_applied(&charsmap, "a\u0301\u0301\u0301b", "bc\u0301\u0301\u0301b"); /* 7 bytes: by characters */
    assert_applied(&charsmap, "a\U00010EFAb", "bcb"); /* a mark of Unicode 17 is one too */
    arena_free(&arena);
}

static void the_longest_key_is_found(void **state) {
    (void)state;
    struct example from = EXAMPLE;
    struct arena arena = {0};
    struct charsmap charsmap;
    struct error error;
    const char *replacement;
    assert_true(init(&charsmap, &from, &arena, &error));
    assert_int_equal(charsmap_longest(&charsmap, "aaa", 3, &replacement), 2);
    assert_string_equal(replacement, "\u00e9");
    assert_int_equal(charsmap_longest(&charsmap, "aaa", 1, &replacement), 1);
    assert_string_equal(replacement, "bc");
    assert_int_equal(charsmap_longest(&charsmap, "baa", 3, &replacement), 0);
    assert_int_equal(charsmap_longest(&charsmap, "", 0, &replacement), 0);
    arena_free(&arena);
}

/* ---- Trusting nothing ---- */

static void steps_and_values_outside_find_nothing(void **state) {
    (void)state;
    struct arena arena = {0};
    struct charsmap charsmap;
    struct error error;
    struct example wild = EXAMPLE;
    set_unit(&wild, 'a', UNIT(0x1fffff, 1, 'a'));
    assert_true(init(&charsmap, &wild, &arena, &error));
    assert_applied(&charsmap, "a", "a");
    wild = EXAMPLE;
    set_unit(&wild, 1, VALUE(0x7fffffff));
    assert_true(init(&charsmap, &wild, &arena, &error));
    assert_applied(&charsmap, "a", "a");
    wild = EXAMPLE;
    set_unit(&wild, 1, VALUE(4)); /* within the accented letter */
    assert_true(init(&charsmap, &wild, &arena, &error));
    assert_applied(&charsmap, "a", "a");
    arena_free(&arena);
}

static void assert_refused(const struct example *from, const char *sentence) {
    struct arena arena = {0};
    struct charsmap charsmap;
    struct error error;
    assert_false(init(&charsmap, from, &arena, &error));
    assert_string_equal(error.text, sentence);
    arena_free(&arena);
}

static void what_is_malformed_is_refused(void **state) {
    (void)state;
    struct example bad = EXAMPLE;
    bad.size = 3;
    assert_refused(&bad, "x: the precompiled_charsmap of 3 bytes says that its trie has 0");
    bad.size = 4 + 4 * N_UNITS;
    assert_refused(&bad, "x: the precompiled_charsmap of 1028 bytes says that its trie has 1024");
    bad = example("bc", 2);
    assert_refused(&bad, "x: the texts of the precompiled_charsmap do not end with a NUL");
    bad = example("b\xff", 3);
    assert_refused(&bad, "x: the texts of the precompiled_charsmap are not UTF-8 at byte 1");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(characters_and_clusters_are_rewritten),
        cmocka_unit_test(the_longest_key_is_found),
        cmocka_unit_test(steps_and_values_outside_find_nothing),
        cmocka_unit_test(what_is_malformed_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
