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
typedef struct Recording Recording;
typedef struct RecordingHooks RecordingHooks;

struct Device {
    char name[DEVICE_NAME]; /* "cpu", "cuda:0" */
    bool is_host;     /* its memory is the host's: the host reads and writes it, nothing is copied there */
    size_t alignment; /* of all that reserve() returns, and of each buffer in an arena; a power of two */
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
    uint64_t waits; /* times that the device was waited for */
    /* NULL: nothing can be recorded. */
    const RecordingHooks *recording_hooks;
    /* What is given to the device now belongs to it; NULL: it is done.  Set by ops/recording.c alone, read by
     * all. */
    Recording *recording;
    /* The time that the device itself takes between mark(0) and mark(1); elapsed() waits.  NULL: measured by
     * the host's clock. */
    Status (*mark)(Device *device, int which, Error *err);
    Status (*elapsed)(Device *device, uint64_t *time_ns, Error *err);
    void (*close)(Device *device);
};

/* The memory of a device for packs. */
PackMemory device_pack_memory(Device *device);

/* What a plan's steps ask of a device, in a recording or outside of one.  Where such a call fails in the
 * middle of a recording, that has failed. */
Status device_upload(Device *device, void *to, const void *from, size_t size_bytes, Error *err) MUST_CHECK;
Status device_download(Device *device, void *to, const void *from, size_t size_bytes, Error *err) MUST_CHECK;
Status device_submit(Device *device, const KernelInstance *instance, const KernelCall *call,
                     Error *err) MUST_CHECK;
Status device_synchronize(Device *device, Error *err) MUST_CHECK;

/* --- recordings --- */

/* Work that is the same in each run may be recorded once and handed over as one from then on.  A Recording is
 * what is handed over.  Its state changes by these calls alone, each of which calls hooks of the device:
 *
 *     state       call                    hooks            then        where a hook fails
 *     EMPTY       recording_begin()       record           RECORDING   abandon, FAILED
 *     RECORDING   device_upload() and
 *                 so on, that fails       abandon          FAILED
 *     RECORDING   recording_launch()      finish, launch   READY       abandon, FAILED
 *     READY       recording_replay()      replay           REPLAYING   abandon, FAILED
 *     REPLAYING   device_upload() and
 *                 so on, that fails       abandon          FAILED
 *     REPLAYING   recording_launch()      launch           READY       abandon, FAILED
 *     RECORDING,
 *     REPLAYING   recording_free()        abandon, forget  EMPTY
 *     READY,
 *     FAILED      recording_free()        forget           EMPTY
 *     EMPTY       recording_free()                         EMPTY
 *
 * All else is a mistake of the caller, which asserts find: a call in another state, a second recording on a
 * device that has one in work, waiting in the middle of one, copies that are not those that were announced,
 * submitting while replaying, and replaying what was launched and not waited for. */
typedef enum RecordingState {
    RECORDING_EMPTY,     /* there is none; all zero */
    RECORDING_RECORDING, /* the device keeps what it is given, and does none of it */
    RECORDING_READY,     /* it is complete and was launched */
    RECORDING_REPLAYING, /* the device is given its copies again, as the host's side of them may have moved */
    RECORDING_FAILED     /* it is good for nothing but being freed */
} RecordingState;

typedef struct CopyCount {
    size_t size_bytes;
    int copies;
} CopyCount;

struct Recording {
    RecordingState state;
    Device *device;      /* NULL while it is empty */
    CopyCount announced; /* all copies that belong to it */
    CopyCount given;     /* those of them that it was given so far, while recording or replaying */
    uint64_t launch;     /* of the device's waits (Device.waits), when it was launched last */
    void *data;          /* the device's own, from its `record` to its `forget` */
};

/* `announced` are the copies that will be given until recording_launch(). */
Status recording_begin(Recording *recording, Device *device, CopyCount announced, Error *err) MUST_CHECK;
/* After it the device is given the same copies in the same order, with other addresses on the host where they
 * have changed, and nothing else. */
Status recording_replay(Recording *recording, Error *err) MUST_CHECK;
/* Hands all over, without waiting for it. */
Status recording_launch(Recording *recording, Error *err) MUST_CHECK;
void recording_free(Recording *recording);

/* What a device does for it.  The state is the one before the call; Device.recording is set from before
 * `record` and `replay` until after `launch` or `abandon`.  tests/device/twin.c is an example. */
struct RecordingHooks {
    /* From now on keeps what upload(), download() and submit() are given.  `announced` says for how much. */
    Status (*record)(Device *device, Recording *recording, Error *err);
    /* What was given is all. */
    Status (*finish)(Device *device, Recording *recording, Error *err);
    /* From now on upload() takes the bytes, and download() the address, for the next copy that was kept. */
    Status (*replay)(Device *device, Recording *recording, Error *err);
    /* Begins all that was kept. */
    Status (*launch)(Device *device, Recording *recording, Error *err);
    /* What is unfinished comes to nothing; the device is as if there had been no recording. */
    void (*abandon)(Device *device, Recording *recording);
    /* Frees `data`, also where `record` failed half-way; waits for what may use it. */
    void (*forget)(Device *device, Recording *recording);
};

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
