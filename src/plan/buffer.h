/* SPDX-License-Identifier: Apache-2.0 */
/* Buffers inside of buffers. */
#ifndef PLAN_BUFFER_H
#define PLAN_BUFFER_H

#include "plan/plan.h"

/* The buffer whose memory `buffer` lies in, and at which offset. */
static inline int buffer_root(const Plan *plan, int buffer, size_t *offset_bytes) {
    size_t offset = 0;
    while (plan->buffers[buffer].root != buffer) {
        offset += plan->buffers[buffer].root_offset;
        buffer = plan->buffers[buffer].root;
    }
    *offset_bytes = offset;
    return buffer;
}

#endif
