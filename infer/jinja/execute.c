#include "infer/jinja/evaluate.h"
#include "infer/jinja/write.h"

/* ---- Setting ---- */

static bool assign(struct engine *engine, const struct node *target, const struct value *value);

static bool assign_each(struct engine *engine, const struct node *target, const struct value *value) {
    const struct list *items = value_items(engine, value);
    size_t n_targets = 0;
    for (const struct node *item = target->first; item; item = item->next)
        n_targets++;
    if (items && items->count != n_targets)
        return refuse(engine, "%zu values for %zu names", items->count, n_targets);
    size_t i = 0;
    for (const struct node *item = target->first; items && item; item = item->next)
        if (!assign(engine, item, &items->items[i++]))
            return false;
    return items != NULL;
}

static bool assign_member(struct engine *engine, const struct node *target, const struct value *value) {
    const struct value *space;
    struct value key = value_text(target->name);
    if (!scope_find(engine, target->first->name, &space))
        return false;
    if (!space || space->kind != VALUE_NAMESPACE)
        return refuse(engine, "'%.*s' is no namespace, so nothing can be set in it",
                      (int)target->first->name.size, target->first->name.bytes);
    if (target->name.bytes[0] == '_')
        return refuse(engine, "names in a namespace can't begin with an underscore");
    return dict_put(engine, space->dict, &key, value);
}

static bool assign(struct engine *engine, const struct node *target, const struct value *value) {
    engine->offset = target->offset;
    if (target->kind == NODE_TUPLE)
        return assign_each(engine, target, value);
    return target->kind == NODE_MEMBER ? assign_member(engine, target, value)
                                       : scope_set(engine, target->name, value);
}

static bool exec_set(struct engine *engine, const struct node *node, enum flow *flow) {
    struct value value;
    (void)flow;
    return evaluate(engine, node->second, &value) && assign(engine, node->first, &value);
}

/* ---- Output ---- */

static bool exec_data(struct engine *engine, const struct node *node, enum flow *flow) {
    (void)flow;
    return build(engine, engine->output, node->name);
}

static bool exec_output(struct engine *engine, const struct node *node, enum flow *flow) {
    struct value value;
    (void)flow;
    return evaluate(engine, node->first, &value) && write_str(engine, engine->output, &value);
}

/* Statements with variables of their own. */
static bool exec_scoped(struct engine *engine, const struct node *statements, enum flow *flow) {
    struct scope *outer = engine->scope;
    bool good = scope_enter(engine, outer) && execute(engine, statements, flow);
    engine->scope = outer;
    return good;
}

/* What such statements write, as a text. */
static bool capture(struct engine *engine, const struct node *statements, struct value *to, enum flow *flow) {
    struct builder text = {0}, *outer = engine->output;
    engine->output = &text;
    bool good = exec_scoped(engine, statements, flow);
    engine->output = outer;
    return good && give_text(&text, to);
}

/* In such a block Jinja takes a variable that was given for undefined, unless it was read before the block.
 */
static bool check_block_target(struct engine *engine, const struct node *target) {
    bool given = false;
    if (target->kind == NODE_NAME && !scope_is_given(engine, target->name, &given))
        return false;
    return !given ||
           refuse(engine, "setting '%.*s' by a block is not supported, as the template was given it",
                  (int)target->name.size, target->name.bytes);
}

static bool exec_set_block(struct engine *engine, const struct node *node, enum flow *flow) {
    struct value value;
    if (!check_block_target(engine, node->first))
        return false;
    bool good = capture(engine, node->third, &engine->body, flow);
    if (!good || *flow != FLOW_ON)
        return good;
    return evaluate(engine, node->second, &value) && assign(engine, node->first, &value);
}

static bool exec_filter_block(struct engine *engine, const struct node *node, enum flow *flow) {
    struct value value;
    bool good = capture(engine, node->second, &engine->body, flow);
    if (!good || *flow != FLOW_ON)
        return good;
    return evaluate(engine, node->first, &value) && write_str(engine, engine->output, &value);
}

static bool exec_scope(struct engine *engine, const struct node *node, enum flow *flow) {
    return exec_scoped(engine, node->first, flow);
}

/* Values are evaluated outside of the new scope. */
static bool exec_with(struct engine *engine, const struct node *node, enum flow *flow) {
    struct scope *outer = engine->scope, *inner = scope_enter(engine, outer);
    bool good = inner != NULL;
    for (const struct node *set = node->first; set && good; set = set->next) {
        struct value value;
        engine->scope = outer;
        good = evaluate(engine, set->second, &value);
        engine->scope = inner;
        good = good && assign(engine, set->first, &value);
    }
    good = good && execute(engine, node->second, flow);
    engine->scope = outer;
    return good;
}

