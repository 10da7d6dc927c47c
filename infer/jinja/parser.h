/* Tokens to nodes, by Jinja's own grammar with its quirks (filters bind tighter than operators, `**` groups
 * to the left). All return NULL with a sentence. */
#ifndef INFER_JINJA_PARSER_H
#define INFER_JINJA_PARSER_H

#include "infer/jinja/lexer.h"
#include "infer/jinja/node.h"

struct parser {
    struct engine *engine;
    const struct token *token; /* the next one */
    unsigned n_loops; /* that a break could leave */
};

struct node *node_new(struct parser *parser, enum node_kind kind);

/* The next token's text; whether it is that name or operator; the same, going over it where it is. */
struct text parser_text(const struct parser *parser);
bool parser_at(const struct parser *parser, enum token_kind kind, const char *text);
bool parser_skip(struct parser *parser, enum token_kind kind, const char *text);
/* Goes over what must come, of any text where that is NULL. */
bool parser_expect(struct parser *parser, enum token_kind kind, const char *text);
void *parser_refuse(struct parser *parser, const char *expected); /* "expected ..., found ..." */

/* Of the token that is there: strings one behind the other are one; a name may be a constant. */
struct node *parse_string(struct parser *parser);
struct node *parse_number(struct parser *parser);
struct node *parse_name(struct parser *parser);

struct node *parse_expression(struct parser *parser);
/* An expression, or several with commas between; `conditional` as in `x if y else z`. */
struct node *parse_tuple(struct parser *parser, bool conditional);
/* Filters behind a block's name, over NODE_BODY. */
struct node *parse_filters(struct parser *parser, bool pipe_first);
/* A name, names with commas between, or, where `members` may be set, NAMESPACE.NAME. */
struct node *parse_target(struct parser *parser, bool members);
/* (a, b=1) of a macro, as NODE_KEYWORD. *good tells an empty list from failure. */
struct node *parse_parameters(struct parser *parser, bool *good);

/* A whole template; *good tells an empty one from failure. */
struct node *parse_template(struct parser *parser, bool *good);

#endif
