#include "format/gguf.h"

#include "types/gguf.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The least that an item and a tensor take: what a count can claim is bounded by what the file holds. */
#define MIN_ITEM 13
#define MIN_TENSOR 32

/* A file whose header is being read. */
struct reading {
    struct container *container;
    const char *path;
    uint32_t file;
    const uint8_t *bytes;
    uint64_t size, at;
    uint32_t version;
    uint64_t n_tensors, n_items, alignment;
    struct gguf_item *items;
    struct tensor *tensors;
    struct error *error;
};

/* ---- Values ---- */

static const uint8_t kind_bytes[GGUF_KINDS] = {
    [GGUF_UINT8] = 1, [GGUF_INT8] = 1,    [GGUF_UINT16] = 2, [GGUF_INT16] = 2,   [GGUF_UINT32] = 4,
    [GGUF_INT32] = 4, [GGUF_FLOAT32] = 4, [GGUF_BOOL] = 1,   [GGUF_TEXT] = 8, /* and as many as these say */
    [GGUF_ARRAY] = 0, [GGUF_UINT64] = 8,  [GGUF_INT64] = 8,  [GGUF_FLOAT64] = 8,
};

static uint64_t little_endian(const uint8_t *from, size_t n) {
    uint64_t x = 0;
    while (n-- > 0)
        x = x << 8 | from[n];
    return x;
}

static bool is_signed(enum gguf_kind kind) {
    return kind == GGUF_INT8 || kind == GGUF_INT16 || kind == GGUF_INT32 || kind == GGUF_INT64;
}

static bool is_real(enum gguf_kind kind) {
    return kind == GGUF_FLOAT32 || kind == GGUF_FLOAT64;
}

/* The bits of a whole number, and whether it is below 0. */
static bool whole_bits(const struct gguf_item *item, uint64_t i, uint64_t *bits, bool *negative) {
    size_t size = kind_bytes[item->kind];
    if (item->kind == GGUF_BOOL || item->kind == GGUF_TEXT || is_real(item->kind) || i >= item->count)
        return false;
    *bits = little_endian(item->data + i * size, size);
    *negative = is_signed(item->kind) && *bits >> (8 * size - 1);
    if (*negative && size < 8)
        *bits |= UINT64_MAX << 8 * size;
    return true;
}

bool gguf_uint(const struct gguf_item *item, uint64_t i, uint64_t *to) {
    bool negative;
    return whole_bits(item, i, to, &negative) && !negative;
}

bool gguf_int(const struct gguf_item *item, uint64_t i, int64_t *to) {
    uint64_t bits;
    bool negative;
    if (!whole_bits(item, i, &bits, &negative) || (!negative && bits > INT64_MAX))
        return false;
    *to = (int64_t)bits;
    return true;
}

bool gguf_real(const struct gguf_item *item, uint64_t i, double *to) {
    uint64_t whole;
    if (!is_real(item->kind)) {
        bool good = gguf_uint(item, i, &whole);
        *to = good ? (double)whole : 0;
        return good;
    }
    if (i >= item->count)
        return false;
    const uint8_t *from = item->data + i * kind_bytes[item->kind];
    float single;
    if (item->kind == GGUF_FLOAT64)
        memcpy(to, from, sizeof *to);
    else
        *to = (double)*(float *)memcpy(&single, from, sizeof single);
    return true;
}

bool gguf_flag(const struct gguf_item *item, uint64_t i, bool *to) {
    if (item->kind != GGUF_BOOL || i >= item->count)
        return false;
    *to = item->data[i] != 0;
    return true;
}

const struct gguf_text *gguf_texts(const struct gguf_item *item, struct arena *arena, struct error *error) {
    struct gguf_text *texts = ARENA_NEW(arena, struct gguf_text, (size_t)item->count + 1, error);
    const uint8_t *at = item->data;
    for (uint64_t i = 0; texts && i < item->count; i++) {
        texts[i].size = (size_t)little_endian(at, 8);
        texts[i].bytes = (const char *)at + 8;
        at += 8 + texts[i].size;
    }
    return texts;
}

static int by_key(const void *a, const void *b) {
    return strcmp(((const struct gguf_item *)a)->key, ((const struct gguf_item *)b)->key);
}

