// Matrix products: C[r][c] = start + sum over k of A(r, k) B[k][c], k in ascending order, one fused addition each.
//
// All three products of a layer have this form, with the batch or the units along the vector:
//   forward   z[unit][row]      A = weight, column by column   B = inputs   start = bias
//   backward  dx[input][row]    A = weight, row by row         B = dz
//   gradient  dw[input][unit]   A = inputs, row by row         B = dz turned, (rows, units)
// The order of the sum never depends on the blocking, so neither does the result.
#pragma once

#include "simd.h"

struct Product {
    const float *a;
    int64_t a_row, a_step;  // from one row, or one k, to the next; one of them is 1
    const float *b;
    int64_t b_step;
    float *c;
    int64_t c_row;
    int64_t rows, depth, columns;
    const float *start;  // of each row of C, or none: 0
};

// The compiler must unroll loops over a tile: only then does it keep the tile in registers.
#define UNROLLED _Pragma("GCC unroll 16")

typedef float F4 __attribute__((vector_size(16)));
#if defined(__clang__)
#define PICK(x, y, i, j, k, l) __builtin_shufflevector(x, y, i, j, k, l)
#else
#define PICK(x, y, i, j, k, l) __builtin_shuffle(x, y, (I4){i, j, k, l})
typedef int32_t I4 __attribute__((vector_size(16)));
#endif

static inline void transpose4(const float *const from[4], float *to, int64_t to_row) {
    const F4 a = load<F4>(from[0]), b = load<F4>(from[1]), c = load<F4>(from[2]), d = load<F4>(from[3]);
    const F4 ab_low = PICK(a, b, 0, 4, 1, 5), ab_high = PICK(a, b, 2, 6, 3, 7);
    const F4 cd_low = PICK(c, d, 0, 4, 1, 5), cd_high = PICK(c, d, 2, 6, 3, 7);
    store(to, PICK(ab_low, cd_low, 0, 1, 4, 5));
    store(to + to_row, PICK(ab_low, cd_low, 2, 3, 6, 7));
    store(to + 2 * to_row, PICK(ab_high, cd_high, 0, 1, 4, 5));
    store(to + 3 * to_row, PICK(ab_high, cd_high, 2, 3, 6, 7));
}

// to[column][row] = row_of(row)[column].
template <class RowOf>
static void transpose(RowOf row_of, int64_t rows, int64_t columns, float *to, int64_t to_row) {
    int64_t row = 0;
    for (; row + 4 <= rows; row += 4) {
        const float *from[4] = {row_of(row), row_of(row + 1), row_of(row + 2), row_of(row + 3)};
        int64_t column = 0;
        for (; column + 4 <= columns; column += 4) {
            transpose4(from, to + column * to_row + row, to_row);
            for (auto &pointer : from) pointer += 4;
        }
        for (; column < columns; ++column)
            for (int i = 0; i < 4; ++i) to[column * to_row + row + i] = *from[i]++;
    }
    for (; row < rows; ++row) {
        const float *from = row_of(row);
        for (int64_t column = 0; column < columns; ++column) to[column * to_row + row] = from[column];
    }
}

// One tile of R rows and C vectors of type T, held in registers. ADJACENT: the rows of A lie side by side.
template <class T, int R, int C, bool ADJACENT>
static void tile(const Product &p, int64_t row, int64_t column, bool continues) {
    constexpr int L = lanes<T>();
    T total[R][C];
    float *to = p.c + row * p.c_row + column;
    const int64_t width = p.columns - column;
    UNROLLED for (int r = 0; r < R; ++r)
        UNROLLED for (int c = 0; c < C; ++c) {
            const float *place = to + r * p.c_row + c * L;
            if (!continues)
                total[r][c] = all<T>(p.start ? p.start[row + r] : 0.0f);
            else
                total[r][c] = width >= (c + 1) * L ? load<T>(place) : load_first<T>(place, width - c * L);
        }
    // Every third row has a pointer of its own; the two after it are a step away, which an address can say.
    const float *a[(R + 2) / 3];
    UNROLLED for (int r = 0; r < R; r += 3) a[r / 3] = p.a + (row + r) * p.a_row;
    const float *b = p.b + column;
    const int64_t a_row = ADJACENT ? 1 : p.a_row, a_step = ADJACENT ? p.a_step : 1;
    for (int64_t k = 0; k < p.depth; ++k) {
        T values[C];
        UNROLLED for (int c = 0; c < C; ++c) values[c] = load<T>(b + c * L);
        UNROLLED for (int r = 0; r < R; ++r) {
            const T factor = all<T>(a[r / 3][(r % 3) * a_row]);
            UNROLLED for (int c = 0; c < C; ++c) total[r][c] = fma(factor, values[c], total[r][c]);
        }
        UNROLLED for (auto &pointer : a) pointer += a_step;
        b += p.b_step;
    }
    UNROLLED for (int r = 0; r < R; ++r)
        UNROLLED for (int c = 0; c < C; ++c) {
            float *place = to + r * p.c_row + c * L;
            if (width >= (c + 1) * L)
                store(place, total[r][c]);
            else
                store_first(place, total[r][c], width - c * L);
        }
}

