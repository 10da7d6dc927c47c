/* The forward pass.
 *
 * A pass takes in the next `length` tokens of each of its sequences: a run of one sequence's prompt, or one
 * token of each of several sequences. The matrices see one batch; only the cache and attention ask which
 * sequence a token is of.
 *
 * All of a pass runs inside one pool_run, with barriers between its stages. In a batch the threads share out
 * tokens wherever work is by token; rows of matrices they take as they come to them, so that none waits long
 * for one that was held up. A lone token, as in generation, has no tokens to share: its residual stream,
 * norms and rounding are so little work that every thread does them for itself, which is cheaper than waiting
 * for each other. */
#include "infer/session.h"

#include "infer/attention.h"
#include "infer/rope.h"
#include "types/matmul.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#define BATCH_QUERIES                                                                                        \
    48 /* a head's queries that meet a block of keys together: scores, sums and queries fit                  \
          in the second-level cache */
#define SPLIT_POSITIONS 128 /* of one head, that are worth handing to another thread */

/* What a thread has for itself. */
struct own {
    float *x, *normed; /* (dim), of a lone token */
    float *attended; /* (n_heads * head_dim), of a lone token */
    struct inputs inputs; /* of a lone token */
    struct attention attention;
    void *scratch; /* of matmul */
};

struct session_buffers {
    const struct kernels *kernels;
    size_t batch; /* tokens in one pass at most */
    size_t width; /* head_dim padded to a multiple of TILE */
    double *frequencies; /* [head_dim / 2] */
    float *turns; /* (batch, head_dim): the rotation of each token's position */
    float *x, *normed; /* (batch, dim) */
    float *attended; /* (batch, n_heads * head_dim) */
    /* Results of matrices; rows stride_of() floats apart. */
    float *q; /* (batch, n_heads * head_dim) */
    float *k, *v; /* (batch, n_kv_heads * head_dim) */
    float *projected; /* (batch, dim): what is added to the residual stream */
    float *gate, *up; /* (batch, ffn_dim) */
    struct deal *deals; /* [n_layers * LAYER_DEALS + 1]: the rows of each product of a pass */
    struct inputs inputs;
    size_t max_splits;
    float *split_sums; /* (max_splits, n_heads, width) */
    float *split_totals, *split_largest; /* (max_splits, n_heads) */
    struct own *own; /* [n_threads] */
    const struct cache_kernels *cache_kernels; /* of the caches' format */
    char *caches; /* of all sequences */
    size_t caches_bytes, head_bytes; /* of all; of one sequence's head */
};

/* Products of a layer whose rows are dealt to the threads; the head's come behind all layers. */
enum { DEAL_Q, DEAL_K, DEAL_V, DEAL_ATTN_OUTPUT, DEAL_FFN, DEAL_DOWN, LAYER_DEALS };

static size_t n_deals(const struct model_config *config) {
    return config->n_layers * LAYER_DEALS + 1;
}

/* Floats from one token's results to the next: one line of the cache more than there are, as places a power
 * of two apart would displace each other. */
static size_t stride_of(size_t n_rows) {
    return n_rows + 16;
}

/* What a pass is asked to do. */
struct request {
    struct session *sequences; /* [n_sequences] */
    size_t n_sequences, length;
    const uint32_t *tokens; /* (n_sequences, length) */
    float *logits; /* (n_logits, vocab_size), of the last tokens */
    size_t n_logits;
};

/* One thread's view of a pass. */
struct pass {
    const struct request *request;
    const struct model *model;
    const struct model_config *config;
    struct pool *pool;
    struct session_buffers *b;
    size_t count; /* tokens of all sequences */
    unsigned thread, n_threads;
    unsigned part, n_parts; /* this thread's part of work by token; 0 of 1 for a lone token */
    size_t token_begin, token_end; /* which comes to these tokens */
    float *x, *normed; /* (count, dim), shared or own */
    struct inputs *inputs; /* likewise */
    struct own *own;
};

static size_t least(size_t a, size_t b) {
    return a < b ? a : b;
}

static size_t most(size_t a, size_t b) {
    return a > b ? a : b;
}

/* ---- Stages ---- */

static void barrier(const struct pass *p) {
    pool_barrier(p->pool);
}

/* After work by token: waits for the others' tokens. */
static void settle(const struct pass *p) {
    if (p->n_parts > 1)
        barrier(p);
}

static uint32_t kind_of(const struct matrix *w) {
    return 1u << w->type->rounding;
}

