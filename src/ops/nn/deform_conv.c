/* SPDX-License-Identifier: Apache-2.0 */
/* DeformConv: a convolution whose taps are moved, each by its own offset at each output:
 *     y[n, m, o] = bias[m] + sum over c, k of
 *                  w[m, c, k] * mask[n, g, k, o] * x[n, c, o*stride - pad_begin + k*dilation + offset[n, g,
 * k, :, o]] where g is the offset group that c is in, x is linear between its elements, and 0 outside.
 * Offsets of a tap lie in the order of dimensions, as channels: (g, k, dimension).  ONNX 19, 22 (types). */
#include "ops/nn/deform_conv.h"

#include <inttypes.h>

#include "ops/tensor/grid_sample.h"

static Status deform_conv_parse(ParseContext *ctx, void *attrs_) {
    DeformConvAttrs *attrs = attrs_;
    TRY(window_parse(ctx, &attrs->window));
    attrs->window.ceil_mode = false;
    TRY(parse_int(ctx, "group", 1, &attrs->group));
    TRY(parse_int(ctx, "offset_group", 1, &attrs->offset_group));
    if (attrs->group < 1 || attrs->offset_group < 1)
        return parse_fail(ctx, STRIDER_BAD_MODEL,
                          "group is %" PRId64 " and offset_group %" PRId64 ", must be at least 1",
                          attrs->group, attrs->offset_group);
    return STRIDER_OK;
}

/* --- shapes --- */

static int64_t dim_of(const InferContext *ctx, int port, int i) {
    return port < ctx->n_inputs && ctx->inputs[port].shape.rank > i ? ctx->inputs[port].shape.dims[i]
                                                                    : DIM_UNKNOWN;
}

static Status require_dim(InferContext *ctx, int port, int i, int64_t wanted) {
    const int64_t is = dim_of(ctx, port, i);
    if (is >= 0 && wanted >= 0 && is != wanted)
        return infer_fail(ctx, STRIDER_BAD_MODEL,
                          "input %d has %" PRId64 " in dimension %d, must have %" PRId64, port, is, i,
                          wanted);
    return STRIDER_OK;
}

static Status check_types(InferContext *ctx, int *rank) {
    TRY(infer_require_dtype(ctx, DEFORM_X, DTYPES_FLOAT));
    *rank = RANK_UNKNOWN;
    for (int port = 0; port < ctx->n_inputs; port++) {
        const int is = ctx->inputs[port].shape.rank;
        TRY(infer_require_same_dtype(ctx, DEFORM_X, port));
        if (port == DEFORM_B) {
            TRY(infer_require_rank(ctx, port, 1, 1));
            continue;
        }
        TRY(infer_require_rank(ctx, port, 3, 2 + MAX_SPATIAL));
        if (is >= 0 && *rank >= 0 && is != *rank)
            return infer_fail(ctx, STRIDER_BAD_MODEL, "input %d has rank %d, others have %d", port, is,
                              *rank);
        *rank = is >= 0 ? is : *rank;
    }
    return STRIDER_OK;
}

static Status check_channels(InferContext *ctx) {
    const DeformConvAttrs *attrs = infer_attrs(ctx);
    const int64_t in = dim_of(ctx, DEFORM_X, 1), out = dim_of(ctx, DEFORM_W, 0);
    if ((in >= 0 && (in % attrs->group || in % attrs->offset_group)) || (out >= 0 && out % attrs->group))
        return infer_fail(ctx, STRIDER_BAD_MODEL,
                          "%" PRId64 " input and %" PRId64 " output channels are not whole groups of %" PRId64
                          " and offset groups of %" PRId64,
                          in, out, attrs->group, attrs->offset_group);
    TRY(require_dim(ctx, DEFORM_B, 0, out));
    return require_dim(ctx, DEFORM_W, 1, in < 0 ? DIM_UNKNOWN : in / attrs->group);
}

