/* SPDX-License-Identifier: Apache-2.0 */
/* Elementwise operators in float32, plain or blocked.
 *
 * The output's dimensions are merged as far as every operand's strides allow; the last one is the row that a
 * template computes.  A blocked output has the dimensions [N, blocks, D...] of pixels of one vector; an
 * operand with one element for each channel, or for each pixel, is read as it lies, plain or blocked. */
#include "ops/cpu/elementwise.h"

#include <string.h>

#include "base/size.h"
#include "ops/math/binary.h"
#include "ops/math/unary.h"

enum {
    MAX_DIMS = MAX_RANK + 1,
    CHUNK_FLOATS = 8192, /* what one row function computes at most, and a task at least where there is more */
};

typedef struct ElementwiseOperand {
    int64_t strides[MAX_DIMS]; /* in floats; 0 where it is broadcast */
    bool partial;              /* plain channels: the last block has fewer */
} ElementwiseOperand;

typedef struct ElementwiseArgs {
    RowFunction function;
    Row row;           /* what is the same for all rows */
    int n_dims;        /* outside the row */
    int block_dim;     /* the one of blocks; -1 where the output is plain */
    int tail_channels; /* of the last block */
    int width;         /* floats in a pixel; 1 where plain */
    int64_t dims[MAX_DIMS];
    int64_t row_pixels, chunk_pixels, row_chunks, n_chunks, chunks_a_task;
    ElementwiseOperand operands[2];
} ElementwiseArgs;

/* --- running --- */

static void run_chunk(const ElementwiseArgs *args, const KernelCall *call, int64_t chunk) {
    int64_t begin = chunk % args->row_chunks * args->chunk_pixels, index = chunk / args->row_chunks;
    Row row = args->row;
    row.a = call->inputs[0];
    row.b = args->row.b ? call->inputs[1] : NULL;
    row.out = (float *)call->outputs[0] + (index * args->row_pixels + begin) * args->width;
    row.floats = i64_min(args->chunk_pixels, args->row_pixels - begin) * args->width;
    for (int d = args->n_dims - 1; d >= 0; d--) {
        int64_t at = index % args->dims[d];
        index /= args->dims[d];
        row.a += at * args->operands[0].strides[d];
        if (row.b)
            row.b += at * args->operands[1].strides[d];
        if (d == args->block_dim && at == args->dims[d] - 1) {
            row.lanes = args->tail_channels;
            if (args->operands[0].partial)
                row.a_lanes = args->tail_channels;
            if (args->operands[1].partial)
                row.b_lanes = args->tail_channels;
        }
    }
    row.a += begin * args->operands[0].strides[args->n_dims];
    if (row.b)
        row.b += begin * args->operands[1].strides[args->n_dims];
    args->function(&row);
}

static void elementwise_run(const KernelCall *call, int64_t task) {
    const ElementwiseArgs *args = call->args;
    int64_t first = task * args->chunks_a_task, end = i64_min(first + args->chunks_a_task, args->n_chunks);
    for (int64_t chunk = first; chunk < end; chunk++)
        run_chunk(args, call, chunk);
}

/* --- preparing --- */

/* An operand's size in the output's dimension `d`; 1 where it has none. */
static int64_t aligned_dim(const Shape *shape, const Shape *out, int d) {
    int at = d - (out->rank - shape->rank);
    return at < 0 ? 1 : shape->dims[at];
}

static void plain_strides(const Shape *shape, const Shape *out, int64_t strides[MAX_DIMS]) {
    int64_t stride = 1;
    for (int d = out->rank - 1; d >= 0; d--) {
        int64_t size = aligned_dim(shape, out, d);
        strides[d] = size == 1 ? 0 : stride;
        stride *= size;
    }
}

