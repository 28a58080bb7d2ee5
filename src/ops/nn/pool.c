/* SPDX-License-Identifier: Apache-2.0 */
/* MaxPool (ONNX 1, 8, 10, 11, 12, 22), AveragePool (1, 7, 10, 11, 19, 22), LpPool (1, 2, 11, 18, 22): windows
 * over each channel's plane.  The rule for the output size with ceil_mode, that a window must not start in
 * the end padding, is applied at every opset, as PyTorch and the official test data do. */
#include "ops/nn/pool.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/size.h"

#define REAL double
#include "ops/nn/pool_formula.h"

Status pool_parse(ParseContext *ctx, void *attrs_) {
    PoolAttrs *attrs = attrs_;
    TRY(parse_require(ctx, "kernel_shape"));
    TRY(window_parse(ctx, &attrs->window));
    TRY(parse_bool(ctx, "count_include_pad", false, &attrs->count_include_pad));
    TRY(parse_bool(ctx, "storage_order", false, &attrs->column_major));
    const Attr *p = attrs_find(ctx->attrs, "p");
    if (p && p->kind == ATTR_FLOAT) /* LpPool-1 */
        attrs->p = i64_from_double((double)p->f);
    else
        TRY(parse_int(ctx, "p", 2, &attrs->p));
    if (attrs->p < 1)
        return parse_fail(ctx, STRIDER_BAD_MODEL, "p is %" PRId64 ", must be at least 1", attrs->p);
    return STRIDER_OK;
}

/* Outputs of pads alone, of which there may be any number however small the input is.  onnxruntime and torch
 * refuse them likewise; the specification is silent. */
static Status check_pads(InferContext *ctx, const WindowAttrs *window, int spatial) {
    for (int i = 0; i < 2 * spatial; i++) {
        const int64_t extent = (window->kernel[i % spatial] - 1) * window->dilations[i % spatial] + 1;
        if (window->pads[i] >= extent)
            return infer_fail(ctx, STRIDER_UNSUPPORTED,
                              "a pad of %" PRId64 " lets windows of %" PRId64 " elements see nothing else",
                              window->pads[i], extent);
    }
    return STRIDER_OK;
}

Status pool_infer_shape(InferContext *ctx, const Shape *x, Shape *y) {
    const PoolAttrs *attrs = infer_attrs(ctx);
    TRY(window_check(ctx, &attrs->window, x->rank - 2));
    TRY(check_pads(ctx, &attrs->window, x->rank - 2));
    *y = *x;
    for (int i = 0; i < x->rank - 2; i++)
        TRY(window_infer_dim(ctx, &attrs->window, x->rank - 2, i, x->dims[2 + i], attrs->window.kernel[i],
                             &y->dims[2 + i]));
    return STRIDER_OK;
}

static Status pool_infer(InferContext *ctx) {
    const Shape *x = &ctx->inputs[0].shape;
    TRY(infer_require_rank(ctx, 0, 3, 2 + MAX_SPATIAL));
    ctx->outputs[0].dtype = ctx->inputs[0].dtype;
    if (ctx->n_outputs > 1)
        ctx->outputs[1].dtype = STRIDER_I64;
    if (x->rank < 0)
        return STRIDER_OK;
    Shape y;
    TRY(pool_infer_shape(ctx, x, &y));
    for (int i = 0; i < ctx->n_outputs; i++)
        ctx->outputs[i].shape = y;
    return STRIDER_OK;
}

static Status max_pool_infer(InferContext *ctx) {
    TRY(infer_require_dtype(ctx, 0, DTYPES_FLOAT | DTYPE_BIT(STRIDER_I8) | DTYPE_BIT(STRIDER_U8)));
    return pool_infer(ctx);
}

static Status average_pool_infer(InferContext *ctx) {
    TRY(infer_require_dtype(ctx, 0, DTYPES_FLOAT));
    return pool_infer(ctx);
}

void pool_geometry(const PoolAttrs *attrs, const Shape *x, WindowDim dims[MAX_SPATIAL]) {
    int spatial = x->rank - 2;
    for (int i = 0; i < MAX_SPATIAL; i++) {
        int from = i - (MAX_SPATIAL - spatial);
        dims[i] = from >= 0 ? window_resolve(&attrs->window, spatial, from, x->dims[2 + from],
                                             attrs->window.kernel[from])
                            : (WindowDim){1, 1, 1, 1, 1, 0, 0};
    }
}

int64_t pool_counted(const PoolAttrs *attrs, const WindowDim *dim, int64_t begin) {
    if (attrs->counts_beyond && attrs->count_include_pad)
        return dim->kernel;
    return window_counted(begin, dim->in, dim->kernel, dim->dilation, dim->pad_begin, dim->pad_end,
                          attrs->count_include_pad);
}

