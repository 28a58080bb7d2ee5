/* SPDX-License-Identifier: Apache-2.0 */
#include "base/text.h"

#include <assert.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* Where text goes.  A piece that does not fit whole ends it, so that nothing is cut in the middle. */
typedef struct Sink {
    char *to;
    size_t size, written;
    size_t wanted; /* bytes, had there been room */
    bool is_full;
} Sink;

static void put(Sink *sink, const char *piece, size_t size) {
    sink->wanted += size;
    if (sink->is_full || size >= sink->size - sink->written) {
        sink->is_full = true;
        return;
    }
    memcpy(sink->to + sink->written, piece, size);
    sink->written += size;
}

static void put_spaces(Sink *sink, int count) {
    for (int i = 0; i < count; i++)
        put(sink, " ", 1);
}

/* By its first byte; 0 where no character begins so. */
static size_t bytes_of_character(unsigned char first) {
    return first < 0x80                     ? 1
           : first >= 0xc2 && first <= 0xdf ? 2
           : first >= 0xe0 && first <= 0xef ? 3
           : first >= 0xf0 && first <= 0xf4 ? 4
                                            : 0;
}

/* `length` without a last character of which only the beginning is there. */
static size_t whole_characters(const char *text, size_t length) {
    for (size_t back = 1; back <= 3 && back <= length; back++) {
        const unsigned char byte = (unsigned char)text[length - back];
        if ((byte & 0xc0) != 0x80)
            return bytes_of_character(byte) > back ? length - back : length;
    }
    return length;
}

/* The character that `left` bytes begin with, and its bytes; 0 bytes where they are not UTF-8 (RFC 3629: none
 * too long, no surrogates). */
static size_t decode(const char *text, size_t left, uint32_t *character) {
    static const uint32_t min_value[] = {0, 0, 0x80, 0x800, 0x10000};
    const unsigned char first = (unsigned char)text[0];
    const size_t size = bytes_of_character(first);
    if (!size || size > left)
        return 0;
    uint32_t value = size == 1 ? first : first & (0x7fu >> size);
    for (size_t i = 1; i < size; i++) {
        const unsigned char byte = (unsigned char)text[i];
        if ((byte & 0xc0) != 0x80)
            return 0;
        value = value << 6 | (byte & 0x3f);
    }
    if (value < min_value[size] || value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff))
        return 0;
    *character = value;
    return size;
}

/* Control characters (C0, DEL, C1), separators of lines, and what changes the direction of writing. */
static bool acts(uint32_t c) {
    return c < 0x20 || (c >= 0x7f && c <= 0x9f) || c == 0x2028 || c == 0x2029 ||
           (c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069) || c == 0x200e || c == 0x200f ||
           c == 0x061c;
}

enum { PIECE = 8 };

/* One character or escape into `piece`; returns the bytes that were read. */
static size_t next_piece(const char *text, size_t left, bool is_quoted, char piece[PIECE], size_t *size,
                         int *columns) {
    uint32_t character = 0;
    const size_t read = decode(text, left, &character);
    const unsigned char byte = (unsigned char)text[0];
    if (!read || (acts(character) && character < 0x80)) {
        *size = (size_t)snprintf(piece, PIECE, "\\x%02x", byte);
    } else if (acts(character)) {
        *size = (size_t)snprintf(piece, PIECE, "\\u%04x", (unsigned)(character & 0xffff));
    } else if (is_quoted && (byte == '"' || byte == '\\')) {
        *size = (size_t)snprintf(piece, PIECE, "\\%c", byte);
    } else {
        memcpy(piece, text, read);
        *size = read;
        *columns = 1;
        return read;
    }
    *columns = (int)*size;
    return read ? read : 1;
}

/* At most `max_columns` columns of `length` bytes; returns the columns.  `sink` may be NULL. */
static int put_escaped(Sink *sink, const char *text, size_t length, bool is_quoted, int max_columns) {
    int columns = 0;
    for (size_t at = 0; at < length;) {
        char piece[PIECE];
        size_t size;
        int wide;
        const size_t read = next_piece(text + at, length - at, is_quoted, piece, &size, &wide);
        if (wide > max_columns - columns)
            break;
        columns += wide;
        at += read;
        if (sink)
            put(sink, piece, size);
    }
    return columns;
}

/* --- printf --- */

/* The arguments after the format, in a struct so that their place can be passed on. */
typedef struct Args {
    va_list list;
} Args;

/* One conversion of a format. */
typedef struct Spec {
    char flags[8];
    int width;     /* 0: none; negative: to the left */
    int precision; /* negative: none */
    char length;   /* 0, 'l', 'L' for "ll" and "j", 'z', 't' */
    char conversion;
    bool is_quoted;
} Spec;

static int read_count(const char **at, Args *args) {
    int count = 0;
    if (**at == '*') {
        ++*at;
        return va_arg(args->list, int);
    }
    for (; **at >= '0' && **at <= '9'; ++*at)
        count = count < 100000 ? count * 10 + (**at - '0') : count;
    return count;
}

/* `at` is after the percent sign; returns what is after the conversion. */
static const char *read_spec(const char *at, Spec *spec, Args *args) {
    *spec = (Spec){.precision = -1};
    for (size_t n = 0; *at && strchr("-+ #0", *at); at++)
        if (n + 1 < sizeof spec->flags)
            spec->flags[n++] = *at;
    spec->width = read_count(&at, args);
    if (*at == '.') {
        at++;
        spec->precision = read_count(&at, args);
    }
    for (; *at && strchr("hlzjtL", *at); at++)
        spec->length = *at == 'j' || (*at == 'l' && spec->length == 'l') ? 'L' : *at == 'h' ? 0 : *at;
    spec->conversion = *at;
    return *at ? at + 1 : at;
}

