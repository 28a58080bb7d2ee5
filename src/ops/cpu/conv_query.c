/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/cpu/conv_query.h"

#include "ops/cpu/cpu.h"

ConvGeometry conv_query_geometry(const KernelQuery *query) {
    const ConvAttrs *attrs = query->node->attrs;
    return conv_geometry(attrs, &query->inputs[CONV_X].type.shape, &query->inputs[CONV_W].type.shape);
}

bool conv_accepts_blocked(KernelQuery *query, Layout input) {
    const Operand *x = &query->inputs[CONV_X], *w = &query->inputs[CONV_W];
    if (x->type.dtype != STRIDER_F32 || x->type.shape.rank > 4 || !w->constant ||
        !cpu_optional_constant(query, CONV_B) || !cpu_optional_constant(query, CONV_SCALE) ||
        shape_elements(&query->outputs[0].type.shape) == 0 || shape_elements(&w->type.shape) == 0)
        return false;
    query->inputs[CONV_X].layout = input;
    for (int i = CONV_W; i < query->n_inputs && i < CONV_RESIDUAL; i++)
        query->inputs[i].packed = true;
    if (query->n_inputs > CONV_RESIDUAL)
        query->inputs[CONV_RESIDUAL].layout = query->width;
    query->outputs[0].layout = query->width;
    return true;
}
