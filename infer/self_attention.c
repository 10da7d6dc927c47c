/* Self-attention of a layer: queries, keys and values of the tokens, which the cache keeps, and what the
 * queries find in it (infer/attention.h). A batch is shared out by blocks of queries, a lone token by runs of
 * the positions before it. */
#include "infer/pass.h"

#include <math.h>
#include <string.h>

#define SPLIT_POSITIONS 128 /* of one head, that are worth handing to another thread */

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

/* Turns the new keys of a head and puts them and the new values into the cache. */
static void store_head(const struct pass *p, size_t index, size_t token, size_t head) {
    const struct layer *layer = &p->model->layers[index];
    const size_t head_dim = p->config->head_dim, n_kv_heads = p->config->n_kv_heads;
    const size_t stride = stride_of(n_kv_heads * head_dim);
    const struct attention_cache cache = cache_of(p, token, index, head);
    const float *keys = normed_heads(p, p->b->k + token * stride, n_kv_heads, head, head + 1, layer->k_norm);
    float *turned = p->own->attention.queries; /* is free */
    turn_head(p, layer, token, keys + head * head_dim, 1, turned);
    attention_store(&cache, position_of(p, token), turned, p->b->v + token * stride + head * head_dim);
}

static void store_batch(const struct pass *p, size_t index) {
    const size_t n_kv_heads = p->config->n_kv_heads;
    size_t begin, end;
    share_of(p->count * n_kv_heads, 1, p->thread, p->n_threads, &begin, &end);
    for (size_t i = begin; i < end; i++)
        store_head(p, index, i / n_kv_heads, i % n_kv_heads);
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

/* Attention of a lone token over runs of positions, to be merged. Who has a head's last run stores its new
 * keys and values, which no other run has. */
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
        if (split + 1 == splits)
            store_head(p, index, 0, kv_head);
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
        store_batch(p, index);
        pool_barrier(p->pool);
        attend_batch(p, index);
        pool_barrier(p->pool);
    } else {
        attend_lone(p, index);
        pool_barrier(p->pool);
        for (size_t head = 0; head < n_heads; head++)
            merge_head(p->b, n_splits(p, layer), n_heads, head, head_dim, p->own->attended + head * head_dim);
        attended = p->own->attended;
    }
    pass_round(p, attended, n_heads * head_dim, p->count, n_heads * head_dim, kind_of(&layer->attn_output));
}

void self_attention_run(const struct pass *p, size_t index) {
    const struct layer *layer = &p->model->layers[index];
    struct session_buffers *b = p->b;
    pass_norm_and_round(p, &layer->attn_norm, kind_of(&layer->q) | kind_of(&layer->k) | kind_of(&layer->v));
    const struct product products[] = {
        {&layer->q, layer->q_bias, b->q}, {&layer->k, layer->k_bias, b->k}, {&layer->v, layer->v_bias, b->v}};
    pass_project(p, p->inputs, products, 3);
    pool_barrier(p->pool);
    attend(p, index);
    pass_project(p, p->inputs, &(struct product){&layer->attn_output, layer->attn_output_bias, b->projected},
                 1);
    pool_barrier(p->pool);
}
