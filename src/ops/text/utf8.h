/* SPDX-License-Identifier: Apache-2.0 */
/* Code points of UTF-8. */
#ifndef OPS_TEXT_UTF8_H
#define OPS_TEXT_UTF8_H

#include <stddef.h>
#include <stdint.h>

/* What is no UTF-8, of which a byte is taken at a time. */
#define UTF8_INVALID UINT32_MAX

/* The code point at the beginning of `size` bytes, at least one; how many it takes through *used. */
static inline uint32_t utf8_decode(const char *text, size_t size, size_t *used) {
    const unsigned char *bytes = (const unsigned char *)text;
    const unsigned first = bytes[0];
    const size_t length = first < 0x80       ? 1
                          : first >> 5 == 6  ? 2
                          : first >> 4 == 14 ? 3
                          : first >> 3 == 30 ? 4
                                             : 0;
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    uint32_t code = length == 1 ? first : length ? first & (0x7fu >> length) : 0;
    *used = 1;
    if (!length || length > size)
        return UTF8_INVALID;
    for (size_t i = 1; i < length; i++) {
        if (bytes[i] >> 6 != 2)
            return UTF8_INVALID;
        code = code << 6 | (bytes[i] & 0x3f);
    }
    if (code < least[length] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000))
        return UTF8_INVALID;
    *used = length;
    return code;
}

/* The bytes of a code point; returns how many. */
static inline size_t utf8_encode(uint32_t code, char text[4]) {
    const size_t length = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    static const unsigned char marks[] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (size_t i = length - 1; i > 0; i--, code >>= 6)
        text[i] = (char)(0x80 | (code & 0x3f));
    text[0] = (char)(marks[length] | code);
    return length;
}

#endif
