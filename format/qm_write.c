#include "format/qm_blob.h"
#include "format/qm_rules.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>

/* One tensor on its way into the file. */
struct slot {
    struct digest_state state;
    struct tensor tensor;
    uint32_t type; /* its number in the type table */
    uint64_t fed; /* bytes that went into the digest */
    atomic_uint_fast64_t written;
};

struct qm_writer {
    struct arena arena;
    const char *path;
    struct output *output;
    struct slot *slots; /* in the order of the file */
    struct slot **by_name;
    size_t n_slots;
    const struct type_layout **types; /* by rising name */
    size_t n_types;
    uint64_t data_end;
};

/* ---- Laying out ---- */

static bool place_tensor(const char *path, struct tensor *tensor, uint64_t *end, struct error *error) {
    return qm_check_layout(path, &tensor->layout, error) &&
           qm_check_shape(path, tensor, &tensor->size, error) &&
           qm_place(path, *end, tensor->size, &tensor->offset, end, error);
}

bool qm_plan_bytes(const struct tensor *tensors, size_t n_tensors, uint64_t *bytes, struct error *error) {
    uint64_t end = QM_HEADER_SIZE;
    for (size_t i = 0; i < n_tensors; i++) {
        struct tensor tensor = tensors[i];
        if (!place_tensor("plan", &tensor, &end, error))
            return false;
    }
    if (!qm_align(end, QM_SMALL_ALIGN, &end))
        return fail(error, "plan: the tensors are beyond any file's size");
    *bytes = end - QM_HEADER_SIZE;
    return true;
}

static bool fill_slot(struct qm_writer *writer, size_t i, const struct tensor *tensor, struct error *error) {
    struct slot *slot = &writer->slots[i];
    size_t length = strlen(tensor->name);
    if (!qm_check_name(writer->path, tensor->name, length, "tensor", i, error) ||
        !qm_check_name(writer->path, tensor->layout.name, strlen(tensor->layout.name), "the type of tensor",
                       i, error))
        return false;
    slot->tensor = *tensor;
    slot->tensor.file = 0;
    slot->tensor.name = arena_text(&writer->arena, tensor->name, length, error);
    slot->tensor.layout.name =
        arena_text(&writer->arena, tensor->layout.name, strlen(tensor->layout.name), error);
    digest_begin(&slot->state);
    return slot->tensor.name && slot->tensor.layout.name &&
           place_tensor(writer->path, &slot->tensor, &writer->data_end, error);
}

static int by_name(const void *a, const void *b) {
    return strcmp((*(struct slot *const *)a)->tensor.name, (*(struct slot *const *)b)->tensor.name);
}

static int by_type(const void *a, const void *b) {
    return strcmp((*(const struct type_layout *const *)a)->name,
                  (*(const struct type_layout *const *)b)->name);
}

static bool sort_names(struct qm_writer *writer, struct error *error) {
    struct slot **sorted = writer->by_name =
        ARENA_NEW(&writer->arena, struct slot *, writer->n_slots + 1, error);
    if (!sorted)
        return false;
    for (size_t i = 0; i < writer->n_slots; i++)
        sorted[i] = &writer->slots[i];
    qsort(sorted, writer->n_slots, sizeof *sorted, by_name);
    for (size_t i = 1; i < writer->n_slots; i++)
        if (by_name(&sorted[i - 1], &sorted[i]) == 0)
            return fail(error, "%s: tensor '%s' occurs twice", writer->path, sorted[i]->tensor.name);
    return true;
}

/* The distinct layouts, rising; two of one name must agree. */
static bool collect_types(struct qm_writer *writer, struct error *error) {
    const struct type_layout **table =
        ARENA_NEW(&writer->arena, const struct type_layout *, writer->n_slots + 1, error);
    size_t n = 0;
    if (!table)
        return false;
    for (size_t i = 0; i < writer->n_slots; i++)
        table[i] = &writer->slots[i].tensor.layout;
    qsort(table, writer->n_slots, sizeof *table, by_type);
    for (size_t i = 0; i < writer->n_slots; i++) {
        if (n == 0 || by_type(&table[n - 1], &table[i]) != 0)
            table[n++] = table[i];
        else if (!qm_same_layout(table[n - 1], table[i]))
            return fail(error, "%s: type '%s' occurs with two layouts", writer->path, table[i]->name);
    }
    writer->types = table;
    writer->n_types = n;
    return qm_check_count(writer->path, n, QM_MAX_TYPES, "types", error);
}

