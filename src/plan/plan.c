/* SPDX-License-Identifier: Apache-2.0 */
/* Walks the graph in order: what can be computed from shapes alone is computed here, all else becomes steps.
 */
#include "plan/plan.h"

#include <string.h>

#include "base/size.h"
#include "graph/evaluate.h"
#include "graph/op.h"

/* Contents that planning may compute or hand to infer(); more than this is data, not a shape. */
enum { MAX_PLANNED_BYTES = 1 << 20 };

int plan_root(const Plan *plan, int slot, size_t *offset_bytes) {
    size_t offset = 0;
    while (plan->slots[slot].root != slot) {
        offset += plan->slots[slot].root_offset;
        slot = plan->slots[slot].root;
    }
    *offset_bytes = offset;
    return slot;
}

void *plan_address(const Plan *plan, int slot, char *const *arenas, const strider_tensor *inputs) {
    size_t offset;
    const Slot *root = &plan->slots[plan_root(plan, slot, &offset)];
    switch (root->kind) {
    case SLOT_ARENA:
        return arenas[root->place.device] + root->arena_offset + offset;
    case SLOT_EXTERNAL:
        return (char *)inputs[root->input].data + offset;
    case SLOT_FIXED:
        break;
    }
    return (char *)root->fixed + offset;
}

Status plan_add_slot(PlanBuilder *builder, SlotKind kind, const Type *type, Place place, int *slot) {
    Plan *plan = builder->plan;
    size_t size_bytes;
    if (!layout_size(type, place.layout, &size_bytes)) {
        char text[SHAPE_TEXT];
        return fail(builder->err, STRIDER_LIMIT_EXCEEDED, "a tensor of shape %s is too large",
                    shape_text(&type->shape, text));
    }
    if (!region_grow(&plan->region, &plan->slots, plan->n_slots, &plan->slots_capacity, sizeof *plan->slots))
        return fail_memory(builder->err, sizeof *plan->slots, "the plan");
    *slot = (int)plan->n_slots++;
    plan->slots[*slot] = (Slot){.kind = kind,
                                .type = *type,
                                .place = place,
                                .size_bytes = size_bytes,
                                .root = *slot,
                                .first_step = -1,
                                .last_step = -1};
    return STRIDER_OK;
}

Status plan_add_step(PlanBuilder *builder, const Node *node, int n_inputs, int n_outputs, Step **step) {
    Plan *plan = builder->plan;
    Region *region = &plan->region;
    if (!region_grow(region, &plan->steps, plan->n_steps, &plan->steps_capacity, sizeof *plan->steps))
        return fail_memory(builder->err, sizeof *plan->steps, "the plan");
    Step added = {.node = node, .n_inputs = n_inputs, .n_outputs = n_outputs, .workspace_slot = NO_SLOT};
    added.input_slots = region_alloc_array(region, (size_t)n_inputs, sizeof *added.input_slots);
    added.output_slots = region_alloc_array(region, (size_t)n_outputs, sizeof *added.output_slots);
    added.inputs = region_alloc_array(region, (size_t)n_inputs, sizeof *added.inputs);
    added.outputs = region_alloc_array(region, (size_t)n_outputs, sizeof *added.outputs);
    if (!added.input_slots || !added.output_slots || !added.inputs || !added.outputs)
        return fail_memory(builder->err, bytes_of(sizeof(int), n_inputs).n, "the plan");
    for (int i = 0; i < n_inputs; i++)
        added.input_slots[i] = NO_SLOT;
    for (int i = 0; i < n_outputs; i++)
        added.output_slots[i] = NO_SLOT;
    *step = &plan->steps[plan->n_steps++];
    **step = added;
    return STRIDER_OK;
}

/* Kernels are never asked about tensors that no arena could hold: their arithmetic on sizes may rely on it.
 */
static Status check_size(PlanBuilder *builder, const Value *value, const Type *type) {
    size_t size_bytes;
    const uint64_t most = builder->request->budget->limit_bytes;
    if (type_size(type, &size_bytes) && size_bytes <= most && size_bytes < INT64_MAX / 256)
        return STRIDER_OK;
    char text[SHAPE_TEXT];
    return fail(builder->err, STRIDER_LIMIT_EXCEEDED,
                "value \"%s\" of shape %s needs more than the limit of %llu bytes (max_memory_bytes)",
                value->name, shape_text(&type->shape, text), (unsigned long long)most);
}

/* What is known of a node while it is planned; arrays in the builder's scratch region. */
typedef struct NodeFacts {
    ValueType *inputs, *outputs;
    const Tensor **contents;
} NodeFacts;

