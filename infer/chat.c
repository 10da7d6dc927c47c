#include "infer/chat.h"

#include "lib/json.h"

#include <string.h>

#define MAX_MARKS 8

enum system_place {
    SYSTEM_TURN, /* a turn of its own */
    SYSTEM_BEFORE_USER, /* within the user's first turn */
    SYSTEM_IN_USER, /* the same, as part of what the user says, so that only its end is trimmed */
    SYSTEM_REFUSED,
};

/* A form as data. Texts are templates' own, where $b and $e stand for the tokens that begin and end a text.
 */
struct chat_form {
    const char *name;
    const char *marks[MAX_MARKS]; /* all of these stand in the template */
    const char *foreign[MAX_MARKS]; /* and none of these */
    const char *begin; /* of the conversation */
    const char *before_system, *after_system;
    const char
        *default_system; /* where the template always has one, but not as find_default_system finds it */
    const char *before_user, *after_user; /* with the head of the answer */
    const char *after_answer;
    const char *stop;
    enum system_place system_place;
    bool trims; /* white space around what is said */
};

/* The first that fits is taken. */
static const struct chat_form forms[] = {
    {.name = "Phi-4",
     .marks = {"<|im_start|>user<|im_sep|>"},
     .begin = "$b",
     .before_system = "<|im_start|>system<|im_sep|>",
     .after_system = "<|im_end|>",
     .before_user = "<|im_start|>user<|im_sep|>",
     .after_user = "<|im_end|><|im_start|>assistant<|im_sep|>",
     .after_answer = "<|im_end|>",
     .stop = "<|im_end|>"},
    {.name = "ChatML",
     .marks = {"<|im_start|>", "<|im_end|>"},
     .foreign = {"<|im_sep|>", "strftime_now", "assistant\\n<think>", "assistant\n<think>",
                 "function calling AI model", "'<think>\\n'", "## Metadata"},
     .begin = "$b",
     .before_system = "<|im_start|>system\n",
     .after_system = "<|im_end|>\n",
     .before_user = "<|im_start|>user\n",
     .after_user = "<|im_end|>\n<|im_start|>assistant\n",
     .after_answer = "<|im_end|>\n",
     .stop = "<|im_end|>"},
    {.name = "Llama 3.1",
     .marks = {"<|start_header_id|>", "<|eot_id|>", "Cutting Knowledge Date: December 2023", "26 Jul 2024"},
     .begin = "$b",
     .before_system = "<|start_header_id|>system<|end_header_id|>\n\n"
                      "Cutting Knowledge Date: December 2023\nToday Date: 26 Jul 2024\n\n",
     .default_system = "",
     .after_system = "<|eot_id|>",
     .before_user = "<|start_header_id|>user<|end_header_id|>\n\n",
     .after_user = "<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n",
     .after_answer = "<|eot_id|>",
     .stop = "<|eot_id|>",
     .trims = true},
    {.name = "Llama 3",
     .marks = {"<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"},
     .foreign = {"functions"},
     .begin = "$b",
     .before_system = "<|start_header_id|>system<|end_header_id|>\n\n",
     .after_system = "<|eot_id|>",
     .before_user = "<|start_header_id|>user<|end_header_id|>\n\n",
     .after_user = "<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n",
     .after_answer = "<|eot_id|>",
     .stop = "<|eot_id|>",
     .trims = true},
    {.name = "Gemma 3",
     .marks = {"<start_of_turn>", "<end_of_turn>", "first_user_prefix"},
     .begin = "$b",
     .after_system = "\n\n",
     .before_user = "<start_of_turn>user\n",
     .after_user = "<end_of_turn>\n<start_of_turn>model\n",
     .after_answer = "<end_of_turn>\n",
     .stop = "<end_of_turn>",
     .system_place = SYSTEM_BEFORE_USER,
     .trims = true},
    {.name = "Gemma",
     .marks = {"<start_of_turn>", "<end_of_turn>"},
     .begin = "$b",
     .before_user = "<start_of_turn>user\n",
     .after_user = "<end_of_turn>\n<start_of_turn>model\n",
     .after_answer = "<end_of_turn>\n",
     .stop = "<end_of_turn>",
     .system_place = SYSTEM_REFUSED,
     .trims = true},
    {.name = "Llama 2",
     .marks = {"[INST] ", " [/INST]", "<<SYS>>"},
     .before_system = "<<SYS>>\n",
     .after_system = "\n<</SYS>>\n\n",
     .before_user = "$b[INST] ",
     .after_user = " [/INST]",
     .after_answer = " $e",
     .stop = "$e",
     .system_place = SYSTEM_IN_USER,
     .trims = true},
    {.name = "Mistral",
     .marks = {"\" [INST] \"", "\" [/INST]\"", "system_message"},
     .begin = "$b",
     .after_system = "\n\n",
     .before_user = " [INST] ",
     .after_user = " [/INST]",
     .after_answer = "$e",
     .stop = "$e",
     .system_place = SYSTEM_IN_USER},
    {.name = "Mistral v0.1",
     .marks = {"'[INST] '", "' [/INST]'", "eos_token + ' '"},
     .begin = "$b",
     .before_user = "[INST] ",
     .after_user = " [/INST]",
     .after_answer = "$e ",
     .stop = "$e",
     .system_place = SYSTEM_REFUSED},
    {.name = "Mistral v0.2",
     .marks = {"'[INST] '", "' [/INST]'"},
     .foreign = {"system_message", "<<SYS>>"},
     .begin = "$b",
     .before_user = "[INST] ",
     .after_user = " [/INST]",
     .after_answer = "$e",
     .stop = "$e",
     .system_place = SYSTEM_REFUSED},
    {.name = "Mistral v0.3",
     .marks = {"'[INST] '", "'[/INST]'"},
     .foreign = {"system_message"},
     .begin = "$b",
     .before_user = "[INST] ",
     .after_user = "[/INST]",
     .after_answer = "$e",
     .stop = "$e",
     .system_place = SYSTEM_REFUSED},
    {.name = "Mistral v0.3 with tools",
     .marks = {"\"[INST] \"", "\"[/INST]\"", "system_message"},
     .begin = "$b",
     .after_system = "\n\n",
     .before_user = "[INST] ",
     .after_user = "[/INST]",
     .after_answer = "$e",
     .stop = "$e",
     .system_place = SYSTEM_IN_USER},
    {.name = "Mistral Nemo",
     .marks = {"\"[INST]\"", "\"[/INST]\"", "system_message"},
     .foreign = {"[SYSTEM_PROMPT]"},
     .begin = "$b",
     .after_system = "\n\n",
     .before_user = "[INST]",
     .after_user = "[/INST]",
     .after_answer = "$e",
     .stop = "$e",
     .system_place = SYSTEM_IN_USER},
    {.name = "Phi-4-mini",
     .marks = {"'<|' + message['role'] + '|>' + message['content'] + '<|end|>'"},
     .begin = "$b",
     .before_system = "<|system|>",
     .after_system = "<|end|>",
     .before_user = "<|user|>",
     .after_user = "<|end|><|assistant|>",
     .after_answer = "<|end|>",
     .stop = "<|end|>"},
    {.name = "Phi-3.5",
     .marks = {"<|system|>", "<|user|>", "<|end|>", "<|assistant|>"},
     .foreign = {"available_tools"},
     .begin = "$b",
     .before_system = "<|system|>\n",
     .after_system = "<|end|>\n",
     .before_user = "<|user|>\n",
     .after_user = "<|end|>\n<|assistant|>\n",
     .after_answer = "<|end|>\n",
     .stop = "<|end|>"},
    {.name = "Phi-3",
     .marks = {"<|user|>", "<|end|>", "<|assistant|>"},
     .foreign = {"<|system|>"},
     .begin = "$b",
     .before_user = "<|user|>\n",
     .after_user = "<|end|>\n<|assistant|>\n",
     .after_answer = "<|end|>\n",
     .stop = "<|end|>",
     .system_place = SYSTEM_REFUSED},
};

