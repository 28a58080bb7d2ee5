/* SPDX-License-Identifier: Apache-2.0 */
/* ScatterElements and ScatterND of plain tensors: of any type where updates take the place of what is there,
 * else of those that the machine computes with.  The data are copied in a first phase, unless they are the
 * output's memory already.  Updates of one place are one task's, in their order. */
#include "ops/tensor/scatter.h"

#include <string.h>

#include "base/wrap.h"
#include "ops/cpu/indexed.h"

enum { MIN_COLUMN_BYTES = 64, COPY_BYTES = 128 * 1024 };

typedef void JoinParts(const IndexedRun *run, size_t part_bytes, Reduction reduction, const void *from,
                       void *place);

typedef struct ScatterArgs {
    IndexedArgs indexed;
    JoinParts *join; /* NULL: updates take the place of what is there */
    Reduction reduction;
    size_t bytes; /* of the output */
} ScatterArgs;

/* --- joining --- */

#define ADD_REAL(T, OLD, NEW) ((OLD) + (NEW))
#define MUL_REAL(T, OLD, NEW) ((OLD) * (NEW))
#define ADD_WHOLE(T, OLD, NEW) ((T)wrap_add((uint64_t)(OLD), (uint64_t)(NEW)))
#define MUL_WHOLE(T, OLD, NEW) ((T)wrap_mul((uint64_t)(OLD), (uint64_t)(NEW)))
/* NaN where either is; nothing of integers. */
#define MAX_OF(T, OLD, NEW) ((OLD) > (NEW) || (OLD) != (OLD) ? (OLD) : (NEW))
#define MIN_OF(T, OLD, NEW) ((OLD) < (NEW) || (OLD) != (OLD) ? (OLD) : (NEW))

/* One element a part, or a run of them. */
#define JOIN_ALL(T, JOIN)                                                                                    \
    if (part_bytes == sizeof(T))                                                                             \
        for (int64_t i = 0; i < run->count; i++)                                                             \
            to[run->at[i]] = JOIN(T, to[run->at[i]], updates[i]);                                            \
    else                                                                                                     \
        for (int64_t i = 0; i < run->count; i++)                                                             \
            for (size_t k = 0; k < run->bytes / sizeof(T); k++) {                                            \
                T *old = to + (size_t)run->at[i] * (part_bytes / sizeof(T)) + k;                             \
                *old = JOIN(T, *old, updates[(size_t)i * (part_bytes / sizeof(T)) + k]);                     \
            }                                                                                                \
    break;

#define DEFINE_JOIN(NAME, T, ADD, MUL)                                                                       \
    static void NAME(const IndexedRun *run, size_t part_bytes, Reduction reduction, const void *from,        \
                     void *place) {                                                                          \
        const T *restrict updates = from;                                                                    \
        T *restrict to = place;                                                                              \
        switch (reduction) {                                                                                 \
        case REDUCTION_ADD:                                                                                  \
            JOIN_ALL(T, ADD)                                                                                 \
        case REDUCTION_MUL:                                                                                  \
            JOIN_ALL(T, MUL)                                                                                 \
        case REDUCTION_MAX:                                                                                  \
            JOIN_ALL(T, MAX_OF)                                                                              \
        case REDUCTION_MIN:                                                                                  \
            JOIN_ALL(T, MIN_OF)                                                                              \
        case REDUCTION_NONE:                                                                                 \
            break;                                                                                           \
        }                                                                                                    \
    }
DEFINE_JOIN(join_f32, float, ADD_REAL, MUL_REAL)
DEFINE_JOIN(join_f64, double, ADD_REAL, MUL_REAL)
DEFINE_JOIN(join_i8, int8_t, ADD_WHOLE, MUL_WHOLE)
DEFINE_JOIN(join_i16, int16_t, ADD_WHOLE, MUL_WHOLE)
DEFINE_JOIN(join_i32, int32_t, ADD_WHOLE, MUL_WHOLE)
DEFINE_JOIN(join_i64, int64_t, ADD_WHOLE, MUL_WHOLE)
DEFINE_JOIN(join_u8, uint8_t, ADD_WHOLE, MUL_WHOLE)
DEFINE_JOIN(join_u16, uint16_t, ADD_WHOLE, MUL_WHOLE)
DEFINE_JOIN(join_u32, uint32_t, ADD_WHOLE, MUL_WHOLE)
DEFINE_JOIN(join_u64, uint64_t, ADD_WHOLE, MUL_WHOLE)

