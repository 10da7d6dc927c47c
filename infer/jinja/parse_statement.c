#include "infer/jinja/parser.h"

static bool parse_body(struct parser *parser, const char *const *ends, struct node **body);

static bool end_block(struct parser *parser) {
    return parser_expect(parser, TOKEN_END_BLOCK, NULL);
}

/* Statements behind the tag that is open now, up to {% end %} with its end. */
static bool parse_until(struct parser *parser, const char *end, struct node **body) {
    const char *const ends[] = {end, NULL};
    parser_skip(parser, TOKEN_OPERATOR, ":");
    if (!end_block(parser) || !parse_body(parser, ends, body))
        return false;
    parser->token++;
    return end_block(parser);
}

/* The same up to one of `ends`, at whose name it stops. */
static bool parse_until_one_of(struct parser *parser, const char *const *ends, struct node **body) {
    parser_skip(parser, TOKEN_OPERATOR, ":");
    return end_block(parser) && parse_body(parser, ends, body);
}

static bool parse_if(struct parser *parser, struct node *node) {
    static const char *const ends[] = {"elif", "else", "endif", NULL};
    while (true) {
        node->kind = NODE_IF;
        if (!(node->first = parse_tuple(parser, false)) || !parse_until_one_of(parser, ends, &node->second))
            return false;
        if (!parser_at(parser, TOKEN_NAME, "elif"))
            break;
        struct node *inner = node->third = node_new(parser, NODE_IF);
        if (!inner)
            return false;
        parser->token++;
        node = inner;
    }
    if (parser_skip(parser, TOKEN_NAME, "else"))
        return parse_until(parser, "endif", &node->third);
    parser->token++;
    return end_block(parser);
}

static bool parse_loop_body(struct parser *parser, struct node *node) {
    static const char *const ends[] = {"endfor", "else", NULL};
    parser->n_loops++;
    bool good = parse_until_one_of(parser, ends, &node->fourth);
    parser->n_loops--;
    if (good && parser_skip(parser, TOKEN_NAME, "else"))
        return parse_until(parser, "endfor", &node->fifth);
    parser->token += good;
    return good && end_block(parser);
}

static bool parse_for(struct parser *parser, struct node *node) {
    node->kind = NODE_FOR;
    if (!(node->first = parse_target(parser, false)) || !parser_expect(parser, TOKEN_NAME, "in") ||
        !(node->second = parse_tuple(parser, false)))
        return false;
    if (parser_skip(parser, TOKEN_NAME, "if") && !(node->third = parse_expression(parser)))
        return false;
    if (parser_at(parser, TOKEN_NAME, "recursive"))
        return parser_refuse(parser, "the end of the tag (recursive loops are not supported)") != NULL;
    return parse_loop_body(parser, node);
}

static bool parse_set(struct parser *parser, struct node *node) {
    if (!(node->first = parse_target(parser, true)))
        return false;
    if (parser_skip(parser, TOKEN_OPERATOR, "=")) {
        node->kind = NODE_SET;
        return (node->second = parse_tuple(parser, true)) && end_block(parser);
    }
    node->kind = NODE_SET_BLOCK;
    return (node->second = parse_filters(parser, true)) && parse_until(parser, "endset", &node->third);
}

/* A body that no break can leave. */
static bool parse_closed(struct parser *parser, const char *end, struct node **body) {
    unsigned n_loops = parser->n_loops;
    parser->n_loops = 0;
    bool good = parse_until(parser, end, body);
    parser->n_loops = n_loops;
    return good;
}

static bool parse_macro(struct parser *parser, struct node *node) {
    bool good;
    node->kind = NODE_MACRO;
    node->name = parser_text(parser);
    if (!parser_expect(parser, TOKEN_NAME, NULL))
        return false;
    node->first = parse_parameters(parser, &good);
    return good && parse_closed(parser, "endmacro", &node->second);
}

