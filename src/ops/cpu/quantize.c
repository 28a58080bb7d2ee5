/* SPDX-License-Identifier: Apache-2.0 */
/* QuantizeLinear and DequantizeLinear between float32 and integers of up to 32 bits: rows of elements that
 * lie together, with one scale or with a list of them.  With one scale for the whole tensor in either layout.
 */
#include "ops/cpu/quantize.h"

#include "ops/quantization/quantize.h"

enum {
    CHUNK_ELEMENTS =
        8192 /* what one row function computes at most, and a task at least where there is more */
};

/* Rows are numbered; `group_rows` of them make a group, of which the last row may be shorter.  The scale of
 * row r of group g stands at g * group_step + r / row_step_every * row_step. */
typedef struct QuantizeArgs {
    QuantizeRun run;
    QuantizeRow row;                                    /* what is the same for all */
    int64_t groups, group_rows, row_count, group_count; /* in elements: of a row, of a group */
    int64_t group_step, row_step, row_step_every;
    int64_t row_chunks, chunks, chunks_a_task;
    int tail_lanes; /* of a group's last row; the target's width where nothing is cut off */
    int x_size, y_size;
} QuantizeArgs;

static void run_chunk(const QuantizeArgs *args, const KernelCall *call, int64_t chunk) {
    const int64_t begin = chunk % args->row_chunks * CHUNK_ELEMENTS, number = chunk / args->row_chunks,
                  group = number / args->group_rows, r = number % args->group_rows,
                  row_begin = r * args->row_count,
                  count = i64_min(args->row_count, args->group_count - row_begin) - begin;
    if (count <= 0) /* the last row of a group may have fewer chunks */
        return;
    const int64_t at = group * args->group_count + row_begin + begin,
                  scale = group * args->group_step + r / args->row_step_every * args->row_step +
                          (args->row.has_lists ? begin : 0);
    QuantizeRow row = args->row;
    row.x = (const char *)call->inputs[QUANTIZE_X] + at * args->x_size;
    row.y = (char *)call->outputs[0] + at * args->y_size;
    row.scales = (const float *)call->inputs[QUANTIZE_SCALE] + scale;
    if (row.zeros)
        row.zeros = (const char *)call->inputs[QUANTIZE_ZERO] + scale * row.integer.size;
    row.count = i64_min(count, CHUNK_ELEMENTS);
    if (r == args->group_rows - 1)
        row.lanes = args->tail_lanes;
    args->run(&row);
}

static void quantize_run(const KernelCall *call, int64_t task) {
    const QuantizeArgs *args = call->args;
    const int64_t first = task * args->chunks_a_task,
                  end = i64_min(first + args->chunks_a_task, args->chunks);
    for (int64_t chunk = first; chunk < end; chunk++)
        run_chunk(args, call, chunk);
}

/* One scale: a row, or in blocks a row for each. */
static void set_whole(const KernelQuery *query, QuantizeArgs *args) {
    const Operand *x = &query->inputs[QUANTIZE_X];
    const Shape *shape = &x->type.shape;
    args->groups = args->group_rows = 1;
    args->row_count = args->group_count = shape_elements(shape);
    if (x->layout.kind == LAYOUT_PLAIN)
        return;
    args->groups = shape->dims[0];
    args->group_rows = layout_blocks(shape, x->layout);
    args->row_count = count_of(shape_size(shape, 2, shape->rank), query->width);
    args->group_count = i64_product(args->row_count, args->group_rows);
    args->tail_lanes = cpu_tail_channels(shape, x->layout);
}

/* Scales along an axis, or of blocks.  Where nothing comes after the axis its elements are the row. */
static void set_rows(const QuantizeGeometry *g, QuantizeArgs *args) {
    const bool has_blocks = g->inner_step || g->outer_step;
    args->groups = g->outer;
    args->group_count = i64_product(g->axis, g->inner);
    args->group_step = g->outer_step;
    if (g->inner > 1) {
        args->group_rows = g->axis;
        args->row_count = g->inner;
        args->row_step = g->axis_step;
        args->row_step_every = g->block;
        args->row.has_lists = has_blocks;
    } else {
        args->row_count = has_blocks ? i64_min(g->block, g->axis) : g->axis;
        args->group_rows = ceil_div(g->axis, i64_max(args->row_count, 1));
        args->row_step = has_blocks;
        args->row.has_lists = !has_blocks;
    }
}

static IntegerForm integer_form(DType dtype) {
    const IntegerRange range = integer_range(dtype);
    const size_t bits = dtype_bits(dtype);
    return (IntegerForm){.size = (int)dtype_size(dtype),
                         .mask = (int32_t)(((int64_t)1 << bits) - 1),
                         .sign = dtype_is_signed(dtype) ? (int32_t)((int64_t)1 << (bits - 1)) : 0,
                         .low = (int32_t)range.low,
                         .high = (int32_t)range.high};
}

