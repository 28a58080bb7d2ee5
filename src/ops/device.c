/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/device.h"

static Status reserve(void *device_, size_t size_bytes, void **memory, Error *err) {
    Device *device = device_;
    return device->reserve(device, size_bytes, memory, err);
}

static void release(void *device_, void *memory) {
    Device *device = device_;
    device->release(device, memory);
}

static Status upload(void *device_, void *to, const void *from, size_t size_bytes, Error *err) {
    Device *device = device_;
    return device->upload(device, to, from, size_bytes, err);
}

PackMemory device_pack_memory(Device *device) {
    return (PackMemory){.allocator = device->allocator,
                        .is_host = device->is_host,
                        .alignment = device->alignment,
                        .device = device,
                        .reserve = reserve,
                        .release = release,
                        .upload = upload};
}
