/* SPDX-License-Identifier: Apache-2.0 */
/* Elementwise operators of any data types, in plain layout: all that elementwise.c does not do of
 * float32. */
#include "ops/cpu/map.h"
#include "ops/math/binary.h"
#include "ops/math/unary.h"

/* --- types --- */

/* The types that an element's functions may be computed in, best first; ends with MAP_TYPES. */
static const MapType *works_of(DType dtype) {
    static const MapType halves[] = {MAP_F32, MAP_F64, MAP_TYPES}, doubles[] = {MAP_F64, MAP_TYPES},
                         narrow[] = {MAP_I32, MAP_I64, MAP_F64, MAP_TYPES},
                         wide[] = {MAP_I64, MAP_F64, MAP_TYPES}, bools[] = {MAP_U8, MAP_TYPES},
                         none[] = {MAP_TYPES};
    switch (dtype) {
    case STRIDER_F32:
    case STRIDER_F16:
    case STRIDER_BF16:
        return halves;
    case STRIDER_F64:
        return doubles;
    case STRIDER_I8:
    case STRIDER_I16:
    case STRIDER_I32:
    case STRIDER_U8:
    case STRIDER_U16:
        return narrow;
    case STRIDER_I64:
    case STRIDER_U32:
    case STRIDER_U64:
        return wide;
    case STRIDER_BOOL:
        return bools;
    default:
        return none;
    }
}

/* Whether 64 bits of a signed and an unsigned number make the same. */
static bool ignores_sign(BinaryKind kind, const BinaryAttrs *attrs) {
    switch (kind) {
    case BINARY_ADD:
    case BINARY_SUB:
    case BINARY_MUL:
    case BINARY_EQUAL:
    case BINARY_BITWISE_AND:
    case BINARY_BITWISE_OR:
    case BINARY_BITWISE_XOR:
        return true;
    case BINARY_BIT_SHIFT:
        return !attrs->shift_right;
    default:
        return false;
    }
}

/* Of two elements, MAP_TYPES where there is none.  Sums of many are taken in float64, as their order would
 * show otherwise. */
static MapType binary_work(const KernelQuery *query) {
    const BinaryKind kind = node_binary_kind(query->node);
    const MapFunction *functions = map_for(query->target)->binary[kind];
    const DType dtype = query->inputs[0].type.dtype, second = query->inputs[1].type.dtype;
    if (dtype == STRIDER_U64 && !ignores_sign(kind, query->node->attrs))
        return MAP_TYPES;
    if (dtype_is_float(dtype) && (kind == BINARY_MEAN || (kind == BINARY_SUM && query->n_inputs > 2)))
        return MAP_F64;
    if (kind == BINARY_POW && dtype != second) {
        if (dtype_is_float(dtype) || dtype_is_float(second))
            return MAP_F64;
        return second == STRIDER_U64 ? MAP_TYPES : MAP_I64;
    }
    for (const MapType *work = works_of(dtype); *work < MAP_TYPES; work++)
        if (functions[*work] || (*work == MAP_F32 && elementwise_for(query->target)->binary[kind]))
            return *work;
    return MAP_TYPES;
}

static MapType unary_work(const KernelQuery *query, Unary unary) {
    for (const MapType *work = works_of(query->inputs[0].type.dtype); *work < MAP_TYPES; work++)
        if (map_for(query->target)->unary[unary.kind][*work] ||
            (*work == MAP_F32 && elementwise_for(query->target)->unary[unary.kind]))
            return *work;
    return MAP_TYPES;
}

static bool gives_bool(const KernelQuery *query) {
    return query->outputs[0].type.dtype == STRIDER_BOOL;
}

static void set_result(const KernelQuery *query, MapType work, MapArgs *args) {
    const DType out = query->outputs[0].type.dtype;
    if (!gives_bool(query) && out != map_dtype(work))
        args->convert = convert_for(query->target)->rows[map_dtype(work)][out];
}

static double map_cost(const KernelQuery *query) {
    return cpu_operands_cost(query) + (double)shape_elements(&query->outputs[0].type.shape);
}

static bool are_all_f32(const KernelQuery *query) {
    for (int i = 0; i < query->n_inputs; i++)
        if (!cpu_is_f32(query, i))
            return false;
    return true;
}

/* --- operators of two elements --- */

static bool binary_accepts(KernelQuery *query) {
    const BinaryKind kind = node_binary_kind(query->node);
    if (query->n_inputs < 2 || binary_work(query) == MAP_TYPES)
        return false;
    if (query->n_inputs == 2 && are_all_f32(query) && elementwise_for(query->target)->binary[kind])
        return false;
    return cpu_want_plain(query);
}

static Status binary_prepare(const KernelQuery *query, PrepareContext *ctx, KernelInstance *instance) {
    const BinaryAttrs *attrs = query->node->attrs;
    const BinaryKind kind = node_binary_kind(query->node);
    const MapType work = binary_work(query);
    MapArgs *args;
    TRY(map_prepare_rows(query, work, ctx, &args));
    args->function = map_for(query->target)->binary[kind][work];
    if (!args->function)
        args->row_function = elementwise_for(query->target)->binary[kind];
    args->of_all.flag = kind == BINARY_BIT_SHIFT ? attrs->shift_right : attrs->fmod;
    args->divisor = kind == BINARY_MEAN ? query->n_inputs : 0;
    set_result(query, work, args);
    *instance = map_instance(args, MAP_FOLD);
    return STRIDER_OK;
}

