/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <string.h>

#include "base/size.h"
#include "ops/controlflow/body.h"
#include "ops/controlflow/scan.h"
#include "ops/controlflow/stack.h"

/* An input that is divided along one axis: part t is `outer` runs of `bytes`. */
typedef struct Split {
    const Tensor *tensor;
    int64_t outer, parts;
    size_t bytes;
    Type type; /* of a part */
} Split;

typedef struct ScanRun {
    HostContext *ctx;
    ScanPorts ports;
    int64_t batches, length;
    RunValue **arguments, **results; /* of the body */
    Split *splits;                   /* of the scanned inputs; of states as well where there are batches */
    Stack *stacks;                   /* of the items; of the last states as well where there are batches */
} ScanRun;

/* Along axes [axis, axis + count), which count as one. */
static Split split_along(const Tensor *tensor, int axis, int count) {
    const Shape *shape = &tensor->type.shape;
    Split split = {
        .tensor = tensor,
        .outer = shape_size(shape, 0, axis),
        .parts = shape_size(shape, axis, axis + count),
        .bytes = bytes_of(dtype_size(tensor->type.dtype), shape_size(shape, axis + count, shape->rank)).n,
        .type = tensor->type};
    while (count--)
        split.type.shape = shape_without(&split.type.shape, axis);
    return split;
}

static Status copy_part(HostContext *ctx, const Split *split, int64_t at, RunValue **part) {
    TRY(run_value_new_tensor(ctx->allocator, split->type.dtype, &split->type.shape, part, ctx->err));
    for (int64_t o = 0; split->bytes && o < split->outer; o++)
        memcpy((char *)(*part)->tensor.data + (size_t)o * split->bytes,
               (const char *)split->tensor->data + (size_t)(o * split->parts + at) * split->bytes,
               split->bytes);
    return STRIDER_OK;
}

static Status same_size(HostContext *ctx, const char *what, int port, int64_t size, int64_t *known) {
    if (*known >= 0 && *known != size)
        return host_fail(ctx, STRIDER_BAD_MODEL, "%s is %" PRId64 " in input %d, %" PRId64 " in those before",
                         what, size, port, *known);
    *known = size;
    return STRIDER_OK;
}

static Status make_split(ScanRun *run, int i) {
    HostContext *ctx = run->ctx;
    const ScanPorts *ports = &run->ports;
    const int port = ports->first_state + i, scanned = i - ports->n_states, batched = ports->is_batched;
    const Tensor *tensor;
    if (scanned < 0 && !batched)
        return STRIDER_OK;
    TRY(host_tensor(ctx, port, &tensor));
    const Shape *shape = &tensor->type.shape;
    int64_t axis = scanned < 0 ? 0 : scan_item(&ports->attrs->input_axes, scanned);
    axis = axis < 0 ? axis + shape->rank : axis;
    if (axis < 0 || shape->rank <= axis + (batched && scanned >= 0))
        return host_fail(ctx, STRIDER_BAD_MODEL, "input %d has rank %d, which is too small", port,
                         shape->rank);
    if (batched)
        TRY(same_size(ctx, "the size of the batch", port, shape->dims[0], &run->batches));
    if (scanned >= 0)
        TRY(same_size(ctx, "the length", port, shape->dims[axis + batched], &run->length));
    run->splits[i] = split_along(tensor, (int)axis, 1 + (batched && scanned >= 0));
    return STRIDER_OK;
}

static Status begin(ScanRun *run) {
    const ScanPorts *ports = &run->ports;
    const int n_splits = ports->n_states + ports->n_scanned;
    run->batches = run->length = -1;
    for (int i = 0; i < n_splits; i++)
        TRY(make_split(run, i));
    run->batches = ports->is_batched ? run->batches : 1;
    for (int i = 0; i < ports->n_states; i++)
        run->stacks[i] = stack_fixed(i, 0, run->batches);
    for (int i = 0; i < ports->n_items; i++) {
        Stack *stack = &run->stacks[ports->n_states + i];
        *stack = stack_fixed(ports->n_states + i, scan_item(&ports->attrs->output_axes, i),
                             i64_product(run->batches, run->length));
        stack->zeroed = ports->is_batched; /* after the end of a short sequence */
    }
    return STRIDER_OK;
}

static bool is_wanted(const ScanRun *run, int port) {
    return port < run->ctx->n_outputs && run->ctx->node->outputs[port];
}

/* Iteration t of `length` in a batch whose parts begin at `first`. */
static Status run_once(ScanRun *run, int64_t first, int64_t t, int64_t length) {
    const ScanPorts *ports = &run->ports;
    HostContext *ctx = run->ctx;
    const int n = ports->n_states + ports->n_scanned;
    for (int i = ports->n_states; i < n; i++) {
        const bool is_reverse = scan_item(&ports->attrs->input_directions, i - ports->n_states);
        TRY(copy_part(ctx, &run->splits[i], first + (is_reverse ? length - 1 - t : t), &run->arguments[i]));
    }
    const Status status = ctx->call(ctx, 0, run->arguments, run->results);
    for (int i = 0; i < n; i++)
        run->arguments[i] = NULL;
    TRY(status);
    for (int i = 0; i < ports->n_states; i++)
        run->arguments[i] = host_take(&run->results[i]);
    for (int i = 0; i < ports->n_items; i++) {
        const bool is_reverse = scan_item(&ports->attrs->output_directions, i);
        const int output = ports->n_states + i;
        RunValue *item = host_take(&run->results[output]);
        const Status put = is_wanted(run, output) ? stack_put(ctx, &run->stacks[output],
                                                              first + (is_reverse ? length - 1 - t : t), item)
                                                  : STRIDER_OK;
        run_value_release(item);
        TRY(put);
    }
    return STRIDER_OK;
}

