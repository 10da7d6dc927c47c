#include "lib/memory.h"

#include "lib/fault.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* ---- the bottom ---- */

/* No honest request is larger, and sanitizers' allocators abort on larger ones instead of failing. */
#define REQUEST_LIMIT ((uint64_t)1 << 39)

static atomic_size_t fault_countdown;

void memory_fail_at(size_t n) {
    atomic_store(&fault_countdown, n);
}

static bool refused(size_t size) {
    return fault_strikes(&fault_countdown) || size > REQUEST_LIMIT;
}

void *memory_alloc(size_t size) {
    return refused(size) ? NULL : malloc(size ? size : 1);
}

static void *memory_alloc_zeroed(size_t size) {
    return refused(size) ? NULL : calloc(1, size ? size : 1);
}

void *memory_resize(void *old, size_t size) {
    return refused(size) ? NULL : realloc(old, size ? size : 1);
}

void memory_free(void *old) {
    free(old);
}

#define HUGE_PAGE ((size_t)2 << 20)

static size_t whole_pages(size_t size) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    return (size + page - 1) / page * page;
}

static void *map_pages(size_t size) {
    void *pages = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return pages == MAP_FAILED ? NULL : pages;
}

/* Huge pages need a start at a multiple of their size: map that much more and give the edges back. */
static void *map_huge_pages(size_t size) {
    char *pages = map_pages(size + HUGE_PAGE);
    if (!pages)
        return NULL;
    size_t before = (HUGE_PAGE - (uintptr_t)pages % HUGE_PAGE) % HUGE_PAGE;
    if (before)
        munmap(pages, before);
    munmap(pages + before + size, HUGE_PAGE - before);
#ifdef MADV_HUGEPAGE
    madvise(pages + before, size, MADV_HUGEPAGE);
#endif
    return pages + before;
}

void *memory_pages(size_t size) {
    if (refused(size))
        return NULL;
    size = whole_pages(size ? size : 1);
    return size < HUGE_PAGE ? map_pages(size) : map_huge_pages(size);
}

void memory_pages_free(void *pages, size_t size) {
    if (pages)
        munmap(pages, whole_pages(size ? size : 1));
}

uint64_t memory_available(void) {
    unsigned long long kib;
    uint64_t bytes = UINT64_MAX;
    char line[128];
    FILE *file = fopen("/proc/meminfo", "re"); /* proc(5) */
    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, "MemAvailable: %llu kB", &kib) == 1)
            bytes = (uint64_t)kib * 1024;
    if (file)
        fclose(file);
    return bytes;
}

/* ---- arenas ---- */

#define ALIGNMENT 64

/* Under AddressSanitizer every request gets a chunk of its own, so that it sees where each ends. */
#ifndef __has_feature
#define __has_feature(x) 0
#endif
#if defined __SANITIZE_ADDRESS__ || __has_feature(address_sanitizer)
#define CHUNKS_ARE_SHARED 0
#else
#define CHUNKS_ARE_SHARED 1
#endif

enum { CHUNK_MIN = 1 << 14, CHUNK_MAX = 1 << 20 };

/* Chunks are zeroed when they come and no byte is handed out twice, so what arena_take returns is zero. */
struct arena_chunk {
    struct arena_chunk *older;
    size_t size, used; /* of the bytes behind this struct */
};

/* Large chunks get huge pages: tables are read here and there, and each small page would have to be found
 * first. */
static bool is_large(size_t size) {
    return CHUNKS_ARE_SHARED && size >= 2 * HUGE_PAGE;
}

static struct arena_chunk *chunk_new(size_t size) {
    return is_large(size) ? memory_pages(size) : memory_alloc_zeroed(size);
}

static void chunk_free(struct arena_chunk *chunk) {
    size_t size = sizeof *chunk + chunk->size;
    if (is_large(size))
        memory_pages_free(chunk, size);
    else
        memory_free(chunk);
}

static char *chunk_bytes(struct arena_chunk *chunk) {
    return (char *)(chunk + 1);
}

/* Chunks grow with their arena: small ones stay small, large ones ask seldom. */
static size_t next_chunk_size(const struct arena *arena) {
    size_t size = arena->reserved_bytes;
    return size < CHUNK_MIN ? CHUNK_MIN : size > CHUNK_MAX ? CHUNK_MAX : size;
}

/* A chunk made for one large request goes behind the newest one, whose rest stays in use. */
static struct arena_chunk *add_chunk(struct arena *arena, size_t request) {
    size_t usual = next_chunk_size(arena);
    bool large = !CHUNKS_ARE_SHARED || request > usual / 4;
    size_t size = large ? request : usual;
    struct arena_chunk *chunk = chunk_new(sizeof *chunk + size);
    if (!chunk)
        return NULL;
    chunk->size = size;
    struct arena_chunk **place = large && arena->newest ? &arena->newest->older : &arena->newest;
    chunk->older = *place;
    *place = chunk;
    arena->reserved_bytes += sizeof *chunk + size;
    return chunk;
}

