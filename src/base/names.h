/* SPDX-License-Identifier: Apache-2.0 */
/* A hash table from names to pointers. */
#ifndef BASE_NAMES_H
#define BASE_NAMES_H

#include "base/memory.h"

typedef struct NameMap {
    Region *region; /* of the table; names are the caller's and must live as long */
    struct NameEntry *entries;
    size_t count, capacity;
} NameMap;

/* Whether the name is there; sets *item where it is (`item` may be NULL). */
bool names_find(const NameMap *map, const char *name, void **item);
/* Adds a name that is not there yet, or was forgotten; false when there is no memory. */
bool names_add(NameMap *map, const char *name, void *item) MUST_CHECK;
/* Lets a name stand for NULL. */
void names_forget(NameMap *map, const char *name);

#endif
