/* SPDX-License-Identifier: Apache-2.0 */
/* For libFuzzer: bytes as the file of a picture. */
#include "fuzz/fuzz.h"
#include "image/image.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const ImageLimits limits = {.max_pixels = 1 << 16};
    Image image;
    Error err;
    if (!image_decode(data, size, size % 2 ? PIXELS_GRAY : PIXELS_RGB, &limits, allocator_default(), &image,
                      &err))
        image_free(&image);
    return 0;
}
