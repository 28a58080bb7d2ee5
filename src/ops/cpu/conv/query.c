/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/cpu/conv/query.h"

#include <stdio.h>

#include "ops/cpu/cpu.h"
#include "ops/math/unary.h"

ConvGeometry conv_query_geometry(const KernelQuery *query) {
    const ConvAttrs *attrs = query->node->attrs;
    return conv_geometry(attrs, &query->inputs[CONV_X].type.shape, &query->inputs[CONV_W].type.shape);
}

/* One element, which a kernel of one tap makes one element. */
static bool is_single(const WindowDim *dim) {
    return dim->in == 1 && dim->out == 1 && dim->kernel == 1 && !dim->pad_begin;
}

ConvGeometry conv_volume(const ConvGeometry *geometry) {
    ConvGeometry full = conv_geometry_3d(geometry);
    int at = full.spatial;
    for (int i = full.spatial - 1; i >= 0; i--)
        if (!is_single(&full.dims[i]))
            full.dims[--at] = full.dims[i];
    while (at > 0)
        full.dims[--at] = (WindowDim){1, 1, 1, 1, 1, 0, 0};
    return full;
}

ConvGeometry conv_query_volume(const KernelQuery *query) {
    const ConvGeometry g = conv_query_geometry(query);
    return conv_volume(&g);
}

bool conv_epilogue(const Node *node, Epilogue *epilogue) {
    if (!node_epilogue(node, epilogue))
        return false;
    if (node->n_inputs <= CONV_B || !node->inputs[CONV_B])
        return true;
    if (epilogue->scale_port >= 0 || epilogue->bias_port >= 0)
        return false; /* after a bias of its own: passes make one of both */
    epilogue->bias_port = CONV_B;
    return true;
}

const Tensor *conv_scale(const KernelQuery *query) {
    Epilogue epilogue;
    conv_epilogue(query->node, &epilogue);
    return cpu_input_constant(query, epilogue.scale_port);
}

bool conv_accepts_blocked(KernelQuery *query, Layout input) {
    Epilogue epilogue;
    if (!cpu_is_f32(query, CONV_X) || !cpu_is_f32(query, CONV_W) || !conv_epilogue(query->node, &epilogue) ||
        !cpu_optional_constant(query, epilogue.scale_port) ||
        shape_elements(&query->outputs[0].type.shape) == 0 ||
        shape_elements(&query->inputs[CONV_W].type.shape) == 0)
        return false;
    query->inputs[CONV_X].layout = input;
    for (int i = CONV_W; i < query->n_inputs; i++) {
        query->inputs[i].layout = i == epilogue.residual_port ? cpu_blocked(query) : layout_plain();
        query->inputs[i].packed = i != epilogue.residual_port && query->inputs[i].constant;
    }
    query->outputs[0].layout = cpu_blocked(query);
    return true;
}

void conv_tuning_key(const KernelQuery *query, char text[KERNEL_LAYER_TEXT]) {
    const ConvGeometry g = conv_query_geometry(query);
    Epilogue epilogue;
    conv_epilogue(query->node, &epilogue);
    char x[SHAPE_TEXT], w[SHAPE_TEXT], layout[LAYOUT_TEXT];
    size_t used = (size_t)snprintf(
        text, KERNEL_LAYER_TEXT, "Conv %s %s * %s groups %lld",
        shape_text(&query->inputs[CONV_X].type.shape, x),
        layout_text(query->inputs[CONV_X].type.shape.rank, query->inputs[CONV_X].layout, layout),
        shape_text(&query->inputs[CONV_W].type.shape, w), (long long)g.group);
    for (int i = 0; i < g.spatial && used < KERNEL_LAYER_TEXT; i++)
        used += (size_t)snprintf(text + used, KERNEL_LAYER_TEXT - used,
                                 "; stride %lld dilation %lld pads %lld %lld", (long long)g.dims[i].stride,
                                 (long long)g.dims[i].dilation, (long long)g.dims[i].pad_begin,
                                 (long long)g.dims[i].pad_end);
    if (used < KERNEL_LAYER_TEXT)
        snprintf(text + used, KERNEL_LAYER_TEXT - used, "; %s%s%s",
                 query->inputs[CONV_W].constant ? "" : "weights of each run; ",
                 unary_name(epilogue.activation.kind),
                 epilogue.residual_port < 0 ? ""
                 : epilogue.residual_last   ? " then Add"
                                            : " after Add");
}