static void number_types(struct qm_writer *writer) {
    for (size_t i = 0; i < writer->n_slots; i++) {
        const struct type_layout *layout = &writer->slots[i].tensor.layout;
        const struct type_layout **found =
            bsearch(&layout, writer->types, writer->n_types, sizeof *writer->types, by_type);
        writer->slots[i].type = (uint32_t)(found - writer->types);
    }
}

static bool lay_out(struct qm_writer *writer, const struct tensor *tensors, size_t n_tensors,
                    struct error *error) {
    if (!qm_check_count(writer->path, n_tensors, QM_MAX_TENSORS, "tensors", error))
        return false;
    writer->slots = ARENA_NEW(&writer->arena, struct slot, n_tensors + 1, error);
    if (!writer->slots)
        return false;
    writer->n_slots = n_tensors;
    writer->data_end = QM_HEADER_SIZE;
    for (size_t i = 0; i < n_tensors; i++)
        if (!fill_slot(writer, i, &tensors[i], error))
            return false;
    if (!sort_names(writer, error) || !collect_types(writer, error))
        return false;
    number_types(writer);
    return true;
}

struct qm_writer *qm_create(const char *path, bool force, const struct tensor *tensors, size_t n_tensors,
                            struct error *error) {
    struct arena arena = {0};
    struct qm_writer *writer = ARENA_NEW(&arena, struct qm_writer, 1, error);
    if (!writer)
        return NULL;
    writer->arena = arena;
    writer->path = arena_text(&writer->arena, path, strlen(path), error);
    if (writer->path && lay_out(writer, tensors, n_tensors, error)) {
        writer->output = output_create(path, force, error);
        if (writer->output)
            return writer;
    }
    qm_abandon(writer);
    return NULL;
}

void qm_abandon(struct qm_writer *writer) {
    if (!writer)
        return;
    output_abandon(writer->output);
    struct arena arena = writer->arena; /* the writer lies in it */
    arena_free(&arena);
}

/* ---- Tensor data ---- */

bool qm_write(struct qm_writer *writer, size_t tensor, const void *from, size_t size, uint64_t offset,
              struct error *error) {
    struct slot *slot = &writer->slots[tensor];
    uint64_t end;
    if (!add_sizes(offset, size, &end) || end > slot->tensor.size)
        return fail(error, "%s: tensor '%s' has %" PRIu64 " bytes; %zu were to be written at %" PRIu64,
                    writer->path, slot->tensor.name, slot->tensor.size, size, offset);
    if (!output_write(writer->output, from, size, slot->tensor.offset + offset, error))
        return false;
    atomic_fetch_add(&slot->written, size);
    return true;
}

void qm_digest(struct qm_writer *writer, size_t tensor, const void *bytes, size_t size) {
    struct slot *slot = &writer->slots[tensor];
    digest_add(&slot->state, bytes, size);
    slot->fed += size;
}

static bool close_tensor(const struct qm_writer *writer, struct slot *slot, struct error *error) {
    uint64_t written = atomic_load(&slot->written);
    if (written != slot->tensor.size || slot->fed != slot->tensor.size)
        return fail(error,
                    "%s: tensor '%s' is unfinished: %" PRIu64 " of %" PRIu64 " bytes written, %" PRIu64
                    " hashed",
                    writer->path, slot->tensor.name, written, slot->tensor.size, slot->fed);
    slot->tensor.digest = digest_end(&slot->state);
    return true;
}

/* ---- The directory. The first failure sticks; what follows it does nothing. ---- */

struct builder {
    struct qm_writer *writer;
    struct buffer bytes;
    size_t section; /* where the open section's header begins */
    struct digest_state id;
    struct error *error;
    bool failed;
};

static void put_bytes(struct builder *builder, const void *bytes, size_t size) {
    builder->failed = builder->failed || !buffer_append(&builder->bytes, bytes, size, builder->error);
}

