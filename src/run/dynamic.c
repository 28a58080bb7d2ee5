/* SPDX-License-Identifier: Apache-2.0 */
#include "run/dynamic.h"

#include <string.h>

#include "base/size.h"
#include "graph/evaluate.h"
#include "graph/op.h"

/* Integer tensors up to this size may be shapes, so their contents take part in planning. */
enum { MAX_SHAPE_BYTES = 64 * 1024 };

void dynamic_reset(strider_session *session) {
    for (size_t i = 0; i < session->n_segments; i++) {
        plan_free(session->segments[i].plan);
        session_release_arenas(session, session->segments[i].arenas);
    }
    tensor_list_free(&session->tensors);
    region_free(&session->run_region);
    session->segments = NULL;
    session->n_segments = session->segments_capacity = 0;
}

static Status give_value(strider_session *session, Given *given, const Type *type, void *data, Error *err) {
    *given = (Given){.present = true, .type = *type, .data = data};
    size_t size_bytes;
    if (!dtype_is_integer(type->dtype) || !type_size(type, &size_bytes) || size_bytes > MAX_SHAPE_BYTES)
        return STRIDER_OK;
    Tensor *contents = region_alloc(&session->run_region, sizeof *contents);
    if (!contents)
        return fail_memory(err, sizeof *contents, "a run");
    *contents = tensor_view(type->dtype, &type->shape, data);
    given->contents = contents;
    return STRIDER_OK;
}

/* What a plan that has run leaves for the nodes behind it. */
static Status collect_given(strider_session *session, const Plan *plan, char *const *arenas, Given *given,
                            Error *err) {
    const Graph *graph = plan->graph;
    for (size_t n = plan->end_node; n < graph->n_nodes; n++)
        for (int port = 0; port < graph->nodes[n]->n_inputs; port++) {
            const Value *value = graph->nodes[n]->inputs[port];
            if (!value || value->constant || given[value->index].present)
                continue;
            if (plan->plain_slots[value->index] != NO_SLOT)
                TRY(give_value(session, &given[value->index], &plan->types[value->index],
                               plan_address(plan, plan->plain_slots[value->index], arenas, session->inputs),
                               err));
            else if (plan->contents[value->index])
                given[value->index] = (Given){.present = true,
                                              .type = plan->types[value->index],
                                              .contents = plan->contents[value->index],
                                              .data = plan->contents[value->index]->data};
        }
    return STRIDER_OK;
}

/* Runs one node on its reference kernel, which finds out the shapes of its outputs. */
static Status evaluate_border(strider_session *session, const Node *node, Given *given, Error *err) {
    Region *region = &session->run_region;
    size_t n_in = (size_t)node->n_inputs, n_out = (size_t)node->n_outputs;
    ValueType *types = region_alloc_array(region, n_in + n_out, sizeof *types);
    Tensor *views = region_alloc_array(region, n_in, sizeof *views),
           *outputs = region_alloc_array(region, n_out, sizeof *outputs);
    const Tensor **inputs = region_alloc_array(region, n_in, sizeof *inputs);
    if (!types || !views || !outputs || !inputs)
        return fail_memory(err, bytes_of(sizeof *views, n_in).n, "a run");
    for (size_t i = 0; i < n_in; i++) {
        const Value *value = node->inputs[i];
        types[i] = value_type_unknown();
        if (!value)
            continue;
        if (value->constant) {
            views[i] = *value->constant;
            if (views[i].unaligned) {
                const void *data;
                PrepareContext prepare = session_prepare_context(session, err);
                TRY(pack_plain(&prepare, value->constant, &data));
                views[i] = tensor_view(views[i].type.dtype, &views[i].type.shape, (void *)data);
            }
        } else {
            const Given *there = &given[value->index];
            views[i] = tensor_view(there->type.dtype, &there->type.shape, (void *)there->data);
        }
        types[i] = value_type_tensor(views[i].type);
        inputs[i] = &views[i];
    }
    SymbolTable symbols = {.region = region};
    TRY(node_infer(node, types, inputs, &symbols, types + n_in, err));
    TRY(node_evaluate(node, inputs, types + n_in, outputs, session->allocator, err));
    for (size_t i = 0; i < n_out; i++) {
        const Tensor *kept = NULL;
        if (!node->outputs[i])
            continue;
        TRY(tensor_list_add(&session->tensors, region, outputs[i], &kept, err));
        TRY(give_value(session, &given[node->outputs[i]->index], &kept->type, kept->data, err));
    }
    return STRIDER_OK;
}

static Status run_segment(strider_session *session, Plan *plan, Error *err) {
    if (!region_grow(&session->run_region, &session->segments, session->n_segments,
                     &session->segments_capacity, sizeof *session->segments)) {
        plan_free(plan);
        return fail_memory(err, sizeof *session->segments, "a run");
    }
    Segment *segment = &session->segments[session->n_segments++];
    *segment = (Segment){.plan = plan};
    size_t have[MAX_DEVICES] = {0};
    TRY(session_reserve_arenas(session, plan, segment->arenas, have, err));
    TRY(session_reserve_scratch(session, plan, err));
    const Execution execution = session_execution(session, plan, segment->arenas);
    return execute(&execution, err);
}

Status dynamic_run(strider_session *session, Error *err) {
    const Graph *graph = session->current->graph;
    const Plan *last = session->current;
    char *const *arenas = session->arenas;
    if (last->end_node == graph->n_nodes)
        return STRIDER_OK;
    Given *given = region_alloc_array(&session->run_region, graph->n_values, sizeof *given);
    if (!given)
        return fail_memory(err, bytes_of(sizeof *given, graph->n_values).n, "a run");
    for (size_t next = last->end_node; next < graph->n_nodes || last->end_node < graph->n_nodes;) {
        TRY(collect_given(session, last, arenas, given, err));
        PlanRequest request = session_plan_request(session, given, next);
        Plan *plan;
        TRY(plan_make(&request, &plan, err));
        bool stuck = plan->end_node == next && next < graph->n_nodes;
        TRY(run_segment(session, plan, err));
        last = plan;
        arenas = session->segments[session->n_segments - 1].arenas;
        next = plan->end_node;
        if (stuck) {
            TRY(evaluate_border(session, graph->nodes[next], given, err));
            next++;
        }
    }
    return STRIDER_OK;
}
