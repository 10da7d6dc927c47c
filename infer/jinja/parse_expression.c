#include "infer/jinja/parser.h"

static bool at_operator(const struct parser *parser, const char *text) {
    return parser_at(parser, TOKEN_OPERATOR, text);
}

static bool skip_operator(struct parser *parser, const char *text) {
    return parser_skip(parser, TOKEN_OPERATOR, text);
}

static bool at_name(const struct parser *parser, const char *text) {
    return parser_at(parser, TOKEN_NAME, text);
}

static bool skip_name(struct parser *parser, const char *text) {
    return parser_skip(parser, TOKEN_NAME, text);
}

static bool take_name(struct parser *parser, struct text *name) {
    *name = parser_text(parser);
    return parser_expect(parser, TOKEN_NAME, NULL);
}

static struct node *binary(struct parser *parser, enum node_kind kind, struct node *first,
                           struct node *second) {
    struct node *node = second ? node_new(parser, kind) : NULL;
    if (node) {
        node->offset = first->offset;
        node->first = first;
        node->second = second;
    }
    return node;
}

/* ---- Brackets ---- */

static struct node *parse_list(struct parser *parser) {
    struct node *list = node_new(parser, NODE_LIST), **end = list ? &list->first : NULL;
    parser->token++;
    while (list && !at_operator(parser, "]")) {
        if (list->first && !parser_expect(parser, TOKEN_OPERATOR, ","))
            return NULL;
        if (at_operator(parser, "]"))
            break;
        if (!(*end = parse_expression(parser)))
            return NULL;
        end = &(*end)->next;
    }
    return list && parser_expect(parser, TOKEN_OPERATOR, "]") ? list : NULL;
}

static bool parse_pair(struct parser *parser, struct node **key) {
    return (*key = parse_expression(parser)) && parser_expect(parser, TOKEN_OPERATOR, ":") &&
           ((*key)->next = parse_expression(parser));
}

static struct node *parse_dict(struct parser *parser) {
    struct node *dict = node_new(parser, NODE_DICT), **end = dict ? &dict->first : NULL;
    parser->token++;
    while (dict && !at_operator(parser, "}")) {
        if (dict->first && !parser_expect(parser, TOKEN_OPERATOR, ","))
            return NULL;
        if (at_operator(parser, "}"))
            break;
        if (!parse_pair(parser, end))
            return NULL;
        end = &(*end)->next->next;
    }
    return dict && parser_expect(parser, TOKEN_OPERATOR, "}") ? dict : NULL;
}

static bool at_tuple_end(const struct parser *parser) {
    return parser->token->kind == TOKEN_END_BLOCK || parser->token->kind == TOKEN_END_OUTPUT ||
           at_operator(parser, ")") || at_name(parser, "in") || at_name(parser, "recursive");
}

/* Items by `parse`, which may be followed by a comma: then it is a tuple. */
static struct node *parse_items(struct parser *parser, struct node *(*parse)(struct parser *),
                                bool may_be_empty) {
    struct node *tuple = node_new(parser, NODE_TUPLE), **end = tuple ? &tuple->first : NULL;
    bool comma = false;
    while (tuple && !(at_tuple_end(parser) && (comma || may_be_empty))) {
        if (!(*end = parse(parser)))
            return NULL;
        end = &(*end)->next;
        if (!skip_operator(parser, ","))
            break;
        comma = true;
    }
    return tuple && !comma && tuple->first ? tuple->first : tuple;
}

static struct node *parse_parenthesized(struct parser *parser) {
    parser->token++;
    struct node *node = parse_items(parser, parse_expression, true);
    return node && parser_expect(parser, TOKEN_OPERATOR, ")") ? node : NULL;
}

static struct node *parse_primary(struct parser *parser) {
    static const struct {
        const char *operator;
        struct node *(*parse)(struct parser *);
    } brackets[] = {{"(", parse_parenthesized}, {"[", parse_list}, {"{", parse_dict}};
    switch (parser->token->kind) {
    case TOKEN_NAME:
        return parse_name(parser);
    case TOKEN_STRING:
        return parse_string(parser);
    case TOKEN_INTEGER:
    case TOKEN_REAL:
        return parse_number(parser);
    default:
        for (size_t i = 0; i < 3; i++)
            if (at_operator(parser, brackets[i].operator))
                return brackets[i].parse(parser);
        return parser_refuse(parser, "an expression");
    }
}

/* ---- Calls, attributes, filters, tests ---- */

