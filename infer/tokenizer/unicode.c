#include "infer/tokenizer/unicode.h"

#include "infer/utf8.h"

#include <string.h>
#include <utf8proc.h>

/* Characters that came, or changed category, with Unicode 15 to 16, and an older one of the same general
 * category, script Han or not, and length in UTF-8. U+180E is here because PCRE2's \s takes it for white
 * space, which it ceased to be with Unicode 6.3. */
static const struct alike {
    uint32_t first, last, like;
} alikes[] = {
    {0x897, 0x897, 0x816},       {0xCF3, 0xCF3, 0x903},       {0xECE, 0xECE, 0x816},
    {0x180E, 0x180E, 0x200B},    {0x1B4E, 0x1B4F, 0x830},     {0x1B7F, 0x1B7F, 0x830},
    {0x1C89, 0x1C89, 0x10A0},    {0x1C8A, 0x1C8A, 0x10D0},    {0x2427, 0x2429, 0x9FA},
    {0x2FFC, 0x2FFF, 0x9FA},     {0x31E4, 0x31E5, 0x9FA},     {0x31EF, 0x31EF, 0x9FA},
    {0xA7CB, 0xA7CC, 0x10A0},    {0xA7CD, 0xA7CD, 0x10D0},    {0xA7DA, 0xA7DA, 0x10A0},
    {0xA7DB, 0xA7DB, 0x10D0},    {0xA7DC, 0xA7DC, 0x10A0},    {0x105C0, 0x105F3, 0x10000},
    {0x10D40, 0x10D49, 0x104A0}, {0x10D4A, 0x10D4D, 0x10000}, {0x10D4E, 0x10D4E, 0x10780},
    {0x10D4F, 0x10D4F, 0x10000}, {0x10D50, 0x10D65, 0x10400}, {0x10D69, 0x10D6D, 0x101FD},
    {0x10D6E, 0x10D6E, 0x10EAD}, {0x10D6F, 0x10D6F, 0x10780}, {0x10D70, 0x10D85, 0x10428},
    {0x10D8E, 0x10D8F, 0x1D6C1}, {0x10EC2, 0x10EC4, 0x10000}, {0x10EFC, 0x10EFF, 0x101FD},
    {0x1123F, 0x11240, 0x10000}, {0x11241, 0x11241, 0x101FD}, {0x11380, 0x11389, 0x10000},
    {0x1138B, 0x1138B, 0x10000}, {0x1138E, 0x1138E, 0x10000}, {0x11390, 0x113B5, 0x10000},
    {0x113B7, 0x113B7, 0x10000}, {0x113B8, 0x113BA, 0x11000}, {0x113BB, 0x113C0, 0x101FD},
    {0x113C2, 0x113C2, 0x11000}, {0x113C5, 0x113C5, 0x11000}, {0x113C7, 0x113CA, 0x11000},
    {0x113CC, 0x113CD, 0x11000}, {0x113CE, 0x113CE, 0x101FD}, {0x113CF, 0x113CF, 0x11000},
    {0x113D0, 0x113D0, 0x101FD}, {0x113D1, 0x113D1, 0x10000}, {0x113D2, 0x113D2, 0x101FD},
    {0x113D3, 0x113D3, 0x10000}, {0x113D4, 0x113D5, 0x10100}, {0x113D7, 0x113D8, 0x10100},
    {0x113E1, 0x113E2, 0x101FD}, {0x116D0, 0x116E3, 0x104A0}, {0x1171E, 0x1171E, 0x11000},
    {0x11B00, 0x11B09, 0x10100}, {0x11BC0, 0x11BE0, 0x10000}, {0x11BE1, 0x11BE1, 0x10100},
    {0x11BF0, 0x11BF9, 0x104A0}, {0x11F00, 0x11F01, 0x101FD}, {0x11F02, 0x11F02, 0x10000},
    {0x11F03, 0x11F03, 0x11000}, {0x11F04, 0x11F10, 0x10000}, {0x11F12, 0x11F33, 0x10000},
    {0x11F34, 0x11F35, 0x11000}, {0x11F36, 0x11F3A, 0x101FD}, {0x11F3E, 0x11F3F, 0x11000},
    {0x11F40, 0x11F40, 0x101FD}, {0x11F41, 0x11F41, 0x11000}, {0x11F42, 0x11F42, 0x101FD},
    {0x11F43, 0x11F4F, 0x10100}, {0x11F50, 0x11F59, 0x104A0}, {0x11F5A, 0x11F5A, 0x101FD},
    {0x1342F, 0x1342F, 0x10000}, {0x13439, 0x1343F, 0x110BD}, {0x13440, 0x13440, 0x101FD},
    {0x13441, 0x13446, 0x10000}, {0x13447, 0x13455, 0x101FD}, {0x13460, 0x143FA, 0x10000},
    {0x16100, 0x1611D, 0x10000}, {0x1611E, 0x16129, 0x101FD}, {0x1612A, 0x1612C, 0x11000},
    {0x1612D, 0x1612F, 0x101FD}, {0x16130, 0x16139, 0x104A0}, {0x16D40, 0x16D42, 0x10780},
    {0x16D43, 0x16D6A, 0x10000}, {0x16D6B, 0x16D6C, 0x10780}, {0x16D6D, 0x16D6F, 0x10100},
    {0x16D70, 0x16D79, 0x104A0}, {0x18CFF, 0x18CFF, 0x10000}, {0x1B132, 0x1B132, 0x10000},
    {0x1B155, 0x1B155, 0x10000}, {0x1CC00, 0x1CCEF, 0x10137}, {0x1CCF0, 0x1CCF9, 0x104A0},
    {0x1CD00, 0x1CEB3, 0x10137}, {0x1D2C0, 0x1D2D3, 0x10107}, {0x1DF25, 0x1DF2A, 0x10428},
    {0x1E030, 0x1E06D, 0x10780}, {0x1E08F, 0x1E08F, 0x101FD}, {0x1E4D0, 0x1E4EA, 0x10000},
    {0x1E4EB, 0x1E4EB, 0x10780}, {0x1E4EC, 0x1E4EF, 0x101FD}, {0x1E4F0, 0x1E4F9, 0x104A0},
    {0x1E5D0, 0x1E5ED, 0x10000}, {0x1E5EE, 0x1E5EF, 0x101FD}, {0x1E5F0, 0x1E5F0, 0x10000},
    {0x1E5F1, 0x1E5FA, 0x104A0}, {0x1E5FF, 0x1E5FF, 0x10100}, {0x1F6DC, 0x1F6DC, 0x10137},
    {0x1F774, 0x1F776, 0x10137}, {0x1F77B, 0x1F7D9, 0x10137}, {0x1F8B2, 0x1F8BB, 0x10137},
    {0x1F8C0, 0x1F8C1, 0x10137}, {0x1FA75, 0x1FA77, 0x10137}, {0x1FA87, 0x1FA89, 0x10137},
    {0x1FA8F, 0x1FAC6, 0x10137}, {0x1FACE, 0x1FADC, 0x10137}, {0x1FADF, 0x1FAE9, 0x10137},
    {0x1FAF7, 0x1FAF8, 0x10137}, {0x1FBCB, 0x1FBEF, 0x10137}, {0x2B739, 0x2B739, 0x20000},
    {0x2EBF0, 0x2EE5D, 0x20000}, {0x31350, 0x323AF, 0x20000},
};

