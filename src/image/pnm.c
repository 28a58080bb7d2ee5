/* SPDX-License-Identifier: Apache-2.0 */
/* PNM: P1 and P4 of bits (1 is black), P2 and P5 of grey, P3 and P6 of colours; as decimal numbers, or from
 * P4 on as bits, bytes or pairs of bytes, the high one first. */
#include <inttypes.h>

#include "image/decoding.h"

typedef struct Pnm {
    Decoding *decoding;
    size_t at; /* in the file */
    int kind;  /* 1..6 */
    int channels;
    uint32_t width, height, max;
} Pnm;

static bool is_space(uint8_t c) {
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Spaces, and comments to the ends of their lines. */
static void skip_spaces(Pnm *pnm) {
    const Decoding *d = pnm->decoding;
    bool in_comment = false;
    for (; pnm->at < d->size; pnm->at++) {
        const uint8_t c = d->bytes[pnm->at];
        in_comment = in_comment ? c != '\n' && c != '\r' : c == '#';
        if (!in_comment && !is_space(c))
            return;
    }
}

/* Up to `max_digits` of a number; one bit of P1 needs no space after it. */
static Status read_number(Pnm *pnm, int max_digits, uint32_t max, uint32_t *value) {
    const Decoding *d = pnm->decoding;
    uint64_t number = 0;
    int digits = 0;
    skip_spaces(pnm);
    for (; digits < max_digits && pnm->at < d->size && d->bytes[pnm->at] >= '0' && d->bytes[pnm->at] <= '9';
         digits++)
        number = number * 10 + d->bytes[pnm->at++] - '0';
    if (!digits)
        return pnm->at < d->size ? fail(d->err, STRIDER_BAD_MODEL, "there is no number at byte %zu", pnm->at)
                                 : decoding_ends_early(pnm->decoding);
    if (number > max)
        return fail(d->err, STRIDER_BAD_MODEL, "the number %" PRIu64 " before byte %zu is beyond %" PRIu32,
                    number, pnm->at, max);
    *value = (uint32_t)number;
    return STRIDER_OK;
}

enum { MAX_DIGITS = 18 };

static Status read_header(Pnm *pnm) {
    const Decoding *d = pnm->decoding;
    pnm->kind = d->bytes[1] - '0';
    pnm->channels = pnm->kind % 3 ? 1 : 3;
    pnm->at = 2;
    TRY(read_number(pnm, MAX_DIGITS, INT32_MAX, &pnm->width));
    TRY(read_number(pnm, MAX_DIGITS, INT32_MAX, &pnm->height));
    pnm->max = 1;
    if (pnm->kind % 3 != 1)
        TRY(read_number(pnm, MAX_DIGITS, UINT16_MAX, &pnm->max));
    if (!pnm->max)
        return fail(d->err, STRIDER_BAD_MODEL, "its largest value is 0");
    if (pnm->at == d->size)
        return decoding_ends_early(pnm->decoding);
    return is_space(d->bytes[pnm->at++])
               ? STRIDER_OK
               : fail(d->err, STRIDER_BAD_MODEL, "there is no space after its header");
}

/* --- rows of samples --- */

static Status read_numbers(Pnm *pnm, uint8_t *row, int64_t count) {
    for (int64_t i = 0; i < count; i++) {
        uint32_t value = 0;
        TRY(read_number(pnm, pnm->kind == 1 ? 1 : MAX_DIGITS, pnm->max, &value));
        row[i] = pnm->kind == 1 ? (uint8_t)(value ? 0 : 255) : sample_to_8_bits(value, pnm->max);
    }
    return STRIDER_OK;
}

static void read_bits(Pnm *pnm, uint8_t *row) {
    const uint8_t *bytes = pnm->decoding->bytes + pnm->at;
    for (uint32_t x = 0; x < pnm->width; x++)
        row[x] = bytes[x / 8] >> (7 - x % 8) & 1 ? 0 : 255;
}

static Status read_binary(Pnm *pnm, uint8_t *row, int64_t count) {
    const uint8_t *bytes = pnm->decoding->bytes + pnm->at;
    const bool wide = pnm->max > 255;
    if (pnm->max == 255) {
        memcpy(row, bytes, (size_t)count);
        return STRIDER_OK;
    }
    for (int64_t i = 0; i < count; i++) {
        const uint32_t value = wide ? bytes[2 * i] * 256u + bytes[2 * i + 1] : bytes[i];
        if (value > pnm->max)
            return fail(pnm->decoding->err, STRIDER_BAD_MODEL, "the sample %" PRIu32 " is beyond %" PRIu32,
                        value, pnm->max);
        row[i] = sample_to_8_bits(value, pnm->max);
    }
    return STRIDER_OK;
}

/* The bytes of a row; of decimal numbers the least that there can be. */
static int64_t row_size(const Pnm *pnm, int64_t count) {
    return pnm->kind == 4 ? (count + 7) / 8 : pnm->kind > 4 && pnm->max > 255 ? 2 * count : count;
}

Status pnm_decode(Decoding *decoding) {
    Pnm pnm = {.decoding = decoding};
    uint8_t *row;
    TRY(read_header(&pnm));
    const int64_t count = (int64_t)pnm.width * pnm.channels, size = row_size(&pnm, count);
    if (bytes_of(1, size, pnm.height).n > decoding->size - pnm.at)
        return decoding_ends_early(decoding);
    TRY(decoding_begin(decoding, pnm.width, pnm.height));
    TRY(decoding_alloc(decoding, bytes_of(1, count), &row));
    for (uint32_t y = 0; y < pnm.height; y++) {
        if (pnm.kind < 4) {
            TRY(read_numbers(&pnm, row, count));
        } else {
            if (pnm.kind == 4)
                read_bits(&pnm, row);
            else
                TRY(read_binary(&pnm, row, count));
            pnm.at += (size_t)size;
        }
        decoding_row(decoding, y, row, pnm.channels);
    }
    return STRIDER_OK;
}
