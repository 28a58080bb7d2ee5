/* SPDX-License-Identifier: Apache-2.0 */
/* Plans: what a graph becomes for known input shapes.  A plan is a list of steps over slots of memory; making
 * it decides everything that can be decided before data is there. */
#ifndef PLAN_PLAN_H
#define PLAN_PLAN_H

#include "base/budget.h"
#include "ops/device.h"
#include "plan/pack.h"
#include "plan/tuning.h"

/* Devices of a plan.  The host is one of them. */
enum { HOST, MAX_DEVICES = 4 };

typedef enum SlotKind {
    SLOT_ARENA,    /* in the plan's arena on the slot's device */
    SLOT_EXTERNAL, /* a graph input's memory, set for each run */
    SLOT_FIXED     /* constants, and what an earlier plan of the same run left: the address is known */
} SlotKind;

/* Where a value may lie; on devices other than the host only in plain layout. */
typedef struct Place {
    int device;
    Layout layout;
} Place;

static const Place host_plain = {HOST, LAYOUT_PLAIN};

/* Memory of one value at one place. */
typedef struct Slot {
    SlotKind kind;
    Type type;
    Place place;
    size_t size_bytes;
    int root;           /* the slot whose memory this one is a part of; itself where it stands alone */
    size_t root_offset; /* in bytes */
    int first_step,
        last_step;       /* the steps that write it first and touch it last; of roots: of all their parts */
    size_t arena_offset; /* of roots in their arena */
    const void *fixed;   /* SLOT_FIXED */
    int input;           /* SLOT_EXTERNAL: the index in graph->inputs */
} Slot;

enum { NO_SLOT = -1 };

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
    int *input_slots, *output_slots; /* NO_SLOT where absent or packed */
    int workspace_slot;              /* NO_SLOT: it needs none */
    const void **inputs;             /* addresses, filled before a run */
    void **outputs;
    void *workspace;
    Tensor *input_tensors, *output_tensors; /* for a reference: views of the same, and pointers to them */
    const Tensor **reference_inputs;        /* NULL where absent */
    Tensor **reference_outputs;
    uint64_t macs;
    uint64_t time_ns; /* of the last run with profiling */
} Step;

/* A value that is there before the plan's first step. */
typedef struct Given {
    bool present;
    Type type;              /* known */
    const Tensor *contents; /* where they may decide shapes; plain and aligned; else NULL */
    const void *data;       /* fixed memory; NULL for a graph input */
} Given;

/* What run/record.c keeps of a plan. */
typedef struct PlanRecording {
    bool is_refused;              /* the plan cannot be recorded */
    int device;                   /* whose steps these are; HOST: not known yet */
    size_t first_step, last_step; /* of the device */
    bool waits;                   /* for a download: a step of the host follows */
    size_t copied_bytes;
    int copies;
    int warm_runs;
    void *made;        /* of Device.record(); NULL: none yet */
    const char *arena; /* on the device, that it was made for */
} PlanRecording;

typedef struct PlanDevice {
    Device *device;
    PackCache *packs; /* in its memory */
} PlanDevice;

typedef struct PlanRequest {
    const Graph *graph;
    const Given *given;              /* one for each value of the graph; constants need none */
    size_t first_node;               /* nodes before it have run */
    PlanDevice devices[MAX_DEVICES]; /* the first is the host; the others are asked before it, in order */
    int n_devices;
    bool reference; /* reference kernels of the host only */
    Isa isa;
    int threads;                 /* that pack weights */
    double max_layer_error;      /* kernels whose peak_error is larger are not taken */
    Budget *budget;              /* all memory of the plan comes from it; packed weights count with it */
    bool keep_values;            /* no memory is used twice */
    strider_shape_policy shapes; /* what to do where the inputs' shapes lead to others than declared */
    strider_tuning *tuning;      /* NULL: kernels are chosen by their estimated costs */
    const Log *log;
} PlanRequest;

typedef struct Plan {
    Region region;
    const Graph *graph;
    size_t
        end_node; /* the first node that is not planned: graph->n_nodes, or one whose shapes depend on data */
    Type *types;  /* of all values, known for those that the plan makes or was given */
    int *plain_slots;        /* of all values: where each lies in plain layout on the host, or NO_SLOT */
    const Tensor **contents; /* of all values: what was computed while planning, or a constant; else NULL */
    Slot *slots;
    size_t n_slots, slots_capacity;
    Step *steps;
    size_t n_steps, steps_capacity;
    TensorList tensors;              /* behind `contents` */
    PackCache computed[MAX_DEVICES]; /* of `contents`, what steps of a device read; empty where none do */
    Device *devices[MAX_DEVICES];    /* as in the request */
    int n_devices;
    size_t arena_bytes[MAX_DEVICES], activation_bytes[MAX_DEVICES], scratch_bytes;
    uint64_t packed_bytes, macs;
    bool is_small; /* one thread is done before several have met */
    PlanRecording recording;
} Plan;

/* Makes a plan.  On failure *plan is NULL.  BAD_MODEL, UNSUPPORTED, LIMIT_EXCEEDED or OUT_OF_MEMORY. */
Status plan_make(const PlanRequest *request, Plan **plan, Error *err) MUST_CHECK;
void plan_free(Plan *plan);
void plan_forget_recording(Plan *plan);

/* The slot that the memory of `slot` lies in, and at which offset. */
int plan_root(const Plan *plan, int slot, size_t *offset_bytes);
/* The address of a slot, for a run with an arena on each device and these inputs. */
void *plan_address(const Plan *plan, int slot, char *const *arenas, const strider_tensor *inputs);

/* --- the parts of plan_make() --- */
/* plan/choose.c: makes the steps of one node: reorders that it needs, and its kernel's. */
typedef struct PlanBuilder {
    const PlanRequest *request;
    Plan *plan;
    int *blocked_slots;             /* of all values: where each lies in blocked layout, or NO_SLOT */
    int *device_slots[MAX_DEVICES]; /* the same on each device but the host */
    Region scratch;                 /* freed when the plan is made */
    bool warned;                    /* of a declared shape */
    bool at_end;                    /* no step of the host follows that reads a value */
    Error *err;
} PlanBuilder;

Status plan_add_slot(PlanBuilder *builder, SlotKind kind, const Type *type, Place place,
                     int *slot) MUST_CHECK;
Status plan_add_step(PlanBuilder *builder, const Node *node, int n_inputs, int n_outputs,
                     Step **step) MUST_CHECK;
/* plan/place.c: the slot of `value` at a place, NO_SLOT where it does not lie there. */
int *plan_slot_of(PlanBuilder *builder, const Value *value, Place place);
/* The slot where `value` lies at `place`: an existing one, or a new one with the steps that fill it. */
Status plan_require(PlanBuilder *builder, const Value *value, Place place, int *slot) MUST_CHECK;
/* Nanoseconds to bring a tensor of the host into another layout. */
double plan_reorder_cost(size_t size_bytes);
PrepareContext plan_prepare_context(PlanBuilder *builder, int device);
Status plan_add_node(PlanBuilder *builder, const Node *node) MUST_CHECK;

/* plan/memory.c: lifetimes, memory in place, offsets. */
Status plan_place(PlanBuilder *builder) MUST_CHECK;

#endif
