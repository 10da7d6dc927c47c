#include "infer/chat.h"

#include "infer/utf8.h"
#include "lib/progress.h"

#include <string.h>

/* ---- From a model's blobs ---- */

/* "<s>" or {"content": "<s>", ...} */
static json_t *token_text(const json_t *config, const char *key) {
    json_t *token = json_object_get(config, key);
    json_t *text = json_is_object(token) ? json_object_get(token, "content") : token;
    return json_is_string(text) ? text : NULL;
}

/* The variables that transformers gives to templates, but for the conversation. */
static json_t *own_variables(const json_t *config) {
    static const char *const tokens[] = {"bos_token", "eos_token", "unk_token", "sep_token",
                                         "pad_token", "cls_token", "mask_token"};
    json_t *own = json_pack("{s:b, s:n, s:n}", "add_generation_prompt", true, "tools", "documents");
    for (size_t i = 0; i < sizeof tokens / sizeof *tokens; i++) {
        json_t *text = token_text(config, tokens[i]);
        if (text && json_object_set(own, tokens[i], text) != 0)
            return json_decref(own), NULL;
    }
    return own;
}

bool chat_init(struct chat *chat, const char *name, const char *template, size_t size, const json_t *config,
               struct error *error) {
    *chat = (struct chat){.own = own_variables(config), .messages = json_array()};
    const char *place = arena_printf(&chat->arena, error, "%s: chat template", name);
    if (place && chat->own && chat->messages)
        chat->template = jinja_parse(place, template, size, &chat->arena, error);
    else if (place)
        fail(error, "%s: no memory", place);
    if (!chat->template)
        chat_close(chat);
    return chat->template != NULL;
}

void chat_close(struct chat *chat) {
    json_decref(chat->own);
    json_decref(chat->messages);
    arena_free(&chat->arena);
    arena_free(&chat->rendering);
    *chat = (struct chat){0};
}

/* A text, or a list of {"name", "template"} with one named "default". */
static const json_t *stored_template(const json_t *config) {
    const json_t *stored = json_object_get(config, "chat_template"), *entry;
    size_t i;
    json_array_foreach(stored, i, entry) {
        const char *name = json_string_value(json_object_get(entry, "name"));
        if (name && strcmp(name, "default") == 0)
            return json_object_get(entry, "template");
    }
    return stored;
}

static bool init_of(struct chat *chat, const char *path, const struct blob *file, const json_t *config,
                    struct error *error) {
    const json_t *stored = stored_template(config);
    if (file)
        return chat_init(chat, path, file->data, file->size, config, error);
    if (json_is_string(stored))
        return chat_init(chat, path, json_string_value(stored), json_string_length(stored), config, error);
    return fail(error,
                "%s: the model has no chat template, so it cannot chat; give it a prompt with -p instead",
                path);
}

bool chat_open(struct chat *chat, const struct container *container, struct error *error) {
    const struct blob *blob = container_blob(container, "tokenizer_config.json"),
                      *file = container_blob(container, "chat_template.jinja");
    json_t *config = blob ? json_read(container->path, blob->data, blob->size, error) : NULL;
    bool good = (config || !blob) && init_of(chat, container->path, file, config, error);
    json_decref(config);
    return good;
}

/* ---- What the model reads ---- */

static bool render(const struct chat *chat, json_t *own, json_t *messages, struct arena *arena,
                   struct jinja_output *output, struct error *error) {
    struct tm now = clock_local();
    json_t *outside = json_pack("{s:O}", "messages", messages);
    struct jinja_input input = {own, outside, &now};
    arena_free(arena);
    bool good = outside ? jinja_render(chat->template, &input, output, arena, error)
                        : fail(error, "no memory for a conversation");
    json_decref(outside);
    return good;
}

/* The end of the bytes from `at` on that are all the template's, or all not. */
static size_t run_end(const struct jinja_output *output, size_t at) {
    const char *end = memchr(output->outside + at, !output->outside[at], output->size - at);
    return end ? (size_t)(end - output->outside) : output->size;
}

bool chat_prompt(struct chat *chat, const struct text_part **parts, size_t *n_parts, struct error *error) {
    struct jinja_output output;
    if (!render(chat, chat->own, chat->messages, &chat->rendering, &output, error))
        return false;
    size_t n = 0;
    for (size_t at = 0; at < output.size; at = run_end(&output, at))
        n++;
    struct text_part *list = ARENA_NEW(&chat->rendering, struct text_part, n, error);
    if (!list)
        return false;
    *parts = list;
    *n_parts = n;
    for (size_t at = 0, end; at < output.size; at = end) {
        end = run_end(&output, at);
        *list++ = (struct text_part){output.text + at, end - at, !output.outside[at]};
    }
    return true;
}

static char *behind(const struct jinja_output *output, const char *answer) {
    char *found = memmem(output->text, output->size, answer, strlen(answer));
    size_t at = found ? (size_t)(found - output->text) + strlen(answer) : output->size;
    if (at == output->size || output->outside[at])
        return NULL;
    output->text[run_end(output, at)] = '\0';
    return output->text + at;
}

const char *chat_behind_answer(struct chat *chat) {
    static const char answer[] = "An answer.";
    struct jinja_output output;
    struct error ignored;
    json_t *own = json_copy(chat->own);
    json_t *messages =
        json_pack("[{s:s, s:s}, {s:s, s:s}, {s:s, s:s}]", "role", "user", "content", "A question.", "role",
                  "assistant", "content", answer, "role", "user", "content", "Another.");
    char *text = NULL;
    if (messages && own && json_object_set_new(own, "add_generation_prompt", json_false()) == 0 &&
        render(chat, own, messages, &chat->rendering, &output, &ignored))
        text = behind(&output, answer);
    json_decref(messages);
    json_decref(own);
    return text ? text : "";
}

/* ---- What is said ---- */

/* Whether a system message makes no difference. */
static bool ignores_system(const struct chat *chat) {
    struct arena arenas[2] = {{0}};
    struct jinja_output with, without;
    struct error ignored;
    json_t *alone = json_pack("[{s:s, s:s}]", "role", "user", "content", "A question.");
    json_t *both = json_pack("[{s:s, s:s}, {s:s, s:s}]", "role", "system", "content", "A rule.", "role",
                             "user", "content", "A question.");
    bool same = alone && both && render(chat, chat->own, both, &arenas[0], &with, &ignored) &&
                render(chat, chat->own, alone, &arenas[1], &without, &ignored) &&
                strcmp(with.text, without.text) == 0;
    arena_free(&arenas[0]);
    arena_free(&arenas[1]);
    json_decref(alone);
    json_decref(both);
    return same;
}

bool chat_add(struct chat *chat, const char *role, const char *text, size_t size, struct error *error) {
    struct buffer said = {0};
    if (strcmp(role, "system") == 0 && ignores_system(chat))
        return fail(error, "the model's chat template leaves system messages out");
    bool good = utf8_repair(text, size, &said, error);
    if (good && json_array_append_new(chat->messages, json_pack("{s:s, s:s%}", "role", role, "content",
                                                                said.size ? said.data : "", said.size)) != 0)
        good = fail(error, "no memory for a message of %zu bytes", size);
    buffer_free(&said);
    return good;
}
