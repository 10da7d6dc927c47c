/* Batches by AMX: tiles of sums, 16 vectors by the 16 rows of a panel, to which one instruction adds the
 * products of 64 bytes of each vector with 64 bytes of each row. Everything else is in avx512.c.
 *
 * A tile of weights holds four bytes of each row in a line (two, where they are bf16), which is how q8 has
 * them in the file. Tiles are used so throughout:
 *
 *   0 to 3  sums, a vector to a line
 *   4, 5    inputs, a vector to a line
 *   6, 7    weights, a column's row of four (or two) to a line
 *
 * Intel's Intrinsics Guide, and the Software Developer's Manual, volume 1, chapter 18. */
#ifdef __x86_64__
#define WITH_AMX
#include "types/x86/avx512.h"

#define TILE_VECTORS BATCH_PAD
#define LINE 64 /* bytes of a tile's line at most */
#define UNROLL_VECTORS _Pragma("GCC unroll 16")

/* What LDTILECFG reads. */
struct tile_config {
    uint8_t palette, start_row, reserved[14];
    uint16_t line_bytes[16];
    uint8_t lines[16];
};

/* In place of the compilers' intrinsics, of which gcc 12's do not say that they read and write memory. */
#define TILES_CONFIGURE(config) __asm__ volatile("ldtilecfg %0" : : "m"(*(config)))
#define TILES_RELEASE() __asm__ volatile("tilerelease")
#define TILE_ZERO(tile) __asm__ volatile("tilezero %%tmm" #tile : :)
#define TILE_LOAD(tile, from, stride)                                                                        \
    __asm__ volatile("tileloadd (%0,%1,1), %%tmm" #tile : : "r"(from), "r"((size_t)(stride)) : "memory")
#define TILE_STORE(tile, to, stride)                                                                         \
    __asm__ volatile("tilestored %%tmm" #tile ", (%0,%1,1)" : : "r"(to), "r"((size_t)(stride)) : "memory")
#define TILE_ADD(instruction, sums, inputs, weights)                                                         \
    __asm__ volatile(#instruction " %%tmm" #weights ", %%tmm" #inputs ", %%tmm" #sums : :)

INLINE void configure(uint16_t input_bytes, uint8_t weight_lines) {
    struct tile_config config = {.palette = 1};
    for (int tile = 0; tile < 8; tile++) {
        config.line_bytes[tile] = tile == 4 || tile == 5 ? input_bytes : LINE;
        config.lines[tile] = tile < 6 ? TILE_VECTORS : weight_lines;
    }
    TILES_CONFIGURE(&config);
}

/* ---- f16 and bf16 ---- */

/* An f16 number is the sum of two bf16 numbers exactly, and a float is to 2^-17 of it. So a product of f16
 * weights is four of bf16, and one of bf16 weights two. Sums stay in tiles. What is below 2^-126 counts as
 * zero. */

#define STEP BLOCK_COLS /* columns of a tile */
#define STEPS                                                                                                \
    (SPLIT_COLS / STEP) /* so many columns of two panels and two groups lie in the first-level cache */
#define STEP_WEIGHTS (STEP * PANEL_ROWS)

/* Weights of SPLIT_COLS columns of a panel, in bf16: in each line of a tile two columns of each row. */
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
    const struct pieces *panels[2];
    float *sums[2][2]; /* [group][panel] */
};

#define INPUT_NUMBERS (2 * SPLIT_COLS)

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
    TILE_LOAD(4, x, INPUT_NUMBERS * sizeof *x);
    if (two_groups)
        TILE_LOAD(5, x + TILE_VECTORS * INPUT_NUMBERS, INPUT_NUMBERS * sizeof *x);
}

INLINE void load_weights(const uint16_t *panel, const uint16_t *other, bool two_panels) {
    TILE_LOAD(6, panel, LINE);
    if (two_panels)
        TILE_LOAD(7, other, LINE);
}

INLINE void multiply_corner(const struct corner *c, size_t n_steps, bool two_groups, bool two_panels,
                            bool two_pieces) {
    TILE_LOAD(0, c->sums[0][0], LINE);
    if (two_panels)
        TILE_LOAD(1, c->sums[0][1], LINE);
    if (two_groups)
        TILE_LOAD(2, c->sums[1][0], LINE);
    if (two_groups && two_panels)
        TILE_LOAD(3, c->sums[1][1], LINE);
    for (size_t step = 0; step < n_steps; step++) {
        const uint16_t *x = c->x + step * STEP;
        load_weights(c->panels[0]->first[step], c->panels[1]->first[step], two_panels);
        load_inputs(x + SPLIT_COLS, two_groups);
        add_corner(two_groups, two_panels);
        load_inputs(x, two_groups);
        add_corner(two_groups, two_panels);
        if (two_pieces) {
            load_weights(c->panels[0]->second[step], c->panels[1]->second[step], two_panels);
            add_corner(two_groups, two_panels);
            load_inputs(x + SPLIT_COLS, two_groups);
            add_corner(two_groups, two_panels);
        }
    }
    TILE_STORE(0, c->sums[0][0], LINE);
    if (two_panels)
        TILE_STORE(1, c->sums[0][1], LINE);
    if (two_groups)
        TILE_STORE(2, c->sums[1][0], LINE);
    if (two_groups && two_panels)
        TILE_STORE(3, c->sums[1][1], LINE);
}

/* A part of a product: at most SPLIT_COLS columns of one or two panels. */
struct part {
    size_t row, n_panels, col, col_end;
};

/* The k-th part of rows and columns. */
INLINE struct part part_of(size_t k, size_t row_begin, size_t row_end, size_t col_begin, size_t col_end) {
    const size_t across = (col_end - col_begin + SPLIT_COLS - 1) / SPLIT_COLS;
    struct part part = {.row = row_begin + k / across * 2 * PANEL_ROWS,
                        .col = col_begin + k % across * SPLIT_COLS};
    part.col_end = smaller(part.col + SPLIT_COLS, col_end);
    part.n_panels = part.row + PANEL_ROWS < row_end ? 2 : part.row < row_end;
    return part;
}

INLINE void take_part(const struct matrix *w, const struct part *part, struct pieces to[2], bool two_pieces) {
    for (size_t panel = 0; panel < part->n_panels; panel++)
        take_pieces(w, part->row + panel * PANEL_ROWS, part->col, part->col_end, &to[panel], two_pieces);
}

INLINE void multiply_part(const struct part *part, const struct pieces pieces[2], const struct batch *x,
                          size_t first, size_t count, float *sums, bool two_panels, bool two_pieces) {
    const size_t n_steps = (part->col_end - part->col + STEP - 1) / STEP;
    const size_t panel_sums = padded_vectors(count) * PANEL_ROWS;
    for (size_t i = 0; i < count; i += 2 * TILE_VECTORS) {
        float *to = sums + i * PANEL_ROWS, *next = to + TILE_VECTORS * PANEL_ROWS;
        const struct corner corner = {x->bf16 +
                                          (part->col / SPLIT_COLS * x->n_vectors + first + i) * INPUT_NUMBERS,
                                      {&pieces[0], &pieces[1]},
                                      {{to, to + panel_sums}, {next, next + panel_sums}}};
        if (i + TILE_VECTORS < count)
            multiply_corner(&corner, n_steps, true, two_panels, two_pieces);
        else
            multiply_corner(&corner, n_steps, false, two_panels, two_pieces);
    }
}

/* Weights are made ready while those before them are multiplied: a tile that is loaded from where vectors
 * were just stored waits long. */
INLINE void multiply_bfloats(const struct matrix *w, const struct batch *x, size_t row_begin, size_t row_end,
                             size_t col_begin, size_t col_end, size_t first, size_t count, float *sums,
                             bool two_pieces) {
    struct pieces pieces[2][2];
    struct part part = part_of(0, row_begin, row_end, col_begin, col_end);
    take_part(w, &part, pieces[0], two_pieces);
    configure(LINE, STEP / 2);
    for (size_t k = 0; part.n_panels > 0; k++) {
        const struct part next = part_of(k + 1, row_begin, row_end, col_begin, col_end);
        float *to = sums + (part.row - row_begin) * padded_vectors(count);
        take_part(w, &next, pieces[(k + 1) % 2], two_pieces);
        if (part.n_panels == 2)
            multiply_part(&part, pieces[k % 2], x, first, count, to, true, two_pieces);
        else
            multiply_part(&part, pieces[k % 2], x, first, count, to, false, two_pieces);
        part = next;
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

/* ---- q8 and q4 ---- */

/* A block's products are 32-bit integers in tiles; these are stored, and scaled from there. The 16 bits of an
 * input are two bytes, with sums of their own. All blocks of a part are multiplied before any is scaled:
 * vectors are half as fast while there is work for tiles. */

#define BLOCKS (TILE_COLS / BLOCK_COLS)
#define WEIGHT_LINES (BLOCK_COLS / 4)

/* Blocks of a panel, made ready for all vectors. */
struct ready {
    _Alignas(LINE) int8_t weights[BLOCKS][WEIGHT_LINES][LINE];
    float scales[BLOCKS][PANEL_ROWS];
};

typedef int8_t bytes __attribute__((vector_size(LINE)));
typedef int32_t products[TILE_VECTORS][PANEL_ROWS];

INLINE void q8_unpack_block(const struct q8_block *block, int8_t weights[WEIGHT_LINES][LINE]) {
    memcpy(weights, block->groups, sizeof block->groups);
}

INLINE void q4_unpack_block(const struct q4_block *block, int8_t weights[WEIGHT_LINES][LINE]) {
    for (size_t c = 0; c < WEIGHT_LINES / 2; c++) {
        const vi pairs = load_words(block->chunks[c]);
        const bytes low = (bytes)(pairs & 0x0f0f0f0f) - 8, high = (bytes)(pairs >> 4 & 0x0f0f0f0f) - 8;
        memcpy(weights[2 * c], &low, sizeof low);
        memcpy(weights[2 * c + 1], &high, sizeof high);
    }
}

/* A group of vectors, of which `count` matter, with blocks of a panel. */
struct meeting {
    const struct ready *ready;
    const struct batch *x;
    size_t n_blocks, at; /* the place of the first vector's group of the first block */
    size_t count;
};

INLINE size_t place_in(const struct meeting *m, size_t block) {
    return m->at + block * m->x->n_vectors;
}

#define Q4_MULTIPLY(block, sums, inputs, weights_tile)                                                       \
    do {                                                                                                     \
        TILE_LOAD(weights_tile, m->ready->weights[block], LINE);                                             \
        TILE_LOAD(inputs, m->x->i8 + place_in(m, block) * BLOCK_COLS, BLOCK_COLS);                           \
        TILE_ZERO(sums);                                                                                     \
        TILE_ADD(tdpbssd, sums, inputs, weights_tile);                                                       \
        TILE_STORE(sums, to[block], LINE);                                                                   \
    } while (0)

INLINE void q4_multiply_blocks(const struct meeting *m, products to[BLOCKS]) {
    size_t block = 0;
    for (; block + 4 <= m->n_blocks; block += 4) {
        Q4_MULTIPLY(block, 0, 4, 6);
        Q4_MULTIPLY(block + 1, 1, 5, 7);
        Q4_MULTIPLY(block + 2, 2, 4, 6);
        Q4_MULTIPLY(block + 3, 3, 5, 7);
    }
    for (; block < m->n_blocks; block++)
        Q4_MULTIPLY(block, 0, 4, 6);
}

INLINE vi q4_products(products from[BLOCKS], size_t block, size_t i) {
    return load_words(from[block][i]);
}

#define Q8_MULTIPLY(block, low, high, weights_tile)                                                          \
    do {                                                                                                     \
        const uint8_t *x = m->x->bytes + place_in(m, block) * 2 * BLOCK_COLS;                                \
        TILE_LOAD(weights_tile, m->ready->weights[block], LINE);                                             \
        TILE_LOAD(4, x, 2 * BLOCK_COLS);                                                                     \
        TILE_ZERO(low);                                                                                      \
        TILE_ADD(tdpbusd, low, 4, weights_tile);                                                             \
        TILE_LOAD(5, x + BLOCK_COLS, 2 * BLOCK_COLS);                                                        \
        TILE_ZERO(high);                                                                                     \
        TILE_ADD(tdpbssd, high, 5, weights_tile);                                                            \
        TILE_STORE(low, to[2 * (block)], LINE);                                                              \
        TILE_STORE(high, to[2 * (block) + 1], LINE);                                                         \
    } while (0)

INLINE void q8_multiply_blocks(const struct meeting *m, products to[2 * BLOCKS]) {
    size_t block = 0;
    for (; block + 2 <= m->n_blocks; block += 2) {
        Q8_MULTIPLY(block, 0, 1, 6);
        Q8_MULTIPLY(block + 1, 2, 3, 7);
    }
    if (block < m->n_blocks)
        Q8_MULTIPLY(block, 0, 1, 6);
}

INLINE vi q8_products(products from[2 * BLOCKS], size_t block, size_t i) {
    return load_words(from[2 * block][i]) + (load_words(from[2 * block + 1][i]) << 8);
}

/* A whole group's sums stay in registers, those of a smaller one beside them. */
#define DEFINE_INTEGERS(type, tiles)                                                                         \
    INLINE vf type##_scaled(const struct meeting *m, products from[tiles * BLOCKS], size_t block, size_t i,  \
                            vf sum) {                                                                        \
        const float input_scale = m->x->scales[place_in(m, block) + i];                                      \
        return fused(__builtin_convertvector(type##_products(from, block, i), vf),                           \
                     load(m->ready->scales[block]) * input_scale, sum);                                      \
    }                                                                                                        \
                                                                                                             \
    INLINE void type##_scale_group(const struct meeting *m, products from[tiles * BLOCKS], float *sums) {    \
        vf sum[TILE_VECTORS];                                                                                \
        UNROLL_VECTORS                                                                                       \
        for (size_t i = 0; i < TILE_VECTORS; i++)                                                            \
            sum[i] = load(sums + i * PANEL_ROWS);                                                            \
        for (size_t block = 0; block < m->n_blocks; block++)                                                 \
            UNROLL_VECTORS                                                                                   \
        for (size_t i = 0; i < TILE_VECTORS; i++)                                                            \
            sum[i] = type##_scaled(m, from, block, i, sum[i]);                                               \
        UNROLL_VECTORS                                                                                       \
        for (size_t i = 0; i < TILE_VECTORS; i++)                                                            \
            store(sums + i * PANEL_ROWS, sum[i]);                                                            \
    }                                                                                                        \
                                                                                                             \
    INLINE void type##_add_products(const struct meeting *m, float *sums) {                                  \
        _Alignas(LINE) products buffer[tiles * BLOCKS];                                                      \
        type##_multiply_blocks(m, buffer);                                                                   \
        if (m->count >= TILE_VECTORS)                                                                        \
            type##_scale_group(m, buffer, sums);                                                             \
        for (size_t i = 0; m->count < TILE_VECTORS && i < m->count; i++, sums += PANEL_ROWS)                 \
            for (size_t block = 0; block < m->n_blocks; block++)                                             \
                store(sums, type##_scaled(m, buffer, block, i, load(sums)));                                 \
    }                                                                                                        \
                                                                                                             \
    INLINE size_t type##_make_ready(const struct matrix *w, size_t row, size_t col, size_t col_end,          \
                                    struct ready *to) {                                                      \
        const struct type##_block *blocks = block_at(w, row, col);                                           \
        const size_t n_blocks = (smaller(TILE_COLS, col_end - col) + BLOCK_COLS - 1) / BLOCK_COLS;           \
        for (size_t b = 0; b < n_blocks; b++) {                                                              \
            fetch_ahead(&blocks[b], sizeof *blocks);                                                         \
            type##_unpack_block(&blocks[b], to->weights[b]);                                                 \
            store(to->scales[b], widen_half(load_halves(blocks[b].scales)));                                 \
        }                                                                                                    \
        return n_blocks;                                                                                     \
    }                                                                                                        \
                                                                                                             \
    TARGET void VARIANT(type##_multiply)(const struct matrix *w, const struct batch *x, size_t row_begin,    \
                                         size_t row_end, size_t col_begin, size_t col_end, size_t first,     \
                                         size_t count, float *sums) {                                        \
        struct ready ready[2];                                                                               \
        const size_t across = (col_end - col_begin + TILE_COLS - 1) / TILE_COLS;                             \
        const size_t n_parts = (row_end - row_begin + PANEL_ROWS - 1) / PANEL_ROWS * across;                 \
        size_t n_blocks = type##_make_ready(w, row_begin, col_begin, col_end, &ready[0]);                    \
        configure(BLOCK_COLS, WEIGHT_LINES);                                                                 \
        for (size_t k = 0; k < n_parts; k++) {                                                               \
            const size_t panel = k / across, col = col_begin + k % across * TILE_COLS;                       \
            struct meeting m = {&ready[k % 2], x, n_blocks, col / BLOCK_COLS * x->n_vectors + first, count}; \
            float *to = sums + panel * padded_vectors(count) * PANEL_ROWS;                                   \
            if (k + 1 < n_parts)                                                                             \
                n_blocks = type##_make_ready(w, row_begin + (k + 1) / across * PANEL_ROWS,                   \
                                             col_begin + (k + 1) % across * TILE_COLS, col_end,              \
                                             &ready[(k + 1) % 2]);                                           \
            for (size_t i = 0; i < count; i += TILE_VECTORS, m.at += TILE_VECTORS, m.count -= TILE_VECTORS)  \
                type##_add_products(&m, to + i * PANEL_ROWS);                                                \
        }                                                                                                    \
        TILES_RELEASE();                                                                                     \
    }

DEFINE_INTEGERS(q8, 2)
DEFINE_INTEGERS(q4, 1)

#define DEFINE_BFLOATS(type, two_pieces)                                                                     \
    TARGET void VARIANT(type##_multiply)(const struct matrix *w, const struct batch *x, size_t row_begin,    \
                                         size_t row_end, size_t col_begin, size_t col_end, size_t first,     \
                                         size_t count, float *sums) {                                        \
        multiply_bfloats(w, x, row_begin, row_end, col_begin, col_end, first, count, sums, two_pieces);      \
    }

DEFINE_BFLOATS(f16, true)
DEFINE_BFLOATS(bf16, false)
#endif
