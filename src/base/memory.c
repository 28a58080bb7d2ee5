/* SPDX-License-Identifier: Apache-2.0 */
#include "base/memory.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/size.h"

static void *default_allocate(void *context, size_t size, size_t alignment) {
    (void)context;
    void *memory;
    return posix_memalign(&memory, alignment, size) == 0 ? memory : NULL;
}

static void default_release(void *context, void *memory) {
    (void)context;
    free(memory);
}

const Allocator *allocator_default(void) {
    static const Allocator allocator = {NULL, default_allocate, default_release};
    return &allocator;
}

void *memory_alloc(const Allocator *allocator, size_t size) {
    if (size > PTRDIFF_MAX) /* sums that have saturated */
        return NULL;
    return allocator->allocate(allocator->context, size ? size : 1, MEMORY_ALIGNMENT);
}

/* What x86-64 and aarch64 call huge; elsewhere the advice changes nothing. */
static const size_t large_page_bytes = 2 << 20, min_large_bytes = 256 << 10;

void memory_advise_large(void *memory, size_t size) {
    const uintptr_t begin = (uintptr_t)memory, mask = large_page_bytes - 1;
    const uintptr_t first = (begin + mask) & ~mask, last = (begin + size) & ~mask;
    if (first < last)
        madvise((void *)first, last - first, MADV_HUGEPAGE);
}

size_t memory_large_size(size_t size) {
    size_t rounded;
    return size >= min_large_bytes && size_align(size, large_page_bytes, &rounded) ? rounded : size;
}

void *memory_alloc_large(const Allocator *allocator, size_t size) {
    const size_t rounded = memory_large_size(size);
    if (size < min_large_bytes)
        return memory_alloc(allocator, size);
    void *memory = allocator->allocate(allocator->context, rounded, large_page_bytes);
    if (memory)
        memory_advise_large(memory, rounded);
    return memory;
}

void *memory_alloc_zeroed(const Allocator *allocator, size_t count, size_t size) {
    size_t bytes;
    if (!size_mul(count, size, &bytes))
        return NULL;
    void *memory = memory_alloc(allocator, bytes);
    if (memory)
        memset(memory, 0, bytes);
    return memory;
}

/* A number in a file of the control groups' file system; UINT64_MAX where there is none, or "max". */
static uint64_t read_group_limit(const char *path) {
    unsigned long long limit;
    FILE *file = fopen(path, "re");
    if (!file)
        return UINT64_MAX;
    const bool is_number = fscanf(file, "%llu", &limit) == 1;
    fclose(file);
    return is_number && limit ? limit : UINT64_MAX;
}

uint64_t memory_of_machine(void) {
    static const char *const group_limits[] = {"/sys/fs/cgroup/memory.max",
                                               "/sys/fs/cgroup/memory/memory.limit_in_bytes"};
    const long pages = sysconf(_SC_PHYS_PAGES), page_bytes = sysconf(_SC_PAGESIZE);
    size_t max_bytes;
    if (pages < 1 || page_bytes < 1 || !size_mul((size_t)pages, (size_t)page_bytes, &max_bytes))
        max_bytes = SIZE_MAX;
    struct rlimit space;
    if (getrlimit(RLIMIT_AS, &space) == 0 && space.rlim_cur != RLIM_INFINITY && space.rlim_cur < max_bytes)
        max_bytes = space.rlim_cur;
    for (size_t i = 0; i < sizeof group_limits / sizeof *group_limits; i++) {
        const uint64_t limit = read_group_limit(group_limits[i]);
        max_bytes = limit < max_bytes ? (size_t)limit : max_bytes;
    }
    return max_bytes;
}

void memory_free(const Allocator *allocator, void *memory) {
    if (memory)
        allocator->release(allocator->context, memory);
}

typedef struct RegionBlock {
    struct RegionBlock *next;
    size_t size_bytes;
    _Alignas(MEMORY_ALIGNMENT) char data[];
} RegionBlock;

/* A request that is larger than what fits into the smallest block has one of its own. */
enum { MIN_BLOCK_BYTES = 4096, MAX_BLOCK_BYTES = 64 * 1024 };

void region_init(Region *region, const Allocator *allocator, size_t limit_bytes) {
    *region = (Region){.allocator = allocator, .limit_bytes = limit_bytes};
}

void region_free(Region *region) {
    for (RegionBlock *block = region->blocks, *next; block; block = next) {
        next = block->next;
        memory_free(region->allocator, block);
    }
    region_init(region, region->allocator, region->limit_bytes);
}

static RegionBlock *region_add_block(Region *region, size_t size) {
    size_t bytes, total;
    if (!size_add(sizeof(RegionBlock), size, &bytes) || !size_add(region->total_bytes, bytes, &total))
        return NULL;
    if (region->limit_bytes && total > region->limit_bytes)
        return NULL;
    RegionBlock *block = memory_alloc_zeroed(region->allocator, 1, bytes);
    if (!block)
        return NULL;
    block->size_bytes = bytes;
    block->next = region->blocks;
    region->blocks = block;
    region->total_bytes = total;
    return block;
}

/* As much as there is already: a model may have many plans, most of them small. */
static size_t next_block_bytes(const Region *region) {
    if (region->total_bytes <= MIN_BLOCK_BYTES)
        return MIN_BLOCK_BYTES;
    return region->total_bytes < MAX_BLOCK_BYTES ? region->total_bytes : MAX_BLOCK_BYTES;
}

void *region_alloc(Region *region, size_t size) {
    if (!size_align(size ? size : 1, 16, &size))
        return NULL;
    if (size >= MIN_BLOCK_BYTES) {
        RegionBlock *block = region_add_block(region, size);
        return block ? block->data : NULL;
    }
    if ((size_t)(region->end - region->next) < size) {
        const size_t block_bytes = next_block_bytes(region);
        RegionBlock *block = region_add_block(region, block_bytes);
        if (!block)
            return NULL;
        region->next = block->data;
        region->end = block->data + block_bytes;
    }
    void *memory = region->next;
    region->next += size;
    return memory;
}

void *region_alloc_array(Region *region, size_t count, size_t size) {
    size_t bytes;
    return size_mul(count, size, &bytes) ? region_alloc(region, bytes) : NULL;
}

char *region_string(Region *region, const char *text, size_t length) {
    size_t bytes;
    char *copy = size_add(length, 1, &bytes) ? region_alloc(region, bytes) : NULL;
    if (copy && length)
        memcpy(copy, text, length);
    return copy;
}

char *region_format(Region *region, const char *format, ...) {
    va_list args;
    va_start(args, format);
    int length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    char *text = length >= 0 ? region_alloc(region, (size_t)length + 1) : NULL;
    if (!text)
        return NULL;
    va_start(args, format);
    vsnprintf(text, (size_t)length + 1, format, args);
    va_end(args);
    return text;
}

bool region_grow(Region *region, void *items, size_t count, size_t *capacity, size_t item_size) {
    if (count < *capacity)
        return true;
    size_t wanted = *capacity ? *capacity * 2 : 8;
    void *grown = region_alloc_array(region, wanted, item_size);
    if (!grown)
        return false;
    void *old;
    memcpy(&old, items, sizeof old);
    if (count)
        memcpy(grown, old, count * item_size);
    memcpy(items, &grown, sizeof grown);
    *capacity = wanted;
    return true;
}
