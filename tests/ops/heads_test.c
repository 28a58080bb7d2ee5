/* SPDX-License-Identifier: Apache-2.0 */
/* Attention and what stands around it, on tensors that devices other than the CPU divide into chunks; see
 * team_test.c. */
#include "ops/nn/attention.h"
#include "support/op_test.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "support/device_case.h"

/* --- attention --- */

typedef struct AttentionCase {
    int64_t batch, q_heads, kv_heads, rows, keys, size, v_size, past;
} AttentionCase;

static const AttentionCase attention_cases[] = {
    {1, 2, 2, 50, 50, 64, 64, 0},  /* tiles and chunks that are not full */
    {2, 4, 2, 33, 97, 20, 33, 0},  /* groups; columns that no warp fills */
    {1, 3, 1, 1, 70, 130, 150, 9}, /* one row; slices of a head, two parts of its columns */
    {2, 1, 1, 64, 32, 8, 128, 31}, {1, 1, 1, 5, 3, 1, 1, 0},
};
enum { N_ATTENTION_CASES = sizeof attention_cases / sizeof *attention_cases };

static OpTest attention(const AttentionCase *c, int opset) {
    OpTest test = {.op = "Attention",
                   .opset = opset,
                   .n_inputs = 3,
                   .inputs = {device_case_fill(0, DIMS(c->batch, c->q_heads, c->rows, c->size)),
                              device_case_fill(1, DIMS(c->batch, c->kv_heads, c->keys, c->size)),
                              device_case_fill(2, DIMS(c->batch, c->kv_heads, c->keys, c->v_size))}};
    if (c->past) {
        test.n_inputs = 6;
        test.n_outputs = 3;
        test.inputs[ATTENTION_PAST_KEY] = device_case_fill(4, DIMS(c->batch, c->kv_heads, c->past, c->size));
        test.inputs[ATTENTION_PAST_VALUE] =
            device_case_fill(5, DIMS(c->batch, c->kv_heads, c->past, c->v_size));
    }
    return test;
}

static void set_mask(OpTest *test, Tensor mask) {
    test->inputs[ATTENTION_MASK] = mask;
    test->n_inputs = test->n_inputs > 4 ? test->n_inputs : 4;
}

static void attention_has_heads_and_pasts(void **state) {
    (void)state;
    for (int i = 0; i < N_ATTENTION_CASES; i++) {
        OpTest plain = attention(&attention_cases[i], 23);
        device_case_must_run_twice(&plain);
        OpTest causal = attention(&attention_cases[i], 23);
        causal.attrs[0] = attr_int("is_causal", 1);
        causal.attrs[1] = attr_float("softcap", 0.5f);
        causal.attrs[2] = attr_float("scale", 2);
        device_case_must_run_twice(&causal);
    }
}

static void attention_masks_broadcast(void **state) {
    (void)state;
    for (int i = 0; i < N_ATTENTION_CASES; i++) {
        const AttentionCase *c = &attention_cases[i];
        const int64_t keys = c->past + c->keys;
        const Shape shapes[] = {DIMS(keys), DIMS(c->rows, keys), DIMS(c->q_heads, 1, keys),
                                DIMS(c->batch, 1, c->rows, keys), DIMS(1, 1, c->rows, 1)};
        for (size_t k = 0; k < sizeof shapes / sizeof *shapes; k++) {
            OpTest sums = attention(c, 23), chosen = attention(c, 23);
            set_mask(&sums, device_case_fill(3, shapes[k]));
            ((float *)sums.inputs[ATTENTION_MASK].data)[0] = -INFINITY;
            set_mask(&chosen, device_case_bools(shapes[k]));
            device_case_must_run_twice(&sums);
            device_case_must_run_twice(&chosen);
        }
    }
}

