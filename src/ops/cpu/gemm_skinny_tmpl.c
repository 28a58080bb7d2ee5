/* SPDX-License-Identifier: Apache-2.0 */
/* Matrix products of few rows: B streams through once, as it lies, by dot products with its columns, or by
 * sums of its rows. */
#include "base/size.h"
#include "ops/cpu/gemm_simd.h"

enum {
    DOT_COLUMNS = 4,
    /* Floats of each row that a dot product prefetches, into L2: to L1 fewer reads are under
     * way at a time, and the hardware's own prefetching begins anew with each row. */
    PREFETCH_FLOATS = 512,
    SUM_ROWS = 8,
};

/* --- dot products --- */

INLINE void dots_of(const Product *p, int64_t n, const int columns, const int rows,
                    vf result[GEMM_SKINNY_ROWS], int at) {
    const GemmArgs *args = p->args;
    const float *b = p->b + n * args->b_column;
    vf sums[GEMM_SKINNY_ROWS][DOT_COLUMNS] = {{v_zero()}};
    const int64_t prefetch = args->k < PREFETCH_FLOATS ? args->k : PREFETCH_FLOATS;
    int64_t k = 0;
    for (; k + VW <= args->k; k += VW) {
        const int64_t soon =
            k + prefetch < args->k ? k + prefetch : k + prefetch - args->k + columns * args->b_column;
#pragma GCC unroll 4
        for (int j = 0; j < columns; j++) {
            const vf weights = load_anywhere(b + j * args->b_column + k);
            __builtin_prefetch(b + j * args->b_column + soon, 0, 2);
#pragma GCC unroll 4
            for (int r = 0; r < rows; r++)
                sums[r][j] += weights * v_load(p->a + r * args->a_row + k);
        }
    }
    if (k < args->k)
        for (int j = 0; j < columns; j++) {
            const vf weights = load_count(b + j * args->b_column + k, args->k - k);
            for (int r = 0; r < rows; r++)
                sums[r][j] += weights * load_count(p->a + r * args->a_row + k, args->k - k);
        }
    for (int j = 0; j < columns; j++)
        for (int r = 0; r < rows; r++)
            result[r][at + j] = v_sum_lanes(sums[r][j]);
}

INLINE void dots_rows(const Product *p, int64_t begin, int64_t end, const int rows) {
    for (int64_t n = begin; n < end; n += VW) {
        vf result[GEMM_SKINNY_ROWS] = {v_zero()};
        const int count = end - n < VW ? (int)(end - n) : VW;
        int j = 0;
        for (; j + DOT_COLUMNS <= count; j += DOT_COLUMNS)
            dots_of(p, n + j, DOT_COLUMNS, rows, result, j);
        for (; j < count; j++)
            dots_of(p, n + j, 1, rows, result, j);
        for (int r = 0; r < rows; r++)
            finish(p, r, n, result[r]);
    }
}

#define DOTS(ROWS)                                                                                           \
    static void dots_rows_##ROWS(const Product *p, int64_t begin, int64_t end) {                             \
        dots_rows(p, begin, end, ROWS);                                                                      \
    }

DOTS(1)
DOTS(2)
DOTS(3)
DOTS(4)

static void dots(const KernelCall *call, int64_t task) {
    static void (*const functions[GEMM_SKINNY_ROWS])(const Product *p, int64_t begin, int64_t end) = {
        dots_rows_1, dots_rows_2, dots_rows_3, dots_rows_4};
    const GemmArgs *args = call->args;
    const Product p = product_of(call, task / args->column_parts);
    const int64_t begin = task % args->column_parts * args->columns_a_task;
    functions[args->m - 1](&p, begin, i64_min(begin + args->columns_a_task, args->n));
}

/* --- sums of rows --- */

/* Some rows of B, some of their columns, and where their sums go, a row for each row of A. */
typedef struct RowSums {
    const Product *product;
    int64_t k, k_end, begin, end;
    float *sums; /* of column 0 */
} RowSums;

/* Adds `count` rows from row k on: so many at once that the sums' way to L1 and back hardly counts. */
INLINE void add_rows(const RowSums *s, const int rows, int64_t k, const int count) {
    const GemmArgs *args = s->product->args;
    const float *b = s->product->b + k * args->b_k, *a = s->product->a + k * args->a_k;
    for (int64_t n = s->begin; n < s->end; n += VW) {
        const int64_t lanes = i64_min(s->end - n, VW);
        vf sums[GEMM_SKINNY_ROWS];
#pragma GCC unroll 4
        for (int r = 0; r < rows; r++)
            sums[r] = k > s->k ? load_count(s->sums + r * args->n + n, lanes) : v_zero();
#pragma GCC unroll 8
        for (int i = 0; i < count; i++) {
            const vf weights = load_count(b + i * args->b_k + n, lanes);
#pragma GCC unroll 4
            for (int r = 0; r < rows; r++)
                sums[r] += weights * a[r * args->a_row + i * args->a_k];
        }
#pragma GCC unroll 4
        for (int r = 0; r < rows; r++)
            v_store_first(s->sums + r * args->n + n, sums[r], lanes);
    }
}

INLINE void add_all_rows(const RowSums *s, const int rows) {
    int64_t k = s->k;
    if (k == s->k_end) /* sums of nothing are 0 */
        add_rows(s, rows, k, 0);
    for (; k + SUM_ROWS <= s->k_end; k += SUM_ROWS)
        add_rows(s, rows, k, SUM_ROWS);
    for (; k < s->k_end; k++)
        add_rows(s, rows, k, 1);
}

#define SUMS(ROWS)                                                                                           \
    static void sums_##ROWS(const RowSums *s) {                                                              \
        add_all_rows(s, ROWS);                                                                               \
    }

SUMS(1)
SUMS(2)
SUMS(3)
SUMS(4)

/* In the workspace: by product, part of k, row of A. */
static float *part_sums(const KernelCall *call, int64_t index, int64_t part) {
    const GemmArgs *args = call->args;
    return (float *)call->workspace + (index * args->k_parts + part) * args->m * args->n;
}

static void sums(const KernelCall *call, int64_t task) {
    static void (*const functions[GEMM_SKINNY_ROWS])(const RowSums *s) = {sums_1, sums_2, sums_3, sums_4};
    const GemmArgs *args = call->args;
    const int64_t columns = task % args->column_parts, part = task / args->column_parts % args->k_parts,
                  index = task / (args->column_parts * args->k_parts);
    const Product p = product_of(call, index);
    RowSums s = {.product = &p,
                 .k = part * args->k_step,
                 .begin = columns * args->columns_a_task,
                 .sums = part_sums(call, index, part)};
    s.k_end = i64_min(s.k + args->k_step, args->k);
    s.end = i64_min(s.begin + args->columns_a_task, args->n);
    functions[args->m - 1](&s);
}

static void join_sums(const KernelCall *call, int64_t task) {
    const GemmArgs *args = call->args;
    const int64_t index = task / args->column_parts, begin = task % args->column_parts * args->columns_a_task,
                  end = i64_min(begin + args->columns_a_task, args->n);
    const Product p = product_of(call, index);
    const float *first = part_sums(call, index, 0);
    for (int64_t m = 0; m < args->m; m++)
        for (int64_t n = begin; n < end; n += VW) {
            vf sum = v_zero();
            for (int64_t part = 0; part < args->k_parts; part++)
                sum += load_count(first + (part * args->m + m) * args->n + n, end - n);
            finish(&p, m, n, sum);
        }
}

const GemmSkinnyTable TARGET(gemm_skinny) = {dots, sums, join_sums};
