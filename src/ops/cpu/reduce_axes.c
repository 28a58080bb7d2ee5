/* SPDX-License-Identifier: Apache-2.0 */
/* Reductions of plain tensors of any type, over any axes.
 *
 * Neighbouring axes that are all reduced or all kept are merged.  Where the last one is reduced, the sum of
 * an output goes along rows; where it is kept, a block of outputs, the columns, is summed together, row by
 * row.  What makes few outputs of many elements is divided into parts, which are joined afterwards. */
#include "ops/cpu/reduce_axes.h"

#include <math.h>
#include <string.h>

#include "base/size.h"
#include "base/wrap.h"
#include "ops/cpu/convert.h"
#include "ops/reduction/reduce.h"

#define REAL double
#include "ops/reduction/reduce_formula.h"

enum {
    MAX_COLUMNS = 256,         /* whose sums stay in the first cache */
    RUN_ELEMENTS = 4096,       /* that are joined by one call, where they are loaded */
    LONG_RUN_ELEMENTS = 65536, /* else */
    TASK_ELEMENTS = 32768,     /* that a task reads, where there are that many */
    PART_ELEMENTS = 65536,     /* of what is divided */
    MAX_PARTS = 64,
    FEW_TASKS = 16, /* what has fewer is divided */
};

/* Dimensions of the input, by stride. */
typedef struct Dims {
    int rank;
    int64_t dims[MAX_RANK], strides[MAX_RANK], count;
} Dims;

typedef struct ReduceArgs {
    Dims kept, reduced; /* but for the last one of each, of which the functions know; these follow */
    int64_t columns, column_stride, rows, row_stride;
    bool by_rows;                      /* the last axis is reduced */
    int64_t block;                     /* outputs that are made together */
    int64_t column_blocks, run_blocks; /* of the columns, and of the elements or rows */
    int64_t run;                       /* elements or rows of one call */
    int64_t units, units_a_task, parts, runs, runs_a_part;
    ReduceKind kind;
    ReduceTerm term;
    ReduceType type;
    ReduceFunction function, peak_function; /* NULL: a product of doubles */
    ConvertFunction load, store;            /* NULL: as they are */
    size_t in_size, load_size, out_size;
    double count;
} ReduceArgs;

/* A task's memory. */
typedef struct ReduceScratch {
    ReduceSum sums[MAX_COLUMNS];
    double peaks[MAX_COLUMNS];
    int64_t exponents[MAX_COLUMNS]; /* of products of reals */
    char loaded[RUN_ELEMENTS * sizeof(double)];
} ReduceScratch;

/* --- running --- */

static ReduceSum start_of(ReduceKind kind, ReduceType type) {
    if (type != REDUCE_I64)
        return (ReduceSum){.real = reduce_start(kind)};
    return (ReduceSum){.integer = kind == R_MAX ? INT64_MIN : kind == R_MIN ? INT64_MAX : kind == R_PROD};
}

static int64_t place_in(const Dims *dims, int64_t index) {
    int64_t place = 0;
    for (int d = dims->rank - 1; d >= 0; d--) {
        place += index % dims->dims[d] * dims->strides[d];
        index /= dims->dims[d];
    }
    return place;
}

/* Products of doubles. */
static void multiply(const ReduceArgs *args, const ReduceRows *rows) {
    for (int64_t r = 0; r < rows->rows; r++)
        for (int64_t i = 0; i < rows->count; i++) {
            const int64_t to = args->by_rows ? r : i;
            const Product product =
                product_join((Product){rows->sums[to].real, rows->exponents[to]},
                             product_of(((const double *)rows->x)[r * rows->stride + i], 0));
            rows->sums[to].real = product.value;
            rows->exponents[to] = product.exponent;
        }
}

/* Rows of `count` elements from `x` on, loaded where their type is another. */
static void join_run(const ReduceArgs *args, ReduceFunction function, const char *x, int64_t n_rows,
                     int64_t stride, int64_t count, ReduceScratch *scratch) {
    ReduceRows rows = {.x = x,
                       .stride = stride,
                       .rows = n_rows,
                       .count = count,
                       .sums = scratch->sums,
                       .peaks = scratch->peaks,
                       .exponents = scratch->exponents};
    if (args->load) {
        for (int64_t r = 0; r < n_rows; r++)
            args->load(x + r * stride * (int64_t)args->in_size,
                       scratch->loaded + r * count * (int64_t)args->load_size, count);
        rows.x = scratch->loaded;
        rows.stride = count;
    }
    if (function)
        function(&rows);
    else
        multiply(args, &rows);
}