static bool parse_with(struct parser *parser, struct node *node) {
    node->kind = NODE_WITH;
    for (struct node **end = &node->first; parser->token->kind != TOKEN_END_BLOCK; end = &(*end)->next) {
        if (node->first && !parser_expect(parser, TOKEN_OPERATOR, ","))
            return false;
        struct node *set = *end = node_new(parser, NODE_SET);
        if (!set || !(set->first = node_new(parser, NODE_NAME)))
            return false;
        set->first->name = parser_text(parser);
        if (!parser_expect(parser, TOKEN_NAME, NULL) || !parser_expect(parser, TOKEN_OPERATOR, "=") ||
            !(set->second = parse_expression(parser)))
            return false;
    }
    return parse_until(parser, "endwith", &node->second);
}

static bool parse_filter_block(struct parser *parser, struct node *node) {
    node->kind = NODE_FILTER_BLOCK;
    return (node->first = parse_filters(parser, false)) && parse_until(parser, "endfilter", &node->second);
}

static bool parse_generation(struct parser *parser, struct node *node) {
    node->kind = NODE_SCOPE;
    return parse_closed(parser, "endgeneration", &node->first);
}

static bool parse_jump(struct parser *parser, struct node *node, enum node_kind kind) {
    node->kind = kind;
    if (parser->n_loops == 0)
        return parser_refuse(parser, "a loop around a break or continue") != NULL;
    return end_block(parser);
}

static bool parse_break(struct parser *parser, struct node *node) {
    return parse_jump(parser, node, NODE_BREAK);
}

static bool parse_continue(struct parser *parser, struct node *node) {
    return parse_jump(parser, node, NODE_CONTINUE);
}

static const struct tag {
    const char *name;
    bool (*parse)(struct parser *parser, struct node *node);
} tags[] = {
    {"if", parse_if},
    {"for", parse_for},
    {"set", parse_set},
    {"macro", parse_macro},
    {"with", parse_with},
    {"filter", parse_filter_block},
    {"generation", parse_generation},
    {"break", parse_break},
    {"continue", parse_continue},
};

/* Behind {%, at a tag's name. */
static struct node *parse_tag(struct parser *parser) {
    struct node *node = node_new(parser, NODE_SCOPE);
    for (size_t i = 0; node && i < sizeof tags / sizeof *tags; i++)
        if (parser_skip(parser, TOKEN_NAME, tags[i].name))
            return tags[i].parse(parser, node) ? node : NULL;
    return node ? parser_refuse(parser, "a tag that is supported") : NULL;
}

static struct node *parse_output(struct parser *parser) {
    struct node *node = node_new(parser, NODE_OUTPUT);
    if (!node || !(node->first = parse_tuple(parser, true)))
        return NULL;
    return parser_expect(parser, TOKEN_END_OUTPUT, NULL) ? node : NULL;
}

static struct node *parse_data(struct parser *parser) {
    struct node *node = node_new(parser, NODE_DATA);
    if (node) {
        node->name = parser_text(parser);
        parser->token++;
    }
    return node;
}

static struct node *parse_statement(struct parser *parser) {
    switch (parser->token->kind) {
    case TOKEN_DATA:
        return parse_data(parser);
    case TOKEN_BEGIN_OUTPUT:
        parser->token++;
        return parse_output(parser);
    default: /* only {% is left, between tags */
        parser->token++;
        return parse_tag(parser);
    }
}

static bool at_one_of(const struct parser *parser, const char *const *names) {
    struct parser behind = *parser;
    behind.token++;
    for (; parser->token->kind == TOKEN_BEGIN_BLOCK && *names; names++)
        if (parser_at(&behind, TOKEN_NAME, *names))
            return true;
    return false;
}

/* Statements up to {% and one of the names `ends`, at whose name it stops; with none, up to the end. */
static bool parse_body(struct parser *parser, const char *const *ends, struct node **body) {
    parser->engine->offset = parser->token->offset;
    if (!engine_enter(parser->engine))
        return false;
    for (; !at_one_of(parser, ends); body = &(*body)->next) {
        if (parser->token->kind == TOKEN_END) {
            engine_leave(parser->engine);
            return !*ends || parser_refuse(parser, *ends) != NULL;
        }
        if (!(*body = parse_statement(parser)))
            return false;
    }
    parser->token++;
    engine_leave(parser->engine);
    return true;
}

struct node *parse_template(struct parser *parser, bool *good) {
    static const char *const none[] = {NULL};
    struct node *body = NULL;
    *good = parse_body(parser, none, &body);
    return body;
}
