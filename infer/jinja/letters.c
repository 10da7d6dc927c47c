#include "infer/jinja/letters.h"

#include "infer/jinja/engine.h"

#include <utf8proc.h>

/* Characters whose other case is several characters, or one that depends on what is around it (Unicode's
 * SpecialCasing.txt), and those that have a title case of their own. */
static bool has_special_case(uint32_t code) {
    static const uint32_t ranges[][2] = {
        {0xdf, 0xdf},     {0x130, 0x130},   {0x149, 0x149},   {0x1c4, 0x1cc},   {0x1f0, 0x1f3},
        {0x345, 0x345},   {0x390, 0x390},   {0x3a3, 0x3a3},   {0x3b0, 0x3b0},   {0x587, 0x587},
        {0x10d0, 0x10ff}, {0x1e96, 0x1e9e}, {0x1f50, 0x1f56}, {0x1f80, 0x1fff}, {0xfb00, 0xfb17}};
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++)
        if (code >= ranges[i][0] && code <= ranges[i][1])
            return true;
    return false;
}

static uint32_t upper(uint32_t code) {
    return (uint32_t)utf8proc_toupper((utf8proc_int32_t)code);
}

static uint32_t lower(uint32_t code) {
    return (uint32_t)utf8proc_tolower((utf8proc_int32_t)code);
}

static bool has_case(uint32_t code) {
    return upper(code) != code || lower(code) != code;
}

static bool ends_word(uint32_t code, enum letter_case letter_case) {
    if (letter_case == CASE_TITLE)
        return !has_case(code);
    return letter_case == CASE_TITLE_FILTER &&
           (is_space(code) || (code < 0x80 && strchr("-({[<", (int)code)));
}

bool change_case(struct engine *engine, struct text text, enum letter_case letter_case, struct value *to) {
    struct builder builder = {0};
    bool starts = true;
    if (text.safe)
        return refuse(engine, "changing the case of a text marked safe is not supported");
    for (size_t at = 0, size; at < text.size; at += size) {
        uint32_t code = text_char(text, at, &size);
        if (has_special_case(code))
            return refuse(engine, "changing the case of '%.*s' is not supported", (int)size, text.bytes + at);
        bool raised = letter_case == CASE_UPPER || (letter_case != CASE_LOWER && starts);
        if (!build_char(engine, &builder, raised ? upper(code) : lower(code), text_is_outside(text, at)))
            return false;
        starts = ends_word(code, letter_case);
    }
    return give_text(&builder, to);
}

/* ---- Kinds ---- */

static bool is_letter(uint32_t code) {
    utf8proc_category_t category = utf8proc_category((utf8proc_int32_t)code);
    return category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_LO;
}

static bool is_digit(uint32_t code) {
    return utf8proc_category((utf8proc_int32_t)code) == UTF8PROC_CATEGORY_ND;
}

static bool is_letter_or_digit(uint32_t code) {
    return is_letter(code) || is_digit(code);
}

static bool is_upper(uint32_t code) {
    return lower(code) != code;
}

static bool is_lower(uint32_t code) {
    return upper(code) != code;
}

static bool any(uint32_t code) {
    (void)code;
    return true;
}

bool text_is_all(struct text text, enum letter_kind kind) {
    static const struct {
        bool (*asked)(uint32_t); /* which characters count */
        bool (*is)(uint32_t);
    } kinds[] = {
        [LETTERS_DIGIT] = {any, is_digit},           [LETTERS_ALPHA] = {any, is_letter},
        [LETTERS_ALNUM] = {any, is_letter_or_digit}, [LETTERS_SPACE] = {any, is_space},
        [LETTERS_UPPER] = {has_case, is_upper},      [LETTERS_LOWER] = {has_case, is_lower},
    };
    bool some = false;
    for (size_t at = 0, size; at < text.size; at += size) {
        uint32_t code = text_char(text, at, &size);
        bool asked = kinds[kind].asked(code);
        if (asked && !kinds[kind].is(code))
            return false;
        some |= asked;
    }
    return some;
}
