/* SPDX-License-Identifier: Apache-2.0 */
/* Col2Im: adds columns of windows up to an image, torch.nn.functional.fold.  ONNX 18.
 *   X [N, C * product of block, L]; L windows, in row-major order, over an image of shape image_shape
 *   y[n, c, o*stride - pad_begin + k*dilation] += x[n, c*block + k, o] */
#include "ops/nn/col2im.h"

#include <inttypes.h>
#include <string.h>

#include "base/size.h"
#include "ops/nn/fold_formula.h"

static Status col2im_parse(ParseContext *ctx, void *attrs) {
    return window_parse(ctx, attrs);
}

const char *col2im_resolve(const WindowAttrs *attrs, int spatial, const int64_t *image, const int64_t *block,
                           Col2ImGeometry *g) {
    const int counts[] = {attrs->n_strides, attrs->n_dilations, attrs->n_pads};
    for (int i = 0; i < 3; i++)
        if (counts[i] >= 0 && counts[i] != (i == 2 ? 2 * spatial : spatial))
            return "strides, dilations or pads are not as many as image_shape asks for";
    g->block = g->columns = 1;
    for (int i = 0; i < MAX_SPATIAL; i++) {
        int from = i - (MAX_SPATIAL - spatial);
        g->dims[i] = (WindowDim){1, 1, 1, 1, 1, 0, 0};
        if (from < 0)
            continue;
        if (image[from] < 1 || image[from] > WINDOW_LARGEST || block[from] < 1 ||
            block[from] > WINDOW_LARGEST)
            return "image_shape and block_shape must be positive";
        g->dims[i] = window_resolve(attrs, spatial, from, image[from], block[from]);
        if (g->dims[i].out < 1)
            return "the block is larger than the padded image";
        if (!i64_mul(g->block, block[from], &g->block) || !i64_mul(g->columns, g->dims[i].out, &g->columns))
            return "the block is too large";
    }
    return NULL;
}

static Status check_input(InferContext *ctx, const Col2ImGeometry *g) {
    const Shape *x = &ctx->inputs[COL2IM_X].shape;
    if (x->rank == 3 && x->dims[1] >= 0 && x->dims[1] % g->block)
        return infer_fail(ctx, STRIDER_BAD_MODEL, "%" PRId64 " rows are no multiple of a block of %" PRId64,
                          x->dims[1], g->block);
    if (x->rank == 3 && x->dims[2] >= 0 && x->dims[2] != g->columns)
        return infer_fail(ctx, STRIDER_BAD_MODEL,
                          "%" PRId64 " columns, but the image has %" PRId64 " windows", x->dims[2],
                          g->columns);
    return STRIDER_OK;
}

static Status col2im_infer(InferContext *ctx) {
    const WindowAttrs *attrs = infer_attrs(ctx);
    const Shape *x = &ctx->inputs[COL2IM_X].shape;
    TRY(infer_require_dtype(ctx, COL2IM_X, DTYPES_FLOAT));
    TRY(infer_require_rank(ctx, COL2IM_X, 3, 3));
    ctx->outputs[0].dtype = ctx->inputs[COL2IM_X].dtype;
    int64_t image[MAX_SPATIAL], block[MAX_SPATIAL];
    int n_image, n_block;
    TRY(infer_ints(ctx, COL2IM_IMAGE, image, MAX_SPATIAL, &n_image));
    TRY(infer_ints(ctx, COL2IM_BLOCK, block, MAX_SPATIAL, &n_block));
    if (n_image < 0 || n_block < 0)
        return STRIDER_OK;
    if (n_image < 1 || n_image != n_block)
        return infer_fail(ctx, STRIDER_BAD_MODEL, "image_shape has %d values and block_shape %d", n_image,
                          n_block);
    Col2ImGeometry geometry;
    const char *problem = col2im_resolve(attrs, n_image, image, block, &geometry);
    if (problem)
        return infer_fail(ctx, STRIDER_BAD_MODEL, "%s", problem);
    TRY(check_input(ctx, &geometry));
    Shape *y = &ctx->outputs[0].shape;
    y->rank = 2 + n_image;
    y->dims[0] = x->rank == 3 ? x->dims[0] : DIM_UNKNOWN;
    y->dims[1] = x->rank == 3 && x->dims[1] >= 0 ? x->dims[1] / geometry.block : DIM_UNKNOWN;
    memcpy(y->dims + 2, image, (size_t)n_image * sizeof *image);
    return STRIDER_OK;
}

