/* SPDX-License-Identifier: Apache-2.0 */
#include "run/session.h"

#include <stdio.h>
#include <string.h>

#include "base/size.h"
#include "graph/op.h"
#include "run/dynamic.h"

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
    made->isa = isa_chosen();
    if (!used.threads)
        made->options.threads = cpu_count();
    session_open_budget(made);
    const Allocator *allocator = made->allocator;
    region_init(&made->run_region, allocator, 0);
    made->plans = memory_alloc_zeroed(allocator, (size_t)used.max_cached_plans, sizeof *made->plans);
    made->inputs = memory_alloc_zeroed(allocator, model->loaded.graph.n_inputs, sizeof *made->inputs);
    Status status =
        made->plans && made->inputs
            ? session_open_devices(made, error)
            : fail_memory(error, bytes_of(sizeof *made->plans, used.max_cached_plans).n, "a session");
    if (status) {
        status = within_budget(made, status, error);
        strider_session_free(made);
        return status;
    }
    *session = made;
    return STRIDER_OK;
}

static void drop_plan(strider_session *session, CachedPlan *cached) {
    if (session->current == cached->plan)
        session->current = NULL;
    plan_free(cached->plan);
    memory_free(session->allocator, cached->inputs);
    *cached = (CachedPlan){0};
}

void session_drop_plans(strider_session *session) {
    while (session->n_plans)
        drop_plan(session, &session->plans[--session->n_plans]);
}

/* The last one takes its place. */
static void remove_plan(strider_session *session, CachedPlan *cached) {
    drop_plan(session, cached);
    *cached = session->plans[--session->n_plans];
}

void session_drop_current(strider_session *session) {
    size_t at = 0;
    while (session->plans[at].plan != session->current)
        at++;
    remove_plan(session, &session->plans[at]);
}

bool session_drop_oldest_plan(strider_session *session, const Plan *keep) {
    CachedPlan *oldest = NULL;
    for (size_t i = 0; i < session->n_plans; i++) {
        CachedPlan *cached = &session->plans[i];
        if (cached->plan != keep && cached->plan != session->current &&
            (!oldest || cached->last_used < oldest->last_used))
            oldest = cached;
    }
    if (!oldest)
        return false;
    remove_plan(session, oldest);
    return true;
}

