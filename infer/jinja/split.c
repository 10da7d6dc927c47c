#include "infer/jinja/split.h"

#include "infer/jinja/engine.h"
#include "infer/jinja/write.h"

/* The next piece of white space in text[from, to), as [*from, *end); false where there is none. */
static bool find_space(struct text text, size_t from, size_t *start, size_t *end) {
    size_t size;
    for (*start = from; *start < text.size; *start += size)
        if (is_space(text_char(text, *start, &size)))
            break;
    struct text rest = text_part(text, *start, text.size);
    *end = text.size - text_strip(rest, NULL, SIDE_LEFT).size;
    return *start < text.size;
}

static bool split_at_space(struct engine *engine, struct list *list, struct text text, int64_t limit) {
    size_t start, end;
    text = text_strip(text, NULL, SIDE_LEFT);
    while (limit-- != 0 && find_space(text, 0, &start, &end)) {
        if (!list_push_text(engine, list, text_part(text, 0, start)))
            return false;
        text = text_part(text, end, text.size);
    }
    return text.size == 0 || list_push_text(engine, list, text);
}

static bool split_at(struct engine *engine, struct list *list, struct text text, struct text separator,
                     int64_t limit) {
    size_t from = 0, at;
    while (limit-- != 0 && (at = text_find(text, separator, from)) != NOT_FOUND) {
        if (!list_push_text(engine, list, text_part(text, from, at)))
            return false;
        from = at + separator.size;
    }
    return list_push_text(engine, list, text_part(text, from, text.size));
}

static void reverse(struct list *list) {
    for (size_t i = 0; i < list->count / 2; i++) {
        struct value item = list->items[i];
        list->items[i] = list->items[list->count - 1 - i];
        list->items[list->count - 1 - i] = item;
    }
}

static bool split_from_right(struct engine *engine, struct list *list, struct text text,
                             struct text separator, int64_t limit) {
    for (size_t at = 0; limit-- != 0; text = text_part(text, 0, at)) {
        if (!text_find_last(engine, text, separator, &at))
            return false;
        if (at == NOT_FOUND)
            break;
        if (!list_push_text(engine, list, text_part(text, at + separator.size, text.size)))
            return false;
    }
    bool good = list_push_text(engine, list, text);
    reverse(list);
    return good;
}

struct list *split_text(struct engine *engine, struct text text, const struct text *separator, int64_t limit,
                        bool from_right) {
    struct list *list = list_new(engine);
    bool good = list != NULL;
    if (limit < 0)
        limit = INT64_MAX;
    if (good && separator && separator->size == 0)
        good = refuse(engine, "an empty separator");
    else if (good && separator)
        good = (from_right ? split_from_right : split_at)(engine, list, text, *separator, limit);
    else if (good && from_right && limit < INT64_MAX)
        good = refuse(engine, "rsplit at white space with a limit is not supported");
    else if (good)
        good = split_at_space(engine, list, text, limit);
    return good ? list : NULL;
}

/* ---- Lines ---- */

static bool ends_line(uint32_t code) {
    return (code >= 0x0a && code <= 0x0d) || (code >= 0x1c && code <= 0x1e) || code == 0x85 ||
           code == 0x2028 || code == 0x2029;
}

/* Where the line from `from` ends, and where the next one begins. */
static void find_line_end(struct text text, size_t from, size_t *end, size_t *next) {
    size_t size = 0;
    for (*end = from; *end < text.size; *end += size)
        if (ends_line(text_char(text, *end, &size)))
            break;
    *next = *end < text.size ? *end + size : *end;
    if (*next > *end && text.bytes[*end] == '\r' && *next < text.size && text.bytes[*next] == '\n')
        ++*next;
}

struct list *split_lines(struct engine *engine, struct text text, bool keep_ends) {
    struct list *list = list_new(engine);
    for (size_t at = 0, end, next; list && at < text.size; at = next) {
        find_line_end(text, at, &end, &next);
        if (!list_push_text(engine, list, text_part(text, at, keep_ends ? next : end)))
            return NULL;
    }
    return list;
}

/* ---- Putting together ---- */

/* With `with` before each character and at the end. */
static bool replace_nothing(struct engine *engine, struct text text, struct text with, int64_t limit,
                            struct builder *to) {
    size_t size;
    for (size_t at = 0; at < text.size; at += size) {
        text_char(text, at, &size);
        if ((limit > 0 && !build(engine, to, with)) || !build(engine, to, text_part(text, at, at + size)))
            return false;
        limit -= limit > 0;
    }
    return limit == 0 || build(engine, to, with);
}

static bool replace_found(struct engine *engine, struct text text, struct text what, struct text with,
                          int64_t limit, struct builder *to) {
    size_t from = 0, at;
    while (limit-- != 0 && (at = text_find(text, what, from)) != NOT_FOUND) {
        if (!build(engine, to, text_part(text, from, at)) || !build(engine, to, with) ||
            !engine_spend(engine, 1))
            return false;
        from = at + what.size;
    }
    return build(engine, to, text_part(text, from, text.size));
}

bool replace_text(struct engine *engine, struct text text, struct text what, struct text with, int64_t limit,
                  struct value *to) {
    struct builder builder = {0};
    if (limit < 0)
        limit = INT64_MAX;
    bool good = what.size == 0 ? replace_nothing(engine, text, with, limit, &builder)
                               : replace_found(engine, text, what, with, limit, &builder);
    return good && give_text(&builder, to);
}

bool join_items(struct engine *engine, struct text between, const struct list *items, bool any,
                struct value *to) {
    struct builder builder = {0};
    for (size_t i = 0; i < items->count; i++) {
        const struct value *item = &items->items[i];
        if (!any && (item->kind != VALUE_TEXT || item->text.safe))
            return refuse(engine, "item %zu of what is joined is a %s, not a plain str", i,
                          value_class(item));
        if ((i > 0 && !build(engine, &builder, between)) || !write_str(engine, &builder, item))
            return false;
    }
    return give_text(&builder, to);
}
