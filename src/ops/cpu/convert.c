/* SPDX-License-Identifier: Apache-2.0 */
/* Cast and CastLike of any type: chunks of a row. */
#include "ops/cpu/convert.h"

#include <string.h>

#include "base/size.h"

enum { CHUNK = 8192 }; /* elements of a task */

typedef struct CastArgs {
    ConvertFunction function; /* NULL: copies */
    size_t from_size, to_size;
    int64_t count;
} CastArgs;

bool convert_knows(DType dtype) {
    return dtype_is_float(dtype) || dtype_is_integer(dtype) || dtype == STRIDER_BOOL;
}

static void cast_run(const KernelCall *call, int64_t task) {
    const CastArgs *args = call->args;
    const int64_t first = task * CHUNK, count = i64_min(CHUNK, args->count - first);
    const char *from = (const char *)call->inputs[0] + (size_t)first * args->from_size;
    char *to = (char *)call->outputs[0] + (size_t)first * args->to_size;
    if (args->function)
        args->function(from, to, count);
    else if (from != to)
        memcpy(to, from, (size_t)count * args->to_size);
}

static bool cast_accepts(KernelQuery *query) {
    return convert_knows(query->inputs[0].type.dtype) && convert_knows(query->outputs[0].type.dtype) &&
           cpu_want_plain(query);
}

static Status cast_prepare(const KernelQuery *query, PrepareContext *ctx, KernelInstance *instance) {
    const Type *from = &query->inputs[0].type, *to = &query->outputs[0].type;
    CastArgs *args;
    TRY(cpu_alloc_args(ctx, bytes_of(sizeof *args, 1), &args));
    *args = (CastArgs){.function = from->dtype == to->dtype
                                       ? NULL
                                       : convert_for(query->target)->rows[from->dtype][to->dtype],
                       .from_size = dtype_size(from->dtype),
                       .to_size = dtype_size(to->dtype),
                       .count = shape_elements(&from->shape)};
    *instance = (KernelInstance){.run = cast_run, .args = args, .tasks = ceil_div(args->count, CHUNK)};
    return STRIDER_OK;
}

#define CAST(ROW, NAME, OP)                                                                                  \
    const Kernel ROW = {.name = NAME,                                                                        \
                        .op = OP,                                                                            \
                        .accepts = cast_accepts,                                                             \
                        .cost = cpu_operands_cost,                                                           \
                        .prepare = cast_prepare,                                                             \
                        .overwrites = 1};

CAST(kernel_cast, "cast", OP_Cast)
CAST(kernel_cast_like, "cast_like", OP_CastLike)
