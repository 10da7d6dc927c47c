#include "models/source_hash.h"

#include <string.h>

static struct source_file *source_of(const struct source_hash *hash) {
    const char *name = path_base(hash->import->container.files[hash->file].path);
    struct source_file *source = hash->import->sources;
    while (strcmp(source->name, name))
        source++;
    return source;
}

static bool advance(struct source_hash *hash, uint64_t position, struct error *error) {
    const struct input *file = &hash->import->container.files[hash->file];
    if (!hash->sha.context && !sha256_begin(&hash->sha, error))
        return false;
    if (!sha256_add_file(&hash->sha, file, hash->position, position, error))
        return false;
    hash->position = position;
    return true;
}

static bool finish_file(struct source_hash *hash, struct error *error) {
    if (!advance(hash, hash->import->container.files[hash->file].size, error) ||
        !sha256_end(&hash->sha, source_of(hash)->sha256, error))
        return false;
    sha256_free(&hash->sha);
    hash->file++;
    hash->position = 0;
    return true;
}

bool source_hash_add(struct source_hash *hash, const struct tensor *tensor, const void *bytes, size_t size,
                     uint64_t offset, struct error *error) {
    while (hash->file < tensor->file)
        if (!finish_file(hash, error))
            return false;
    if (!advance(hash, tensor->offset + offset, error) || !sha256_add(&hash->sha, bytes, size, error))
        return false;
    hash->position += size;
    return true;
}

bool source_hash_finish(struct source_hash *hash, struct error *error) {
    struct import *import = hash->import;
    while (hash->file < import->container.n_files)
        if (!finish_file(hash, error))
            return false;
    for (size_t i = 0; i < import->n_sources; i++)
        if (!*import->sources[i].sha256 && !import_hash_source(import, i, error))
            return false;
    return true;
}

void source_hash_free(struct source_hash *hash) {
    sha256_free(&hash->sha);
}
