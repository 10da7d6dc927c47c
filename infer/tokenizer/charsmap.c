#include "infer/tokenizer/charsmap.h"

#include "infer/tokenizer/unicode.h"
#include "infer/utf8.h"

#include <string.h>

#define WHOLE_CLUSTER 6 /* bytes: smaller ones are looked up whole */
#define UNIT_ALIGNMENT 1024 /* an array comes in blocks of 256 units */
#define LONGEST_TEXT 256 /* bytes: NFKC's longest has 33 */

static uint32_t read_u32(const uint8_t *from) {
    return (uint32_t)from[0] | (uint32_t)from[1] << 8 | (uint32_t)from[2] << 16 | (uint32_t)from[3] << 24;
}

static bool check_texts(const char *name, const char *texts, size_t size, struct error *error) {
    size_t good = utf8_well_formed(texts, size);
    if (good < size)
        return fail(error, "%s: the texts of the precompiled_charsmap are not UTF-8 at byte %zu", name, good);
    if (texts[size - 1] != 0)
        return fail(error, "%s: the texts of the precompiled_charsmap do not end with a NUL", name);
    for (size_t i = 0, length; i < size; i += length + 1) {
        length = strlen(texts + i);
        if (length > LONGEST_TEXT)
            return fail(error, "%s: the precompiled_charsmap has a text of %zu bytes, the limit is %d", name,
                        length, LONGEST_TEXT);
    }
    return true;
}

static bool check(const char *name, const uint8_t *data, size_t size, size_t *trie_size,
                  struct error *error) {
    *trie_size = size < 4 ? 0 : read_u32(data);
    if (*trie_size == 0 || *trie_size % UNIT_ALIGNMENT || *trie_size >= size - 4)
        return fail(error, "%s: the precompiled_charsmap of %zu bytes says that its trie has %zu", name, size,
                    *trie_size);
    return check_texts(name, (const char *)data + 4 + *trie_size, size - 4 - *trie_size, error);
}

bool charsmap_init(struct charsmap *charsmap, const char *name, const void *data, size_t size,
                   struct arena *arena, struct error *error) {
    const uint8_t *bytes = data;
    size_t trie_size;
    if (!check(name, bytes, size, &trie_size, error))
        return false;
    size_t n_units = trie_size / 4;
    uint32_t *units = ARENA_NEW(arena, uint32_t, n_units, error);
    for (size_t i = 0; units && i < n_units; i++)
        units[i] = read_u32(bytes + 4 + 4 * i);
    *charsmap = (struct charsmap){.units = units, .n_units = n_units, .texts_size = size - 4 - trie_size};
    charsmap->texts = arena_text(arena, (const char *)bytes + 4 + trie_size, charsmap->texts_size, error);
    return units && charsmap->texts;
}

/* ---- The double array ---- */

static size_t base_of(size_t at, uint32_t unit) {
    return at ^ (unit >> 10) << (unit >> 6 & 8);
}

/* The text that a value stands for, or NULL where it points nowhere or into a character. */
static const char *text_at(const struct charsmap *charsmap, size_t at) {
    if (at >= charsmap->n_units)
        return NULL;
    size_t value = charsmap->units[at] & 0x7fffffff;
    return value < charsmap->texts_size && (charsmap->texts[value] & 0xc0) != 0x80 ? charsmap->texts + value
                                                                                   : NULL;
}

/* A search, byte by byte from the root. */
struct walk {
    const struct charsmap *charsmap;
    size_t base; /* where the children are */
};

static struct walk walk_from_root(const struct charsmap *charsmap) {
    return (struct walk){charsmap, base_of(0, charsmap->units[0])};
}

/* Takes a step. False where no key goes on with the byte; *text is set where one ends with it. */
static bool walk_on(struct walk *walk, uint8_t byte, const char **text) {
    size_t at = walk->base ^ byte;
    if (byte == 0 || at >= walk->charsmap->n_units)
        return false;
    uint32_t unit = walk->charsmap->units[at];
    if ((unit & 0x800000ff) != byte)
        return false;
    walk->base = base_of(at, unit);
    *text = unit & 0x100 ? text_at(walk->charsmap, walk->base) : NULL;
    return true;
}

/* A key that ends within a character is none. */
static bool ends_character(const char *text, size_t size, size_t end) {
    return end == size || (text[end] & 0xc0) != 0x80;
}

size_t charsmap_longest(const struct charsmap *charsmap, const char *text, size_t size,
                        const char **replacement) {
    struct walk walk = walk_from_root(charsmap);
    size_t longest = 0, most = size < CHARSMAP_LONGEST_KEY ? size : CHARSMAP_LONGEST_KEY;
    const char *found;
    for (size_t i = 0; i < most && walk_on(&walk, (uint8_t)text[i], &found); i++)
        if (found && ends_character(text, size, i + 1)) {
            longest = i + 1;
            *replacement = found;
        }
    return longest;
}

/* What replaces the shortest key that the text begins with, or NULL. */
static const char *shortest(const struct charsmap *charsmap, const char *text, size_t size) {
    struct walk walk = walk_from_root(charsmap);
    const char *found = NULL;
    for (size_t i = 0; i < size && !found && walk_on(&walk, (uint8_t)text[i], &found); i++)
        ;
    return found;
}

static bool apply_to_characters(const struct charsmap *charsmap, const char *text, size_t size,
                                struct buffer *to, struct error *error) {
    for (size_t i = 0, length; i < size; i += length) {
        uint32_t code;
        length = utf8_next(text + i, &code);
        const char *found = shortest(charsmap, text + i, length);
        if (!(found ? buffer_append(to, found, strlen(found), error)
                    : buffer_append(to, text + i, length, error)))
            return false;
    }
    return true;
}

bool charsmap_apply(const struct charsmap *charsmap, const char *text, size_t size, struct buffer *to,
                    struct error *error) {
    for (size_t i = 0, length; i < size; i += length) {
        length = unicode_cluster(text + i, size - i);
        const char *whole = length < WHOLE_CLUSTER ? shortest(charsmap, text + i, length) : NULL;
        if (!(whole ? buffer_append(to, whole, strlen(whole), error)
                    : apply_to_characters(charsmap, text + i, length, to, error)))
            return false;
    }
    return true;
}
