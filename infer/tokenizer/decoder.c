#include "infer/tokenizer/decoder.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define CONTENT_LIMIT 16u /* bytes of what replaces */
#define POOL_CHUNK 65536u

static const char *const names[N_DECODERS] = {
    [DECODE_SPELLED] = "ByteLevel",  [DECODE_METASPACE] = "Metaspace", [DECODE_REPLACE] = "Replace",
    [DECODE_BYTES] = "ByteFallback", [DECODE_FUSE] = "Fuse",           [DECODE_STRIP] = "Strip"};

/* ---- What is supported ---- */

/* Behind Fuse stands nothing but Strip, of one thing at the beginning. */
static bool check_fused(const struct description *d, const struct decoder_step *step, struct error *error) {
    if (step->kind != DECODE_STRIP && step->kind != DECODE_FUSE)
        return fail(error, "%s: the decoder %s behind Fuse is not supported", d->name, names[step->kind]);
    return (step->left <= 1 && step->right == 0) ||
           fail(error, "%s: the decoder Strip of %llu before and %llu behind a text is not supported",
                d->name, (unsigned long long)step->left, (unsigned long long)step->right);
}

static bool check_step(const struct description *d, const struct decoder_step *step, bool bytes,
                       struct error *error) {
    if (bytes && step->kind != DECODE_FUSE && step->kind != DECODE_BYTES)
        return fail(error, "%s: the decoder %s behind ByteFallback is not supported", d->name,
                    names[step->kind]);
    if (step->kind == DECODE_REPLACE && (!step->literal || step->pattern.size == 0))
        return fail(error, "%s: the decoder Replace of the pattern '%s' is not supported", d->name,
                    step->pattern.text);
    if (step->kind == DECODE_SPELLED && d->n_decoders > 1)
        return fail(error, "%s: the decoder ByteLevel among others is not supported", d->name);
    return step->content.size <= CONTENT_LIMIT ||
           fail(error, "%s: the decoder %s has a content of %zu bytes, the limit is %u", d->name,
                names[step->kind], step->content.size, CONTENT_LIMIT);
}

bool decoder_check(const struct description *d, bool *spelled, struct error *error) {
    bool fused = false, bytes = false;
    if (d->n_decoders == 0)
        return fail(error, "%s: the tokenizer has no decoder", d->name);
    for (size_t i = 0; i < d->n_decoders; i++) {
        const struct decoder_step *step = &d->decoders[i];
        if (!(fused ? check_fused(d, step, error) : check_step(d, step, bytes, error)))
            return false;
        fused = fused || step->kind == DECODE_FUSE;
        bytes = bytes || step->kind == DECODE_BYTES;
    }
    *spelled = d->decoders[0].kind == DECODE_SPELLED;
    return true;
}

/* ---- Tokens ---- */

/* A token on its way through the steps: as it is in the middle of a text, or at its beginning. */
struct piece {
    struct buffer text, scratch;
    bool first, fused;
};

static bool replace(struct piece *piece, struct span pattern, struct span content, struct error *error) {
    struct buffer *to = &piece->scratch;
    const char *at = piece->text.data, *end = at + piece->text.size;
    to->size = 0;
    for (const char *found; (found = memmem(at, (size_t)(end - at), pattern.text, pattern.size));
         at = found + pattern.size)
        if (!buffer_append(to, at, (size_t)(found - at), error) ||
            !buffer_append(to, content.text, content.size, error))
            return false;
    if (!buffer_append(to, at, (size_t)(end - at), error))
        return false;
    struct buffer old = piece->text;
    piece->text = *to;
    piece->scratch = old;
    return true;
}

static bool begins_with(const struct piece *piece, struct span content, bool at_end) {
    return content.size > 0 && piece->text.size >= content.size &&
           memcmp(piece->text.data + (at_end ? piece->text.size - content.size : 0), content.text,
                  content.size) == 0;
}

static void strip(struct piece *piece, const struct decoder_step *step) {
    for (uint64_t i = 0; i < step->left && begins_with(piece, step->content, false); i++) {
        piece->text.size -= step->content.size;
        memmove(piece->text.data, piece->text.data + step->content.size, piece->text.size);
    }
    for (uint64_t i = 0; i < step->right && begins_with(piece, step->content, true); i++)
        piece->text.size -= step->content.size;
}

