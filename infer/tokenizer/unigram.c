#include "infer/tokenizer/unigram.h"

#include "infer/utf8.h"

#include <string.h>

#define NOWHERE UINT32_MAX

/* ---- The trie ---- */

struct edge {
    uint32_t parent, child; /* the slot is empty where child is 0, the root */
    uint32_t token; /* that ends at the child, or NO_TOKEN */
    uint8_t byte;
};

static struct edge *edge_of(const struct unigram *u, uint32_t parent, uint8_t byte) {
    struct edge *edges = (struct edge *)u->edges.data;
    uint64_t hash = ((uint64_t)parent << 8 | byte) * 0x9e3779b97f4a7c15u; /* 2^64 / golden ratio */
    for (size_t i = hash >> 32;; i++) {
        struct edge *edge = &edges[i & (u->n_slots - 1)];
        if (edge->child == 0 || (edge->parent == parent && edge->byte == byte))
            return edge;
    }
}

static bool resize(struct unigram *u, size_t n_slots, struct error *error) {
    struct buffer old = u->edges;
    size_t n_old = u->n_slots;
    u->edges = (struct buffer){0};
    u->n_slots = n_slots;
    char *room = buffer_reserve(&u->edges, n_slots * sizeof(struct edge), error);
    if (room) {
        memset(room, 0, n_slots * sizeof(struct edge));
        const struct edge *edges = (const struct edge *)old.data;
        for (size_t i = 0; i < n_old; i++)
            if (edges[i].child != 0)
                *edge_of(u, edges[i].parent, edges[i].byte) = edges[i];
    }
    buffer_free(&old);
    return room != NULL;
}

static bool add_text(struct unigram *u, const char *text, size_t size, uint32_t token, struct error *error) {
    uint32_t node = 0;
    for (size_t i = 0; i < size; i++) {
        if (u->n_nodes + u->n_nodes / 2 >= u->n_slots && !resize(u, 2 * u->n_slots, error))
            return false;
        struct edge *edge = edge_of(u, node, (uint8_t)text[i]);
        if (edge->child == 0)
            *edge = (struct edge){node, u->n_nodes++, NO_TOKEN, (uint8_t)text[i]};
        if (i + 1 == size)
            edge->token = token;
        node = edge->child;
    }
    return true;
}

bool unigram_init(struct unigram *u, const struct vocab *vocab, const struct description *d,
                  struct arena *arena, struct error *error) {
    *u = (struct unigram){.name = vocab->name,
                          .vocab = vocab,
                          .unknown_score = d->unknown_score,
                          .single_precision = d->single_precision,
                          .byte_fallback = d->byte_fallback,
                          .n_nodes = 1};
    u->longest = vocab->longest_text;
    u->scores = ARENA_NEW(arena, double, vocab->size, error);
    if (!u->scores || !resize(u, 1024, error))
        return false;
    for (size_t i = 0; i < d->n_tokens; i++) {
        const struct described_token *token = &d->tokens[i];
        u->scores[token->id] = token->score;
        if (!token->apart && !add_text(u, token->text, token->size, (uint32_t)token->id, error))
            return false;
    }
    vocab_find_bytes(vocab, u->byte_tokens);
    u->byte_fallback = u->byte_fallback && vocab_has_bytes(u->byte_tokens);
    u->unknown = vocab_find_own(vocab, d->unknown.text, d->unknown.size);
    return true;
}

void unigram_free(struct unigram *u) {
    buffer_free(&u->edges);
}

/* ---- Encoding ---- */

/* The best way to write the text up to a place: its last token, and where that begins. */
struct node {
    double score;
    uint32_t begin; /* NOWHERE: no way leads here */
    uint32_t token;
};

static void offer(const struct unigram *u, struct node *node, double score, size_t begin, uint32_t token) {
    score = u->single_precision ? (double)(float)score : score;
    if (node->begin == NOWHERE || score > node->score)
        *node = (struct node){score, (uint32_t)begin, token};
}

