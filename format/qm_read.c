#include "format/qm_blob.h"
#include "format/qm_rules.h"

#include <inttypes.h>
#include <stdlib.h>

struct payload {
    const uint8_t *bytes;
    size_t size;
};

/* A file being opened. */
struct opening {
    struct container *container;
    const char *path;
    struct arena *arena; /* the container's */
    const struct input *input;
    struct qm_details *details;
    uint64_t directory_offset, directory_size;
    struct payload sections[QM_SECTIONS];
    struct type_layout *layouts; /* the type table, with what this build knows of each */
    const struct type **types;
    size_t n_types;
    struct digest128 *blob_digests;
};

/* ---- Taking a payload apart. Reading past its end sets `overrun` and gives zeros from there on. ---- */

struct cursor {
    const uint8_t *at, *end;
    bool overrun;
};

static struct cursor cursor_of(const struct payload *payload) {
    return (struct cursor){payload->bytes, payload->bytes + payload->size, false};
}

static size_t bytes_left(const struct cursor *cursor) {
    return (size_t)(cursor->end - cursor->at);
}

static const uint8_t *take(struct cursor *cursor, uint64_t size) {
    if (cursor->overrun || size > bytes_left(cursor)) {
        cursor->overrun = true;
        return NULL;
    }
    cursor->at += size;
    return cursor->at - size;
}

static uint64_t take_number(struct cursor *cursor, int n_bytes) {
    const uint8_t *bytes = take(cursor, (uint64_t)n_bytes);
    return bytes ? qm_get(bytes, n_bytes) : 0;
}

static uint32_t take_u32(struct cursor *cursor) {
    return (uint32_t)take_number(cursor, 4);
}

static uint64_t take_u64(struct cursor *cursor) {
    return take_number(cursor, 8);
}

static struct digest128 take_digest(struct cursor *cursor) {
    struct digest128 digest = {0};
    const uint8_t *bytes = take(cursor, sizeof digest.bytes);
    if (bytes)
        memcpy(digest.bytes, bytes, sizeof digest.bytes);
    return digest;
}

static bool fail_overrun(const struct opening *opening, enum qm_section section, size_t record,
                         struct error *error) {
    return fail(error, "%s: section %s ends in the middle of record %zu", opening->path,
                qm_sections[section].kind, record);
}

/* A section's record count, which its size must have room for. */
static bool take_count(const struct opening *opening, struct cursor *cursor, enum qm_section section,
                       uint32_t record_min, uint32_t limit, const char *what, size_t *count,
                       struct error *error) {
    *count = take_u32(cursor);
    if (cursor->overrun)
        return fail_overrun(opening, section, 0, error);
    if (!qm_check_count(opening->path, *count, limit, what, error))
        return false;
    return *count <= bytes_left(cursor) / record_min ||
           fail(error, "%s: section %s has no room for its %zu %s", opening->path, qm_sections[section].kind,
                *count, what);
}

/* A name, copied and checked: valid, and above the one before it. NULL on failure. */
static const char *take_name(const struct opening *opening, struct cursor *cursor, enum qm_section section,
                             const char *what, size_t index, const char *before, struct error *error) {
    uint32_t length = take_u32(cursor);
    const char *bytes = (const char *)take(cursor, length);
    if (!bytes) {
        fail_overrun(opening, section, index, error);
        return NULL;
    }
    if (!qm_check_name(opening->path, bytes, length, what, index, error))
        return NULL;
    const char *name = arena_text(opening->arena, bytes, length, error);
    if (name && before && strcmp(before, name) >= 0) {
        fail(error, "%s: %s '%s' stands behind '%s', names must rise", opening->path, what, name, before);
        return NULL;
    }
    return name;
}

