/* The vocabulary of AMX, on top of that of AVX-512: tiles of sums, 16 vectors by the 16 rows of a panel, to
 * which one instruction adds the products of 32 bf16 numbers, or of as many bytes, of each vector and each
 * row. Tiles are used so throughout:
 *
 *   0 to 3  sums, a vector to a line
 *   4, 5    inputs, a vector to a line
 *   6, 7    weights, two columns (or four) of each row to a line
 *
 * Intel's Intrinsics Guide, and the Software Developer's Manual, volume 1, chapter 18. */
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

#define STEP BLOCK_COLS /* columns of a tile */
/* So many of two panels and two groups of vectors lie in the first-level cache. */
#define PART_COLS 128
#define STEPS (PART_COLS / STEP)
#define STEP_WEIGHTS (STEP * PANEL_ROWS)
