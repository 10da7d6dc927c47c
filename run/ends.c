#include "run/ends.h"

#include "lib/json.h"

#include <string.h>

/* The model's own answer to whether an id is one. */
static bool is_id(const json_t *json, const struct tokenizer *tokenizer) {
    return json_is_integer(json) && json_integer_value(json) >= 0 &&
           json_integer_value(json) < tokenizer_size(tokenizer);
}

/* An id or a list of ids. */
static bool add_stops(struct ends *ends, const json_t *json, const struct tokenizer *tokenizer,
                      struct error *error) {
    const json_t *item;
    size_t i;
    json_array_foreach(json, i, item) {
        if (is_id(item, tokenizer) && !tokens_push(&ends->stops, (uint32_t)json_integer_value(item), error))
            return false;
    }
    return !is_id(json, tokenizer) || tokens_push(&ends->stops, (uint32_t)json_integer_value(json), error);
}

static bool read_ids(struct ends *ends, const json_t *config, const struct tokenizer *tokenizer,
                     struct error *error) {
    const json_t *begin = json_object_get(config, "bos_token_id");
    if (is_id(begin, tokenizer)) {
        ends->has_begin = true;
        ends->begin = (uint32_t)json_integer_value(begin);
    }
    return add_stops(ends, json_object_get(config, "eos_token_id"), tokenizer, error);
}

/* "</s>" or {"content": "</s>", ...} */
static bool read_text(struct ends *ends, const json_t *config, const struct tokenizer *tokenizer,
                      struct error *error) {
    const json_t *stop = json_object_get(config, "eos_token");
    const char *text = json_string_value(json_is_object(stop) ? json_object_get(stop, "content") : stop);
    uint32_t id;
    return !text || !tokenizer_id(tokenizer, text, &id) || tokens_push(&ends->stops, id, error);
}

bool ends_read(struct ends *ends, const struct container *container, const struct tokenizer *tokenizer,
               struct error *error) {
    static const struct {
        const char *blob;
        bool (*read)(struct ends *, const json_t *, const struct tokenizer *, struct error *);
    } sources[] = {{"generation_config.json", read_ids},
                   {"config.json", read_ids},
                   {"tokenizer_config.json", read_text}};
    *ends = (struct ends){0};
    for (size_t i = 0; i < sizeof sources / sizeof *sources; i++) {
        const struct blob *blob = container_blob(container, sources[i].blob);
        if (!blob)
            continue;
        json_t *json = json_read(container->path, blob->data, blob->size, error);
        bool good = json && sources[i].read(ends, json, tokenizer, error);
        json_decref(json);
        if (!good)
            return false;
    }
    return true;
}

bool ends_add_stop(struct ends *ends, const struct tokenizer *tokenizer, const char *behind,
                   struct error *error) {
    struct tokens tokens = {0};
    bool good = tokenizer_encode(tokenizer, behind, strlen(behind), true, &tokens, error);
    size_t i = 0;
    while (i < tokens.count && !tokenizer_is_special(tokenizer, tokens.ids[i]))
        i++;
    if (good && i < tokens.count)
        good = tokens_push(&ends->stops, tokens.ids[i], error);
    tokens_free(&tokens);
    return good;
}

bool ends_is_stop(const struct ends *ends, uint32_t id) {
    for (size_t i = 0; i < ends->stops.count; i++)
        if (ends->stops.ids[i] == id)
            return true;
    return false;
}

void ends_free(struct ends *ends) {
    tokens_free(&ends->stops);
}
