#include "infer/tokenizer/protobuf.h"

#include <inttypes.h>
#include <string.h>

struct protobuf protobuf_open(const char *name, const char *file, size_t size) {
    return (struct protobuf){name, file, file, file + size};
}

struct protobuf protobuf_within(const struct protobuf *message, const struct protobuf_field *field) {
    return (struct protobuf){message->name, message->file, field->bytes, field->bytes + field->size};
}

static size_t left(const struct protobuf *message) {
    return (size_t)(message->end - message->at);
}

static size_t place(const struct protobuf *message, const char *at) {
    return (size_t)(at - message->file);
}

/* Seven bits a byte, the lowest first; the eighth says that more follow. */
static bool take_varint(struct protobuf *message, uint64_t *value, struct error *error) {
    const char *begin = message->at;
    *value = 0;
    for (unsigned shift = 0; message->at < message->end && shift < 64; shift += 7) {
        uint8_t byte = (uint8_t)*message->at++;
        if (shift == 63 && byte > 1)
            break;
        *value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            return true;
    }
    return fail(error, "%s: byte %zu begins a number that does not end", message->name,
                place(message, begin));
}

static bool take_fixed(struct protobuf *message, size_t size, uint64_t *value, struct error *error) {
    if (left(message) < size)
        return fail(error, "%s: a number of %zu bytes at %zu goes beyond its message, which ends at %zu",
                    message->name, size, place(message, message->at), place(message, message->end));
    *value = 0;
    for (size_t i = size; i-- > 0;)
        *value = *value << 8 | (uint8_t)message->at[i];
    message->at += size;
    return true;
}

static bool take_bytes(struct protobuf *message, struct protobuf_field *field, struct error *error) {
    uint64_t size;
    if (!take_varint(message, &size, error))
        return false;
    if (left(message) < size)
        return fail(error,
                    "%s: field %" PRIu32 " has %" PRIu64 " bytes at %zu, beyond its message, which ends "
                    "at %zu",
                    message->name, field->number, size, place(message, message->at),
                    place(message, message->end));
    field->bytes = message->at;
    field->size = (size_t)size;
    message->at += size;
    return true;
}

bool protobuf_next(struct protobuf *message, struct protobuf_field *field, struct error *error) {
    const char *begin = message->at;
    uint64_t tag;
    if (!take_varint(message, &tag, error))
        return false;
    *field = (struct protobuf_field){.number = (uint32_t)(tag >> 3), .type = (enum wire_type)(tag & 7)};
    if (tag >> 3 == 0 || tag >> 3 >= 1u << 29)
        return fail(error, "%s: byte %zu begins field %" PRIu64 ", there is none of that number",
                    message->name, place(message, begin), tag >> 3);
    switch (field->type) {
    case WIRE_VARINT:
        return take_varint(message, &field->value, error);
    case WIRE_FIXED64:
        return take_fixed(message, 8, &field->value, error);
    case WIRE_FIXED32:
        return take_fixed(message, 4, &field->value, error);
    case WIRE_BYTES:
        return take_bytes(message, field, error);
    }
    return fail(error, "%s: field %" PRIu32 " at byte %zu is of wire type %u, which is not supported",
                message->name, field->number, place(message, begin), (unsigned)(tag & 7));
}

static void store(const struct protobuf_field *field, enum protobuf_kind kind, void *to) {
    uint32_t bits = (uint32_t)field->value;
    switch (kind) {
    case PROTOBUF_INTEGER:
        *(int64_t *)to = (int64_t)field->value;
        return;
    case PROTOBUF_BOOL:
        *(bool *)to = field->value != 0;
        return;
    case PROTOBUF_FLOAT:
        memcpy(to, &bits, sizeof bits);
        return;
    case PROTOBUF_BYTES:
        *(struct protobuf_bytes *)to = (struct protobuf_bytes){field->bytes, field->size};
        return;
    }
}

bool protobuf_read(struct protobuf message, const struct protobuf_known *known, void *to,
                   struct error *error) {
    static const enum wire_type types[] = {[PROTOBUF_INTEGER] = WIRE_VARINT,
                                           [PROTOBUF_BOOL] = WIRE_VARINT,
                                           [PROTOBUF_FLOAT] = WIRE_FIXED32,
                                           [PROTOBUF_BYTES] = WIRE_BYTES};
    while (message.at < message.end) {
        const struct protobuf_known *found = known;
        const char *begin = message.at;
        struct protobuf_field field;
        if (!protobuf_next(&message, &field, error))
            return false;
        while (found->number != 0 && found->number != field.number)
            found++;
        if (found->number == 0)
            continue;
        if (field.type != types[found->kind])
            return fail(error, "%s: field %" PRIu32 " at byte %zu is of wire type %d, expected %d",
                        message.name, field.number, place(&message, begin), (int)field.type,
                        (int)types[found->kind]);
        store(&field, found->kind, (char *)to + found->offset);
    }
    return true;
}
