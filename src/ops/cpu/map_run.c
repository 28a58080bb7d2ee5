/* SPDX-License-Identifier: Apache-2.0 */
/* How functions of elements of any type are run.
 *
 * The output's dimensions are merged as far as every operand's strides allow; the last one is the row that a
 * template computes, in chunks.  Elements of types that no function is there for are converted to one that
 * holds them, and back. */
#include "base/size.h"
#include "ops/cpu/map.h"
#include "ops/math/binary.h"

enum {
    CHUNK = 1024, /* elements that one call of a function computes at most */
    TASK_ELEMENTS = 8192,
    BUFFER_BYTES = CHUNK * 8,
    N_BUFFERS = 3, /* two operands, and what is made of them */
};

DType map_dtype(MapType work) {
    static const DType dtypes[MAP_TYPES] = {STRIDER_F32, STRIDER_F64, STRIDER_I32, STRIDER_I64, STRIDER_U8};
    return dtypes[work];
}

/* One chunk in the making. */
typedef struct Chunk {
    const MapArgs *args;
    const KernelCall *call;
    int64_t index[MAX_RANK]; /* outside the row */
    int64_t begin, count;    /* in the row */
    char *to;
} Chunk;

/* --- running --- */

static char *buffer_of(const Chunk *chunk, int buffer) {
    return (char *)chunk->call->scratch + (size_t)buffer * BUFFER_BYTES;
}

static bool is_same(const MapArgs *args, int operand) {
    return args->operands[operand].strides[args->n_outer] == 0;
}

/* The elements of an operand, in the type that is computed in. */
static const void *operand_of(const Chunk *chunk, int operand, int buffer) {
    const MapArgs *args = chunk->args;
    const MapOperand *from = &args->operands[operand];
    int64_t at = chunk->begin * from->strides[args->n_outer];
    for (int d = 0; d < args->n_outer; d++)
        at += chunk->index[d] * from->strides[d];
    const char *elements = (const char *)chunk->call->inputs[operand] + at * (int64_t)from->size;
    if (!from->convert)
        return elements;
    from->convert(elements, buffer_of(chunk, buffer), is_same(args, operand) ? 1 : chunk->count);
    return buffer_of(chunk, buffer);
}

static void apply(const MapArgs *args, MapFunction function, const MapRow *row) {
    if (!args->row_function) {
        function(row);
        return;
    }
    const Row fast = {.a = row->a,
                      .b = row->b,
                      .out = row->out,
                      .a_mode = row->a_same ? ROW_SAME : ROW_VECTORS,
                      .b_mode = row->b_same ? ROW_SAME : ROW_VECTORS,
                      .a_lanes = 1,
                      .b_lanes = 1,
                      .floats = row->count,
                      .lanes = args->width,
                      .alpha = row->alpha,
                      .beta = row->beta};
    args->row_function(&fast);
}

/* The output, or a buffer where that is converted at last. */
static void *result_of(const Chunk *chunk) {
    return chunk->args->convert ? buffer_of(chunk, 2) : chunk->to;
}

static void finish(const Chunk *chunk, double *result) {
    const MapArgs *args = chunk->args;
    for (int64_t i = 0; args->divisor > 0 && i < chunk->count; i++)
        result[i] /= args->divisor;
    if (args->convert)
        args->convert(result, chunk->to, chunk->count);
}

static void run_unary(const Chunk *chunk) {
    MapRow row = chunk->args->of_all;
    row.a = operand_of(chunk, 0, 0);
    row.count = chunk->count;
    row.out = result_of(chunk);
    apply(chunk->args, chunk->args->function, &row);
    finish(chunk, row.out);
}

/* f(... f(f(a, b), c) ...) of any number of operands. */
static void run_fold(const Chunk *chunk) {
    const MapArgs *args = chunk->args;
    MapRow row = args->of_all;
    row.count = chunk->count;
    row.a = operand_of(chunk, 0, 0);
    row.a_same = is_same(args, 0);
    for (int i = 1; i < args->n_operands; i++) {
        row.b = operand_of(chunk, i, 1);
        row.b_same = is_same(args, i);
        /* Operands to come may lie in the output's memory. */
        row.out = i + 1 < args->n_operands ? buffer_of(chunk, 2) : result_of(chunk);
        apply(args, args->function, &row);
        row.a = row.out;
        row.a_same = false;
    }
    finish(chunk, row.out);
}

static void run_clip(const Chunk *chunk) {
    const MapArgs *args = chunk->args;
    MapRow row = args->of_all;
    row.count = chunk->count;
    row.a = operand_of(chunk, 0, 0);
    row.b_same = true;
    row.out = result_of(chunk);
    for (int port = 1; port < args->n_operands; port++) {
        const MapFunction function = port == 1 ? args->low : args->high;
        if (!function)
            continue;
        row.b = operand_of(chunk, port, 1);
        function(&row);
        row.a = row.out;
    }
    finish(chunk, row.out);
}

static void run_where(const Chunk *chunk) {
    const MapArgs *args = chunk->args;
    MapRow row = args->of_all;
    row.count = chunk->count;
    row.condition = operand_of(chunk, 0, 0);
    row.condition_same = is_same(args, 0);
    row.a = operand_of(chunk, 1, 0);
    row.a_same = is_same(args, 1);
    row.b = operand_of(chunk, 2, 0);
    row.b_same = is_same(args, 2);
    row.out = chunk->to;
    args->function(&row);
}

