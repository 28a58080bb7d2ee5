/* SPDX-License-Identifier: Apache-2.0 */
/* Pictures in files: BMP, JPEG, JPEG 2000, PNG, PNM, TIFF and WebP, each in the file of its name.  BMP and
 * PNM are read by hand, the others by a library each, where the build had it (STRIDER_IMAGES). */
#ifndef IMAGE_IMAGE_H
#define IMAGE_IMAGE_H

#include "base/memory.h"

/* What a pixel becomes: bytes in this order, or one byte of brightness. */
typedef enum PixelFormat { PIXELS_RGB, PIXELS_BGR, PIXELS_GRAY } PixelFormat;

static inline int pixel_bytes(PixelFormat format) {
    return format == PIXELS_GRAY ? 1 : 3;
}

/* What a file may ask for; its first bytes may claim any size. */
typedef struct ImageLimits {
    int64_t max_pixels;
} ImageLimits;

/* A square of 11585: more than cameras make. */
#define IMAGE_LIMITS_DEFAULT ((ImageLimits){.max_pixels = (int64_t)1 << 27})

typedef struct Image {
    int64_t height, width; /* at least 1 */
    uint8_t *pixels;       /* rows from top to bottom, pixel_bytes() for each pixel, nothing between them */
    const Allocator *allocator;
} Image;

/* Decodes the file whose `size` bytes lie at `bytes`; its format is told by them.  Samples of more or fewer
 * than 8 bits are scaled to [0, 255] and rounded; brightness is 0.299 R + 0.587 G + 0.114 B; opacity, colour
 * profiles and, in all but TIFF, the orientation that a camera noted are left out; of several pictures it is
 * the first one.
 *
 * On success the pixels are the caller's, to be freed by image_free(); on failure *image is zeroed and
 * nothing is kept. BAD_MODEL where the file is damaged, ends too early or is no picture; UNSUPPORTED where it
 * is of a kind that cannot be read, or that this build cannot read; LIMIT_EXCEEDED before memory is taken for
 * more pixels than allowed; OUT_OF_MEMORY.  What a library takes by itself is taken from `allocator` as well
 * while it works, so that a budget counts it, as nearly as can be told beforehand.  Thread safe. */
Status image_decode(const void *bytes, size_t size, PixelFormat format, const ImageLimits *limits,
                    const Allocator *allocator, Image *image, Error *err) MUST_CHECK;
/* A zeroed image is allowed. */
void image_free(Image *image);

#endif