static void put_number(struct builder *builder, uint64_t x, int n_bytes) {
    uint8_t bytes[8];
    qm_put(bytes, x, n_bytes);
    put_bytes(builder, bytes, (size_t)n_bytes);
}

static void put_u32(struct builder *builder, uint64_t x) {
    put_number(builder, x, 4);
}

static void put_u64(struct builder *builder, uint64_t x) {
    put_number(builder, x, 8);
}

static void put_name(struct builder *builder, const char *name) {
    size_t length = strlen(name);
    put_u32(builder, length);
    put_bytes(builder, name, length);
}

static void begin_section(struct builder *builder) {
    static const uint8_t zeros[QM_SECTION_HEADER];
    builder->section = builder->bytes.size;
    put_bytes(builder, zeros, sizeof zeros);
}

static void end_section(struct builder *builder, enum qm_section section) {
    static const uint8_t zeros[QM_SECTION_ALIGN];
    if (builder->failed)
        return;
    char *header = builder->bytes.data + builder->section, *payload = header + QM_SECTION_HEADER;
    size_t size = builder->bytes.size - builder->section - QM_SECTION_HEADER;
    struct digest128 digest = digest_of(payload, size);
    memcpy(header + QM_SECTION_KIND, qm_sections[section].kind, 4);
    qm_put(header + QM_SECTION_FLAGS, qm_sections[section].flags, 4);
    qm_put(header + QM_SECTION_BYTES, size, 8);
    memcpy(header + QM_SECTION_DIGEST, digest.bytes, sizeof digest.bytes);
    if (qm_sections[section].flags & QM_IDENTITY)
        digest_add(&builder->id, header, QM_SECTION_HEADER);
    put_bytes(builder, zeros, -size % QM_SECTION_ALIGN);
}

static void put_array(struct builder *builder, const uint64_t *numbers, size_t count) {
    put_u32(builder, 8 * (uint64_t)count);
    for (size_t i = 0; i < count; i++)
        put_u64(builder, numbers[i]);
}

static void put_value(struct builder *builder, const struct value *value) {
    put_u32(builder, value->kind);
    switch (value->kind) {
    case VALUE_BOOL:
        put_u32(builder, 1);
        put_number(builder, value->boolean, 1);
        break;
    case VALUE_UINT:
    case VALUE_INT:
    case VALUE_REAL:
        put_array(builder, &value->uint, 1);
        break;
    case VALUE_TEXT:
        put_u32(builder, value->count);
        put_bytes(builder, value->text, value->count);
        break;
    case VALUE_UINTS:
    case VALUE_REALS:
        put_array(builder, value->uints, value->count);
        break;
    }
}

static void put_metadata(struct builder *builder, const struct metadata *metadata) {
    begin_section(builder);
    put_u32(builder, metadata->count);
    for (size_t i = 0; i < metadata->count; i++) {
        put_name(builder, metadata->items[i].key);
        put_value(builder, &metadata->items[i].value);
    }
    end_section(builder, QM_META);
}

static void put_blob_records(struct builder *builder, const struct blob *blobs, size_t n_blobs) {
    begin_section(builder);
    put_u32(builder, n_blobs);
    for (size_t i = 0; i < n_blobs; i++) {
        struct digest128 digest = digest_of(blobs[i].data, blobs[i].size);
        put_name(builder, blobs[i].name);
        put_u64(builder, blobs[i].size);
        put_bytes(builder, digest.bytes, sizeof digest.bytes);
    }
    end_section(builder, QM_BLOB);
}

static void put_types(struct builder *builder) {
    const struct qm_writer *writer = builder->writer;
    begin_section(builder);
    put_u32(builder, writer->n_types);
    for (size_t i = 0; i < writer->n_types; i++) {
        const struct type_layout *type = writer->types[i];
        put_name(builder, type->name);
        put_u32(builder, type->panel_rows);
        put_u32(builder, type->block_cols);
        put_u32(builder, type->block_bytes);
        put_u32(builder, 0); /* attributes */
    }
    end_section(builder, QM_TYPE);
}

