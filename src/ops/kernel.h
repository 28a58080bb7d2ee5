/* SPDX-License-Identifier: Apache-2.0 */
/* Kernels: what a device offers to compute a node with, and how a plan asks for it. */
#ifndef OPS_KERNEL_H
#define OPS_KERNEL_H

#include "base/cpu.h"
#include "base/size.h"
#include "graph/partition.h"
#include "ops/op_kind.h"
#include "pack/pack.h"
#include "tensor/layout.h"

/* An input or output of a node in a plan: its type is fully known. */
typedef struct Operand {
    Type type; /* dtype NONE where the optional operand is absent */
    /* Before accepts(): how an input lies now (outputs: plain); after: how the kernel wants it. */
    Layout layout;
    const Tensor *constant; /* an input's contents where they are the same in every run; may be unaligned */
    const Tensor *contents; /* an input's contents where this plan knows them, also of those that were
                             * computed for it alone; not there any more when prepare() has returned */
    int64_t begin; /* set by accepts() of what joins or takes parts: where along the axis the whole has it, in
                    * elements or blocks of channels */
    bool packed;   /* set by accepts() for a constant that prepare() rearranges: it is not passed to run() */
} Operand;

/* A question to the kernels: who computes this node?  accepts() fills in layouts and `packed`. */
typedef struct KernelQuery {
    const Node *node;
    const CpuTarget *target;
    int width; /* the target's: the block of the layouts that its kernels want */
    int n_inputs, n_outputs;
    Operand *inputs, *outputs;
    const Partition *partition; /* that the node is planned in, for what kernels ask of other nodes */
    const Type *types;          /* of its values, by partition_find(); NULL: not known */
} KernelQuery;

/* The type that another value of the partition has in this plan; NULL where that is not known. */
static inline const Type *query_type(const KernelQuery *query, const Value *value) {
    const int at = query->types ? partition_find(query->partition, value) : -1;
    return at < 0 ? NULL : &query->types[at];
}

/* Memory of one call of run(): pointers are resolved anew for each run. */
typedef struct KernelCall {
    const void *const *inputs; /* NULL where absent or packed */
    void *const *outputs;      /* NULL where nobody asked */
    void *scratch; /* of the calling thread, KernelInstance.scratch_bytes, aligned; contents undefined */
    void
        *workspace; /* of the step, KernelInstance.workspace_bytes, aligned; undefined when the step begins */
    const void *args; /* KernelInstance.args */
} KernelCall;

/* A node, ready to run.  Tasks may run in any order and at the same time; each writes its own part of the
 * outputs. */
typedef struct KernelInstance {
    void (*run)(const KernelCall *call, int64_t task);
    /* Instead of `run` on devices other than the host: hands all of the node's work to the device, without
     * waiting for it.  Called by one thread. */
    Status (*submit)(const KernelCall *call, Error *err);
    int64_t tasks; /* depends on shapes only, so that results are the same for any number of threads */
    /* A phase before: `prologue` runs its tasks, likewise, before the first task of `run`.  NULL: none. */
    void (*prologue)(const KernelCall *call, int64_t task);
    int64_t prologue_tasks;
    /* Before all tasks, by one thread: fails where contents that no plan knows do not fit, such as an index
     * that is out of range, so that the tasks can rely on them.  NULL: there are none. */
    Status (*check)(const KernelCall *call, Error *err);
    Bytes scratch_bytes, workspace_bytes;
    void *args;                  /* in PrepareContext.region */
    void (*discard)(void *args); /* frees what `args` hold outside that region; NULL: nothing */
    uint64_t packed_bytes;       /* of what was packed for it, for reports */
    const char *variant; /* what of the kernel runs, where prepare() chose it, for reports; else NULL */
} KernelInstance;

/* Times that were measured, for rows that choose among algorithms of their own.  `kind` is the device's,
 * `kernel` one word, `layer` as Kernel.tuning_key's text. */
typedef struct KernelTimes {
    void *context;
    bool (*find)(void *context, const char *kind, const char *kernel, const char *layer, double *time_ns);
    Status (*add)(void *context, const char *kind, const char *kernel, const char *layer, double time_ns,
                  Error *err);
} KernelTimes;

