/* SPDX-License-Identifier: Apache-2.0 */
/* JPEG 2000, by OpenJPEG: files (JP2) and bare streams (J2K) of grey, red, green and blue, luma and chroma,
 * or inks. */
#include <inttypes.h>
#include <openjpeg.h>
#include <stdio.h>

#include "image/decoding.h"

enum { MAX_COMPONENTS = 4 };

typedef struct Jp2Reader {
    Decoding *decoding;
    opj_codec_t *codec;
    opj_stream_t *stream;
    opj_image_t *image;
    size_t at; /* in the file */
    char why[200];
} Jp2Reader;

/* --- what OpenJPEG calls --- */

static OPJ_SIZE_T on_read(void *bytes, OPJ_SIZE_T count, void *reader_) {
    Jp2Reader *reader = reader_;
    const Decoding *d = reader->decoding;
    const size_t left = d->size - reader->at, got = count < left ? count : left;
    if (!got)
        return (OPJ_SIZE_T)-1;
    memcpy(bytes, d->bytes + reader->at, got);
    reader->at += got;
    return got;
}

static OPJ_OFF_T on_skip(OPJ_OFF_T count, void *reader_) {
    Jp2Reader *reader = reader_;
    const size_t left = reader->decoding->size - reader->at;
    if (count < 0 || (left == 0 && count > 0))
        return -1;
    const size_t skipped = (uint64_t)count < left ? (size_t)count : left;
    reader->at += skipped;
    return (OPJ_OFF_T)skipped;
}

static OPJ_BOOL on_seek(OPJ_OFF_T to, void *reader_) {
    Jp2Reader *reader = reader_;
    if (to < 0 || (uint64_t)to > reader->decoding->size)
        return OPJ_FALSE;
    reader->at = (size_t)to;
    return OPJ_TRUE;
}

/* The first message, without the end of its line. */
static void on_error(const char *message, void *reader_) {
    Jp2Reader *reader = reader_;
    if (!reader->why[0])
        snprintf(reader->why, sizeof reader->why, "%.*s", (int)strcspn(message, "\n"), message);
}

static void on_message(const char *message, void *reader) {
    (void)message, (void)reader;
}

static Status jp2_fail(const Jp2Reader *reader) {
    return fail(reader->decoding->err, STRIDER_BAD_MODEL, "%s",
                reader->why[0] ? reader->why : "it is damaged");
}

/* --- its size, before OpenJPEG takes memory for each tile that the file claims --- */

static uint64_t number_at(const Decoding *d, size_t at, size_t size) {
    uint64_t value = 0;
    for (size_t i = 0; i < size; i++)
        value = value << 8 | (at < d->size && i < d->size - at ? d->bytes[at + i] : 0);
    return value;
}

static bool is_stream(const Decoding *d, size_t at) {
    return number_at(d, at, 4) == 0xff4fff51;
}

/* Where the stream begins: in a file in the box "jp2c", after others.  The file's size where there is none.
 */
static size_t find_stream(const Decoding *d) {
    enum { BOX_HEADER = 8, LONG_BOX_HEADER = 16 };
    size_t at = 0;
    while (!is_stream(d, at) && at < d->size) {
        const uint64_t size = number_at(d, at, 4), long_size = number_at(d, at + BOX_HEADER, 8);
        const size_t header = size == 1 ? LONG_BOX_HEADER : BOX_HEADER;
        const uint64_t whole = size == 1 ? long_size : size;
        if (number_at(d, at + 4, 4) == 0x6a703263)
            return d->size - at > header ? at + header : d->size;
        if (whole < header || whole > d->size - at)
            return d->size;
        at += (size_t)whole;
    }
    return at;
}

