/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/cpu/conv/pack.h"

#include <assert.h>
#include <string.h>

#include "base/size.h"
#include "ops/cpu/conv/query.h"
#include "ops/cpu/cpu.h"

typedef struct ConstantFill {
    ConvFill fill;
    const Tensor *weights;
    int64_t channels;
} ConstantFill;

static void fill_constant(void *context, void *memory, int64_t run) {
    const ConstantFill *constant = context;
    const ConvFill *fill = &constant->fill;
    const Tensor *weights = constant->weights;
    for (int64_t chunk = 0; chunk < fill->chunks; chunk++)
        fill->fill(fill->context, weights->data, run, chunk, memory);
    if (!fill->run_channels)
        return;
    const size_t channel_bytes = weights->size_bytes / (size_t)constant->channels;
    const int64_t begin = run * fill->run_channels,
                  end = i64_min(begin + fill->run_channels, constant->channels);
    pack_consumed(weights, (const char *)weights->data + bytes_of(channel_bytes, begin).n,
                  bytes_of(channel_bytes, end - begin).n);
}

Status conv_pack(const KernelQuery *query, const ConvFill *fill, const char *key, Bytes size,
                 PrepareContext *ctx, ConvPack *pack) {
    const Tensor *weights = query->inputs[CONV_W].constant;
    pack->fill = *fill;
    pack->size = size;
    if (!weights)
        return STRIDER_OK;
    ConstantFill *constant;
    const void *packed;
    TRY(cpu_alloc_args(ctx, bytes_of(sizeof *constant, 1), &constant));
    *constant = (ConstantFill){*fill, weights, weights->type.shape.dims[0]};
    const PackFill chunks = {fill_constant, fill->runs, constant};
    TRY(pack_constant_later(ctx, weights, key, size, &chunks, &packed));
    pack->weights = packed;
    return STRIDER_OK;
}

static Status make_vector(const KernelQuery *query, const Tensor *constant, int64_t channels,
                          PrepareContext *ctx, const float **vector) {
    const size_t count = (size_t)count_of(ceil_div(channels, query->width), query->width);
    float *values = region_alloc_array(ctx->region, count, sizeof *values);
    if (!values)
        return fail_memory(ctx->err, bytes_of(sizeof *values, count).n, "the plan");
    for (int64_t i = 0; constant && i < channels; i++)
        values[i] = (float)tensor_get_f64(constant, i);
    *vector = values;
    return STRIDER_OK;
}

Status conv_scales(const KernelQuery *query, int64_t channels, PrepareContext *ctx, const float **scales) {
    const Tensor *scale = conv_scale(query);
    *scales = NULL;
    return scale ? make_vector(query, scale, channels, ctx, scales) : STRIDER_OK;
}

Status conv_pack_bias(const KernelQuery *query, int64_t channels, PrepareContext *ctx, ConvPack *pack) {
    Epilogue epilogue;
    conv_epilogue(query->node, &epilogue);
    pack->bias_port = epilogue.bias_port;
    pack->bias_channels = channels;
    pack->bias_floats = count_of(ceil_div(channels, query->width), query->width);
    return cpu_optional_constant(query, pack->bias_port)
               ? make_vector(query, cpu_input_constant(query, pack->bias_port), channels, ctx, &pack->bias)
               : STRIDER_OK;
}

static float *at_bytes(void *memory, size_t bytes) {
    return (float *)((char *)memory + bytes);
}

ConvPacked conv_packed(const ConvPack *pack, const KernelCall *call) {
    return (ConvPacked){pack->weights || pack->by_tasks ? pack->weights
                                                        : at_bytes(call->workspace, pack->weights_at),
                        pack->bias ? pack->bias : at_bytes(call->workspace, pack->bias_at)};
}

static int64_t weights_tasks(const ConvPack *pack) {
    return pack->weights || pack->by_tasks ? 0 : i64_product(pack->fill.runs, pack->fill.chunks);
}

static void copy_bias(const ConvPack *pack, const KernelCall *call) {
    float *to = at_bytes(call->workspace, pack->bias_at);
    memset(to, 0, (size_t)pack->bias_floats * sizeof *to);
    memcpy(to, call->inputs[pack->bias_port], (size_t)pack->bias_channels * sizeof *to);
}

static void run_prologue(const KernelCall *call, int64_t task) {
    const ConvPack *pack = call->args;
    const ConvFill *fill = &pack->fill;
    const int64_t packing = weights_tasks(pack);
    if (task < packing) {
        fill->fill(fill->context, call->inputs[CONV_W], task / fill->chunks, task % fill->chunks,
                   at_bytes(call->workspace, pack->weights_at));
        return;
    }
    task -= packing;
    if (!pack->bias && task == 0)
        copy_bias(pack, call);
    else
        pack->prologue(call, pack->bias ? task : task - 1);
}

/* In the workspace, after what it has already. */
static size_t reserve(KernelInstance *instance, Bytes size) {
    size_t at;
    if (!size_align(instance->workspace_bytes.n, MEMORY_ALIGNMENT, &at))
        at = SIZE_MAX;
    instance->workspace_bytes = bytes_sum((Bytes){at}, size);
    return at;
}

void conv_pack_finish(ConvPack *pack, KernelInstance *instance) {
    assert((void *)pack == instance->args);
    instance->packed_bytes = pack->weights ? pack->size.n : 0;
    const int64_t packing = i64_sum(weights_tasks(pack), pack->bias ? 0 : 1);
    if (!packing)
        return;
    if (weights_tasks(pack))
        pack->weights_at = reserve(instance, pack->size);
    if (!pack->bias)
        pack->bias_at = reserve(instance, bytes_of(sizeof(float), pack->bias_floats));
    pack->prologue = instance->prologue;
    instance->prologue = run_prologue;
    instance->prologue_tasks = i64_sum(instance->prologue_tasks, packing);
}

double conv_pack_cost(Bytes run_bytes) {
    return (double)run_bytes.n * 0.1;
}
