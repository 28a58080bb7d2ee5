/* SPDX-License-Identifier: Apache-2.0 */
/* DepthToSpace (ONNX 1; 11: mode) and SpaceToDepth (1; 28: mode), with b for the block size:
 *   DepthToSpace: y[n, c, h b + i, w b + j] = x[n, (i b + j) C + c, h, w] in mode DCR,
 *                 x[n, c b b + i b + j, h, w] in mode CRD (torch.nn.PixelShuffle); C channels remain.
 *   SpaceToDepth is the reverse. */
#include "ops/tensor/depth_space.h"

#include <inttypes.h>

#include "base/size.h"

enum { MODE_DCR, MODE_CRD };

static Status parse_block(ParseContext *ctx, DepthSpaceAttrs *attrs) {
    static const char *const modes[] = {"DCR", "CRD", NULL};
    TRY(parse_require(ctx, "blocksize"));
    TRY(parse_int(ctx, "blocksize", 0, &attrs->block));
    if (attrs->block < 1 || attrs->block > INT32_MAX)
        return parse_fail(ctx, STRIDER_BAD_MODEL, "blocksize is %" PRId64 ", must be at least 1",
                          attrs->block);
    return parse_enum(ctx, "mode", modes, MODE_DCR, &attrs->mode);
}

static Status depth_to_space_parse(ParseContext *ctx, void *attrs) {
    return parse_block(ctx, attrs);
}

static Status space_to_depth_parse(ParseContext *ctx, void *attrs_) {
    DepthSpaceAttrs *attrs = attrs_;
    attrs->to_depth = true;
    return parse_block(ctx, attrs);
}

static Status divide(InferContext *ctx, int64_t *dim, int64_t by, const char *what) {
    if (*dim < 0) {
        *dim = DIM_UNKNOWN;
        return STRIDER_OK;
    }
    if (*dim % by)
        return infer_fail(ctx, STRIDER_BAD_MODEL, "%" PRId64 " %s are no multiple of %" PRId64, *dim, what,
                          by);
    *dim /= by;
    return STRIDER_OK;
}

static Status multiply(InferContext *ctx, int64_t *dim, int64_t by) {
    if (*dim < 0)
        *dim = DIM_UNKNOWN;
    else if (!i64_mul(*dim, by, dim))
        return infer_fail(ctx, STRIDER_LIMIT_EXCEEDED, "a dimension overflows");
    return STRIDER_OK;
}

static Status depth_space_infer(InferContext *ctx) {
    const DepthSpaceAttrs *attrs = infer_attrs(ctx);
    TRY(infer_require_rank(ctx, 0, 4, 4));
    ctx->outputs[0] = ctx->inputs[0];
    int64_t *y = ctx->outputs[0].shape.dims;
    if (ctx->inputs[0].shape.rank < 0)
        return STRIDER_OK;
    if (!attrs->to_depth) {
        TRY(divide(ctx, &y[1], attrs->block * attrs->block, "channels"));
        TRY(multiply(ctx, &y[2], attrs->block));
        return multiply(ctx, &y[3], attrs->block);
    }
    TRY(divide(ctx, &y[2], attrs->block, "rows"));
    TRY(divide(ctx, &y[3], attrs->block, "columns"));
    TRY(multiply(ctx, &y[1], attrs->block));
    return multiply(ctx, &y[1], attrs->block);
}

DepthSpaceGeometry depth_space_geometry(const DepthSpaceAttrs *attrs, const Shape *x) {
    const int64_t b = attrs->block, plane = x->dims[2] * x->dims[3], row = x->dims[3],
                  image = x->dims[1] * plane;
    if (attrs->to_depth) {
        const int64_t c = x->dims[1], h = x->dims[2] / b, w = x->dims[3] / b;
        if (attrs->mode == MODE_DCR)
            return (DepthSpaceGeometry){{x->dims[0], b, b, c, h, w}, {image, row, 1, plane, b * row, b}};
        return (DepthSpaceGeometry){{x->dims[0], c, b, b, h, w}, {image, plane, row, 1, b * row, b}};
    }
    const int64_t c = x->dims[1] / (b * b);
    const bool dcr = attrs->mode == MODE_DCR;
    const int64_t channel = dcr ? plane : b * b * plane, place = dcr ? c * plane : plane;
    return (DepthSpaceGeometry){{x->dims[0], c, x->dims[2], b, x->dims[3], b},
                                {image, channel, row, b * place, 1, place}};
}

static Status depth_space_reference(EvalContext *ctx) {
    const Tensor *x = ctx->inputs[0];
    const DepthSpaceGeometry g = depth_space_geometry(eval_attrs(ctx), &x->type.shape);
    int64_t counters[DEPTH_SPACE_DIMS] = {0}, from = 0, count = tensor_elements(x);
    DISPATCH_BY_SIZE(dtype_size(x->type.dtype), T, {
        const T *source = x->data;
        T *target = ctx->outputs[0]->data;
        for (int64_t i = 0; i < count; i++) {
            target[i] = source[from];
            for (int d = DEPTH_SPACE_DIMS - 1; d >= 0; d--) {
                from += g.in_strides[d];
                if (++counters[d] < g.dims[d])
                    break;
                from -= g.in_strides[d] * g.dims[d];
                counters[d] = 0;
            }
        }
    })
    return STRIDER_OK;
}

const Op op_depth_to_space = {
    OP_NAMED(DepthToSpace),
    .since = 1,
    .inputs = {1, 1},
    .outputs = {1, 1},
    .attrs_size = sizeof(DepthSpaceAttrs),
    .parse = depth_to_space_parse,
    .infer = depth_space_infer,
    .reference = depth_space_reference,
    .flags = OP_STRINGS,
};

const Op op_space_to_depth = {
    OP_NAMED(SpaceToDepth),
    .since = 1,
    .inputs = {1, 1},
    .outputs = {1, 1},
    .attrs_size = sizeof(DepthSpaceAttrs),
    .parse = space_to_depth_parse,
    .infer = depth_space_infer,
    .reference = depth_space_reference,
    .flags = OP_STRINGS,
};
