#include "models/import.h"

#include "format/qm.h"
#include "lib/json.h"
#include "models/family.h"
#include "models/values.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_SOURCES 4096

/* ---- Matching tensors to roles ---- */

struct shape_text {
    char text[96];
};

static struct shape_text shape_text(uint32_t n_dims, const uint64_t *dims) {
    struct shape_text shape = {"["};
    size_t length = 1;
    for (uint32_t d = 0; d < n_dims; d++)
        length += (size_t)snprintf(shape.text + length, sizeof shape.text - length,
                                   d ? ", %" PRIu64 : "%" PRIu64, dims[d]);
    snprintf(shape.text + length, sizeof shape.text - length, "]");
    return shape;
}

const char *import_file_of(const struct import *import, size_t i) {
    return import->container.files[import->tensors[i]->file].path;
}

static bool check_shape(const struct import *import, const struct tensor *tensor,
                        const struct role_tensor *role, struct error *error) {
    if (tensor->n_dims == role->n_dims &&
        !memcmp(tensor->dims, role->dims, role->n_dims * sizeof *role->dims))
        return true;
    return fail(error, "%s: tensor '%s' has the shape %s, the configuration calls for %s",
                import->container.files[tensor->file].path, tensor->name,
                shape_text(tensor->n_dims, tensor->dims).text, shape_text(role->n_dims, role->dims).text);
}

static bool check_type(const struct import *import, const struct tensor *tensor, struct error *error) {
    if (tensor->type || import->is_qm)
        return true;
    return fail(error, "%s: tensor '%s' is of type %s, weights must be F32, F16 or BF16",
                import->container.files[tensor->file].path, tensor->name, tensor->layout.name);
}

/* The tensor called `name` as roles[i]. */
static bool match(struct import *import, size_t i, const char *name, bool *used, struct error *error) {
    const struct container *container = &import->container;
    const struct tensor *tensor = container_tensor(container, name);
    if (!tensor)
        return fail(error, "%s: tensor '%s' is missing", container->path, name);
    import->tensors[i] = tensor;
    used[tensor - container->tensors] = true;
    return check_shape(import, tensor, &import->roles[i], error) && check_type(import, tensor, error);
}

static bool name_of_role(const struct role_tensor *role, const struct family *family, char *name,
                         size_t size) {
    return family ? layer_name(name, size, family->tensors[role->role], role->layer)
                  : layer_name(name, size, role->name, 0);
}

static bool match_roles(struct import *import, const struct family *family, bool *used, struct error *error) {
    char name[256];
    for (size_t i = 0; i < import->n_tensors; i++) {
        const struct role_tensor *role = &import->roles[i];
        if (!name_of_role(role, family, name, sizeof name))
            return fail(error, "the checkpoint's name of %s is too long", role->name);
        if (!match(import, i, name, used, error))
            return false;
    }
    return true;
}

/* ---- Tensors that no role asks for ---- */

/* Is `name` the pattern with some number in place of {}? */
static bool matches_pattern(const char *name, const char *pattern) {
    const char *place = strstr(pattern, "{}");
    if (!place)
        return !strcmp(name, pattern);
    size_t before = (size_t)(place - pattern);
    if (strncmp(name, pattern, before))
        return false;
    size_t digits = strspn(name + before, "0123456789");
    return digits && !strcmp(name + before + digits, place + 2);
}

static bool is_ignored(const struct family *family, const char *name) {
    for (const char *const *pattern = family ? family->ignored_tensors : NULL; pattern && *pattern; pattern++)
        if (matches_pattern(name, *pattern))
            return true;
    return false;
}

static bool check_extras(const struct import *import, const struct family *family, const bool *used,
                         struct error *error) {
    const struct container *container = &import->container;
    const struct tensor *first = NULL;
    size_t count = 0;
    for (size_t i = 0; i < container->n_tensors; i++) {
        const struct tensor *tensor = &container->tensors[i];
        if (used[i] || is_ignored(family, tensor->name))
            continue;
        first = first ? first : tensor;
        count++;
    }
    if (!first)
        return true;
    const char *file = container->files[first->file].path;
    if (count == 1)
        return fail(error, "%s: tensor '%s' has no place in this model", file, first->name);
    return fail(error, "%s: tensor '%s' and %zu more have no place in this model", file, first->name,
                count - 1);
}

static bool same_bytes(const struct import *import, const struct tensor *a, const struct tensor *b,
                       bool *same, struct error *error) {
    uint8_t one[1 << 15], other[1 << 15];
    *same = a->type == b->type && a->size == b->size;
    for (uint64_t at = 0; *same && at < a->size; at += sizeof one) {
        size_t size = a->size - at < sizeof one ? (size_t)(a->size - at) : sizeof one;
        if (!tensor_read(&import->container, a, one, size, at, error) ||
            !tensor_read(&import->container, b, other, size, at, error))
            return false;
        *same = !memcmp(one, other, size);
    }
    return true;
}

