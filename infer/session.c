#include "infer/pass.h"

#include <inttypes.h>
#include <string.h>

#define BATCH_QUERIES                                                                                        \
    48 /* a head's queries that meet a block of keys together: scores, sums and queries fit                  \
          in the second-level cache */

/* ---- Taking in tokens ---- */

static bool check_tokens(const struct session *session, const uint32_t *tokens, size_t count,
                         struct error *error) {
    const struct model *model = session->model;
    if (count > session->capacity - session->position)
        return fail(error, "%s: %zu tokens behind %zu do not fit into a context of %zu", model->path, count,
                    session->position, session->capacity);
    for (size_t i = 0; i < count; i++)
        if (tokens[i] >= model->config.vocab_size)
            return fail(error, "%s: token id %" PRIu32 " is outside the vocabulary of %" PRIu64, model->path,
                        tokens[i], model->config.vocab_size);
    return true;
}

static void run(struct request *request) {
    struct session *sequences = request->sequences;
    const struct model_config *config = &sequences->model->config;
    const struct session_buffers *b = sequences->buffers;
    size_t length = request->length, count = request->n_sequences * length;
    for (size_t i = 0; i < count; i++) {
        size_t position = sequences[i / length].position + i % length;
        rope_turn(&b->rope, position, b->turns + i * b->rope.dim);
        if (config->rope_local_theta > 0)
            rope_turn(&b->local_rope, position, b->local_turns + i * b->rope.dim);
    }
    pool_run(sequences->pool, pass_forward, request);
    for (size_t i = 0; i < request->n_sequences; i++)
        sequences[i].position += length;
}

bool session_forward(struct session *session, const uint32_t *tokens, size_t count, float *logits,
                     size_t n_logits, struct error *error) {
    if (!check_tokens(session, tokens, count, error))
        return false;
    for (size_t done = 0, n; done < count; done += n) {
        n = least(session->buffers->batch, count - done);
        size_t behind = count - done - n; /* tokens of later passes */
        size_t wanted = n_logits > behind ? least(n_logits - behind, n) : 0;
        run(&(struct request){session, 1, n, tokens + done, logits, wanted});
        logits += wanted * session->model->config.vocab_size;
    }
    return true;
}

bool session_step(struct session *sessions, size_t n, const uint32_t *tokens, float *logits,
                  struct error *error) {
    for (size_t i = 0; i < n; i++)
        if (!check_tokens(&sessions[i], &tokens[i], 1, error))
            return false;
    run(&(struct request){sessions, n, 1, tokens, logits, n});
    return true;
}

void session_rewind(struct session *session, size_t position) {
    session->position = least(session->position, position);
}

/* What a head has in the cache for each position. */
static size_t position_bytes(const struct session *session) {
    const struct session_buffers *b = session->buffers;
    return (session->model->config.head_dim + b->width) * b->cache_kernels->value_bytes;
}

uint64_t session_kv_bytes(const struct session *session, size_t position) {
    const struct model_config *config = &session->model->config;
    uint64_t positions = 0;
    for (size_t i = 0; i < config->n_layers; i++)
        positions += least(position + 1, session->model->layers[i].window);
    return positions * config->n_kv_heads * position_bytes(session);
}

/* ---- Opening ---- */

