/* SPDX-License-Identifier: Apache-2.0 */
/* PNG, by libpng.  It leaves by longjmp() where it fails: between setjmp() and there no function holds
 * anything that the reader or the decoding does not know. */
#include <png.h>
#include <setjmp.h>

#include "image/decoding.h"

typedef struct PngReader {
    Decoding *decoding;
    png_structp png;
    png_infop info;
    size_t at; /* in the file */
    Status status;
    jmp_buf failed;
} PngReader;

/* --- what libpng calls --- */

static void on_error(png_structp png, const char *message) {
    PngReader *reader = png_get_error_ptr(png);
    /* One that was told already has a better reason. */
    if (!reader->status)
        reader->status = fail(reader->decoding->err, STRIDER_BAD_MODEL, "%s", message);
    longjmp(reader->failed, 1);
}

static void on_warning(png_structp png, const char *message) {
    (void)png, (void)message;
}

static void on_read(png_structp png, png_bytep bytes, size_t count) {
    PngReader *reader = png_get_io_ptr(png);
    const Decoding *d = reader->decoding;
    if (count > d->size - reader->at) {
        reader->status = decoding_ends_early(reader->decoding);
        png_error(png, "");
    }
    memcpy(bytes, d->bytes + reader->at, count);
    reader->at += count;
}

static png_voidp on_alloc(png_structp png, png_alloc_size_t size) {
    PngReader *reader = png_get_mem_ptr(png);
    void *memory = memory_alloc(reader->decoding->allocator, size);
    if (!memory)
        reader->status = fail_memory(reader->decoding->err, size, "its reader");
    return memory;
}

static void on_free(png_structp png, png_voidp memory) {
    const PngReader *reader = png_get_mem_ptr(png);
    memory_free(reader->decoding->allocator, memory);
}

/* --- reading --- */

/* What a PNG may keep of texts and profiles, which are of no use here. */
enum { MAX_CHUNK_BYTES = 1 << 23 };

static Status start(PngReader *reader) {
    reader->png = png_create_read_struct_2(PNG_LIBPNG_VER_STRING, reader, on_error, on_warning, reader,
                                           on_alloc, on_free);
    reader->info = reader->png ? png_create_info_struct(reader->png) : NULL;
    if (!reader->info)
        return fail(reader->decoding->err, STRIDER_OUT_OF_MEMORY, "out of memory for its reader");
    png_set_read_fn(reader->png, reader, on_read);
    png_set_user_limits(reader->png, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
    png_set_chunk_malloc_max(reader->png, MAX_CHUNK_BYTES);
    png_read_info(reader->png, reader->info);
    return STRIDER_OK;
}

/* To bytes of grey or of red, green and blue; how many. */
static int set_transformations(PngReader *reader) {
    png_structp png = reader->png;
    const int type = png_get_color_type(png, reader->info);
    if (type == PNG_COLOR_TYPE_PALETTE)
        png_set_palette_to_rgb(png);
    else if (png_get_bit_depth(png, reader->info) < 8)
        png_set_expand_gray_1_2_4_to_8(png);
    png_set_scale_16(png);
    png_set_strip_alpha(png);
    return type & PNG_COLOR_MASK_COLOR ? 3 : 1;
}

/* Rows of an interlaced picture are made in several passes. */
static Status read_interlaced(PngReader *reader, int passes, int channels) {
    Decoding *d = reader->decoding;
    const size_t row_size = png_get_rowbytes(reader->png, reader->info);
    uint8_t *rows;
    TRY(decoding_alloc(d, bytes_of(row_size, d->image.height), &rows));
    for (int pass = 0; pass < passes; pass++)
        for (int64_t y = 0; y < d->image.height; y++)
            png_read_row(reader->png, rows + (size_t)y * row_size, NULL);
    for (int64_t y = 0; y < d->image.height; y++)
        decoding_row(d, y, rows + (size_t)y * row_size, channels);
    return STRIDER_OK;
}

static Status read_rows(PngReader *reader) {
    Decoding *d = reader->decoding;
    uint8_t *row;
    TRY(start(reader));
    TRY(decoding_begin(d, png_get_image_width(reader->png, reader->info),
                       png_get_image_height(reader->png, reader->info)));
    const int channels = set_transformations(reader), passes = png_set_interlace_handling(reader->png);
    png_read_update_info(reader->png, reader->info);
    if (passes > 1)
        return read_interlaced(reader, passes, channels);
    TRY(decoding_alloc(d, bytes_of(1, (int64_t)png_get_rowbytes(reader->png, reader->info)), &row));
    for (int64_t y = 0; y < d->image.height; y++) {
        png_read_row(reader->png, row, NULL);
        decoding_row(d, y, row, channels);
    }
    return STRIDER_OK;
}

static Status read_guarded(PngReader *reader) {
    return setjmp(reader->failed) ? reader->status : read_rows(reader);
}

Status png_decode(Decoding *decoding) {
    PngReader reader = {.decoding = decoding};
    const Status status = read_guarded(&reader);
    png_destroy_read_struct(&reader.png, &reader.info, NULL);
    return status;
}