const struct gguf_item *gguf_find(const struct container *container, const char *key) {
    const struct gguf_details *details = container->details;
    struct gguf_item wanted = {.key = key};
    return details->n_items
               ? bsearch(&wanted, details->items, details->n_items, sizeof *details->items, by_key)
               : NULL;
}

/* ---- Bytes, one behind the other ---- */

/* The next `size` bytes, of what the sentence calls `what`; NULL where the file ends before. */
static const uint8_t *take(struct reading *r, uint64_t size, const char *what) {
    if (size > r->size - r->at) {
        fail(r->error, "%s: %s at %" PRIu64 " needs %" PRIu64 " bytes, the file is %" PRIu64 " bytes",
             r->path, what, r->at, size, r->size);
        return NULL;
    }
    const uint8_t *bytes = r->bytes + r->at;
    r->at += size;
    return bytes;
}

static bool take_number(struct reading *r, size_t size, const char *what, uint64_t *to) {
    const uint8_t *bytes = take(r, size, what);
    *to = bytes ? little_endian(bytes, size) : 0;
    return bytes;
}

static bool take_text(struct reading *r, const char *what, struct gguf_text *text) {
    uint64_t size;
    if (!take_number(r, 8, what, &size))
        return false;
    if (size > GGUF_MAX_TEXT)
        return fail(r->error, "%s: %s at %" PRIu64 " is %" PRIu64 " bytes long, the limit is %u", r->path,
                    what, r->at - 8, size, GGUF_MAX_TEXT);
    *text = (struct gguf_text){(const char *)take(r, size, what), (size_t)size};
    return text->bytes;
}

static const char *take_name(struct reading *r, const char *what) {
    struct gguf_text text = {0};
    uint64_t at = r->at;
    if (!take_text(r, what, &text))
        return NULL;
    if (name_is_valid(text.bytes, text.size))
        return arena_text(&r->container->arena, text.bytes, text.size, r->error);
    fail(r->error, "%s: %s at %" PRIu64 " is %s", r->path, what, at,
         text.size == 0         ? "empty"
         : text.size > MAX_NAME ? "longer than 255 bytes"
                                : "not printable");
    return NULL;
}

static bool check_count(const struct reading *r, const char *what, uint64_t count, uint64_t limit,
                        uint64_t least_bytes) {
    if (count > limit)
        return fail(r->error, "%s: %" PRIu64 " %s, the limit is %" PRIu64, r->path, count, what, limit);
    return count <= (r->size - r->at) / least_bytes ||
           fail(r->error, "%s: %" PRIu64 " %s from %" PRIu64 " on, the file is %" PRIu64 " bytes", r->path,
                count, what, r->at, r->size);
}

/* ---- Items ---- */

static bool take_kind(struct reading *r, const char *key, bool in_array, enum gguf_kind *kind) {
    uint64_t number;
    if (!take_number(r, 4, "a kind of value", &number))
        return false;
    if (number >= GGUF_KINDS)
        return fail(r->error, "%s: '%s' is of the unknown kind %" PRIu64, r->path, key, number);
    if (in_array && number == GGUF_ARRAY)
        return fail(r->error, "%s: '%s' is an array of arrays, which is not supported", r->path, key);
    *kind = (enum gguf_kind)number;
    return true;
}

static bool skip_texts(struct reading *r, const struct gguf_item *item) {
    struct gguf_text text;
    for (uint64_t i = 0; i < item->count; i++)
        if (!take_text(r, item->key, &text))
            return false;
    return true;
}

static bool take_values(struct reading *r, struct gguf_item *item) {
    uint64_t size = kind_bytes[item->kind];
    if (item->is_array && !check_count(r, "values in an array", item->count, GGUF_MAX_ARRAY, size))
        return false;
    item->data = r->bytes + r->at;
    return item->kind == GGUF_TEXT ? skip_texts(r, item) : take(r, item->count * size, item->key) != NULL;
}

static bool take_item(struct reading *r, struct gguf_item *item) {
    *item = (struct gguf_item){.key = take_name(r, "a key"), .count = 1};
    if (!item->key || !take_kind(r, item->key, false, &item->kind))
        return false;
    item->is_array = item->kind == GGUF_ARRAY;
    if (item->is_array &&
        (!take_kind(r, item->key, true, &item->kind) || !take_number(r, 8, item->key, &item->count)))
        return false;
    return take_values(r, item);
}

