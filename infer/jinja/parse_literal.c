/* Strings, numbers, and names, some of which are constants. */
#include "infer/jinja/parser.h"

#include <errno.h>
#include <stdlib.h>

/* The value of `n` digits at `at`. */
static bool read_digits(struct text text, size_t at, size_t n, unsigned base, uint32_t *code) {
    *code = 0;
    for (size_t i = 0; i < n; i++) {
        char c = at + i < text.size ? text.bytes[at + i] : ' ', lower = (char)(c | 0x20);
        unsigned digit = c >= '0' && c <= '9'           ? (unsigned)(c - '0')
                         : lower >= 'a' && lower <= 'f' ? (unsigned)(lower - 'a') + 10
                                                        : 16;
        if (digit >= base)
            return false;
        *code = *code * base + digit;
    }
    return true;
}

/* \xhh, \uhhhh and \Uhhhhhhhh. *size counts the letter and its digits. */
static bool read_code(struct text text, size_t at, uint32_t *code, size_t *size) {
    char letter = text.bytes[at];
    size_t n = letter == 'x' ? 2 : letter == 'u' ? 4 : 8;
    *size = 1 + n;
    return read_digits(text, at + 1, n, 16, code) && *code <= 0x10ffff && (*code < 0xd800 || *code > 0xdfff);
}

static size_t octal_digits(struct text text, size_t at) {
    size_t n = 0;
    while (n < 3 && at + n < text.size && text.bytes[at + n] >= '0' && text.bytes[at + n] <= '7')
        n++;
    return n;
}

/* What stands behind a backslash at `at`. */
static bool build_escape(struct parser *parser, struct builder *to, struct text text, size_t at,
                         size_t *size) {
    static const char letters[] = "\\\\''\"\"n\nt\tr\ra\ab\bf\fv\v"; /* pairs */
    char c = text.bytes[at];
    uint32_t code;
    size_t n_octal = octal_digits(text, at);
    *size = 1;
    if (c == '\n')
        return true;
    if (n_octal > 0) {
        *size = n_octal;
        return read_digits(text, at, n_octal, 8, &code) && build_char(parser->engine, to, code, false);
    }
    if (strchr("xuU", c))
        return read_code(text, at, &code, size) ? build_char(parser->engine, to, code, false)
                                                : refuse(parser->engine, "an escape of no character");
    if (c == 'N' || (unsigned char)c >= 0x80)
        return refuse(parser->engine, "an escape that is not supported");
    for (const char *pair = letters; *pair; pair += 2)
        if (*pair == c)
            return build_bytes(parser->engine, to, pair + 1, 1, false);
    return build_literal(parser->engine, to, "\\") && build_bytes(parser->engine, to, &c, 1, false);
}

/* The token's text without its quotes, escapes undone. */
static bool build_string(struct parser *parser, struct builder *to) {
    struct text text = parser_text(parser);
    text = text_part(text, 1, text.size - 1);
    for (size_t at = 0; at < text.size;) {
        size_t plain = at, size;
        while (plain < text.size && text.bytes[plain] != '\\')
            plain++;
        if (!build(parser->engine, to, text_part(text, at, plain)))
            return false;
        at = plain;
        if (at == text.size)
            break;
        parser->engine->offset = parser->token->offset + 1 + at;
        if (!build_escape(parser, to, text, at + 1, &size))
            return false;
        at += 1 + size;
    }
    return true;
}

/* Strings one behind the other are one. */
struct node *parse_string(struct parser *parser) {
    struct node *node = node_new(parser, NODE_LITERAL);
    struct builder joined = {0};
    for (; node && parser->token->kind == TOKEN_STRING; parser->token++)
        if (!build_string(parser, &joined))
            return NULL;
    if (node)
        node->literal = value_text(built(&joined));
    return node;
}

struct node *parse_number(struct parser *parser) {
    struct node *node = node_new(parser, NODE_LITERAL);
    struct text text = parser_text(parser);
    char digits[64];
    if (node && text.size >= sizeof digits)
        return parser_refuse(parser, "a shorter number");
    if (!node)
        return NULL;
    memcpy(digits, text.bytes, text.size);
    digits[text.size] = '\0';
    errno = 0;
    node->literal = parser->token->kind == TOKEN_INTEGER ? value_integer(strtoll(digits, NULL, 10))
                                                         : value_real(strtod(digits, NULL));
    if (node->literal.kind == VALUE_INTEGER && errno)
        return parser_refuse(parser, "a number of 64 bits");
    parser->token++;
    return node;
}

struct node *parse_name(struct parser *parser) {
    static const struct {
        const char *name;
        struct value value;
    } constants[] = {
        {"true", {.kind = VALUE_BOOLEAN, .boolean = true}},
        {"True", {.kind = VALUE_BOOLEAN, .boolean = true}},
        {"false", {.kind = VALUE_BOOLEAN}},
        {"False", {.kind = VALUE_BOOLEAN}},
        {"none", {.kind = VALUE_NONE}},
        {"None", {.kind = VALUE_NONE}},
    };
    struct node *node = node_new(parser, NODE_NAME);
    if (!node)
        return NULL;
    node->name = parser_text(parser);
    parser->token++;
    for (size_t i = 0; i < sizeof constants / sizeof *constants; i++)
        if (text_is(node->name, constants[i].name)) {
            node->kind = NODE_LITERAL;
            node->literal = constants[i].value;
        }
    return node;
}
