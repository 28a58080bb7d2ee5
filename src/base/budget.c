/* SPDX-License-Identifier: Apache-2.0 */
#include "base/budget.h"

#include <inttypes.h>
#include <string.h>

#include "base/size.h"

/* Before each block, in room as large as its alignment. */
typedef struct BudgetHeader {
    size_t size_bytes, room_bytes;
} BudgetHeader;

/* Blocks that begin at large pages have their sizes in a list instead: room before them would waste a page.
 * They are few: arenas and scratch memory. */
typedef struct BudgetBlock {
    struct BudgetBlock *next;
    void *memory;
    size_t size_bytes;
} BudgetBlock;

enum { MAX_ROOM_BYTES = 4096 };

bool budget_book(Budget *budget, size_t size) {
    if (budget->within && !budget_book(budget->within, size))
        return false;
    pthread_mutex_lock(&budget->lock);
    const bool fits = size <= budget->limit_bytes && budget->used_bytes <= budget->limit_bytes - size;
    if (fits) {
        budget->used_bytes += size;
        if (budget->used_bytes > budget->peak_bytes)
            budget->peak_bytes = budget->used_bytes;
    } else {
        budget->refused_bytes = size;
        budget->used_when_refused = budget->used_bytes;
    }
    pthread_mutex_unlock(&budget->lock);
    if (!fits && budget->within)
        budget_unbook(budget->within, size);
    return fits;
}

void budget_unbook(Budget *budget, size_t size) {
    if (budget->within)
        budget_unbook(budget->within, size);
    pthread_mutex_lock(&budget->lock);
    budget->used_bytes -= size;
    pthread_mutex_unlock(&budget->lock);
}

static void *alloc_with_header(const Allocator *parent, size_t size, size_t alignment) {
    const size_t room = alignment > sizeof(BudgetHeader) ? alignment : MEMORY_ALIGNMENT;
    size_t total;
    char *base = size_add(size, room, &total) ? parent->allocate(parent->context, total, room) : NULL;
    if (!base)
        return NULL;
    const BudgetHeader header = {size, room};
    memcpy(base + room - sizeof header, &header, sizeof header);
    return base + room;
}

static void *alloc_listed(Budget *budget, size_t size, size_t alignment) {
    const Allocator *parent = budget->parent;
    BudgetBlock *block = parent->allocate(parent->context, sizeof *block, MEMORY_ALIGNMENT);
    void *memory = block ? parent->allocate(parent->context, size, alignment) : NULL;
    if (!memory) {
        memory_free(parent, block);
        return NULL;
    }
    pthread_mutex_lock(&budget->lock);
    *block = (BudgetBlock){budget->large, memory, size};
    budget->large = block;
    pthread_mutex_unlock(&budget->lock);
    return memory;
}

static void *allocate(void *context, size_t size, size_t alignment) {
    Budget *budget = context;
    if (!budget_book(budget, size))
        return NULL;
    void *memory = alignment <= MAX_ROOM_BYTES ? alloc_with_header(budget->parent, size, alignment)
                                               : alloc_listed(budget, size, alignment);
    if (!memory)
        budget_unbook(budget, size);
    return memory;
}

/* The block in the list, taken out of it; NULL where it has a header. */
static BudgetBlock *unlist(Budget *budget, const void *memory) {
    if ((uintptr_t)memory % (2 * MAX_ROOM_BYTES) != 0)
        return NULL;
    pthread_mutex_lock(&budget->lock);
    BudgetBlock **at = &budget->large;
    while (*at && (*at)->memory != memory)
        at = &(*at)->next;
    BudgetBlock *found = *at;
    if (found)
        *at = found->next;
    pthread_mutex_unlock(&budget->lock);
    return found;
}

static void release(void *context, void *memory) {
    Budget *budget = context;
    const Allocator *parent = budget->parent;
    if (!memory)
        return;
    BudgetBlock *block = unlist(budget, memory);
    BudgetHeader header;
    if (block) {
        budget_unbook(budget, block->size_bytes);
        parent->release(parent->context, memory);
        parent->release(parent->context, block);
        return;
    }
    memcpy(&header, (char *)memory - sizeof header, sizeof header);
    budget_unbook(budget, header.size_bytes);
    parent->release(parent->context, (char *)memory - header.room_bytes);
}

void budget_init(Budget *budget, const Allocator *parent, uint64_t limit_bytes) {
    *budget =
        (Budget){.allocator = {budget, allocate, release}, .parent = parent, .limit_bytes = limit_bytes};
    pthread_mutex_init(&budget->lock, NULL);
}

void budget_init_within(Budget *budget, const Allocator *parent, Budget *within) {
    budget_init(budget, parent, UINT64_MAX);
    budget->within = within;
}

void budget_detach(Budget *budget) {
    budget->within = NULL;
}

void budget_free(Budget *budget) {
    if (budget->parent)
        pthread_mutex_destroy(&budget->lock);
    *budget = (Budget){0};
}

uint64_t budget_used(Budget *budget) {
    pthread_mutex_lock(&budget->lock);
    const uint64_t used = budget->used_bytes;
    pthread_mutex_unlock(&budget->lock);
    return used;
}

uint64_t budget_left(Budget *budget) {
    return budget->limit_bytes - budget_used(budget);
}

Status budget_status(Budget *budget, Status status, const char *name, Error *err) {
    pthread_mutex_lock(&budget->lock);
    const uint64_t refused = budget->refused_bytes, used = budget->used_when_refused;
    budget->refused_bytes = 0;
    pthread_mutex_unlock(&budget->lock);
    if (status != STRIDER_OUT_OF_MEMORY || !refused)
        return status;
    return fail(err, STRIDER_LIMIT_EXCEEDED,
                "%" PRIu64 " bytes more than the %" PRIu64 " in use would exceed the limit of %" PRIu64
                " (%s)",
                refused, used, budget->limit_bytes, name);
}
