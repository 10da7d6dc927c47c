/* Batches of f16 and bf16 by AMX. An f16 number is the sum of two bf16 numbers exactly, and a float is to
 * 2^-17 of it. So a product of f16 weights is four of bf16, and one of bf16 weights two. Sums stay in tiles.
 * What is below 2^-126 counts as zero. */
#ifdef __x86_64__
#include "types/x86/amx.h"

/* Weights of PART_COLS columns of a panel, in bf16: in each line of a tile two columns of each row. */
struct pieces {
    _Alignas(LINE) uint16_t first[STEPS][STEP_WEIGHTS], second[STEPS][STEP_WEIGHTS];
};

typedef uint16_t words __attribute__((vector_size(LINE)));

/* Sixteen rows of 32-bit words become sixteen columns. */
INLINE void transpose(vi rows[PANEL_ROWS]) {
    for (int i = 0; i < PANEL_ROWS; i += 4)
        transpose_quads((vf *)rows + i);
    for (int i = 0; i < 4; i++) {
        const __m512i a = (__m512i)rows[i], b = (__m512i)rows[4 + i], c = (__m512i)rows[8 + i],
                      d = (__m512i)rows[12 + i];
        const __m512i even_ab = _mm512_shuffle_i32x4(a, b, 0x88), odd_ab = _mm512_shuffle_i32x4(a, b, 0xdd);
        const __m512i even_cd = _mm512_shuffle_i32x4(c, d, 0x88), odd_cd = _mm512_shuffle_i32x4(c, d, 0xdd);
        rows[i] = (vi)_mm512_shuffle_i32x4(even_ab, even_cd, 0x88);
        rows[4 + i] = (vi)_mm512_shuffle_i32x4(odd_ab, odd_cd, 0x88);
        rows[8 + i] = (vi)_mm512_shuffle_i32x4(even_ab, even_cd, 0xdd);
        rows[12 + i] = (vi)_mm512_shuffle_i32x4(odd_ab, odd_cd, 0xdd);
    }
}

/* Sixteen f16 numbers, of any size, cut to bf16, and what is cut off. */
INLINE void cut_floats(vh halves, uint16_t *first, uint16_t *second) {
    const vf values = widen_half(halves), whole = (vf)((vi)values & (int32_t)0xffff0000);
    const vh cut = __builtin_convertvector((vu)whole >> 16, vh);
    const vh rest = __builtin_convertvector((vu)(values - whole) >> 16, vh);
    memcpy(first, &cut, sizeof cut);
    memcpy(second, &rest, sizeof rest);
}

/* The same of 32, by their bits: bf16 has 7 bits of the fraction's 10, and an exponent that is 112 larger.
 * The other three are an integer of 0 to 7 times 2^(exponent - 25). */
INLINE void cut_halves(words halves, uint16_t *first, uint16_t *second) {
    const words integers = {0, 0x3f80, 0x4000, 0x4040, 0x4080, 0x40a0, 0x40c0, 0x40e0,
                            0, 0x3f80, 0x4000, 0x4040, 0x4080, 0x40a0, 0x40c0, 0x40e0,
                            0, 0x3f80, 0x4000, 0x4040, 0x4080, 0x40a0, 0x40c0, 0x40e0,
                            0, 0x3f80, 0x4000, 0x4040, 0x4080, 0x40a0, 0x40c0, 0x40e0};
    const __m512i h = (__m512i)halves;
    const __mmask32 normal = _mm512_test_epi16_mask(h, _mm512_set1_epi16(0x7c00));
    if (_mm512_mask_test_epi16_mask(~normal, h, _mm512_set1_epi16(0x03ff))) { /* subnormal */
        cut_floats((vh)_mm512_castsi512_si256(h), first, second);
        cut_floats((vh)_mm512_extracti64x4_epi64(h, 1), first + LANES, second + LANES);
        return;
    }
    const __mmask32 more = _mm512_mask_test_epi16_mask(normal, h, _mm512_set1_epi16(7));
    const words sign = halves & 0x8000, size = (halves & 0x7fff) >> 3, exponent = size & 0x0f80;
    const words rest = (words)_mm512_permutexvar_epi16(h, (__m512i)integers) + exponent - (25 << 7);
    const words whole = sign | (words)_mm512_maskz_mov_epi16(normal, (__m512i)(size + (112 << 7)));
    const words fraction = sign | (words)_mm512_maskz_mov_epi16(more, (__m512i)rest);
    memcpy(first, &whole, sizeof whole);
    memcpy(second, &fraction, sizeof fraction);
}

