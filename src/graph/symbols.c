/* SPDX-License-Identifier: Apache-2.0 */
#include "graph/symbols.h"

#include <string.h>

enum { LONGEST_TEXT = 120, MAX_SYMBOLS = 1000000 };

int64_t symbol_dim(SymbolTable *table, const char *text) {
    size_t length = strlen(text);
    if (!length || length > LONGEST_TEXT)
        return DIM_UNKNOWN;
    void *found;
    table->indices.region = table->region;
    if (names_find(&table->indices, text, &found))
        return -1 - (int64_t)(uintptr_t)found;
    if (table->count >= MAX_SYMBOLS ||
        !region_grow(table->region, &table->names, table->count, &table->capacity, sizeof *table->names))
        return DIM_UNKNOWN;
    char *name = region_string(table->region, text, length);
    if (!name ||
        !names_add(&table->indices, name, (void *)(table->count + 1))) // NOLINT(performance-no-int-to-ptr)
        return DIM_UNKNOWN;
    table->names[table->count++] = name;
    return -1 - (int64_t)table->count;
}

const char *symbol_text(const SymbolTable *table, int64_t dim) {
    return dim < DIM_UNKNOWN && (size_t)(-2 - dim) < table->count ? table->names[-2 - dim] : NULL;
}
