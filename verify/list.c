#include "verify/list.h"

#include "format/digest.h"
#include "format/gguf.h"
#include "format/qm.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* ---- As JSON ---- */

/* 64 bits unsigned do not all fit JSON's integers. */
static json_t *uint_json(uint64_t x) {
    return x <= INT64_MAX ? json_integer((json_int_t)x) : json_real((double)x);
}

/* JSON has no infinities. */
static json_t *real_json(double x) {
    json_t *real = json_real(x);
    return real ? real : json_null();
}

static json_t *items_json(const struct value *value) {
    json_t *items = json_array();
    bool good = items != NULL;
    for (size_t i = 0; good && i < value->count; i++)
        good = !json_array_append_new(items, value->kind == VALUE_UINTS ? uint_json(value->uints[i])
                                                                        : real_json(value->reals[i]));
    if (good)
        return items;
    json_decref(items);
    return NULL;
}

static json_t *value_json(const struct value *value) {
    switch (value->kind) {
    case VALUE_BOOL:
        return json_boolean(value->boolean);
    case VALUE_UINT:
        return uint_json(value->uint);
    case VALUE_INT:
        return json_integer(value->sint);
    case VALUE_REAL:
        return real_json(value->real);
    case VALUE_TEXT:
        return json_string(value->text);
    case VALUE_UINTS:
    case VALUE_REALS:
        break;
    }
    return items_json(value);
}

/* Values of GGUF files; texts that are not UTF-8 are null. */
static json_t *gguf_number_json(const struct gguf_item *item, uint64_t i) {
    uint64_t whole;
    int64_t below;
    double real;
    bool flag;
    if (gguf_flag(item, i, &flag))
        return json_boolean(flag);
    if (gguf_uint(item, i, &whole))
        return uint_json(whole);
    if (gguf_int(item, i, &below))
        return json_integer(below);
    return gguf_real(item, i, &real) ? real_json(real) : json_null();
}

static json_t *gguf_text_json(const struct gguf_text *text) {
    json_t *string = json_stringn(text->bytes, text->size);
    return string ? string : json_null();
}

static json_t *gguf_values_json(const struct gguf_item *item, const struct gguf_text *texts) {
    json_t *values = json_array();
    bool good = values != NULL;
    for (uint64_t i = 0; good && i < item->count; i++)
        good = !json_array_append_new(values, texts ? gguf_text_json(&texts[i]) : gguf_number_json(item, i));
    if (good)
        return values;
    json_decref(values);
    return NULL;
}

static json_t *gguf_item_json(const struct gguf_item *item) {
    struct arena arena = {0};
    struct error error;
    json_t *value = NULL;
    const struct gguf_text *texts = item->kind == GGUF_TEXT ? gguf_texts(item, &arena, &error) : NULL;
    if (item->is_array)
        value = gguf_values_json(item, texts);
    else if (item->kind != GGUF_TEXT)
        value = gguf_number_json(item, 0);
    else if (texts)
        value = gguf_text_json(texts);
    arena_free(&arena);
    return value;
}

static json_t *shape_json(const struct tensor *tensor) {
    json_t *shape = json_array();
    for (uint32_t d = 0; d < tensor->n_dims; d++)
        json_array_append_new(shape, uint_json(tensor->dims[d]));
    return shape;
}

/* Both take what is new, and fail where that is NULL. */
static bool set(json_t *object, const char *key, json_t *value) {
    return json_object_set_new(object, key, value) == 0;
}

static bool append(json_t *array, json_t *value) {
    return json_array_append_new(array, value) == 0;
}

static bool set_digest(json_t *to, const char *key, const struct digest128 *digest) {
    return set(to, key, json_string(digest_text(digest->bytes).hex));
}

static json_t *tensor_json(const struct container *container, const struct tensor *tensor) {
    json_t *to = json_object();
    if (set(to, "name", json_string(tensor->name)) && set(to, "shape", shape_json(tensor)) &&
        set(to, "type", json_string(tensor->layout.name)) && set(to, "bytes", uint_json(tensor->size)) &&
        set(to, "offset", uint_json(tensor->offset)) &&
        (container->n_files == 1 ||
         set(to, "file", json_string(path_base(container->files[tensor->file].path)))) &&
        (container->format != &qm_format || set_digest(to, "xxh3", &tensor->digest)))
        return to;
    json_decref(to);
    return NULL;
}

