/* tokenizer.json, as Hugging Face's library would write it, of the vocabulary in a GGUF file. Written as
 * text: a tree of a quarter of a million tokens would take longer than all the rest. */
#include "lib/json.h"
#include "models/gguf.h"
#include "models/gguf_merges.h"
#include "models/gguf_pre.h"

#include <inttypes.h>
#include <string.h>

#define KEY(name) "tokenizer.ggml." name

struct writing {
    const struct container *container;
    struct gguf_vocab vocab;
    const struct gguf_item *merges; /* NULL where absent */
    const struct gguf_pre *pre; /* of byte-level kinds */
    bool begins, ends; /* BOS before a text, EOS behind it */
    struct buffer *to;
    struct arena arena;
    struct error *error;
};

/* ---- Looking things up ---- */

const char *gguf_text_of(const struct container *container, const char *key, struct arena *arena,
                         struct error *error) {
    const struct gguf_item *item = gguf_find(container, key);
    if (!item || item->kind != GGUF_TEXT || item->is_array)
        return NULL;
    const struct gguf_text *text = gguf_texts(item, arena, error);
    return text && text_is_valid(text->bytes, text->size) ? arena_text(arena, text->bytes, text->size, error)
                                                          : NULL;
}

static enum gguf_token type_of(const struct writing *w, uint64_t id) {
    return gguf_token_type(&w->vocab, id);
}

static bool flag_of(const struct writing *w, const char *key, bool otherwise) {
    const struct gguf_item *item = gguf_find(w->container, key);
    bool flag = otherwise;
    return item && gguf_flag(item, 0, &flag) ? flag : otherwise;
}

/* The token under a key such as KEY("bos_token_id"); NULL where there is none. */
static const struct gguf_text *token_of(const struct writing *w, const char *key, uint64_t *id) {
    const struct gguf_item *item = gguf_find(w->container, key);
    return item && gguf_uint(item, 0, id) && *id < w->vocab.count ? &w->vocab.tokens[*id] : NULL;
}

/* ---- Writing JSON ---- */

static bool put(struct writing *w, const char *text) {
    return buffer_append(w->to, text, strlen(text), w->error);
}

static char *escape(char *to, uint8_t c) {
    static const char digits[] = "0123456789abcdef";
    if (c >= 0x20 && c != '"' && c != '\\') {
        *to++ = (char)c;
        return to;
    }
    *to++ = '\\';
    if (c >= 0x20) {
        *to++ = (char)c;
        return to;
    }
    memcpy(to, "u00", 3);
    to[3] = digits[c >> 4];
    to[4] = digits[c & 15];
    return to + 5;
}

/* Texts of merges can come to a thousand times what the file holds. */
static bool put_string(struct writing *w, const char *text, size_t size) {
    if (w->to->size > JSON_SIZE_LIMIT)
        return fail(w->error, "%s: the tokenizer comes to more than %u MiB of text", w->container->path,
                    JSON_SIZE_LIMIT >> 20);
    char *begin = buffer_reserve(w->to, 6 * size + 2, w->error), *end = begin;
    if (!begin)
        return false;
    *end++ = '"';
    for (size_t i = 0; i < size; i++)
        end = escape(end, (uint8_t)text[i]);
    *end++ = '"';
    w->to->size += (size_t)(end - begin);
    return true;
}

static bool put_text(struct writing *w, const struct gguf_text *text) {
    return put_string(w, text->bytes, text->size);
}

static const char *json_flag(bool flag) {
    return flag ? "true" : "false";
}

/* ---- Added tokens and the vocabulary ---- */

static bool is_added(const struct writing *w, uint64_t id) {
    enum gguf_token type = type_of(w, id);
    return type == GGUF_TOKEN_CONTROL || type == GGUF_TOKEN_USER;
}

/* Where all behind the vocabulary's last own token are added ones, without a gap, they stand in the list of
 * added tokens alone, as is usual; else everything is in the vocabulary too. Returns where that ends. */
