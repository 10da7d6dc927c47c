#include "models/import.h"

#include "format/qm.h"
#include "lib/json.h"
#include "models/family.h"
#include "models/gguf.h"
#include "models/match.h"
#include "models/values.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_SOURCES 4096

const char *import_file_of(const struct import *import, size_t i) {
    return import->container.files[import->tensors[i]->file].path;
}

bool import_check_output(const struct import *import, const char *path, struct error *error) {
    for (size_t i = 0; i < import->container.n_files; i++)
        if (file_same(path, import->container.files[i].path))
            return fail(error, "%s: is the input itself; the output must be another file", path);
    return true;
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

/* The blobs are made of the file, and so are no sources. */
static bool open_gguf(struct import *import, struct error *error) {
    bool paired;
    return gguf_read_config(&import->container, &import->config, &paired, error) &&
           match_gguf_tensors(import, paired, error) && list_sources(import, error) &&
           gguf_make_blobs(&import->container, error);
}

bool import_open(struct import *import, const char *path, struct error *error) {
    *import = (struct import){0};
    if (!container_open(&import->container, path, error))
        return false;
    const struct format *format = import->container.format;
    import->is_qm = format == &qm_format;
    if ((import->is_qm ? open_qm : format == &gguf_format ? open_gguf : open_checkpoint)(import, error))
        return true;
    import_close(import);
    return false;
}

void import_close(struct import *import) {
    container_close(&import->container);
    arena_free(&import->arena);
    *import = (struct import){0};
}

/* ---- Reading ---- */

bool import_read(const struct import *import, size_t i, void *to, size_t size, uint64_t offset,
                 struct error *error) {
    const struct view *view = import->views[i];
    return view ? view_read(&import->container, view, to, size, offset, error)
                : tensor_read(&import->container, import->tensors[i], to, size, offset, error);
}

bool import_read_stored(const struct import *import, size_t i, uint64_t row, uint64_t n, void *raw,
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
    return import_read(import, i, raw, (size_t)size, offset, error) &&
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
    if (!import_read_stored(import, i, row, n, raw, &rows, error))
        return false;
    decode_rows(&rows, out);
    return true;
}

bool import_read_for_encoder(const struct import *import, size_t i, uint64_t row, uint64_t n, float *out,
                             void *raw, struct matrix *rows, struct error *error) {
    if (!import_read_stored(import, i, row, n, raw, rows, error))
        return false;
    if (!type_is_plain(rows->type)) {
        decode_rows(rows, out);
        rows->type = type_find("f32");
        rows->data = (const uint8_t *)out;
    }
    return true;
}