static size_t padding(const struct arena_chunk *chunk, size_t alignment) {
    uintptr_t next = (uintptr_t)(chunk + 1) + chunk->used;
    return (size_t)(-next & (alignment - 1));
}

static bool fits(const struct arena_chunk *chunk, uint64_t size, size_t alignment) {
    size_t left = chunk->size - chunk->used, pad = padding(chunk, alignment);
    return pad <= left && size <= left - pad;
}

static void *arena_take(struct arena *arena, uint64_t size, size_t alignment, struct error *error) {
    struct arena_chunk *chunk = arena->newest;
    if (!chunk || !fits(chunk, size, alignment))
        chunk = size < REQUEST_LIMIT ? add_chunk(arena, (size_t)size + alignment - 1) : NULL;
    if (!chunk) {
        fail(error, "out of memory: %llu bytes asked for", (unsigned long long)size);
        return NULL;
    }
    char *taken = chunk_bytes(chunk) + chunk->used + padding(chunk, alignment);
    chunk->used = (size_t)(taken - chunk_bytes(chunk)) + (size_t)size;
    return taken;
}

void *arena_alloc(struct arena *arena, size_t count, size_t size, struct error *error) {
    uint64_t total;
    if (!mul_sizes(count, size, &total)) {
        fail(error, "out of memory: %zu items of %zu bytes asked for", count, size);
        return NULL;
    }
    return arena_take(arena, total, ALIGNMENT, error);
}

char *arena_text(struct arena *arena, const char *text, size_t length, struct error *error) {
    uint64_t size;
    if (!add_sizes(length, 1, &size))
        size = UINT64_MAX;
    char *copy = arena_take(arena, size, 1, error);
    if (copy && length)
        memcpy(copy, text, length);
    return copy;
}

char *arena_printf(struct arena *arena, struct error *error, const char *format, ...) {
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, arguments);
    char *text = NULL;
    if (length < 0)
        fail(error, "text for '%s' could not be formatted", format);
    else if ((text = arena_take(arena, (uint64_t)length + 1, 1, error)))
        vsnprintf(text, (size_t)length + 1, format, again);
    va_end(again);
    va_end(arguments);
    return text;
}

void arena_free(struct arena *arena) {
    for (struct arena_chunk *chunk = arena->newest, *older; chunk; chunk = older) {
        older = chunk->older;
        chunk_free(chunk);
    }
    *arena = (struct arena){0};
}

/* ---- buffers ---- */

/* Room for `size` more bytes and the NUL behind them, doubling so that appending stays linear. */
static bool grow(struct buffer *buffer, size_t size, struct error *error) {
    uint64_t needed;
    if (!add_sizes(buffer->size, size, &needed) || !add_sizes(needed, 1, &needed))
        return fail(error, "out of memory: %zu bytes behind %zu asked for", size, buffer->size);
    if (needed <= buffer->capacity)
        return true;
    uint64_t doubled = buffer->capacity ? (uint64_t)buffer->capacity * 2 : 64;
    uint64_t capacity = needed > doubled ? needed : doubled;
    char *data = memory_resize(buffer->data, (size_t)capacity);
    if (!data)
        return fail(error, "out of memory: %llu bytes asked for", (unsigned long long)capacity);
    buffer->data = data;
    buffer->capacity = (size_t)capacity;
    return true;
}

char *buffer_reserve(struct buffer *buffer, size_t size, struct error *error) {
    if (!grow(buffer, size, error))
        return NULL;
    buffer->data[buffer->size] = '\0';
    return buffer->data + buffer->size;
}

bool buffer_append(struct buffer *buffer, const void *bytes, size_t size, struct error *error) {
    char *end = buffer_reserve(buffer, size, error);
    if (!end)
        return false;
    if (size)
        memcpy(end, bytes, size);
    end[size] = '\0';
    buffer->size += size;
    return true;
}

bool buffer_printf(struct buffer *buffer, struct error *error, const char *format, ...) {
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, arguments);
    char *end = NULL;
    if (length < 0)
        fail(error, "text for '%s' could not be formatted", format);
    else if ((end = buffer_reserve(buffer, (size_t)length, error))) {
        vsnprintf(end, (size_t)length + 1, format, again);
        buffer->size += (size_t)length;
    }
    va_end(again);
    va_end(arguments);
    return end != NULL;
}

void buffer_free(struct buffer *buffer) {
    memory_free(buffer->data);
    *buffer = (struct buffer){0};
}
