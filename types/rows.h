/* Template: the plain types, whose rows lie one behind the other. */

enum element { F32, F16, BF16 };

INLINE enum element element_of(const struct type *type) {
    return type == &type_f16 ? F16 : type == &type_bf16 ? BF16 : F32;
}

INLINE size_t element_bytes(enum element e) {
    return e == F32 ? 4 : 2;
}

INLINE vf widen(vh bits, enum element e) {
    return e == F16 ? widen_half(bits) : widen_bfloat(bits);
}

INLINE vf load_elements(const uint8_t *from, enum element e) {
    return e == F32 ? load((const float *)(const void *)from) : widen(load_halves(from), e);
}

/* `count` of LANES elements, zeros behind them. */
INLINE vf load_some(const uint8_t *from, size_t count, enum element e) {
    uint8_t whole[4 * LANES] = {0};
    memcpy(whole, from, count * element_bytes(e));
    return load_elements(whole, e);
}

/* ---- decode ---- */

INLINE void widen_all(const uint8_t *from, size_t n, float *to, enum element e) {
    size_t i = 0;
    for (; i + LANES <= n; i += LANES)
        store(to + i, load_elements(from + i * element_bytes(e), e));
    if (i < n) {
        vf rest = load_some(from + i * element_bytes(e), n - i, e);
        memcpy(to + i, &rest, (n - i) * sizeof *to);
    }
}

/* ---- encode ---- */

/* Magnitudes from here on round to infinity. */
INLINE float too_large(enum element e) {
    return e == F16 ? 65520 : bits_float(0x7f7f8000);
}

INLINE vh narrow(vf x, enum element e) {
    if (e == F16)
        return narrow_half(x);
    vu bits = (vu)x;
    return __builtin_convertvector((bits + 0x7fff + (bits >> 16 & 1)) >> 16, vh);
}

/* Returns n, or where the first value is that does not fit. */
INLINE size_t narrow_all(const uint8_t *from, size_t n, uint8_t *to, enum element source, enum element e) {
    const size_t size = element_bytes(source);
    vi unfit = {0};
    size_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        vf x = load_elements(from + i * size, source);
        vh bits = narrow(x, e);
        memcpy(to + 2 * i, &bits, sizeof bits);
        unfit |= magnitude(x) >= too_large(e);
    }
    if (i < n) {
        vf x = load_some(from + i * size, n - i, source);
        vh bits = narrow(x, e);
        memcpy(to + 2 * i, &bits, 2 * (n - i));
        unfit |= magnitude(x) >= too_large(e);
    }
    if (!any_lane(unfit))
        return n;
    for (i = 0; magnitude(load_some(from + i * size, 1, source))[0] < too_large(e);)
        i++;
    return i;
}

INLINE bool encode_elements(const struct matrix *rows, uint8_t *out, struct unfit *unfit, enum element source,
                            enum element e) {
    size_t n = rows->n_rows * rows->n_cols;
    if (e == F32) {
        widen_all(rows->data, n, (float *)(void *)out, source);
        return true;
    }
    size_t fit = narrow_all(rows->data, n, out, source, e);
    if (fit < n)
        *unfit = (struct unfit){fit / rows->n_cols, fit % rows->n_cols,
                                load_some(rows->data + fit * element_bytes(source), 1, source)[0]};
    return fit == n;
}

INLINE bool encode_rows(const struct matrix *rows, uint8_t *out, struct unfit *unfit, enum element e) {
    switch (element_of(rows->type)) {
    case F16:
        return encode_elements(rows, out, unfit, F16, e);
    case BF16:
        return encode_elements(rows, out, unfit, BF16, e);
    default:
        return encode_elements(rows, out, unfit, F32, e);
    }
}

/* ---- matvec ---- */

/* So that each load of x serves several rows; and so far apart that each is a stream for the processor's
 * prefetchers: adjacent rows are one stream, and reach .89 of what these do. */
#define ROWS_AT_ONCE 4

