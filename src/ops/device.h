/* SPDX-License-Identifier: Apache-2.0 */
/* Devices: where steps run, and where the memory that they work on lies.  The CPU is one like any other: its
 * memory is the host's.  A device belongs to one session, so one thread at a time uses it; the host's, which
 * keeps no state, may be shared. */
#ifndef OPS_DEVICE_H
#define OPS_DEVICE_H

#include "base/log.h"
#include "ops/kernel.h"
#include "strider/device.h"

enum { DEVICE_NAME = 32 };

typedef struct Device Device;

struct Device {
    char name[DEVICE_NAME]; /* "cpu", "cuda:0" */
    bool is_host;     /* its memory is the host's: the host reads and writes it, nothing is copied there */
    size_t alignment; /* of all that reserve() returns, and of each slot in an arena; a power of two */
    const Kernel *const *kernels;
    size_t n_kernels;
    const Allocator *allocator;   /* of host memory */
    uint64_t max_workspace_bytes; /* of one step; may be changed before a plan is made */
    bool was_full; /* set where memory of the device did not suffice; whoever asks takes it back */

    /* Memory of the device, contents undefined.  Fails with OUT_OF_MEMORY and what is free. */
    Status (*reserve)(Device *device, size_t size_bytes, void **memory, Error *err);
    /* Waits for all that was begun, as that may use it.  NULL is allowed. */
    void (*release)(Device *device, void *memory);
    /* Copies between the host's memory and the device's, in order with its steps.  What an upload reads may
     * change as soon as it returns; what a download writes is there when synchronize() has returned. */
    Status (*upload)(Device *device, void *to, const void *from, size_t size_bytes, Error *err);
    Status (*download)(Device *device, void *to, const void *from, size_t size_bytes, Error *err);
    /* Waits for all that was begun, and reports what failed of it. */
    Status (*synchronize)(Device *device, Error *err);
    /* Work that is the same in each run may be recorded once and handed over as one piece from then on.  All
     * NULL: the device cannot.  After record() all is recorded and nothing done, up to launch(), which does
     * it; `copied_bytes` are those of all copies until then, in `copies` calls.  After replay() submit() must
     * not be called, but all copies in the order of the recording, before launch() does the whole again: only
     * the host's side of copies may have other addresses.  What a recording has launched must have been
     * waited for before it is replayed.  forget() frees a recording, also an unfinished one, after which the
     * device is as if there had been none. */
    Status (*record)(Device *device, size_t copied_bytes, int copies, void **recording, Error *err);
    Status (*replay)(Device *device, void *recording, Error *err);
    Status (*launch)(Device *device, Error *err);
    void (*forget)(Device *device, void *recording);
    /* The time that the device itself takes between mark(0) and mark(1); elapsed() waits.  NULL: measured by
     * the host's clock. */
    Status (*mark)(Device *device, int which, Error *err);
    Status (*elapsed)(Device *device, uint64_t *time_ns, Error *err);
    void (*close)(Device *device);
};

/* The memory of a device for packs. */
PackMemory device_pack_memory(Device *device);

/* --- modules --- */

/* Devices of other kinds than the CPU are in modules that are loaded on demand: libstrider_KIND.so, which
 * exports the two functions below.  A module and the library share these structs and what they point to, so
 * they must be of one build. */
typedef struct DeviceOptions {
    bool allow_tf32, allow_nondeterministic;
    uint64_t max_workspace_bytes;
    const Allocator *allocator; /* outlives the device */
} DeviceOptions;

typedef struct DeviceModule {
    /* How many devices there are, and what the one is.  DEVICE_FAILED where there are none, with the reason.
     */
    Status (*describe)(int ordinal, strider_device_info *info, int *count, Error *err);
    Status (*open)(int ordinal, const DeviceOptions *options, Device **device, Error *err);
} DeviceModule;

/* The version and an id that CMake makes (cmake/build_id.cmake) of all headers that a module may share with
 * the library, and of how both are compiled.  Equal sources give equal ids. */
extern const char device_build[];

/* What a module exports.  The first returns its device_build, and is all that is called of a module whose
 * build is another. */
STRIDER_API const char *strider_device_build(void);
STRIDER_API const DeviceModule *strider_device_module(void);
#define DEVICE_BUILD "strider_device_build"
#define DEVICE_MODULE "strider_device_module"

/* The CPU with the fast kernels; `allocator` must outlive it. */
Device cpu_device(const Allocator *allocator);

#endif