/* STEP columns of a panel. */
INLINE void take_step(const uint8_t *rows, size_t row_bytes, uint16_t *first, uint16_t *second,
                      bool two_pieces) {
    vi pairs[PANEL_ROWS];
    UNROLL_VECTORS
    for (size_t r = 0; r < PANEL_ROWS; r++)
        pairs[r] = load_words(rows + r * row_bytes);
    transpose(pairs);
    UNROLL_VECTORS
    for (size_t i = 0; i < PANEL_ROWS; i++)
        if (two_pieces)
            cut_halves((words)pairs[i], first + i * STEP, second + i * STEP);
        else
            memcpy(first + i * STEP, &pairs[i], sizeof pairs[i]);
}

/* Columns [col, col_end) of a panel, and zeros beyond the matrix. */
INLINE void take_pieces(const struct matrix *w, size_t row, size_t col, size_t col_end, struct pieces *to,
                        bool two_pieces) {
    const size_t row_bytes = w->n_cols * sizeof(uint16_t), n_rows = smaller(PANEL_ROWS, w->n_rows - row);
    const uint8_t *from = w->data + row * row_bytes;
    for (size_t step = 0; col < col_end; step++, col += STEP) {
        const size_t n_cols = smaller(STEP, col_end - col);
        if (n_rows == PANEL_ROWS && n_cols == STEP) {
            take_step(from + col * sizeof(uint16_t), row_bytes, to->first[step], to->second[step],
                      two_pieces);
            continue;
        }
        uint8_t edge[PANEL_ROWS][STEP * sizeof(uint16_t)] = {0};
        for (size_t r = 0; r < n_rows; r++)
            memcpy(edge[r], from + r * row_bytes + col * sizeof(uint16_t), n_cols * sizeof(uint16_t));
        take_step(edge[0], sizeof edge[0], to->first[step], to->second[step], two_pieces);
    }
}

/* Sums of one or two groups of vectors with one or two panels. */
struct corner {
    const uint16_t *x; /* of the first group */
    size_t run_to_run; /* numbers from inputs to what they lack, and from there to the next step's */
    const struct pieces *panels[2];
    float *sums[2][2]; /* [group][panel] */
};

/* Adds the products of the inputs in tiles 4 and 5 with the weights in 6 and 7. */
INLINE void add_corner(bool two_groups, bool two_panels) {
    TILE_ADD(tdpbf16ps, 0, 4, 6);
    if (two_panels)
        TILE_ADD(tdpbf16ps, 1, 4, 7);
    if (two_groups)
        TILE_ADD(tdpbf16ps, 2, 5, 6);
    if (two_groups && two_panels)
        TILE_ADD(tdpbf16ps, 3, 5, 7);
}

INLINE void load_inputs(const uint16_t *x, bool two_groups) {
    TILE_LOAD(4, x, LINE);
    if (two_groups)
        TILE_LOAD(5, x + TILE_VECTORS * STEP, LINE);
}

INLINE void load_weights(const uint16_t *panel, const uint16_t *other, bool two_panels) {
    TILE_LOAD(6, panel, LINE);
    if (two_panels)
        TILE_LOAD(7, other, LINE);
}

/* Loads or stores the sums. */
#define MOVE_SUMS(move, c, two_groups, two_panels)                                                           \
    do {                                                                                                     \
        move(0, (c)->sums[0][0], LINE);                                                                      \
        if (two_panels)                                                                                      \
            move(1, (c)->sums[0][1], LINE);                                                                  \
        if (two_groups)                                                                                      \
            move(2, (c)->sums[1][0], LINE);                                                                  \
        if ((two_groups) && (two_panels))                                                                    \
            move(3, (c)->sums[1][1], LINE);                                                                  \
    } while (0)

