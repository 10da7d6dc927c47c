/* Protocol Buffers' wire format: a message is a row of numbered fields, each an integer, eight or four bytes,
 * or a length and so many bytes, which may be a text or a message within. Groups, long out of use, are
 * refused. */
#ifndef INFER_TOKENIZER_PROTOBUF_H
#define INFER_TOKENIZER_PROTOBUF_H

#include "lib/memory.h"

enum wire_type { WIRE_VARINT = 0, WIRE_FIXED64 = 1, WIRE_BYTES = 2, WIRE_FIXED32 = 5 };

/* What is left of a message: nothing where `at` is `end`. */
struct protobuf {
    const char *name; /* begins sentences, such as the file's path */
    const char *file; /* the file's first byte, from which sentences count */
    const char *at, *end;
};

struct protobuf_field {
    uint32_t number;
    enum wire_type type;
    uint64_t value; /* of all types but WIRE_BYTES */
    const char *bytes;
    size_t size;
};

struct protobuf protobuf_open(const char *name, const char *file, size_t size);
struct protobuf protobuf_within(const struct protobuf *message, const struct protobuf_field *field);

/* Takes the next field of a message that has more. */
bool protobuf_next(struct protobuf *message, struct protobuf_field *field, struct error *error);

/* Fields that a reader knows, and where their values go in its own structure. */
enum protobuf_kind {
    PROTOBUF_INTEGER, /* int64_t; int32, uint32, enumerations */
    PROTOBUF_BOOL, /* bool */
    PROTOBUF_FLOAT, /* float */
    PROTOBUF_BYTES, /* struct protobuf_bytes: string, bytes */
};

struct protobuf_bytes {
    const char *text;
    size_t size;
};

struct protobuf_known {
    uint32_t number; /* 0 ends a table */
    enum protobuf_kind kind;
    size_t offset; /* of the value */
};

/* Reads a whole message. Of a field that comes twice the last one counts; what is absent stays as it was, and
 * what is not known is passed over. False also where a field is not of its kind. */
bool protobuf_read(struct protobuf message, const struct protobuf_known *known, void *to,
                   struct error *error);

#endif
