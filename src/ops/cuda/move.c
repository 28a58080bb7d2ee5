/* SPDX-License-Identifier: Apache-2.0 */
/* Operators that only move elements: boxes of elements copied from strides to strides, a launch each. */
#include <string.h>

#include "base/size.h"
#include "ops/broadcast.h"
#include "ops/cuda/cuda.h"
#include "ops/cuda/dnn.h"
#include "ops/cuda/kernels.h"
#include "ops/tensor/concat.h"
#include "ops/tensor/depth_space.h"
#include "ops/tensor/slice.h"
#include "ops/tensor/transpose.h"

enum { BOX_DIMS = 2 * MAX_RANK }; /* Tile's */

/* Strides and offsets in elements. */
typedef struct Box {
    int input, output; /* ports */
    int rank;
    int64_t dims[BOX_DIMS], in_strides[BOX_DIMS], out_strides[BOX_DIMS], in_offset, out_offset;
} Box;

/* Joins neighbouring dimensions that both sides run through as one, and leaves out those of one element. */
static void join_dims(Box *box) {
    int rank = 0;
    for (int d = 0; d < box->rank; d++) {
        const int last = rank - 1;
        if (box->dims[d] == 1)
            continue;
        const bool joins = rank > 0 && box->in_strides[last] == box->in_strides[d] * box->dims[d] &&
                           box->out_strides[last] == box->out_strides[d] * box->dims[d];
        const int to = joins ? last : rank++;
        box->dims[to] = joins ? box->dims[to] * box->dims[d] : box->dims[d];
        box->in_strides[to] = box->in_strides[d];
        box->out_strides[to] = box->out_strides[d];
    }
    box->rank = rank;
}

/* Each makes the box of one port; false where there is none, or it is not known before a run. */
typedef bool BoxFunction(const KernelQuery *query, int port, Box *box);

static bool is_movable(const KernelQuery *query, BoxFunction *box_of, int n_boxes) {
    for (int i = 0; i < n_boxes; i++) {
        Box box = {0};
        if (!box_of(query, i, &box))
            return false;
        join_dims(&box);
        if (box.rank > MOVE_DIMS)
            return false;
    }
    return true;
}

/* Whether the box is one run of bytes of what it is a part of, where that is dense in the box; and where. */
static bool is_one_run(const KernelQuery *query, const Box *box, const int64_t *strides, int64_t offset,
                       size_t *offset_bytes) {
    *offset_bytes = bytes_of(dtype_size(query->outputs[box->output].type.dtype), offset).n;
    return (box->rank == 0 || (box->rank == 1 && strides[0] == 1)) && *offset_bytes % TENSOR_ALIGNMENT == 0;
}

/* Of the output, with the dimensions joined. */
static bool is_part(const KernelQuery *query, const Box *box, size_t *offset_bytes) {
    return is_one_run(query, box, box->out_strides, box->out_offset, offset_bytes);
}

static bool input_part(const KernelQuery *query, BoxFunction *box_of, int port, size_t *offset_bytes) {
    Box box = {0};
    if (!box_of(query, port, &box))
        return false;
    join_dims(&box);
    return is_part(query, &box, offset_bytes);
}

static bool output_part(const KernelQuery *query, BoxFunction *box_of, int port, size_t *offset_bytes) {
    Box box = {0};
    if (!box_of(query, port, &box))
        return false;
    join_dims(&box);
    return is_one_run(query, &box, box.in_strides, box.in_offset, offset_bytes);
}

static Status prepare(const KernelQuery *query, BoxFunction *box_of, int n_boxes, PrepareContext *ctx,
                      KernelInstance *instance) {
    struct MoveArgs *args = NULL;
    Launch *launches = NULL;
    TRY(cuda_alloc(ctx, bytes_of(sizeof *args, n_boxes), &args));
    TRY(cuda_alloc(ctx, bytes_of(sizeof *launches, n_boxes), &launches));
    for (int i = 0; i < n_boxes; i++) {
        Box box = {0};
        int64_t count = 1;
        box_of(query, i, &box);
        join_dims(&box);
        cuda_dims(box.rank, box.dims, 1, MOVE_DIMS, args[i].dims);
        cuda_dims(box.rank, box.in_strides, 0, MOVE_DIMS, args[i].in_strides);
        cuda_dims(box.rank, box.out_strides, 0, MOVE_DIMS, args[i].out_strides);
        for (int d = 0; d < box.rank; d++)
            count *= box.dims[d];
        args[i].count = (int)count;
        args[i].are_bools = query->outputs[box.output].type.dtype == STRIDER_BOOL;
        args[i].in_offset = (int)box.in_offset;
        args[i].out_offset = (int)box.out_offset;
        launches[i] = launch_each((const void *)k_move, count);
        launches[i].first_input = box.input;
        launches[i].output = box.output;
        launches[i].is_part = n_boxes > 1 && is_part(query, &box, &launches[i].part_offset);
    }
    return cuda_prepare_launches(ctx, launches, n_boxes, args, sizeof *args, instance);
}

