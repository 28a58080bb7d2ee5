/* SPDX-License-Identifier: Apache-2.0 */
/* TIFF, by libtiff: the first picture of the file, in all that its interface for RGBA knows, turned as the
 * file says.  Of grey in 16 bits that interface takes the upper 8. */
#include <stdarg.h>
#include <stdio.h>
#include <tiffio.h>

#include "base/wrap.h"
#include "image/decoding.h"

enum { MESSAGE = 1024 }; /* libtiff's own size */

typedef struct TiffReader {
    Decoding *decoding;
    TIFF *tiff;
    TIFFRGBAImage rgba;
    bool has_rgba;
    uint64_t at;       /* in the file */
    char why[MESSAGE]; /* the first that libtiff complained of */
} TiffReader;

/* --- what libtiff calls --- */

static int on_error(TIFF *tiff, void *reader_, const char *module, const char *format, va_list args) {
    (void)tiff, (void)module;
    TiffReader *reader = reader_;
    if (!reader->why[0])
        vsnprintf(reader->why, sizeof reader->why, format, args);
    return 1;
}

static int on_warning(TIFF *tiff, void *reader, const char *module, const char *format, va_list args) {
    (void)tiff, (void)reader, (void)module, (void)format, (void)args;
    return 1;
}

static tmsize_t on_read(thandle_t reader_, void *bytes, tmsize_t count) {
    TiffReader *reader = reader_;
    const Decoding *d = reader->decoding;
    const uint64_t left = reader->at < d->size ? d->size - reader->at : 0;
    const uint64_t got = count > 0 && (uint64_t)count < left ? (uint64_t)count : count > 0 ? left : 0;
    memcpy(bytes, d->bytes + (got ? reader->at : 0), got);
    reader->at += got;
    return (tmsize_t)got;
}

static tmsize_t on_write(thandle_t reader, void *bytes, tmsize_t count) {
    (void)reader, (void)bytes, (void)count;
    return -1;
}

static toff_t on_seek(thandle_t reader_, toff_t offset, int from) {
    TiffReader *reader = reader_;
    const uint64_t base = from == SEEK_SET ? 0 : from == SEEK_CUR ? reader->at : reader->decoding->size;
    reader->at = wrap_add(base, offset); /* which may lie before it */
    return reader->at;
}

static toff_t on_size(thandle_t reader) {
    return ((TiffReader *)reader)->decoding->size;
}

static int on_close(thandle_t reader) {
    (void)reader;
    return 0;
}

/* --- reading --- */

static Status tiff_fail(TiffReader *reader, const char *otherwise) {
    return fail(reader->decoding->err, STRIDER_BAD_MODEL, "%s", reader->why[0] ? reader->why : otherwise);
}

/* Tiles may be larger than the picture, but not by any measure. */
static Bytes max_tile(const Decoding *d) {
    enum { SMALL = 32 << 20, BYTES_OF_PIXEL = 8 };
    return bytes_sum(bytes_of(BYTES_OF_PIXEL, d->limits->max_pixels), (Bytes){SMALL});
}

static Status open_file(TiffReader *reader) {
    TIFFOpenOptions *options = TIFFOpenOptionsAlloc();
    if (!options)
        return fail(reader->decoding->err, STRIDER_OUT_OF_MEMORY, "out of memory for its reader");
    TIFFOpenOptionsSetMaxSingleMemAlloc(options, (tmsize_t)max_tile(reader->decoding).n);
    TIFFOpenOptionsSetErrorHandlerExtR(options, on_error, reader);
    TIFFOpenOptionsSetWarningHandlerExtR(options, on_warning, reader);
    reader->tiff = TIFFClientOpenExt("", "rm", reader, on_read, on_write, on_seek, on_close, on_size, NULL,
                                     NULL, options);
    TIFFOpenOptionsFree(options);
    return reader->tiff ? STRIDER_OK : tiff_fail(reader, "it has no directory");
}

/* libtiff multiplies by an opacity that was not multiplied yet: it is told that it was. */
static void leave_colours(TIFF *tiff) {
    enum { MAX_EXTRA = 8 };
    uint16_t count = 0, *kinds = NULL, changed[MAX_EXTRA];
    if (!TIFFGetField(tiff, TIFFTAG_EXTRASAMPLES, &count, &kinds) || !count || count > MAX_EXTRA ||
        kinds[0] != EXTRASAMPLE_UNASSALPHA)
        return;
    memcpy(changed, kinds, count * sizeof *changed);
    changed[0] = EXTRASAMPLE_ASSOCALPHA;
    TIFFSetField(tiff, TIFFTAG_EXTRASAMPLES, count, changed);
}

