/* SPDX-License-Identifier: Apache-2.0 */
/* An operator of the tests' own whose output's shape is found only by computing it: Found, of ONNX's own
 * domain, gives the indices of all elements that are not zero.  Programs that use it link with
 * -Wl,--wrap=op_find. */
#ifndef TESTS_FOUND_OP_H
#define TESTS_FOUND_OP_H

#include "graph/op.h"

const Op *__real_op_find(const char *domain, const char *name, int64_t opset);
const Op *__wrap_op_find(const char *domain, const char *name, int64_t opset);

#endif
