#include "convert/gguf.h"

#include "infer/tokenizer.h"
#include "infer/tokenizer/tokenizer_json.h"
#include "lib/json.h"
#include "models/gguf_merges.h"
#include "models/gguf_pre.h"

#include <stdio.h>
#include <string.h>

#define GGML(name) "tokenizer.ggml." name
#define COUNT(array) (sizeof(array) / sizeof *(array))
#define META_SPACE "\u2581"

struct token_writing {
    const struct import *import;
    const char *path;
    struct description tokenizer;
    const struct tokenizer *built; /* of it, to look tokens up in */
    /* by id, as the model has them */
    struct gguf_text *texts;
    int32_t *types; /* enum gguf_token */
    size_t n_tokens;
    struct gguf_items *items;
    struct arena arena;
    struct error *error;
};

/* ---- Tokens ---- */

static bool is(struct span span, const char *text) {
    return span.text && span.size == strlen(text) && !memcmp(span.text, text, span.size);
}

static bool same_span(struct span a, struct span b) {
    return a.text && b.text && a.size == b.size && !memcmp(a.text, b.text, a.size);
}

static bool place_token(struct token_writing *w, uint64_t id, struct span text, enum gguf_token type) {
    if (id >= w->n_tokens)
        return fail(w->error, "%s: the token '%.80s' has the id %llu, the model has %zu", w->path, text.text,
                    (unsigned long long)id, w->n_tokens);
    w->texts[id] = (struct gguf_text){text.text, text.size};
    w->types[id] = (int32_t)type;
    return true;
}

/* <0x0A> */
static bool spells_byte(struct span text) {
    return text.size == 6 && !memcmp(text.text, "<0x", 3) && text.text[5] == '>';
}

static enum gguf_token type_of_own(const struct token_writing *w, struct span text) {
    if (!w->tokenizer.byte_fallback)
        return GGUF_TOKEN_NORMAL;
    return same_span(text, w->tokenizer.unknown) ? GGUF_TOKEN_UNKNOWN
           : spells_byte(text)                   ? GGUF_TOKEN_BYTE
                                                 : GGUF_TOKEN_NORMAL;
}

static bool place_own_tokens(struct token_writing *w) {
    for (size_t i = 0; i < w->tokenizer.n_tokens; i++) {
        const struct described_token *token = &w->tokenizer.tokens[i];
        struct span text = {token->text, token->size};
        if (!place_token(w, token->id, text, type_of_own(w, text)))
            return false;
    }
    return true;
}

static bool place_added_tokens(struct token_writing *w) {
    for (size_t i = 0; i < w->tokenizer.n_added; i++) {
        const struct described_added_token *token = &w->tokenizer.added[i];
        bool unknown = w->tokenizer.byte_fallback && same_span(token->text, w->tokenizer.unknown);
        if (!place_token(w, token->id, token->text,
                         unknown          ? GGUF_TOKEN_UNKNOWN
                         : token->special ? GGUF_TOKEN_CONTROL
                                          : GGUF_TOKEN_USER))
            return false;
    }
    return true;
}

/* Ids that the model has rows for and the tokenizer has no token for. */
static bool fill_gaps(struct token_writing *w) {
    for (size_t id = 0; id < w->n_tokens; id++) {
        if (w->texts[id].bytes)
            continue;
        const char *text = arena_printf(&w->arena, w->error, "[PAD%zu]", id);
        if (!text || !place_token(w, id, (struct span){text, strlen(text)}, GGUF_TOKEN_UNUSED))
            return false;
    }
    return true;
}

static bool put_tokens(struct token_writing *w) {
    w->n_tokens = (size_t)w->import->config.vocab_size;
    w->texts = ARENA_NEW(&w->arena, struct gguf_text, w->n_tokens, w->error);
    w->types = w->texts ? ARENA_NEW(&w->arena, int32_t, w->n_tokens, w->error) : NULL;
    if (!w->types || !place_own_tokens(w) || !place_added_tokens(w) || !fill_gaps(w) ||
        !gguf_item_array(w->items, GGML("tokens"), GGUF_TEXT, w->n_tokens, w->error))
        return false;
    for (size_t id = 0; id < w->n_tokens; id++)
        if (!gguf_add_text(w->items, w->texts[id].bytes, w->texts[id].size, w->error))
            return false;
    if (!gguf_item_array(w->items, GGML("token_type"), GGUF_INT32, w->n_tokens, w->error))
        return false;
    for (size_t id = 0; id < w->n_tokens; id++)
        if (!gguf_add_int(w->items, w->types[id], w->error))
            return false;
    return true;
}

/* ---- Byte-level: merges, and the name of the way in which texts are cut ---- */