/* Additions to types and tensors that later versions may make. This one knows none. */
static bool skip_attributes(const struct opening *opening, struct cursor *cursor, const char *what,
                            const char *name, struct error *error) {
    uint32_t count = take_u32(cursor);
    uint64_t next = 0;
    for (uint32_t i = 0; i < count && !cursor->overrun; i++) {
        uint32_t kind = take_u32(cursor), flags = take_u32(cursor), size = take_u32(cursor);
        if (!take(cursor, size))
            return true; /* the caller reports overruns */
        if (kind < next)
            return fail(error, "%s: %s '%s': attributes do not rise", opening->path, what, name);
        if (flags & QM_CRITICAL)
            return fail(error, "%s: %s '%s' needs attribute %" PRIu32 ", which this program does not know",
                        opening->path, what, name, kind);
        next = (uint64_t)kind + 1;
    }
    return true;
}

static bool check_consumed(const struct opening *opening, const struct cursor *cursor,
                           enum qm_section section, struct error *error) {
    return bytes_left(cursor) == 0 || fail(error, "%s: section %s has %zu bytes behind its last record",
                                           opening->path, qm_sections[section].kind, bytes_left(cursor));
}

/* ---- Header and footer ---- */

static bool check_digest(const struct opening *opening, const void *bytes, size_t size, const void *stored,
                         const char *what, struct error *error) {
    struct digest128 digest = digest_of(bytes, size);
    return digest_is(&digest, stored) ||
           fail(error, "%s: the %s is damaged: XXH3-128 is %s, stored is %s", opening->path, what,
                digest_text(digest.bytes).hex, digest_text(stored).hex);
}

static bool read_header(struct opening *opening, struct error *error) {
    uint8_t header[QM_HEADER_SIZE];
    if (opening->input->size < QM_HEADER_SIZE + QM_FOOTER_SIZE)
        return fail(error, "%s: is %" PRIu64 " bytes, a .qm file has at least %d", opening->path,
                    opening->input->size, QM_HEADER_SIZE + QM_FOOTER_SIZE);
    if (!input_read(opening->input, header, sizeof header, 0, error))
        return false;
    if (memcmp(header, QM_MAGIC, 8) != 0)
        return fail(error,
                    "%s: the first 8 bytes are not those of a .qm file: damaged, as by a transfer as text",
                    opening->path);
    if (!check_digest(opening, header, QM_HEADER_DIGEST, header + QM_HEADER_DIGEST, "header", error))
        return false;
    opening->details->major = (uint16_t)qm_get(header + QM_HEADER_MAJOR, 2);
    opening->details->minor = (uint16_t)qm_get(header + QM_HEADER_MINOR, 2);
    opening->details->compatible_features = qm_get(header + QM_HEADER_COMPATIBLE, 8);
    uint64_t unknown = qm_get(header + QM_HEADER_INCOMPATIBLE, 8) & ~(uint64_t)QM_KNOWN_INCOMPATIBLE;
    if (opening->details->major != QM_MAJOR)
        return fail(error, "%s: is of version %u.%u, this program reads version %d", opening->path,
                    opening->details->major, opening->details->minor, QM_MAJOR);
    return unknown == 0 || fail(error, "%s: needs features 0x%" PRIx64 ", which this program does not know",
                                opening->path, unknown);
}

static bool check_directory_place(const struct opening *opening, struct error *error) {
    uint64_t offset = opening->directory_offset, size = opening->directory_size;
    uint64_t footer = opening->input->size - QM_FOOTER_SIZE;
    if (size > QM_MAX_DIRECTORY)
        return fail(error, "%s: the directory is %" PRIu64 " bytes, the limit is %u", opening->path, size,
                    QM_MAX_DIRECTORY);
    if (offset < QM_HEADER_SIZE || offset % QM_SMALL_ALIGN || size % QM_SECTION_ALIGN || offset > footer ||
        size != footer - offset)
        return fail(error,
                    "%s: the directory, %" PRIu64 " bytes at %" PRIu64
                    ", does not reach to the footer at %" PRIu64,
                    opening->path, size, offset, footer);
    return true;
}

