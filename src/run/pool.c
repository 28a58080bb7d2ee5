/* SPDX-License-Identifier: Apache-2.0 */
#include "run/pool.h"

#include "base/size.h"

/* Before each block, in room of one alignment. */
typedef struct PoolBlock {
    struct PoolBlock *next; /* while it is unused */
    int size_class;
} PoolBlock;

/* Sizes in four steps from one power of two to the next: at most a quarter is wasted. */
static int class_of(size_t size) {
    if (size <= MEMORY_ALIGNMENT)
        return 0;
    const int exponent = 63 - __builtin_clzll((unsigned long long)(size - 1));
    const int quarter = (int)((size - 1) >> (exponent - 2) & 3);
    return 4 * (exponent - 6) + quarter + 1;
}

static bool class_size(int size_class, size_t *size) {
    if (size_class == 0) {
        *size = MEMORY_ALIGNMENT;
        return true;
    }
    const int exponent = (size_class - 1) / 4 + 6, quarter = (size_class - 1) % 4;
    *size = ((size_t)4 + (size_t)quarter + 1) << (exponent - 2);
    return exponent < 62;
}

static void *allocate(void *context, size_t size, size_t alignment) {
    Pool *pool = context;
    size_t rounded, total;
    const int size_class = size > (size_t)1 << 61 ? POOL_CLASSES : class_of(size);
    if (size_class >= POOL_CLASSES || !class_size(size_class, &rounded) ||
        !size_add(rounded, MEMORY_ALIGNMENT, &total) || alignment > MEMORY_ALIGNMENT)
        return NULL;
    PoolBlock *block = pool->unused[size_class];
    if (block) {
        pool->unused[size_class] = block->next;
    } else {
        block = memory_alloc(pool->parent, total);
        if (!block) {
            pool_trim(pool);
            block = memory_alloc(pool->parent, total);
        }
        if (!block)
            return NULL;
        block->size_class = size_class;
    }
    return (char *)block + MEMORY_ALIGNMENT;
}

static void release(void *context, void *memory) {
    Pool *pool = context;
    if (!memory)
        return;
    PoolBlock *block = (PoolBlock *)(void *)((char *)memory - MEMORY_ALIGNMENT);
    block->next = pool->unused[block->size_class];
    pool->unused[block->size_class] = block;
}

void pool_init(Pool *pool, const Allocator *parent) {
    *pool =
        (Pool){.allocator = {.allocate = allocate, .release = release, .context = pool}, .parent = parent};
}

void pool_trim(Pool *pool) {
    for (int i = 0; i < POOL_CLASSES; i++)
        for (PoolBlock *block = pool->unused[i], *next; block; block = next) {
            next = block->next;
            pool->unused[i] = next;
            memory_free(pool->parent, block);
        }
}