/* A checkpoint with a tied head may store the head again. Where it is the embedding it carries nothing; where
 * it differs, versions of transformers disagree about which to believe, and so the checkpoint is refused. */
static bool check_stored_head(const struct import *import, const struct family *family, bool *used,
                              struct error *error) {
    const struct container *container = &import->container;
    const char *name = family->tensors[ROLE_OUTPUT], *embedding = family->tensors[ROLE_TOKEN_EMBD];
    const struct tensor *head = import->config.tied_head ? container_tensor(container, name) : NULL;
    bool same;
    if (!head)
        return true;
    if (!same_bytes(import, head, container_tensor(container, embedding), &same, error))
        return false;
    used[head - container->tensors] = true;
    return same ||
           fail(error,
                "%s: tie_word_embeddings is true, but tensor '%s' differs from '%s'; set it to false to "
                "keep both",
                container->path, name, embedding);
}

static bool match_tensors(struct import *import, const struct family *family, struct error *error) {
    import->roles = config_tensors(&import->config, &import->n_tensors, &import->arena, error);
    import->tensors =
        import->roles ? ARENA_NEW(&import->arena, const struct tensor *, import->n_tensors, error) : NULL;
    bool *used =
        import->tensors ? ARENA_NEW(&import->arena, bool, import->container.n_tensors + 1, error) : NULL;
    return used && match_roles(import, family, used, error) &&
           (!family || check_stored_head(import, family, used, error)) &&
           check_extras(import, family, used, error);
}

/* ---- Sources ---- */

static int by_name(const void *a, const void *b) {
    return strcmp(((const struct source_file *)a)->name, ((const struct source_file *)b)->name);
}

static bool list_sources(struct import *import, struct error *error) {
    const struct container *container = &import->container;
    size_t most = container->n_blobs + container->n_files;
    import->sources = ARENA_NEW(&import->arena, struct source_file, most, error);
    if (!import->sources)
        return false;
    for (size_t i = 0; i < container->n_blobs; i++)
        import->sources[import->n_sources++] =
            (struct source_file){.name = container->blobs[i].name, .size = container->blobs[i].size};
    for (size_t i = 0; i < container->n_files; i++)
        import->sources[import->n_sources++] = (struct source_file){
            .name = path_base(container->files[i].path), .size = container->files[i].size};
    qsort(import->sources, import->n_sources, sizeof *import->sources, by_name);
    return true;
}

static const struct input *weights_called(const struct container *container, const char *name) {
    for (size_t i = 0; i < container->n_files; i++)
        if (!strcmp(path_base(container->files[i].path), name))
            return &container->files[i];
    return NULL;
}

bool import_hash_source(struct import *import, size_t i, struct error *error) {
    struct source_file *source = &import->sources[i];
    if (import->is_qm)
        return true;
    const struct input *file = weights_called(&import->container, source->name);
    if (file)
        return sha256_file(file, source->sha256, error);
    const struct blob *blob = container_blob(&import->container, source->name);
    return sha256_bytes(blob->data, blob->size, source->sha256, error);
}

bool import_hash_sources(struct import *import, struct error *error) {
    for (size_t i = 0; i < import->n_sources; i++)
        if (!import_hash_source(import, i, error))
            return false;
    return true;
}

bool import_write_sources(const struct import *import, struct buffer *to, struct error *error) {
    json_t *files = json_array();
    bool ok = files != NULL;
    for (size_t i = 0; ok && i < import->n_sources; i++) {
        const struct source_file *source = &import->sources[i];
        ok = !json_array_append_new(files, json_pack("{s:s, s:I, s:s}", "name", source->name, "size",
                                                     (json_int_t)source->size, "sha256", source->sha256));
    }
    ok = ok ? json_write(files, to, error) : fail(error, "out of memory for the list of sources");
    json_decref(files);
    return ok;
}

static bool is_sha256(const char *text) {
    return strlen(text) == SHA256_TEXT - 1 && strspn(text, "0123456789abcdef") == SHA256_TEXT - 1;
}

static bool read_source(struct import *import, json_t *entry, struct source_file *source) {
    const char *name, *sha256;
    json_int_t size;
    struct error ignored;
    if (json_unpack(entry, "{s:s, s:I, s:s}", "name", &name, "size", &size, "sha256", &sha256) || size < 0 ||
        !name_is_valid(name, strlen(name)) || !is_sha256(sha256))
        return false;
    *source = (struct source_file){.size = (uint64_t)size};
    memcpy(source->sha256, sha256, SHA256_TEXT);
    source->name = arena_text(&import->arena, name, strlen(name), &ignored);
    return source->name;
}