static bool put_merges(struct token_writing *w) {
    const struct description *t = &w->tokenizer;
    struct buffer text = {0};
    bool good = gguf_item_array(w->items, GGML("merges"), GGUF_TEXT, t->n_merges, w->error);
    for (size_t i = 0; good && i < t->n_merges; i++) {
        const struct described_merge *merge = &t->merges[i];
        text.size = 0;
        good = buffer_append(&text, merge->texts[0], merge->sizes[0], w->error) &&
               buffer_append(&text, " ", 1, w->error) &&
               buffer_append(&text, merge->texts[1], merge->sizes[1], w->error) &&
               gguf_add_text(w->items, text.data, text.size, w->error);
    }
    buffer_free(&text);
    return good;
}

static bool is_isolating_split(const struct pretokenizer_step *step) {
    bool isolates = step->behavior == ISOLATED || (step->behavior == REMOVED && step->invert);
    return step->kind == STEP_SPLIT && isolates && !step->literal;
}

/* Takes the splits from *at on; false where there are too many. */
static bool take_splits(const struct token_writing *w, size_t *at, const char **splits) {
    const struct description *t = &w->tokenizer;
    size_t n = 0;
    for (; *at < t->n_pretokenizers && is_isolating_split(&t->pretokenizers[*at]); (*at)++) {
        if (n == GGUF_MAX_SPLITS)
            return false;
        splits[n++] = t->pretokenizers[*at].pattern.text;
    }
    return true;
}

static bool take_step(const struct token_writing *w, size_t *at, enum pretokenizer_kind kind) {
    const struct pretokenizer_step *step = &w->tokenizer.pretokenizers[*at];
    bool is_there = *at < w->tokenizer.n_pretokenizers && step->kind == kind &&
                    (kind != STEP_DIGITS || step->behavior == ISOLATED);
    *at += is_there;
    return is_there;
}

/* The steps as models/gguf_pre.h has them; false where they are others. */
static bool describe_steps(const struct token_writing *w, struct gguf_pre *pre) {
    const struct description *t = &w->tokenizer;
    size_t at = 0;
    *pre = (struct gguf_pre){.ignores_merges = t->ignore_merges,
                             .composes = t->n_normalizers && t->normalizers[0].kind == NORMALIZE_NFC};
    pre->splits_digits = take_step(w, &at, STEP_DIGITS);
    if (!take_splits(w, &at, pre->splits))
        return false;
    pre->splits_words = take_step(w, &at, STEP_GPT2);
    return take_step(w, &at, STEP_SPELL) && take_splits(w, &at, pre->spelled_splits) &&
           at == t->n_pretokenizers && t->n_normalizers == pre->composes;
}

static bool put_byte_level(struct token_writing *w) {
    struct gguf_pre steps;
    const char *names = describe_steps(w, &steps) ? gguf_pre_names(&steps) : NULL;
    char name[64];
    if (!names)
        return fail(w->error, "%s: llama.cpp has no name for the way in which its tokenizer cuts words",
                    w->path);
    snprintf(name, sizeof name, "%.*s", (int)strcspn(names, " "), names);
    return gguf_item_text(w->items, GGML("model"), "gpt2", w->error) &&
           gguf_item_text(w->items, GGML("pre"), name, w->error) && put_tokens(w) && put_merges(w);
}

/* ---- Pieces with scores: the merges as SentencePiece has them ---- */

static bool is_space_replacement(const struct normalizer_step *step) {
    return step->kind == NORMALIZE_REPLACE && step->literal && is(step->pattern, " ") &&
           is(step->content, META_SPACE);
}

/* Spaces become U+2581, perhaps with one before the text, and nothing else happens to it. */
static bool has_piece_steps(const struct token_writing *w, bool *prefix) {
    const struct description *t = &w->tokenizer;
    *prefix = false;
    for (size_t i = 0; i < t->n_normalizers; i++) {
        const struct normalizer_step *step = &t->normalizers[i];
        bool prepends = step->kind == NORMALIZE_PREPEND && is(step->content, META_SPACE);
        if (!prepends && !is_space_replacement(step))
            return false;
        *prefix |= prepends;
    }
    for (size_t i = 0; i < t->n_pretokenizers; i++) {
        const struct pretokenizer_step *step = &t->pretokenizers[i];
        bool meta_space = step->kind == STEP_METASPACE && is(step->pattern, META_SPACE) && !step->split;
        if (!meta_space && !(step->kind == STEP_SPLIT && step->literal && is(step->pattern, " ")))
            return false;
        *prefix |= meta_space && step->scheme != PREPEND_NEVER;
    }
    return true;
}

/* What SentencePiece merged first has the best score: tokens by the rank of the first merge that makes them.
 */
