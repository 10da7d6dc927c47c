/* Every trait of a configuration: random models of random traits against the textbook, in double and without
 * a cache, batches, threads or shared code. */
#include "format/qm.h"
#include "infer/session.h"
#include "tests/checkpoint.h"
#include "tests/pools.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define N_TOKENS 40
#define N_MODELS 120
#define VOCAB 37
#define WIDE 128 /* no vector is longer */
/* Of the logits' range; of 870 models half are within 2.2e-7 and all within 4.8e-6. */
#define TOLERANCE 2e-5

static uint32_t tokens[N_TOKENS];

/* ---- Random models ---- */

static uint64_t state = 3;

static uint64_t random_below(uint64_t n) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (state >> 33) % n;
}

static bool maybe(void) {
    return random_below(2);
}

static double random_between(double low, double high) {
    return low + (high - low) * (double)random_below(1 << 24) * 0x1p-24;
}

static double zero_or_between(double low, double high) {
    return maybe() ? random_between(low, high) : 0;
}

static void random_pattern(struct layer_pattern *pattern, uint64_t n_layers) {
    bool flags[8];
    for (uint64_t i = 0; i < n_layers; i++)
        flags[i] = maybe();
    layer_pattern_set(pattern, flags, n_layers);
}

static void random_norms(struct model_config *c) {
    c->norm_eps = 1e-5;
    c->norm_kind = random_below(2);
    c->norm_bias = maybe();
    c->norm_place = random_below(3);
    c->parallel_residual = maybe();
    c->shared_norm = maybe();
}

static void random_attention(struct model_config *c) {
    c->n_kv_heads = 1 + random_below(3);
    c->n_heads = c->n_kv_heads * (1 + random_below(3));
    c->head_dim = 2 * (1 + random_below(6));
    c->attention_bias = maybe();
    c->qkv_bias = maybe();
    c->qk_norm = random_below(3);
    c->attention_scale = zero_or_between(0.1, 1);
    c->attention_softcap = zero_or_between(0.5, 5);
    if (maybe()) {
        c->window = 1 + random_below(N_TOKENS);
        random_pattern(&c->window_layers, c->n_layers);
    }
}

static void random_factors(struct rope_factors *factors, uint64_t count) {
    factors->count = count;
    for (uint64_t i = 0; i < count; i++)
        factors->values[i] = random_between(1, 9);
}

static void random_positions(struct model_config *c) {
    c->learned_positions = maybe();
    random_pattern(&c->rope_layers, c->n_layers);
    c->rope_dim = maybe() ? 2 * (1 + random_below(c->head_dim / 2)) : 0;
    c->rope_theta = 1e4;
    c->rope_local_theta = zero_or_between(100, 1000);
    c->rope_kind = random_below(5);
    c->rope_factor = c->rope_kind == ROPE_PLAIN ? 1 : random_between(1, 8);
    c->rope_attention_factor = zero_or_between(0.5, 2);
    if (c->rope_kind == ROPE_LLAMA3) {
        c->rope_low_freq_factor = 1;
        c->rope_high_freq_factor = 4;
    }
    if (c->rope_kind >= ROPE_LLAMA3)
        c->rope_original_context = 16 + 32 * random_below(2);
    if (c->rope_kind == ROPE_LONG) {
        uint64_t count = (c->rope_dim ? c->rope_dim : c->head_dim) / 2;
        random_factors(&c->rope_short_factors, count);
        random_factors(&c->rope_long_factors, count);
    }
    if (c->rope_kind == ROPE_YARN) {
        c->rope_beta_slow = random_between(0.1, 1);
        c->rope_beta_fast = random_between(1, 8);
        c->rope_truncate = maybe();
        c->rope_mscale = zero_or_between(0.5, 2);
        c->rope_mscale_all_dim = c->rope_mscale > 0 ? random_between(0.5, 2) : 0;
    }
}

