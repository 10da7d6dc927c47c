#include "infer/jinja/evaluate.h"

#include "infer/jinja/access.h"
#include "infer/jinja/operate.h"
#include "infer/jinja/write.h"

#include <stdlib.h>

/* ---- Scopes ---- */

struct scope *scope_enter(struct engine *engine, struct scope *parent) {
    struct scope *scope = ENGINE_NEW(engine, struct scope);
    if (scope) {
        scope->parent = parent;
        engine->scope = scope;
    }
    return scope;
}

static bool find_in(struct engine *engine, const struct scope *scope, struct text name,
                    struct value **found) {
    *found = NULL;
    for (size_t i = 0; i < scope->count && !*found; i++)
        if (text_equal(scope->variables[i].name, name))
            *found = &scope->variables[i].value;
    return engine_spend(engine, 1 + scope->count / 16);
}

bool scope_find(struct engine *engine, struct text name, const struct value **found) {
    struct value *value = NULL;
    for (const struct scope *scope = engine->scope; scope && !value; scope = scope->parent)
        if (!find_in(engine, scope, name, &value))
            return false;
    *found = value;
    return true;
}

bool scope_is_given(struct engine *engine, struct text name, bool *given) {
    const struct scope *outermost = engine->scope;
    const struct value *value;
    struct value *own;
    while (outermost->parent)
        outermost = outermost->parent;
    if (!scope_find(engine, name, &value) || !find_in(engine, outermost, name, &own))
        return false;
    *given = value && value == own;
    return true;
}

bool scope_set(struct engine *engine, struct text name, const struct value *value) {
    struct scope *scope = engine->scope;
    struct value *known;
    if (!find_in(engine, scope, name, &known))
        return false;
    if (known) {
        *known = *value;
        return true;
    }
    struct variable *variables =
        engine_grow(engine, scope->variables, scope->count, &scope->capacity, sizeof *scope->variables);
    if (!variables)
        return false;
    scope->variables = variables;
    scope->variables[scope->count++] = (struct variable){name, *value};
    return true;
}

/* ---- Values ---- */

static bool eval_literal(struct engine *engine, const struct node *node, struct value *to) {
    (void)engine;
    *to = node->literal;
    return true;
}

static bool eval_body(struct engine *engine, const struct node *node, struct value *to) {
    (void)node;
    *to = engine->body;
    return true;
}

/* Names that Jinja gives a meaning of their own in macros. */
static bool is_special(struct text name) {
    return text_is(name, "caller") || text_is(name, "varargs") || text_is(name, "kwargs") ||
           text_is(name, "self");
}

static bool eval_name(struct engine *engine, const struct node *node, struct value *to) {
    const struct value *value;
    if (!scope_find(engine, node->name, &value))
        return false;
    const struct function *function = value ? NULL : find_global(node->name);
    if (value)
        *to = *value;
    else if (function)
        *to = (struct value){.kind = VALUE_FUNCTION, .function = function};
    else if (is_special(node->name))
        return refuse(engine, "'%.*s' is not supported", (int)node->name.size, node->name.bytes);
    else
        *to = value_undefined(NULL, node->name);
    return true;
}

static struct list *eval_all(struct engine *engine, const struct node *nodes) {
    struct list *list = list_new(engine);
    for (; list && nodes; nodes = nodes->next) {
        struct value item;
        if (!evaluate(engine, nodes, &item) || !list_push(engine, list, &item))
            return NULL;
    }
    return list;
}

static bool eval_list(struct engine *engine, const struct node *node, struct value *to) {
    struct list *list = eval_all(engine, node->first);
    *to = value_list(node->kind == NODE_LIST ? VALUE_LIST : VALUE_TUPLE, list);
    return list != NULL;
}

static bool eval_dict(struct engine *engine, const struct node *node, struct value *to) {
    struct dict *dict = dict_new(engine);
    for (const struct node *key = node->first; dict && key; key = key->next->next) {
        struct value name, value;
        if (!evaluate(engine, key, &name) || !evaluate(engine, key->next, &value) ||
            !dict_put(engine, dict, &name, &value))
            return false;
    }
    *to = value_dict(dict);
    return dict != NULL;
}

