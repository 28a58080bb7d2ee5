/* SPDX-License-Identifier: Apache-2.0 */
/* ImageDecoder (ONNX 20): the bytes of a picture's file to its pixels, [height, width, channels], in one of
 * three formats; what files are read, and how, is said in image/image.h.  Where it cannot be decoded the
 * specification gives an empty tensor, whose cause nobody would learn; here, as in ONNX's reference, it is an
 * error. */
#include "image/image.h"
#include "ops/op.h"

typedef struct ImageDecoderAttrs {
    int format; /* PixelFormat */
} ImageDecoderAttrs;

static Status image_decoder_parse(ParseContext *ctx, void *attrs_) {
    static const char *const names[] = {
        [PIXELS_RGB] = "RGB", [PIXELS_BGR] = "BGR", [PIXELS_GRAY] = "Grayscale", NULL};
    ImageDecoderAttrs *attrs = attrs_;
    return parse_enum(ctx, "pixel_format", names, PIXELS_RGB, &attrs->format);
}

static Status image_decoder_infer(InferContext *ctx) {
    const ImageDecoderAttrs *attrs = infer_attrs(ctx);
    const int64_t channels = pixel_bytes((PixelFormat)attrs->format);
    TRY(infer_require_dtype(ctx, 0, DTYPE_BIT(STRIDER_U8)));
    TRY(infer_require_rank(ctx, 0, 1, 1));
    ctx->outputs[0].tensor =
        type_of(STRIDER_U8, shape_make(3, (int64_t[]){DIM_UNKNOWN, DIM_UNKNOWN, channels}));
    return STRIDER_OK;
}

static Status image_decoder_reference(EvalContext *ctx) {
    const ImageDecoderAttrs *attrs = eval_attrs(ctx);
    const PixelFormat format = (PixelFormat)attrs->format;
    const Tensor *x = ctx->inputs[0];
    Image image;
    Error why = {0};
    Status status =
        image_decode(x->data, x->size_bytes, format, &IMAGE_LIMITS_DEFAULT, ctx->allocator, &image, &why);
    if (status)
        return eval_fail(ctx, status, "%s", why.message);
    const Shape shape = shape_make(3, (int64_t[]){image.height, image.width, pixel_bytes(format)});
    status = eval_set_output_shape(ctx, 0, STRIDER_U8, &shape);
    if (!status)
        memcpy(ctx->outputs[0]->data, image.pixels, ctx->outputs[0]->size_bytes);
    image_free(&image);
    return status;
}

const Op op_image_decoder = {
    OP_NAMED(ImageDecoder),
    .since = 20,
    .inputs = {1, 1},
    .outputs = {1, 1},
    .attrs_size = sizeof(ImageDecoderAttrs),
    .parse = image_decoder_parse,
    .infer = image_decoder_infer,
    .reference = image_decoder_reference,
    .flags = OP_DATA_DEPENDENT,
};
