#include "infer/tokenizer/sp_normalizer.h"

#include "infer/utf8.h"

#include <string.h>

/* What is taken of a text at once, and what it becomes. */
struct part {
    size_t taken;
    const char *text;
    size_t size;
};

static struct part next_part(const struct sp_normalizer *n, const char *text, size_t size) {
    const char *replacement;
    uint32_t code;
    size_t taken = matcher_longest(n->kept, text, size);
    if (taken == 0 && n->charsmap.units && (taken = charsmap_longest(&n->charsmap, text, size, &replacement)))
        return (struct part){taken, replacement, strlen(replacement)};
    taken = taken ? taken : utf8_next(text, &code);
    return (struct part){taken, text, taken};
}

static bool is_space(struct part part) {
    return part.size == 1 && part.text[0] == ' ';
}

static bool append_mark(const struct sp_normalizer *n, struct buffer *to, struct error *error) {
    return buffer_append(to, n->mark, n->mark_size, error);
}

static bool append_part(const struct sp_normalizer *n, struct part part, struct buffer *to,
                        struct error *error) {
    while (part.size > 0) {
        const char *space = memchr(part.text, ' ', part.size);
        size_t before = space ? (size_t)(space - part.text) : part.size, all = before + (space != NULL);
        if (!buffer_append(to, part.text, before, error) || (space && !append_mark(n, to, error)))
            return false;
        part.text += all;
        part.size -= all;
    }
    return true;
}

static bool append_parts(const struct sp_normalizer *n, const char *text, size_t size, bool begins,
                         struct buffer *to, struct error *error) {
    bool after_space = n->squeeze && begins;
    for (struct part part; size > 0; text += part.taken, size -= part.taken) {
        struct part rest = part = next_part(n, text, size);
        while (after_space && rest.size > 0 && rest.text[0] == ' ') {
            rest.text++;
            rest.size--;
        }
        if (!append_part(n, rest, to, error))
            return false;
        if (rest.size > 0)
            after_space = n->squeeze && rest.text[rest.size - 1] == ' ';
    }
    return true;
}

/* An added mark too, as in SentencePiece. */
static void drop_marks_behind(const struct sp_normalizer *n, size_t begin, struct buffer *to) {
    size_t size = n->mark_size;
    while (to->size >= begin + size && memcmp(to->data + to->size - size, n->mark, size) == 0)
        to->size -= size;
}

bool sp_normalize(const struct sp_normalizer *n, const char *text, size_t size, bool begins, bool ends,
                  struct buffer *to, struct error *error) {
    size_t before = to->size;
    for (struct part part; n->squeeze && begins && size > 0; text += part.taken, size -= part.taken) {
        part = next_part(n, text, size);
        if (!is_space(part))
            break;
    }
    if (size == 0)
        return true;
    if ((n->before && begins && !append_mark(n, to, error)) ||
        !append_parts(n, text, size, begins, to, error))
        return false;
    if (n->squeeze && ends)
        drop_marks_behind(n, before, to);
    return !n->behind || !ends || append_mark(n, to, error);
}
