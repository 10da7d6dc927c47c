/* All memory of the project comes from here, so that a test can make the n-th request fail.
 *
 * An arena owns everything with one lifetime and releases it at once: a model, a session, a container. It
 * only grows. A zeroed `struct arena` is empty and ready. A buffer is one growable run of bytes. */
#ifndef LIB_MEMORY_H
#define LIB_MEMORY_H

#include "lib/error.h"

#include <stddef.h>
#include <stdint.h>

struct arena {
    struct arena_chunk *newest;
    size_t reserved_bytes; /* what the arena holds from the system, for reports and tests */
};

/* count x size bytes, zeroed, aligned to 64. NULL with a sentence where the product overflows or memory is
 * out. */
void *arena_alloc(struct arena *arena, size_t count, size_t size, struct error *error);

/* A NUL-terminated copy of `length` bytes of text. */
char *arena_text(struct arena *arena, const char *text, size_t length, struct error *error);
char *arena_printf(struct arena *arena, struct error *error, const char *format, ...) PRINTF_LIKE(3, 4);

/* Releases everything; the arena is empty and ready again. */
void arena_free(struct arena *arena);

#define ARENA_NEW(arena, type, count, error) ((type *)arena_alloc((arena), (count), sizeof(type), (error)))

struct buffer {
    char *data; /* always NUL-terminated once something was appended */
    size_t size; /* without that NUL */
    size_t capacity;
};

bool buffer_append(struct buffer *buffer, const void *bytes, size_t size, struct error *error);
bool buffer_printf(struct buffer *buffer, struct error *error, const char *format, ...) PRINTF_LIKE(3, 4);
/* Makes room for `size` more bytes and returns where they go; buffer->size is left for the caller to raise.
 */
char *buffer_reserve(struct buffer *buffer, size_t size, struct error *error);
void buffer_free(struct buffer *buffer);

/* The bottom: malloc's contract. Only lib/ and library hooks (jansson, zlib) call these. */
void *memory_alloc(size_t size);
void *memory_resize(void *old, size_t size);
void memory_free(void *old);
/* Anonymous pages, zeroed on first touch, backed by huge pages where the system gives them: for weights and
 * caches. */
void *memory_pages(size_t size);
void memory_pages_free(void *pages, size_t size);
/* Bytes that the system can give without swapping; UINT64_MAX where it does not say. */
uint64_t memory_available(void);

/* For tests: the n-th request from now fails (1 is the next); 0 switches it off. */
void memory_fail_at(size_t n);

/* Checked size arithmetic: false on overflow. */
static inline bool add_sizes(uint64_t a, uint64_t b, uint64_t *sum) {
    return !__builtin_add_overflow(a, b, sum);
}
static inline bool mul_sizes(uint64_t a, uint64_t b, uint64_t *product) {
    return !__builtin_mul_overflow(a, b, product);
}

static inline size_t least(size_t a, size_t b) {
    return a < b ? a : b;
}
static inline size_t most(size_t a, size_t b) {
    return a > b ? a : b;
}

#endif