/* n_rows rows, `apart` from one another. */
INLINE void dot_rows(const uint8_t *row, size_t n_rows, size_t apart, size_t n_cols, const float *x, float *y,
                     size_t ahead, enum element e) {
    size_t col = 0, size = element_bytes(e), row_bytes = apart * n_cols * size;
    vf sum[ROWS_AT_ONCE][2];
    for (size_t r = 0; r < n_rows; r++)
        sum[r][0] = sum[r][1] = (vf){0};
    for (; col + 2 * LANES <= n_cols; col += 2 * LANES)
        for (size_t r = 0; r < n_rows; r++) {
            fetch_stream(row + r * row_bytes + col * size, 2 * LANES * size, ahead, r);
            for (size_t u = 0; u < 2; u++) {
                size_t c = col + u * LANES;
                sum[r][u] = fused(load_elements(row + r * row_bytes + c * size, e), load(x + c), sum[r][u]);
            }
        }
    for (; col < n_cols; col += LANES)
        for (size_t r = 0; r < n_rows; r++) {
            vf w = load_some(row + r * row_bytes + col * size, smaller(LANES, n_cols - col), e);
            sum[r][0] = fused(w, load(x + col), sum[r][0]);
        }
    for (size_t r = 0; r < n_rows; r++)
        y[r * apart] = sum_lanes(sum[r][0] + sum[r][1]);
}

INLINE void matvec_rows(const struct matrix *w, const struct vector *x, size_t row_begin, size_t row_end,
                        float *y, size_t ahead, enum element e) {
    size_t row = row_begin, row_bytes = w->n_cols * element_bytes(e);
    const size_t run = (row_end - row_begin) / ROWS_AT_ONCE;
    for (size_t i = 0; i < run; i++, row++)
        dot_rows(w->data + row * row_bytes, ROWS_AT_ONCE, run, w->n_cols, x->f32, y + row, ahead, e);
    for (row = row_begin + run * ROWS_AT_ONCE; row < row_end; row++)
        dot_rows(w->data + row * row_bytes, 1, 0, w->n_cols, x->f32, y + row, ahead, e);
}

/* ---- multiply ---- */

#define GROUP_VECTORS 3 /* times ROWS_AT_ONCE of sums, three of inputs, one of weights: sixteen registers */

/* Rows that meet vectors together: `bytes_apart` from one another, their sums `sums_apart`. */
struct few_rows {
    const uint8_t *first;
    size_t bytes_apart, sums_apart;
};

/* Columns of one run of the batch. */
INLINE void add_run(vf sum[ROWS_AT_ONCE][GROUP_VECTORS], const struct few_rows *rows, size_t from,
                    size_t n_rows, size_t n_cols, const float *x, size_t n_vectors, size_t ahead,
                    enum element e) {
    size_t col = 0, size = element_bytes(e);
    for (; col + LANES <= n_cols; col += LANES)
        for (size_t r = 0; r < n_rows; r++) {
            const uint8_t *at = rows->first + r * rows->bytes_apart + (from + col) * size;
            if (col % (2 * LANES) == 0)
                fetch_stream(at, 2 * LANES * size, ahead, r);
            vf w = load_elements(at, e);
            for (size_t i = 0; i < n_vectors; i++)
                sum[r][i] = fused(w, load(x + i * TILE_COLS + col), sum[r][i]);
        }
    for (size_t r = 0; col < n_cols && r < n_rows; r++) {
        vf w = load_some(rows->first + r * rows->bytes_apart + (from + col) * size, n_cols - col, e);
        for (size_t i = 0; i < n_vectors; i++)
            sum[r][i] = fused(w, load(x + i * TILE_COLS + col), sum[r][i]);
    }
}

/* Each pair of counts has code of its own, so that its sums live in registers. */
INLINE void add_group(const struct few_rows *rows, size_t n_rows, size_t n_cols, const float *x, size_t x_run,
                      size_t n_vectors, float *sums, size_t ahead, enum element e) {
    vf sum[ROWS_AT_ONCE][GROUP_VECTORS] = {0};
    for (size_t col = 0; col < n_cols; col += TILE_COLS, x += x_run)
        add_run(sum, rows, col, n_rows, smaller(TILE_COLS, n_cols - col), x, n_vectors, ahead, e);
    for (size_t i = 0; i < n_vectors; i++)
        for (size_t r = 0; r < n_rows; r++)
            sums[i * PANEL_ROWS + r * rows->sums_apart] += sum_lanes(sum[r][i]);
}

