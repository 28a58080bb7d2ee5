/* SPDX-License-Identifier: Apache-2.0 */
/* Winograd's transforms on vectors of channels.  The matrices are those of Cook and Toom's interpolation at
 * the points 0, +-a, +-b, ... and infinity: with N(x) = x (x^2 - a^2) (x^2 - b^2) ..., the row of B' for a
 * point p holds the coefficients of N(x) / (x - p), that of G is (1, p, p^2) / N'(p), the column of A' is
 * (1, p, p^2, ...); for infinity they are N's coefficients, (0, 0, 1) and (..., 0, 1).  Opposite points share
 * their even and odd parts.
 *
 * F(4 x 4) takes a = 1/sqrt 2 and b = sqrt 2, whose powers stay near 1 on both sides: a quarter of the error
 * of the usual points 1 and 2.
 *
 * With stride 2 the even pixels of a row meet the outer two taps, a convolution of stride 1 that is
 * interpolated at +-a, +-b and infinity, and the odd pixels the middle tap, which needs no transform: five
 * frequencies and four more, whose weights are the same.  Of n x n = 9 x 9 products for 4 x 4 pixels 6 x 6
 * have weights of their own; direct sums would take 144. */
#include "ops/cpu/conv/winograd_simd.h"

#define ROOT_HALF 0.70710678118654752f
#define ROOT_TWO 1.41421356237309505f

/* F(6 x 6): the three points, their squares, and sums of products of two of these. */
#define A6 0.6f
#define B6 1.0f
#define C6 1.9f
#define AA (A6 * A6)
#define BB (B6 * B6)
#define CC (C6 * C6)

/* Stride 2: the points with the smallest error, found by trying. */
#define AS 0.5f
#define BS 1.1f

/* By n, which is a constant wherever these are used. */
#define OUT_OF(n) ((n) == 9 ? 4 : (n)-2)
#define DISTINCT_OF(n) ((n) == 9 ? 6 : (n))

/* t = B' d, for one column or row of n values. */
INLINE void input_1d(const int n, const vf *d, vf *t) {
    if (n == 4) {
        t[0] = d[0] - d[2];
        t[1] = d[2] + d[1];
        t[2] = d[2] - d[1];
        t[3] = d[3] - d[1];
    } else if (n == 6) {
        const vf even_a = d[4] - v_set(2.0f) * d[2], even_b = d[4] - v_set(0.5f) * d[2];
        const vf odd_a = v_set(ROOT_HALF) * (d[3] - v_set(2.0f) * d[1]),
                 odd_b = v_set(ROOT_TWO) * (d[3] - v_set(0.5f) * d[1]);
        t[0] = d[0] + d[4] - v_set(2.5f) * d[2];
        t[1] = even_a + odd_a;
        t[2] = even_a - odd_a;
        t[3] = even_b + odd_b;
        t[4] = even_b - odd_b;
        t[5] = d[1] + d[5] - v_set(2.5f) * d[3];
    } else if (n == 9) {
        const vf even_a = d[6] - v_set(BS * BS) * d[2], odd_a = v_set(AS) * (d[4] - v_set(BS * BS) * d[0]);
        const vf even_b = d[6] - v_set(AS * AS) * d[2], odd_b = v_set(BS) * (d[4] - v_set(AS * AS) * d[0]);
        t[0] = even_a + odd_a;
        t[1] = even_a - odd_a;
        t[2] = even_b + odd_b;
        t[3] = even_b - odd_b;
        t[4] = d[8] - v_set(AS * AS + BS * BS) * d[4] + v_set(AS * AS * BS * BS) * d[0];
#pragma GCC unroll 4
        for (int i = 0; i < 4; i++)
            t[5 + i] = d[2 * i + 1];
    } else {
        const vf even_a = d[6] - v_set(BB + CC) * d[4] + v_set(BB * CC) * d[2];
        const vf even_b = d[6] - v_set(AA + CC) * d[4] + v_set(AA * CC) * d[2];
        const vf even_c = d[6] - v_set(AA + BB) * d[4] + v_set(AA * BB) * d[2];
        const vf odd_a = v_set(A6) * (d[5] - v_set(BB + CC) * d[3] + v_set(BB * CC) * d[1]);
        const vf odd_b = v_set(B6) * (d[5] - v_set(AA + CC) * d[3] + v_set(AA * CC) * d[1]);
        const vf odd_c = v_set(C6) * (d[5] - v_set(AA + BB) * d[3] + v_set(AA * BB) * d[1]);
        t[0] = d[6] - v_set(AA + BB + CC) * d[4] + v_set(AA * BB + AA * CC + BB * CC) * d[2] -
               v_set(AA * BB * CC) * d[0];
        t[1] = even_a + odd_a;
        t[2] = even_a - odd_a;
        t[3] = even_b + odd_b;
        t[4] = even_b - odd_b;
        t[5] = even_c + odd_c;
        t[6] = even_c - odd_c;
        t[7] = d[7] - v_set(AA + BB + CC) * d[5] + v_set(AA * BB + AA * CC + BB * CC) * d[3] -
               v_set(AA * BB * CC) * d[1];
    }
}

