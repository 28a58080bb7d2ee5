/* SPDX-License-Identifier: Apache-2.0 */
/* BatchNormalization, and Mul, Div, Add or Sub by a constant for each channel, after Conv or ConvTranspose:
 * y = s (w x + b) + t becomes w x with the post-operations scale by s and bias s b + t.  The weights stay
 * where they are, in the mapped file or in what a run computes; kernels multiply them by the scale when they
 * pack them.  A bias that a run computes is scaled and shifted in that run.  Several of them after other
 * nodes become one BatchNormalization, and so one pass over memory. */
#include <math.h>
#include <string.h>

#include "ops/math/binary.h"
#include "ops/nn/batch_norm.h"
#include "ops/nn/conv.h"
#include "ops/op.h"
#include "ops/post_ops.h"
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

static bool is_affine_binary(const Node *node) {
    return is_op(node, OP_Mul) || is_op(node, OP_Add) || is_op(node, OP_Div) || is_op(node, OP_Sub);
}

static bool from_binary(const Node *node, const Value *y, Affine *affine) {
    const BinaryAttrs *attrs = node->attrs;
    const Value *other = node->inputs[0] == y ? node->inputs[1] : node->inputs[0];
    const bool divides = is_op(node, OP_Div), subtracts = is_op(node, OP_Sub);
    if (attrs->legacy_broadcast || !other->constant || y->type.shape.rank < 3 ||
        ((divides || subtracts) && node->inputs[0] != y) ||
        !is_by_channel(other->constant, y->type.shape.rank, affine->channels))
        return false;
    bool single = tensor_elements(other->constant) == 1;
    for (int64_t c = 0; c < affine->channels; c++) {
        double value = tensor_get_f64(other->constant, single ? 0 : c);
        if (divides && value == 0)
            return false;
        affine->scale[c] = is_op(node, OP_Mul) ? value : divides ? 1 / value : 1;
        affine->shift[c] = is_op(node, OP_Add) ? value : subtracts ? -value : 0;
    }
    return true;
}

static bool make_affine(const Node *node, const Value *y, Affine *affine) {
    if (is_op(node, OP_BatchNormalization))
        return node->inputs[0] == y && from_batch_norm(node, affine);
    return is_affine_binary(node) && from_binary(node, y, affine);
}

static Value *input_at(const Node *node, int port) {
    return port >= 0 && port < node->n_inputs ? node->inputs[port] : NULL;
}

/* What the node adds already: its own bias, or what was folded before. */
static Value *bias_of(const Node *conv, const Epilogue *epilogue) {
    return input_at(conv, epilogue->bias_port >= 0 ? epilogue->bias_port : CONV_B);
}

static bool changes(const double *values, int64_t count, double neutral) {
    for (int64_t i = 0; i < count; i++)
        if (values[i] != neutral)
            return true;
    return false;
}

/* `*value` op `factors`, at the end of the graph: the pass sorts it. */
static Status add_vector_node(Graph *graph, const Node *conv, OpKind kind, const double *factors,
                              Value **value, Error *err) {
    const Type type = (*value)->type.tensor;
    const char *name = NULL;
    Node *node = NULL;
    Value *operand, *result;
    TRY(add_vector(graph, "fused_vector", type.dtype, factors, type.shape.dims[0], &operand, err));
    TRY(graph_unique_name(graph, "fused_bias", &name, err));
    TRY(graph_add_value(graph, name, &result, err));
    TRY(graph_add_node(graph, op_find("", kind == OP_Mul ? "Mul" : "Add", 14), conv->name, 2, 1, &node, err));
    node->opset = 14;
    node->torch_scope = conv->torch_scope;
    node->source_index = conv->source_index;
    result->type = result->declared = value_type_tensor(type);
    node_set_input(node, 0, *value);
    node_set_input(node, 1, operand);
    node_set_output(node, 0, result);
    *value = result;
    return STRIDER_OK;
}

