#include "models/gguf_merges.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#define NONE UINT32_MAX

/* Pieces by their text: open addressing, a power of two slots, at most half of them taken. */
struct pieces {
    const char *path;
    const struct gguf_vocab *vocab;
    uint32_t *slots;
    uint64_t mask;
    struct buffer merges;
    struct error *error;
};

/* The slot that has this text, or the free one where it would be. */
static uint32_t *slot_of(const struct pieces *p, const char *text, size_t size) {
    uint64_t at = XXH3_64bits(text, size);
    for (;; at++) {
        uint32_t *slot = &p->slots[at & p->mask];
        if (*slot == NONE ||
            (p->vocab->tokens[*slot].size == size && !memcmp(p->vocab->tokens[*slot].bytes, text, size)))
            return slot;
    }
}

static bool index_pieces(struct pieces *p, struct arena *arena) {
    size_t n_slots = 16;
    while (n_slots < 2 * p->vocab->count)
        n_slots *= 2;
    p->mask = n_slots - 1;
    p->slots = ARENA_NEW(arena, uint32_t, n_slots, p->error);
    if (!p->slots)
        return false;
    memset(p->slots, 0xff, n_slots * sizeof *p->slots);
    for (size_t id = 0; id < p->vocab->count; id++)
        if (gguf_token_type(p->vocab, id) == GGUF_TOKEN_NORMAL)
            *slot_of(p, p->vocab->tokens[id].bytes, p->vocab->tokens[id].size) = (uint32_t)id;
    return true;
}

static bool begins_character(char c) {
    return (c & 0xc0) != 0x80;
}

static uint32_t count_characters(const struct gguf_text *text) {
    uint32_t n = 0;
    for (size_t i = 0; i < text->size; i++)
        n += begins_character(text->bytes[i]);
    return n;
}

/* Every way to cut a piece into two. */
static bool cut(struct pieces *p, uint32_t id) {
    const struct gguf_text *text = &p->vocab->tokens[id];
    uint32_t chars = count_characters(text), left_chars = 1;
    double score = 0;
    if (!gguf_real(p->vocab->scores, id, &score) || !isfinite(score))
        return fail(p->error, "%s: the score of token %u is no number", p->path, id);
    for (size_t i = 1; i < text->size; i++) {
        if (!begins_character(text->bytes[i]))
            continue;
        uint32_t left = *slot_of(p, text->bytes, i),
                 right = left == NONE ? NONE : *slot_of(p, text->bytes + i, text->size - i);
        struct gguf_merge merge = {left, right, id, left_chars, chars - left_chars, (float)score};
        left_chars++;
        if (right != NONE && !buffer_append(&p->merges, (const char *)&merge, sizeof merge, p->error))
            return false;
    }
    return true;
}

static int by_number(uint64_t a, uint64_t b) {
    return (a > b) - (a < b);
}

static int by_rank(const void *a, const void *b) {
    const struct gguf_merge *x = a, *y = b;
    if (x->score < y->score || x->score > y->score)
        return x->score > y->score ? -1 : 1;
    int order = by_number(y->left_chars, x->left_chars);
    order = order ? order : by_number(y->right_chars, x->right_chars);
    order = order ? order : by_number(x->result, y->result);
    order = order ? order : by_number(x->left, y->left);
    return order ? order : by_number(x->right, y->right);
}

static bool derive(struct pieces *p, struct arena *arena) {
    if (!index_pieces(p, arena))
        return false;
    for (size_t id = 0; id < p->vocab->count; id++) {
        const struct gguf_text *text = &p->vocab->tokens[id];
        if (gguf_token_type(p->vocab, id) == GGUF_TOKEN_NORMAL && text->size <= GGUF_MAX_PIECE &&
            !cut(p, (uint32_t)id))
            return false;
    }
    return true;
}

bool gguf_derive_merges(const struct gguf_vocab *vocab, const char *path, struct gguf_merge **merges,
                        size_t *count, struct arena *arena, struct error *error) {
    struct pieces p = {.path = path, .vocab = vocab, .error = error};
    bool derived = derive(&p, arena);
    *count = p.merges.size / sizeof **merges;
    *merges = derived ? ARENA_NEW(arena, struct gguf_merge, *count + 1, error) : NULL;
    if (*merges && *count) {
        memcpy(*merges, p.merges.data, p.merges.size);
        qsort(*merges, *count, sizeof **merges, by_rank);
    }
    buffer_free(&p.merges);
    return *merges;
}
