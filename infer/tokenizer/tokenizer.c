#include "infer/tokenizer.h"

#include "infer/tokenizer/added_tokens.h"
#include "infer/tokenizer/bpe.h"
#include "infer/tokenizer/decoder.h"
#include "infer/tokenizer/normalizer.h"
#include "infer/tokenizer/pretokenize.h"
#include "infer/tokenizer/tokenizer_json.h"
#include "infer/tokenizer/unigram.h"
#include "infer/utf8.h"

#include <string.h>

struct tokenizer {
    struct arena arena;
    const char *name;
    struct vocab vocab;
    enum model_kind kind;
    struct bpe bpe;
    struct unigram unigram;
    struct added_token *added;
    size_t n_added;
    struct matcher kept; /* user-defined symbols */
    struct matcher raw, normalized; /* those of `added` that are looked for in the text as it is, and after */
    bool special_normalized; /* some of the latter are special: what is plain must stay known */
    struct normalizer normalizer;
    struct pretokenizer pretokenizer;
    struct decoder decoder;
    uint32_t prefix[DESCRIPTION_MAX_AFFIX], suffix[DESCRIPTION_MAX_AFFIX];
    size_t n_prefix, n_suffix;
};

/* ---- Making one of a description ---- */

static bool check_id(const struct tokenizer *t, struct span text, uint64_t id, uint64_t limit,
                     struct error *error) {
    return (id < limit && id < UINT32_MAX) ||
           fail(error, "%s: the token '%.*s' has id %llu, the model's vocabulary ends at %llu", t->name,
                (int)text.size, text.text, (unsigned long long)id, (unsigned long long)limit);
}

/* How much room the vocabulary needs; added tokens that are in the model's own count twice, which does no
 * harm. */
struct extent {
    const struct tokenizer *tokenizer;
    uint64_t vocab_size; /* the limit */
    size_t count, text_bytes;
    uint32_t size;
};

static bool extend(struct extent *extent, struct span text, uint64_t id, struct error *error) {
    if (!check_id(extent->tokenizer, text, id, extent->vocab_size, error))
        return false;
    extent->count++;
    extent->text_bytes += text.size;
    if (extent->size <= id)
        extent->size = (uint32_t)id + 1;
    return true;
}

static bool measure(const struct description *d, struct extent *extent, struct error *error) {
    if (d->n_tokens > extent->vocab_size)
        return fail(error, "%s: the tokenizer has %zu tokens, the model's vocabulary ends at %llu", d->name,
                    d->n_tokens, (unsigned long long)extent->vocab_size);
    for (size_t i = 0; i < d->n_tokens; i++)
        if (!extend(extent, (struct span){d->tokens[i].text, d->tokens[i].size}, d->tokens[i].id, error))
            return false;
    for (size_t i = 0; i < d->n_added; i++)
        if (!extend(extent, d->added[i].text, d->added[i].id, error))
            return false;
    return true;
}

static bool add_token(struct tokenizer *t, const struct described_token *token, struct error *error) {
    uint32_t id = (uint32_t)token->id, known;
    t->vocab.tokens[id].apart = token->apart;
    if (vocab_add(&t->vocab, id, token->text, token->size))
        return true;
    if (vocab_find(&t->vocab, token->text, token->size, &known))
        return fail(error, "%s: the token '%.*s' is in the vocabulary twice", t->name, (int)token->size,
                    token->text);
    return fail(error, "%s: the tokens '%s' and '%.*s' both have id %u", t->name, t->vocab.tokens[id].text,
                (int)token->size, token->text, (unsigned)id);
}

/* Tokens and merges come in blocks: what all of a block will look up is on its way from memory while others
 * are read. */
#define BLOCK 64

static size_t block_of(size_t count, size_t begin) {
    return count - begin < BLOCK ? count - begin : BLOCK;
}

static bool add_tokens(struct tokenizer *t, const struct description *d, struct error *error) {
    const struct described_token *tokens = d->tokens;
    for (size_t i = 0, n; i < d->n_tokens; i += n) {
        n = block_of(d->n_tokens, i);
        for (size_t k = i; k < i + n; k++)
            vocab_expect(&t->vocab, tokens[k].text, tokens[k].size);
        for (size_t k = i; k < i + n; k++)
            if (!add_token(t, &tokens[k], error))
                return false;
    }
    return true;
}