static bool take_items(struct reading *r) {
    r->items = ARENA_NEW(&r->container->arena, struct gguf_item, (size_t)r->n_items + 1, r->error);
    for (uint64_t i = 0; r->items && i < r->n_items; i++)
        if (!take_item(r, &r->items[i]))
            return false;
    if (!r->items)
        return false;
    qsort(r->items, (size_t)r->n_items, sizeof *r->items, by_key);
    for (uint64_t i = 1; i < r->n_items; i++)
        if (!strcmp(r->items[i - 1].key, r->items[i].key))
            return fail(r->error, "%s: the key '%s' is there twice", r->path, r->items[i].key);
    return true;
}

static const struct gguf_item *item_of(const struct reading *r, const char *key) {
    struct gguf_item wanted = {.key = key};
    return bsearch(&wanted, r->items, (size_t)r->n_items, sizeof *r->items, by_key);
}

/* A whole number, or `otherwise` where the key is absent. */
static bool uint_of(const struct reading *r, const char *key, uint64_t otherwise, uint64_t *to) {
    const struct gguf_item *item = item_of(r, key);
    *to = otherwise;
    return !item || (!item->is_array && gguf_uint(item, 0, to)) ||
           fail(r->error, "%s: '%s' is not a whole number", r->path, key);
}

/* ---- Tensors ---- */

static bool take_dims(struct reading *r, struct tensor *tensor) {
    uint64_t n;
    if (!take_number(r, 4, "a tensor's number of dimensions", &n))
        return false;
    if (n < 1 || n > MAX_DIMS)
        return fail(r->error, "%s: tensor '%s' has %" PRIu64 " dimensions, expected 1 to %d", r->path,
                    tensor->name, n, MAX_DIMS);
    tensor->n_dims = (uint32_t)n;
    while (n-- > 0)
        if (!take_number(r, 8, "a tensor's dimension", &tensor->dims[n]))
            return false;
    return true;
}

static bool take_type(struct reading *r, struct tensor *tensor) {
    uint64_t id, cols = tensor->dims[tensor->n_dims - 1];
    if (!take_number(r, 4, "a tensor's type", &id))
        return false;
    const struct gguf_type *type = gguf_type_find((uint32_t)id);
    if (!type)
        return fail(r->error, "%s: tensor '%s' is of the unknown type %" PRIu64, r->path, tensor->name, id);
    tensor->type = type->type;
    const char *name = type->type ? type->type->name : type->name;
    tensor->layout = (struct type_layout){name, 1, type->block_cols, type->block_bytes};
    if (!tensor_bytes(tensor, &tensor->size))
        return fail(r->error, "%s: tensor '%s' has a shape beyond any file's size", r->path, tensor->name);
    return cols % type->block_cols == 0 ||
           fail(r->error,
                "%s: tensor '%s' has rows of %" PRIu64 ", which blocks of %u of type %s do not fill", r->path,
                tensor->name, cols, type->block_cols, type->name);
}

static bool take_tensor(struct reading *r, struct tensor *tensor) {
    *tensor = (struct tensor){.file = r->file, .name = take_name(r, "a tensor's name")};
    return tensor->name && take_dims(r, tensor) && take_type(r, tensor) &&
           take_number(r, 8, "a tensor's offset", &tensor->offset);
}

static bool take_tensors(struct reading *r) {
    r->tensors = ARENA_NEW(&r->container->arena, struct tensor, (size_t)r->n_tensors + 1, r->error);
    for (uint64_t i = 0; r->tensors && i < r->n_tensors; i++)
        if (!take_tensor(r, &r->tensors[i]))
            return false;
    return r->tensors;
}

static uint64_t aligned(const struct reading *r, uint64_t offset) {
    return offset + -offset % r->alignment;
}

/* The tensors follow one another in the data, which begins behind them. Makes their offsets the file's own.
 */
