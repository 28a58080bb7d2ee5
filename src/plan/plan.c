/* SPDX-License-Identifier: Apache-2.0 */
/* Walks the partition in order: what can be computed from types alone is computed here, all else becomes
 * steps. */
#include "plan/plan.h"

#include <string.h>

#include "base/size.h"
#include "graph/evaluate.h"
#include "plan/choose.h"
#include "plan/memory.h"
#include "plan/transfer.h"

/* Contents that planning computes though no shape follows from them; more than this is left to a run. */
enum { MAX_PLANNED_BYTES = 1 << 20 };

/* Kernels are never asked about tensors that no arena could hold: their arithmetic on sizes may rely on it.
 */
static Status check_size(PlanBuilder *builder, const Value *value, const Type *type) {
    size_t size_bytes;
    const uint64_t most = builder->request->budget->limit_bytes; /* of the whole session */
    if (type_size(type, &size_bytes) && size_bytes <= most && size_bytes < INT64_MAX / 256)
        return STRIDER_OK;
    char text[SHAPE_TEXT];
    return fail(builder->err, STRIDER_LIMIT_EXCEEDED,
                "value \"%s\" of shape %s needs more than the limit of %llu bytes (max_memory_bytes)",
                value->name, shape_text(&type->shape, text), (unsigned long long)most);
}

/* --- what is known of a node --- */

/* While it is planned; arrays in the builder's scratch region. */
typedef struct NodeFacts {
    ValueType *inputs, *outputs;
    const Tensor **contents; /* of inputs; may be unaligned */
} NodeFacts;

/* infer() and references read contents directly, which a mapped file's alignment does not allow. */
static Status aligned(PlanBuilder *builder, const Tensor **contents) {
    if (!*contents || !(*contents)->unaligned)
        return STRIDER_OK;
    Tensor *copy = region_alloc(&builder->scratch, sizeof *copy);
    void *data = region_alloc(&builder->scratch, (*contents)->size_bytes);
    if (!copy || !data)
        return builder_no_memory(builder);
    memcpy(data, (*contents)->data, (*contents)->size_bytes);
    *copy = tensor_view((*contents)->type.dtype, &(*contents)->type.shape, data);
    *contents = copy;
    return STRIDER_OK;
}

static Status collect_facts(PlanBuilder *builder, const Node *node, NodeFacts *facts) {
    Region *scratch = &builder->scratch;
    facts->inputs = region_alloc_array(scratch, (size_t)node->n_inputs, sizeof(ValueType));
    facts->outputs = region_alloc_array(scratch, (size_t)node->n_outputs, sizeof(ValueType));
    facts->contents = region_alloc_array(scratch, (size_t)node->n_inputs, sizeof(Tensor *));
    if (!facts->inputs || !facts->outputs || !facts->contents)
        return builder_no_memory(builder);
    for (int i = 0; i < node->n_inputs; i++) {
        const Value *value = node->inputs[i];
        facts->inputs[i] = value ? value_type_tensor(*builder_type(builder, value)) : value_type_unknown();
        facts->contents[i] = value ? *builder_contents(builder, value) : NULL;
        if (node_reads(node, i))
            TRY(aligned(builder, &facts->contents[i]));
    }
    return STRIDER_OK;
}

/* What is known of a node, with the types of its outputs. */
static Status infer_facts(PlanBuilder *builder, const Node *node, NodeFacts *facts) {
    TRY(collect_facts(builder, node, facts));
    TRY(node_infer(node, facts->inputs, facts->contents, &(SymbolTable){.region = &builder->scratch},
                   facts->outputs, builder->err));
    for (int i = 0; i < node->n_outputs; i++)
        if (node->outputs[i] && !value_type_is_known(&facts->outputs[i])) {
            char text[VALUE_TYPE_TEXT];
            return node_fail(node, builder->err, STRIDER_UNSUPPORTED,
                             "output \"%s\" is %s for these inputs: it cannot be planned",
                             node->outputs[i]->name, value_type_text(&facts->outputs[i], text));
        }
    return STRIDER_OK;
}

/* --- contents --- */

