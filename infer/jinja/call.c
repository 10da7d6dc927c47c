#include "infer/jinja/call.h"

const struct function *find_function(const struct function *table, struct text name) {
    for (; table->name; table++)
        if (text_is(name, table->name))
            return table;
    return NULL;
}

const struct function *find_filter(struct text name) {
    const struct function *filter = find_function(text_filters, name);
    return filter ? filter : find_function(list_filters, name);
}

const struct function *find_method(enum value_kind kind, struct text name) {
    static const struct function *const tables[VALUE_KINDS] = {
        [VALUE_TEXT] = text_methods,         [VALUE_LIST] = list_methods,
        [VALUE_TUPLE] = tuple_methods,       [VALUE_DICT] = dict_methods,
        [VALUE_BOOLEAN] = number_attributes, [VALUE_INTEGER] = number_attributes,
        [VALUE_REAL] = number_attributes,
    };
    return tables[kind] ? find_function(tables[kind], name) : NULL;
}

static size_t n_parameters(const struct function *function) {
    size_t n = 0;
    while (n < MAX_PARAMETERS && function->parameters[n])
        n++;
    return n;
}

static bool put_keyword(struct engine *engine, const char *what, const struct function *function,
                        const struct keyword *keyword, struct value *items) {
    for (size_t i = 0; i < n_parameters(function); i++)
        if (text_is(keyword->name, function->parameters[i])) {
            items[i] = keyword->value;
            return true;
        }
    return refuse(engine, "the %s %s takes no argument '%.*s'", what, function->name, (int)keyword->name.size,
                  keyword->name.bytes);
}

/* One item for each parameter. */
static bool bind(struct engine *engine, const char *what, const struct function *function,
                 const struct arguments *given, struct value *items) {
    size_t n = n_parameters(function);
    if (given->count > n)
        return refuse(engine, "the %s %s takes %zu arguments, not %zu", what, function->name, n,
                      given->count);
    for (size_t i = 0; i < given->count; i++)
        items[i] = given->items[i];
    for (size_t i = 0; i < given->n_keywords; i++)
        if (!put_keyword(engine, what, function, &given->keywords[i], items))
            return false;
    for (size_t i = 0; i < function->n_needed; i++)
        if (items[i].kind == VALUE_ABSENT)
            return refuse(engine, "the %s %s needs an argument '%s'", what, function->name,
                          function->parameters[i]);
    return true;
}

bool call_function(struct engine *engine, const char *what, const struct function *function,
                   const struct value *self, const struct arguments *arguments, struct value *to) {
    struct value items[MAX_PARAMETERS] = {{.kind = VALUE_ABSENT}};
    struct call call = {function, self, {.items = items, .count = MAX_PARAMETERS}};
    bool variadic = function->parameters[0] && function->parameters[0][0] == '*';
    if (!function->body)
        return refuse(engine, "the %s %s is not supported", what, function->name);
    if (!engine_spend(engine, 1) || (!variadic && !bind(engine, what, function, arguments, items)))
        return false;
    if (variadic)
        call.arguments = *arguments;
    return function->body(engine, &call, to);
}

/* ---- For bodies ---- */

bool argument_given(const struct call *call, size_t i) {
    enum value_kind kind = call->arguments.items[i].kind;
    return kind != VALUE_ABSENT && kind != VALUE_NONE;
}

bool argument_text(struct engine *engine, const struct call *call, size_t i, struct text *text) {
    const struct value *value = &call->arguments.items[i];
    if (value->kind != VALUE_TEXT)
        return refuse(engine, "an argument is a %s, not a str", value_class(value));
    *text = value->text;
    return true;
}

bool argument_optional_text(struct engine *engine, const struct call *call, size_t i,
                            const struct text **text) {
    const struct value *value = &call->arguments.items[i];
    *text = argument_given(call, i) ? &value->text : NULL;
    return !*text || value->kind == VALUE_TEXT ||
           refuse(engine, "an argument is a %s, not a str", value_class(value));
}

bool argument_integer(struct engine *engine, const struct call *call, size_t i, int64_t otherwise,
                      int64_t *integer) {
    const struct value *value = &call->arguments.items[i];
    *integer = otherwise;
    if (value->kind == VALUE_ABSENT)
        return true;
    if (!value_is_integer(value))
        return refuse(engine, "an argument is a %s, not an int", value_class(value));
    *integer = value_as_integer(value);
    return true;
}

bool argument_truth(const struct call *call, size_t i) {
    return value_truth(&call->arguments.items[i]);
}

const struct value *argument_named(const struct arguments *arguments, struct text name) {
    for (size_t i = 0; i < arguments->n_keywords; i++)
        if (text_equal(arguments->keywords[i].name, name))
            return &arguments->keywords[i].value;
    return NULL;
}
