/* SPDX-License-Identifier: Apache-2.0 */
/* Matrix products of many rows: register tiles of rows times a panel of B, both packed so that the inner loop
 * reads on. */
#include "ops/cpu/gemm_simd.h"
#include "ops/cpu/row_tile_simd.h"
#include "ops/cpu/transpose_4.h"

enum { PANEL = GEMM_PANEL_VECTORS * VW };

INLINE float float_at(const float *from) {
    float value;
    memcpy(&value, from, sizeof value);
    return value;
}

/* Where sums wait until they are complete. */
INLINE float *sums_at(const Product *p, int64_t m, int64_t n) {
    return p->y + m * p->args->n + n;
}

/* What of k a tile adds to the sums, which between the first and the last step wait in y. */
typedef struct Step {
    int64_t k; /* how many */
    bool first, last;
    /* With each of k the tile prefetches what is needed soon, so many floats further each time. */
    const float *prefetch;
    int64_t prefetch_step;
} Step;

/* A tile that no edge cuts, and all that comes after the products, or sums that wait. */
INLINE void store_whole(const Product *p, const Step *step, int64_t m, int64_t n, const int rows,
                        const int vectors, vf acc[TILE_ROWS][GEMM_PANEL_VECTORS]) {
    const VectorEpilogue none = vector_epilogue(&(Epilogue){.activation = {UNARY_NONE, 0, 0}}, NULL);
    const VectorEpilogue epilogue = step->last ? p->epilogue : none;
    const int64_t first = m * p->args->n + n;
    vf bias[GEMM_PANEL_VECTORS];
#pragma GCC unroll 2
    for (int v = 0; v < vectors; v++)
        bias[v] = step->last && p->c ? load_anywhere(p->c + n + v * VW) : v_zero();
#pragma GCC unroll 14
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 2
        for (int v = 0; v < vectors; v++) {
            const int64_t at = first + r * p->args->n + v * VW;
            v_store(p->y + at, epilogue_first(&epilogue, acc[r][v] + bias[v], at, VW));
        }
    for (int r = 0; epilogue.is_activated && r < rows; r++)
        for (int v = 0; v < vectors; v++) {
            const int64_t at = first + r * p->args->n + v * VW;
            v_store(p->y + at, epilogue_second(&epilogue, v_load(p->y + at), at, VW));
        }
}

INLINE void tile(const Product *p, Step step, int64_t m, int64_t n, const float *a, const float *b,
                 const int rows, const int vectors) {
    vf acc[TILE_ROWS][GEMM_PANEL_VECTORS] = {{v_zero()}};
    const int64_t columns = p->args->n - n;
    for (int64_t i = 0; i < step.k; i++, a += rows, b += PANEL, step.prefetch += step.prefetch_step) {
        __builtin_prefetch(step.prefetch, 0, 2);
        vf weights[GEMM_PANEL_VECTORS];
#pragma GCC unroll 2
        for (int v = 0; v < vectors; v++)
            weights[v] = v_load(b + v * VW);
#pragma GCC unroll 14
        for (int r = 0; r < rows; r++) {
            const float value = a[r];
#pragma GCC unroll 2
            for (int v = 0; v < vectors; v++)
                acc[r][v] += weights[v] * value;
        }
    }
    if (!step.first) { /* now, as a long sum would cost its last products digits */
#pragma GCC unroll 14
        for (int r = 0; r < rows; r++)
#pragma GCC unroll 2
            for (int v = 0; v < vectors; v++)
                acc[r][v] += load_count(sums_at(p, m + r, n + v * VW), columns - v * VW);
    }
    if (columns >= vectors * VW && (!step.last || p->args->only_bias)) {
        store_whole(p, &step, m, n, rows, vectors, acc);
        return;
    }
    /* Each row goes through memory, as the epilogue is a loop: a register file cannot be indexed. */
    float out[TILE_ROWS][PANEL];
#pragma GCC unroll 14
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 2
        for (int v = 0; v < vectors; v++)
            v_store(&out[r][v * VW], acc[r][v]);
    const int64_t count = columns < vectors * VW ? columns : vectors * VW;
    for (int r = 0; r < rows; r++)
        if (!step.last)
            memcpy(sums_at(p, m + r, n), out[r], (size_t)count * sizeof(float));
        else
            for (int v = 0; v < vectors; v++)
                finish(p, m + r, n + v * VW, v_load(&out[r][v * VW]));
}

typedef void (*TileFunction)(const Product *p, Step step, int64_t m, int64_t n, const float *a,
                             const float *b);

#define TILE(ROWS)                                                                                           \
    static void tile_##ROWS##_1(const Product *p, Step step, int64_t m, int64_t n, const float *a,           \
                                const float *b) {                                                            \
        tile(p, step, m, n, a, b, ROWS, 1);                                                                  \
    }                                                                                                        \
    static void tile_##ROWS##_2(const Product *p, Step step, int64_t m, int64_t n, const float *a,           \
                                const float *b) {                                                            \
        tile(p, step, m, n, a, b, ROWS, 2);                                                                  \
    }
#define ENTRY(ROWS) {tile_##ROWS##_1, tile_##ROWS##_2},

FOR_TILES(TILE)

static const TileFunction tiles[TILE_ROWS][GEMM_PANEL_VECTORS] = {FOR_TILES(ENTRY)};

/* to[i * to_row + r] = from[r * from_row + i] for four of each. */
INLINE void pack_four(const float *from, int64_t from_row, float *to, int64_t to_row) {
    v4 columns[4];
    transpose_4(from, from_row, columns);
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++)
        *(v4_anywhere *)(to + i * to_row) = columns[i];
}

