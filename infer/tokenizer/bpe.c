#include "infer/tokenizer/bpe.h"

#include "infer/utf8.h"

#define NOWHERE UINT32_MAX

static bool make_table(struct bpe *bpe, size_t n_merges, struct arena *arena, struct error *error) {
    bpe->n_slots = 16;
    while (bpe->n_slots < n_merges + n_merges / 2)
        bpe->n_slots *= 2;
    bpe->merges = ARENA_NEW(arena, struct merge, bpe->n_slots, error);
    for (size_t i = 0; bpe->merges && i < bpe->n_slots; i++)
        bpe->merges[i].left = bpe->merges[i].right = NO_TOKEN;
    return bpe->merges != NULL;
}

static void find_singles(struct bpe *bpe) {
    for (unsigned byte = 0; byte < 256; byte++) {
        char c = (char)byte, spelling[4];
        if (bpe->spelled)
            bpe->single[byte] = vocab_find_open(bpe->vocab, spelling, vocab_spell(&c, 1, spelling));
        else
            bpe->single[byte] = byte < 0x80 ? vocab_find_open(bpe->vocab, &c, 1) : NO_TOKEN;
    }
}

bool bpe_init(struct bpe *bpe, const struct vocab *vocab, const struct matcher *kept,
              const struct description *d, bool spelled, struct arena *arena, struct error *error) {
    *bpe = (struct bpe){.vocab = vocab,
                        .kept = kept,
                        .spelled = spelled,
                        .ignore_merges = d->ignore_merges,
                        .fuse_unknown = d->fuse_unknown,
                        .byte_fallback = d->byte_fallback,
                        .unknown = vocab_find_own(vocab, d->unknown.text, d->unknown.size)};
    find_singles(bpe);
    vocab_find_bytes(vocab, bpe->fallback);
    bool complete =
        (spelled && vocab_has_bytes(bpe->single)) || (d->byte_fallback && vocab_has_bytes(bpe->fallback));
    if (d->unknown.text && bpe->unknown == NO_TOKEN && !complete)
        return fail(error, "%s: the unk_token '%s' is not in the vocabulary", d->name, d->unknown.text);
    return make_table(bpe, d->n_merges, arena, error);
}

static size_t first_slot(const struct bpe *bpe, uint32_t left, uint32_t right) {
    uint64_t hash = ((uint64_t)left << 32 | right) * 0x9e3779b97f4a7c15u; /* 2^64 / golden ratio */
    return (hash ^ hash >> 32) & (bpe->n_slots - 1);
}

/* The slot that holds the pair, or the empty one where it would go. */
static struct merge *slot_of(const struct bpe *bpe, uint32_t left, uint32_t right) {
    for (size_t i = first_slot(bpe, left, right);; i = (i + 1) & (bpe->n_slots - 1)) {
        struct merge *slot = &bpe->merges[i];
        if ((slot->left == left && slot->right == right) || slot->left == NO_TOKEN)
            return slot;
    }
}

void bpe_expect_merge(const struct bpe *bpe, uint32_t left, uint32_t right) {
    __builtin_prefetch(&bpe->merges[first_slot(bpe, left, right)], 1);
}

void bpe_add_merge(struct bpe *bpe, struct merge merge) {
    *slot_of(bpe, merge.left, merge.right) = merge;
}

/* A word is a doubly linked list of symbols in one array; a merged symbol keeps its left part's place. */
struct symbol {
    uint32_t token; /* NO_TOKEN once merged into the one before */
    uint32_t previous, next;
};

/* Pairs that may merge, a binary min-heap of rank << 32 | place of the left symbol. Pairs that have changed
 * since stay in it and are recognized when they come up. */
struct queue {
    uint64_t *keys;
    size_t count;
};

static void queue_push(struct queue *queue, uint64_t key) {
    size_t i = queue->count++;
    for (; i > 0 && queue->keys[(i - 1) / 2] > key; i = (i - 1) / 2)
        queue->keys[i] = queue->keys[(i - 1) / 2];
    queue->keys[i] = key;
}

static uint64_t queue_pop(struct queue *queue) {
    uint64_t top = queue->keys[0], last = queue->keys[--queue->count];
    size_t i = 0;
    for (size_t child; (child = 2 * i + 1) < queue->count; i = child) {
        if (child + 1 < queue->count && queue->keys[child + 1] < queue->keys[child])
            child++;
        if (queue->keys[child] >= last)
            break;
        queue->keys[i] = queue->keys[child];
    }
    queue->keys[i] = last;
    return top;
}

struct word {
    const struct bpe *bpe;
    struct symbol *symbols;
    uint32_t count;
    struct queue queue;
};

static const struct merge *merge_at(const struct word *word, uint32_t place) {
    const struct symbol *left = &word->symbols[place];
    if (left->token == NO_TOKEN || left->next == NOWHERE)
        return NULL;
    const struct merge *merge = slot_of(word->bpe, left->token, word->symbols[left->next].token);
    return merge->left == NO_TOKEN ? NULL : merge;
}

static void consider(struct word *word, uint32_t place) {
    if (place == NOWHERE)
        return;
    const struct merge *merge = merge_at(word, place);
    if (merge)
        queue_push(&word->queue, (uint64_t)merge->rank << 32 | place);
}

