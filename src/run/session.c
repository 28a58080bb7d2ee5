/* SPDX-License-Identifier: Apache-2.0 */
#include "run/session.h"

#include <string.h>

#include "base/size.h"
#include "run/interpreter.h"
#include "run/session_bindings.h"
#include "run/session_devices.h"
#include "run/session_memory.h"

strider_session_options strider_session_options_default(void) {
    return (strider_session_options){.struct_size = sizeof(strider_session_options),
                                     .max_cached_plans = 16,
                                     .max_layer_error = 3e-5,
                                     .max_workspace_bytes = (uint64_t)1 << 30};
}

/* What the caller is told: whether it was the limit or the system that refused memory. */
static Status within_budget(strider_session *session, Status status, Error *err) {
    return budget_status(&session->budget, status, "max_memory_bytes", err);
}

/* --- sessions --- */

static Status alloc_lists(strider_session *session, Error *err) {
    const Program *program = session->model->program;
    const Allocator *allocator = session->allocator;
    const size_t n_partitions = (size_t)program->n_partitions;
    session->bindings = memory_alloc_zeroed(allocator, n_partitions, sizeof *session->bindings);
    session->n_partitions = session->bindings ? n_partitions : 0;
    session->trace = memory_alloc_zeroed(allocator, program->n_items, sizeof *session->trace);
    session->inputs = memory_alloc_zeroed(allocator, program->graph->n_inputs, sizeof *session->inputs);
    session->results = memory_alloc_zeroed(allocator, program->graph->n_outputs, sizeof *session->results);
    return session->bindings && session->trace && session->inputs && session->results
               ? STRIDER_OK
               : fail(err, STRIDER_OUT_OF_MEMORY, "out of memory for a session");
}

/* What the last run left. */
static void drop_results(strider_session *session) {
    for (size_t i = 0; session->results && i < session->model->graph->n_outputs; i++) {
        run_value_release(session->results[i]);
        session->results[i] = NULL;
    }
    session->n_trace = 0;
    session->is_prepared = false;
}

strider_status strider_session_create(const strider_model *model, const strider_session_options *options,
                                      strider_session **session, strider_error *error) {
    enum { MAX_THREADS = 1024 };
    *session = NULL;
    strider_session_options used = options ? *options : strider_session_options_default();
    if (used.struct_size != sizeof used || used.threads < 0 || used.threads > MAX_THREADS ||
        !(used.max_layer_error >= 0) || used.max_cached_plans < 1)
        return fail(error, STRIDER_INVALID_ARGUMENT, "invalid session options");
    strider_session *made = memory_alloc_zeroed(model->allocator, 1, sizeof *made);
    if (!made)
        return fail_memory(error, sizeof *made, "a session");
    made->model = model;
    made->options = used;
    if (!used.threads)
        made->options.threads = cpu_count();
    session_open_budget(made);
    made->target = (PlanTarget){.reference = used.reference,
                                .isa = isa_chosen(),
                                .max_layer_error = used.max_layer_error,
                                .keep_values = used.keep_values,
                                .shapes = model->shapes,
                                .tuning = used.tuning};
    Status status = alloc_lists(made, error);
    if (!status)
        status = session_open_devices(made, error);
    if (status) {
        status = within_budget(made, status, error);
        strider_session_free(made);
        return status;
    }
    *session = made;
    return STRIDER_OK;
}

void strider_session_free(strider_session *session) {
    if (!session)
        return;
    const Allocator *allocator = session->allocator;
    drop_results(session);
    session_drop_bindings(session);
    for (size_t i = 0; session->bindings && i < session->n_partitions; i++)
        memory_free(allocator, session->bindings[i].items);
    session_close_devices(session);
    session_release_memory(session);
    memory_free(allocator, session->bindings);
    memory_free(allocator, session->trace);
    memory_free(allocator, session->inputs);
    memory_free(allocator, session->results);
    budget_free(&session->budget);
    memory_free(session->model->allocator, session);
}

/* --- inputs --- */

