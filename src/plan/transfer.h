/* SPDX-License-Identifier: Apache-2.0 */
/* Bringing values to where steps want them: into other layouts, and to other memory spaces. */
#ifndef PLAN_TRANSFER_H
#define PLAN_TRANSFER_H

#include "plan/builder.h"

/* The buffer where `value` lies in that space and layout: one that is there, or a new one with the steps that
 * fill it. */
Status transfer(PlanBuilder *builder, const Value *value, int space, Layout layout, int *buffer) MUST_CHECK;
/* Nanoseconds to bring a tensor of the host into another layout. */
double transfer_cost(size_t size_bytes);

#endif