static void join(struct word *word, uint32_t place, uint32_t result) {
    struct symbol *left = &word->symbols[place], *right = &word->symbols[left->next];
    left->token = result;
    left->next = right->next;
    right->token = NO_TOKEN;
    if (left->next != NOWHERE)
        word->symbols[left->next].previous = place;
    consider(word, left->previous);
    consider(word, place);
}

static void merge_all(struct word *word) {
    for (uint32_t i = 0; i + 1 < word->count; i++)
        consider(word, i);
    while (word->queue.count > 0) {
        uint64_t key = queue_pop(&word->queue);
        const struct merge *merge = merge_at(word, (uint32_t)key);
        if (merge && merge->rank == key >> 32)
            join(word, (uint32_t)key, merge->result);
    }
}

static void add_symbol(struct word *word, uint32_t token) {
    uint32_t place = word->count++;
    word->symbols[place] = (struct symbol){token, place - 1, place + 1}; /* 0 - 1 is NOWHERE */
}

/* A character without a token. Its bytes come before what is unknown and pending: Hugging Face's order. */
static void add_unknown(struct word *word, const char *text, size_t size, bool *pending) {
    const struct bpe *bpe = word->bpe;
    bool falls_back = bpe->byte_fallback;
    for (size_t i = 0; i < size && falls_back; i++)
        falls_back = bpe->fallback[(uint8_t)text[i]] != NO_TOKEN;
    for (size_t i = 0; i < size && falls_back; i++)
        add_symbol(word, bpe->fallback[(uint8_t)text[i]]);
    if (falls_back || bpe->unknown == NO_TOKEN)
        return;
    if (*pending && !bpe->fuse_unknown)
        add_symbol(word, bpe->unknown);
    *pending = true;
}

/* The token of what is kept or else the character at `text`, as the vocabulary has it, and how many bytes of
 * the word it takes. No merge joins what is kept. */
static uint32_t next_part(const struct bpe *bpe, const char *text, size_t size, size_t *length) {
    uint32_t code;
    *length = matcher_longest(bpe->kept, text, size);
    if (*length == 0)
        *length = bpe->spelled ? 1 : utf8_next(text, &code);
    return *length == 1 ? bpe->single[(uint8_t)*text] : vocab_find_open(bpe->vocab, text, *length);
}

static void set_symbols(struct word *word, const char *text, size_t size) {
    const struct bpe *bpe = word->bpe;
    bool pending = false; /* something unknown, whose token waits for the next */
    for (size_t i = 0, length; i < size; i += length) {
        uint32_t token = next_part(bpe, text + i, size - i, &length);
        char spelling[4];
        if (token == NO_TOKEN) {
            if (bpe->spelled)
                add_unknown(word, spelling, vocab_spell(text + i, 1, spelling), &pending);
            else
                add_unknown(word, text + i, length, &pending);
            continue;
        }
        if (pending)
            add_symbol(word, bpe->unknown);
        pending = false;
        add_symbol(word, token);
    }
    if (pending)
        add_symbol(word, bpe->unknown);
    if (word->count > 0)
        word->symbols[word->count - 1].next = NOWHERE;
}

/* Each merge takes one pair out of the queue and puts in at most two. A spelled byte falls back to two. */
static bool make_room(struct word *word, size_t size, struct bpe_scratch *scratch, struct error *error) {
    if (word->bpe->spelled && word->bpe->byte_fallback)
        size *= 2;
    scratch->symbols.size = scratch->queue.size = 0;
    word->symbols = (struct symbol *)buffer_reserve(&scratch->symbols, size * sizeof(struct symbol), error);
    word->queue.keys = (uint64_t *)buffer_reserve(&scratch->queue, 2 * size * sizeof(uint64_t), error);
    return word->symbols && word->queue.keys;
}

/* With ignore_merges: the token that spells the whole word. */
static bool whole_word(const struct bpe *bpe, const char *word, size_t size, struct bpe_scratch *scratch,
                       uint32_t *token, struct error *error) {
    *token = NO_TOKEN;
    if (!bpe->ignore_merges || size > bpe->vocab->longest_text)
        return true;
    if (bpe->spelled) {
        scratch->spelling.size = 0;
        char *spelling = buffer_reserve(&scratch->spelling, 2 * size, error);
        if (!spelling)
            return false;
        size = vocab_spell(word, size, spelling);
        word = spelling;
    }
    *token = vocab_find_open(bpe->vocab, word, size);
    return true;
}

bool bpe_encode(const struct bpe *bpe, const char *bytes, size_t size, struct bpe_scratch *scratch,
                struct tokens *to, struct error *error) {
    uint32_t token;
    if (!whole_word(bpe, bytes, size, scratch, &token, error))
        return false;
    if (token != NO_TOKEN)
        return tokens_push(to, token, error);
    struct word word = {.bpe = bpe};
    if (!make_room(&word, size, scratch, error))
        return false;
    set_symbols(&word, bytes, size);
    merge_all(&word);
    for (uint32_t i = 0; i < word.count; i = word.symbols[i].next)
        if (!tokens_push(to, word.symbols[i].token, error))
            return false;
    return true;
}

void bpe_scratch_free(struct bpe_scratch *scratch) {
    buffer_free(&scratch->symbols);
    buffer_free(&scratch->queue);
    buffer_free(&scratch->spelling);
}
