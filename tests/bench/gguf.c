/* Writes a GGUF file for compare.sh: a model of ours, or one made up in a known shape, so that llama.cpp can
 * be timed at the same sizes.
 *
 *   gguf MODEL.qm OUT.gguf            MODEL.qm in f16
 *   gguf --shape SHAPE OUT.gguf
 *
 * For speed alone: there is no tokenizer inside, rotary frequencies are left plain, and the rows of queries
 * and keys are in our order, where llama.cpp expects rotary pairs side by side. None of it changes what a
 * token costs. Models that are not Llama in all but their sizes are refused.
 *
 * Version 3 of the format as ggml's docs/gguf.md has it, little-endian:
 *
 *   "GGUF", u32 version, u64 tensors, u64 metadata items
 *   items     text key, u32 kind, value; a text is its length (u64) and its bytes
 *   tensors   text name, u32 n, n of u64 dimensions (innermost first), u32 type, u64 offset in the data
 *   data      at a multiple of 32 bytes, as is each tensor in it */
#include "evaluate/shapes.h"
#include "infer/model_parts.h"
#include "lib/file.h"
#include "lib/options.h"

#include <string.h>

enum { VERSION = 3, ALIGNMENT = 32 };
enum kind { KIND_UINT32 = 4, KIND_FLOAT32 = 6, KIND_TEXT = 8 };
enum tensor_type { TENSOR_F32 = 0, TENSOR_F16 = 1 };
#define MOSTLY_F16 1 /* general.file_type */

/* A tensor's bytes where they lie in the model's memory. */
struct piece {
    const void *data;
    uint64_t size, offset;
    enum tensor_type type;
};

struct writing {
    struct model *model;
    struct role_tensor *roles;
    struct piece *pieces; /* [n] */
    size_t n;
    struct buffer header;
    uint64_t data_size;
};

static uint64_t aligned(uint64_t offset) {
    return offset + -offset % ALIGNMENT;
}

/* ---- The header ---- */

static bool put_u32(struct buffer *to, uint32_t x, struct error *error) {
    return buffer_append(to, &x, sizeof x, error);
}

static bool put_u64(struct buffer *to, uint64_t x, struct error *error) {
    return buffer_append(to, &x, sizeof x, error);
}

static bool put_text(struct buffer *to, const char *text, struct error *error) {
    return put_u64(to, strlen(text), error) && buffer_append(to, text, strlen(text), error);
}

static const struct {
    const char *key, *text;
} texts[] = {
    {"general.architecture", "llama"},
    {"tokenizer.ggml.model", "no_vocab"},
};

/* Its numbers, and where the configuration has them. */
static const struct {
    const char *key;
    enum kind kind;
    size_t offset;
} numbers[] = {
    {"llama.block_count", KIND_UINT32, offsetof(struct model_config, n_layers)},
    {"llama.context_length", KIND_UINT32, offsetof(struct model_config, context)},
    {"llama.embedding_length", KIND_UINT32, offsetof(struct model_config, dim)},
    {"llama.feed_forward_length", KIND_UINT32, offsetof(struct model_config, ffn_dim)},
    {"llama.vocab_size", KIND_UINT32, offsetof(struct model_config, vocab_size)},
    {"llama.attention.head_count", KIND_UINT32, offsetof(struct model_config, n_heads)},
    {"llama.attention.head_count_kv", KIND_UINT32, offsetof(struct model_config, n_kv_heads)},
    {"llama.attention.key_length", KIND_UINT32, offsetof(struct model_config, head_dim)},
    {"llama.attention.value_length", KIND_UINT32, offsetof(struct model_config, head_dim)},
    {"llama.rope.dimension_count", KIND_UINT32, offsetof(struct model_config, head_dim)},
    {"llama.rope.freq_base", KIND_FLOAT32, offsetof(struct model_config, rope_theta)},
    {"llama.attention.layer_norm_rms_epsilon", KIND_FLOAT32, offsetof(struct model_config, norm_eps)},
};
#define COUNT(array) (sizeof(array) / sizeof *(array))

static bool put_number(struct buffer *to, const struct model_config *config, size_t i, struct error *error) {
    const void *at = (const char *)config + numbers[i].offset;
    if (!put_text(to, numbers[i].key, error) || !put_u32(to, numbers[i].kind, error))
        return false;
    if (numbers[i].kind == KIND_UINT32)
        return put_u32(to, (uint32_t) * (const uint64_t *)at, error);
    float x = (float)*(const double *)at;
    return buffer_append(to, &x, sizeof x, error);
}

static bool put_metadata(struct buffer *to, const struct model_config *config, struct error *error) {
    for (size_t i = 0; i < COUNT(texts); i++)
        if (!put_text(to, texts[i].key, error) || !put_u32(to, KIND_TEXT, error) ||
            !put_text(to, texts[i].text, error))
            return false;
    for (size_t i = 0; i < COUNT(numbers); i++)
        if (!put_number(to, config, i, error))
            return false;
    return put_text(to, "general.file_type", error) && put_u32(to, KIND_UINT32, error) &&
           put_u32(to, MOSTLY_F16, error);
}

static bool put_tensor(struct buffer *to, const struct role_tensor *role, const struct piece *piece,
                       struct error *error) {
    if (!put_text(to, role->name, error) || !put_u32(to, role->n_dims, error))
        return false;
    for (uint32_t d = role->n_dims; d-- > 0;)
        if (!put_u64(to, role->dims[d], error))
            return false;
    return put_u32(to, piece->type, error) && put_u64(to, piece->offset, error);
}

