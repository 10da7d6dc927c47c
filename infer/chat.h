/* Conversations in the form that a model was taught: the Jinja template stored with it is run over all that
 * was said, each time the model is to answer. docs/chat.md says what templates may hold.
 *
 * What was said is text: special tokens written out in it stay text, and only what the template itself writes
 * becomes such tokens. */
#ifndef INFER_CHAT_H
#define INFER_CHAT_H

#include "format/format.h"
#include "infer/jinja/jinja.h"
#include "infer/tokenizer.h"

struct chat {
    const struct jinja_template *template;
    json_t *own; /* what the template knows beside the messages: {"bos_token": "<s>", ...} */
    json_t *messages; /* [{"role": "user", "content": "..."}, ...] */
    struct arena arena;
    struct arena rendering; /* the latest */
};

/* `config` is what tokenizer_config.json says, or NULL; `name` begins sentences. */
bool chat_init(struct chat *chat, const char *name, const char *template, size_t size, const json_t *config,
               struct error *error);

/* By the model's blobs chat_template.jinja or tokenizer_config.json. */
bool chat_open(struct chat *chat, const struct container *container, struct error *error);
void chat_close(struct chat *chat);

/* `role` is "system", "user" or "assistant". Bytes that are not UTF-8 read as U+FFFD. Refuses a system message
 * that the template would leave out. */
bool chat_add(struct chat *chat, const char *role, const char *text, size_t size, struct error *error);

/* What the model reads: the conversation and the head of the answer to come. The parts are the chat's until
 * it is asked again. Fails where the template does, which may have its own opinion of who speaks when. */
bool chat_prompt(struct chat *chat, const struct text_part **parts, size_t *n_parts, struct error *error);

/* What the template writes behind an answer, before what the user says next: the token that ends answers is
 * there. Owned like the parts. "" with a template that can't tell. */
const char *chat_behind_answer(struct chat *chat);

#endif
