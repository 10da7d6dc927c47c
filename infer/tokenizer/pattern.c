#include "infer/tokenizer/pattern.h"

#include "infer/utf8.h"

#include <string.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#define PATTERN_LIMIT 65536u /* bytes of a pattern */
#define MATCH_STEPS 50000000u /* of one match */
#define MATCH_MEMORY_KIB 262144u /* where PCRE2 has no compiler for this machine */
#define JIT_STACK_BYTES (64u << 20)

struct pattern {
    pcre2_code *code;
    char *text;
    const char *name;
};

struct pattern_scratch {
    pcre2_match_context *context;
    pcre2_match_data *data;
    pcre2_jit_stack *stack;
};

/* ---- From Oniguruma to PCRE2 ---- */

struct translation {
    const char *text;
    size_t size, at;
    const char *trouble; /* what is not supported, at `at` */
    bool caseless; /* within (?i: */
    struct buffer *to;
    struct error *error;
};

static bool refuse(struct translation *t, const char *trouble) {
    t->trouble = trouble;
    return false;
}

static bool starts(const struct translation *t, const char *prefix) {
    size_t length = strlen(prefix);
    return t->size - t->at >= length && memcmp(t->text + t->at, prefix, length) == 0;
}

static bool copy(struct translation *t, size_t length) {
    if (!buffer_append(t->to, t->text + t->at, length, t->error))
        return false;
    t->at += length;
    return true;
}

static bool is_one_of(char c, const char *set) {
    return c != '\0' && strchr(set, c);
}

static size_t hex_run(const struct translation *t, size_t from) {
    size_t i = from;
    while (i < t->size && is_one_of(t->text[i], "0123456789abcdefABCDEF"))
        i++;
    return i - from;
}

/* \p{Lu}, \P{L}, \p{^N}: general categories alone; scripts and other properties differ between the two. */
static bool translate_property(struct translation *t) {
    size_t i = t->at + 2;
    if (t->caseless) /* is a small letter \p{Lu} there? */
        return refuse(t, "a property within (?i:");
    if (i >= t->size || t->text[i] != '{')
        return refuse(t, "a property");
    i += i + 1 < t->size && t->text[i + 1] == '^' ? 2 : 1;
    size_t letters = 0;
    while (i + letters < t->size && t->text[i + letters] != '}')
        letters++;
    if (i + letters >= t->size || letters < 1 || letters > 2 || !is_one_of(t->text[i], "LMNPSZC"))
        return refuse(t, "a property other than a general category");
    return copy(t, i + letters + 1 - t->at);
}

/* \uHHHH and \x{H...} */
static bool translate_code(struct translation *t) {
    bool braces = starts(t, "\\x{");
    size_t from = t->at + (braces ? 3 : 2), digits = hex_run(t, from);
    if (braces ? digits < 1 || digits > 6 || from + digits >= t->size || t->text[from + digits] != '}'
               : t->text[t->at + 1] != 'u' || digits < 4)
        return refuse(t, "a character by number");
    digits = braces ? digits : 4;
    if (!buffer_printf(t->to, t->error, "\\x{%.*s}", (int)digits, t->text + from))
        return false;
    t->at = from + digits + (braces ? 1 : 0);
    return true;
}

static bool translate_escape(struct translation *t) {
    if (t->at + 1 >= t->size)
        return refuse(t, "a backslash at the end");
    char c = t->text[t->at + 1];
    if (is_one_of(c, "pP"))
        return translate_property(t);
    if (is_one_of(c, "ux"))
        return translate_code(t);
    bool letter = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
    if ((letter && !is_one_of(c, "sSdDrntfv")) || (uint8_t)c >= 0x80)
        return refuse(t, "an escape");
    /* Oniguruma's \v is the one character, PCRE2's any vertical space. */
    if (c == 'v') {
        t->at += 2;
        return buffer_append(t->to, "\\x{0b}", 6, t->error);
    }
    return copy(t, 2);
}

static bool translate_class(struct translation *t) {
    size_t opened = t->at;
    if (!copy(t, starts(t, "[^") ? 2 : 1))
        return false;
    if (t->at < t->size && t->text[t->at] == ']')
        return refuse(t, "an empty class");
    while (t->at < t->size && t->text[t->at] != ']') {
        if (t->text[t->at] == '[')
            return refuse(t, "a class within a class");
        if (starts(t, "&&"))
            return refuse(t, "an intersection of classes");
        if (!(t->text[t->at] == '\\' ? translate_escape(t) : copy(t, 1)))
            return false;
    }
    if (t->at == t->size) {
        t->at = opened;
        return refuse(t, "a class without an end");
    }
    return copy(t, 1);
}