/* NULL: none. */
static JoinParts *join_of(DType dtype) {
    static JoinParts *const joins[STRIDER_DTYPE_COUNT] = {
        [STRIDER_F32] = join_f32, [STRIDER_F64] = join_f64, [STRIDER_I8] = join_i8, [STRIDER_I16] = join_i16,
        [STRIDER_I32] = join_i32, [STRIDER_I64] = join_i64, [STRIDER_U8] = join_u8, [STRIDER_U16] = join_u16,
        [STRIDER_U32] = join_u32, [STRIDER_U64] = join_u64,
    };
    return joins[dtype];
}

/* --- running --- */

#define PUT_PARTS(BYTES)                                                                                     \
    case BYTES:                                                                                              \
        for (int64_t i = 0; i < run->count; i++)                                                             \
            memcpy(to + run->at[i] * (BYTES), updates + i * (BYTES), BYTES);                                 \
        break;

static void put(const IndexedRun *run, int64_t part, const char *updates, char *to) {
    switch (part) {
        PUT_PARTS(1)
        PUT_PARTS(2)
        PUT_PARTS(4)
        PUT_PARTS(8)
    default:
        for (int64_t i = 0; i < run->count; i++)
            memcpy(to + run->at[i] * part, updates + i * part, run->bytes);
    }
}

static void scatter(const KernelCall *call, const IndexedRun *run) {
    const ScatterArgs *args = call->args;
    const int64_t part = (int64_t)args->indexed.part_bytes;
    const char *updates = (const char *)call->inputs[SCATTER_UPDATES] + run->first * part + run->column;
    char *to = (char *)call->outputs[0] + run->column;
    if (args->join)
        args->join(run, (size_t)part, args->reduction, updates, to);
    else
        put(run, part, updates, to);
}

static void scatter_run(const KernelCall *call, int64_t task) {
    indexed_visit(call, task, scatter);
}

static void copy_data(const KernelCall *call, int64_t task) {
    const ScatterArgs *args = call->args;
    const size_t begin = (size_t)task * COPY_BYTES, left = args->bytes - begin;
    const char *from = call->inputs[SCATTER_DATA];
    char *to = call->outputs[0];
    if (from != to)
        memcpy(to + begin, from + begin, left < COPY_BYTES ? left : COPY_BYTES);
}

/* --- preparing --- */

static bool scatter_accepts(KernelQuery *query) {
    const ScatterAttrs *attrs = query->node->attrs;
    return (attrs->reduction == REDUCTION_NONE || join_of(query->inputs[SCATTER_DATA].type.dtype)) &&
           cpu_want_plain(query);
}

static Status scatter_prepare(const KernelQuery *query, PrepareContext *ctx, KernelInstance *instance) {
    const ScatterAttrs *attrs = query->node->attrs;
    const Type *x = &query->inputs[SCATTER_DATA].type;
    const Shape *indices = &query->inputs[SCATTER_INDICES].type.shape;
    const IndexedParts parts = query->node->op->kind == OP_ScatterND
                                   ? indexed_by_tuples(0, &x->shape, indices)
                                   : indexed_elements(attrs->axis, &x->shape, indices);
    ScatterArgs *args;
    TRY(cpu_alloc_args(ctx, bytes_of(sizeof *args, 1), &args));
    indexed_args(query, &parts, false, MIN_COLUMN_BYTES, &args->indexed);
    args->reduction = (Reduction)attrs->reduction;
    args->join = args->reduction == REDUCTION_NONE ? NULL : join_of(x->dtype);
    args->bytes = bytes_of(dtype_size(x->dtype), shape_elements(&x->shape)).n;
    *instance = (KernelInstance){.check = indexed_check,
                                 .prologue = copy_data,
                                 .prologue_tasks = ceil_div((int64_t)args->bytes, COPY_BYTES),
                                 .run = scatter_run,
                                 .args = args,
                                 .tasks = indexed_tasks(&args->indexed)};
    return STRIDER_OK;
}

#define SCATTER(ROW, NAME, OPERATOR)                                                                         \
    const Kernel ROW = {.name = NAME,                                                                        \
                        .op = OP_##OPERATOR,                                                                 \
                        .accepts = scatter_accepts,                                                          \
                        .cost = cpu_operands_cost,                                                           \
                        .prepare = scatter_prepare,                                                          \
                        .overwrites = 1u << SCATTER_DATA};

SCATTER(kernel_scatter, "scatter", Scatter)
SCATTER(kernel_scatter_elements, "scatter_elements", ScatterElements)
SCATTER(kernel_scatter_nd, "scatter_nd", ScatterND)
