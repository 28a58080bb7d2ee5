/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "ops/device.h"

#include <cmocka.h>

enum { SOURCES = 3000, KEYS = 3 };

static void fill(void *context, void *memory) {
    *(int *)memory = *(int *)context;
}

static void must_not_fill(void *context, void *memory) {
    (void)context;
    (void)memory;
    fail_msg("packed twice");
}

static void every_constant_is_packed_once_for_each_key(void **state) {
    (void)state;
    static Tensor sources[SOURCES];
    static const void *packs[SOURCES][KEYS];
    Device device = cpu_device(allocator_default());
    const PackMemory memory = device_pack_memory(&device);
    PackCache cache;
    Error err;
    assert_int_equal(pack_cache_init(&cache, &memory, &err), STRIDER_OK);
    PrepareContext ctx = {.packs = &cache, .max_pack_bytes = UINT64_MAX, .err = &err, .device = &device};
    for (int turn = 0; turn < 2; turn++)
        for (int i = 0; i < SOURCES; i++)
            for (int k = 0; k < KEYS; k++) {
                char key[16];
                int number = i * KEYS + k;
                const void *packed = NULL;
                snprintf(key, sizeof key, "key %d", k);
                assert_int_equal(pack_constant(&ctx, &sources[i], key, bytes_of(sizeof number, 1),
                                               turn ? must_not_fill : fill, &number, &packed),
                                 STRIDER_OK);
                assert_int_equal(*(const int *)packed, number);
                if (turn)
                    assert_ptr_equal(packed, packs[i][k]);
                packs[i][k] = packed;
            }
    assert_int_equal(cache.n_packs, SOURCES * KEYS);
    pack_cache_free(&cache);
}

static void what_the_limit_does_not_leave_is_refused(void **state) {
    (void)state;
    Tensor source = {0};
    Device device = cpu_device(allocator_default());
    const PackMemory memory = device_pack_memory(&device);
    PackCache cache;
    Error err;
    const void *packed;
    int number = 1;
    assert_int_equal(pack_cache_init(&cache, &memory, &err), STRIDER_OK);
    PrepareContext ctx = {.packs = &cache, .max_pack_bytes = 4096, .err = &err, .device = &device};
    assert_int_equal(pack_constant(&ctx, &source, "a", bytes_of(1, 4096), fill, &number, &packed),
                     STRIDER_OK);
    assert_int_equal(pack_cache_bytes(&cache), 4096);
    assert_int_equal(pack_constant(&ctx, &source, "b", bytes_of(1, 1), fill, &number, &packed),
                     STRIDER_LIMIT_EXCEEDED);
    assert_non_null(strstr(err.message, "max_memory_bytes"));
    ctx.max_pack_bytes = 8192;
    assert_int_equal(pack_constant(&ctx, &source, "b", bytes_of(1, 4096), fill, &number, &packed),
                     STRIDER_OK);
    pack_cache_free(&cache);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_constant_is_packed_once_for_each_key),
        cmocka_unit_test(what_the_limit_does_not_leave_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
