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
#include "infer/pass.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#define BATCH_QUERIES                                                                                        \
    48 /* a head's queries that meet a block of keys together: scores, sums and queries fit                  \
          in the second-level cache */
#define SPLIT_POSITIONS 128 /* of one head, that are worth handing to another thread */

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

void pass_round(const struct pass *p, const float *x, size_t stride, size_t count, size_t n_cols,
                uint32_t kinds) {
    inputs_set(p->inputs, x, stride, count, n_cols, kinds, p->part, p->n_parts);
    settle(p);
}

static void apply_norm(const struct pass *p, const struct norm *norm, const float *x, float *out) {
    p->b->kernels->norm[p->config->norm_kind](x, norm->weight, norm->bias, p->config->norm_eps,
                                              p->config->dim, out);
}

/* A layer without a norm there takes the residual stream itself. */
static void norm_and_round(const struct pass *p, const struct norm *norm, uint32_t kinds) {
    size_t dim = p->config->dim;
    for (size_t i = p->token_begin; i < p->token_end; i++)
        if (norm->weight)
            apply_norm(p, norm, p->x + i * dim, p->normed + i * dim);
        else
            memcpy(p->normed + i * dim, p->x + i * dim, dim * sizeof *p->x);
    settle(p);
    pass_round(p, p->normed, dim, p->count, dim, kinds);
}

/* Takes the next rows of a product for this thread. */
static bool take_rows(const struct pass *p, struct deal *deal, size_t n_rows, size_t *begin, size_t *end) {
    return deal_take(deal, n_rows, matmul_grain(n_rows, p->inputs->count, p->n_threads), begin, end);
}

/* Rows [begin, end) of y (count, stride_of(n_rows)) = the rounded inputs times w, plus bias. */
static void multiply_rows(const struct pass *p, const struct matrix *w, const float *bias, float *y,
                          size_t begin, size_t end) {
    size_t stride = stride_of(w->n_rows);
    matmul(w, p->inputs, y, stride, p->own->scratch, begin, end);
    for (size_t i = 0; bias && i < p->inputs->count; i++)
        for (size_t row = begin; row < end; row++)
            y[i * stride + row] += bias[row];
}

void pass_project(const struct pass *p, struct deal *deal, const struct matrix *w, const float *bias,
                  float *y) {
    size_t begin, end;
    while (take_rows(p, deal, w->n_rows, &begin, &end))
        multiply_rows(p, w, bias, y, begin, end);
}

/* Adds y (count, dim), rows `stride` apart, to the residual stream. The place of the normed token serves for
 * what a norm makes of it. */
static void add_to_stream(const struct pass *p, const struct norm *norm, const float *y, size_t stride) {
    const size_t dim = p->config->dim;
    const float scale = p->config->residual_scale > 0 ? (float)p->config->residual_scale : 1;
    for (size_t i = p->token_begin; i < p->token_end; i++) {
        const float *added = y + i * stride;
        if (norm->weight) {
            apply_norm(p, norm, added, p->normed + i * dim);
            added = p->normed + i * dim;
        }
        for (size_t d = 0; d < dim; d++)
            p->x[i * dim + d] += scale * added[d];
    }
}

static const struct session *sequence_of(const struct pass *p, size_t token) {
    return &p->request->sequences[token / p->request->length];
}

static size_t position_of(const struct pass *p, size_t token) {
    return sequence_of(p, token)->position + token % p->request->length;
}