/* Merges stand in the order of what they make, so one makes what the one before does or the token behind it.
 */
struct merging {
    uint32_t result, rank; /* of the last merge */
    struct buffer joined;
};

static bool find_merge(const struct tokenizer *t, const struct described_merge *listed, size_t place,
                       struct merging *last, struct merge *merge, struct error *error) {
    const char *const *texts = listed->texts;
    const size_t *sizes = listed->sizes;
    struct buffer *joined = &last->joined;
    joined->size = 0;
    if (!buffer_append(joined, texts[0], sizes[0], error) ||
        !buffer_append(joined, texts[1], sizes[1], error))
        return false;
    if (!vocab_find(&t->vocab, texts[0], sizes[0], &merge->left) ||
        !vocab_find(&t->vocab, texts[1], sizes[1], &merge->right) ||
        !vocab_find_near(&t->vocab, last->result, joined->data, joined->size, &merge->result))
        return fail(error, "%s: the merge %zu, '%.*s' with '%.*s', has a token outside the vocabulary",
                    t->name, place, (int)sizes[0], texts[0], (int)sizes[1], texts[1]);
    last->result = merge->result;
    last->rank = merge->rank = listed->level ? last->rank : (uint32_t)place;
    return true;
}

static bool add_block(struct tokenizer *t, const struct described_merge *listed, size_t first, size_t count,
                      struct merging *last, struct error *error) {
    struct merge merges[BLOCK];
    for (size_t i = 0; i < count; i++)
        for (size_t side = 0; side < 2; side++)
            vocab_expect(&t->vocab, listed[i].texts[side], listed[i].sizes[side]);
    for (size_t i = 0; i < count; i++) {
        if (!find_merge(t, &listed[i], first + i, last, &merges[i], error))
            return false;
        bpe_expect_merge(&t->bpe, merges[i].left, merges[i].right);
    }
    for (size_t i = 0; i < count; i++)
        bpe_add_merge(&t->bpe, merges[i]);
    return true;
}

static bool add_merges(struct tokenizer *t, const struct description *d, struct error *error) {
    struct merging last = {0};
    size_t count = d->n_merges;
    bool good = true;
    for (size_t i = 0; i < count && good; i += BLOCK)
        good = add_block(t, d->merges + i, i, block_of(count, i), &last, error);
    buffer_free(&last.joined);
    return good;
}

static bool find_kept(struct tokenizer *t, const struct description *d, struct error *error) {
    size_t count = 0;
    for (size_t i = 0; i < d->n_tokens; i++)
        count += d->tokens[i].kept;
    struct added_token *kept = ARENA_NEW(&t->arena, struct added_token, count + 1, error);
    count = 0;
    for (size_t i = 0; kept && i < d->n_tokens; i++)
        if (d->tokens[i].kept)
            kept[count++] = (struct added_token){
                .text = d->tokens[i].text, .size = d->tokens[i].size, .id = (uint32_t)d->tokens[i].id};
    return kept && matcher_init(&t->kept, t->name, kept, count, false, &t->arena, error);
}

/* Where ByteLevel is the last pre-tokenizer, words stay bytes and BPE does the spelling. */
static bool make_model(struct tokenizer *t, const struct description *d, struct error *error) {
    size_t n = d->n_pretokenizers;
    bool spelled = d->kind == MODEL_BPE && n > 0 && d->pretokenizers[n - 1].kind == STEP_SPELL;
    t->kind = d->kind;
    if (!pretokenizer_init(&t->pretokenizer, t->name, d->pretokenizers, n - spelled, error))
        return false;
    return d->kind == MODEL_BPE ? bpe_init(&t->bpe, &t->vocab, &t->kept, d, spelled, &t->arena, error) &&
                                      add_merges(t, d, error)
                                : unigram_init(&t->unigram, &t->vocab, d, &t->arena, error);
}

static bool keep_normalized(struct tokenizer *t, struct added_token *token, struct error *error) {
    struct normalizer_scratch scratch = {0};
    struct buffer normal = {0};
    bool good = normalize(&t->normalizer, token->text, token->size, true, true, &scratch, &normal, error);
    if (good && normal.size == 0)
        good = fail(error, "%s: the added token '%s' is nothing in normal form", t->name, token->text);
    if (good) {
        token->text = arena_text(&t->arena, normal.data, normal.size, error);
        token->size = normal.size;
    }
    buffer_free(&normal);
    normalizer_scratch_free(&scratch);
    return good && token->text;
}

