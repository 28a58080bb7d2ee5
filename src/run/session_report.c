/* SPDX-License-Identifier: Apache-2.0 */
/* What a session tells of its plan and of the last run. */
#include <string.h>

#include "graph/op.h"
#include "run/session.h"

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

strider_status strider_session_get_plan(const strider_session *session, strider_plan_info *info) {
    const Plan *plan = session->current;
    if (!plan)
        return STRIDER_INVALID_ARGUMENT;
    *info = (strider_plan_info){.step_count = plan->n_steps,
                                .macs = plan->macs,
                                .arena_bytes = plan->arena_bytes[HOST],
                                .activation_bytes = plan->activation_bytes[HOST],
                                .packed_bytes = plan->packed_bytes,
                                .scratch_bytes = session->scratch_bytes,
                                .memory_bytes = session->promised_bytes,
                                .peak_memory_bytes = session_peak(session),
                                .threads = session->options.threads,
                                .isa = isa_name(session->isa),
                                .device = session->devices[session->n_devices - 1].device->name};
    if (session->n_devices > 1) {
        info->device_arena_bytes = plan->arena_bytes[1];
        info->device_weight_bytes = session->device_packs.total_bytes + plan->computed[1].total_bytes;
        count_device(plan, info);
        if (plan->recording.made)
            info->recorded_steps = plan->recording.last_step - plan->recording.first_step + 1;
    }
    return STRIDER_OK;
}

strider_status strider_session_get_step(const strider_session *session, size_t index,
                                        strider_step_info *info) {
    const Plan *plan = session->current;
    if (!plan || index >= plan->n_steps)
        return STRIDER_INVALID_ARGUMENT;
    const Step *step = &plan->steps[index];
    *info = (strider_step_info){.name = step->node ? step->node->name : step->kernel,
                                .op_type = step->node ? step->node->op->name : "",
                                .kernel = step->kernel,
                                .device = plan->devices[step->device]->name,
                                .node = step->node ? step->node->index : -1,
                                .tasks = step->instance.tasks,
                                .macs = step->macs,
                                .arena_offset = UINT64_MAX,
                                .time_ns = step->time_ns};
    for (int i = 0; i < step->n_outputs; i++) {
        if (step->output_slots[i] == NO_SLOT)
            continue;
        size_t offset;
        const Slot *slot = &plan->slots[step->output_slots[i]];
        const Slot *root = &plan->slots[plan_root(plan, step->output_slots[i], &offset)];
        info->output.dtype = slot->type.dtype;
        info->output.rank = slot->type.shape.rank;
        memcpy(info->output.dims, slot->type.shape.dims, sizeof info->output.dims);
        info->output_bytes = slot->size_bytes;
        layout_text(slot->type.shape.rank, slot->place.layout, info->layout);
        if (root->kind == SLOT_ARENA)
            info->arena_offset = root->arena_offset + offset;
        break;
    }
    return STRIDER_OK;
}

strider_status strider_session_read_step(strider_session *session, size_t index, void *data,
                                         strider_error *error) {
    const Plan *plan = session->current;
    if (!plan || index >= plan->n_steps || !session->options.keep_values)
        return fail(error, STRIDER_INVALID_ARGUMENT, "there is no step %zu whose output was kept", index);
    const Step *step = &plan->steps[index];
    int port = 0;
    while (port < step->n_outputs && step->output_slots[port] == NO_SLOT)
        port++;
    if (port == step->n_outputs)
        return fail(error, STRIDER_INVALID_ARGUMENT, "step %zu (%s) has no output", index, step->kernel);
    const Slot *slot = &plan->slots[step->output_slots[port]];
    const void *from = plan_address(plan, step->output_slots[port], session->arenas, session->inputs);
    Device *device = plan->devices[slot->place.device];
    if (!device->is_host) {
        TRY(device->download(device, data, from, slot->size_bytes, error));
        return device->synchronize(device, error);
    }
    memcpy(data, from, slot->size_bytes);
    return STRIDER_OK;
}

void strider_session_set_profiling(strider_session *session, bool on) {
    session->profiling = on;
}