static void round_inputs(const struct pass *p, const float *x, size_t stride, size_t count, size_t n_cols,
                         uint32_t kinds) {
    inputs_set(p->inputs, x, stride, count, n_cols, kinds, p->part, p->n_parts);
    settle(p);
}

static void norm_and_round(const struct pass *p, const float *weight, uint32_t kinds) {
    size_t dim = p->config->dim;
    for (size_t i = p->token_begin; i < p->token_end; i++)
        p->b->kernels->rms_norm(p->x + i * dim, weight, p->config->norm_eps, dim, p->normed + i * dim);
    settle(p);
    round_inputs(p, p->normed, dim, p->count, dim, kinds);
}

/* Takes the next rows of a product for this thread. */
static bool take_rows(const struct pass *p, struct deal *deal, size_t n_rows, size_t *begin, size_t *end) {
    return deal_take(deal, n_rows, matmul_grain(n_rows, p->count, p->n_threads), begin, end);
}

/* Rows [begin, end) of y (count, stride_of(n_rows)) = the rounded inputs times w, plus bias. */
static void multiply_rows(const struct pass *p, const struct matrix *w, const float *bias, float *y,
                          size_t begin, size_t end) {
    size_t stride = stride_of(w->n_rows);
    matmul(w, p->inputs, y, stride, p->own->scratch, begin, end);
    for (size_t i = 0; bias && i < p->count; i++)
        for (size_t row = begin; row < end; row++)
            y[i * stride + row] += bias[row];
}

static void project(const struct pass *p, struct deal *deal, const struct matrix *w, const float *bias,
                    float *y) {
    size_t begin, end;
    while (take_rows(p, deal, w->n_rows, &begin, &end))
        multiply_rows(p, w, bias, y, begin, end);
}

static void add_projected(const struct pass *p) {
    size_t dim = p->config->dim;
    for (size_t i = p->token_begin; i < p->token_end; i++)
        for (size_t d = 0; d < dim; d++)
            p->x[i * dim + d] += p->b->projected[i * stride_of(dim) + d];
}

static void embed(const struct pass *p) {
    const struct matrix *embedding = &p->model->embedding;
    for (size_t i = p->token_begin; i < p->token_end; i++)
        embedding->type->decode_row(embedding, p->request->tokens[i], p->x + i * p->config->dim);
}

static const struct session *sequence_of(const struct pass *p, size_t token) {
    return &p->request->sequences[token / p->request->length];
}

static size_t position_of(const struct pass *p, size_t token) {
    return sequence_of(p, token)->position + token % p->request->length;
}

/* One head of the cache of a token's sequence. */
static struct attention_cache cache_of(const struct pass *p, size_t token, size_t layer, size_t kv_head) {
    const struct session_buffers *b = p->b;
    size_t head_dim = p->config->head_dim;
    char *at = sequence_of(p, token)->cache + (layer * p->config->n_kv_heads + kv_head) * b->head_bytes;
    return (struct attention_cache){
        .kernels = b->cache_kernels,
        .keys = at,
        .values = at + b->head_bytes / (head_dim + b->width) * head_dim,
        .head_dim = head_dim,
        .width = b->width,
    };
}

/* Turns the new keys and puts them and the new values into the cache. */
static void store_keys_and_values(const struct pass *p, size_t layer) {
    struct session_buffers *b = p->b;
    size_t head_dim = p->config->head_dim, n_kv_heads = p->config->n_kv_heads, begin, end;
    share_of(p->count * n_kv_heads, 1, p->thread, p->n_threads, &begin, &end);
    for (size_t i = begin; i < end; i++) {
        size_t token = i / n_kv_heads;
        struct attention_cache cache = cache_of(p, token, layer, i % n_kv_heads);
        size_t at = token * stride_of(n_kv_heads * head_dim) + i % n_kv_heads * head_dim;
        float *key = b->k + at;
        rope_apply(key, b->turns + token * head_dim, head_dim, 1, key);
        attention_store(&cache, position_of(p, token), key, b->v + at);
    }
}