static bool has_one_scale(const KernelQuery *query) {
    return shape_elements(&query->inputs[QUANTIZE_SCALE].type.shape) == 1;
}

static bool keep_layouts(KernelQuery *query) {
    for (int i = QUANTIZE_SCALE; i < query->n_inputs; i++)
        query->inputs[i].layout = layout_plain();
    if (has_one_scale(query))
        cpu_keep_layout(query);
    else
        query->inputs[QUANTIZE_X].layout = query->outputs[0].layout = layout_plain();
    return true;
}

static bool is_integer(const Type *type) {
    return DTYPE_BIT(type->dtype) & (DTYPES_SMALL_INTEGER | DTYPE_BIT(STRIDER_I8) | DTYPE_BIT(STRIDER_U8) |
                                     DTYPE_BIT(STRIDER_I16) | DTYPE_BIT(STRIDER_U16));
}

static bool quantize_accepts(KernelQuery *query) {
    const QuantizeAttrs *attrs = query->node->attrs;
    return cpu_is_f32(query, QUANTIZE_X) && cpu_is_f32(query, QUANTIZE_SCALE) &&
           (!attrs->precision || attrs->precision == STRIDER_F32) && is_integer(&query->outputs[0].type) &&
           keep_layouts(query);
}

static bool dequantize_accepts(KernelQuery *query) {
    const Type *x = &query->inputs[QUANTIZE_X].type;
    const bool has_zero = query->n_inputs > QUANTIZE_ZERO && query->inputs[QUANTIZE_ZERO].type.dtype;
    return (is_integer(x) || (x->dtype == STRIDER_I32 && !has_zero)) && cpu_is_f32(query, QUANTIZE_SCALE) &&
           query->outputs[0].type.dtype == STRIDER_F32 && keep_layouts(query);
}

static double quantize_cost(const KernelQuery *query) {
    const double elements = (double)shape_elements(&query->inputs[QUANTIZE_X].type.shape);
    return cpu_memory_cost(5 * elements) + 0.1 * elements;
}

static Status prepare(const KernelQuery *query, QuantizeRun run, DType integer, PrepareContext *ctx,
                      KernelInstance *instance) {
    static const char there; /* says that there is a zero point; its address comes with the run */
    const Shape *x = &query->inputs[QUANTIZE_X].type.shape,
                *scale = &query->inputs[QUANTIZE_SCALE].type.shape;
    QuantizeArgs *args;
    TRY(cpu_alloc_args(ctx, bytes_of(sizeof *args, 1), &args));
    args->run = run;
    args->row_step_every = 1;
    args->row.lanes = args->tail_lanes = query->width;
    args->row.integer = integer_form(integer);
    if (query->n_inputs > QUANTIZE_ZERO && query->inputs[QUANTIZE_ZERO].type.dtype)
        args->row.zeros = &there;
    args->x_size = (int)dtype_size(query->inputs[QUANTIZE_X].type.dtype);
    args->y_size = (int)dtype_size(query->outputs[0].type.dtype);
    const QuantizeGeometry g = quantize_geometry(query->node->attrs, x, scale);
    if (has_one_scale(query))
        set_whole(query, args);
    else
        set_rows(&g, args);
    args->row_chunks = i64_max(ceil_div(args->row_count, CHUNK_ELEMENTS), 1);
    args->chunks = count_of(args->groups, args->group_rows, args->row_chunks);
    args->chunks_a_task = i64_max(CHUNK_ELEMENTS / i64_max(i64_min(args->row_count, CHUNK_ELEMENTS), 1), 1);
    *instance = (KernelInstance){
        .run = quantize_run, .args = args, .tasks = ceil_div(args->chunks, args->chunks_a_task)};
    return STRIDER_OK;
}

static Status quantize_prepare(const KernelQuery *query, PrepareContext *ctx, KernelInstance *instance) {
    return prepare(query, quantize_for(query->target)->quantize, query->outputs[0].type.dtype, ctx, instance);
}

static Status dequantize_prepare(const KernelQuery *query, PrepareContext *ctx, KernelInstance *instance) {
    return prepare(query, quantize_for(query->target)->dequantize, query->inputs[QUANTIZE_X].type.dtype, ctx,
                   instance);
}

const Kernel kernel_quantize = {
    .name = "quantize",
    .op = OP_QuantizeLinear,
    .accepts = quantize_accepts,
    .cost = quantize_cost,
    .prepare = quantize_prepare,
};

const Kernel kernel_dequantize = {
    .name = "dequantize",
    .op = OP_DequantizeLinear,
    .accepts = dequantize_accepts,
    .cost = quantize_cost,
    .prepare = dequantize_prepare,
};
