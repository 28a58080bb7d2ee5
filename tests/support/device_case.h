/* SPDX-License-Identifier: Apache-2.0 */
/* Operator cases on a device: where $STRIDER_TEST_DEVICE names one, every case of op_test_run() that the
 * device has a kernel for is run on it too, and held against the reference. */
#ifndef TESTS_DEVICE_CASE_H
#define TESTS_DEVICE_CASE_H

#include "support/op_test.h"

/* `node` is the only one of `graph`; test->outputs hold what its reference computed.  Fails the test where
 * the device computes something else. */
void device_case_run(const OpTest *test, Graph *graph, Node *node);
/* How many runs there were on the device. */
int device_case_count(void);

/* --- cases of more elements, whose values the reference says --- */

/* Values in [-1, 1), for an input of at most DEVICE_CASE_FLOATS elements; overwritten by the next call for
 * this port. */
enum { DEVICE_CASE_FLOATS = 1 << 18 };
Tensor device_case_fill(int port, Shape shape);
/* Integers from 0 on that repeat after `period`; and bools of which every third is false.  At most
 * DEVICE_CASE_MARKS of them, overwritten by the next call. */
enum { DEVICE_CASE_MARKS = 1 << 14 };
Tensor device_case_integers(DType dtype, int64_t count, int period);
Tensor device_case_bools(Shape shape);
/* Runs the operator; fails the test where it fails, and where there is a device that does not take it. */
void device_case_must_run(OpTest *test);
/* The same where the device must take it both with contents that change from run to run and with constants.
 */
void device_case_must_run_twice(OpTest *test);

#endif