/* In floats, over the dimensions [N, blocks, D...] of the output. */
static void blocked_strides(const Operand *operand, const Shape *out, int width, int64_t strides[MAX_DIMS]) {
    const Shape *shape = &operand->type.shape;
    int64_t channels = aligned_dim(shape, out, 1), block = layout_block(operand->layout), plane = 1;
    for (int d = out->rank - 1; d > 1; d--) {
        int64_t size = aligned_dim(shape, out, d);
        strides[d] = size == 1 ? 0 : plane * block;
        plane *= size;
    }
    bool is_plain = operand->layout.kind == LAYOUT_PLAIN;
    strides[1] = channels == 1 ? 0 : is_plain ? width * plane : plane * block;
    int64_t image = (is_plain ? channels : ceil_div(channels, width)) * plane * block;
    strides[0] = aligned_dim(shape, out, 0) == 1 ? 0 : image;
}

/* Drops dimensions of one element and merges neighbours over which all operands go on evenly; dimensions up
 * to `keep` stay. */
static int merge_dims(ElementwiseArgs *args, int n_dims, int keep) {
    int64_t *dims = args->dims;
    ElementwiseOperand *operands = args->operands;
    int kept = keep;
    for (int d = keep; d < n_dims; d++) {
        if (dims[d] == 1)
            continue;
        bool merges = kept > keep;
        for (int i = 0; i < 2 && merges; i++)
            merges = operands[i].strides[kept - 1] == operands[i].strides[d] * dims[d];
        int to = merges ? kept - 1 : kept++;
        dims[to] = merges ? dims[to] * dims[d] : dims[d];
        for (int i = 0; i < 2; i++)
            operands[i].strides[to] = operands[i].strides[d];
    }
    if (kept == keep) { /* a row of one */
        dims[kept] = 1;
        operands[0].strides[kept] = operands[1].strides[kept] = 0;
        kept++;
    }
    return kept;
}

/* The mode, step and lanes of an operand in a row. */
static RowMode row_mode(const ElementwiseArgs *args, const Operand *operand, const Shape *out, int port,
                        int64_t *step, int *lanes) {
    int64_t stride = args->operands[port].strides[args->n_dims];
    bool has_channels = args->block_dim >= 0 && (aligned_dim(&operand->type.shape, out, 1) > 1 ||
                                                 (out->dims[1] == 1 && operand->layout.kind != LAYOUT_PLAIN));
    *step = stride;
    *lanes = has_channels ? args->width : 1;
    if (stride == 0)
        return ROW_SAME;
    return stride == args->width && (args->block_dim < 0 || has_channels) ? ROW_VECTORS : ROW_PIXELS;
}

/* An input with the shape that it is broadcast from. */
static Operand operand_of(const KernelQuery *query, int port) {
    Operand operand = query->inputs[port];
    if (port == 1)
        operand.type.shape =
            binary_second_shape(query->node, &query->inputs[0].type.shape, &operand.type.shape);
    return operand;
}

