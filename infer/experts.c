/* A layer of experts. A lone token runs those that it picks, the rows of each shared out over all threads: no
 * other weights are read. A batch goes expert by expert, each with the tokens that picked it, so that its
 * weights are read once. */
#include "infer/pass.h"

#include <math.h>
#include <string.h>

uint32_t experts_kinds(const struct layer *layer) {
    return kind_of(&layer->experts.router) | kind_of(&layer->experts.gate) | kind_of(&layer->experts.up);
}

/* ---- Picking ---- */

/* Puts the `n` largest logits first to last, lower numbers first among equals. */
static void pick_largest(const float *logits, size_t n_experts, struct pick *picks, size_t n) {
    size_t found = 0;
    for (size_t e = 0; e < n_experts; e++) {
        size_t place = found;
        while (place > 0 && logits[e] > picks[place - 1].weight)
            place--;
        if (place == n)
            continue;
        found += found < n;
        memmove(picks + place + 1, picks + place, (found - place - 1) * sizeof *picks);
        picks[place] = (struct pick){(uint32_t)e, logits[e]};
    }
}

/* From logits to what an output counts for: the softmax over all experts, or over those picked. */
static void weigh(const struct model_config *c, const float *logits, struct pick *picks) {
    double total = 0;
    for (size_t e = 0; !c->norm_expert_weights && e < c->n_experts; e++)
        total += exp((double)logits[e] - (double)picks[0].weight);
    const double largest = (double)picks[0].weight;
    for (size_t j = 0; c->norm_expert_weights && j < c->n_experts_used; j++)
        total += exp((double)picks[j].weight - largest);
    for (size_t j = 0; j < c->n_experts_used; j++)
        picks[j].weight = (float)(exp((double)picks[j].weight - largest) / total);
}

static void pick(const struct pass *p) {
    const struct model_config *c = p->config;
    for (size_t i = p->token_begin; i < p->token_end; i++) {
        const float *logits = p->b->experts.router + i * stride_of(c->n_experts);
        struct pick *picks = p->picks + i * c->n_experts_used;
        pick_largest(logits, c->n_experts, picks, c->n_experts_used);
        weigh(c, logits, picks);
    }
}

/* ---- One expert ---- */

static struct matrix slice(const struct matrix *all, size_t expert, size_t n_rows) {
    uint64_t begin = 0;
    matrix_bytes(all->type, expert * n_rows, all->n_cols, &begin); /* less than the whole, which has a size */
    return (struct matrix){all->type, all->data + begin, n_rows, all->n_cols};
}

static struct feed_forward expert_of(const struct pass *p, size_t index, size_t expert) {
    const struct experts *all = &p->model->layers[index].experts;
    const size_t width = p->config->expert_ffn_dim;
    return (struct feed_forward){.gate = slice(&all->gate, expert, width),
                                 .up = slice(&all->up, expert, width),
                                 .down = slice(&all->down, expert, p->config->dim)};
}

static void add_scaled(float *to, const float *from, float weight, size_t n) {
    for (size_t i = 0; i < n; i++)
        to[i] += weight * from[i];
}

/* ---- A lone token ---- */

static void run_lone(const struct pass *p, size_t index) {
    const size_t n = p->config->n_experts_used, width = p->config->expert_ffn_dim, dim = p->config->dim;
    const struct layer *layer = &p->model->layers[index];
    float *gates = p->b->gate, *outputs = p->b->experts.outputs;
    pass_round(p, p->normed, dim, 1, dim, experts_kinds(layer));
    for (size_t j = 0; j < n; j++) {
        struct feed_forward ffn = expert_of(p, index, p->picks[j].expert);
        pass_widen(p, &ffn, gates + j * stride_of(width));
    }
    pool_barrier(p->pool);
    const struct feed_forward any = expert_of(p, index, 0);
    pass_activate(p, &any, gates, n);
    pool_barrier(p->pool);
    for (size_t j = 0; j < n; j++) {
        struct feed_forward ffn = expert_of(p, index, p->picks[j].expert);
        pass_round(p, gates + j * stride_of(width), 0, 1, width, kind_of(&ffn.down));
        pass_project(p, p->inputs, &(struct product){&ffn.down, NULL, outputs + j * stride_of(dim)}, 1);
    }
    pool_barrier(p->pool);
    for (size_t j = 0; j < n; j++)
        add_scaled(p->mixed, outputs + j * stride_of(dim), p->picks[j].weight, dim);
}

