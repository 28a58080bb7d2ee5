/* SPDX-License-Identifier: Apache-2.0 */
#include "run/interpreter.h"

#include <inttypes.h>

#include "base/clock.h"
#include "graph/evaluate.h"
#include "run/executor.h"
#include "run/session_devices.h"

static Status no_memory(Error *err) {
    return fail(err, STRIDER_OUT_OF_MEMORY, "out of memory for a run");
}

/* --- partitions --- */

/* What a run brings to a plan.  All that does not depend on the plan is there before it is asked for, so that
 * it counts in what the plan promises. */
typedef struct Brought {
    Type *types; /* of inputs */
    const Tensor **contents;
    const void **inputs;
    void **outputs;
    RunValue **values; /* of outputs */
} Brought;

static Status open_brought(strider_session *session, const Partition *partition, Brought *brought,
                           Error *err) {
    const Allocator *allocator = &session->pool.allocator;
    const size_t n_in = partition->n_inputs, n_out = partition->n_outputs;
    brought->types = memory_alloc_zeroed(allocator, n_in, sizeof *brought->types);
    brought->contents = memory_alloc_zeroed(allocator, n_in, sizeof *brought->contents);
    brought->inputs = memory_alloc_zeroed(allocator, n_in, sizeof *brought->inputs);
    brought->outputs = memory_alloc_zeroed(allocator, n_out, sizeof *brought->outputs);
    brought->values = memory_alloc_zeroed(allocator, n_out, sizeof *brought->values);
    if (!brought->types || !brought->contents || !brought->inputs || !brought->outputs || !brought->values)
        return no_memory(err);
    for (size_t i = 0; i < n_out; i++)
        TRY(run_value_wrap(allocator, (Tensor){0}, &brought->values[i], err));
    return STRIDER_OK;
}

static void close_brought(strider_session *session, const Partition *partition, Brought *brought) {
    const Allocator *allocator = &session->pool.allocator;
    for (size_t i = 0; brought->values && i < partition->n_outputs; i++)
        run_value_release(brought->values[i]);
    memory_free(allocator, brought->types);
    memory_free(allocator, brought->contents);
    memory_free(allocator, brought->inputs);
    memory_free(allocator, brought->outputs);
    memory_free(allocator, brought->values);
}

static Status read_inputs(const ProgramItem *item, const Frame *frame, Brought *brought, Error *err) {
    const Partition *partition = &item->partition;
    for (size_t i = 0; i < partition->n_inputs; i++) {
        const RunValue *value = frame->cells[item->inputs[i]];
        if (!value || value->kind != VALUE_TENSOR)
            return fail(err, STRIDER_INVALID_ARGUMENT, "value \"%s\" is no tensor",
                        partition->inputs[i].value->name);
        brought->types[i] = value->tensor.type;
        brought->inputs[i] = value->tensor.data;
        if (partition->inputs[i].shapes)
            brought->contents[i] = &value->tensor;
    }
    return STRIDER_OK;
}

/* Memory for what the partition makes: the plan's own for the last one, else the frame's. */
static Status bring_outputs(strider_session *session, const ProgramItem *item, const Binding *binding,
                            Brought *brought, Error *err) {
    const Plan *plan = binding->plan;
    for (int i = 0; i < item->n_outputs; i++) {
        const Type *type = &plan->buffers[plan->outputs[i]].type;
        Tensor *tensor = &brought->values[i]->tensor;
        if (item->partition.is_last)
            *tensor =
                tensor_view(type->dtype, &type->shape, (void *)binding_address(binding, plan->outputs[i]));
        else
            TRY(tensor_alloc(tensor, &session->pool.allocator, type->dtype, &type->shape, err));
        brought->outputs[i] = tensor->data;
    }
    return STRIDER_OK;
}

static void keep_outputs(const ProgramItem *item, Frame *frame, Brought *brought) {
    for (int i = 0; i < item->n_outputs; i++) {
        frame->cells[item->outputs[i]] = brought->values[i];
        brought->values[i] = NULL;
    }
}

static Status run_brought(strider_session *session, const ProgramItem *item, Frame *frame, Brought *brought,
                          Binding **binding, Error *err) {
    const PlanKey key = {&item->partition, brought->types, brought->contents, &session->target};
    TRY(read_inputs(item, frame, brought, err));
    TRY(session_bind_on_devices(session, &key, binding, err));
    TRY(bring_outputs(session, item, *binding, brought, err));
    binding_bring(*binding, brought->inputs, brought->outputs);
    const Execution execution = {.plan = (*binding)->plan,
                                 .binding = *binding,
                                 .arenas = session->arenas,
                                 .scratch = session->scratch,
                                 .scratch_stride = session->scratch_stride,
                                 .threads = session->options.threads,
                                 .strings = &session->strings,
                                 .profile = session->profiling,
                                 .record = session->options.record_runs};
    TRY(execute(&execution, err));
    keep_outputs(item, frame, brought);
    return STRIDER_OK;
}