static Status elementwise_prepare(const KernelQuery *query, RowFunction function, int n_operands,
                                  PrepareContext *ctx, KernelInstance *instance, ElementwiseArgs **result) {
    const Shape *out = &query->outputs[0].type.shape;
    const Layout layout = query->outputs[0].layout;
    ElementwiseArgs *args;
    TRY(cpu_alloc_args(ctx, bytes_of(sizeof *args, 1), &args));
    args->function = function;
    args->width = layout_block(layout);
    args->block_dim = layout.kind == LAYOUT_PLAIN ? -1 : 1;
    args->row.lanes = query->width;
    memcpy(args->dims, out->dims, sizeof out->dims);
    if (layout.kind != LAYOUT_PLAIN) {
        args->dims[1] = layout_blocks(out, layout);
        args->tail_channels = cpu_tail_channels(out, layout);
    }
    for (int i = 0; i < n_operands; i++) {
        const Operand operand = operand_of(query, i);
        if (layout.kind == LAYOUT_PLAIN)
            plain_strides(&operand.type.shape, out, args->operands[i].strides);
        else
            blocked_strides(&operand, out, layout.block, args->operands[i].strides);
        args->operands[i].partial = layout.kind != LAYOUT_PLAIN && operand.layout.kind == LAYOUT_PLAIN &&
                                    aligned_dim(&operand.type.shape, out, 1) > 1;
    }
    if (n_operands == 1)
        args->operands[1] = args->operands[0];
    int n_dims = merge_dims(args, out->rank, layout.kind == LAYOUT_PLAIN ? 0 : 2);
    args->n_dims = n_dims - 1;
    args->row_pixels = args->dims[args->n_dims];
    Row *row = &args->row;
    const Operand a = operand_of(query, 0);
    row->a_mode = n_operands == 1 ? ROW_VECTORS : row_mode(args, &a, out, 0, &row->a_step, &row->a_lanes);
    if (n_operands == 2) {
        static const float second_operand;
        row->b = &second_operand; /* says that there is one; its address comes with the run */
        const Operand b = operand_of(query, 1);
        row->b_mode = row_mode(args, &b, out, 1, &row->b_step, &row->b_lanes);
    }
    args->chunk_pixels = i64_max(i64_min(args->row_pixels, CHUNK_FLOATS / args->width), 1);
    args->row_chunks = ceil_div(args->row_pixels, args->chunk_pixels);
    args->n_chunks = args->row_chunks;
    for (int d = 0; d < args->n_dims; d++)
        args->n_chunks *= args->dims[d];
    args->chunks_a_task = i64_max(CHUNK_FLOATS / i64_max(args->chunk_pixels * args->width, 1), 1);
    *instance = (KernelInstance){
        .run = elementwise_run, .args = args, .tasks = ceil_div(args->n_chunks, args->chunks_a_task)};
    *result = args;
    return STRIDER_OK;
}

/* --- choosing --- */

/* Whether an operand can take part in a blocked output; sets the layout that it is wanted in. */
static bool fits_blocked(Operand *operand, const Shape *out, Layout blocked) {
    const Shape *shape = &operand->type.shape;
    bool same_rank = shape->rank == out->rank, one_pixel = true;
    for (int d = 2; d < out->rank; d++)
        one_pixel = one_pixel && aligned_dim(shape, out, d) == 1;
    bool has_channels = aligned_dim(shape, out, 1) == out->dims[1];
    if (has_channels && !one_pixel) {
        operand->layout = blocked;
        return same_rank;
    }
    if (!same_rank || !layout_can_block(&operand->type))
        operand->layout = layout_plain();
    return true;
}

static bool binary_accepts(KernelQuery *query) {
    if (query->n_inputs != 2 || !cpu_is_f32(query, 0) || !cpu_is_f32(query, 1) ||
        query->outputs[0].type.dtype != STRIDER_F32)
        return false;
    const Shape *out = &query->outputs[0].type.shape;
    Operand a = operand_of(query, 0), b = operand_of(query, 1);
    bool moved = !shape_equal(&b.type.shape, &query->inputs[1].type.shape);
    const Layout blocked = cpu_blocked(query);
    if ((cpu_is_blocked(query, &query->inputs[0]) || cpu_is_blocked(query, &query->inputs[1])) &&
        layout_can_block(&query->outputs[0].type) && fits_blocked(&a, out, blocked) &&
        fits_blocked(&b, out, blocked) && (!moved || b.layout.kind == LAYOUT_PLAIN)) {
        query->inputs[0].layout = a.layout;
        query->inputs[1].layout = b.layout;
        query->outputs[0].layout = blocked;
    } else {
        query->inputs[0].layout = query->inputs[1].layout = layout_plain();
    }
    return true;
}

static double binary_cost(const KernelQuery *query) {
    /* A power takes a logarithm and an exponential for each element. */
    const double extra =
        query->node->op->kind == OP_Pow ? (double)shape_elements(&query->outputs[0].type.shape) : 0;
    return cpu_operands_cost(query) + extra;
}

