/* SPDX-License-Identifier: Apache-2.0 */
/* Steps for one node: which kernel computes it, in which layouts, and what must be reordered for that. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/size.h"
#include "graph/op.h"
#include "plan/plan.h"

static Status no_memory(PlanBuilder *builder) {
    return fail(builder->err, STRIDER_OUT_OF_MEMORY, "out of memory for the plan");
}

/* --- views --- */

/* Further inputs may only be ones that infer() has read: Dropout's training_mode may turn up in a run. */
static bool is_view(const PlanBuilder *builder, const Node *node) {
    if (!(node->op->flags & OP_VIEW) || !node->outputs[0])
        return false;
    for (int i = 1; i < node->n_inputs; i++)
        if (node->inputs[i] && !builder->plan->contents[node->inputs[i]->index])
            return false;
    for (int i = 1; i < node->n_outputs; i++)
        if (node->outputs[i])
            return false;
    return true;
}

static Status add_alias(PlanBuilder *builder, const Value *value, int of, size_t offset, Layout layout) {
    int slot;
    const Place place = {builder->plan->slots[of].place.device, layout};
    TRY(plan_add_slot(builder, SLOT_ARENA, &builder->plan->types[value->index], place, &slot));
    builder->plan->slots[slot].root = of;
    builder->plan->slots[slot].root_offset = offset;
    *plan_slot_of(builder, value, place) = slot;
    return STRIDER_OK;
}

static Status add_view(PlanBuilder *builder, const Node *node) {
    Plan *plan = builder->plan;
    const Value *from = node->inputs[0], *to = node->outputs[0];
    int blocked = builder->blocked_slots[from->index], plain;
    bool on_device = false;
    for (int device = HOST + 1; device < plan->n_devices; device++)
        if (builder->device_slots[device][from->index] != NO_SLOT) {
            TRY(add_alias(builder, to, builder->device_slots[device][from->index], 0, LAYOUT_PLAIN));
            on_device = true;
        }
    if (on_device && plan->plain_slots[from->index] == NO_SLOT)
        return STRIDER_OK;
    if (blocked != NO_SLOT && shape_equal(&plan->types[from->index].shape, &plan->types[to->index].shape))
        return add_alias(builder, to, blocked, 0, plan->slots[blocked].place.layout);
    TRY(plan_require(builder, from, host_plain, &plain));
    return add_alias(builder, to, plain, 0, LAYOUT_PLAIN);
}

/* --- kernels --- */

static Status make_query(PlanBuilder *builder, const Node *node, KernelQuery *query) {
    Isa isa = builder->request->isa;
    *query = (KernelQuery){.node = node,
                           .isa = isa,
                           .width = isa_width(isa),
                           .n_inputs = node->n_inputs,
                           .n_outputs = node->n_outputs,
                           .types = builder->plan->types};
    query->inputs = region_alloc_array(&builder->scratch, (size_t)node->n_inputs, sizeof(Operand));
    query->outputs = region_alloc_array(&builder->scratch, (size_t)node->n_outputs, sizeof(Operand));
    return query->inputs && query->outputs ? STRIDER_OK : no_memory(builder);
}

/* What the kernels of a device are asked anew each time, as accepts() writes into it. */
static void fill_query(PlanBuilder *builder, int device, KernelQuery *query) {
    const Plan *plan = builder->plan;
    const Node *node = query->node;
    for (int i = 0; i < node->n_inputs; i++) {
        const Value *value = node->inputs[i];
        Operand *input = &query->inputs[i];
        *input = (Operand){.layout = LAYOUT_PLAIN};
        if (!value)
            continue;
        int blocked = builder->blocked_slots[value->index];
        input->type = plan->types[value->index];
        /* Contents computed for this plan alone are not packed, as packs outlive it. */
        if (plan->contents[value->index] && value->constant)
            input->constant = value->constant;
        if (device == HOST && blocked != NO_SLOT)
            input->layout = plan->slots[blocked].place.layout;
    }
    for (int i = 0; i < node->n_outputs; i++)
        query->outputs[i] = (Operand){.type = node->outputs[i] ? plan->types[node->outputs[i]->index]
                                                               : type_of(STRIDER_DTYPE_NONE, shape_unknown()),
                                      .layout = LAYOUT_PLAIN};
}

/* The kernel's own time, as measured where that is asked for. */
static Status kernel_time(PlanBuilder *builder, const Kernel *kernel, const KernelQuery *query,
                          double *time) {
    strider_tuning *tuning = builder->request->tuning;
    char layer[KERNEL_LAYER_TEXT];
    const char *isa = isa_name(query->isa);
    *time = kernel->cost(query);
    if (!tuning || !kernel->tuning_key)
        return STRIDER_OK;
    kernel->tuning_key(query, layer);
    if (tuning_find(tuning, isa, kernel->name, layer, time))
        return STRIDER_OK;
    KernelTime measured = {.isa = isa, .kernel = kernel->name, .layer = layer, .estimate_ns = *time};
    TRY(measure_kernel(kernel, query, &builder->request->budget->allocator, &measured.time_ns, builder->err));
    *time = measured.time_ns;
    return tuning_add(tuning, &measured, builder->err);
}