static bool translate_group(struct translation *t) {
    static const char *const openings[] = {"(?:", "(?i:", "(?=", "(?!", "(?<=", "(?<!", "(?>"};
    if (t->caseless)
        return refuse(t, "a group within (?i:");
    t->caseless = starts(t, "(?i:");
    if (!starts(t, "(?"))
        return copy(t, 1);
    for (size_t i = 0; i < sizeof openings / sizeof *openings; i++)
        if (starts(t, openings[i]))
            return copy(t, strlen(openings[i]));
    return refuse(t, "a group");
}

/* {n}, {n,} and {n,m}; lazy and possessive forms mean other things in Ruby's syntax. */
static bool translate_braces(struct translation *t) {
    static const char digits[] = "0123456789";
    size_t i = t->at + 1, first = i;
    while (i < t->size && is_one_of(t->text[i], digits))
        i++;
    bool good = i > first;
    if (i < t->size && t->text[i] == ',')
        for (i++; i < t->size && is_one_of(t->text[i], digits);)
            i++;
    good = good && i < t->size && t->text[i] == '}';
    if (!good || (i + 1 < t->size && is_one_of(t->text[i + 1], "?+*{")))
        return refuse(t, "a repetition");
    return copy(t, i + 1 - t->at);
}

static bool translate_quantifier(struct translation *t) {
    size_t length = t->at + 1 < t->size && is_one_of(t->text[t->at + 1], "?+") ? 2 : 1;
    if (t->at + length < t->size && is_one_of(t->text[t->at + length], "?+*{"))
        return refuse(t, "a repetition of a repetition");
    return copy(t, length);
}

static bool translate_one(struct translation *t) {
    switch (t->text[t->at]) {
    case '\\':
        return translate_escape(t);
    case '[':
        return translate_class(t);
    case '(':
        return translate_group(t);
    case ')':
        t->caseless = false;
        return copy(t, 1);
    case '{':
        return translate_braces(t);
    case '*':
    case '+':
    case '?':
        return translate_quantifier(t);
    case '^':
    case '$':
        return refuse(t, "an anchor");
    case '\0':
        return refuse(t, "a NUL");
    default:
        return copy(t, 1);
    }
}

static bool translate(const char *name, const char *text, size_t size, struct buffer *to,
                      struct error *error) {
    struct translation t = {.text = text, .size = size, .to = to, .error = error};
    while (t.at < size)
        if (!translate_one(&t))
            return t.trouble ? fail(error, "%s: the pattern '%s' has %s at byte %zu, which is not supported",
                                    name, text, t.trouble, t.at)
                             : false;
    return true;
}

/* ---- PCRE2 ---- */

static void *pattern_alloc(size_t size, void *unused) {
    (void)unused;
    return memory_alloc(size);
}

static void pattern_release(void *memory, void *unused) {
    (void)unused;
    memory_free(memory);
}

static bool compile(struct pattern *pattern, const char *text, size_t size, uint32_t options,
                    pcre2_compile_context *context, struct error *error) {
    int trouble;
    PCRE2_SIZE place;
    pattern->code = pcre2_compile((PCRE2_SPTR)text, size, PCRE2_UTF | options, &trouble, &place, context);
    if (!pattern->code) {
        PCRE2_UCHAR words[256];
        pcre2_get_error_message(trouble, words, sizeof words);
        return fail(error, "%s: the pattern '%s' does not compile: %s at byte %zu", pattern->name,
                    pattern->text, (const char *)words, (size_t)place);
    }
    pcre2_jit_compile(pattern->code, PCRE2_JIT_COMPLETE); /* where it fails, the interpreter serves */
    return true;
}

static bool compile_text(struct pattern *pattern, size_t size, bool literal, struct error *error) {
    pcre2_general_context *general = pcre2_general_context_create(pattern_alloc, pattern_release, NULL);
    pcre2_compile_context *context = general ? pcre2_compile_context_create(general) : NULL;
    struct buffer translated = {0};
    bool good = false;
    if (!context)
        fail(error, "%s: no memory for a pattern of %zu bytes", pattern->name, size);
    else if (literal)
        good = compile(pattern, pattern->text, size, PCRE2_LITERAL, context, error);
    else if (translate(pattern->name, pattern->text, size, &translated, error)) {
        pcre2_set_newline(context, PCRE2_NEWLINE_LF); /* what . leaves out */
        good = compile(pattern, translated.data ? translated.data : "", translated.size, PCRE2_UCP, context,
                       error);
    }
    buffer_free(&translated);
    pcre2_compile_context_free(context);
    pcre2_general_context_free(general);
    return good;
}

