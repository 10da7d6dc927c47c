/* The message ModelProto of a tokenizer.model, checked: what SentencePiece's library would refuse to load is
 * refused here, and so is what it can do and nothing here can. */
#ifndef INFER_TOKENIZER_PIECES_H
#define INFER_TOKENIZER_PIECES_H

#include "infer/tokenizer/protobuf.h"
#include "infer/tokenizer/vocab.h"

#define LONGEST_PIECE 1024 /* bytes */
#define PIECES_LIMIT (1u << 24)

enum piece_type {
    PIECE_NORMAL = 1,
    PIECE_UNKNOWN, /* stands for what no piece covers */
    PIECE_CONTROL, /* such as </s>: never made of text */
    PIECE_USER_DEFINED, /* found in text before all others and left whole */
    PIECE_UNUSED,
    PIECE_BYTE, /* <0x0A>: with byte_fallback, for a byte of a character that no piece covers */
};

enum piece_model { PIECES_UNIGRAM = 1, PIECES_BPE, PIECES_WORD, PIECES_CHAR };

struct piece {
    struct protobuf_bytes text; /* well-formed, without NUL, of 1 to LONGEST_PIECE bytes */
    float score; /* finite */
    int64_t type; /* an enum piece_type */
};

struct pieces {
    const char *name; /* "model.qm: tokenizer.model" */
    struct piece *items; /* by id */
    size_t count;
    struct vocab by_text; /* ids */
    const struct piece *unknown; /* NULL where there is none; then byte_fallback */
    struct piece_training {
        int64_t model; /* PIECES_UNIGRAM or PIECES_BPE */
        int64_t bos_id, eos_id; /* beyond the pieces, or negative: none */
        bool byte_fallback;
        bool space_behind; /* the space that add_space adds stands behind the text */
    } training;
    struct piece_rules {
        struct protobuf_bytes charsmap; /* of size 0: none */
        bool add_space, squeeze_spaces, escape_spaces;
    } rules;
};

bool pieces_read(struct pieces *pieces, const char *name, const char *file, size_t size, struct arena *arena,
                 struct error *error);

/* NULL where there is none of that text. */
const struct piece *pieces_find(const struct pieces *pieces, const char *text, size_t size);

#endif
