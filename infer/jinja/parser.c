#include "infer/jinja/parser.h"

#include "infer/utf8.h"

struct node *node_new(struct parser *parser, enum node_kind kind) {
    struct node *node = ENGINE_NEW(parser->engine, struct node);
    if (node) {
        node->kind = kind;
        node->offset = parser->token->offset;
    }
    return node;
}

struct text parser_text(const struct parser *parser) {
    return text_of(parser->engine->template->source + parser->token->offset, parser->token->size);
}

bool parser_at(const struct parser *parser, enum token_kind kind, const char *text) {
    return parser->token->kind == kind && text_is(parser_text(parser), text);
}

bool parser_skip(struct parser *parser, enum token_kind kind, const char *text) {
    bool there = parser_at(parser, kind, text);
    parser->token += there;
    return there;
}

static const char *kind_name(enum token_kind kind) {
    static const char *const names[] = {"text",
                                        "{%",
                                        "%}",
                                        "{{",
                                        "}}",
                                        "a name",
                                        "a string",
                                        "a number",
                                        "a number",
                                        "an operator",
                                        "the end of the template"};
    return names[kind];
}

void *parser_refuse(struct parser *parser, const char *expected) {
    struct text found = parser_text(parser);
    parser->engine->offset = parser->token->offset;
    if (found.size > 0 && found.size <= 40)
        refuse(parser->engine, "expected %s, found '%.*s'", expected, (int)found.size, found.bytes);
    else
        refuse(parser->engine, "expected %s, found %s", expected, kind_name(parser->token->kind));
    return NULL;
}

bool parser_expect(struct parser *parser, enum token_kind kind, const char *text) {
    bool there = text ? parser_at(parser, kind, text) : parser->token->kind == kind;
    if (!there)
        return parser_refuse(parser, text ? text : kind_name(kind)) != NULL;
    parser->token++;
    return true;
}

static bool normalize(struct engine *engine, const char *source, size_t size,
                      struct jinja_template *template) {
    char *copy = arena_alloc(engine->arena, size + 1, 1, engine->error), *to = copy;
    if (!copy)
        return false;
    for (size_t i = 0; i < size; i++)
        if (source[i] != '\r')
            *to++ = source[i];
        else if (i + 1 == size || source[i + 1] != '\n')
            *to++ = '\n';
    to -= to > copy && to[-1] == '\n';
    template->source = copy;
    template->size = (size_t)(to - copy);
    return true;
}

const struct jinja_template *jinja_parse(const char *name, const char *source, size_t size,
                                         struct arena *arena, struct error *error) {
    struct jinja_template *template = ARENA_NEW(arena, struct jinja_template, 1, error);
    struct engine engine = {.template = template, .arena = arena, .error = error};
    struct parser parser = {.engine = &engine};
    bool good = template && (template->name = arena_text(arena, name, strlen(name), error));
    if (good && size > JINJA_SIZE_LIMIT)
        good = fail(error, "%s: %zu bytes are more than the limit of %u", name, size, JINJA_SIZE_LIMIT);
    if (good && utf8_well_formed(source, size) < size)
        good = fail(error, "%s: byte %zu is not UTF-8", name, utf8_well_formed(source, size));
    good = good && normalize(&engine, source, size, template) && (parser.token = lex(&engine));
    if (good)
        template->body = parse_template(&parser, &good);
    return good ? template : NULL;
}