/* ---- Parts ---- */

static bool eval_attribute(struct engine *engine, const struct node *node, struct value *to) {
    struct value object;
    if (!evaluate(engine, node->first, &object))
        return false;
    engine->offset = node->offset;
    return get_attribute(engine, &object, node->name, to);
}

static bool eval_item(struct engine *engine, const struct node *node, struct value *to) {
    struct value object, key;
    if (!evaluate(engine, node->first, &object) || !evaluate(engine, node->second, &key))
        return false;
    engine->offset = node->offset;
    return get_item(engine, &object, &key, to);
}

static bool eval_bound(struct engine *engine, const struct node *node, struct value *to) {
    *to = value_none();
    return !node || evaluate(engine, node, to);
}

static bool eval_slice(struct engine *engine, const struct node *node, struct value *to) {
    struct value object, bounds[3];
    if (!evaluate(engine, node->first, &object) || !eval_bound(engine, node->second, &bounds[0]) ||
        !eval_bound(engine, node->third, &bounds[1]) || !eval_bound(engine, node->fourth, &bounds[2]))
        return false;
    engine->offset = node->offset;
    return get_slice(engine, &object, bounds, to);
}

/* ---- Calls ---- */

static bool count_arguments(struct engine *engine, const struct node *nodes, struct arguments *arguments) {
    size_t n = 0;
    for (const struct node *node = nodes; node; node = node->next)
        n++;
    *arguments = (struct arguments){0};
    if (n == 0)
        return true;
    arguments->items = engine_take(engine, n, sizeof *arguments->items);
    arguments->keywords = arguments->items ? engine_take(engine, n, sizeof *arguments->keywords) : NULL;
    return arguments->keywords != NULL;
}

static bool eval_arguments(struct engine *engine, const struct node *nodes, struct arguments *arguments) {
    if (!count_arguments(engine, nodes, arguments))
        return false;
    for (const struct node *node = nodes; node; node = node->next) {
        bool keyword = node->kind == NODE_KEYWORD;
        struct value *to =
            keyword ? &arguments->keywords[arguments->n_keywords].value : &arguments->items[arguments->count];
        if (!evaluate(engine, keyword ? node->first : node, to))
            return false;
        if (keyword)
            arguments->keywords[arguments->n_keywords++].name = node->name;
        else
            arguments->count++;
    }
    return true;
}

static bool call_value(struct engine *engine, const struct value *callee, const struct arguments *arguments,
                       struct value *to) {
    switch (callee->kind) {
    case VALUE_UNDEFINED:
        return refuse_undefined(engine, callee);
    case VALUE_FUNCTION:
        return call_function(engine, "function", callee->function, NULL, arguments, to);
    case VALUE_METHOD:
        return call_function(engine, "method", callee->method->function, &callee->method->self, arguments,
                             to);
    case VALUE_MACRO:
        return call_macro(engine, callee->macro, arguments, to);
    default:
        return refuse(engine, "a %s can't be called", value_class(callee));
    }
}

static bool eval_call(struct engine *engine, const struct node *node, struct value *to) {
    struct value callee;
    struct arguments arguments;
    if (!evaluate(engine, node->first, &callee) || !eval_arguments(engine, node->second, &arguments))
        return false;
    engine->offset = node->first->offset;
    return call_value(engine, &callee, &arguments, to);
}

static bool eval_named(struct engine *engine, const struct node *node, const char *what,
                       const struct function *function, struct value *to) {
    struct value self;
    struct arguments arguments;
    engine->offset = node->offset;
    if (!function)
        return refuse(engine, "there is no %s '%.*s'", what, (int)node->name.size, node->name.bytes);
    if (!evaluate(engine, node->first, &self) || !eval_arguments(engine, node->second, &arguments))
        return false;
    engine->offset = node->offset;
    return call_function(engine, what, function, &self, &arguments, to);
}

static bool eval_filter(struct engine *engine, const struct node *node, struct value *to) {
    return eval_named(engine, node, "filter", find_filter(node->name), to);
}

