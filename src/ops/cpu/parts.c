/* SPDX-License-Identifier: Apache-2.0 */
/* Concat, Split and Slice: parts of a whole, in either layout.  A blocked tensor is divided between blocks
 * only. Where a part is one run of the whole's memory, the plan lets its producer or its readers use that. */
#include "base/size.h"
#include "ops/cpu/strided_copy.h"
#include "ops/tensor/concat.h"
#include "ops/tensor/slice.h"

static double parts_cost(const KernelQuery *query) {
    size_t size_bytes, total = 0;
    for (int i = 0; i < query->n_outputs; i++)
        if (query->outputs[i].type.dtype && type_size(&query->outputs[i].type, &size_bytes))
            total += size_bytes;
    return cpu_memory_cost(2 * (double)total);
}

/* Whether more bytes of the inputs lie blocked than plain. */
static bool mostly_blocked(const KernelQuery *query) {
    double balance = 0;
    size_t size_bytes;
    for (int i = 0; i < query->n_inputs; i++)
        if (type_size(&query->inputs[i].type, &size_bytes) && !query->inputs[i].constant)
            balance += cpu_is_blocked(query, &query->inputs[i]) ? (double)size_bytes : -(double)size_bytes;
    return balance > 0;
}

static int axis_of(const KernelQuery *query) {
    const ConcatAttrs *attrs = query->node->attrs;
    return axis_resolve(attrs->axis, query->inputs[0].type.shape.rank);
}

static int64_t extent(const Shape *shape, Layout layout, int axis) {
    return axis == 1 ? layout_blocks(shape, layout) : shape->dims[axis];
}

/* Known to kernels of all ports at once, as summing up for each one would take the square of their number. */
static void set_begins(Operand *parts, int n_parts, Layout layout, int axis) {
    int64_t begin = 0;
    for (int i = 0; i < n_parts; i++) {
        parts[i].begin = begin;
        begin += extent(&parts[i].type.shape, layout, axis);
    }
}

/* --- Concat --- */

static bool concat_fits_blocked(const KernelQuery *query, int axis) {
    if (axis < 1 || !mostly_blocked(query))
        return false;
    for (int i = 0; i < query->n_inputs; i++) {
        const Type *type = &query->inputs[i].type;
        if (!layout_can_block(type) ||
            (axis == 1 && i + 1 < query->n_inputs && type->shape.dims[1] % query->width))
            return false;
    }
    return true;
}

static bool concat_accepts(KernelQuery *query) {
    const Shape *out = &query->outputs[0].type.shape;
    const ConcatAttrs *attrs = query->node->attrs;
    if (out->rank < 1 || attrs->order)
        return false;
    Layout layout = concat_fits_blocked(query, axis_of(query)) ? cpu_blocked(query) : layout_plain();
    for (int i = 0; i < query->n_inputs; i++) {
        if (!query->inputs[i].type.dtype)
            return false;
        query->inputs[i].layout = layout;
    }
    query->outputs[0].layout = layout;
    set_begins(query->inputs, query->n_inputs, layout, axis_of(query));
    return true;
}

/* Where input `port` goes. */
static CopyBox concat_box(const KernelQuery *query, int port) {
    const Layout layout = query->outputs[0].layout;
    CopyBox box = {.input = port};
    int64_t out_dims[COPY_MAX_DIMS];
    int axis = axis_of(query);
    box.rank = physical_dims(&query->inputs[port].type.shape, layout, box.dims);
    physical_strides(box.dims, box.rank, box.in_strides);
    physical_strides(out_dims, physical_dims(&query->outputs[0].type.shape, layout, out_dims),
                     box.out_strides);
    box.out_offset = query->inputs[port].begin * box.out_strides[axis];
    return box;
}

static bool concat_part(const KernelQuery *query, int port, size_t *offset_bytes) {
    CopyBox box = concat_box(query, port);
    *offset_bytes = bytes_of(dtype_size(query->outputs[0].type.dtype), box.out_offset).n;
    return copy_is_one_run(box.dims, box.out_strides, box.rank);
}

static Status concat_prepare(const KernelQuery *query, PrepareContext *ctx, KernelInstance *instance) {
    CopyBox *boxes;
    TRY(cpu_alloc_args(ctx, bytes_of(sizeof *boxes, query->n_inputs), &boxes));
    for (int i = 0; i < query->n_inputs; i++)
        boxes[i] = concat_box(query, i);
    return copy_prepare(boxes, query->n_inputs, dtype_size(query->outputs[0].type.dtype), ctx, instance);
}

const Kernel kernel_concat = {
    .name = "concat",
    .op = OP_Concat,
    .accepts = concat_accepts,
    .cost = parts_cost,
    .prepare = concat_prepare,
    .input_part = concat_part,
};

/* --- Split --- */

static int split_axis(const KernelQuery *query) {
    const SplitAttrs *attrs = query->node->attrs;
    return axis_resolve(attrs->axis, query->inputs[0].type.shape.rank);
}

static bool split_accepts(KernelQuery *query) {
    const Operand *x = &query->inputs[0];
    int axis = split_axis(query);
    bool blocked = cpu_is_blocked(query, x) && axis >= 1;
    for (int i = 0; i < query->n_outputs; i++) {
        const Type *type = &query->outputs[i].type;
        if (!type->dtype) /* its size is not known here, and so not where the next one begins */
            return false;
        if (axis == 1 && i + 1 < query->n_outputs && type->shape.dims[1] % query->width)
            blocked = false;
    }
    cpu_pack_contents(query, 1);
    query->inputs[0].layout = blocked ? cpu_blocked(query) : layout_plain();
    for (int i = 0; i < query->n_outputs; i++)
        query->outputs[i].layout = query->inputs[0].layout;
    set_begins(query->outputs, query->n_outputs, query->inputs[0].layout, axis);
    return true;
}