static void random_experts(struct model_config *c) {
    c->n_experts = 1 + random_below(9);
    c->n_experts_used = 1 + random_below(c->n_experts);
    c->expert_ffn_dim = CONFIG_EXPERT_ROWS * (1 + random_below(3));
    c->shared_ffn_dim = maybe() ? 1 + random_below(60) : 0;
    c->norm_expert_weights = maybe();
    random_pattern(&c->expert_layers, c->n_layers);
}

static struct model_config random_config(void) {
    struct model_config c = {.family = "llama", .vocab_size = VOCAB, .context = 64};
    c.n_layers = 1 + random_below(4);
    c.tied_head = maybe();
    c.ffn_dim = 1 + random_below(WIDE);
    c.mlp_bias = maybe();
    c.activation = random_below(3);
    c.plain_ffn = maybe();
    c.embedding_scale = zero_or_between(0.5, 4);
    c.residual_scale = zero_or_between(0.2, 1);
    c.logit_scale = zero_or_between(0.1, 2);
    c.logit_softcap = zero_or_between(0.5, 5);
    random_norms(&c);
    random_attention(&c);
    random_positions(&c);
    if (maybe())
        random_experts(&c);
    c.dim = c.n_experts ? CONFIG_EXPERT_ROWS * (1 + random_below(4))
                        : 4 + random_below(78); /* of 2 a norm leaves little but signs */
    return c;
}

/* ---- Its weights, and the file ---- */

struct reference {
    struct model_config config;
    struct role_tensor *roles;
    size_t n_roles;
    float **weights; /* [n_roles] */
    struct arena arena;
};

static uint64_t size_of(const struct role_tensor *role) {
    uint64_t n = 1;
    for (uint32_t d = 0; d < role->n_dims; d++)
        n *= role->dims[d];
    return n;
}

/* Norms near 1, and matrices that keep the size of what they multiply. */
static void fill(const struct role_tensor *role, float *weights) {
    double size = role->n_dims > 1 ? 2 / sqrt((double)role->dims[role->n_dims - 1]) : 0.3;
    for (uint64_t i = 0; i < size_of(role); i++)
        weights[i] = (float)((role_is_norm(role->role) ? 1 : 0) + random_between(-size, size));
}

static void make_reference(struct reference *r) {
    struct error error;
    *r = (struct reference){.config = random_config()};
    if (!config_check(&r->config, "random", &error))
        fail_msg("%s", error.text);
    r->roles = config_tensors(&r->config, &r->n_roles, &r->arena, &error);
    r->weights = ARENA_NEW(&r->arena, float *, r->n_roles, &error);
    for (size_t i = 0; i < r->n_roles; i++) {
        r->weights[i] = ARENA_NEW(&r->arena, float, size_of(&r->roles[i]), &error);
        fill(&r->roles[i], r->weights[i]);
    }
}

static void write_model(const struct reference *r) {
    struct arena arena = {0};
    struct error error;
    struct tensor *tensors = ARENA_NEW(&arena, struct tensor, r->n_roles, &error);
    for (size_t i = 0; i < r->n_roles; i++) {
        tensors[i] = (struct tensor){.name = r->roles[i].name,
                                     .layout = {"f32", 1, 1, 4},
                                     .type = type_find("f32"),
                                     .n_dims = r->roles[i].n_dims};
        memcpy(tensors[i].dims, r->roles[i].dims, sizeof r->roles[i].dims);
    }
    struct qm_writer *writer = qm_create("model.qm", true, tensors, r->n_roles, &error);
    if (!writer)
        fail_msg("%s", error.text);
    for (size_t i = 0; i < r->n_roles; i++) {
        size_t bytes = size_of(&r->roles[i]) * sizeof(float);
        assert_true(qm_write(writer, i, r->weights[i], bytes, 0, &error));
        qm_digest(writer, i, r->weights[i], bytes);
    }
    struct metadata metadata = {.arena = &arena};
    assert_true(config_to_metadata(&r->config, &metadata, &error));
    if (!qm_finish(writer, &metadata, NULL, 0, &error))
        fail_msg("%s", error.text);
    arena_free(&arena);
}

