#include "infer/jinja/lexer.h"

struct lexer {
    struct engine *engine;
    const char *source;
    size_t size, at;
    bool line_starts; /* what was read last ended a line */
    struct token *tokens;
    size_t count, capacity;
};

static bool refuse_at(struct lexer *lexer, size_t offset, const char *sentence) {
    lexer->engine->offset = offset;
    return refuse(lexer->engine, "%s", sentence);
}

static bool add(struct lexer *lexer, enum token_kind kind, size_t from, size_t to) {
    struct token *tokens =
        engine_grow(lexer->engine, lexer->tokens, lexer->count, &lexer->capacity, sizeof *lexer->tokens);
    if (!tokens)
        return false;
    lexer->tokens = tokens;
    lexer->tokens[lexer->count++] = (struct token){kind, (uint32_t)from, (uint32_t)(to - from)};
    return true;
}

static struct text rest(const struct lexer *lexer) {
    return text_of(lexer->source + lexer->at, lexer->size - lexer->at);
}

static bool looking_at(const struct lexer *lexer, const char *what) {
    return text_starts(rest(lexer), text_of(what, strlen(what)));
}

static void skip_space(struct lexer *lexer) {
    struct text left = text_strip(rest(lexer), NULL, SIDE_LEFT);
    lexer->at = lexer->size - left.size;
}

static void note_line_start(struct lexer *lexer) {
    lexer->line_starts = lexer->at > 0 && lexer->source[lexer->at - 1] == '\n';
}

/* ---- Between tags ---- */

/* The end of text before a tag, with the tag's mark: - takes all white space away, + none, and neither,
 * before a block or comment, what stands between the line's start and the tag. */
static size_t data_end(const struct lexer *lexer, size_t from, size_t to, char mark, bool is_output) {
    struct text text = text_of(lexer->source + from, to - from);
    if (mark == '-')
        return from + text_strip(text, NULL, SIDE_RIGHT).size;
    if (mark == '+' || is_output)
        return to;
    size_t line = to;
    while (line > from && lexer->source[line - 1] != '\n')
        line--;
    bool at_start = line > from || lexer->line_starts;
    struct text indent = text_of(lexer->source + line, to - line);
    return at_start && text_strip(indent, NULL, SIDE_LEFT).size == 0 ? line : to;
}

static bool add_data(struct lexer *lexer, size_t from, size_t to) {
    return from == to || add(lexer, TOKEN_DATA, from, to);
}

static char take_mark(struct lexer *lexer) {
    char c = lexer->at < lexer->size ? lexer->source[lexer->at] : '\0';
    bool is_mark = c == '-' || c == '+';
    lexer->at += is_mark;
    return is_mark ? c : '\0';
}

/* Behind the mark at a tag's end: goes over `end` and the white space that the mark or trim_blocks takes. */
static void close_tag(struct lexer *lexer, char mark, bool trims) {
    lexer->at += 2;
    if (mark == '-')
        skip_space(lexer);
    else if (mark != '+' && trims && looking_at(lexer, "\n"))
        lexer->at++;
    note_line_start(lexer);
}

/* At `end`, or at a mark before it. */
static bool take_tag_end(struct lexer *lexer, const char *end, bool trims) {
    size_t start = lexer->at;
    char mark = take_mark(lexer);
    if (looking_at(lexer, end) && (trims || mark != '+')) {
        close_tag(lexer, mark, trims);
        return true;
    }
    lexer->at = start;
    return false;
}

static bool skip_comment(struct lexer *lexer, size_t start) {
    while (lexer->at < lexer->size)
        if (take_tag_end(lexer, "#}", true))
            return true;
        else
            lexer->at++;
    return refuse_at(lexer, start, "a comment has no end");
}

/* Goes over "NAME" and the end of its tag. */
static bool take_bare_tag(struct lexer *lexer, const char *name, bool trims) {
    size_t start = lexer->at;
    skip_space(lexer);
    if (looking_at(lexer, name)) {
        lexer->at += strlen(name);
        skip_space(lexer);
        if (take_tag_end(lexer, "%}", trims))
            return true;
    }
    lexer->at = start;
    return false;
}

/* Behind {% raw %}. */
static bool add_raw(struct lexer *lexer, size_t start) {
    size_t from = lexer->at;
    for (; lexer->at < lexer->size; lexer->at++) {
        size_t to = lexer->at;
        if (!looking_at(lexer, "{%"))
            continue;
        lexer->at += 2;
        size_t end = data_end(lexer, from, to, take_mark(lexer), false);
        if (take_bare_tag(lexer, "endraw", true))
            return add_data(lexer, from, end);
        lexer->at = to;
    }
    return refuse_at(lexer, start, "{% raw %} has no {% endraw %}");
}

static bool is_tag(const struct lexer *lexer) {
    return looking_at(lexer, "{%") || looking_at(lexer, "{{") || looking_at(lexer, "{#");
}

/* Text up to the next tag, and what begins that tag. *inside says which tokens come next. */
static bool lex_data(struct lexer *lexer, enum token_kind *inside) {
    size_t from = lexer->at;
    while (lexer->at < lexer->size && !is_tag(lexer))
        lexer->at++;
    size_t to = lexer->at;
    *inside = TOKEN_DATA;
    if (to == lexer->size)
        return add_data(lexer, from, to);
    char opening = lexer->source[to + 1];
    lexer->at += 2;
    char mark = take_mark(lexer);
    if (!add_data(lexer, from, data_end(lexer, from, to, mark, opening == '{')))
        return false;
    lexer->line_starts = false;
    if (opening == '#')
        return skip_comment(lexer, to);
    if (opening == '%' && take_bare_tag(lexer, "raw", false))
        return add_raw(lexer, to);
    *inside = opening == '{' ? TOKEN_BEGIN_OUTPUT : TOKEN_BEGIN_BLOCK;
    return add(lexer, *inside, to, lexer->at);
}