/* The ids must be those that Hugging Face's library hands out, which does not look at the "id" here. */
static bool check_added_id(const struct tokenizer *t, const char *text, uint32_t stated, uint32_t given,
                           struct error *error) {
    return stated == given ||
           fail(error, "%s: the added token '%s' says id %u, but its place in the vocabulary is %u", t->name,
                text, stated, given);
}

static bool add_added_token(struct tokenizer *t, const struct described_added_token *from, uint32_t *next,
                            struct added_token *token, struct error *error) {
    uint32_t id = (uint32_t)from->id, known;
    *token = (struct added_token){from->text.text,  from->text.size,   id,           from->special,
                                  from->normalized, from->single_word, from->lstrip, from->rstrip};
    bool in_model = vocab_find(&t->vocab, token->text, token->size, &known);
    if (!check_added_id(t, token->text, id, in_model ? known : (*next)++, error))
        return false;
    struct token *entry = &t->vocab.tokens[id];
    if (!in_model) {
        if (!vocab_add(&t->vocab, id, token->text, token->size))
            return fail(error, "%s: the added token '%s' has id %u, which is taken", t->name, token->text,
                        id);
        entry->added = true;
    }
    entry->special = token->special;
    entry->bytes = token->text = entry->text;
    entry->bytes_size = entry->text_size;
    t->special_normalized = t->special_normalized || (token->special && token->normalized);
    return !token->normalized || keep_normalized(t, token, error);
}

static bool add_added_tokens(struct tokenizer *t, const struct description *d, struct error *error) {
    uint32_t next = (uint32_t)d->n_tokens;
    t->n_added = d->n_added;
    t->added = ARENA_NEW(&t->arena, struct added_token, t->n_added + 1, error);
    for (size_t i = 0; t->added && i < t->n_added; i++)
        if (!add_added_token(t, &d->added[i], &next, &t->added[i], error))
            return false;
    return t->added && matcher_init(&t->raw, t->name, t->added, t->n_added, false, &t->arena, error) &&
           matcher_init(&t->normalized, t->name, t->added, t->n_added, true, &t->arena, error);
}

static bool keep_affix(const struct tokenizer *t, const uint64_t *from, size_t count, uint32_t *to,
                       struct error *error) {
    for (size_t i = 0; i < count; i++) {
        if (from[i] >= t->vocab.size)
            return fail(error, "%s: the post-processor adds the token %llu, the vocabulary ends at %u",
                        t->name, (unsigned long long)from[i], t->vocab.size);
        to[i] = (uint32_t)from[i];
    }
    return true;
}

static bool build(struct tokenizer *t, const struct description *d, uint64_t vocab_size,
                  struct error *error) {
    struct extent extent = {.tokenizer = t, .vocab_size = vocab_size};
    t->vocab.name = t->name;
    t->n_prefix = d->n_prefix;
    t->n_suffix = d->n_suffix;
    return decoder_check(d, &t->vocab.spelled, error) && measure(d, &extent, error) &&
           vocab_init(&t->vocab, extent.size, extent.count, extent.text_bytes, &t->arena, error) &&
           add_tokens(t, d, error) && find_kept(t, d, error) && make_model(t, d, error) &&
           normalizer_init(&t->normalizer, t->name, d->normalizers, d->n_normalizers, &t->kept, &t->arena,
                           error) &&
           add_added_tokens(t, d, error) &&
           (t->vocab.spelled || decoder_apply(&t->decoder, &t->vocab, d, &t->arena, error)) &&
           keep_affix(t, d->prefix, d->n_prefix, t->prefix, error) &&
           keep_affix(t, d->suffix, d->n_suffix, t->suffix, error);
}

struct tokenizer *tokenizer_build(const struct description *description, uint64_t vocab_size,
                                  struct error *error) {
    struct arena arena = {0};
    struct tokenizer *t = ARENA_NEW(&arena, struct tokenizer, 1, error);
    if (!t)
        return NULL;
    t->arena = arena;
    t->name = arena_text(&t->arena, description->name, strlen(description->name), error);
    if (t->name && build(t, description, vocab_size, error))
        return t;
    tokenizer_free(t);
    return NULL;
}