/* Those of offsets and mask. */
static Status check_moved(InferContext *ctx, int rank, const Shape *y) {
    const DeformConvAttrs *attrs = infer_attrs(ctx);
    int64_t taps = attrs->offset_group;
    for (int i = 2; i < rank; i++) {
        const int64_t kernel = dim_of(ctx, DEFORM_W, i);
        taps = taps < 0 || kernel < 0 ? DIM_UNKNOWN : i64_product(taps, kernel);
    }
    TRY(require_dim(ctx, DEFORM_OFFSET, 1, taps < 0 ? DIM_UNKNOWN : i64_product(taps, rank - 2)));
    TRY(require_dim(ctx, DEFORM_MASK, 1, taps));
    for (int i = 0; i < rank; i++) {
        if (i == 1)
            continue;
        TRY(require_dim(ctx, DEFORM_OFFSET, i, y->dims[i]));
        TRY(require_dim(ctx, DEFORM_MASK, i, y->dims[i]));
    }
    return STRIDER_OK;
}

static Status deform_conv_infer(InferContext *ctx) {
    const DeformConvAttrs *attrs = infer_attrs(ctx);
    int rank;
    TRY(check_types(ctx, &rank));
    ctx->outputs[0].dtype = ctx->inputs[DEFORM_X].dtype;
    if (rank < 0)
        return STRIDER_OK;
    TRY(window_check(ctx, &attrs->window, rank - 2));
    TRY(check_channels(ctx));
    Shape *y = &ctx->outputs[0].shape;
    y->rank = rank;
    y->dims[0] = dim_of(ctx, DEFORM_X, 0);
    y->dims[1] = dim_of(ctx, DEFORM_W, 0);
    for (int i = 0; i < rank - 2; i++) {
        const int64_t kernel = dim_of(ctx, DEFORM_W, 2 + i);
        if (kernel == 0)
            return infer_fail(ctx, STRIDER_BAD_MODEL, "the weight has no elements in dimension %d", 2 + i);
        if (attrs->window.n_kernel >= 0)
            TRY(require_dim(ctx, DEFORM_W, 2 + i, attrs->window.kernel[i]));
        TRY(window_infer_dim(ctx, &attrs->window, rank - 2, i, dim_of(ctx, DEFORM_X, 2 + i), kernel,
                             &y->dims[2 + i]));
        if (y->dims[2 + i] < 0)
            y->dims[2 + i] = dim_of(ctx, DEFORM_OFFSET, 2 + i);
    }
    return check_moved(ctx, rank, y);
}

DeformGeometry deform_geometry(const DeformConvAttrs *attrs, const Shape *x, const Shape *w) {
    DeformGeometry geometry = {.spatial = x->rank - 2,
                               .batch = x->dims[0],
                               .group = attrs->group,
                               .offset_group = attrs->offset_group,
                               .in_channels = x->dims[1],
                               .out_channels = w->dims[0],
                               .taps = 1,
                               .outputs = 1};
    for (int i = 0; i < geometry.spatial; i++) {
        geometry.dims[i] =
            window_resolve(&attrs->window, geometry.spatial, i, x->dims[2 + i], w->dims[2 + i]);
        geometry.taps = i64_product(geometry.taps, geometry.dims[i].kernel);
        geometry.outputs = i64_product(geometry.outputs, i64_max(geometry.dims[i].out, 0));
    }
    return geometry;
}

/* --- reference --- */

/* Coordinates of number `index` in a box, whose sizes are members of `dims`. */
#define UNRAVEL(GEOMETRY, MEMBER, INDEX, AT)                                                                 \
    for (int64_t d_ = (GEOMETRY)->spatial - 1, rest_ = INDEX; d_ >= 0; d_--) {                               \
        (AT)[d_] = rest_ % (GEOMETRY)->dims[d_].MEMBER;                                                      \
        rest_ /= (GEOMETRY)->dims[d_].MEMBER;                                                                \
    }

/* What a tap of one output reads of each channel of an offset group. */
typedef struct MovedTap {
    GridTaps taps[MAX_SPATIAL];
    double mask;
} MovedTap;

