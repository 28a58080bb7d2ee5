/* SPDX-License-Identifier: Apache-2.0 */
/* MatMulInteger, QLinearMatMul and QGemm: a packed into tiles of rows in each run, b into panels of columns,
 * once where it is constant; then each task multiplies a chunk of rows by a chunk of columns. */
#include <stdio.h>
#include <string.h>

#include "ops/cpu/integer_product.h"
#include "ops/math/gemm.h"
#include "ops/math/matmul.h"

enum { CHUNK_TILES = 4, CHUNK_PANELS = 4 };

typedef struct IntegerMatMulArgs {
    const IntegerTable *table;
    ProductPorts ports; /* -1 also where the node has no such input */
    MatMulGeometry g;
    GemmStrides strides;
    float alpha;
    DType a, b, y;
    int64_t a_matrices, b_matrices;
    int64_t pairs, panel;              /* of k; columns of a panel */
    int64_t tiles, panels;             /* of one matrix */
    int64_t tile_chunks, panel_chunks; /* of one product */
    Parameter a_scale, a_zero, b_scale, b_zero;
    const int16_t *packed_b; /* NULL: in the workspace, after a */
} IntegerMatMulArgs;

/* --- packing --- */

static int16_t *packed_a(const IntegerMatMulArgs *args, void *workspace, int64_t matrix, int64_t row) {
    return (int16_t *)workspace + (matrix * args->g.m + row) * args->pairs * 2;
}

static int64_t panel_elements(const IntegerMatMulArgs *args) {
    return args->pairs * args->panel * 2;
}

static Bytes a_bytes(const IntegerMatMulArgs *args) {
    return bytes_of(sizeof(int16_t), args->a_matrices, args->g.m, args->pairs, 2);
}

static Bytes b_bytes(const IntegerMatMulArgs *args) {
    return bytes_of(sizeof(int16_t), args->b_matrices, args->panels, args->pairs, args->panel, 2);
}

static int tile_rows(const IntegerMatMulArgs *args, int64_t tile) {
    return (int)i64_min(args->table->rows, args->g.m - tile * args->table->rows);
}

static void pack_a_tile(const IntegerMatMulArgs *args, const KernelCall *call, int64_t task) {
    const int64_t matrix = task / args->tiles, tile = task % args->tiles, first = tile * args->table->rows;
    const int rows = tile_rows(args, tile);
    int16_t *to = packed_a(args, call->workspace, matrix, first);
    for (int r = 0; r < rows; r++) {
        const int32_t zero =
            integer_zero(call, args->ports.a_zero, args->a, parameter_at(args->a_zero, matrix, first + r));
        const ByteForm form = byte_form(args->a, zero);
        const uint8_t *from = (const uint8_t *)call->inputs[args->ports.a] + matrix * args->g.m * args->g.k +
                              (first + r) * args->strides.a_row;
        for (int64_t k = 0; k < 2 * args->pairs; k++)
            to[(k / 2 * rows + r) * 2 + k % 2] =
                k < args->g.k
                    ? (int16_t)((int32_t)(from[k * args->strides.a_column] ^ form.flip) - form.offset)
                    : 0;
    }
}

/* The same zero point for all columns, or each one's own. */
static void pack_b_columns(const IntegerMatMulArgs *args, const uint8_t *from, int64_t columns, ByteForm form,
                           int16_t *to) {
    const GemmStrides *s = &args->strides;
    for (int64_t pair = 0; pair < args->pairs; pair++) {
        const uint8_t *first = from + 2 * pair * s->b_row;
        args->table->interleave(first, 2 * pair + 1 < args->g.k ? first + s->b_row : NULL, s->b_column,
                                columns, form, to + pair * args->panel * 2);
    }
}

static void pack_b_panel(const IntegerMatMulArgs *args, int64_t task, const uint8_t *b, const uint8_t *zeros,
                         int16_t *packed) {
    const int64_t matrix = task / args->panels, first = task % args->panels * args->panel,
                  columns = i64_min(args->panel, args->g.n - first);
    const uint8_t *from = b + matrix * args->g.k * args->g.n + first * args->strides.b_column;
    int16_t *to = packed + task * panel_elements(args);
    if (columns < args->panel)
        memset(to, 0, bytes_of(sizeof *to, panel_elements(args)).n);
    const bool own = args->b_zero.count > 1;
    for (int64_t c = 0; c < columns; c += own ? 1 : columns) {
        const uint8_t byte = zeros ? zeros[parameter_at(args->b_zero, matrix, first + c)] : 0;
        pack_b_columns(args, from + c * args->strides.b_column, own ? 1 : columns,
                       byte_form(args->b, args->b == STRIDER_I8 ? (int8_t)byte : byte), to + 2 * c);
    }
}

static const int16_t *panels_of_b(const IntegerMatMulArgs *args, const KernelCall *call) {
    return args->packed_b ? args->packed_b : packed_a(args, call->workspace, args->a_matrices, 0);
}

