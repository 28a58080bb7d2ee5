/* SPDX-License-Identifier: Apache-2.0 */
/* Loop: for (i = 0; i < M && cond; i++) cond, carried..., items... = body(i, cond, carried...).  ONNX Loop-1,
 * 11, 13 (sequences), 16 and 19 (optionals, types), 21 to 25 (types).  The carried values may have other
 * shapes in each iteration; the items of each scan output are put together along a new first axis. */
#include "base/size.h"
#include "graph/evaluate.h"
#include "ops/controlflow/body.h"
#include "ops/controlflow/stack.h"

enum {
    TRIPS,
    CONDITION,
    FIRST_CARRIED
}; /* inputs of the node; the body has the number of the iteration first */

/* M and cond may be left out at the end. */
static int count_carried(int n_inputs) {
    return n_inputs > FIRST_CARRIED ? n_inputs - FIRST_CARRIED : 0;
}

/* Scalars, which some exporters declare as tensors of one element. */
static Shape scalar_as_declared(const Value *input) {
    return input->declared.shape.rank == 1 ? (Shape){.rank = 1, .dims = {1}} : shape_scalar();
}

/* --- types --- */

static bool is_true(const Tensor *tensor) {
    return tensor && tensor_elements(tensor) == 1 && tensor_get_i64(tensor, 0);
}

/* Whether nothing but M ends the loop: the body hands its condition on, or sets it to true. */
static bool runs_all_trips(const InferContext *ctx) {
    const Graph *body = ctx->node->bodies[0];
    const bool is_given = own_inputs(ctx) > CONDITION && infer_has_input(ctx, CONDITION);
    const Value *next = body->outputs[0];
    while (!next->constant && next->producer && next->producer->op->kind == OP_Identity)
        next = next->producer->inputs[0];
    if (is_given && !is_true(ctx->input_values[CONDITION]))
        return false;
    return next->constant ? is_true(next->constant) : next == body->inputs[1];
}

static int64_t count_trips(const InferContext *ctx) {
    const bool is_given = own_inputs(ctx) > TRIPS && infer_has_input(ctx, TRIPS);
    const Tensor *trips = is_given ? ctx->input_values[TRIPS] : NULL;
    if (!trips || tensor_elements(trips) != 1 || !runs_all_trips(ctx))
        return DIM_UNKNOWN;
    return i64_max(tensor_get_i64(trips, 0), 0);
}

static Status infer_items(InferContext *ctx, int n_carried) {
    const Graph *body = ctx->node->bodies[0];
    const int64_t trips = count_trips(ctx);
    for (int i = n_carried; i < ctx->n_outputs; i++) {
        const ValueType *item = &body->outputs[1 + i]->type;
        ValueType *output = &ctx->outputs[i];
        if (item->kind != VALUE_TENSOR)
            return infer_fail(ctx, STRIDER_BAD_MODEL, "output %d is put together from tensors, not sequences",
                              i);
        output->dtype = item->dtype;
        if (item->shape.rank >= 0 && !shape_with(&item->shape, 0, trips, &output->shape))
            return infer_fail(ctx, STRIDER_UNSUPPORTED, "output %d would have more than %d dimensions", i,
                              MAX_RANK);
    }
    return STRIDER_OK;
}

static Status check_inputs(InferContext *ctx) {
    const int n = own_inputs(ctx);
    for (int port = 0; port < n; port++) {
        if (port >= FIRST_CARRIED && !infer_has_input(ctx, port))
            return infer_fail(ctx, STRIDER_BAD_MODEL, "input %d is missing", port);
        if (port == TRIPS)
            TRY(infer_require_dtype(ctx, port, DTYPES_INDEX));
        if (port == CONDITION)
            TRY(infer_require_dtype(ctx, port, DTYPE_BIT(STRIDER_BOOL)));
    }
    if (ctx->node->bodies[0]->n_inputs < 2)
        return infer_fail(ctx, STRIDER_BAD_MODEL,
                          "the body takes %zu inputs, it must take the iteration and cond",
                          ctx->node->bodies[0]->n_inputs);
    return infer_body_outputs(ctx, 0, 1 + ctx->n_outputs);
}