/* Whether the contents of the node's outputs follow from what is known now. */
static bool can_compute(const Node *node, const NodeFacts *facts) {
    if (node_waits_for_run(node) || node->op->flags & OP_DATA_DEPENDENT)
        return false;
    const bool by_shape = (node->op->flags & OP_SHAPE_ONLY) != 0;
    for (int i = 0; i < node->n_inputs; i++)
        if (node->inputs[i] && !facts->contents[i] && !(by_shape && i == 0))
            return false;
    return true;
}

/* Whether they are worth it: shapes follow from them, or they are small. */
static bool should_compute(const PlanBuilder *builder, const Node *node, const NodeFacts *facts) {
    const Partition *partition = builder->plan->partition;
    size_t total = 0, size_bytes;
    for (int i = 0; i < node->n_outputs; i++) {
        if (!node->outputs[i])
            continue;
        if (partition->shapes[partition_find(partition, node->outputs[i])])
            return true;
        if (!type_size(&facts->outputs[i].tensor, &size_bytes) || !size_add(total, size_bytes, &total))
            return false;
    }
    return total <= MAX_PLANNED_BYTES;
}

static Status compute(PlanBuilder *builder, const Node *node, const NodeFacts *facts) {
    Plan *plan = builder->plan;
    const Tensor **inputs = region_alloc_array(&builder->scratch, (size_t)node->n_inputs, sizeof *inputs);
    Tensor *outputs = region_alloc_array(&builder->scratch, (size_t)node->n_outputs, sizeof *outputs);
    Tensor *shape_only = region_alloc(&builder->scratch, sizeof *shape_only);
    if (!inputs || !outputs || !shape_only)
        return builder_no_memory(builder);
    for (int i = 0; i < node->n_inputs; i++) {
        inputs[i] = facts->contents[i];
        TRY(aligned(builder, &inputs[i]));
    }
    if ((node->op->flags & OP_SHAPE_ONLY) && node->n_inputs && !inputs[0]) {
        *shape_only = (Tensor){.type = facts->inputs[0].tensor};
        inputs[0] = shape_only;
    }
    TRY(node_evaluate(node, inputs, facts->outputs, outputs, &plan->budget.allocator, builder->err));
    for (int i = 0; i < node->n_outputs; i++)
        if (node->outputs[i])
            TRY(tensor_list_add(&plan->tensors, &plan->region, outputs[i],
                                builder_contents(builder, node->outputs[i]), builder->err));
    return STRIDER_OK;
}

/* --- nodes --- */

/* ": " and the formula that a node's output shape follows from, where the declaration is its own. */
static const char *explain(const Node *node, const Node *declarer, const Shape *x,
                           char text[EXPLANATION_TEXT + 2]) {
    text[0] = '\0';
    if (node != declarer || !node->op->explain_shape || !node->op->strict_shape)
        return text;
    memcpy(text, ": ", 2);
    node->op->explain_shape(node, x, text + 2);
    return text;
}

/* Shapes that a model declares may only turn out wrong when open dimensions get their sizes.  What was fused
 * into a node is what the declaration of its output is about.  One warning stands for all of the plan's, and
 * none comes again with other plans. */
static Status compare_declared(PlanBuilder *builder, const Node *node, Value *value, const Shape *x,
                               const Type *type) {
    const PlanRequest *request = builder->request;
    char declared[SHAPE_TEXT], computed[SHAPE_TEXT], text[NODE_TEXT], formula[EXPLANATION_TEXT + 2];
    Node *declarer = value->declarer;
    if (!declarer || shape_agrees(&value->declared.shape, &type->shape))
        return STRIDER_OK;
    shape_text(&value->declared.shape, declared);
    shape_text(&type->shape, computed);
    explain(node, declarer, x, formula);
    if (declarer->op->strict_shape && builder->target->shapes == STRIDER_SHAPES_CHECK)
        return node_fail(declarer, builder->err, STRIDER_BAD_MODEL,
                         "output \"%s\" is declared as %s, but is %s for these inputs%s", value->name,
                         declared, computed, formula);
    if (node_tell_stale(declarer) && !builder->warned)
        log_warning(
            request->log,
            "%s: output \"%s\" is declared as %s, but is %s for these inputs%s; using the computed shape, "
            "here and further on",
            node_text(declarer, text), value->name, declared, computed, formula);
    builder->warned = true;
    return STRIDER_OK;
}

