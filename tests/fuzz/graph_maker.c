/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz/maker/maker.h"

void put_something(Maker *m) {
    static PutFn *const kinds[] = {put_conv,
                                   put_conv,
                                   put_conv,
                                   put_residual,
                                   put_gate,
                                   put_attention,
                                   put_conv_transpose,
                                   put_correlation,
                                   put_pool,
                                   put_pool,
                                   put_global_pool,
                                   put_gemm,
                                   put_matmul,
                                   put_unary,
                                   put_unary,
                                   put_unary,
                                   put_steep,
                                   put_clip,
                                   put_binary,
                                   put_binary,
                                   put_binary,
                                   put_prelu,
                                   put_comparison,
                                   put_cast,
                                   put_quantized,
                                   put_identity,
                                   put_identity,
                                   put_transpose,
                                   put_transpose,
                                   put_reshape,
                                   put_flatten,
                                   put_squeeze,
                                   put_concat,
                                   put_concat,
                                   put_split,
                                   put_slice,
                                   put_pad,
                                   put_resize,
                                   put_expand,
                                   put_gather,
                                   put_depth_space,
                                   put_nonzero,
                                   put_compress,
                                   put_suppression,
                                   put_top_gather,
                                   put_gather_elements,
                                   put_scatter,
                                   put_scatter,
                                   put_unpool,
                                   put_regions,
                                   put_grid_sample,
                                   put_columns,
                                   put_attention_node,
                                   put_shuffle,
                                   put_reduce,
                                   put_softmax,
                                   put_arg_max,
                                   put_cumsum,
                                   put_trilu,
                                   put_reverse_sequence,
                                   put_center_crop_pad,
                                   put_transform,
                                   put_random,
                                   put_norm,
                                   put_norm,
                                   put_recurrent,
                                   put_shape_arithmetic,
                                   put_integers,
                                   put_if,
                                   put_if,
                                   put_loop,
                                   put_loop,
                                   put_scan,
                                   put_sequence,
                                   put_loop_of_sequence,
                                   put_sequence_map,
                                   put_optional};
    if (m->n_values < MAX_VALUES - 100) /* what one of them takes, and all the bodies around */
        kinds[pick(m, sizeof kinds / sizeof *kinds)](m);
}

static void put_outputs(Maker *m) {
    const bool all = chance(m, 10);
    for (int i = 0; i < m->n_values; i++) {
        const Made *v = &m->values[i];
        if (v->is_constant || (v->is_hidden && !v->is_final) || (v->used && !all && !chance(m, 8)))
            continue;
        if (v->is_input && !chance(m, 10))
            continue;
        bool open[RANK] = {0};
        const bool with_shape = chance(m, 50);
        for (int d = 0; d < v->rank; d++)
            open[d] = true;
        put_value_info(m, 12, i, open, with_shape);
        m->made->n_outputs++;
    }
}

MadeGraph make_graph(Choices *choices, bool wild) {
    static const int opsets[] = {11, 12, 13, 14, 17, 18, 19, 20, 21, 22, 24};
    static const int types[] = {ONNX_F32, ONNX_F32, ONNX_F32, ONNX_F32, ONNX_F32, ONNX_F32,
                                ONNX_F32, ONNX_F32, ONNX_F32, ONNX_F32, ONNX_F32, ONNX_F32,
                                ONNX_F32, ONNX_F64, ONNX_F16, ONNX_F64};
    MadeGraph made = {0};
    Maker maker = {.choices = choices, .wild = wild, .made = &made}, *m = &maker;
    m->opset = opsets[pick(m, sizeof opsets / sizeof *opsets)];
    m->type = types[pick(m, 16)];
    if (m->opset == 11 && m->type != ONNX_F32)
        m->opset = 13;
    new_input(m, &(Want){.min_rank = 3, .max_rank = chance(m, 80) ? 4 : 5, .elements = chance(m, 95)});
    const int count = 1 + pick(m, chance(m, 20) ? 16 : 7);
    for (int i = 0; i < count; i++)
        put_something(m);
    if (!m->n_nodes) /* all that was drawn wanted other values */
        node_like(m, "Identity", 0, true);
    proto_text(&m->graph, 2, "random");
    put_outputs(m);
    Proto opset = {0};
    proto_int(&opset, 2, m->opset);
    proto_int(&made.model, 1, 8);
    proto_message(&made.model, 7, &m->graph);
    proto_message(&made.model, 8, &opset);
    return made;
}