static Status infer_with(InferContext *ctx, ValueType *types, int n_carried) {
    const Graph *body = ctx->node->bodies[0];
    types[0] = value_type_tensor(type_of(STRIDER_I64, scalar_as_declared(body->inputs[0])));
    types[1] = value_type_tensor(type_of(STRIDER_BOOL, scalar_as_declared(body->inputs[1])));
    if (own_inputs(ctx) > CONDITION && infer_has_input(ctx, CONDITION))
        types[1] = ctx->inputs[CONDITION];
    for (int i = 0; i < n_carried; i++)
        types[2 + i] = ctx->inputs[FIRST_CARRIED + i];
    TRY(infer_carried(ctx, (Carried){1, 0, 1 + n_carried}, types, 2 + n_carried));
    for (int i = 0; i < n_carried && i < ctx->n_outputs; i++) {
        const ValueType *last = &body->outputs[1 + i]->type;
        ctx->outputs[i] = last->kind == types[2 + i].kind ? types[2 + i] : *last;
    }
    return infer_items(ctx, n_carried);
}

static Status loop_infer(InferContext *ctx) {
    const Allocator *allocator = ctx->symbols->region->allocator;
    const int n_carried = count_carried(own_inputs(ctx));
    TRY(check_inputs(ctx));
    ValueType *types = memory_alloc_zeroed(allocator, (size_t)n_carried + 2, sizeof *types);
    if (!types)
        return fail_memory(ctx->err, bytes_of(sizeof *types, n_carried).n, "shape inference");
    const Status status = infer_with(ctx, types, n_carried);
    memory_free(allocator, types);
    return status;
}

/* --- runs --- */

typedef struct LoopRun {
    HostContext *ctx;
    const Graph *body;
    int n_carried, n_items;
    int64_t trips, done;
    bool goes_on;
    RunValue **arguments, **results; /* of the body */
    Stack *stacks;
} LoopRun;

static Status new_scalar(LoopRun *run, int input, DType dtype, int64_t number, RunValue **value) {
    const Shape shape = scalar_as_declared(run->body->inputs[input]);
    TRY(run_value_new_tensor(run->ctx->allocator, dtype, &shape, value, run->ctx->err));
    tensor_set_i64(&(*value)->tensor, 0, number);
    return STRIDER_OK;
}

static Status begin(LoopRun *run) {
    HostContext *ctx = run->ctx;
    RunValue *condition = host_input(ctx, CONDITION);
    run->goes_on = true;
    TRY(host_int(ctx, TRIPS, INT64_MAX, &run->trips));
    if (condition) {
        TRY(host_condition(ctx, condition, "cond", &run->goes_on));
        run->arguments[1] = run_value_hold(condition);
    } else {
        TRY(new_scalar(run, 1, STRIDER_BOOL, true, &run->arguments[1]));
    }
    for (int i = 0; i < run->n_carried; i++)
        run->arguments[2 + i] = run_value_hold(ctx->inputs[FIRST_CARRIED + i]);
    for (int i = 0; i < run->n_items; i++)
        run->stacks[i] = stack_growing(run->n_carried + i, i64_max(run->trips, 0));
    return STRIDER_OK;
}

static bool is_wanted(const LoopRun *run, int item) {
    const int port = run->n_carried + item;
    return port < run->ctx->n_outputs && run->ctx->node->outputs[port];
}

static Status keep_items(LoopRun *run) {
    for (int i = 0; i < run->n_items; i++) {
        RunValue *item = host_take(&run->results[1 + run->n_carried + i]);
        const Status status =
            is_wanted(run, i) ? stack_put(run->ctx, &run->stacks[i], run->done, item) : STRIDER_OK;
        run_value_release(item);
        TRY(status);
    }
    return STRIDER_OK;
}

/* References move from the arguments into the body, and from its results into the next arguments, so that a
 * body may change what only it holds. */
