/* SPDX-License-Identifier: Apache-2.0 */
#include "run/session.h"

#include <string.h>

#include "base/size.h"
#include "run/interpreter.h"
#include "run/session_bindings.h"
#include "run/session_devices.h"
#include "run/session_memory.h"
#include "run/session_values.h"

strider_session_options strider_session_options_default(void) {
    return (strider_session_options){.struct_size = sizeof(strider_session_options),
                                     .max_cached_plans = 16,
                                     .max_body_runs = 10000000,
                                     .max_layer_error = 1e-5,
                                     .max_workspace_bytes = (uint64_t)1 << 30};
}

/* What the caller is told: whether it was the limit or the system that refused memory. */
static Status within_budget(strider_session *session, Status status, Error *err) {
    return budget_status(&session->budget, status, "max_memory_bytes", err);
}

/* --- sessions --- */

static Status alloc_lists(strider_session *session, Error *err) {
    const strider_model *model = session->model;
    const Allocator *allocator = session->allocator;
    const size_t n_partitions = (size_t)model->n_partitions;
    size_t n_items = model->fixed.program->n_items;
    if (model->overridable.program && model->overridable.program->n_items > n_items)
        n_items = model->overridable.program->n_items;
    session->bindings = memory_alloc_zeroed(allocator, n_partitions, sizeof *session->bindings);
    session->n_partitions = session->bindings ? n_partitions : 0;
    session->trace = memory_alloc_zeroed(allocator, n_items, sizeof *session->trace);
    session->given = memory_alloc_zeroed(allocator, model->border->n_inputs, sizeof *session->given);
    session->inputs = memory_alloc_zeroed(allocator, model->border->n_inputs, sizeof *session->inputs);
    session->views = memory_alloc_zeroed(allocator, model->border->n_inputs, sizeof *session->views);
    session->results = memory_alloc_zeroed(allocator, model->border->n_outputs, sizeof *session->results);
    region_init(&session->shown, &session->pool.allocator, 0);
    region_init(&session->strings, &session->pool.allocator, 0);
    return session->bindings && session->trace && session->given && session->inputs && session->views &&
                   session->results
               ? STRIDER_OK
               : fail(err, STRIDER_OUT_OF_MEMORY, "out of memory for a session");
}

static void release_results(strider_session *session) {
    for (size_t i = 0; session->results && i < session->model->border->n_outputs; i++) {
        run_value_release(session->results[i]);
        session->results[i] = NULL;
    }
}

/* What the last run left. */
static void drop_results(strider_session *session) {
    release_results(session);
    region_free(&session->shown);
    region_init(&session->shown, &session->pool.allocator, 0);
    region_free(&session->strings);
    region_init(&session->strings, &session->pool.allocator, 0);
    values_drop(session);
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
                                .cpu = cpu_target(),
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
    region_free(&session->shown);
    region_free(&session->strings);
    session_drop_bindings(session);
    for (size_t i = 0; session->bindings && i < session->n_partitions; i++)
        memory_free(allocator, session->bindings[i].items);
    session_close_devices(session);
    session_release_memory(session);
    memory_free(allocator, session->bindings);
    memory_free(allocator, session->trace);
    memory_free(allocator, session->given);
    memory_free(allocator, session->inputs);
    memory_free(allocator, session->views);
    memory_free(allocator, session->results);
    budget_free(&session->budget);
    memory_free(session->model->allocator, session);
}

/* --- preparing --- */

static void give_tensors(strider_session *session, const strider_tensor *tensors, size_t count) {
    for (size_t i = 0; i < session->model->border->n_inputs; i++)
        session->given[i] = (strider_value){.tensor = i < count ? tensors[i] : (strider_tensor){0}};
}

static Status check_count(const strider_session *session, size_t count, Error *err) {
    const size_t most = session->model->border->n_inputs;
    return count > most
               ? fail(err, STRIDER_INVALID_ARGUMENT, "%zu inputs given, the model takes %zu", count, most)
               : STRIDER_OK;
}

strider_status strider_session_prepare(strider_session *session, const strider_tensor *inputs,
                                       size_t input_count, strider_error *error) {
    TRY(check_count(session, input_count, error));
    give_tensors(session, inputs, input_count);
    TRY(values_check(session, false, error));
    drop_results(session);
    Status status = values_bring(session, error);
    if (!status)
        status = interpret_nothing(session, error);
    session->is_prepared = !status;
    return within_budget(session, status, error);
}

/* --- running --- */

static Status run_once(strider_session *session, Error *err) {
    Frame frame;
    Status status = interpret_chosen(session, &frame, err);
    for (size_t i = 0; !status && i < frame.program->graph->n_outputs; i++)
        status = values_take_result(session, &frame, i, err);
    frame_close(&frame);
    return status;
}

/* Once more on the host where a device's memory did not suffice in the run. */
static Status run_again(strider_session *session, Error *err) {
    Status status = run_once(session, err);
    if (status == STRIDER_OUT_OF_MEMORY && session_leave_device(session, err)) {
        release_results(session);
        status = run_once(session, err);
    }
    return status;
}

/* On session->given. */
static Status run(strider_session *session, size_t input_count, size_t output_count, Error *err) {
    const Graph *border = session->model->border;
    if (output_count != border->n_outputs)
        return fail(err, STRIDER_INVALID_ARGUMENT, "%zu outputs asked for, the model has %zu", output_count,
                    border->n_outputs);
    TRY(check_count(session, input_count, err));
    TRY(values_check(session, true, err));
    drop_results(session);
    Status status = values_bring(session, err);
    if (!status)
        status = run_again(session, err);
    session->is_prepared = !status;
    return within_budget(session, status, err);
}

strider_status strider_session_run(strider_session *session, const strider_tensor *inputs, size_t input_count,
                                   strider_tensor *outputs, size_t output_count, strider_error *error) {
    give_tensors(session, inputs, input_count);
    TRY(run(session, input_count, output_count, error));
    for (size_t i = 0; i < output_count; i++)
        TRY(values_show_tensor(session, i, &outputs[i], error));
    return STRIDER_OK;
}

strider_status strider_session_run_values(strider_session *session, const strider_value *inputs,
                                          size_t input_count, strider_value *outputs, size_t output_count,
                                          strider_error *error) {
    for (size_t i = 0; i < session->model->border->n_inputs; i++)
        session->given[i] = i < input_count ? inputs[i] : (strider_value){0};
    TRY(run(session, input_count, output_count, error));
    Status status = STRIDER_OK;
    for (size_t i = 0; i < output_count && !status; i++)
        status = values_show(session, i, &outputs[i], error);
    return within_budget(session, status, error);
}
