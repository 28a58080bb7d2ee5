/* SPDX-License-Identifier: Apache-2.0 */
/* Transpose of plain tensors of any type, and of blocked ones as they lie.  Where the innermost dimension
 * becomes the channels, as on the way back from channels-last images, the output is blocked: both ways then
 * move whole vectors, and no reorder follows.  Where only dimensions of one element move, nothing does. */
#include "ops/tensor/transpose.h"

#include "ops/cpu/strided_copy.h"

/* [N, D..., C] to [N, C, D...]. */
static bool is_to_channels_first(const int *perm, int rank) {
    if (rank < 4 || perm[0] != 0 || perm[1] != rank - 1)
        return false;
    for (int d = 2; d < rank; d++)
        if (perm[d] != d - 1)
            return false;
    return true;
}

static bool transpose_accepts(KernelQuery *query) {
    Operand *x = &query->inputs[0], *y = &query->outputs[0];
    int perm[MAX_RANK];
    transpose_perm(query->node->attrs, x->type.shape.rank, perm);
    if (cpu_is_blocked(query, x) && shape_size(&x->type.shape, 2, x->type.shape.rank) == 1)
        x->layout = layout_plain(); /* a vector for each image, which lies alike in both layouts */
    if (cpu_is_blocked(query, x))
        y->layout = perm[1] == 1 ? cpu_blocked(query) : layout_plain();
    else if (y->type.dtype == STRIDER_F32 && layout_can_block(&y->type) &&
             is_to_channels_first(perm, y->type.shape.rank) && y->type.shape.dims[1] % query->width == 0)
        y->layout = cpu_blocked(query);
    return x->type.dtype != STRIDER_DTYPE_NONE;
}

static double transpose_cost(const KernelQuery *query) {
    size_t size_bytes = 0;
    bool by_vectors = !layout_equal(query->inputs[0].layout, query->outputs[0].layout);
    if (!type_size(&query->inputs[0].type, &size_bytes))
        return 1000;
    return cpu_memory_cost((by_vectors ? 2 : 8) * (double)size_bytes);
}

/* The input's place in a box whose dimensions are the output's physical ones: a blocked input's channels,
 * where they are not the output's, take two of them. */
typedef struct Walk {
    CopyBox box;
    int64_t block; /* of the channels' second dimension; 0: there is none */
    int block_dim; /* where it stands */
} Walk;

static void add_dim(CopyBox *box, int64_t size, int64_t in_stride, int64_t out_stride) {
    box->dims[box->rank] = size;
    box->in_strides[box->rank] = in_stride;
    box->out_strides[box->rank++] = out_stride;
}

static Walk transpose_walk(const KernelQuery *query) {
    const Operand *x = &query->inputs[0], *y = &query->outputs[0];
    const int rank = x->type.shape.rank;
    int64_t in_dims[COPY_MAX_DIMS], out_dims[COPY_MAX_DIMS], in[COPY_MAX_DIMS], out[COPY_MAX_DIMS];
    int perm[MAX_RANK];
    transpose_perm(query->node->attrs, rank, perm);
    physical_strides(in_dims, physical_dims(&x->type.shape, x->layout, in_dims), in);
    physical_strides(out_dims, physical_dims(&y->type.shape, y->layout, out_dims), out);
    const bool from_blocks = x->layout.kind != LAYOUT_PLAIN, to_blocks = y->layout.kind != LAYOUT_PLAIN;
    Walk walk = {0};
    for (int d = 0; d < rank; d++) {
        int from = perm[d];
        if (from_blocks && !to_blocks && from == 1) {
            add_dim(&walk.box, in_dims[1], in[1], out[d] * x->layout.block);
            walk.block_dim = walk.box.rank;
            walk.block = x->layout.block;
            add_dim(&walk.box, x->layout.block, 1, out[d]);
        } else {
            bool splits = to_blocks && !from_blocks && d == 1;
            add_dim(&walk.box, out_dims[d], splits ? in[from] * y->layout.block : in[from], out[d]);
        }
    }
    if (to_blocks)
        add_dim(&walk.box, y->layout.block, from_blocks ? 1 : in[perm[1]], 1);
    return walk;
}

static Status transpose_prepare(const KernelQuery *query, PrepareContext *ctx, KernelInstance *instance) {
    const Walk walk = transpose_walk(query);
    CopyBox boxes[2] = {walk.box, walk.box};
    int n_boxes = 1;
    const int64_t tail_channels = walk.block ? query->inputs[0].type.shape.dims[1] % walk.block : 0;
    if (tail_channels) { /* the last block has fewer */
        const int64_t full = --boxes[0].dims[walk.block_dim - 1];
        boxes[1].dims[walk.block_dim - 1] = 1;
        boxes[1].dims[walk.block_dim] = tail_channels;
        boxes[1].in_offset = full * boxes[1].in_strides[walk.block_dim - 1];
        boxes[1].out_offset = full * boxes[1].out_strides[walk.block_dim - 1];
        n_boxes = 2;
    }
    return copy_prepare(boxes, n_boxes, dtype_size(query->inputs[0].type.dtype), ctx, instance);
}

/* Whether all elements stay where they are. */
static bool transpose_part(const KernelQuery *query, int port, size_t *offset_bytes) {
    (void)port;
    *offset_bytes = 0;
    if (query->inputs[0].layout.kind != LAYOUT_PLAIN || query->outputs[0].layout.kind != LAYOUT_PLAIN)
        return false;
    const Walk walk = transpose_walk(query);
    return copy_is_one_run(walk.box.dims, walk.box.in_strides, walk.box.rank);
}

const Kernel kernel_transpose = {
    .name = "transpose",
    .op = OP_Transpose,
    .accepts = transpose_accepts,
    .cost = transpose_cost,
    .prepare = transpose_prepare,
    .output_part = transpose_part,
};