/* All vectors meet a few rows while these are in the first-level cache. */
INLINE void add_groups(const struct few_rows *rows, size_t n_rows, size_t n_cols, const float *x,
                       size_t x_run, size_t count, float *sums, size_t ahead, enum element e) {
    const size_t n_groups = (count + GROUP_VECTORS - 1) / GROUP_VECTORS;
    for (size_t group = 0; group < n_groups; group++) {
        const size_t first = count * group / n_groups, behind = count * (group + 1) / n_groups;
        const float *from = x + first * TILE_COLS;
        float *to = sums + first * PANEL_ROWS;
        switch (behind - first) {
        case 1:
            add_group(rows, n_rows, n_cols, from, x_run, 1, to, ahead, e);
            break;
        case 2:
            add_group(rows, n_rows, n_cols, from, x_run, 2, to, ahead, e);
            break;
        default:
            add_group(rows, n_rows, n_cols, from, x_run, 3, to, ahead, e);
        }
    }
}

/* As in a matvec the rows that meet vectors together are far apart, a panel of each run after the other. */
INLINE void multiply_rows(const struct matrix *w, const struct batch *x, size_t row_begin, size_t row_end,
                          size_t col_begin, size_t col_end, size_t first, size_t count, float *sums,
                          size_t ahead, enum element e) {
    const size_t row_bytes = w->n_cols * element_bytes(e), n_cols = col_end - col_begin;
    const size_t panel_sums = padded_vectors(count) * PANEL_ROWS, x_run = x->n_vectors * TILE_COLS;
    const uint8_t *from = w->data + row_begin * row_bytes + col_begin * element_bytes(e);
    const float *vectors = x->f32 + col_begin * x->n_vectors + first * TILE_COLS;
    const size_t n_rows = row_end - row_begin, run = n_rows / (ROWS_AT_ONCE * PANEL_ROWS);
    for (size_t row = 0; row < run * PANEL_ROWS; row++) {
        const struct few_rows rows = {from + row * row_bytes, run * PANEL_ROWS * row_bytes, run * panel_sums};
        add_groups(&rows, ROWS_AT_ONCE, n_cols, vectors, x_run, count,
                   sums + row / PANEL_ROWS * panel_sums + row % PANEL_ROWS, ahead, e);
    }
    for (size_t row = run * ROWS_AT_ONCE * PANEL_ROWS; row < n_rows; row++) {
        const struct few_rows rows = {.first = from + row * row_bytes};
        add_groups(&rows, 1, n_cols, vectors, x_run, count,
                   sums + row / PANEL_ROWS * panel_sums + row % PANEL_ROWS, ahead, e);
    }
}

/* ---- unpack ---- */

/* The columns of n_quads times 16 bytes, at most QUADS_AT_ONCE, of PANEL_ROWS rows. Pairs of halves are
 * turned around as words. Few rows are read at a time, all quads of each: where rows lie a multiple of 4096
 * bytes apart, their cache lines displace each other. */
#define QUADS_AT_ONCE 4
INLINE void unpack_quads(const uint8_t *from, size_t row_bytes, size_t n_quads, float *out, enum element e) {
    for (size_t row = 0; row < PANEL_ROWS; row += LANES) {
        vf v[QUADS_AT_ONCE][4];
        for (size_t i = 0; i < 4; i++)
            for (size_t q = 0; q < n_quads; q++)
                v[q][i] = load_quads(from + (row + i) * row_bytes + 16 * q, 4 * row_bytes);
        for (size_t q = 0; q < n_quads; q++) {
            float *to = out + q * 16 / element_bytes(e) * PANEL_ROWS + row;
            transpose_quads(v[q]);
            for (size_t i = 0; i < 4; i++)
                if (e == F32)
                    store(to + i * PANEL_ROWS, v[q][i]);
                else {
                    store(to + 2 * i * PANEL_ROWS,
                          widen(__builtin_convertvector((vu)v[q][i] & 0xffff, vh), e));
                    store(to + (2 * i + 1) * PANEL_ROWS,
                          widen(__builtin_convertvector((vu)v[q][i] >> 16, vh), e));
                }
        }
    }
}