static void pack_in_run(const KernelCall *call, int64_t task) {
    const IntegerMatMulArgs *args = call->args;
    const int64_t of_a = args->a_matrices * args->tiles;
    if (task < of_a)
        pack_a_tile(args, call, task);
    else
        pack_b_panel(args, task - of_a, call->inputs[args->ports.b],
                     args->ports.b_zero < 0 ? NULL : call->inputs[args->ports.b_zero],
                     packed_a(args, call->workspace, args->a_matrices, 0));
}

typedef struct ConstantB {
    const IntegerMatMulArgs *args;
    const Tensor *b, *zeros;
} ConstantB;

static void pack_constant_panel(void *context, void *memory, int64_t task) {
    const ConstantB *constant = context;
    pack_b_panel(constant->args, task, constant->b->data, constant->zeros ? constant->zeros->data : NULL,
                 memory);
}

/* --- running --- */

/* One product of the batch: its matrices, and what sums become. */
typedef struct OneProduct {
    const IntegerMatMulArgs *args;
    const KernelCall *call;
    SumForm form;
    int64_t index, a, b;
} OneProduct;

static void set_factors(const OneProduct *p, int64_t row, int rows, float factors[MAX_INTEGER_ROWS]) {
    const IntegerMatMulArgs *args = p->args;
    const float b = args->b_scale.count > 1 ? 1 : integer_scale(p->call, args->ports.b_scale, 0);
    for (int r = 0; r < rows; r++) {
        const float a =
            integer_scale(p->call, args->ports.a_scale, parameter_at(args->a_scale, p->a, row + r));
        factors[r] = args->b_scale.count > 1 ? args->alpha * a : args->alpha * a * b / p->form.divisor;
    }
}

static void run_tile(const OneProduct *p, int64_t tile, int64_t panel) {
    const IntegerMatMulArgs *args = p->args;
    const KernelCall *call = p->call;
    const int64_t row = tile * args->table->rows, column = panel * args->panel;
    float factors[MAX_INTEGER_ROWS];
    IntegerTile t = {.a = packed_a(args, call->workspace, p->a, row),
                     .b = panels_of_b(args, call) + (p->b * args->panels + panel) * panel_elements(args),
                     .pairs = args->pairs,
                     .rows = tile_rows(args, tile),
                     .columns = (int)i64_min(args->panel, args->g.n - column),
                     .y = (char *)call->outputs[0] +
                          bytes_of(dtype_size(args->y), (p->index * args->g.m + row) * args->g.n + column).n,
                     .y_row = args->g.n,
                     .form = &p->form,
                     .row_factors = factors};
    set_factors(p, row, t.rows, factors);
    if (args->b_scale.count > 1)
        t.column_factors =
            (const float *)call->inputs[args->ports.b_scale] + parameter_at(args->b_scale, p->b, column);
    if (args->ports.bias >= 0)
        t.column_bias = (const int32_t *)call->inputs[args->ports.bias] + column;
    args->table->tile(&t);
}

static void integer_matmul_run(const KernelCall *call, int64_t task) {
    const IntegerMatMulArgs *args = call->args;
    const int64_t panel = task % args->panel_chunks * CHUNK_PANELS,
                  tile = task / args->panel_chunks % args->tile_chunks * CHUNK_TILES;
    OneProduct p = {.args = args,
                    .call = call,
                    .form = integer_sum_form(call, &args->ports, args->y),
                    .index = task / args->panel_chunks / args->tile_chunks};
    matmul_operands(&args->g, p.index, &p.a, &p.b);
    for (int64_t j = panel; j < i64_min(panel + CHUNK_PANELS, args->panels); j++)
        for (int64_t i = tile; i < i64_min(tile + CHUNK_TILES, args->tiles); i++)
            run_tile(&p, i, j);
}

/* --- preparing --- */

static void set_geometry(const KernelQuery *query, IntegerMatMulArgs *args) {
    const Shape *a = &query->inputs[args->ports.a].type.shape, *b = &query->inputs[args->ports.b].type.shape;
    const GemmAttrs plain = {.alpha = 1},
                    *attrs = query->node->op->kind == OP_QGemm ? query->node->attrs : &plain;
    args->alpha = attrs->alpha;
    if (query->node->op->kind == OP_QGemm) {
        const GemmGeometry g = gemm_geometry(attrs, a, b, NULL);
        args->g = (MatMulGeometry){.batch = 1, .m = g.m, .n = g.n, .k = g.k};
    } else {
        args->g = matmul_geometry(a, b);
    }
    args->strides = gemm_strides(attrs, &(GemmGeometry){.m = args->g.m, .n = args->g.n, .k = args->g.k});
    args->a_matrices = shape_elements(a) / i64_max(i64_product(args->g.m, args->g.k), 1);
    args->b_matrices = shape_elements(b) / i64_max(i64_product(args->g.k, args->g.n), 1);
}

