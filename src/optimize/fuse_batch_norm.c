/* SPDX-License-Identifier: Apache-2.0 */
/* BatchNormalization, and Mul or Add by a constant for each channel, behind Conv or ConvTranspose: y = s (w x
 * + b) + t becomes weights scaled by s and a bias s b + t.  The scale is an input of the node of its own, as
 * the weights stay in the mapped file; kernels multiply when they pack them. */
#include <math.h>
#include <string.h>

#include "ops/batch_norm.h"
#include "ops/binary.h"
#include "ops/conv.h"
#include "optimize/rewrite.h"

typedef struct Affine {
    double *scale, *shift;
    int64_t channels;
} Affine;

static bool vector_of(const Value *value, int64_t count) {
    return value && value->constant && tensor_elements(value->constant) == count &&
           dtype_is_float(value->constant->type.dtype);
}

static bool from_batch_norm(const Node *node, Affine *affine) {
    const BatchNormAttrs *attrs = node->attrs;
    if (attrs->training || attrs->per_activation)
        return false;
    for (int i = BATCH_NORM_SCALE; i <= BATCH_NORM_VAR; i++)
        if (!vector_of(node->inputs[i], affine->channels))
            return false;
    for (int i = 1; i < node->n_outputs; i++)
        if (node->outputs[i] && node->outputs[i]->uses)
            return false;
    for (int64_t c = 0; c < affine->channels; c++) {
        double deviation =
            sqrt(tensor_get_f64(node->inputs[BATCH_NORM_VAR]->constant, c) + (double)attrs->epsilon);
        affine->scale[c] = tensor_get_f64(node->inputs[BATCH_NORM_SCALE]->constant, c) / deviation;
        affine->shift[c] = tensor_get_f64(node->inputs[BATCH_NORM_B]->constant, c) -
                           tensor_get_f64(node->inputs[BATCH_NORM_MEAN]->constant, c) * affine->scale[c];
    }
    return true;
}

/* Whether a constant has one element for each channel of an output of that rank, or one for all. */
static bool is_by_channel(const Tensor *constant, int rank, int64_t channels) {
    const Shape *shape = &constant->type.shape;
    int64_t elements = tensor_elements(constant);
    if (!dtype_is_float(constant->type.dtype) || shape->rank > rank)
        return false;
    if (elements == 1)
        return true;
    int channel = shape->rank - (rank - 1);
    return elements == channels && channel >= 0 && shape->dims[channel] == channels;
}

static bool from_binary(const Node *node, const Value *y, Affine *affine) {
    const BinaryAttrs *attrs = node->attrs;
    const Value *other = node->inputs[0] == y ? node->inputs[1] : node->inputs[0];
    if (attrs->legacy_broadcast || !other->constant || y->type.shape.rank < 3 ||
        !is_by_channel(other->constant, y->type.shape.rank, affine->channels))
        return false;
    bool single = tensor_elements(other->constant) == 1;
    for (int64_t c = 0; c < affine->channels; c++) {
        double value = tensor_get_f64(other->constant, single ? 0 : c);
        affine->scale[c] = is_op(node, "Mul") ? value : 1;
        affine->shift[c] = is_op(node, "Mul") ? 0 : value;
    }
    return true;
}

static bool make_affine(const Node *node, const Value *y, Affine *affine) {
    if (is_op(node, "BatchNormalization"))
        return node->inputs[0] == y && from_batch_norm(node, affine);
    return (is_op(node, "Mul") || is_op(node, "Add")) && from_binary(node, y, affine);
}

static Status apply(Graph *graph, Node *conv, const Affine *affine, Error *err) {
    DType dtype = conv->outputs[0]->type.dtype;
    bool scales = false;
    TRY(widen_inputs(graph, conv, CONV_SCALE + 1, err));
    const Value *bias = conv->inputs[CONV_B], *scale = conv->inputs[CONV_SCALE];
    for (int64_t c = 0; c < affine->channels; c++) {
        affine->shift[c] += affine->scale[c] * (bias ? tensor_get_f64(bias->constant, c) : 0);
        scales = scales || affine->scale[c] != 1;
        affine->scale[c] *= scale ? tensor_get_f64(scale->constant, c) : 1;
    }
    Value *new_bias, *new_scale;
    TRY(add_vector(graph, "fused_bias", dtype, affine->shift, affine->channels, &new_bias, err));
    set_input(conv, CONV_B, new_bias);
    if (!scales)
        return STRIDER_OK;
    TRY(add_vector(graph, "fused_scale", dtype, affine->scale, affine->channels, &new_scale, err));
    set_input(conv, CONV_SCALE, new_scale);
    return STRIDER_OK;
}

static bool is_candidate(const Node *node) {
    if (!is_op(node, "Conv") && !is_op(node, "ConvTranspose"))
        return false;
    const ConvAttrs *attrs = node->attrs;
    const Value *y = node->outputs[0], *bias = node->n_inputs > CONV_B ? node->inputs[CONV_B] : NULL;
    return attrs->epilogue.activation.kind == ACTIVATION_NONE && !attrs->epilogue.has_residual &&
           dtype_is_float(y->type.dtype) && y->type.shape.rank >= 3 && y->type.shape.dims[1] > 0 &&
           (!bias || bias->constant) && node->inputs[CONV_W]->constant;
}

static Status fuse_chain(Graph *graph, const Readers *readers, Region *scratch, Node *conv, Error *err) {
    for (;;) {
        Value *y = conv->outputs[0];
        Node *next = only_reader(readers, y);
        Affine affine = {.channels = y->type.shape.dims[1]};
        affine.scale = region_take_array(scratch, (size_t)affine.channels, sizeof(double));
        affine.shift = region_take_array(scratch, (size_t)affine.channels, sizeof(double));
        if (!affine.scale || !affine.shift)
            return fail(err, STRIDER_OUT_OF_MEMORY, "out of memory for a pass");
        if (!next || next->removed || !make_affine(next, y, &affine) ||
            !shape_equal(&y->type.shape, &next->outputs[0]->type.shape))
            return STRIDER_OK;
        TRY(apply(graph, conv, &affine, err));
        TRY(note_fused(graph, conv, next->op->name, err));
        absorb(graph, conv, next);
    }
}

Status pass_fuse_batch_norm(Graph *graph, Error *err) {
    Region scratch;
    Readers readers;
    region_init(&scratch, graph->region.allocator, 0);
    Status status = readers_find(graph, &scratch, &readers, err);
    size_t n = graph->n_nodes;
    for (size_t i = 0; !status && i < n; i++)
        if (is_candidate(graph->nodes[i]))
            status = fuse_chain(graph, &readers, &scratch, graph->nodes[i], err);
    region_free(&scratch);
    graph_compact(graph);
    return status;
}