/* ---- Branches and loops ---- */

static bool exec_if(struct engine *engine, const struct node *node, enum flow *flow) {
    struct value test;
    if (!evaluate(engine, node->first, &test))
        return false;
    return execute(engine, value_truth(&test) ? node->second : node->third, flow);
}

static bool passes(struct engine *engine, struct loop *loop, const struct value *item, bool *passed) {
    struct scope *inner = engine->scope;
    struct value test = value_boolean(true);
    bool good =
        !loop->node->third || (scope_enter(engine, loop->outer) && assign(engine, loop->node->first, item) &&
                               evaluate(engine, loop->node->third, &test));
    engine->scope = inner;
    *passed = good && value_truth(&test);
    return good;
}

/* Looks for the item of that index among those that pass; it isn't there where items->count says so. */
static bool loop_reach(struct engine *engine, struct loop *loop, size_t index) {
    while (loop->items->count <= index && loop->next < loop->source->count) {
        const struct value *item = &loop->source->items[loop->next++];
        bool passed;
        if (!passes(engine, loop, item, &passed) || (passed && !list_push(engine, loop->items, item)))
            return false;
    }
    return true;
}

/* Attributes that are sums of the index and the number of items. */
static const struct loop_number {
    const char *name;
    int of_index, of_length, plus;
} loop_numbers[] = {
    {"index", 1, 0, 1},       {"index0", 1, 0, 0}, {"revindex", -1, 1, 0},
    {"revindex0", -1, 1, -1}, {"length", 0, 1, 0},
};

static bool loop_number(struct engine *engine, struct loop *loop, const struct loop_number *number,
                        struct value *to) {
    if (number->of_length && !loop_reach(engine, loop, SIZE_MAX - 1))
        return false;
    *to = value_integer(number->of_index * (int64_t)loop->index +
                        number->of_length * (int64_t)loop->items->count + number->plus);
    return true;
}

static bool loop_neighbour(struct engine *engine, struct loop *loop, int distance, struct text name,
                           struct value *to) {
    size_t index = loop->index + (size_t)distance; /* beyond all where there is none before */
    *to = value_undefined("loop", name);
    if (distance < 0 && loop->index == 0)
        return true;
    if (!loop_reach(engine, loop, index))
        return false;
    if (index < loop->items->count)
        *to = loop->items->items[index];
    return true;
}

bool loop_attribute(struct engine *engine, struct loop *loop, struct text name, struct value *to) {
    for (size_t i = 0; i < sizeof loop_numbers / sizeof *loop_numbers; i++)
        if (text_is(name, loop_numbers[i].name))
            return loop_number(engine, loop, &loop_numbers[i], to);
    if (text_is(name, "previtem") || text_is(name, "nextitem"))
        return loop_neighbour(engine, loop, text_is(name, "nextitem") ? 1 : -1, name, to);
    if (text_is(name, "first"))
        *to = value_boolean(loop->index == 0);
    else if (text_is(name, "last")) {
        if (!loop_reach(engine, loop, loop->index + 1))
            return false;
        *to = value_boolean(loop->index + 1 >= loop->items->count);
    } else
        return refuse(engine, "loop.%.*s is not supported", (int)name.size, name.bytes);
    return true;
}

static bool begin_round(struct engine *engine, struct loop *loop) {
    struct value value = {.kind = VALUE_LOOP, .loop = loop};
    engine->scope->count = 0;
    return assign(engine, loop->node->first, &loop->items->items[loop->index]) &&
           scope_set(engine, TEXT("loop"), &value);
}

/* *whole_rounds: those that nothing broke off. Without one, Jinja runs the loop's else. */
static bool run_rounds(struct engine *engine, struct loop *loop, size_t *whole_rounds) {
    for (enum flow flow = FLOW_ON; flow != FLOW_BREAK; loop->index++) {
        flow = FLOW_ON;
        if (!loop_reach(engine, loop, loop->index))
            return false;
        if (loop->index >= loop->items->count)
            return true;
        if (!begin_round(engine, loop) || !execute(engine, loop->node->fourth, &flow))
            return false;
        *whole_rounds += flow == FLOW_ON;
    }
    return true;
}

