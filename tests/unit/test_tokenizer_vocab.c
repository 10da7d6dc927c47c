/* Texts are told apart whatever they share, and the hint of vocab_find_near changes no answer. */
#include "infer/tokenizer/vocab.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static const char *const texts[] = {"a",         "aa",        "abcdefg",     "abcdefgh",
                                    "abcdefgha", "abcdefghb", "abcdefghaa",  "xbcdefgha",
                                    "\xc4\xa0",  "\xc4\xa1",  "abcdefghabc", ""};
enum { N = sizeof texts / sizeof *texts, GAP = 3, UNSET = 77 };

/* Token i has id GAP * i; the ids between are not in use. */
static struct vocab filled(struct arena *arena) {
    struct vocab vocab = {0};
    struct error error;
    assert_true(vocab_init(&vocab, GAP * N, N, 128, arena, &error));
    for (uint32_t i = 0; i < N; i++)
        assert_true(vocab_add(&vocab, GAP * i, texts[i], strlen(texts[i])));
    return vocab;
}

static void texts_that_begin_alike_are_told_apart(void **state) {
    static const char *const strangers[] = {"b", "aaa", "abcdefghc", "abcdefghab", "abcdefgi", "\xc4"};
    (void)state;
    struct arena arena = {0};
    struct vocab vocab = filled(&arena);
    uint32_t id;
    for (uint32_t i = 0; i < N; i++) {
        vocab_expect(&vocab, texts[i], strlen(texts[i]));
        assert_true(vocab_find(&vocab, texts[i], strlen(texts[i]), &id));
        assert_int_equal(id, GAP * i);
        assert_false(vocab_add(&vocab, 1, texts[i], strlen(texts[i])));
    }
    for (size_t i = 0; i < sizeof strangers / sizeof *strangers; i++)
        assert_false(vocab_find(&vocab, strangers[i], strlen(strangers[i]), &id));
    assert_false(vocab_find(&vocab, "a\0", 2, &id));
    arena_free(&arena);
}

static void a_hint_may_be_wrong(void **state) {
    (void)state;
    struct arena arena = {0};
    struct vocab vocab = filled(&arena);
    for (uint32_t near = 0; near <= GAP * N; near++)
        for (uint32_t i = 0; i < N; i++) {
            uint32_t id = UNSET;
            assert_true(vocab_find_near(&vocab, near, texts[i], strlen(texts[i]), &id));
            assert_int_equal(id, GAP * i);
            assert_false(vocab_find_near(&vocab, near, "zz", 2, &id));
        }
    arena_free(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_that_begin_alike_are_told_apart),
        cmocka_unit_test(a_hint_may_be_wrong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
