/* SPDX-License-Identifier: Apache-2.0 */
/* Operators that only move elements: boxes of elements copied from strides to strides, a launch each. */
#include <string.h>

#include "ops/concat.h"
#include "ops/cuda/cuda.h"
#include "ops/cuda/kernels.h"
#include "ops/slice.h"
#include "ops/transpose.h"

/* Strides and offsets in elements. */
typedef struct Box {
    int input, output; /* ports */
    int rank;
    int64_t dims[MAX_RANK], in_strides[MAX_RANK], out_strides[MAX_RANK], in_offset, out_offset;
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
        if (box.rank > KERNEL_DIMS)
            return false;
    }
    return true;
}

static Status prepare(const KernelQuery *query, BoxFunction *box_of, int n_boxes, PrepareContext *ctx,
                      Prepared *prepared) {
    struct MoveArgs *args = NULL;
    Launch *launches = NULL;
    TRY(cuda_take(ctx, (size_t)n_boxes * sizeof *args, &args));
    TRY(cuda_take(ctx, (size_t)n_boxes * sizeof *launches, &launches));
    for (int i = 0; i < n_boxes; i++) {
        Box box = {0};
        int64_t count = 1;
        box_of(query, i, &box);
        join_dims(&box);
        cuda_dims(box.rank, box.dims, 1, args[i].dims);
        cuda_dims(box.rank, box.in_strides, 0, args[i].in_strides);
        cuda_dims(box.rank, box.out_strides, 0, args[i].out_strides);
        for (int d = 0; d < box.rank; d++)
            count *= box.dims[d];
        args[i].count = (int)count;
        args[i].in_offset = (int)box.in_offset;
        args[i].out_offset = (int)box.out_offset;
        launches[i] = launch_each((const void *)k_move, count);
        launches[i].first_input = box.input;
        launches[i].output = box.output;
    }
    return cuda_prepare_launches(ctx, launches, n_boxes, args, sizeof *args, prepared);
}

/* The caller sets the strides. */
static void set_box(Box *box, const Shape *shape) {
    box->rank = shape->rank;
    memcpy(box->dims, shape->dims, sizeof box->dims);
}

static const Shape *input_shape(const KernelQuery *query, int port) {
    return &query->inputs[port].type.shape;
}

static const Shape *output_shape(const KernelQuery *query, int port) {
    return &query->outputs[port].type.shape;
}

/* --- Concat
 * ------------------------------------------------------------------------------------------------------ */

static bool concat_box(const KernelQuery *query, int port, Box *box) {
    const ConcatAttrs *attrs = query->node->attrs;
    const int axis = axis_resolve(attrs->axis, output_shape(query, 0)->rank);
    if (attrs->order)
        return false;
    set_box(box, input_shape(query, port));
    box->input = port;
    shape_strides(input_shape(query, port), box->in_strides);
    shape_strides(output_shape(query, 0), box->out_strides);
    for (int i = 0; i < port; i++)
        box->out_offset += input_shape(query, i)->dims[axis] * box->out_strides[axis];
    return true;
}

static bool concat_accepts(KernelQuery *query) {
    return cuda_all_f32(query) && is_movable(query, concat_box, query->n_inputs);
}

static Status concat_prepare(const KernelQuery *query, PrepareContext *ctx, Prepared *prepared) {
    return prepare(query, concat_box, query->n_inputs, ctx, prepared);
}

/* --- Split
 * ------------------------------------------------------------------------------------------------------- */

static bool split_box(const KernelQuery *query, int port, Box *box) {
    const SplitAttrs *attrs = query->node->attrs;
    const int axis = axis_resolve(attrs->axis, input_shape(query, 0)->rank);
    if (!query->outputs[port].type.dtype) /* nor is it known where the next one begins */
        return false;
    set_box(box, output_shape(query, port));
    box->output = port;
    shape_strides(input_shape(query, 0), box->in_strides);
    shape_strides(output_shape(query, port), box->out_strides);
    for (int i = 0; i < port; i++)
        box->in_offset += output_shape(query, i)->dims[axis] * box->in_strides[axis];
    return true;
}

static bool split_accepts(KernelQuery *query) {
    return cuda_f32_with_constants(query) && is_movable(query, split_box, query->n_outputs);
}

static Status split_prepare(const KernelQuery *query, PrepareContext *ctx, Prepared *prepared) {
    return prepare(query, split_box, query->n_outputs, ctx, prepared);
}

/* --- Slice
 * ------------------------------------------------------------------------------------------------------- */

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
    return cuda_f32_with_constants(query) && query->n_inputs <= SLICE_INPUTS &&
           is_movable(query, slice_box, 1);
}

static Status slice_prepare(const KernelQuery *query, PrepareContext *ctx, Prepared *prepared) {
    return prepare(query, slice_box, 1, ctx, prepared);
}

/* --- Transpose
 * --------------------------------------------------------------------------------------------------- */

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
    return cuda_all_f32(query) && is_movable(query, transpose_box, 1);
}

static Status transpose_prepare(const KernelQuery *query, PrepareContext *ctx, Prepared *prepared) {
    return prepare(query, transpose_box, 1, ctx, prepared);
}

#define ROW(ROW_NAME, OP, STEM)                                                                              \
    const Kernel ROW_NAME = {.name = #ROW_NAME,                                                              \
                             .op = OP,                                                                       \
                             .accepts = STEM##_accepts,                                                      \
                             .cost = cuda_cost,                                                              \
                             .prepare = STEM##_prepare};

ROW(cuda_concat, "Concat", concat)
ROW(cuda_split, "Split", split)
ROW(cuda_slice, "Slice", slice)
ROW(cuda_transpose, "Transpose", transpose)
