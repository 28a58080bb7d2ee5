/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/text/number_text.h"

#include <inttypes.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "tensor/narrow.h"

/* --- the locale --- */

NumberLocale number_locale_enter(void) {
    const locale_t own = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    return (NumberLocale){own, own ? uselocale(own) : (locale_t)0};
}

void number_locale_leave(NumberLocale locale) {
    if (!locale.own)
        return;
    uselocale((locale_t)locale.before);
    freelocale((locale_t)locale.own);
}

/* --- writing --- */

/* Whether the text gives back the number in its own type. */
static bool gives_back(const Tensor *x, int64_t index, const char *text) {
    uint64_t bits = 0;
    Tensor one = {.type = {x->type.dtype, shape_scalar()}, .data = &bits};
    tensor_set_f64(&one, 0, strtod(text, NULL));
    return tensor_get_f64(&one, 0) == tensor_get_f64(x, index);
}

/* The digits of d.ddde+XX where they stand in a number that needs no exponent. */
static size_t write_plain(const char *digits, int count, int exponent, char *to) {
    size_t used = 0;
    if (exponent < 0) {
        to[used++] = '0';
        to[used++] = '.';
        for (int i = -1; i > exponent; i--)
            to[used++] = '0';
    }
    for (int i = 0; i < count || i <= exponent; i++) {
        to[used++] = i < count ? digits[i] : '0';
        if (i == exponent)
            to[used++] = '.';
    }
    if (to[used - 1] == '.')
        to[used++] = '0';
    to[used] = '\0';
    return used;
}

static size_t write_float(const Tensor *x, int64_t index, char text[NUMBER_TEXT]) {
    enum { MAX_DIGITS = 17 };
    const double value = tensor_get_f64(x, index);
    char scientific[NUMBER_TEXT], digits[MAX_DIGITS + 1];
    if (!isfinite(value))
        return (size_t)snprintf(text, NUMBER_TEXT, "%s", isnan(value) ? "NaN" : value > 0 ? "INF" : "-INF");
    int count = 1;
    do
        snprintf(scientific, sizeof scientific, "%.*e", count - 1, value);
    while (!gives_back(x, index, scientific) && count++ < MAX_DIGITS);
    const char *mark = strchr(scientific, 'e');
    const int exponent = atoi(mark + 1);
    if (exponent < -4 || exponent >= 16)
        return (size_t)snprintf(text, NUMBER_TEXT, "%s", scientific);
    int n = 0;
    for (const char *c = scientific; c < mark && n < MAX_DIGITS; c++)
        if (*c >= '0' && *c <= '9')
            digits[n++] = *c;
    const size_t sign = signbit(value) ? 1 : 0;
    text[0] = '-';
    return sign + write_plain(digits, n, exponent, text + sign);
}

size_t number_to_text(const Tensor *x, int64_t index, char text[NUMBER_TEXT]) {
    const DType dtype = x->type.dtype;
    if (dtype == STRIDER_BOOL)
        return (size_t)snprintf(text, NUMBER_TEXT, "%s", tensor_get_bits(x, index) ? "True" : "False");
    if (dtype_is_float(dtype) || dtype_is_narrow_float(dtype))
        return write_float(x, index, text);
    if (dtype_is_signed(dtype))
        return (size_t)snprintf(text, NUMBER_TEXT, "%" PRId64, tensor_get_i64(x, index));
    return (size_t)snprintf(text, NUMBER_TEXT, "%" PRIu64, tensor_get_bits(x, index));
}

/* --- reading --- */

static bool is_whole(const char *text) {
    text += *text == '-' || *text == '+';
    return *text && text[strspn(text, "0123456789")] == '\0';
}

/* strtod() knows hexadecimal numbers, too. */
static bool is_decimal(const char *text) {
    const char *word = text + (*text == '-' || *text == '+');
    if (strcasecmp(word, "inf") == 0 || strcasecmp(word, "infinity") == 0 || strcasecmp(word, "nan") == 0)
        return true;
    return (*word == '.' || (*word >= '0' && *word <= '9')) && text[strspn(text, "+-.0123456789eE")] == '\0';
}

static void store_whole(const char *text, Tensor *y, int64_t index) {
    const DType dtype = y->type.dtype;
    if (dtype == STRIDER_U64)
        ((uint64_t *)y->data)[index] = *text == '-' ? 0 : strtoull(text, NULL, 10);
    else
        tensor_set_i64(y, index, strtoll(text, NULL, 10));
}

bool number_from_text(String string, Tensor *y, int64_t index) {
    char text[512]; /* no number that anybody writes is longer */
    if (string.size == 0 || string.size >= sizeof text || memchr(string.data, 0, string.size))
        return false;
    memcpy(text, string.data, string.size);
    text[string.size] = '\0';
    const DType dtype = y->type.dtype;
    const bool is_true = strcasecmp(text, "true") == 0;
    if (dtype == STRIDER_BOOL && (is_true || strcasecmp(text, "false") == 0)) {
        tensor_set_i64(y, index, is_true);
        return true;
    }
    if ((dtype_is_integer(dtype) || dtype_is_small_integer(dtype)) && is_whole(text)) {
        store_whole(text, y, index);
        return true;
    }
    char *end = text;
    const double value = is_decimal(text) ? strtod(text, &end) : 0;
    if (end == text || *end)
        return false;
    tensor_set_f64(y, index, dtype == STRIDER_F32 ? (double)strtof(text, NULL) : value);
    return true;
}
