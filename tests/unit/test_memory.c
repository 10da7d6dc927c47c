/* Arenas hand out zeroed, aligned, disjoint memory; every request can fail, and then nothing is lost. */
#include "lib/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static bool all_zero(const unsigned char *bytes, size_t size) {
    for (size_t i = 0; i < size; i++)
        if (bytes[i])
            return false;
    return true;
}

/* Sizes from one byte to beyond a chunk and beyond huge pages, each filled, so that an overlap would be found
 * by the next check. */
static void arena_memory_is_zeroed_aligned_and_disjoint(void **state) {
    (void)state;
    enum { N = 400 };
    struct arena arena = {0};
    struct error error;
    unsigned char *blocks[N];
    size_t sizes[N];
    for (size_t i = 0; i < N; i++) {
        sizes[i] = i == 200 ? 5000000 : i % 50 == 49 ? 3000000 / i : 1 + i * i % 5000;
        blocks[i] = arena_alloc(&arena, sizes[i], 1, &error);
        assert_non_null(blocks[i]);
        assert_int_equal((uintptr_t)blocks[i] % 64, 0);
        assert_true(all_zero(blocks[i], sizes[i]));
        memset(blocks[i], (int)(i % 255 + 1), sizes[i]);
    }
    for (size_t i = 0; i < N; i++)
        for (size_t j = 0; j < sizes[i]; j++)
            assert_int_equal(blocks[i][j], i % 255 + 1);
    assert_true(arena.reserved_bytes > 0);
    arena_free(&arena);
    assert_int_equal(arena.reserved_bytes, 0);
    assert_non_null(arena_alloc(&arena, 1, 1, &error));
    arena_free(&arena);
}

static void requests_for_nothing_are_granted(void **state) {
    (void)state;
    struct arena arena = {0};
    struct error error;
    assert_non_null(arena_alloc(&arena, 0, 8, &error));
    assert_string_equal(arena_text(&arena, NULL, 0, &error), "");
    arena_free(&arena);
    memory_free(memory_alloc(0));
}

static void impossible_sizes_are_refused_with_a_sentence(void **state) {
    (void)state;
    struct arena arena = {0};
    struct error error;
    assert_null(arena_alloc(&arena, SIZE_MAX / 2, 3, &error));
    assert_non_null(strstr(error.text, "9223372036854775807 items of 3 bytes"));
    static const size_t sizes[] = {SIZE_MAX, SIZE_MAX - 63, (size_t)1 << 62, (size_t)1 << 45};
    for (size_t i = 0; i < 4; i++) {
        assert_null(arena_alloc(&arena, sizes[i], 1, &error));
        assert_null(arena_text(&arena, NULL, sizes[i], &error));
        assert_null(memory_alloc(sizes[i]));
        assert_null(memory_pages(sizes[i]));
        struct buffer buffer = {0};
        assert_true(buffer_append(&buffer, "x", 1, &error));
        assert_null(buffer_reserve(&buffer, sizes[i], &error));
        assert_string_equal(buffer.data, "x");
        buffer_free(&buffer);
    }
    arena_free(&arena);
}

static void arena_text_is_copied_and_terminated(void **state) {
    (void)state;
    struct arena arena = {0};
    struct error error;
    char source[] = "layers.0";
    char *copy = arena_text(&arena, source, 6, &error), *other = arena_text(&arena, "x", 1, &error);
    source[0] = '!';
    assert_string_equal(copy, "layers");
    assert_string_equal(other, "x");
    assert_string_equal(arena_printf(&arena, &error, "%s.%d", copy, 12), "layers.12");
    char *long_text = arena_printf(&arena, &error, "%100000d", 1);
    assert_int_equal(strlen(long_text), 100000);
    arena_free(&arena);
}

static void buffers_grow_and_stay_terminated(void **state) {
    (void)state;
    struct buffer buffer = {0};
    struct error error;
    for (int i = 0; i < 20000; i++)
        assert_true(buffer_append(&buffer, "abc", 3, &error));
    assert_int_equal(buffer.size, 60000);
    assert_int_equal(strlen(buffer.data), 60000);
    buffer_free(&buffer);
    assert_true(buffer_append(&buffer, NULL, 0, &error));
    assert_string_equal(buffer.data, "");
    assert_true(buffer_printf(&buffer, &error, "%d%s", 42, "!"));
    char *room = buffer_reserve(&buffer, 1000, &error);
    memset(room, 'z', 1000);
    buffer.size += 1000;
    assert_true(buffer_append(&buffer, "", 0, &error));
    assert_int_equal(strlen(buffer.data), 1003);
    buffer_free(&buffer);
}

static void every_request_can_fail_without_harm(void **state) {
    (void)state;
    for (size_t n = 1;; n++) {
        struct arena arena = {0};
        struct buffer buffer = {0};
        struct error error = {""};
        memory_fail_at(n);
        bool done = arena_alloc(&arena, 10, 1, &error) && arena_alloc(&arena, 1 << 20, 8, &error) &&
                    arena_text(&arena, "text", 4, &error) && buffer_append(&buffer, "abc", 3, &error) &&
                    buffer_printf(&buffer, &error, "%5000d", 1);
        memory_fail_at(0);
        assert_true(done || strstr(error.text, "out of memory"));
        assert_true(!buffer.data || strlen(buffer.data) == buffer.size);
        arena_free(&arena);
        buffer_free(&buffer);
        if (done) {
            assert_true(n > 3);
            return;
        }
    }
}

static void the_nth_request_alone_fails(void **state) {
    (void)state;
    memory_fail_at(3);
    for (int i = 1; i <= 5; i++) {
        void *block = memory_alloc(8);
        assert_int_equal(block == NULL, i == 3);
        memory_free(block);
    }
}

static void pages_are_zeroed_and_usable_to_their_ends(void **state) {
    (void)state;
    static const size_t sizes[] = {0, 1, 4096, (2 << 20) - 1, 2 << 20, (2 << 20) + 1, 9000000};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        unsigned char *pages = memory_pages(sizes[i]);
        assert_non_null(pages);
        assert_int_equal((uintptr_t)pages % 4096, 0);
        if (sizes[i] >= 2 << 20) /* huge pages start at multiples of their size */
            assert_int_equal((uintptr_t)pages % (2 << 20), 0);
        assert_true(all_zero(pages, sizes[i]));
        memset(pages, 0xff, sizes[i]);
        memory_pages_free(pages, sizes[i]);
    }
    memory_pages_free(NULL, 0);
}

static void sizes_are_checked(void **state) {
    (void)state;
    uint64_t result;
    assert_true(add_sizes(UINT64_MAX - 1, 1, &result));
    assert_true(result == UINT64_MAX);
    assert_false(add_sizes(UINT64_MAX, 1, &result));
    assert_true(mul_sizes(UINT32_MAX, UINT32_MAX, &result));
    assert_true(result == 0xfffffffe00000001);
    assert_false(mul_sizes((uint64_t)1 << 32, (uint64_t)1 << 32, &result));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arena_memory_is_zeroed_aligned_and_disjoint),
        cmocka_unit_test(requests_for_nothing_are_granted),
        cmocka_unit_test(impossible_sizes_are_refused_with_a_sentence),
        cmocka_unit_test(arena_text_is_copied_and_terminated),
        cmocka_unit_test(buffers_grow_and_stay_terminated),
        cmocka_unit_test(every_request_can_fail_without_harm),
        cmocka_unit_test(the_nth_request_alone_fails),
        cmocka_unit_test(pages_are_zeroed_and_usable_to_their_ends),
        cmocka_unit_test(sizes_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