static int64_t columns_of(const ReduceArgs *args, int64_t unit) {
    return i64_min(args->block, args->columns - unit % args->column_blocks * args->block);
}

/* Runs [first, end) of unit `unit`. */
static void join_runs(const ReduceArgs *args, ReduceFunction function, const char *x, int64_t unit,
                      int64_t first, int64_t end, ReduceScratch *scratch) {
    const int64_t column = unit % args->column_blocks * args->block, columns = columns_of(args, unit);
    const int64_t base = place_in(&args->kept, unit / args->column_blocks) + column * args->column_stride;
    for (int64_t run = first; run < end; run++) {
        const int64_t begin = run % args->run_blocks * args->run,
                      count = i64_min(args->run, args->rows - begin);
        const int64_t at = base + place_in(&args->reduced, run / args->run_blocks) + begin * args->row_stride;
        const char *from = x + at * (int64_t)args->in_size;
        if (args->by_rows)
            join_run(args, function, from, columns, args->column_stride, count, scratch);
        else
            join_run(args, function, from, count, args->row_stride, columns, scratch);
    }
}

/* What is between elements and result: `columns` sums of unit `unit`. */
static int64_t reduce_unit(const ReduceArgs *args, const KernelCall *call, int64_t unit, int64_t first,
                           int64_t end) {
    ReduceScratch *scratch = call->scratch;
    const int64_t columns = columns_of(args, unit);
    for (int64_t c = 0; c < columns; c++) {
        scratch->sums[c] = start_of(args->peak_function ? R_MAX : args->kind, args->type);
        scratch->exponents[c] = 0;
    }
    if (args->peak_function) {
        join_runs(args, args->peak_function, call->inputs[0], unit, first, end, scratch);
        for (int64_t c = 0; c < columns; c++) {
            scratch->peaks[c] = scratch->sums[c].real;
            scratch->sums[c].real = 0;
        }
    }
    join_runs(args, args->function, call->inputs[0], unit, first, end, scratch);
    return columns;
}

static void finish_unit(const ReduceArgs *args, const KernelCall *call, int64_t unit, int64_t columns,
                        ReduceScratch *scratch) {
    const int64_t to = unit / args->column_blocks * args->columns + unit % args->column_blocks * args->block;
    char *out = (char *)call->outputs[0] + to * (int64_t)args->out_size;
    for (int64_t c = 0; args->type != REDUCE_I64 && c < columns; c++) {
        ReduceSum *sum = &scratch->sums[c];
        if (args->term == TERM_PRODUCT)
            sum->real = product_result((Product){sum->real, scratch->exponents[c]});
        sum->real =
            reduce_result(args->kind, sum->real, args->peak_function ? scratch->peaks[c] : 0, args->count);
    }
    if (args->store)
        args->store(scratch->sums, out, columns);
    else
        memcpy(out, scratch->sums, (size_t)columns * sizeof(ReduceSum));
}

static void whole_run(const KernelCall *call, int64_t task) {
    const ReduceArgs *args = call->args;
    const int64_t first = task * args->units_a_task, end = i64_min(first + args->units_a_task, args->units);
    for (int64_t unit = first; unit < end; unit++)
        finish_unit(args, call, unit, reduce_unit(args, call, unit, 0, args->runs), call->scratch);
}

static ReduceSum *sums_of_part(const KernelCall *call, const ReduceArgs *args, int64_t unit, int64_t part) {
    return (ReduceSum *)call->workspace + (unit * args->parts + part) * args->block;
}

static void part_run(const KernelCall *call, int64_t task) {
    const ReduceArgs *args = call->args;
    const int64_t unit = task / args->parts, part = task % args->parts, first = part * args->runs_a_part;
    const int64_t columns =
        reduce_unit(args, call, unit, first, i64_min(first + args->runs_a_part, args->runs));
    const ReduceScratch *scratch = call->scratch;
    memcpy(sums_of_part(call, args, unit, part), scratch->sums, (size_t)columns * sizeof(ReduceSum));
}

static ReduceSum join_parts(const ReduceArgs *args, ReduceSum a, ReduceSum b) {
    if (args->type != REDUCE_I64)
        return (ReduceSum){.real = reduce_join(args->kind, a.real, b.real)};
    switch (args->kind) {
    case R_MAX:
        return a.integer > b.integer ? a : b;
    case R_MIN:
        return a.integer < b.integer ? a : b;
    case R_PROD:
        return (ReduceSum){.integer = (int64_t)wrap_mul((uint64_t)a.integer, (uint64_t)b.integer)};
    default:
        return (ReduceSum){.integer = (int64_t)wrap_add((uint64_t)a.integer, (uint64_t)b.integer)};
    }
}

