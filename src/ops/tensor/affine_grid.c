/* SPDX-License-Identifier: Apache-2.0 */
/* AffineGrid: the grid for GridSample that an affine map makes of the elements' places: theta * (x, y, 1), or
 * theta * (x, y, z, 1).  ONNX 20.  Places go from -1 to 1, from the first element's edge to the last's, or
 * with align_corners from centre to centre; a single element is at 0, as in torch. */
#include "ops/tensor/affine_grid.h"

#include <inttypes.h>

static Status affine_grid_parse(ParseContext *ctx, void *attrs_) {
    AffineGridAttrs *attrs = attrs_;
    return parse_bool(ctx, "align_corners", false, &attrs->align_corners);
}

static Status check_theta(InferContext *ctx) {
    const Shape *theta = &ctx->inputs[AFFINE_THETA].shape;
    char text[SHAPE_TEXT];
    TRY(infer_require_rank(ctx, AFFINE_THETA, 3, 3));
    if (theta->rank < 0)
        return STRIDER_OK;
    const int64_t rows = theta->dims[1], columns = theta->dims[2];
    if ((rows >= 0 && rows != 2 && rows != 3) || (columns >= 0 && columns != 3 && columns != 4) ||
        (rows >= 0 && columns >= 0 && columns != rows + 1))
        return infer_fail(ctx, STRIDER_BAD_MODEL, "theta is %s, must be [N, 2, 3] or [N, 3, 4]",
                          shape_text(theta, text));
    return STRIDER_OK;
}

/* From the contents of size. */
static Status shape_of(InferContext *ctx, const int64_t *size, int count) {
    const Shape *theta = &ctx->inputs[AFFINE_THETA].shape;
    if (count != 4 && count != 5)
        return infer_fail(ctx, STRIDER_BAD_MODEL, "size has %d values, must have 4 or 5", count);
    for (int i = 0; i < count; i++)
        TRY(infer_check_dim(ctx, size[i], "a size"));
    const int spatial = count - 2;
    if (theta->rank == 3 && theta->dims[1] >= 0 && theta->dims[1] != spatial)
        return infer_fail(ctx, STRIDER_BAD_MODEL,
                          "theta maps %" PRId64 " coordinates, but size has %d spatial dimensions",
                          theta->dims[1], spatial);
    if (theta->rank == 3 && theta->dims[0] >= 0 && theta->dims[0] != size[0])
        return infer_fail(ctx, STRIDER_BAD_MODEL,
                          "there are %" PRId64 " maps, but size is for %" PRId64 " images", theta->dims[0],
                          size[0]);
    Shape *y = &ctx->outputs[0].shape;
    *y = (Shape){.rank = count, .dims = {size[0]}};
    for (int i = 0; i < spatial; i++)
        y->dims[1 + i] = size[2 + i];
    y->dims[count - 1] = spatial;
    return STRIDER_OK;
}

static Status affine_grid_infer(InferContext *ctx) {
    const Shape *theta = &ctx->inputs[AFFINE_THETA].shape;
    int64_t size[MAX_RANK];
    int count;
    TRY(infer_require_dtype(ctx, AFFINE_THETA, DTYPES_FLOAT));
    TRY(infer_require_dtype(ctx, AFFINE_SIZE, DTYPE_BIT(STRIDER_I64)));
    TRY(check_theta(ctx));
    ctx->outputs[0].dtype = ctx->inputs[AFFINE_THETA].dtype;
    TRY(infer_ints(ctx, AFFINE_SIZE, size, MAX_RANK, &count));
    if (count >= 0)
        return shape_of(ctx, size, count);
    if (theta->rank == 3 && theta->dims[1] >= 0) {
        const int64_t spatial = theta->dims[1];
        ctx->outputs[0].shape = (Shape){.rank = (int)spatial + 2, .dims = {theta->dims[0]}};
        for (int64_t i = 0; i < spatial; i++)
            ctx->outputs[0].shape.dims[1 + i] = DIM_UNKNOWN;
        ctx->outputs[0].shape.dims[1 + spatial] = spatial;
    }
    return STRIDER_OK;
}

double affine_coordinate(bool align_corners, int64_t index, int64_t length) {
    const double twice = 2 * (double)index, last = (double)(length - 1);
    if (align_corners)
        return length == 1 ? 0 : (twice - last) / last;
    return (twice - last) / (double)length;
}

/* The output's shape, also where the contents of size were not known before. */
static Status affine_grid_shape(EvalContext *ctx, Shape *shape) {
    const int64_t *theta = ctx->inputs[AFFINE_THETA]->type.shape.dims;
    const int spatial = (int)theta[1];
    int64_t size[MAX_RANK];
    int count;
    TRY(eval_ints(ctx, AFFINE_SIZE, size, MAX_RANK, &count));
    bool fits = count == spatial + 2 && size[0] == theta[0];
    for (int i = 0; fits && i < spatial; i++)
        fits = size[2 + i] >= 0;
    if (!fits)
        return eval_fail(ctx, STRIDER_BAD_MODEL, "size does not fit %" PRId64 " maps of %d coordinates",
                         theta[0], spatial);
    *shape = (Shape){.rank = spatial + 2, .dims = {theta[0]}};
    for (int i = 0; i < spatial; i++)
        shape->dims[1 + i] = size[2 + i];
    shape->dims[1 + spatial] = spatial;
    return STRIDER_OK;
}

static Status affine_grid_reference(EvalContext *ctx) {
    const AffineGridAttrs *attrs = eval_attrs(ctx);
    const Tensor *theta = ctx->inputs[AFFINE_THETA];
    Shape shape;
    TRY(affine_grid_shape(ctx, &shape));
    TRY(eval_set_output_shape(ctx, 0, theta->type.dtype, &shape));
    const int spatial = shape.rank - 2;
    const int64_t points = shape_size(&shape, 1, 1 + spatial);
    for (int64_t at = 0; at < shape.dims[0] * points; at++) {
        const int64_t map = at / points * spatial * (spatial + 1);
        double place[4] = {0};
        for (int64_t d = spatial, rest = at % points; d > 0; rest /= shape.dims[d], d--)
            place[spatial - d] = affine_coordinate(attrs->align_corners, rest % shape.dims[d], shape.dims[d]);
        place[spatial] = 1;
        for (int row = 0; row < spatial; row++) {
            double sum = 0;
            for (int i = 0; i <= spatial; i++)
                sum += tensor_get_f64(theta, map + row * (spatial + 1) + i) * place[i];
            tensor_set_f64(ctx->outputs[0], at * spatial + row, sum);
        }
    }
    return STRIDER_OK;
}

const Op op_affine_grid = {
    OP_NAMED(AffineGrid),
    .since = 20,
    .inputs = {AFFINE_INPUTS, AFFINE_INPUTS},
    .outputs = {1, 1},
    .attrs_size = sizeof(AffineGridAttrs),
    .parse = affine_grid_parse,
    .infer = affine_grid_infer,
    .reads = 1u << AFFINE_SIZE,
    .shaped_by = 1u << AFFINE_SIZE,
    .reference = affine_grid_reference,
};