/* One window: `visit` is called for each element inside the input, in row-major order. */
typedef struct WindowWalk {
    const PoolAttrs *attrs;
    WindowDim dims[MAX_SPATIAL];
    double result; /* max, sum, or sum of powers */
    double peak;   /* LpPool: the largest magnitude */
    int64_t index; /* of the maximum or peak in the plane; -1 while there is none */
} WindowWalk;

typedef void (*Visit)(WindowWalk *walk, double value, int64_t index);

static void walk_window(WindowWalk *walk, const double *plane, const int64_t begin[MAX_SPATIAL],
                        Visit visit) {
    const WindowDim *d = walk->dims;
    WindowTaps taps[MAX_SPATIAL];
    for (int i = 0; i < MAX_SPATIAL; i++)
        taps[i] = window_taps(&d[i], begin[i], d[i].in);
    for (int64_t i = taps[0].first; i < taps[0].end; i++)
        for (int64_t j = taps[1].first; j < taps[1].end; j++)
            for (int64_t k = taps[2].first; k < taps[2].end; k++) {
                int64_t z = begin[0] + i * d[0].dilation, y = begin[1] + j * d[1].dilation,
                        x = begin[2] + k * d[2].dilation;
                int64_t index = (z * d[1].in + y) * d[2].in + x;
                visit(walk, plane[index], index);
            }
}

static void visit_max(WindowWalk *walk, double value, int64_t index) {
    if (pool_is_max(value, walk->result, walk->index)) {
        walk->result = value;
        walk->index = index;
    }
}

static void visit_sum(WindowWalk *walk, double value, int64_t index) {
    (void)index;
    walk->result += value;
}

static void visit_peak(WindowWalk *walk, double value, int64_t index) {
    if (pool_is_max(fabs(value), walk->peak, walk->index)) {
        walk->peak = fabs(value);
        walk->index = index;
    }
}

static void visit_power(WindowWalk *walk, double value, int64_t index) {
    (void)index;
    walk->result += pool_power(value, (double)walk->attrs->p, walk->peak);
}

typedef double (*Finish)(const WindowWalk *walk, const int64_t begin[MAX_SPATIAL]);

static double finish_max(const WindowWalk *walk, const int64_t begin[MAX_SPATIAL]) {
    (void)begin;
    return walk->index < 0 ? -INFINITY : walk->result;
}

static double finish_average(const WindowWalk *walk, const int64_t begin[MAX_SPATIAL]) {
    double count = 1;
    for (int i = 0; i < MAX_SPATIAL; i++)
        count *= (double)pool_counted(walk->attrs, &walk->dims[i], begin[i]);
    /* Where nothing counts the specification is silent; onnxruntime says 0, onnx's reference evaluator NaN.
     */
    return count > 0 ? walk->result / count : 0;
}

static double finish_power(const WindowWalk *walk, const int64_t begin[MAX_SPATIAL]) {
    (void)begin;
    return pool_norm(walk->result, (double)walk->attrs->p, walk->peak);
}

/* The outputs of a dimension whose windows may see the input: windows of those before
 * `begin` lie before it, of those from `end` on after it. */
static void seeing_outputs(const WindowDim *dim, int64_t *begin, int64_t *end) {
    const int64_t short_by = dim->pad_begin - (dim->kernel - 1) * dim->dilation;
    *begin = short_by > 0 ? i64_min(ceil_div(short_by, dim->stride), dim->out) : 0;
    const int64_t room = dim->in + dim->pad_begin;
    *end = i64_max(room > 0 ? i64_min(ceil_div(room, dim->stride), dim->out) : 0, *begin);
}

/* How the windows of an operator are walked: by `before`, where that is not NULL, and then by `visit`. */
typedef struct Pooling {
    Visit before, visit;
    Finish finish;
} Pooling;

typedef struct PoolOutput {
    Tensor *y, *indices;    /* NULL where nobody asked */
    const PoolStore *store; /* instead of `y`; NULL: none */
    int64_t plane, at;      /* the next one */
} PoolOutput;

/* The same element `count` times, from the first one on. */
static void repeat(Tensor *tensor, int64_t first, int64_t count) {
    enum { MAX_ELEMENTS = 4096 }; /* elements that stay near */
    const size_t size = dtype_size(tensor->type.dtype);
    char *to = (char *)tensor->data + (size_t)first * size;
    for (int64_t done = 1, n; done < count; done += n) {
        n = i64_min(i64_min(done, MAX_ELEMENTS), count - done);
        memcpy(to + (size_t)done * size, to, (size_t)n * size);
    }
}

/* The result of the window that was walked, for `count` outputs. */
static void put(PoolOutput *out, const WindowWalk *walk, const Pooling *pooling,
                const int64_t begin[MAX_SPATIAL], int64_t count) {
    const WindowDim *d = walk->dims;
    if (out->y && count > 0) {
        tensor_set_f64(out->y, out->at, pooling->finish(walk, begin));
        repeat(out->y, out->at, count);
    }
    if (out->indices && count > 0) {
        tensor_set_i64(
            out->indices, out->at,
            pool_flat_index(out->plane, d[0].in, d[1].in, d[2].in, walk->index, walk->attrs->column_major));
        repeat(out->indices, out->at, count);
    }
    for (int64_t i = 0; out->store && i < count; i++)
        out->store->put(out->store->context, out->at + i, pooling->finish(walk, begin));
    out->at += count;
}

