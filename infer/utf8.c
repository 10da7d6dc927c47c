#include "infer/utf8.h"

#include <string.h>

/* What may follow a lead byte: how many bytes, and the range of the first of them (the others: 80 to BF). */
struct lead {
    uint8_t following, low, high;
};

static struct lead lead_of(uint8_t byte) {
    if (byte >= 0xc2 && byte <= 0xdf)
        return (struct lead){1, 0x80, 0xbf};
    if (byte >= 0xe0 && byte <= 0xef)
        return (struct lead){2, byte == 0xe0 ? 0xa0 : 0x80, byte == 0xed ? 0x9f : 0xbf};
    if (byte >= 0xf0 && byte <= 0xf4)
        return (struct lead){3, byte == 0xf0 ? 0x90 : 0x80, byte == 0xf4 ? 0x8f : 0xbf};
    return (struct lead){0, 0, 0};
}

/* Bytes at `text` that begin or form a character; *missing is how many more it wants. */
static size_t subpart(const uint8_t *text, size_t size, size_t *missing) {
    struct lead lead = lead_of(text[0]);
    size_t length = 1;
    while (length <= lead.following && length < size) {
        uint8_t low = length == 1 ? lead.low : 0x80, high = length == 1 ? lead.high : 0xbf;
        if (text[length] < low || text[length] > high)
            break;
        length++;
    }
    *missing = lead.following + 1u - length;
    return length;
}

size_t utf8_next(const char *text, uint32_t *code) {
    const uint8_t *b = (const uint8_t *)text;
    if (b[0] < 0x80) {
        *code = b[0];
        return 1;
    }
    if (b[0] < 0xe0) {
        *code = (b[0] & 0x1fu) << 6 | (b[1] & 0x3fu);
        return 2;
    }
    if (b[0] < 0xf0) {
        *code = (b[0] & 0xfu) << 12 | (b[1] & 0x3fu) << 6 | (b[2] & 0x3fu);
        return 3;
    }
    *code = (b[0] & 0x7u) << 18 | (b[1] & 0x3fu) << 12 | (b[2] & 0x3fu) << 6 | (b[3] & 0x3fu);
    return 4;
}

size_t utf8_last(const char *text, size_t end, uint32_t *code) {
    size_t begin = end - 1;
    while (((uint8_t)text[begin] & 0xc0) == 0x80)
        begin--;
    return utf8_next(text + begin, code);
}

size_t utf8_decode(const char *text, size_t size, uint32_t *code, bool *well_formed) {
    size_t missing, length = subpart((const uint8_t *)text, size, &missing);
    *well_formed = missing == 0 && (length > 1 || (uint8_t)text[0] < 0x80);
    if (*well_formed)
        return utf8_next(text, code);
    *code = UTF8_REPLACEMENT;
    return length;
}

size_t utf8_encode(uint32_t code, char out[4]) {
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    size_t length = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    static const uint8_t marks[] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (size_t i = length - 1; i > 0; i--) {
        out[i] = (char)(0x80 | (code & 0x3f));
        code >>= 6;
    }
    out[0] = (char)(marks[length] | code);
    return length;
}

/* Leading ASCII, eight bytes at a time. */
static size_t ascii_run(const char *text, size_t size) {
    size_t i = 0;
    for (uint64_t word; i + sizeof word <= size; i += sizeof word) {
        memcpy(&word, text + i, sizeof word);
        if (word & 0x8080808080808080u)
            break;
    }
    while (i < size && (uint8_t)text[i] < 0x80)
        i++;
    return i;
}

size_t utf8_well_formed(const char *text, size_t size) {
    for (size_t i = 0;;) {
        i += ascii_run(text + i, size - i);
        if (i == size)
            return size;
        uint32_t code;
        bool well_formed;
        size_t length = utf8_decode(text + i, size - i, &code, &well_formed);
        if (!well_formed)
            return i;
        i += length;
    }
}

bool utf8_repair(const char *text, size_t size, struct buffer *to, struct error *error) {
    while (size > 0) {
        size_t good = utf8_well_formed(text, size);
        if (!buffer_append(to, text, good, error))
            return false;
        text += good;
        size -= good;
        if (size == 0)
            break;
        size_t missing, bad = subpart((const uint8_t *)text, size, &missing);
        if (!buffer_append(to, UTF8_REPLACEMENT_BYTES, 3, error))
            return false;
        text += bad;
        size -= bad;
    }
    return true;
}

size_t utf8_complete(const char *text, size_t size) {
    for (size_t back = 1; back <= 3 && back <= size; back++) {
        size_t missing;
        if (((uint8_t)text[size - back] & 0xc0) == 0x80)
            continue;
        size_t length = subpart((const uint8_t *)text + size - back, back, &missing);
        return length == back && missing > 0 ? size - back : size;
    }
    return size;
}
