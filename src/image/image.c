/* SPDX-License-Identifier: Apache-2.0 */
#include "image/image.h"

#include <inttypes.h>

#include "image/decoding.h"

/* Decoders whose library the build did not have are none. */
#ifndef STRIDER_HAS_JPEG
#define jpeg_decode NULL
#endif
#ifndef STRIDER_HAS_JPEG2000
#define jpeg2000_decode NULL
#endif
#ifndef STRIDER_HAS_PNG
#define png_decode NULL
#endif
#ifndef STRIDER_HAS_TIFF
#define tiff_decode NULL
#endif
#ifndef STRIDER_HAS_WEBP
#define webp_decode NULL
#endif

/* Files that begin with `magic` and, where that alone is too little, have `more` at byte `more_at`. */
typedef struct FileFormat {
    const char *name;
    const char *magic;
    size_t magic_size;
    const char *more;
    size_t more_at;
    Status (*decode)(Decoding *decoding);
} FileFormat;

#define MAGIC(BYTES) BYTES, sizeof BYTES - 1

static const FileFormat formats[] = {
    {"PNG", MAGIC("\x89PNG\r\n\x1a\n"), "", 0, png_decode},
    {"JPEG", MAGIC("\xff\xd8\xff"), "", 0, jpeg_decode},
    {"JPEG 2000", MAGIC("\0\0\0\x0cjP  \r\n\x87\n"), "", 0, jpeg2000_decode},
    {"JPEG 2000", MAGIC("\xff\x4f\xff\x51"), "", 0, jpeg2000_decode},
    {"TIFF", MAGIC("II*\0"), "", 0, tiff_decode},
    {"TIFF", MAGIC("MM\0*"), "", 0, tiff_decode},
    {"TIFF", MAGIC("II+\0"), "", 0, tiff_decode},
    {"TIFF", MAGIC("MM\0+"), "", 0, tiff_decode},
    {"WebP", MAGIC("RIFF"), "WEBP", 8, webp_decode},
    {"BMP", MAGIC("BM"), "", 0, bmp_decode},
    {"PNM", MAGIC("P1"), "", 0, pnm_decode},
    {"PNM", MAGIC("P2"), "", 0, pnm_decode},
    {"PNM", MAGIC("P3"), "", 0, pnm_decode},
    {"PNM", MAGIC("P4"), "", 0, pnm_decode},
    {"PNM", MAGIC("P5"), "", 0, pnm_decode},
    {"PNM", MAGIC("P6"), "", 0, pnm_decode},
};

static bool has_at(const uint8_t *bytes, size_t size, size_t at, const char *wanted, size_t wanted_size) {
    return at <= size && wanted_size <= size - at && memcmp(bytes + at, wanted, wanted_size) == 0;
}

static const FileFormat *find_format(const uint8_t *bytes, size_t size) {
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
        const FileFormat *format = &formats[i];
        if (has_at(bytes, size, 0, format->magic, format->magic_size) &&
            has_at(bytes, size, format->more_at, format->more, strlen(format->more)))
            return format;
    }
    return NULL;
}

static Status run_decoder(const FileFormat *format, Decoding *decoding) {
    if (!format)
        return fail(decoding->err, STRIDER_BAD_MODEL,
                    "the bytes are no picture in a known format: BMP, JPEG, JPEG 2000, PNG, PNM, TIFF, WebP");
    if (!format->decode)
        return fail(decoding->err, STRIDER_UNSUPPORTED,
                    "this build cannot read %s pictures: its library was not there", format->name);
    const Status status = format->decode(decoding);
    return status ? error_within(decoding->err, status, "%s picture", format->name) : STRIDER_OK;
}

Status image_decode(const void *bytes, size_t size, PixelFormat format, const ImageLimits *limits,
                    const Allocator *allocator, Image *image, Error *err) {
    Decoding decoding = {bytes, size, format, limits, allocator, .image.allocator = allocator, .err = err};
    region_init(&decoding.region, allocator, 0);
    const Status status = run_decoder(find_format(bytes, size), &decoding);
    memory_free(allocator, decoding.reserved);
    region_free(&decoding.region);
    if (status)
        image_free(&decoding.image);
    *image = decoding.image;
    return status;
}

void image_free(Image *image) {
    if (image->allocator)
        memory_free(image->allocator, image->pixels);
    *image = (Image){0};
}

/* --- for decoders --- */

Status decoding_begin(Decoding *decoding, int64_t width, int64_t height) {
    Image *image = &decoding->image;
    if (width < 1 || height < 1)
        return fail(decoding->err, STRIDER_BAD_MODEL, "it has no pixels: %" PRId64 " x %" PRId64, width,
                    height);
    if (count_of(width, height) > decoding->limits->max_pixels)
        return fail(decoding->err, STRIDER_LIMIT_EXCEEDED,
                    "%" PRId64 " x %" PRId64 " pixels are more than the limit of %" PRId64, width, height,
                    decoding->limits->max_pixels);
    const Bytes bytes = bytes_of((size_t)pixel_bytes(decoding->format), width, height);
    image->pixels = memory_alloc(decoding->allocator, bytes.n);
    if (!image->pixels)
        return fail_memory(decoding->err, bytes.n, "pixels");
    image->width = width;
    image->height = height;
    return STRIDER_OK;
}

/* In 16 bits of fraction, as others have it, so that pixels are the same. */
static uint8_t brightness(const uint8_t rgb[3]) {
    return (uint8_t)((rgb[0] * 19595u + rgb[1] * 38470u + rgb[2] * 7471u + 0x8000u) >> 16);
}

static void gray_from_colours(uint8_t *y, const uint8_t *rgb, int64_t width) {
    for (int64_t x = 0; x < width; x++)
        y[x] = brightness(rgb + 3 * x);
}

static void colours_from_gray(uint8_t *y, const uint8_t *gray, int64_t width) {
    for (int64_t x = 0; x < width; x++)
        y[3 * x] = y[3 * x + 1] = y[3 * x + 2] = gray[x];
}

static void swap_colours(uint8_t *y, const uint8_t *rgb, int64_t width) {
    for (int64_t x = 0; x < width; x++) {
        y[3 * x] = rgb[3 * x + 2];
        y[3 * x + 1] = rgb[3 * x + 1];
        y[3 * x + 2] = rgb[3 * x];
    }
}

void decoding_row(Decoding *decoding, int64_t y, const uint8_t *samples, int channels) {
    const int64_t width = decoding->image.width;
    const PixelFormat format = decoding->format;
    uint8_t *row = decoding->image.pixels + y * width * pixel_bytes(format);
    if (channels == 3 && format == PIXELS_GRAY)
        gray_from_colours(row, samples, width);
    else if (channels == 3 && format == PIXELS_BGR)
        swap_colours(row, samples, width);
    else if (channels == 1 && format != PIXELS_GRAY)
        colours_from_gray(row, samples, width);
    else
        memcpy(row, samples, (size_t)width * (size_t)channels);
}

Status decoding_alloc(Decoding *decoding, Bytes size, void *memory) {
    void *taken = region_alloc(&decoding->region, size.n);
    if (!taken)
        return fail_memory(decoding->err, size.n, "a picture");
    memcpy(memory, &taken, sizeof taken);
    return STRIDER_OK;
}

Status decoding_reserve(Decoding *decoding, Bytes size) {
    decoding->reserved = memory_alloc(decoding->allocator, size.n);
    return decoding->reserved ? STRIDER_OK : fail_memory(decoding->err, size.n, "a picture");
}

Status decoding_ends_early(Decoding *decoding) {
    return fail(decoding->err, STRIDER_BAD_MODEL, "it ends too early");
}
