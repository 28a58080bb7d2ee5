/* SPDX-License-Identifier: Apache-2.0 */
/* Gemm and MatMul in float32, plain.  With few rows B is read as it lies, a constant straight from the mapped
 * file; with more rows constants are packed into panels beforehand, other matrices by each task. */
#include "ops/cpu/gemm.h"

#include <stdio.h>
#include <string.h>

#include "base/size.h"
#include "ops/math/gemm.h"

enum {
    MIN_TASKS = 16,
    TASK_BYTES = 128 * 1024,  /* of B, that a task with few rows reads */
    SUM_COLUMNS = 4096,       /* of B whose sums stay in L1 */
    K_STEP = 384,             /* of k: 48 KiB of a panel of B */
    CHUNK_BYTES = 256 * 1024, /* of A, that passes over a panel: stays in L2 */
    FIRST_BYTES = 16 << 20,   /* of A, that may be packed before */
};

static Status make_args(const KernelQuery *query, PrepareContext *ctx, GemmArgs **result) {
    GemmArgs *args;
    TRY(cpu_alloc_args(ctx, bytes_of(sizeof *args, 1), &args));
    *args = (GemmArgs){.batch = 1, .alpha = 1, .beta = 1, .c_port = -1};
    node_epilogue(query->node, &args->epilogue);
    args->b = query->inputs[1].constant ? query->inputs[1].constant->data : NULL;
    *result = args;
    return STRIDER_OK;
}

/* --- packing --- */

typedef struct PanelFill {
    GemmArgs args;
    const Tensor *source;
    int64_t columns;
} PanelFill;

static void fill_panel(const PanelFill *fill, int64_t n, float *to) {
    const GemmArgs *args = &fill->args;
    const float *source = (const float *)fill->source->data + args->b_offset;
    const int64_t count = i64_min(fill->columns, args->n - n);
    for (int64_t k = 0; k < args->k; k++, to += fill->columns) {
        memset(to, 0, (size_t)fill->columns * sizeof *to);
        for (int64_t j = 0; j < count; j++)
            memcpy(to + j, source + k * args->b_k + (n + j) * args->b_column, sizeof *to);
    }
}

/* A panel is a chunk where it reads a run of bytes that no other does; else all are one. */
static void fill_panels(void *context, void *memory, int64_t chunk) {
    const PanelFill *fill = context;
    const GemmArgs *args = &fill->args;
    const int64_t panel = fill->columns * args->k;
    if (args->b_k == 1) {
        const int64_t n = chunk * fill->columns;
        fill_panel(fill, n, (float *)memory + chunk * panel);
        pack_consumed(fill->source, (const float *)fill->source->data + args->b_offset + n * args->k,
                      bytes_of(sizeof(float), i64_min(fill->columns, args->n - n), args->k).n);
        return;
    }
    for (int64_t n = 0; n < args->n; n += fill->columns)
        fill_panel(fill, n, (float *)memory + n / fill->columns * panel);
    pack_consumed(fill->source, fill->source->data, fill->source->size_bytes);
}

static Status pack_panels(const KernelQuery *query, GemmArgs *args, PrepareContext *ctx,
                          KernelInstance *instance) {
    const Tensor *b = query->inputs[1].constant;
    int64_t columns = GEMM_PANEL_VECTORS * query->width;
    const int64_t panels = ceil_div(args->n, columns);
    PanelFill *context;
    TRY(cpu_alloc_args(ctx, bytes_of(sizeof *context, 1), &context));
    *context = (PanelFill){*args, b, columns};
    const PackFill fill = {fill_panels, args->b_k == 1 ? panels : 1, context};
    const Bytes size = bytes_of(sizeof(float), panels, columns, args->k);
    char key[96];
    const void *packed;
    snprintf(key, sizeof key, "gemm %d %lld %lld %d %lld", query->width, (long long)args->k,
             (long long)args->n, args->b_k == 1, (long long)args->b_offset);
    TRY(pack_constant_later(ctx, b, key, size, &fill, &packed));
    args->panels = packed;
    instance->packed_bytes = size.n;
    return STRIDER_OK;
}

/* --- the division into tasks --- */

/* Columns of B are rows of memory: a task reads some. */
static void split_dots(GemmArgs *args, int width, KernelInstance *instance) {
    const int64_t by_memory = TASK_BYTES / (i64_max(args->k, 1) * (int64_t)sizeof(float));
    args->columns_a_task = i64_max(by_memory / width, 1) * width;
    args->column_parts = ceil_div(args->n, args->columns_a_task);
    instance->tasks = args->batch * args->column_parts;
}

/* A task reads rows of B as long as they are, or as their sums stay in L1: parts of rows lie too far apart
 * to be read at memory's full rate. */
