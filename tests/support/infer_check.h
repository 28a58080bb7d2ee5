/* SPDX-License-Identifier: Apache-2.0 */
/* Whether an operator's row tells the truth of what infer() looks at. */
#ifndef TESTS_INFER_CHECK_H
#define TESTS_INFER_CHECK_H

#include "graph/op.h"

/* `types` are those that infer() finds of a node whose inputs' contents are all known.  Fails the test unless
 * it finds the same by contents of the ports in Op.reads alone, the same shapes by those in Op.shaped_by
 * alone, and none that is wrong where any of these are not known. */
void infer_check(const Node *node, const ValueType *inputs, const Tensor *const *contents,
                 const ValueType *types);

#endif
