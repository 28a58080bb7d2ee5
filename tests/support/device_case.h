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

#endif