/* The Digits pre-tokenizer's numbers of Unicode 17. */
static const struct range { uint32_t first, last; } new_numbers[] = {{0x11DE0, 0x11DE9}, {0x16FF4, 0x16FF6}};

/* Ranges in which every character with a part in normalization is younger than Unicode 9. The normalizer of
 * `tokenizers` lets these stand where they are. */
static const struct range inert[] = {
    {0x7FD, 0x7FD},     {0x897, 0x8D3},     {0x9FE, 0x9FE},     {0xC3C, 0xC3C},     {0xCF3, 0xD3C},
    {0xEBA, 0xEBA},     {0xECE, 0xECE},     {0x1715, 0x1715},   {0x1ABF, 0x1ACE},   {0x1DF6, 0x1DFA},
    {0xA82C, 0xA82C},   {0x105C9, 0x105E4}, {0x10D24, 0x10F85}, {0x11070, 0x11070}, {0x11241, 0x11241},
    {0x1133B, 0x1133B}, {0x11382, 0x113E2}, {0x1145E, 0x1145E}, {0x1171E, 0x1171E}, {0x11839, 0x11A99},
    {0x11D42, 0x1612F}, {0x16D63, 0x16FF1}, {0x1CF00, 0x1CF00}, {0x1E08F, 0x1E5EF},
};