static void parts_run(const KernelCall *call, int64_t unit) {
    const ReduceArgs *args = call->args;
    ReduceScratch *scratch = call->scratch;
    const int64_t columns = columns_of(args, unit);
    for (int64_t c = 0; c < columns; c++) {
        ReduceSum sum = sums_of_part(call, args, unit, 0)[c];
        for (int64_t part = 1; part < args->parts; part++)
            sum = join_parts(args, sum, sums_of_part(call, args, unit, part)[c]);
        scratch->sums[c] = sum;
    }
    finish_unit(args, call, unit, columns, scratch);
}

/* --- preparing --- */

static bool axes_of(const KernelQuery *query, unsigned *mask) {
    return cpu_optional_contents(query, 1) && reduce_axes(query->node->attrs, cpu_input_contents(query, 1),
                                                          query->inputs[0].type.shape.rank, mask);
}

/* Merges a dimension into the list where it goes on evenly. */
static void add_dim(Dims *dims, int64_t dim, int64_t stride, bool joins) {
    const int at = joins ? dims->rank - 1 : dims->rank++;
    dims->dims[at] = joins ? dims->dims[at] * dim : dim;
    dims->strides[at] = stride;
}

static void take_last(Dims *dims, int64_t *dim, int64_t *stride) {
    *dim = 1;
    *stride = 0;
    if (dims->rank) {
        dims->rank--;
        *dim = dims->dims[dims->rank];
        *stride = dims->strides[dims->rank];
    }
    dims->count = i64_product_of_list(dims->dims, (size_t)dims->rank);
}

static void merge_axes(const Shape *x, unsigned mask, ReduceArgs *args) {
    int64_t strides[MAX_RANK];
    int last = -1; /* whether the one before is reduced */
    shape_strides(x, strides);
    for (int d = 0; d < x->rank; d++) {
        const int is_reduced = mask >> d & 1;
        if (x->dims[d] == 1)
            continue;
        add_dim(is_reduced ? &args->reduced : &args->kept, x->dims[d], strides[d], last == is_reduced);
        last = is_reduced;
    }
    args->by_rows = last == 1;
    take_last(&args->kept, &args->columns, &args->column_stride);
    take_last(&args->reduced, &args->rows, &args->row_stride);
    args->block = i64_min(args->columns, MAX_COLUMNS);
    if (args->by_rows)
        args->block = i64_min(args->block, i64_max(RUN_ELEMENTS / args->rows, 1));
    args->column_blocks = ceil_div(args->columns, args->block);
    args->run = (args->load ? RUN_ELEMENTS : LONG_RUN_ELEMENTS) / args->block;
    args->run_blocks = ceil_div(args->rows, args->run);
    args->units = args->kept.count * args->column_blocks;
    args->runs = args->reduced.count * args->run_blocks;
}

static void divide(ReduceArgs *args) {
    const int64_t unit_elements = count_of(args->block, args->rows, args->reduced.count);
    args->units_a_task = i64_max(TASK_ELEMENTS / i64_max(unit_elements, 1), 1);
    args->parts = 1;
    args->runs_a_part = args->runs;
    if (args->units >= FEW_TASKS || args->term == TERM_EXPONENTIALS || args->term == TERM_PRODUCT)
        return;
    const int64_t wanted = i64_min(i64_min(unit_elements / PART_ELEMENTS, args->runs), MAX_PARTS);
    if (wanted > 1) {
        args->runs_a_part = ceil_div(args->runs, wanted);
        args->parts = ceil_div(args->runs, args->runs_a_part);
    }
}

static ReduceTerm term_of(ReduceKind kind) {
    static const ReduceTerm terms[] = {
        [R_SUM] = TERM_SUM,           [R_MEAN] = TERM_SUM,     [R_MAX] = TERM_MAX,
        [R_MIN] = TERM_MIN,           [R_PROD] = TERM_PRODUCT, [R_L1] = TERM_MAGNITUDES,
        [R_L2] = TERM_SQUARES,        [R_LOG_SUM] = TERM_SUM,  [R_LOG_SUM_EXP] = TERM_EXPONENTIALS,
        [R_SUM_SQUARE] = TERM_SQUARES};
    return terms[kind];
}

/* Integers' means, logarithms and roots are computed as doubles. */
static ReduceType type_for(ReduceKind kind, DType dtype) {
    if (dtype == STRIDER_F32 || dtype == STRIDER_F16 || dtype == STRIDER_BF16)
        return REDUCE_F32;
    if (dtype == STRIDER_F64 || kind == R_MEAN || kind == R_L2 || kind == R_LOG_SUM || kind == R_LOG_SUM_EXP)
        return REDUCE_F64;
    return REDUCE_I64;
}

