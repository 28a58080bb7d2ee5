/* SPDX-License-Identifier: Apache-2.0 */
/* CumSum and CumProd of plain tensors of any type: floats are summed in float64, integers wrap around.  A
 * block of columns goes along the axis together; where it is the last one, each row by itself. */
#include <string.h>

#include "base/size.h"
#include "base/wrap.h"
#include "ops/cpu/convert.h"
#include "ops/math/cumsum.h"
#include "ops/tensor/concat.h"

enum { COLUMNS = 256, TASK_ELEMENTS = 32768 };

typedef union Sum {
    double real;
    uint64_t bits;
} Sum;

typedef struct CumulateArgs {
    int64_t n, inner, column_blocks, units, units_a_task;
    bool is_real, is_product, is_exclusive, is_reverse;
    ConvertFunction load, store; /* NULL: as they are */
    size_t size;
} CumulateArgs;

/* --- running --- */

static void load(const CumulateArgs *args, const char *from, Sum *to, int64_t count) {
    if (args->load)
        args->load(from, to, count);
    else
        memcpy(to, from, (size_t)count * sizeof *to);
}

static void store(const CumulateArgs *args, const Sum *from, char *to, int64_t count) {
    if (args->store)
        args->store(from, to, count);
    else
        memcpy(to, from, (size_t)count * sizeof *from);
}

static Sum joined(const CumulateArgs *args, Sum a, Sum b) {
    if (args->is_real)
        return (Sum){.real = args->is_product ? a.real * b.real : a.real + b.real};
    return (Sum){.bits = args->is_product ? wrap_mul(a.bits, b.bits) : wrap_add(a.bits, b.bits)};
}

static Sum first_sum(const CumulateArgs *args) {
    return args->is_real ? (Sum){.real = args->is_product} : (Sum){.bits = args->is_product};
}

/* sums[i] takes x[i] in; x becomes what is stored. */
static void join_columns(const CumulateArgs *args, Sum *sums, Sum *x, int64_t count) {
    if (args->is_real && !args->is_product && !args->is_exclusive) {
        for (int64_t i = 0; i < count; i++)
            x[i].real = sums[i].real += x[i].real;
        return;
    }
    for (int64_t i = 0; i < count; i++) {
        const Sum before = sums[i];
        sums[i] = joined(args, before, x[i]);
        x[i] = args->is_exclusive ? before : sums[i];
    }
}

static void cumulate_columns(const CumulateArgs *args, const char *x, char *y, int64_t count) {
    Sum sums[COLUMNS], row[COLUMNS];
    const int64_t step = args->inner * (int64_t)args->size;
    for (int64_t i = 0; i < count; i++)
        sums[i] = first_sum(args);
    for (int64_t r = 0; r < args->n; r++) {
        const int64_t at = (args->is_reverse ? args->n - 1 - r : r) * step;
        load(args, x + at, row, count);
        join_columns(args, sums, row, count);
        store(args, row, y + at, count);
    }
}

/* A chunk of a row after the other. */
static void cumulate_row(const CumulateArgs *args, const char *x, char *y) {
    Sum sum = first_sum(args), row[COLUMNS];
    for (int64_t done = 0; done < args->n; done += COLUMNS) {
        const int64_t count = i64_min(args->n - done, COLUMNS);
        const int64_t at = (args->is_reverse ? args->n - done - count : done) * (int64_t)args->size;
        load(args, x + at, row, count);
        for (int64_t i = 0; i < count; i++) {
            Sum *element = &row[args->is_reverse ? count - 1 - i : i];
            const Sum before = sum;
            sum = joined(args, before, *element);
            *element = args->is_exclusive ? before : sum;
        }
        store(args, row, y + at, count);
    }
}

static void cumulate_run(const KernelCall *call, int64_t task) {
    const CumulateArgs *args = call->args;
    const int64_t first = task * args->units_a_task, end = i64_min(first + args->units_a_task, args->units);
    for (int64_t unit = first; unit < end; unit++) {
        const int64_t column = unit % args->column_blocks * COLUMNS;
        const int64_t at =
            (unit / args->column_blocks * args->n * args->inner + column) * (int64_t)args->size;
        const char *x = (const char *)call->inputs[0] + at;
        char *y = (char *)call->outputs[0] + at;
        if (args->inner == 1)
            cumulate_row(args, x, y);
        else
            cumulate_columns(args, x, y, i64_min(args->inner - column, COLUMNS));
    }
}

/* --- preparing --- */

static bool find_axis(const KernelQuery *query, int *axis) {
    const Tensor *given = cpu_input_contents(query, 1);
    const int rank = query->inputs[0].type.shape.rank;
    if (!given || tensor_elements(given) != 1)
        return false;
    const int64_t stated = tensor_get_i64(given, 0);
    *axis = stated >= -rank && stated < rank ? axis_resolve(stated, rank) : -1;
    return *axis >= 0;
}

static bool cumulate_accepts(KernelQuery *query) {
    int axis;
    if (!convert_knows(query->inputs[0].type.dtype) || !find_axis(query, &axis))
        return false;
    query->inputs[1].packed = true;
    return cpu_want_plain(query);
}

static Status cumulate_prepare(const KernelQuery *query, PrepareContext *ctx, KernelInstance *instance) {
    const CumulateAttrs *attrs = query->node->attrs;
    const Type *x = &query->inputs[0].type;
    int axis;
    CumulateArgs *args;
    TRY(cpu_alloc_args(ctx, bytes_of(sizeof *args, 1), &args));
    if (!find_axis(query, &axis))
        return fail(ctx->err, STRIDER_INVALID_ARGUMENT, "an axis that is not constant");
    *args = (CumulateArgs){.n = x->shape.dims[axis],
                           .inner = shape_size(&x->shape, axis + 1, x->shape.rank),
                           .is_real = dtype_is_float(x->dtype),
                           .is_product = query->node->op->kind == OP_CumProd,
                           .is_exclusive = attrs->exclusive,
                           .is_reverse = attrs->reverse,
                           .size = dtype_size(x->dtype)};
    const DType wide = args->is_real ? STRIDER_F64 : STRIDER_I64;
    const ConvertTable *convert = convert_for(query->target);
    if (x->dtype != wide) {
        args->load = convert->rows[x->dtype][wide];
        args->store = convert->rows[wide][x->dtype];
    }
    args->column_blocks = ceil_div(args->inner, COLUMNS);
    args->units = shape_size(&x->shape, 0, axis) * args->column_blocks;
    args->units_a_task = i64_max(TASK_ELEMENTS / count_of(args->n, i64_min(args->inner, COLUMNS)), 1);
    *instance = (KernelInstance){
        .run = cumulate_run, .args = args, .tasks = ceil_div(args->units, args->units_a_task)};
    return STRIDER_OK;
}

#define CUMULATE(ROW, NAME, OPERATOR)                                                                        \
    const Kernel ROW = {.name = NAME,                                                                        \
                        .op = OP_##OPERATOR,                                                                 \
                        .accepts = cumulate_accepts,                                                         \
                        .cost = cpu_operands_cost,                                                           \
                        .prepare = cumulate_prepare,                                                         \
                        .overwrites = 1};

CUMULATE(kernel_cum_sum, "cum_sum", CumSum)
CUMULATE(kernel_cum_prod, "cum_prod", CumProd)
