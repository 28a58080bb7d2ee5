/* SPDX-License-Identifier: Apache-2.0 */
/* BMP: the headers of OS/2 and of Windows in all sizes; 1, 2, 4 and 8 bits with a palette, also by run
 * lengths; 16, 24 and 32 bits, also with masks.  All numbers are little endian, rows end at multiples of 4
 * bytes. */
#include <inttypes.h>

#include "image/decoding.h"

enum { FILE_HEADER = 14, OLD_HEADER = 12, WINDOWS_HEADER = 40, OS2_HEADER = 64 };
enum { BY_RGB, BY_RLE8, BY_RLE4, BY_MASKS, BY_MASKS_AND_ALPHA = 6 };

typedef struct Bmp {
    Decoding *decoding;
    int64_t width, height;
    bool top_down;
    uint32_t bits, compression, header;
    uint32_t masks[3];       /* red, green, blue, of pixels of 16 and 32 bits */
    size_t pixels_at;        /* in the file */
    uint8_t palette[256][3]; /* red, green, blue; black beyond the file's */
} Bmp;

/* Zeros beyond the end: sizes are checked where they matter. */
static uint32_t number_at(const Decoding *d, size_t at, size_t size) {
    uint32_t value = 0;
    for (size_t i = 0; i < size && at < d->size && i < d->size - at; i++)
        value |= (uint32_t)d->bytes[at + i] << (8 * i);
    return value;
}

static void put_row(const Bmp *bmp, int64_t y, const uint8_t *rgb) {
    decoding_row(bmp->decoding, bmp->top_down ? y : bmp->height - 1 - y, rgb, 3);
}

/* --- headers --- */

static void read_old_header(Bmp *bmp) {
    bmp->width = number_at(bmp->decoding, 18, 2);
    bmp->height = number_at(bmp->decoding, 20, 2);
    bmp->bits = number_at(bmp->decoding, 24, 2);
}

static void read_header(Bmp *bmp) {
    bmp->width = (int32_t)number_at(bmp->decoding, 18, 4);
    bmp->height = (int32_t)number_at(bmp->decoding, 22, 4);
    bmp->bits = number_at(bmp->decoding, 28, 2);
    if (bmp->header >= WINDOWS_HEADER)
        bmp->compression = number_at(bmp->decoding, 30, 4);
    bmp->top_down = bmp->height < 0;
    if (bmp->top_down)
        bmp->height = -bmp->height;
}

/* Masks lie after a header of 40 bytes, or there in a longer one: at the same place. */
static void read_masks(Bmp *bmp) {
    static const uint32_t of_16_bits[] = {0x7c00, 0x3e0, 0x1f}, of_32_bits[] = {0xff0000, 0xff00, 0xff};
    const bool given = bmp->compression == BY_MASKS || bmp->compression == BY_MASKS_AND_ALPHA;
    for (size_t i = 0; i < 3; i++)
        bmp->masks[i] = given             ? number_at(bmp->decoding, FILE_HEADER + WINDOWS_HEADER + 4 * i, 4)
                        : bmp->bits == 16 ? of_16_bits[i]
                                          : of_32_bits[i];
}

static uint32_t lowest_bit(uint32_t mask) {
    return mask ? 1u << __builtin_ctz(mask) : 0;
}

static Status check_masks(const Bmp *bmp) {
    for (int i = 0; i < 3; i++) {
        const uint32_t mask = bmp->masks[i];
        if (!mask || (mask + (uint64_t)lowest_bit(mask)) & mask)
            return fail(bmp->decoding->err, STRIDER_BAD_MODEL, "mask 0x%" PRIx32 " is not one run of bits",
                        mask);
    }
    return STRIDER_OK;
}

static bool is_supported(const Bmp *bmp) {
    switch (bmp->compression) {
    case BY_RGB:
        return bmp->bits == 1 || bmp->bits == 2 || bmp->bits == 4 || bmp->bits == 8 || bmp->bits == 16 ||
               bmp->bits == 24 || bmp->bits == 32;
    case BY_RLE8:
        return bmp->bits == 8;
    case BY_RLE4:
        return bmp->bits == 4;
    case BY_MASKS:
    case BY_MASKS_AND_ALPHA:
        return bmp->header != OS2_HEADER && (bmp->bits == 16 || bmp->bits == 32);
    default:
        return false;
    }
}

