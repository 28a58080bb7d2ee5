/* SPDX-License-Identifier: Apache-2.0 */
#include "graph/symbols.h"

#include <string.h>

enum { LONGEST_TEXT = 120, MOST_SYMBOLS = 4096 };

int64_t symbol_dim(SymbolTable *table, const char *text) {
    size_t length = strlen(text);
    if (!length || length > LONGEST_TEXT)
        return DIM_UNKNOWN;
    for (size_t i = 0; i < table->count; i++)
        if (strcmp(table->names[i], text) == 0)
            return -2 - (int64_t)i;
    if (table->count >= MOST_SYMBOLS ||
        !region_grow(table->region, &table->names, table->count, &table->capacity, sizeof *table->names))
        return DIM_UNKNOWN;
    char *name = region_string(table->region, text, length);
    if (!name)
        return DIM_UNKNOWN;
    table->names[table->count++] = name;
    return -1 - (int64_t)table->count;
}

const char *symbol_text(const SymbolTable *table, int64_t dim) {
    return dim < DIM_UNKNOWN && (size_t)(-2 - dim) < table->count ? table->names[-2 - dim] : NULL;
}
