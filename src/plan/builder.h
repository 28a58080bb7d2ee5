/* SPDX-License-Identifier: Apache-2.0 */
/* A plan in the making, and the small things that its parts do to it. */
#ifndef PLAN_BUILDER_H
#define PLAN_BUILDER_H

#include "plan/buffer.h"

typedef struct PlanBuilder {
    const PlanRequest *request;
    const PlanTarget *target;
    Plan *plan;
    /* By value of the partition: what was computed, or is a constant, else NULL; buffers, or NO_BUFFER: on
     * the host in plain layout (on the others so too), and on the host in another one. */
    const Tensor **contents;
    int *plain[MAX_DEVICES], *blocked;
    Region scratch; /* freed when the plan is made */
    bool warned;    /* of a declared shape */
    bool at_end;    /* no step of the host follows that reads a value */
    Error *err;
} PlanBuilder;

static inline Type *builder_type(const PlanBuilder *builder, const Value *value) {
    return &builder->plan->types[partition_find(builder->plan->partition, value)];
}
static inline const Tensor **builder_contents(const PlanBuilder *builder, const Value *value) {
    return &builder->contents[partition_find(builder->plan->partition, value)];
}
/* Where `value` lies in that space and layout, to be read and set. */
int *builder_buffer(const PlanBuilder *builder, const Value *value, int space, Layout layout);

Status builder_add_buffer(PlanBuilder *builder, BufferKind kind, const Type *type, int space, Layout layout,
                          int *buffer) MUST_CHECK;
Status builder_add_step(PlanBuilder *builder, const Node *node, int n_inputs, int n_outputs,
                        Step **step) MUST_CHECK;
PrepareContext builder_prepare_context(PlanBuilder *builder, int device);
/* OUT_OF_MEMORY. */
Status builder_no_memory(PlanBuilder *builder);

#endif
