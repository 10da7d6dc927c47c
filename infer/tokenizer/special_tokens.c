#include "infer/tokenizer/special_tokens.h"

#include "lib/json.h"

#include <stdlib.h>
#include <string.h>

/* What transformers calls them; the last two are lists. */
static const char *const names[] = {
    "bos_token",           "eos_token", "unk_token",  "sep_token",
    "pad_token",           "cls_token", "mask_token", "additional_special_tokens",
    "extra_special_tokens"};

struct reader {
    const struct pieces *pieces;
    const char *name;
    json_t *config, *map, *ids; /* NULL where there is no such file */
    struct described_added_token *tokens; /* with room for all that the files name */
    size_t count;
    struct vocab by_text; /* places in `tokens` */
    uint64_t next_id, vocab_size;
    struct arena *arena;
    struct error *error;
};

/* ---- The list ---- */

static struct described_added_token *find(const struct reader *r, struct span text) {
    uint32_t place;
    return vocab_find(&r->by_text, text.text, text.size, &place) ? &r->tokens[place] : NULL;
}

/* The token of that text, with that id from now on. */
static struct described_added_token *put(struct reader *r, struct span text, uint64_t id) {
    struct described_added_token *token = find(r, text);
    if (!token) {
        token = &r->tokens[r->count];
        token->text = text;
        vocab_add(&r->by_text, (uint32_t)r->count++, text.text, text.size);
    }
    token->id = id;
    if (r->next_id <= id)
        r->next_id = id + 1;
    return token;
}

static bool text_of(struct reader *r, const json_t *token, struct span *text) {
    const json_t *content = json_is_object(token) ? json_object_get(token, "content") : token;
    text->size = json_string_length(content);
    text->text = text->size ? arena_text(r->arena, json_string_value(content), text->size, r->error) : NULL;
    return text->text || text->size == 0;
}

static void set_flags(struct described_added_token *token, const json_t *json) {
    token->single_word = json_is_true(json_object_get(json, "single_word"));
    token->lstrip = json_is_true(json_object_get(json, "lstrip"));
    token->rstrip = json_is_true(json_object_get(json, "rstrip"));
}

/* ---- Where tokens come from ---- */

static void add_pieces(struct reader *r) {
    for (size_t id = 0; id < r->pieces->count; id++) {
        const struct piece *piece = &r->pieces->items[id];
        if (piece->type == PIECE_CONTROL || piece->type == PIECE_UNKNOWN)
            put(r, (struct span){piece->text.text, piece->text.size}, id)->special = true;
    }
}

/* {"32000": {"content": "<|end|>", ...}, ...} */
static bool add_decoder(struct reader *r, const json_t *decoder) {
    const char *key;
    json_t *json;
    json_object_foreach((json_t *)decoder, key, json) {
        char *end;
        uint64_t id = strtoull(key, &end, 10);
        struct span text;
        if (key[0] < '0' || key[0] > '9' || *end)
            return fail(r->error, "%s: '%s' among the added_tokens_decoder is no id", r->name, key);
        if (!text_of(r, json, &text))
            return false;
        if (!text.text)
            return fail(r->error, "%s: the added token %s has no content", r->name, key);
        struct described_added_token *token = put(r, text, id);
        token->special = json_is_true(json_object_get(json, "special"));
        set_flags(token, json);
    }
    return true;
}

/* {"<|end|>": 32000, ...} */
static bool add_ids(struct reader *r) {
    const char *key;
    json_t *id;
    json_object_foreach(r->ids, key, id) {
        struct span text = {arena_text(r->arena, key, strlen(key), r->error), strlen(key)};
        if (!text.text)
            return false;
        if (text.size == 0 || !json_is_integer(id) || json_integer_value(id) < 0)
            return fail(r->error, "%s: '%s' of added_tokens.json has no id", r->name, key);
        put(r, text, (uint64_t)json_integer_value(id));
    }
    return true;
}

static const json_t *named(const struct reader *r, const char *name) {
    const json_t *token = json_object_get(r->config, name);
    return token ? token : json_object_get(r->map, name);
}

/* A token that nothing gives an id comes last, where there is room. */
static bool add_named(struct reader *r, const json_t *json) {
    struct span text;
    if (!text_of(r, json, &text))
        return false;
    if (!text.text)
        return true;
    struct described_added_token *token = find(r, text);
    const struct piece *piece = pieces_find(r->pieces, text.text, text.size);
    uint64_t id = piece ? (uint64_t)(piece - r->pieces->items) : r->next_id;
    if (!token && id < r->vocab_size)
        token = put(r, text, id);
    if (token)
        token->special = true;
    if (token && json_is_object(json))
        set_flags(token, json);
    return true;
}