static intmax_t signed_argument(const Spec *spec, Args *args) {
    switch (spec->length) {
    case 'l':
        return va_arg(args->list, long);
    case 'L':
        return va_arg(args->list, long long);
    case 'z':
    case 't':
        return va_arg(args->list, ptrdiff_t);
    default:
        return va_arg(args->list, int);
    }
}

static uintmax_t unsigned_argument(const Spec *spec, Args *args) {
    switch (spec->length) {
    case 'l':
        return va_arg(args->list, unsigned long);
    case 'L':
        return va_arg(args->list, unsigned long long);
    case 'z':
    case 't':
        return va_arg(args->list, size_t);
    default:
        return va_arg(args->list, unsigned);
    }
}

static void put_number(Sink *sink, const Spec *spec, Args *args) {
    enum { LONGEST = 512 }; /* %f of the largest double has 310 digits */
    char text[LONGEST], format[32], precision[12] = "";
    const bool is_integer = strchr("dioxXu", spec->conversion) != NULL;
    int length;
    if (spec->precision >= 0)
        snprintf(precision, sizeof precision, ".%d", spec->precision);
    snprintf(format, sizeof format, "%%%s*%s%s%c", spec->flags, precision, is_integer ? "j" : "",
             spec->conversion);
    const int width = spec->width < LONGEST ? spec->width : LONGEST;
    if (spec->conversion == 'd' || spec->conversion == 'i')
        length = snprintf(text, sizeof text, format, width, signed_argument(spec, args));
    else if (is_integer)
        length = snprintf(text, sizeof text, format, width, unsigned_argument(spec, args));
    else if (spec->conversion == 'p')
        length = snprintf(text, sizeof text, format, width, va_arg(args->list, void *));
    else
        length = snprintf(text, sizeof text, format, width, va_arg(args->list, double));
    put(sink, text, (size_t)(length < LONGEST ? length : LONGEST - 1));
}

static void put_string(Sink *sink, const Spec *spec, const char *text, size_t length) {
    const int max_columns = spec->precision >= 0 ? spec->precision : INT_MAX;
    const bool is_left = strchr(spec->flags, '-') || spec->width < 0;
    const int width = spec->width < 0 ? -spec->width : spec->width;
    const int columns = width ? put_escaped(NULL, text, length, spec->is_quoted, max_columns) : 0;
    if (!is_left)
        put_spaces(sink, width - columns);
    put_escaped(sink, text, length, spec->is_quoted, max_columns);
    if (is_left)
        put_spaces(sink, width - columns);
}

static void put_conversion(Sink *sink, const Spec *spec, Args *args) {
    if (spec->conversion == '%') {
        put(sink, "%", 1);
    } else if (spec->conversion == 's') {
        const char *text = va_arg(args->list, const char *);
        if (!text)
            text = "(null)";
        /* As printf() does, nothing is read after the precision: there may be no NUL. */
        const size_t max_bytes = spec->precision >= 0 ? (size_t)spec->precision : PTRDIFF_MAX;
        put_string(sink, spec, text, text_cut(text, max_bytes));
    } else if (spec->conversion == 'c') {
        const char character = (char)va_arg(args->list, int);
        put_string(sink, spec, &character, 1);
    } else {
        assert(spec->conversion && strchr("dioxXufFeEgGaAp", spec->conversion));
        put_number(sink, spec, args);
    }
}

int text_vformat(char *to, size_t size, const char *format, va_list list) {
    Sink sink = {.to = to, .size = size, .is_full = size == 0};
    Args args;
    va_copy(args.list, list);
    for (const char *at = format; *at;) {
        if (*at == '%') {
            const bool after_quote = at > format && at[-1] == '"';
            Spec spec;
            at = read_spec(at + 1, &spec, &args);
            spec.is_quoted = after_quote && *at == '"';
            put_conversion(&sink, &spec, &args);
            continue;
        }
        uint32_t character;
        const size_t length = decode(at, strnlen(at, 4), &character);
        put(&sink, at, length ? length : 1);
        at += length ? length : 1;
    }
    va_end(args.list);
    if (size)
        to[sink.written] = '\0';
    return sink.wanted > INT_MAX ? INT_MAX : (int)sink.wanted;
}

int text_format(char *to, size_t size, const char *format, ...) {
    va_list args;
    va_start(args, format);
    const int length = text_vformat(to, size, format, args);
    va_end(args);
    return length;
}

size_t text_cut(const char *text, size_t max_bytes) {
    const size_t length = strnlen(text, max_bytes);
    return length == max_bytes ? whole_characters(text, length) : length;
}

size_t text_escape(char *to, size_t size, const char *text) {
    Sink sink = {.to = to, .size = size, .is_full = size == 0};
    for (size_t at = 0, length = strlen(text); at < length;) {
        char piece[PIECE];
        size_t wide;
        int columns;
        at += next_piece(text + at, length - at, false, piece, &wide, &columns);
        put(&sink, piece, wide);
    }
    if (size)
        to[sink.written] = '\0';
    return sink.wanted;
}
