#include "infer/tokenizer/pieces.h"

#include "infer/utf8.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* Numbers of fields are those of sentencepiece_model.proto. */
enum { FIELD_PIECES = 1, FIELD_TRAINING = 2, FIELD_RULES = 3 };

static const struct protobuf_known piece_fields[] = {
    {1, PROTOBUF_BYTES, offsetof(struct piece, text)},
    {2, PROTOBUF_FLOAT, offsetof(struct piece, score)},
    {3, PROTOBUF_INTEGER, offsetof(struct piece, type)},
    {0},
};

static const struct protobuf_known training_fields[] = {
    {3, PROTOBUF_INTEGER, offsetof(struct piece_training, model)},
    {24, PROTOBUF_BOOL, offsetof(struct piece_training, space_behind)},
    {35, PROTOBUF_BOOL, offsetof(struct piece_training, byte_fallback)},
    {41, PROTOBUF_INTEGER, offsetof(struct piece_training, bos_id)},
    {42, PROTOBUF_INTEGER, offsetof(struct piece_training, eos_id)},
    {0},
};

static const struct protobuf_known rule_fields[] = {
    {2, PROTOBUF_BYTES, offsetof(struct piece_rules, charsmap)},
    {3, PROTOBUF_BOOL, offsetof(struct piece_rules, add_space)},
    {4, PROTOBUF_BOOL, offsetof(struct piece_rules, squeeze_spaces)},
    {5, PROTOBUF_BOOL, offsetof(struct piece_rules, escape_spaces)},
    {0},
};

/* ---- One piece ---- */

static bool check_piece(const struct pieces *pieces, size_t id, struct error *error) {
    const struct piece *piece = &pieces->items[id];
    const struct protobuf_bytes text = piece->text;
    if (text.size == 0 || text.size > LONGEST_PIECE)
        return fail(error, "%s: piece %zu has %zu bytes, expected 1 to %d", pieces->name, id, text.size,
                    LONGEST_PIECE);
    if (utf8_well_formed(text.text, text.size) != text.size || memchr(text.text, 0, text.size))
        return fail(error, "%s: piece %zu is not UTF-8 without NUL", pieces->name, id);
    if (piece->type < PIECE_NORMAL || piece->type > PIECE_BYTE)
        return fail(error, "%s: piece %zu, '%.*s', is of type %" PRId64 ", expected 1 to 6", pieces->name, id,
                    (int)text.size, text.text, piece->type);
    return isfinite(piece->score) || fail(error, "%s: piece %zu, '%.*s', has a score that is no number",
                                          pieces->name, id, (int)text.size, text.text);
}

static bool add_piece(struct pieces *pieces, size_t id, struct error *error) {
    const struct protobuf_bytes text = pieces->items[id].text;
    const struct piece *other = pieces_find(pieces, text.text, text.size);
    if (other)
        return fail(error, "%s: the pieces %zu and %zu are both '%.*s'", pieces->name,
                    (size_t)(other - pieces->items), id, (int)text.size, text.text);
    vocab_add(&pieces->by_text, (uint32_t)id, text.text, text.size);
    if (pieces->items[id].type != PIECE_UNKNOWN)
        return true;
    if (pieces->unknown)
        return fail(error, "%s: the pieces %zu and %zu are both of the type for what is unknown",
                    pieces->name, (size_t)(pieces->unknown - pieces->items), id);
    pieces->unknown = &pieces->items[id];
    return true;
}

const struct piece *pieces_find(const struct pieces *pieces, const char *text, size_t size) {
    uint32_t id;
    return vocab_find(&pieces->by_text, text, size, &id) ? &pieces->items[id] : NULL;
}

/* ---- The message ---- */

/* Counts the pieces and checks the structure. */
static bool count_pieces(struct pieces *pieces, struct protobuf file, struct error *error) {
    while (file.at < file.end) {
        struct protobuf_field field;
        if (!protobuf_next(&file, &field, error))
            return false;
        if (field.number <= FIELD_RULES && field.type != WIRE_BYTES)
            return fail(error, "%s: field %" PRIu32 " is no message", pieces->name, field.number);
        pieces->count += field.number == FIELD_PIECES;
    }
    return (pieces->count > 0 && pieces->count <= PIECES_LIMIT) ||
           fail(error, "%s: has %zu pieces, expected 1 to %u", pieces->name, pieces->count, PIECES_LIMIT);
}

