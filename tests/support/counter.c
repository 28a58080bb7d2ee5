/* SPDX-License-Identifier: Apache-2.0 */
#include "support/counter.h"

#include <stdlib.h>
#include <string.h>

/* Before each block stands its size, and where it begins. */
typedef struct Head {
    size_t size_bytes, room;
} Head;

/* Relaxed, so that the counts order nothing between threads: ThreadSanitizer would not see races of those who
 * take memory. */
static size_t get(atomic_size_t *count) {
    return atomic_load_explicit(count, memory_order_relaxed);
}

static size_t count_up(atomic_size_t *count, size_t by) {
    return atomic_fetch_add_explicit(count, by, memory_order_relaxed) + by;
}

static void count_down(atomic_size_t *count, size_t by) {
    atomic_fetch_sub_explicit(count, by, memory_order_relaxed);
}

static void *allocate(void *context, size_t size, size_t alignment) {
    Counter *counter = context;
    const size_t room = alignment > sizeof(Head) ? alignment : sizeof(Head);
    void *memory;
    if (atomic_load_explicit(&counter->is_full, memory_order_relaxed) ||
        get(&counter->allocations) >= get(&counter->max_allocations) ||
        posix_memalign(&memory, room, size + room))
        return NULL;
    char *block = (char *)memory + room;
    memcpy(block - sizeof(Head), &(Head){size, room}, sizeof(Head));
    const size_t used = count_up(&counter->used_bytes, size);
    size_t peak = get(&counter->peak_bytes);
    while (used > peak && !atomic_compare_exchange_weak_explicit(&counter->peak_bytes, &peak, used,
                                                                 memory_order_relaxed, memory_order_relaxed))
        continue;
    count_up(&counter->blocks, 1);
    count_up(&counter->allocations, 1);
    return block;
}

static void release(void *context, void *memory) {
    Counter *counter = context;
    Head head;
    memcpy(&head, (char *)memory - sizeof head, sizeof head);
    count_down(&counter->used_bytes, head.size_bytes);
    count_down(&counter->blocks, 1);
    free((char *)memory - head.room);
}

void counter_init(Counter *counter) {
    *counter = (Counter){.allocator = {counter, allocate, release}, .max_allocations = SIZE_MAX};
}
