/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/cpu/conv/query.h"

#include <stdio.h>

#include "ops/cpu/cpu.h"
#include "ops/math/unary.h"

ConvGeometry conv_query_geometry(const KernelQuery *query) {
    const ConvAttrs *attrs = query->node->attrs;
    return conv_geometry(attrs, &query->inputs[CONV_X].type.shape, &query->inputs[CONV_W].type.shape);
}

ConvGeometry conv_query_volume(const KernelQuery *query) {
    const ConvGeometry g = conv_query_geometry(query);
    return conv_geometry_3d(&g);
}

bool conv_accepts_blocked(KernelQuery *query, Layout input) {
    const Operand *x = &query->inputs[CONV_X], *w = &query->inputs[CONV_W];
    if (x->type.dtype != STRIDER_F32 || !w->constant || !cpu_optional_constant(query, CONV_B) ||
        !cpu_optional_constant(query, CONV_SCALE) || shape_elements(&query->outputs[0].type.shape) == 0 ||
        shape_elements(&w->type.shape) == 0)
        return false;
    query->inputs[CONV_X].layout = input;
    for (int i = CONV_W; i < query->n_inputs && i < CONV_RESIDUAL; i++)
        query->inputs[i].packed = true;
    if (query->n_inputs > CONV_RESIDUAL)
        query->inputs[CONV_RESIDUAL].layout = query->width;
    query->outputs[0].layout = query->width;
    return true;
}

void conv_tuning_key(const KernelQuery *query, char text[KERNEL_LAYER_TEXT]) {
    const ConvAttrs *attrs = query->node->attrs;
    const Epilogue *epilogue = &attrs->epilogue;
    const ConvGeometry g = conv_query_geometry(query);
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
        snprintf(text + used, KERNEL_LAYER_TEXT - used, "; %s%s", unary_name(epilogue->activation.kind),
                 !epilogue->has_residual   ? ""
                 : epilogue->residual_last ? " then Add"
                                           : " after Add");
}