static void put_tensors(struct builder *builder) {
    const struct qm_writer *writer = builder->writer;
    begin_section(builder);
    put_u32(builder, writer->n_slots);
    for (size_t i = 0; i < writer->n_slots; i++) {
        const struct tensor *tensor = &writer->by_name[i]->tensor;
        put_name(builder, tensor->name);
        put_u32(builder, writer->by_name[i]->type);
        put_u32(builder, tensor->n_dims);
        for (uint32_t d = 0; d < tensor->n_dims; d++)
            put_u64(builder, tensor->dims[d]);
        put_u64(builder, tensor->size);
        put_bytes(builder, tensor->digest.bytes, sizeof tensor->digest.bytes);
        put_u32(builder, 0); /* attributes */
    }
    end_section(builder, QM_TENS);
}

static void put_offsets(struct builder *builder) {
    begin_section(builder);
    for (size_t i = 0; i < builder->writer->n_slots; i++)
        put_u64(builder, builder->writer->by_name[i]->tensor.offset);
    end_section(builder, QM_TPOS);
}

/* Packs the blob where that makes it smaller, and fills in its record, which lies at `record`. */
static void put_blob(struct builder *builder, const struct blob *blob, size_t record) {
    size_t begin = builder->bytes.size;
    uint32_t codec = QM_ZLIB;
    builder->failed = builder->failed || !qm_pack(blob, &builder->bytes, builder->error);
    if (!builder->failed && builder->bytes.size - begin >= blob->size) {
        builder->bytes.size = begin;
        codec = QM_STORED;
        put_bytes(builder, blob->data, blob->size);
    }
    if (builder->failed)
        return;
    qm_put(builder->bytes.data + record, codec, 4);
    qm_put(builder->bytes.data + record + 4, builder->bytes.size - begin, 8);
}

static void put_blobs(struct builder *builder, const struct blob *blobs, size_t n_blobs) {
    begin_section(builder);
    size_t records = builder->bytes.size;
    for (size_t i = 0; i < n_blobs; i++) {
        put_u32(builder, 0);
        put_u64(builder, 0);
    }
    for (size_t i = 0; i < n_blobs; i++)
        put_blob(builder, &blobs[i], records + 12 * i);
    end_section(builder, QM_BDAT);
}

static bool build_directory(struct builder *builder, const struct metadata *metadata,
                            const struct blob *blobs, size_t n_blobs) {
    digest_begin(&builder->id);
    put_metadata(builder, metadata);
    put_blob_records(builder, blobs, n_blobs);
    put_types(builder);
    put_tensors(builder);
    put_offsets(builder);
    put_blobs(builder, blobs, n_blobs);
    if (!builder->failed && builder->bytes.size > QM_MAX_DIRECTORY)
        return fail(builder->error, "%s: the directory would be %zu bytes, the limit is %u",
                    builder->writer->path, builder->bytes.size, QM_MAX_DIRECTORY);
    return !builder->failed;
}

/* ---- Finishing ---- */

static bool check_metadata(const char *path, const struct metadata *metadata, struct error *error) {
    if (!qm_check_count(path, metadata->count, QM_MAX_METADATA_ITEMS, "metadata items", error))
        return false;
    for (size_t i = 0; i < metadata->count; i++) {
        const struct metadata_item *item = &metadata->items[i];
        if (!qm_check_name(path, item->key, strlen(item->key), "metadata key", i, error) ||
            !qm_check_value(path, item->key, &item->value, error))
            return false;
    }
    return true;
}

static int by_blob_name(const void *a, const void *b) {
    return strcmp(((const struct blob *)a)->name, ((const struct blob *)b)->name);
}