/* The next chunk of a task. */
static void advance(Chunk *chunk) {
    const MapArgs *args = chunk->args;
    chunk->to += chunk->count * (int64_t)args->out_size;
    chunk->begin += chunk->count;
    if (chunk->begin == args->row) {
        chunk->begin = 0;
        for (int d = args->n_outer - 1; d >= 0 && ++chunk->index[d] == args->dims[d]; d--)
            chunk->index[d] = 0;
    }
    chunk->count = i64_min(CHUNK, args->row - chunk->begin);
}

static void run_task(const KernelCall *call, int64_t task, void (*run)(const Chunk *chunk)) {
    const MapArgs *args = call->args;
    const int64_t first = task * args->chunks_a_task,
                  end = i64_min(first + args->chunks_a_task, args->n_chunks);
    int64_t row = first / args->row_chunks;
    Chunk chunk = {.args = args, .call = call, .begin = first % args->row_chunks * CHUNK};
    chunk.to = (char *)call->outputs[0] + (row * args->row + chunk.begin) * (int64_t)args->out_size;
    chunk.count = i64_min(CHUNK, args->row - chunk.begin);
    for (int d = args->n_outer - 1; d >= 0; d--) {
        chunk.index[d] = row % args->dims[d];
        row /= args->dims[d];
    }
    for (int64_t i = first; i < end; i++, advance(&chunk))
        run(&chunk);
}

#define RUN(NAME)                                                                                            \
    static void NAME##_task(const KernelCall *call, int64_t task) {                                          \
        run_task(call, task, run_##NAME);                                                                    \
    }
RUN(unary)
RUN(fold)
RUN(clip)
RUN(where)

/* --- preparing --- */

/* Sets the merged dimensions and strides of all operands. */
static void merge(MapArgs *args, const Shape *out, const Shape *shapes) {
    int rank = 0;
    int64_t strides[MAX_RANK], size;
    for (int d = 0; d < out->rank; d++) {
        if (out->dims[d] == 1)
            continue;
        bool joins = rank > 0;
        for (int pass = 0; pass < 2; pass++) {
            for (int k = 0; k < args->n_operands; k++) {
                const Shape *shape = &shapes[k];
                const int at = d - (out->rank - shape->rank);
                shape_strides(shape, strides);
                size = at >= 0 && shape->dims[at] != 1 ? strides[at] : 0;
                int64_t *own = args->operands[k].strides;
                if (pass == 0)
                    joins = joins && own[rank - 1] == size * out->dims[d];
                else
                    own[joins ? rank - 1 : rank] = size;
            }
        }
        const int to = joins ? rank - 1 : rank++;
        args->dims[to] = joins ? args->dims[to] * out->dims[d] : out->dims[d];
    }
    args->n_outer = rank ? rank - 1 : 0;
    args->row = rank ? args->dims[rank - 1] : 1;
}

Status map_prepare_rows(const KernelQuery *query, MapType work, PrepareContext *ctx, MapArgs **result) {
    const Type *out = &query->outputs[0].type;
    const ConvertTable *convert = convert_for(query->target);
    MapArgs *args;
    Shape *shapes;
    TRY(cpu_alloc_args(ctx, bytes_of(sizeof *args, 1), &args));
    TRY(cpu_alloc_args(ctx, bytes_of(sizeof *args->operands, query->n_inputs), &args->operands));
    TRY(cpu_alloc_args(ctx, bytes_of(sizeof *shapes, query->n_inputs), &shapes));
    args->n_operands = query->n_inputs;
    for (int i = 0; i < query->n_inputs; i++) {
        const Type *type = &query->inputs[i].type;
        if (!type->dtype)
            continue;
        shapes[i] = type->shape;
        args->operands[i].size = dtype_size(type->dtype);
        if (work < MAP_TYPES && type->dtype != map_dtype(work))
            args->operands[i].convert = convert->rows[type->dtype][map_dtype(work)];
    }
    if (query->node->op->inputs.max == 2)
        shapes[1] = binary_second_shape(query->node, &shapes[0], &shapes[1]);
    merge(args, &out->shape, shapes);
    args->row_chunks = ceil_div(args->row, CHUNK);
    args->n_chunks = args->row_chunks;
    for (int d = 0; d < args->n_outer; d++)
        args->n_chunks *= args->dims[d];
    args->chunks_a_task = i64_max(TASK_ELEMENTS / i64_min(args->row, CHUNK), 1);
    args->width = query->width;
    args->out_size = dtype_size(out->dtype);
    args->of_all.bits = (int)(8 * args->out_size);
    *result = args;
    return STRIDER_OK;
}

KernelInstance map_instance(const MapArgs *args, MapForm form) {
    static void (*const tasks[MAP_FORMS])(const KernelCall *call, int64_t task) = {
        [MAP_UNARY] = unary_task, [MAP_FOLD] = fold_task, [MAP_CLIP] = clip_task, [MAP_WHERE] = where_task};
    return (KernelInstance){.run = tasks[form],
                            .args = (void *)args,
                            .tasks = ceil_div(args->n_chunks, args->chunks_a_task),
                            .scratch_bytes = bytes_of(BUFFER_BYTES, N_BUFFERS)};
}
