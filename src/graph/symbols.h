/* SPDX-License-Identifier: Apache-2.0 */
/* Names for dimensions that are not numbers: "batch", or a formula over such names.  Equal texts are equal
 * dimensions. */
#ifndef GRAPH_SYMBOLS_H
#define GRAPH_SYMBOLS_H

#include "base/names.h"
#include "tensor/tensor.h"

typedef struct SymbolTable {
    Region *region;
    const char **names;
    size_t count, capacity;
    NameMap indices; /* plus 1 */
} SymbolTable;

/* The dimension with this text (at most 120 bytes are kept apart; a longer one becomes DIM_UNKNOWN, as does
 * every one when there is no memory, or a million are there already: as many as max_nodes by default). */
int64_t symbol_dim(SymbolTable *table, const char *text);
/* A symbol's text; NULL for numbers and DIM_UNKNOWN. */
const char *symbol_text(const SymbolTable *table, int64_t dim);

#endif