static int64_t candidates(const WindowDim *dim) {
    return fold_candidates(dim->kernel, dim->out);
}

static FoldPair pair_of(const WindowDim *dim, int64_t at, int64_t i) {
    return fold_pair(at + dim->pad_begin, i, dim->kernel, dim->out, dim->stride, dim->dilation);
}

/* The sum of what all windows bring to one element of the image; `row` is the first row of its channel. */
static double gather(const Col2ImGeometry *g, const Tensor *x, int64_t row, const int64_t at[MAX_SPATIAL]) {
    const WindowDim *d = g->dims;
    double sum = 0;
    for (int64_t i = 0; i < candidates(&d[0]); i++) {
        const FoldPair z = pair_of(&d[0], at[0], i);
        for (int64_t j = 0; z.is_one && j < candidates(&d[1]); j++) {
            const FoldPair y = pair_of(&d[1], at[1], j);
            for (int64_t k = 0; y.is_one && k < candidates(&d[2]); k++) {
                const FoldPair t = pair_of(&d[2], at[2], k);
                const int64_t block = (z.tap * d[1].kernel + y.tap) * d[2].kernel + t.tap,
                              column = (z.window * d[1].out + y.window) * d[2].out + t.window;
                if (t.is_one)
                    sum += tensor_get_f64(x, (row + block) * g->columns + column);
            }
        }
    }
    return sum;
}

static Status col2im_reference(EvalContext *ctx) {
    const Shape *x_shape = &ctx->inputs[COL2IM_X]->type.shape;
    int64_t image[MAX_SPATIAL], block[MAX_SPATIAL];
    int n_image, n_block;
    TRY(eval_ints(ctx, COL2IM_IMAGE, image, MAX_SPATIAL, &n_image));
    TRY(eval_ints(ctx, COL2IM_BLOCK, block, MAX_SPATIAL, &n_block));
    const WindowAttrs *attrs = eval_attrs(ctx);
    Col2ImGeometry g = {.batch = x_shape->dims[0]};
    const char *problem = n_image < 1 || n_image != n_block
                              ? "image_shape and block_shape differ in length"
                              : col2im_resolve(attrs, n_image, image, block, &g);
    if (!problem && (x_shape->dims[1] % g.block || x_shape->dims[2] != g.columns))
        problem = "the input's shape does not fit the image";
    if (problem)
        return eval_fail(ctx, STRIDER_BAD_MODEL, "%s", problem);
    g.channels = x_shape->dims[1] / g.block;
    Shape shape = {.rank = 2 + n_image, .dims = {g.batch, g.channels}};
    memcpy(shape.dims + 2, image, (size_t)n_image * sizeof *image);
    TRY(eval_set_output_shape(ctx, 0, ctx->inputs[COL2IM_X]->type.dtype, &shape));
    const WindowDim *d = g.dims;
    int64_t to = 0;
    for (int64_t i = 0; i < g.batch * g.channels; i++)
        for (int64_t z = 0; z < d[0].in; z++)
            for (int64_t y = 0; y < d[1].in; y++)
                for (int64_t x = 0; x < d[2].in; x++, to++)
                    tensor_set_f64(ctx->outputs[0], to,
                                   gather(&g, ctx->inputs[COL2IM_X], i * g.block, (int64_t[]){z, y, x}));
    return STRIDER_OK;
}

const Op op_col2im = {
    OP_NAMED(Col2Im),
    .since = 18,
    .inputs = {3, 3},
    .outputs = {1, 1},
    .attrs_size = sizeof(WindowAttrs),
    .parse = col2im_parse,
    .infer = col2im_infer,
    .reads = 1u << COL2IM_IMAGE | 1u << COL2IM_BLOCK,
    .shaped_by = 1u << COL2IM_IMAGE | 1u << COL2IM_BLOCK,
    .reference = col2im_reference,
};
