/* SPDX-License-Identifier: Apache-2.0 */
/* Scan: a body that goes along an axis of its inputs and carries a state: state..., items... = body(state...,
 * input[t]...).  ONNX Scan-8: all inputs and outputs have a batch dimension before the axis, and each batch a
 * length of its own; 9: an axis and a direction for each; 11, 16 to 25 (types).  Items are put together along
 * a new axis. */
#include <inttypes.h>

#include "base/size.h"
#include "graph/evaluate.h"
#include "ops/controlflow/body.h"
#include "ops/controlflow/scan.h"
#include "ops/controlflow/stack.h"

static Status parse_list(ParseContext *ctx, const char *name, Ints *list) {
    const Attr *attr = attrs_find(ctx->attrs, name);
    *list = (Ints){.count = -1};
    if (!attr)
        return STRIDER_OK;
    if (attr->kind != ATTR_INTS)
        return parse_fail(ctx, STRIDER_BAD_MODEL, "attribute %s must be a list of ints", name);
    *list = (Ints){(int64_t)attr->count, attr->ints};
    return STRIDER_OK;
}

static Status parse_directions(ParseContext *ctx, const char *name, Ints *list) {
    TRY(parse_list(ctx, name, list));
    for (int64_t i = 0; i < list->count; i++)
        if (list->values[i] != 0 && list->values[i] != 1)
            return parse_fail(ctx, STRIDER_BAD_MODEL, "a direction in %s is %" PRId64 ", must be 0 or 1",
                              name, list->values[i]);
    return STRIDER_OK;
}

static Status scan_parse(ParseContext *ctx, void *attrs_) {
    ScanAttrs *attrs = attrs_;
    const bool is_batched = ctx->node->opset < 9;
    TRY(parse_require(ctx, "num_scan_inputs"));
    TRY(parse_int(ctx, "num_scan_inputs", 1, &attrs->n_scanned));
    TRY(parse_directions(ctx, is_batched ? "directions" : "scan_input_directions", &attrs->input_directions));
    attrs->output_directions = attrs->input_axes = attrs->output_axes = (Ints){.count = -1};
    if (is_batched)
        return STRIDER_OK;
    TRY(parse_directions(ctx, "scan_output_directions", &attrs->output_directions));
    TRY(parse_list(ctx, "scan_input_axes", &attrs->input_axes));
    return parse_list(ctx, "scan_output_axes", &attrs->output_axes);
}

/* --- types --- */

bool scan_ports(const Node *node, int n_inputs, ScanPorts *ports) {
    const ScanAttrs *attrs = node->attrs;
    const int first_state = node->opset < 9 ? 1 : 0;
    if (attrs->n_scanned < 1 || attrs->n_scanned > n_inputs - first_state)
        return false;
    *ports = (ScanPorts){.attrs = attrs,
                         .body = node->bodies[0],
                         .is_batched = node->opset < 9,
                         .first_state = first_state,
                         .n_states = n_inputs - first_state - (int)attrs->n_scanned,
                         .n_scanned = (int)attrs->n_scanned};
    ports->n_items = (int)ports->body->n_outputs - ports->n_states;
    return true;
}

static Status check_list(InferContext *ctx, const char *name, const Ints *list, int wanted) {
    if (list->count >= 0 && list->count != wanted)
        return infer_fail(ctx, STRIDER_BAD_MODEL, "%s has %" PRId64 " values, there are %d", name,
                          list->count, wanted);
    return STRIDER_OK;
}

static Status check_lists(InferContext *ctx, const ScanPorts *ports) {
    const ScanAttrs *attrs = ports->attrs;
    TRY(infer_body_outputs(ctx, 0, ports->n_states));
    TRY(infer_body_outputs(ctx, 0, ctx->n_outputs));
    TRY(check_list(ctx, "scan_input_axes", &attrs->input_axes, ports->n_scanned));
    TRY(check_list(ctx, "directions of inputs", &attrs->input_directions, ports->n_scanned));
    TRY(check_list(ctx, "scan_output_axes", &attrs->output_axes, ports->n_items));
    return check_list(ctx, "scan_output_directions", &attrs->output_directions, ports->n_items);
}

static Status join_dims(InferContext *ctx, const char *what, int64_t dim, int64_t *joined) {
    if (dim >= 0 && *joined >= 0 && dim != *joined)
        return infer_fail(ctx, STRIDER_BAD_MODEL, "%s is %" PRId64 " in one input, %" PRId64 " in another",
                          what, *joined, dim);
    *joined = *joined >= 0 || dim == DIM_UNKNOWN ? *joined : dim;
    return STRIDER_OK;
}