static bool read_message(struct pieces *pieces, uint32_t number, struct protobuf message, struct piece **next,
                         struct error *error) {
    if (number == FIELD_TRAINING)
        return protobuf_read(message, training_fields, &pieces->training, error);
    if (number == FIELD_RULES)
        return protobuf_read(message, rule_fields, &pieces->rules, error);
    struct piece *piece = (*next)++;
    piece->type = PIECE_NORMAL;
    return protobuf_read(message, piece_fields, piece, error);
}

static bool read_messages(struct pieces *pieces, struct protobuf file, struct error *error) {
    struct piece *next = pieces->items;
    while (file.at < file.end) {
        struct protobuf_field field;
        if (!protobuf_next(&file, &field, error) ||
            (field.number <= FIELD_RULES &&
             !read_message(pieces, field.number, protobuf_within(&file, &field), &next, error)))
            return false;
    }
    return true;
}

static bool add_pieces(struct pieces *pieces, struct arena *arena, struct error *error) {
    size_t text_bytes = 0;
    for (size_t id = 0; id < pieces->count; id++) {
        if (!check_piece(pieces, id, error))
            return false;
        text_bytes += pieces->items[id].text.size;
    }
    if (!vocab_init(&pieces->by_text, (uint32_t)pieces->count, pieces->count, text_bytes, arena, error))
        return false;
    for (size_t id = 0; id < pieces->count; id++)
        if (!add_piece(pieces, id, error))
            return false;
    return true;
}

/* ---- What the pieces must be together ---- */

static bool check_bytes(const struct pieces *pieces, struct error *error) {
    size_t count = 0;
    for (size_t id = 0; id < pieces->count; id++)
        count += pieces->items[id].type == PIECE_BYTE;
    if (!pieces->training.byte_fallback)
        return count == 0 ||
               fail(error, "%s: has pieces for %zu bytes, but no byte_fallback", pieces->name, count);
    for (unsigned byte = 0; byte < 256; byte++) {
        char text[8];
        size_t size = (size_t)snprintf(text, sizeof text, "<0x%02X>", byte);
        const struct piece *piece = pieces_find(pieces, text, size);
        if (!piece || piece->type != PIECE_BYTE)
            return fail(error, "%s: has byte_fallback, but no piece '%s' for that byte", pieces->name, text);
    }
    return count == 256 || fail(error, "%s: has pieces for %zu bytes, expected 256", pieces->name, count);
}

static bool check_model(const struct pieces *pieces, struct error *error) {
    static const char *const kinds[] = {[PIECES_WORD] = "WORD", [PIECES_CHAR] = "CHAR"};
    int64_t model = pieces->training.model;
    if (model == PIECES_WORD || model == PIECES_CHAR)
        return fail(error, "%s: a model of type %s is not supported, only BPE and UNIGRAM are", pieces->name,
                    kinds[model]);
    if (model != PIECES_UNIGRAM && model != PIECES_BPE)
        return fail(error, "%s: is a model of type %" PRId64 ", expected 1 to 4", pieces->name, model);
    return pieces->unknown || pieces->training.byte_fallback ||
           fail(error, "%s: has no piece for what is unknown", pieces->name);
}

bool pieces_read(struct pieces *pieces, const char *name, const char *file, size_t size, struct arena *arena,
                 struct error *error) {
    struct protobuf message = protobuf_open(name, file, size);
    *pieces = (struct pieces){.name = name,
                              .training = {.model = PIECES_UNIGRAM, .bos_id = 1, .eos_id = 2},
                              .rules = {.add_space = true, .squeeze_spaces = true, .escape_spaces = true}};
    if (!count_pieces(pieces, message, error))
        return false;
    pieces->items = ARENA_NEW(arena, struct piece, pieces->count, error);
    return pieces->items && read_messages(pieces, message, error) && add_pieces(pieces, arena, error) &&
           check_model(pieces, error) && check_bytes(pieces, error);
}