struct tokenizer *tokenizer_new(const char *name, const char *json, size_t size, uint64_t vocab_size,
                                struct error *error) {
    struct lists lists;
    struct description description;
    struct arena arena = {0};
    if (!lists_open(&lists, name, json, size, error))
        return NULL;
    struct tokenizer *t = tokenizer_json_read(&description, &lists, &arena, error)
                              ? tokenizer_build(&description, vocab_size, error)
                              : NULL;
    arena_free(&arena);
    lists_close(&lists);
    return t;
}

void tokenizer_free(struct tokenizer *t) {
    if (!t)
        return;
    unigram_free(&t->unigram);
    normalizer_free(&t->normalizer);
    pretokenizer_free(&t->pretokenizer);
    struct arena arena = t->arena; /* which t is in */
    arena_free(&arena);
}

/* ---- Encoding ---- */

struct encoder {
    const struct tokenizer *tokenizer;
    struct tokens *to;
    struct normalizer_scratch normalizer;
    struct pretokenizer_scratch pretokenizer;
    struct bpe_scratch bpe;
    struct buffer nodes; /* of unigram */
    struct buffer text, plain; /* the parts put together, where they cannot be used in place */
    struct buffer normal, normal_plain; /* a section in normal form */
    const char *begin; /* of the whole text, or of its normal form; NULL in later sections */
};

static void encoder_free(struct encoder *e) {
    normalizer_scratch_free(&e->normalizer);
    pretokenizer_scratch_free(&e->pretokenizer);
    bpe_scratch_free(&e->bpe);
    buffer_free(&e->nodes);
    buffer_free(&e->text);
    buffer_free(&e->plain);
    buffer_free(&e->normal);
    buffer_free(&e->normal_plain);
}

static bool take_word(void *context, const char *word, size_t size, struct error *error) {
    struct encoder *e = context;
    const struct tokenizer *t = e->tokenizer;
    return t->kind == MODEL_BPE ? bpe_encode(&t->bpe, word, size, &e->bpe, e->to, error)
                                : unigram_encode(&t->unigram, word, size, &e->nodes, e->to, error);
}

static bool take_section(void *context, const char *text, size_t size, const uint8_t *plain,
                         const uint32_t *id, struct error *error) {
    (void)plain;
    struct encoder *e = context;
    if (id)
        return tokens_push(e->to, *id, error);
    return pretokenize(&e->tokenizer->pretokenizer, text, size, text == e->begin, &e->pretokenizer, take_word,
                       e, error);
}

static bool fill(struct buffer *to, size_t size, uint8_t value, struct error *error) {
    char *room = buffer_reserve(to, size, error);
    if (!room)
        return false;
    memset(room, value, size);
    to->size += size;
    return true;
}

/* Each stretch of equally plain bytes by itself, so that what is plain stays known. What the first stretches
 * are may vanish: then the next begins the text. */
static bool normalize_stretches(struct encoder *e, const char *text, size_t size, const uint8_t *plain,
                                struct error *error) {
    for (size_t begin = 0, end; begin < size; begin = end) {
        for (end = plain ? begin + 1 : size; end < size && plain[end] == plain[begin];)
            end++;
        size_t before = e->normal.size;
        if (!normalize(&e->tokenizer->normalizer, text + begin, end - begin, before == 0, end == size,
                       &e->normalizer, &e->normal, error))
            return false;
        if (plain && !fill(&e->normal_plain, e->normal.size - before, plain[begin], error))
            return false;
    }
    return true;
}

static bool take_raw_section(void *context, const char *text, size_t size, const uint8_t *plain,
                             const uint32_t *id, struct error *error) {
    struct encoder *e = context;
    const struct tokenizer *t = e->tokenizer;
    const char *whole = e->begin;
    if (id)
        return tokens_push(e->to, *id, error);
    plain = t->special_normalized ? plain : NULL;
    if (t->normalizer.n_steps > 0) {
        e->normal.size = e->normal_plain.size = 0;
        if (!normalize_stretches(e, text, size, plain, error))
            return false;
        e->begin = text == whole && !e->normalizer.shortened ? e->normal.data : NULL;
        text = e->normal.data;
        size = e->normal.size;
        plain = plain ? (const uint8_t *)e->normal_plain.data : NULL;
    }
    bool good = matcher_split(&t->normalized, t->added, text, size, plain, take_section, e, error);
    e->begin = whole;
    return good;
}