static MovedTap move_tap(const EvalContext *ctx, const DeformGeometry *g, int64_t image, int64_t offset_group,
                         int64_t tap, int64_t output) {
    static const GridSampleAttrs linear = {GRID_LINEAR, GRID_ZEROS, true};
    const Tensor *offset = ctx->inputs[DEFORM_OFFSET], *mask = eval_input(ctx, DEFORM_MASK);
    const int64_t row = (image * g->offset_group + offset_group) * g->taps + tap;
    int64_t at[MAX_SPATIAL], k[MAX_SPATIAL];
    MovedTap moved = {.mask = mask ? tensor_get_f64(mask, row * g->outputs + output) : 1};
    UNRAVEL(g, out, output, at)
    UNRAVEL(g, kernel, tap, k)
    for (int i = 0; i < g->spatial; i++) {
        const WindowDim *d = &g->dims[i];
        const int64_t place = at[i] * d->stride - d->pad_begin + k[i] * d->dilation;
        const double by = tensor_get_f64(offset, (row * g->spatial + i) * g->outputs + output);
        moved.taps[i] = grid_taps(&linear, (double)place + by, d->in);
    }
    return moved;
}

/* All that one output reads, by channel and tap. */
static void sample_column(const EvalContext *ctx, const DeformGeometry *g, int64_t image, int64_t output,
                          double *column) {
    const Tensor *x = ctx->inputs[DEFORM_X];
    const int64_t channels = g->in_channels / g->offset_group;
    int64_t dims[MAX_SPATIAL];
    for (int i = 0; i < g->spatial; i++)
        dims[i] = g->dims[i].in;
    for (int64_t group = 0; group < g->offset_group; group++)
        for (int64_t tap = 0; tap < g->taps; tap++) {
            const MovedTap moved = move_tap(ctx, g, image, group, tap, output);
            for (int64_t c = group * channels; c < (group + 1) * channels; c++)
                column[c * g->taps + tap] =
                    moved.mask * grid_sum(x, g->spatial, dims, moved.taps, image * g->in_channels + c);
        }
}

static Status deform_conv_reference(EvalContext *ctx) {
    const Tensor *x = ctx->inputs[DEFORM_X];
    const DeformGeometry g =
        deform_geometry(eval_attrs(ctx), &x->type.shape, &ctx->inputs[DEFORM_W]->type.shape);
    const int64_t terms = g.in_channels / g.group * g.taps, channels = g.out_channels / g.group;
    double *w, *bias, *column;
    TRY(eval_load_doubles(ctx, DEFORM_W, &w));
    TRY(eval_load_doubles(ctx, DEFORM_B, &bias));
    TRY(eval_alloc_doubles(ctx, i64_product(g.in_channels, g.taps), &column));
    for (int64_t n = 0; n < g.batch; n++)
        for (int64_t o = 0; o < g.outputs; o++) {
            sample_column(ctx, &g, n, o, column);
            for (int64_t m = 0; m < g.out_channels; m++) {
                double sum = bias ? bias[m] : 0;
                for (int64_t i = 0; i < terms; i++)
                    sum += w[m * terms + i] * column[m / channels * terms + i];
                tensor_set_f64(ctx->outputs[0], (n * g.out_channels + m) * g.outputs + o, sum);
            }
        }
    return STRIDER_OK;
}

static Bytes deform_conv_scratch(const Node *node, const Type *inputs, const Type *outputs) {
    (void)outputs;
    const DeformGeometry g = deform_geometry(node->attrs, &inputs[DEFORM_X].shape, &inputs[DEFORM_W].shape);
    Bytes bytes = scratch_of_tensor(&inputs[DEFORM_W]);
    if (node->n_inputs > DEFORM_B)
        bytes = bytes_sum(bytes, scratch_of_tensor(&inputs[DEFORM_B]));
    return bytes_sum(bytes, scratch_of(sizeof(double), i64_product(g.in_channels, g.taps)));
}

static uint64_t deform_conv_macs(const Node *node, const Type *inputs, const Type *outputs) {
    const DeformGeometry g = deform_geometry(node->attrs, &inputs[DEFORM_X].shape, &inputs[DEFORM_W].shape);
    return (uint64_t)count_of(shape_elements(&outputs[0].shape), g.in_channels / g.group, g.taps);
}

const Op op_deform_conv = {
    OP_NAMED(DeformConv),
    .since = 19,
    .inputs = {3, DEFORM_INPUTS},
    .outputs = {1, 1},
    .attrs_size = sizeof(DeformConvAttrs),
    .parse = deform_conv_parse,
    .infer = deform_conv_infer,
    .reference = deform_conv_reference,
    .scratch = deform_conv_scratch,
    .macs = deform_conv_macs,
};
