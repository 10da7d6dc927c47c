#include "format/safetensors.h"
#include "format/qm.h"
#include "lib/json.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define SINGLE_NAME "model.safetensors"
#define INDEX_NAME "model.safetensors.index.json"
#define MAX_COMPANION (256u << 20)

/* Every type of the specification whose values are whole bytes. Those that `types` knows are weights. */
static const struct dtype {
    const char *name;
    struct type_layout layout;
} dtypes[] = {
    {"F32", {"f32", 1, 1, 4}},         {"F16", {"f16", 1, 1, 2}},         {"BF16", {"bf16", 1, 1, 2}},
    {"F64", {"F64", 1, 1, 8}},         {"F8_E4M3", {"F8_E4M3", 1, 1, 1}}, {"F8_E5M2", {"F8_E5M2", 1, 1, 1}},
    {"F8_E8M0", {"F8_E8M0", 1, 1, 1}}, {"C64", {"C64", 1, 1, 8}},         {"I64", {"I64", 1, 1, 8}},
    {"U64", {"U64", 1, 1, 8}},         {"I32", {"I32", 1, 1, 4}},         {"U32", {"U32", 1, 1, 4}},
    {"I16", {"I16", 1, 1, 2}},         {"U16", {"U16", 1, 1, 2}},         {"I8", {"I8", 1, 1, 1}},
    {"U8", {"U8", 1, 1, 1}},           {"BOOL", {"BOOL", 1, 1, 1}},
};

/* Read beside the weights where they exist; in rising order, as container.blobs is. */
static const char *const companions[] = {
    "LICENSE",
    "LICENSE.md",
    "LICENSE.txt",
    "added_tokens.json",
    "chat_template.jinja",
    "config.json",
    "generation_config.json",
    "special_tokens_map.json",
    "tokenizer.json",
    "tokenizer.model",
    "tokenizer_config.json",
};

enum { COMPANIONS = sizeof companions / sizeof *companions };

/* A file whose header is being read. */
struct shard {
    struct container *container;
    const char *path;
    const char *name; /* as the index spells it */
    uint64_t data_begin, data_size;
};

static bool ends_with(const char *text, const char *ending) {
    size_t length = strlen(text), ending_length = strlen(ending);
    return length >= ending_length && strcmp(text + length - ending_length, ending) == 0;
}

static uint64_t read_u64(const uint8_t *from) {
    uint64_t x = 0;
    for (int i = 7; i >= 0; i--)
        x = x << 8 | from[i];
    return x;
}

static bool probe(const char *path) {
    uint8_t first[9];
    if (file_is_folder(path) || ends_with(path, ".safetensors") || ends_with(path, ".safetensors.index.json"))
        return true;
    return format_peek(path, first, sizeof first) == sizeof first && first[8] == '{' &&
           read_u64(first) <= SAFETENSORS_MAX_HEADER;
}

/* ---- One tensor of the header ---- */

static const struct dtype *find_dtype(const char *name) {
    for (size_t i = 0; i < sizeof dtypes / sizeof *dtypes; i++)
        if (strcmp(name, dtypes[i].name) == 0)
            return &dtypes[i];
    return NULL;
}

static bool is_count(const json_t *item) {
    return json_is_integer(item) && json_integer_value(item) >= 0;
}

static bool parse_dtype(const struct shard *shard, struct tensor *tensor, const json_t *entry,
                        struct error *error) {
    const char *name = json_string_value(json_object_get(entry, "dtype"));
    if (!name)
        return fail(error, "%s: tensor '%s' has no dtype", shard->path, tensor->name);
    const struct dtype *dtype = find_dtype(name);
    if (!dtype)
        return fail(error, "%s: tensor '%s' has the unknown dtype '%.40s'", shard->path, tensor->name, name);
    tensor->layout = dtype->layout;
    tensor->type = type_find(dtype->layout.name);
    return true;
}

static bool parse_shape(const struct shard *shard, struct tensor *tensor, const json_t *entry,
                        struct error *error) {
    const json_t *shape = json_object_get(entry, "shape");
    if (!json_is_array(shape))
        return fail(error, "%s: tensor '%s' has no shape", shard->path, tensor->name);
    size_t rank = json_array_size(shape);
    if (rank > MAX_DIMS)
        return fail(error, "%s: tensor '%s' has %zu dimensions, at most %d are supported", shard->path,
                    tensor->name, rank, MAX_DIMS);
    for (size_t i = 0; i < rank; i++) {
        const json_t *dim = json_array_get(shape, i);
        if (!is_count(dim))
            return fail(error, "%s: tensor '%s': dimension %zu is not a size", shard->path, tensor->name, i);
        tensor->dims[i] = (uint64_t)json_integer_value(dim);
    }
    if (rank == 0)
        tensor->dims[0] = 1;
    tensor->n_dims = rank ? (uint32_t)rank : 1;
    return true;
}

