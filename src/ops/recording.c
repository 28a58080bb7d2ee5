/* SPDX-License-Identifier: Apache-2.0 */
/* Recordings, as far as they are the same for all devices: their states, and that work keeps to them. */
#include "ops/device.h"

#include <assert.h>

/* --- states --- */

static bool is_in_work(const Recording *recording) {
    return recording->state == RECORDING_RECORDING || recording->state == RECORDING_REPLAYING;
}

/* Frees the device of a recording that is in work, or whose begin has failed. */
static void abandon(Recording *recording) {
    recording->device->recording_hooks->abandon(recording->device, recording);
    recording->device->recording = NULL;
    recording->state = RECORDING_FAILED;
}

/* After `hook` for a recording that is to be in work, and one that has been. */
static Status enter(Recording *recording, Status (*hook)(Device *, Recording *, Error *), RecordingState next,
                    Error *err) {
    Device *device = recording->device;
    assert(!device->recording);
    device->recording = recording;
    recording->given = (CopyCount){0};
    const Status status = hook(device, recording, err);
    if (status)
        abandon(recording);
    else
        recording->state = next;
    return status;
}

Status recording_begin(Recording *recording, Device *device, CopyCount announced, Error *err) {
    assert(recording->state == RECORDING_EMPTY && device->recording_hooks);
    *recording = (Recording){.device = device, .announced = announced};
    return enter(recording, device->recording_hooks->record, RECORDING_RECORDING, err);
}

Status recording_replay(Recording *recording, Error *err) {
    assert(recording->state == RECORDING_READY && recording->launch != recording->device->waits);
    return enter(recording, recording->device->recording_hooks->replay, RECORDING_REPLAYING, err);
}

Status recording_launch(Recording *recording, Error *err) {
    Device *device = recording->device;
    const RecordingHooks *hooks = device->recording_hooks;
    Status status = STRIDER_OK;
    assert(is_in_work(recording) && device->recording == recording);
    assert(recording->given.copies == recording->announced.copies &&
           recording->given.size_bytes == recording->announced.size_bytes);
    if (recording->state == RECORDING_RECORDING)
        status = hooks->finish(device, recording, err);
    if (!status)
        status = hooks->launch(device, recording, err);
    if (status) {
        abandon(recording);
        return status;
    }
    device->recording = NULL;
    recording->launch = device->waits;
    recording->state = RECORDING_READY;
    return STRIDER_OK;
}

void recording_free(Recording *recording) {
    if (is_in_work(recording))
        abandon(recording);
    if (recording->state != RECORDING_EMPTY)
        recording->device->recording_hooks->forget(recording->device, recording);
    *recording = (Recording){0};
}

/* --- work --- */

/* Work in the middle of a recording that the device does not take leaves it incomplete. */
static Status given(Device *device, Status status) {
    if (status && device->recording)
        abandon(device->recording);
    return status;
}

static void count_copy(const Device *device, size_t size_bytes) {
    Recording *recording = device->recording;
    if (!recording)
        return;
    recording->given.copies++;
    recording->given.size_bytes += size_bytes;
    assert(recording->given.copies <= recording->announced.copies &&
           recording->given.size_bytes <= recording->announced.size_bytes);
}

Status device_upload(Device *device, void *to, const void *from, size_t size_bytes, Error *err) {
    count_copy(device, size_bytes);
    return given(device, device->upload(device, to, from, size_bytes, err));
}

Status device_download(Device *device, void *to, const void *from, size_t size_bytes, Error *err) {
    count_copy(device, size_bytes);
    return given(device, device->download(device, to, from, size_bytes, err));
}

Status device_submit(Device *device, const KernelInstance *instance, const KernelCall *call, Error *err) {
    assert(!device->recording || device->recording->state == RECORDING_RECORDING);
    return given(device, instance->submit(call, err));
}

Status device_synchronize(Device *device, Error *err) {
    assert(!device->recording);
    device->waits++;
    return device->synchronize(device, err);
}
