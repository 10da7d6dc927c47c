/* One rendering under way: where its memory comes from, what it may still use, and where it is, for
 * sentences. Functions here find the error in the engine, since every one of them has it at hand. */
#ifndef INFER_JINJA_ENGINE_H
#define INFER_JINJA_ENGINE_H

#include "infer/jinja/jinja.h"
#include "infer/jinja/text.h"
#include "infer/jinja/value.h"

struct node;

struct jinja_template {
    const char *name;
    const char *source; /* with "\n" for every kind of line end */
    size_t size;
    const struct node *body;
};

struct variable {
    struct text name;
    struct value value;
};

struct scope {
    struct scope *parent;
    struct variable *variables;
    size_t count, capacity;
};

struct engine {
    const struct jinja_template *template;
    struct arena *arena;
    struct error *error;
    const struct tm *now;
    struct scope *scope; /* the innermost */
    struct builder *output;
    struct value body; /* what the filters of a block get */
    size_t offset; /* of what is being parsed or evaluated */
    size_t steps, memory; /* used so far */
    unsigned depth;
};

/* "NAME: line 3, column 7: " and the sentence. Returns false. */
bool refuse(struct engine *engine, const char *format, ...) PRINTF_LIKE(2, 3);

void *engine_take(struct engine *engine, size_t count, size_t size); /* NULL with a sentence */
/* An array of `count` items with room for one more: perhaps a longer copy. NULL with a sentence. */
void *engine_grow(struct engine *engine, void *items, size_t count, size_t *capacity, size_t size);
bool engine_spend(struct engine *engine, size_t steps);
bool engine_spend_bytes(struct engine *engine, size_t size);
bool engine_enter(struct engine *engine); /* one level deeper; paired with engine_leave where true */
void engine_leave(struct engine *engine);

#define ENGINE_NEW(engine, type) ((type *)engine_take((engine), 1, sizeof(type)))

#endif