static void split_sums(GemmArgs *args, const GemmSkinnyTable *table, KernelInstance *instance) {
    args->columns_a_task = i64_min(args->n, SUM_COLUMNS);
    args->column_parts = ceil_div(args->n, args->columns_a_task);
    const int64_t bytes = args->k * args->columns_a_task * (int64_t)sizeof(float);
    const int64_t wanted = ceil_div(MIN_TASKS, args->batch * args->column_parts);
    const int64_t max_parts = i64_max(bytes / TASK_BYTES, 1);
    args->k_step = i64_max(ceil_div(args->k, i64_min(wanted, max_parts)), 1);
    args->k_parts = i64_max(ceil_div(args->k, args->k_step), 1);
    instance->prologue = table->sums;
    instance->prologue_tasks = args->batch * args->k_parts * args->column_parts;
    instance->workspace_bytes = bytes_of(sizeof(float), args->batch, args->k_parts, args->m, args->n);
    instance->run = table->join_sums;
    instance->tasks = args->batch * args->column_parts;
}

void gemm_split_rows(GemmArgs *args, const GemmTable *table, int width, KernelInstance *instance) {
    const int tile_rows = table->rows;
    int64_t panel = GEMM_PANEL_VECTORS * width, panels = ceil_div(args->n, panel);
    int64_t tiles = ceil_div(args->m, tile_rows);
    args->k_step = ceil_div(args->k, i64_max(ceil_div(args->k, K_STEP), 1));
    const int64_t by_memory =
        i64_max(CHUNK_BYTES / (i64_max(args->k_step, 1) * tile_rows * (int64_t)sizeof(float)), 1);
    /* Each row part reads all of B: rows are divided for balance only where they are many. */
    const int64_t for_balance = tiles * args->batch / MIN_TASKS;
    const int64_t max_tiles = i64_min(for_balance >= 2 ? i64_min(by_memory, for_balance) : by_memory, tiles);
    args->row_parts = ceil_div(tiles, max_tiles);
    args->rows_a_task = ceil_div(tiles, args->row_parts) * tile_rows;
    args->row_parts = ceil_div(args->m, args->rows_a_task);
    /* Where each task packs its rows, few tasks repeat that less. */
    const int64_t wanted = args->is_phase ? MIN_TASKS / 2 : MIN_TASKS;
    const int64_t parts = i64_min(ceil_div(wanted, args->row_parts * args->batch), panels);
    args->columns_a_task = ceil_div(panels, parts) * panel;
    args->column_parts = ceil_div(args->n, args->columns_a_task);
    instance->tasks = args->batch * args->row_parts * args->column_parts;
    const Bytes a = bytes_of(sizeof(float), args->batch, args->m, args->k);
    args->packs_first = !args->is_phase && args->column_parts > 1 && a.n <= FIRST_BYTES;
    const int64_t own_rows = args->packs_first ? 0 : args->rows_a_task,
                  own_columns = args->panels ? 0 : panel;
    instance->scratch_bytes = bytes_of(sizeof(float), args->k_step, i64_sum(own_rows, own_columns));
    if (args->packs_first) {
        instance->prologue = table->pack;
        instance->prologue_tasks = args->batch * args->row_parts;
        instance->workspace_bytes = a;
    }
}

static Status finish_args(const KernelQuery *query, GemmArgs *args, PrepareContext *ctx,
                          KernelInstance *instance) {
    const GemmTable *table = gemm_for(query->target);
    instance->args = args;
    args->only_bias = args->alpha == 1 &&
                      (args->c_port < 0 || (args->beta == 1 && args->c_row == 0 && args->c_column == 1));
    if (args->m == 0 || args->n == 0 || args->batch == 0)
        return STRIDER_OK;
    /* The rows of A must lie together where they are read by vectors. */
    if (args->m <= GEMM_SKINNY_ROWS && (args->b_column == 1 || (args->b_k == 1 && args->a_k == 1))) {
        const GemmSkinnyTable *skinny = gemm_skinny_for(query->target);
        instance->run = skinny->dots;
        if (args->b_k == 1 && args->a_k == 1)
            split_dots(args, query->width, instance);
        else
            split_sums(args, skinny, instance);
        return STRIDER_OK;
    }
    if (query->inputs[1].constant && !args->batches)
        TRY(pack_panels(query, args, ctx, instance));
    instance->run = table->panels;
    gemm_split_rows(args, table, query->width, instance);
    return STRIDER_OK;
}

Status gemm_prepare_phase(const KernelQuery *query, GemmArgs *args, PrepareContext *ctx,
                          KernelInstance *instance) {
    args->is_phase = true;
    args->batch = 1;
    args->a_row = args->b_column = args->k;
    args->a_k = args->b_k = 1;
    args->alpha = args->beta = 1;
    args->c_port = -1;
    args->b = query->inputs[1].constant ? query->inputs[1].constant->data : NULL;
    node_epilogue(query->node, &args->epilogue);
    return finish_args(query, args, ctx, instance);
}

