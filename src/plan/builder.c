/* SPDX-License-Identifier: Apache-2.0 */
#include "plan/builder.h"

int *builder_buffer(const PlanBuilder *builder, const Value *value, int space, Layout layout) {
    int *buffers = layout.kind == LAYOUT_PLAIN ? builder->plain[space] : builder->blocked;
    return &buffers[partition_find(builder->plan->partition, value)];
}

Status builder_no_memory(PlanBuilder *builder) {
    return fail(builder->err, STRIDER_OUT_OF_MEMORY, "out of memory for the plan");
}

Status builder_add_buffer(PlanBuilder *builder, BufferKind kind, const Type *type, int space, Layout layout,
                          int *buffer) {
    Plan *plan = builder->plan;
    size_t size_bytes;
    if (!layout_size(type, layout, &size_bytes)) {
        char text[SHAPE_TEXT];
        return fail(builder->err, STRIDER_LIMIT_EXCEEDED, "a tensor of shape %s is too large",
                    shape_text(&type->shape, text));
    }
    if (!region_grow(&plan->region, &plan->buffers, plan->n_buffers, &plan->buffers_capacity,
                     sizeof *plan->buffers))
        return builder_no_memory(builder);
    *buffer = (int)plan->n_buffers++;
    plan->buffers[*buffer] = (Buffer){.kind = kind,
                                      .type = *type,
                                      .space = space,
                                      .layout = layout,
                                      .size_bytes = size_bytes,
                                      .root = *buffer,
                                      .first_step = -1,
                                      .last_step = -1};
    return STRIDER_OK;
}

static bool alloc_ports(Region *region, int n, int **ports) {
    *ports = region_alloc_array(region, (size_t)n, sizeof **ports);
    for (int i = 0; *ports && i < n; i++)
        (*ports)[i] = NO_BUFFER;
    return *ports != NULL;
}

Status builder_add_step(PlanBuilder *builder, const Node *node, int n_inputs, int n_outputs, Step **step) {
    Plan *plan = builder->plan;
    Step added = {.node = node, .n_inputs = n_inputs, .n_outputs = n_outputs, .workspace = NO_BUFFER};
    if (!region_grow(&plan->region, &plan->steps, plan->n_steps, &plan->steps_capacity,
                     sizeof *plan->steps) ||
        !alloc_ports(&plan->region, n_inputs, &added.inputs) ||
        !alloc_ports(&plan->region, n_outputs, &added.outputs))
        return builder_no_memory(builder);
    *step = &plan->steps[plan->n_steps++];
    **step = added;
    return STRIDER_OK;
}

PrepareContext builder_prepare_context(PlanBuilder *builder, int device) {
    const PlanDevice *used = &builder->target->devices[device];
    PrepareContext context = {.region = &builder->plan->region,
                              .packs = used->packs,
                              .max_pack_bytes =
                                  device == HOST ? builder->request->max_pack_bytes : UINT64_MAX,
                              .err = builder->err,
                              .device = used->device};
    if (builder->target->tuning)
        context.times = tuning_times(builder->target->tuning);
    return context;
}
