/* SPDX-License-Identifier: Apache-2.0 */
/* QLinearAdd and QLinearMul, with broadcasting. */
#include "ops/cpu/qlinear.h"

#include "ops/broadcast.h"

enum { CHUNK_ELEMENTS = 16 * 1024 };

typedef struct QLinearArgs {
    void (*run)(const QLinearRow *row);
    Broadcast broadcast;
    DType dtype;
    bool has_zero[3]; /* of a, b and y */
    int64_t row, row_chunks, chunks, chunks_a_task;
} QLinearArgs;

static QLinear qlinear_at(const KernelCall *call, int scale_port, DType dtype, bool has_zero) {
    QLinear of = {*(const float *)call->inputs[scale_port], 0};
    if (has_zero) {
        const uint8_t byte = *(const uint8_t *)call->inputs[scale_port + 1];
        of.zero = dtype == STRIDER_I8 ? (int8_t)byte : byte;
    }
    return of;
}

static void qlinear_run(const KernelCall *call, int64_t task) {
    const QLinearArgs *args = call->args;
    const Broadcast *b = &args->broadcast;
    QLinearRow row = {.a_step = b->strides[0][b->rank - 1],
                      .b_step = b->strides[1][b->rank - 1],
                      .of_a = qlinear_at(call, ADD_A_SCALE, args->dtype, args->has_zero[0]),
                      .of_b = qlinear_at(call, ADD_B_SCALE, args->dtype, args->has_zero[1]),
                      .of_y = qlinear_at(call, ADD_C_SCALE, args->dtype, args->has_zero[2]),
                      .is_signed = args->dtype == STRIDER_I8,
                      .range = integer_range(args->dtype)};
    const int64_t first = task * args->chunks_a_task,
                  end = i64_min(first + args->chunks_a_task, args->chunks);
    for (int64_t chunk = first; chunk < end; chunk++) {
        const int64_t begin = chunk % args->row_chunks * CHUNK_ELEMENTS,
                      at = chunk / args->row_chunks * args->row + begin;
        int64_t offsets[BROADCAST_MAX];
        broadcast_offsets(b, at, offsets);
        row.a = (const uint8_t *)call->inputs[ADD_A] + offsets[0];
        row.b = (const uint8_t *)call->inputs[ADD_B] + offsets[1];
        row.y = (uint8_t *)call->outputs[0] + at;
        row.count = i64_min(CHUNK_ELEMENTS, args->row - begin);
        args->run(&row);
    }
}

static bool qlinear_accepts(KernelQuery *query) {
    for (int i = 0; i < query->n_inputs; i++)
        query->inputs[i].layout = layout_plain();
    query->outputs[0].layout = layout_plain();
    return true;
}

static double qlinear_cost(const KernelQuery *query) {
    const double elements = (double)shape_elements(&query->outputs[0].type.shape);
    return cpu_memory_cost(3 * elements) + 0.2 * elements;
}

static Status qlinear_prepare(const KernelQuery *query, PrepareContext *ctx, KernelInstance *instance) {
    const QLinearTable *table = qlinear_for(query->target);
    const int zeros[] = {ADD_A_ZERO, ADD_B_ZERO, ADD_C_ZERO};
    const Shape *const shapes[] = {&query->inputs[ADD_A].type.shape, &query->inputs[ADD_B].type.shape};
    QLinearArgs *args;
    TRY(cpu_alloc_args(ctx, bytes_of(sizeof *args, 1), &args));
    args->run = query->node->op->kind == OP_QLinearAdd ? table->add : table->mul;
    args->broadcast = broadcast_make(&query->outputs[0].type.shape, 2, shapes);
    args->dtype = query->outputs[0].type.dtype;
    for (int i = 0; i < 3; i++)
        args->has_zero[i] = zeros[i] < query->n_inputs && query->inputs[zeros[i]].type.dtype;
    args->row = args->broadcast.dims[args->broadcast.rank - 1];
    args->row_chunks = i64_max(ceil_div(args->row, CHUNK_ELEMENTS), 1);
    const int64_t rows = shape_elements(&query->outputs[0].type.shape) / i64_max(args->row, 1);
    args->chunks = i64_product(rows, args->row_chunks);
    args->chunks_a_task = i64_max(CHUNK_ELEMENTS / i64_max(args->row, 1), 1);
    *instance = (KernelInstance){
        .run = qlinear_run, .args = args, .tasks = ceil_div(args->chunks, args->chunks_a_task)};
    return STRIDER_OK;
}

const Kernel kernel_qlinear_add = {
    .name = "qlinear_add",
    .op = OP_QLinearAdd,
    .accepts = qlinear_accepts,
    .cost = qlinear_cost,
    .prepare = qlinear_prepare,
};

const Kernel kernel_qlinear_mul = {
    .name = "qlinear_mul",
    .op = OP_QLinearMul,
    .accepts = qlinear_accepts,
    .cost = qlinear_cost,
    .prepare = qlinear_prepare,
};