/* Of the reorders that the layouts of a kernel of the host ask for. */
static double reorders_time(PlanBuilder *builder, const KernelQuery *query) {
    double time = 0;
    for (int i = 0; i < query->n_inputs; i++) {
        const Operand *input = &query->inputs[i];
        size_t size_bytes;
        if (input->type.dtype && !input->packed && !builder->plan->contents[query->node->inputs[i]->index] &&
            *plan_slot_of(builder, query->node->inputs[i], (Place){HOST, input->layout}) == NO_SLOT &&
            type_size(&input->type, &size_bytes))
            time += plan_reorder_cost(size_bytes);
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

static bool operands_can_exist(const KernelQuery *query) {
    for (int i = 0; i < query->n_inputs; i++)
        if (!can_exist(&query->inputs[i]))
            return false;
    for (int i = 0; i < query->n_outputs; i++)
        if (!can_exist(&query->outputs[i]))
            return false;
    return true;
}

/* Asks a kernel anew: whether it computes the node, with the query as it wants it. */
static bool accepts(PlanBuilder *builder, int device, const Kernel *kernel, KernelQuery *query) {
    if (kernel->op != query->node->op->kind || kernel->peak_error > builder->request->max_layer_error)
        return false;
    fill_query(builder, device, query);
    return operands_can_exist(query) && kernel->accepts(query);
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
    size_t size_bytes = plan->slots[part].size_bytes;
    while (plan->slots[part].root != part) {
        if (plan->slots[part].root_offset != 0 ||
            plan->slots[plan->slots[part].root].size_bytes != size_bytes)
            return false;
        part = plan->slots[part].root;
    }
    if (plan->slots[part].kind != SLOT_ARENA || part == whole)
        return false;
    plan->slots[part].root = whole;
    plan->slots[part].root_offset = offset;
    return true;
}

static int *output_slot(PlanBuilder *builder, int device, const KernelQuery *query, int port) {
    return plan_slot_of(builder, query->node->outputs[port], (Place){device, query->outputs[port].layout});
}

static Status add_outputs(PlanBuilder *builder, int device, const KernelQuery *query) {
    for (int i = 0; i < query->n_outputs; i++)
        if (query->node->outputs[i])
            TRY(plan_add_slot(builder, SLOT_ARENA, &query->outputs[i].type,
                              (Place){device, query->outputs[i].layout},
                              output_slot(builder, device, query, i)));
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
                        int input_slot) {
    for (int i = 0; i < query->n_outputs; i++) {
        size_t offset;
        if (query->node->outputs[i] && kernel->output_part(query, i, &offset))
            TRY(add_alias(builder, query->node->outputs[i], input_slot, offset, query->outputs[i].layout));
    }
    return STRIDER_OK;
}

/* Returns through *all whether every input lies in its place already. */
static Status place_inputs(PlanBuilder *builder, int device, const Kernel *kernel, const KernelQuery *query,
                           const int *slots, bool *all) {
    int whole = *output_slot(builder, device, query, 0);
    *all = true;
    for (int i = 0; i < query->n_inputs; i++) {
        size_t offset;
        if (slots[i] == NO_SLOT || builder->plan->slots[slots[i]].size_bytes == 0)
            continue;
        if (!kernel->input_part(query, i, &offset) || !place_part(builder->plan, slots[i], whole, offset))
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
    return plan_add_slot(builder, SLOT_ARENA, &bytes, (Place){step->device, LAYOUT_PLAIN},
                         &step->workspace_slot);
}

static Status add_kernel_step(PlanBuilder *builder, int device, const Kernel *kernel,
                              const KernelQuery *query) {
    Plan *plan = builder->plan;
    const Node *node = query->node;
    int *slots = region_alloc_array(&builder->scratch, (size_t)node->n_inputs, sizeof *slots);
    if (!slots)
        return no_memory(builder);
    for (int i = 0; i < node->n_inputs; i++) {
        slots[i] = NO_SLOT;
        if (node->inputs[i] && !query->inputs[i].packed)
            TRY(plan_require(builder, node->inputs[i], (Place){device, query->inputs[i].layout}, &slots[i]));
    }
    if (outputs_are_parts(kernel, query))
        return add_parts(builder, kernel, query, slots[0]);
    TRY(add_outputs(builder, device, query));
    if (kernel->input_part && node->outputs[0]) {
        bool all;
        TRY(place_inputs(builder, device, kernel, query, slots, &all));
        if (all)
            return STRIDER_OK;
    }
    Step *step = NULL;
    TRY(plan_add_step(builder, node, node->n_inputs, node->n_outputs, &step));
    step->device = device;
    step->kernel = kernel->name;
    step->overwrites = kernel->overwrites;
    for (int i = 0; i < node->n_inputs; i++)
        step->input_slots[i] = slots[i];
    for (int i = 0; i < node->n_outputs; i++)
        if (node->outputs[i])
            step->output_slots[i] = *output_slot(builder, device, query, i);
    PrepareContext prepare = plan_prepare_context(builder, device);
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
    const Type *known = builder->plan->types;
    *types =
        region_alloc_array(&builder->scratch, (size_t)(node->n_inputs + node->n_outputs), sizeof **types);
    if (!*types)
        return no_memory(builder);
    for (int i = 0; i < node->n_inputs; i++)
        (*types)[i] = node->inputs[i] ? known[node->inputs[i]->index] : none;
    for (int i = 0; i < node->n_outputs; i++)
        (*types)[node->n_inputs + i] = node->outputs[i] ? known[node->outputs[i]->index] : none;
    return STRIDER_OK;
}

static Status add_reference_step(PlanBuilder *builder, const Node *node) {
    Plan *plan = builder->plan;
    if (!node->op->reference)
        return node_fail(node, builder->err, STRIDER_UNSUPPORTED, "no kernel computes it");
    int *slots = region_alloc_array(&builder->scratch, (size_t)node->n_inputs, sizeof *slots);
    if (!slots)
        return no_memory(builder);
    for (int i = 0; i < node->n_inputs; i++) {
        slots[i] = NO_SLOT;
        if (node->inputs[i])
            TRY(plan_require(builder, node->inputs[i], host_plain, &slots[i]));
    }
    Step *step = NULL;
    TRY(plan_add_step(builder, node, node->n_inputs, node->n_outputs, &step));
    step->kernel = "reference";
    step->kind = STEP_REFERENCE;
    step->instance.tasks = 1;
    step->input_tensors = region_alloc_array(&plan->region, (size_t)node->n_inputs, sizeof(Tensor));
    step->output_tensors = region_alloc_array(&plan->region, (size_t)node->n_outputs, sizeof(Tensor));
    step->reference_inputs = region_alloc_array(&plan->region, (size_t)node->n_inputs, sizeof(Tensor *));
    step->reference_outputs = region_alloc_array(&plan->region, (size_t)node->n_outputs, sizeof(Tensor *));
    if (!step->input_tensors || !step->output_tensors || !step->reference_inputs || !step->reference_outputs)
        return no_memory(builder);
    for (int i = 0; i < node->n_inputs; i++) {
        step->input_slots[i] = slots[i];
        if (node->inputs[i]) {
            const Type *type = &plan->types[node->inputs[i]->index];
            step->input_tensors[i] = tensor_view(type->dtype, &type->shape, NULL);
            step->reference_inputs[i] = &step->input_tensors[i];
        }
    }
    for (int i = 0; i < node->n_outputs; i++)
        if (node->outputs[i]) {
            const Type *type = &plan->types[node->outputs[i]->index];
            int slot;
            TRY(plan_add_slot(builder, SLOT_ARENA, type, host_plain, &slot));
            plan->plain_slots[node->outputs[i]->index] = step->output_slots[i] = slot;
            step->output_tensors[i] = tensor_view(type->dtype, &type->shape, NULL);
            step->reference_outputs[i] = &step->output_tensors[i];
        }
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
        if (node->outputs[i] && shape_elements(&builder->plan->types[node->outputs[i]->index].shape) > 0)
            return false;
    return true;
}

static Status add_empty_step(PlanBuilder *builder, const Node *node) {
    Step *step = NULL;
    TRY(plan_add_step(builder, node, 0, node->n_outputs, &step));
    step->kernel = "empty";
    for (int i = 0; i < node->n_outputs; i++)
        if (node->outputs[i]) {
            TRY(plan_add_slot(builder, SLOT_ARENA, &builder->plan->types[node->outputs[i]->index], host_plain,
                              &step->output_slots[i]));
            builder->plan->plain_slots[node->outputs[i]->index] = step->output_slots[i];
        }
    return STRIDER_OK;
}

Status plan_add_node(PlanBuilder *builder, const Node *node) {
    Plan *plan = builder->plan;
    if (is_view(builder, node))
        return add_view(builder, node);
    if (outputs_are_empty(builder, node))
        return add_empty_step(builder, node);
    KernelQuery query;
    TRY(make_query(builder, node, &query));
    const Kernel *kernel = NULL;
    int device = HOST;
    if (!builder->request->reference)
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