/* s b + t: a constant where b is one. */
static Status make_bias(Graph *graph, const Node *conv, const Affine *affine, Value **bias, Error *err) {
    const DType dtype = conv->outputs[0]->type.dtype;
    const Tensor *constant = *bias ? (*bias)->constant : NULL;
    if (*bias && !constant) {
        if (changes(affine->scale, affine->channels, 1))
            TRY(add_vector_node(graph, conv, OP_Mul, affine->scale, bias, err));
        return changes(affine->shift, affine->channels, 0)
                   ? add_vector_node(graph, conv, OP_Add, affine->shift, bias, err)
                   : STRIDER_OK;
    }
    for (int64_t c = 0; c < affine->channels; c++)
        affine->shift[c] += affine->scale[c] * (constant ? tensor_get_f64(constant, c) : 0);
    return add_vector(graph, "fused_bias", dtype, affine->shift, affine->channels, bias, err);
}

/* Both follow what the node has of them already. */
static Status apply(Graph *graph, Node *conv, const Affine *affine, Error *err) {
    Epilogue epilogue;
    if (!node_epilogue(conv, &epilogue))
        return node_fail(conv, err, STRIDER_INVALID_ARGUMENT, "post-operations in no known order");
    Value *bias = bias_of(conv, &epilogue), *scale = input_at(conv, epilogue.scale_port);
    TRY(make_bias(graph, conv, affine, &bias, err));
    for (int64_t c = 0; scale && c < affine->channels; c++)
        affine->scale[c] *= tensor_get_f64(scale->constant, c);
    node_drop_post_ops(conv);
    if (conv->n_inputs > CONV_B)
        node_set_input(conv, CONV_B, NULL);
    if (changes(affine->scale, affine->channels, 1)) {
        TRY(add_vector(graph, "fused_scale", bias->type.dtype, affine->scale, affine->channels, &scale, err));
        TRY(graph_add_post_op(graph, conv, (PostOp){.kind = POST_SCALE}, scale, err));
    }
    return graph_add_post_op(graph, conv, (PostOp){.kind = POST_BIAS}, bias, err);
}

/* Of a bias that a run computes the size must be known. */
static bool has_known_bias(const Node *conv, const Epilogue *epilogue, int64_t channels) {
    const Value *bias = bias_of(conv, epilogue);
    return !bias || bias->constant || (bias->type.shape.rank == 1 && bias->type.shape.dims[0] == channels);
}

static bool is_candidate(const Node *node) {
    if (!is_op(node, OP_Conv) && !is_op(node, OP_ConvTranspose))
        return false;
    Epilogue epilogue;
    const Value *y = node->outputs[0];
    return node_epilogue(node, &epilogue) && epilogue.activation.kind == UNARY_NONE &&
           epilogue.residual_port < 0 && dtype_is_float(y->type.dtype) && y->type.shape.rank >= 3 &&
           y->type.shape.dims[1] > 0 && has_known_bias(node, &epilogue, y->type.shape.dims[1]);
}

static Status take_affine(Region *scratch, const Value *y, Affine *affine, Error *err) {
    affine->channels = y->type.shape.dims[1];
    affine->scale = region_alloc_array(scratch, (size_t)affine->channels, sizeof(double));
    affine->shift = region_alloc_array(scratch, (size_t)affine->channels, sizeof(double));
    return affine->scale && affine->shift ? STRIDER_OK
                                          : fail(err, STRIDER_OUT_OF_MEMORY, "out of memory for a pass");
}

/* The node that alone reads `y` and scales or shifts its channels; NULL where there is none. */
static Node *next_affine(const Value *y, Affine *affine) {
    Node *next = only_reader(y);
    return next && make_affine(next, y, affine) && shape_equal(&y->type.shape, &next->outputs[0]->type.shape)
               ? next
               : NULL;
}

static Status fuse_chain(Graph *graph, Region *scratch, Node *conv, Error *err) {
    for (;;) {
        Affine affine;
        TRY(take_affine(scratch, conv->outputs[0], &affine, err));
        Node *next = next_affine(conv->outputs[0], &affine);
        if (!next)
            return STRIDER_OK;
        TRY(apply(graph, conv, &affine, err));
        TRY(note_fused(graph, conv, next->op->name, err));
        absorb(conv, next);
    }
}