static IntegerMatMulArgs arguments(const KernelQuery *query) {
    const ProductPorts *ports = product_ports(query->node->op->kind);
    IntegerMatMulArgs args = {.table = integer_for(query->target),
                              .ports = integer_ports(query),
                              .a = query->inputs[ports->a].type.dtype,
                              .b = query->inputs[ports->b].type.dtype,
                              .y = query->outputs[0].type.dtype,
                              .panel = INTEGER_PANEL_VECTORS * query->width,
                              .a_scale = integer_parameter(query, ports->a_scale),
                              .a_zero = integer_parameter(query, ports->a_zero),
                              .b_scale = integer_parameter(query, ports->b_scale),
                              .b_zero = integer_parameter(query, ports->b_zero)};
    set_geometry(query, &args);
    args.pairs = ceil_div(args.g.k, 2);
    args.tiles = ceil_div(args.g.m, args.table->rows);
    args.panels = ceil_div(args.g.n, args.panel);
    args.tile_chunks = ceil_div(args.tiles, CHUNK_TILES);
    args.panel_chunks = ceil_div(args.panels, CHUNK_PANELS);
    return args;
}

/* C as a list for all rows, as biases are. */
static bool is_bias(const KernelQuery *query, const IntegerMatMulArgs *args) {
    if (args->ports.bias < 0)
        return true;
    const Shape *c = &query->inputs[args->ports.bias].type.shape;
    return c->rank >= 1 && c->dims[c->rank - 1] == args->g.n && shape_elements(c) == args->g.n;
}

static bool integer_matmul_accepts(KernelQuery *query) {
    integer_plain_layouts(query);
    const ProductPorts *ports = product_ports(query->node->op->kind);
    if (!integer_product_accepts(query, ports) || !shape_elements(&query->inputs[ports->a].type.shape) ||
        !shape_elements(&query->inputs[ports->b].type.shape))
        return false;
    const IntegerMatMulArgs args = arguments(query);
    int32_t zero;
    const bool packs_b =
        query->inputs[ports->b].constant && integer_constant_zero(query, args.ports.b_zero, &zero);
    query->inputs[ports->b].packed = packs_b;
    return is_bias(query, &args) &&
           cpu_in_proportion(query, (Bytes){0},
                             packs_b ? a_bytes(&args) : bytes_sum(a_bytes(&args), b_bytes(&args)));
}

static double integer_matmul_cost(const KernelQuery *query) {
    const IntegerMatMulArgs args = arguments(query);
    return 2000 +
           (double)args.g.batch * (double)args.panels * (double)args.pairs * ((double)args.g.m * 0.7 + 2);
}

static Status pack_b(const KernelQuery *query, IntegerMatMulArgs *args, PrepareContext *ctx,
                     KernelInstance *instance) {
    const Tensor *b = query->inputs[args->ports.b].constant;
    int32_t zero = 0;
    if (!integer_constant_zero(query, args->ports.b_zero, &zero))
        return fail(ctx->err, STRIDER_INVALID_ARGUMENT, "the zero points of a packed matrix differ");
    char key[80];
    snprintf(key, sizeof key, "integer panels of %lld, steps %lld %lld, less %d", (long long)args->panel,
             (long long)args->strides.b_row, (long long)args->strides.b_column, (int)zero);
    ConstantB *constant;
    TRY(cpu_alloc_args(ctx, bytes_of(sizeof *constant, 1), &constant));
    *constant = (ConstantB){args, b, cpu_input_constant(query, args->ports.b_zero)};
    const PackFill fill = {pack_constant_panel, i64_product(args->b_matrices, args->panels), constant};
    const void *packed;
    TRY(pack_constant_later(ctx, b, key, b_bytes(args), &fill, &packed));
    args->packed_b = packed;
    instance->packed_bytes = b_bytes(args).n;
    return STRIDER_OK;
}

static Status integer_matmul_prepare(const KernelQuery *query, PrepareContext *ctx,
                                     KernelInstance *instance) {
    IntegerMatMulArgs *args;
    TRY(cpu_alloc_args(ctx, bytes_of(sizeof *args, 1), &args));
    *args = arguments(query);
    *instance = (KernelInstance){.run = integer_matmul_run,
                                 .args = args,
                                 .tasks = count_of(args->g.batch, args->tile_chunks, args->panel_chunks),
                                 .prologue = pack_in_run,
                                 .prologue_tasks = i64_product(args->a_matrices, args->tiles),
                                 .workspace_bytes = a_bytes(args)};
    if (query->inputs[args->ports.b].packed)
        return pack_b(query, args, ctx, instance);
    instance->prologue_tasks = i64_sum(instance->prologue_tasks, i64_product(args->b_matrices, args->panels));
    instance->workspace_bytes = bytes_sum(a_bytes(args), b_bytes(args));
    return STRIDER_OK;
}

#define INTEGER_MATMUL(ROW, NAME, OP)                                                                        \
    const Kernel ROW = {                                                                                     \
        .name = NAME,                                                                                        \
        .op = OP,                                                                                            \
        .accepts = integer_matmul_accepts,                                                                   \
        .cost = integer_matmul_cost,                                                                         \
        .prepare = integer_matmul_prepare,                                                                   \
    };

INTEGER_MATMUL(kernel_matmul_integer, "matmul_integer", OP_MatMulInteger)
INTEGER_MATMUL(kernel_qlinear_matmul, "qlinear_matmul", OP_QLinearMatMul)
INTEGER_MATMUL(kernel_qgemm, "qgemm", OP_QGemm)
