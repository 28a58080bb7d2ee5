/* SPDX-License-Identifier: Apache-2.0 */
/* Kernels against their operator's reference: every kernel that accepts the node, on every target that
 * this CPU runs, from every combination of input layouts, with memory that cannot be read or written
 * outside its bounds. */
#ifndef TESTS_KERNEL_TEST_H
#define TESTS_KERNEL_TEST_H

#include "ops/math/unary_kind.h"
#include "ops/nn/conv.h"
#include "support/op_test.h"

typedef struct KernelTest {
    const char *op;
    const char *domain; /* NULL: ai.onnx */
    int opset;
    Attr attrs[12];                  /* ends at the first one without a name */
    Shape inputs[OP_TEST_MAX_PORTS]; /* of float32 inputs, filled with random values */
    Tensor given[OP_TEST_MAX_PORTS]; /* instead, where its dtype is set */
    unsigned absent;                 /* bit i: input i */
    unsigned constants;              /* bit i: input i is a constant */
    unsigned varying; /* bit i: where kernels take the constant i, they take it as an input of each run, too,
                       * and make the same bits of it */
    int n_inputs, n_outputs;    /* outputs 0: one */
    unsigned unused_outputs;    /* bit i: nobody asks for output i */
    void (*adjust)(Node *node); /* what passes would set */
    PostOp post_ops[4];         /* what passes would append, by kernel_test_add_*() */
    int n_post_ops;
    float low, high;   /* of random values; both 0: -1, 1 */
    unsigned with_nan; /* bit i: some elements of input i are NaN and infinite */
    bool only_padding; /* only the padding lanes are looked at */
    double rtol, atol; /* atol 0: 1e-5 */
    double peak;       /* about the largest sum, before any activation */
    bool must_accept;  /* at least one kernel of each instruction set */
    uint64_t seed;
} KernelTest;

/* Appends a post-operation, its operand as a further input (a scale and a bias as constants); and an
 * activation. */
void kernel_test_add_operand(KernelTest *test, PostOpKind kind, Shape operand);
void kernel_test_add_activation(KernelTest *test, Unary activation);

/* Fails the cmocka test where a kernel does. */
void kernel_test_check(KernelTest test);

/* Fails unless every kernel in the table has a test on every target, be it one that cannot run here. */
void kernel_test_check_coverage(void);
/* Prints which targets and kernels this CPU could not run, and for want of what. */
void kernel_test_report(void);

/* Prints the best time of the kernels that accept the node on the chosen target, with GFLOP/s where
 * the operator counts its multiply-accumulates, else GB/s of inputs and outputs. */
void kernel_test_time(KernelTest test, const char *label);

/* Numbers in [0, n), from a seed that moves on. */
int64_t random_below(uint64_t *seed, int64_t n);

/* Channels around the vectors' widths. */
extern const int64_t test_channels[];
enum { N_TEST_CHANNELS = 9 };

/* The groups of tests: each runs a cmocka group and returns its failures; and the timed shapes. */
#define KERNEL_TEST_GROUPS(DO)                                                                               \
    DO(window)                                                                                               \
    DO(elementwise)                                                                                          \
    DO(pool)                                                                                                 \
    DO(move)                                                                                                 \
    DO(indexed)                                                                                              \
    DO(attention)                                                                                            \
    DO(sample)                                                                                               \
    DO(gemm)                                                                                                 \
    DO(integer)                                                                                              \
    DO(quantize)                                                                                             \
    DO(rnn)                                                                                                  \
    DO(normalize)                                                                                            \
    DO(signal)                                                                                               \
    DO(conv)                                                                                                 \
    DO(conv_dimensions)                                                                                      \
    DO(dimensions)                                                                                           \
    DO(types)

#define DECLARE_GROUP(NAME)                                                                                  \
    int NAME##_kernel_tests(void);                                                                           \
    void NAME##_kernel_times(void);
KERNEL_TEST_GROUPS(DECLARE_GROUP)

#endif