/* A sorted and checked copy. */
static const struct blob *sort_blobs(struct qm_writer *writer, const struct blob *blobs, size_t n_blobs,
                                     struct error *error) {
    struct blob *sorted = ARENA_NEW(&writer->arena, struct blob, n_blobs + 1, error);
    uint64_t total = 0;
    if (!sorted || !qm_check_count(writer->path, n_blobs, QM_MAX_BLOBS, "blobs", error))
        return NULL;
    for (size_t i = 0; i < n_blobs; i++) {
        const struct blob *blob = &blobs[i];
        sorted[i] = *blob;
        if (!qm_check_name(writer->path, blob->name, strlen(blob->name), "blob", i, error) ||
            !qm_check_blob_name(writer->path, blob->name, error))
            return NULL;
        if (!add_sizes(total, blob->size, &total) || total > QM_MAX_BLOB_BYTES) {
            fail(error, "%s: blob '%s' has %zu bytes, which takes the blobs over the limit of %u",
                 writer->path, blob->name, blob->size, QM_MAX_BLOB_BYTES);
            return NULL;
        }
    }
    qsort(sorted, n_blobs, sizeof *sorted, by_blob_name);
    for (size_t i = 1; i < n_blobs; i++) {
        if (by_blob_name(&sorted[i - 1], &sorted[i]) == 0) {
            fail(error, "%s: blob '%s' occurs twice", writer->path, sorted[i].name);
            return NULL;
        }
    }
    return sorted;
}

static bool write_header(const struct qm_writer *writer, struct error *error) {
    uint8_t header[QM_HEADER_SIZE] = {0};
    memcpy(header + QM_HEADER_MAGIC, QM_MAGIC, 8);
    qm_put(header + QM_HEADER_MAJOR, QM_MAJOR, 2);
    qm_put(header + QM_HEADER_MINOR, QM_MINOR, 2);
    struct digest128 digest = digest_of(header, QM_HEADER_DIGEST);
    memcpy(header + QM_HEADER_DIGEST, digest.bytes, sizeof digest.bytes);
    return output_write(writer->output, header, sizeof header, 0, error);
}

static bool write_directory(const struct builder *builder, uint64_t offset, struct error *error) {
    const struct buffer *bytes = &builder->bytes;
    uint8_t footer[QM_FOOTER_SIZE] = {0};
    struct digest128 directory = digest_of(bytes->data, bytes->size), id = digest_end(&builder->id);
    qm_put(footer + QM_FOOTER_DIRECTORY, offset, 8);
    qm_put(footer + QM_FOOTER_DIRECTORY + 8, bytes->size, 8);
    qm_put(footer + QM_FOOTER_FILE_SIZE, offset + bytes->size + QM_FOOTER_SIZE, 8);
    memcpy(footer + QM_FOOTER_DIRECTORY_DIGEST, directory.bytes, sizeof directory.bytes);
    memcpy(footer + QM_FOOTER_MODEL_ID, id.bytes, sizeof id.bytes);
    struct digest128 digest = digest_of(footer, QM_FOOTER_DIGEST);
    memcpy(footer + QM_FOOTER_DIGEST, digest.bytes, sizeof digest.bytes);
    memcpy(footer + QM_FOOTER_MAGIC, QM_END_MAGIC, 8);
    return output_write(builder->writer->output, bytes->data, bytes->size, offset, error) &&
           output_write(builder->writer->output, footer, sizeof footer, offset + bytes->size, error);
}

static bool write_rest(struct qm_writer *writer, const struct metadata *metadata, const struct blob *blobs,
                       size_t n_blobs, struct error *error) {
    struct builder builder = {.writer = writer, .error = error};
    uint64_t offset;
    for (size_t i = 0; i < writer->n_slots; i++)
        if (!close_tensor(writer, &writer->slots[i], error))
            return false;
    if (!check_metadata(writer->path, metadata, error) ||
        !(blobs = sort_blobs(writer, blobs, n_blobs, error)) ||
        !qm_align(writer->data_end, QM_SMALL_ALIGN, &offset))
        return false;
    bool done = build_directory(&builder, metadata, blobs, n_blobs) && write_header(writer, error) &&
                write_directory(&builder, offset, error);
    buffer_free(&builder.bytes);
    return done;
}

bool qm_finish(struct qm_writer *writer, const struct metadata *metadata, const struct blob *blobs,
               size_t n_blobs, struct error *error) {
    bool done = write_rest(writer, metadata, blobs, n_blobs, error);
    if (done) {
        done = output_commit(writer->output, error);
        writer->output = NULL;
    }
    qm_abandon(writer);
    return done;
}