static bool read_footer(struct opening *opening, uint8_t *footer, struct error *error) {
    uint64_t size = opening->input->size;
    if (!input_read(opening->input, footer, QM_FOOTER_SIZE, size - QM_FOOTER_SIZE, error))
        return false;
    if (memcmp(footer + QM_FOOTER_MAGIC, QM_END_MAGIC, 8) != 0)
        return fail(error,
                    "%s: ends at %" PRIu64 " without a footer: it was cut short, or something was appended",
                    opening->path, size);
    if (!check_digest(opening, footer, QM_FOOTER_DIGEST, footer + QM_FOOTER_DIGEST, "footer", error))
        return false;
    if (qm_get(footer + QM_FOOTER_FILE_SIZE, 8) != size)
        return fail(error, "%s: is %" PRIu64 " bytes, the footer says %" PRIu64, opening->path, size,
                    qm_get(footer + QM_FOOTER_FILE_SIZE, 8));
    opening->directory_offset = qm_get(footer + QM_FOOTER_DIRECTORY, 8);
    opening->directory_size = qm_get(footer + QM_FOOTER_DIRECTORY + 8, 8);
    memcpy(opening->details->model_id.bytes, footer + QM_FOOTER_MODEL_ID, sizeof(struct digest128));
    return check_directory_place(opening, error);
}

/* ---- The directory's sections ---- */

/* A section of the directory at hand. */
struct found {
    const uint8_t *header;
    char kind[5];
    uint32_t flags;
    struct payload payload;
};

static int known_section(const char *kind) {
    int i = 0;
    while (i < QM_SECTIONS && strcmp(kind, qm_sections[i].kind) != 0)
        i++;
    return i;
}

static bool is_kind(const char *kind) {
    int i = 0;
    while (i < 4 && kind[i] >= ' ' && kind[i] <= '~')
        i++;
    return i == 4;
}

static bool take_section(const struct opening *opening, struct cursor *cursor, struct found *found,
                         struct error *error) {
    found->header = take(cursor, QM_SECTION_HEADER);
    if (!found->header)
        return fail(error, "%s: the directory ends in the middle of a section's header", opening->path);
    memcpy(found->kind, found->header + QM_SECTION_KIND, 4);
    found->kind[4] = '\0';
    if (!is_kind(found->kind))
        return fail(error, "%s: a section's kind is not four characters of printable ASCII", opening->path);
    found->flags = (uint32_t)qm_get(found->header + QM_SECTION_FLAGS, 4);
    uint64_t size = qm_get(found->header + QM_SECTION_BYTES, 8);
    const uint8_t *bytes = take(cursor, size), *padding = take(cursor, -size % QM_SECTION_ALIGN);
    if (!bytes || !padding)
        return fail(error, "%s: section %s, %" PRIu64 " bytes long, reaches beyond the directory",
                    opening->path, found->kind, size);
    if (!qm_is_zero(padding, -size % QM_SECTION_ALIGN))
        return fail(error, "%s: the padding behind section %s is not zero", opening->path, found->kind);
    found->payload = (struct payload){bytes, (size_t)size};
    char what[16] = "section ";
    return check_digest(opening, bytes, (size_t)size, found->header + QM_SECTION_DIGEST,
                        strcat(what, found->kind), error);
}

/* Notes a section of this version; passes over others unless they are critical. */
static bool accept_section(struct opening *opening, const struct found *found, int *next,
                           struct error *error) {
    int section = known_section(found->kind);
    if (section == QM_SECTIONS)
        return !(found->flags & QM_CRITICAL) ||
               fail(error, "%s: needs section %s, which this program does not know", opening->path,
                    found->kind);
    if (section != *next)
        return fail(error, "%s: section %s stands where %s should be", opening->path, found->kind,
                    *next < QM_SECTIONS ? qm_sections[*next].kind : "none");
    if (found->flags != qm_sections[section].flags)
        return fail(error, "%s: section %s has flags 0x%" PRIx32 " in place of 0x%" PRIx32, opening->path,
                    found->kind, found->flags, qm_sections[section].flags);
    opening->sections[section] = found->payload;
    *next = section + 1;
    return true;
}

