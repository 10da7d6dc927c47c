/* The merges that a SentencePiece vocabulary of scored pieces comes to: two pieces that together are a third
 * merge, those that make the piece of the best score first. */
#ifndef MODELS_GGUF_MERGES_H
#define MODELS_GGUF_MERGES_H

#include "format/gguf.h"

/* Of tokenizer.ggml.token_type. */
enum gguf_token {
    GGUF_TOKEN_NORMAL = 1,
    GGUF_TOKEN_UNKNOWN,
    GGUF_TOKEN_CONTROL,
    GGUF_TOKEN_USER,
    GGUF_TOKEN_UNUSED,
    GGUF_TOKEN_BYTE,
};

struct gguf_vocab {
    const struct gguf_text *tokens; /* [count], valid UTF-8 */
    size_t count;
    const struct gguf_item *types, *scores; /* NULL where absent */
};

/* Without types every token is a normal one. */
static inline enum gguf_token gguf_token_type(const struct gguf_vocab *vocab, uint64_t id) {
    uint64_t type;
    return vocab->types && gguf_uint(vocab->types, id, &type) ? (enum gguf_token)type : GGUF_TOKEN_NORMAL;
}

/* Bytes of a piece that merges can make; no real vocabulary has longer ones. */
#define GGUF_MAX_PIECE 1024u

struct gguf_merge {
    uint32_t left, right, result; /* ids */
    uint32_t left_chars, right_chars;
    float score; /* of the result */
};

/* In the order of their ranks, as convert_slow_tokenizer of transformers has it. Only normal pieces take
 * part; each has a score. `path` begins sentences. */
bool gguf_derive_merges(const struct gguf_vocab *vocab, const char *path, struct gguf_merge **merges,
                        size_t *count, struct arena *arena, struct error *error);

#endif
