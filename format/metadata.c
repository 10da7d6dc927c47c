#include "format/metadata.h"

#include <string.h>
#include <utf8proc.h>

#define FIRST_CAPACITY 64

static bool is_control(utf8proc_int32_t c) {
    return c < 0x20 || (c >= 0x7f && c < 0xa0);
}

static bool utf8_is_valid(const char *text, size_t length, bool controls_allowed) {
    const utf8proc_uint8_t *at = (const utf8proc_uint8_t *)text;
    for (size_t i = 0; i < length;) {
        utf8proc_int32_t c;
        utf8proc_ssize_t size = utf8proc_iterate(at + i, (utf8proc_ssize_t)(length - i), &c);
        if (size <= 0 || c == 0 || (!controls_allowed && is_control(c)))
            return false;
        i += (size_t)size;
    }
    return true;
}

bool name_is_valid(const char *name, size_t length) {
    return length >= 1 && length <= MAX_NAME && utf8_is_valid(name, length, false);
}

bool text_is_valid(const char *text, size_t length) {
    return utf8_is_valid(text, length, true);
}

/* The index of the first key that is not below `key`. Keys mostly come in rising order: the end is tried
 * first. */
static size_t lower_bound(const struct metadata *metadata, const char *key) {
    size_t low = 0, high = metadata->count;
    if (high > 0 && strcmp(metadata->items[high - 1].key, key) < 0)
        return high;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(metadata->items[middle].key, key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool has_key(const struct metadata *metadata, size_t i, const char *key) {
    return i < metadata->count && strcmp(metadata->items[i].key, key) == 0;
}

static bool grow(struct metadata *metadata, struct error *error) {
    if (metadata->count < metadata->capacity)
        return true;
    size_t capacity = metadata->capacity ? metadata->capacity * 2 : FIRST_CAPACITY;
    struct metadata_item *items = ARENA_NEW(metadata->arena, struct metadata_item, capacity, error);
    if (!items)
        return false;
    if (metadata->count)
        memcpy(items, metadata->items, metadata->count * sizeof *items);
    metadata->items = items;
    metadata->capacity = capacity;
    return true;
}

static bool copy_value(struct value *value, struct arena *arena, struct error *error) {
    if (value->kind == VALUE_TEXT) {
        value->count = strlen(value->text);
        value->text = arena_text(arena, value->text, value->count, error);
        return value->text != NULL;
    }
    if (value->kind != VALUE_UINTS && value->kind != VALUE_REALS)
        return true;
    _Static_assert(sizeof *value->uints == sizeof *value->reals, "both arrays are copied as one kind");
    uint64_t *copy = ARENA_NEW(arena, uint64_t, value->count ? value->count : 1, error);
    if (!copy)
        return false;
    if (value->count)
        memcpy(copy, value->uints, value->count * sizeof *copy);
    value->uints = copy;
    return true;
}

bool metadata_set(struct metadata *metadata, const char *key, struct value value, struct error *error) {
    if (!copy_value(&value, metadata->arena, error))
        return false;
    size_t i = lower_bound(metadata, key);
    if (has_key(metadata, i, key)) {
        metadata->items[i].value = value;
        return true;
    }
    key = arena_text(metadata->arena, key, strlen(key), error);
    if (!key || !grow(metadata, error))
        return false;
    memmove(&metadata->items[i + 1], &metadata->items[i], (metadata->count - i) * sizeof *metadata->items);
    metadata->items[i] = (struct metadata_item){key, value};
    metadata->count++;
    return true;
}

const struct value *metadata_find(const struct metadata *metadata, const char *key) {
    size_t i = lower_bound(metadata, key);
    return has_key(metadata, i, key) ? &metadata->items[i].value : NULL;
}

const char *metadata_text(const struct metadata *metadata, const char *key) {
    const struct value *value = metadata_find(metadata, key);
    return value && value->kind == VALUE_TEXT ? value->text : NULL;
}

uint64_t metadata_uint(const struct metadata *metadata, const char *key, uint64_t otherwise) {
    const struct value *value = metadata_find(metadata, key);
    return value && value->kind == VALUE_UINT ? value->uint : otherwise;
}