/* ---- Within tags ---- */

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

static bool is_word(char c) {
    return is_digit(c) || c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static char char_at(const struct lexer *lexer, size_t at) {
    return at < lexer->size ? lexer->source[at] : '\0';
}

static size_t digits_end(const struct lexer *lexer, size_t at) {
    while (is_digit(char_at(lexer, at)))
        at++;
    return at;
}

/* 1, 1.5, 1e5, 1.5e-5. */
static bool lex_number(struct lexer *lexer) {
    size_t from = lexer->at, end = digits_end(lexer, from), fraction, exponent;
    enum token_kind kind = TOKEN_INTEGER;
    bool after_dot = from > 0 && lexer->source[from - 1] == '.';
    if (!after_dot && char_at(lexer, end) == '.' && (fraction = digits_end(lexer, end + 1)) > end + 1) {
        end = fraction;
        kind = TOKEN_REAL;
    }
    if (!after_dot && (char_at(lexer, end) | 0x20) == 'e') {
        char sign = char_at(lexer, end + 1);
        size_t digits = end + 1 + (sign == '-' || sign == '+');
        if ((exponent = digits_end(lexer, digits)) > digits) {
            end = exponent;
            kind = TOKEN_REAL;
        }
    }
    bool leading_zero = kind == TOKEN_INTEGER && end - from > 1 && lexer->source[from] == '0';
    if (leading_zero || is_word(char_at(lexer, end)))
        return refuse_at(lexer, from, "only decimal numbers are supported");
    lexer->at = end;
    return add(lexer, kind, from, end);
}

static bool lex_string(struct lexer *lexer) {
    size_t from = lexer->at;
    char quote = lexer->source[lexer->at++];
    while (lexer->at < lexer->size && lexer->source[lexer->at] != quote)
        lexer->at += lexer->source[lexer->at] == '\\' ? 2 : 1;
    if (lexer->at >= lexer->size)
        return refuse_at(lexer, from, "a string has no end");
    return add(lexer, TOKEN_STRING, from, ++lexer->at);
}

static bool lex_name(struct lexer *lexer) {
    size_t from = lexer->at;
    while (is_word(char_at(lexer, lexer->at)))
        lexer->at++;
    return add(lexer, TOKEN_NAME, from, lexer->at);
}

static bool lex_operator(struct lexer *lexer) {
    static const char *const operators[] = {"//", "**", "==", "!=", ">=", "<=", "+", "-", "/",
                                            "*",  "%",  "~",  "[",  "]",  "(",  ")", "{", "}",
                                            ">",  "<",  "=",  ".",  ":",  "|",  ",", ";"};
    for (size_t i = 0; i < sizeof operators / sizeof *operators; i++)
        if (looking_at(lexer, operators[i])) {
            size_t from = lexer->at;
            lexer->at += strlen(operators[i]);
            return add(lexer, TOKEN_OPERATOR, from, lexer->at);
        }
    return refuse_at(lexer, lexer->at, "a character that templates don't know");
}

/* How an operator changes how deep in brackets we are; }} in them ends no tag. */
static int bracket(const struct lexer *lexer) {
    const struct token *last = &lexer->tokens[lexer->count - 1];
    char c = lexer->source[last->offset];
    if (last->kind != TOKEN_OPERATOR)
        return 0;
    return c && strchr("([{", c) ? 1 : c && strchr(")]}", c) ? -1 : 0;
}

static bool lex_code(struct lexer *lexer) {
    char c = lexer->source[lexer->at];
    if (is_digit(c))
        return lex_number(lexer);
    if (c == '"' || c == '\'')
        return lex_string(lexer);
    return is_word(c) ? lex_name(lexer) : lex_operator(lexer);
}

static bool lex_tag(struct lexer *lexer, enum token_kind begin) {
    bool is_block = begin == TOKEN_BEGIN_BLOCK;
    size_t tag = lexer->at;
    for (int depth = 0;;) {
        skip_space(lexer);
        size_t start = lexer->at;
        if (depth == 0 && take_tag_end(lexer, is_block ? "%}" : "}}", is_block))
            return add(lexer, begin + 1, start, lexer->at);
        if (lexer->at == lexer->size)
            return refuse_at(lexer, tag, "a tag has no end");
        if (!lex_code(lexer))
            return false;
        depth += bracket(lexer);
        if (depth < 0)
            return refuse_at(lexer, start, "a bracket that nothing opened");
    }
}

struct token *lex(struct engine *engine) {
    struct lexer lexer = {.engine = engine,
                          .source = engine->template->source,
                          .size = engine->template->size,
                          .line_starts = true};
    while (lexer.at < lexer.size) {
        enum token_kind inside;
        if (!lex_data(&lexer, &inside) || (inside != TOKEN_DATA && !lex_tag(&lexer, inside)))
            return NULL;
    }
    return add(&lexer, TOKEN_END, lexer.size, lexer.size) ? lexer.tokens : NULL;
}