/* Columns and rows that do not fill a quad or a tile. */
INLINE void unpack_some(const uint8_t *from, size_t row_bytes, size_t n_rows, size_t n_cols, float *out,
                        enum element e) {
    memset(out, 0, n_cols * PANEL_ROWS * sizeof *out);
    for (size_t row = 0; row < n_rows; row++)
        for (size_t col = 0; col < n_cols; col++)
            out[col * PANEL_ROWS + row] = load_some(from + row * row_bytes + col * element_bytes(e), 1, e)[0];
}

/* What lies `ahead` bytes further is asked for; nothing where that is 0. */
INLINE void unpack_rows(const struct matrix *w, size_t row, size_t col_begin, size_t col_end, float *out,
                        size_t ahead, enum element e) {
    size_t col = col_begin, row_bytes = w->n_cols * element_bytes(e);
    const uint8_t *from = w->data + row * row_bytes;
    const size_t quad = 16 / element_bytes(e);
    for (size_t n; row + PANEL_ROWS <= w->n_rows && col + quad <= col_end; col += n * quad) {
        const uint8_t *at = from + col * element_bytes(e);
        float *to = out + (col - col_begin) * PANEL_ROWS;
        for (size_t i = 0; i < PANEL_ROWS; i++)
            fetch_for_later(at + i * row_bytes, ahead);
        n = col + QUADS_AT_ONCE * quad <= col_end ? QUADS_AT_ONCE : 1;
        if (n == QUADS_AT_ONCE)
            unpack_quads(at, row_bytes, QUADS_AT_ONCE, to, e);
        else
            unpack_quads(at, row_bytes, 1, to, e);
    }
    unpack_some(from + col * element_bytes(e), row_bytes, smaller(PANEL_ROWS, w->n_rows - row), col_end - col,
                out + (col - col_begin) * PANEL_ROWS, e);
}

/* How far the next tile lies behind that of a product that unpacks its weights: in the same rows, or where
 * they end, in those of the next chunk. */
INLINE size_t next_tile(const struct matrix *w, size_t col_begin, size_t col_end, enum element e) {
    const size_t chunk = best_primitives()->blocking.panels * PANEL_ROWS;
    return (col_end < w->n_cols ? col_end - col_begin : chunk * w->n_cols - col_begin) * element_bytes(e);
}

#define DEFINE_ROWS(type, element)                                                                           \
    TARGET void VARIANT(type##_widen)(const void *from, size_t n, float *to) {                               \
        widen_all(from, n, to, element);                                                                     \
    }                                                                                                        \
    TARGET void VARIANT(type##_matvec)(const struct matrix *w, const struct vector *x, size_t row_begin,     \
                                       size_t row_end, float *y) {                                           \
        if (asks_ahead())                                                                                    \
            matvec_rows(w, x, row_begin, row_end, y, FETCH_AHEAD, element);                                  \
        else                                                                                                 \
            matvec_rows(w, x, row_begin, row_end, y, 0, element);                                            \
    }                                                                                                        \
    TARGET void VARIANT(type##_multiply)(const struct matrix *w, const struct batch *x, size_t row_begin,    \
                                         size_t row_end, size_t col_begin, size_t col_end, size_t first,     \
                                         size_t count, float *sums) {                                        \
        if (asks_ahead())                                                                                    \
            multiply_rows(w, x, row_begin, row_end, col_begin, col_end, first, count, sums, FETCH_AHEAD,     \
                          element);                                                                          \
        else                                                                                                 \
            multiply_rows(w, x, row_begin, row_end, col_begin, col_end, first, count, sums, 0, element);     \
    }                                                                                                        \
    TARGET void VARIANT(type##_unpack)(const struct matrix *w, size_t row, size_t col_begin, size_t col_end, \
                                       float *out) {                                                         \
        unpack_rows(w, row, col_begin, col_end, out, next_tile(w, col_begin, col_end, element), element);    \
    }                                                                                                        \
    TARGET bool VARIANT(type##_encode)(const struct matrix *rows, const float *importance, void *out,        \
                                       struct unfit *unfit) {                                                \
        (void)importance;                                                                                    \
        return encode_rows(rows, out, unfit, element);                                                       \
    }

DEFINE_ROWS(f32, F32)
DEFINE_ROWS(f16, F16)
DEFINE_ROWS(bf16, BF16)