/* The caller sets the strides. */
static void set_box(Box *box, const Shape *shape) {
    box->rank = shape->rank;
    memcpy(box->dims, shape->dims, sizeof shape->dims);
}

static const Shape *input_shape(const KernelQuery *query, int port) {
    return &query->inputs[port].type.shape;
}

static const Shape *output_shape(const KernelQuery *query, int port) {
    return &query->outputs[port].type.shape;
}

static void set_begins(Operand *parts, int n_parts, int axis) {
    int64_t begin = 0;
    for (int i = 0; i < n_parts; i++) {
        parts[i].begin = begin;
        begin += parts[i].type.dtype ? parts[i].type.shape.dims[axis] : 0;
    }
}

/* --- Concat --- */

static bool concat_box(const KernelQuery *query, int port, Box *box) {
    const ConcatAttrs *attrs = query->node->attrs;
    const int axis = axis_resolve(attrs->axis, output_shape(query, 0)->rank);
    if (attrs->order)
        return false;
    set_box(box, input_shape(query, port));
    box->input = port;
    shape_strides(input_shape(query, port), box->in_strides);
    shape_strides(output_shape(query, 0), box->out_strides);
    box->out_offset = query->inputs[port].begin * box->out_strides[axis];
    return true;
}

static bool concat_accepts(KernelQuery *query) {
    const ConcatAttrs *attrs = query->node->attrs;
    if (!cuda_all_of(query, CUDA_FLOATS_AND_BOOLS))
        return false;
    set_begins(query->inputs, query->n_inputs, axis_resolve(attrs->axis, output_shape(query, 0)->rank));
    return is_movable(query, concat_box, query->n_inputs);
}

static bool concat_part(const KernelQuery *query, int port, size_t *offset_bytes) {
    return input_part(query, concat_box, port, offset_bytes);
}

static Status concat_prepare(const KernelQuery *query, PrepareContext *ctx, KernelInstance *instance) {
    return prepare(query, concat_box, query->n_inputs, ctx, instance);
}

/* --- Split --- */

static bool split_box(const KernelQuery *query, int port, Box *box) {
    const SplitAttrs *attrs = query->node->attrs;
    const int axis = axis_resolve(attrs->axis, input_shape(query, 0)->rank);
    if (!query->outputs[port].type.dtype) /* nor is it known where the next one begins */
        return false;
    set_box(box, output_shape(query, port));
    box->output = port;
    shape_strides(input_shape(query, 0), box->in_strides);
    shape_strides(output_shape(query, port), box->out_strides);
    box->in_offset = query->outputs[port].begin * box->in_strides[axis];
    return true;
}

static bool split_accepts(KernelQuery *query) {
    const SplitAttrs *attrs = query->node->attrs;
    if (!cuda_alloc_constants(query) || !cuda_first_of(query, CUDA_FLOATS_AND_BOOLS))
        return false;
    set_begins(query->outputs, query->n_outputs, axis_resolve(attrs->axis, input_shape(query, 0)->rank));
    return is_movable(query, split_box, query->n_outputs);
}

static bool split_part(const KernelQuery *query, int port, size_t *offset_bytes) {
    return output_part(query, split_box, port, offset_bytes);
}

static Status split_prepare(const KernelQuery *query, PrepareContext *ctx, KernelInstance *instance) {
    return prepare(query, split_box, query->n_outputs, ctx, instance);
}

/* --- Slice --- */

enum { SLICE_INPUTS = 5 };

static bool slice_box(const KernelQuery *query, int port, Box *box) {
    const Tensor *inputs[SLICE_INPUTS] = {0};
    SliceBounds bounds;
    (void)port;
    for (int i = 1; i < query->n_inputs && i < SLICE_INPUTS; i++)
        inputs[i] = query->inputs[i].constant;
    if (slice_resolve(query->node->attrs, input_shape(query, 0), query->n_inputs, inputs, &bounds))
        return false;
    set_box(box, output_shape(query, 0));
    shape_strides(input_shape(query, 0), box->in_strides);
    shape_strides(output_shape(query, 0), box->out_strides);
    for (int d = 0; d < box->rank; d++) {
        box->in_offset += bounds.begin[d] * box->in_strides[d];
        box->in_strides[d] *= bounds.step[d];
    }
    return true;
}

static bool slice_accepts(KernelQuery *query) {
    return cuda_alloc_constants(query) && cuda_first_of(query, CUDA_FLOATS_AND_BOOLS) &&
           query->n_inputs <= SLICE_INPUTS && is_movable(query, slice_box, 1);
}

static bool slice_part(const KernelQuery *query, int port, size_t *offset_bytes) {
    return output_part(query, slice_box, port, offset_bytes);
}

static Status slice_prepare(const KernelQuery *query, PrepareContext *ctx, KernelInstance *instance) {
    return prepare(query, slice_box, 1, ctx, instance);
}

/* --- Transpose --- */

