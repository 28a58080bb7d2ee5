/* SPDX-License-Identifier: Apache-2.0 */
/* Steps for one node: which kernel computes it, in which layouts. */
#ifndef PLAN_CHOOSE_H
#define PLAN_CHOOSE_H

#include "plan/builder.h"

/* The types of the node's inputs and outputs are known. */
Status choose_steps(PlanBuilder *builder, const Node *node) MUST_CHECK;

#endif