static bool read_sections(struct opening *opening, const uint8_t *directory, struct error *error) {
    struct cursor cursor = {directory, directory + opening->directory_size, false};
    struct digest_state id;
    int next = 0;
    digest_begin(&id);
    while (bytes_left(&cursor)) {
        struct found found;
        if (!take_section(opening, &cursor, &found, error) || !accept_section(opening, &found, &next, error))
            return false;
        if (found.flags & QM_IDENTITY)
            digest_add(&id, found.header, QM_SECTION_HEADER);
    }
    if (next != QM_SECTIONS)
        return fail(error, "%s: has no section %s", opening->path, qm_sections[next].kind);
    struct digest128 digest = digest_end(&id);
    return digest_is(&digest, opening->details->model_id.bytes) ||
           fail(error, "%s: the sections make model id %s, the footer says %s", opening->path,
                digest_text(digest.bytes).hex, digest_text(opening->details->model_id.bytes).hex);
}

/* ---- Metadata ---- */

static const uint64_t *decode_numbers(const uint8_t *bytes, size_t count, struct arena *arena,
                                      struct error *error) {
    uint64_t *numbers = ARENA_NEW(arena, uint64_t, count + 1, error);
    for (size_t i = 0; numbers && i < count; i++)
        numbers[i] = qm_get(bytes + 8 * i, 8);
    return numbers;
}

/* Bytes that a value of this kind has, or 0 where that varies. */
static size_t value_size(uint32_t kind) {
    return kind == VALUE_BOOL ? 1 : kind == VALUE_UINT || kind == VALUE_INT || kind == VALUE_REAL ? 8 : 0;
}

static bool decode_value(const struct opening *opening, const char *key, const uint8_t *bytes, uint32_t size,
                         struct value *value, struct error *error) {
    size_t fixed = value_size(value->kind);
    bool is_array = value->kind == VALUE_UINTS || value->kind == VALUE_REALS;
    if ((fixed && size != fixed) || (is_array && size % 8) || (value->kind == VALUE_BOOL && bytes[0] > 1))
        return fail(error, "%s: metadata '%s' is no value of kind %d in %" PRIu32 " bytes", opening->path,
                    key, (int)value->kind, size);
    if (value->kind == VALUE_BOOL)
        value->boolean = bytes[0];
    else if (fixed)
        value->uint = qm_get(bytes, 8);
    else if (is_array) {
        value->count = size / 8;
        value->uints = decode_numbers(bytes, value->count, opening->arena, error);
        return value->uints != NULL;
    } else {
        value->count = size;
        value->text = arena_text(opening->arena, (const char *)bytes, size, error);
        return value->text != NULL;
    }
    return true;
}

static bool read_item(const struct opening *opening, struct cursor *cursor, size_t index, const char **key,
                      struct error *error) {
    *key = take_name(opening, cursor, QM_META, "metadata key", index, *key, error);
    if (!*key)
        return false;
    uint32_t kind = take_u32(cursor), size = take_u32(cursor);
    const uint8_t *bytes = take(cursor, size);
    struct value value = {.kind = kind};
    if (!bytes)
        return fail_overrun(opening, QM_META, index, error);
    if (kind < VALUE_BOOL || kind > VALUE_REALS)
        return true; /* of a later version, which would set a feature bit if it mattered */
    return decode_value(opening, *key, bytes, size, &value, error) &&
           qm_check_value(opening->path, *key, &value, error) &&
           metadata_set(&opening->container->metadata, *key, value, error);
}

static bool read_metadata(struct opening *opening, struct error *error) {
    struct cursor cursor = cursor_of(&opening->sections[QM_META]);
    const char *key = NULL;
    size_t count;
    if (!take_count(opening, &cursor, QM_META, 13, QM_MAX_METADATA_ITEMS, "metadata items", &count, error))
        return false;
    for (size_t i = 0; i < count; i++)
        if (!read_item(opening, &cursor, i, &key, error))
            return false;
    return check_consumed(opening, &cursor, QM_META, error);
}

/* ---- Blobs ---- */

