/* SPDX-License-Identifier: Apache-2.0 */
#include "support/counter.h"

#include <stdlib.h>
#include <string.h>

/* Before each block stands its size, and where it begins. */
typedef struct Head {
    size_t size_bytes, room;
} Head;

static void *allocate(void *context, size_t size, size_t alignment) {
    Counter *counter = context;
    const size_t room = alignment > sizeof(Head) ? alignment : sizeof(Head);
    void *memory;
    if (atomic_load(&counter->is_full) || atomic_load(&counter->allocations) >= atomic_load(&counter->most) ||
        posix_memalign(&memory, room, size + room))
        return NULL;
    char *block = (char *)memory + room;
    memcpy(block - sizeof(Head), &(Head){size, room}, sizeof(Head));
    const size_t used = atomic_fetch_add(&counter->used_bytes, size) + size;
    size_t peak = atomic_load(&counter->peak_bytes);
    while (used > peak && !atomic_compare_exchange_weak(&counter->peak_bytes, &peak, used))
        continue;
    atomic_fetch_add(&counter->blocks, 1);
    atomic_fetch_add(&counter->allocations, 1);
    return block;
}

static void release(void *context, void *memory) {
    Counter *counter = context;
    Head head;
    memcpy(&head, (char *)memory - sizeof head, sizeof head);
    atomic_fetch_sub(&counter->used_bytes, head.size_bytes);
    atomic_fetch_sub(&counter->blocks, 1);
    free((char *)memory - head.room);
}

void counter_init(Counter *counter) {
    *counter = (Counter){.allocator = {counter, allocate, release}, .most = SIZE_MAX};
}