/* Rows [begin, begin + rows) of A, `count` of k from `k` on, as [k][rows]. */
static void pack_rows(const Product *p, int64_t begin, int64_t rows, int64_t k, int64_t count, float *to) {
    const GemmArgs *args = p->args;
    const float *a = p->a + begin * args->a_row + k * args->a_k;
    const int64_t whole_rows = args->a_k == 1 ? rows / 4 * 4 : 0, whole_k = count / 4 * 4;
    for (int64_t r = 0; r < whole_rows; r += 4)
        for (int64_t i = 0; i < whole_k; i += 4)
            pack_four(a + r * args->a_row + i, args->a_row, to + i * rows + r, rows);
    for (int64_t i = 0; i < count; i++, a += args->a_k)
        for (int64_t r = i < whole_k ? whole_rows : 0; r < rows; r++)
            to[i * rows + r] = a[r * args->a_row];
}

static void pack_panel(const Product *p, int64_t n, int64_t k, int64_t steps, float *to) {
    const GemmArgs *args = p->args;
    const int64_t count = args->n - n < PANEL ? args->n - n : PANEL;
    const float *b = p->b + n * args->b_column + k * args->b_k;
    const bool whole_rows = count == PANEL && args->b_column == 1;
    const int64_t whole_columns = args->b_k == 1 ? count / 4 * 4 : 0, whole_steps = steps / 4 * 4;
    for (int64_t j = 0; j < whole_columns; j += 4)
        for (int64_t i = 0; i < whole_steps; i += 4)
            pack_four(b + j * args->b_column + i, args->b_column, to + i * PANEL + j, PANEL);
    for (int64_t i = 0; i < steps; i++, to += PANEL, b += args->b_k) {
        if (whole_rows) {
            memcpy(to, b, PANEL * sizeof *to);
            continue;
        }
        for (int64_t j = i < whole_steps ? whole_columns : 0; j < count; j++)
            to[j] = float_at(b + j * args->b_column);
        for (int64_t j = count; j < PANEL; j++)
            to[j] = 0;
    }
}

/* The rows of a task, in tiles of about equal height. */
typedef struct RowPart {
    int64_t begin, rows, tiles;
} RowPart;

static RowPart row_part(const GemmArgs *args, int64_t part) {
    const int64_t begin = part * args->rows_a_task;
    const int64_t rows = args->m - begin < args->rows_a_task ? args->m - begin : args->rows_a_task;
    return (RowPart){begin, rows, (rows + TILE_ROWS - 1) / TILE_ROWS};
}

static void pack_part(const Product *p, const RowPart *part, int64_t k, int64_t count, float *to) {
    for (int64_t i = 0; i < part->tiles; i++) {
        const int64_t first = i * part->rows / part->tiles, end = (i + 1) * part->rows / part->tiles;
        pack_rows(p, part->begin + first, end - first, k, count, to + first * count);
    }
}

/* In the workspace: by product, row part and step of k. */
static void pack(const KernelCall *call, int64_t task) {
    const GemmArgs *args = call->args;
    const int64_t index = task / args->row_parts;
    const Product p = product_of(call, index);
    const RowPart part = row_part(args, task % args->row_parts);
    float *to = (float *)call->workspace + (index * args->m + part.begin) * args->k;
    for (int64_t k = 0; k < args->k; k += args->k_step) {
        const int64_t count = args->k - k < args->k_step ? args->k - k : args->k_step;
        pack_part(&p, &part, k, count, to + part.rows * k);
    }
}

static void panels(const KernelCall *call, int64_t task) {
    const GemmArgs *args = call->args;
    const int64_t index = task / (args->column_parts * args->row_parts);
    const Product p = product_of(call, index);
    const RowPart part = row_part(args, task / args->column_parts % args->row_parts);
    const int64_t n_begin = task % args->column_parts * args->columns_a_task;
    const int64_t n_end = n_begin + args->columns_a_task < args->n ? n_begin + args->columns_a_task : args->n;
    float *own_a = call->scratch, *own_b = own_a + (args->packs_first ? 0 : args->rows_a_task * args->k_step);
    const float *packed = (const float *)call->workspace + (index * args->m + part.begin) * args->k;
    int64_t k = 0;
    do { /* once where k is 0, for what is added to sums of nothing */
        const int64_t count = args->k - k < args->k_step ? args->k - k : args->k_step;
        Step step = {.k = count, .first = k == 0, .last = k + count == args->k};
        const float *a = args->packs_first ? packed + part.rows * k : own_a;
        if (!args->packs_first)
            pack_part(&p, &part, k, count, own_a);
        for (int64_t n = n_begin; n < n_end; n += PANEL) {
            const float *b = args->panels ? args->panels + n * args->k + k * PANEL : own_b;
            const int vectors = args->n - n > VW ? 2 : 1;
            if (!args->panels)
                pack_panel(&p, n, k, count, own_b);
            step.prefetch = b;
            if (args->panels && n + PANEL < n_end) { /* the next panel */
                step.prefetch = b + PANEL * args->k;
                step.prefetch_step = (PANEL + part.tiles - 1) / part.tiles;
            }
            for (int64_t i = 0; i < part.tiles; i++) {
                const int64_t first = i * part.rows / part.tiles, end = (i + 1) * part.rows / part.tiles;
                tiles[end - first - 1][vectors - 1](&p, step, part.begin + first, n, a + first * count, b);
                step.prefetch += count * step.prefetch_step;
            }
            step.prefetch_step = 0;
        }
        k += count;
    } while (k < args->k);
}

const GemmTable TARGET(gemm) = {.rows = TILE_ROWS, .panels = panels, .pack = pack};