/* t = G g, for three taps.  F(2 x 2) and F(4 x 4) leave the factors 1 / N'(p) to output_1d(), and F(4 x 4)
 * has the middle tap multiplied by 1/sqrt 2 when it is packed: then its rows are (1, +-1, 1/2) and (1/2, +-1,
 * 1). */
INLINE void weights_1d(const int n, const vf *g, vf *t) {
    if (n == 4) {
        const vf even = g[0] + g[2];
        t[0] = g[0];
        t[1] = even + g[1];
        t[2] = even - g[1];
        t[3] = g[2];
    } else if (n == 6) {
        const vf a = g[0] + v_set(0.5f) * g[2], b = v_set(0.5f) * g[0] + g[2];
        t[0] = g[0];
        t[1] = a + g[1];
        t[2] = a - g[1];
        t[3] = b + g[1];
        t[4] = b - g[1];
        t[5] = g[2];
    } else if (n == 9) {
        const float a = 1 / (2 * (AS * AS - BS * BS)), b = -a;
        t[0] = v_set(a / AS) * g[0] + v_set(a) * g[2];
        t[1] = v_set(a) * g[2] - v_set(a / AS) * g[0];
        t[2] = v_set(b / BS) * g[0] + v_set(b) * g[2];
        t[3] = v_set(b) * g[2] - v_set(b / BS) * g[0];
        t[4] = g[2];
        t[5] = g[1];
    } else {
        const float a = 1 / (2 * AA * (AA - BB) * (AA - CC)), b = 1 / (2 * BB * (BB - AA) * (BB - CC)),
                    c = 1 / (2 * CC * (CC - AA) * (CC - BB));
        const vf even_a = (g[0] + g[2] * v_set(AA)) * v_set(a), odd_a = g[1] * v_set(A6 * a);
        const vf even_b = (g[0] + g[2] * v_set(BB)) * v_set(b), odd_b = g[1] * v_set(B6 * b);
        const vf even_c = (g[0] + g[2] * v_set(CC)) * v_set(c), odd_c = g[1] * v_set(C6 * c);
        t[0] = g[0] * v_set(-1 / (AA * BB * CC));
        t[1] = even_a + odd_a;
        t[2] = even_a - odd_a;
        t[3] = even_b + odd_b;
        t[4] = even_b - odd_b;
        t[5] = even_c + odd_c;
        t[6] = even_c - odd_c;
        t[7] = g[2];
    }
}

/* y = A' m. */
INLINE void output_1d(const int n, const vf *m, vf *y) {
    if (n == 9) {
        const vf even_a = m[0] + m[1], odd_a = m[0] - m[1], even_b = m[2] + m[3], odd_b = m[2] - m[3];
        y[0] = m[5] + even_a + even_b;
        y[1] = m[6] + v_set(AS) * odd_a + v_set(BS) * odd_b;
        y[2] = m[7] + v_set(AS * AS) * even_a + v_set(BS * BS) * even_b;
        y[3] = m[8] + m[4] + v_set(AS * AS * AS) * odd_a + v_set(BS * BS * BS) * odd_b;
        return;
    }
    const vf even_a = m[1] + m[2], odd_a = m[1] - m[2];
    if (n == 4) {
        y[0] = m[0] + v_set(0.5f) * even_a;
        y[1] = v_set(0.5f) * odd_a + m[3];
        return;
    }
    const vf even_b = m[3] + m[4], odd_b = m[3] - m[4];
    if (n == 6) {
        const float a = -2.0f / 3, b = 1.0f / 3; /* what `weights_1d` left out */
        y[0] = m[0] + v_set(a) * even_a + v_set(b) * even_b;
        y[1] = v_set(a * ROOT_HALF) * odd_a + v_set(b * ROOT_TWO) * odd_b;
        y[2] = v_set(a / 2) * even_a + v_set(b * 2) * even_b;
        y[3] = m[5] + v_set(a / 2 * ROOT_HALF) * odd_a + v_set(b * 2 * ROOT_TWO) * odd_b;
        return;
    }
    const vf even_c = m[5] + m[6], odd_c = m[5] - m[6];
    y[0] = m[0] + even_a + even_b + even_c;
    y[1] = v_set(A6) * odd_a + v_set(B6) * odd_b + v_set(C6) * odd_c;
    y[2] = v_set(AA) * even_a + v_set(BB) * even_b + v_set(CC) * even_c;
    y[3] = v_set(A6 * AA) * odd_a + v_set(B6 * BB) * odd_b + v_set(C6 * CC) * odd_c;
    y[4] = v_set(AA * AA) * even_a + v_set(BB * BB) * even_b + v_set(CC * CC) * even_c;
    y[5] = m[7] + v_set(A6 * AA * AA) * odd_a + v_set(B6 * BB * BB) * odd_b + v_set(C6 * CC * CC) * odd_c;
}