/* <0x0A> */
static void to_byte(struct piece *piece) {
    const char *text = piece->text.data;
    if (piece->text.size != 6 || memcmp(text, "<0x", 3) || text[5] != '>' || !isxdigit((uint8_t)text[3]) ||
        !isxdigit((uint8_t)text[4]))
        return;
    piece->text.data[0] = (char)strtoul(text + 3, NULL, 16);
    piece->text.size = 1;
}

static bool apply_step(struct piece *piece, const struct decoder_step *step, struct error *error) {
    static const struct span space = {" ", 1}, nothing = {"", 0};
    switch (step->kind) {
    case DECODE_METASPACE:
        return replace(piece, step->pattern, piece->first && step->scheme != PREPEND_NEVER ? nothing : space,
                       error);
    case DECODE_REPLACE:
        return replace(piece, step->pattern, step->content, error);
    case DECODE_STRIP:
        if (!piece->fused || piece->first)
            strip(piece, step);
        return true;
    case DECODE_BYTES:
        to_byte(piece);
        return true;
    default:
        piece->fused = piece->fused || step->kind == DECODE_FUSE;
        return true;
    }
}

static bool decode(const struct description *d, const struct token *token, bool first, struct piece *piece,
                   struct error *error) {
    piece->first = first;
    piece->fused = false;
    piece->text.size = 0;
    if (!buffer_append(&piece->text, token->text, token->text_size, error))
        return false;
    for (size_t i = 0; i < d->n_decoders; i++)
        if (!apply_step(piece, &d->decoders[i], error))
            return false;
    return true;
}

static bool is(const struct piece *piece, const char *text, size_t size) {
    return piece->text.size == size && memcmp(piece->text.data, text, size) == 0;
}

/* Many small texts that live as long as the arena. */
struct pool {
    struct arena *arena;
    char *at;
    size_t left;
};

static const char *pool_keep(struct pool *pool, const struct piece *piece, struct error *error) {
    size_t size = piece->text.size;
    if (!pool->at || pool->left < size) {
        pool->left = size > POOL_CHUNK ? size : POOL_CHUNK;
        pool->at = ARENA_NEW(pool->arena, char, pool->left, error);
        if (!pool->at)
            return NULL;
    }
    char *kept = pool->at;
    memcpy(kept, piece->text.data, size);
    pool->at += size;
    pool->left -= size;
    return kept;
}

static bool decode_inside(const struct description *d, struct token *token, struct piece *piece,
                          struct pool *pool, struct error *error) {
    if (!decode(d, token, false, piece, error))
        return false;
    if (!is(piece, token->text, token->text_size))
        token->bytes = pool_keep(pool, piece, error);
    token->bytes_size = (uint32_t)piece->text.size;
    return token->bytes != NULL;
}

static bool decode_first(const struct description *d, const struct token *token, struct span *first,
                         struct piece *piece, struct pool *pool, struct error *error) {
    if (!decode(d, token, true, piece, error))
        return false;
    *first = (struct span){token->bytes, token->bytes_size};
    if (!is(piece, first->text, first->size))
        *first = (struct span){pool_keep(pool, piece, error), piece->text.size};
    return first->text != NULL;
}

static bool treats_first_apart(const struct description *d) {
    bool fused = false;
    for (size_t i = 0; i < d->n_decoders; i++) {
        const struct decoder_step *step = &d->decoders[i];
        if ((step->kind == DECODE_METASPACE && step->scheme != PREPEND_NEVER) ||
            (step->kind == DECODE_STRIP && fused))
            return true;
        fused = fused || step->kind == DECODE_FUSE;
    }
    return false;
}

bool decoder_apply(struct decoder *decoder, struct vocab *vocab, const struct description *d,
                   struct arena *arena, struct error *error) {
    struct piece piece = {0};
    struct pool pool = {.arena = arena};
    bool apart = treats_first_apart(d), good = true;
    *decoder = (struct decoder){NULL};
    if (apart && !(decoder->first = ARENA_NEW(arena, struct span, vocab->size, error)))
        return false;
    for (uint32_t id = 0; id < vocab->size && good; id++) {
        struct token *token = &vocab->tokens[id];
        good =
            !token->text || (decode_inside(d, token, &piece, &pool, error) &&
                             (!apart || decode_first(d, token, &decoder->first[id], &piece, &pool, error)));
    }
    buffer_free(&piece.text);
    buffer_free(&piece.scratch);
    return good;
}
