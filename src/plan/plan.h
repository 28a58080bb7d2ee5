/* SPDX-License-Identifier: Apache-2.0 */
/* Plans: what a graph becomes for known input shapes.  A plan is a list of steps over slots of memory; making
 * it decides everything that can be decided before data is there. */
#ifndef PLAN_PLAN_H
#define PLAN_PLAN_H

#include "ops/kernel.h"
#include "plan/pack.h"
#include "plan/tuning.h"

typedef enum SlotKind {
    SLOT_ARENA,    /* in the plan's arena */
    SLOT_EXTERNAL, /* a graph input's memory, set for each run */
    SLOT_FIXED     /* constants, and what an earlier plan of the same run left: the address is known */
} SlotKind;

/* Memory of one value in one layout. */
typedef struct Slot {
    SlotKind kind;
    Type type;
    Layout layout;
    size_t size_bytes;
    int root;           /* the slot whose memory this one is a part of; itself where it stands alone */
    size_t root_offset; /* in bytes */
    int first_step,
        last_step;       /* the steps that write it first and touch it last; of roots: of all their parts */
    size_t arena_offset; /* of roots in the arena */
    const void *fixed;   /* SLOT_FIXED */
    int input;           /* SLOT_EXTERNAL: the index in graph->inputs */
} Slot;

enum { NO_SLOT = -1 };

typedef struct Step {
    const Node *node;    /* NULL where the plan inserted it */
    const char *kernel;  /* its name; "reference" where the operator's reference runs */
    bool is_reference;   /* node->op->reference runs, on one thread; it may fail */
    Prepared prepared;   /* else */
    unsigned overwrites; /* as Kernel.overwrites */
    int n_inputs, n_outputs;
    int *input_slots, *output_slots; /* NO_SLOT where absent or packed */
    int workspace_slot;              /* NO_SLOT: it needs none */
    const void **inputs;             /* addresses, filled before a run */
    void **outputs;
    void *workspace;
    Tensor *input_tensors, *output_tensors; /* for a reference: views of the same */
    uint64_t macs;
    uint64_t time_ns;              /* of the last run with profiling */
    int64_t next_begin, next_task; /* of the current run; shared by the threads */
} Step;

/* A value that is there before the plan's first step. */
typedef struct Given {
    bool present;
    Type type;              /* known */
    const Tensor *contents; /* where they may decide shapes; plain and aligned; else NULL */
    const void *data;       /* fixed memory; NULL for a graph input */
} Given;

typedef struct PlanRequest {
    const Graph *graph;
    const Given *given; /* one for each value of the graph; constants need none */
    size_t first_node;  /* nodes before it have run */
    bool reference;     /* reference kernels only */
    Isa isa;
    int threads;            /* that pack weights */
    double max_layer_error; /* kernels whose peak_error is larger are not taken */
    uint64_t max_arena_bytes;
    strider_shape_policy shapes; /* what to do where the inputs' shapes lead to others than declared */
    const Allocator *allocator;
    PackCache *packs;
    strider_tuning *tuning; /* NULL: kernels are chosen by their estimated costs */
    const Log *log;
} PlanRequest;

typedef struct Plan {
    Region region;
    const Graph *graph;
    size_t
        end_node; /* the first node that is not planned: graph->n_nodes, or one whose shapes depend on data */
    Type *types;  /* of all values, known for those that the plan makes or was given */
    int *plain_slots;        /* of all values: where each lies in plain layout, or NO_SLOT */
    const Tensor **contents; /* of all values: what was computed while planning, or a constant; else NULL */
    Slot *slots;
    size_t n_slots, slots_capacity;
    Step *steps;
    size_t n_steps, steps_capacity;
    TensorList tensors; /* behind `contents` */
    size_t arena_bytes, activation_bytes, scratch_bytes;
    uint64_t packed_bytes, macs;
    bool is_small; /* one thread is done before several have met */
} Plan;

/* Makes a plan.  On failure *plan is NULL.  BAD_MODEL, UNSUPPORTED, LIMIT_EXCEEDED or OUT_OF_MEMORY. */
Status plan_make(const PlanRequest *request, Plan **plan, Error *err) MUST_CHECK;
void plan_free(Plan *plan);

/* The slot that the memory of `slot` lies in, and at which offset. */
int plan_root(const Plan *plan, int slot, size_t *offset_bytes);
/* The address of a slot, for a run with this arena and these inputs. */
void *plan_address(const Plan *plan, int slot, char *arena, const strider_tensor *inputs);

/* --- the parts of plan_make()
 * ---------------------------------------------------------------------------------- */
/* plan/choose.c: makes the steps of one node: reorders that it needs, and its kernel's. */
typedef struct PlanBuilder {
    const PlanRequest *request;
    Plan *plan;
    int *blocked_slots; /* of all values: where each lies in blocked layout, or NO_SLOT */
    Region scratch;     /* freed when the plan is made */
    bool warned;        /* of a declared shape */
    Error *err;
} PlanBuilder;

Status plan_add_slot(PlanBuilder *builder, SlotKind kind, const Type *type, Layout layout,
                     int *slot) MUST_CHECK;
Status plan_add_step(PlanBuilder *builder, const Node *node, int n_inputs, int n_outputs,
                     Step **step) MUST_CHECK;
/* The slot where `value` lies in `layout`: an existing one, or a new one with the step that fills it. */
Status plan_require(PlanBuilder *builder, const Value *value, Layout layout, int *slot) MUST_CHECK;
Status plan_add_node(PlanBuilder *builder, const Node *node) MUST_CHECK;

/* plan/memory.c: lifetimes, memory in place, offsets. */
Status plan_place(PlanBuilder *builder) MUST_CHECK;

#endif