static uint64_t vocabulary_end(const struct writing *w) {
    uint64_t end = w->vocab.count, own;
    while (end > 0 && type_of(w, end - 1) == GGUF_TOKEN_UNUSED)
        end--;
    for (own = end; own > 0 && is_added(w, own - 1);)
        own--;
    for (uint64_t id = 0; id < end; id++)
        if (type_of(w, id) == GGUF_TOKEN_UNUSED)
            return end;
    return own;
}

static bool put_added_tokens(struct writing *w) {
    bool first = true;
    for (uint64_t id = 0; id < w->vocab.count; id++) {
        if (!is_added(w, id))
            continue;
        if (!buffer_printf(w->to, w->error, "%s{\"id\":%" PRIu64 ",\"content\":", first ? "" : ",\n", id) ||
            !put_text(w, &w->vocab.tokens[id]) ||
            !buffer_printf(w->to, w->error,
                           ",\"single_word\":false,\"lstrip\":false,\"rstrip\":false,\"normalized\":false,"
                           "\"special\":%s}",
                           json_flag(type_of(w, id) == GGUF_TOKEN_CONTROL)))
            return false;
        first = false;
    }
    return true;
}

static bool put_vocabulary(struct writing *w) {
    uint64_t end = vocabulary_end(w);
    bool first = true;
    for (uint64_t id = 0; id < end; id++) {
        if (type_of(w, id) == GGUF_TOKEN_UNUSED)
            continue;
        if (!put(w, first ? "" : ",\n") || !put_text(w, &w->vocab.tokens[id]) ||
            !buffer_printf(w->to, w->error, ":%" PRIu64, id))
            return false;
        first = false;
    }
    return true;
}

/* ---- Merges ---- */

static bool put_listed_merges(struct writing *w) {
    const struct gguf_text *merges = gguf_texts(w->merges, &w->arena, w->error);
    if (!merges)
        return false;
    for (uint64_t i = 0; i < w->merges->count; i++) {
        if (!text_is_valid(merges[i].bytes, merges[i].size))
            return fail(w->error, "%s: the merge %" PRIu64 " is not UTF-8", w->container->path, i);
        if (!put(w, i ? ",\n" : "") || !put_text(w, &merges[i]))
            return false;
    }
    return true;
}

static bool put_derived_merges(struct writing *w) {
    struct gguf_merge *merges;
    size_t count;
    if (!w->vocab.scores || w->vocab.scores->count != w->vocab.count)
        return fail(w->error, "%s: the tokenizer has no score for each token", w->container->path);
    if (!gguf_derive_merges(&w->vocab, w->container->path, &merges, &count, &w->arena, w->error))
        return false;
    for (size_t i = 0; i < count; i++)
        if (!put(w, i ? ",\n[" : "[") || !put_text(w, &w->vocab.tokens[merges[i].left]) || !put(w, ",") ||
            !put_text(w, &w->vocab.tokens[merges[i].right]) || !put(w, "]"))
            return false;
    return true;
}

/* ---- The steps around them ---- */

static bool put_split(struct writing *w, const char *pattern) {
    return put(w, "{\"type\":\"Split\",\"pattern\":{\"Regex\":") && put_string(w, pattern, strlen(pattern)) &&
           put(w, "},\"behavior\":\"Isolated\",\"invert\":false}");
}

static bool put_splits(struct writing *w, const char *const *patterns, bool before) {
    for (size_t i = 0; i < GGUF_MAX_SPLITS && patterns[i]; i++)
        if (!put(w, before ? "" : ",") || !put_split(w, patterns[i]) || !put(w, before ? "," : ""))
            return false;
    return true;
}