/* The same for compatibility: there is no decomposition in Unicode 9. */
static const struct range young_compatibility[] = {
    {0x558, 0x558},     {0x58B, 0x58C},     {0x209D, 0x209F},   {0x32FF, 0x32FF},   {0xA7F1, 0xA7F4},
    {0xAB69, 0xAB69},   {0x105C9, 0x107BF}, {0x11383, 0x113C8}, {0x11938, 0x1CCF9}, {0x1D6A6, 0x1D6A6},
    {0x1DF95, 0x1E06D}, {0x1F16C, 0x1F16C}, {0x1FBF0, 0x1FBF9},
};

/* Ranges in which all punctuation is younger than Unicode 7, and all marks than 9. */
static const struct range young_punctuation[] = {
    {0x61D, 0x61D},     {0x9FD, 0xA76},     {0xC77, 0xC84},     {0x1B4E, 0x1B4F},   {0x1B7D, 0x1B7F},
    {0x2E43, 0x2E63},   {0x10D6E, 0x10F89}, {0x113D4, 0x1145D}, {0x11660, 0x116B9}, {0x1183B, 0x11FFF},
    {0x12FF1, 0x12FF2}, {0x16D6D, 0x16FE2}, {0x1E5FF, 0x1E95F},
};
static const struct range young_marks[] = {
    {0x5C8, 0x5C9},     {0x7FD, 0x7FD},     {0x897, 0x8D3},     {0x9FE, 0x9FE},     {0xAFA, 0xAFF},
    {0xB53, 0xB55},     {0xC04, 0xC3C},     {0xCF3, 0xD00},     {0xD3B, 0xD3C},     {0xD81, 0xD81},
    {0xEBA, 0xEBA},     {0xECE, 0xECE},     {0x1715, 0x1715},   {0x180F, 0x180F},   {0x1ABF, 0x1AF0},
    {0x1CF7, 0x1CF7},   {0x1DF6, 0x1DFA},   {0xA82C, 0xA82C},   {0xA8FF, 0xA8FF},   {0x10D24, 0x10F85},
    {0x11070, 0x11074}, {0x110C2, 0x110C2}, {0x11145, 0x11146}, {0x111C9, 0x111C9}, {0x111CE, 0x111CF},
    {0x11241, 0x11241}, {0x1133B, 0x1133B}, {0x113B8, 0x113E2}, {0x1145E, 0x1145E}, {0x1182C, 0x11B67},
    {0x11D31, 0x1612F}, {0x16F4F, 0x16F4F}, {0x16F7F, 0x16F87}, {0x16FE4, 0x16FF1}, {0x1CF00, 0x1D128},
    {0x1D250, 0x1D281}, {0x1E08F, 0x1E6F5},
};

/* Capitals of Unicode 15 to 17, and where their small letters begin. */
static const struct {
    uint32_t first, last, small;
    uint32_t step; /* to the next capital */
} new_capitals[] = {
    {0x1C89, 0x1C89, 0x1C8A, 1},    {0xA7CB, 0xA7CB, 0x264, 1},     {0xA7CC, 0xA7CE, 0xA7CD, 2},
    {0xA7D2, 0xA7D4, 0xA7D3, 2},    {0xA7DA, 0xA7DA, 0xA7DB, 1},    {0xA7DC, 0xA7DC, 0x19B, 1},
    {0x10D50, 0x10D65, 0x10D70, 1}, {0x16EA0, 0x16EB8, 0x16EBB, 1},
};