static bool place_tensors(struct reading *r) {
    uint64_t begin = aligned(r, r->at), room = begin < r->size ? r->size - begin : 0, end = 0;
    for (uint64_t i = 0; i < r->n_tensors; i++) {
        struct tensor *tensor = &r->tensors[i];
        uint64_t expected = aligned(r, end);
        if (tensor->offset != expected)
            return fail(r->error, "%s: tensor '%s' begins at %" PRIu64 " of the data, expected %" PRIu64,
                        r->path, tensor->name, tensor->offset, expected);
        if (begin > r->size || expected > room || tensor->size > room - expected)
            return fail(r->error,
                        "%s: tensor '%s' at %" PRIu64 " takes %" PRIu64 " bytes, the file is %" PRIu64
                        " bytes: it was cut short",
                        r->path, tensor->name, begin + expected, tensor->size, r->size);
        end = expected + tensor->size;
        tensor->offset += begin;
    }
    return true;
}

/* ---- One file ---- */

static bool take_version(struct reading *r) {
    uint64_t version;
    const uint8_t *magic = take(r, 4, "the magic number");
    if (!magic || !take_number(r, 4, "the version", &version))
        return false;
    if (memcmp(magic, GGUF_MAGIC, 4))
        return fail(r->error, "%s: does not begin with %s", r->path, GGUF_MAGIC);
    if (version && !(version & 0xffff))
        return fail(r->error, "%s: is big-endian, only little-endian GGUF is supported", r->path);
    r->version = (uint32_t)version;
    return version == 2 || version == 3 ||
           fail(r->error, "%s: is GGUF version %" PRIu64 ", only 2 and 3 are supported", r->path, version);
}

static bool take_counts(struct reading *r) {
    return take_number(r, 8, "the number of tensors", &r->n_tensors) &&
           take_number(r, 8, "the number of keys", &r->n_items) &&
           check_count(r, "tensors", r->n_tensors, GGUF_MAX_TENSORS, MIN_TENSOR) &&
           check_count(r, "keys", r->n_items, GGUF_MAX_ITEMS, MIN_ITEM);
}

static bool read_alignment(struct reading *r) {
    if (!uint_of(r, "general.alignment", GGUF_ALIGNMENT, &r->alignment))
        return false;
    return (r->alignment >= 1 && r->alignment <= GGUF_MAX_ALIGNMENT &&
            !(r->alignment & (r->alignment - 1))) ||
           fail(r->error, "%s: general.alignment is %" PRIu64 ", expected a power of two up to %u", r->path,
                r->alignment, GGUF_MAX_ALIGNMENT);
}

static bool read_header(struct reading *r) {
    return take_version(r) && take_counts(r) && take_items(r) && read_alignment(r) && take_tensors(r) &&
           place_tensors(r);
}

/* Into the container's next file, which has room. */
static bool open_file(struct container *container, const char *path, struct reading *r, struct error *error) {
    struct input *input = &container->files[container->n_files];
    if (!input_open(input, path, &container->arena, error))
        return false;
    *r = (struct reading){.container = container,
                          .path = path,
                          .file = (uint32_t)container->n_files++,
                          .size = input->size,
                          .error = error};
    if (!input_map(input, error))
        return false;
    r->bytes = input->map;
    return read_header(r);
}

/* ---- Shards ---- */

static bool add_tensors(struct container *container, const struct reading *r) {
    size_t count = container->n_tensors + (size_t)r->n_tensors;
    if (count > GGUF_MAX_TENSORS)
        return fail(r->error, "%s: brings the tensors to %zu, the limit is %u", r->path, count,
                    GGUF_MAX_TENSORS);
    struct tensor *all = ARENA_NEW(&container->arena, struct tensor, count + 1, r->error);
    if (!all)
        return false;
    if (container->n_tensors)
        memcpy(all, container->tensors, container->n_tensors * sizeof *all);
    if (r->n_tensors)
        memcpy(all + container->n_tensors, r->tensors, (size_t)r->n_tensors * sizeof *all);
    container->tensors = all;
    container->n_tensors = count;
    return true;
}

/* "model-00001-of-00003.gguf" */
#define SHARD_ENDING "-%05u-of-%05u.gguf"
#define SHARD_ENDING_LENGTH 20