static bool reduce_accepts(KernelQuery *query) {
    const DType dtype = query->inputs[0].type.dtype;
    const ReduceKind kind = reduce_kind(query->node);
    const bool needs_sign = kind == R_MAX || kind == R_MIN || kind == R_L1;
    unsigned mask;
    if (!convert_knows(dtype) || (dtype == STRIDER_U64 && needs_sign) || !axes_of(query, &mask) ||
        shape_elements(&query->inputs[0].type.shape) == 0)
        return false;
    cpu_want_plain(query);
    if (query->n_inputs > 1)
        query->inputs[1].packed = query->inputs[1].type.dtype != STRIDER_DTYPE_NONE;
    return true;
}

static double reduce_cost(const KernelQuery *query) {
    return cpu_operands_cost(query) + 0.05 * (double)shape_elements(&query->inputs[0].type.shape);
}

static void set_types(const KernelQuery *query, ReduceArgs *args) {
    static const DType loaded[] = {STRIDER_F32, STRIDER_F64, STRIDER_I64};
    const DType in = query->inputs[0].type.dtype, out = query->outputs[0].type.dtype;
    const DType wide = args->type == REDUCE_I64 ? STRIDER_I64 : STRIDER_F64;
    if (in != loaded[args->type])
        args->load = convert_for(query->target)->rows[in][loaded[args->type]];
    if (out != wide)
        args->store = convert_for(query->target)->rows[wide][out];
    args->in_size = dtype_size(in);
    args->load_size = dtype_size(loaded[args->type]);
    args->out_size = dtype_size(out);
}

static void set_functions(const KernelQuery *query, ReduceArgs *args) {
    const ReduceTable *table = reduce_axes_for(query->target);
    const ReduceFunction(*functions)[REDUCE_TYPES] = args->by_rows ? table->by_rows : table->by_columns;
    args->function = functions[args->term][args->type];
    if (args->term == TERM_EXPONENTIALS)
        args->peak_function = functions[TERM_MAX][args->type];
}

static Status reduce_prepare(const KernelQuery *query, PrepareContext *ctx, KernelInstance *instance) {
    const Shape *x = &query->inputs[0].type.shape;
    unsigned mask;
    ReduceArgs *args;
    TRY(cpu_alloc_args(ctx, bytes_of(sizeof *args, 1), &args));
    if (!axes_of(query, &mask))
        return fail(ctx->err, STRIDER_INVALID_ARGUMENT, "axes that are not constant");
    args->kind = reduce_kind(query->node);
    args->term = term_of(args->kind);
    args->type = type_for(args->kind, query->inputs[0].type.dtype);
    set_types(query, args);
    merge_axes(x, mask, args);
    args->count = (double)(shape_elements(x) / shape_elements(&query->outputs[0].type.shape));
    set_functions(query, args);
    divide(args);
    *instance = (KernelInstance){.run = whole_run,
                                 .args = args,
                                 .tasks = ceil_div(args->units, args->units_a_task),
                                 .scratch_bytes = bytes_of(sizeof(ReduceScratch), 1)};
    if (args->parts > 1) {
        instance->prologue = part_run;
        instance->prologue_tasks = args->units * args->parts;
        instance->run = parts_run;
        instance->tasks = args->units;
        instance->workspace_bytes = bytes_of(sizeof(ReduceSum), args->units, args->parts, args->block);
    }
    return STRIDER_OK;
}

#define REDUCE_KERNEL(ROW, OPERATOR)                                                                         \
    const Kernel kernel_reduce_axes_##ROW = {.name = "reduce_axes_" #ROW,                                    \
                                             .op = OP_##OPERATOR,                                            \
                                             .accepts = reduce_accepts,                                      \
                                             .cost = reduce_cost,                                            \
                                             .prepare = reduce_prepare};

REDUCE_KERNEL(sum, ReduceSum)
REDUCE_KERNEL(mean, ReduceMean)
REDUCE_KERNEL(max, ReduceMax)
REDUCE_KERNEL(min, ReduceMin)
REDUCE_KERNEL(prod, ReduceProd)
REDUCE_KERNEL(l1, ReduceL1)
REDUCE_KERNEL(l2, ReduceL2)
REDUCE_KERNEL(log_sum, ReduceLogSum)
REDUCE_KERNEL(log_sum_exp, ReduceLogSumExp)
REDUCE_KERNEL(sum_square, ReduceSumSquare)
