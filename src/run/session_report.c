/* SPDX-License-Identifier: Apache-2.0 */
/* What a session tells of the plans of its last run. */
#include <string.h>

#include "base/size.h"
#include "graph/evaluate.h"
#include "plan/buffer.h"
#include "run/session_memory.h"

static void count_device(const Plan *plan, strider_plan_info *info) {
    for (size_t i = 0; i < plan->n_steps; i++) {
        const Step *step = &plan->steps[i];
        if (step->kind == STEP_UPLOAD) {
            info->upload_count++;
            info->upload_bytes += step->size_bytes;
        } else if (step->kind == STEP_DOWNLOAD) {
            info->download_count++;
            info->download_bytes += step->size_bytes;
        } else if (step->device != HOST && step->instance.workspace_bytes.n > info->device_workspace_bytes) {
            info->device_workspace_bytes = step->instance.workspace_bytes.n;
        }
    }
}

static uint64_t larger(uint64_t a, uint64_t b) {
    return a > b ? a : b;
}

/* Partitions run one after the other in the same arena. */
static void count_plan(const strider_session *session, const Binding *binding, strider_plan_info *info) {
    const Plan *plan = binding->plan;
    info->step_count += plan->n_steps;
    info->macs += plan->macs;
    info->arena_bytes = larger(info->arena_bytes, plan->arena_bytes[HOST]);
    info->activation_bytes += plan->activation_bytes[HOST];
    info->packed_bytes += plan->packed_bytes;
    if (session->target.n_devices < 2)
        return;
    info->device_arena_bytes = larger(info->device_arena_bytes, plan->arena_bytes[HOST + 1]);
    info->device_weight_bytes += plan->computed[HOST + 1].total_bytes;
    count_device(plan, info);
    if (binding->recording.work.state == RECORDING_READY)
        info->recorded_steps += binding->recording.last_step - binding->recording.first_step + 1;
}

strider_status strider_session_get_plan(const strider_session *session, strider_plan_info *info) {
    if (!session->is_prepared)
        return STRIDER_INVALID_ARGUMENT;
    const PlanTarget *target = &session->target;
    *info = (strider_plan_info){.scratch_bytes = session->scratch_bytes,
                                .memory_bytes = session->promised_bytes,
                                .peak_memory_bytes = session_peak(session),
                                .threads = session->options.threads,
                                .isa = target->cpu->name,
                                .device = target->devices[target->n_devices - 1].device->name};
    if (target->n_devices > 1)
        info->device_weight_bytes = session->device_packs.total_bytes;
    for (size_t i = 0; i < session->n_trace; i++) {
        if (session->trace[i].binding)
            count_plan(session, session->trace[i].binding, info);
        else
            info->step_count++;
    }
    return STRIDER_OK;
}

/* --- steps --- */

/* Where step `index` of the last run is: *step is NULL where a node ran by itself. */
static const Trace *find_step(const strider_session *session, size_t index, const Step **step, size_t *at) {
    for (size_t i = 0; session->is_prepared && i < session->n_trace; i++) {
        const Trace *trace = &session->trace[i];
        const size_t n = trace->binding ? trace->binding->plan->n_steps : 1;
        if (index < n) {
            *at = index;
            *step = trace->binding ? &trace->binding->plan->steps[index] : NULL;
            return trace;
        }
        index -= n;
    }
    return NULL;
}

static int first_output(const Step *step) {
    for (int i = 0; i < step->n_outputs; i++)
        if (step->outputs[i] != NO_BUFFER)
            return step->outputs[i];
    return NO_BUFFER;
}

static void describe_output(const Plan *plan, int output, strider_step_info *info) {
    size_t offset;
    const Buffer *buffer = &plan->buffers[output];
    const Buffer *root = &plan->buffers[buffer_root(plan, output, &offset)];
    info->output.dtype = buffer->type.dtype;
    info->output.rank = buffer->type.shape.rank;
    memcpy(info->output.dims, buffer->type.shape.dims, sizeof info->output.dims);
    info->output_bytes = buffer->size_bytes;
    layout_text(buffer->type.shape.rank, buffer->layout, info->layout);
    if (root->kind == BUFFER_ARENA)
        info->arena_offset = root->arena_offset + offset;
}

/* In the graph that callers see: with inputs that take the place of defaults another one runs. */
static int64_t number_of(const strider_session *session, const Node *node) {
    return node && session->chosen == &session->model->fixed ? node->index : -1;
}

static void describe_node(const strider_session *session, const Trace *trace, strider_step_info *info) {
    if (!trace->node)
        return; /* a plan that was dropped since */
    *info = (strider_step_info){.name = trace->node->name,
                                .op_type = trace->node->op->name,
                                .kernel = node_is_for_host(trace->node) ? "host" : "reference",
                                .device = "cpu",
                                .node = number_of(session, trace->node),
                                .tasks = 1,
                                .arena_offset = UINT64_MAX,
                                .time_ns = trace->time_ns};
}

strider_status strider_session_get_step(const strider_session *session, size_t index,
                                        strider_step_info *info) {
    const Step *step;
    size_t at;
    const Trace *trace = find_step(session, index, &step, &at);
    if (!trace)
        return STRIDER_INVALID_ARGUMENT;
    *info = (strider_step_info){.name = "", .op_type = "", .kernel = "", .device = "cpu", .node = -1};
    if (!step) {
        describe_node(session, trace, info);
        return STRIDER_OK;
    }
    const Plan *plan = trace->binding->plan;
    *info = (strider_step_info){.name = step->node ? step->node->name : step->kernel,
                                .op_type = step->node ? step->node->op->name : "",
                                .kernel = step->kernel,
                                .device = plan->devices[step->device]->name,
                                .node = number_of(session, step->node),
                                .tasks = step->instance.tasks,
                                .macs = step->macs,
                                .arena_offset = UINT64_MAX,
                                .time_ns = trace->binding->steps[at].time_ns};
    const int output = first_output(step);
    if (output != NO_BUFFER)
        describe_output(plan, output, info);
    return STRIDER_OK;
}

strider_status strider_session_read_step(strider_session *session, size_t index, void *data,
                                         strider_error *error) {
    const Step *step;
    size_t at;
    const Trace *trace = find_step(session, index, &step, &at);
    if (!trace || !step || !session->options.keep_values || session->n_trace > 1)
        return fail(error, STRIDER_INVALID_ARGUMENT, "there is no step %zu whose output was kept", index);
    const int output = first_output(step);
    if (output == NO_BUFFER)
        return fail(error, STRIDER_INVALID_ARGUMENT, "step %zu (%s) has no output", index, step->kernel);
    const Plan *plan = trace->binding->plan;
    const Buffer *buffer = &plan->buffers[output];
    const void *from = NULL;
    for (int i = 0; i < step->n_outputs; i++)
        if (step->outputs[i] == output)
            from = trace->binding->steps[at].outputs[i];
    Device *device = plan->devices[buffer->space];
    if (!device->is_host) { /* where all is plain */
        TRY(device_download(device, data, from, buffer->size_bytes, error));
        return device_synchronize(device, error);
    }
    layout_to_plain(&buffer->type, buffer->layout, from, data);
    return STRIDER_OK;
}

void strider_session_set_profiling(strider_session *session, bool on) {
    session->profiling = on;
}