/* ---- The textbook ---- */

/* A weight's values, or NULL where the configuration calls for none. */
static const float *weight(const struct reference *r, enum role role, size_t layer) {
    for (size_t i = 0; i < r->n_roles; i++)
        if (r->roles[i].role == role && r->roles[i].layer == layer)
            return r->weights[i];
    return NULL;
}

static void multiply(const float *w, const float *bias, size_t n_rows, size_t n_cols, const double *x,
                     double *y) {
    for (size_t row = 0; row < n_rows; row++) {
        y[row] = bias ? (double)bias[row] : 0;
        for (size_t col = 0; col < n_cols; col++)
            y[row] += (double)w[row * n_cols + col] * x[col];
    }
}

static void normalize(bool centred, double epsilon, const float *w, const float *bias, size_t n, double *x) {
    double mean = 0, squares = 0;
    for (size_t i = 0; i < n && centred; i++)
        mean += x[i] / (double)n;
    for (size_t i = 0; i < n; i++)
        squares += (x[i] - mean) * (x[i] - mean) / (double)n;
    for (size_t i = 0; i < n; i++)
        x[i] = (x[i] - mean) / sqrt(squares + epsilon) * (double)w[i] + (bias ? (double)bias[i] : 0);
}

/* x normed in place, if there is such a norm; its bias is the role behind it. */
static void norm(const struct reference *r, enum role role, size_t layer, double *x) {
    const float *w = weight(r, role, layer);
    if (w)
        normalize(r->config.norm_kind == NORM_LAYER, r->config.norm_eps, w,
                  weight(r, (enum role)(role + 1), layer), r->config.dim, x);
}

static double capped(double x, double cap) {
    return cap > 0 ? cap * tanh(x / cap) : x;
}

static double activated(const struct model_config *c, double x) {
    if (c->activation == ACT_SILU)
        return x / (1 + exp(-x));
    return c->activation == ACT_GELU ? x * (1 + erf(x / sqrt(2))) / 2
                                     : x * (1 + tanh(sqrt(2 / M_PI) * (x + 0.044715 * x * x * x))) / 2;
}

/* Which of n / 2 pairs turns so often within the original context. */
static double pair_of(const struct model_config *c, size_t n, double turns) {
    return (double)n / 2 * log((double)c->rope_original_context / (2 * M_PI * turns)) / log(c->rope_theta);
}

static double yarn_frequency(const struct model_config *c, size_t i, size_t n, double f) {
    double low = pair_of(c, n, c->rope_beta_fast), high = pair_of(c, n, c->rope_beta_slow);
    low = fmax(c->rope_truncate ? floor(low) : low, 0);
    high = fmin(c->rope_truncate ? ceil(high) : high, (double)(n - 1));
    double ramp = ((double)i - low) / (high - low + (high == low ? 0.001 : 0));
    double slowed = ramp < 0 ? 0 : ramp > 1 ? 1 : ramp;
    return f * (1 - slowed) + f / c->rope_factor * slowed;
}

static double frequency(const struct model_config *c, size_t i, size_t n, bool local) {
    double share = -2.0 * (double)i / (double)n;
    if (local)
        return pow(c->rope_local_theta, share);
    double f = pow(c->rope_theta, share), wave = 2 * M_PI / f, original = (double)c->rope_original_context;
    if (c->rope_kind == ROPE_LINEAR)
        return f / c->rope_factor;
    if (c->rope_kind == ROPE_LONG)
        return f / (N_TOKENS > original ? c->rope_long_factors : c->rope_short_factors).values[i];
    if (c->rope_kind == ROPE_YARN)
        return yarn_frequency(c, i, n, f);
    if (c->rope_kind == ROPE_PLAIN || wave < original / c->rope_high_freq_factor)
        return f;
    if (wave > original / c->rope_low_freq_factor)
        return f / c->rope_factor;
    double smooth =
        (original / wave - c->rope_low_freq_factor) / (c->rope_high_freq_factor - c->rope_low_freq_factor);
    return (1 - smooth) * f / c->rope_factor + smooth * f;
}

