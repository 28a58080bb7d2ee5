/* SPDX-License-Identifier: Apache-2.0 */
/* MatMul and Gemm of float64, and of integers of 32 and 64 bits, which wrap around.  A task packs a panel of
 * B's columns and multiplies some rows of A by it. */
#include "ops/cpu/plain_product.h"

#include "base/size.h"
#include "ops/math/gemm.h"
#include "ops/math/matmul.h"

enum { TASK_ROWS = 128 };

typedef struct PlainArgs {
    PlainProduct product; /* without addresses, of all rows and columns */
    MatMulGeometry batches;
    int64_t panel_columns, panels, row_blocks;
    size_t size; /* of an element */
    void (*run)(const PlainProduct *product);
} PlainArgs;

static void plain_run(const KernelCall *call, int64_t task) {
    const PlainArgs *args = call->args;
    PlainProduct p = args->product;
    const int64_t size = (int64_t)args->size, m = task % args->row_blocks * TASK_ROWS,
                  n = task / args->row_blocks % args->panels * args->panel_columns,
                  batch = task / args->row_blocks / args->panels;
    int64_t a = 0, b = 0;
    matmul_operands(&args->batches, batch, &a, &b);
    p.a = (const char *)call->inputs[0] + (a * p.rows * p.k + m * p.a_row) * size;
    p.b = (const char *)call->inputs[1] + (b * p.k * p.columns + n * p.b_column) * size;
    p.y = (char *)call->outputs[0] + ((batch * p.rows + m) * p.columns + n) * size;
    if (p.c_row >= 0)
        p.c = (const char *)call->inputs[GEMM_C] + (m * p.c_row + n * p.c_column) * size;
    p.panel = call->scratch;
    p.rows = i64_min(p.rows - m, TASK_ROWS);
    p.columns = i64_min(p.columns - n, args->panel_columns);
    args->run(&p);
}

static bool takes(const KernelQuery *query) {
    const DType dtype = query->inputs[0].type.dtype;
    const bool is_whole =
        dtype == STRIDER_I32 || dtype == STRIDER_U32 || dtype == STRIDER_I64 || dtype == STRIDER_U64;
    return (is_whole || dtype == STRIDER_F64) && !query->node->n_post_ops;
}

/* A panel of B, which must be in proportion. */
static Bytes panel_bytes(int64_t k) {
    return bytes_of(PLAIN_PANEL_BYTES, k);
}

static double products_cost(const KernelQuery *query) {
    const Op *op = query->node->op;
    const Type types[] = {query->inputs[0].type, query->inputs[1].type};
    return 1000 + (double)op->macs(query->node, types, &query->outputs[0].type) / 8;
}

static Status prepare(const KernelQuery *query, const MatMulGeometry *geometry, const PlainProduct *product,
                      PrepareContext *ctx, KernelInstance *instance) {
    const PlainProducts *products = plain_products_for(query->target);
    const DType dtype = query->inputs[0].type.dtype;
    PlainArgs *args;
    TRY(cpu_alloc_args(ctx, bytes_of(sizeof *args, 1), &args));
    *args = (PlainArgs){.product = *product, .batches = *geometry, .size = dtype_size(dtype)};
    args->run = dtype == STRIDER_F64 ? products->f64 : args->size == 4 ? products->u32 : products->u64;
    args->panel_columns = PLAIN_PANEL_BYTES / (int64_t)args->size;
    args->panels = ceil_div(product->columns, args->panel_columns);
    args->row_blocks = ceil_div(product->rows, TASK_ROWS);
    *instance = (KernelInstance){.run = plain_run,
                                 .args = args,
                                 .tasks = count_of(count_of(geometry->batch, args->panels), args->row_blocks),
                                 .scratch_bytes = panel_bytes(product->k)};
    return STRIDER_OK;
}

/* --- MatMul --- */

/* Products of one matrix B by matrices that lie one after the other are one. */
static MatMulGeometry matmul_of(const KernelQuery *query) {
    const Shape *a = &query->inputs[MATMUL_A].type.shape, *b = &query->inputs[MATMUL_B].type.shape;
    const MatMulGeometry g = matmul_geometry(a, b);
    if (shape_elements(b) != count_of(g.k, g.n) || shape_elements(a) != count_of(count_of(g.batch, g.m), g.k))
        return g;
    return (MatMulGeometry){.batch = 1, .m = g.batch * g.m, .n = g.n, .k = g.k};
}

static bool matmul_accepts(KernelQuery *query) {
    return takes(query) && cpu_want_plain(query) &&
           cpu_in_proportion(query, panel_bytes(matmul_of(query).k), (Bytes){0});
}

static Status matmul_prepare(const KernelQuery *query, PrepareContext *ctx, KernelInstance *instance) {
    const MatMulGeometry g = matmul_of(query);
    const PlainProduct product = {.rows = g.m,
                                  .columns = g.n,
                                  .k = g.k,
                                  .a_row = g.k,
                                  .a_column = 1,
                                  .b_row = g.n,
                                  .b_column = 1,
                                  .c_row = -1,
                                  .y_row = g.n,
                                  .alpha = 1};
    return prepare(query, &g, &product, ctx, instance);
}

const Kernel kernel_plain_matmul = {
    .name = "plain_matmul",
    .op = OP_MatMul,
    .accepts = matmul_accepts,
    .cost = products_cost,
    .prepare = matmul_prepare,
};

/* --- Gemm --- */

static GemmGeometry gemm_of(const KernelQuery *query) {
    const Shape *c = cpu_has_input(query, GEMM_C) ? &query->inputs[GEMM_C].type.shape : NULL;
    return gemm_geometry(query->node->attrs, &query->inputs[GEMM_A].type.shape,
                         &query->inputs[GEMM_B].type.shape, c);
}

static bool gemm_accepts(KernelQuery *query) {
    const GemmAttrs *attrs = query->node->attrs;
    const bool is_exact = attrs->alpha == 1 && attrs->beta == 1;
    return takes(query) && (is_exact || query->inputs[0].type.dtype == STRIDER_F64) &&
           cpu_want_plain(query) && cpu_in_proportion(query, panel_bytes(gemm_of(query).k), (Bytes){0});
}

static Status gemm_prepare(const KernelQuery *query, PrepareContext *ctx, KernelInstance *instance) {
    const GemmAttrs *attrs = query->node->attrs;
    const GemmGeometry g = gemm_of(query);
    const GemmStrides s = gemm_strides(attrs, &g);
    const bool has_c = cpu_has_input(query, GEMM_C) && attrs->beta != 0;
    const MatMulGeometry one = {.batch = 1, .m = g.m, .n = g.n, .k = g.k};
    const PlainProduct product = {.rows = g.m,
                                  .columns = g.n,
                                  .k = g.k,
                                  .a_row = s.a_row,
                                  .a_column = s.a_column,
                                  .b_row = s.b_row,
                                  .b_column = s.b_column,
                                  .c_row = has_c ? g.c_row : -1,
                                  .c_column = g.c_column,
                                  .y_row = g.n,
                                  .alpha = (double)attrs->alpha,
                                  .beta = (double)attrs->beta};
    return prepare(query, &one, &product, ctx, instance);
}

const Kernel kernel_plain_gemm = {
    .name = "plain_gemm",
    .op = OP_Gemm,
    .accepts = gemm_accepts,
    .cost = products_cost,
    .prepare = gemm_prepare,
};