/* What prepare() may use. */
typedef struct PrepareContext {
    Region *region; /* lives as long as the plan */
    PackCache *packs;
    uint64_t max_pack_bytes; /* that all packs of the host may come to */
    Error *err;
    struct Device *device; /* that the node runs on */
    KernelTimes times;     /* find is NULL where nothing is to be measured */
} PrepareContext;

/* A constant, rearranged once and shared by all plans and sessions of a model (on a device other than the
 * host: by all plans of a session).  See pack_now() for `source`, `key` and `fill`. */
static inline MUST_CHECK Status pack_constant(PrepareContext *ctx, const Tensor *source, const char *key,
                                              Bytes size, void (*fill)(void *context, void *memory),
                                              void *context, const void **packed) {
    const PackRequest request = {source, key, size, ctx->max_pack_bytes};
    return pack_now(ctx->packs, &request, fill, context, packed, ctx->err);
}
/* The same for large constants of the host, filled when the plan is complete, before it first runs: see
 * pack_later().  fill->context lives as long as ctx->region. */
static inline MUST_CHECK Status pack_constant_later(PrepareContext *ctx, const Tensor *source,
                                                    const char *key, Bytes size, const PackFill *fill,
                                                    const void **packed) {
    const PackRequest request = {source, key, size, ctx->max_pack_bytes};
    return pack_later(ctx->packs, &request, fill, packed, ctx->err);
}
/* A constant as it is, likewise. */
static inline MUST_CHECK Status pack_plain(PrepareContext *ctx, const Tensor *source, const void **packed) {
    return pack_as_it_is(ctx->packs, source, ctx->max_pack_bytes, packed, ctx->err);
}

enum { KERNEL_LAYER_TEXT = 512 };

typedef struct Kernel {
    const char *name;     /* "conv_direct" */
    int op;               /* OpKind */
    CpuFeatures requires; /* of the CPU besides its target; where that lacks them, nobody asks the kernel */
    bool (*accepts)(KernelQuery *query);
    /* Estimated time in nanoseconds on one thread of the machine that the model of costs was made on. */
    double (*cost)(const KernelQuery *query);
    Status (*prepare)(const KernelQuery *query, PrepareContext *ctx, KernelInstance *instance);
    /* For operators that several kernels compete for: all that an accepted query's time depends on, in words,
     * so that a measured time may stand in for cost().  NULL: is not measured. */
    void (*tuning_key)(const KernelQuery *query, char text[KERNEL_LAYER_TEXT]);
    /* For kernels that trade digits for speed: a bound of the error, relative to the largest output, for
     * inputs and weights of like sizes, as the kernels' tests hold it; an infinity or NaN in the input may
     * then reach all outputs near it as NaN.  0: the rounding of a plain sum. */
    double peak_error;
    unsigned overwrites; /* bit i: the first output may take the memory of input i, if that has the same size
                          * and layout and is dead after; each element is then read before it is written, by
                          * the same task */
    /* For kernels that only put parts together (Concat); run() must skip an input that is there already:
     * whether input `port`, in the accepted layouts, is one run of bytes of output 0, and where.  The
     * producer may then write there at once.  NULL: no. */
    bool (*input_part)(const KernelQuery *query, int port, size_t *offset_bytes);
    /* For kernels that only take parts (Split, Slice): the same for an output that is one run of bytes of
     * input 0. */
    bool (*output_part)(const KernelQuery *query, int port, size_t *offset_bytes);
} Kernel;

/* Whether the kernel may be asked for a node on the target. */
static inline bool kernel_runs(const Kernel *kernel, const CpuTarget *target) {
    return !(kernel->requires & ~cpu_target_features(target));
}

/* The fast kernels of the CPU, all rows. */
const Kernel *const *cpu_kernels(size_t *count);

/* Makes a step that copies bytes. */
Status cpu_prepare_copy(size_t size_bytes, PrepareContext *ctx, KernelInstance *instance) MUST_CHECK;

/* Makes a step that divides a tensor of any type into blocks of channels, or puts these together to a plain
 * one. tasks, scratch and args as for any kernel.  UNSUPPORTED where the layouts are others. */
Status cpu_prepare_reorder(const Type *type, Layout from, Layout to, PrepareContext *ctx,
                           KernelInstance *instance) MUST_CHECK;

#endif