static Status run_partition(strider_session *session, const ProgramItem *item, Frame *frame,
                            Binding **binding, Error *err) {
    Brought brought = {0};
    Status status = open_brought(session, &item->partition, &brought, err);
    if (!status)
        status = run_brought(session, item, frame, &brought, binding, err);
    close_brought(session, &item->partition, &brought);
    return status;
}

/* With the session's inputs. */
static void enter_program(const strider_session *session, Frame *frame) {
    for (size_t i = 0; i < frame->program->graph->n_inputs; i++)
        frame_set_input(frame, i, run_value_hold(session->inputs[session->chosen->inputs[i]]));
}

Status interpret_nothing(strider_session *session, Error *err) {
    const Program *program = session->chosen->program;
    const ProgramItem *first = program->items;
    Brought brought = {0};
    Binding *binding;
    session->n_trace = 0;
    if (!program->n_items || first->kind != ITEM_PARTITION)
        return STRIDER_OK;
    for (size_t i = 0; i < first->partition.n_inputs; i++)
        if (first->partition.inputs[i].shapes)
            return STRIDER_OK;
    Frame frame;
    TRY(frame_open(&frame, program, &session->pool.allocator, err));
    enter_program(session, &frame);
    Status status = open_brought(session, &first->partition, &brought, err);
    const PlanKey key = {&first->partition, brought.types, brought.contents, &session->target};
    if (!status)
        status = read_inputs(first, &frame, &brought, err);
    if (!status)
        status = session_bind_on_devices(session, &key, &binding, err);
    close_brought(session, &first->partition, &brought);
    frame_close(&frame);
    TRY(status);
    session->trace[session->n_trace++] = (Trace){.binding = binding};
    return STRIDER_OK;
}

/* --- nodes that run by themselves --- */

Status session_constant(strider_session *session, const Value *value, Tensor *view, Error *err) {
    const Tensor *constant = value->constant;
    const void *data = constant->data;
    if (constant->unaligned)
        TRY(pack_as_it_is(session->target.devices[HOST].packs, constant, budget_left(&session->budget), &data,
                          err));
    *view = tensor_view(constant->type.dtype, &constant->type.shape, (void *)data);
    return STRIDER_OK;
}

/* The node's inputs, each with a reference of the list's. */
static Status hold_inputs(strider_session *session, const ProgramItem *item, const Frame *frame,
                          RunValue **values, Error *err) {
    for (int i = 0; i < item->n_inputs; i++) {
        const Value *value = item->node->inputs[i];
        Tensor view;
        if (item->inputs[i] != NO_CELL) {
            values[i] = run_value_hold(frame->cells[item->inputs[i]]);
        } else if (value) {
            TRY(session_constant(session, value, &view, err));
            TRY(run_value_wrap(&session->pool.allocator, view, &values[i], err));
        }
    }
    return STRIDER_OK;
}

static Status evaluate(strider_session *session, const ProgramItem *item, RunValue *const *values,
                       Frame *frame, Error *err) {
    const Allocator *allocator = &session->pool.allocator;
    const Node *node = item->node;
    const size_t n_in = (size_t)node->n_inputs, n_out = (size_t)node->n_outputs;
    Region region;
    region_init(&region, allocator, 0);
    ValueType *types = region_alloc_array(&region, n_in + n_out, sizeof *types);
    Tensor *outputs = region_alloc_array(&region, n_out, sizeof *outputs);
    const Tensor **inputs = region_alloc_array(&region, n_in, sizeof *inputs);
    Status status = types && outputs && inputs ? STRIDER_OK : no_memory(err);
    for (size_t i = 0; !status && i < n_in; i++) {
        types[i] = values[i] ? value_type_tensor(values[i]->tensor.type) : value_type_unknown();
        inputs[i] = values[i] ? &values[i]->tensor : NULL;
    }
    if (!status)
        status = node_infer(node, types, inputs, &(SymbolTable){.region = &region}, types + n_in, err);
    if (!status)
        status = node_evaluate_in_run(node, inputs, types + n_in, outputs, allocator, &session->strings, err);
    for (size_t i = 0; !status && i < n_out; i++)
        if (node->outputs[i])
            status = run_value_wrap(allocator, outputs[i], &frame->cells[item->outputs[i]], err);
    region_free(&region);
    return status;
}

/* --- bodies --- */

static Status interpret(strider_session *session, Frame *frame, Error *err);

/* A call of Op.host(), as HostContext.call sees it. */
typedef struct HostCall {
    HostContext context; /* the first, so that a pointer to it is one to all */
    strider_session *session;
    const ProgramItem *item;
    RunValue *const *captures;
} HostCall;

/* References to the inputs go over to the frame. */
static void enter_body(Frame *frame, RunValue *const *inputs, RunValue *const *captures, int n_captures) {
    const size_t n = frame->program->graph->n_inputs, n_own = n - (size_t)n_captures;
    for (size_t i = 0; i < n; i++)
        frame_set_input(frame, i, i < n_own ? inputs[i] : run_value_hold(captures[i - n_own]));
}

