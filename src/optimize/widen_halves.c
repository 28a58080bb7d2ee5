/* SPDX-License-Identifier: Apache-2.0 */
/* What takes float16 or bfloat16 computes in float32, which the kernels are made for: inputs get a Cast
 * before, outputs one after.  Between two such nodes no Cast is left, so that a network of halves is rounded
 * where it is read by others only, at its outputs above all. */
#include "optimize/rewrite.h"

/* Operators whose floats are all of one type, whatever it is, and whose attributes name none. */
static const OpKind widened[] = {
#define UNARY(KIND, NAME, ...) OP_##NAME,
#include "ops/math/unary_list.inc"
#define INTEGER_BINARY(...)
#define BINARY(KIND, NAME, ...) OP_##NAME,
#include "ops/math/binary_list.inc"
    OP_AveragePool,
    OP_BatchNormalization,
    OP_Clip,
    OP_Col2Im,
    OP_Concat,
    OP_Conv,
    OP_ConvTranspose,
    OP_CumProd,
    OP_CumSum,
    OP_DepthToSpace,
    OP_Einsum,
    OP_Expand,
    OP_Flatten,
    OP_Gather,
    OP_GatherElements,
    OP_GatherND,
    OP_Gemm,
    OP_GlobalAveragePool,
    OP_GlobalLpPool,
    OP_GlobalMaxPool,
    OP_GroupNormalization,
    OP_Hardmax,
    OP_InstanceNormalization,
    OP_IsInf,
    OP_IsNaN,
    OP_LRN,
    OP_LayerNormalization,
    OP_LogSoftmax,
    OP_LpNormalization,
    OP_LpPool,
    OP_MatMul,
    OP_MaxPool,
    OP_MaxUnpool,
    OP_MeanVarianceNormalization,
    OP_Pad,
    OP_RMSNormalization,
    OP_ReduceL1,
    OP_ReduceL2,
    OP_ReduceLogSum,
    OP_ReduceLogSumExp,
    OP_ReduceMax,
    OP_ReduceMean,
    OP_ReduceMin,
    OP_ReduceProd,
    OP_ReduceSum,
    OP_ReduceSumSquare,
    OP_Reshape,
    OP_Resize,
    OP_RotaryEmbedding,
    OP_Slice,
    OP_Softmax,
    OP_SpaceToDepth,
    OP_Split,
    OP_Squeeze,
    OP_SwiGLU,
    OP_Tile,
    OP_Transpose,
    OP_Unsqueeze,
    OP_Upsample,
    OP_Where,
};

/* By index of value: the same in float32; NULL. */
typedef struct Widening {
    Graph *graph;
    Value **wide; /* of those that there were at first */
    Error *err;
} Widening;

static bool is_half(const Value *value) {
    return value && value->type.kind == VALUE_TENSOR &&
           (value->type.dtype == STRIDER_F16 || value->type.dtype == STRIDER_BF16);
}

static bool is_widened(const Node *node) {
    bool reads_halves = false, is_listed = false;
    for (size_t i = 0; i < sizeof widened / sizeof *widened && !is_listed; i++)
        is_listed = is_op(node, widened[i]);
    for (int i = 0; is_listed && i < node->n_inputs; i++)
        reads_halves = reads_halves || is_half(node->inputs[i]);
    return reads_halves;
}

static Status cast(const Widening *in, const Node *node, Value *from, DType to, Value **result) {
    enum { ONNX_FLOAT = 1, ONNX_FLOAT16 = 10, ONNX_BFLOAT16 = 16 };
    const Attr attr = {.name = "to",
                       .kind = ATTR_INT,
                       .i = to == STRIDER_F32   ? ONNX_FLOAT
                            : to == STRIDER_F16 ? ONNX_FLOAT16
                                                : ONNX_BFLOAT16};
    return add_stated(in->graph, node, "Cast", &attr, 1, &from, 1, result, in->err);
}

static Status widen_input(Widening *in, Node *node, int port) {
    Value *value = node->inputs[port], **wide = &in->wide[value->index];
    if (!*wide)
        TRY(cast(in, node, value, STRIDER_F32, wide));
    node_set_input(node, port, *wide);
    return STRIDER_OK;
}

static Status widen_output(Widening *in, Node *node, int port) {
    Value *value = node->outputs[port], *narrow, *wide;
    const char *name = NULL;
    TRY(graph_unique_name(in->graph, value->name, &name, in->err));
    TRY(graph_add_value(in->graph, name, &wide, in->err));
    wide->type = value->type;
    wide->type.dtype = STRIDER_F32;
    node_set_output(node, port, wide);
    TRY(cast(in, node, wide, value->type.dtype, &narrow));
    node_set_output(narrow->producer, 0, value);
    in->wide[value->index] = wide;
    return STRIDER_OK;
}

Status pass_widen_halves(Graph *graph, Error *err) {
    const size_t n_nodes = graph->n_nodes;
    Widening in = {.graph = graph, .err = err};
    in.wide = region_alloc_array(&graph->region, graph->n_values, sizeof *in.wide);
    if (!in.wide)
        return fail(err, STRIDER_OUT_OF_MEMORY, "out of memory for the graph");
    for (size_t i = 0; i < n_nodes; i++) {
        Node *node = graph->nodes[i];
        if (!is_widened(node))
            continue;
        for (int port = 0; port < node->n_inputs; port++)
            if (is_half(node->inputs[port]))
                TRY(widen_input(&in, node, port));
        for (int port = 0; port < node->n_outputs; port++)
            if (is_half(node->outputs[port]))
                TRY(widen_output(&in, node, port));
    }
    return graph_sort(graph, err);
}
