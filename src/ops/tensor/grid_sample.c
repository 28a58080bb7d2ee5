/* SPDX-License-Identifier: Apache-2.0 */
/* GridSample: elements at the positions that a grid names, between elements by one dimension's weights times
 * the other's.  ONNX 16 (two spatial dimensions; bilinear, nearest, bicubic), 20 (any number of them; linear,
 * nearest, cubic), 22 (types).  A grid's last dimension lists coordinates from the innermost dimension to
 * the outermost.  x in [-1, 1] stands for ((x + 1) * length - 1) / 2, or with align_corners
 * (x + 1) / 2 * (length - 1).
 *
 * Of a position that is NaN weighted sums are NaN, and the nearest element is outside, or the first. */
#include "ops/tensor/grid_sample.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#define REAL double
#include "ops/tensor/grid_formula.h"

static Status grid_sample_parse(ParseContext *ctx, void *attrs_) {
    static const char *const modes[] = {"nearest", "linear", "cubic", "bilinear", "bicubic", NULL};
    static const GridMode meanings[] = {GRID_NEAREST, GRID_LINEAR, GRID_CUBIC, GRID_LINEAR, GRID_CUBIC};
    static const char *const paddings[] = {"zeros", "border", "reflection", NULL};
    GridSampleAttrs *attrs = attrs_;
    int mode, padding;
    TRY(parse_enum(ctx, "mode", modes, GRID_LINEAR, &mode));
    TRY(parse_enum(ctx, "padding_mode", paddings, GRID_ZEROS, &padding));
    attrs->mode = meanings[mode];
    attrs->padding = (GridPadding)padding;
    return parse_bool(ctx, "align_corners", false, &attrs->align_corners);
}

static Status grid_sample_infer(InferContext *ctx) {
    const Shape *x = &ctx->inputs[GRID_X].shape, *grid = &ctx->inputs[GRID_GRID].shape;
    TRY(infer_require_dtype(ctx, GRID_X, DTYPES_ALL));
    TRY(infer_require_dtype(ctx, GRID_GRID, DTYPES_FLOAT));
    TRY(infer_require_rank(ctx, GRID_X, 3, -1));
    TRY(infer_require_rank(ctx, GRID_GRID, 3, -1));
    ctx->outputs[0].dtype = ctx->inputs[GRID_X].dtype;
    if (x->rank < 0 && grid->rank < 0)
        return STRIDER_OK;
    const int rank = x->rank < 0 ? grid->rank : x->rank;
    if (x->rank >= 0 && grid->rank >= 0 && x->rank != grid->rank)
        return infer_fail(ctx, STRIDER_BAD_MODEL, "the input has rank %d, the grid %d", x->rank, grid->rank);
    Shape *y = &ctx->outputs[0].shape;
    y->rank = rank;
    for (int i = 0; i < rank; i++)
        y->dims[i] = i < 2 ? (x->rank < 0 ? DIM_UNKNOWN : x->dims[i])
                           : (grid->rank < 0 ? DIM_UNKNOWN : grid->dims[i - 1]);
    if (grid->rank < 0)
        return STRIDER_OK;
    if (y->dims[0] == DIM_UNKNOWN)
        y->dims[0] = grid->dims[0];
    if (x->rank >= 0 && x->dims[0] >= 0 && grid->dims[0] >= 0 && x->dims[0] != grid->dims[0])
        return infer_fail(ctx, STRIDER_BAD_MODEL,
                          "the input has %" PRId64 " images, the grid is for %" PRId64, x->dims[0],
                          grid->dims[0]);
    if (grid->dims[rank - 1] >= 0 && grid->dims[rank - 1] != rank - 2)
        return infer_fail(ctx, STRIDER_BAD_MODEL,
                          "the grid has %" PRId64 " coordinates for %d spatial dimensions",
                          grid->dims[rank - 1], rank - 2);
    return STRIDER_OK;
}