/* Of the marker SIZ, which follows the start of the stream. */
static Status check_size(const Decoding *d) {
    enum { AT_SIZE = 8, AT_TILE = 24, AT_COMPONENTS = 40, LEAST_TILE_BYTES = 14 };
    const size_t at = find_stream(d);
    uint64_t tiles = 1;
    if (!is_stream(d, at))
        return fail(d->err, STRIDER_BAD_MODEL, "it has no stream");
    for (size_t axis = 0; axis < 2; axis++) {
        const uint64_t end = number_at(d, at + AT_SIZE + 4 * axis, 4),
                       tile = number_at(d, at + AT_TILE + 4 * axis, 4),
                       origin = number_at(d, at + AT_TILE + 8 + 4 * axis, 4);
        if (!tile || origin >= end)
            return fail(d->err, STRIDER_BAD_MODEL, "its tiles have no size");
        tiles *= (end - origin + tile - 1) / tile; /* both below 2^32 */
    }
    const uint64_t components = number_at(d, at + AT_COMPONENTS, 2);
    if (components > MAX_COMPONENTS)
        return fail(d->err, STRIDER_UNSUPPORTED, "it has %" PRIu64 " components", components);
    return tiles > d->size / LEAST_TILE_BYTES
               ? fail(d->err, STRIDER_BAD_MODEL, "it has not the bytes of %" PRIu64 " tiles", tiles)
               : STRIDER_OK;
}

/* --- reading --- */

static Status open_file(Jp2Reader *reader) {
    const Decoding *d = reader->decoding;
    opj_dparameters_t parameters;
    reader->codec = opj_create_decompress(is_stream(d, 0) ? OPJ_CODEC_J2K : OPJ_CODEC_JP2);
    reader->stream = opj_stream_create(OPJ_J2K_STREAM_CHUNK_SIZE, OPJ_TRUE);
    if (!reader->codec || !reader->stream)
        return fail(d->err, STRIDER_OUT_OF_MEMORY, "out of memory for its reader");
    opj_stream_set_read_function(reader->stream, on_read);
    opj_stream_set_skip_function(reader->stream, on_skip);
    opj_stream_set_seek_function(reader->stream, on_seek);
    opj_stream_set_user_data(reader->stream, reader, NULL);
    opj_stream_set_user_data_length(reader->stream, d->size);
    opj_set_error_handler(reader->codec, on_error, reader);
    opj_set_warning_handler(reader->codec, on_message, reader);
    opj_set_info_handler(reader->codec, on_message, reader);
    opj_set_default_decoder_parameters(&parameters);
    if (!opj_setup_decoder(reader->codec, &parameters) ||
        !opj_decoder_set_strict_mode(reader->codec, OPJ_TRUE) ||
        !opj_read_header(reader->stream, reader->codec, &reader->image))
        return jp2_fail(reader);
    return STRIDER_OK;
}

/* Samples and the coefficients that they are made of. */
static Bytes working_memory(const opj_image_t *image) {
    Bytes all = {0};
    for (OPJ_UINT32 i = 0; i < image->numcomps; i++)
        all = bytes_sum(all, bytes_of(2 * sizeof(OPJ_INT32), image->comps[i].w, image->comps[i].h));
    return all;
}

static Status check_components(const Jp2Reader *reader) {
    const opj_image_t *image = reader->image;
    const int64_t max_pixels = reader->decoding->limits->max_pixels;
    if (image->numcomps < 1 || image->numcomps > MAX_COMPONENTS)
        return fail(reader->decoding->err, STRIDER_UNSUPPORTED, "it has %" PRIu32 " components",
                    image->numcomps);
    for (OPJ_UINT32 i = 0; i < image->numcomps; i++)
        if (count_of(image->comps[i].w, image->comps[i].h) > max_pixels)
            return fail(reader->decoding->err, STRIDER_LIMIT_EXCEEDED,
                        "a component has more samples than the limit of %" PRId64, max_pixels);
    return STRIDER_OK;
}

static Status decode(Jp2Reader *reader) {
    Decoding *d = reader->decoding;
    TRY(check_components(reader));
    TRY(decoding_begin(d, reader->image->comps[0].w, reader->image->comps[0].h));
    TRY(decoding_reserve(d, working_memory(reader->image)));
    if (!opj_decode(reader->codec, reader->stream, reader->image))
        return jp2_fail(reader);
    TRY(check_components(reader)); /* a palette has made more of them */
    for (OPJ_UINT32 i = 0; i < reader->image->numcomps; i++)
        if (!reader->image->comps[i].data || !reader->image->comps[i].w || !reader->image->comps[i].h)
            return fail(d->err, STRIDER_BAD_MODEL, "component %" PRIu32 " has no samples", i);
    return reader->image->comps[0].w == d->image.width && reader->image->comps[0].h == d->image.height
               ? STRIDER_OK
               : fail(d->err, STRIDER_BAD_MODEL, "its size is not what its header says");
}

