/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/cpu/cpu.h"

#include <string.h>

#include "base/size.h"

static bool is_absent(const KernelQuery *query, int port) {
    return port < 0 || port >= query->n_inputs || !query->inputs[port].type.dtype;
}

const Tensor *cpu_input_constant(const KernelQuery *query, int port) {
    return is_absent(query, port) ? NULL : query->inputs[port].constant;
}

bool cpu_optional_constant(const KernelQuery *query, int port) {
    return is_absent(query, port) || query->inputs[port].constant;
}

const Tensor *cpu_input_contents(const KernelQuery *query, int port) {
    return is_absent(query, port) ? NULL : query->inputs[port].contents;
}

bool cpu_optional_contents(const KernelQuery *query, int port) {
    return is_absent(query, port) || query->inputs[port].contents;
}

void cpu_pack_contents(KernelQuery *query, int first) {
    for (int i = first; i < query->n_inputs; i++)
        query->inputs[i].packed = query->inputs[i].contents != NULL;
}

bool cpu_has_input(const KernelQuery *query, int port) {
    return !is_absent(query, port);
}

bool cpu_is_f32(const KernelQuery *query, int port) {
    return !is_absent(query, port) && query->inputs[port].type.dtype == STRIDER_F32;
}

Status cpu_alloc_args(PrepareContext *ctx, Bytes size, void *args) {
    void *memory = region_alloc(ctx->region, size.n);
    if (!memory)
        return fail_memory(ctx->err, size.n, "the plan");
    memcpy(args, &memory, sizeof memory);
    return STRIDER_OK;
}

double cpu_memory_cost(double bytes) {
    return 1000 + bytes * 0.05;
}

bool cpu_want_plain(KernelQuery *query) {
    for (int i = 0; i < query->n_inputs; i++)
        query->inputs[i].layout = layout_plain();
    for (int i = 0; i < query->n_outputs; i++)
        query->outputs[i].layout = layout_plain();
    return true;
}

Layout cpu_blocked(const KernelQuery *query) {
    return layout_blocked(query->width);
}

bool cpu_is_blocked(const KernelQuery *query, const Operand *operand) {
    return layout_equal(operand->layout, cpu_blocked(query));
}

void cpu_keep_layout(KernelQuery *query) {
    Operand *input = &query->inputs[0];
    input->layout = cpu_is_blocked(query, input) ? cpu_blocked(query) : layout_plain();
    query->outputs[0].layout = input->layout;
}

int cpu_tail_channels(const Shape *shape, Layout layout) {
    const int block = layout_block(layout), rest = (int)(shape->dims[1] % block);
    return rest ? rest : block;
}

static Bytes operands_bytes(const Operand *operands, int count) {
    Bytes sum = {0};
    for (int i = 0; i < count; i++) {
        size_t size;
        if (operands[i].type.dtype)
            sum = bytes_sum(sum, type_size(&operands[i].type, &size) ? (Bytes){size} : (Bytes){SIZE_MAX});
    }
    return sum;
}

double cpu_operands_cost(const KernelQuery *query) {
    return cpu_memory_cost((double)operands_bytes(query->inputs, query->n_inputs).n +
                           (double)operands_bytes(query->outputs, query->n_outputs).n);
}

/* Ordinary networks stay far below: copies are of some rows, transforms 7 times as large as their source. */
bool cpu_in_proportion(const KernelQuery *query, Bytes scratch, Bytes workspace) {
    enum { SCRATCH_FREE = 16 << 20, WORKSPACE_FREE = 64 << 20, SCRATCH_RATIO = 2, WORKSPACE_RATIO = 16 };
    const Bytes tensors = bytes_sum(operands_bytes(query->inputs, query->n_inputs),
                                    operands_bytes(query->outputs, query->n_outputs));
    if (tensors.n > INT64_MAX)
        return false;
    return scratch.n <= bytes_sum((Bytes){SCRATCH_FREE}, bytes_of(tensors.n, SCRATCH_RATIO)).n &&
           workspace.n <= bytes_sum((Bytes){WORKSPACE_FREE}, bytes_of(tensors.n, WORKSPACE_RATIO)).n;
}

void cpu_window_inside(const WindowDim *dim, int64_t *begin, int64_t *end) {
    /* The room for the last window's begin, counted from where the first one begins. */
    int64_t room = dim->in - 1 - (dim->kernel - 1) * dim->dilation + dim->pad_begin;
    *begin = dim->pad_begin > 0 ? i64_min(ceil_div(dim->pad_begin, dim->stride), dim->out) : 0;
    *end = i64_max(i64_min(room < 0 ? 0 : room / dim->stride + 1, dim->out), *begin);
}

TapRange cpu_tap_range(const WindowDim *dim, int64_t tap) {
    const int64_t offset = tap * dim->dilation - dim->pad_begin, room = dim->in - 1 - offset;
    const int64_t begin = offset < 0 ? ceil_div(-offset, dim->stride) : 0;
    const int64_t end = room < 0 ? begin : i64_max(i64_min(room / dim->stride + 1, dim->out), begin);
    return (TapRange){begin, end, offset + begin * dim->stride};
}