static bool contains_all(const char *text, const char *const *marks) {
    for (size_t i = 0; i < MAX_MARKS && marks[i]; i++)
        if (!strstr(text, marks[i]))
            return false;
    return true;
}

static bool contains_any(const char *text, const char *const *marks) {
    for (size_t i = 0; i < MAX_MARKS && marks[i]; i++)
        if (strstr(text, marks[i]))
            return true;
    return false;
}

static const struct chat_form *form_of(const char *template) {
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++)
        if (contains_all(template, forms[i].marks) && !contains_any(template, forms[i].foreign))
            return &forms[i];
    return NULL;
}

/* The text of a Jinja literal from `from` to `end`, its escapes undone; NULL where that is more than a
 * literal. */
static char *literal_text(const char *from, const char *end, struct arena *arena, struct error *error) {
    char *text = arena_text(arena, from, (size_t)(end - from), error), *to = text;
    for (const char *c = from; text && c < end; c++) {
        bool escaped = *c == '\\' && c + 1 < end;
        if (escaped)
            c++;
        *to++ = escaped && *c == 'n' ? '\n' : *c;
    }
    if (text)
        *to = '\0';
    return text;
}

/* A system message that stands in the template, as in '<|im_start|>system\nYou are ...<|im_end|>\n'. */
static bool find_default_system(struct chat *chat, const char *template, struct arena *arena,
                                struct error *error) {
    static const char *const heads[] = {"<|im_start|>system\\n", "<|im_start|>system\n"};
    for (size_t i = 0; i < 2; i++)
        for (const char *at = template; (at = strstr(at, heads[i])) != NULL;) {
            at += strlen(heads[i]);
            const char *end = at + strcspn(at, "'\"<{}");
            if (end == at || strncmp(end, "<|im_end|>", 10) != 0)
                continue;
            chat->default_system = literal_text(at, end, arena, error);
            return chat->default_system != NULL;
        }
    return true;
}

