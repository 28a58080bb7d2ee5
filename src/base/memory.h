/* SPDX-License-Identifier: Apache-2.0 */
/* Memory: the allocator that is passed in everywhere, and regions for things that live and die together. */
#ifndef BASE_MEMORY_H
#define BASE_MEMORY_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "strider/model.h"

typedef strider_allocator Allocator;

/* Every block starts at a multiple of this: a cache line, and the widest vector. */
#define MEMORY_ALIGNMENT 64

/* posix_memalign and free. */
const Allocator *allocator_default(void);

/* `size` bytes, 0 allowed, at a multiple of MEMORY_ALIGNMENT; contents undefined.  NULL when there are none.
 */
void *memory_alloc(const Allocator *allocator, size_t size);
/* The same for memory that runs pass over again and again: where it is large enough it begins at a large
 * page, and the system is asked for such pages, which double the rate of reading (the processor prefetches
 * beyond 4 KiB, and translates fewer addresses). */
void *memory_alloc_large(const Allocator *allocator, size_t size);
/* What it asks the allocator for: whole large pages where there are any. */
size_t memory_large_size(size_t size);
/* Asks for large pages for what lies in whole ones; the system may say no. */
void memory_advise_large(void *memory, size_t size);
/* count * size bytes, zeroed; NULL on overflow too. */
void *memory_alloc_zeroed(const Allocator *allocator, size_t count, size_t size);
/* What this machine has, or less where a control group of Linux or the limit on address space allows this
 * process less; at least 1. */
uint64_t memory_of_machine(void);
/* NULL is allowed. */
void memory_free(const Allocator *allocator, void *memory);

/* A region hands out memory that is freed all at once.  Not thread safe. */
typedef struct Region {
    const Allocator *allocator;
    struct RegionBlock *blocks;
    char *next, *end;
    size_t total_bytes; /* taken from the allocator */
    size_t limit_bytes; /* 0: none; beyond it allocations return NULL */
} Region;

void region_init(Region *region, const Allocator *allocator, size_t limit_bytes);
void region_free(Region *region);

/* `size` zeroed bytes at a multiple of 16 (of MEMORY_ALIGNMENT from 4096 bytes on); NULL when there are none.
 */
void *region_alloc(Region *region, size_t size);
void *region_alloc_array(Region *region, size_t count, size_t size);
/* A NUL-terminated copy of `length` bytes; NULL when there is no memory. */
char *region_string(Region *region, const char *text, size_t length);
char *region_format(Region *region, const char *format, ...) PRINTF_LIKE(2, 3);

/* Grows the array *items to hold one more than *count, doubling; old contents stay valid inside the region.
 */
bool region_grow(Region *region, void *items, size_t count, size_t *capacity, size_t item_size);

#endif
