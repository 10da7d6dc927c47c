/* Conversations in the form that a model was taught, told from the Jinja template stored with it.
 *
 * The template is not run. Its marks tell which of the forms that we know it writes (ChatML, Llama 2, Llama
 * 3, Mistral, Gemma, Phi); a template with marks of none, or with more than turns to it, is said to be
 * unsupported. What the user types is text: special tokens written out in it stay text. */
#ifndef INFER_CHAT_H
#define INFER_CHAT_H

#include "format/format.h"
#include "infer/tokenizer.h"

#define CHAT_MAX_PARTS 12

struct chat {
    const struct chat_form *form;
    const char *default_system; /* what the template puts in where there is no system message, or NULL */
    const char *bos, *eos; /* texts of tokens, "" where there are none */
    size_t n_turns; /* begun so far */
};

/* `template` is the Jinja text; `name` begins sentences. What the chat points to is owned by the arena. */
bool chat_init(struct chat *chat, const char *name, const char *template, const char *bos, const char *eos,
               struct arena *arena, struct error *error);

/* By the model's blobs chat_template.jinja or tokenizer_config.json. */
bool chat_open(struct chat *chat, const struct container *container, struct arena *arena,
               struct error *error);

const char *chat_form_name(const struct chat *chat); /* "ChatML" */
const char *chat_stop(const struct chat *chat); /* the text of the token that ends an answer */

/* What the model reads for the next turn: the end of the answer before it, `user`, and the head of the answer
 * to come. `system` is for the first turn: NULL leaves the template's default. Sets at most CHAT_MAX_PARTS
 * parts, which point into the chat, `system` and `user`. */
bool chat_turn(struct chat *chat, const char *system, const char *user, struct text_part *parts,
               size_t *n_parts, struct error *error);

#endif
