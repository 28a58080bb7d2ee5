/* SPDX-License-Identifier: Apache-2.0 */
/* Where buffers lie in the arenas of a plan whose steps are complete. */
#ifndef PLAN_MEMORY_H
#define PLAN_MEMORY_H

#include "plan/builder.h"

Status place_buffers(PlanBuilder *builder) MUST_CHECK;

#endif
