/* The functions that every template has. */
#include "infer/jinja/call.h"
#include "infer/jinja/write.h"

#define RANGE_LIMIT 100000 /* the sandbox's */

/* range(end), range(start, end) or range(start, end, step). */
static bool read_range(struct engine *engine, const struct call *call, int64_t range[3]) {
    size_t n = 0;
    while (n < 3 && call->arguments.items[n].kind != VALUE_ABSENT)
        n++;
    range[0] = 0;
    range[2] = 1;
    for (size_t i = 0; i < n; i++)
        if (!argument_integer(engine, call, i, 0, &range[n == 1 ? 1 : i]))
            return false;
    return range[2] != 0 || refuse(engine, "a range's step is 0");
}

static bool make_range(struct engine *engine, const struct call *call, struct value *to) {
    struct list *list = list_new(engine);
    int64_t range[3];
    if (!list || !read_range(engine, call, range))
        return false;
    for (int64_t i = range[0]; range[2] > 0 ? i < range[1] : i > range[1];) {
        struct value item = value_integer(i);
        if (list->count == RANGE_LIMIT)
            return refuse(engine, "a range of over %d", RANGE_LIMIT);
        if (!list_push(engine, list, &item))
            return false;
        if (__builtin_add_overflow(i, range[2], &i))
            break;
    }
    return give_list(VALUE_RANGE, list, to);
}

static bool put_entries(struct engine *engine, struct dict *dict, const struct dict *from) {
    for (size_t i = 0; i < from->count; i++)
        if (!dict_put(engine, dict, &from->entries[i].key, &from->entries[i].value))
            return false;
    return true;
}

static bool put_keywords(struct engine *engine, struct dict *dict, const struct arguments *arguments) {
    for (size_t i = 0; i < arguments->n_keywords; i++) {
        struct value key = value_text(arguments->keywords[i].name);
        if (!dict_put(engine, dict, &key, &arguments->keywords[i].value))
            return false;
    }
    return true;
}

/* From another dict and keywords. */
static bool make_dict(struct engine *engine, const struct call *call, struct value *to) {
    const struct arguments *given = &call->arguments;
    struct dict *dict = dict_new(engine);
    if (given->count > 1 || (given->count == 1 && given->items[0].kind != VALUE_DICT))
        return refuse(engine, "a dict of anything but a dict and keywords is not supported");
    *to = value_dict(dict);
    return dict && (given->count == 0 || put_entries(engine, dict, given->items[0].dict)) &&
           put_keywords(engine, dict, given);
}

static bool make_namespace(struct engine *engine, const struct call *call, struct value *to) {
    if (!make_dict(engine, call, to))
        return false;
    for (size_t i = 0; i < to->dict->count; i++) {
        const struct value *key = &to->dict->entries[i].key;
        if (key->kind == VALUE_TEXT && text_starts(key->text, TEXT("_")))
            return refuse(engine, "names in a namespace can't begin with an underscore");
    }
    to->kind = VALUE_NAMESPACE;
    return true;
}

static bool raise_exception(struct engine *engine, const struct call *call, struct value *to) {
    struct text sentence;
    (void)to;
    return value_to_text(engine, &call->arguments.items[0], &sentence) &&
           refuse(engine, "the template says: %.*s", (int)(sentence.size < 800 ? sentence.size : 800),
                  sentence.bytes);
}

static bool strftime_now(struct engine *engine, const struct call *call, struct value *to) {
    char format[256], date[512];
    struct builder builder = {0};
    struct text text;
    if (!argument_text(engine, call, 0, &text))
        return false;
    if (text.size >= sizeof format)
        return refuse(engine, "a date's format of %zu bytes", text.size);
    memcpy(format, text.bytes, text.size);
    format[text.size] = '\0';
    size_t size = text.size ? strftime(date, sizeof date, format, engine->now) : 0;
    if (size == 0 && text.size > 0)
        return refuse(engine, "the date's format '%s' gives nothing, or too much", format);
    return build_bytes(engine, &builder, date, size, text.origin != NULL) && give_text(&builder, to);
}

const struct function *find_global(struct text name) {
    static const struct function functions[] = {
        {"range", make_range, 0, 1, {"start", "stop", "step"}},
        {"dict", make_dict, 0, 0, {"*"}},
        {"namespace", make_namespace, 0, 0, {"*"}},
        {"raise_exception", raise_exception, 0, 1, {"message"}},
        {"strftime_now", strftime_now, 0, 1, {"format"}},
        {.name = "cycler"},
        {.name = "joiner"},
        {.name = "lipsum"},
        {0},
    };
    return find_function(functions, name);
}