static bool eval_test(struct engine *engine, const struct node *node, struct value *to) {
    return eval_named(engine, node, "test", find_test(node->name), to);
}

/* ---- Operators ---- */

static bool eval_not(struct engine *engine, const struct node *node, struct value *to) {
    struct value value;
    if (!evaluate(engine, node->first, &value))
        return false;
    *to = value_boolean(!value_truth(&value));
    return true;
}

static bool eval_sign(struct engine *engine, const struct node *node, struct value *to) {
    struct value value, zero = value_integer(0);
    if (!evaluate(engine, node->first, &value))
        return false;
    engine->offset = node->offset;
    if (value.kind == VALUE_REAL)
        *to = value_real(node->operator== OPERATOR_SUBTRACT ? -value.real : value.real);
    return value.kind == VALUE_REAL || operate(engine, node->operator, & zero, &value, to);
}

static bool eval_and_or(struct engine *engine, const struct node *node, struct value *to) {
    bool decided_by = node->kind == NODE_OR;
    return evaluate(engine, node->first, to) &&
           (value_truth(to) == decided_by || evaluate(engine, node->second, to));
}

static bool eval_condition(struct engine *engine, const struct node *node, struct value *to) {
    struct value test;
    if (!evaluate(engine, node->second, &test))
        return false;
    const struct node *taken = value_truth(&test) ? node->first : node->third;
    if (taken)
        return evaluate(engine, taken, to);
    *to = value_undefined(NULL, TEXT("the other side of an if without else"));
    return true;
}

/* a < b < c is a < b and b < c. */
static bool eval_compare(struct engine *engine, const struct node *node, struct value *to) {
    struct value left, right;
    bool result = true;
    if (!evaluate(engine, node->first, &left))
        return false;
    for (const struct node *operand = node->second; operand && result; operand = operand->next) {
        if (!evaluate(engine, operand->first, &right))
            return false;
        engine->offset = node->offset;
        if (!compare(engine, operand->operator, & left, &right, &result))
            return false;
        left = right;
    }
    *to = value_boolean(result);
    return true;
}

static bool eval_binary(struct engine *engine, const struct node *node, struct value *to) {
    struct value a, b;
    if (!evaluate(engine, node->first, &a) || !evaluate(engine, node->second, &b))
        return false;
    engine->offset = node->offset;
    return operate(engine, node->operator, & a, &b, to);
}

static bool eval_concat(struct engine *engine, const struct node *node, struct value *to) {
    struct builder builder = {0};
    for (const struct node *operand = node->first; operand; operand = operand->next) {
        struct value value;
        if (!evaluate(engine, operand, &value) || !write_str(engine, &builder, &value))
            return false;
    }
    return give_text(&builder, to);
}

static bool (*const evaluators[NODE_KINDS])(struct engine *, const struct node *, struct value *) = {
    [NODE_LITERAL] = eval_literal, [NODE_NAME] = eval_name,           [NODE_LIST] = eval_list,
    [NODE_TUPLE] = eval_list,      [NODE_DICT] = eval_dict,           [NODE_ATTRIBUTE] = eval_attribute,
    [NODE_ITEM] = eval_item,       [NODE_SLICE] = eval_slice,         [NODE_CALL] = eval_call,
    [NODE_FILTER] = eval_filter,   [NODE_TEST] = eval_test,           [NODE_BODY] = eval_body,
    [NODE_NOT] = eval_not,         [NODE_SIGN] = eval_sign,           [NODE_AND] = eval_and_or,
    [NODE_OR] = eval_and_or,       [NODE_CONDITION] = eval_condition, [NODE_COMPARE] = eval_compare,
    [NODE_BINARY] = eval_binary,   [NODE_CONCAT] = eval_concat,
};

bool evaluate(struct engine *engine, const struct node *node, struct value *to) {
    engine->offset = node->offset;
    if (!engine_spend(engine, 1) || !engine_enter(engine))
        return false;
    bool good = evaluators[node->kind](engine, node, to);
    engine_leave(engine);
    return good;
}