/* Without a condition all items pass. */
static bool begin_loop(struct engine *engine, struct loop *loop) {
    loop->items = loop->node->third ? list_new(engine) : loop->source;
    loop->next = loop->node->third ? 0 : loop->source->count;
    return loop->items != NULL;
}

static bool exec_for(struct engine *engine, const struct node *node, enum flow *flow) {
    struct scope *outer = engine->scope;
    struct loop *loop = ENGINE_NEW(engine, struct loop);
    struct value iterated;
    size_t whole_rounds = 0;
    if (!loop || !evaluate(engine, node->second, &iterated))
        return false;
    *loop = (struct loop){.node = node, .outer = outer, .source = value_items(engine, &iterated)};
    if (!loop->source || !begin_loop(engine, loop))
        return false;
    bool good = scope_enter(engine, outer) && run_rounds(engine, loop, &whole_rounds);
    engine->scope = outer;
    return good && (whole_rounds > 0 || exec_scoped(engine, node->fifth, flow));
}

static bool exec_break(struct engine *engine, const struct node *node, enum flow *flow) {
    (void)engine;
    *flow = node->kind == NODE_BREAK ? FLOW_BREAK : FLOW_CONTINUE;
    return true;
}

/* ---- Macros ---- */

static bool exec_macro(struct engine *engine, const struct node *node, enum flow *flow) {
    struct macro *macro = ENGINE_NEW(engine, struct macro);
    (void)flow;
    if (!macro)
        return false;
    *macro = (struct macro){node, engine->scope};
    struct value value = {.kind = VALUE_MACRO, .macro = macro};
    return scope_set(engine, node->name, &value);
}

/* Sets the i-th parameter: the argument in its place, one of its name, its default, or undefined. */
static bool set_parameter(struct engine *engine, const struct node *parameter, size_t i,
                          const struct arguments *arguments) {
    const struct value *named = argument_named(arguments, parameter->name);
    struct value value = value_undefined(NULL, parameter->name);
    if (!engine_spend(engine, 1 + arguments->n_keywords / 8))
        return false;
    if (i < arguments->count && named)
        return refuse(engine, "two arguments for '%.*s'", (int)parameter->name.size, parameter->name.bytes);
    if (i < arguments->count)
        value = arguments->items[i];
    else if (named)
        value = *named;
    else if (parameter->first && !evaluate(engine, parameter->first, &value))
        return false;
    return scope_set(engine, parameter->name, &value);
}

static bool set_parameters(struct engine *engine, const struct node *node,
                           const struct arguments *arguments) {
    size_t n = 0, n_named = 0;
    for (const struct node *parameter = node->first; parameter; parameter = parameter->next) {
        n_named += argument_named(arguments, parameter->name) != NULL;
        if (!set_parameter(engine, parameter, n++, arguments))
            return false;
    }
    if (arguments->count > n || n_named < arguments->n_keywords)
        return refuse(engine, "the macro %.*s has no place for one of its arguments", (int)node->name.size,
                      node->name.bytes);
    return true;
}

bool call_macro(struct engine *engine, const struct macro *macro, const struct arguments *arguments,
                struct value *to) {
    struct builder text = {0}, *outer_output = engine->output;
    struct scope *outer = engine->scope;
    enum flow flow = FLOW_ON;
    engine->output = &text;
    bool good = scope_enter(engine, macro->scope) && set_parameters(engine, macro->node, arguments) &&
                execute(engine, macro->node->second, &flow);
    engine->output = outer_output;
    engine->scope = outer;
    return good && give_text(&text, to);
}

/* ---- */

static bool (*const executors[NODE_KINDS])(struct engine *, const struct node *, enum flow *) = {
    [NODE_DATA] = exec_data,   [NODE_OUTPUT] = exec_output, [NODE_IF] = exec_if,
    [NODE_FOR] = exec_for,     [NODE_SET] = exec_set,       [NODE_SET_BLOCK] = exec_set_block,
    [NODE_MACRO] = exec_macro, [NODE_WITH] = exec_with,     [NODE_FILTER_BLOCK] = exec_filter_block,
    [NODE_SCOPE] = exec_scope, [NODE_BREAK] = exec_break,   [NODE_CONTINUE] = exec_break,
};

bool execute(struct engine *engine, const struct node *statements, enum flow *flow) {
    if (!engine_enter(engine))
        return false;
    bool good = true;
    for (const struct node *node = statements; node && good && *flow == FLOW_ON; node = node->next) {
        engine->offset = node->offset;
        good = engine_spend(engine, 1) && executors[node->kind](engine, node, flow);
    }
    engine_leave(engine);
    return good;
}