/* --- pixels --- */

/* A row of one component, which may have fewer samples than the first one, to every `step`-th byte. */
static void put_component(const opj_image_t *image, OPJ_UINT32 component, int64_t y, int step, uint8_t *row) {
    const opj_image_comp_t *first = &image->comps[0], *c = &image->comps[component];
    const int64_t from = i64_min(y * first->dy / c->dy, (int64_t)c->h - 1), last = (int64_t)c->w - 1;
    const OPJ_INT32 *samples = c->data + from * c->w;
    const int64_t max = ((int64_t)1 << c->prec) - 1, zero = c->sgnd ? (int64_t)1 << (c->prec - 1) : 0;
    for (int64_t x = 0; x < first->w; x++) {
        const int64_t column = i64_min(c->dx == first->dx ? x : x * first->dx / c->dx, last);
        const uint32_t value = (uint32_t)i64_max(0, i64_min(samples[column] + zero, max));
        row[x * step] = max == 255 ? (uint8_t)value : sample_to_8_bits(value, (uint32_t)max);
    }
}

static uint8_t rounded(double value) {
    return (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value + 0.5);
}

static void colours_of_luma(uint8_t *pixel) {
    const double luma = pixel[0], blue = pixel[1] - 128.0, red = pixel[2] - 128.0;
    pixel[0] = rounded(luma + 1.402 * red);
    pixel[1] = rounded(luma - 0.344136 * blue - 0.714136 * red);
    pixel[2] = rounded(luma + 1.772 * blue);
}

/* Four bytes to three. */
static void colours_of_inks(const uint8_t *inks, uint8_t *pixel) {
    const uint8_t light = (uint8_t)(255 - inks[3]);
    for (int channel = 0; channel < 3; channel++)
        pixel[channel] = sample_product((uint8_t)(255 - inks[channel]), light);
}

/* Files that do not say so are told by chroma that has fewer samples. */
static bool is_luma_and_chroma(const opj_image_t *image) {
    return image->color_space == OPJ_CLRSPC_SYCC ||
           (image->color_space != OPJ_CLRSPC_SRGB && image->numcomps == 3 &&
            image->comps[1].dx > image->comps[0].dx);
}

static void put_rows(const Jp2Reader *reader, int components, uint8_t *row) {
    Decoding *d = reader->decoding;
    const opj_image_t *image = reader->image;
    const bool has_luma = is_luma_and_chroma(image);
    for (int64_t y = 0; y < d->image.height; y++) {
        for (int i = 0; i < components; i++)
            put_component(image, (OPJ_UINT32)i, y, components, row + i);
        for (int64_t x = 0; x < d->image.width && components == 3 && has_luma; x++)
            colours_of_luma(row + 3 * x);
        for (int64_t x = 0; x < d->image.width && components == MAX_COMPONENTS; x++)
            colours_of_inks(row + MAX_COMPONENTS * x, row + 3 * x);
        decoding_row(d, y, row, components == 1 ? 1 : 3);
    }
}

static Status read_picture(Jp2Reader *reader) {
    Decoding *d = reader->decoding;
    uint8_t *row;
    TRY(check_size(d));
    TRY(open_file(reader));
    TRY(decode(reader));
    const OPJ_UINT32 count = reader->image->numcomps;
    const bool has_inks = reader->image->color_space == OPJ_CLRSPC_CMYK;
    if (reader->image->color_space == OPJ_CLRSPC_EYCC || (has_inks && count != MAX_COMPONENTS))
        return fail(d->err, STRIDER_UNSUPPORTED, "its colours are in a space that is not supported");
    const int components = has_inks ? MAX_COMPONENTS : count < 3 ? 1 : 3; /* without opacity */
    TRY(decoding_alloc(d, bytes_of(1, d->image.width, components), &row));
    put_rows(reader, components, row);
    return STRIDER_OK;
}

Status jpeg2000_decode(Decoding *decoding) {
    Jp2Reader reader = {.decoding = decoding};
    const Status status = read_picture(&reader);
    opj_image_destroy(reader.image);
    opj_stream_destroy(reader.stream);
    opj_destroy_codec(reader.codec);
    return status;
}