#define COUNT(table) (sizeof(table) / sizeof(table)[0])

static bool in_ranges(const struct range *ranges, size_t count, uint32_t code) {
    for (size_t i = 0; i < count && ranges[i].first <= code; i++)
        if (code <= ranges[i].last)
            return true;
    return false;
}

static uint32_t alike(uint32_t code) {
    size_t low = 0, high = COUNT(alikes);
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (code > alikes[middle].last)
            low = middle + 1;
        else
            high = middle;
    }
    return low < COUNT(alikes) && code >= alikes[low].first ? alikes[low].like : code;
}

const char *unicode_alike(const char *text, size_t size, struct buffer *scratch, struct error *error) {
    bool copied = false;
    for (size_t i = 0; i < size;) {
        if ((uint8_t)text[i] < 0xe0) { /* all in the table take three or four bytes */
            i++;
            continue;
        }
        uint32_t code;
        size_t length = utf8_next(text + i, &code);
        uint32_t like = alike(code);
        if (like != code) {
            if (!copied) {
                scratch->size = 0;
                if (!buffer_append(scratch, text, size, error))
                    return NULL;
                copied = true;
            }
            utf8_encode(like, scratch->data + i);
        }
        i += length;
    }
    return copied ? scratch->data : text;
}

bool is_white_space(uint32_t code) {
    return code == ' ' || (code >= '\t' && code <= '\r') || code == 0x85 || code == 0xa0 || code == 0x1680 ||
           (code >= 0x2000 && code <= 0x200a) || code == 0x2028 || code == 0x2029 || code == 0x202f ||
           code == 0x205f || code == 0x3000;
}

#define CATEGORY(c) (1u << UTF8PROC_CATEGORY_##c)
#define NUMBERS (CATEGORY(ND) | CATEGORY(NL) | CATEGORY(NO))
#define LETTERS (CATEGORY(LU) | CATEGORY(LL))
#define MARKS (CATEGORY(MN) | CATEGORY(MC) | CATEGORY(ME))
#define PUNCTUATION                                                                                          \
    (CATEGORY(PC) | CATEGORY(PD) | CATEGORY(PS) | CATEGORY(PE) | CATEGORY(PI) | CATEGORY(PF) | CATEGORY(PO))
#define WORDS                                                                                                \
    (CATEGORY(LU) | CATEGORY(LL) | CATEGORY(LT) | CATEGORY(LM) | CATEGORY(LO) | CATEGORY(MN) |               \
     CATEGORY(MC) | CATEGORY(ME) | CATEGORY(ND) | CATEGORY(NL) | CATEGORY(PC))

static bool in_categories(uint32_t code, uint32_t categories) {
    return categories >> utf8proc_category((utf8proc_int32_t)alike(code)) & 1;
}

bool is_numeric(uint32_t code) {
    if (code < 0x80)
        return code >= '0' && code <= '9';
    return in_categories(code, NUMBERS) || in_ranges(new_numbers, COUNT(new_numbers), code);
}

bool is_word(uint32_t code) {
    /* Joiners, and the circled and squared letters, which are symbols that count as alphabetic. */
    static const struct range others[] = {
        {0x200C, 0x200D}, {0x24B6, 0x24E9}, {0x1F130, 0x1F149}, {0x1F150, 0x1F169}, {0x1F170, 0x1F189}};
    return in_categories(code, WORDS) || in_ranges(others, COUNT(others), code);
}

bool is_punctuation(uint32_t code) {
    /* Changed since: Canadian Syllabics' chi sign to a symbol, Sharada's sandhi mark to a mark. */
    static const struct range former[] = {{0x166D, 0x166D}, {0x111C9, 0x111C9}};
    if (code < 0x80)
        return code > ' ' && code < 0x7f && !in_categories(code, NUMBERS | LETTERS);
    return in_ranges(former, COUNT(former), code) ||
           (in_categories(code, PUNCTUATION) &&
            !in_ranges(young_punctuation, COUNT(young_punctuation), code));
}