/* Blue, green, red, and a byte more since Windows 3. */
static void read_palette(Bmp *bmp) {
    const size_t entry = bmp->header == OLD_HEADER ? 3 : 4;
    const size_t masks = bmp->header != WINDOWS_HEADER            ? 0
                         : bmp->compression == BY_MASKS           ? 12
                         : bmp->compression == BY_MASKS_AND_ALPHA ? 16
                                                                  : 0;
    const size_t at = FILE_HEADER + bmp->header + masks;
    const uint32_t used = bmp->header >= WINDOWS_HEADER ? number_at(bmp->decoding, 46, 4) : 0;
    const size_t all = (size_t)1 << bmp->bits, count = used && used < all ? used : all;
    for (size_t i = 0; i < count && at + entry * (i + 1) <= bmp->pixels_at; i++)
        for (size_t channel = 0; channel < 3; channel++)
            bmp->palette[i][channel] = (uint8_t)number_at(bmp->decoding, at + entry * i + 2 - channel, 1);
}

static Status read_headers(Bmp *bmp) {
    Decoding *d = bmp->decoding;
    bmp->pixels_at = number_at(d, 10, 4);
    bmp->header = number_at(d, FILE_HEADER, 4);
    if (bmp->header != OLD_HEADER && (bmp->header < 16 || bmp->header > 124))
        return fail(d->err, STRIDER_UNSUPPORTED, "its header has %" PRIu32 " bytes", bmp->header);
    if (d->size < FILE_HEADER + bmp->header || bmp->pixels_at > d->size)
        return decoding_ends_early(d);
    if (bmp->header == OLD_HEADER)
        read_old_header(bmp);
    else
        read_header(bmp);
    if (!is_supported(bmp))
        return fail(d->err, STRIDER_UNSUPPORTED, "%" PRIu32 " bits a pixel with compression %" PRIu32,
                    bmp->bits, bmp->compression);
    if (bmp->bits <= 8)
        read_palette(bmp);
    read_masks(bmp);
    return check_masks(bmp);
}

/* --- pixels as they are --- */

static void pixels_of_palette(const Bmp *bmp, const uint8_t *row, uint8_t *rgb) {
    const uint32_t bits = bmp->bits, mask = (1u << bits) - 1;
    for (int64_t x = 0; x < bmp->width; x++) {
        const uint64_t bit = (uint64_t)x * bits;
        const uint8_t *colour = bmp->palette[row[bit / 8] >> (8 - bits - bit % 8) & mask];
        for (int channel = 0; channel < 3; channel++)
            rgb[3 * x + channel] = colour[channel];
    }
}

static void pixels_of_bytes(const Bmp *bmp, const uint8_t *row, uint8_t *rgb) {
    for (int64_t x = 0; x < bmp->width; x++)
        for (int channel = 0; channel < 3; channel++)
            rgb[3 * x + channel] = row[3 * x + 2 - channel];
}

static void pixels_of_masks(const Bmp *bmp, const uint8_t *row, uint8_t *rgb) {
    const uint32_t size = bmp->bits / 8;
    for (int64_t x = 0; x < bmp->width; x++, row += size) {
        uint32_t pixel = 0;
        for (uint32_t i = 0; i < size; i++)
            pixel |= (uint32_t)row[i] << (8 * i);
        for (int channel = 0; channel < 3; channel++) {
            const uint32_t mask = bmp->masks[channel], low = lowest_bit(mask);
            rgb[3 * x + channel] = sample_to_8_bits((pixel & mask) / low, mask / low);
        }
    }
}

static int64_t row_stride(const Bmp *bmp) {
    return ceil_div(bmp->width * bmp->bits, 32) * 4;
}

/* Padding after the last row may lack. */
static Status check_rows(const Bmp *bmp) {
    const size_t left = bmp->decoding->size - bmp->pixels_at;
    const Bytes rows = bytes_sum(bytes_of(1, row_stride(bmp), bmp->height - 1),
                                 bytes_of(1, ceil_div(bmp->width * bmp->bits, 8)));
    return rows.n > left ? decoding_ends_early(bmp->decoding) : STRIDER_OK;
}

static Status decode_rows(const Bmp *bmp, uint8_t *rgb) {
    const uint8_t *row = bmp->decoding->bytes + bmp->pixels_at;
    for (int64_t y = 0; y < bmp->height; y++) {
        if (bmp->bits <= 8)
            pixels_of_palette(bmp, row, rgb);
        else if (bmp->bits == 24)
            pixels_of_bytes(bmp, row, rgb);
        else
            pixels_of_masks(bmp, row, rgb);
        put_row(bmp, y, rgb);
        if (y + 1 < bmp->height)
            row += row_stride(bmp);
    }
    return STRIDER_OK;
}

