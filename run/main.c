/* Lets a model write. */
#include "format/qm.h"
#include "infer/chat.h"
#include "lib/options.h"
#include "lib/progress.h"
#include "run/conversation.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define TEXT_LIMIT (1u << 30) /* bytes of standard input */
#define DEFAULT_TOKENS 256
#define DEFAULT_CHAT_CONTEXT 8192
#define NOT_GIVEN UINT64_MAX

struct request {
    const char *model;
    const char *prompt, *system;
    uint64_t n_tokens, context;
    struct sampling sampling;
    bool chat, tokenize;
    struct common common;
    struct arena arena;
};

static bool read_input(struct request *request, char **text, size_t *size, struct error *error) {
    return file_read_all("-", TEXT_LIMIT, &request->arena, text, size, error);
}

static bool check_format(const char *path, struct error *error) {
    if (file_exists(path) && !qm_format.probe(path))
        return fail(error, "%s: not a .qm file; convert makes one of a checkpoint: convert %s model.qm", path,
                    path);
    return true;
}

/* ---- --tokenize ---- */

static bool print_ids(const struct tokens *tokens, struct error *error) {
    for (size_t i = 0; i < tokens->count; i++)
        printf(i ? " %" PRIu32 : "%" PRIu32, tokens->ids[i]);
    putchar('\n');
    return finish_output(error);
}

static bool tokenize_with(struct request *request, const struct container *container, struct error *error) {
    struct model_config config;
    struct tokens tokens = {0};
    char *text;
    size_t size;
    if (!config_from_metadata(&config, &container->metadata, container->path, error))
        return false;
    struct tokenizer *tokenizer = tokenizer_open(container, config.vocab_size, error);
    bool good = tokenizer && read_input(request, &text, &size, error) &&
                tokenizer_encode(tokenizer, text, size, true, &tokens, error) && print_ids(&tokens, error);
    tokens_free(&tokens);
    tokenizer_free(tokenizer);
    return good;
}

static bool tokenize(struct request *request, struct error *error) {
    struct container container;
    if (!container_open(&container, request->model, error))
        return false;
    bool good = tokenize_with(request, &container, error);
    container_close(&container);
    return good;
}

/* ---- A prompt ---- */

/* From -p, else from standard input, less the newline that ends its last line. */
static bool find_prompt(struct request *request, const char **prompt, size_t *size, struct error *error) {
    char *text;
    if (request->prompt) {
        *prompt = request->prompt;
        *size = strlen(request->prompt);
        return true;
    }
    if (isatty(STDIN_FILENO))
        return fail(error, "there is no prompt; give one with -p, or through standard input");
    if (!read_input(request, &text, size, error))
        return false;
    *size -= *size > 0 && text[*size - 1] == '\n';
    *size -= *size > 0 && text[*size - 1] == '\r';
    *prompt = text;
    return true;
}

/* What the tokenizer puts first, then the prompt; an empty one begins with the model's own first token. */
static bool give_prompt(struct generation *g, const char *prompt, size_t size, struct error *error) {
    struct tokens tokens = {0};
    size_t n_prefix;
    const uint32_t *prefix = tokenizer_prefix(g->tokenizer, &n_prefix);
    bool good = true;
    for (size_t i = 0; i < n_prefix && good; i++)
        good = tokens_push(&tokens, prefix[i], error);
    good = good && tokenizer_encode(g->tokenizer, prompt, size, true, &tokens, error);
    if (good && tokens.count == 0)
        good = g->ends.has_begin
                   ? tokens_push(&tokens, g->ends.begin, error)
                   : fail(error, "the prompt is empty and the model names no token to begin with");
    good = good && generation_give(g, &tokens, error);
    g->begins = size == 0;
    tokens_free(&tokens);
    return good;
}

static uint64_t context_of(const struct request *request, const struct model *model) {
    return request->context != NOT_GIVEN ? request->context : model->config.context;
}

/* Room for the prompt and what is to come, as far as the context goes. */
static bool start(const struct request *request, struct generation *g, struct pool *pool,
                  struct error *error) {
    uint64_t context = context_of(request, g->model), n_prompt = g->text.count, capacity;
    if (n_prompt > context)
        return fail(error, "%s: the prompt is %" PRIu64 " tokens, the context is %" PRIu64, g->model->path,
                    n_prompt, context);
    if (!add_sizes(n_prompt, request->n_tokens, &capacity) || capacity > context)
        capacity = context;
    return generation_start(g, (size_t)capacity, pool, error);
}

static void print_rate(const char *what, const struct rate *rate) {
    fprintf(stderr, "%s: %" PRIu64 " tokens, %.2f s, %.1f tokens/s\n", what, rate->tokens, rate->seconds,
            rate->seconds > 0 ? (double)rate->tokens / rate->seconds : 0);
}

static void print_statistics(const struct request *request, const struct generation *g) {
    if (request->common.quiet || g->prompt.tokens == 0)
        return;
    print_rate("prompt", &g->prompt);
    print_rate("generation", &g->answer);
    if (request->sampling.temperature > 0)
        fprintf(stderr, "seed: %" PRIu64 "\n", request->sampling.seed);
}

static bool write_on(struct request *request, struct generation *g, struct pool *pool, struct error *error) {
    static const volatile sig_atomic_t never;
    enum outcome outcome;
    const char *prompt = NULL;
    size_t size = 0;
    if (!find_prompt(request, &prompt, &size, error) || !give_prompt(g, prompt, size, error) ||
        !start(request, g, pool, error))
        return false;
    if (!request->common.quiet && !stream_write(&g->stream, prompt, size, error))
        return false;
    if (!generate(g, request->n_tokens, &never, &outcome, error) || !stream_end(&g->stream, error))
        return false;
    if (outcome == OUTCOME_CONTEXT && !request->common.quiet)
        fprintf(stderr, "stopped: the context of %zu tokens is full\n", g->session.capacity);
    print_statistics(request, g);
    return true;
}

