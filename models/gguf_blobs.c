/* What stands beside a checkpoint's weights, made of a GGUF file's keys. */
#include "lib/json.h"
#include "models/gguf.h"

#include <string.h>

#define KEY(name) "tokenizer.ggml." name
#define COUNT(array) (sizeof(array) / sizeof *(array))

struct making {
    struct container *container;
    const struct gguf_text *tokens;
    uint64_t n_tokens;
    struct error *error;
};

static bool id_under(const struct making *m, const char *key, uint64_t *id) {
    const struct gguf_item *item = gguf_find(m->container, key);
    return item && gguf_uint(item, 0, id) && *id < m->n_tokens;
}

static json_t *token_under(const struct making *m, const char *key) {
    uint64_t id;
    return id_under(m, key, &id) ? json_stringn(m->tokens[id].bytes, m->tokens[id].size) : json_null();
}

/* Texts of tokens, whether they are put around texts, and the chat template. */
static json_t *make_tokenizer_config(const struct making *m) {
    static const char *const tokens[][2] = {{"bos_token", KEY("bos_token_id")},
                                            {"eos_token", KEY("eos_token_id")},
                                            {"pad_token", KEY("padding_token_id")},
                                            {"unk_token", KEY("unknown_token_id")}};
    static const char *const flags[][2] = {{"add_bos_token", KEY("add_bos_token")},
                                           {"add_eos_token", KEY("add_eos_token")}};
    json_t *config = json_object();
    bool good = config, flag;
    for (size_t i = 0; good && i < COUNT(tokens); i++)
        good = !json_object_set_new(config, tokens[i][0], token_under(m, tokens[i][1]));
    for (size_t i = 0; good && i < COUNT(flags); i++) {
        const struct gguf_item *item = gguf_find(m->container, flags[i][1]);
        if (item && gguf_flag(item, 0, &flag))
            good = !json_object_set_new(config, flags[i][0], json_boolean(flag));
    }
    const char *template =
        gguf_text_of(m->container, "tokenizer.chat_template", &m->container->arena, m->error);
    if (good && template)
        good = !json_object_set_new(config, "chat_template", json_string(template));
    if (good)
        return config;
    json_decref(config);
    return NULL;
}

/* Which tokens begin a text and end an answer. */
static json_t *make_generation_config(const struct making *m) {
    static const char *const ends[] = {KEY("eos_token_id"), KEY("eot_token_id"), KEY("eom_token_id")};
    json_t *stops = json_array(), *config = json_pack("{s:o}", "eos_token_id", stops);
    uint64_t id;
    bool good = config;
    for (size_t i = 0; good && i < COUNT(ends); i++)
        if (id_under(m, ends[i], &id))
            good = !json_array_append_new(stops, json_integer((json_int_t)id));
    if (good && id_under(m, KEY("bos_token_id"), &id))
        good = !json_object_set_new(config, "bos_token_id", json_integer((json_int_t)id));
    if (good)
        return config;
    json_decref(config);
    return NULL;
}

/* A copy in the container's arena, with a NUL behind it. */
static bool keep(struct making *m, const char *name, const struct buffer *text) {
    struct container *container = m->container;
    const char *data = arena_text(&container->arena, text->data, text->size, m->error);
    container->blobs[container->n_blobs] = (struct blob){name, data, text->size};
    container->n_blobs += data != NULL;
    return data;
}

static bool add_tree(struct making *m, const char *name, json_t *tree) {
    struct buffer text = {0};
    bool added = json_write(tree, &text, m->error) && keep(m, name, &text);
    buffer_free(&text);
    json_decref(tree);
    return added;
}

static bool add_tokenizer(struct making *m) {
    struct buffer text = {0};
    bool added = gguf_write_tokenizer(m->container, &text, m->error) && keep(m, "tokenizer.json", &text);
    buffer_free(&text);
    return added;
}

bool gguf_make_blobs(struct container *container, struct error *error) {
    struct making m = {.container = container, .error = error};
    const struct gguf_item *tokens = gguf_find(container, KEY("tokens"));
    container->blobs = ARENA_NEW(&container->arena, struct blob, 3, error);
    if (!container->blobs)
        return false;
    if (tokens && tokens->kind == GGUF_TEXT) {
        m.n_tokens = tokens->count;
        m.tokens = gguf_texts(tokens, &container->arena, error);
    }
    return (m.tokens || !m.n_tokens) && add_tree(&m, "generation_config.json", make_generation_config(&m)) &&
           add_tokenizer(&m) && add_tree(&m, "tokenizer_config.json", make_tokenizer_config(&m));
}
