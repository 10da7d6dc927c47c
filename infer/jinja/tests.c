/* What may stand behind `is`. */
#include "infer/jinja/call.h"
#include "infer/jinja/letters.h"
#include "infer/jinja/operate.h"
#include "infer/jinja/write.h"

/* ---- Of what kind a value is: the variant has a bit for each kind that is meant ---- */

#define BIT(kind) (1 << VALUE_##kind)
#define SEQUENCES (BIT(TEXT) | BIT(LIST) | BIT(TUPLE) | BIT(RANGE) | BIT(DICT) | BIT(UNDEFINED))
#define ITERABLES (SEQUENCES | BIT(ITERATOR) | BIT(KEYS) | BIT(VALUES) | BIT(ITEMS) | BIT(LOOP))
#define NUMBERS (BIT(BOOLEAN) | BIT(INTEGER) | BIT(REAL))

static bool is_kind(struct engine *engine, const struct call *call, struct value *to) {
    (void)engine;
    *to = value_boolean(call->function->variant >> call->self->kind & 1);
    return true;
}

static bool is_boolean(struct engine *engine, const struct call *call, struct value *to) {
    (void)engine;
    *to = value_boolean(call->self->kind == VALUE_BOOLEAN && call->self->boolean == call->function->variant);
    return true;
}

static bool is_escaped(struct engine *engine, const struct call *call, struct value *to) {
    (void)engine;
    *to = value_boolean(call->self->kind == VALUE_TEXT && call->self->text.safe);
    return true;
}

/* ---- Numbers, letters, comparisons ---- */

static bool divides(struct engine *engine, const struct value *self, int64_t by, int64_t wanted,
                    struct value *to) {
    const struct value divisor = value_integer(by), remainder = value_integer(wanted);
    struct value found;
    bool equal;
    if (self->kind == VALUE_TEXT)
        return refuse(engine, "a str can't be divided");
    if (!operate(engine, OPERATOR_REMAINDER, self, &divisor, &found) ||
        !value_equal(engine, &found, &remainder, &equal))
        return false;
    *to = value_boolean(equal);
    return true;
}

static bool is_odd_or_even(struct engine *engine, const struct call *call, struct value *to) {
    return divides(engine, call->self, 2, call->function->variant, to);
}

static bool is_divisible(struct engine *engine, const struct call *call, struct value *to) {
    int64_t by;
    return argument_integer(engine, call, 0, 0, &by) && divides(engine, call->self, by, 0, to);
}

static bool is_in_case(struct engine *engine, const struct call *call, struct value *to) {
    struct text text;
    if (!value_to_text(engine, call->self, &text))
        return false;
    *to = value_boolean(text_is_all(text, (enum letter_kind)call->function->variant));
    return engine_spend_bytes(engine, text.size);
}

static bool is_compared(struct engine *engine, const struct call *call, struct value *to) {
    bool result;
    if (!compare(engine, (enum operation)call->function->variant, call->self, &call->arguments.items[0],
                 &result))
        return false;
    *to = value_boolean(result);
    return true;
}

static const struct function tests[] = {
    {"defined", is_kind, ~BIT(UNDEFINED), 0, {0}},
    {"undefined", is_kind, BIT(UNDEFINED), 0, {0}},
    {"none", is_kind, BIT(NONE), 0, {0}},
    {"boolean", is_kind, BIT(BOOLEAN), 0, {0}},
    {"true", is_boolean, true, 0, {0}},
    {"false", is_boolean, false, 0, {0}},
    {"integer", is_kind, BIT(INTEGER), 0, {0}},
    {"float", is_kind, BIT(REAL), 0, {0}},
    {"number", is_kind, NUMBERS, 0, {0}},
    {"string", is_kind, BIT(TEXT), 0, {0}},
    {"mapping", is_kind, BIT(DICT), 0, {0}},
    {"sequence", is_kind, SEQUENCES, 0, {0}},
    {"iterable", is_kind, ITERABLES, 0, {0}},
    {"callable", is_kind, BIT(MACRO) | BIT(FUNCTION) | BIT(METHOD) | BIT(UNDEFINED), 0, {0}},
    {"escaped", is_escaped, 0, 0, {0}},
    {"odd", is_odd_or_even, 1, 0, {0}},
    {"even", is_odd_or_even, 0, 0, {0}},
    {"divisibleby", is_divisible, 0, 1, {"num"}},
    {"upper", is_in_case, LETTERS_UPPER, 0, {0}},
    {"lower", is_in_case, LETTERS_LOWER, 0, {0}},
    {"in", is_compared, OPERATOR_IN, 1, {"seq"}},
    {"eq", is_compared, OPERATOR_EQUAL, 1, {"other"}},
    {"==", is_compared, OPERATOR_EQUAL, 1, {"other"}},
    {"equalto", is_compared, OPERATOR_EQUAL, 1, {"other"}},
    {"ne", is_compared, OPERATOR_NOT_EQUAL, 1, {"other"}},
    {"!=", is_compared, OPERATOR_NOT_EQUAL, 1, {"other"}},
    {"gt", is_compared, OPERATOR_GREATER, 1, {"other"}},
    {">", is_compared, OPERATOR_GREATER, 1, {"other"}},
    {"greaterthan", is_compared, OPERATOR_GREATER, 1, {"other"}},
    {"ge", is_compared, OPERATOR_GREATER_EQUAL, 1, {"other"}},
    {">=", is_compared, OPERATOR_GREATER_EQUAL, 1, {"other"}},
    {"lt", is_compared, OPERATOR_LESS, 1, {"other"}},
    {"<", is_compared, OPERATOR_LESS, 1, {"other"}},
    {"lessthan", is_compared, OPERATOR_LESS, 1, {"other"}},
    {"le", is_compared, OPERATOR_LESS_EQUAL, 1, {"other"}},
    {"<=", is_compared, OPERATOR_LESS_EQUAL, 1, {"other"}},
    {.name = "filter"},
    {.name = "test"},
    {.name = "sameas"},
    {0},
};

const struct function *find_test(struct text name) {
    return find_function(tests, name);
}
