/* SPDX-License-Identifier: Apache-2.0 */
/* WebP, by libwebp: pictures, no animations. */
#include <webp/decode.h>

#include "image/decoding.h"

static Status webp_fail(const Decoding *d, VP8StatusCode code) {
    switch (code) {
    case VP8_STATUS_OUT_OF_MEMORY:
        return fail(d->err, STRIDER_OUT_OF_MEMORY, "out of memory while it was decoded");
    case VP8_STATUS_UNSUPPORTED_FEATURE:
        return fail(d->err, STRIDER_UNSUPPORTED, "it has a feature that libwebp does not support");
    case VP8_STATUS_NOT_ENOUGH_DATA:
    case VP8_STATUS_SUSPENDED:
        return fail(d->err, STRIDER_BAD_MODEL, "it ends too early");
    default:
        return fail(d->err, STRIDER_BAD_MODEL, "its bytes are damaged");
    }
}

/* Into memory of ours, as red, green and blue, or blue, green and red. */
static Status decode_into(Decoding *d, WEBP_CSP_MODE mode, uint8_t *pixels) {
    WebPDecoderConfig config;
    if (!WebPInitDecoderConfig(&config))
        return fail(d->err, STRIDER_UNSUPPORTED, "libwebp is of another version");
    config.output.colorspace = mode;
    config.output.is_external_memory = 1;
    config.output.u.RGBA.rgba = pixels;
    config.output.u.RGBA.stride = (int)(3 * d->image.width);
    config.output.u.RGBA.size = bytes_of(3, d->image.width, d->image.height).n;
    const VP8StatusCode code = WebPDecode(d->bytes, d->size, &config);
    WebPFreeDecBuffer(&config.output);
    return code ? webp_fail(d, code) : STRIDER_OK;
}

static Status decode_gray(Decoding *d) {
    uint8_t *rgb;
    TRY(decoding_alloc(d, bytes_of(3, d->image.width, d->image.height), &rgb));
    TRY(decode_into(d, MODE_RGB, rgb));
    for (int64_t y = 0; y < d->image.height; y++)
        decoding_row(d, y, rgb + 3 * y * d->image.width, 3);
    return STRIDER_OK;
}

Status webp_decode(Decoding *decoding) {
    enum { LOSSLESS_BYTES_OF_PIXEL = 4 };
    WebPBitstreamFeatures features;
    const VP8StatusCode code = WebPGetFeatures(decoding->bytes, decoding->size, &features);
    if (code)
        return webp_fail(decoding, code);
    if (features.has_animation)
        return fail(decoding->err, STRIDER_UNSUPPORTED, "it is an animation");
    TRY(decoding_begin(decoding, features.width, features.height));
    TRY(decoding_reserve(decoding, bytes_of(LOSSLESS_BYTES_OF_PIXEL, features.width, features.height)));
    if (decoding->format == PIXELS_GRAY)
        return decode_gray(decoding);
    return decode_into(decoding, decoding->format == PIXELS_BGR ? MODE_BGR : MODE_RGB,
                       decoding->image.pixels);
}
