/* SPDX-License-Identifier: Apache-2.0 */
/* Steps for one node: which kernel computes it, in which layouts, and what must be reordered for that. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/size.h"
#include "graph/op.h"
#include "plan/choose.h"
#include "plan/transfer.h"

/* --- views --- */

/* Further inputs may only be ones that infer() has read: Dropout's training_mode may turn up in a run. */
static bool is_view(const PlanBuilder *builder, const Node *node) {
    if (!(node->op->flags & OP_VIEW) || !node->outputs[0])
        return false;
    for (int i = 1; i < node->n_inputs; i++)
        if (node->inputs[i] && !*builder_contents(builder, node->inputs[i]))
            return false;
    for (int i = 1; i < node->n_outputs; i++)
        if (node->outputs[i])
            return false;
    return true;
}

static Status add_alias(PlanBuilder *builder, const Value *value, int of, size_t offset, Layout layout) {
    int buffer;
    const int space = builder->plan->buffers[of].space;
    TRY(builder_add_buffer(builder, BUFFER_ARENA, builder_type(builder, value), space, layout, &buffer));
    builder->plan->buffers[buffer].root = of;
    builder->plan->buffers[buffer].root_offset = offset;
    *builder_buffer(builder, value, space, layout) = buffer;
    return STRIDER_OK;
}

static Status add_view(PlanBuilder *builder, const Node *node) {
    Plan *plan = builder->plan;
    const Value *from = node->inputs[0], *to = node->outputs[0];
    const int at = partition_find(plan->partition, from);
    const int blocked = builder->blocked[at];
    int plain;
    bool on_device = false;
    for (int device = HOST + 1; device < plan->n_devices; device++)
        if (builder->plain[device][at] != NO_BUFFER) {
            TRY(add_alias(builder, to, builder->plain[device][at], 0, layout_plain()));
            on_device = true;
        }
    if (on_device && builder->plain[HOST][at] == NO_BUFFER)
        return STRIDER_OK;
    if (blocked != NO_BUFFER && shape_equal(&plan->types[at].shape, &builder_type(builder, to)->shape))
        return add_alias(builder, to, blocked, 0, plan->buffers[blocked].layout);
    TRY(transfer(builder, from, HOST, layout_plain(), &plain));
    return add_alias(builder, to, plain, 0, layout_plain());
}

/* --- kernels --- */

static Status make_query(PlanBuilder *builder, const Node *node, KernelQuery *query) {
    const CpuTarget *target = builder->target->cpu;
    *query = (KernelQuery){.node = node,
                           .target = target,
                           .width = target->width,
                           .n_inputs = node->n_inputs,
                           .n_outputs = node->n_outputs,
                           .partition = builder->plan->partition,
                           .types = builder->plan->types};
    query->inputs = region_alloc_array(&builder->scratch, (size_t)node->n_inputs, sizeof(Operand));
    query->outputs = region_alloc_array(&builder->scratch, (size_t)node->n_outputs, sizeof(Operand));
    return query->inputs && query->outputs ? STRIDER_OK : builder_no_memory(builder);
}

/* What the kernels of a device are asked anew each time, as accepts() writes into it. */
static void fill_query(PlanBuilder *builder, int device, KernelQuery *query) {
    const Plan *plan = builder->plan;
    const Node *node = query->node;
    for (int i = 0; i < node->n_inputs; i++) {
        const Value *value = node->inputs[i];
        Operand *input = &query->inputs[i];
        *input = (Operand){.layout = layout_plain()};
        if (!value)
            continue;
        const int at = partition_find(plan->partition, value), blocked = builder->blocked[at];
        input->type = plan->types[at];
        /* Contents computed for this plan alone are not packed, as packs outlive it. */
        input->constant = value->constant;
        input->contents = builder->contents[at];
        if (device == HOST && blocked != NO_BUFFER)
            input->layout = plan->buffers[blocked].layout;
    }
    for (int i = 0; i < node->n_outputs; i++)
        query->outputs[i] = (Operand){.type = node->outputs[i] ? *builder_type(builder, node->outputs[i])
                                                               : type_of(STRIDER_DTYPE_NONE, shape_unknown()),
                                      .layout = layout_plain()};
}

/* The kernel's own time, as measured where that is asked for. */
static Status kernel_time(PlanBuilder *builder, const Kernel *kernel, const KernelQuery *query,
                          double *time) {
    strider_tuning *tuning = builder->target->tuning;
    char layer[KERNEL_LAYER_TEXT];
    const char *isa = query->target->name;
    *time = kernel->cost(query);
    if (!tuning || !kernel->tuning_key)
        return STRIDER_OK;
    kernel->tuning_key(query, layer);
    if (tuning_find(tuning, isa, kernel->name, layer, time))
        return STRIDER_OK;
    KernelTime measured = {.isa = isa, .kernel = kernel->name, .layer = layer, .estimate_ns = *time};
    TRY(measure_kernel(kernel, query, &builder->plan->budget.allocator, &measured.time_ns, builder->err));
    *time = measured.time_ns;
    return tuning_add(tuning, &measured, builder->err);
}