bool is_mark(uint32_t code) {
    static const struct range former[] = {{0x1CF2, 0x1CF3}}; /* Vedic signs, letters since */
    return in_ranges(former, COUNT(former), code) ||
           (in_categories(code, MARKS) && !in_ranges(young_marks, COUNT(young_marks), code));
}

size_t white_space_before(const char *text, size_t size) {
    size_t begin = 0;
    while (begin < size) {
        uint32_t code;
        size_t length = utf8_next(text + begin, &code);
        if (!is_white_space(code))
            break;
        begin += length;
    }
    return begin;
}

size_t without_white_space_behind(const char *text, size_t begin, size_t end) {
    while (end > begin) {
        uint32_t code;
        size_t length = utf8_last(text, end, &code);
        if (!is_white_space(code))
            break;
        end -= length;
    }
    return end;
}

/* Marks of Unicode 17 are as good as an acute accent here. */
static utf8proc_int32_t alike_in_clusters(uint32_t code) {
    static const struct range marks[] = {
        {0x1ACF, 0x1ADD},   {0x1AE0, 0x1AEB},   {0x10EFA, 0x10EFB}, {0x11B60, 0x11B67},
        {0x1E6E3, 0x1E6E3}, {0x1E6E6, 0x1E6E6}, {0x1E6EE, 0x1E6EF}, {0x1E6F5, 0x1E6F5},
    };
    return (utf8proc_int32_t)(in_ranges(marks, COUNT(marks), code) ? 0x301 : alike(code));
}

size_t unicode_cluster(const char *text, size_t size) {
    utf8proc_int32_t state = 0;
    uint32_t code;
    size_t end = utf8_next(text, &code);
    utf8proc_int32_t last = alike_in_clusters(code);
    while (end < size) {
        if (last >= ' ' && last < 0x7f && (uint8_t)text[end] < 0x80) /* two of ASCII are two clusters */
            return end;
        size_t length = utf8_next(text + end, &code);
        utf8proc_int32_t next = alike_in_clusters(code);
        if (utf8proc_grapheme_break_stateful(last, next, &state))
            return end;
        last = next;
        end += length;
    }
    return end;
}

size_t unicode_lowercase(uint32_t code, char *out) {
    if (code == 0x130) { /* the only one that becomes two: i with a dot above */
        memcpy(out, "i\xcc\x87", 3);
        return 3;
    }
    for (size_t i = 0; i < COUNT(new_capitals) && new_capitals[i].first <= code; i++)
        if (code <= new_capitals[i].last && (code - new_capitals[i].first) % new_capitals[i].step == 0)
            return utf8_encode(new_capitals[i].small + (code - new_capitals[i].first), out);
    return utf8_encode((uint32_t)utf8proc_tolower((utf8proc_int32_t)code), out);
}

/* ---- Normal forms ---- */

static bool push_decomposed(struct buffer *codes, uint32_t code, bool compatibility, struct error *error) {
    utf8proc_int32_t parts[UNICODE_MOST];
    int last_boundclass = 0;
    compatibility = compatibility && !in_ranges(young_compatibility, COUNT(young_compatibility), code);
    utf8proc_option_t options =
        UTF8PROC_STABLE | UTF8PROC_DECOMPOSE | (compatibility ? UTF8PROC_COMPAT : (utf8proc_option_t)0);
    utf8proc_ssize_t n =
        utf8proc_decompose_char((utf8proc_int32_t)code, parts, UNICODE_MOST, options, &last_boundclass);
    if (n < 0 || n > UNICODE_MOST)
        return fail(error, "the decomposition of U+%04X cannot be had from utf8proc", code);
    return buffer_append(codes, parts, (size_t)n * sizeof parts[0], error);
}

static unsigned combining_class(utf8proc_int32_t code) {
    return (unsigned)utf8proc_get_property(code)->combining_class & 0xff;
}