static struct node *parse_argument(struct parser *parser, bool *keyword) {
    if (at_operator(parser, "*") || at_operator(parser, "**"))
        return parser_refuse(parser, "an argument (those of * and ** are not supported)");
    const struct token *next = parser->token + 1;
    *keyword = parser->token->kind == TOKEN_NAME && next->kind == TOKEN_OPERATOR && next->size == 1 &&
               parser->engine->template->source[next->offset] == '=';
    if (!*keyword)
        return parse_expression(parser);
    struct node *node = node_new(parser, NODE_KEYWORD);
    if (!node || !take_name(parser, &node->name))
        return NULL;
    parser->token++;
    return (node->first = parse_expression(parser)) ? node : NULL;
}

/* (a, b=c), where there is one. */
static bool parse_arguments(struct parser *parser, struct node **arguments) {
    bool keyword = false;
    if (!skip_operator(parser, "("))
        return true;
    for (struct node **end = arguments; !at_operator(parser, ")"); end = &(*end)->next) {
        bool is_keyword = false;
        if (*arguments && !parser_expect(parser, TOKEN_OPERATOR, ","))
            return false;
        if (*arguments && at_operator(parser, ")"))
            break;
        if (!(*end = parse_argument(parser, &is_keyword)))
            return false;
        if (keyword && !is_keyword)
            return parser_refuse(parser, "a keyword argument behind another") != NULL;
        keyword = is_keyword;
    }
    return parser_expect(parser, TOKEN_OPERATOR, ")");
}

static struct node *parse_call(struct parser *parser, struct node *callee) {
    struct node *node = node_new(parser, NODE_CALL);
    if (!node || !parse_arguments(parser, &node->second))
        return NULL;
    node->first = callee;
    return node;
}

static struct node *parse_attribute(struct parser *parser, struct node *object) {
    struct node *node = node_new(parser, NODE_ATTRIBUTE);
    parser->token++;
    if (!node)
        return NULL;
    node->first = object;
    if (parser->token->kind == TOKEN_INTEGER) { /* x.0 */
        node->kind = NODE_ITEM;
        return (node->second = parse_number(parser)) ? node : NULL;
    }
    return take_name(parser, &node->name) ? node : NULL;
}

static bool parse_bound(struct parser *parser, struct node **bound) {
    if (at_operator(parser, ":") || at_operator(parser, "]"))
        return true;
    return (*bound = parse_expression(parser)) != NULL;
}

/* Behind the bracket: x] or from:to:step]. */
static bool parse_subscript(struct parser *parser, struct node *node) {
    if (!parse_bound(parser, &node->second))
        return false;
    if (!skip_operator(parser, ":"))
        return node->second || parser_refuse(parser, "an index") != NULL;
    node->kind = NODE_SLICE;
    return parse_bound(parser, &node->third) &&
           (!skip_operator(parser, ":") || parse_bound(parser, &node->fourth));
}

static struct node *parse_item(struct parser *parser, struct node *object) {
    struct node *node = node_new(parser, NODE_ITEM);
    parser->token++;
    if (!node || !parse_subscript(parser, node) || !parser_expect(parser, TOKEN_OPERATOR, "]"))
        return NULL;
    node->first = object;
    return node;
}

static struct node *parse_postfix(struct parser *parser, struct node *node) {
    for (;;) {
        if (node && at_operator(parser, "."))
            node = parse_attribute(parser, node);
        else if (node && at_operator(parser, "["))
            node = parse_item(parser, node);
        else if (node && at_operator(parser, "("))
            node = parse_call(parser, node);
        else
            return node;
    }
}

/* NAME or NAME(arguments), behind | or `is`. */
static struct node *parse_named(struct parser *parser, enum node_kind kind, struct node *first) {
    struct node *node = node_new(parser, kind);
    if (!node || !take_name(parser, &node->name) || !parse_arguments(parser, &node->second))
        return NULL;
    node->first = first;
    return node;
}

/* `is divisibleby 3`: a test's only argument may stand without parentheses. */
static bool takes_bare_argument(const struct parser *parser) {
    switch (parser->token->kind) {
    case TOKEN_NAME:
        return !at_name(parser, "else") && !at_name(parser, "or") && !at_name(parser, "and");
    case TOKEN_STRING:
    case TOKEN_INTEGER:
    case TOKEN_REAL:
        return true;
    default:
        return at_operator(parser, "[") || at_operator(parser, "{");
    }
}