static double turn_factor(const struct model_config *c, bool local) {
    const double m = log(c->rope_factor) / 10;
    if (local)
        return 1;
    if (c->rope_attention_factor > 0)
        return c->rope_attention_factor;
    if (c->rope_kind == ROPE_YARN)
        return c->rope_mscale > 0 ? (m * c->rope_mscale + 1) / (m * c->rope_mscale_all_dim + 1) : m + 1;
    return c->rope_kind == ROPE_LONG ? sqrt(1 + log(c->rope_factor) / log((double)c->rope_original_context))
                                     : 1;
}

static bool windowed(const struct model_config *c, size_t layer) {
    return c->window && layer_has(&c->window_layers, layer);
}

static void rotate(const struct model_config *c, size_t layer, size_t position, double *head) {
    const bool local = windowed(c, layer) && c->rope_local_theta > 0;
    const size_t n = c->rope_dim ? c->rope_dim : c->head_dim;
    if (!layer_has(&c->rope_layers, layer))
        return;
    for (size_t i = 0; i < n / 2; i++) {
        double angle = (double)position * frequency(c, i, n, local), a = head[i], b = head[n / 2 + i];
        head[i] = (a * cos(angle) - b * sin(angle)) * turn_factor(c, local);
        head[n / 2 + i] = (b * cos(angle) + a * sin(angle)) * turn_factor(c, local);
    }
}

/* Queries or keys of a token: projected, normed, turned. */
static void project_heads(const struct reference *r, enum role role, enum role norm_role, size_t n_heads,
                          size_t layer, size_t position, const double *x, double *heads) {
    const struct model_config *c = &r->config;
    const float *w = weight(r, norm_role, layer);
    multiply(weight(r, role, layer), weight(r, (enum role)(role + 1), layer), n_heads * c->head_dim, c->dim,
             x, heads);
    if (c->qk_norm == QK_NORM_WHOLE)
        normalize(false, c->norm_eps, w, NULL, n_heads * c->head_dim, heads);
    for (size_t h = 0; h < n_heads; h++) {
        if (c->qk_norm == QK_NORM_HEAD)
            normalize(false, c->norm_eps, w, NULL, c->head_dim, heads + h * c->head_dim);
        rotate(c, layer, position, heads + h * c->head_dim);
    }
}

static double keys[N_TOKENS][WIDE], values[N_TOKENS][WIDE];

static void attend_head(const struct model_config *c, size_t layer, size_t position, size_t head,
                        const double *query, double *out) {
    size_t kv = head / (c->n_heads / c->n_kv_heads) * c->head_dim;
    size_t first = windowed(c, layer) && position + 1 > c->window ? position + 1 - c->window : 0;
    double total = 0, scale = c->attention_scale > 0 ? c->attention_scale : 1 / sqrt((double)c->head_dim);
    memset(out, 0, c->head_dim * sizeof *out);
    for (size_t p = first; p <= position; p++) {
        double score = 0;
        for (size_t d = 0; d < c->head_dim; d++)
            score += query[d] * keys[p][kv + d] * scale;
        double e = exp(capped(score, c->attention_softcap));
        total += e;
        for (size_t d = 0; d < c->head_dim; d++)
            out[d] += e * values[p][kv + d];
    }
    for (size_t d = 0; d < c->head_dim; d++)
        out[d] /= total;
}

