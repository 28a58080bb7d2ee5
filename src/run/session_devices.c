/* SPDX-License-Identifier: Apache-2.0 */
/* A session's devices, and its memory on them. */
#include "run/devices.h"
#include "run/session.h"

Status session_open_devices(strider_session *session, Error *err) {
    const strider_session_options *options = &session->options;
    const strider_model *model = session->model;
    const DeviceOptions wanted = {.allow_tf32 = options->allow_tf32,
                                  .allow_nondeterministic = options->allow_nondeterministic,
                                  .max_workspace_bytes = options->max_workspace_bytes,
                                  .allocator = session->allocator};
    Device *device;
    session->devices[HOST] = (PlanDevice){(Device *)&model->host, (PackCache *)&model->packs};
    session->n_devices = 1;
    TRY(devices_open(options->device, &wanted, &model->log, &device, err));
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
    pack_cache_free(&session->device_packs);
    device->close(device);
}

Status session_reserve_arenas(strider_session *session, const Plan *plan, char *arenas[MOST_DEVICES],
                              size_t have[MOST_DEVICES], Error *err) {
    for (int i = 0; i < session->n_devices; i++) {
        Device *device = session->devices[i].device;
        void *larger;
        if (arenas[i] && have[i] >= plan->arena_bytes[i])
            continue;
        /* Others' memory is scarce: the old arena goes first. */
        if (!device->is_host) {
            device->release(device, arenas[i]);
            arenas[i] = NULL;
        }
        TRY(device->reserve(device, plan->arena_bytes[i], &larger, err));
        device->release(device, arenas[i]);
        arenas[i] = larger;
        have[i] = plan->arena_bytes[i];
    }
    return STRIDER_OK;
}

void session_release_arenas(strider_session *session, char *arenas[MOST_DEVICES]) {
    for (int i = 0; i < session->n_devices; i++)
        session->devices[i].device->release(session->devices[i].device, arenas[i]);
}