static struct node *parse_test(struct parser *parser, struct node *value) {
    parser->token++;
    bool negated = skip_name(parser, "not");
    struct node *test = parse_named(parser, NODE_TEST, value);
    if (test && at_name(parser, "is"))
        return parser_refuse(parser, "one test with 'is'");
    if (test && !test->second && takes_bare_argument(parser)) {
        test->second = parse_primary(parser);
        test->second = test->second ? parse_postfix(parser, test->second) : NULL;
        if (!test->second)
            return NULL;
    }
    struct node *negation = test && negated ? node_new(parser, NODE_NOT) : NULL;
    if (!negation)
        return negated ? NULL : test;
    negation->first = test;
    return negation;
}

static struct node *parse_filter_chain(struct parser *parser, struct node *node) {
    for (;;) {
        if (node && skip_operator(parser, "|"))
            node = parse_named(parser, NODE_FILTER, node);
        else if (node && at_name(parser, "is"))
            node = parse_test(parser, node);
        else if (node && at_operator(parser, "("))
            node = parse_call(parser, node);
        else
            return node;
    }
}

struct node *parse_filters(struct parser *parser, bool pipe_first) {
    struct node *node = node_new(parser, NODE_BODY);
    while (node && (!pipe_first || skip_operator(parser, "|"))) {
        node = parse_named(parser, NODE_FILTER, node);
        pipe_first = true;
    }
    return node;
}

/* ---- Operators, from tight to loose ---- */

static struct node *parse_signed(struct parser *parser, bool filters);

static struct node *parse_sign(struct parser *parser) {
    struct node *node = node_new(parser, NODE_SIGN);
    if (!node)
        return NULL;
    node->operator= at_operator(parser, "-") ? OPERATOR_SUBTRACT : OPERATOR_ADD;
    parser->token++;
    return (node->first = parse_signed(parser, false)) ? node : NULL;
}

/* Every nested expression comes through here, so that nesting is bounded here. */
static struct node *parse_signed(struct parser *parser, bool filters) {
    parser->engine->offset = parser->token->offset;
    if (!engine_enter(parser->engine))
        return NULL;
    bool has_sign = at_operator(parser, "-") || at_operator(parser, "+");
    struct node *node = has_sign ? parse_sign(parser) : parse_primary(parser);
    node = parse_postfix(parser, node);
    if (filters)
        node = parse_filter_chain(parser, node);
    engine_leave(parser->engine);
    return node;
}

static struct node *parse_unary(struct parser *parser) {
    return parse_signed(parser, true);
}

struct operators {
    const char *text;
    enum operation operator;
};

static bool skip_one_of(struct parser *parser, const struct operators *operators, enum operation *found) {
    for (; operators->text; operators++)
        if (skip_operator(parser, operators->text)) {
            *found = operators->operator;
            return true;
        }
    return false;
}

/* Operands by `parse` with operators between them, grouped to the left. */
static struct node *parse_left(struct parser *parser, const struct operators *operators,
                               struct node *(*parse)(struct parser *)) {
    struct node *left = parse(parser);
    enum operation operator;
    while (left && skip_one_of(parser, operators, &operator)) {
        left = binary(parser, NODE_BINARY, left, parse(parser));
        if (left)
            left->operator= operator;
    }
    return left;
}

static struct node *parse_power(struct parser *parser) {
    static const struct operators operators[] = {{"**", OPERATOR_POWER}, {0}};
    return parse_left(parser, operators, parse_unary);
}

static struct node *parse_product(struct parser *parser) {
    static const struct operators operators[] = {{"*", OPERATOR_MULTIPLY},
                                                 {"/", OPERATOR_DIVIDE},
                                                 {"//", OPERATOR_DIVIDE_DOWN},
                                                 {"%", OPERATOR_REMAINDER},
                                                 {0}};
    return parse_left(parser, operators, parse_power);
}

static struct node *parse_concat(struct parser *parser) {
    struct node *first = parse_product(parser);
    if (!first || !at_operator(parser, "~"))
        return first;
    struct node *node = node_new(parser, NODE_CONCAT), *last = first;
    while (node && skip_operator(parser, "~")) {
        if (!(last->next = parse_product(parser)))
            return NULL;
        last = last->next;
    }
    if (node)
        node->first = first;
    return node;
}

static struct node *parse_sum(struct parser *parser) {
    static const struct operators operators[] = {{"+", OPERATOR_ADD}, {"-", OPERATOR_SUBTRACT}, {0}};
    return parse_left(parser, operators, parse_concat);
}