static bool read_blob_records(struct opening *opening, struct error *error) {
    struct container *container = opening->container;
    struct cursor cursor = cursor_of(&opening->sections[QM_BLOB]);
    uint64_t total = 0;
    if (!take_count(opening, &cursor, QM_BLOB, 29, QM_MAX_BLOBS, "blobs", &container->n_blobs, error))
        return false;
    container->blobs = ARENA_NEW(opening->arena, struct blob, container->n_blobs + 1, error);
    opening->blob_digests = ARENA_NEW(opening->arena, struct digest128, container->n_blobs + 1, error);
    if (!container->blobs || !opening->blob_digests)
        return false;
    const char *name = NULL;
    for (size_t i = 0; i < container->n_blobs; i++) {
        name = take_name(opening, &cursor, QM_BLOB, "blob", i, name, error);
        if (!name || !qm_check_blob_name(opening->path, name, error))
            return false;
        uint64_t size = take_u64(&cursor);
        opening->blob_digests[i] = take_digest(&cursor);
        if (cursor.overrun)
            return fail_overrun(opening, QM_BLOB, i, error);
        if (!add_sizes(total, size, &total) || total > QM_MAX_BLOB_BYTES)
            return fail(error,
                        "%s: blob '%s' has %" PRIu64 " bytes, which takes the blobs over the limit of %u",
                        opening->path, name, size, QM_MAX_BLOB_BYTES);
        container->blobs[i] = (struct blob){.name = name, .size = (size_t)size};
    }
    return check_consumed(opening, &cursor, QM_BLOB, error);
}

static bool read_blob(const struct opening *opening, size_t i, uint32_t codec, const struct payload *from,
                      struct error *error) {
    struct blob *blob = &opening->container->blobs[i];
    if (codec > QM_ZLIB)
        return fail(error,
                    "%s: blob '%s' is compressed by codec %" PRIu32 ", which this program does not know",
                    opening->path, blob->name, codec);
    if (codec == QM_STORED ? from->size != blob->size : blob->size / QM_DEFLATE_LIMIT > from->size)
        return fail(error, "%s: blob '%s' cannot have %zu bytes, stored in %zu", opening->path, blob->name,
                    blob->size, from->size);
    void *data = arena_alloc(opening->arena, blob->size + 1, 1, error);
    blob->data = data;
    if (!data || (codec == QM_ZLIB && !qm_unpack(opening->path, blob, from->bytes, from->size, data, error)))
        return false;
    if (codec == QM_STORED)
        memcpy(data, from->bytes, from->size);
    struct digest128 digest = digest_of(data, blob->size);
    return digest_is(&digest, opening->blob_digests[i].bytes) ||
           fail(error, "%s: blob '%s' is damaged: XXH3-128 is %s, stored is %s", opening->path, blob->name,
                digest_text(digest.bytes).hex, digest_text(opening->blob_digests[i].bytes).hex);
}

static bool read_blobs(struct opening *opening, struct error *error) {
    struct cursor records = cursor_of(&opening->sections[QM_BDAT]), data = records;
    take(&data, 12 * (uint64_t)opening->container->n_blobs);
    for (size_t i = 0; i < opening->container->n_blobs; i++) {
        uint32_t codec = take_u32(&records);
        uint64_t size = take_u64(&records);
        struct payload from = {take(&data, size), (size_t)size};
        if (!from.bytes)
            return fail_overrun(opening, QM_BDAT, i, error);
        if (!read_blob(opening, i, codec, &from, error))
            return false;
    }
    return check_consumed(opening, &data, QM_BDAT, error);
}

/* ---- Types and tensors ---- */