static size_t common_divisor(size_t a, size_t b) {
    while (b) {
        size_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

static bool open_caches(struct session *sessions, size_t n, struct error *error) {
    struct session_buffers *b = sessions->buffers;
    const struct model_config *config = &sessions->model->config;
    uint64_t positions = (sessions->capacity + TILE - 1) / TILE * TILE, each, bytes;
    b->head_bytes = positions * position_bytes(sessions);
    if (!mul_sizes(b->head_bytes, config->n_layers * config->n_kv_heads, &each) ||
        !mul_sizes(each, n, &bytes) || bytes > SIZE_MAX)
        return fail(error, "%s: a cache for %zu positions is too large", sessions->model->path,
                    sessions->capacity);
    b->caches = memory_pages(bytes);
    if (!b->caches)
        return fail(error, "%s: no memory for %" PRIu64 " bytes of cache, %zu positions",
                    sessions->model->path, bytes, n * sessions->capacity);
    b->caches_bytes = bytes;
    for (size_t i = 0; i < n; i++) {
        sessions[i].buffers = b;
        sessions[i].cache = b->caches + i * each;
    }
    return true;
}

static size_t max_width(const struct model_config *c) {
    return most(most(c->ffn_dim, c->expert_ffn_dim), c->shared_ffn_dim);
}

static size_t max_cols(const struct model_config *c) {
    return most(most(c->dim, max_width(c)), c->n_heads * c->head_dim);
}

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* What the inputs of all matrices are rounded to. */
static uint32_t kinds_of(const struct model *model) {
    uint32_t kinds = kind_of(&model->head);
    for (const struct layer *l = model->layers; l < model->layers + model->config.n_layers; l++) {
        const struct matrix *matrices[] = {&l->q,
                                           &l->k,
                                           &l->v,
                                           &l->attn_output,
                                           &l->ffn.gate,
                                           &l->ffn.up,
                                           &l->ffn.down,
                                           &l->experts.router,
                                           &l->experts.gate,
                                           &l->experts.up,
                                           &l->experts.down};
        for (size_t i = 0; i < COUNT(matrices); i++)
            kinds |= kind_of(matrices[i]);
    }
    return kinds;
}

static bool open_own(struct session *session, struct own *own, struct error *error) {
    const struct model_config *c = &session->model->config;
    struct arena *arena = &session->arena;
    size_t group = c->n_heads / c->n_kv_heads;
    own->x = ARENA_NEW(arena, float, c->dim, error);
    own->normed = ARENA_NEW(arena, float, c->dim, error);
    own->mixed = ARENA_NEW(arena, float, c->dim, error);
    own->attended = ARENA_NEW(arena, float, c->n_heads * c->head_dim, error);
    own->row = ARENA_NEW(arena, float, c->n_heads * c->head_dim, error);
    own->picks = ARENA_NEW(arena, struct pick, c->n_experts_used, error);
    own->scratch = arena_alloc(arena, matmul_scratch_bytes(max_cols(c)), 1, error);
    return own->x && own->normed && own->mixed && own->attended && own->row && own->picks && own->scratch &&
           inputs_init(&own->inputs, 1, max_cols(c), 0, arena, error) &&
           attention_init(&own->attention, group > BATCH_QUERIES ? group : BATCH_QUERIES / group * group,
                          c->head_dim, (float)c->attention_softcap, arena, error);
}

/* Buffers of as many rows of floats. */
struct wanted {
    float **to;
    size_t rows, cols;
};

static bool open_rows(const struct wanted *wanted, size_t n, struct arena *arena, struct error *error) {
    for (size_t i = 0; i < n; i++)
        if (!(*wanted[i].to = arena_alloc(arena, wanted[i].rows, wanted[i].cols * sizeof(float), error)))
            return false;
    return true;
}

static bool open_experts(struct session *session, struct error *error) {
    const struct model_config *c = &session->model->config;
    struct session_buffers *b = session->buffers;
    struct expert_buffers *e = &b->experts;
    const struct wanted wanted[] = {
        {&e->router, b->batch, stride_of(c->n_experts)},
        {&e->gathered, b->batch, c->dim},
        {&e->mixed, b->batch, c->dim},
        {&e->outputs, most(b->batch, c->n_experts_used), stride_of(c->dim)},
    };
    if (!c->n_experts)
        return true;
    e->picks = ARENA_NEW(&session->arena, struct pick, b->batch * c->n_experts_used, error);
    e->routes = ARENA_NEW(&session->arena, struct route, b->batch * c->n_experts_used, error);
    e->ends = ARENA_NEW(&session->arena, size_t, c->n_experts, error);
    return e->picks && e->routes && e->ends && open_rows(wanted, COUNT(wanted), &session->arena, error);
}

static bool open_shared(struct session *session, struct error *error) {
    struct session_buffers *b = session->buffers;
    const struct model_config *c = &session->model->config;
    size_t n_widths = most(b->batch, c->n_experts_used);
    const struct wanted wanted[] = {
        {&b->turns, b->batch, b->rope.dim},
        {&b->local_turns, c->rope_local_theta > 0 ? b->batch : 0, b->rope.dim},
        {&b->x, b->batch, c->dim},
        {&b->normed, b->batch, c->dim},
        {&b->q, b->batch, stride_of(c->n_heads * c->head_dim)},
        {&b->attended, b->batch, c->n_heads * c->head_dim},
        {&b->k, b->batch, stride_of(c->n_kv_heads * c->head_dim)},
        {&b->v, b->batch, stride_of(c->n_kv_heads * c->head_dim)},
        {&b->projected, b->batch, stride_of(c->dim)},
        {&b->ffn_projected, b->batch, stride_of(c->dim)},
        {&b->gate, n_widths, stride_of(max_width(c))},
        {&b->up, n_widths, stride_of(max_width(c))},
        {&b->split_sums, b->max_splits, c->n_heads * b->width},
        {&b->split_totals, b->max_splits, c->n_heads},
        {&b->split_largest, b->max_splits, c->n_heads},
    };
    return open_rows(wanted, COUNT(wanted), &session->arena, error) && open_experts(session, error) &&
           inputs_init(&b->inputs, b->batch, max_cols(c), kinds_of(session->model), &session->arena, error);
}

/* A model in f32 is there for its precision: half keys move logits by up to 1.4e-3 of their range, seen with
 * SmolLM2. Others have rounded more than that away already. */
static const struct cache_kernels *cache_format(const struct model *model, const struct kernels *kernels) {
    return model->layers[0].k.type == type_find("f32") ? &kernels->single : &kernels->half;
}

static bool open_buffers(struct session *session, size_t batch, struct error *error) {
    const struct model_config *c = &session->model->config;
    unsigned n_threads = pool_size(session->pool);
    struct session_buffers *b = ARENA_NEW(&session->arena, struct session_buffers, 1, error);
    if (!b)
        return false;
    session->buffers = b;
    b->kernels = kernels_best();
    b->cache_kernels = cache_format(session->model, b->kernels);
    b->batch = batch;
    b->width = (c->head_dim + TILE - 1) / TILE * TILE;
    b->max_splits = n_threads / common_divisor(n_threads, c->n_kv_heads);
    b->own = ARENA_NEW(&session->arena, struct own, n_threads, error);
    if (!b->own || !rope_init(&b->rope, c, false, session->capacity, &session->arena, error) ||
        !rope_init(&b->local_rope, c, true, session->capacity, &session->arena, error) ||
        !open_shared(session, error))
        return false;
    for (unsigned thread = 0; thread < n_threads; thread++)
        if (!open_own(session, &b->own[thread], error))
            return false;
    return true;
}

bool session_open(struct session *session, const struct model *model, size_t capacity, size_t batch,
                  struct pool *pool, struct error *error) {
    return session_open_many(session, 1, model, capacity, batch, pool, error);
}

bool session_open_many(struct session *sessions, size_t n, const struct model *model, size_t capacity,
                       size_t batch, struct pool *pool, struct error *error) {
    for (size_t i = 0; i < n; i++)
        sessions[i] = (struct session){.model = model, .pool = pool, .capacity = capacity};
    if (capacity == 0 || capacity > model->config.context)
        return fail(error,
                    "%s: a context of %zu positions was asked for, the model was made for 1 to %" PRIu64,
                    model->path, capacity, model->config.context);
    if (batch == 0)
        return fail(error, "%s: batches of no tokens", model->path);
    bool good =
        open_buffers(sessions, most(least(batch, capacity), n), error) && open_caches(sessions, n, error);
    for (size_t i = 1; i < n; i++)
        sessions[i].buffers = sessions->buffers;
    if (!good)
        session_close(sessions);
    return good;
}

void session_close(struct session *session) {
    if (session->buffers && session->buffers->caches)
        memory_pages_free(session->buffers->caches, session->buffers->caches_bytes);
    arena_free(&session->arena);
    *session = (struct session){0};
}