/* The queries of tokens [begin, end) of the heads that share a key-value head, turned and scaled. */
static void gather_queries(const struct pass *p, size_t kv_head, size_t begin, size_t end) {
    struct attention *a = &p->own->attention;
    size_t head_dim = p->config->head_dim, n_heads = p->config->n_heads;
    size_t group = n_heads / p->config->n_kv_heads;
    float scale = (float)(1 / sqrt((double)head_dim));
    a->n_queries = 0;
    for (size_t token = begin; token < end; token++)
        for (size_t head = kv_head * group; head < (kv_head + 1) * group; head++) {
            rope_apply(p->b->q + token * stride_of(n_heads * head_dim) + head * head_dim,
                       p->b->turns + token * head_dim, head_dim, scale, a->queries + a->n_queries * head_dim);
            a->limits[a->n_queries++] = position_of(p, token) + 1;
        }
}

/* Attention of tokens [begin, end), all of one sequence, with the heads that share a key-value head. */
static void attend_block(const struct pass *p, size_t layer, size_t kv_head, size_t begin, size_t end) {
    struct attention *a = &p->own->attention;
    size_t head_dim = p->config->head_dim, n_heads = p->config->n_heads;
    size_t group = n_heads / p->config->n_kv_heads;
    struct attention_cache cache = cache_of(p, begin, layer, kv_head);
    gather_queries(p, kv_head, begin, end);
    attention_run(a, p->b->kernels, &cache, 0, position_of(p, end - 1) + 1);
    for (size_t j = 0; j < a->n_queries; j++) {
        size_t token = begin + j / group, head = kv_head * group + j % group;
        float *out = p->b->attended + (token * n_heads + head) * head_dim;
        for (size_t d = 0; d < head_dim; d++)
            out[d] = a->sums[j * p->b->width + d] / a->totals[j];
    }
}

/* Attention of a batch: the work is cut into blocks of queries of one sequence and head, the later and longer
 * ones first, and dealt to the threads in turn. */
static void attend_batch(const struct pass *p, size_t layer) {
    size_t n_kv_heads = p->config->n_kv_heads, length = p->request->length;
    size_t at_once = p->own->attention.capacity / (p->config->n_heads / n_kv_heads);
    size_t n_blocks = (length + at_once - 1) / at_once, n_units = p->request->n_sequences * n_kv_heads;
    for (size_t unit = p->thread; unit < n_blocks * n_units; unit += p->n_threads) {
        size_t first = unit % n_units / n_kv_heads * length;
        size_t begin = (n_blocks - 1 - unit / n_units) * at_once, end = least(begin + at_once, length);
        attend_block(p, layer, unit % n_kv_heads, first + begin, first + end);
    }
}

/* Into how many runs of positions a lone token's attention is cut, so that all threads have the same share
 * however few key-value heads there are. */
static size_t n_splits(const struct pass *p) {
    size_t worth = (position_of(p, 0) + SPLIT_POSITIONS) / SPLIT_POSITIONS;
    return least(p->b->max_splits, worth);
}

/* Attention of a lone token over runs of positions, to be merged. */
static void attend_lone(const struct pass *p, size_t layer) {
    struct session_buffers *b = p->b;
    struct attention *a = &p->own->attention;
    size_t n_kv_heads = p->config->n_kv_heads, n_heads = p->config->n_heads, group = n_heads / n_kv_heads;
    size_t splits = n_splits(p), position = position_of(p, 0), n_tiles = position / TILE + 1;
    for (size_t unit = p->thread; unit < splits * n_kv_heads; unit += p->n_threads) {
        size_t kv_head = unit / splits, split = unit % splits, at = split * n_heads + kv_head * group;
        struct attention_cache cache = cache_of(p, 0, layer, kv_head);
        gather_queries(p, kv_head, 0, 1);
        attention_run(a, b->kernels, &cache, n_tiles * split / splits * TILE,
                      least(n_tiles * (split + 1) / splits * TILE, position + 1));
        memcpy(b->split_sums + at * b->width, a->sums, group * b->width * sizeof(float));
        memcpy(b->split_totals + at, a->totals, group * sizeof(float));
        memcpy(b->split_largest + at, a->largest, group * sizeof(float));
    }
}

/* One head's output from its runs: each weighed by what its softmax is of the whole. */
static void merge_head(const struct session_buffers *b, size_t splits, size_t n_heads, size_t head,
                       size_t head_dim, float *out) {
    float largest = -INFINITY, total = 0;
    for (size_t split = 0; split < splits; split++)
        largest = fmaxf(largest, b->split_largest[split * n_heads + head]);
    memset(out, 0, head_dim * sizeof *out);
    for (size_t split = 0; split < splits; split++) {
        size_t at = split * n_heads + head;
        float weight = expf(b->split_largest[at] - largest);
        total += weight * b->split_totals[at];
        for (size_t d = 0; d < head_dim; d++)
            out[d] += weight * b->split_sums[at * b->width + d];
    }
    for (size_t d = 0; d < head_dim; d++)
        out[d] /= total;
}

