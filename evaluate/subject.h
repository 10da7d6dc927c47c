/* A model under evaluation, with the text as its own tokenizer cuts it. */
#ifndef EVALUATE_SUBJECT_H
#define EVALUATE_SUBJECT_H

#include "evaluate/results.h"
#include "infer/session.h"
#include "infer/tokenizer.h"

struct subject {
    struct model model;
    struct tokens tokens; /* of the whole text */
    const uint32_t *prefix; /* tokens that begin every window, such as BOS; in the arena */
    size_t n_prefix;
    struct arena arena;
};

struct text {
    const char *name, *bytes;
    size_t size;
};

bool subject_open(struct subject *subject, const char *path, struct error *error);
void subject_close(struct subject *subject);

/* Tokenizes the text whole, as the model's tokenizer does, with what it puts before a text. */
bool subject_read(struct subject *subject, const struct text *text, struct error *error);

/* Window `index` of `context` tokens, its first ones replaced by the prefix. */
void subject_window(const struct subject *subject, size_t index, size_t context, uint32_t *to);

/* How many whole windows there are, at most `limit`. None is an error that says how many tokens were found.
 */
bool subject_windows(const struct subject *subject, const struct text *text, size_t context, size_t limit,
                     size_t *windows, struct error *error);

#endif
