/* Typed values under rising keys, as a .qm file stores them. */
#ifndef FORMAT_METADATA_H
#define FORMAT_METADATA_H

#include "lib/memory.h"

enum value_kind { VALUE_BOOL = 1, VALUE_UINT, VALUE_INT, VALUE_REAL, VALUE_TEXT, VALUE_UINTS, VALUE_REALS };

struct value {
    enum value_kind kind;
    union {
        bool boolean;
        uint64_t uint;
        int64_t sint;
        double real;
        const char *text; /* UTF-8 */
        const uint64_t *uints;
        const double *reals;
    };
    size_t count; /* bytes of a text, items of an array */
};

struct metadata {
    struct metadata_item {
        const char *key;
        struct value value;
    } * items; /* strictly rising keys */
    size_t count, capacity;
    struct arena *arena; /* owns keys, texts and arrays; set it before the first metadata_set */
};

/* A name from a stranger (of a tensor, blob, type or metadata key) is 1 to MAX_NAME bytes of UTF-8 without
 * control characters, so that it can be printed. A text is UTF-8 without a NUL. */
#define MAX_NAME 255
bool name_is_valid(const char *name, size_t length);
bool text_is_valid(const char *text, size_t length);

/* Copies key and value in; replaces what the key had. A text reaches to its NUL; `count` is set from it. */
bool metadata_set(struct metadata *metadata, const char *key, struct value value, struct error *error);
const struct value *metadata_find(const struct metadata *metadata, const char *key); /* NULL if absent */

/* NULL (or 0, with *found false where given) if absent or of another kind. */
const char *metadata_text(const struct metadata *metadata, const char *key);
uint64_t metadata_uint(const struct metadata *metadata, const char *key, uint64_t otherwise);

#endif
