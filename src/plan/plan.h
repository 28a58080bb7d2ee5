/* SPDX-License-Identifier: Apache-2.0 */
/* Plans: what a partition becomes for known types of its inputs.  A plan is a list of steps over buffers;
 * making it decides everything that can be decided before data is there.  A plan never changes: it holds no
 * address of activations, no time and nothing of a session, so that sessions may share it (run/binding.h is
 * where those are). */
#ifndef PLAN_PLAN_H
#define PLAN_PLAN_H

#include "base/budget.h"
#include "ops/device.h"
#include "plan/tuning.h"

/* Memory spaces: the host's is the first, then those of devices. */
enum { HOST, MAX_DEVICES = 4 };

typedef enum BufferKind {
    BUFFER_ARENA,  /* in the arena of its memory space */
    BUFFER_INPUT,  /* memory of a partition's input, which each run brings */
    BUFFER_OUTPUT, /* memory for a partition's output, likewise */
    BUFFER_FIXED   /* constants and what was computed while planning */
} BufferKind;

/* Memory of one value in one layout. */
typedef struct Buffer {
    BufferKind kind;
    Type type;
    int space; /* other spaces than the host's know the plain layout only */
    Layout layout;
    size_t size_bytes;
    int root;           /* the buffer whose memory this one is a part of; itself where it stands alone */
    size_t root_offset; /* in bytes */
    int first_step,
        last_step;       /* the steps that write it first and touch it last; of roots: of all their parts */
    size_t arena_offset; /* of roots in their arena */
    const void *fixed;   /* BUFFER_FIXED */
    int port;            /* BUFFER_INPUT, BUFFER_OUTPUT: among the partition's */
} Buffer;

enum { NO_BUFFER = -1 };

typedef enum StepKind {
    STEP_TASKS,     /* threads of the host share the tasks of instance.run */
    STEP_REFERENCE, /* node->op->reference runs, on one thread; it may fail */
    STEP_SUBMIT,    /* instance.submit hands it to the device */
    STEP_UPLOAD,    /* input 0 on the host is copied to output 0 on the device */
    STEP_DOWNLOAD   /* the reverse */
} StepKind;

typedef struct Step {
    StepKind kind;
    int device;         /* whose work it is; of copies: the one that is not the host */
    bool waits;         /* of downloads: until all is there, as a step of the host reads it */
    size_t size_bytes;  /* of copies */
    const Node *node;   /* NULL where the plan inserted it */
    const char *kernel; /* its name; "reference" where the operator's reference runs */
    KernelInstance instance;
    unsigned overwrites; /* as Kernel.overwrites */
    int n_inputs, n_outputs;
    int *inputs, *outputs; /* buffers; NO_BUFFER where absent or packed */
    int workspace;         /* a buffer; NO_BUFFER: it needs none */
    uint64_t macs;
} Step;

typedef struct PlanDevice {
    Device *device;
    PackCache *packs; /* in its memory */
} PlanDevice;

/* What plans are made for.  Plans for equal targets may stand for each other. */
typedef struct PlanTarget {
    PlanDevice devices[MAX_DEVICES]; /* the first is the host; the others are asked before it, in order */
    int n_devices;
    bool reference; /* reference kernels of the host only */
    const CpuTarget *cpu;
    double max_layer_error;      /* kernels whose peak_error is larger are not taken */
    bool keep_values;            /* no memory is used twice */
    strider_shape_policy shapes; /* what to do where the inputs' shapes lead to others than declared */
    strider_tuning *tuning;      /* NULL: kernels are chosen by their estimated costs */
} PlanTarget;

typedef struct PlanRequest {
    const Partition *partition;
    const Type *inputs;            /* of the partition's, known */
    const Tensor *const *contents; /* of inputs from which shapes follow (PartitionInput.shapes); else NULL */
    const PlanTarget *target;
    int threads;             /* that pack weights */
    uint64_t max_pack_bytes; /* that all packs of the host may come to */
    Budget *budget; /* where the plan's memory is counted while it is made and, when it is made, until its
                     * bytes (plan->budget.used_bytes) are unbooked */
    const Allocator *allocator; /* of the plan's memory; outlives it */
    const Log *log;
} PlanRequest;

typedef struct Plan {
    Budget budget; /* all memory of the plan; it stays the same once the plan is made */
    Region region;
    const Partition *partition;
    Type *types; /* of all values of the partition, in its order */
    Buffer *buffers;
    size_t n_buffers, buffers_capacity;
    Step *steps;
    size_t n_steps, steps_capacity;
    int *outputs;                    /* buffers of the partition's outputs, on the host and plain */
    TensorList tensors;              /* what was computed while planning */
    PackCache computed[MAX_DEVICES]; /* of these, what steps of a device read; empty where none do */
    Device *devices[MAX_DEVICES];    /* as in the target */
    int n_devices;
    size_t arena_bytes[MAX_DEVICES], activation_bytes[MAX_DEVICES], scratch_bytes;
    uint64_t packed_bytes, macs;
    bool is_small; /* one thread is done before several have met */
} Plan;

/* Makes a plan.  On failure *plan is NULL.  BAD_MODEL, UNSUPPORTED, LIMIT_EXCEEDED or OUT_OF_MEMORY. */
Status plan_make(const PlanRequest *request, const Plan **plan, Error *err) MUST_CHECK;
/* Nothing may use it any more.  NULL is allowed. */
void plan_free(const Plan *plan);

#endif
