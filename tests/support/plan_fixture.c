/* SPDX-License-Identifier: Apache-2.0 */
#include "support/plan_fixture.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

void plan_fixture_open(PlanFixture *fixture) {
    Error error;
    cut_open(&fixture->cut);
    counter_init(&fixture->counter);
    budget_init(&fixture->budget, &fixture->counter.allocator, UINT64_MAX);
    fixture->host = cpu_device(allocator_default());
    const PackMemory memory = device_pack_memory(&fixture->host);
    assert_int_equal(pack_cache_init(&fixture->packs, &memory, &error), STRIDER_OK);
    fixture->target = (PlanTarget){.devices = {{&fixture->host, &fixture->packs}},
                                   .n_devices = 1,
                                   .cpu = cpu_target(),
                                   .max_layer_error = 1};
}

void plan_fixture_close(PlanFixture *fixture) {
    assert_int_equal(budget_used(&fixture->budget), 0);
    assert_int_equal(fixture->counter.blocks, 0);
    pack_cache_free(&fixture->packs);
    budget_free(&fixture->budget);
    cut_close(&fixture->cut);
}

PlanRequest plan_fixture_request(PlanFixture *fixture, size_t item, const Type *inputs,
                                 const Tensor *const *contents) {
    const ProgramItem *found = &fixture->cut.program->items[item];
    assert_true(found->kind == ITEM_PARTITION);
    return (PlanRequest){.partition = &found->partition,
                         .inputs = inputs,
                         .contents = contents,
                         .target = &fixture->target,
                         .threads = 1,
                         .max_pack_bytes = UINT64_MAX,
                         .budget = &fixture->budget,
                         .allocator = &fixture->counter.allocator};
}
