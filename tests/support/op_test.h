/* SPDX-License-Identifier: Apache-2.0 */
/* Running one operator as a model would: attributes through parse(), types through infer(), contents through
 * reference(). */
#ifndef TESTS_OP_TEST_H
#define TESTS_OP_TEST_H

#include "graph/op.h"

enum { OP_TEST_MAX_PORTS = 16 };

typedef struct OpTest {
    const char *op;
    const char *domain; /* NULL: ai.onnx */
    int opset;
    Attr attrs[16];                   /* ends at the first one without a name */
    Tensor inputs[OP_TEST_MAX_PORTS]; /* dtype NONE: absent */
    int n_inputs;
    int n_outputs;    /* 0: one */
    bool infer_only;  /* of inputs only types are looked at, which may be unknown; no outputs */
    bool hide_inputs; /* infer() does not see the contents: as at load, when they are not constant */
    /* results */
    Tensor outputs[OP_TEST_MAX_PORTS];
    ValueType output_types[OP_TEST_MAX_PORTS]; /* as infer() said */
    size_t scratch_bytes;                      /* as the operator states */
    Error error;
    Region region;
} OpTest;

/* Runs it; on failure returns the status with test->error filled.  op_test_free() in either case. */
Status op_test_run(OpTest *test);
void op_test_free(OpTest *test);

/* Attributes, for initialisers: OpTest t = {.attrs = {attr_int("axis", 1)}, ...}. */
Attr attr_int(const char *name, int64_t value);
Attr attr_float(const char *name, float value);
Attr attr_string(const char *name, const char *value);
#define attr_ints(NAME, ...)                                                                                 \
    ((Attr){.name = NAME,                                                                                    \
            .kind = ATTR_INTS,                                                                               \
            .ints = (const int64_t[]){__VA_ARGS__},                                                          \
            .count = sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)})

/* Tensors over literals: tensor_f32(DIMS(2, 3), 1, 2, 3, 4, 5, 6). */
#define DIMS(...)                                                                                            \
    shape_make((int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), (int64_t[]){__VA_ARGS__})
#define tensor_f32(SHAPE, ...)                                                                               \
    op_test_tensor(STRIDER_F32, SHAPE, (float[]){__VA_ARGS__}, sizeof((float[]){__VA_ARGS__}))
#define tensor_i64(SHAPE, ...)                                                                               \
    op_test_tensor(STRIDER_I64, SHAPE, (int64_t[]){__VA_ARGS__}, sizeof((int64_t[]){__VA_ARGS__}))
/* No elements. */
#define tensor_empty(DTYPE, SHAPE) op_test_tensor(DTYPE, SHAPE, "", 0)
/* Any type, from doubles: tensor_typed(STRIDER_U8, DIMS(2), 1, 2). */
#define tensor_typed(DTYPE, SHAPE, ...)                                                                      \
    op_test_convert(DTYPE, SHAPE, (uint64_t[sizeof((double[]){__VA_ARGS__}) / sizeof(double)]){0},           \
                    (double[]){__VA_ARGS__}, sizeof((double[]){__VA_ARGS__}) / sizeof(double))
/* tensor_strings(DIMS(2), "a", "bc"): texts that end with NUL. */
#define tensor_strings(SHAPE, ...)                                                                           \
    op_test_strings(SHAPE, (String[sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *)]){{0}},            \
                    (const char *[]){__VA_ARGS__}, sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *))
Tensor op_test_strings(Shape shape, String *memory, const char *const *texts, size_t count);
/* `memory` has eight bytes for each of the values. */
Tensor op_test_convert(DType dtype, Shape shape, void *memory, const double *values, size_t count);
/* A view; fails the test where the bytes do not fit the shape. */
Tensor op_test_tensor(DType dtype, Shape shape, void *data, size_t size_bytes);

/* Deterministic values in [-1, 1). */
void fill_random(float *values, size_t count, uint64_t seed);

/* Fails the test with the place and both values unless |got - expected| <= atol + rtol * |expected| for each
 * element (NaN equals NaN; integers and bools must be the same), and types are equal. */
void assert_tensor_close(const Tensor *got, const Tensor *expected, double rtol, double atol);

/* Fails the test with both shapes unless they are equal. */
void assert_shape(const Shape *got, Shape expected);

/* Runs the operator and fails the test unless it succeeds with output 0 within 1e-6 of `expected`; or unless
 * it fails with this status and a message that has `message_part` in it.  Frees the test. */
void op_test_expect(OpTest *test, const Tensor *expected);
void op_test_expect_error(OpTest *test, Status status, const char *message_part);
/* infer() alone gives the first output this type, without contents. */
void op_test_expect_type(OpTest test, DType dtype, Shape shape);

#endif