/* Of normed inputs x, for the tokens one after the other. */
static void attention(const struct reference *r, size_t layer, size_t position, const double *x,
                      double *out) {
    const struct model_config *c = &r->config;
    double queries[WIDE], attended[WIDE];
    project_heads(r, ROLE_ATTN_Q, ROLE_ATTN_Q_NORM, c->n_heads, layer, position, x, queries);
    project_heads(r, ROLE_ATTN_K, ROLE_ATTN_K_NORM, c->n_kv_heads, layer, position, x, keys[position]);
    multiply(weight(r, ROLE_ATTN_V, layer), weight(r, ROLE_ATTN_V_BIAS, layer), c->n_kv_heads * c->head_dim,
             c->dim, x, values[position]);
    for (size_t head = 0; head < c->n_heads; head++)
        attend_head(c, layer, position, head, queries + head * c->head_dim, attended + head * c->head_dim);
    multiply(weight(r, ROLE_ATTN_OUTPUT, layer), weight(r, ROLE_ATTN_OUTPUT_BIAS, layer), c->dim,
             c->n_heads * c->head_dim, attended, out);
    norm(r, ROLE_ATTN_POST_NORM, layer, out);
}

/* Adds scale * down(act(gate) * up) to out; without a gate, of act(up). */
static void feed(const struct model_config *c, const float *const w[3], const float *const bias[3],
                 size_t width, double scale, const double *x, double *out) {
    double gate[WIDE], up[WIDE], down[WIDE];
    multiply(w[1], bias[1], width, c->dim, x, up);
    if (w[0])
        multiply(w[0], bias[0], width, c->dim, x, gate);
    for (size_t i = 0; i < width; i++)
        up[i] = w[0] ? activated(c, gate[i]) * up[i] : activated(c, up[i]);
    multiply(w[2], bias[2], c->dim, width, up, down);
    for (size_t d = 0; d < c->dim; d++)
        out[d] += scale * down[d];
}

static const float *const no_bias[3];

static void feed_shared(const struct reference *r, size_t layer, const double *x, double *out) {
    double logit;
    const float *const w[] = {weight(r, ROLE_SHARED_GATE, layer), weight(r, ROLE_SHARED_UP, layer),
                              weight(r, ROLE_SHARED_DOWN, layer)};
    multiply(weight(r, ROLE_SHARED_ROUTER, layer), NULL, 1, r->config.dim, x, &logit);
    feed(&r->config, w, no_bias, r->config.shared_ffn_dim, 1 / (1 + exp(-logit)), x, out);
}

/* How many experts are chosen before expert e. */
static size_t rank_of(const double *logits, size_t n, size_t e) {
    size_t rank = 0;
    for (size_t i = 0; i < n; i++)
        rank += logits[i] > logits[e] || (logits[i] == logits[e] && i < e);
    return rank;
}

static void feed_experts(const struct reference *r, size_t layer, const double *x, double *out) {
    const struct model_config *c = &r->config;
    const size_t area = c->expert_ffn_dim * c->dim;
    double logits[16], total = 0;
    multiply(weight(r, ROLE_ROUTER, layer), NULL, c->n_experts, c->dim, x, logits);
    for (size_t e = 0; e < c->n_experts; e++)
        if (!c->norm_expert_weights || rank_of(logits, c->n_experts, e) < c->n_experts_used)
            total += exp(logits[e]);
    for (size_t e = 0; e < c->n_experts; e++) {
        const float *const w[] = {weight(r, ROLE_EXPERT_GATE, layer) + e * area,
                                  weight(r, ROLE_EXPERT_UP, layer) + e * area,
                                  weight(r, ROLE_EXPERT_DOWN, layer) + e * area};
        if (rank_of(logits, c->n_experts, e) < c->n_experts_used)
            feed(c, w, no_bias, c->expert_ffn_dim, exp(logits[e]) / total, x, out);
    }
    if (c->shared_ffn_dim)
        feed_shared(r, layer, x, out);
}

static void feed_forward(const struct reference *r, size_t layer, const double *x, double *out) {
    const struct model_config *c = &r->config;
    const float *const w[] = {weight(r, ROLE_FFN_GATE, layer), weight(r, ROLE_FFN_UP, layer),
                              weight(r, ROLE_FFN_DOWN, layer)};
    const float *const bias[] = {weight(r, ROLE_FFN_GATE_BIAS, layer), weight(r, ROLE_FFN_UP_BIAS, layer),
                                 weight(r, ROLE_FFN_DOWN_BIAS, layer)};
    memset(out, 0, c->dim * sizeof *out);
    if (c->n_experts && layer_has(&c->expert_layers, layer))
        feed_experts(r, layer, x, out);
    else
        feed(c, w, bias, c->ffn_dim, 1, x, out);
    norm(r, ROLE_FFN_POST_NORM, layer, out);
}