static Status run_once(LoopRun *run) {
    HostContext *ctx = run->ctx;
    TRY(new_scalar(run, 0, STRIDER_I64, run->done, &run->arguments[0]));
    const Status status = ctx->call(ctx, 0, run->arguments, run->results);
    for (int i = 0; i < 2 + run->n_carried; i++)
        run->arguments[i] = NULL;
    TRY(status);
    TRY(host_condition(ctx, run->results[0], "the body's cond", &run->goes_on));
    for (int i = 0; i < 1 + run->n_carried; i++)
        run->arguments[1 + i] = host_take(&run->results[i]);
    TRY(keep_items(run));
    run->done++;
    return STRIDER_OK;
}

/* An optional at first that the body makes into what it holds: where the body never ran the output is what it
 * holds as well. */
static Status unwrap(LoopRun *run, int carried) {
    const ValueType *type = &run->body->outputs[1 + carried]->type;
    RunValue **value = &run->arguments[2 + carried], *optional = *value;
    if (optional->kind != VALUE_OPTIONAL || type->kind == VALUE_OPTIONAL || !type->dtype)
        return STRIDER_OK;
    if (!optional->n_items)
        return host_fail(run->ctx, STRIDER_BAD_MODEL,
                         "input %d is an optional that holds nothing, and no iteration makes a value of it",
                         FIRST_CARRIED + carried);
    *value = run_value_hold(optional->items[0]);
    run_value_release(optional);
    return STRIDER_OK;
}

static Status finish(LoopRun *run) {
    HostContext *ctx = run->ctx;
    for (int i = 0; i < run->n_carried; i++) {
        if (i < ctx->n_outputs && ctx->node->outputs[i])
            TRY(unwrap(run, i));
        host_set_output(ctx, i, host_take(&run->arguments[2 + i]));
    }
    for (int i = 0; i < run->n_items; i++) {
        const ValueType *inferred = &run->body->outputs[1 + run->n_carried + i]->type;
        Tensor stacked;
        RunValue *value;
        if (!is_wanted(run, i))
            continue;
        TRY(stack_finish(ctx, &run->stacks[i], inferred, run->done, &stacked));
        TRY(run_value_wrap(ctx->allocator, stacked, &value, ctx->err));
        host_set_output(ctx, run->n_carried + i, value);
    }
    return STRIDER_OK;
}

static Status run_loop(LoopRun *run) {
    TRY(host_values(run->ctx, 2 + run->n_carried, &run->arguments));
    TRY(host_values(run->ctx, (int)run->body->n_outputs, &run->results));
    run->stacks = memory_alloc_zeroed(run->ctx->allocator, (size_t)run->n_items + 1, sizeof *run->stacks);
    if (!run->stacks)
        return fail_memory(run->ctx->err, bytes_of(sizeof *run->stacks, run->n_items).n, "a loop");
    TRY(begin(run));
    while (run->done < run->trips && run->goes_on)
        TRY(run_once(run));
    return finish(run);
}

static Status loop_host(HostContext *ctx) {
    LoopRun run = {.ctx = ctx, .body = ctx->node->bodies[0], .n_carried = count_carried(ctx->n_inputs)};
    run.n_items = (int)run.body->n_outputs - 1 - run.n_carried;
    const Status status = run_loop(&run);
    for (int i = 0; run.stacks && i < run.n_items; i++)
        stack_free(&run.stacks[i]);
    memory_free(ctx->allocator, run.stacks);
    host_release_all(ctx, run.results, (int)run.body->n_outputs);
    host_release_all(ctx, run.arguments, 2 + run.n_carried);
    return status;
}

const Op op_loop = {
    OP_NAMED(Loop),
    .since = 1,
    .inputs = {0, -1},
    .outputs = {1, -1},
    .infer = loop_infer,
    .host = loop_host,
    .reads = 1u << TRIPS | 1u << CONDITION,
    .bodies = {"body"},
    .flags = OP_ANY_KIND | OP_NO_FOLD | OP_STRINGS,
};
