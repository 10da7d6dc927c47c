#include "infer/tokenizer/lists.h"

#include "infer/utf8.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Scanning: every function returns false where the text is not as it should be ---- */

struct scan {
    const char *at, *end;
    struct lists *lists;
    struct buffer scratch;
    struct error *error; /* what failed besides, or an empty sentence */
};

static char skip_space(struct scan *scan) {
    while (scan->at < scan->end &&
           (*scan->at == ' ' || *scan->at == '\n' || *scan->at == '\r' || *scan->at == '\t'))
        scan->at++;
    return scan->at < scan->end ? *scan->at : '\0';
}

static bool take(struct scan *scan, char wanted) {
    bool there = skip_space(scan) == wanted;
    scan->at += there;
    return there;
}

/* Behind the opening quote: leaves `at` on the closing one. */
static bool skip_to_quote(struct scan *scan, bool *escaped) {
    *escaped = false;
    for (; scan->at < scan->end && *scan->at != '"'; scan->at++) {
        if ((uint8_t)*scan->at < 0x20)
            return false;
        if (*scan->at == '\\' && scan->at + 1 < scan->end) {
            *escaped = true;
            scan->at++;
        }
    }
    return scan->at < scan->end;
}

static bool take_hex(const char *text, const char *end, uint32_t *code) {
    *code = 0;
    if (end - text < 4)
        return false;
    for (int i = 0; i < 4; i++) {
        char c = text[i];
        uint32_t digit = c >= '0' && c <= '9'   ? (uint32_t)(c - '0')
                         : c >= 'a' && c <= 'f' ? (uint32_t)(c - 'a' + 10)
                         : c >= 'A' && c <= 'F' ? (uint32_t)(c - 'A' + 10)
                                                : 16;
        if (digit > 15)
            return false;
        *code = *code << 4 | digit;
    }
    return true;
}

/* \uHHHH, or a pair of them; from behind the u. */
static bool take_code(const char **at, const char *end, uint32_t *code) {
    uint32_t low;
    if (!take_hex(*at, end, code))
        return false;
    *at += 4;
    if (*code < 0xd800 || *code > 0xdfff)
        return *code != 0;
    if (*code > 0xdbff || end - *at < 6 || (*at)[0] != '\\' || (*at)[1] != 'u' ||
        !take_hex(*at + 2, end, &low) || low < 0xdc00 || low > 0xdfff)
        return false;
    *at += 6;
    *code = 0x10000 + ((*code - 0xd800) << 10 | (low - 0xdc00));
    return true;
}