static Status collect_facts(PlanBuilder *builder, const Node *node, NodeFacts *facts) {
    const Plan *plan = builder->plan;
    Region *scratch = &builder->scratch;
    facts->inputs = region_alloc_array(scratch, (size_t)node->n_inputs, sizeof(ValueType));
    facts->outputs = region_alloc_array(scratch, (size_t)node->n_outputs, sizeof(ValueType));
    facts->contents = region_alloc_array(scratch, (size_t)node->n_inputs, sizeof(Tensor *));
    if (!facts->inputs || !facts->outputs || !facts->contents)
        return fail_memory(builder->err, sizeof(Type), "the plan");
    for (int i = 0; i < node->n_inputs; i++) {
        const Value *value = node->inputs[i];
        facts->inputs[i] = value ? value_type_tensor(plan->types[value->index]) : value_type_unknown();
        const Tensor *contents = value ? plan->contents[value->index] : NULL;
        if (contents && contents->unaligned) {
            /* Small ones decide shapes; weights are never read while planning. */
            if (contents->size_bytes > MAX_PLANNED_BYTES)
                continue;
            Tensor copy = {0};
            TRY(tensor_alloc(&copy, &builder->request->budget->allocator, contents->type.dtype,
                             &contents->type.shape, builder->err));
            memcpy(copy.data, contents->data, copy.size_bytes);
            TRY(tensor_list_add(&builder->plan->tensors, &builder->plan->region, copy, &contents,
                                builder->err));
            builder->plan->contents[value->index] = contents;
        }
        facts->contents[i] = contents;
    }
    return STRIDER_OK;
}

static bool outputs_are_known(const Node *node, const ValueType *outputs) {
    for (int i = 0; i < node->n_outputs; i++)
        if (node->outputs[i] && (!outputs[i].dtype || !shape_is_known(&outputs[i].shape)))
            return false;
    return true;
}

/* Whether the node's outputs follow from what is known now, and are small enough to be worth keeping. */
static bool can_compute(const Node *node, const NodeFacts *facts) {
    if (node->op->flags & (OP_NO_FOLD | OP_DATA_DEPENDENT))
        return false;
    bool by_shape = (node->op->flags & OP_SHAPE_ONLY) != 0;
    for (int i = 0; i < node->n_inputs; i++)
        if (node->inputs[i] && !facts->contents[i] && !(by_shape && i == 0))
            return false;
    size_t total = 0, size_bytes;
    for (int i = 0; i < node->n_outputs; i++)
        if (node->outputs[i] &&
            (!type_size(&facts->outputs[i].tensor, &size_bytes) || !size_add(total, size_bytes, &total)))
            return false;
    return total <= MAX_PLANNED_BYTES;
}

static Status compute(PlanBuilder *builder, const Node *node, const NodeFacts *facts) {
    Plan *plan = builder->plan;
    const Tensor **inputs = region_alloc_array(&builder->scratch, (size_t)node->n_inputs, sizeof *inputs);
    Tensor *outputs = region_alloc_array(&builder->scratch, (size_t)node->n_outputs, sizeof *outputs);
    Tensor *shape_only = region_alloc(&builder->scratch, sizeof *shape_only);
    if (!inputs || !outputs || !shape_only)
        return fail_memory(builder->err, sizeof *outputs, "the plan");
    for (int i = 0; i < node->n_inputs; i++)
        inputs[i] = facts->contents[i];
    if ((node->op->flags & OP_SHAPE_ONLY) && node->n_inputs && !inputs[0]) {
        *shape_only = (Tensor){.type = facts->inputs[0].tensor};
        inputs[0] = shape_only;
    }
    TRY(node_evaluate(node, inputs, facts->outputs, outputs, &builder->request->budget->allocator,
                      builder->err));
    for (int i = 0; i < node->n_outputs; i++)
        if (node->outputs[i])
            TRY(tensor_list_add(&plan->tensors, &plan->region, outputs[i],
                                &plan->contents[node->outputs[i]->index], builder->err));
    return STRIDER_OK;
}

/* Shapes that a model declares may only turn out wrong when open dimensions get their sizes. */
static Status compare_declared(PlanBuilder *builder, const Node *node, const Value *value, const Type *type) {
    const PlanRequest *request = builder->request;
    char declared[SHAPE_TEXT], computed[SHAPE_TEXT], text[NODE_TEXT];
    if (!node->op->strict_shape || shape_agrees(&value->declared.shape, &type->shape))
        return STRIDER_OK;
    shape_text(&value->declared.shape, declared);
    shape_text(&type->shape, computed);
    if (request->shapes == STRIDER_SHAPES_CHECK)
        return node_fail(node, builder->err, STRIDER_BAD_MODEL,
                         "output \"%s\" is declared as %s, but is %s for these inputs", value->name, declared,
                         computed);
    if (!builder->warned)
        log_warning(
            request->log,
            "%s: output \"%s\" is declared as %s, but is %s for these inputs; using the computed shape, "
            "here and further on",
            node_text(node, text), value->name, declared, computed);
    builder->warned = true;
    return STRIDER_OK;
}