/* --- positions --- */

double grid_position(bool align_corners, double coordinate, int64_t length) {
    return grid_place(align_corners, coordinate, length);
}

GridTaps grid_taps(const GridSampleAttrs *attrs, double position, int64_t length) {
    if (isnan(position) && attrs->mode != GRID_NEAREST)
        return (GridTaps){1, {length ? 0 : GRID_OUTSIDE}, {NAN}};
    GridTaps taps = {.count = grid_tap_count(attrs->mode)};
    for (int i = 0; i < taps.count; i++)
        taps.indices[i] = grid_tap(*attrs, position, length, i, &taps.weights[i]);
    return taps;
}

/* --- reference --- */

static double sum_taps(const Tensor *x, int rank, const int64_t *dims, const GridTaps *taps, int64_t offset) {
    double sum = 0;
    for (int i = 0; i < taps->count; i++) {
        if (taps->indices[i] == GRID_OUTSIDE)
            continue;
        const int64_t at = offset * dims[0] + taps->indices[i];
        sum += taps->weights[i] *
               (rank == 1 ? tensor_get_f64(x, at) : sum_taps(x, rank - 1, dims + 1, taps + 1, at));
    }
    return sum;
}

double grid_sum(const Tensor *x, int rank, const int64_t *dims, const GridTaps *taps, int64_t plane) {
    for (int d = 0; d < rank; d++)
        if (isnan(taps[d].weights[0]))
            return NAN;
    return sum_taps(x, rank, dims, taps, plane);
}

/* Of any type, unchanged. */
static void copy_nearest(const Tensor *x, int rank, const int64_t *dims, const GridTaps *taps, int64_t plane,
                         Tensor *y, int64_t at) {
    const size_t size = dtype_size(x->type.dtype);
    bool is_outside = false;
    int64_t from = plane;
    for (int d = 0; d < rank; d++) {
        is_outside |= taps[d].indices[0] == GRID_OUTSIDE;
        from = from * dims[d] + taps[d].indices[0];
    }
    if (is_outside)
        memset((char *)y->data + (size_t)at * size, 0, size);
    else
        memcpy((char *)y->data + (size_t)at * size, (const char *)x->data + (size_t)from * size, size);
}

static Status grid_sample_reference(EvalContext *ctx) {
    const GridSampleAttrs *attrs = eval_attrs(ctx);
    const Tensor *x = ctx->inputs[GRID_X], *grid = ctx->inputs[GRID_GRID];
    Tensor *y = ctx->outputs[0];
    const int rank = x->type.shape.rank - 2;
    const int64_t *dims = x->type.shape.dims + 2, channels = x->type.shape.dims[1];
    const int64_t points = shape_size(&y->type.shape, 2, rank + 2), batch = x->type.shape.dims[0];
    GridTaps taps[MAX_RANK];
    for (int64_t point = 0; point < batch * points; point++) {
        for (int d = 0; d < rank; d++)
            taps[d] = grid_taps(attrs,
                                grid_position(attrs->align_corners,
                                              tensor_get_f64(grid, point * rank + rank - 1 - d), dims[d]),
                                dims[d]);
        for (int64_t c = 0; c < channels; c++) {
            const int64_t plane = point / points * channels + c, at = plane * points + point % points;
            if (attrs->mode == GRID_NEAREST)
                copy_nearest(x, rank, dims, taps, plane, y, at);
            else
                tensor_set_f64(y, at, grid_sum(x, rank, dims, taps, plane));
        }
    }
    return STRIDER_OK;
}

const Op op_grid_sample = {
    OP_NAMED(GridSample),
    .since = 16,
    .inputs = {GRID_INPUTS, GRID_INPUTS},
    .outputs = {1, 1},
    .attrs_size = sizeof(GridSampleAttrs),
    .parse = grid_sample_parse,
    .infer = grid_sample_infer,
    .reference = grid_sample_reference,
};