static bool parse_offsets(const struct shard *shard, struct tensor *tensor, const json_t *entry,
                          struct error *error) {
    const json_t *offsets = json_object_get(entry, "data_offsets");
    const json_t *begin = json_array_get(offsets, 0), *end = json_array_get(offsets, 1);
    if (json_array_size(offsets) != 2 || !is_count(begin) || !is_count(end))
        return fail(error, "%s: tensor '%s' has no data_offsets of two numbers", shard->path, tensor->name);
    if (json_integer_value(begin) > json_integer_value(end))
        return fail(error, "%s: tensor '%s' begins at %lld and ends before, at %lld", shard->path,
                    tensor->name, (long long)json_integer_value(begin), (long long)json_integer_value(end));
    tensor->offset = (uint64_t)json_integer_value(begin);
    tensor->size = (uint64_t)(json_integer_value(end) - json_integer_value(begin));
    return true;
}

static bool check_size(const struct shard *shard, const struct tensor *tensor, struct error *error) {
    uint64_t bytes;
    if (!tensor_bytes(tensor, &bytes))
        return fail(error, "%s: tensor '%s' has a shape beyond any file's size", shard->path, tensor->name);
    if (bytes != tensor->size)
        return fail(error, "%s: tensor '%s' has %" PRIu64 " bytes, its shape and dtype call for %" PRIu64,
                    shard->path, tensor->name, tensor->size, bytes);
    return true;
}

static bool parse_tensor(const struct shard *shard, const char *name, const json_t *entry,
                         struct tensor *tensor, struct error *error) {
    size_t length = strlen(name);
    if (!name_is_valid(name, length))
        return fail(error, "%s: a tensor's name is %s", shard->path,
                    length == 0         ? "empty"
                    : length > MAX_NAME ? "longer than 255 bytes"
                                        : "not printable");
    *tensor = (struct tensor){.file = (uint32_t)shard->container->n_files - 1};
    tensor->name = arena_text(&shard->container->arena, name, length, error);
    if (!tensor->name)
        return false;
    if (!json_is_object(entry) || json_object_size(entry) != 3)
        return fail(error, "%s: tensor '%s' is not described by dtype, shape and data_offsets alone",
                    shard->path, name);
    return parse_dtype(shard, tensor, entry, error) && parse_shape(shard, tensor, entry, error) &&
           parse_offsets(shard, tensor, entry, error) && check_size(shard, tensor, error);
}

/* ---- One file ---- */

static int by_offset(const void *a, const void *b) {
    const struct tensor *x = a, *y = b;
    if (x->offset != y->offset)
        return x->offset < y->offset ? -1 : 1;
    return (x->size > y->size) - (x->size < y->size);
}

static int by_name(const void *a, const void *b) {
    return strcmp(((const struct tensor *)a)->name, ((const struct tensor *)b)->name);
}

/* The tensors tile the data part exactly. Sorts them by offset and makes the offsets the file's own. */
static bool place_tensors(const struct shard *shard, struct tensor *tensors, size_t n, struct error *error) {
    qsort(tensors, n, sizeof *tensors, by_offset);
    uint64_t end = 0;
    for (size_t i = 0; i < n; i++) {
        if (tensors[i].offset != end)
            return fail(error,
                        "%s: tensor '%s' begins at %" PRIu64 " of the data, %s ends at %" PRIu64 ": %s",
                        shard->path, tensors[i].name, tensors[i].offset, i ? "the one before" : "the header",
                        end, tensors[i].offset < end ? "they overlap" : "there is a hole");
        end +=
            tensors[i].size; /* both below 2^63; the next comparison, or the last, stops what is too large */
        if (end > shard->data_size)
            return fail(
                error, "%s: tensor '%s' ends at %" PRIu64 ", the file is %" PRIu64 " bytes: it was cut short",
                shard->path, tensors[i].name, shard->data_begin + end, shard->data_begin + shard->data_size);
        tensors[i].offset += shard->data_begin;
    }
    if (end != shard->data_size)
        return fail(error, "%s: the last tensor ends at %" PRIu64 ", the file is %" PRIu64 " bytes",
                    shard->path, shard->data_begin + end, shard->data_begin + shard->data_size);
    return true;
}

static bool check_metadata(const struct shard *shard, const json_t *metadata, struct error *error) {
    const char *key;
    json_t *value;
    if (metadata && !json_is_object(metadata))
        return fail(error, "%s: __metadata__ is not an object", shard->path);
    json_object_foreach((json_t *)metadata, key, value) {
        if (!json_is_string(value))
            return fail(error, "%s: a value of __metadata__ is not a text", shard->path);
    }
    return true;
}

