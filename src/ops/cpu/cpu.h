/* SPDX-License-Identifier: Apache-2.0 */
/* What the CPU's kernels share. */
#ifndef OPS_CPU_CPU_H
#define OPS_CPU_CPU_H

#include "ops/kernel.h"
#include "ops/nn/window.h"
#include "ops/post_ops.h"

/* The constant at an input, or NULL where the input is absent; port -1 is absent, too. */
const Tensor *cpu_input_constant(const KernelQuery *query, int port);
/* Whether the input is absent or a constant. */
bool cpu_optional_constant(const KernelQuery *query, int port);
/* The same of what this plan knows, for parameters that are read while planning and never packed. */
const Tensor *cpu_input_contents(const KernelQuery *query, int port);
/* Whether the input is absent or its contents are known. */
bool cpu_optional_contents(const KernelQuery *query, int port);
/* Inputs from `first` on whose contents are known are not passed to run(). */
void cpu_pack_contents(KernelQuery *query, int first);

/* The residual of a node's post-operations; NULL where there is none. */
static inline const float *cpu_residual(const KernelCall *call, const Epilogue *epilogue) {
    return epilogue->residual_port >= 0 ? call->inputs[epilogue->residual_port] : NULL;
}

/* Declares the table NAME of every target, as the templates define it by `const TYPE TARGET(NAME)`, and
 * NAME_for(target). */
#define TARGET_TABLES(TYPE, NAME)                                                                            \
    CPU_TARGETS(TARGET_TABLE_EXTERN, TYPE, NAME)                                                             \
    static inline const TYPE *NAME##_for(const CpuTarget *target) {                                          \
        static const TYPE *const tables[CPU_TARGET_COUNT] = {CPU_TARGETS(TARGET_TABLE_ADDRESS, TYPE, NAME)}; \
        return tables[target->index];                                                                        \
    }
#define TARGET_TABLE_EXTERN(TARGET, WIDTH, REQUIRES, BESIDES, TYPE, NAME) extern const TYPE NAME##_##TARGET;
#define TARGET_TABLE_ADDRESS(TARGET, WIDTH, REQUIRES, BESIDES, TYPE, NAME) &NAME##_##TARGET,

bool cpu_has_input(const KernelQuery *query, int port);
/* Whether the operand is there and of float32. */
bool cpu_is_f32(const KernelQuery *query, int port);
/* The blocked layout of the query's target, and whether an operand lies so. */
Layout cpu_blocked(const KernelQuery *query);
bool cpu_is_blocked(const KernelQuery *query, const Operand *operand);
/* Takes the first input as it lies, in the target's blocks or else plain, and gives the first output alike.
 */
void cpu_keep_layout(KernelQuery *query);
/* Wants all operands plain; returns true, for accepts(). */
bool cpu_want_plain(KernelQuery *query);
/* The cost of reading all inputs that are there and writing all outputs. */
double cpu_operands_cost(const KernelQuery *query);
/* Zeroed memory in the plan for a kernel's arguments. */
Status cpu_alloc_args(PrepareContext *ctx, Bytes size, void *args) MUST_CHECK;
/* Whether memory that a kernel takes beside its node's tensors, of each thread and of all together, is in
 * proportion to these.  Windows that lie mostly on padding may ask for any amount of copies; then another
 * kernel or the reference, which goes over what windows see, computes the node. */
bool cpu_in_proportion(const KernelQuery *query, Bytes scratch, Bytes workspace);
/* The outputs of a dimension whose windows lie inside the input. */
void cpu_window_inside(const WindowDim *dim, int64_t *begin, int64_t *end);
/* The outputs of a dimension whose windows have tap `tap` inside the input, and where it lies in the first.
 */
typedef struct TapRange {
    int64_t begin, end, at;
} TapRange;
TapRange cpu_tap_range(const WindowDim *dim, int64_t tap);
/* Nanoseconds to read and write `bytes` in all, with what a step costs besides. */
double cpu_memory_cost(double bytes);
/* Channels in the last block of a blocked tensor; 1 where it is plain. */
int cpu_tail_channels(const Shape *shape, Layout layout);

#endif
