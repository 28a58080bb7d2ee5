/* SPDX-License-Identifier: Apache-2.0 */
#include "compare.h"

#include <math.h>
#include <string.h>

static bool is_float(strider_dtype dtype) {
    return dtype >= STRIDER_F32 && dtype <= STRIDER_BF16;
}

const char *tolerance_text(const Options *options, char text[DIMS_TEXT]) {
    double rtol = options->rtol >= 0 ? options->rtol : 1e-3;
    if (options->atol >= 0)
        snprintf(text, DIMS_TEXT, "|a - b| <= %g + %g |b|", options->atol, rtol);
    else
        snprintf(text, DIMS_TEXT, "|a - b| <= %g max|b| + %g |b|", options->peak >= 0 ? options->peak : 1e-5,
                 rtol);
    return text;
}

static double largest(const strider_tensor *tensor) {
    double peak = 0;
    for (int64_t i = 0; i < strider_tensor_elements(tensor); i++) {
        double value = fabs(strider_tensor_get(tensor, i));
        if (isfinite(value))
            peak = fmax(peak, value);
    }
    return peak;
}

static bool same_type(const strider_tensor *got, const strider_tensor *expected, Comparison *result) {
    char a[DIMS_TEXT], b[DIMS_TEXT];
    bool same = got->rank == expected->rank;
    for (int i = 0; same && i < got->rank; i++)
        same = got->dims[i] == expected->dims[i];
    if (got->dtype != expected->dtype)
        snprintf(result->why, sizeof result->why, "is %s, expected %s", strider_dtype_name(got->dtype),
                 strider_dtype_name(expected->dtype));
    else if (!same)
        snprintf(result->why, sizeof result->why, "has shape %.80s, expected %.80s",
                 dims_text(got->rank, got->dims, a), dims_text(expected->rank, expected->dims, b));
    return !result->why[0];
}

/* bf16 has 8 bits: two steps of it are more than the usual tolerance.  The ONNX suite's rule. */
static double relative_tolerance(strider_dtype dtype, const Options *options) {
    const double rtol = options->rtol >= 0 ? options->rtol : 1e-3;
    return dtype == STRIDER_BF16 && rtol > 0 ? fmax(rtol, 0x1p-6) : rtol;
}

static int shown_bytes(const strider_string *string) {
    return string->size < 60 ? (int)string->size : 60;
}

/* The first one that differs is told. */
static void compare_strings(const strider_tensor *got, const strider_tensor *expected, Comparison *result) {
    const strider_string *a = got->data, *b = expected->data;
    for (int64_t i = 0; i < strider_tensor_elements(got); i++) {
        if (a[i].size == b[i].size && (!a[i].size || memcmp(a[i].data, b[i].data, a[i].size) == 0))
            continue;
        if (!result->n_different++)
            snprintf(result->why, sizeof result->why, "has \"%.*s\" at %lld, expected \"%.*s\"",
                     shown_bytes(&a[i]), a[i].data ? a[i].data : "", (long long)i, shown_bytes(&b[i]),
                     b[i].data ? b[i].data : "");
    }
    result->pass = result->n_different == 0;
}

Comparison compare_tensors(const strider_tensor *got, const strider_tensor *expected,
                           const Options *options) {
    Comparison result = {.worst = -1};
    if (!same_type(got, expected, &result))
        return result;
    if (got->dtype == STRIDER_STRING) {
        compare_strings(got, expected, &result);
        return result;
    }
    double peak = largest(expected), rtol = 0, atol = 0, worst_excess = -INFINITY;
    if (is_float(got->dtype) || options->rtol >= 0 || options->atol >= 0) {
        rtol = relative_tolerance(got->dtype, options);
        atol = options->atol >= 0 ? options->atol : (options->peak >= 0 ? options->peak : 1e-5) * peak;
    }
    for (int64_t i = 0; i < strider_tensor_elements(got); i++) {
        double a = strider_tensor_get(got, i), b = strider_tensor_get(expected, i);
        if (a == b || (isnan(a) && isnan(b)))
            continue;
        double difference = fabs(a - b), excess = difference - (atol + rtol * fabs(b));
        if (isnan(difference) || isinf(difference) || isinf(b))
            difference = excess = INFINITY;
        result.max_abs = fmax(result.max_abs, difference);
        result.n_different += excess > 0;
        if (excess > worst_excess) {
            worst_excess = excess;
            result.worst = i;
            result.got = a;
            result.expected = b;
        }
    }
    result.max_of_peak = peak > 0 ? result.max_abs / peak : result.max_abs > 0 ? INFINITY : 0;
    result.pass = result.n_different == 0;
    return result;
}