static bool put_byte_level_steps(struct writing *w) {
    const struct gguf_pre *pre = w->pre;
    if (!put(w, pre->composes ? "\"normalizer\":{\"type\":\"NFC\"},\n" : "\"normalizer\":null,\n") ||
        !put(w, "\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[") ||
        !put(w, pre->splits_digits ? "{\"type\":\"Digits\",\"individual_digits\":true}," : "") ||
        !put_splits(w, pre->splits, true))
        return false;
    return buffer_printf(w->to, w->error,
                         "{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"trim_offsets\":true,"
                         "\"use_regex\":%s}",
                         json_flag(pre->splits_words)) &&
           put_splits(w, pre->spelled_splits, false) && put(w, "]},\n") &&
           put(w, "\"decoder\":{\"type\":\"ByteLevel\",\"add_prefix_space\":true,\"trim_offsets\":true,"
                  "\"use_regex\":true},\n");
}

/* Of pieces with U+2581 for spaces. */
static bool put_piece_steps(struct writing *w) {
    bool prefix = flag_of(w, KEY("add_space_prefix"), true);
    return put(w, "\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":[") &&
           put(w, prefix ? "{\"type\":\"Prepend\",\"prepend\":\"▁\"}," : "") &&
           put(w, "{\"type\":\"Replace\",\"pattern\":{\"String\":\" \"},\"content\":\"▁\"}]},\n") &&
           put(w, "\"pre_tokenizer\":null,\n\"decoder\":{\"type\":\"Sequence\",\"decoders\":["
                  "{\"type\":\"Replace\",\"pattern\":{\"String\":\"▁\"},\"content\":\" \"},"
                  "{\"type\":\"ByteFallback\"},{\"type\":\"Fuse\"}") &&
           put(w, prefix ? ",{\"type\":\"Strip\",\"content\":\" \",\"start\":1,\"stop\":0}" : "") &&
           put(w, "]},\n");
}

static bool put_special(struct writing *w, const struct gguf_text *token, bool before_text) {
    return !token || (put(w, before_text ? "" : ",") && put(w, "{\"SpecialToken\":{\"id\":") &&
                      put_text(w, token) && put(w, ",\"type_id\":0}}") && put(w, before_text ? "," : ""));
}

static bool put_special_ids(struct writing *w, const struct gguf_text *token, uint64_t id, bool behind) {
    return !token ||
           (put(w, behind ? "," : "") && put_text(w, token) && put(w, ":{\"id\":") && put_text(w, token) &&
            buffer_printf(w->to, w->error, ",\"ids\":[%" PRIu64 "],\"tokens\":[", id) && put_text(w, token) &&
            put(w, "]}"));
}

static bool put_post_processor(struct writing *w) {
    uint64_t bos_id = 0, eos_id = 0;
    const struct gguf_text *bos = w->begins ? token_of(w, KEY("bos_token_id"), &bos_id) : NULL;
    const struct gguf_text *eos = w->ends ? token_of(w, KEY("eos_token_id"), &eos_id) : NULL;
    bool two = bos && eos && eos_id != bos_id;
    return put(w, "\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":[") &&
           put_special(w, bos, true) && put(w, "{\"Sequence\":{\"id\":\"A\",\"type_id\":0}}") &&
           put_special(w, eos, false) && put(w, "],\"pair\":[],\"special_tokens\":{") &&
           put_special_ids(w, bos, bos_id, false) &&
           (!eos || (bos && !two) || put_special_ids(w, eos, eos_id, two)) && put(w, "}},\n");
}

static bool put_unknown(struct writing *w) {
    uint64_t id;
    const struct gguf_text *unknown = w->pre ? NULL : token_of(w, KEY("unknown_token_id"), &id);
    return put(w, "\"unk_token\":") && (unknown ? put_text(w, unknown) : put(w, "null"));
}

/* ---- Kinds of tokenizer ---- */

static bool is_listed(const struct writing *w) {
    return w->merges && w->merges->is_array && w->merges->kind == GGUF_TEXT;
}

static bool begin_byte_level(struct writing *w) {
    const char *name = gguf_text_of(w->container, KEY("pre"), &w->arena, w->error);
    if (!name)
        return fail(w->error, "%s: tokenizer.ggml.pre, which says how text is cut into words, is missing",
                    w->container->path);
    w->pre = gguf_pre_find(name);
    if (!w->pre)
        return fail(w->error, "%s: the pre-tokenizer '%.60s' (tokenizer.ggml.pre) is not known here",
                    w->container->path, name);
    w->begins = w->pre->begins;
    return is_listed(w) || fail(w->error, "%s: the tokenizer has no merges", w->container->path);
}

static bool begin_pieces(struct writing *w) {
    w->begins = true;
    return true;
}

static const struct kind {
    const char *name; /* tokenizer.ggml.model */
    bool (*begin)(struct writing *);
    bool (*put_steps)(struct writing *);
    bool falls_back; /* to bytes */
} kinds[] = {
    {"gpt2", begin_byte_level, put_byte_level_steps, false},
    {"llama", begin_pieces, put_piece_steps, true},
};

static const struct kind *find_kind(const char *name) {
    for (size_t i = 0; name && i < sizeof kinds / sizeof *kinds; i++)
        if (!strcmp(kinds[i].name, name))
            return &kinds[i];
    return NULL;
}

static bool put_model(struct writing *w, const struct kind *kind) {
    return put(w, "\"model\":{\"type\":\"BPE\",\"dropout\":null,") && put_unknown(w) &&
           buffer_printf(w->to, w->error,
                         ",\"continuing_subword_prefix\":null,\"end_of_word_suffix\":null,"
                         "\"fuse_unk\":%s,\"byte_fallback\":%s,\"ignore_merges\":%s,\n\"vocab\":{",
                         json_flag(kind->falls_back), json_flag(kind->falls_back),
                         json_flag(w->pre && w->pre->ignores_merges)) &&
           put_vocabulary(w) && put(w, "},\n\"merges\":[") &&
           (is_listed(w) ? put_listed_merges(w) : put_derived_merges(w)) && put(w, "]}}\n");
}

static bool read_tokens(struct writing *w) {
    const struct gguf_item *tokens = gguf_find(w->container, KEY("tokens"));
    if (!tokens || !tokens->is_array || tokens->kind != GGUF_TEXT)
        return fail(w->error, "%s: tokenizer.ggml.tokens is no list of texts", w->container->path);
    w->merges = gguf_find(w->container, KEY("merges"));
    w->vocab = (struct gguf_vocab){gguf_texts(tokens, &w->arena, w->error), (size_t)tokens->count,
                                   gguf_find(w->container, KEY("token_type")),
                                   gguf_find(w->container, KEY("scores"))};
    for (size_t id = 0; w->vocab.tokens && id < w->vocab.count; id++)
        if (!text_is_valid(w->vocab.tokens[id].bytes, w->vocab.tokens[id].size))
            return fail(w->error, "%s: the token %zu is not UTF-8", w->container->path, id);
    return w->vocab.tokens;
}

static bool write_all(struct writing *w) {
    const char *name = gguf_text_of(w->container, KEY("model"), &w->arena, w->error);
    const struct kind *kind = find_kind(name);
    if (!kind)
        return fail(w->error, "%s: a tokenizer of kind '%.60s' is not supported, only gpt2 and llama are",
                    w->container->path, name ? name : "");
    if (!read_tokens(w) || !kind->begin(w))
        return false;
    w->begins = flag_of(w, KEY("add_bos_token"), w->begins);
    w->ends = flag_of(w, KEY("add_eos_token"), false);
    return put(w, "{\"version\":\"1.0\",\"truncation\":null,\"padding\":null,\n\"added_tokens\":[") &&
           put_added_tokens(w) && put(w, "],\n") && kind->put_steps(w) && put_post_processor(w) &&
           put_model(w, kind);
}

bool gguf_write_tokenizer(const struct container *container, struct buffer *to, struct error *error) {
    struct writing w = {.container = container, .to = to, .error = error};
    bool written = write_all(&w);
    arena_free(&w.arena);
    return written;
}