INLINE void transform_input(const int n, const float *in, int64_t row_stride, int64_t pixel_stride, float *to,
                            int64_t stride) {
    vf columns[WINOGRAD_MAX_IN][WINOGRAD_MAX_IN]; /* [column][row] */
#pragma GCC unroll 9
    for (int x = 0; x < n; x++) {
        vf d[WINOGRAD_MAX_IN];
#pragma GCC unroll 9
        for (int y = 0; y < n; y++)
            d[y] = v_load(in + y * row_stride + x * pixel_stride);
        input_1d(n, d, columns[x]);
    }
#pragma GCC unroll 9
    for (int y = 0; y < n; y++) {
        vf d[WINOGRAD_MAX_IN], t[WINOGRAD_MAX_IN];
#pragma GCC unroll 9
        for (int x = 0; x < n; x++)
            d[x] = columns[x][y];
        input_1d(n, d, t);
#pragma GCC unroll 9
        for (int x = 0; x < n; x++)
            v_store(to + (y * n + x) * stride, t[x]);
    }
}

/* `row` as well as `n` is a constant wherever this is inlined: what other rows would need is never computed.
 */
INLINE void transform_weights(const int n, const int row, const float *in, int channels, int blocks,
                              float *to, int64_t stride) {
    const int distinct = DISTINCT_OF(n);
    const int64_t vectors = (int64_t)channels * blocks, tap = vectors * VW;
    for (int64_t v = 0; v < vectors; v++, in += VW, to += VW) {
        vf columns[3], t[WINOGRAD_MAX_IN];
#pragma GCC unroll 3
        for (int x = 0; x < 3; x++) {
            const vf g[3] = {v_load(in + x * tap), v_load(in + (3 + x) * tap), v_load(in + (6 + x) * tap)};
            weights_1d(n, g, t);
            columns[x] = t[row];
        }
        weights_1d(n, columns, t);
#pragma GCC unroll 9
        for (int x = 0; x < distinct; x++)
            v_store(to + x * stride, t[x]);
    }
}

INLINE void transform_weights_row(const int n, const float *in, int channels, int blocks, int row, float *to,
                                  int64_t stride) {
    const int distinct = DISTINCT_OF(n);
#pragma GCC unroll 9
    for (int r = 0; r < distinct; r++)
        if (r == row)
            transform_weights(n, r, in, channels, blocks, to, stride);
}

/* `n` is a constant wherever this is inlined, so that all loops over it unroll. */
INLINE void transform_output(const int n, const float *from, int64_t stride, const WinogradStore *given) {
    const WinogradStore store = *given; /* what is stored through `out` cannot be part of this */
    const int m = OUT_OF(n);
    vf rows[WINOGRAD_MAX_IN][WINOGRAD_MAX_OUT];
#pragma GCC unroll 9
    for (int y = 0; y < n; y++) {
        vf t[WINOGRAD_MAX_IN];
#pragma GCC unroll 9
        for (int x = 0; x < n; x++)
            t[x] = v_load(from + (y * n + x) * stride);
        output_1d(n, t, rows[y]);
    }
    const StoreEnd end = store_end(&store);
#pragma GCC unroll 6
    for (int x = 0; x < m; x++) {
        if (x == store.columns)
            break;
        vf t[WINOGRAD_MAX_IN], column[WINOGRAD_MAX_OUT];
#pragma GCC unroll 9
        for (int y = 0; y < n; y++)
            t[y] = rows[y][x];
        output_1d(n, t, column);
        finish_column(m, &store, &end, x, column);
    }
}

static const ConvTapScales middle_taps = {"root half",
                                          {1, ROOT_HALF, 1, ROOT_HALF, 0.5f, ROOT_HALF, 1, ROOT_HALF, 1}};

#define TRANSFORMS(N)                                                                                        \
    static void input_##N(const float *in, int64_t row_stride, int64_t pixel_stride, float *to,              \
                          int64_t stride) {                                                                  \
        transform_input(N, in, row_stride, pixel_stride, to, stride);                                        \
    }                                                                                                        \
    static void weights_##N(const float *in, int channels, int blocks, int row, float *to, int64_t stride) { \
        transform_weights_row(N, in, channels, blocks, row, to, stride);                                     \
    }                                                                                                        \
    static void output_##N(const float *from, int64_t stride, const WinogradStore *store) {                  \
        transform_output(N, from, stride, store);                                                            \
    }

TRANSFORMS(4)
TRANSFORMS(6)
TRANSFORMS(8)
TRANSFORMS(9)

#define ENTRY(N, STRIDE, TAP_SCALES)                                                                         \
    { OUT_OF(N), N, STRIDE, DISTINCT_OF(N), TAP_SCALES, input_##N, weights_##N, output_##N }

const WinogradTransforms TARGET(winograd_transforms) = {.of = {
                                                            [WINOGRAD_F2] = ENTRY(4, 1, NULL),
                                                            [WINOGRAD_F4] = ENTRY(6, 1, &middle_taps),
                                                            [WINOGRAD_F6] = ENTRY(8, 1, NULL),
                                                            [WINOGRAD_F4_STRIDE_2] = ENTRY(9, 2, NULL),
                                                        }};
