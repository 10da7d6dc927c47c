#include "infer/jinja/operate.h"

#include "infer/jinja/engine.h"

#include <math.h>

static const char *const signs[] = {
    [OPERATOR_ADD] = "+",    [OPERATOR_SUBTRACT] = "-",     [OPERATOR_MULTIPLY] = "*",
    [OPERATOR_DIVIDE] = "/", [OPERATOR_DIVIDE_DOWN] = "//", [OPERATOR_REMAINDER] = "%",
    [OPERATOR_POWER] = "**",
};

/* ---- Numbers ---- */

static bool fail_zero(struct engine *engine) {
    return refuse(engine, "division by zero");
}

static int64_t divide_down(int64_t a, int64_t b) {
    return a / b - (a % b != 0 && (a < 0) != (b < 0));
}

static bool integer_power(int64_t base, int64_t exponent, int64_t *to) {
    int64_t result = 1;
    bool small = base >= -1 && base <= 1;
    if (!small && exponent > 64)
        return false;
    for (int64_t i = small && exponent > 2 ? exponent % 2 + 2 : exponent; i > 0; i--)
        if (__builtin_mul_overflow(result, base, &result))
            return false;
    *to = result;
    return true;
}

/* False where 64 bits can't hold the result. */
static bool integer_result(enum operation operator, int64_t a, int64_t b, int64_t *to) {
    switch (operator) {
    case OPERATOR_ADD:
        return !__builtin_add_overflow(a, b, to);
    case OPERATOR_SUBTRACT:
        return !__builtin_sub_overflow(a, b, to);
    case OPERATOR_MULTIPLY:
        return !__builtin_mul_overflow(a, b, to);
    case OPERATOR_POWER:
        return integer_power(a, b, to);
    default:
        if (b == -1) /* INT64_MIN / -1 traps */
            return operator== OPERATOR_REMAINDER ? !(*to = 0) : !__builtin_sub_overflow(0, a, to);
        *to = operator== OPERATOR_REMAINDER ? a - b * divide_down(a, b) : divide_down(a, b);
        return true;
    }
}

static double remainder_down(double a, double b) {
    double remainder = fmod(a, b);
    if (remainder == 0)
        return copysign(0, b);
    return (remainder < 0) != (b < 0) ? remainder + b : remainder;
}

static double real_result(enum operation operator, double a, double b) {
    switch (operator) {
    case OPERATOR_ADD:
        return a + b;
    case OPERATOR_SUBTRACT:
        return a - b;
    case OPERATOR_MULTIPLY:
        return a * b;
    case OPERATOR_DIVIDE:
        return a / b;
    case OPERATOR_REMAINDER:
        return remainder_down(a, b);
    default:
        return pow(a, b);
    }
}

static bool operate_real(struct engine *engine, enum operation operator, double a, double b,
                         struct value *to) {
    bool divides = operator>= OPERATOR_DIVIDE && operator<= OPERATOR_REMAINDER;
    if (divides && b == 0)
        return fail_zero(engine);
    if (operator== OPERATOR_DIVIDE_DOWN)
        return refuse(engine, "// of floats is not supported");
    *to = value_real(real_result(operator, a, b));
    if (operator== OPERATOR_POWER && !isfinite(to->real))
        return refuse(engine, "a power with no finite result");
    return true;
}

static bool operate_numbers(struct engine *engine, enum operation operator, const struct value * a,
                            const struct value *b, struct value *to) {
    bool integers = value_is_integer(a) && value_is_integer(b);
    int64_t divisor = integers ? value_as_integer(b) : 1, result;
    bool real = operator== OPERATOR_DIVIDE ||(operator== OPERATOR_POWER && divisor<0);
    if (!integers || real)
        return operate_real(engine, operator, value_as_real(a), value_as_real(b), to);
    if (divisor == 0 && (operator== OPERATOR_DIVIDE_DOWN || operator== OPERATOR_REMAINDER))
        return fail_zero(engine);
    if (!integer_result(operator, value_as_integer(a), divisor, &result))
        return refuse(engine, "a number beyond 64 bits");
    *to = value_integer(result);
    return true;
}

/* ---- Texts and lists ---- */

static bool add_texts(struct engine *engine, struct text a, struct text b, struct value *to) {
    struct builder builder = {0};
    bool safe = a.safe || b.safe,
         (*add)(struct engine *, struct builder *, struct text) = safe ? build_escaped : build;
    if (!add(engine, &builder, a) || !add(engine, &builder, b))
        return false;
    give_text(&builder, to);
    to->text.safe = safe;
    return true;
}

