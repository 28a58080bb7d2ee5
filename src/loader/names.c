/* SPDX-License-Identifier: Apache-2.0 */
#include "loader/names.h"

#include <string.h>

typedef struct NameEntry {
    const char *name; /* NULL: free */
    void *item;
} NameEntry;

/* FNV-1a, folded: the table's size is a power of two. */
static size_t hash(const char *name) {
    uint64_t h = 0xcbf29ce484222325u;
    for (; *name; name++)
        h = (h ^ (unsigned char)*name) * 0x100000001b3u;
    return (size_t)(h ^ h >> 29);
}

static NameEntry *entry_of(NameEntry *entries, size_t capacity, const char *name) {
    size_t at = hash(name) & (capacity - 1);
    while (entries[at].name && strcmp(entries[at].name, name) != 0)
        at = (at + 1) & (capacity - 1);
    return &entries[at];
}

bool names_find(const NameMap *map, const char *name, void **item) {
    if (!map->capacity)
        return false;
    const NameEntry *entry = entry_of(map->entries, map->capacity, name);
    if (entry->name && item)
        *item = entry->item;
    return entry->name != NULL;
}

bool names_add(NameMap *map, const char *name, void *item) {
    if (map->count * 2 >= map->capacity) {
        size_t capacity = map->capacity ? map->capacity * 2 : 64;
        NameEntry *entries = region_take_array(map->region, capacity, sizeof *entries);
        if (!entries)
            return false;
        for (size_t i = 0; i < map->capacity; i++)
            if (map->entries[i].name)
                *entry_of(entries, capacity, map->entries[i].name) = map->entries[i];
        map->entries = entries;
        map->capacity = capacity;
    }
    *entry_of(map->entries, map->capacity, name) = (NameEntry){name, item};
    map->count++;
    return true;
}