static Status begin_rgba(TiffReader *reader) {
    Decoding *d = reader->decoding;
    char why[MESSAGE] = "";
    if (!TIFFRGBAImageOK(reader->tiff, why))
        return fail(d->err, STRIDER_UNSUPPORTED, "%s", why);
    leave_colours(reader->tiff);
    if (!TIFFRGBAImageBegin(&reader->rgba, reader->tiff, 1, why))
        return fail(d->err, STRIDER_BAD_MODEL, "%s", reader->why[0] ? reader->why : why);
    reader->has_rgba = true;
    const uint64_t part =
        TIFFIsTiled(reader->tiff) ? TIFFTileSize64(reader->tiff) : TIFFStripSize64(reader->tiff);
    if (part > max_tile(d).n)
        return fail(d->err, STRIDER_LIMIT_EXCEEDED, "a tile has %llu bytes", (unsigned long long)part);
    return decoding_reserve(d, (Bytes){(size_t)part});
}

/* --- orientation --- */

/* How the picture is walked through: from its first pixel by `across` to the next one, by `down` to the next
 * row. */
typedef struct Walk {
    int64_t first, across, down, width, height;
} Walk;

/* Whether its rows are the picture's columns. */
static bool is_turned(int orientation) {
    return orientation >= ORIENTATION_LEFTTOP && orientation <= ORIENTATION_LEFTBOT;
}

/* Of a size that decoding_begin() has accepted. */
static Walk walk_of(int orientation, int64_t width, int64_t height) {
    const bool from_right = orientation == ORIENTATION_TOPRIGHT || orientation == ORIENTATION_BOTRIGHT ||
                            orientation == ORIENTATION_RIGHTBOT || orientation == ORIENTATION_LEFTBOT;
    const bool from_bottom = orientation == ORIENTATION_BOTRIGHT || orientation == ORIENTATION_BOTLEFT ||
                             orientation == ORIENTATION_RIGHTTOP || orientation == ORIENTATION_RIGHTBOT;
    const int64_t column = from_right ? -1 : 1, row = from_bottom ? -width : width;
    const int64_t first = (from_right ? width - 1 : 0) + (from_bottom ? width * (height - 1) : 0);
    return is_turned(orientation) ? (Walk){first, row, column, height, width}
                                  : (Walk){first, column, row, width, height};
}

static void put_rows(Decoding *d, const uint32_t *raster, const Walk *walk, uint8_t *row) {
    for (int64_t y = 0; y < walk->height; y++) {
        for (int64_t x = 0; x < walk->width; x++) {
            const uint32_t pixel = raster[walk->first + y * walk->down + x * walk->across];
            row[3 * x] = (uint8_t)TIFFGetR(pixel);
            row[3 * x + 1] = (uint8_t)TIFFGetG(pixel);
            row[3 * x + 2] = (uint8_t)TIFFGetB(pixel);
        }
        decoding_row(d, y, row, 3);
    }
}

static Status read_picture(TiffReader *reader) {
    Decoding *d = reader->decoding;
    uint32_t width = 0, height = 0, *raster;
    uint16_t orientation = ORIENTATION_TOPLEFT;
    uint8_t *row;
    TRY(open_file(reader));
    TIFFGetField(reader->tiff, TIFFTAG_IMAGEWIDTH, &width);
    TIFFGetField(reader->tiff, TIFFTAG_IMAGELENGTH, &height);
    TIFFGetFieldDefaulted(reader->tiff, TIFFTAG_ORIENTATION, &orientation);
    TRY(is_turned(orientation) ? decoding_begin(d, height, width) : decoding_begin(d, width, height));
    const Walk walk = walk_of(orientation, width, height);
    TRY(begin_rgba(reader));
    TRY(decoding_alloc(d, bytes_of(sizeof *raster, width, height), &raster));
    TRY(decoding_alloc(d, bytes_of(3, walk.width), &row));
    reader->rgba.orientation = reader->rgba.req_orientation = ORIENTATION_TOPLEFT;
    if (!TIFFRGBAImageGet(&reader->rgba, raster, width, height) || reader->why[0])
        return tiff_fail(reader, "it cannot be decoded");
    put_rows(d, raster, &walk, row);
    return STRIDER_OK;
}

Status tiff_decode(Decoding *decoding) {
    TiffReader reader = {.decoding = decoding};
    const Status status = read_picture(&reader);
    if (reader.has_rgba)
        TIFFRGBAImageEnd(&reader.rgba);
    if (reader.tiff)
        TIFFClose(reader.tiff);
    return status;
}