static Status binary_prepare(const KernelQuery *query, PrepareContext *ctx, KernelInstance *instance) {
    const RowFunction function = elementwise_for(query->target)->binary[node_binary_kind(query->node)];
    ElementwiseArgs *args;
    return elementwise_prepare(query, function, 2, ctx, instance, &args);
}

#define FAST_BINARY(KIND, NAME, ROW, ...)                                                                    \
    const Kernel kernel_##ROW = {.name = #ROW,                                                               \
                                 .op = OP_##NAME,                                                            \
                                 .accepts = binary_accepts,                                                  \
                                 .cost = binary_cost,                                                        \
                                 .prepare = binary_prepare,                                                  \
                                 .overwrites = 3};
#define BINARY(...)
#include "ops/math/binary_list.inc"

/* --- one operand --- */

/* Of Pow by one constant, of any type, that asks for no logarithm; NONE for others. */
static UnaryKind power_kind(const KernelQuery *query) {
    static const struct {
        double exponent;
        UnaryKind kind;
    } powers[] = {{2, UNARY_SQUARE},
                  {3, UNARY_CUBE},
                  {0.5, UNARY_ROOT},
                  {-0.5, UNARY_RECIPROCAL_ROOT},
                  {-1, UNARY_RECIPROCAL}};
    const Tensor *exponent = cpu_input_constant(query, 1);
    if (!exponent || tensor_elements(exponent) != 1 ||
        exponent->type.shape.rank > query->inputs[0].type.shape.rank)
        return UNARY_NONE;
    for (size_t i = 0; i < sizeof powers / sizeof *powers; i++)
        if (tensor_get_f64(exponent, 0) == powers[i].exponent)
            return powers[i].kind;
    return UNARY_NONE;
}

/* NULL where it has no vector form. */
static RowFunction unary_function(const KernelQuery *query, Unary *unary) {
    if (query->node->op->kind == OP_Pow)
        *unary = (Unary){power_kind(query), 0, 0};
    else if (!node_unary(query->node, unary))
        return NULL;
    return elementwise_for(query->target)->unary[unary->kind];
}

static bool unary_accepts(KernelQuery *query) {
    Unary unary;
    if (!cpu_is_f32(query, 0) || query->outputs[0].type.dtype != STRIDER_F32 ||
        !unary_function(query, &unary))
        return false;
    for (int i = 1; i < query->n_inputs; i++)
        query->inputs[i].packed = true; /* constants that the function holds */
    cpu_keep_layout(query);
    return true;
}

/* What an element costs besides memory: most of the time for those with an exponential. */
static double unary_cost(const KernelQuery *query) {
    return cpu_operands_cost(query) + 0.2 * (double)shape_elements(&query->outputs[0].type.shape);
}

static Status unary_prepare(const KernelQuery *query, PrepareContext *ctx, KernelInstance *instance) {
    Unary unary;
    RowFunction function = unary_function(query, &unary);
    ElementwiseArgs *args;
    TRY(elementwise_prepare(query, function, 1, ctx, instance, &args));
    args->row.alpha = unary.alpha;
    args->row.beta = unary.beta;
    return STRIDER_OK;
}

#define UNARY_KERNEL(NAME, ROW)                                                                              \
    const Kernel kernel_##ROW = {.name = #ROW,                                                               \
                                 .op = OP_##NAME,                                                            \
                                 .accepts = unary_accepts,                                                   \
                                 .cost = unary_cost,                                                         \
                                 .prepare = unary_prepare,                                                   \
                                 .overwrites = 1};
#define FAST_UNARY(KIND, NAME, ROW, ...) UNARY_KERNEL(NAME, ROW)
#define UNARY(...)
#include "ops/math/unary_list.inc"
UNARY_KERNEL(Clip, clip)
UNARY_KERNEL(Pow, power)