/* The tensor is where the index says. */
static bool check_map(const struct shard *shard, const json_t *weight_map, const char *name,
                      struct error *error) {
    const char *place = json_string_value(json_object_get(weight_map, name));
    if (weight_map && !place)
        return fail(error, "%s: tensor '%s' is not in the index", shard->path, name);
    if (weight_map && strcmp(place, shard->name) != 0)
        return fail(error, "%s: tensor '%s' is here, the index places it in %s", shard->path, name, place);
    return true;
}

/* Appends the header's tensors to the container's, which has room for them. */
static bool parse_header(const struct shard *shard, const json_t *header, const json_t *weight_map,
                         struct error *error) {
    struct container *container = shard->container;
    struct tensor *first = container->tensors + container->n_tensors;
    const char *name;
    json_t *entry;
    size_t n = 0;
    if (!check_metadata(shard, json_object_get(header, "__metadata__"), error))
        return false;
    json_object_foreach((json_t *)header, name, entry) {
        if (strcmp(name, "__metadata__") == 0)
            continue;
        if (!check_map(shard, weight_map, name, error) ||
            !parse_tensor(shard, name, entry, &first[n++], error))
            return false;
    }
    container->n_tensors += n;
    return place_tensors(shard, first, n, error);
}

static bool read_header_size(const struct shard *shard, const struct input *input, uint64_t *size,
                             struct error *error) {
    uint8_t bytes[8];
    if (input->size < sizeof bytes)
        return fail(error, "%s: is %" PRIu64 " bytes, too short for a safetensors header", shard->path,
                    input->size);
    if (!input_read(input, bytes, sizeof bytes, 0, error))
        return false;
    *size = read_u64(bytes);
    if (*size > SAFETENSORS_MAX_HEADER)
        return fail(error, "%s: the header says to be %" PRIu64 " bytes long, the limit is %u", shard->path,
                    *size, SAFETENSORS_MAX_HEADER);
    if (*size > input->size - sizeof bytes)
        return fail(error, "%s: the header ends at %" PRIu64 ", the file is %" PRIu64 " bytes", shard->path,
                    *size + sizeof bytes, input->size);
    return true;
}

static json_t *read_header(struct shard *shard, const struct input *input, struct error *error) {
    struct buffer text = {0};
    json_t *header = NULL;
    uint64_t size = 0;
    if (!read_header_size(shard, input, &size, error))
        return NULL;
    shard->data_begin = 8 + size;
    shard->data_size = input->size - shard->data_begin;
    char *room = buffer_reserve(&text, (size_t)size + 1, error);
    if (room && input_read(input, room, (size_t)size, 8, error)) {
        header = json_read(shard->path, room, (size_t)size, error);
        if (header && (room[0] != '{' || !json_is_object(header))) {
            json_decref(header);
            header = NULL;
            fail(error, "%s: the header does not begin with '{'", shard->path);
        }
    }
    buffer_free(&text);
    return header;
}

/* Gives the container room for the tensors of its header, or of the whole index. */
static bool reserve_tensors(struct container *container, const json_t *names, const char *path,
                            struct error *error) {
    size_t count = json_object_size(names);
    if (count > QM_MAX_TENSORS)
        return fail(error, "%s: has %zu tensors, the limit is %u", path, count, QM_MAX_TENSORS);
    container->tensors = ARENA_NEW(&container->arena, struct tensor, count + 1, error);
    return container->tensors != NULL;
}

static bool open_shard(struct container *container, const char *path, const char *name,
                       const json_t *weight_map, struct error *error) {
    struct shard shard = {.container = container, .path = path, .name = name};
    struct input *input = &container->files[container->n_files];
    if (!input_open(input, path, &container->arena, error))
        return false;
    container->n_files++;
    json_t *header = read_header(&shard, input, error);
    bool done = header && (container->tensors || reserve_tensors(container, header, path, error)) &&
                parse_header(&shard, header, weight_map, error);
    json_decref(header);
    return done;
}

static bool open_single(struct container *container, const char *path, struct error *error) {
    container->files = ARENA_NEW(&container->arena, struct input, 1, error);
    return container->files && open_shard(container, path, NULL, NULL, error);
}

/* ---- Shards ---- */