static bool score_tokens(struct token_writing *w, float *scores) {
    const struct description *t = &w->tokenizer;
    struct buffer text = {0};
    float rank = 0;
    bool good = true;
    for (size_t id = 0; id < w->n_tokens; id++)
        scores[id] = w->types[id] == GGUF_TOKEN_NORMAL ? -(float)(t->n_merges + id) : 0;
    for (size_t i = 0; good && i < t->n_merges; i++) {
        const struct described_merge *merge = &t->merges[i];
        uint32_t id;
        text.size = 0;
        good = buffer_append(&text, merge->texts[0], merge->sizes[0], w->error) &&
               buffer_append(&text, merge->texts[1], merge->sizes[1], w->error);
        if (good && tokenizer_id(w->built, text.data, &id) && scores[id] <= -(float)t->n_merges)
            scores[id] = -rank++;
    }
    buffer_free(&text);
    return good;
}

static bool same_merge(const struct token_writing *w, const struct gguf_merge *a,
                       const struct described_merge *b) {
    const struct gguf_text *left = &w->texts[a->left], *right = &w->texts[a->right];
    return left->size == b->sizes[0] && !memcmp(left->bytes, b->texts[0], left->size) &&
           right->size == b->sizes[1] && !memcmp(right->bytes, b->texts[1], right->size);
}

/* Do the scores come to the merges that there are? */
static bool check_scores(struct token_writing *w, const float *scores) {
    const struct gguf_item kinds = {GGML("token_type"), GGUF_INT32, true, w->n_tokens,
                                    (const uint8_t *)w->types},
                           values = {GGML("scores"), GGUF_FLOAT32, true, w->n_tokens,
                                     (const uint8_t *)scores};
    const struct gguf_vocab vocab = {w->texts, w->n_tokens, &kinds, &values};
    struct gguf_merge *merges;
    size_t count, i = 0;
    if (!gguf_derive_merges(&vocab, w->path, &merges, &count, &w->arena, w->error))
        return false;
    while (i < count && i < w->tokenizer.n_merges && same_merge(w, &merges[i], &w->tokenizer.merges[i]))
        i++;
    return (i == count && i == w->tokenizer.n_merges) ||
           fail(w->error,
                "%s: the merges of its tokenizer do not follow from scores, which llama.cpp has in their "
                "place",
                w->path);
}

static bool put_pieces(struct token_writing *w) {
    bool prefix;
    if (!has_piece_steps(w, &prefix))
        return fail(w->error, "%s: its tokenizer changes texts in ways that llama.cpp does not know",
                    w->path);
    if (!gguf_item_text(w->items, GGML("model"), "llama", w->error) || !put_tokens(w))
        return false;
    float *scores = ARENA_NEW(&w->arena, float, w->n_tokens, w->error);
    if (!scores || !score_tokens(w, scores) || !check_scores(w, scores) ||
        !gguf_item_array(w->items, GGML("scores"), GGUF_FLOAT32, w->n_tokens, w->error))
        return false;
    for (size_t id = 0; id < w->n_tokens; id++)
        if (!gguf_add_real(w->items, scores[id], w->error))
            return false;
    return gguf_item_bool(w->items, GGML("add_space_prefix"), prefix, w->error);
}

/* ---- Special tokens and the chat template ---- */

/* A file that came with the model, or NULL where it did not. */
static bool read_beside(const struct token_writing *w, const char *name, json_t **tree) {
    const struct blob *blob = container_blob(&w->import->container, name);
    *tree = blob ? json_read(name, blob->data, blob->size, w->error) : NULL;
    return !blob || *tree;
}

/* A token as tokenizer_config.json names it: "</s>", or {"content": "</s>", ...}. */
static bool find_named(const struct token_writing *w, const json_t *config, const char *key, uint32_t *id) {
    const json_t *token = json_object_get(config, key);
    const char *text = json_string_value(json_is_object(token) ? json_object_get(token, "content") : token);
    return text && tokenizer_id(w->built, text, id);
}

/* A number, or the i-th of a list of them. */
static bool find_numbered(const struct token_writing *w, const json_t *config, const char *key, size_t i,
                          uint32_t *id) {
    const json_t *value = json_object_get(config, key);
    const json_t *number = json_is_array(value) ? json_array_get(value, i) : i == 0 ? value : NULL;
    json_int_t n = json_integer_value(number);
    *id = (uint32_t)n;
    return json_is_integer(number) && n >= 0 && (uint64_t)n < w->n_tokens;
}

struct beside {
    json_t *tokenizer, *model, *generation; /* tokenizer_config.json, config.json, generation_config.json */
};

static bool put_named(struct token_writing *w, const struct beside *beside, const char *name) {
    char named[32], numbered[32], key[64];
    uint32_t id;
    snprintf(named, sizeof named, "%s_token", name);
    snprintf(numbered, sizeof numbered, "%s_token_id", name);
    snprintf(key, sizeof key, GGML("%s_token_id"),
             !strcmp(name, "pad")   ? "padding"
             : !strcmp(name, "unk") ? "unknown"
                                    : name);
    return (!find_named(w, beside->tokenizer, named, &id) &&
            !find_numbered(w, beside->generation, numbered, 0, &id) &&
            !find_numbered(w, beside->model, numbered, 0, &id)) ||
           gguf_item_uint(w->items, key, id, w->error);
}

