/* SPDX-License-Identifier: Apache-2.0 */
/* Memory of runs: an allocator that keeps what was freed for the next request of like size, so that a run
 * that does what the one before did asks nobody for memory. */
#ifndef RUN_POOL_H
#define RUN_POOL_H

#include "base/memory.h"

enum { POOL_CLASSES = 4 * 64 };

/* Its address must not change while memory from it is there.  One thread at a time uses it. */
typedef struct Pool {
    Allocator allocator; /* what takes from the pool */
    const Allocator *parent;
    struct PoolBlock *unused[POOL_CLASSES]; /* by size */
} Pool;

void pool_init(Pool *pool, const Allocator *parent);
/* Frees what nobody uses. */
void pool_trim(Pool *pool);

#endif
