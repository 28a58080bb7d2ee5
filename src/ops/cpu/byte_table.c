/* SPDX-License-Identifier: Apache-2.0 */
/* QLinearSigmoid, QLinearLeakyRelu and QLinearConcat: what becomes of each of 256 bytes is found out first,
 * as scales may be inputs, and then looked up. */
#include "ops/cpu/cpu.h"
#include "ops/quantization/qlinear.h"
#include "ops/tensor/concat.h"

enum { TASK_BYTES = 16 * 1024, TABLE = 256 };

/* An input with a table of its own, whose rows go to the output's rows from `at` on. */
typedef struct BytePart {
    int x, scale, zero; /* ports; zero -1: absent */
    int64_t row, count, at, first_task;
} BytePart;

typedef struct ByteTableArgs {
    const Node *node;
    DType dtype;
    int y_scale, y_zero; /* ports */
    int64_t y_row;
    int n_parts;
    BytePart *parts;
} ByteTableArgs;

static int64_t number(DType dtype, uint8_t byte) {
    return dtype == STRIDER_I8 ? (int8_t)byte : byte;
}

static QLinear qlinear_at(const ByteTableArgs *args, const KernelCall *call, int scale_port, int zero_port) {
    return (QLinear){*(const float *)call->inputs[scale_port],
                     zero_port < 0 ? 0 : number(args->dtype, *(const uint8_t *)call->inputs[zero_port])};
}

static void make_table(const KernelCall *call, int64_t task) {
    const ByteTableArgs *args = call->args;
    const BytePart *part = &args->parts[task];
    const QLinear of_x = qlinear_at(args, call, part->scale, part->zero),
                  of_y = qlinear_at(args, call, args->y_scale, args->y_zero);
    const IntegerRange range = integer_range(args->dtype);
    uint8_t *table = (uint8_t *)call->workspace + task * TABLE;
    for (int byte = 0; byte < TABLE; byte++) {
        const float real = qlinear_real(of_x, number(args->dtype, (uint8_t)byte));
        table[byte] = (uint8_t)qlinear_quantize(of_y, qlinear_function(args->node, real), range);
    }
}

static void byte_table_run(const KernelCall *call, int64_t task) {
    const ByteTableArgs *args = call->args;
    int p = 0;
    while (p + 1 < args->n_parts && args->parts[p + 1].first_task <= task)
        p++;
    const BytePart *part = &args->parts[p];
    const uint8_t *x = call->inputs[part->x], *table = (const uint8_t *)call->workspace + p * TABLE;
    uint8_t *y = call->outputs[0];
    const int64_t first = (task - part->first_task) * TASK_BYTES,
                  end = i64_min(first + TASK_BYTES, part->count);
    for (int64_t at = first; at < end;) {
        const int64_t column = at % part->row, count = i64_min(part->row - column, end - at);
        uint8_t *to = y + at / part->row * args->y_row + part->at + column;
        for (int64_t i = 0; i < count; i++)
            to[i] = table[x[at + i]];
        at += count;
    }
}

static bool byte_table_accepts(KernelQuery *query) {
    for (int i = 0; i < query->n_inputs; i++)
        query->inputs[i].layout = layout_plain();
    query->outputs[0].layout = layout_plain();
    return true;
}

static double byte_table_cost(const KernelQuery *query) {
    return 1000 + (double)shape_elements(&query->outputs[0].type.shape);
}

static int port_or_none(const KernelQuery *query, int port) {
    return port < query->n_inputs && query->inputs[port].type.dtype ? port : -1;
}

/* The parts, one after the other in each row of the output, from input `first` on. */
static Status prepare(const KernelQuery *query, int first, int axis, ByteTableArgs *args, PrepareContext *ctx,
                      KernelInstance *instance) {
    const Shape *y = &query->outputs[0].type.shape;
    TRY(cpu_alloc_args(ctx, bytes_of(sizeof *args->parts, args->n_parts), &args->parts));
    args->node = query->node;
    args->dtype = query->outputs[0].type.dtype;
    args->y_row = shape_size(y, axis, y->rank);
    int64_t at = 0, tasks = 0;
    for (int p = 0; p < args->n_parts; p++) {
        const int port = first + QLINEAR_PART * p;
        const Shape *x = &query->inputs[port].type.shape;
        const int64_t row = shape_size(x, axis, x->rank);
        args->parts[p] =
            (BytePart){port, port + 1, port_or_none(query, port + 2), row, shape_elements(x), at, tasks};
        at += row;
        tasks += ceil_div(args->parts[p].count, TASK_BYTES);
    }
    *instance = (KernelInstance){.run = byte_table_run,
                                 .args = args,
                                 .tasks = tasks,
                                 .prologue = make_table,
                                 .prologue_tasks = args->n_parts,
                                 .workspace_bytes = bytes_of(TABLE, args->n_parts)};
    return STRIDER_OK;
}

static Status unary_prepare(const KernelQuery *query, PrepareContext *ctx, KernelInstance *instance) {
    ByteTableArgs *args;
    TRY(cpu_alloc_args(ctx, bytes_of(sizeof *args, 1), &args));
    args->n_parts = 1;
    args->y_scale = UNARY_Y_SCALE;
    args->y_zero = port_or_none(query, UNARY_Y_ZERO);
    return prepare(query, UNARY_X, 0, args, ctx, instance);
}

static Status concat_prepare(const KernelQuery *query, PrepareContext *ctx, KernelInstance *instance) {
    const AxisAttrs *attrs = query->node->attrs;
    ByteTableArgs *args;
    TRY(cpu_alloc_args(ctx, bytes_of(sizeof *args, 1), &args));
    args->n_parts = (query->n_inputs - CONCAT_X) / QLINEAR_PART;
    args->y_scale = CONCAT_Y_SCALE;
    args->y_zero = CONCAT_Y_ZERO;
    return prepare(query, CONCAT_X, axis_resolve(attrs->axis, query->outputs[0].type.shape.rank), args, ctx,
                   instance);
}

#define BYTE_TABLE(ROW, NAME, OP, PREPARE)                                                                   \
    const Kernel ROW = {                                                                                     \
        .name = NAME,                                                                                        \
        .op = OP,                                                                                            \
        .accepts = byte_table_accepts,                                                                       \
        .cost = byte_table_cost,                                                                             \
        .prepare = PREPARE,                                                                                  \
    };

BYTE_TABLE(kernel_qlinear_sigmoid, "qlinear_sigmoid", OP_QLinearSigmoid, unary_prepare)
BYTE_TABLE(kernel_qlinear_leaky_relu, "qlinear_leaky_relu", OP_QLinearLeakyRelu, unary_prepare)
BYTE_TABLE(kernel_qlinear_concat, "qlinear_concat", OP_QLinearConcat, concat_prepare)