static bool set_items(json_t *to, const struct gguf_details *details) {
    bool good = true;
    for (size_t i = 0; good && i < details->n_items; i++)
        good = set(to, details->items[i].key, gguf_item_json(&details->items[i]));
    return good;
}

static bool set_metadata(json_t *to, const struct container *container) {
    const struct metadata *metadata = &container->metadata;
    json_t *values = json_object();
    bool good = container->format != &gguf_format || set_items(values, container->details);
    for (size_t i = 0; good && i < metadata->count; i++)
        good = set(values, metadata->items[i].key, value_json(&metadata->items[i].value));
    return set(to, "metadata", values) && good;
}

static bool set_blobs(json_t *to, const struct container *container) {
    json_t *blobs = json_array();
    bool good = true;
    for (size_t i = 0; good && i < container->n_blobs; i++)
        good = append(blobs, json_pack("{s:s, s:o}", "name", container->blobs[i].name, "bytes",
                                       uint_json(container->blobs[i].size)));
    return set(to, "blobs", blobs) && good;
}

static bool set_tensors(json_t *to, const struct container *container) {
    json_t *tensors = json_array();
    bool good = true;
    for (size_t i = 0; good && i < container->n_tensors; i++)
        good = append(tensors, tensor_json(container, &container->tensors[i]));
    return set(to, "tensors", tensors) && good;
}

static bool set_id(json_t *to, const struct container *container) {
    const struct qm_details *details = container->details;
    return container->format != &qm_format || set_digest(to, "model_id", &details->model_id);
}

json_t *list_json(const struct container *container) {
    json_t *to = json_object();
    if (set(to, "file", json_string(container->path)) &&
        set(to, "format", json_string(container->format->name)) && set_id(to, container) &&
        set_metadata(to, container) && set_blobs(to, container) && set_tensors(to, container))
        return to;
    json_decref(to);
    return NULL;
}

/* ---- As tables ---- */

/* Takes the value. */
static void print_value(const char *key, const char *before, json_t *value) {
    printf("  %-36s %s%s\n", key, before, json_show(value).text);
    json_decref(value);
}

static void print_metadata(const struct metadata *metadata) {
    for (size_t i = 0; i < metadata->count; i++)
        print_value(metadata->items[i].key, "", value_json(&metadata->items[i].value));
}

#define FIRST_VALUES 64u /* of an array, more than a line shows */

static void print_items(const struct container *container) {
    const struct gguf_details *details = container->details;
    for (size_t i = 0; container->format == &gguf_format && i < details->n_items; i++) {
        struct gguf_item item = details->items[i];
        char before[32] = "";
        if (item.is_array)
            snprintf(before, sizeof before, "%" PRIu64 " values: ", item.count);
        item.count = item.count < FIRST_VALUES ? item.count : FIRST_VALUES;
        print_value(item.key, before, gguf_item_json(&item));
    }
}

static void print_blobs(const struct container *container) {
    for (size_t i = 0; i < container->n_blobs; i++)
        printf("  %-36s %13zu bytes\n", container->blobs[i].name, container->blobs[i].size);
}

static void widen(int *width, const char *text) {
    int length = (int)strlen(text);
    *width = length > *width ? length : *width;
}

void print_tensors(const struct container *container) {
    int name_width = (int)strlen("tensor"), type_width = 5;
    for (size_t i = 0; i < container->n_tensors; i++) {
        widen(&name_width, container->tensors[i].name);
        widen(&type_width, container->tensors[i].layout.name);
    }
    printf("  %-*s %15s  %-*s %13s\n", name_width, "tensor", "shape", type_width, "type", "bytes");
    for (size_t i = 0; i < container->n_tensors; i++) {
        const struct tensor *tensor = &container->tensors[i];
        printf("  %-*s %15s  %-*s %13" PRIu64 "\n", name_width, tensor->name,
               dims_text(tensor->n_dims, tensor->dims).text, type_width, tensor->layout.name, tensor->size);
    }
}

void print_list(const struct container *container) {
    printf("%s: %s, %zu tensors\n", container->path, container->format->name, container->n_tensors);
    print_metadata(&container->metadata);
    print_items(container);
    print_blobs(container);
    print_tensors(container);
}
