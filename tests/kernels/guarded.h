/* SPDX-License-Identifier: Apache-2.0 */
/* Memory between two pages that cannot be touched. */
#ifndef TESTS_GUARDED_H
#define TESTS_GUARDED_H

#include <stddef.h>

typedef struct Guarded {
    void *data;
    void *mapping;
    size_t mapping_bytes;
} Guarded;

/* `at_end`: the last byte is the last one before the guard page, at whatever alignment that gives; else the
 * first byte is the first one after the other guard page.  Filled with 0xff, which as floats is NaN. */
Guarded guarded_alloc(size_t size_bytes, int at_end);
void guarded_free(Guarded *guarded);

#endif