static double product_cost(double rows, double columns, double k) {
    return rows <= GEMM_SKINNY_ROWS ? cpu_memory_cost((double)sizeof(float) * columns * k)
                                    : 2000 + rows * columns * k / 45;
}

/* A residual and C that vary from run to run are read plain. */
static bool accepts_rest(KernelQuery *query) {
    Epilogue epilogue;
    if (!node_epilogue(query->node, &epilogue) || epilogue.scale_port >= 0)
        return false;
    for (int i = 0; i < query->n_inputs; i++) {
        query->inputs[i].layout = layout_plain();
        if (query->inputs[i].type.dtype && !cpu_is_f32(query, i))
            return false;
    }
    query->inputs[1].packed = query->inputs[1].constant != NULL;
    query->outputs[0].layout = layout_plain();
    return cpu_is_f32(query, 0) && cpu_is_f32(query, 1);
}

/* --- Gemm --- */

static GemmGeometry query_gemm(const KernelQuery *query) {
    const Operand *c = query->n_inputs > GEMM_C ? &query->inputs[GEMM_C] : NULL;
    return gemm_geometry(query->node->attrs, &query->inputs[GEMM_A].type.shape,
                         &query->inputs[GEMM_B].type.shape, c && c->type.dtype ? &c->type.shape : NULL);
}

/* A bias comes from its C. */
static bool gemm_accepts(KernelQuery *query) {
    return !node_post_op(query->node, POST_BIAS) && accepts_rest(query);
}

static double gemm_cost(const KernelQuery *query) {
    GemmGeometry g = query_gemm(query);
    return product_cost((double)g.m, (double)g.n, (double)g.k);
}

static Status gemm_prepare(const KernelQuery *query, PrepareContext *ctx, KernelInstance *instance) {
    const GemmAttrs *attrs = query->node->attrs;
    GemmGeometry g = query_gemm(query);
    GemmArgs *args;
    TRY(make_args(query, ctx, &args));
    args->m = g.m;
    args->n = g.n;
    args->k = g.k;
    args->a_row = attrs->trans_a ? 1 : g.k;
    args->a_k = attrs->trans_a ? g.m : 1;
    args->b_k = attrs->trans_b ? 1 : g.n;
    args->b_column = attrs->trans_b ? g.k : 1;
    args->alpha = attrs->alpha;
    args->beta = attrs->beta;
    args->c_row = g.c_row;
    args->c_column = g.c_column;
    if (query->n_inputs > GEMM_C && query->inputs[GEMM_C].type.dtype && attrs->beta != 0)
        args->c_port = GEMM_C;
    return finish_args(query, args, ctx, instance);
}

const Kernel kernel_gemm = {
    .name = "gemm",
    .op = OP_Gemm,
    .accepts = gemm_accepts,
    .cost = gemm_cost,
    .prepare = gemm_prepare,
};

/* --- MatMul --- */

static MatMulGeometry query_matmul(const KernelQuery *query) {
    return matmul_geometry(&query->inputs[MATMUL_A].type.shape, &query->inputs[MATMUL_B].type.shape);
}

static double matmul_cost(const KernelQuery *query) {
    MatMulGeometry g = query_matmul(query);
    return (double)g.batch * product_cost((double)g.m, (double)g.n, (double)g.k);
}

static Status matmul_prepare(const KernelQuery *query, PrepareContext *ctx, KernelInstance *instance) {
    MatMulGeometry g = query_matmul(query);
    GemmArgs *args;
    TRY(make_args(query, ctx, &args));
    /* One B for all: the rows of all products are rows of one. */
    if (shape_elements(&query->inputs[MATMUL_B].type.shape) == g.k * g.n &&
        shape_elements(&query->inputs[MATMUL_A].type.shape) == g.batch * g.m * g.k) {
        g.m *= g.batch;
        g.batch = 1;
    }
    args->batch = g.batch;
    args->m = g.m;
    args->n = g.n;
    args->k = g.k;
    args->a_row = g.k;
    args->a_k = 1;
    args->b_k = g.n;
    args->b_column = 1;
    if (g.batch != 1) {
        MatMulGeometry *batches;
        TRY(cpu_alloc_args(ctx, bytes_of(sizeof *batches, 1), &batches));
        *batches = g;
        args->batches = batches;
    }
    args->c_port = args->epilogue.bias_port;
    args->c_column = args->c_port >= 0;
    return finish_args(query, args, ctx, instance);
}

const Kernel kernel_matmul = {
    .name = "matmul",
    .op = OP_MatMul,
    .accepts = accepts_rest,
    .cost = matmul_cost,
    .prepare = matmul_prepare,
};