static Status check_input(const Value *value, const strider_tensor *input, Error *err) {
    const ValueType *declared = &value->declared;
    if (!input->dtype) {
        if (value->default_value)
            return STRIDER_OK;
        return fail(err, STRIDER_INVALID_ARGUMENT, "input \"%s\" is missing", value->name);
    }
    if (strider_tensor_elements(input) < 0 || !dtype_size(input->dtype))
        return fail(err, STRIDER_INVALID_ARGUMENT, "input \"%s\" is not a valid tensor", value->name);
    if (declared->dtype && input->dtype != declared->dtype)
        return fail(err, STRIDER_INVALID_ARGUMENT, "input \"%s\" is %s, the model wants %s", value->name,
                    dtype_name(input->dtype), dtype_name(declared->dtype));
    Shape shape = shape_make(input->rank, input->dims);
    if (!shape_agrees(&declared->shape, &shape)) {
        char got[SHAPE_TEXT], wanted[SHAPE_TEXT];
        return fail(err, STRIDER_INVALID_ARGUMENT, "input \"%s\" has shape %s, the model wants %s",
                    value->name, shape_text(&shape, got), shape_text(&declared->shape, wanted));
    }
    return STRIDER_OK;
}

static Status check_inputs(const strider_session *session, const strider_tensor *inputs, size_t count,
                           Error *err) {
    const Graph *graph = session->model->graph;
    if (count > graph->n_inputs)
        return fail(err, STRIDER_INVALID_ARGUMENT, "%zu inputs given, the model takes %zu", count,
                    graph->n_inputs);
    for (size_t i = 0; i < graph->n_inputs; i++) {
        strider_tensor absent = {0};
        TRY(check_input(graph->inputs[i], i < count ? &inputs[i] : &absent, err));
    }
    return STRIDER_OK;
}

/* Where inputs lie that have no elements, or no data while preparing: pointers to NULL may not be moved. */
static char no_elements[MEMORY_ALIGNMENT];

/* A value that is never freed and, as the caller's, never changed. */
static RunValue view_of(Tensor tensor) {
    return (RunValue){.references = 2, .kind = VALUE_TENSOR, .tensor = tensor};
}

/* Puts the run's inputs together: what the caller gave, else the model's default. */
static Status bring_inputs(strider_session *session, const strider_tensor *inputs, size_t count, Error *err) {
    const Graph *graph = session->model->graph;
    for (size_t i = 0; i < graph->n_inputs; i++) {
        Tensor view;
        if (i < count && inputs[i].dtype) {
            const Shape shape = shape_make(inputs[i].rank, inputs[i].dims);
            view = tensor_view(inputs[i].dtype, &shape, inputs[i].data ? inputs[i].data : no_elements);
        } else {
            const Value value = {.constant = graph->inputs[i]->default_value};
            TRY(session_constant(session, &value, &view, err));
        }
        session->inputs[i] = view_of(view);
    }
    return STRIDER_OK;
}

/* --- preparing --- */

strider_status strider_session_prepare(strider_session *session, const strider_tensor *inputs,
                                       size_t input_count, strider_error *error) {
    TRY(check_inputs(session, inputs, input_count, error));
    drop_results(session);
    Status status = bring_inputs(session, inputs, input_count, error);
    if (!status)
        status = interpret_nothing(session, error);
    session->is_prepared = !status;
    return within_budget(session, status, error);
}

/* --- running --- */

static Status check_output(const Value *value, const Type *type, const strider_tensor *output, Error *err) {
    Shape shape = shape_make(output->rank, output->dims);
    if (output->dtype == type->dtype && output->rank >= 0 && output->rank <= MAX_RANK &&
        shape_equal(&shape, &type->shape))
        return STRIDER_OK;
    char text[SHAPE_TEXT];
    return fail(err, STRIDER_INVALID_ARGUMENT, "the buffer for output \"%s\" must be %s %s", value->name,
                dtype_name(type->dtype), shape_text(&type->shape, text));
}

static strider_tensor public_tensor(const Tensor *tensor) {
    strider_tensor result = {
        .dtype = tensor->type.dtype, .rank = tensor->type.shape.rank, .data = tensor->data};
    memcpy(result.dims, tensor->type.shape.dims, sizeof result.dims);
    return result;
}