/* Offers each token that begins at a place; true where one of them is a single character. */
static bool offer_tokens(const struct unigram *u, struct node *nodes, const char *text, size_t size,
                         size_t begin, size_t character) {
    bool single = false;
    uint32_t parent = 0;
    for (size_t end = begin; end < size;) {
        const struct edge *edge = edge_of(u, parent, (uint8_t)text[end]);
        if (edge->child == 0)
            break;
        end++;
        if (edge->token != NO_TOKEN) {
            offer(u, &nodes[end], u->scores[edge->token] + nodes[begin].score, begin, edge->token);
            single = single || end - begin == character;
        }
        parent = edge->child;
    }
    return single;
}

/* As SentencePiece's library keeps its floats' digits: sums beyond a place count from there once they are
 * below this. */
#define LEAST_SUM (-100000.0)

static void count_from(const struct unigram *u, struct node *nodes, size_t begin, size_t size) {
    size_t end = size - begin < u->longest ? size : begin + u->longest;
    double base = nodes[begin].score;
    for (size_t i = begin; i <= end; i++)
        nodes[i].score = (double)(float)(nodes[i].score - base);
}

static bool find_best(const struct unigram *u, struct node *nodes, const char *text, size_t size,
                      struct error *error) {
    for (size_t i = 0; i <= size; i++)
        nodes[i] = (struct node){0, NOWHERE, NO_TOKEN};
    for (size_t begin = 0, length; begin < size; begin += length) {
        uint32_t code;
        length = utf8_next(text + begin, &code);
        if (u->single_precision && nodes[begin].score < LEAST_SUM)
            count_from(u, nodes, begin, size);
        if (offer_tokens(u, nodes, text, size, begin, length))
            continue;
        if (u->unknown == NO_TOKEN && !u->byte_fallback)
            return fail(error, "%s: there is no token for U+%04X, nor one for what is unknown", u->name,
                        code);
        offer(u, &nodes[begin + length], u->unknown_score + nodes[begin].score, begin, u->unknown);
    }
    return true;
}

/* Turns the links around: `begin` of a token's end becomes the end of the next. Returns the first's end. */
static uint32_t reverse(struct node *nodes, size_t size) {
    uint32_t next = NOWHERE;
    for (uint32_t end = (uint32_t)size; end != 0;) {
        uint32_t begin = nodes[end].begin;
        nodes[end].begin = next;
        next = end;
        end = begin;
    }
    return next;
}

/* A row of what is unknown may, put together, be a token after all. */
static bool push_unknown(const struct unigram *u, const char *text, size_t size, struct tokens *to,
                         struct error *error) {
    uint32_t token = vocab_find_open(u->vocab, text, size);
    if (token != NO_TOKEN || !u->byte_fallback)
        return tokens_push(to, token != NO_TOKEN ? token : u->unknown, error);
    for (size_t i = 0; i < size; i++)
        if (!tokens_push(to, u->byte_tokens[(uint8_t)text[i]], error))
            return false;
    return true;
}

bool unigram_encode(const struct unigram *u, const char *text, size_t size, struct buffer *scratch,
                    struct tokens *to, struct error *error) {
    scratch->size = 0;
    struct node *nodes = (struct node *)buffer_reserve(scratch, (size + 1) * sizeof(struct node), error);
    if (!nodes || !find_best(u, nodes, text, size, error))
        return false;
    uint32_t begin = 0;
    for (uint32_t end = reverse(nodes, size); end != NOWHERE; end = nodes[end].begin) {
        uint32_t token = nodes[end].token, next = nodes[end].begin;
        bool unknown = token == u->unknown;
        if (unknown && next != NOWHERE && nodes[next].token == u->unknown)
            continue;
        if (!(unknown ? push_unknown(u, text + begin, end - begin, to, error)
                      : tokens_push(to, token, error)))
            return false;
        begin = end;
    }
    return true;
}
