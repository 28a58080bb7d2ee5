/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/nn/window.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static const char *derive(InferContext *ctx, const char *from, int64_t add, int64_t divide, int64_t then) {
    int64_t dim = window_derived_dim(ctx, symbol_dim(ctx->symbols, from), add, divide, then);
    const char *text = symbol_text(ctx->symbols, dim);
    return text ? text : "?";
}

static void symbolic_sizes_are_short_texts(void **state) {
    (void)state;
    Region region;
    region_init(&region, allocator_default(), 0);
    SymbolTable symbols = {.region = &region};
    InferContext ctx = {.symbols = &symbols};
    const struct {
        const char *from;
        int64_t add, divide, then;
        const char *expected;
    } cases[] = {
        {"H", -1, 1, 1, "H"},                                              /* kernel 3, pads 1 */
        {"H", -3, 1, 1, "H - 2"},                                          /* kernel 3 */
        {"H - 2", 1, 1, 1, "H"},                                           /* kernel 1, pads 1 */
        {"H", -1, 2, 1, "floor((H - 1)/2) + 1"},                           /* kernel 3, stride 2, pads 1 */
        {"floor((H - 1)/2) + 1", -1, 1, 1, "floor((H - 1)/2) + 1"},        /* unchanged */
        {"floor((H - 1)/2) + 1", -1, 2, 1, "floor((H - 1)/4) + 1"},        /* merged */
        {"H", -2, 2, 1, "floor(H/2)"},                                     /* kernel 2, stride 2 */
        {"floor(H/2)", -2, 2, 1, "floor(H/4)"},                            /* twice */
        {"floor(H/2)", -1, 2, 1, "floor((H - 2)/4) + 1"},                  /* then kernel 3 with pads */
        {"H", -7, 4, 1, "floor((H - 3)/4)"},                               /* kernel 11, stride 4, pads 2 */
        {"H + W", -1, 2, 1, "floor((H + W - 1)/2) + 1"},                   /* a sum */
        {"floor(h/2 - 1/2)", -3, 2, 1, "floor((floor(h/2 - 1/2) - 1)/2)"}, /* another's text stays whole */
        {"floor(h-1/2)", -1, 2, 1, "floor((floor(h-1/2) - 1)/2) + 1"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_string_equal(derive(&ctx, cases[i].from, cases[i].add, cases[i].divide, cases[i].then),
                            cases[i].expected);
    assert_string_equal(derive(&ctx, "H", INT64_MAX, 1, 1), "?");
    assert_int_equal(window_derived_dim(&ctx, DIM_UNKNOWN, 1, 2, 1), DIM_UNKNOWN);
    region_free(&region);
}

/* What kernels set up is as large as these numbers. */
static void numbers_without_effect_are_small(void **state) {
    (void)state;
    WindowAttrs attrs = {.strides = {1 << 29}, .dilations = {1 << 30}, .pads = {1, 2}};
    WindowDim one = window_resolve(&attrs, 1, 0, 8, 1);
    assert_int_equal(one.out, 1);
    assert_int_equal(one.stride, 11); /* one less would make two outputs */
    assert_int_equal(one.dilation, 1);
    attrs.strides[0] = 5;
    attrs.dilations[0] = 2;
    WindowDim two = window_resolve(&attrs, 1, 0, 8, 2);
    assert_int_equal(two.out, 2);
    assert_int_equal(two.stride, 5);
    assert_int_equal(two.dilation, 2);
}

static void messages_state_the_models_own_numbers(void **state) {
    (void)state;
    const WindowAttrs attrs = {.strides = {1 << 29}, .dilations = {1 << 30}};
    const Shape x = {.rank = 3, .dims = {1, 1, 8}};
    char text[EXPLANATION_TEXT];
    assert_string_equal(window_formula(&attrs, &x, (const int64_t[]){1}, text),
                        "L: floor((8 + 0 + 0 - 1073741824*(1 - 1) - 1) / 536870912) + 1 = 1");
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(symbolic_sizes_are_short_texts),
                                       cmocka_unit_test(numbers_without_effect_are_small),
                                       cmocka_unit_test(messages_state_the_models_own_numbers)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