/* What one run of the body gets of an input; its dimension of the batch, and its length. */
static Status infer_slice(InferContext *ctx, const ScanPorts *ports, int i, ValueType *slice, int64_t *batch,
                          int64_t *length) {
    const int port = ports->first_state + i, scanned = i - ports->n_states;
    const Shape *shape = &ctx->inputs[port].shape;
    int axis;
    if (!infer_has_input(ctx, port))
        return infer_fail(ctx, STRIDER_BAD_MODEL, "input %d is missing", port);
    *slice = ctx->inputs[port];
    TRY(infer_require_rank(ctx, port, ports->is_batched + (scanned >= 0), -1));
    if (shape->rank < 0)
        return STRIDER_OK;
    if (ports->is_batched) {
        TRY(join_dims(ctx, "the size of the batch", shape->dims[0], batch));
        slice->shape = shape_without(&slice->shape, 0);
    }
    if (scanned < 0)
        return STRIDER_OK;
    TRY(infer_axis(ctx, scan_item(&ports->attrs->input_axes, scanned), slice->shape.rank, &axis));
    TRY(join_dims(ctx, "the length", slice->shape.dims[axis], length));
    slice->shape = shape_without(&slice->shape, axis);
    return STRIDER_OK;
}

static Status infer_output(InferContext *ctx, const ScanPorts *ports, int i, const ValueType *type,
                           int64_t batch, int64_t length) {
    ValueType *output = &ctx->outputs[i];
    const int item = i - ports->n_states;
    bool fits = true;
    *output = *type;
    if (item >= 0 && type->kind != VALUE_TENSOR)
        return infer_fail(ctx, STRIDER_BAD_MODEL, "output %d is put together from tensors, not sequences", i);
    if (type->shape.rank < 0)
        return STRIDER_OK;
    if (item >= 0) {
        int axis;
        TRY(infer_axis(ctx, scan_item(&ports->attrs->output_axes, item), type->shape.rank + 1, &axis));
        fits = shape_with(&type->shape, axis, length, &output->shape);
    }
    if (fits && ports->is_batched) {
        const Shape inner = output->shape;
        fits = shape_with(&inner, 0, batch, &output->shape);
    }
    if (!fits)
        return infer_fail(ctx, STRIDER_UNSUPPORTED, "output %d would have more than %d dimensions", i,
                          MAX_RANK);
    return STRIDER_OK;
}

static Status infer_with(InferContext *ctx, const ScanPorts *ports, ValueType *types) {
    const int n = ports->n_states + ports->n_scanned;
    int64_t batch = DIM_UNKNOWN, length = DIM_UNKNOWN;
    for (int i = 0; i < n; i++)
        TRY(infer_slice(ctx, ports, i, &types[i], &batch, &length));
    TRY(infer_carried(ctx, (Carried){0, 0, ports->n_states}, types, n));
    for (int i = 0; i < ctx->n_outputs; i++)
        TRY(infer_output(ctx, ports, i, i < ports->n_states ? &types[i] : &ports->body->outputs[i]->type,
                         batch, length));
    return STRIDER_OK;
}

static Status scan_infer(InferContext *ctx) {
    const Allocator *allocator = ctx->symbols->region->allocator;
    const ScanAttrs *attrs = infer_attrs(ctx);
    ScanPorts ports;
    if (!scan_ports(ctx->node, own_inputs(ctx), &ports))
        return infer_fail(ctx, STRIDER_BAD_MODEL, "num_scan_inputs is %" PRId64 ", but there are %d inputs",
                          attrs->n_scanned, own_inputs(ctx));
    TRY(check_lists(ctx, &ports));
    const size_t n = (size_t)ports.n_states + (size_t)ports.n_scanned;
    ValueType *types = memory_alloc_zeroed(allocator, n, sizeof *types);
    if (!types)
        return fail_memory(ctx->err, bytes_of(sizeof *types, (int64_t)n).n, "shape inference");
    const Status status = infer_with(ctx, &ports, types);
    memory_free(allocator, types);
    return status;
}

const Op op_scan = {
    OP_NAMED(Scan),
    .since = 8,
    .inputs = {0, -1}, /* Scan-8 may leave out the lengths, which come first */
    .outputs = {1, -1},
    .attrs_size = sizeof(ScanAttrs),
    .parse = scan_parse,
    .infer = scan_infer,
    .host = scan_host,
    .bodies = {"body"},
    .flags = OP_ANY_KIND | OP_NO_FOLD | OP_STRINGS,
};
