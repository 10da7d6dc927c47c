#include "infer/tokenizer/sentencepiece.h"

#include "infer/tokenizer/pieces.h"
#include "infer/tokenizer/special_tokens.h"
#include "infer/utf8.h"

#include <stdlib.h>
#include <string.h>

#define SPACE "\xe2\x96\x81" /* U+2581, which stands for a space */

#define MERGES_LIMIT (1u << 24)

#define UNKNOWN_PENALTY 10 /* less than the worst piece: what a character costs that none covers */

static const struct span space = {SPACE, sizeof SPACE - 1}, blank = {" ", 1};

struct reader {
    struct description *to;
    struct pieces pieces;
    struct buffer merges;
    struct arena *arena;
    struct error *error;
};

static struct span span_of(struct protobuf_bytes bytes) {
    return (struct span){bytes.text, bytes.size};
}

/* ---- Tokens ---- */

/* User-defined symbols have a bonus that makes them win. */
static double score_of(const struct piece *piece) {
    return piece->type == PIECE_USER_DEFINED ? (double)(float)(0.1 * (double)(piece->text.size - 1))
                                             : (double)piece->score;
}

static double unknown_score(const struct pieces *pieces) {
    const struct piece *worst = NULL;
    for (size_t id = 0; id < pieces->count; id++) {
        const struct piece *piece = &pieces->items[id];
        if (piece->type == PIECE_NORMAL && (!worst || piece->score < worst->score))
            worst = piece;
    }
    return (double)((worst ? worst->score : 0) - UNKNOWN_PENALTY);
}

static bool set_tokens(struct reader *r) {
    const struct pieces *pieces = &r->pieces;
    struct described_token *tokens = ARENA_NEW(r->arena, struct described_token, pieces->count, r->error);
    for (size_t id = 0; tokens && id < pieces->count; id++) {
        const struct piece *piece = &pieces->items[id];
        tokens[id] = (struct described_token){
            .text = piece->text.text,
            .size = piece->text.size,
            .id = id,
            .score = score_of(piece),
            .apart = piece->type != PIECE_NORMAL && piece->type != PIECE_USER_DEFINED,
            .kept = piece->type == PIECE_USER_DEFINED,
        };
    }
    r->to->tokens = tokens;
    r->to->n_tokens = pieces->count;
    r->to->unknown_score = unknown_score(pieces);
    return tokens;
}

/* ---- Merges: SentencePiece joins the two neighbours whose texts together are the piece of the best score
 * ---- */

static int best_first(const void *a, const void *b) {
    const struct piece *one = *(const struct piece *const *)a, *other = *(const struct piece *const *)b;
    if (one->score != other->score)
        return one->score > other->score ? -1 : 1;
    return one < other ? -1 : 1;
}

/* The normal pieces and the unused, the best first. */
static const struct piece **in_order(struct reader *r, size_t *count) {
    const struct pieces *pieces = &r->pieces;
    const struct piece **order = ARENA_NEW(r->arena, const struct piece *, pieces->count, r->error);
    *count = 0;
    for (size_t id = 0; order && id < pieces->count; id++)
        if (pieces->items[id].type == PIECE_NORMAL || pieces->items[id].type == PIECE_UNUSED)
            order[(*count)++] = &pieces->items[id];
    if (order)
        qsort(order, *count, sizeof *order, best_first);
    return order;
}

enum part { PART_NONE, PART_PIECE, PART_CHARACTER };

/* Can text be so far merged? A character is there from the beginning, even where no piece is. */
static enum part part_of(const struct pieces *pieces, const char *text, size_t size) {
    const struct piece *piece = pieces_find(pieces, text, size);
    uint32_t code;
    if (piece && (piece->type == PIECE_NORMAL || piece->type == PIECE_UNUSED))
        return PART_PIECE;
    return utf8_next(text, &code) == size ? PART_CHARACTER : PART_NONE;
}

static bool add_merge(struct reader *r, const struct piece *piece, size_t left, bool level) {
    const char *text = piece->text.text;
    struct described_merge merge = {{text, text + left}, {left, piece->text.size - left}, level};
    if (piece->type == PIECE_UNUSED)
        return fail(r->error, "%s: the piece '%.*s' is unused, but merges make it, which is not supported",
                    r->pieces.name, (int)piece->text.size, text);
    if (r->merges.size == MERGES_LIMIT * sizeof merge)
        return fail(r->error, "%s: has over %u ways to merge pieces", r->pieces.name, MERGES_LIMIT);
    return buffer_append(&r->merges, &merge, sizeof merge, r->error);
}