INLINE void multiply_corner(const struct corner *c, size_t n_steps, bool two_groups, bool two_panels,
                            bool two_pieces) {
    MOVE_SUMS(TILE_LOAD, c, two_groups, two_panels);
    for (size_t step = 0; step < n_steps; step++) {
        const uint16_t *x = c->x + 2 * step * c->run_to_run;
        load_weights(c->panels[0]->first[step], c->panels[1]->first[step], two_panels);
        load_inputs(x + c->run_to_run, two_groups);
        add_corner(two_groups, two_panels);
        load_inputs(x, two_groups);
        add_corner(two_groups, two_panels);
        if (two_pieces) {
            load_weights(c->panels[0]->second[step], c->panels[1]->second[step], two_panels);
            add_corner(two_groups, two_panels);
            load_inputs(x + c->run_to_run, two_groups);
            add_corner(two_groups, two_panels);
        }
    }
    MOVE_SUMS(TILE_STORE, c, two_groups, two_panels);
}

/* Columns [col, col_end), at most PART_COLS, of one or two panels. */
INLINE void multiply_panels(const struct matrix *w, const struct batch *x, size_t row, bool two_panels,
                            size_t col, size_t col_end, size_t first, size_t count, float *sums,
                            bool two_pieces) {
    struct pieces pieces[2];
    const size_t n_steps = (col_end - col + STEP - 1) / STEP, panel_sums = padded_vectors(count) * PANEL_ROWS;
    take_pieces(w, row, col, col_end, &pieces[0], two_pieces);
    if (two_panels)
        take_pieces(w, row + PANEL_ROWS, col, col_end, &pieces[1], two_pieces);
    for (size_t i = 0; i < count; i += 2 * TILE_VECTORS) {
        float *to = sums + i * PANEL_ROWS, *next = to + TILE_VECTORS * PANEL_ROWS;
        const struct corner corner = {x->bf16 + (col / STEP * 2 * x->n_vectors + first + i) * STEP,
                                      x->n_vectors * STEP,
                                      {&pieces[0], &pieces[1]},
                                      {{to, to + panel_sums}, {next, next + panel_sums}}};
        if (i + TILE_VECTORS < count)
            multiply_corner(&corner, n_steps, true, two_panels, two_pieces);
        else
            multiply_corner(&corner, n_steps, false, two_panels, two_pieces);
    }
}

INLINE void multiply_bfloats(const struct matrix *w, const struct batch *x, size_t row_begin, size_t row_end,
                             size_t col_begin, size_t col_end, size_t first, size_t count, float *sums,
                             bool two_pieces) {
    configure(LINE, STEP / 2);
    for (size_t row = row_begin; row < row_end; row += 2 * PANEL_ROWS)
        for (size_t col = col_begin; col < col_end; col += PART_COLS) {
            const size_t end = smaller(col + PART_COLS, col_end);
            float *to = sums + (row - row_begin) * padded_vectors(count);
            if (row + PANEL_ROWS < row_end)
                multiply_panels(w, x, row, true, col, end, first, count, to, two_pieces);
            else
                multiply_panels(w, x, row, false, col, end, first, count, to, two_pieces);
        }
    TILES_RELEASE();
}

TARGET void split_amx(const float *x, uint16_t *rounded, uint16_t *rest) {
    for (size_t part = 0; part < BLOCK_COLS; part += LANES) {
        const vf values = load(x + part);
        const __m256bh whole = _mm512_cvtneps_pbh(values);
        const __m256bh more = _mm512_cvtneps_pbh(values - widen_bfloat((vh)whole));
        memcpy(rounded + part, &whole, sizeof whole);
        memcpy(rest + part, &more, sizeof more);
    }
}

#define DEFINE_BFLOATS(type, two_pieces)                                                                     \
    TARGET void VARIANT(type##_multiply)(const struct matrix *w, const struct batch *x, size_t row_begin,    \
                                         size_t row_end, size_t col_begin, size_t col_end, size_t first,     \
                                         size_t count, float *sums) {                                        \
        multiply_bfloats(w, x, row_begin, row_end, col_begin, col_end, first, count, sums, two_pieces);      \
    }

DEFINE_BFLOATS(f16, true)
DEFINE_BFLOATS(bf16, false)
#endif
