/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "ops/device.h"

static Status cpu_reserve(Device *device, size_t size_bytes, void **memory, Error *err) {
    *memory = memory_alloc_large(device->allocator, size_bytes);
    return *memory ? STRIDER_OK : fail_memory(err, size_bytes, "the device \"cpu\"");
}

static void cpu_release(Device *device, void *memory) {
    memory_free(device->allocator, memory);
}

static Status cpu_copy(Device *device, void *to, const void *from, size_t size_bytes, Error *err) {
    (void)device;
    (void)err;
    memcpy(to, from, size_bytes);
    return STRIDER_OK;
}

static Status cpu_synchronize(Device *device, Error *err) {
    (void)device;
    (void)err;
    return STRIDER_OK;
}

static void cpu_close(Device *device) {
    (void)device;
}

Device cpu_device(const Allocator *allocator) {
    Device device = {.name = "cpu",
                     .is_host = true,
                     .alignment = MEMORY_ALIGNMENT,
                     .allocator = allocator,
                     .reserve = cpu_reserve,
                     .release = cpu_release,
                     .upload = cpu_copy,
                     .download = cpu_copy,
                     .synchronize = cpu_synchronize,
                     .close = cpu_close};
    device.kernels = cpu_kernels(&device.n_kernels);
    return device;
}