/* A merge for each way to cut a piece in two that can be. */
static bool add_merges(struct reader *r, const struct piece *piece, float *last_score) {
    const char *text = piece->text.text;
    uint32_t code;
    for (size_t left = utf8_next(text, &code); left < piece->text.size;
         left += utf8_next(text + left, &code)) {
        enum part parts[] = {part_of(&r->pieces, text, left),
                             part_of(&r->pieces, text + left, piece->text.size - left)};
        if (parts[0] == PART_NONE || parts[1] == PART_NONE)
            continue;
        if (parts[0] != PART_PIECE || parts[1] != PART_PIECE)
            return fail(r->error,
                        "%s: the piece '%.*s' has a character that is no piece, which is not supported",
                        r->pieces.name, (int)piece->text.size, text);
        if (!add_merge(r, piece, left, r->merges.size > 0 && piece->score == *last_score))
            return false;
        *last_score = piece->score;
    }
    return true;
}

static bool set_merges(struct reader *r) {
    size_t count;
    const struct piece **order = in_order(r, &count);
    float last_score = 0;
    for (size_t i = 0; order && i < count; i++)
        if (!add_merges(r, order[i], &last_score))
            return false;
    struct described_merge *merges = arena_alloc(r->arena, r->merges.size + 1, 1, r->error);
    if (!order || !merges)
        return false;
    if (r->merges.size > 0)
        memcpy(merges, r->merges.data, r->merges.size);
    r->to->merges = merges;
    r->to->n_merges = r->merges.size / sizeof *merges;
    return true;
}

/* ---- Spaces ---- */

/* How transformers' "legacy": false puts a space before the text: not if there is one. */
static void add_metaspace(struct description *to, struct span mark) {
    to->pretokenizers[to->n_pretokenizers++] =
        (struct pretokenizer_step){.kind = STEP_METASPACE, .pattern = mark, .scheme = PREPEND_FIRST};
}

static void set_normalizer(struct reader *r, const struct special_tokens *special) {
    const struct piece_rules *rules = &r->pieces.rules;
    struct span mark = rules->escape_spaces ? space : blank;
    bool adds = rules->add_space && special->adds_space, behind = r->pieces.training.space_behind;
    bool first_only = adds && !behind && !special->legacy;
    r->to->normalizers[r->to->n_normalizers++] = (struct normalizer_step){
        .kind = NORMALIZE_SENTENCEPIECE,
        .left = adds && !behind && !first_only,
        .right = adds && behind,
        .squeeze = rules->squeeze_spaces,
        .pattern = mark,
        .content = span_of(rules->charsmap),
    };
    if (first_only)
        add_metaspace(r->to, mark);
}

static void add_decoder(struct description *to, struct decoder_step step) {
    to->decoders[to->n_decoders++] = step;
}

static void set_decoder(struct reader *r, const struct special_tokens *special) {
    bool before = r->pieces.rules.add_space && special->adds_space && !r->pieces.training.space_behind;
    add_decoder(r->to, (struct decoder_step){
                           .kind = DECODE_REPLACE, .pattern = space, .literal = true, .content = blank});
    if (r->pieces.training.byte_fallback)
        add_decoder(r->to, (struct decoder_step){.kind = DECODE_BYTES});
    add_decoder(r->to, (struct decoder_step){.kind = DECODE_FUSE});
    if (before)
        add_decoder(r->to, (struct decoder_step){.kind = DECODE_STRIP, .content = blank, .left = 1});
}

/* ---- The whole ---- */

static bool read_model(struct reader *r) {
    const struct pieces *pieces = &r->pieces;
    bool is_bpe = pieces->training.model == PIECES_BPE;
    r->to->kind = is_bpe ? MODEL_BPE : MODEL_UNIGRAM;
    r->to->byte_fallback = pieces->training.byte_fallback;
    r->to->fuse_unknown = r->to->single_precision = true;
    if (pieces->unknown)
        r->to->unknown = span_of(pieces->unknown->text);
    return set_tokens(r) && (!is_bpe || set_merges(r));
}

static bool read_all(struct reader *r, const struct sentencepiece_files *files, uint64_t vocab_size) {
    struct special_tokens special;
    const char *name = arena_printf(r->arena, r->error, "%s: tokenizer.model", r->to->name);
    if (!name || !pieces_read(&r->pieces, name, files->model.text, files->model.size, r->arena, r->error) ||
        !read_model(r) ||
        !special_tokens_read(&special, r->to, &r->pieces, files, vocab_size, r->arena, r->error))
        return false;
    set_normalizer(r, &special);
    set_decoder(r, &special);
    return true;
}

bool sentencepiece_read(struct description *description, const char *name,
                        const struct sentencepiece_files *files, uint64_t vocab_size, struct arena *arena,
                        struct error *error) {
    struct reader r = {.to = description, .arena = arena, .error = error};
    *description = (struct description){.name = name};
    bool good = read_all(&r, files, vocab_size);
    buffer_free(&r.merges);
    return good;
}