/* ---- --chat ---- */

static bool talk(struct request *request, struct generation *g, struct pool *pool, struct error *error) {
    struct chat chat;
    uint64_t capacity = context_of(request, g->model);
    if (request->context == NOT_GIVEN && capacity > DEFAULT_CHAT_CONTEXT)
        capacity = DEFAULT_CHAT_CONTEXT;
    if (!chat_open(&chat, &g->model->container, error))
        return false;
    bool good = ends_add_stop(&g->ends, g->tokenizer, chat_behind_answer(&chat), error) &&
                generation_start(g, (size_t)capacity, pool, error) &&
                converse(g, &chat, request->system, request->prompt, request->n_tokens, error);
    chat_close(&chat);
    if (good)
        print_statistics(request, g);
    return good;
}

/* ---- */

static bool run_model(struct request *request, const struct model *model, const struct tokenizer *tokenizer,
                      struct error *error) {
    struct generation generation;
    if (request->context != NOT_GIVEN && request->context > model->config.context)
        return fail(error, "--ctx %" PRIu64 ": the model's context is %" PRIu64, request->context,
                    model->config.context);
    if (!generation_open(&generation, model, tokenizer, &request->sampling, error))
        return false;
    struct pool *pool = pool_new(request->common.n_threads, error);
    bool good = pool && (request->chat ? talk : write_on)(request, &generation, pool, error);
    generation_close(&generation);
    pool_free(pool);
    return good;
}

static bool run(struct request *request, struct error *error) {
    struct model model;
    if (request->tokenize)
        return tokenize(request, error);
    if (!model_open(&model, request->model, error))
        return false;
    struct tokenizer *tokenizer = tokenizer_open(&model.container, model.config.vocab_size, error);
    bool good = tokenizer && run_model(request, &model, tokenizer, error);
    tokenizer_free(tokenizer);
    model_close(&model);
    return good;
}

/* What depends on other options or on the time. */
static void complete(struct request *request, const char *model) {
    request->model = model;
    if (request->n_tokens == NOT_GIVEN && !request->chat)
        request->n_tokens = DEFAULT_TOKENS;
    if (request->sampling.seed == NOT_GIVEN)
        request->sampling.seed = (uint64_t)(clock_seconds() * 1e6) & UINT32_MAX;
}

static bool check_options(const struct request *request, struct error *error) {
    if (request->context == 0)
        return fail(error, "--ctx 0: a context has at least one token");
    if (request->system && !request->chat)
        return fail(error, "--system is for --chat");
    if (request->tokenize && (request->chat || request->prompt))
        return fail(error, "--tokenize reads standard input alone");
    return true;
}

int main(int argc, char **argv) {
    struct request request = {.n_tokens = NOT_GIVEN,
                              .context = NOT_GIVEN,
                              .sampling = {.temperature = 0.8,
                                           .top_k = 40,
                                           .top_p = 0.95,
                                           .min_p = 0.05,
                                           .repetition_penalty = 1,
                                           .penalty_window = 64,
                                           .seed = NOT_GIVEN}};
    const struct option options[] = {
        {"p|prompt", OPTION_TEXT, &request.prompt, "TEXT",
         "what to go on from; without it, standard input is read"},
        {"n|tokens", OPTION_COUNT, &request.n_tokens, "N",
         "most tokens to write: 256, or no limit in a chat"},
        {"temp", OPTION_REAL, &request.sampling.temperature, "T",
         "temperature, 0.8; 0 always takes the likeliest token"},
        {"top-k", OPTION_COUNT, &request.sampling.top_k, "K", "choose among the K likeliest, 40; 0 for all"},
        {"top-p", OPTION_REAL, &request.sampling.top_p, "P",
         "choose among the likeliest that make up P, 0.95; 1 for all"},
        {"min-p", OPTION_REAL, &request.sampling.min_p, "P",
         "leave out tokens under P times the likeliest, 0.05; 0 for none"},
        {"repeat-penalty", OPTION_REAL, &request.sampling.repetition_penalty, "R",
         "make the last 64 tokens less likely, 1 for not at all"},
        {"seed", OPTION_COUNT, &request.sampling.seed, "N", "makes choices repeatable; else by the clock"},
        {"ctx", OPTION_COUNT, &request.context, "N",
         "most tokens of prompt and answer: the model's limit, in a chat at most 8192"},
        {"chat", OPTION_FLAG, &request.chat, NULL, "talk line by line, in the form the model was taught"},
        {"system", OPTION_TEXT, &request.system, "TEXT", "in a chat, tells the model how to behave"},
        {"tokenize", OPTION_FLAG, &request.tokenize, NULL, "print the token ids of standard input instead"},
        {0},
    };
    const struct command command = {
        "run",
        "MODEL.qm -p PROMPT",
        "Writes on from a prompt, or talks with --chat. The prompt and what follows go to standard output "
        "as\n"
        "they come, speed and seed to standard error; -q leaves out the prompt and those.",
        options,
        1,
        1};
    struct text_list arguments = {0};
    struct error error;
    enum parsed parsed =
        options_parse(&command, argc, argv, &request.common, &arguments, &request.arena, &error);
    bool good = parsed == PARSED_EXIT;
    if (parsed == PARSED_RUN) {
        complete(&request, arguments.items[0]);
        good =
            check_options(&request, &error) && check_format(request.model, &error) && run(&request, &error);
    }
    arena_free(&request.arena);
    return good ? EXIT_DONE : report_failure(&command, &error);
}
