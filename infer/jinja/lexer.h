/* A template's text as tokens, white space between tags and text already as trim_blocks, lstrip_blocks and
 * the marks -, + ask. */
#ifndef INFER_JINJA_LEXER_H
#define INFER_JINJA_LEXER_H

#include "infer/jinja/engine.h"

enum token_kind {
    TOKEN_DATA, /* text between tags */
    TOKEN_BEGIN_BLOCK, /* {% */
    TOKEN_END_BLOCK,
    TOKEN_BEGIN_OUTPUT, /* {{ */
    TOKEN_END_OUTPUT,
    TOKEN_NAME,
    TOKEN_STRING, /* with its quotes */
    TOKEN_INTEGER,
    TOKEN_REAL,
    TOKEN_OPERATOR,
    TOKEN_END,
};

struct token {
    enum token_kind kind;
    uint32_t offset, size; /* in the template's source */
};

/* Ends with TOKEN_END. NULL with a sentence. */
struct token *lex(struct engine *engine);

#endif