/* An exponent, or what is compared, may be of other types: equal bytes are no equal shapes then. */
#define MAP_OVERWRITES(GIVES_BOOL) ((GIVES_BOOL) ? 0 : 1)
#define BINARY(KIND, NAME, ROW, SINCE, INPUTS, DTYPES, GIVES_BOOL)                                           \
    const Kernel kernel_map_##ROW = {.name = "map_" #ROW,                                                    \
                                     .op = OP_##NAME,                                                        \
                                     .accepts = binary_accepts,                                              \
                                     .cost = map_cost,                                                       \
                                     .prepare = binary_prepare,                                              \
                                     .overwrites = MAP_OVERWRITES(GIVES_BOOL)};
#include "ops/math/binary_list.inc"

/* --- operators of one --- */

static bool unary_accepts(KernelQuery *query) {
    Unary unary;
    if (query->n_inputs != 1 || !node_unary(query->node, &unary) || unary_work(query, unary) == MAP_TYPES ||
        (are_all_f32(query) && elementwise_for(query->target)->unary[unary.kind]))
        return false;
    return cpu_want_plain(query);
}

static Status unary_prepare(const KernelQuery *query, PrepareContext *ctx, KernelInstance *instance) {
    Unary unary;
    node_unary(query->node, &unary);
    const MapType work = unary_work(query, unary);
    MapArgs *args;
    TRY(map_prepare_rows(query, work, ctx, &args));
    args->function = map_for(query->target)->unary[unary.kind][work];
    if (work == MAP_F32 && elementwise_for(query->target)->unary[unary.kind])
        args->row_function = elementwise_for(query->target)->unary[unary.kind];
    args->of_all.alpha = unary.alpha;
    args->of_all.beta = unary.beta;
    set_result(query, work, args);
    *instance = map_instance(args, MAP_UNARY);
    return STRIDER_OK;
}

#define MAP_UNARY_KERNEL(NAME, ROW)                                                                          \
    const Kernel kernel_map_##ROW = {.name = "map_" #ROW,                                                    \
                                     .op = OP_##NAME,                                                        \
                                     .accepts = unary_accepts,                                               \
                                     .cost = map_cost,                                                       \
                                     .prepare = unary_prepare,                                               \
                                     .overwrites = 1};
#define UNARY(KIND, NAME, ROW, ...) MAP_UNARY_KERNEL(NAME, ROW)
#include "ops/math/unary_list.inc"
MAP_UNARY_KERNEL(Not, not )
MAP_UNARY_KERNEL(BitwiseNot, bitwise_not)
MAP_UNARY_KERNEL(IsNaN, is_nan)
MAP_UNARY_KERNEL(IsInf, is_inf)

/* --- Clip by inputs --- */

static bool clip_accepts(KernelQuery *query) {
    Unary unary;
    const DType dtype = query->inputs[0].type.dtype;
    bool has_bounds = false;
    for (int i = 1; i < query->n_inputs; i++)
        has_bounds = has_bounds || query->inputs[i].type.dtype;
    if (!has_bounds || *works_of(dtype) == MAP_TYPES || dtype == STRIDER_U64 || dtype == STRIDER_BOOL ||
        (dtype == STRIDER_F32 && node_unary(query->node, &unary)))
        return false;
    return cpu_want_plain(query);
}

static Status clip_prepare(const KernelQuery *query, PrepareContext *ctx, KernelInstance *instance) {
    const MapType work = *works_of(query->inputs[0].type.dtype);
    const MapTable *table = map_for(query->target);
    MapArgs *args;
    TRY(map_prepare_rows(query, work, ctx, &args));
    args->low = query->inputs[1].type.dtype ? table->clip_low[work] : NULL;
    args->high = query->n_inputs > 2 && query->inputs[2].type.dtype ? table->clip_high[work] : NULL;
    set_result(query, work, args);
    *instance = map_instance(args, MAP_CLIP);
    return STRIDER_OK;
}

const Kernel kernel_map_clip = {.name = "map_clip",
                                .op = OP_Clip,
                                .accepts = clip_accepts,
                                .cost = map_cost,
                                .prepare = clip_prepare,
                                .overwrites = 1};

/* --- Where --- */

static bool where_accepts(KernelQuery *query) {
    const size_t size = dtype_size(query->inputs[1].type.dtype);
    return size && size <= 8 && cpu_want_plain(query);
}

static Status where_prepare(const KernelQuery *query, PrepareContext *ctx, KernelInstance *instance) {
    MapArgs *args;
    TRY(map_prepare_rows(query, MAP_TYPES, ctx, &args));
    args->function = map_for(query->target)->where[__builtin_ctzll(args->out_size)];
    *instance = map_instance(args, MAP_WHERE);
    return STRIDER_OK;
}

const Kernel kernel_where = {.name = "where",
                             .op = OP_Where,
                             .accepts = where_accepts,
                             .cost = map_cost,
                             .prepare = where_prepare,
                             .overwrites = 1u << 1 | 1u << 2};