/* What is known of a node, with the types of its outputs. */
static Status infer_facts(PlanBuilder *builder, const Node *node, NodeFacts *facts) {
    TRY(collect_facts(builder, node, facts));
    return node_infer(node, facts->inputs, facts->contents, &(SymbolTable){.region = &builder->scratch},
                      facts->outputs, builder->err);
}

/* Contents or steps for a node whose outputs' types are known. */
static Status plan_known(PlanBuilder *builder, const Node *node, const NodeFacts *facts) {
    Plan *plan = builder->plan;
    for (int i = 0; i < node->n_outputs; i++)
        if (node->outputs[i]) {
            plan->types[node->outputs[i]->index] = facts->outputs[i].tensor;
            TRY(check_size(builder, node->outputs[i], &facts->outputs[i].tensor));
            TRY(compare_declared(builder, node, node->outputs[i], &facts->outputs[i].tensor));
        }
    return can_compute(node, facts) ? compute(builder, node, facts) : plan_add_node(builder, node);
}

/* Whether the shapes are as the pass assumed that made the node of parts: its residual, the last input, has
 * the shape of its output. */
static bool is_one_piece(const Node *node, const NodeFacts *facts) {
    return !node->n_parts || shape_equal(&facts->inputs[node->n_inputs - 1].shape, &facts->outputs[0].shape);
}

/* The parts' inputs are known, as those of the node are, and none of them is a border. */
static Status plan_parts(PlanBuilder *builder, const Node *node) {
    for (int i = 0; i < node->n_parts; i++) {
        NodeFacts facts;
        TRY(infer_facts(builder, node->parts[i], &facts));
        TRY(plan_known(builder, node->parts[i], &facts));
    }
    return STRIDER_OK;
}

static Status plan_nodes(PlanBuilder *builder) {
    Plan *plan = builder->plan;
    const Graph *graph = plan->graph;
    for (plan->end_node = builder->request->first_node; plan->end_node < graph->n_nodes; plan->end_node++) {
        const Node *node = graph->nodes[plan->end_node];
        NodeFacts facts;
        TRY(infer_facts(builder, node, &facts));
        if (!outputs_are_known(node, facts.outputs))
            break;
        TRY(is_one_piece(node, &facts) ? plan_known(builder, node, &facts) : plan_parts(builder, node));
    }
    return STRIDER_OK;
}

/* Values that the rest of the graph or the caller reads must lie somewhere in plain layout, for as long as
 * the plan's memory is there; outputs in the plan's own memory, as callers keep neither inputs nor constants
 * for it. */
static Status require_result(PlanBuilder *builder, const Value *value, bool is_output) {
    int slot;
    size_t offset;
    Plan *plan = builder->plan;
    TRY(plan_require(builder, value, host_plain, &slot));
    const Slot *root = &plan->slots[plan_root(plan, slot, &offset)];
    if (is_output && root->kind != SLOT_ARENA) {
        int copy;
        Step *step = NULL;
        TRY(plan_add_slot(builder, SLOT_ARENA, &plan->types[value->index], host_plain, &copy));
        TRY(plan_add_step(builder, NULL, 1, 1, &step));
        step->kernel = "copy";
        step->input_slots[0] = slot;
        step->output_slots[0] = copy;
        PrepareContext prepare = plan_prepare_context(builder, HOST);
        TRY(cpu_prepare_copy(plan->slots[copy].size_bytes, &prepare, &step->instance));
        plan->plain_slots[value->index] = copy;
    }
    return STRIDER_OK;
}

static Status require_results(PlanBuilder *builder) {
    const Plan *plan = builder->plan;
    const Graph *graph = plan->graph;
    builder->at_end = true;
    for (size_t i = plan->end_node; i < graph->n_nodes; i++)
        for (int port = 0; port < graph->nodes[i]->n_inputs; port++) {
            const Value *value = graph->nodes[i]->inputs[port];
            if (value && !value->constant && plan->types[value->index].dtype)
                TRY(require_result(builder, value, false));
        }
    for (size_t i = 0; i < graph->n_outputs; i++)
        if (plan->types[graph->outputs[i]->index].dtype)
            TRY(require_result(builder, graph->outputs[i], true));
    return STRIDER_OK;
}