/* Contents or steps for a node whose outputs' types are known. */
static Status plan_known(PlanBuilder *builder, const Node *node, const NodeFacts *facts) {
    for (int i = 0; i < node->n_outputs; i++)
        if (node->outputs[i]) {
            const Type *type = &facts->outputs[i].tensor;
            *builder_type(builder, node->outputs[i]) = *type;
            TRY(check_size(builder, node->outputs[i], type));
            TRY(compare_declared(builder, node, node->outputs[i],
                                 node->n_inputs ? &facts->inputs[0].shape : NULL, type));
        }
    return can_compute(node, facts) && should_compute(builder, node, facts) ? compute(builder, node, facts)
                                                                            : choose_steps(builder, node);
}

/* Whether the shapes are as the pass assumed that made the node of parts: where it has a residual, that has
 * the shape of its output. */
static bool is_one_piece(const Node *node, const NodeFacts *facts) {
    const PostOp *residual = node_post_op(node, POST_RESIDUAL);
    return !node->n_parts || !residual ||
           shape_equal(&facts->inputs[residual->port].shape, &facts->outputs[0].shape);
}

static Status plan_parts(PlanBuilder *builder, const Node *node) {
    for (int i = 0; i < node->n_parts; i++) {
        NodeFacts facts;
        TRY(infer_facts(builder, node->parts[i], &facts));
        TRY(plan_known(builder, node->parts[i], &facts));
    }
    return STRIDER_OK;
}

static Status plan_nodes(PlanBuilder *builder) {
    const Partition *partition = builder->plan->partition;
    for (size_t i = 0; i < partition->n_nodes; i++) {
        const Node *node = partition->nodes[i];
        NodeFacts facts;
        const Status status = infer_facts(builder, node, &facts);
        if (status && (status != STRIDER_BAD_MODEL || !node->n_parts))
            return status;
        TRY(!status && is_one_piece(node, &facts) ? plan_known(builder, node, &facts)
                                                  : plan_parts(builder, node));
    }
    return STRIDER_OK;
}

/* --- results --- */

/* Makes the buffer of an output the memory that a run brings for it; false where other memory is in the way.
 */
static bool bring_output(Plan *plan, int buffer, int port) {
    size_t offset;
    Buffer *root = &plan->buffers[buffer_root(plan, buffer, &offset)];
    if (root->kind != BUFFER_ARENA || offset || root->size_bytes != plan->buffers[buffer].size_bytes ||
        root->space != HOST)
        return false;
    root->kind = BUFFER_OUTPUT;
    root->port = port;
    return true;
}

static Status copy_output(PlanBuilder *builder, const Value *value, int from, int *copy) {
    Step *step = NULL;
    TRY(builder_add_buffer(builder, BUFFER_ARENA, builder_type(builder, value), HOST, layout_plain(), copy));
    TRY(builder_add_step(builder, NULL, 1, 1, &step));
    step->kernel = "copy";
    step->inputs[0] = from;
    step->outputs[0] = *copy;
    PrepareContext prepare = builder_prepare_context(builder, HOST);
    return cpu_prepare_copy(builder->plan->buffers[*copy].size_bytes, &prepare, &step->instance);
}

/* Outputs lie in plain layout in memory that lives on after the run: neither the caller's inputs nor
 * constants. Of the last partition that is the arena, since nothing writes to it before the next run; of
 * others it is memory that the run brings. */
static Status add_output(PlanBuilder *builder, const Value *value, int port) {
    Plan *plan = builder->plan;
    size_t offset;
    int *buffer = &plan->outputs[port];
    TRY(transfer(builder, value, HOST, layout_plain(), buffer));
    const bool in_arena = plan->buffers[buffer_root(plan, *buffer, &offset)].kind == BUFFER_ARENA;
    if (plan->partition->is_last ? in_arena : bring_output(plan, *buffer, port))
        return STRIDER_OK;
    TRY(copy_output(builder, value, *buffer, buffer));
    if (!plan->partition->is_last)
        bring_output(plan, *buffer, port);
    return STRIDER_OK;
}

static Status add_outputs(PlanBuilder *builder) {
    const Partition *partition = builder->plan->partition;
    builder->at_end = true;
    for (size_t i = 0; i < partition->n_outputs; i++)
        TRY(add_output(builder, partition->outputs[i], (int)i));
    return STRIDER_OK;
}

