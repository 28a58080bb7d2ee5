/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions: running a model. */
#ifndef STRIDER_SESSION_H
#define STRIDER_SESSION_H

#include "strider/model.h"
#include "strider/tuning.h"

#ifdef __cplusplus
extern "C" {
#endif

/* For strider_session_options.max_layer_error: all of Winograd's algorithms. */
#define STRIDER_FAST_WINOGRAD_ERROR 3e-5

/* How to run.  Fill it with strider_session_options_default(), then change what you need. */
typedef struct strider_session_options {
    size_t struct_size;   /* set by the default call */
    int threads;          /* up to 1024; 0: one for each CPU that this process may use */
    bool reference;       /* run every node on its plain reference kernel: slow, for checking the fast ones */
    int max_cached_plans; /* plans are kept for this many sets of input shapes, the oldest leaves first;
                             default 16 */
    /* Of the host's memory, all that the session may hold at once, with the packed weights that it shares
     * with the model's other sessions: activations, the kernels' scratch memory of all threads, plans, what
     * they compute beforehand, and what operators take in a run.  Not the model itself, which
     * strider_load_options bounds.  Plans for other shapes are dropped where that helps; a plan that does not
     * fit is refused with LIMIT_EXCEEDED before its memory is taken, and the message says what was asked and
     * which node asks for most.  Default 0: the memory of this machine, or of the control group that the
     * process runs in. */
    uint64_t max_memory_bytes;
    /* How often the loops of a model may run their bodies in one run, all together, and branches theirs: a
     * small file may ask for more than any machine can do.  What goes beyond is refused with LIMIT_EXCEEDED
     * and the node's name.  Default 10 million; UINT64_MAX: no limit. */
    uint64_t max_body_runs;
    /* Algorithms that err by more of a layer's largest output than this, by their measured bounds, are not
     * used.  Default 1e-5: direct sums and Winograd F(2x2) and F(4x4), with which whole networks err at most
     * about twice as much as with direct sums alone, which 0 asks for; STRIDER_FAST_WINOGRAD_ERROR: F(6x6)
     * too, up to a tenth faster on large images of few channels, with four to eight times the error. */
    double max_layer_error;
    /* Kernels are chosen by times measured on this machine, kept here for other sessions; it must outlive the
     * session.  Making a plan then takes longer.  Default NULL: by estimates. */
    strider_tuning *tuning;
    /* Where to run: "cpu" (default, also NULL); a device of another kind, "cuda" or "cuda:1", whose memory
     * and kernels take the place of the CPU's wherever they can, or the call fails; or "auto": the first of
     * these that is there, else the CPU, which the model's log is told; also when its memory does not suffice
     * later.  Only read by strider_session_create(). */
    const char *device;
    bool allow_tf32; /* a device other than the CPU may round factors to 10 bits; default false */
    bool
        allow_nondeterministic; /* its results may differ in their last bits from run to run; default false */
    uint64_t max_workspace_bytes; /* of one step on such a device; default 1 GiB */
    bool keep_values; /* memory is used once in a run, so that strider_session_read_step() has all of it;
                         for finding where results differ, not for speed; default false */
    /* What such a device does in a run is recorded in the third one of a plan, and handed over as one piece
     * from then on (a CUDA graph), which takes less of the CPU's time; not where steps of the CPU lie
     * between.  Results have the same bits.  Default false. */
    bool record_runs;
    uint64_t reserved[4]; /* zero */
} strider_session_options;

/* A model's memory and plans.  One thread at a time may use a session; different sessions are independent. */
typedef struct strider_session strider_session;

/* The memory and the work of the plan for the input shapes that were prepared last. */
typedef struct strider_plan_info {
    size_t step_count;
    uint64_t macs;              /* multiply-accumulates of Conv, ConvTranspose, Gemm and MatMul in one run */
    uint64_t arena_bytes;       /* all activations, overlapped */
    uint64_t activation_bytes;  /* the same without overlapping */
    uint64_t packed_bytes;      /* weights in the layouts of their kernels */
    uint64_t scratch_bytes;     /* of all threads */
    uint64_t memory_bytes;      /* the most that the session holds at once with this plan, as max_memory_bytes
                                   counts; known before a run; without what depends on a run's data */
    uint64_t peak_memory_bytes; /* the most that it held until now */
    const char *device;         /* that was asked first, such as "cuda:0"; "cpu" where there is no other */
    uint64_t device_arena_bytes, device_weight_bytes; /* on it; 0 for the CPU */
    uint64_t device_workspace_bytes;                  /* the largest of a step, which lies in the arena */
    size_t upload_count, download_count;              /* steps that copy between the device and the host */
    uint64_t upload_bytes, download_bytes;
    size_t recorded_steps; /* that are handed to it as one piece (record_runs); 0: none, or not yet */
    int threads;
    const char *isa; /* "avx512", "avx2" or "generic" */
} strider_plan_info;

/* One step of a plan. */
typedef struct strider_step_info {
    const char *name; /* the node's name, or what was inserted, such as "reorder" */
    const char *op_type;
    const char *kernel; /* "reference" where no fast kernel took the node */
    const char *device; /* that runs it, or for an upload or download, that the host's memory is copied to or
                         * from */
    char layout[16];    /* of the first output: "nchw" or "nchw16c" and the like */
    int64_t node;       /* its index in the model; -1 where the plan inserted the step */
    int64_t tasks;      /* pieces that threads share */
    uint64_t macs;
    strider_tensor output; /* the first output's type and shape; data is NULL */
    uint64_t arena_offset; /* of the first output; UINT64_MAX where it lies outside the arena */
    uint64_t output_bytes; /* in its layout */
    uint64_t time_ns; /* of the last run, where profiling is on; by the device's clock where it has one */
} strider_step_info;

STRIDER_API strider_session_options strider_session_options_default(void);

/* Makes a session.  The model must outlive it.  `options` may be NULL.
 * Returns STRIDER_OK, INVALID_ARGUMENT, UNSUPPORTED, OUT_OF_MEMORY or DEVICE_FAILED (the device cannot be
 * used; the message says why). */
STRIDER_API strider_status strider_session_create(const strider_model *model,
                                                  const strider_session_options *options,
                                                  strider_session **session, strider_error *error);

/* Frees a session; NULL is allowed. */
STRIDER_API void strider_session_free(strider_session *session);

/* Makes the plan for these inputs' types and shapes, or finds it among those kept.  `inputs` are in the
 * model's order; their data may be NULL, except where the plan depends on it (a shape given as an input).  An
 * input whose dtype is STRIDER_DTYPE_NONE is absent: allowed where the model has a default for it. Returns
 * STRIDER_OK, INVALID_ARGUMENT (an input does not fit the model), BAD_MODEL, UNSUPPORTED, LIMIT_EXCEEDED or
 * OUT_OF_MEMORY; DEVICE_FAILED where a device other than the CPU does. */
STRIDER_API strider_status strider_session_prepare(strider_session *session, const strider_tensor *inputs,
                                                   size_t input_count, strider_error *error);

/* Runs the model.  `inputs` as in strider_session_prepare(), with data, which is only read and not kept.
 * For each output, in the model's order: where outputs[i].data is NULL it is set to memory of the session,
 * valid until the session's next prepare, run or free; otherwise type and shape must be the output's own and
 * the result is written there.  Type and shape are filled in either case.  A run that meets no shape for the
 * first time allocates nothing.  Results have the same bits for any number of threads.  An output that is a
 * sequence or an optional is an INVALID_ARGUMENT: see strider_session_run_values().  Returns what
 * strider_session_prepare() does. */
STRIDER_API strider_status strider_session_run(strider_session *session, const strider_tensor *inputs,
                                               size_t input_count, strider_tensor *outputs,
                                               size_t output_count, strider_error *error);

/* The same for models whose inputs or outputs are sequences or optionals.  An input that is absent is a
 * tensor of dtype STRIDER_DTYPE_NONE.  Outputs are set to memory of the session, valid until its next
 * prepare, run or free, except that tensors are written to outputs[i].tensor.data where that is not NULL, as
 * by strider_session_run(). Returns what that does. */
STRIDER_API strider_status strider_session_run_values(strider_session *session, const strider_value *inputs,
                                                      size_t input_count, strider_value *outputs,
                                                      size_t output_count, strider_error *error);

/* The last prepared or run plan; INVALID_ARGUMENT where there is none, as preparing failed.  Pointers live
 * until the session's next prepare, run or free. */
STRIDER_API strider_status strider_session_get_plan(const strider_session *session, strider_plan_info *info);
STRIDER_API strider_status strider_session_get_step(const strider_session *session, size_t index,
                                                    strider_step_info *info);

/* Copies what step `index` of the last run computed: the first output, of the type and shape that
 * strider_step_info.output tells, as a plain tensor in row-major order, whatever the step's layout and on
 * whichever device it ran.  `data` takes its elements and nothing more, which may be less than
 * strider_step_info.output_bytes.  Only for sessions with keep_values, and for models whose shapes do not
 * depend on data.
 * INVALID_ARGUMENT (there is nothing to read) or DEVICE_FAILED. */
STRIDER_API strider_status strider_session_read_step(strider_session *session, size_t index, void *data,
                                                     strider_error *error);

/* Turns on or off the measuring of each step's time (strider_step_info.time_ns). */
STRIDER_API void strider_session_set_profiling(strider_session *session, bool on);

#ifdef __cplusplus
}
#endif
#endif
