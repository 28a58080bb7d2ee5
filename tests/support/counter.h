/* SPDX-License-Identifier: Apache-2.0 */
/* An allocator for tests: counts what is taken of it, and refuses what a test wants refused. */
#ifndef SUPPORT_COUNTER_H
#define SUPPORT_COUNTER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "strider/strider.h"

/* Thread safe.  All that was taken must be given back before it goes. */
typedef struct Counter {
    strider_allocator allocator;
    atomic_size_t blocks, used_bytes, peak_bytes; /* that are there; sizes as they were asked for */
    atomic_size_t allocations;                    /* that there ever were */
    atomic_size_t max_allocations; /* allocations there may be; more are refused; at first any */
    atomic_bool is_full;           /* refuses everything */
} Counter;

/* It must stay where it is. */
void counter_init(Counter *counter);

#endif