/* Well-formed UTF-8 of all parts, and which bytes of it are plain. */
static bool join(struct encoder *e, const struct text_part *parts, size_t count, struct error *error) {
    for (size_t i = 0; i < count; i++) {
        size_t before = e->text.size;
        if (!utf8_repair(parts[i].text, parts[i].size, &e->text, error) ||
            !fill(&e->plain, e->text.size - before, !parts[i].parse_special, error))
            return false;
    }
    return true;
}

static bool encode(struct encoder *e, const struct text_part *parts, size_t count, struct error *error) {
    const struct tokenizer *t = e->tokenizer;
    bool in_place =
        count == 1 && parts->parse_special && utf8_well_formed(parts->text, parts->size) == parts->size;
    if (!in_place && !join(e, parts, count, error))
        return false;
    e->begin = in_place ? parts->text : e->text.data;
    return matcher_split(&t->raw, t->added, e->begin, in_place ? parts->size : e->text.size,
                         in_place ? NULL : (const uint8_t *)e->plain.data, take_raw_section, e, error);
}

bool tokenizer_encode_parts(const struct tokenizer *tokenizer, const struct text_part *parts, size_t count,
                            struct tokens *to, struct error *error) {
    uint64_t size = 0;
    for (size_t i = 0; i < count; i++)
        if (!add_sizes(size, parts[i].size, &size) || size > UINT32_MAX / 4)
            return fail(error, "a text of over %u bytes is too long to be tokenized at once", UINT32_MAX / 4);
    struct encoder encoder = {.tokenizer = tokenizer, .to = to};
    bool good = encode(&encoder, parts, count, error);
    encoder_free(&encoder);
    return good;
}

bool tokenizer_encode(const struct tokenizer *tokenizer, const char *text, size_t size, bool parse_special,
                      struct tokens *to, struct error *error) {
    struct text_part part = {text, size, parse_special};
    return tokenizer_encode_parts(tokenizer, &part, 1, to, error);
}

bool tokens_push(struct tokens *tokens, uint32_t id, struct error *error) {
    if (tokens->count == tokens->capacity) {
        size_t capacity = tokens->capacity ? 2 * tokens->capacity : 256;
        uint32_t *ids = memory_resize(tokens->ids, capacity * sizeof *ids);
        if (!ids)
            return fail(error, "no memory for %zu tokens", capacity);
        tokens->ids = ids;
        tokens->capacity = capacity;
    }
    tokens->ids[tokens->count++] = id;
    return true;
}

void tokens_free(struct tokens *tokens) {
    memory_free(tokens->ids);
    *tokens = (struct tokens){0};
}

/* ---- Looking up ---- */

const uint32_t *tokenizer_prefix(const struct tokenizer *tokenizer, size_t *count) {
    *count = tokenizer->n_prefix;
    return tokenizer->prefix;
}

const uint32_t *tokenizer_suffix(const struct tokenizer *tokenizer, size_t *count) {
    *count = tokenizer->n_suffix;
    return tokenizer->suffix;
}

const char *tokenizer_bytes(const struct tokenizer *tokenizer, uint32_t id, size_t *size) {
    const struct token *token = id < tokenizer->vocab.size ? &tokenizer->vocab.tokens[id] : NULL;
    *size = token && token->text ? token->bytes_size : 0;
    return *size > 0 ? token->bytes : "";
}

const char *tokenizer_first_bytes(const struct tokenizer *tokenizer, uint32_t id, size_t *size) {
    if (!tokenizer->decoder.first || id >= tokenizer->vocab.size)
        return tokenizer_bytes(tokenizer, id, size);
    *size = tokenizer->decoder.first[id].size;
    return *size > 0 ? tokenizer->decoder.first[id].text : "";
}

bool tokenizer_is_special(const struct tokenizer *tokenizer, uint32_t id) {
    return id < tokenizer->vocab.size && tokenizer->vocab.tokens[id].special;
}

bool tokenizer_id(const struct tokenizer *tokenizer, const char *text, uint32_t *id) {
    return vocab_find(&tokenizer->vocab, text, strlen(text), id);
}

uint32_t tokenizer_size(const struct tokenizer *tokenizer) {
    return tokenizer->vocab.size;
}