static bool push_all(struct engine *engine, struct list *list, const struct list *items) {
    for (size_t i = 0; i < items->count; i++)
        if (!list_push(engine, list, &items->items[i]))
            return false;
    return true;
}

static bool add_lists(struct engine *engine, const struct value *a, const struct value *b, struct value *to) {
    struct list *list = list_new(engine);
    if (!list || !push_all(engine, list, a->list) || !push_all(engine, list, b->list))
        return false;
    *to = value_list(a->kind, list);
    return true;
}

static bool repeat(struct engine *engine, const struct value *what, int64_t times, struct value *to) {
    struct builder builder = {0};
    if (times < 0)
        times = 0;
    if (what->kind == VALUE_TEXT) {
        if (what->text.safe)
            return refuse(engine, "* of a text marked safe is not supported");
        return build_repeated(engine, &builder, what->text, (size_t)times) && give_text(&builder, to);
    }
    struct list *list = list_new(engine);
    for (int64_t i = 0; list && i < times && what->list->count > 0; i++)
        if (!push_all(engine, list, what->list))
            return false;
    *to = value_list(what->kind, list);
    return list != NULL;
}

static bool can_repeat(const struct value *value) {
    return value->kind == VALUE_TEXT || value->kind == VALUE_LIST || value->kind == VALUE_TUPLE;
}

bool operate(struct engine *engine, enum operation operator, const struct value * a, const struct value *b,
             struct value *to) {
    bool lists = a->kind == b->kind && (a->kind == VALUE_LIST || a->kind == VALUE_TUPLE);
    if (a->kind == VALUE_UNDEFINED || (b->kind == VALUE_UNDEFINED && a->kind != VALUE_TEXT))
        return refuse_undefined(engine, a->kind == VALUE_UNDEFINED ? a : b);
    if (value_is_number(a) && value_is_number(b))
        return operate_numbers(engine, operator, a, b, to);
    if (operator== OPERATOR_ADD && a->kind == VALUE_TEXT && b->kind == VALUE_TEXT)
        return add_texts(engine, a->text, b->text, to);
    if (operator== OPERATOR_ADD && lists)
        return add_lists(engine, a, b, to);
    if (operator== OPERATOR_MULTIPLY && can_repeat(a) && value_is_integer(b))
        return repeat(engine, a, value_as_integer(b), to);
    if (operator== OPERATOR_MULTIPLY && can_repeat(b) && value_is_integer(a))
        return repeat(engine, b, value_as_integer(a), to);
    if (operator== OPERATOR_REMAINDER && a->kind == VALUE_TEXT)
        return format_percent(engine, a->text, b, to);
    if (b->kind == VALUE_UNDEFINED)
        return refuse_undefined(engine, b);
    return refuse(engine, "no %s of a %s and a %s", signs[operator], value_class(a), value_class(b));
}

/* ---- Comparing ---- */

static bool list_contains(struct engine *engine, const struct list *list, const struct value *part,
                          bool *result) {
    *result = false;
    for (size_t i = 0; i < list->count && !*result; i++)
        if (!value_equal(engine, &list->items[i], part, result))
            return false;
    return true;
}

bool contains(struct engine *engine, const struct value *whole, const struct value *part, bool *result) {
    struct entry *entry;
    if (whole->kind == VALUE_TEXT) {
        if (part->kind != VALUE_TEXT)
            return refuse(engine, "a %s can't be in a str", value_class(part));
        *result = text_find(whole->text, part->text, 0) != NOT_FOUND;
        return engine_spend_bytes(engine, whole->text.size);
    }
    if (whole->kind == VALUE_DICT) {
        bool good = dict_find(engine, whole->dict, part, &entry);
        *result = good && entry;
        return good;
    }
    struct list *items = value_items(engine, whole);
    return items && list_contains(engine, items, part, result);
}

bool compare(struct engine *engine, enum operation operator, const struct value * a, const struct value *b,
             bool *result) {
    int order;
    bool found;
    if (operator== OPERATOR_EQUAL || operator== OPERATOR_NOT_EQUAL) {
        bool good = value_equal(engine, a, b, &found);
        *result = found == (operator== OPERATOR_EQUAL);
        return good;
    }
    if (operator>= OPERATOR_IN) {
        bool good = contains(engine, b, a, &found);
        *result = found == (operator== OPERATOR_IN);
        return good;
    }
    if (!value_order(engine, a, b, &order))
        return false;
    *result = operator== OPERATOR_LESS       ? order < 0 :
              operator== OPERATOR_LESS_EQUAL ? order <= 0
              :
              operator== OPERATOR_GREATER ? order > 0
                                          : order >= 0;
    return true;
}