static int by_text(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* A shard lies beside its index: its name must not lead anywhere else. */
static bool is_plain_name(const char *name) {
    return name_is_valid(name, strlen(name)) && name[0] != '.' && !strpbrk(name, "/\\");
}

/* The distinct values of the map, rising. The texts are the map's. */
static const char **list_shards(const char *path, const json_t *weight_map, size_t *count,
                                struct arena *arena, struct error *error) {
    const char **names = ARENA_NEW(arena, const char *, json_object_size(weight_map) + 1, error);
    const char *tensor;
    json_t *value;
    size_t n = 0;
    if (!names)
        return NULL;
    json_object_foreach((json_t *)weight_map, tensor, value) {
        if (!json_is_string(value) || !is_plain_name(json_string_value(value))) {
            fail(error, "%s: the shard of tensor '%.255s' is not the name of a file beside the index", path,
                 tensor);
            return NULL;
        }
        names[n++] = json_string_value(value);
    }
    qsort(names, n, sizeof *names, by_text);
    *count = 0;
    for (size_t i = 0; i < n; i++)
        if (i == 0 || strcmp(names[i], names[*count - 1]) != 0)
            names[(*count)++] = names[i];
    return names;
}

static bool open_shards(struct container *container, const char *path, const json_t *weight_map,
                        struct error *error) {
    size_t count;
    const char **names = list_shards(path, weight_map, &count, &container->arena, error);
    if (!names)
        return false;
    if (count > SAFETENSORS_MAX_SHARDS)
        return fail(error, "%s: names %zu shards, the limit is %u", path, count, SAFETENSORS_MAX_SHARDS);
    container->files = ARENA_NEW(&container->arena, struct input, count + 1, error);
    if (!container->files)
        return false;
    for (size_t i = 0; i < count; i++) {
        const char *shard_path = path_beside(path, names[i], &container->arena, error);
        if (!shard_path || !open_shard(container, shard_path, names[i], weight_map, error))
            return false;
    }
    return true;
}

/* With every tensor found in its place, only those that no shard has can be left. */
static bool check_complete(const struct container *container, const char *path, const json_t *weight_map,
                           struct error *error) {
    const char *name;
    json_t *shard;
    json_object_foreach((json_t *)weight_map, name, shard) {
        if (!container_tensor(container, name))
            return fail(error, "%s: tensor '%.255s' is not in its shard %s", path, name,
                        json_string_value(shard));
    }
    return true;
}

static void sort_tensors(struct container *container) {
    if (container->n_tensors)
        qsort(container->tensors, container->n_tensors, sizeof *container->tensors, by_name);
}

static bool open_index(struct container *container, const char *path, struct error *error) {
    json_t *index = json_read_file(path, error);
    const json_t *weight_map = json_object_get(index, "weight_map");
    bool done = false;
    if (index && !json_is_object(weight_map))
        fail(error, "%s: has no weight_map", path);
    else if (index && reserve_tensors(container, weight_map, path, error) &&
             open_shards(container, path, weight_map, error)) {
        sort_tensors(container);
        done = check_complete(container, path, weight_map, error);
    }
    json_decref(index);
    return done;
}

/* ---- What a user names ---- */

bool safetensors_is_companion(const char *name) {
    for (size_t i = 0; i < COMPANIONS; i++)
        if (!strcmp(companions[i], name))
            return true;
    return false;
}

/* A tokenizer.json says what the tokenizer.model beside it does. */
static bool is_needed(const struct container *container, const char *companion) {
    return strcmp(companion, "tokenizer.model") != 0 || !container_blob(container, "tokenizer.json");
}

/* `path` is any file in the folder where the companions would be. */
static bool read_companions(struct container *container, const char *path, struct error *error) {
    container->blobs = ARENA_NEW(&container->arena, struct blob, COMPANIONS, error);
    if (!container->blobs)
        return false;
    for (size_t i = 0; i < COMPANIONS; i++) {
        const char *companion = path_beside(path, companions[i], &container->arena, error);
        char *data;
        size_t size;
        if (!companion)
            return false;
        if (!is_needed(container, companions[i]) || !file_exists(companion) || file_is_folder(companion))
            continue;
        if (!file_read_all(companion, MAX_COMPANION, &container->arena, &data, &size, error))
            return false;
        container->blobs[container->n_blobs++] = (struct blob){companions[i], data, size};
    }
    return true;
}

/* The weights in a folder: the single file, else the index. */
static const char *find_weights(const char *folder, struct arena *arena, struct error *error) {
    const char *single = path_join(folder, SINGLE_NAME, arena, error);
    if (!single || file_exists(single))
        return single;
    const char *index = path_join(folder, INDEX_NAME, arena, error);
    if (!index || file_exists(index))
        return index;
    fail(error, "%s: holds neither %s nor %s", folder, SINGLE_NAME, INDEX_NAME);
    return NULL;
}

static bool open_safetensors(struct container *container, const char *path, struct error *error) {
    if (file_is_folder(path)) {
        path = find_weights(path, &container->arena, error);
        if (!path)
            return false;
    }
    bool (*open)(struct container *, const char *, struct error *) =
        ends_with(path, ".json") ? open_index : open_single;
    if (!open(container, path, error) || !read_companions(container, path, error))
        return false;
    sort_tensors(container);
    return true;
}

const struct format safetensors_format = {
    .name = "safetensors",
    .summary =
        "a .safetensors file, the .safetensors.index.json of one in shards, or a folder that holds either",
    .probe = probe,
    .open = open_safetensors,
};
