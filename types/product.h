/* Template: the product of an unpacked tile with many vectors, where prefill spends its time. Sums stay in
 * registers: VECTORS_AT_ONCE times PANEL_ROWS of them. So many vectors lie together. */

/* All, so that the compiler sees single sums before it decides what lives in registers; a few columns, since
 * where a core is shared with another thread, it is instructions that count. */
#define UNROLL _Pragma("GCC unroll 16")
#define UNROLL_SOME _Pragma("GCC unroll 4")

/* n_cols is at least 1; a loop that may be left at once would have the sums in memory. */
INLINE void product_of(const float *tile, size_t n_cols, const float *x, size_t n_vectors, float *sums) {
    vf sum[VECTORS_AT_ONCE][PARTS];
    size_t col = 0;
    UNROLL
    for (size_t i = 0; i < n_vectors * PARTS; i++)
        sum[i / PARTS][i % PARTS] = load(sums + i * LANES);
    UNROLL_SOME
    do {
        vf w[PARTS];
        for (size_t p = 0; p < PARTS; p++)
            w[p] = load(tile + col * PANEL_ROWS + p * LANES);
        for (size_t i = 0; i < n_vectors; i++)
            for (size_t p = 0; p < PARTS; p++)
                sum[i][p] = fused(w[p], splat(x[col * n_vectors + i]), sum[i][p]);
    } while (++col < n_cols);
    UNROLL
    for (size_t i = 0; i < n_vectors * PARTS; i++)
        store(sums + i * LANES, sum[i / PARTS][i % PARTS]);
}

/* Every count has a function of its own, so that its sums live in registers. */
#define DEFINE_PRODUCT(n)                                                                                    \
    static TARGET void product_of_##n(const float *tile, size_t n_cols, const float *x, float *sums) {       \
        product_of(tile, n_cols, x, n, sums);                                                                \
    }
DEFINE_PRODUCT(1)
DEFINE_PRODUCT(2)
#if VECTORS_AT_ONCE > 2
DEFINE_PRODUCT(3)
DEFINE_PRODUCT(4)
DEFINE_PRODUCT(5)
DEFINE_PRODUCT(6)
#endif
#if VECTORS_AT_ONCE > 6
DEFINE_PRODUCT(7)
DEFINE_PRODUCT(8)
DEFINE_PRODUCT(9)
DEFINE_PRODUCT(10)
DEFINE_PRODUCT(11)
DEFINE_PRODUCT(12)
#endif

typedef void product_of_fn(const float *tile, size_t n_cols, const float *x, float *sums);

static product_of_fn *const product_by_count[VECTORS_AT_ONCE] = {
    product_of_1, product_of_2,
#if VECTORS_AT_ONCE > 2
    product_of_3, product_of_4, product_of_5, product_of_6,
#endif
#if VECTORS_AT_ONCE > 6
    product_of_7, product_of_8, product_of_9, product_of_10, product_of_11, product_of_12,
#endif
};

void VARIANT(product)(const float *tile, size_t n_cols, const float *x, size_t n_vectors, float *sums) {
    for (size_t i = 0; i < n_vectors; i += VECTORS_AT_ONCE)
        product_by_count[smaller(VECTORS_AT_ONCE, n_vectors - i) - 1](tile, n_cols, x + i * TILE_COLS,
                                                                      sums + i * PANEL_ROWS);
}