/* --- run lengths: pairs of a count and what is repeated; a count of 0 is an escape --- */

enum { END_OF_ROW, END_OF_PICTURE, MOVE };

typedef struct Runs {
    const Bmp *bmp;
    uint8_t *rgb; /* the row that is filled */
    int64_t x, y;
    size_t at; /* in the file */
} Runs;

/* Pixels that nothing sets have the first colour. */
static void clear_row(const Runs *runs) {
    for (int64_t i = 0; i < 3 * runs->bmp->width; i++)
        runs->rgb[i] = runs->bmp->palette[0][i % 3];
}

static void next_row(Runs *runs) {
    if (runs->y < runs->bmp->height)
        put_row(runs->bmp, runs->y++, runs->rgb);
    clear_row(runs);
}

/* What goes beyond the row is left out. */
static void put_index(Runs *runs, unsigned index) {
    if (runs->x < runs->bmp->width)
        for (int channel = 0; channel < 3; channel++)
            runs->rgb[3 * runs->x + channel] = runs->bmp->palette[index][channel];
    runs->x++;
}

/* Index `i` of those that lie in bytes, the first in the high bits. */
static unsigned index_of(const Runs *runs, const uint8_t *bytes, unsigned i) {
    if (runs->bmp->compression == BY_RLE8)
        return bytes[i];
    return i % 2 ? bytes[i / 2] & 15u : bytes[i / 2] >> 4u;
}

static void put_run(Runs *runs, unsigned count, uint8_t what) {
    const uint8_t twice[2] = {what, what};
    for (unsigned i = 0; i < count; i++)
        put_index(runs, index_of(runs, twice, i % 2));
}

static Status put_literals(Runs *runs, unsigned count) {
    const Decoding *d = runs->bmp->decoding;
    const size_t size = runs->bmp->compression == BY_RLE8 ? count : (count + 1) / 2;
    if (d->size - runs->at < size)
        return decoding_ends_early(runs->bmp->decoding);
    for (unsigned i = 0; i < count; i++)
        put_index(runs, index_of(runs, d->bytes + runs->at, i));
    const size_t padded = size + size % 2, left = d->size - runs->at;
    runs->at += padded < left ? padded : left;
    return STRIDER_OK;
}

static Status move_on(Runs *runs) {
    const Decoding *d = runs->bmp->decoding;
    if (d->size - runs->at < 2)
        return decoding_ends_early(runs->bmp->decoding);
    runs->x += d->bytes[runs->at];
    for (unsigned rows = d->bytes[runs->at + 1]; rows; rows--)
        next_row(runs);
    runs->at += 2;
    return STRIDER_OK;
}

static Status escape(Runs *runs, unsigned what) {
    switch (what) {
    case END_OF_ROW:
        next_row(runs);
        runs->x = 0;
        return STRIDER_OK;
    case END_OF_PICTURE:
        while (runs->y < runs->bmp->height)
            next_row(runs);
        return STRIDER_OK;
    case MOVE:
        return move_on(runs);
    default:
        return put_literals(runs, what);
    }
}

static Status decode_runs(const Bmp *bmp, uint8_t *rgb) {
    Decoding *d = bmp->decoding;
    Runs runs = {.bmp = bmp, .rgb = rgb, .at = bmp->pixels_at};
    clear_row(&runs);
    while (runs.y < bmp->height) {
        if (d->size - runs.at < 2)
            return decoding_ends_early(d);
        const uint8_t count = d->bytes[runs.at], what = d->bytes[runs.at + 1];
        runs.at += 2;
        if (count)
            put_run(&runs, count, what);
        else
            TRY(escape(&runs, what));
    }
    return STRIDER_OK;
}

Status bmp_decode(Decoding *decoding) {
    Bmp bmp = {.decoding = decoding};
    uint8_t *rgb;
    TRY(read_headers(&bmp));
    const bool has_runs = bmp.compression == BY_RLE8 || bmp.compression == BY_RLE4;
    if (!has_runs && bmp.width > 0 && bmp.height > 0)
        TRY(check_rows(&bmp));
    TRY(decoding_begin(decoding, bmp.width, bmp.height));
    TRY(decoding_alloc(decoding, bytes_of(3, bmp.width), &rgb));
    return has_runs ? decode_runs(&bmp, rgb) : decode_rows(&bmp, rgb);
}