/* Into the scratch buffer. */
static bool unescape(struct scan *scan, const char *text, const char *end) {
    static const char letters[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
    struct buffer *to = &scan->scratch;
    to->size = 0;
    char *out = buffer_reserve(to, (size_t)(end - text), scan->error); /* never longer than its escapes */
    if (!out)
        return false;
    while (text < end) {
        uint32_t code;
        if (*text != '\\') {
            *out++ = *text++;
            continue;
        }
        text++;
        const char *letter = strchr(letters, *text);
        if (*text++ == 'u') {
            if (!take_code(&text, end, &code))
                return false;
            out += utf8_encode(code, out);
        } else if (letter && *letter)
            *out++ = meanings[letter - letters];
        else
            return false;
    }
    to->size = (size_t)(out - to->data);
    return true;
}

/* A string where it stands, or without its escapes in the arena. */
static bool take_string(struct scan *scan, const char **text, size_t *size) {
    bool escaped;
    if (!take(scan, '"'))
        return false;
    *text = scan->at;
    if (!skip_to_quote(scan, &escaped))
        return false;
    *size = (size_t)(scan->at++ - *text);
    if (!escaped)
        return true;
    if (!unescape(scan, *text, *text + *size))
        return false;
    *size = scan->scratch.size;
    *text = arena_text(&scan->lists->arena, scan->scratch.data, *size, scan->error);
    return *text != NULL;
}

static bool take_count(struct scan *scan, uint64_t *count) {
    const char *first = scan->at;
    *count = 0;
    for (; scan->at < scan->end && *scan->at >= '0' && *scan->at <= '9'; scan->at++)
        if (!mul_sizes(*count, 10, count) || !add_sizes(*count, (uint64_t)(*scan->at - '0'), count))
            return false;
    return scan->at > first && (*first != '0' || scan->at == first + 1);
}

static bool is_digit(const struct scan *scan) {
    return scan->at < scan->end && *scan->at >= '0' && *scan->at <= '9';
}

static bool skip_one_of(struct scan *scan, const char *set) {
    bool there = scan->at < scan->end && *scan->at && strchr(set, *scan->at);
    scan->at += there;
    return there;
}

/* A number's digits as far as 64 bits hold them, and the power of ten to multiply them by. */
struct decimal {
    uint64_t digits;
    bool full;
    int64_t exponent;
};

static bool take_digits(struct scan *scan, struct decimal *decimal, bool fraction) {
    const char *first = scan->at;
    for (; is_digit(scan); scan->at++) {
        uint64_t next;
        decimal->full = decimal->full || !mul_sizes(decimal->digits, 10, &next) ||
                        !add_sizes(next, (uint64_t)(*scan->at - '0'), &next);
        if (!decimal->full)
            decimal->digits = next;
        decimal->exponent += decimal->full ? !fraction : -(int64_t)fraction;
    }
    return scan->at > first && (fraction || *first != '0' || scan->at == first + 1);
}

static bool take_exponent(struct scan *scan, struct decimal *decimal) {
    struct decimal exponent = {0};
    bool negative = skip_one_of(scan, "-+") && scan->at[-1] == '-';
    if (!take_digits(scan, &exponent, true) || exponent.digits > 9999)
        return false;
    decimal->exponent += negative ? -(int64_t)exponent.digits : (int64_t)exponent.digits;
    return true;
}

static double power_of_ten(int64_t exponent) {
    char text[32];
    snprintf(text, sizeof text, "1e%lld", (long long)exponent);
    return strtod(text, NULL);
}

/* As serde_json scales, by which Hugging Face's library reads scores: with one multiplication or division, so
 * that the last bit may differ from that of the nearest double. */
static double scale(const struct decimal *decimal) {
    double number = (double)decimal->digits;
    int64_t exponent = decimal->exponent;
    for (; exponent < -308 && number > 0; exponent += 308)
        number /= 1e308;
    if (exponent < -308)
        return 0;
    return exponent < 0 ? number / power_of_ten(-exponent) : number * power_of_ten(exponent);
}

static bool take_number(struct scan *scan, double *number) {
    struct decimal decimal = {0};
    bool negative = skip_one_of(scan, "-");
    if (!take_digits(scan, &decimal, false) ||
        (skip_one_of(scan, ".") && !take_digits(scan, &decimal, true)) ||
        (skip_one_of(scan, "eE") && !take_exponent(scan, &decimal)))
        return false;
    *number = negative ? -scale(&decimal) : scale(&decimal);
    return isfinite(*number);
}

/* What stands between two brackets, with commas between; the call takes one entry. */
typedef bool entry_fn(struct scan *scan);

static bool take_entries(struct scan *scan, const char brackets[2], entry_fn *entry) {
    bool good = take(scan, brackets[0]), more = good && skip_space(scan) != brackets[1];
    while (good && more) {
        good = entry(scan);
        more = good && take(scan, ',');
    }
    return good && take(scan, brackets[1]);
}

/* ---- The lists ---- */

static void *add_item(struct scan *scan, struct list *list, size_t size) {
    if (list->count == LIST_LIMIT) {
        fail(scan->error, "%s: the tokenizer's vocabulary or merges have over %u entries", scan->lists->name,
             LIST_LIMIT);
        return NULL;
    }
    char *item = buffer_reserve(&list->items, size, scan->error);
    if (item) {
        list->items.size += size;
        list->count++;
    }
    return item;
}

/* "text": id */
static bool take_token(struct scan *scan) {
    struct described_token token = {0}, *item;
    if (!take_string(scan, &token.text, &token.size) || !take(scan, ':'))
        return false;
    skip_space(scan);
    if (!take_count(scan, &token.id))
        return fail(scan->error, "%s: the token '%.*s' has no id", scan->lists->name, (int)token.size,
                    token.text);
    item = add_item(scan, &scan->lists->vocab, sizeof token);
    if (item)
        *item = token;
    return item != NULL;
}

/* ["text", score] */
static bool take_piece(struct scan *scan) {
    struct described_token token = {.id = scan->lists->vocab.count}, *item;
    if (!take(scan, '[') || !take_string(scan, &token.text, &token.size) || !take(scan, ','))
        return false;
    skip_space(scan);
    if (!take_number(scan, &token.score) || !take(scan, ']'))
        return fail(scan->error, "%s: the token '%.*s' has no score", scan->lists->name, (int)token.size,
                    token.text);
    item = add_item(scan, &scan->lists->vocab, sizeof token);
    if (item)
        *item = token;
    return item != NULL;
}

/* "a b" */
static bool take_joined(struct scan *scan, struct described_merge *merge) {
    size_t size;
    if (!take_string(scan, &merge->texts[0], &size))
        return false;
    const char *space = memchr(merge->texts[0], ' ', size), *end = merge->texts[0] + size;
    if (!space || memchr(space + 1, ' ', (size_t)(end - space - 1)))
        return false;
    merge->texts[1] = space + 1;
    merge->sizes[0] = (size_t)(space - merge->texts[0]);
    merge->sizes[1] = (size_t)(end - merge->texts[1]);
    return true;
}

/* ["a", "b"] */
static bool take_pair(struct scan *scan, struct described_merge *merge) {
    return take(scan, '[') && take_string(scan, &merge->texts[0], &merge->sizes[0]) && take(scan, ',') &&
           take_string(scan, &merge->texts[1], &merge->sizes[1]) && take(scan, ']');
}

static bool take_merge(struct scan *scan) {
    struct list *merges = &scan->lists->merges;
    struct described_merge merge = {0}, *item;
    bool good = skip_space(scan) == '[' ? take_pair(scan, &merge) : take_joined(scan, &merge);
    if (!good && !scan->error->text[0])
        fail(scan->error, "%s: the merge %zu is not two tokens", scan->lists->name, merges->count);
    item = good ? add_item(scan, merges, sizeof merge) : NULL;
    if (item)
        *item = merge;
    return item != NULL;
}

/* ---- Finding them ---- */

/* Any value, by its brackets and quotes alone. */
static bool skip_value(struct scan *scan) {
    bool escaped;
    skip_space(scan);
    for (size_t depth = 0; scan->at < scan->end; scan->at++) {
        char c = *scan->at;
        if (depth == 0 && (c == ',' || c == '}' || c == ']'))
            return true;
        if (c == '"') {
            scan->at++;
            if (!skip_to_quote(scan, &escaped))
                return false;
        } else if (c == '{' || c == '[')
            depth++;
        else if (c == '}' || c == ']')
            depth--;
    }
    return false;
}

static bool take_list(struct scan *scan, struct list *list, const char brackets[2], entry_fn *entry) {
    if (skip_space(scan) != brackets[0])
        return skip_value(scan);
    if (list->begin)
        return false; /* twice */
    list->begin = scan->at;
    bool good = take_entries(scan, brackets, entry);
    list->end = scan->at;
    return good;
}

static bool is(const char *key, size_t size, const char *name) {
    return size == strlen(name) && memcmp(key, name, size) == 0;
}

static bool take_key(struct scan *scan, const char **key, size_t *size) {
    return take_string(scan, key, size) && take(scan, ':');
}

static bool take_model_member(struct scan *scan) {
    const char *key;
    size_t size;
    if (!take_key(scan, &key, &size))
        return false;
    if (is(key, size, "vocab"))
        return skip_space(scan) == '[' ? take_list(scan, &scan->lists->vocab, "[]", take_piece)
                                       : take_list(scan, &scan->lists->vocab, "{}", take_token);
    if (is(key, size, "merges"))
        return take_list(scan, &scan->lists->merges, "[]", take_merge);
    return skip_value(scan);
}

static bool take_member(struct scan *scan) {
    const char *key;
    size_t size;
    if (!take_key(scan, &key, &size))
        return false;
    if (is(key, size, "model") && skip_space(scan) == '{')
        return take_entries(scan, "{}", take_model_member);
    return skip_value(scan);
}

/* ---- The rest of the file ---- */

/* From *from on, without what stands between the list's brackets. */
static bool append_emptied(struct buffer *to, const char **from, const struct list *list,
                           struct error *error) {
    const char *begin = *from;
    *from = list->end - 1;
    return buffer_append(to, begin, (size_t)(list->begin + 1 - begin), error);
}

static json_t *tree_of_rest(const struct lists *lists, struct error *error) {
    bool merges_first = lists->merges.begin < lists->vocab.begin;
    const struct list *order[] = {&lists->vocab, &lists->merges};
    struct buffer rest = {0};
    const char *from = lists->json;
    bool good = true;
    for (size_t i = 0; i < 2 && good; i++) {
        const struct list *list = order[i ^ (size_t)merges_first];
        good = !list->begin || append_emptied(&rest, &from, list, error);
    }
    good = good && buffer_append(&rest, from, lists->size - (size_t)(from - lists->json), error);
    json_t *tree = good ? json_read(lists->name, rest.data, rest.size, error) : NULL;
    buffer_free(&rest);
    return tree;
}

/* What is wrong, in the words of the reader that knows line and column. */
static bool fail_malformed(const struct lists *lists, struct error *error) {
    json_t *tree = json_read(lists->name, lists->json, lists->size, error);
    if (!tree)
        return false;
    json_decref(tree);
    return fail(error, "%s: the tokenizer's vocabulary or merges are malformed", lists->name);
}

static bool scan_all(struct lists *lists, struct error *trouble) {
    struct scan scan = {lists->json, lists->json + lists->size, lists, {0}, trouble};
    bool good =
        utf8_well_formed(lists->json, lists->size) == lists->size && take_entries(&scan, "{}", take_member);
    buffer_free(&scan.scratch);
    return good;
}

/* A scan that went wrong without a sentence met something malformed. */
bool lists_open(struct lists *lists, const char *name, const char *json, size_t size, struct error *error) {
    struct error trouble = {""}, misplaced;
    *lists = (struct lists){.name = name, .json = json, .size = size};
    if (scan_all(lists, &trouble) && (lists->rest = tree_of_rest(lists, &misplaced)))
        return true;
    if (trouble.text[0])
        *error = trouble;
    else
        fail_malformed(lists, error);
    lists_close(lists);
    return false;
}

void lists_close(struct lists *lists) {
    json_decref(lists->rest);
    buffer_free(&lists->vocab.items);
    buffer_free(&lists->merges.items);
    arena_free(&lists->arena);
}
