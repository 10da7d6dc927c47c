#include "infer/tokenizer/vocab.h"

#include "infer/utf8.h"

#include <stdio.h>
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
    vocab->size = size;
    vocab->n_slots = 16;
    while (vocab->n_slots < 2 * count)
        vocab->n_slots *= 2;
    vocab->tokens = ARENA_NEW(arena, struct token, size, error);
    vocab->slots = ARENA_NEW(arena, struct vocab_slot, vocab->n_slots, error);
    vocab->pool = ARENA_NEW(arena, char, 2 * text_bytes + count, error);
    return vocab->tokens && vocab->slots && vocab->pool;
}

static uint64_t head_of(const char *text, size_t size) {
    uint64_t head = 0;
    memcpy(&head, text, size < sizeof head ? size : sizeof head);
    return head;
}

static size_t hash_of(uint64_t head, const char *text, size_t size) {
    if (size > sizeof head)
        return XXH3_64bits(text, size);
    uint64_t hash = (head ^ size << 56) * 0x9e3779b97f4a7c15u; /* 2^64 / golden ratio */
    return hash ^ hash >> 32;
}

/* The slot that holds the text, or the empty one where it would go. */
static struct vocab_slot *slot_of(const struct vocab *vocab, const char *text, size_t size) {
    uint64_t head = head_of(text, size);
    size_t mask = vocab->n_slots - 1, i = hash_of(head, text, size) & mask;
    for (; vocab->slots[i].id_plus_one != 0; i = (i + 1) & mask) {
        const struct vocab_slot *slot = &vocab->slots[i];
        if (slot->head == head && slot->size == size &&
            (size <= sizeof head || !memcmp(vocab->tokens[slot->id_plus_one - 1].text, text, size)))
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
    struct vocab_slot *slot = slot_of(vocab, text, text_size);
    struct token *token = &vocab->tokens[id];
    if (slot->id_plus_one != 0 || token->text)
        return false;
    *slot = (struct vocab_slot){head_of(text, text_size), (uint32_t)text_size, id + 1};
    memcpy(vocab->pool, text, text_size);
    token->text = token->bytes = pool_take(vocab, text_size + 1);
    token->text_size = token->bytes_size = (uint32_t)text_size;
    size_t bytes_size = vocab->spelled ? unspell(text, text_size, vocab->pool) : 0;
    if (bytes_size > 0) {
        token->bytes = pool_take(vocab, bytes_size);
        token->bytes_size = (uint32_t)bytes_size;
    }
    if (vocab->longest_text < text_size)
        vocab->longest_text = (uint32_t)text_size;
    return true;
}

bool vocab_find(const struct vocab *vocab, const char *text, size_t size, uint32_t *id) {
    uint32_t id_plus_one = slot_of(vocab, text, size)->id_plus_one;
    *id = id_plus_one - 1;
    return id_plus_one != 0;
}

uint32_t vocab_find_own(const struct vocab *vocab, const char *text, size_t size) {
    uint32_t id;
    return text && vocab_find(vocab, text, size, &id) && !vocab->tokens[id].added ? id : NO_TOKEN;
}

uint32_t vocab_find_open(const struct vocab *vocab, const char *text, size_t size) {
    uint32_t id = vocab_find_own(vocab, text, size);
    return id != NO_TOKEN && vocab->tokens[id].apart ? NO_TOKEN : id;
}

void vocab_find_bytes(const struct vocab *vocab, uint32_t tokens[256]) {
    for (unsigned byte = 0; byte < 256; byte++) {
        char text[8];
        int size = snprintf(text, sizeof text, "<0x%02X>", byte);
        tokens[byte] = vocab_find_own(vocab, text, (size_t)size);
    }
}

bool vocab_has_bytes(const uint32_t tokens[256]) {
    for (size_t byte = 0; byte < 256; byte++)
        if (tokens[byte] == NO_TOKEN)
            return false;
    return true;
}

void vocab_expect(const struct vocab *vocab, const char *text, size_t size) {
    size_t hash = hash_of(head_of(text, size), text, size);
    __builtin_prefetch(&vocab->slots[hash & (vocab->n_slots - 1)]);
}

static bool is_text(const struct token *token, const char *text, size_t size) {
    return token->text && token->text_size == size && memcmp(token->text, text, size) == 0;
}

bool vocab_find_near(const struct vocab *vocab, uint32_t near, const char *text, size_t size, uint32_t *id) {
    for (*id = near; *id < vocab->size && *id - near < 2; (*id)++)
        if (is_text(&vocab->tokens[*id], text, size))
            return true;
    return vocab_find(vocab, text, size, id);
}