/* Stable sort of marks by combining class, by counting: a text may be one long row of marks. */
static bool sort_marks(utf8proc_int32_t *marks, size_t count, struct buffer *scratch, struct error *error) {
    size_t places[257] = {0};
    for (size_t i = 0; i < count; i++)
        places[combining_class(marks[i]) + 1]++;
    for (size_t class = 1; class < COUNT(places); class ++)
        places[class] += places[class - 1];
    scratch->size = 0;
    utf8proc_int32_t *sorted = (utf8proc_int32_t *)buffer_reserve(scratch, count * sizeof *sorted, error);
    if (!sorted)
        return false;
    for (size_t i = 0; i < count; i++)
        sorted[places[combining_class(marks[i])]++] = marks[i];
    memcpy(marks, sorted, count * sizeof *sorted);
    return true;
}

static bool put_marks_in_order(utf8proc_int32_t *codes, size_t count, struct buffer *scratch,
                               struct error *error) {
    for (size_t i = 0; i < count;) {
        size_t begin = i;
        bool ordered = true;
        unsigned last = 0;
        for (unsigned class; i < count && (class = combining_class(codes[i])) != 0; i++) {
            ordered = ordered && last <= class;
            last = class;
        }
        if (!ordered && !sort_marks(codes + begin, i - begin, scratch, error))
            return false;
        i += i == begin;
    }
    return true;
}

struct normalizer {
    enum normal_form form;
    struct buffer codes; /* int32: the decomposed characters of the current run */
    struct buffer scratch;
    struct buffer *to;
};

/* Ends a run that no rule reaches across. */
static bool flush(struct normalizer *n, struct error *error) {
    utf8proc_int32_t *codes = (utf8proc_int32_t *)n->codes.data;
    size_t count = n->codes.size / sizeof *codes;
    if (count == 0)
        return true;
    if (!put_marks_in_order(codes, count, &n->scratch, error))
        return false;
    if (n->form == FORM_NFC || n->form == FORM_NFKC)
        count = (size_t)utf8proc_normalize_utf32(codes, (utf8proc_ssize_t)count,
                                                 UTF8PROC_STABLE | UTF8PROC_COMPOSE);
    char *out = buffer_reserve(n->to, count * 4, error);
    if (!out)
        return false;
    size_t size = 0;
    for (size_t i = 0; i < count; i++)
        size += utf8_encode((uint32_t)codes[i], out + size);
    n->to->size += size;
    n->codes.size = 0;
    return true;
}

static bool take_character(struct normalizer *n, uint32_t code, const char *bytes, size_t length,
                           struct error *error) {
    if (in_ranges(inert, COUNT(inert), code))
        return flush(n, error) && buffer_append(n->to, bytes, length, error);
    return push_decomposed(&n->codes, code, n->form == FORM_NFKC || n->form == FORM_NFKD, error);
}

/* ASCII never changes and never joins what stands before it, so a run goes from one ASCII character, which a
 * mark may follow, to before the next. */
static bool normalize_run(struct normalizer *n, const char *text, size_t size, struct error *error) {
    for (size_t i = 0; i < size;) {
        uint32_t code;
        size_t length = utf8_next(text + i, &code);
        if (!take_character(n, code, text + i, length, error))
            return false;
        i += length;
    }
    return flush(n, error);
}

static size_t run_of(const char *text, size_t size, bool ascii) {
    size_t i = 0;
    while (i < size && ((uint8_t)text[i] < 0x80) == ascii)
        i++;
    return i;
}

bool unicode_normalize(enum normal_form form, const char *text, size_t size, struct buffer *to,
                       struct error *error) {
    struct normalizer n = {.form = form, .to = to};
    bool good = true;
    for (size_t i = 0; i < size && good;) {
        size_t ascii = run_of(text + i, size - i, true);
        size_t kept = ascii > 0 && i + ascii < size ? ascii - 1 : ascii;
        size_t other = run_of(text + i + ascii, size - i - ascii, false);
        good = buffer_append(to, text + i, kept, error) &&
               normalize_run(&n, text + i + kept, ascii - kept + other, error);
        i += ascii + other;
    }
    buffer_free(&n.codes);
    buffer_free(&n.scratch);
    return good;
}