static void embed(const struct pass *p) {
    const struct matrix *embedding = &p->model->embedding, *positions = &p->model->positions;
    const size_t dim = p->config->dim;
    const float scale = p->config->embedding_scale > 0 ? (float)p->config->embedding_scale : 1;
    for (size_t i = p->token_begin; i < p->token_end; i++) {
        float *x = p->x + i * dim, *place = p->normed + i * dim;
        embedding->type->decode_row(embedding, p->request->tokens[i], x);
        for (size_t d = 0; d < dim; d++)
            x[d] *= scale;
        if (!positions->type)
            continue;
        positions->type->decode_row(positions, position_of(p, i), place);
        for (size_t d = 0; d < dim; d++)
            x[d] += place[d];
    }
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

/* ---- Attention ---- */

/* A token's turn in a layer. */
static const float *turn_of(const struct pass *p, const struct layer *layer, size_t token) {
    return (layer->local ? p->b->local_turns : p->b->turns) + token * p->b->rope.dim;
}

/* A token's queries or keys (n_heads, head_dim), of which heads [begin, end) are normed where the model does
 * that. */
static const float *normed_heads(const struct pass *p, const float *row, size_t n_heads, size_t begin,
                                 size_t end, const float *weight) {
    const size_t head_dim = p->config->head_dim;
    const double epsilon = p->config->norm_eps;
    norm_fn *norm = p->b->kernels->norm[NORM_RMS];
    if (!weight)
        return row;
    if (p->config->qk_norm == QK_NORM_WHOLE)
        norm(row, weight, NULL, epsilon, n_heads * head_dim, p->own->row);
    else
        for (size_t head = begin; head < end; head++)
            norm(row + head * head_dim, weight, NULL, epsilon, head_dim, p->own->row + head * head_dim);
    return p->own->row;
}

/* Turned where the layer does that, and scaled. */
static void turn_head(const struct pass *p, const struct layer *layer, size_t token, const float *head,
                      float scale, float *out) {
    rope_apply(head, turn_of(p, layer, token), layer->rotates ? p->b->rope.dim : 0, p->config->head_dim,
               scale, out);
}

/* Turns the new keys and puts them and the new values into the cache. */
static void store_keys_and_values(const struct pass *p, size_t index) {
    const struct layer *layer = &p->model->layers[index];
    const size_t head_dim = p->config->head_dim, n_kv_heads = p->config->n_kv_heads;
    const size_t stride = stride_of(n_kv_heads * head_dim);
    size_t begin, end;
    share_of(p->count * n_kv_heads, 1, p->thread, p->n_threads, &begin, &end);
    for (size_t i = begin; i < end; i++) {
        size_t token = i / n_kv_heads, head = i % n_kv_heads;
        struct attention_cache cache = cache_of(p, token, index, head);
        const float *keys =
            normed_heads(p, p->b->k + token * stride, n_kv_heads, head, head + 1, layer->k_norm);
        float *turned = p->own->attention.queries; /* is free */
        turn_head(p, layer, token, keys + head * head_dim, 1, turned);
        attention_store(&cache, position_of(p, token), turned, p->b->v + token * stride + head * head_dim);
    }
}

/* The first position that a token sees. */
static size_t first_seen(const struct pass *p, const struct layer *layer, size_t token) {
    size_t seen = position_of(p, token) + 1;
    return seen > layer->window ? seen - layer->window : 0;
}

/* The queries of tokens [begin, end) of the heads that share a key-value head, turned and scaled. */
static void gather_queries(const struct pass *p, const struct layer *layer, size_t kv_head, size_t begin,
                           size_t end) {
    struct attention *a = &p->own->attention;
    size_t head_dim = p->config->head_dim, n_heads = p->config->n_heads;
    size_t group = n_heads / p->config->n_kv_heads;
    double scale = p->config->attention_scale > 0 ? p->config->attention_scale : 1 / sqrt((double)head_dim);
    a->n_queries = 0;
    for (size_t token = begin; token < end; token++) {
        const size_t first = kv_head * group, behind = first + group, seen = first_seen(p, layer, token);
        const float *row = normed_heads(p, p->b->q + token * stride_of(n_heads * head_dim), n_heads, first,
                                        behind, layer->q_norm);
        for (size_t head = first; head < behind; head++) {
            turn_head(p, layer, token, row + head * head_dim, (float)scale,
                      a->queries + a->n_queries * head_dim);
            a->begins[a->n_queries] = seen;
            a->limits[a->n_queries++] = position_of(p, token) + 1;
        }
    }
}

/* Attention of tokens [begin, end), all of one sequence, with the heads that share a key-value head. */
static void attend_block(const struct pass *p, size_t index, size_t kv_head, size_t begin, size_t end) {
    struct attention *a = &p->own->attention;
    size_t head_dim = p->config->head_dim, n_heads = p->config->n_heads;
    size_t group = n_heads / p->config->n_kv_heads;
    const struct layer *layer = &p->model->layers[index];
    struct attention_cache cache = cache_of(p, begin, index, kv_head);
    gather_queries(p, layer, kv_head, begin, end);
    attention_run(a, p->b->kernels, &cache, first_seen(p, layer, begin) / TILE * TILE,
                  position_of(p, end - 1) + 1);
    for (size_t j = 0; j < a->n_queries; j++) {
        size_t token = begin + j / group, head = kv_head * group + j % group;
        float *out = p->b->attended + (token * n_heads + head) * head_dim;
        for (size_t d = 0; d < head_dim; d++)
            out[d] = a->sums[j * p->b->width + d] / a->totals[j];
    }
}

/* Attention of a batch: the work is cut into blocks of queries of one sequence and head, the later and longer
 * ones first, and dealt to the threads in turn. */
static void attend_batch(const struct pass *p, size_t index) {
    size_t n_kv_heads = p->config->n_kv_heads, length = p->request->length;
    size_t at_once = p->own->attention.capacity / (p->config->n_heads / n_kv_heads);
    size_t n_blocks = (length + at_once - 1) / at_once, n_units = p->request->n_sequences * n_kv_heads;
    for (size_t unit = p->thread; unit < n_blocks * n_units; unit += p->n_threads) {
        size_t first = unit % n_units / n_kv_heads * length;
        size_t begin = (n_blocks - 1 - unit / n_units) * at_once, end = least(begin + at_once, length);
        attend_block(p, index, unit % n_kv_heads, first + begin, first + end);
    }
}

/* Into how many runs of positions a lone token's attention is cut, so that all threads have the same share
 * however few key-value heads there are. */
static size_t n_splits(const struct pass *p, const struct layer *layer) {
    size_t before = position_of(p, 0) - first_seen(p, layer, 0);
    size_t worth = (before + SPLIT_POSITIONS) / SPLIT_POSITIONS;
    return least(p->b->max_splits, worth);
}

/* Attention of a lone token over runs of positions, to be merged. */
static void attend_lone(const struct pass *p, size_t index) {
    struct session_buffers *b = p->b;
    struct attention *a = &p->own->attention;
    const struct layer *layer = &p->model->layers[index];
    size_t n_kv_heads = p->config->n_kv_heads, n_heads = p->config->n_heads, group = n_heads / n_kv_heads;
    size_t splits = n_splits(p, layer), position = position_of(p, 0);
    size_t first_tile = first_seen(p, layer, 0) / TILE, n_tiles = position / TILE + 1 - first_tile;
    for (size_t unit = p->thread; unit < splits * n_kv_heads; unit += p->n_threads) {
        size_t kv_head = unit / splits, split = unit % splits, at = split * n_heads + kv_head * group;
        size_t begin = first_tile + n_tiles * split / splits,
               end = first_tile + n_tiles * (split + 1) / splits;
        struct attention_cache cache = cache_of(p, 0, index, kv_head);
        gather_queries(p, layer, kv_head, 0, 1);
        attention_run(a, b->kernels, &cache, begin * TILE, least(end * TILE, position + 1));
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
static void attend(const struct pass *p, size_t index) {
    const struct layer *layer = &p->model->layers[index];
    size_t n_heads = p->config->n_heads, head_dim = p->config->head_dim;
    const float *attended = p->b->attended;
    if (p->count > 1) {
        attend_batch(p, index);
        barrier(p);
    } else {
        attend_lone(p, index);
        barrier(p);
        for (size_t head = 0; head < n_heads; head++)
            merge_head(p->b, n_splits(p, layer), n_heads, head, head_dim, p->own->attended + head * head_dim);
        attended = p->own->attended;
    }
    pass_round(p, attended, n_heads * head_dim, p->count, n_heads * head_dim, kind_of(&layer->attn_output));
}

/* Leaves in b->projected what attention adds. */
static void run_attention(const struct pass *p, size_t index) {
    const struct layer *layer = &p->model->layers[index];
    struct session_buffers *b = p->b;
    norm_and_round(p, &layer->attn_norm, kind_of(&layer->q) | kind_of(&layer->k) | kind_of(&layer->v));
    pass_project(p, deal_of(p, DEAL_Q, index), &layer->q, layer->q_bias, b->q);
    pass_project(p, deal_of(p, DEAL_K, index), &layer->k, layer->k_bias, b->k);
    pass_project(p, deal_of(p, DEAL_V, index), &layer->v, layer->v_bias, b->v);
    barrier(p);
    store_keys_and_values(p, index);
    barrier(p);
    attend(p, index);
    pass_project(p, deal_of(p, DEAL_ATTN_OUTPUT, index), &layer->attn_output, layer->attn_output_bias,
                 b->projected);
    barrier(p);
}

/* ---- Feed-forward ---- */

void pass_activate(const struct pass *p, struct deal *deal, const struct feed_forward *ffn, float *gate) {
    const struct activation_kernels *act = &p->b->kernels->act[p->config->activation];
    const size_t width = ffn->up.n_rows, stride = stride_of(width);
    float *up = ffn->gate.type ? p->b->up + (gate - p->b->gate) : gate; /* beside it */
    size_t begin, end;
    while (take_rows(p, deal, width, &begin, &end)) {
        if (ffn->gate.type)
            multiply_rows(p, &ffn->gate, ffn->gate_bias, gate, begin, end);
        multiply_rows(p, &ffn->up, ffn->up_bias, up, begin, end);
        for (size_t i = 0; i < p->inputs->count; i++)
            if (ffn->gate.type)
                act->gated(gate + i * stride + begin, up + i * stride + begin, end - begin);
            else
                act->plain(gate + i * stride + begin, end - begin);
    }
}

void pass_feed_forward(const struct pass *p, size_t index) {
    const struct feed_forward *ffn = &p->model->layers[index].ffn;
    const size_t width = ffn->up.n_rows;
    pass_activate(p, deal_of(p, DEAL_FFN, index), ffn, p->b->gate);
    barrier(p);
    pass_round(p, p->b->gate, stride_of(width), p->count, width, kind_of(&ffn->down));
    pass_project(p, deal_of(p, DEAL_DOWN, index), &ffn->down, ffn->down_bias, p->b->ffn_projected);
}

/* ---- Layers and head ---- */

static void forward_layer(const struct pass *p, size_t index) {
    const struct layer *layer = &p->model->layers[index];
    const struct feed_forward *ffn = &layer->ffn;
    const size_t dim = p->config->dim, stride = stride_of(dim);
    const bool parallel = p->config->parallel_residual, experts = layer->experts.router.type != NULL;
    run_attention(p, index);
    if (!parallel)
        add_to_stream(p, &layer->attn_post_norm, p->b->projected, stride);
    norm_and_round(p, p->config->shared_norm ? &layer->attn_norm : &layer->ffn_norm,
                   experts_kinds(layer) | kind_of(&ffn->gate) | kind_of(&ffn->up));
    if (experts)
        experts_run(p, index);
    else {
        pass_feed_forward(p, index);
        barrier(p);
    }
    if (parallel)
        add_to_stream(p, &layer->attn_post_norm, p->b->projected, stride);
    if (experts)
        add_to_stream(p, &layer->ffn_post_norm, p->mixed, dim);
    else
        add_to_stream(p, &layer->ffn_post_norm, p->b->ffn_projected, stride);
}

/* Logits [begin, end) of a token. */
static void finish_logits(const struct pass *p, float *logits, size_t begin, size_t end) {
    const struct model_config *c = p->config;
    for (size_t i = begin; c->logit_scale > 0 && i < end; i++)
        logits[i] *= (float)c->logit_scale;
    if (c->logit_softcap > 0)
        p->b->kernels->soft_cap(logits + begin, end - begin, (float)c->logit_softcap);
}

/* Logits (n, vocab_size) of the pass's last n tokens. */
static void forward_head(const struct pass *p, float *logits, size_t n) {
    const struct model *model = p->model;
    size_t dim = p->config->dim, first = p->count - n, n_rows = model->head.n_rows, begin, end;
    for (size_t i = p->token_begin; i < p->token_end; i++)
        if (i >= first)
            apply_norm(p, &model->output_norm, p->x + i * dim, p->normed + i * dim);
    settle(p);
    pass_round(p, p->normed + first * dim, dim, n, dim, kind_of(&model->head));
    while (deal_take(p->b->deals, n_rows, matmul_grain(n_rows, n, p->n_threads), &begin, &end)) {
        matmul(&model->head, p->inputs, logits, n_rows, p->own->scratch, begin, end);
        for (size_t i = 0; i < n; i++)
            finish_logits(p, logits + i * n_rows, begin, end);
    }
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
        .mixed = lone ? own->mixed : b->experts.mixed,
        .inputs = lone ? &own->inputs : &b->inputs,
        .picks = lone ? own->picks : b->experts.picks,
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

/* Deals of a pass: all experts may be run for a batch, those that are used for a lone token. */
static size_t n_deals(const struct model_config *c, bool lone) {
    return 1 + c->n_layers * (DEAL_EXPERTS + 2 * (lone ? c->n_experts_used : c->n_experts));
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
    memset(b->deals, 0, n_deals(config, count == 1) * sizeof *b->deals);
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
           inputs_init(&own->inputs, 1, max_cols(c), arena, error) &&
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
#define COUNT(array) (sizeof(array) / sizeof *(array))

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
    return e->picks && open_rows(wanted, COUNT(wanted), &session->arena, error);
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
           inputs_init(&b->inputs, b->batch, max_cols(c), &session->arena, error);
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
    b->deals = ARENA_NEW(&session->arena, struct deal, n_deals(c, false), error);
    if (!b->own || !b->deals || !rope_init(&b->rope, c, false, session->capacity, &session->arena, error) ||
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
