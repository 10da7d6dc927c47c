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

static bool say(struct chat *chat, const char *role, const char *text, struct error *error) {
    return chat_add(chat, role, text, strlen(text), error);
}

/* The whole conversation, of which the model knows what it has read and said. */
static bool give_conversation(struct generation *g, struct chat *chat, struct error *error) {
    const struct text_part *parts;
    struct tokens tokens = {0};
    size_t n_parts;
    bool good = chat_prompt(chat, &parts, &n_parts, error) &&
                tokenizer_encode_parts(g->tokenizer, parts, n_parts, &tokens, error);
    if (good && tokens.count == 0)
        good = fail(error, "%s: the chat template makes nothing of the conversation", g->model->path);
    good = good && generation_give(g, &tokens, error);
    tokens_free(&tokens);
    return good;
}

static bool fail_full(const struct generation *g, struct error *error) {
    return fail(error,
                "the conversation has come to %zu tokens, the context is %zu; end it here, or allow it more "
                "with --ctx (the model's limit is %llu)",
                g->text.count, g->session.capacity, (unsigned long long)g->model->config.context);
}

static bool answer(struct generation *g, struct chat *chat, const char *user, uint64_t limit,
                   struct error *error) {
    enum outcome outcome;
    if (!say(chat, "user", user, error) || !give_conversation(g, chat, error))
        return false;
    if (g->text.count > g->session.capacity)
        return fail_full(g, error);
    interrupted = 0;
    g->begins = true;
    if (!generate(g, limit, &interrupted, &outcome, error) || !stream_end(&g->stream, error))
        return false;
    if (outcome == OUTCOME_CONTEXT)
        return fail_full(g, error);
    return chat_add(chat, "assistant", g->written.data, g->written.size, error);
}

bool converse(struct generation *g, struct chat *chat, const char *system, const char *first, uint64_t limit,
              struct error *error) {
    bool terminal = isatty(STDIN_FILENO), end = false, good = true;
    struct buffer line = {0};
    catch_interrupts();
    if (system)
        good = say(chat, "system", system, error);
    if (first && good)
        good = answer(g, chat, first, limit, error);
    while (good && !end && !g->stream.closed) {
        if (terminal)
            fputs("> ", stderr);
        interrupted = 0;
        good = read_line(&line, &end, error);
        end = end || (good && strcmp(line.data, "/exit") == 0);
        if (good && !end && line.size > 0)
            good = answer(g, chat, line.data, limit, error);
    }
    if (terminal && good)
        fputc('\n', stderr);
    buffer_free(&line);
    return good;
}