static bool transpose_box(const KernelQuery *query, int port, Box *box) {
    int64_t strides[MAX_RANK];
    int perm[MAX_RANK];
    (void)port;
    set_box(box, output_shape(query, 0));
    transpose_perm(query->node->attrs, box->rank, perm);
    shape_strides(input_shape(query, 0), strides);
    shape_strides(output_shape(query, 0), box->out_strides);
    for (int d = 0; d < box->rank; d++)
        box->in_strides[d] = strides[perm[d]];
    return true;
}

static bool transpose_accepts(KernelQuery *query) {
    return cuda_all_of(query, CUDA_FLOATS_AND_BOOLS) && is_movable(query, transpose_box, 1);
}

static Status transpose_prepare(const KernelQuery *query, PrepareContext *ctx, KernelInstance *instance) {
    return prepare(query, transpose_box, 1, ctx, instance);
}

/* --- Expand and Tile --- */

/* What the other inputs say shows in the output's shape. */
static void leave_other_inputs(KernelQuery *query) {
    for (int i = 1; i < query->n_inputs; i++)
        query->inputs[i].packed = query->inputs[i].type.dtype != STRIDER_DTYPE_NONE;
}

static bool expand_box(const KernelQuery *query, int port, Box *box) {
    const Broadcast broadcast =
        broadcast_make(output_shape(query, 0), 1, (const Shape *const[]){input_shape(query, 0)});
    int64_t stride = 1;
    (void)port;
    box->rank = broadcast.rank;
    for (int d = box->rank - 1; d >= 0; d--) {
        box->dims[d] = broadcast.dims[d];
        box->in_strides[d] = broadcast.strides[0][d];
        box->out_strides[d] = stride;
        stride *= box->dims[d];
    }
    return true;
}

static bool expand_accepts(KernelQuery *query) {
    leave_other_inputs(query);
    return cuda_first_of(query, CUDA_FLOATS_AND_BOOLS) && is_movable(query, expand_box, 1);
}

static Status expand_prepare(const KernelQuery *query, PrepareContext *ctx, KernelInstance *instance) {
    return prepare(query, expand_box, 1, ctx, instance);
}

/* Two dimensions for each of the input's: the repetitions, and what is repeated. */
static bool tile_box(const KernelQuery *query, int port, Box *box) {
    const Shape *x = input_shape(query, 0), *y = output_shape(query, 0);
    int64_t in[MAX_RANK], out[MAX_RANK];
    (void)port;
    if (x->rank != y->rank)
        return false;
    shape_strides(x, in);
    shape_strides(y, out);
    box->rank = 2 * x->rank;
    for (int d = 0; d < x->rank; d++) {
        box->dims[2 * d] = y->dims[d] / x->dims[d];
        box->dims[2 * d + 1] = x->dims[d];
        box->in_strides[2 * d] = 0;
        box->in_strides[2 * d + 1] = in[d];
        box->out_strides[2 * d] = x->dims[d] * out[d];
        box->out_strides[2 * d + 1] = out[d];
    }
    return true;
}

static bool tile_accepts(KernelQuery *query) {
    leave_other_inputs(query);
    return cuda_first_of(query, CUDA_FLOATS_AND_BOOLS) && is_movable(query, tile_box, 1);
}

static Status tile_prepare(const KernelQuery *query, PrepareContext *ctx, KernelInstance *instance) {
    return prepare(query, tile_box, 1, ctx, instance);
}

/* --- DepthToSpace and SpaceToDepth --- */

static bool depth_space_box(const KernelQuery *query, int port, Box *box) {
    const DepthSpaceGeometry g = depth_space_geometry(query->node->attrs, input_shape(query, 0));
    int64_t stride = 1;
    (void)port;
    box->rank = DEPTH_SPACE_DIMS;
    for (int d = DEPTH_SPACE_DIMS - 1; d >= 0; d--) {
        box->dims[d] = g.dims[d];
        box->in_strides[d] = g.in_strides[d];
        box->out_strides[d] = stride;
        stride *= g.dims[d];
    }
    return true;
}

static bool depth_space_accepts(KernelQuery *query) {
    return cuda_all_of(query, CUDA_FLOATS_AND_BOOLS) && is_movable(query, depth_space_box, 1);
}

static Status depth_space_prepare(const KernelQuery *query, PrepareContext *ctx, KernelInstance *instance) {
    return prepare(query, depth_space_box, 1, ctx, instance);
}

CUDA_ROW(cuda_concat, OP_Concat, concat_accepts, concat_prepare, .input_part = concat_part)
CUDA_ROW(cuda_split, OP_Split, split_accepts, split_prepare, .output_part = split_part)
CUDA_ROW(cuda_slice, OP_Slice, slice_accepts, slice_prepare, .output_part = slice_part)
CUDA_ROW(cuda_transpose, OP_Transpose, transpose_accepts, transpose_prepare)
CUDA_ROW(cuda_expand, OP_Expand, expand_accepts, expand_prepare)
CUDA_ROW(cuda_tile, OP_Tile, tile_accepts, tile_prepare)
CUDA_ROW(cuda_depth_to_space, OP_DepthToSpace, depth_space_accepts, depth_space_prepare)
CUDA_ROW(cuda_space_to_depth, OP_SpaceToDepth, depth_space_accepts, depth_space_prepare)
