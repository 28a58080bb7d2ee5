/* SPDX-License-Identifier: Apache-2.0 */
#include "run/session_devices.h"

#include <string.h>

#include "run/devices.h"
#include "run/session_bindings.h"

static PlanDevice *other_device(strider_session *session) {
    return session->target.n_devices > 1 ? &session->target.devices[HOST + 1] : NULL;
}

Status session_open_devices(strider_session *session, Error *err) {
    const strider_session_options *options = &session->options;
    const strider_model *model = session->model;
    const DeviceOptions wanted = {.allow_tf32 = options->allow_tf32,
                                  .allow_nondeterministic = options->allow_nondeterministic,
                                  .max_workspace_bytes = options->max_workspace_bytes,
                                  .allocator = session->allocator};
    Device *device;
    session->target.devices[HOST] = (PlanDevice){&session->host, (PackCache *)&model->packs};
    session->target.n_devices = 1;
    session->plans = (PlanCache *)&model->plans;
    TRY(devices_open(options->device, &wanted, &model->log, &device, err));
    session->may_leave_device = options->device && strcmp(options->device, "auto") == 0;
    session->options.device = NULL; /* the caller's string may go */
    if (!device)
        return STRIDER_OK;
    session->target.devices[session->target.n_devices++] = (PlanDevice){device, &session->device_packs};
    plan_cache_init(&session->device_plans, model->allocator);
    session->plans = &session->device_plans;
    const PackMemory memory = device_pack_memory(device);
    return pack_cache_init(&session->device_packs, &memory, err);
}

void session_close_devices(strider_session *session) {
    const PlanDevice *other = other_device(session);
    if (!other)
        return;
    Device *device = other->device;
    device->release(device, session->arenas[HOST + 1]);
    session->arenas[HOST + 1] = NULL;
    session->arena_bytes[HOST + 1] = 0;
    pack_cache_free(&session->device_packs);
    device->close(device);
    plan_cache_free(&session->device_plans);
    session->plans = (PlanCache *)&session->model->plans;
    session->target.devices[HOST + 1] = (PlanDevice){0};
    session->target.n_devices = 1;
}

/* --- lack of memory --- */

static size_t largest_workspace(const Plan *plan) {
    size_t largest = 0;
    for (size_t i = 0; i < plan->n_steps; i++)
        if (plan->steps[i].device != HOST && plan->steps[i].instance.workspace_bytes.n > largest)
            largest = plan->steps[i].instance.workspace_bytes.n;
    return largest;
}

/* Whether a plan with smaller workspaces is worth trying: the one that did not fit is dropped for it, and the
 * device's limit lowered until restore_workspaces(). */
static bool shrink_workspaces(strider_session *session, Binding *binding) {
    const PlanDevice *other = other_device(session);
    if (!other || !binding || !other->device->was_full)
        return false;
    Device *device = other->device;
    const size_t largest = largest_workspace(binding->plan);
    if (!largest || !device->max_workspace_bytes)
        return false;
    device->max_workspace_bytes =
        (largest < device->max_workspace_bytes ? largest : device->max_workspace_bytes) / 2;
    device->was_full = false;
    session_drop_binding(session, binding);
    return true;
}

static void restore_workspaces(strider_session *session) {
    const PlanDevice *other = other_device(session);
    if (other)
        other->device->max_workspace_bytes = session->options.max_workspace_bytes;
}

bool session_leave_device(strider_session *session, const Error *err) {
    const PlanDevice *other = other_device(session);
    if (!other || !other->device->was_full)
        return false;
    other->device->was_full = false;
    if (!session->may_leave_device)
        return false;
    log_warning(&session->model->log, "running on the CPU: %s", err ? err->message : "the device is full");
    session_drop_bindings(session);
    session_close_devices(session);
    return true;
}

Status session_bind_on_devices(strider_session *session, const PlanKey *key, Binding **binding, Error *err) {
    Status status;
    do {
        *binding = NULL;
        status = session_bind(session, key, binding, err);
    } while (status == STRIDER_OUT_OF_MEMORY &&
             (shrink_workspaces(session, *binding) || session_leave_device(session, err)));
    restore_workspaces(session);
    return status;
}
