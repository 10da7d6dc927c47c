/* Turns a model of any format that is read into one that is written. */
#include "convert/targets.h"
#include "lib/file.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static void describe(const struct model_config *c) {
    fprintf(stderr,
            "%s: %" PRIu64 " layers, width %" PRIu64 ", feed-forward %" PRIu64 ", %" PRIu64
            " heads of %" PRIu64 " over %" PRIu64 " key-value heads, %" PRIu64 " tokens, context %" PRIu64
            "%s\n",
            c->family, c->n_layers, c->dim, c->ffn_dim, c->n_heads, c->head_dim, c->n_kv_heads, c->vocab_size,
            c->context, c->tied_head ? ", tied head" : "");
}

static bool convert(const struct request *request, const char *in, const char *out, struct error *error) {
    struct import import;
    const struct target *target = find_target(out, error);
    if (!target || !check_options(request, target, error) || !import_open(&import, in, error))
        return false;
    if (request->common.verbose)
        describe(&import.config);
    struct pool *pool = pool_new(request->common.n_threads, error);
    bool good = pool && target->write(request, &import, out, pool, error);
    pool_free(pool);
    import_close(&import);
    return good;
}

int main(int argc, char **argv) {
    struct request request = {.dtype = "keep"};
    const struct option options[] = {
        {"dtype", OPTION_TEXT, &request.dtype, "TYPE",
         "store all tensors as f32, f16 or bf16; without it each keeps its type"},
        {"as", OPTION_TEXT, &request.as, "TYPE",
         "of a .gguf: matrices as F32, F16, BF16, Q8_0 or Q4_0; without it each keeps its type"},
        {0},
    };
    const struct command command = {
        "convert",
        "IN OUT",
        "Turns one kind of model into another.\n"
        "IN is a Hugging Face folder, a .safetensors file with config.json and its tokenizer\n"
        "beside it, the .safetensors.index.json of one in shards, a .gguf file (the first of\n"
        "its shards), or a .qm file.\n"
        "OUT is a .qm or a .gguf file, a .safetensors file, beside which those files go too, or a\n"
        "folder for them.",
        options,
        2,
        2};
    struct arena arena = {0};
    struct text_list arguments = {0};
    struct error error;
    outputs_guard_signals();
    enum parsed parsed = options_parse(&command, argc, argv, &request.common, &arguments, &arena, &error);
    bool good = parsed == PARSED_EXIT ||
                (parsed == PARSED_RUN && convert(&request, arguments.items[0], arguments.items[1], &error));
    arena_free(&arena);
    return good ? EXIT_DONE : report_failure(&command, &error);
}