/* A row of outputs; begin[0] and begin[1] are set.  Pads may be far larger than the input: windows that see
 * nothing are alike. */
static void pool_row(WindowWalk *walk, const Pooling *pooling, const double *in, int64_t begin[MAX_SPATIAL],
                     PoolOutput *out) {
    const WindowDim *d = walk->dims;
    int64_t first, end;
    seeing_outputs(&d[2], &first, &end);
    for (int i = 0; i < 2; i++) {
        const WindowTaps taps = window_taps(&d[i], begin[i], d[i].in);
        if (taps.first == taps.end)
            first = end = d[2].out;
    }
    for (int64_t k = 0; k < d[2].out;) {
        const bool sees = k >= first && k < end;
        const int64_t count = sees ? 1 : k < first ? first - k : d[2].out - k;
        begin[2] = k * d[2].stride - d[2].pad_begin;
        walk->result = walk->peak = 0;
        walk->index = -1;
        if (sees && pooling->before)
            walk_window(walk, in, begin, pooling->before);
        if (sees)
            walk_window(walk, in, begin, pooling->visit);
        put(out, walk, pooling, begin, count);
        k += count;
    }
}

static void pool_planes(const PoolAttrs *attrs, const Shape *shape, const double *x, const Pooling *pooling,
                        PoolOutput *out) {
    WindowWalk walk = {.attrs = attrs};
    pool_geometry(attrs, shape, walk.dims);
    const WindowDim *d = walk.dims;
    for (; out->plane < i64_product(shape->dims[0], shape->dims[1]); out->plane++)
        for (int64_t i = 0; i < d[0].out; i++)
            for (int64_t j = 0; j < d[1].out; j++) {
                int64_t begin[MAX_SPATIAL] = {i * d[0].stride - d[0].pad_begin,
                                              j * d[1].stride - d[1].pad_begin};
                pool_row(&walk, pooling, x + out->plane * d[0].in * d[1].in * d[2].in, begin, out);
            }
}

static Status pool(EvalContext *ctx, const Pooling *pooling) {
    double *x;
    TRY(eval_load_doubles(ctx, 0, &x));
    PoolOutput out = {.y = eval_output(ctx, 0), .indices = eval_output(ctx, 1)};
    pool_planes(eval_attrs(ctx), &ctx->inputs[0]->type.shape, x, pooling, &out);
    return STRIDER_OK;
}

void pool_averages(const PoolAttrs *attrs, const Shape *shape, const double *x, const PoolStore *store) {
    PoolOutput out = {.store = store};
    pool_planes(attrs, shape, x, &(Pooling){NULL, visit_sum, finish_average}, &out);
}

static Status max_pool_reference(EvalContext *ctx) {
    return pool(ctx, &(Pooling){NULL, visit_max, finish_max});
}

static Status average_pool_reference(EvalContext *ctx) {
    return pool(ctx, &(Pooling){NULL, visit_sum, finish_average});
}

static Status lp_pool_reference(EvalContext *ctx) {
    return pool(ctx, &(Pooling){visit_peak, visit_power, finish_power});
}

static const char *pool_explain(const Node *node, const Shape *x, char text[EXPLANATION_TEXT]) {
    const PoolAttrs *attrs = node->attrs;
    text[0] = '\0';
    return x->rank < 3 ? text : window_formula(&attrs->window, x, attrs->window.kernel, text);
}

const Op op_max_pool = {
    OP_NAMED(MaxPool),
    .since = 1,
    .inputs = {1, 1},
    .outputs = {1, 2},
    .attrs_size = sizeof(PoolAttrs),
    .parse = pool_parse,
    .infer = max_pool_infer,
    .reference = max_pool_reference,
    .scratch = scratch_of_input,
    .explain_shape = pool_explain,
};

const Op op_average_pool = {
    OP_NAMED(AveragePool),
    .since = 1,
    .inputs = {1, 1},
    .outputs = {1, 1},
    .attrs_size = sizeof(PoolAttrs),
    .parse = pool_parse,
    .infer = average_pool_infer,
    .reference = average_pool_reference,
    .scratch = scratch_of_input,
    .explain_shape = pool_explain,
};

const Op op_lp_pool = {
    OP_NAMED(LpPool),
    .since = 1,
    .inputs = {1, 1},
    .outputs = {1, 1},
    .attrs_size = sizeof(PoolAttrs),
    .parse = pool_parse,
    .infer = average_pool_infer,
    .reference = lp_pool_reference,
    .scratch = scratch_of_input,
    .explain_shape = pool_explain,
};