static CopyBox split_box(const KernelQuery *query, int port) {
    const Layout layout = query->inputs[0].layout;
    CopyBox box = {.output = port};
    int64_t in_dims[COPY_MAX_DIMS];
    int axis = split_axis(query);
    box.rank = physical_dims(&query->outputs[port].type.shape, layout, box.dims);
    physical_strides(box.dims, box.rank, box.out_strides);
    physical_strides(in_dims, physical_dims(&query->inputs[0].type.shape, layout, in_dims), box.in_strides);
    box.in_offset = query->outputs[port].begin * box.in_strides[axis];
    return box;
}

static bool split_part(const KernelQuery *query, int port, size_t *offset_bytes) {
    CopyBox box = split_box(query, port);
    *offset_bytes = bytes_of(dtype_size(query->inputs[0].type.dtype), box.in_offset).n;
    return copy_is_one_run(box.dims, box.in_strides, box.rank);
}

static Status split_prepare(const KernelQuery *query, PrepareContext *ctx, KernelInstance *instance) {
    CopyBox *boxes;
    TRY(cpu_alloc_args(ctx, bytes_of(sizeof *boxes, query->n_outputs), &boxes));
    for (int i = 0; i < query->n_outputs; i++)
        boxes[i] = split_box(query, i);
    return copy_prepare(boxes, query->n_outputs, dtype_size(query->inputs[0].type.dtype), ctx, instance);
}

const Kernel kernel_split = {
    .name = "split",
    .op = OP_Split,
    .accepts = split_accepts,
    .cost = parts_cost,
    .prepare = split_prepare,
    .output_part = split_part,
};

/* --- Slice --- */

enum { SLICE_INPUTS = 5 };

static bool slice_bounds(const KernelQuery *query, SliceBounds *bounds) {
    const Tensor *inputs[SLICE_INPUTS] = {0};
    if (query->n_inputs > SLICE_INPUTS)
        return false;
    for (int i = 1; i < query->n_inputs; i++) {
        if (!cpu_optional_contents(query, i))
            return false;
        inputs[i] = cpu_input_contents(query, i);
    }
    return slice_resolve(query->node->attrs, &query->inputs[0].type.shape, query->n_inputs, inputs, bounds) ==
           NULL;
}

/* Whether the channels of a blocked input are taken by whole blocks. */
static bool takes_blocks(const KernelQuery *query, const SliceBounds *bounds) {
    int64_t begin = bounds->begin[1], count = bounds->count[1], width = query->width;
    if (bounds->step[1] != 1)
        return false;
    return begin % width == 0 && (count % width == 0 || begin + count == query->inputs[0].type.shape.dims[1]);
}

static bool slice_accepts(KernelQuery *query) {
    SliceBounds bounds;
    if (!slice_bounds(query, &bounds))
        return false;
    bool blocked = cpu_is_blocked(query, &query->inputs[0]) && takes_blocks(query, &bounds);
    query->inputs[0].layout = query->outputs[0].layout = blocked ? cpu_blocked(query) : layout_plain();
    cpu_pack_contents(query, 1);
    return true;
}

static bool slice_box(const KernelQuery *query, CopyBox *box) {
    const Layout layout = query->inputs[0].layout;
    SliceBounds bounds;
    int64_t in_dims[COPY_MAX_DIMS];
    *box = (CopyBox){0};
    if (!slice_bounds(query, &bounds))
        return false;
    box->rank = physical_dims(&query->outputs[0].type.shape, layout, box->dims);
    physical_strides(box->dims, box->rank, box->out_strides);
    physical_strides(in_dims, physical_dims(&query->inputs[0].type.shape, layout, in_dims), box->in_strides);
    for (int d = 0; d < query->inputs[0].type.shape.rank; d++) {
        int64_t begin = d == 1 ? bounds.begin[d] / layout_block(layout) : bounds.begin[d];
        box->in_offset += box->dims[d] ? begin * box->in_strides[d] : 0;
        box->in_strides[d] *= bounds.step[d];
    }
    return true;
}

static bool slice_part(const KernelQuery *query, int port, size_t *offset_bytes) {
    CopyBox box;
    (void)port;
    if (!slice_box(query, &box) || !copy_is_one_run(box.dims, box.in_strides, box.rank))
        return false;
    *offset_bytes = bytes_of(dtype_size(query->inputs[0].type.dtype), box.in_offset).n;
    return true;
}

static Status slice_prepare(const KernelQuery *query, PrepareContext *ctx, KernelInstance *instance) {
    CopyBox box;
    if (!slice_box(query, &box))
        return fail(ctx->err, STRIDER_INVALID_ARGUMENT, "a slice without constant bounds");
    return copy_prepare(&box, 1, dtype_size(query->inputs[0].type.dtype), ctx, instance);
}

const Kernel kernel_slice = {
    .name = "slice",
    .op = OP_Slice,
    .accepts = slice_accepts,
    .cost = parts_cost,
    .prepare = slice_prepare,
    .output_part = slice_part,
};