static Status take_given(PlanBuilder *builder) {
    Plan *plan = builder->plan;
    const Graph *graph = plan->graph;
    for (size_t i = 0; i < graph->n_values; i++) {
        const Value *value = graph->values[i];
        const Given *given = &builder->request->given[i];
        plan->plain_slots[i] = builder->blocked_slots[i] = NO_SLOT;
        for (int device = HOST + 1; device < plan->n_devices; device++)
            builder->device_slots[device][i] = NO_SLOT;
        if (value->constant) {
            plan->types[i] = value->constant->type;
            plan->contents[i] = value->constant;
        } else if (given->present) {
            if (given->type.dtype)
                TRY(check_size(builder, value, &given->type));
            plan->types[i] = given->type;
            plan->contents[i] = given->contents;
            if (given->contents && !given->data)
                continue;
            SlotKind kind = given->data ? SLOT_FIXED : SLOT_EXTERNAL;
            TRY(plan_add_slot(builder, kind, &given->type, host_plain, &plan->plain_slots[i]));
            plan->slots[plan->plain_slots[i]].fixed = given->data;
        } else {
            plan->types[i] = type_of(STRIDER_DTYPE_NONE, shape_unknown());
        }
    }
    for (size_t i = 0; i < graph->n_inputs; i++) {
        int slot = plan->plain_slots[graph->inputs[i]->index];
        if (slot != NO_SLOT && plan->slots[slot].kind == SLOT_EXTERNAL)
            plan->slots[slot].input = (int)i;
    }
    return STRIDER_OK;
}

static Status fill_plan(PlanBuilder *builder) {
    Plan *plan = builder->plan;
    size_t n = plan->graph->n_values;
    plan->types = region_alloc_array(&plan->region, n, sizeof *plan->types);
    plan->plain_slots = region_alloc_array(&plan->region, n, sizeof *plan->plain_slots);
    plan->contents = region_alloc_array(&plan->region, n, sizeof *plan->contents);
    builder->blocked_slots = region_alloc_array(&builder->scratch, n, sizeof *builder->blocked_slots);
    if (!plan->types || !plan->plain_slots || !plan->contents || !builder->blocked_slots)
        return fail_memory(builder->err, bytes_of(sizeof *plan->types, n).n, "the plan");
    for (int i = HOST + 1; i < plan->n_devices; i++) {
        builder->device_slots[i] = region_alloc_array(&builder->scratch, n, sizeof(int));
        if (!builder->device_slots[i])
            return fail_memory(builder->err, bytes_of(sizeof(int), n).n, "the plan");
    }
    TRY(take_given(builder));
    TRY(plan_nodes(builder));
    TRY(require_results(builder));
    return plan_place(builder);
}

/* Below some 20 microseconds of work, by rough figures of products and bytes in a nanosecond, starting
 * threads and meeting after each step takes longer than they save. */
static bool is_small(const Plan *plan) {
    uint64_t macs = 0, tasks = 0;
    for (size_t i = 0; i < plan->n_steps; i++)
        if (plan->steps[i].kind == STEP_TASKS) {
            macs += plan->steps[i].macs;
            tasks++;
        }
    return !tasks || (double)macs / 56 + (double)plan->activation_bytes[HOST] / 8 < 20000;
}

Status plan_make(const PlanRequest *request, Plan **plan, Error *err) {
    *plan = NULL;
    Plan *made = memory_alloc_zeroed(&request->budget->allocator, 1, sizeof *made);
    if (!made)
        return fail_memory(err, sizeof *made, "the plan");
    region_init(&made->region, &request->budget->allocator, 0);
    made->graph = request->graph;
    made->n_devices = request->n_devices;
    for (int i = 0; i < request->n_devices; i++)
        made->devices[i] = request->devices[i].device;
    PlanBuilder builder = {.request = request, .plan = made, .err = err};
    region_init(&builder.scratch, &request->budget->allocator, 0);
    Status status = fill_plan(&builder);
    pack_fill_pending(request->devices[HOST].packs, request->threads);
    region_free(&builder.scratch);
    if (status) {
        plan_free(made);
        return status;
    }
    made->is_small = is_small(made);
    *plan = made;
    return STRIDER_OK;
}

void plan_forget_recording(Plan *plan) {
    Device *device = plan->devices[plan->recording.device];
    if (plan->recording.made)
        device->forget(device, plan->recording.made);
    plan->recording.made = NULL;
}

void plan_free(Plan *plan) {
    if (!plan)
        return;
    plan_forget_recording(plan);
    const Allocator *allocator = plan->region.allocator;
    for (size_t i = 0; i < plan->n_steps; i++)
        if (plan->steps[i].instance.discard)
            plan->steps[i].instance.discard(plan->steps[i].instance.args);
    for (int i = 0; i < plan->n_devices; i++)
        pack_cache_free(&plan->computed[i]);
    tensor_list_free(&plan->tensors);
    region_free(&plan->region);
    memory_free(allocator, plan);
}
