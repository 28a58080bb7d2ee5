/* SPDX-License-Identifier: Apache-2.0 */
/* Texts of dimensions after windows, "floor((H - 1)/2) + 1".  Windows stand one after the other in a
 * network, so texts are merged as numbers would be: floor((floor(x/a) + b)/c) = floor((x + a*b)/(a*c)) for
 * whole x and positive a, c. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/size.h"
#include "ops/nn/window.h"

enum { TEXT_BYTES = 160 };

/* floor((base + add) / divide) + then */
typedef struct FloorText {
    char base[TEXT_BYTES];
    int64_t add, divide, then;
} FloorText;

/* A number without sign that ends at `end`, within limits that keep later sums small; -1 where there is none.
 */
static int64_t number_before(const char *text, const char *end, const char **start) {
    const char *first = end;
    while (first > text && first[-1] >= '0' && first[-1] <= '9')
        first--;
    *start = first;
    return first == end || end - first > 9 ? -1 : strtoll(first, NULL, 10);
}

/* Cuts " + 3" or " - 3" off the end and returns 3 or -3; else 0. */
static int64_t cut_term(char *text) {
    const char *start;
    int64_t number = number_before(text, text + strlen(text), &start);
    if (number < 0 || start - text < 4 || start[-1] != ' ' || start[-3] != ' ' ||
        (start[-2] != '+' && start[-2] != '-'))
        return 0;
    bool minus = start[-2] == '-';
    text[start - text - 3] = '\0';
    return minus ? -number : number;
}

/* Whether the parenthesis that opens at text[0] closes at text[length - 1]. */
static bool is_enclosed(const char *text, size_t length) {
    int depth = 0;
    for (size_t i = 0; i < length; i++) {
        depth += (text[i] == '(') - (text[i] == ')');
        if (depth == 0)
            return i == length - 1 && i > 0;
    }
    return false;
}

/* "floor(BASE/2)" to BASE and 2, without parentheses around BASE; returns 1 and changes nothing where the
 * text is of another form. */
static int64_t cut_floor(char *text) {
    size_t length = strlen(text);
    const char *start;
    if (length < 10 || strncmp(text, "floor(", 6) != 0 || !is_enclosed(text + 5, length - 5))
        return 1;
    int64_t divide = number_before(text, text + length - 1, &start);
    if (divide < 1 || start[-1] != '/')
        return 1;
    const char *base = text + 6;
    size_t base_length = (size_t)(start - 1 - base);
    bool sum = is_enclosed(base, base_length);
    if (!sum && strcspn(base, " +-%,") < base_length)
        return 1;
    memmove(text, base + sum, base_length - 2 * sum);
    text[base_length - 2 * sum] = '\0';
    return divide;
}

static FloorText floor_parse(const char *text) {
    FloorText parsed = {.divide = 1};
    snprintf(parsed.base, sizeof parsed.base, "%s", text);
    parsed.then = cut_term(parsed.base);
    parsed.divide = cut_floor(parsed.base);
    if (parsed.divide > 1)
        parsed.add = cut_term(parsed.base);
    return parsed;
}

static void append_term(char *text, size_t capacity, int64_t term) {
    size_t length = strlen(text);
    if (term)
        snprintf(text + length, capacity - length, " %c %lld", term < 0 ? '-' : '+', llabs((long long)term));
}

int64_t window_derived_dim(InferContext *ctx, int64_t dim, int64_t add, int64_t divide, int64_t then) {
    const char *text = symbol_text(ctx->symbols, dim);
    if (!text || strlen(text) >= TEXT_BYTES)
        return DIM_UNKNOWN;
    FloorText inner = floor_parse(text);
    int64_t shift;
    if (!i64_add(inner.then, add, &shift) || !i64_mul(shift, inner.divide, &shift) ||
        !i64_add(shift, inner.add, &shift) || !i64_mul(inner.divide, divide, &divide))
        return DIM_UNKNOWN;
    /* What the divisor divides goes after the division. */
    int64_t whole = shift / divide - (shift % divide < 0);
    shift -= whole * divide;
    if (!i64_add(then, whole, &then))
        return DIM_UNKNOWN;
    if (shift) { /* floor((H - 1)/2) + 1, as the formula has it, rather than floor((H + 1)/2) */
        shift -= divide;
        then++;
    }
    char result[2 * TEXT_BYTES];
    if (divide == 1) {
        snprintf(result, sizeof result, "%s", inner.base);
    } else {
        char base[TEXT_BYTES + 32];
        snprintf(base, sizeof base, "%s", inner.base);
        append_term(base, sizeof base, shift);
        snprintf(result, sizeof result, strchr(base, ' ') ? "floor((%s)/%lld)" : "floor(%s/%lld)", base,
                 (long long)divide);
    }
    append_term(result, sizeof result, then);
    return infer_derived_dim(ctx, dim, "%s", result);
}
