#include "infer/jinja/engine.h"

#include <stdarg.h>
#include <stdio.h>

#define ARENA_GRAIN 64 /* what the arena may add to a request, for its alignment */

/* Columns count characters from 1. */
static void locate(const struct engine *engine, size_t *line, size_t *column) {
    const struct jinja_template *template = engine->template;
    *line = *column = 1;
    for (size_t i = 0; i < engine->offset && i < template->size; i++) {
        bool end = template->source[i] == '\n', inside_char = (template->source[i] & 0xc0) == 0x80;
        *line += end;
        *column = end ? 1 : *column + !inside_char;
    }
}

bool refuse(struct engine *engine, const char *format, ...) {
    char sentence[sizeof engine->error->text];
    size_t line, column;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(sentence, sizeof sentence, format, arguments);
    va_end(arguments);
    locate(engine, &line, &column);
    return fail(engine->error, "%s: line %zu, column %zu: %s", engine->template->name, line, column,
                sentence);
}

void *engine_take(struct engine *engine, size_t count, size_t size) {
    uint64_t total;
    bool fits = mul_sizes(count, size, &total) && add_sizes(total, ARENA_GRAIN, &total);
    if (!fits || total > JINJA_MEMORY_LIMIT - engine->memory) {
        refuse(engine, "the template has used up %u bytes of memory", JINJA_MEMORY_LIMIT);
        return NULL;
    }
    engine->memory += (size_t)total;
    return arena_alloc(engine->arena, count, size, engine->error);
}

void *engine_grow(struct engine *engine, void *items, size_t count, size_t *capacity, size_t size) {
    if (count < *capacity)
        return items;
    size_t doubled = *capacity ? 2 * *capacity : 4;
    void *copy = engine_take(engine, doubled, size);
    if (!copy)
        return NULL;
    if (count > 0)
        memcpy(copy, items, count * size);
    *capacity = doubled;
    return copy;
}

bool engine_spend(struct engine *engine, size_t steps) {
    if (steps > JINJA_STEP_LIMIT - engine->steps)
        return refuse(engine, "the template has used up %u steps", JINJA_STEP_LIMIT);
    engine->steps += steps;
    return true;
}

bool engine_spend_bytes(struct engine *engine, size_t size) {
    return engine_spend(engine, 1 + size / 64);
}

bool engine_enter(struct engine *engine) {
    if (engine->depth == JINJA_DEPTH_LIMIT)
        return refuse(engine, "nested deeper than %d", JINJA_DEPTH_LIMIT);
    engine->depth++;
    return true;
}

void engine_leave(struct engine *engine) {
    engine->depth--;
}