bool chat_init(struct chat *chat, const char *name, const char *template, const char *bos, const char *eos,
               struct arena *arena, struct error *error) {
    *chat = (struct chat){.form = form_of(template)};
    if (!chat->form)
        return fail(error, "%s: the chat template is of no supported form; it begins '%.80s'", name,
                    template);
    chat->default_system = chat->form->default_system;
    chat->bos = strstr(template, "bos_token") ? arena_text(arena, bos, strlen(bos), error) : "";
    chat->eos = arena_text(arena, eos, strlen(eos), error);
    return chat->bos && chat->eos && find_default_system(chat, template, arena, error);
}

/* ---- From a model's blobs ---- */

/* "<s>" or {"content": "<s>", ...} */
static const char *token_text(const json_t *config, const char *key) {
    const json_t *token = json_object_get(config, key);
    const char *text = json_string_value(json_is_object(token) ? json_object_get(token, "content") : token);
    return text ? text : "";
}

/* A text, or a list of {"name", "template"} with one named "default". */
static const char *template_text(const json_t *config) {
    const json_t *stored = json_object_get(config, "chat_template"), *entry;
    size_t i;
    json_array_foreach(stored, i, entry) {
        const char *name = json_string_value(json_object_get(entry, "name"));
        if (name && strcmp(name, "default") == 0)
            return json_string_value(json_object_get(entry, "template"));
    }
    return json_string_value(stored);
}

bool chat_open(struct chat *chat, const struct container *container, struct arena *arena,
               struct error *error) {
    const struct blob *config_blob = container_blob(container, "tokenizer_config.json"),
                      *file = container_blob(container, "chat_template.jinja");
    json_t *config =
        config_blob ? json_read(container->path, config_blob->data, config_blob->size, error) : NULL;
    if (config_blob && !config)
        return false;
    const char *template = file ? file->data : template_text(config);
    bool good = template ? chat_init(chat, container->path, template, token_text(config, "bos_token"),
                                     token_text(config, "eos_token"), arena, error)
                         : fail(error,
                                "%s: the model has no chat template, so it cannot chat; give it a "
                                "prompt with -p instead",
                                container->path);
    json_decref(config);
    return good;
}

const char *chat_form_name(const struct chat *chat) {
    return chat->form->name;
}

static const char *token_of(const struct chat *chat, char letter) {
    return letter == 'b' ? chat->bos : chat->eos;
}

const char *chat_stop(const struct chat *chat) {
    const char *stop = chat->form->stop;
    return stop[0] == '$' ? token_of(chat, stop[1]) : stop;
}

/* ---- Turns ---- */

struct parts {
    struct text_part *parts;
    size_t count;
};

static void add(struct parts *parts, const char *text, size_t size, bool parse_special) {
    if (size > 0)
        parts->parts[parts->count++] = (struct text_part){text, size, parse_special};
}

/* Template text, with $b and $e put in. */
static void add_template(struct parts *parts, const struct chat *chat, const char *text) {
    while (text && *text) {
        size_t length = strcspn(text, "$");
        add(parts, text, length, true);
        text += length;
        if (*text == '$') {
            const char *token = token_of(chat, text[1]);
            add(parts, token, strlen(token), true);
            text += 2;
        }
    }
}

static void add_said(struct parts *parts, const char *text, bool trim_front, bool trim_back) {
    static const char space[] = " \t\n\r\v\f";
    if (trim_front)
        text += strspn(text, space);
    size_t size = strlen(text);
    while (trim_back && size > 0 && strchr(space, text[size - 1]))
        size--;
    add(parts, text, size, false);
}

static void add_system(struct parts *parts, const struct chat *chat, const char *text, bool trim) {
    add_template(parts, chat, chat->form->before_system);
    add_said(parts, text, trim, trim);
    add_template(parts, chat, chat->form->after_system);
}

bool chat_turn(struct chat *chat, const char *system, const char *user, struct text_part *parts,
               size_t *n_parts, struct error *error) {
    const struct chat_form *form = chat->form;
    struct parts list = {.parts = parts};
    bool first = chat->n_turns == 0, trims = form->trims;
    if (!first)
        system = NULL;
    else if (!system)
        system = chat->default_system;
    if (system && form->system_place == SYSTEM_REFUSED)
        return fail(error, "the model's chat template (%s) takes no system message", form->name);
    bool own_turn = system && form->system_place == SYSTEM_TURN;
    bool joined = system && form->system_place == SYSTEM_IN_USER;
    add_template(&list, chat, first ? form->begin : form->after_answer);
    if (own_turn)
        add_system(&list, chat, system, trims);
    add_template(&list, chat, form->before_user);
    if (system && !own_turn)
        add_system(&list, chat, system, false);
    add_said(&list, user, trims && !joined, trims);
    add_template(&list, chat, form->after_user);
    chat->n_turns++;
    *n_parts = list.count;
    return true;
}
