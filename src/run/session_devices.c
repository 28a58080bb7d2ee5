/* SPDX-License-Identifier: Apache-2.0 */
/* A session's devices, and its memory on them. */
#include <string.h>

#include "run/devices.h"
#include "run/dynamic.h"
#include "run/session.h"

Status session_open_devices(strider_session *session, Error *err) {
    const strider_session_options *options = &session->options;
    const strider_model *model = session->model;
    const DeviceOptions wanted = {.allow_tf32 = options->allow_tf32,
                                  .allow_nondeterministic = options->allow_nondeterministic,
                                  .max_workspace_bytes = options->max_workspace_bytes,
                                  .allocator = session->allocator};
    Device *device;
    session->devices[HOST] = (PlanDevice){&session->host, (PackCache *)&model->packs};
    session->n_devices = 1;
    TRY(devices_open(options->device, &wanted, &model->log, &device, err));
    session->may_leave_device = options->device && strcmp(options->device, "auto") == 0;
    session->options.device = NULL; /* the caller's string may go */
    if (!device)
        return STRIDER_OK;
    session->devices[session->n_devices++] = (PlanDevice){device, &session->device_packs};
    return pack_cache_init(&session->device_packs, device, err);
}

void session_close_devices(strider_session *session) {
    if (session->n_devices < 2)
        return;
    Device *device = session->devices[1].device;
    device->release(device, session->arenas[1]);
    session->arenas[1] = NULL;
    pack_cache_free(&session->device_packs);
    device->close(device);
    session->n_devices = 1;
}

/* --- lack of memory --- */

static size_t largest_workspace(const Plan *plan) {
    size_t largest = 0;
    for (size_t i = 0; i < plan->n_steps; i++)
        if (plan->steps[i].device != HOST && plan->steps[i].instance.workspace_bytes.n > largest)
            largest = plan->steps[i].instance.workspace_bytes.n;
    return largest;
}

bool session_shrink_workspaces(strider_session *session) {
    if (session->n_devices < 2 || !session->current || !session->devices[1].device->was_full)
        return false;
    Device *device = session->devices[1].device;
    const size_t largest = largest_workspace(session->current);
    if (!largest || !device->max_workspace_bytes)
        return false;
    device->max_workspace_bytes =
        (largest < device->max_workspace_bytes ? largest : device->max_workspace_bytes) / 2;
    device->was_full = false;
    session_drop_current(session);
    return true;
}

void session_restore_workspaces(strider_session *session) {
    if (session->n_devices > 1)
        session->devices[1].device->max_workspace_bytes = session->options.max_workspace_bytes;
}

bool session_leave_device(strider_session *session, const Error *err) {
    if (session->n_devices < 2 || !session->devices[1].device->was_full)
        return false;
    session->devices[1].device->was_full = false;
    if (!session->may_leave_device)
        return false;
    log_warning(&session->model->log, "running on the CPU: %s", err->message);
    dynamic_reset(session);
    session_drop_plans(session);
    session_close_devices(session);
    return true;
}
