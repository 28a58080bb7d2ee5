/* SPDX-License-Identifier: Apache-2.0 */
/* A limit on memory: an allocator that counts what it handed out and refuses what would be too much. */
#ifndef BASE_BUDGET_H
#define BASE_BUDGET_H

#include <pthread.h>
#include <stdbool.h>

#include "base/memory.h"

/* Thread safe.  Its address must not change while memory from it is there, as blocks are given back to it. */
typedef struct Budget {
    Allocator allocator; /* what takes from the budget */
    const Allocator *parent;
    uint64_t limit_bytes; /* UINT64_MAX: none */
    /* Bytes that were asked for; what is added for alignment and bookkeeping is not counted. */
    uint64_t used_bytes, peak_bytes;
    /* The last request that the limit refused, 0: none.  Tells a caller that was handed no memory whether it
     * was the limit or the system. */
    uint64_t refused_bytes, used_when_refused;
    struct Budget *within;     /* where all is counted as well; NULL: nowhere */
    struct BudgetBlock *large; /* blocks whose alignment leaves no room for their size before them */
    pthread_mutex_t lock;
} Budget;

void budget_init(Budget *budget, const Allocator *parent, uint64_t limit_bytes);
/* Without a limit of its own, but counted in `within` as well, whose limit holds. */
void budget_init_within(Budget *budget, const Allocator *parent, Budget *within);
/* Is no longer within another one, where what is taken now stays counted, until budget_unbook(). */
void budget_detach(Budget *budget);
/* All memory must have been given back. */
void budget_free(Budget *budget);

uint64_t budget_used(Budget *budget);
/* What may still be taken. */
uint64_t budget_left(Budget *budget);

/* Counts memory that is not taken from this budget, such as a share in something; false where the limit
 * refuses, as for an allocation. */
bool budget_book(Budget *budget, size_t size_bytes) MUST_CHECK;
void budget_unbook(Budget *budget, size_t size_bytes);

/* Where `status` is OUT_OF_MEMORY because the limit refused: LIMIT_EXCEEDED, and `err` says what was asked
 * for and allowed, by the limit's `name`, such as "max_memory_bytes".  Else `status`.  Forgets the refusal.
 */
Status budget_status(Budget *budget, Status status, const char *name, Error *err);

#endif