static Status leave_body(strider_session *session, const Frame *frame, RunValue **outputs, Error *err) {
    const Program *program = frame->program;
    const Graph *graph = program->graph;
    for (size_t i = 0; i < graph->n_outputs; i++) {
        Tensor view;
        if (program->outputs[i] != NO_CELL) {
            outputs[i] = run_value_hold(frame->cells[program->outputs[i]]);
            continue;
        }
        TRY(session_constant(session, graph->outputs[i], &view, err));
        TRY(run_value_wrap(&session->pool.allocator, view, &outputs[i], err));
    }
    return STRIDER_OK;
}

static Status count_body_run(strider_session *session, const HostContext *context) {
    const uint64_t most = session->options.max_body_runs;
    if (session->body_runs >= most)
        return node_fail(context->node, context->err, STRIDER_LIMIT_EXCEEDED,
                         "bodies have run %" PRIu64 " times, which is the limit (max_body_runs)", most);
    session->body_runs++;
    return STRIDER_OK;
}

static Status call_body(HostContext *context, int index, RunValue *const *inputs, RunValue **outputs) {
    const HostCall *call = (const HostCall *)context;
    strider_session *session = call->session;
    const Program *body = call->item->bodies[index];
    const int n_captures = call->item->node->n_captures;
    Frame frame = {0};
    Status status = count_body_run(session, context);
    if (!status)
        status = frame_open(&frame, body, &session->pool.allocator, context->err);
    if (status) {
        for (int i = 0; i < (int)body->graph->n_inputs - n_captures; i++)
            run_value_release(inputs[i]);
        return status;
    }
    enter_body(&frame, inputs, call->captures, n_captures);
    status = interpret(session, &frame, context->err);
    if (!status)
        status = leave_body(session, &frame, outputs, context->err);
    for (size_t i = 0; status && i < body->graph->n_outputs; i++) {
        run_value_release(outputs[i]);
        outputs[i] = NULL;
    }
    frame_close(&frame);
    return status;
}

static Status run_host(strider_session *session, const ProgramItem *item, RunValue *const *values,
                       Frame *frame, Error *err) {
    const Allocator *allocator = &session->pool.allocator;
    const Node *node = item->node;
    const int n_own = node->n_inputs - node->n_captures;
    RunValue **outputs = memory_alloc_zeroed(allocator, (size_t)node->n_outputs, sizeof *outputs);
    if (!outputs)
        return no_memory(err);
    HostCall call = {.context = {.node = node,
                                 .n_inputs = n_own,
                                 .n_outputs = node->n_outputs,
                                 .inputs = values,
                                 .outputs = outputs,
                                 .allocator = allocator,
                                 .call = call_body,
                                 .err = err},
                     .session = session,
                     .item = item,
                     .captures = values + n_own};
    const Status status = node->op->host(&call.context);
    for (int i = 0; i < node->n_outputs; i++) {
        if (!status && item->outputs[i] != NO_CELL)
            frame->cells[item->outputs[i]] = outputs[i];
        else
            run_value_release(outputs[i]);
    }
    memory_free(allocator, outputs);
    return status;
}

static Status run_alone(strider_session *session, const ProgramItem *item, Frame *frame, Error *err) {
    const Allocator *allocator = &session->pool.allocator;
    RunValue **values = memory_alloc_zeroed(allocator, (size_t)item->n_inputs, sizeof *values);
    if (!values)
        return no_memory(err);
    Status status = hold_inputs(session, item, frame, values, err);
    /* What the node reads last is its to change, so the frame holds it no longer. */
    frame_let_go(frame, item);
    if (!status)
        status = item->kind == ITEM_HOST ? run_host(session, item, values, frame, err)
                                         : evaluate(session, item, values, frame, err);
    for (int i = 0; i < item->n_inputs; i++)
        run_value_release(values[i]);
    memory_free(allocator, values);
    return status;
}

/* --- programs --- */

static Status run_item(strider_session *session, const ProgramItem *item, Frame *frame, Trace *trace,
                       Error *err) {
    if (item->kind == ITEM_PARTITION)
        return run_partition(session, item, frame, &trace->binding, err);
    const uint64_t before = session->profiling ? clock_ns() : 0;
    trace->node = item->node;
    TRY(run_alone(session, item, frame, err));
    trace->time_ns = session->profiling ? clock_ns() - before : 0;
    return STRIDER_OK;
}

static Status interpret(strider_session *session, Frame *frame, Error *err) {
    const Program *program = frame->program;
    const bool is_main = program == session->chosen->program;
    if (is_main)
        session->n_trace = 0;
    for (size_t i = 0; i < program->n_items; i++) {
        const ProgramItem *item = &program->items[i];
        Trace trace = {0};
        TRY(run_item(session, item, frame, &trace, err));
        if (is_main)
            session->trace[session->n_trace++] = trace;
        frame_let_go(frame, item);
    }
    return STRIDER_OK;
}

Status interpret_chosen(strider_session *session, Frame *frame, Error *err) {
    session->body_runs = 0;
    TRY(frame_open(frame, session->chosen->program, &session->pool.allocator, err));
    enter_program(session, frame);
    return interpret(session, frame, err);
}
