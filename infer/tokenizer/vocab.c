#include "infer/tokenizer/vocab.h"

#include "infer/utf8.h"

#include <string.h>
#include <xxhash.h>

/* GPT-2's alphabet: printable Latin-1 stands for itself, and U+0100 on, in rising order, for the 33 bytes to
 * 20, the 34 from 7F to A0, and AD. */
static uint32_t spelling_of(uint32_t byte) {
    if (byte <= 0x20)
        return 0x100 + byte;
    if (byte >= 0x7f && byte <= 0xa0)
        return 0x121 + byte - 0x7f;
    return byte == 0xad ? 0x143 : byte;
}

/* 256 where no byte is spelled so. */
static uint32_t byte_of(uint32_t code) {
    if (code >= 0x100 && code <= 0x120)
        return code - 0x100;
    if (code >= 0x121 && code <= 0x142)
        return code - 0x121 + 0x7f;
    if (code == 0x143)
        return 0xad;
    return code < 0x100 && spelling_of(code) == code ? code : 256;
}

size_t vocab_spell(const char *bytes, size_t size, char *out) {
    size_t length = 0;
    for (size_t i = 0; i < size; i++)
        length += utf8_encode(spelling_of((uint8_t)bytes[i]), out + length);
    return length;
}

/* Writes what a text stands for and returns its size, or returns 0 where the text is outside the alphabet. */
static size_t unspell(const char *text, size_t size, char *out) {
    size_t length = 0;
    for (size_t i = 0; i < size;) {
        uint32_t code;
        i += utf8_next(text + i, &code);
        uint32_t byte = byte_of(code);
        if (byte > 255)
            return 0;
        out[length++] = (char)byte;
    }
    return length;
}

bool vocab_init(struct vocab *vocab, uint32_t size, size_t count, size_t text_bytes, struct arena *arena,
                struct error *error) {
    *vocab = (struct vocab){.size = size, .n_slots = 16};
    while (vocab->n_slots < 2 * count)
        vocab->n_slots *= 2;
    vocab->tokens = ARENA_NEW(arena, struct token, size, error);
    vocab->slots = ARENA_NEW(arena, uint32_t, vocab->n_slots, error);
    vocab->pool = ARENA_NEW(arena, char, 2 * text_bytes + count, error);
    return vocab->tokens && vocab->slots && vocab->pool;
}

/* The slot that holds the text, or the empty one where it would go. */
static uint32_t *slot_of(const struct vocab *vocab, const char *text, size_t size) {
    size_t mask = vocab->n_slots - 1, i = XXH3_64bits(text, size) & mask;
    for (; vocab->slots[i] != 0; i = (i + 1) & mask) {
        const struct token *token = &vocab->tokens[vocab->slots[i] - 1];
        if (token->text_size == size && memcmp(token->text, text, size) == 0)
            break;
    }
    return &vocab->slots[i];
}

static const char *pool_take(struct vocab *vocab, size_t size) {
    const char *taken = vocab->pool;
    vocab->pool += size;
    return taken;
}

bool vocab_add(struct vocab *vocab, uint32_t id, const char *text, size_t text_size) {
    uint32_t *slot = slot_of(vocab, text, text_size);
    struct token *token = &vocab->tokens[id];
    if (*slot != 0 || token->text)
        return false;
    *slot = id + 1;
    memcpy(vocab->pool, text, text_size);
    token->text = token->bytes = pool_take(vocab, text_size + 1);
    token->text_size = token->bytes_size = (uint32_t)text_size;
    size_t bytes_size = unspell(text, text_size, vocab->pool);
    if (bytes_size > 0) {
        token->bytes = pool_take(vocab, bytes_size);
        token->bytes_size = (uint32_t)bytes_size;
    }
    if (vocab->longest_text < text_size)
        vocab->longest_text = (uint32_t)text_size;
    return true;
}

bool vocab_find(const struct vocab *vocab, const char *text, size_t size, uint32_t *id) {
    uint32_t slot = *slot_of(vocab, text, size);
    *id = slot - 1;
    return slot != 0;
}
