#include "run/conversation.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LINE_LIMIT (16u << 20)

static volatile sig_atomic_t interrupted;

static void on_interrupt(int signal_number) {
    (void)signal_number;
    interrupted = 1;
}

/* Without restarting reads, so that Ctrl-C at the prompt ends the wait. */
static void catch_interrupts(void) {
    struct sigaction action = {.sa_handler = on_interrupt};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
}

/* One line without its newline. *end where there is none. */
static bool read_line(struct buffer *line, bool *end, struct error *error) {
    int c;
    line->size = 0;
    while ((c = getc(stdin)) != EOF && c != '\n') {
        char byte = (char)c;
        if (line->size == LINE_LIMIT)
            return fail(error, "standard input: a line of over %u bytes", LINE_LIMIT);
        if (!buffer_append(line, &byte, 1, error))
            return false;
    }
    *end = interrupted || (c == EOF && line->size == 0);
    return buffer_append(line, "", 0, error);
}

static bool push_turn(struct generation *g, struct chat *chat, const char *system, const char *user,
                      struct error *error) {
    struct text_part parts[CHAT_MAX_PARTS];
    struct tokens turn = {0};
    size_t n_parts;
    bool good = chat_turn(chat, system, user, parts, &n_parts, error) &&
                tokenizer_encode_parts(g->tokenizer, parts, n_parts, &turn, error);
    for (size_t i = 0; i < turn.count && good; i++)
        good = generation_push(g, turn.ids[i], error);
    tokens_free(&turn);
    return good;
}

static bool fail_full(const struct generation *g, size_t needed, struct error *error) {
    return fail(error,
                "the conversation has come to %zu tokens, the context is %zu; end it here, or allow it more "
                "with --ctx (the model's limit is %llu)",
                needed, g->session.capacity, (unsigned long long)g->model->config.context);
}

static bool answer(struct generation *g, struct chat *chat, const char *system, const char *user,
                   uint64_t limit, struct error *error) {
    enum outcome outcome;
    if (!push_turn(g, chat, system, user, error))
        return false;
    size_t needed = g->session.position + g->next.count;
    if (needed > g->session.capacity)
        return fail_full(g, needed, error);
    interrupted = 0;
    if (!generate(g, limit, &interrupted, &outcome, error) || !stream_end(&g->stream, error))
        return false;
    return outcome != OUTCOME_CONTEXT || fail_full(g, g->session.position + g->next.count, error);
}

bool converse(struct generation *g, struct chat *chat, const char *system, const char *first, uint64_t limit,
              struct error *error) {
    bool terminal = isatty(STDIN_FILENO), end = false, good = true;
    struct buffer line = {0};
    catch_interrupts();
    if (first)
        good = answer(g, chat, system, first, limit, error);
    while (good && !end && !g->stream.closed) {
        if (terminal)
            fputs("> ", stderr);
        interrupted = 0;
        good = read_line(&line, &end, error);
        end = end || (good && strcmp(line.data, "/exit") == 0);
        if (good && !end && line.size > 0)
            good = answer(g, chat, system, line.data, limit, error);
    }
    if (terminal && good)
        fputc('\n', stderr);
    buffer_free(&line);
    return good;
}