/* Tokens besides EOS that end an answer. */
static bool put_other_ends(struct token_writing *w, const struct beside *beside) {
    static const char *const keys[] = {GGML("eot_token_id"), GGML("eom_token_id")};
    uint32_t eos = 0, id;
    size_t n = 0;
    bool has_eos = find_named(w, beside->tokenizer, "eos_token", &eos);
    for (size_t i = 0; n < COUNT(keys) && find_numbered(w, beside->generation, "eos_token_id", i, &id); i++)
        if (has_eos && id != eos && !gguf_item_uint(w->items, keys[n++], id, w->error))
            return false;
    return true;
}

/* The post-processor's tokens are BOS and EOS, whatever the files beside it say. */
static bool put_affix(struct token_writing *w, const struct beside *beside, const char *name,
                      const char *flag, const uint64_t *ids, size_t count) {
    char key[64];
    snprintf(key, sizeof key, GGML("%s_token_id"), name);
    if (count > 1)
        return fail(w->error, "%s: its tokenizer puts %zu tokens around a text, llama.cpp one on each side",
                    w->path, count);
    return (count ? gguf_item_uint(w->items, key, ids[0], w->error) : put_named(w, beside, name)) &&
           gguf_item_bool(w->items, flag, count, w->error);
}

static const char *template_of(const json_t *config) {
    const json_t *template = json_object_get(config, "chat_template");
    for (size_t i = 0; i < json_array_size(template); i++) {
        const json_t *named = json_array_get(template, i);
        const char *name = json_string_value(json_object_get(named, "name"));
        if (name && !strcmp(name, "default"))
            return json_string_value(json_object_get(named, "template"));
    }
    return json_string_value(template);
}

static bool put_template(struct token_writing *w, const struct beside *beside) {
    const struct blob *file = container_blob(&w->import->container, "chat_template.jinja");
    const char *text = file ? file->data : template_of(beside->tokenizer);
    return !text || gguf_item_text(w->items, "tokenizer.chat_template", text, w->error);
}

static bool put_specials(struct token_writing *w) {
    const struct description *t = &w->tokenizer;
    struct beside b = {0};
    bool good =
        read_beside(w, "tokenizer_config.json", &b.tokenizer) && read_beside(w, "config.json", &b.model) &&
        read_beside(w, "generation_config.json", &b.generation) &&
        put_affix(w, &b, "bos", GGML("add_bos_token"), t->prefix, t->n_prefix) &&
        put_affix(w, &b, "eos", GGML("add_eos_token"), t->suffix, t->n_suffix) && put_named(w, &b, "unk") &&
        put_named(w, &b, "pad") && put_other_ends(w, &b) && put_template(w, &b);
    json_decref(b.tokenizer);
    json_decref(b.model);
    json_decref(b.generation);
    return good;
}

/* ---- The whole ---- */

static bool spells_bytes(const struct description *t) {
    for (size_t i = 0; i < t->n_pretokenizers; i++)
        if (t->pretokenizers[i].kind == STEP_SPELL)
            return true;
    return false;
}

static bool put_kind(struct token_writing *w) {
    const struct description *t = &w->tokenizer;
    if (t->kind == MODEL_BPE && spells_bytes(t))
        return put_byte_level(w);
    if (t->kind == MODEL_BPE && t->byte_fallback)
        return put_pieces(w);
    return fail(w->error, "%s: only byte-level tokenizers and those that fall back to bytes can be written",
                w->path);
}

static bool put_all(struct token_writing *w, const struct lists *lists) {
    struct tokenizer *built = tokenizer_json_read(&w->tokenizer, lists, &w->arena, w->error)
                                  ? tokenizer_build(&w->tokenizer, w->import->config.vocab_size, w->error)
                                  : NULL;
    w->built = built;
    bool good = built && put_kind(w) && put_specials(w);
    tokenizer_free(built);
    return good;
}

bool gguf_put_tokenizer(const struct import *import, struct gguf_items *items, struct error *error) {
    const struct blob *blob = container_blob(&import->container, "tokenizer.json");
    struct token_writing w = {
        .import = import, .path = import->container.path, .items = items, .error = error};
    struct lists lists;
    if (!blob)
        return fail(error, "%s: comes without tokenizer.json", w.path);
    if (!lists_open(&lists, w.path, blob->data, blob->size, error))
        return false;
    bool good = put_all(&w, &lists);
    lists_close(&lists);
    arena_free(&w.arena);
    return good;
}