static bool read_manifest(struct import *import, json_t *files, struct error *error) {
    size_t count = json_array_size(files);
    if (!json_is_array(files) || count > MAX_SOURCES)
        return fail(error, "%s: sources.json is not a list of up to %d files", import->container.path,
                    MAX_SOURCES);
    import->sources = ARENA_NEW(&import->arena, struct source_file, count, error);
    for (size_t i = 0; import->sources && i < count; i++, import->n_sources++)
        if (!read_source(import, json_array_get(files, i), &import->sources[i]))
            return fail(error, "%s: entry %zu of sources.json is not name, size and sha256",
                        import->container.path, i);
    return import->sources;
}

/* A file without a manifest has no sources. */
static bool read_sources(struct import *import, struct error *error) {
    const struct blob *blob = container_blob(&import->container, "sources.json");
    if (!blob)
        return true;
    json_t *files = json_read(import->container.path, blob->data, blob->size, error);
    bool ok = files && read_manifest(import, files, error);
    json_decref(files);
    return ok;
}

/* ---- Opening ---- */

static bool open_qm(struct import *import, struct error *error) {
    const struct container *container = &import->container;
    return config_from_metadata(&import->config, &container->metadata, container->path, error) &&
           match_tensors(import, NULL, error) && read_sources(import, error);
}

/* Where a file beside the weights is, or would be. */
static char *companion_path(struct import *import, const char *name, struct error *error) {
    return path_beside(import->container.files[0].path, name, &import->arena, error);
}

static bool open_checkpoint(struct import *import, struct error *error) {
    const struct family *family;
    const struct blob *blob = container_blob(&import->container, "config.json");
    const char *path = companion_path(import, "config.json", error);
    if (!path)
        return false;
    if (!blob)
        return fail(error, "%s: is missing; a checkpoint's configuration is read from there", path);
    return family_read_config(path, blob->data, blob->size, &family, &import->config, error) &&
           match_tensors(import, family, error) && list_sources(import, error);
}

bool import_open(struct import *import, const char *path, struct error *error) {
    *import = (struct import){0};
    if (!container_open(&import->container, path, error))
        return false;
    import->is_qm = import->container.format == &qm_format;
    if (import->is_qm ? open_qm(import, error) : open_checkpoint(import, error))
        return true;
    import_close(import);
    return false;
}

void import_close(struct import *import) {
    container_close(&import->container);
    arena_free(&import->arena);
    *import = (struct import){0};
}

const struct blob *import_tokenizer(const struct import *import, struct error *error) {
    const struct container *container = &import->container;
    const struct blob *blob = container_blob(container, "tokenizer.json");
    if (blob)
        return blob;
    if (import->is_qm)
        fail(error, "%s: holds no tokenizer.json", container->path);
    else
        fail(error,
             "%s: no tokenizer.json stands beside it; other kinds of tokenizer, such as tokenizer.model, are "
             "not "
             "supported yet",
             container->files[0].path);
    return NULL;
}

/* ---- Reading ---- */

static bool read_raw(const struct import *import, size_t i, uint64_t row, uint64_t n, void *raw,
                     struct matrix *rows, struct error *error) {
    const struct tensor *tensor = import->tensors[i];
    const struct type *type = tensor->type;
    const char *file = import_file_of(import, i);
    uint64_t n_rows, n_cols, offset, size;
    if (!type)
        return fail(error, "%s: tensor '%s' is of type %s, which this version cannot decode", file,
                    tensor->name, tensor->layout.name);
    tensor_rows_cols(tensor, &n_rows, &n_cols);
    if (!matrix_bytes(type, row, n_cols, &offset) || !matrix_bytes(type, n, n_cols, &size))
        return fail(error, "%s: tensor '%s' is too large", file, tensor->name);
    *rows = (struct matrix){type, raw, (size_t)n, (size_t)n_cols};
    return tensor_read(&import->container, tensor, raw, (size_t)size, offset, error) &&
           blocks_check_finite(tensor, file, raw, offset / type->block_bytes,
                               (size_t)(size / type->block_bytes), error);
}

static void decode_rows(const struct matrix *rows, float *out) {
    for (size_t r = 0; r < rows->n_rows; r++)
        rows->type->decode_row(rows, r, out + r * rows->n_cols);
}

bool import_read_rows(const struct import *import, size_t i, uint64_t row, uint64_t n, float *out, void *raw,
                      struct error *error) {
    struct matrix rows;
    if (!read_raw(import, i, row, n, raw, &rows, error))
        return false;
    decode_rows(&rows, out);
    return true;
}

bool import_read_for_encoder(const struct import *import, size_t i, uint64_t row, uint64_t n, float *out,
                             void *raw, struct matrix *rows, struct error *error) {
    if (!read_raw(import, i, row, n, raw, rows, error))
        return false;
    if (!type_is_plain(rows->type)) {
        decode_rows(rows, out);
        rows->type = type_find("f32");
        rows->data = (const uint8_t *)out;
    }
    return true;
}
