/* SPDX-License-Identifier: Apache-2.0 */
/* What the decoders of image.h share. */
#ifndef IMAGE_DECODING_H
#define IMAGE_DECODING_H

#include <string.h>

#include "base/size.h"
#include "image/image.h"

/* One file on its way.  A decoder calls decoding_begin() when it knows the size, then decoding_row() for each
 * row. image_decode() frees everything that it took from here, whether or not it fails; what libraries made
 * is its own. */
typedef struct Decoding {
    const uint8_t *bytes;
    size_t size;
    PixelFormat format;
    const ImageLimits *limits;
    const Allocator *allocator;
    Image image;
    Region region;  /* for what a decoder needs while it works */
    void *reserved; /* memory that is only counted */
    Error *err;     /* messages go after the name of the format */
} Decoding;

/* Checks the size against the limits and takes memory for the pixels, whose contents are undefined. */
Status decoding_begin(Decoding *decoding, int64_t width, int64_t height) MUST_CHECK;
/* Row `y` from as many grey pixels, or pixels of red, green and blue, as the image is wide. */
void decoding_row(Decoding *decoding, int64_t y, const uint8_t *samples, int channels);
/* `size` bytes, zeroed, until the decoding ends. */
Status decoding_alloc(Decoding *decoding, Bytes size, void *memory) MUST_CHECK;
/* Counts what a library is about to take; once. */
Status decoding_reserve(Decoding *decoding, Bytes size) MUST_CHECK;
Status decoding_ends_early(Decoding *decoding);

/* round(value * 255 / max), for value <= max < 2^24. */
static inline uint8_t sample_to_8_bits(uint32_t value, uint32_t max) {
    return (uint8_t)((value * (uint64_t)255 + max / 2) / max);
}
/* round(a * b / 255). */
static inline uint8_t sample_product(uint8_t a, uint8_t b) {
    const unsigned product = a * (unsigned)b + 128;
    return (uint8_t)(((product >> 8) + product) >> 8);
}

Status bmp_decode(Decoding *decoding) MUST_CHECK;
Status jpeg_decode(Decoding *decoding) MUST_CHECK;
Status jpeg2000_decode(Decoding *decoding) MUST_CHECK;
Status png_decode(Decoding *decoding) MUST_CHECK;
Status pnm_decode(Decoding *decoding) MUST_CHECK;
Status tiff_decode(Decoding *decoding) MUST_CHECK;
Status webp_decode(Decoding *decoding) MUST_CHECK;

#endif