static bool ends_as_shard(const char *path, unsigned number, unsigned count) {
    char ending[SHARD_ENDING_LENGTH + 16];
    size_t length = strlen(path),
           expected = (size_t)snprintf(ending, sizeof ending, SHARD_ENDING, number, count);
    return length > expected && !strcmp(path + length - expected, ending);
}

static bool check_shard(const struct reading *r, uint64_t number, uint64_t count) {
    uint64_t its_number, its_count;
    if (!uint_of(r, "split.no", 0, &its_number) || !uint_of(r, "split.count", 0, &its_count))
        return false;
    return (its_number == number && its_count == count) ||
           fail(r->error, "%s: is shard %" PRIu64 " of %" PRIu64 ", expected %" PRIu64 " of %" PRIu64,
                r->path, its_number + 1, its_count, number + 1, count);
}

static bool open_shard(struct container *container, const char *first, unsigned number, unsigned count,
                       struct error *error) {
    struct reading r;
    char *path = arena_text(&container->arena, first, strlen(first), error);
    if (!path)
        return false;
    snprintf(path + strlen(path) - SHARD_ENDING_LENGTH, SHARD_ENDING_LENGTH + 1, SHARD_ENDING, number, count);
    return open_file(container, path, &r, error) && check_shard(&r, number - 1, count) &&
           add_tensors(container, &r);
}

static bool open_other_shards(struct container *container, const struct reading *first, uint64_t count) {
    uint64_t total;
    if (count > GGUF_MAX_SHARDS)
        return fail(first->error, "%s: is one of %" PRIu64 " shards, the limit is %u", first->path, count,
                    GGUF_MAX_SHARDS);
    if (!ends_as_shard(first->path, 1, (unsigned)count))
        return fail(first->error,
                    "%s: is one of %" PRIu64 " shards; name the first, whose name ends in " SHARD_ENDING,
                    first->path, count, 1u, (unsigned)count);
    struct input *files = ARENA_NEW(&container->arena, struct input, (size_t)count, first->error);
    if (!files || !check_shard(first, 0, count))
        return false;
    files[0] = container->files[0];
    container->files = files;
    for (unsigned number = 2; number <= count; number++)
        if (!open_shard(container, first->path, number, (unsigned)count, first->error))
            return false;
    return uint_of(first, "split.tensors.count", container->n_tensors, &total) &&
           (total == container->n_tensors ||
            fail(first->error, "%s: calls for %" PRIu64 " tensors, its shards hold %zu", first->path, total,
                 container->n_tensors));
}

/* ---- What a user names ---- */

static int by_name(const void *a, const void *b) {
    return strcmp(((const struct tensor *)a)->name, ((const struct tensor *)b)->name);
}

static bool sort_tensors(struct container *container, struct error *error) {
    struct tensor *tensors = container->tensors;
    qsort(tensors, container->n_tensors, sizeof *tensors, by_name);
    for (size_t i = 1; i < container->n_tensors; i++)
        if (!strcmp(tensors[i - 1].name, tensors[i].name))
            return fail(error, "%s: the tensor '%s' is there twice", container->files[tensors[i].file].path,
                        tensors[i].name);
    return true;
}

static bool keep_details(struct container *container, const struct reading *r) {
    struct gguf_details *details = ARENA_NEW(&container->arena, struct gguf_details, 1, r->error);
    if (!details)
        return false;
    *details = (struct gguf_details){r->version, r->items, (size_t)r->n_items};
    container->details = details;
    return true;
}

static bool probe(const char *path) {
    char magic[4];
    return format_peek(path, magic, sizeof magic) == sizeof magic && !memcmp(magic, GGUF_MAGIC, sizeof magic);
}

static bool open_gguf(struct container *container, const char *path, struct error *error) {
    struct reading first;
    uint64_t count;
    container->files = ARENA_NEW(&container->arena, struct input, 1, error);
    return container->files && open_file(container, path, &first, error) && keep_details(container, &first) &&
           add_tensors(container, &first) && uint_of(&first, "split.count", 1, &count) &&
           (count <= 1 || open_other_shards(container, &first, count)) && sort_tensors(container, error);
}

const struct format gguf_format = {
    .name = "gguf",
    .summary = "a .gguf file",
    .probe = probe,
    .open = open_gguf,
};
