#include "evaluate/subject.h"

#include <string.h>

bool subject_open(struct subject *subject, const char *path, struct error *error) {
    *subject = (struct subject){0};
    return model_open(&subject->model, path, error);
}

void subject_close(struct subject *subject) {
    tokens_free(&subject->tokens);
    arena_free(&subject->arena);
    model_close(&subject->model);
}

static bool keep_prefix(struct subject *subject, const struct tokenizer *tokenizer, struct error *error) {
    const uint32_t *ids = tokenizer_prefix(tokenizer, &subject->n_prefix);
    uint32_t *copy = ARENA_NEW(&subject->arena, uint32_t, subject->n_prefix + 1, error);
    if (!copy)
        return false;
    for (size_t i = 0; i < subject->n_prefix; i++) {
        copy[i] = ids[i];
        if (!tokens_push(&subject->tokens, ids[i], error))
            return false;
    }
    subject->prefix = copy;
    return true;
}

bool subject_read(struct subject *subject, const struct text *text, struct error *error) {
    struct tokenizer *tokenizer =
        tokenizer_open(&subject->model.container, subject->model.config.vocab_size, error);
    bool good = tokenizer && keep_prefix(subject, tokenizer, error) &&
                tokenizer_encode(tokenizer, text->bytes, text->size, false, &subject->tokens, error);
    tokenizer_free(tokenizer);
    return good;
}

void subject_window(const struct subject *subject, size_t index, size_t context, uint32_t *to) {
    memcpy(to, subject->tokens.ids + index * context, context * sizeof *to);
    for (size_t i = 0; i < subject->n_prefix && i < context; i++)
        to[i] = subject->prefix[i];
}

bool subject_windows(const struct subject *subject, const struct text *text, size_t context, size_t limit,
                     size_t *windows, struct error *error) {
    const struct model *model = &subject->model;
    if (context > model->config.context)
        return fail(error, "%s: windows of %zu tokens, the model was made for %llu", model->path, context,
                    (unsigned long long)model->config.context);
    if (subject->tokens.count < context)
        return fail(error, "%s: is %zu tokens to %s, one window needs %zu", text->name, subject->tokens.count,
                    model->path, context);
    *windows = subject->tokens.count / context;
    if (*windows > limit)
        *windows = limit;
    return true;
}