void strider_session_free(strider_session *session) {
    if (!session)
        return;
    const Allocator *allocator = session->allocator;
    dynamic_reset(session);
    region_free(&session->run_region);
    session_drop_plans(session);
    memory_free(allocator, session->plans);
    memory_free(allocator, session->inputs);
    session_close_devices(session);
    session_release_arenas(session, session->arenas);
    memory_free(allocator, session->scratch);
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
    const Graph *graph = &session->model->loaded.graph;
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

/* Puts the run's inputs together: what the caller gave, else the model's default. */
static Status bind_inputs(strider_session *session, const strider_tensor *inputs, size_t count, Error *err) {
    const Graph *graph = &session->model->loaded.graph;
    for (size_t i = 0; i < graph->n_inputs; i++) {
        if (i < count && inputs[i].dtype) {
            session->inputs[i] = inputs[i];
            if (!inputs[i].data)
                session->inputs[i].data = no_elements;
            continue;
        }
        const Tensor *value = graph->inputs[i]->default_value;
        const void *data = value->data;
        if (value->unaligned) {
            PrepareContext prepare = session_prepare_context(session, err);
            TRY(pack_plain(&prepare, value, &data));
        }
        session->inputs[i] = (strider_tensor){
            .dtype = value->type.dtype, .rank = value->type.shape.rank, .data = (void *)data};
        memcpy(session->inputs[i].dims, value->type.shape.dims, sizeof session->inputs[i].dims);
    }
    return STRIDER_OK;
}

/* --- plans --- */

static Type input_type(const strider_tensor *input) {
    return type_of(input->dtype, shape_make(input->rank, input->dims));
}

static bool same_types(const strider_session *session, const CachedPlan *cached) {
    for (size_t i = 0; i < session->model->loaded.graph.n_inputs; i++) {
        Type type = input_type(&session->inputs[i]);
        if (cached->inputs[i].dtype != type.dtype || !shape_equal(&cached->inputs[i].shape, &type.shape))
            return false;
    }
    return true;
}

PrepareContext session_prepare_context(strider_session *session, Error *err) {
    const PlanDevice *host = &session->devices[HOST];
    return (PrepareContext){.packs = host->packs,
                            .device = host->device,
                            .max_pack_bytes = budget_left(&session->budget),
                            .err = err};
}

PlanRequest session_plan_request(strider_session *session, const Given *given, size_t first_node) {
    const strider_model *model = session->model;
    PlanRequest request = {.graph = &model->loaded.graph,
                           .given = given,
                           .first_node = first_node,
                           .reference = session->options.reference,
                           .isa = session->isa,
                           .threads = session->options.threads,
                           .max_layer_error = session->options.max_layer_error,
                           .budget = &session->budget,
                           .keep_values = session->options.keep_values,
                           .tuning = session->options.tuning,
                           .shapes = model->shapes,
                           .log = &model->log,
                           .n_devices = session->n_devices};
    memcpy(request.devices, session->devices, sizeof request.devices);
    return request;
}

static Status make_first_plan(strider_session *session, Plan **plan, Error *err) {
    const Graph *graph = &session->model->loaded.graph;
    Given *given = memory_alloc_zeroed(session->allocator, graph->n_values, sizeof *given);
    if (!given)
        return fail_memory(err, bytes_of(sizeof *given, graph->n_values).n, "the plan");
    for (size_t i = 0; i < graph->n_inputs; i++)
        given[graph->inputs[i]->index] = (Given){.present = true, .type = input_type(&session->inputs[i])};
    PlanRequest request = session_plan_request(session, given, 0);
    Status status = plan_make(&request, plan, err);
    memory_free(session->allocator, given);
    return status;
}

Execution session_execution(const strider_session *session, Plan *plan, char *const *arenas) {
    return (Execution){.plan = plan,
                       .arenas = arenas,
                       .scratch = session->scratch,
                       .scratch_stride = session->scratch_stride,
                       .inputs = session->inputs,
                       .threads = session->options.threads,
                       .profile = session->profiling,
                       .record = session->options.record_runs};
}

static Status store_plan(strider_session *session, Plan *plan, Error *err) {
    size_t n_inputs = session->model->loaded.graph.n_inputs;
    Type *types = memory_alloc_zeroed(session->allocator, n_inputs, sizeof *types);
    if (!types) {
        plan_free(plan);
        return fail_memory(err, bytes_of(sizeof *types, n_inputs).n, "the plan");
    }
    for (size_t i = 0; i < n_inputs; i++)
        types[i] = input_type(&session->inputs[i]);
    if (session->n_plans == (size_t)session->options.max_cached_plans)
        session_drop_oldest_plan(session, plan);
    session->plans[session->n_plans++] =
        (CachedPlan){.plan = plan, .inputs = types, .last_used = session->preparations};
    session->current = plan;
    return STRIDER_OK;
}

static Status find_plan(strider_session *session, Error *err) {
    session->preparations++;
    for (size_t i = 0; i < session->n_plans; i++)
        if (same_types(session, &session->plans[i])) {
            session->plans[i].last_used = session->preparations;
            session->current = session->plans[i].plan;
            return STRIDER_OK;
        }
    Plan *plan;
    TRY(make_first_plan(session, &plan, err));
    return store_plan(session, plan, err);
}

static Status prepare_once(strider_session *session, Error *err) {
    TRY(find_plan(session, err));
    TRY(session_reserve_arenas(session, session->current, session->arenas, session->arena_bytes, err));
    return session_reserve_scratch(session, session->current, err);
}

/* The plan for the inputs that are bound, and its memory. */
static Status prepare(strider_session *session, Error *err) {
    Status status;
    do {
        session->current = NULL;
        status = prepare_once(session, err);
    } while (status == STRIDER_OUT_OF_MEMORY &&
             (session_shrink_workspaces(session) || session_leave_device(session, err)));
    session_restore_workspaces(session);
    if (status)
        session->current = NULL;
    return status;
}

strider_status strider_session_prepare(strider_session *session, const strider_tensor *inputs,
                                       size_t input_count, strider_error *error) {
    TRY(check_inputs(session, inputs, input_count, error));
    dynamic_reset(session);
    Status status = bind_inputs(session, inputs, input_count, error);
    if (!status)
        status = prepare(session, error);
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

static Status give_output(const strider_session *session, const Value *value, strider_tensor *output,
                          Error *err) {
    const Plan *plan = session->current;
    char *const *arenas = session->arenas;
    for (size_t i = 0; i < session->n_segments && plan->plain_slots[value->index] == NO_SLOT; i++) {
        plan = session->segments[i].plan;
        arenas = session->segments[i].arenas;
    }
    const Type *type = &plan->types[value->index];
    const void *data = plan_address(plan, plan->plain_slots[value->index], arenas, session->inputs);
    size_t size_bytes = bytes_of(dtype_size(type->dtype), shape_elements(&type->shape)).n;
    void *wanted = output->data;
    if (wanted) {
        TRY(check_output(value, type, output, err));
        memcpy(wanted, data, size_bytes);
    }
    *output = (strider_tensor){
        .dtype = type->dtype, .rank = type->shape.rank, .data = wanted ? wanted : (void *)data};
    memcpy(output->dims, type->shape.dims, sizeof output->dims);
    return STRIDER_OK;
}

static Status run(strider_session *session, Error *err) {
    const Execution execution = session_execution(session, session->current, session->arenas);
    TRY(execute(&execution, err));
    return dynamic_run(session, err);
}

strider_status strider_session_run(strider_session *session, const strider_tensor *inputs, size_t input_count,
                                   strider_tensor *outputs, size_t output_count, strider_error *error) {
    const Graph *graph = &session->model->loaded.graph;
    if (output_count != graph->n_outputs)
        return fail(error, STRIDER_INVALID_ARGUMENT, "%zu outputs asked for, the model has %zu", output_count,
                    graph->n_outputs);
    for (size_t i = 0; i < input_count && i < graph->n_inputs; i++)
        if (inputs[i].dtype && !inputs[i].data && strider_tensor_elements(&inputs[i]) != 0)
            return fail(error, STRIDER_INVALID_ARGUMENT, "input \"%s\" has no data", graph->inputs[i]->name);
    TRY(strider_session_prepare(session, inputs, input_count, error));
    Status status = run(session, error);
    if (status == STRIDER_OUT_OF_MEMORY && session_leave_device(session, error)) {
        TRY(prepare(session, error));
        status = run(session, error);
    }
    TRY(within_budget(session, status, error));
    for (size_t i = 0; i < graph->n_outputs; i++)
        TRY(give_output(session, graph->outputs[i], &outputs[i], error));
    return STRIDER_OK;
}