/* Leaves the attention's output as rounded inputs. */
static void attend(const struct pass *p, size_t layer, uint32_t kinds) {
    size_t n_heads = p->config->n_heads, head_dim = p->config->head_dim;
    const float *attended = p->b->attended;
    if (p->count > 1) {
        attend_batch(p, layer);
        barrier(p);
    } else {
        attend_lone(p, layer);
        barrier(p);
        for (size_t head = 0; head < n_heads; head++)
            merge_head(p->b, n_splits(p), n_heads, head, head_dim, p->own->attended + head * head_dim);
        attended = p->own->attended;
    }
    round_inputs(p, attended, n_heads * head_dim, p->count, n_heads * head_dim, kinds);
}

/* The gate's and the up projection's rows, and the activation of them. */
static void feed_forward(const struct pass *p, struct deal *deal, const struct layer *layer) {
    float *gate = p->b->gate, *up = p->b->up;
    size_t ffn_dim = p->config->ffn_dim, stride = stride_of(ffn_dim), begin, end;
    while (take_rows(p, deal, ffn_dim, &begin, &end)) {
        multiply_rows(p, &layer->gate, layer->gate_bias, gate, begin, end);
        multiply_rows(p, &layer->up, layer->up_bias, up, begin, end);
        for (size_t i = 0; i < p->count; i++)
            p->b->kernels->swiglu(gate + i * stride + begin, up + i * stride + begin, end - begin);
    }
}

static void forward_layer(const struct pass *p, size_t index) {
    const struct layer *layer = &p->model->layers[index];
    struct session_buffers *b = p->b;
    struct deal *deals = b->deals + index * LAYER_DEALS;

    norm_and_round(p, layer->attn_norm, kind_of(&layer->q) | kind_of(&layer->k) | kind_of(&layer->v));
    project(p, &deals[DEAL_Q], &layer->q, layer->q_bias, b->q);
    project(p, &deals[DEAL_K], &layer->k, layer->k_bias, b->k);
    project(p, &deals[DEAL_V], &layer->v, layer->v_bias, b->v);
    barrier(p);
    store_keys_and_values(p, index);
    barrier(p);
    attend(p, index, kind_of(&layer->attn_output));
    project(p, &deals[DEAL_ATTN_OUTPUT], &layer->attn_output, layer->attn_output_bias, b->projected);
    barrier(p);
    add_projected(p);

    norm_and_round(p, layer->ffn_norm, kind_of(&layer->gate) | kind_of(&layer->up));
    feed_forward(p, &deals[DEAL_FFN], layer);
    barrier(p);
    round_inputs(p, b->gate, stride_of(p->config->ffn_dim), p->count, p->config->ffn_dim,
                 kind_of(&layer->down));
    project(p, &deals[DEAL_DOWN], &layer->down, layer->down_bias, b->projected);
    barrier(p);
    add_projected(p);
}

/* Logits (n, vocab_size) of the pass's last n tokens. */
static void forward_head(const struct pass *p, float *logits, size_t n) {
    const struct model *model = p->model;
    struct deal *deal = p->b->deals + p->config->n_layers * LAYER_DEALS;
    size_t dim = p->config->dim, first = p->count - n, n_rows = model->head.n_rows, begin, end;
    for (size_t i = p->token_begin; i < p->token_end; i++)
        if (i >= first)
            p->b->kernels->rms_norm(p->x + i * dim, model->output_norm, p->config->norm_eps, dim,
                                    p->normed + i * dim);
    settle(p);
    round_inputs(p, p->normed + first * dim, dim, n, dim, kind_of(&model->head));
    while (deal_take(deal, n_rows, matmul_grain(n_rows, n, p->n_threads), &begin, &end))
        matmul(&model->head, p->inputs, logits, n_rows, p->own->scratch, begin, end);
}

/* ---- The pass ---- */