static bool add_names(struct reader *r) {
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const json_t *json = named(r, names[i]);
        for (size_t k = 0; k < json_array_size(json); k++)
            if (!add_named(r, json_array_get(json, k)))
                return false;
        if (!json_is_array(json) && !add_named(r, json))
            return false;
    }
    return true;
}

static int by_id(const void *a, const void *b) {
    const struct described_added_token *one = a, *other = b;
    return one->id < other->id ? -1 : one->id > other->id;
}

/* How many tokens there can be at most. */
static size_t most_tokens(const struct reader *r, const json_t *decoder) {
    size_t most = r->pieces->count + json_object_size(decoder) + json_object_size(r->ids);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        most += 1 + json_array_size(named(r, names[i]));
    return most;
}

static bool list_tokens(struct reader *r, size_t text_bytes) {
    const json_t *decoder = json_object_get(r->config, "added_tokens_decoder");
    size_t most = most_tokens(r, decoder);
    r->tokens = ARENA_NEW(r->arena, struct described_added_token, most, r->error);
    if (!r->tokens || most > UINT32_MAX ||
        !vocab_init(&r->by_text, (uint32_t)most, most, text_bytes, r->arena, r->error))
        return false;
    add_pieces(r);
    return (decoder ? add_decoder(r, decoder) : add_ids(r)) && add_names(r);
}

/* ---- Before and behind ---- */

/* The token that stands for the beginning or end: as the files say, or else as the model does. */
static bool find_end(struct reader *r, const char *name, int64_t id, struct span *text) {
    const json_t *json = named(r, name);
    if (!text_of(r, json, text))
        return false;
    bool by_model = !text->text && !json_is_null(json) && id >= 0 && (uint64_t)id < r->pieces->count &&
                    r->pieces->items[id].type == PIECE_CONTROL;
    if (by_model)
        *text = (struct span){r->pieces->items[id].text.text, r->pieces->items[id].text.size};
    return true;
}

static bool set_end(struct reader *r, const char *name, int64_t id, uint64_t *to, size_t *count) {
    struct span text;
    if (!find_end(r, name, id, &text))
        return false;
    const struct described_added_token *token = text.text ? find(r, text) : NULL;
    if (token)
        to[(*count)++] = token->id;
    return true;
}

static bool flag(const json_t *config, const char *name, bool otherwise) {
    const json_t *value = json_object_get(config, name);
    return json_is_boolean(value) ? json_is_true(value) : otherwise;
}

static bool set_ends(struct reader *r, struct description *d) {
    const struct piece_training *training = &r->pieces->training;
    return (!flag(r->config, "add_bos_token", true) ||
            set_end(r, "bos_token", training->bos_id, d->prefix, &d->n_prefix)) &&
           (!flag(r->config, "add_eos_token", false) ||
            set_end(r, "eos_token", training->eos_id, d->suffix, &d->n_suffix));
}

/* ---- The whole ---- */

static bool read_file(struct reader *r, const char *what, struct span file, json_t **json) {
    if (!file.text)
        return true;
    const char *name = arena_printf(r->arena, r->error, "%s: %s", r->name, what);
    *json = name ? json_read(name, file.text, file.size, r->error) : NULL;
    return *json && (json_is_object(*json) || fail(r->error, "%s: is no object", name));
}

static bool read_all(struct reader *r, struct description *d, const struct sentencepiece_files *files) {
    size_t text_bytes =
        files->model.size + files->config.size + files->special_tokens.size + files->added_tokens.size;
    if (!read_file(r, "tokenizer_config.json", files->config, &r->config) ||
        !read_file(r, "special_tokens_map.json", files->special_tokens, &r->map) ||
        !read_file(r, "added_tokens.json", files->added_tokens, &r->ids) || !list_tokens(r, text_bytes) ||
        !set_ends(r, d))
        return false;
    qsort(r->tokens, r->count, sizeof *r->tokens, by_id);
    d->added = r->tokens;
    d->n_added = r->count;
    return true;
}

bool special_tokens_read(struct special_tokens *special, struct description *description,
                         const struct pieces *pieces, const struct sentencepiece_files *files,
                         uint64_t vocab_size, struct arena *arena, struct error *error) {
    struct reader r = {.pieces = pieces,
                       .name = description->name,
                       .next_id = pieces->count,
                       .vocab_size = vocab_size,
                       .arena = arena,
                       .error = error};
    bool good = read_all(&r, description, files);
    special->legacy = flag(r.config, "legacy", true);
    special->adds_space = flag(r.config, "add_prefix_space", true);
    json_decref(r.config);
    json_decref(r.map);
    json_decref(r.ids);
    return good;
}
