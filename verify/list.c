#include "verify/list.h"

#include "format/digest.h"
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

static bool set_metadata(json_t *to, const struct metadata *metadata) {
    json_t *values = json_object();
    bool good = true;
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
        set_metadata(to, &container->metadata) && set_blobs(to, container) && set_tensors(to, container))
        return to;
    json_decref(to);
    return NULL;
}

/* ---- As tables ---- */

static void print_metadata(const struct metadata *metadata) {
    for (size_t i = 0; i < metadata->count; i++) {
        json_t *value = value_json(&metadata->items[i].value);
        printf("  %-36s %s\n", metadata->items[i].key, json_show(value).text);
        json_decref(value);
    }
}

static void print_blobs(const struct container *container) {
    for (size_t i = 0; i < container->n_blobs; i++)
        printf("  %-36s %13zu bytes\n", container->blobs[i].name, container->blobs[i].size);
}

static int widest_name(const struct container *container) {
    size_t widest = strlen("tensor");
    for (size_t i = 0; i < container->n_tensors; i++) {
        size_t length = strlen(container->tensors[i].name);
        widest = length > widest ? length : widest;
    }
    return (int)widest;
}

void print_tensors(const struct container *container) {
    int width = widest_name(container);
    printf("  %-*s %15s  %-5s %13s\n", width, "tensor", "shape", "type", "bytes");
    for (size_t i = 0; i < container->n_tensors; i++) {
        const struct tensor *tensor = &container->tensors[i];
        printf("  %-*s %15s  %-5s %13" PRIu64 "\n", width, tensor->name,
               dims_text(tensor->n_dims, tensor->dims).text, tensor->layout.name, tensor->size);
    }
}

void print_list(const struct container *container) {
    printf("%s: %s, %zu tensors\n", container->path, container->format->name, container->n_tensors);
    print_metadata(&container->metadata);
    print_blobs(container);
    print_tensors(container);
}