static void attention_windows_and_lengths(void **state) {
    (void)state;
    static const int64_t windows[][2] = {{5, -1}, {-1, 3}, {0, 0}, {40, 20}};
    for (int i = 0; i < N_ATTENTION_CASES; i++)
        for (int k = 0; k < 4; k++) {
            const AttentionCase *c = &attention_cases[i];
            OpTest test = attention(c, 25);
            test.attrs[0] = attr_int("left_window_size", windows[k][0]);
            test.attrs[1] = attr_int("right_window_size", windows[k][1]);
            if (!c->past) {
                int64_t lengths[] = {c->keys - k, k - 1};
                const Shape shape = DIMS(c->batch);
                test.inputs[ATTENTION_LENGTHS] = tensor_view(STRIDER_I64, &shape, lengths);
                test.n_inputs = 7;
                device_case_must_run_twice(&test);
                continue;
            }
            device_case_must_run_twice(&test);
        }
}

/* What is not seen may be anything. */
static void attention_does_not_look_at_what_it_does_not_see(void **state) {
    (void)state;
    const AttentionCase *c = &attention_cases[0];
    OpTest test = attention(c, 23);
    set_mask(&test, device_case_bools(DIMS(c->keys)));
    for (int64_t i = 0; i < c->size; i++) {
        ((float *)test.inputs[ATTENTION_K].data)[3 * c->size + i] = NAN;
        ((float *)test.inputs[ATTENTION_V].data)[3 * c->size + i] = INFINITY;
    }
    device_case_must_run_twice(&test);
}

static void attention_packs_heads_into_columns(void **state) {
    (void)state;
    OpTest test = {.op = "Attention",
                   .opset = 23,
                   .attrs = {attr_int("q_num_heads", 6), attr_int("kv_num_heads", 2)},
                   .n_inputs = 3,
                   .inputs = {device_case_fill(0, DIMS(2, 40, 6 * 24)),
                              device_case_fill(1, DIMS(2, 45, 2 * 24)),
                              device_case_fill(2, DIMS(2, 45, 2 * 40))}};
    device_case_must_run_twice(&test);
}

static void rotary_embeddings_turn_pairs(void **state) {
    (void)state;
    for (int variant = 0; variant < 16; variant++) {
        const bool packed = variant & 1, has_positions = variant >> 1 & 1, partial = variant >> 2 & 1;
        const int64_t half = partial ? 6 : 10;
        OpTest test = {.op = "RotaryEmbedding",
                       .opset = 23,
                       .attrs = {attr_int("num_heads", 3), attr_int("interleaved", variant >> 3),
                                 attr_int("rotary_embedding_dim", partial ? 2 * half : 0)},
                       .n_inputs = has_positions ? 4 : 3,
                       .inputs = {device_case_fill(0, packed ? DIMS(2, 31, 60) : DIMS(2, 3, 31, 20)),
                                  device_case_fill(1, has_positions ? DIMS(40, half) : DIMS(2, 31, half)),
                                  device_case_fill(2, has_positions ? DIMS(40, half) : DIMS(2, 31, half))}};
        if (has_positions) {
            const Shape shape = DIMS(2, 31);
            test.inputs[3] = tensor_view(STRIDER_I64, &shape, device_case_integers(STRIDER_I64, 62, 40).data);
        }
        device_case_must_run_twice(&test);
    }
}

static void swiglu_is_of_two_tensors(void **state) {
    (void)state;
    OpTest test = {.op = "SwiGLU",
                   .opset = 28,
                   .attrs = {attr_float("alpha", 1.7f)},
                   .n_inputs = 2,
                   .inputs = {device_case_fill(0, DIMS(3, 331)), device_case_fill(1, DIMS(3, 331))}};
    device_case_must_run_twice(&test);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(attention_has_heads_and_pasts),
        cmocka_unit_test(attention_masks_broadcast),
        cmocka_unit_test(attention_windows_and_lengths),
        cmocka_unit_test(attention_does_not_look_at_what_it_does_not_see),
        cmocka_unit_test(attention_packs_heads_into_columns),
        cmocka_unit_test(rotary_embeddings_turn_pairs),
        cmocka_unit_test(swiglu_is_of_two_tensors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