/* --- after other nodes --- */

enum { MAX_CHANNELS = 1 << 20 };

/* What the first of several such nodes scales and shifts; NULL where it is none. */
static Value *affine_input(const Node *node) {
    Value *x = NULL;
    if (is_op(node, OP_BatchNormalization))
        x = node->inputs[0];
    else if (is_affine_binary(node) && (node->inputs[0]->constant || node->inputs[1]->constant))
        x = node->inputs[0]->constant ? node->inputs[1] : node->inputs[0];
    if (!x || x->constant || !dtype_is_float(x->type.dtype) || x->type.shape.rank < 3)
        return NULL;
    const int64_t channels = x->type.shape.dims[1];
    return channels > 0 && channels <= MAX_CHANNELS &&
                   shape_equal(&x->type.shape, &node->outputs[0]->type.shape)
               ? x
               : NULL;
}

/* In the place of the last one. */
static Status add_batch_norm(Graph *graph, Node *last, Value *x, Affine *affine, Region *scratch,
                             Error *err) {
    Node *made = NULL;
    Affine statistics; /* that change nothing: variance 1 and mean 0 */
    const size_t place = (size_t)last->index;
    TRY(graph_add_node(graph, op_find("", "BatchNormalization", 15), last->name, BATCH_NORM_VAR + 1, 1, &made,
                       err));
    made->opset = 15;
    made->torch_scope = last->torch_scope;
    made->source_index = last->source_index;
    TRY(take_affine(scratch, x, &statistics, err));
    for (int64_t c = 0; c < affine->channels; c++)
        statistics.scale[c] = 1;
    const double *const contents[] = {affine->scale, affine->shift, statistics.shift, statistics.scale};
    node_set_input(made, BATCH_NORM_X, x);
    for (int i = 0; i < 4; i++) {
        Value *vector = NULL;
        TRY(add_vector(graph, "joined", x->type.dtype, contents[i], affine->channels, &vector, err));
        node_set_input(made, BATCH_NORM_SCALE + i, vector);
    }
    graph_remove_node(last);
    node_set_output(made, 0, last->outputs[0]);
    graph->nodes[place] = made;
    made->index = (int)place;
    graph->nodes[graph->n_nodes - 1] = last;
    return STRIDER_OK;
}

static Status join_affine(Graph *graph, Region *scratch, Node *first, Error *err) {
    Value *x = first->removed ? NULL : affine_input(first);
    Affine sum, step;
    if (!x)
        return STRIDER_OK;
    TRY(take_affine(scratch, x, &sum, err));
    TRY(take_affine(scratch, x, &step, err));
    if (!make_affine(first, x, &sum))
        return STRIDER_OK;
    Node *last = first, *next;
    while ((next = next_affine(last->outputs[0], &step))) {
        for (int64_t c = 0; c < sum.channels; c++) {
            sum.scale[c] *= step.scale[c];
            sum.shift[c] = sum.shift[c] * step.scale[c] + step.shift[c];
        }
        graph_remove_node(last);
        last = next;
    }
    return last == first ? STRIDER_OK : add_batch_norm(graph, last, x, &sum, scratch, err);
}

Status pass_fuse_batch_norm(Graph *graph, Error *err) {
    Region scratch;
    region_init(&scratch, graph->region.allocator, 0);
    Status status = STRIDER_OK;
    size_t n = graph->n_nodes;
    for (size_t i = 0; !status && i < n; i++)
        if (is_candidate(graph->nodes[i]))
            status = fuse_chain(graph, &scratch, graph->nodes[i], err);
    for (size_t i = 0; !status && i < n; i++)
        status = join_affine(graph, &scratch, graph->nodes[i], err);
    region_free(&scratch);
    graph_compact(graph);
    return status ? status : graph_sort(graph, err);
}