static void add(const struct model_config *c, double *x, const double *y) {
    for (size_t d = 0; d < c->dim; d++)
        x[d] += (c->residual_scale > 0 ? c->residual_scale : 1) * y[d];
}

/* A layer for one token, whose state x becomes the next layer's. */
static void run_layer(const struct reference *r, size_t layer, size_t position, double *x) {
    const struct model_config *c = &r->config;
    double input[WIDE], attended[WIDE], fed[WIDE];
    memcpy(input, x, sizeof input);
    norm(r, ROLE_ATTN_NORM, layer, input);
    attention(r, layer, position, input, attended);
    if (!c->parallel_residual)
        add(c, x, attended);
    memcpy(input, x, sizeof input);
    norm(r, c->shared_norm ? ROLE_ATTN_NORM : ROLE_FFN_NORM, layer, input);
    feed_forward(r, layer, input, fed);
    if (c->parallel_residual)
        add(c, x, attended);
    add(c, x, fed);
}

static void embed(const struct reference *r, size_t position, double *x) {
    const struct model_config *c = &r->config;
    const float *row = weight(r, ROLE_TOKEN_EMBD, 0) + tokens[position] * c->dim;
    const float *place = weight(r, ROLE_POSITION_EMBD, 0);
    for (size_t d = 0; d < c->dim; d++)
        x[d] = (double)row[d] * (c->embedding_scale > 0 ? c->embedding_scale : 1) +
               (place ? (double)place[position * c->dim + d] : 0);
}

static void textbook(const struct reference *r, double *logits) {
    const struct model_config *c = &r->config;
    static double x[N_TOKENS][WIDE];
    const float *head = weight(r, c->tied_head ? ROLE_TOKEN_EMBD : ROLE_OUTPUT, 0);
    for (size_t i = 0; i < N_TOKENS; i++)
        embed(r, i, x[i]);
    for (size_t layer = 0; layer < c->n_layers; layer++)
        for (size_t i = 0; i < N_TOKENS; i++)
            run_layer(r, layer, i, x[i]);
    for (size_t i = 0; i < N_TOKENS; i++) {
        norm(r, ROLE_OUTPUT_NORM, 0, x[i]);
        multiply(head, NULL, VOCAB, c->dim, x[i], logits + i * VOCAB);
    }
    for (size_t i = 0; i < N_TOKENS * VOCAB; i++)
        logits[i] = capped(logits[i] * (c->logit_scale > 0 ? c->logit_scale : 1), c->logit_softcap);
}

/* ---- The comparison ---- */

static void describe(const struct reference *r, const char *how, double worst) {
    struct arena arena = {0};
    struct error error;
    struct metadata m = {.arena = &arena};
    char text[4096] = "";
    size_t length = 0;
    assert_true(config_to_metadata(&r->config, &m, &error));
    for (size_t i = 0; i < m.count && length < sizeof text - 200; i++) {
        const struct value *v = &m.items[i].value;
        length += (size_t)snprintf(text + length, sizeof text - length, " %s=", m.items[i].key + 6);
        length +=
            (size_t)(v->kind == VALUE_TEXT ? snprintf(text + length, sizeof text - length, "%s", v->text)
                     : v->kind == VALUE_UINT
                         ? snprintf(text + length, sizeof text - length, "%llu", (unsigned long long)v->uint)
                     : v->kind == VALUE_REAL
                         ? snprintf(text + length, sizeof text - length, "%g", v->real)
                         : snprintf(text + length, sizeof text - length, "%d", v->boolean));
    }
    fail_msg("%s differs by %g of the range:%s", how, worst, text);
}

