/* SPDX-License-Identifier: Apache-2.0 */
/* DynamicQuantizeLinear: the range of each chunk in a first phase, from which every task of the second has
 * the scale. */
#include "ops/quantization/dynamic_quantize.h"

#include "ops/cpu/quantize.h"

enum { CHUNK_ELEMENTS = 16 * 1024, MAX_CHUNKS = 64, MAX_LANES = 16 };

typedef struct DynamicArgs {
    const QuantizeTable *table;
    int64_t count, chunk, chunks; /* elements, of a chunk, and how many */
} DynamicArgs;

typedef struct Range {
    float low, high;
} Range;

static void find_range(const KernelCall *call, int64_t task) {
    const DynamicArgs *args = call->args;
    const int64_t begin = task * args->chunk;
    Range *range = (Range *)call->workspace + task;
    args->table->range((const float *)call->inputs[0] + begin, i64_min(args->chunk, args->count - begin),
                       &range->low, &range->high);
}

static DynamicScale scale_of(const KernelCall *call) {
    const DynamicArgs *args = call->args;
    const Range *ranges = call->workspace;
    Range whole = {0, 0};
    for (int64_t i = 0; i < args->chunks; i++) {
        whole.low = ranges[i].low < whole.low ? ranges[i].low : whole.low;
        whole.high = ranges[i].high > whole.high ? ranges[i].high : whole.high;
    }
    return dynamic_scale(whole.low, whole.high);
}

static void quantize_chunk(const KernelCall *call, int64_t task) {
    const DynamicArgs *args = call->args;
    const DynamicScale of = scale_of(call);
    const uint8_t zero = (uint8_t)of.zero;
    const int64_t begin = task * args->chunk;
    if (call->outputs[DYNAMIC_Y])
        args->table->quantize(&(QuantizeRow){.x = (const float *)call->inputs[0] + begin,
                                             .y = (uint8_t *)call->outputs[DYNAMIC_Y] + begin,
                                             .scales = &of.scale,
                                             .zeros = &zero,
                                             .count = i64_min(args->chunk, args->count - begin),
                                             .lanes = MAX_LANES,
                                             .integer = {.size = 1, .mask = UINT8_MAX, .high = UINT8_MAX}});
    if (task == 0 && call->outputs[DYNAMIC_SCALE])
        *(float *)call->outputs[DYNAMIC_SCALE] = of.scale;
    if (task == 0 && call->outputs[DYNAMIC_ZERO])
        *(uint8_t *)call->outputs[DYNAMIC_ZERO] = zero;
}

static double dynamic_quantize_cost(const KernelQuery *query) {
    return cpu_memory_cost(9 * (double)shape_elements(&query->inputs[0].type.shape));
}

static bool dynamic_quantize_accepts(KernelQuery *query) {
    return shape_elements(&query->inputs[0].type.shape) > 0 && cpu_want_plain(query);
}

static Status dynamic_quantize_prepare(const KernelQuery *query, PrepareContext *ctx,
                                       KernelInstance *instance) {
    DynamicArgs *args;
    TRY(cpu_alloc_args(ctx, bytes_of(sizeof *args, 1), &args));
    args->table = quantize_for(query->target);
    args->count = shape_elements(&query->inputs[0].type.shape);
    args->chunk = i64_max(CHUNK_ELEMENTS, ceil_div(args->count, MAX_CHUNKS));
    args->chunks = ceil_div(args->count, args->chunk);
    *instance = (KernelInstance){.prologue = find_range,
                                 .prologue_tasks = args->chunks,
                                 .run = quantize_chunk,
                                 .tasks = args->chunks,
                                 .args = args,
                                 .workspace_bytes = bytes_of(sizeof(Range), args->chunks)};
    return STRIDER_OK;
}

const Kernel kernel_dynamic_quantize = {.name = "dynamic_quantize",
                                        .op = OP_DynamicQuantizeLinear,
                                        .accepts = dynamic_quantize_accepts,
                                        .cost = dynamic_quantize_cost,
                                        .prepare = dynamic_quantize_prepare};
