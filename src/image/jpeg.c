/* SPDX-License-Identifier: Apache-2.0 */
/* JPEG, by libjpeg-turbo.  It leaves by longjmp() where it fails: between setjmp() and there no function
 * holds anything that the reader or the decoding does not know.  What it would fill with grey and a warning
 * is an error here. */
#include <setjmp.h>
#include <stdio.h> /* jpeglib.h needs it */

#include <jpeglib.h>

#include <jerror.h>

#include "image/decoding.h"

/* Files have about ten passes; each costs the time of the whole picture for a few bytes. */
enum { MAX_SCANS = 100 };

typedef struct JpegReader {
    struct jpeg_decompress_struct info;
    struct jpeg_error_mgr errors;
    struct jpeg_source_mgr source;
    struct jpeg_progress_mgr progress;
    Decoding *decoding;
    bool ended; /* the bytes are used up */
    Status status;
    jmp_buf failed;
} JpegReader;

/* --- what libjpeg calls --- */

static Status status_of(int code) {
    switch (code) {
    case JERR_OUT_OF_MEMORY:
        return STRIDER_OUT_OF_MEMORY;
    case JERR_ARITH_NOTIMPL:
    case JERR_BAD_PRECISION:
    case JERR_CONVERSION_NOTIMPL:
    case JERR_NOTIMPL:
    case JERR_NOT_COMPILED:
    case JERR_SOF_UNSUPPORTED:
        return STRIDER_UNSUPPORTED;
    default:
        return STRIDER_BAD_MODEL;
    }
}

static void leave(JpegReader *reader, Status status) {
    reader->status = status;
    longjmp(reader->failed, 1);
}

static void on_error(j_common_ptr info) {
    JpegReader *reader = info->client_data;
    char message[JMSG_LENGTH_MAX];
    info->err->format_message(info, message);
    leave(reader, fail(reader->decoding->err, status_of(info->err->msg_code), "%s", message));
}

/* Warnings after which pixels are made up are errors; the others tell of oddities. */
static void on_message(j_common_ptr info, int level) {
    const int code = info->err->msg_code;
    if (level < 0 && (code == JWRN_HIT_MARKER || code == JWRN_HUFF_BAD_CODE || code == JWRN_ARITH_BAD_CODE ||
                      code == JWRN_MUST_RESYNC))
        on_error(info);
}

static void on_progress(j_common_ptr info) {
    JpegReader *reader = info->client_data;
    if (reader->info.input_scan_number > MAX_SCANS)
        leave(reader,
              fail(reader->decoding->err, STRIDER_LIMIT_EXCEEDED, "it has more than %d scans", MAX_SCANS));
}

static void on_start_or_end(j_decompress_ptr info) {
    (void)info;
}

/* The end of the picture, once, for files that lack theirs. */
static boolean on_end_of_bytes(j_decompress_ptr info) {
    static const JOCTET end[] = {0xff, JPEG_EOI};
    JpegReader *reader = info->client_data;
    if (reader->ended)
        leave(reader, decoding_ends_early(reader->decoding));
    reader->ended = true;
    info->src->next_input_byte = end;
    info->src->bytes_in_buffer = sizeof end;
    return TRUE;
}

static void on_skip(j_decompress_ptr info, long count) {
    struct jpeg_source_mgr *source = info->src;
    if (count <= 0)
        return;
    const size_t skipped = (size_t)count < source->bytes_in_buffer ? (size_t)count : source->bytes_in_buffer;
    source->next_input_byte += skipped;
    source->bytes_in_buffer -= skipped;
}

static void set_up(JpegReader *reader) {
    reader->info.err = jpeg_std_error(&reader->errors);
    reader->errors.error_exit = on_error;
    reader->errors.emit_message = on_message;
    reader->info.client_data = reader;
    reader->progress.progress_monitor = on_progress;
    reader->source = (struct jpeg_source_mgr){.next_input_byte = reader->decoding->bytes,
                                              .bytes_in_buffer = reader->decoding->size,
                                              .init_source = on_start_or_end,
                                              .fill_input_buffer = on_end_of_bytes,
                                              .skip_input_data = on_skip,
                                              .resync_to_restart = jpeg_resync_to_restart,
                                              .term_source = on_start_or_end};
}

/* --- reading --- */

/* A progressive picture is kept as coefficients of 2 bytes, in blocks of up to 32 by 32 pixels. */
static Bytes working_memory(const struct jpeg_decompress_struct *info) {
    const int64_t width = i64_sum(info->image_width, 32), height = i64_sum(info->image_height, 32);
    return bytes_of(2, info->num_components, width,
                    jpeg_has_multiple_scans((j_decompress_ptr)info) ? height : 64);
}

static Status start(JpegReader *reader) {
    struct jpeg_decompress_struct *info = &reader->info;
    jpeg_create_decompress(info);
    info->src = &reader->source;
    info->progress = &reader->progress;
    jpeg_read_header(info, TRUE);
    TRY(decoding_begin(reader->decoding, info->image_width, info->image_height));
    TRY(decoding_reserve(reader->decoding, working_memory(info)));
    if (info->jpeg_color_space == JCS_CMYK || info->jpeg_color_space == JCS_YCCK)
        info->out_color_space = JCS_CMYK;
    else if (info->out_color_space != JCS_GRAYSCALE)
        info->out_color_space = JCS_RGB;
    jpeg_start_decompress(info);
    return STRIDER_OK;
}

/* Who writes four inks writes them inverted: 255 is none. */
static void colours_of_inks(uint8_t *row, int64_t width) {
    for (int64_t x = 0; x < width; x++) {
        const uint8_t black = row[4 * x + 3];
        for (int64_t channel = 0; channel < 3; channel++)
            row[3 * x + channel] =
                (uint8_t)(black - sample_product((uint8_t)(255 - row[4 * x + channel]), black));
    }
}

static Status read_rows(JpegReader *reader) {
    Decoding *d = reader->decoding;
    struct jpeg_decompress_struct *info = &reader->info;
    uint8_t *row;
    TRY(start(reader));
    const int channels = info->output_components;
    TRY(decoding_alloc(d, bytes_of(1, d->image.width, channels), &row));
    for (int64_t y = 0; y < d->image.height; y++) {
        jpeg_read_scanlines(info, &row, 1);
        if (channels == 4)
            colours_of_inks(row, d->image.width);
        decoding_row(d, y, row, channels == 1 ? 1 : 3);
    }
    /* Of a progressive picture scans may be missing, whose absence nothing else shows. */
    return reader->ended && info->progressive_mode ? decoding_ends_early(d) : STRIDER_OK;
}

static Status read_guarded(JpegReader *reader) {
    return setjmp(reader->failed) ? reader->status : read_rows(reader);
}

Status jpeg_decode(Decoding *decoding) {
    JpegReader reader = {.decoding = decoding};
    set_up(&reader);
    const Status status = read_guarded(&reader);
    jpeg_destroy_decompress(&reader.info);
    return status;
}