/* Of the reorders that the layouts of a kernel of the host ask for. */
static double reorders_time(PlanBuilder *builder, const KernelQuery *query) {
    double time = 0;
    for (int i = 0; i < query->n_inputs; i++) {
        const Operand *input = &query->inputs[i];
        size_t size_bytes;
        if (input->type.dtype && !input->packed && !*builder_contents(builder, query->node->inputs[i]) &&
            *builder_buffer(builder, query->node->inputs[i], HOST, input->layout) == NO_BUFFER &&
            type_size(&input->type, &size_bytes))
            time += transfer_cost(size_bytes);
    }
    return time;
}

/* Whether a tensor could lie in memory at all, also were its dimensions of 0 ones: kernels count in the sizes
 * of their operands without asking at each step whether they overflow. */
static bool can_exist(const Operand *operand) {
    const int64_t most = (int64_t)1 << 46;
    int64_t elements = 1;
    for (int d = 0; d < operand->type.shape.rank; d++)
        elements = i64_product(elements, i64_max(operand->type.shape.dims[d], 1));
    return elements <= most;
}

/* Strings are left to the references. */
static bool may_be_asked(const Operand *operands, int count) {
    for (int i = 0; i < count; i++)
        if (!can_exist(&operands[i]) || operands[i].type.dtype == STRIDER_STRING)
            return false;
    return true;
}

/* Asks a kernel anew: whether it computes the node, with the query as it wants it. */
static bool accepts(PlanBuilder *builder, int device, const Kernel *kernel, KernelQuery *query) {
    if (kernel->op != query->node->op->kind || !kernel_runs(kernel, query->target) ||
        kernel->peak_error > builder->target->max_layer_error)
        return false;
    fill_query(builder, device, query);
    return may_be_asked(query->inputs, query->n_inputs) && may_be_asked(query->outputs, query->n_outputs) &&
           kernel->accepts(query);
}

/* *best is NULL where no kernel of the device accepts the node; else the query is left as the best one wants
 * it. */
static Status cheapest_kernel(PlanBuilder *builder, int device, KernelQuery *query, const Kernel **best) {
    double best_time = INFINITY;
    size_t n_accepting = 0;
    const size_t count = builder->plan->devices[device]->n_kernels;
    const Kernel *const *kernels = builder->plan->devices[device]->kernels;
    *best = NULL;
    for (size_t i = 0; i < count; i++)
        if (accepts(builder, device, kernels[i], query)) {
            *best = kernels[i];
            n_accepting++;
        }
    for (size_t i = 0; i < count && n_accepting > 1; i++) {
        double time;
        if (!accepts(builder, device, kernels[i], query))
            continue;
        TRY(kernel_time(builder, kernels[i], query, &time));
        if (device == HOST)
            time += reorders_time(builder, query);
        if (time < best_time) {
            best_time = time;
            *best = kernels[i];
        }
    }
    if (*best && !accepts(builder, device, *best, query))
        *best = NULL;
    return STRIDER_OK;
}

/* Asks the devices in order, the host last. */
static Status choose_kernel(PlanBuilder *builder, KernelQuery *query, int *device, const Kernel **kernel) {
    const int n = builder->plan->n_devices;
    *kernel = NULL;
    for (int i = 1; i <= n && !*kernel; i++) {
        *device = i % n;
        TRY(cheapest_kernel(builder, *device, query, kernel));
    }
    return STRIDER_OK;
}

/* Lets the producer of a part write into its place in the whole, where the part stands alone until now. */
static bool place_part(Plan *plan, int part, int whole, size_t offset) {
    size_t size_bytes = plan->buffers[part].size_bytes;
    while (plan->buffers[part].root != part) {
        if (plan->buffers[part].root_offset != 0 ||
            plan->buffers[plan->buffers[part].root].size_bytes != size_bytes)
            return false;
        part = plan->buffers[part].root;
    }
    if (plan->buffers[part].kind != BUFFER_ARENA || part == whole)
        return false;
    plan->buffers[part].root = whole;
    plan->buffers[part].root_offset = offset;
    return true;
}

static int *output_buffer(const PlanBuilder *builder, int device, const KernelQuery *query, int port) {
    return builder_buffer(builder, query->node->outputs[port], device, query->outputs[port].layout);
}

