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

#include <string.h>

/* ---- Stages ---- */

void pass_round(const struct pass *p, const float *x, size_t stride, size_t count, size_t n_cols,
                uint32_t kinds) {
    inputs_set(p->inputs, x, stride, count, n_cols, kinds, p->part, p->n_parts);
    settle(p);
}

static void apply_norm(const struct pass *p, const struct norm *norm, const float *x, float *out) {
    p->b->kernels->norm[p->config->norm_kind](x, norm->weight, norm->bias, p->config->norm_eps,
                                              p->config->dim, out);
}

void pass_norm_and_round(const struct pass *p, const struct norm *norm, uint32_t kinds) {
    size_t dim = p->config->dim;
    for (size_t i = p->token_begin; i < p->token_end; i++)
        if (norm->weight)
            apply_norm(p, norm, p->x + i * dim, p->normed + i * dim);
        else
            memcpy(p->normed + i * dim, p->x + i * dim, dim * sizeof *p->x);
    settle(p);
    pass_round(p, p->normed, dim, p->count, dim, kinds);
}

/* Rows [begin, end) of a product. */
static void multiply_rows(const struct inputs *inputs, const struct product *product, void *scratch,
                          size_t begin, size_t end) {
    const size_t stride = stride_of(product->w->n_rows);
    matmul(product->w, inputs, product->y, stride, scratch, begin, end);
    for (size_t i = 0; product->bias && i < inputs->count; i++)
        for (size_t row = begin; row < end; row++)
            product->y[i * stride + row] += product->bias[row];
}

void pass_project(const struct pass *p, const struct inputs *inputs, const struct product *products,
                  size_t n) {
    size_t n_rows[PRODUCTS_MAX], total = 0, begin, end;
    const size_t grain = matmul_grain(products->w->n_rows, inputs->count, p->n_threads);
    for (size_t i = 0; i < n; i++)
        total += n_rows[i] = (products[i].w->n_rows + grain - 1) / grain * grain;
    const struct deal rows = pool_deal(p->pool, p->thread, total, grain);
    while (deal_take(&rows, &begin, &end))
        for (size_t i = 0, first = 0; i < n; first += n_rows[i++]) {
            const size_t from = most(begin, first), to = least(end, first + products[i].w->n_rows);
            if (from < to)
                multiply_rows(inputs, &products[i], p->own->scratch, from - first, to - first);
        }
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

/* ---- Feed-forward ---- */

/* Beside a gate, where there is one. */
static float *up_of(const struct pass *p, const struct feed_forward *ffn, float *gate) {
    return ffn->gate.type ? p->b->up + (gate - p->b->gate) : gate;
}

void pass_widen(const struct pass *p, const struct feed_forward *ffn, float *gate) {
    const struct product products[] = {{&ffn->up, ffn->up_bias, up_of(p, ffn, gate)},
                                       {&ffn->gate, ffn->gate_bias, gate}};
    pass_project(p, p->inputs, products, ffn->gate.type ? 2 : 1);
}

void pass_activate(const struct pass *p, const struct feed_forward *ffn, float *gate, size_t count) {
    const struct activation_kernels *act = &p->b->kernels->act[p->config->activation];
    const size_t width = ffn->up.n_rows, stride = stride_of(width);
    const float *up = up_of(p, ffn, gate);
    size_t begin = 0, end = width, first = 0, behind = 1;
    if (count > 1)
        share_of(count, 1, p->thread, p->n_threads, &first, &behind);
    else
        share_of(width, BLOCK_COLS, p->thread, p->n_threads, &begin, &end);
    for (size_t at = first * stride + begin; at < behind * stride; at += stride)
        if (ffn->gate.type)
            act->gated(gate + at, up + at, end - begin);
        else
            act->plain(gate + at, end - begin);
}

void pass_narrow(const struct pass *p, const struct feed_forward *ffn, float *gate, size_t count, float *y) {
    const size_t width = ffn->up.n_rows;
    struct inputs *inputs = &p->b->inputs;
    pass_activate(p, ffn, gate, count);
    inputs_set(inputs, gate, stride_of(width), count, width, kind_of(&ffn->down), p->thread, p->n_threads);
    pool_barrier(p->pool);
    pass_project(p, inputs, &(struct product){&ffn->down, ffn->down_bias, y}, 1);
}

void pass_feed_forward(const struct pass *p, size_t index) {
    const struct feed_forward *ffn = &p->model->layers[index].ffn;
    pass_widen(p, ffn, p->b->gate);
    pool_barrier(p->pool);
    pass_narrow(p, ffn, p->b->gate, p->count, p->b->ffn_projected);
}

/* ---- Layers and head ---- */

static void forward_layer(const struct pass *p, size_t index) {
    const struct layer *layer = &p->model->layers[index];
    const struct feed_forward *ffn = &layer->ffn;
    const size_t dim = p->config->dim, stride = stride_of(dim);
    const bool parallel = p->config->parallel_residual, experts = layer->experts.router.type != NULL;
    self_attention_run(p, index);
    if (!parallel)
        add_to_stream(p, &layer->attn_post_norm, p->b->projected, stride);
    pass_norm_and_round(p, p->config->shared_norm ? &layer->attn_norm : &layer->ffn_norm,
                        experts_kinds(layer) | kind_of(&ffn->gate) | kind_of(&ffn->up));
    if (experts)
        experts_run(p, index);
    else {
        pass_feed_forward(p, index);
        pool_barrier(p->pool);
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
    const struct deal rows = pool_deal(p->pool, p->thread, n_rows, matmul_grain(n_rows, n, p->n_threads));
    while (deal_take(&rows, &begin, &end)) {
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

void pass_forward(void *context, unsigned thread, unsigned n_threads) {
    const struct request *request = context;
    const struct pass pass = view(request, thread, n_threads);
    embed(&pass);
    for (size_t i = 0; i < pass.config->n_layers; i++)
        forward_layer(&pass, i);
    if (request->n_logits)
        forward_head(&pass, request->logits, request->n_logits);
}
