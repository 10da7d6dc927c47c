#include "lib/json.h"

#include "lib/file.h"

#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

__attribute__((constructor)) static void use_our_memory(void) {
    json_set_alloc_funcs(memory_alloc, memory_free);
}

/* ---- reading ---- */

struct scan {
    const char *name, *text;
    size_t size, at;
    size_t line, line_start;
    size_t depth, n_values;
};

static bool fail_at(const struct scan *scan, struct error *error, const char *problem, size_t limit) {
    return fail(error, "%s: line %zu, column %zu: %s %zu", scan->name, scan->line + 1,
                scan->at - scan->line_start + 1, problem, limit);
}

/* Leaves scan->at on the closing quote, or at the end. */
static void skip_string(struct scan *scan) {
    for (scan->at++; scan->at < scan->size && scan->text[scan->at] != '"'; scan->at++)
        scan->at += scan->text[scan->at] == '\\';
}

/* Bounds what the parser will build, before it builds anything. */
static bool check_extent(struct scan *scan, struct error *error) {
    for (; scan->at < scan->size; scan->at++) {
        switch (scan->text[scan->at]) {
        case '"':
            skip_string(scan);
            break;
        case '\n':
            scan->line++;
            scan->line_start = scan->at + 1;
            break;
        case '[':
        case '{':
            if (++scan->depth > JSON_DEPTH_LIMIT)
                return fail_at(scan, error, "nested deeper than", JSON_DEPTH_LIMIT);
            scan->n_values++;
            break;
        case ']':
        case '}':
            scan->depth -= scan->depth > 0;
            break;
        case ',':
            scan->n_values++;
            break;
        }
        if (scan->n_values > JSON_VALUE_LIMIT)
            return fail_at(scan, error, "more values than", JSON_VALUE_LIMIT);
    }
    return true;
}

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

static bool makes_real(char c) {
    return c == '.' || c == 'e' || c == 'E';
}

static bool exceeds_int64(bool negative, const char *digits, size_t n) {
    const char *limit = negative ? "9223372036854775808" : "9223372036854775807";
    return n > 19 || (n == 19 && memcmp(digits, limit, 19) > 0);
}

/* At a '-' or digit: where its digits end; *large if that is all and 64 bits can't hold it. */
static size_t digits_end(const struct scan *scan, bool *large) {
    bool negative = scan->text[scan->at] == '-';
    size_t begin = scan->at + negative, end = begin;
    while (end < scan->size && is_digit(scan->text[end]))
        end++;
    bool real = end < scan->size && makes_real(scan->text[end]);
    *large = !real && exceeds_int64(negative, scan->text + begin, end - begin);
    return end;
}

/* Appends the text to `to` with an exponent behind each integer that 64 bits can't hold, such as the 10^30 by
 * which tokenizer configurations say "no limit". Appends nothing where there is none. */
static bool widen_integers(const char *text, size_t size, struct buffer *to, struct error *error) {
    struct scan scan = {.text = text, .size = size};
    size_t copied = 0;
    while (scan.at < size) {
        char c = text[scan.at];
        bool large = false;
        if (c == '"')
            skip_string(&scan);
        scan.at = c == '-' || is_digit(c) ? digits_end(&scan, &large) : scan.at + 1;
        if (large) {
            if (!buffer_append(to, text + copied, scan.at - copied, error) ||
                !buffer_append(to, "e0", 2, error))
                return false;
            copied = scan.at;
        }
    }
    return copied == 0 || buffer_append(to, text + copied, size - copied, error);
}

static json_t *parse(const char *name, const char *text, size_t size, struct error *error) {
    json_error_t problem;
    json_t *tree = json_loadb(text, size, JSON_REJECT_DUPLICATES, &problem);
    if (!tree)
        fail(error, "%s: line %d, column %d: %s", name, problem.line, problem.column, problem.text);
    return tree;
}

json_t *json_read(const char *name, const char *text, size_t size, struct error *error) {
    struct scan scan = {.name = name, .text = text, .size = size};
    struct buffer widened = {0};
    json_t *tree = NULL;
    if (size > JSON_SIZE_LIMIT)
        fail(error, "%s: %zu bytes of JSON are more than the limit of %u", name, size, JSON_SIZE_LIMIT);
    else if (check_extent(&scan, error) && widen_integers(text, size, &widened, error))
        tree = widened.data ? parse(name, widened.data, widened.size, error) : parse(name, text, size, error);
    buffer_free(&widened);
    return tree;
}

json_t *json_read_file(const char *path, struct error *error) {
    struct arena arena = {0};
    char *text;
    size_t size;
    json_t *tree = NULL;
    if (file_read_all(path, JSON_SIZE_LIMIT, &arena, &text, &size, error))
        tree = json_read(path, text, size, error);
    arena_free(&arena);
    return tree;
}

/* ---- writing ---- */

struct writer {
    struct buffer *to;
    struct error *error;
};

static bool write_value(struct writer *writer, const json_t *value, size_t depth);