static bool skip_comparison(struct parser *parser, enum operation *operator) {
    static const struct operators operators[] = {{"==", OPERATOR_EQUAL},
                                                 {"!=", OPERATOR_NOT_EQUAL},
                                                 {"<", OPERATOR_LESS},
                                                 {"<=", OPERATOR_LESS_EQUAL},
                                                 {">", OPERATOR_GREATER},
                                                 {">=", OPERATOR_GREATER_EQUAL},
                                                 {0}};
    if (skip_one_of(parser, operators, operator))
        return true;
    *operator= at_name(parser, "not") ? OPERATOR_NOT_IN : OPERATOR_IN;
    const struct token *start = parser->token;
    skip_name(parser, "not");
    if (skip_name(parser, "in"))
        return true;
    parser->token = start;
    return false;
}

static struct node *parse_compare(struct parser *parser) {
    struct node *first = parse_sum(parser), *compare = NULL, **end = NULL;
    enum operation operator;
    while (first && skip_comparison(parser, &operator)) {
        if (!compare) {
            compare = node_new(parser, NODE_COMPARE);
            end = compare ? &compare->second : NULL;
        }
        struct node *operand = compare ? *end = node_new(parser, NODE_OPERAND) : NULL;
        if (!operand || !(operand->first = parse_sum(parser)))
            return NULL;
        operand->operator= operator;
        compare->first = first;
        end = &operand->next;
    }
    return compare ? compare : first;
}

static struct node *parse_not(struct parser *parser) {
    if (!at_name(parser, "not"))
        return parse_compare(parser);
    struct node *node = node_new(parser, NODE_NOT);
    parser->token++;
    if (!engine_enter(parser->engine))
        return NULL;
    if (node && !(node->first = parse_not(parser)))
        node = NULL;
    engine_leave(parser->engine);
    return node;
}

static struct node *parse_and(struct parser *parser) {
    struct node *left = parse_not(parser);
    while (left && skip_name(parser, "and"))
        left = binary(parser, NODE_AND, left, parse_not(parser));
    return left;
}

static struct node *parse_or(struct parser *parser) {
    struct node *left = parse_and(parser);
    while (left && skip_name(parser, "or"))
        left = binary(parser, NODE_OR, left, parse_and(parser));
    return left;
}

struct node *parse_expression(struct parser *parser) {
    struct node *node = parse_or(parser);
    while (node && skip_name(parser, "if")) {
        node = binary(parser, NODE_CONDITION, node, parse_or(parser));
        if (!node || !skip_name(parser, "else"))
            continue;
        if (!engine_enter(parser->engine))
            return NULL;
        node->third = parse_expression(parser);
        engine_leave(parser->engine);
        if (!node->third)
            return NULL;
    }
    return node;
}

struct node *parse_tuple(struct parser *parser, bool conditional) {
    return parse_items(parser, conditional ? parse_expression : parse_or, false);
}

/* ---- Targets and parameters ---- */

static struct node *parse_target_item(struct parser *parser) {
    if (at_operator(parser, "(")) {
        parser->token++;
        struct node *inner = parse_target(parser, false);
        return inner && parser_expect(parser, TOKEN_OPERATOR, ")") ? inner : NULL;
    }
    struct node *node = parser->token->kind == TOKEN_NAME ? parse_name(parser) : NULL;
    return node && node->kind == NODE_NAME ? node : parser_refuse(parser, "a name to set");
}

static struct node *parse_member(struct parser *parser) {
    struct node *node = parse_target_item(parser);
    if (!node || node->kind != NODE_NAME || !at_operator(parser, "."))
        return node;
    struct node *member = node_new(parser, NODE_MEMBER);
    parser->token++;
    if (!member || !take_name(parser, &member->name))
        return NULL;
    member->first = node;
    return member;
}

struct node *parse_target(struct parser *parser, bool members) {
    if (!engine_enter(parser->engine))
        return NULL;
    struct node *node = parse_items(parser, members ? parse_member : parse_target_item, false);
    engine_leave(parser->engine);
    return node;
}

struct node *parse_parameters(struct parser *parser, bool *good) {
    struct node *first = NULL;
    bool has_default = false;
    *good = parser_expect(parser, TOKEN_OPERATOR, "(");
    for (struct node **end = &first; *good && !at_operator(parser, ")"); end = &(*end)->next) {
        if (first && !(*good = parser_expect(parser, TOKEN_OPERATOR, ",")))
            break;
        *end = node_new(parser, NODE_KEYWORD);
        *good = *end && take_name(parser, &(*end)->name);
        if (*good && skip_operator(parser, "="))
            *good = has_default = ((*end)->first = parse_expression(parser)) != NULL;
        else if (*good && has_default)
            *good = parser_refuse(parser, "a default, as the parameter before has one") != NULL;
        if (!*end)
            break;
    }
    *good = *good && parser_expect(parser, TOKEN_OPERATOR, ")");
    return first;
}