/* ---- A batch ---- */

/* Lists the tokens of each expert, rising: those of expert e end at ends[e], where those of the next begin.
 */
static void list_routes(const struct pass *p) {
    const struct expert_buffers *b = &p->b->experts;
    const size_t n_used = p->config->n_experts_used, n = p->count * n_used, n_experts = p->config->n_experts;
    size_t begin = 0;
    memset(b->ends, 0, n_experts * sizeof *b->ends);
    for (size_t i = 0; i < n; i++)
        b->ends[p->picks[i].expert]++;
    for (size_t e = 0; e < n_experts; e++) {
        size_t count = b->ends[e];
        b->ends[e] = begin; /* until they are put there */
        begin += count;
    }
    for (size_t i = 0; i < n; i++)
        b->routes[b->ends[p->picks[i].expert]++] = (struct route){i / n_used, p->picks[i].weight};
}

/* An expert's inputs one behind the other. Each thread copies those that it will round, so that none waits
 * for another; a lone one is read where it is. */
static const float *gather(const struct pass *p, const struct route *routes, size_t n) {
    const size_t dim = p->config->dim;
    float *gathered = p->b->experts.gathered;
    size_t begin, end;
    if (n == 1)
        return p->normed + routes->token * dim;
    share_of(n, 1, p->part, p->n_parts, &begin, &end);
    for (size_t i = begin; i < end; i++)
        memcpy(gathered + i * dim, p->normed + routes[i].token * dim, dim * sizeof *gathered);
    return gathered;
}

static void scatter(const struct pass *p, const struct route *routes, size_t n) {
    const size_t dim = p->config->dim;
    const float *outputs = p->b->experts.outputs;
    size_t begin, end;
    share_of(n, 1, p->part, p->n_parts, &begin, &end);
    for (size_t i = begin; i < end; i++)
        add_scaled(p->mixed + routes[i].token * dim, outputs + i * stride_of(dim), routes[i].weight, dim);
}

static void run_expert(const struct pass *p, size_t index, size_t expert, const struct route *routes,
                       size_t n) {
    const struct feed_forward ffn = expert_of(p, index, expert);
    const size_t dim = p->config->dim;
    pass_round(p, gather(p, routes, n), dim, n, dim, kind_of(&ffn.gate) | kind_of(&ffn.up));
    pass_widen(p, &ffn, p->b->gate);
    pool_barrier(p->pool);
    pass_narrow(p, &ffn, p->b->gate, n, p->b->experts.outputs);
    pool_barrier(p->pool);
    scatter(p, routes, n);
}

static void run_batch(const struct pass *p, size_t index) {
    const struct expert_buffers *b = &p->b->experts;
    size_t begin = 0;
    for (size_t e = 0; e < p->config->n_experts; begin = b->ends[e++])
        if (b->ends[e] > begin)
            run_expert(p, index, e, b->routes + begin, b->ends[e] - begin);
    settle(p);
}

/* ---- The layer ---- */

/* The expert that all tokens take, weighed by its own router; without one, mixing begins with nothing. */
static void begin_mixing(const struct pass *p, const struct layer *layer) {
    const size_t dim = p->config->dim;
    for (size_t i = p->token_begin; i < p->token_end; i++) {
        double logit = 0;
        memset(p->mixed + i * dim, 0, dim * sizeof *p->mixed);
        if (!layer->experts.shared_router)
            continue;
        for (size_t d = 0; d < dim; d++)
            logit += (double)layer->experts.shared_router[d] * (double)p->normed[i * dim + d];
        add_scaled(p->mixed + i * dim, p->b->ffn_projected + i * stride_of(dim),
                   (float)(1 / (1 + exp(-logit))), dim);
    }
}

void experts_run(const struct pass *p, size_t index) {
    const struct layer *layer = &p->model->layers[index];
    pass_project(p, p->inputs, &(struct product){&layer->experts.router, NULL, p->b->experts.router}, 1);
    if (layer->experts.shared_router)
        pass_feed_forward(p, index);
    pool_barrier(p->pool);
    pick(p);
    settle(p);
    if (p->count > 1 && p->thread == 0)
        list_routes(p);
    begin_mixing(p, layer);
    settle(p);
    if (p->count == 1)
        run_lone(p, index);
    else
        run_batch(p, index);
}