typedef void (*Tile)(const Product &, int64_t, int64_t, bool);

// The tile of `rows` rows, 1 to TILE_ROWS.
template <class T, int C, bool ADJACENT, int R = TILE_ROWS> static Tile tile_of(int64_t rows) {
    if constexpr (R > 1) {
        if (rows < R) return tile_of<T, C, ADJACENT, R - 1>(rows);
    }
    return tile<T, R, C, ADJACENT>;
}

template <class T, int C, bool ADJACENT>
static void column_of_tiles(const Product &p, int64_t column, bool continues) {
    const Tile full = tile<T, TILE_ROWS, C, ADJACENT>;
    int64_t row = 0;
    for (; row + TILE_ROWS <= p.rows; row += TILE_ROWS) full(p, row, column, continues);
    if (row < p.rows) tile_of<T, C, ADJACENT>(p.rows - row)(p, row, column, continues);
}

template <bool ADJACENT> static void columns_of_tiles(const Product &p, bool continues) {
    constexpr int64_t HALF = LANES > 8 ? HALF_LANES : 0;  // half a vector costs half on 512-bit machines only
    for (int64_t column = 0; column < p.columns;) {
        const int64_t left = p.columns - column;
        if (left > LANES + HALF) {
            column_of_tiles<V, 2, ADJACENT>(p, column, continues);
            column += 2 * LANES;
        } else if (left > HALF) {
            column_of_tiles<V, 1, ADJACENT>(p, column, continues);
            column += LANES;
        } else {
            column_of_tiles<H, 1, ADJACENT>(p, column, continues);
            column += HALF_LANES;
        }
    }
}

static Product rows_of(const Product &p, int64_t row, int64_t rows) {
    Product part = p;
    part.a += row * p.a_row;
    part.c += row * p.c_row;
    if (p.start) part.start += row;
    part.rows = p.rows - row < rows ? p.rows - row : rows;
    return part;
}

// The larger of A and B is read once, the other one as often as it takes.
template <bool ADJACENT> static void tiles(const Product &p, bool continues = false) {
    if (p.rows <= p.columns) return columns_of_tiles<ADJACENT>(p, continues);
    for (int64_t row = 0; row < p.rows; row += TILE_ROWS)
        columns_of_tiles<ADJACENT>(rows_of(p, row, TILE_ROWS), continues);
}

// Blocks of a wide product whose A lies column by column: the neighbours that a tile needs are a line of each
// of many far columns. A block of A is copied first, as it lies, to where each tile finds its own in a row.
constexpr int64_t BLOCK_ROWS = 960, BLOCK_DEPTH = 192, WIDE_STEP = 512;
constexpr int64_t PACK_FLOATS = BLOCK_ROWS * BLOCK_DEPTH;

static void pack(const Product &p, float *to) {
    const int64_t whole = p.rows / TILE_ROWS * TILE_ROWS;
    for (int64_t k = 0; k < p.depth; ++k) {
        const float *from = p.a + k * p.a_step;
        float *place = to + k * TILE_ROWS;
        for (int64_t row = 0; row < whole; row += TILE_ROWS, place += TILE_ROWS * p.depth)
            memcpy(place, from + row, sizeof(float) * TILE_ROWS);
        memcpy(place, from + whole, sizeof(float) * (p.rows - whole));
    }
}

static void multiply_wide(const Product &p, float *packed) {
    for (int64_t row = 0; row < p.rows; row += BLOCK_ROWS)
        for (int64_t k = 0; k < p.depth; k += BLOCK_DEPTH) {
            Product block = rows_of(p, row, BLOCK_ROWS);
            block.a += k * p.a_step;
            block.b += k * p.b_step;
            block.depth = p.depth - k < BLOCK_DEPTH ? p.depth - k : BLOCK_DEPTH;
            pack(block, packed);
            for (int64_t inner = 0; inner < block.rows; inner += TILE_ROWS) {
                Product part = rows_of(block, inner, TILE_ROWS);
                part.a = packed + inner * block.depth;
                part.a_row = 1, part.a_step = TILE_ROWS;
                columns_of_tiles<true>(part, k > 0);
            }
        }
}

// Rows of B and C are padded, but for the C of a weight gradient, of which only `columns` are written.
static inline void multiply(const Product &p, float *packed) {
    if (p.a_row != 1) return tiles<false>(p);
    if (p.a_step >= WIDE_STEP && p.columns >= 4 * LANES) return multiply_wide(p, packed);
    tiles<true>(p);
}
