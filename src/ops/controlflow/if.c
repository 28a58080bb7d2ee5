/* SPDX-License-Identifier: Apache-2.0 */
/* If: one of two bodies, chosen by a bool.  ONNX If-1, 11, 13 (types), 16 and 19 (sequences, optionals,
 * types), 21 to 25 (types).  Outputs may have other shapes in one branch than in the other. */
#include "graph/evaluate.h"
#include "ops/controlflow/body.h"

enum { THEN, ELSE };

static Status check_condition(InferContext *ctx) {
    int64_t elements;
    const Shape *shape = &ctx->inputs[0].shape;
    TRY(infer_require_dtype(ctx, 0, DTYPE_BIT(STRIDER_BOOL)));
    if (shape->rank >= 0 && shape_count(shape, 0, shape->rank, &elements) && elements != 1)
        return infer_fail(ctx, STRIDER_BAD_MODEL, "the condition has %lld elements, must have one",
                          (long long)elements);
    return STRIDER_OK;
}

/* A branch may be there for other shapes than those that are known, as in what torch makes of squeeze(): that
 * it does not fit is an error when it is taken. */
static Status infer_branches(InferContext *ctx) {
    Graph *const *bodies = ctx->node->bodies;
    Error why[2];
    for (int i = THEN; i <= ELSE && ctx->infers_bodies; i++) {
        InferContext branch = *ctx;
        branch.err = &why[i];
        const Status status = infer_body(&branch, i, NULL, 0);
        bodies[i]->cannot_run = status == STRIDER_BAD_MODEL;
        if (status && (status != STRIDER_BAD_MODEL || (i == ELSE && bodies[THEN]->cannot_run))) {
            if (ctx->err)
                *ctx->err = why[i];
            return status;
        }
    }
    for (int i = THEN; i <= ELSE; i++)
        TRY(infer_body_outputs(ctx, i, ctx->n_outputs));
    if (bodies[THEN]->n_outputs != bodies[ELSE]->n_outputs)
        return infer_fail(ctx, STRIDER_BAD_MODEL, "then_branch has %zu outputs, else_branch has %zu",
                          bodies[THEN]->n_outputs, bodies[ELSE]->n_outputs);
    return STRIDER_OK;
}

static Status if_infer(InferContext *ctx) {
    const Graph *then_branch = ctx->node->bodies[THEN], *else_branch = ctx->node->bodies[ELSE];
    TRY(check_condition(ctx));
    TRY(infer_branches(ctx));
    for (int i = 0; i < ctx->n_outputs; i++) {
        const ValueType *a = &then_branch->outputs[i]->type, *b = &else_branch->outputs[i]->type;
        char then_text[VALUE_TYPE_TEXT], else_text[VALUE_TYPE_TEXT];
        if (then_branch->cannot_run || else_branch->cannot_run)
            ctx->outputs[i] = then_branch->cannot_run ? *b : *a;
        else if (!types_join(a, b, &ctx->outputs[i]))
            return infer_fail(ctx, STRIDER_BAD_MODEL, "output %d is %s in then_branch, %s in else_branch", i,
                              value_type_text(a, then_text), value_type_text(b, else_text));
    }
    return STRIDER_OK;
}

static Status if_host(HostContext *ctx) {
    const RunValue *chooses = host_input(ctx, 0);
    bool condition = false;
    TRY(host_condition(ctx, chooses, "the condition", &condition));
    const int branch = condition ? THEN : ELSE, n = (int)ctx->node->bodies[branch]->n_outputs;
    RunValue **results;
    TRY(host_values(ctx, n, &results));
    const Status status = ctx->call(ctx, branch, NULL, results);
    for (int i = 0; i < n && !status; i++)
        host_set_output(ctx, i, host_take(&results[i]));
    host_release_all(ctx, results, n);
    return status;
}

const Op op_if = {
    OP_NAMED(If),
    .since = 1,
    .inputs = {1, 1},
    .outputs = {1, -1},
    .infer = if_infer,
    .host = if_host,
    .bodies = {"then_branch", "else_branch"},
    .flags = OP_ANY_KIND | OP_NO_FOLD | OP_STRINGS,
};