/* --- the whole --- */

static Status add_inputs(PlanBuilder *builder) {
    const Partition *partition = builder->plan->partition;
    for (size_t i = 0; i < partition->n_inputs; i++) {
        const PartitionInput *input = &partition->inputs[i];
        const Type *type = &builder->request->inputs[i];
        const int at = partition_find(partition, input->value);
        int buffer;
        TRY(check_size(builder, input->value, type));
        TRY(builder_add_buffer(builder, BUFFER_INPUT, type, HOST, layout_plain(), &buffer));
        builder->plan->buffers[buffer].port = (int)i;
        builder->plan->types[at] = *type;
        builder->plain[HOST][at] = buffer;
        if (input->shapes)
            builder->contents[at] = builder->request->contents[i];
    }
    return STRIDER_OK;
}

static Status alloc_values(PlanBuilder *builder) {
    Plan *plan = builder->plan;
    const Partition *partition = plan->partition;
    const size_t n = partition->n_values;
    plan->types = region_alloc_array(&plan->region, n, sizeof *plan->types);
    plan->outputs = region_alloc_array(&plan->region, partition->n_outputs, sizeof *plan->outputs);
    builder->contents = region_alloc_array(&builder->scratch, n, sizeof *builder->contents);
    builder->blocked = region_alloc_array(&builder->scratch, n, sizeof *builder->blocked);
    if (!plan->types || !plan->outputs || !builder->contents || !builder->blocked)
        return builder_no_memory(builder);
    for (int space = HOST; space < plan->n_devices; space++) {
        builder->plain[space] = region_alloc_array(&builder->scratch, n, sizeof(int));
        if (!builder->plain[space])
            return builder_no_memory(builder);
        for (size_t i = 0; i < n; i++)
            builder->plain[space][i] = NO_BUFFER;
    }
    for (size_t i = 0; i < n; i++) {
        const Tensor *constant = partition->values[i]->constant;
        builder->blocked[i] = NO_BUFFER;
        builder->contents[i] = constant;
        plan->types[i] = constant ? constant->type : type_of(STRIDER_DTYPE_NONE, shape_unknown());
    }
    return STRIDER_OK;
}

static Status fill_plan(PlanBuilder *builder) {
    TRY(alloc_values(builder));
    TRY(add_inputs(builder));
    TRY(plan_nodes(builder));
    TRY(add_outputs(builder));
    return place_buffers(builder);
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

static void destroy(Plan *plan) {
    const Allocator *allocator = plan->budget.parent;
    for (size_t i = 0; i < plan->n_steps; i++)
        if (plan->steps[i].instance.discard)
            plan->steps[i].instance.discard(plan->steps[i].instance.args);
    for (int i = 0; i < plan->n_devices; i++)
        pack_cache_free(&plan->computed[i]);
    tensor_list_free(&plan->tensors);
    region_free(&plan->region);
    budget_free(&plan->budget);
    memory_free(allocator, plan);
}

Status plan_make(const PlanRequest *request, const Plan **plan, Error *err) {
    const PlanTarget *target = request->target;
    *plan = NULL;
    Plan *made = memory_alloc_zeroed(request->allocator, 1, sizeof *made);
    if (!made)
        return fail_memory(err, sizeof *made, "the plan");
    budget_init_within(&made->budget, request->allocator, request->budget);
    region_init(&made->region, &made->budget.allocator, 0);
    made->partition = request->partition;
    made->n_devices = target->n_devices;
    for (int i = 0; i < target->n_devices; i++)
        made->devices[i] = target->devices[i].device;
    PlanBuilder builder = {.request = request, .target = target, .plan = made, .err = err};
    region_init(&builder.scratch, &made->budget.allocator, 0);
    const Status status = fill_plan(&builder);
    pack_fill_pending(target->devices[HOST].packs, request->threads);
    region_free(&builder.scratch);
    if (status) {
        destroy(made);
        return status;
    }
    made->is_small = is_small(made);
    budget_detach(&made->budget);
    *plan = made;
    return STRIDER_OK;
}

void plan_free(const Plan *plan) {
    if (plan)
        destroy((Plan *)plan);
}