static bool read_type(struct opening *opening, struct cursor *cursor, size_t i, struct error *error) {
    struct type_layout *layout = &opening->layouts[i];
    layout->name = take_name(opening, cursor, QM_TYPE, "type", i, i ? layout[-1].name : NULL, error);
    if (!layout->name)
        return false;
    layout->panel_rows = take_u32(cursor);
    layout->block_cols = take_u32(cursor);
    layout->block_bytes = take_u32(cursor);
    if (!skip_attributes(opening, cursor, "type", layout->name, error))
        return false;
    if (cursor->overrun)
        return fail_overrun(opening, QM_TYPE, i, error);
    const struct type *type = opening->types[i] = type_find(layout->name);
    if (type && !qm_same_layout(layout, &(struct type_layout){type->name, type->panel_rows, type->block_cols,
                                                              type->block_bytes}))
        return fail(error,
                    "%s: type '%s' has blocks of %" PRIu32 " by %" PRIu32 " in %" PRIu32
                    " bytes, this program's have %" PRIu32 " by %" PRIu32 " in %" PRIu32,
                    opening->path, layout->name, layout->panel_rows, layout->block_cols, layout->block_bytes,
                    type->panel_rows, type->block_cols, type->block_bytes);
    return qm_check_layout(opening->path, layout, error);
}

static bool read_types(struct opening *opening, struct error *error) {
    struct cursor cursor = cursor_of(&opening->sections[QM_TYPE]);
    if (!take_count(opening, &cursor, QM_TYPE, 21, QM_MAX_TYPES, "types", &opening->n_types, error))
        return false;
    opening->layouts = ARENA_NEW(opening->arena, struct type_layout, opening->n_types + 1, error);
    opening->types = ARENA_NEW(opening->arena, const struct type *, opening->n_types + 1, error);
    if (!opening->layouts || !opening->types)
        return false;
    for (size_t i = 0; i < opening->n_types; i++)
        if (!read_type(opening, &cursor, i, error))
            return false;
    return check_consumed(opening, &cursor, QM_TYPE, error);
}

static bool take_shape(const struct opening *opening, struct cursor *cursor, struct tensor *tensor,
                       struct error *error) {
    uint32_t type = take_u32(cursor);
    tensor->n_dims = take_u32(cursor);
    for (uint32_t d = 0; d < tensor->n_dims && d < MAX_DIMS; d++)
        tensor->dims[d] = take_u64(cursor);
    if (!cursor->overrun && type >= opening->n_types)
        return fail(error, "%s: tensor '%s' is of type number %" PRIu32 ", there are %zu", opening->path,
                    tensor->name, type, opening->n_types);
    if (!cursor->overrun) {
        tensor->layout = opening->layouts[type];
        tensor->type = opening->types[type];
    }
    return true;
}

static bool check_shape(const struct opening *opening, const struct tensor *tensor, struct error *error) {
    uint64_t bytes;
    if (!qm_check_shape(opening->path, tensor, &bytes, error))
        return false;
    return bytes == tensor->size ||
           fail(error, "%s: tensor '%s' has %" PRIu64 " bytes, its shape calls for %" PRIu64, opening->path,
                tensor->name, tensor->size, bytes);
}

static bool read_tensor(const struct opening *opening, struct cursor *cursor, size_t i, struct error *error) {
    struct tensor *tensor = &opening->container->tensors[i];
    tensor->name = take_name(opening, cursor, QM_TENS, "tensor", i, i ? tensor[-1].name : NULL, error);
    if (!tensor->name || !take_shape(opening, cursor, tensor, error))
        return false;
    if (!cursor->overrun && (tensor->n_dims < 1 || tensor->n_dims > MAX_DIMS))
        return check_shape(opening, tensor, error); /* says so */
    tensor->size = take_u64(cursor);
    tensor->digest = take_digest(cursor);
    if (!skip_attributes(opening, cursor, "tensor", tensor->name, error))
        return false;
    if (cursor->overrun)
        return fail_overrun(opening, QM_TENS, i, error);
    return check_shape(opening, tensor, error);
}

static bool read_tensors(struct opening *opening, struct error *error) {
    struct container *container = opening->container;
    struct cursor cursor = cursor_of(&opening->sections[QM_TENS]);
    if (!take_count(opening, &cursor, QM_TENS, 49, QM_MAX_TENSORS, "tensors", &container->n_tensors, error))
        return false;
    container->tensors = ARENA_NEW(opening->arena, struct tensor, container->n_tensors + 1, error);
    if (!container->tensors)
        return false;
    for (size_t i = 0; i < container->n_tensors; i++)
        if (!read_tensor(opening, &cursor, i, error))
            return false;
    return check_consumed(opening, &cursor, QM_TENS, error);
}