static Status add_outputs(PlanBuilder *builder, int device, const KernelQuery *query) {
    for (int i = 0; i < query->n_outputs; i++)
        if (query->node->outputs[i])
            TRY(builder_add_buffer(builder, BUFFER_ARENA, &query->outputs[i].type, device,
                                   query->outputs[i].layout, output_buffer(builder, device, query, i)));
    return STRIDER_OK;
}

/* Whether all outputs are runs of bytes of input 0, so that no step is needed. */
static bool outputs_are_parts(const Kernel *kernel, const KernelQuery *query) {
    size_t offset;
    for (int i = 0; i < query->n_outputs; i++)
        if (query->node->outputs[i] && !(kernel->output_part && kernel->output_part(query, i, &offset)))
            return false;
    return true;
}

static Status add_parts(PlanBuilder *builder, const Kernel *kernel, const KernelQuery *query,
                        int input_buffer) {
    for (int i = 0; i < query->n_outputs; i++) {
        size_t offset;
        if (query->node->outputs[i] && kernel->output_part(query, i, &offset))
            TRY(add_alias(builder, query->node->outputs[i], input_buffer, offset, query->outputs[i].layout));
    }
    return STRIDER_OK;
}

/* Returns through *all whether every input lies in its place already. */
static Status place_inputs(PlanBuilder *builder, int device, const Kernel *kernel, const KernelQuery *query,
                           const int *buffers, bool *all) {
    int whole = *output_buffer(builder, device, query, 0);
    *all = true;
    for (int i = 0; i < query->n_inputs; i++) {
        size_t offset;
        if (buffers[i] == NO_BUFFER || builder->plan->buffers[buffers[i]].size_bytes == 0)
            continue;
        if (!kernel->input_part(query, i, &offset) || !place_part(builder->plan, buffers[i], whole, offset))
            *all = false;
    }
    return STRIDER_OK;
}

static Status add_workspace(PlanBuilder *builder, Step *step) {
    const size_t size = step->instance.workspace_bytes.n;
    if (!size)
        return STRIDER_OK;
    if (size > INT64_MAX)
        return node_fail(step->node, builder->err, STRIDER_LIMIT_EXCEEDED,
                         "%s needs more memory for it than there can be", step->kernel);
    const int64_t size_bytes = (int64_t)size;
    const Type bytes = {.dtype = STRIDER_U8, .shape = shape_make(1, &size_bytes)};
    return builder_add_buffer(builder, BUFFER_ARENA, &bytes, step->device, layout_plain(), &step->workspace);
}

static Status add_kernel_step(PlanBuilder *builder, int device, const Kernel *kernel,
                              const KernelQuery *query) {
    Plan *plan = builder->plan;
    const Node *node = query->node;
    int *buffers = region_alloc_array(&builder->scratch, (size_t)node->n_inputs, sizeof *buffers);
    if (!buffers)
        return builder_no_memory(builder);
    for (int i = 0; i < node->n_inputs; i++) {
        buffers[i] = NO_BUFFER;
        if (node->inputs[i] && !query->inputs[i].packed)
            TRY(transfer(builder, node->inputs[i], device, query->inputs[i].layout, &buffers[i]));
    }
    if (outputs_are_parts(kernel, query))
        return add_parts(builder, kernel, query, buffers[0]);
    TRY(add_outputs(builder, device, query));
    if (kernel->input_part && node->outputs[0]) {
        bool all;
        TRY(place_inputs(builder, device, kernel, query, buffers, &all));
        if (all)
            return STRIDER_OK;
    }
    Step *step = NULL;
    TRY(builder_add_step(builder, node, node->n_inputs, node->n_outputs, &step));
    step->device = device;
    step->kernel = kernel->name;
    step->overwrites = kernel->overwrites;
    for (int i = 0; i < node->n_inputs; i++)
        step->inputs[i] = buffers[i];
    for (int i = 0; i < node->n_outputs; i++)
        if (node->outputs[i])
            step->outputs[i] = *output_buffer(builder, device, query, i);
    PrepareContext prepare = builder_prepare_context(builder, device);
    Error cause = {0};
    prepare.err = &cause;
    const Status status = kernel->prepare(query, &prepare, &step->instance);
    if (status)
        return node_fail(node, builder->err, status, "%s", cause.message);
    if (step->instance.submit)
        step->kind = STEP_SUBMIT;
    if (step->instance.variant)
        step->kernel = step->instance.variant;
    plan->packed_bytes += step->instance.packed_bytes;
    return add_workspace(builder, step);
}

