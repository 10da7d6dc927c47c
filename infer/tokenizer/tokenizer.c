#include "infer/tokenizer.h"

#include "infer/tokenizer/added_tokens.h"
#include "infer/tokenizer/bpe.h"
#include "infer/tokenizer/pretokenize.h"
#include "infer/tokenizer/tokenizer_json.h"
#include "infer/tokenizer/unicode.h"
#include "infer/utf8.h"

#include <string.h>

struct tokenizer {
    struct arena arena;
    const char *name;
    struct vocab vocab;
    struct bpe bpe;
    struct added_token *added;
    size_t n_added;
    struct matcher raw, normalized; /* those of `added` that are looked for in the text as it is, and after */
    enum normal_form form;
    struct pretokenizer pretokenizer;
    uint32_t prefix[DESCRIPTION_MAX_AFFIX];
    size_t n_prefix;
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

/* Merges stand in the order of what they make, so this one makes what the one before does or the token behind
 * it. */
static bool find_merge(const struct tokenizer *t, const struct described_merge *listed, struct merge *merge,
                       uint32_t before, struct buffer *joined, struct error *error) {
    const char *const *texts = listed->texts;
    const size_t *sizes = listed->sizes;
    joined->size = 0;
    if (!buffer_append(joined, texts[0], sizes[0], error) ||
        !buffer_append(joined, texts[1], sizes[1], error))
        return false;
    return (vocab_find(&t->vocab, texts[0], sizes[0], &merge->left) &&
            vocab_find(&t->vocab, texts[1], sizes[1], &merge->right) &&
            vocab_find_near(&t->vocab, before, joined->data, joined->size, &merge->result)) ||
           fail(error, "%s: the merge %zu, '%.*s' with '%.*s', has a token outside the vocabulary", t->name,
                (size_t)merge->rank, (int)sizes[0], texts[0], (int)sizes[1], texts[1]);
}

static bool add_block(struct tokenizer *t, const struct described_merge *listed, size_t first, size_t count,
                      uint32_t *before, struct buffer *joined, struct error *error) {
    struct merge merges[BLOCK];
    for (size_t i = 0; i < count; i++)
        for (size_t side = 0; side < 2; side++)
            vocab_expect(&t->vocab, listed[i].texts[side], listed[i].sizes[side]);
    for (size_t i = 0; i < count; i++) {
        merges[i].rank = (uint32_t)(first + i);
        if (!find_merge(t, &listed[i], &merges[i], *before, joined, error))
            return false;
        *before = merges[i].result;
        bpe_expect_merge(&t->bpe, merges[i].left, merges[i].right);
    }
    for (size_t i = 0; i < count; i++)
        bpe_add_merge(&t->bpe, merges[i]);
    return true;
}

static bool add_merges(struct tokenizer *t, const struct description *d, struct error *error) {
    struct buffer joined = {0};
    uint32_t before = 0;
    size_t count = d->n_merges;
    bool good = bpe_init(&t->bpe, &t->vocab, count, &t->arena, error);
    for (size_t i = 0; i < count && good; i += BLOCK)
        good = add_block(t, d->merges + i, i, block_of(count, i), &before, &joined, error);
    buffer_free(&joined);
    return good;
}

static bool lacks_bytes(const struct bpe *bpe) {
    for (size_t byte = 0; byte < 256; byte++)
        if (bpe->byte_tokens[byte] == BPE_NO_TOKEN)
            return true;
    return false;
}

/* Where every byte is a token, nothing is unknown and nothing falls back. */
static bool read_model_settings(struct tokenizer *t, const struct description *d, struct error *error) {
    if (d->unknown.text && lacks_bytes(&t->bpe))
        return fail(error, "%s: the tokenizer's unk_token is not supported where bytes lack a token",
                    t->name);
    if (d->byte_fallback && lacks_bytes(&t->bpe))
        return fail(error, "%s: the tokenizer's byte_fallback is not supported", t->name);
    t->bpe.ignore_merges = d->ignore_merges;
    return true;
}

/* A Sequence of canonical normal forms is the last of them. */
static bool read_normalizers(struct tokenizer *t, const struct description *d, struct error *error) {
    for (size_t i = 0; i < d->n_normalizers; i++) {
        enum normalizer_kind kind = d->normalizers[i].kind;
        if (kind != NORMALIZE_NFC && kind != NORMALIZE_NFD)
            return fail(error, "%s: the normalizer is not supported", t->name);
        t->form = kind == NORMALIZE_NFC ? FORM_NFC : FORM_NFD;
    }
    return true;
}

static bool keep_normalized(struct tokenizer *t, struct added_token *token, struct error *error) {
    struct buffer normal = {0};
    bool good = unicode_normalize(t->form, token->text, token->size, &normal, error);
    if (good) {
        token->text = arena_text(&t->arena, normal.data, normal.size, error);
        token->size = normal.size;
    }
    buffer_free(&normal);
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

/* What descriptions can say and nothing below does yet. */
static bool check_supported(const struct description *d, struct error *error) {
    if (d->kind != MODEL_BPE)
        return fail(error, "%s: a tokenizer of type 'Unigram' is not supported, only BPE is", d->name);
    if (d->n_decoders != 1 || d->decoders[0].kind != DECODE_SPELLED)
        return fail(error, "%s: only the decoder ByteLevel is supported", d->name);
    if (d->n_pretokenizers == 0 || d->pretokenizers[d->n_pretokenizers - 1].kind != STEP_SPELL)
        return fail(error, "%s: the last pre-tokenizer is not ByteLevel, which is not supported", d->name);
    return d->n_suffix == 0 ||
           fail(error, "%s: the post-processor puts tokens behind a text, which is not supported", d->name);
}

static bool build(struct tokenizer *t, const struct description *d, uint64_t vocab_size,
                  struct error *error) {
    struct extent extent = {.tokenizer = t, .vocab_size = vocab_size};
    t->n_prefix = d->n_prefix;
    return check_supported(d, error) && measure(d, &extent, error) &&
           vocab_init(&t->vocab, extent.size, extent.count, extent.text_bytes, &t->arena, error) &&
           add_tokens(t, d, error) && add_merges(t, d, error) && read_model_settings(t, d, error) &&
           read_normalizers(t, d, error) && add_added_tokens(t, d, error) &&
           pretokenizer_init(&t->pretokenizer, t->name, d->pretokenizers, d->n_pretokenizers, error) &&
           keep_affix(t, d->prefix, d->n_prefix, t->prefix, error);
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
    pretokenizer_free(&t->pretokenizer);
    struct arena arena = t->arena; /* which t is in */
    arena_free(&arena);
}

/* ---- Encoding ---- */

struct encoder {
    const struct tokenizer *tokenizer;
    struct tokens *to;
    struct pretokenizer_scratch pretokenizer;
    struct bpe_scratch bpe;
    struct buffer text, plain; /* the parts put together, where they cannot be used in place */
    struct buffer normal, normal_plain; /* a section in normal form */
};

static void encoder_free(struct encoder *e) {
    pretokenizer_scratch_free(&e->pretokenizer);
    bpe_scratch_free(&e->bpe);
    buffer_free(&e->text);
    buffer_free(&e->plain);
    buffer_free(&e->normal);
    buffer_free(&e->normal_plain);
}

static bool take_word(void *context, const char *word, size_t size, struct error *error) {
    struct encoder *e = context;
    return bpe_encode(&e->tokenizer->bpe, word, size, &e->bpe, e->to, error);
}

static bool take_section(void *context, const char *text, size_t size, const uint8_t *plain,
                         const uint32_t *id, struct error *error) {
    (void)plain;
    struct encoder *e = context;
    if (id)
        return tokens_push(e->to, *id, error);
    return pretokenize(&e->tokenizer->pretokenizer, text, size, &e->pretokenizer, take_word, e, error);
}

static bool fill(struct buffer *to, size_t size, uint8_t value, struct error *error) {
    char *room = buffer_reserve(to, size, error);
    if (!room)
        return false;
    memset(room, value, size);
    to->size += size;
    return true;
}

/* Each stretch of equally plain bytes by itself, so that what is plain stays known. */
static bool normalize(struct encoder *e, const char *text, size_t size, const uint8_t *plain,
                      struct error *error) {
    e->normal.size = e->normal_plain.size = 0;
    for (size_t begin = 0, end; begin < size; begin = end) {
        for (end = plain ? begin + 1 : size; end < size && plain[end] == plain[begin];)
            end++;
        size_t before = e->normal.size;
        if (!unicode_normalize(e->tokenizer->form, text + begin, end - begin, &e->normal, error))
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
    if (id)
        return tokens_push(e->to, *id, error);
    if (t->form != FORM_NONE) {
        if (!normalize(e, text, size, plain, error))
            return false;
        text = e->normal.data;
        size = e->normal.size;
        plain = plain ? (const uint8_t *)e->normal_plain.data : NULL;
    }
    return matcher_split(&t->normalized, t->added, text, size, plain, take_section, e, error);
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
    if (count == 1 && parts->parse_special && utf8_well_formed(parts->text, parts->size) == parts->size)
        return matcher_split(&t->raw, t->added, parts->text, parts->size, NULL, take_raw_section, e, error);
    return join(e, parts, count, error) &&
           matcher_split(&t->raw, t->added, e->text.data, e->text.size, (const uint8_t *)e->plain.data,
                         take_raw_section, e, error);
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

const char *tokenizer_bytes(const struct tokenizer *tokenizer, uint32_t id, size_t *size) {
    const struct token *token = id < tokenizer->vocab.size ? &tokenizer->vocab.tokens[id] : NULL;
    *size = token && token->text ? token->bytes_size : 0;
    return *size > 0 ? token->bytes : "";
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
