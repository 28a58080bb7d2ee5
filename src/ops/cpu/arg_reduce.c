/* SPDX-License-Identifier: Apache-2.0 */
/* ArgMax and ArgMin of any type but uint64: along rows where the axis is the last one, else a block of
 * columns at a time.  Other types are converted to one that holds them. */
#include "ops/cpu/arg_reduce.h"

#include "base/size.h"
#include "ops/cpu/convert.h"
#include "ops/reduction/arg_reduce.h"
#include "ops/tensor/concat.h"

enum { TASK_ELEMENTS = 32768 };

typedef struct ArgArgs {
    ArgColumns of_all;
    void (*function)(const ArgColumns *columns);
    int64_t inner, column_blocks, units, units_a_task;
    ConvertFunction load; /* NULL: as they are */
    size_t in_size, load_size;
} ArgArgs;

static void arg_unit(const ArgArgs *args, const KernelCall *call, int64_t unit) {
    const int64_t outer = unit / args->column_blocks, first = unit % args->column_blocks * ARG_COLUMNS;
    ArgColumns columns = args->of_all;
    columns.columns = i64_min(args->inner - first, ARG_COLUMNS);
    columns.out = (int64_t *)call->outputs[0] + outer * args->inner + first;
    const char *x =
        (const char *)call->inputs[0] + (outer * columns.rows * args->inner + first) * (int64_t)args->in_size;
    columns.x = x;
    if (args->load) {
        const int64_t run = args->inner == 1 ? columns.rows : columns.columns,
                      runs = args->inner == 1 ? 1 : columns.rows;
        for (int64_t r = 0; r < runs; r++)
            args->load(x + r * args->inner * (int64_t)args->in_size,
                       (char *)call->scratch + r * run * (int64_t)args->load_size, run);
        columns.x = call->scratch;
        columns.stride = run;
    }
    args->function(&columns);
}

static void arg_run(const KernelCall *call, int64_t task) {
    const ArgArgs *args = call->args;
    const int64_t first = task * args->units_a_task, end = i64_min(first + args->units_a_task, args->units);
    for (int64_t unit = first; unit < end; unit++)
        arg_unit(args, call, unit);
}

static ArgType type_of_work(DType dtype) {
    return dtype == STRIDER_F64 ? ARG_F64 : dtype_is_float(dtype) ? ARG_F32 : ARG_I64;
}

static int64_t axis_size(const KernelQuery *query, int *axis) {
    const ArgReduceAttrs *attrs = query->node->attrs;
    const Shape *x = &query->inputs[0].type.shape;
    *axis = axis_resolve(attrs->axis, x->rank);
    return x->dims[*axis];
}

static bool arg_accepts(KernelQuery *query) {
    const DType dtype = query->inputs[0].type.dtype;
    int axis;
    if (!convert_knows(dtype) || dtype == STRIDER_U64 || query->inputs[0].type.shape.rank < 1 ||
        axis_size(query, &axis) > INT32_MAX)
        return false;
    return cpu_want_plain(query);
}

static Status arg_prepare(const KernelQuery *query, PrepareContext *ctx, KernelInstance *instance) {
    static const DType loaded[] = {STRIDER_F32, STRIDER_F64, STRIDER_I64};
    const ArgReduceAttrs *attrs = query->node->attrs;
    const Type *x = &query->inputs[0].type;
    const ArgType type = type_of_work(x->dtype);
    int axis;
    ArgArgs *args;
    TRY(cpu_alloc_args(ctx, bytes_of(sizeof *args, 1), &args));
    const int64_t rows = axis_size(query, &axis);
    args->inner = shape_size(&x->shape, axis + 1, x->shape.rank);
    args->of_all = (ArgColumns){.stride = args->inner,
                                .rows = rows,
                                .is_min = query->node->op->kind == OP_ArgMin,
                                .takes_last = attrs->select_last_index};
    args->function = args->inner == 1 ? arg_reduce_for(query->target)->rows[type]
                                      : arg_reduce_for(query->target)->columns[type];
    args->column_blocks = ceil_div(args->inner, ARG_COLUMNS);
    args->units = shape_size(&x->shape, 0, axis) * args->column_blocks;
    const int64_t unit_elements = count_of(i64_min(args->inner, ARG_COLUMNS), rows);
    args->units_a_task = i64_max(TASK_ELEMENTS / i64_max(unit_elements, 1), 1);
    args->in_size = dtype_size(x->dtype);
    args->load_size = dtype_size(loaded[type]);
    if (x->dtype != loaded[type])
        args->load = convert_for(query->target)->rows[x->dtype][loaded[type]];
    *instance = (KernelInstance){.run = arg_run,
                                 .args = args,
                                 .tasks = ceil_div(args->units, args->units_a_task),
                                 .scratch_bytes = bytes_of(args->load ? args->load_size : 0, unit_elements)};
    return STRIDER_OK;
}

#define ARG_KERNEL(ROW, NAME, OPERATOR)                                                                      \
    const Kernel ROW = {.name = NAME,                                                                        \
                        .op = OP_##OPERATOR,                                                                 \
                        .accepts = arg_accepts,                                                              \
                        .cost = cpu_operands_cost,                                                           \
                        .prepare = arg_prepare};

ARG_KERNEL(kernel_arg_max, "arg_max", ArgMax)
ARG_KERNEL(kernel_arg_min, "arg_min", ArgMin)