/* --- batches --- */

static Status batch_length(ScanRun *run, int64_t batch, int64_t *length) {
    const Tensor *lengths;
    *length = run->length;
    if (!host_input(run->ctx, 0))
        return STRIDER_OK;
    TRY(host_tensor(run->ctx, 0, &lengths));
    if (dtype_is_float(lengths->type.dtype) || tensor_elements(lengths) != run->batches)
        return host_fail(run->ctx, STRIDER_BAD_MODEL,
                         "sequence_lens must have an integer for each of %" PRId64, run->batches);
    *length = tensor_get_i64(lengths, batch);
    if (*length < 0 || *length > run->length)
        return host_fail(run->ctx, STRIDER_BAD_MODEL,
                         "sequence %" PRId64 " has length %" PRId64 " of %" PRId64, batch, *length,
                         run->length);
    return STRIDER_OK;
}

static Status run_batch(ScanRun *run, int64_t batch) {
    int64_t length;
    TRY(batch_length(run, batch, &length));
    for (int i = 0; i < run->ports.n_states; i++)
        TRY(copy_part(run->ctx, &run->splits[i], batch, &run->arguments[i]));
    for (int64_t t = 0; t < length; t++)
        TRY(run_once(run, i64_product(batch, run->length), t, length));
    for (int i = 0; i < run->ports.n_states; i++) {
        RunValue *state = host_take(&run->arguments[i]);
        const Status status = stack_put(run->ctx, &run->stacks[i], batch, state);
        run_value_release(state);
        TRY(status);
    }
    return STRIDER_OK;
}

/* Puts what was stacked into an output, with the two dimensions that a batch of items has. */
static Status finish_stack(ScanRun *run, int output) {
    const ValueType *inferred = &run->ports.body->outputs[output]->type;
    const bool is_item = output >= run->ports.n_states;
    Tensor stacked;
    RunValue *value;
    TRY(stack_finish(run->ctx, &run->stacks[output], inferred, run->stacks[output].limit, &stacked));
    if (is_item && run->ports.is_batched) {
        Shape split;
        stacked.type.shape.dims[0] = run->length;
        if (!shape_with(&stacked.type.shape, 0, run->batches, &split)) {
            tensor_free(&stacked);
            return host_fail(run->ctx, STRIDER_UNSUPPORTED, "output %d would have more than %d dimensions",
                             output, MAX_RANK);
        }
        stacked.type.shape = split;
    }
    TRY(run_value_wrap(run->ctx->allocator, stacked, &value, run->ctx->err));
    host_set_output(run->ctx, output, value);
    return STRIDER_OK;
}

static Status run_sequence(ScanRun *run) {
    HostContext *ctx = run->ctx;
    for (int i = 0; i < run->ports.n_states; i++) {
        if (!ctx->inputs[i])
            return host_fail(ctx, STRIDER_BAD_MODEL, "input %d is missing", i);
        run->arguments[i] = run_value_hold(ctx->inputs[i]);
    }
    for (int64_t t = 0; t < run->length; t++)
        TRY(run_once(run, 0, t, run->length));
    for (int i = 0; i < run->ports.n_states; i++)
        host_set_output(ctx, i, host_take(&run->arguments[i]));
    return STRIDER_OK;
}

static Status run_scan(ScanRun *run) {
    const ScanPorts *ports = &run->ports;
    const int n_in = ports->n_states + ports->n_scanned, n_out = (int)ports->body->n_outputs;
    TRY(host_values(run->ctx, n_in, &run->arguments));
    TRY(host_values(run->ctx, n_out, &run->results));
    run->splits = memory_alloc_zeroed(run->ctx->allocator, (size_t)n_in + 1, sizeof *run->splits);
    run->stacks = memory_alloc_zeroed(run->ctx->allocator, (size_t)n_out + 1, sizeof *run->stacks);
    if (!run->splits || !run->stacks)
        return fail_memory(run->ctx->err, bytes_of(sizeof *run->stacks, n_out).n, "a scan");
    TRY(begin(run));
    if (!ports->is_batched)
        TRY(run_sequence(run));
    for (int64_t batch = 0; ports->is_batched && batch < run->batches; batch++)
        TRY(run_batch(run, batch));
    for (int i = ports->is_batched ? 0 : ports->n_states; i < n_out; i++)
        if (is_wanted(run, i))
            TRY(finish_stack(run, i));
    return STRIDER_OK;
}

Status scan_host(HostContext *ctx) {
    ScanRun run = {.ctx = ctx};
    if (!scan_ports(ctx->node, ctx->n_inputs, &run.ports))
        return host_fail(ctx, STRIDER_BAD_MODEL, "there are %d inputs, too few", ctx->n_inputs);
    const int n_out = (int)run.ports.body->n_outputs;
    const Status status = run_scan(&run);
    for (int i = 0; run.stacks && i < n_out; i++)
        stack_free(&run.stacks[i]);
    memory_free(ctx->allocator, run.stacks);
    memory_free(ctx->allocator, run.splits);
    host_release_all(ctx, run.results, n_out);
    host_release_all(ctx, run.arguments, run.ports.n_states + run.ports.n_scanned);
    return status;
}
