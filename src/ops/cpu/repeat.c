/* SPDX-License-Identifier: Apache-2.0 */
/* Expand and Tile of plain tensors of any type: what is repeated has a stride of 0 in the input.  How often
 * follows from the shapes. */
#include "ops/cpu/strided_copy.h"

/* Appends a dimension to the box, merged with the last one where it goes on evenly; false where there are too
 * many. */
static bool add_dim(CopyBox *box, int64_t size, int64_t in_stride, int64_t out_stride) {
    const int last = box->rank - 1;
    if (size == 1)
        return true;
    if (last >= 0 && box->in_strides[last] == in_stride * size &&
        box->out_strides[last] == out_stride * size) {
        box->dims[last] *= size;
        box->in_strides[last] = in_stride;
        box->out_strides[last] = out_stride;
        return true;
    }
    if (box->rank == COPY_MAX_DIMS)
        return false;
    box->dims[box->rank] = size;
    box->in_strides[box->rank] = in_stride;
    box->out_strides[box->rank++] = out_stride;
    return true;
}

/* Each of the output's dimensions is the input's, some times. */
static bool repeat_box(const KernelQuery *query, CopyBox *box) {
    const Shape *x = &query->inputs[0].type.shape, *y = &query->outputs[0].type.shape;
    int64_t in[MAX_RANK], out[MAX_RANK];
    shape_strides(x, in);
    shape_strides(y, out);
    *box = (CopyBox){.rank = 0};
    for (int d = 0; d < y->rank; d++) {
        const int at = d - (y->rank - x->rank);
        const int64_t size = at < 0 ? 1 : x->dims[at];
        if (size == 0 || !add_dim(box, y->dims[d] / size, 0, out[d] * size) ||
            !add_dim(box, size, at < 0 ? 0 : in[at], out[d]))
            return false;
    }
    return true;
}

static bool repeat_accepts(KernelQuery *query) {
    CopyBox box;
    if (!repeat_box(query, &box))
        return false;
    cpu_want_plain(query);
    cpu_pack_contents(query, 1);
    return true;
}

static Status repeat_prepare(const KernelQuery *query, PrepareContext *ctx, KernelInstance *instance) {
    CopyBox box;
    if (!repeat_box(query, &box))
        return fail(ctx->err, STRIDER_INVALID_ARGUMENT, "shapes of too many dimensions");
    return copy_prepare(&box, 1, dtype_size(query->inputs[0].type.dtype), ctx, instance);
}

#define REPEAT(ROW, NAME, OPERATOR)                                                                          \
    const Kernel ROW = {.name = NAME,                                                                        \
                        .op = OP_##OPERATOR,                                                                 \
                        .accepts = repeat_accepts,                                                           \
                        .cost = cpu_operands_cost,                                                           \
                        .prepare = repeat_prepare};

REPEAT(kernel_expand, "expand", Expand)
REPEAT(kernel_tile, "tile", Tile)