static struct pass view(const struct request *request, unsigned thread, unsigned n_threads) {
    const struct session *session = request->sequences;
    struct session_buffers *b = session->buffers;
    struct own *own = &b->own[thread];
    size_t count = request->n_sequences * request->length;
    bool lone = count == 1;
    struct pass pass = {
        .request = request,
        .model = session->model,
        .config = &session->model->config,
        .pool = session->pool,
        .b = b,
        .count = count,
        .thread = thread,
        .n_threads = n_threads,
        .part = lone ? 0 : thread,
        .n_parts = lone ? 1 : n_threads,
        .x = lone ? own->x : b->x,
        .normed = lone ? own->normed : b->normed,
        .inputs = lone ? &own->inputs : &b->inputs,
        .own = own,
    };
    share_of(count, 1, pass.part, pass.n_parts, &pass.token_begin, &pass.token_end);
    return pass;
}

static void forward(void *context, unsigned thread, unsigned n_threads) {
    const struct request *request = context;
    const struct pass pass = view(request, thread, n_threads);
    embed(&pass);
    for (size_t i = 0; i < pass.config->n_layers; i++)
        forward_layer(&pass, i);
    if (request->n_logits)
        forward_head(&pass, request->logits, request->n_logits);
}

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
    const struct session_buffers *b = sequences->buffers;
    size_t head_dim = sequences->model->config.head_dim, length = request->length;
    for (size_t i = 0; i < request->n_sequences * length; i++)
        rope_turn(b->frequencies, head_dim, sequences[i / length].position + i % length,
                  b->turns + i * head_dim);
    memset(b->deals, 0, n_deals(&sequences->model->config) * sizeof *b->deals);
    pool_run(sequences->pool, forward, request);
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
    return config->n_layers * config->n_kv_heads * (position + 1) * position_bytes(session);
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

static size_t max_cols(const struct model_config *c) {
    size_t widest = c->dim > c->ffn_dim ? c->dim : c->ffn_dim;
    return widest > c->n_heads * c->head_dim ? widest : c->n_heads * c->head_dim;
}

static bool open_own(struct session *session, struct own *own, struct error *error) {
    const struct model_config *c = &session->model->config;
    struct arena *arena = &session->arena;
    size_t group = c->n_heads / c->n_kv_heads;
    own->x = ARENA_NEW(arena, float, c->dim, error);
    own->normed = ARENA_NEW(arena, float, c->dim, error);
    own->attended = ARENA_NEW(arena, float, c->n_heads * c->head_dim, error);
    own->scratch = arena_alloc(arena, matmul_scratch_bytes(max_cols(c)), 1, error);
    return own->x && own->normed && own->attended && own->scratch &&
           inputs_init(&own->inputs, 1, max_cols(c), arena, error) &&
           attention_init(&own->attention, group > BATCH_QUERIES ? group : BATCH_QUERIES / group * group,
                          c->head_dim, arena, error);
}

static bool open_shared(struct session *session, struct error *error) {
    struct session_buffers *b = session->buffers;
    const struct model_config *c = &session->model->config;
    struct arena *arena = &session->arena;
    const struct {
        float **to;
        size_t rows, cols;
    } wanted[] = {
        {&b->turns, b->batch, c->head_dim},
        {&b->x, b->batch, c->dim},
        {&b->normed, b->batch, c->dim},
        {&b->q, b->batch, stride_of(c->n_heads * c->head_dim)},
        {&b->attended, b->batch, c->n_heads * c->head_dim},
        {&b->k, b->batch, stride_of(c->n_kv_heads * c->head_dim)},
        {&b->v, b->batch, stride_of(c->n_kv_heads * c->head_dim)},
        {&b->projected, b->batch, stride_of(c->dim)},
        {&b->gate, b->batch, stride_of(c->ffn_dim)},
        {&b->up, b->batch, stride_of(c->ffn_dim)},
        {&b->split_sums, b->max_splits, c->n_heads * b->width},
        {&b->split_totals, b->max_splits, c->n_heads},
        {&b->split_largest, b->max_splits, c->n_heads},
    };
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
        if (!(*wanted[i].to = arena_alloc(arena, wanted[i].rows, wanted[i].cols * sizeof(float), error)))
            return false;
    return inputs_init(&b->inputs, b->batch, max_cols(c), arena, error);
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
    b->frequencies = ARENA_NEW(&session->arena, double, c->head_dim / 2, error);
    b->own = ARENA_NEW(&session->arena, struct own, n_threads, error);
    b->deals = ARENA_NEW(&session->arena, struct deal, n_deals(c), error);
    if (!b->frequencies || !b->own || !b->deals || !open_shared(session, error))
        return false;
    for (unsigned thread = 0; thread < n_threads; thread++)
        if (!open_own(session, &b->own[thread], error))
            return false;
    rope_frequencies(c, b->frequencies);
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