/* Of all inputs, then of all outputs; dtype NONE where absent. */
static Status node_types(PlanBuilder *builder, const Node *node, Type **types) {
    const Type none = type_of(STRIDER_DTYPE_NONE, shape_unknown());
    *types =
        region_alloc_array(&builder->scratch, (size_t)(node->n_inputs + node->n_outputs), sizeof **types);
    if (!*types)
        return builder_no_memory(builder);
    for (int i = 0; i < node->n_inputs; i++)
        (*types)[i] = node->inputs[i] ? *builder_type(builder, node->inputs[i]) : none;
    for (int i = 0; i < node->n_outputs; i++)
        (*types)[node->n_inputs + i] = node->outputs[i] ? *builder_type(builder, node->outputs[i]) : none;
    return STRIDER_OK;
}

/* A value that is made on the host in plain layout. */
static Status add_plain_output(PlanBuilder *builder, const Value *value, int *buffer) {
    TRY(builder_add_buffer(builder, BUFFER_ARENA, builder_type(builder, value), HOST, layout_plain(),
                           buffer));
    *builder_buffer(builder, value, HOST, layout_plain()) = *buffer;
    return STRIDER_OK;
}

static Status add_reference_step(PlanBuilder *builder, const Node *node) {
    if (!node->op->reference)
        return node_fail(node, builder->err, STRIDER_UNSUPPORTED, "no kernel computes it");
    int *buffers = region_alloc_array(&builder->scratch, (size_t)node->n_inputs, sizeof *buffers);
    if (!buffers)
        return builder_no_memory(builder);
    for (int i = 0; i < node->n_inputs; i++) {
        buffers[i] = NO_BUFFER;
        if (node->inputs[i])
            TRY(transfer(builder, node->inputs[i], HOST, layout_plain(), &buffers[i]));
    }
    Step *step = NULL;
    TRY(builder_add_step(builder, node, node->n_inputs, node->n_outputs, &step));
    step->kernel = "reference";
    step->kind = STEP_REFERENCE;
    step->instance.tasks = 1;
    for (int i = 0; i < node->n_inputs; i++)
        step->inputs[i] = buffers[i];
    for (int i = 0; i < node->n_outputs; i++)
        if (node->outputs[i])
            TRY(add_plain_output(builder, node->outputs[i], &step->outputs[i]));
    Type *types;
    TRY(node_types(builder, node, &types));
    if (node->op->scratch)
        step->instance.workspace_bytes = node->op->scratch(node, types, types + node->n_inputs);
    return add_workspace(builder, step);
}

static Status count_macs(PlanBuilder *builder, const Node *node, uint64_t *macs) {
    *macs = 0;
    if (!node->op->macs)
        return STRIDER_OK;
    Type *types;
    TRY(node_types(builder, node, &types));
    *macs = node->op->macs(node, types, types + node->n_inputs);
    return STRIDER_OK;
}

/* Outputs without elements need nobody to compute them: kernels and references are spared this corner, and
 * tables for a dimension that may be huge beside one of 0. */
static bool outputs_are_empty(const PlanBuilder *builder, const Node *node) {
    for (int i = 0; i < node->n_outputs; i++)
        if (node->outputs[i] && shape_elements(&builder_type(builder, node->outputs[i])->shape) > 0)
            return false;
    return true;
}

static Status add_empty_step(PlanBuilder *builder, const Node *node) {
    Step *step = NULL;
    TRY(builder_add_step(builder, node, 0, node->n_outputs, &step));
    step->kernel = "empty";
    for (int i = 0; i < node->n_outputs; i++)
        if (node->outputs[i])
            TRY(add_plain_output(builder, node->outputs[i], &step->outputs[i]));
    return STRIDER_OK;
}

Status choose_steps(PlanBuilder *builder, const Node *node) {
    Plan *plan = builder->plan;
    if (is_view(builder, node))
        return add_view(builder, node);
    if (outputs_are_empty(builder, node))
        return add_empty_step(builder, node);
    KernelQuery query;
    TRY(make_query(builder, node, &query));
    const Kernel *kernel = NULL;
    int device = HOST;
    if (!builder->target->reference)
        TRY(choose_kernel(builder, &query, &device, &kernel));
    size_t steps_before = plan->n_steps;
    if (kernel)
        TRY(add_kernel_step(builder, device, kernel, &query));
    else
        TRY(add_reference_step(builder, node));
    if (plan->n_steps > steps_before) {
        uint64_t *macs = &plan->steps[plan->n_steps - 1].macs;
        TRY(count_macs(builder, node, macs));
        if (!size_add(plan->macs, *macs, &plan->macs))
            plan->macs = UINT64_MAX;
    }
    return STRIDER_OK;
}