static Status give_output(const strider_session *session, size_t index, strider_tensor *output, Error *err) {
    const Value *value = session->model->graph->outputs[index];
    const RunValue *result = session->results[index];
    void *wanted = output->data;
    if (result->kind != VALUE_TENSOR)
        return fail(err, STRIDER_INVALID_ARGUMENT,
                    "output \"%s\" is no tensor: use strider_session_run_values()", value->name);
    const Tensor *tensor = &result->tensor;
    if (wanted) {
        TRY(check_output(value, &tensor->type, output, err));
        if (tensor->size_bytes)
            memcpy(wanted, tensor->data, tensor->size_bytes);
    }
    *output = public_tensor(tensor);
    if (wanted)
        output->data = wanted;
    return STRIDER_OK;
}

static Status copy_tensor(strider_session *session, const Tensor *from, RunValue **copy, Error *err) {
    TRY(run_value_new_tensor(&session->pool.allocator, from->type.dtype, &from->type.shape, copy, err));
    if (from->size_bytes)
        memcpy((*copy)->tensor.data, from->data, from->size_bytes);
    return STRIDER_OK;
}

/* Results lie in the session's memory: constants and the caller's own inputs are copied. */
static Status take_result(strider_session *session, const Frame *frame, size_t index, Error *err) {
    const Value *value = session->model->graph->outputs[index];
    const int cell = frame->program->outputs[index];
    Tensor view;
    if (cell != NO_CELL && !(value->is_input && frame->cells[cell]->kind == VALUE_TENSOR)) {
        session->results[index] = run_value_hold(frame->cells[cell]);
        return STRIDER_OK;
    }
    if (cell != NO_CELL)
        view = frame->cells[cell]->tensor;
    else
        TRY(session_constant(session, value, &view, err));
    return copy_tensor(session, &view, &session->results[index], err);
}

static Status run_frame(strider_session *session, Frame *frame, Error *err) {
    const Program *program = frame->program;
    for (size_t i = 0; i < program->graph->n_inputs; i++)
        if (program->inputs[i] != NO_CELL)
            frame->cells[program->inputs[i]] = run_value_hold(&session->inputs[i]);
    TRY(interpret(session, frame, err));
    for (size_t i = 0; i < program->graph->n_outputs; i++)
        TRY(take_result(session, frame, i, err));
    return STRIDER_OK;
}

static Status run_once(strider_session *session, Error *err) {
    Frame frame;
    Status status = frame_open(session, session->model->program, &frame, err);
    if (!status)
        status = run_frame(session, &frame, err);
    frame_close(session, &frame);
    return status;
}

/* Once more on the host where a device's memory did not suffice in the run. */
static Status run(strider_session *session, Error *err) {
    Status status = run_once(session, err);
    if (status == STRIDER_OUT_OF_MEMORY && session_leave_device(session, err)) {
        drop_results(session);
        status = run_once(session, err);
    }
    session->is_prepared = !status;
    return within_budget(session, status, err);
}

strider_status strider_session_run(strider_session *session, const strider_tensor *inputs, size_t input_count,
                                   strider_tensor *outputs, size_t output_count, strider_error *error) {
    const Graph *graph = session->model->graph;
    if (output_count != graph->n_outputs)
        return fail(error, STRIDER_INVALID_ARGUMENT, "%zu outputs asked for, the model has %zu", output_count,
                    graph->n_outputs);
    for (size_t i = 0; i < input_count && i < graph->n_inputs; i++)
        if (inputs[i].dtype && !inputs[i].data && strider_tensor_elements(&inputs[i]) != 0)
            return fail(error, STRIDER_INVALID_ARGUMENT, "input \"%s\" has no data", graph->inputs[i]->name);
    TRY(check_inputs(session, inputs, input_count, error));
    drop_results(session);
    TRY(within_budget(session, bring_inputs(session, inputs, input_count, error), error));
    TRY(run(session, error));
    for (size_t i = 0; i < graph->n_outputs; i++)
        TRY(give_output(session, i, &outputs[i], error));
    return STRIDER_OK;
}