static void compare(const struct reference *r, const float *found, const double *expected, const char *how) {
    double worst = 0, low = INFINITY, high = -INFINITY;
    for (size_t i = 0; i < N_TOKENS * VOCAB; i++) {
        double apart = fabs((double)found[i] - expected[i]);
        worst = apart <= worst ? worst : apart; /* NaN shows */
        low = fmin(low, expected[i]);
        high = fmax(high, expected[i]);
    }
    if (!(worst <= TOLERANCE * (high - low)))
        describe(r, how, worst / (high - low));
}

/* The tokens in runs of `batch`, on a pool. */
static void check_runs(const struct reference *r, const struct model *model, size_t batch, struct pool *pool,
                       const double *expected) {
    static float found[N_TOKENS * VOCAB];
    struct session session;
    struct error error;
    char how[64];
    snprintf(how, sizeof how, "in runs of %zu with %u threads", batch, pool_size(pool));
    if (!session_open(&session, model, N_TOKENS, batch, pool, &error) ||
        !session_forward(&session, tokens, N_TOKENS, found, N_TOKENS, &error))
        fail_msg("%s", error.text);
    session_close(&session);
    compare(r, found, expected, how);
}

/* Three sequences of the same tokens step together, each a few tokens behind the one before it. */
static void check_steps(const struct reference *r, const struct model *model, struct pool *pool,
                        const double *expected) {
    enum { N = 3, APART = 4 };
    static float found[N][N_TOKENS * VOCAB], step[N * VOCAB];
    struct session sessions[N];
    struct error error;
    if (!session_open_many(sessions, N, model, N_TOKENS, N_TOKENS, pool, &error))
        fail_msg("%s", error.text);
    for (size_t i = 0; i < N; i++)
        assert_true(session_forward(&sessions[i], tokens, 1 + APART * i, found[i], 1 + APART * i, &error));
    while (sessions[N - 1].position < N_TOKENS) {
        uint32_t next[N];
        for (size_t i = 0; i < N; i++)
            next[i] = tokens[sessions[i].position];
        assert_true(session_step(sessions, N, next, step, &error));
        for (size_t i = 0; i < N; i++)
            memcpy(found[i] + (sessions[i].position - 1) * VOCAB, step + i * VOCAB, VOCAB * sizeof *step);
    }
    for (size_t i = 0; i + 1 < N; i++)
        assert_true(session_forward(&sessions[i], tokens + sessions[i].position,
                                    N_TOKENS - sessions[i].position, found[i] + sessions[i].position * VOCAB,
                                    N_TOKENS - sessions[i].position, &error));
    session_close(sessions);
    for (size_t i = 0; i < N; i++)
        compare(r, found[i], expected, "in steps together");
}

static void models_of_all_traits_say_what_the_textbook_says(void **unused) {
    (void)unused;
    static double expected[N_TOKENS * VOCAB];
    const size_t batches[] = {1, 7, 16, N_TOKENS};
    for (size_t i = 0; i < N_MODELS; i++) {
        struct reference r;
        struct model model;
        struct error error;
        make_reference(&r);
        write_model(&r);
        textbook(&r, expected);
        if (!model_open(&model, "model.qm", &error))
            fail_msg("%s", error.text);
        check_runs(&r, &model, 1, pools[i % N_POOLS], expected);
        check_runs(&r, &model, batches[i % 4], pools[i / 4 % N_POOLS], expected);
        check_steps(&r, &model, pools[i / 2 % N_POOLS], expected);
        model_close(&model);
        arena_free(&r.arena);
    }
}

static int set_up(void **unused) {
    (void)unused;
    enter_scratch_folder();
    for (uint32_t i = 0; i < N_TOKENS; i++)
        tokens[i] = (7 * i * i + 3 * i + 1) % VOCAB;
    open_pools();
    return 0;
}

static int tear_down(void **unused) {
    (void)unused;
    close_pools();
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(models_of_all_traits_say_what_the_textbook_says),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
