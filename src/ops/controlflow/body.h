/* SPDX-License-Identifier: Apache-2.0 */
/* What operators with bodies have in common: types that bodies pass on, and calling bodies. */
#ifndef OPS_CONTROLFLOW_BODY_H
#define OPS_CONTROLFLOW_BODY_H

#include "ops/op.h"

/* Inputs of the node without those that its bodies capture. */
static inline int own_inputs(const InferContext *ctx) {
    return ctx->n_inputs - ctx->node->n_captures;
}

/* What holds for values of both types.  Where one data type is not known, the other's holds: a model in which
 * they differ is wrong.  False where they are known to differ. */
bool types_join(const ValueType *a, const ValueType *b, ValueType *joined) MUST_CHECK;

/* Inputs of a body that its outputs replace in its next run. */
typedef struct Carried {
    int first_input, first_output, count;
} Carried;

/* Infers the body from the types of its `n_inputs` own inputs, again and again until those of what it carries
 * stay, whose dimensions become unknown where they change.  BAD_MODEL where data types or kinds change, or
 * where the body has not the outputs. */
Status infer_carried(InferContext *ctx, Carried carried, ValueType *inputs, int n_inputs) MUST_CHECK;

/* BAD_MODEL unless body `index` has at least `count` outputs. */
Status infer_body_outputs(InferContext *ctx, int index, int count) MUST_CHECK;

/* The one element of a bool tensor; BAD_MODEL where it is something else, which `what` names. */
Status host_condition(HostContext *ctx, const RunValue *value, const char *what, bool *condition) MUST_CHECK;

/* `count` references, all NULL; freed by host_release_all(). */
Status host_values(HostContext *ctx, int count, RunValue ***values) MUST_CHECK;
void host_release_all(HostContext *ctx, RunValue **values, int count);
/* Gives values away: they are NULL afterwards. */
RunValue *host_take(RunValue **value);

#endif
