#include "infer/tokenizer/lists.h"

#include "infer/utf8.h"

#include <string.h>

/* ---- Scanning: every function returns false where the text is not as it should be ---- */

struct scan {
    const char *at, *end;
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

static bool unescape(struct scan *scan, const char *text, const char *end, struct buffer *to) {
    static const char letters[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
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

/* A string where it stands, or without its escapes in `scratch`. */
static bool take_string(struct scan *scan, struct buffer *scratch, const char **text, size_t *size) {
    bool escaped;
    if (!take(scan, '"'))
        return false;
    *text = scan->at;
    if (!skip_to_quote(scan, &escaped))
        return false;
    *size = (size_t)(scan->at++ - *text);
    if (!escaped)
        return true;
    if (!unescape(scan, *text, *text + *size, scratch))
        return false;
    *text = scratch->data;
    *size = scratch->size;
    return true;
}

static bool take_count(struct scan *scan, uint64_t *count) {
    const char *first = scan->at;
    *count = 0;
    for (; scan->at < scan->end && *scan->at >= '0' && *scan->at <= '9'; scan->at++)
        if (!mul_sizes(*count, 10, count) || !add_sizes(*count, (uint64_t)(*scan->at - '0'), count))
            return false;
    return scan->at > first && (*first != '0' || scan->at == first + 1);
}

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

/* ---- Finding the lists ---- */

typedef bool member_fn(struct lists *lists, struct scan *scan, const char *key, size_t size);

/* Calls for each member of an object, with `at` behind the colon; the call takes the value. */
static bool each_member(struct lists *lists, struct scan *scan, member_fn *member) {
    struct buffer scratch = {0};
    bool good = take(scan, '{'), more = good && skip_space(scan) != '}';
    while (good && more) {
        const char *key;
        size_t size;
        good = take_string(scan, &scratch, &key, &size) && take(scan, ':') && member(lists, scan, key, size);
        more = good && take(scan, ',');
    }
    buffer_free(&scratch);
    return good && take(scan, '}');
}

static bool is(const char *key, size_t size, const char *name) {
    return size == strlen(name) && memcmp(key, name, size) == 0;
}

static bool take_list(struct scan *scan, char bracket, struct list *list) {
    const char *begin = skip_space(scan) == bracket ? scan->at : NULL;
    if (!skip_value(scan))
        return false;
    if (begin && list->text)
        return false; /* twice */
    if (begin)
        *list = (struct list){begin, (size_t)(scan->at - begin)};
    return true;
}

static bool take_model_member(struct lists *lists, struct scan *scan, const char *key, size_t size) {
    if (is(key, size, "vocab"))
        return take_list(scan, '{', &lists->vocab);
    if (is(key, size, "merges"))
        return take_list(scan, '[', &lists->merges);
    return skip_value(scan);
}

static bool take_member(struct lists *lists, struct scan *scan, const char *key, size_t size) {
    if (is(key, size, "model") && skip_space(scan) == '{')
        return each_member(lists, scan, take_model_member);
    return skip_value(scan);
}

/* ---- The rest of the file ---- */

/* Without what stands between the brackets. */
static bool append_emptied(struct buffer *to, const char **from, const struct list *list,
                           struct error *error) {
    const char *inside = list->text + 1, *close = list->text + list->size;
    while (close[-1] != '}' && close[-1] != ']') /* space */
        close--;
    if (!buffer_append(to, *from, (size_t)(inside - *from), error))
        return false;
    *from = close - 1;
    return true;
}

static json_t *tree_of_rest(const struct lists *lists, struct error *error) {
    bool merges_first = lists->merges.text < lists->vocab.text;
    const struct list *order[] = {&lists->vocab, &lists->merges};
    struct buffer rest = {0};
    const char *from = lists->json;
    bool good = true;
    for (size_t i = 0; i < 2 && good; i++) {
        const struct list *list = order[i ^ (size_t)merges_first];
        good = !list->text || append_emptied(&rest, &from, list, error);
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

json_t *lists_open(struct lists *lists, const char *name, const char *json, size_t size,
                   struct error *error) {
    struct error trouble = {""};
    struct scan scan = {json, json + size, &trouble};
    *lists = (struct lists){.name = name, .json = json, .size = size};
    bool found = utf8_well_formed(json, size) == size && each_member(lists, &scan, take_member);
    json_t *tree = found ? tree_of_rest(lists, &trouble) : NULL;
    if (!tree)
        fail_malformed(lists, error);
    return tree;
}

/* ---- Reading the lists ---- */

static bool take_end(struct scan *scan, char bracket) {
    return take(scan, bracket) && skip_space(scan) == '\0' && scan->at == scan->end;
}

/* A scan that went wrong without a sentence of anyone's met something malformed. */
static bool finish(const struct lists *lists, bool good, const struct error *trouble, struct error *error) {
    if (good)
        return true;
    if (trouble->text[0] == '\0')
        return fail_malformed(lists, error);
    *error = *trouble;
    return false;
}

static bool take_id(const struct lists *lists, struct scan *scan, const char *text, size_t size,
                    uint64_t *id) {
    skip_space(scan);
    return take_count(scan, id) ||
           fail(scan->error, "%s: the token '%.*s' has no id", lists->name, (int)size, text);
}

bool lists_each_token(const struct lists *lists, token_fn *token, void *context, struct error *error) {
    struct error trouble = {""};
    struct scan scan = {lists->vocab.text, lists->vocab.text + lists->vocab.size, &trouble};
    struct buffer scratch = {0};
    bool good = take(&scan, '{'), more = good && skip_space(&scan) != '}';
    while (good && more) {
        const char *text;
        size_t size;
        uint64_t id;
        good = take_string(&scan, &scratch, &text, &size) && take(&scan, ':') &&
               take_id(lists, &scan, text, size, &id) && token(context, text, size, id, &trouble);
        more = good && take(&scan, ',');
    }
    good = good && take_end(&scan, '}');
    buffer_free(&scratch);
    return finish(lists, good, &trouble, error);
}

/* "a b" */
static bool take_joined(struct scan *scan, struct buffer *scratch, const char *texts[2], size_t sizes[2]) {
    size_t size;
    if (!take_string(scan, scratch, &texts[0], &size))
        return false;
    const char *space = memchr(texts[0], ' ', size), *end = texts[0] + size;
    if (!space || memchr(space + 1, ' ', (size_t)(end - space - 1)))
        return false;
    texts[1] = space + 1;
    sizes[0] = (size_t)(space - texts[0]);
    sizes[1] = (size_t)(end - texts[1]);
    return true;
}

/* ["a", "b"] */
static bool take_pair(struct scan *scan, struct buffer scratch[2], const char *texts[2], size_t sizes[2]) {
    return take(scan, '[') && take_string(scan, &scratch[0], &texts[0], &sizes[0]) && take(scan, ',') &&
           take_string(scan, &scratch[1], &texts[1], &sizes[1]) && take(scan, ']');
}

bool lists_each_merge(const struct lists *lists, merge_fn *merge, void *context, struct error *error) {
    struct error trouble = {""};
    struct scan scan = {lists->merges.text, lists->merges.text + lists->merges.size, &trouble};
    struct buffer scratch[2] = {{0}};
    bool good = take(&scan, '['), more = good && skip_space(&scan) != ']';
    for (size_t rank = 0; good && more; rank++) {
        const char *texts[2];
        size_t sizes[2];
        good = skip_space(&scan) == '[' ? take_pair(&scan, scratch, texts, sizes)
                                        : take_joined(&scan, scratch, texts, sizes);
        if (!good && !trouble.text[0])
            fail(&trouble, "%s: the merge %zu is not two tokens", lists->name, rank);
        good = good && merge(context, rank, texts, sizes, &trouble);
        more = good && take(&scan, ',');
    }
    good = good && take_end(&scan, ']');
    buffer_free(&scratch[0]);
    buffer_free(&scratch[1]);
    return finish(lists, good, &trouble, error);
}
