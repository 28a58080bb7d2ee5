/* SPDX-License-Identifier: Apache-2.0 */
#include "guarded.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

Guarded guarded_alloc(size_t size_bytes, int at_end) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE), inner = (size_bytes + page - 1) / page * page;
    Guarded guarded = {.mapping_bytes = inner + 2 * page};
    char *memory =
        mmap(NULL, guarded.mapping_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    assert_true(memory != MAP_FAILED);
    if (inner)
        assert_int_equal(mprotect(memory + page, inner, PROT_READ | PROT_WRITE), 0);
    guarded.mapping = memory;
    guarded.data = memory + page + (at_end ? inner - size_bytes : 0);
    memset(guarded.data, 0xff, size_bytes);
    return guarded;
}

void guarded_free(Guarded *guarded) {
    if (guarded->mapping)
        munmap(guarded->mapping, guarded->mapping_bytes);
    *guarded = (Guarded){0};
}