static bool read_offsets(const struct opening *opening, struct error *error) {
    struct cursor cursor = cursor_of(&opening->sections[QM_TPOS]);
    for (size_t i = 0; i < opening->container->n_tensors; i++) {
        opening->container->tensors[i].offset = take_u64(&cursor);
        if (cursor.overrun)
            return fail_overrun(opening, QM_TPOS, i, error);
    }
    return check_consumed(opening, &cursor, QM_TPOS, error);
}

/* The tensors tile the file from the header to the directory, each at the first aligned place. */
static bool check_tiling(const struct opening *opening, const struct tensor *const *tensors,
                         struct error *error) {
    uint64_t end = QM_HEADER_SIZE, offset, directory;
    for (size_t i = 0; i < opening->container->n_tensors; i++) {
        const struct tensor *tensor = tensors[i];
        if (!qm_place(opening->path, end, tensor->size, &offset, &end, error))
            return false;
        if (tensor->offset != offset)
            return fail(error, "%s: tensor '%s' begins at %" PRIu64 ", its place is %" PRIu64, opening->path,
                        tensor->name, tensor->offset, offset);
        if (end > opening->directory_offset)
            return fail(error, "%s: tensor '%s' ends at %" PRIu64 ", the directory begins at %" PRIu64,
                        opening->path, tensor->name, end, opening->directory_offset);
    }
    return (qm_align(end, QM_SMALL_ALIGN, &directory) && directory == opening->directory_offset) ||
           fail(error, "%s: the last tensor ends at %" PRIu64 ", the directory begins at %" PRIu64,
                opening->path, end, opening->directory_offset);
}

static bool read_directory(struct opening *opening, const uint8_t *directory, struct error *error) {
    return read_sections(opening, directory, error) && read_metadata(opening, error) &&
           read_blob_records(opening, error) && read_types(opening, error) && read_tensors(opening, error) &&
           read_offsets(opening, error) && read_blobs(opening, error);
}

static bool load_directory(struct opening *opening, const uint8_t *stored_digest, struct error *error) {
    struct buffer buffer = {0};
    size_t size = (size_t)opening->directory_size;
    uint8_t *directory = (uint8_t *)buffer_reserve(&buffer, size, error);
    bool done = directory && input_read(opening->input, directory, size, opening->directory_offset, error) &&
                check_digest(opening, directory, size, stored_digest, "directory", error) &&
                read_directory(opening, directory, error);
    buffer_free(&buffer);
    return done;
}

static bool open_file(struct container *container, const char *path, struct error *error) {
    container->files = ARENA_NEW(&container->arena, struct input, 1, error);
    if (!container->files || !input_open(container->files, path, &container->arena, error))
        return false;
    container->n_files = 1;
    return true;
}

static bool open_qm(struct container *container, const char *path, struct error *error) {
    if (!open_file(container, path, error))
        return false;
    struct opening opening = {
        .container = container, .path = path, .arena = &container->arena, .input = container->files};
    uint8_t footer[QM_FOOTER_SIZE];
    container->details = opening.details = ARENA_NEW(opening.arena, struct qm_details, 1, error);
    if (!opening.details || !read_header(&opening, error) || !read_footer(&opening, footer, error) ||
        !load_directory(&opening, footer + QM_FOOTER_DIRECTORY_DIGEST, error))
        return false;
    opening.details->data_begin = QM_HEADER_SIZE;
    opening.details->data_end = opening.directory_offset;
    const struct tensor **tensors = qm_by_offset(container, opening.arena, error);
    return tensors && check_tiling(&opening, tensors, error);
}

/* The high byte of the magic is left out: a file that lost it in transfer is still to be called a damaged
 * .qm. */
static bool probe(const char *path) {
    uint8_t first[4];
    return format_peek(path, first, sizeof first) == sizeof first && memcmp(first + 1, &QM_MAGIC[1], 3) == 0;
}

const struct format qm_format = {.name = "qm", .summary = "a .qm file", .probe = probe, .open = open_qm};