static bool put_header(struct writing *w, struct error *error) {
    struct buffer *to = &w->header;
    if (!buffer_append(to, "GGUF", 4, error) || !put_u32(to, VERSION, error) || !put_u64(to, w->n, error) ||
        !put_u64(to, COUNT(texts) + COUNT(numbers) + 1, error) || !put_metadata(to, &w->model->config, error))
        return false;
    for (size_t i = 0; i < w->n; i++)
        if (!put_tensor(to, &w->roles[i], &w->pieces[i], error))
            return false;
    return true;
}

/* ---- The file ---- */

static bool find_piece(struct model *model, const struct role_tensor *role, struct piece *piece,
                       struct error *error) {
    const struct matrix *matrix = model_matrix(model, role);
    if (!matrix) {
        *piece = (struct piece){*model_vector(model, role), role->dims[0] * sizeof(float), 0, TENSOR_F32};
        return true;
    }
    if (strcmp(matrix->type->name, "f16"))
        return fail(error, "%s: tensor '%s' is of type %s, expected f16, which quantize --type f16 makes",
                    model->path, role->name, matrix->type->name);
    *piece = (struct piece){matrix->data, 0, 0, TENSOR_F16};
    return matrix_bytes(matrix->type, matrix->n_rows, matrix->n_cols, &piece->size) ||
           fail(error, "%s: tensor '%s' is too large", model->path, role->name);
}

static bool lay_out(struct writing *w, struct arena *arena, struct error *error) {
    w->roles = config_tensors(&w->model->config, &w->n, arena, error);
    w->pieces = w->roles ? ARENA_NEW(arena, struct piece, w->n, error) : NULL;
    if (!w->pieces)
        return false;
    for (size_t i = 0; i < w->n; i++) {
        struct piece *piece = &w->pieces[i];
        if (!find_piece(w->model, &w->roles[i], piece, error))
            return false;
        piece->offset = w->data_size;
        w->data_size = aligned(w->data_size + piece->size);
    }
    return put_header(w, error);
}

static bool write_data(const struct writing *w, struct output *output, struct error *error) {
    uint64_t begin = aligned(w->header.size);
    if (!output_reserve(output, begin + w->data_size, error) ||
        !output_write(output, w->header.data, w->header.size, 0, error))
        return false;
    for (size_t i = 0; i < w->n; i++) {
        const struct piece *piece = &w->pieces[i];
        if (!output_write(output, piece->data, piece->size, begin + piece->offset, error))
            return false;
    }
    return true;
}

static bool write_gguf(struct model *model, const char *path, bool force, struct error *error) {
    struct writing writing = {.model = model};
    struct arena arena = {0};
    struct output *output = NULL;
    bool good = lay_out(&writing, &arena, error) && (output = output_create(path, force, error)) &&
                write_data(&writing, output, error);
    if (good)
        good = output_commit(output, error);
    else
        output_abandon(output);
    buffer_free(&writing.header);
    arena_free(&arena);
    return good;
}

/* ---- The command line ---- */

/* Of what is no size, GGUF's "llama" has biases alone: other traits would be left out in silence. */
static bool check_traits(const struct model_config *config, struct error *error) {
    const struct model_config llama = {.family = "llama", .qkv_bias = true};
    struct arena arena = {0};
    struct metadata known = {.arena = &arena}, found = {.arena = &arena};
    bool good = config_to_metadata(&llama, &known, error) && config_to_metadata(config, &found, error);
    for (size_t i = 0; good && i < found.count; i++)
        if (!metadata_find(&known, found.items[i].key))
            good = fail(error, "%s is a trait that Llama, as which models are written here, does not have",
                        found.items[i].key);
    arena_free(&arena);
    return good;
}

static bool open_model(struct model *model, const char *path, struct error *error) {
    if (!model_open(model, path, error))
        return false;
    if (check_traits(&model->config, error))
        return true;
    model_close(model);
    return false;
}

static bool make_up(struct model *model, const char *name, uint64_t n_threads, struct error *error) {
    const struct shape *shape = shape_find(name, error);
    struct pool *pool = shape && check_traits(&shape->config, error) ? pool_new(n_threads, error) : NULL;
    bool good = pool && model_synthetic(model, &shape->config, type_find("f16"), shape->model, pool, error);
    pool_free(pool);
    return good;
}

static bool run(const char *shape, const struct text_list *arguments, const struct common *common,
                struct error *error) {
    struct model model;
    if (arguments->count != (shape ? 1 : 2))
        return fail(error, shape ? "--shape makes up its own model, so only OUT.gguf is named beside it"
                                 : "expected MODEL.qm and OUT.gguf");
    if (!(shape ? make_up(&model, shape, common->n_threads, error)
                : open_model(&model, arguments->items[0], error)))
        return false;
    bool good = write_gguf(&model, arguments->items[arguments->count - 1], common->force, error);
    model_close(&model);
    return good;
}

int main(int argc, char **argv) {
    const char *shape = NULL;
    struct common common = {0};
    const struct option options[] = {
        {"shape", OPTION_TEXT, &shape, "SHAPE",
         "in place of MODEL.qm: made-up weights in a shape such as 1b"},
        {0},
    };
    const struct command command = {
        "gguf",
        "MODEL.qm OUT.gguf | --shape SHAPE OUT.gguf",
        "Writes a model in f16 as GGUF, to time other programs at the same sizes; it says nothing sensible.",
        options,
        1,
        2};
    struct arena arena = {0};
    struct text_list arguments = {0};
    struct error error;
    outputs_guard_signals();
    enum parsed parsed = options_parse(&command, argc, argv, &common, &arguments, &arena, &error);
    bool good = parsed == PARSED_EXIT || (parsed == PARSED_RUN && run(shape, &arguments, &common, &error));
    arena_free(&arena);
    return good ? EXIT_DONE : report_failure(&command, &error);
}