static bool put(struct writer *writer, const char *text) {
    return buffer_append(writer->to, text, strlen(text), writer->error);
}

static bool put_line(struct writer *writer, size_t depth) {
    return buffer_printf(writer->to, writer->error, "\n%*s", (int)(2 * depth), "");
}

static bool write_string(struct writer *writer, const char *text, size_t size) {
    static const char short_escapes[] = "\"\"\\\\\bb\ff\nn\rr\tt"; /* pairs: character, letter */
    bool written = put(writer, "\"");
    for (size_t i = 0, plain; written && i < size; i += plain) {
        for (plain = 0; i + plain < size; plain++) {
            unsigned char c = (unsigned char)text[i + plain];
            if (c < 0x20 || c == '"' || c == '\\')
                break;
        }
        if (plain > 0) {
            written = buffer_append(writer->to, text + i, plain, writer->error);
            continue;
        }
        const char *pair = short_escapes;
        while (*pair && *pair != text[i])
            pair += 2;
        written = *pair ? buffer_printf(writer->to, writer->error, "\\%c", pair[1])
                        : buffer_printf(writer->to, writer->error, "\\u%04x", (unsigned)text[i]);
        plain = 1;
    }
    return written && put(writer, "\"");
}

/* The C library writes and reads the locale's decimal point; JSON's is a full stop. */
static void use_full_stop(char *text) {
    const char *point = localeconv()->decimal_point;
    char *found = strcmp(point, ".") != 0 && *point ? strstr(text, point) : NULL;
    if (!found)
        return;
    *found = '.';
    memmove(found + 1, found + strlen(point), strlen(found + strlen(point)) + 1);
}

static bool write_real(struct writer *writer, double x) {
    char text[40];
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, x);
        double again = strtod(text, NULL);
        if (memcmp(&again, &x, sizeof x) == 0)
            break;
    }
    use_full_stop(text);
    return put(writer, text) && (strpbrk(text, ".e") || put(writer, ".0")); /* so that it stays a real */
}

static bool write_array(struct writer *writer, const json_t *array, size_t depth) {
    size_t n = json_array_size(array);
    if (n == 0)
        return put(writer, "[]");
    for (size_t i = 0; i < n; i++)
        if (!put(writer, i == 0 ? "[" : ",") || !put_line(writer, depth + 1) ||
            !write_value(writer, json_array_get(array, i), depth + 1))
            return false;
    return put_line(writer, depth) && put(writer, "]");
}

static bool write_object(struct writer *writer, const json_t *object, size_t depth) {
    json_t *mutable = (json_t *)(uintptr_t)object; /* jansson's iterators don't say const */
    const char *separator = "{", *key;
    json_t *value;
    if (json_object_size(object) == 0)
        return put(writer, "{}");
    json_object_foreach(mutable, key, value) {
        if (!put(writer, separator) || !put_line(writer, depth + 1) ||
            !write_string(writer, key, strlen(key)) || !put(writer, ": ") ||
            !write_value(writer, value, depth + 1))
            return false;
        separator = ",";
    }
    return put_line(writer, depth) && put(writer, "}");
}

static bool write_value(struct writer *writer, const json_t *value, size_t depth) {
    if (depth > JSON_DEPTH_LIMIT)
        return fail(writer->error, "JSON nested deeper than %d", JSON_DEPTH_LIMIT);
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return write_object(writer, value, depth);
    case JSON_ARRAY:
        return write_array(writer, value, depth);
    case JSON_STRING:
        return write_string(writer, json_string_value(value), json_string_length(value));
    case JSON_INTEGER:
        return buffer_printf(writer->to, writer->error, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    case JSON_REAL:
        return write_real(writer, json_real_value(value));
    case JSON_TRUE:
        return put(writer, "true");
    case JSON_FALSE:
        return put(writer, "false");
    case JSON_NULL:
        return put(writer, "null");
    }
    return fail(writer->error, "JSON value of unknown kind %d", (int)json_typeof(value));
}

bool json_write(const json_t *tree, struct buffer *to, struct error *error) {
    struct writer writer = {to, error};
    if (!tree) /* what jansson builds from a NaN, an infinity or without memory */
        return fail(error, "no JSON was built: a number isn't finite, or memory is out");
    return write_value(&writer, tree, 0) && put(&writer, "\n");
}

/* ---- Showing ---- */

static int append_shown(const char *text, size_t size, void *context) {
    struct json_shown *shown = context;
    size_t room = sizeof shown->text - 1 - shown->size;
    memcpy(shown->text + shown->size, text, size < room ? size : room);
    shown->size += size < room ? size : room;
    return 0;
}

struct json_shown json_show(const json_t *value) {
    struct json_shown shown = {0};
    json_dump_callback(value, append_shown, &shown,
                       JSON_ENCODE_ANY | JSON_COMPACT | JSON_ENSURE_ASCII | JSON_REAL_PRECISION(15));
    if (shown.size == sizeof shown.text - 1)
        memcpy(shown.text + shown.size - 3, "...", 3);
    return shown;
}
