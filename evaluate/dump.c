#include "evaluate/dump.h"

#include "lib/file.h"

#define AT_ONCE 128 /* tokens whose logits are held at once */

struct dump {
    const struct subject *subject;
    struct session session;
    struct output *output;
    uint64_t end; /* of what was written */
    uint32_t *window;
    float *logits; /* (AT_ONCE, vocab_size) */
    struct arena arena;
};

static bool dump_window(struct dump *dump, size_t index, size_t context, struct error *error) {
    size_t vocab_size = dump->subject->model.config.vocab_size;
    subject_window(dump->subject, index, context, dump->window);
    session_rewind(&dump->session, 0);
    for (size_t at = 0, n; at < context; at += n) {
        n = context - at < AT_ONCE ? context - at : AT_ONCE;
        size_t bytes = n * vocab_size * sizeof(float);
        if (!session_forward(&dump->session, dump->window + at, n, dump->logits, n, error) ||
            !output_write(dump->output, dump->logits, bytes, dump->end, error))
            return false;
        dump->end += bytes;
    }
    return true;
}

static bool open_dump(struct dump *dump, size_t context, struct pool *pool, struct error *error) {
    const struct model *model = &dump->subject->model;
    dump->window = ARENA_NEW(&dump->arena, uint32_t, context, error);
    dump->logits = ARENA_NEW(&dump->arena, float, AT_ONCE * model->config.vocab_size, error);
    return dump->window && dump->logits && session_open(&dump->session, model, context, AT_ONCE, pool, error);
}

bool dump_logits(const char *path, bool force, const struct subject *subject, size_t context, size_t windows,
                 struct pool *pool, struct error *error) {
    struct dump dump = {.subject = subject, .output = output_create(path, force, error)};
    bool good = dump.output && open_dump(&dump, context, pool, error);
    for (size_t i = 0; good && i < windows; i++)
        good = dump_window(&dump, i, context, error);
    if (good)
        good = output_commit(dump.output, error);
    else
        output_abandon(dump.output);
    session_close(&dump.session);
    arena_free(&dump.arena);
    return good;
}