struct pattern *pattern_new(const char *name, const char *text, size_t size, bool literal,
                            struct error *error) {
    if (size > PATTERN_LIMIT) {
        fail(error, "%s: a pattern of %zu bytes, the limit is %u", name, size, PATTERN_LIMIT);
        return NULL;
    }
    struct pattern *pattern = memory_alloc(sizeof *pattern + size + 1);
    if (!pattern) {
        fail(error, "%s: no memory for a pattern of %zu bytes", name, size);
        return NULL;
    }
    *pattern = (struct pattern){.text = (char *)(pattern + 1), .name = name};
    memcpy(pattern->text, text, size);
    pattern->text[size] = '\0';
    if (!compile_text(pattern, size, literal, error)) {
        pattern_free(pattern);
        return NULL;
    }
    return pattern;
}

void pattern_free(struct pattern *pattern) {
    if (pattern)
        pcre2_code_free(pattern->code);
    memory_free(pattern);
}

static bool scratch_init(struct pattern_scratch *scratch, pcre2_general_context *general) {
    scratch->context = pcre2_match_context_create(general);
    scratch->data = pcre2_match_data_create(1, general);
    if (!scratch->context || !scratch->data)
        return false;
    pcre2_set_match_limit(scratch->context, MATCH_STEPS);
    pcre2_set_heap_limit(scratch->context, MATCH_MEMORY_KIB);
    scratch->stack = pcre2_jit_stack_create(32768, JIT_STACK_BYTES, general);
    if (scratch->stack) /* without one, PCRE2 makes do with a small one */
        pcre2_jit_stack_assign(scratch->context, NULL, scratch->stack);
    return true;
}

struct pattern_scratch *pattern_scratch_new(struct error *error) {
    struct pattern_scratch *scratch = memory_alloc(sizeof *scratch);
    pcre2_general_context *general = pcre2_general_context_create(pattern_alloc, pattern_release, NULL);
    bool good = false;
    if (scratch && general) {
        *scratch = (struct pattern_scratch){0};
        good = scratch_init(scratch, general);
        if (!good)
            pattern_scratch_free(scratch);
    } else
        memory_free(scratch);
    pcre2_general_context_free(general);
    if (!good)
        fail(error, "no memory for matching patterns");
    return good ? scratch : NULL;
}

void pattern_scratch_free(struct pattern_scratch *scratch) {
    if (!scratch)
        return;
    pcre2_match_context_free(scratch->context);
    pcre2_match_data_free(scratch->data);
    pcre2_jit_stack_free(scratch->stack);
    memory_free(scratch);
}

/* The first match that begins at `from` or behind; *begin == size + 1 where there is none. */
static bool find(const struct pattern *pattern, const char *text, size_t size, size_t from,
                 struct pattern_scratch *scratch, size_t *begin, size_t *end, struct error *error) {
    int found = pcre2_match(pattern->code, (PCRE2_SPTR)text, size, from, PCRE2_NO_UTF_CHECK, scratch->data,
                            scratch->context);
    if (found == PCRE2_ERROR_NOMATCH) {
        *begin = *end = size + 1;
        return true;
    }
    if (found < 0) {
        PCRE2_UCHAR words[256];
        pcre2_get_error_message(found, words, sizeof words);
        return fail(error, "%s: the pattern '%s' gave up at byte %zu of a text of %zu: %s", pattern->name,
                    pattern->text, from, size, (const char *)words);
    }
    const PCRE2_SIZE *ends = pcre2_get_ovector_pointer(scratch->data);
    *begin = ends[0];
    *end = ends[1];
    return true;
}

bool pattern_each(const struct pattern *pattern, const char *text, size_t size,
                  struct pattern_scratch *scratch, match_fn *found, void *context, struct error *error) {
    size_t done = 0, from = 0, begin, end;
    bool matched = false;
    while (from <= size) {
        if (!find(pattern, text, size, from, scratch, &begin, &end, error))
            return false;
        if (begin > size)
            break;
        if (begin == end && matched && end == done) {
            uint32_t code;
            from += from < size ? utf8_next(text + from, &code) : 1;
            continue;
        }
        if ((begin > done && !found(context, done, begin, false)) || !found(context, begin, end, true))
            return false;
        done = from = end;
        matched = true;
    }
    return done == size || found(context, done, size, false);
}
