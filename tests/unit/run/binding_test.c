/* SPDX-License-Identifier: Apache-2.0 */
#include "plan/buffer.h"
#include "run/binding.h"
#include "support/plan_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "support/flow.h"
#include "support/op_test.h"

enum { MAX_PLACES = 100 };

/* Two partitions around a node that runs by itself: the first reads parts of its input, a constant and
 * memory of its own, and its outputs are brought; the last one's are in the arena. */
typedef struct Fixture {
    PlanFixture plans;
    PlanCache cache;
    Binding *binding;
    const Plan *plan;
} Fixture;

static void make_graph(Cut *cut) {
    Graph *graph = &cut->graph;
    flow_inputs(graph, "x");
    cut_declare(cut, "x", STRIDER_F32, DIMS(4, 8));
    flow_constant(graph, "c", tensor_f32(DIMS(8), 1, 2, 3, 4, 5, 6, 7, 8));
    flow_constant(graph, "sizes", tensor_i64(DIMS(2), 1, 3));
    flow_node(graph, 21, "Split", "x sizes", "p q");
    flow_node(graph, 21, "Sin", "p", "a");
    flow_node(graph, 21, "Mul", "q c", "b");
    flow_node(graph, 21, "Softmax", "b", "d");
    flow_node(graph, 21, "Add", "d a", "e");
    flow_node(graph, 21, "Cos", "e", "f");
    flow_node(graph, 21, "NonZero", "f", "places");
    flow_node(graph, 21, "Neg", "places", "g");
    flow_node(graph, 21, "Neg", "g", "y");
    flow_outputs(graph, "y e");
    cut_graph(cut);
    assert_int_equal(cut->program->n_items, 3);
}

static void open_binding(Fixture *fixture, size_t item, bool reference) {
    *fixture = (Fixture){0};
    plan_fixture_open(&fixture->plans);
    make_graph(&fixture->plans.cut);
    plan_cache_init(&fixture->cache, &fixture->plans.counter.allocator);
    fixture->plans.target.reference = reference;
    const Type type = item == 0 ? type_of(STRIDER_F32, DIMS(4, 8)) : type_of(STRIDER_I64, DIMS(20));
    const Tensor *const contents[] = {NULL};
    const PlanRequest request = plan_fixture_request(&fixture->plans, item, &type, contents);
    CachedPlan *cached = NULL;
    Error error;
    if (plan_cache_get(&fixture->cache, &request, &cached, &error) ||
        binding_make(cached, &fixture->plans.counter.allocator, &fixture->binding, &error))
        fail_msg("%s", error.message);
    fixture->plan = cached->plan;
    assert_ptr_equal(fixture->binding->plan, fixture->plan);
}

static void close_binding(Fixture *fixture) {
    binding_free(fixture->binding, &fixture->plans.budget);
    plan_cache_free(&fixture->cache);
    plan_fixture_close(&fixture->plans);
}

/* --- all places that hold addresses --- */

typedef struct Place {
    int buffer;
    const void *address;
} Place;

typedef struct Places {
    Place items[MAX_PLACES];
    size_t count;
} Places;

static void add_place(Places *places, int buffer, const void *address) {
    if (buffer == NO_BUFFER) {
        assert_null(address);
        return;
    }
    assert_true(places->count < MAX_PLACES);
    places->items[places->count++] = (Place){buffer, address};
}

static void add_step(Places *places, const Step *step, const BoundStep *bound) {
    const bool is_reference = step->kind == STEP_REFERENCE;
    assert_int_equal(bound->tensors != NULL, is_reference);
    for (int i = 0; i < step->n_inputs; i++) {
        add_place(places, step->inputs[i], bound->inputs[i]);
        if (is_reference && step->inputs[i] != NO_BUFFER)
            add_place(places, step->inputs[i], bound->reference_inputs[i]->data);
    }
    for (int i = 0; i < step->n_outputs; i++) {
        add_place(places, step->outputs[i], bound->outputs[i]);
        if (is_reference && step->outputs[i] != NO_BUFFER)
            add_place(places, step->outputs[i], bound->reference_outputs[i]->data);
    }
    add_place(places, step->workspace, bound->workspace);
}

static Places list_places(const Fixture *fixture) {
    Places places = {.count = 0};
    for (size_t i = 0; i < fixture->plan->n_steps; i++)
        add_step(&places, &fixture->plan->steps[i], &fixture->binding->steps[i]);
    assert_true(places.count > 3);
    return places;
}

/* --- what they should hold --- */

typedef struct Memory {
    char *arena;
    const void *const *inputs;
    void *const *outputs;
} Memory;

static const void *address_of(const Plan *plan, int buffer, const Memory *memory) {
    size_t offset;
    const Buffer *root = &plan->buffers[buffer_root(plan, buffer, &offset)];
    switch (root->kind) {
    case BUFFER_ARENA:
        return memory->arena + root->arena_offset + offset;
    case BUFFER_INPUT:
        return (const char *)memory->inputs[root->port] + offset;
    case BUFFER_OUTPUT:
        return (const char *)memory->outputs[root->port] + offset;
    default:
        return (const char *)root->fixed + offset;
    }
}

static void expect_addresses(const Fixture *fixture, const Memory *memory) {
    const Places places = list_places(fixture);
    for (size_t i = 0; i < places.count; i++)
        assert_ptr_equal(places.items[i].address, address_of(fixture->plan, places.items[i].buffer, memory));
}

static size_t count_kind(const Fixture *fixture, BufferKind kind) {
    const Places places = list_places(fixture);
    size_t count = 0, offset;
    for (size_t i = 0; i < places.count; i++)
        count +=
            fixture->plan->buffers[buffer_root(fixture->plan, places.items[i].buffer, &offset)].kind == kind;
    return count;
}

static void resolve(Fixture *fixture, char *arena) {
    char *const arenas[MAX_DEVICES] = {arena};
    binding_resolve(fixture->binding, arenas);
}

/* --- tests --- */

static char inputs_a[256], inputs_b[256], outputs_a[2][256], outputs_b[2][256], arena_a[8192], arena_b[8192];

static void addresses_follow_arenas_and_what_is_brought(void **state) {
    (void)state;
    for (size_t item = 0; item < 3; item += 2)
        for (int reference = 0; reference < 2; reference++) {
            Fixture fixture;
            const void *in_a[] = {inputs_a}, *in_b[] = {inputs_b};
            void *out_a[] = {outputs_a[0], outputs_a[1]}, *out_b[] = {outputs_b[0], outputs_b[1]};
            open_binding(&fixture, item, reference);
            assert_true(count_kind(&fixture, BUFFER_INPUT) > 0);
            assert_true(count_kind(&fixture, BUFFER_ARENA) > 0);
            assert_int_equal(count_kind(&fixture, BUFFER_OUTPUT) > 0, item == 0);
            assert_int_equal(fixture.binding->n_ports,
                             count_kind(&fixture, BUFFER_INPUT) + count_kind(&fixture, BUFFER_OUTPUT));
            resolve(&fixture, arena_a);
            binding_bring(fixture.binding, in_a, out_a);
            expect_addresses(&fixture, &(Memory){arena_a, in_a, out_a});
            binding_bring(fixture.binding, in_b, out_a);
            expect_addresses(&fixture, &(Memory){arena_a, in_b, out_a});
            resolve(&fixture, arena_b);
            expect_addresses(&fixture, &(Memory){arena_b, in_b, out_a});
            binding_bring(fixture.binding, in_b, out_b);
            expect_addresses(&fixture, &(Memory){arena_b, in_b, out_b});
            resolve(&fixture, arena_a);
            expect_addresses(&fixture, &(Memory){arena_a, in_b, out_b});
            close_binding(&fixture);
        }
}

static void a_buffer_is_where_the_arena_says(void **state) {
    (void)state;
    Fixture fixture;
    open_binding(&fixture, 2, false);
    resolve(&fixture, arena_a);
    const int output = fixture.plan->outputs[0];
    assert_ptr_equal(binding_address(fixture.binding, output),
                     address_of(fixture.plan, output, &(Memory){.arena = arena_a}));
    resolve(&fixture, arena_b);
    assert_ptr_equal(binding_address(fixture.binding, output),
                     address_of(fixture.plan, output, &(Memory){.arena = arena_b}));
    close_binding(&fixture);
}

/* Each session has its own; the plan does not change. */
static void two_bindings_of_a_plan_do_not_meet(void **state) {
    (void)state;
    Fixture fixture;
    open_binding(&fixture, 0, false);
    const void *in_a[] = {inputs_a}, *in_b[] = {inputs_b};
    void *out_a[] = {outputs_a[0], outputs_a[1]}, *out_b[] = {outputs_b[0], outputs_b[1]};
    const Type type = type_of(STRIDER_F32, DIMS(4, 8));
    const Tensor *const contents[] = {NULL};
    const PlanRequest request = plan_fixture_request(&fixture.plans, 0, &type, contents);
    Fixture other = fixture;
    CachedPlan *cached = NULL;
    Error error;
    assert_int_equal(plan_cache_get(&fixture.cache, &request, &cached, &error), STRIDER_OK);
    assert_ptr_equal(cached->plan, fixture.plan);
    assert_int_equal(binding_make(cached, &fixture.plans.counter.allocator, &other.binding, &error),
                     STRIDER_OK);
    resolve(&fixture, arena_a);
    resolve(&other, arena_b);
    binding_bring(fixture.binding, in_a, out_a);
    binding_bring(other.binding, in_b, out_b);
    expect_addresses(&fixture, &(Memory){arena_a, in_a, out_a});
    expect_addresses(&other, &(Memory){arena_b, in_b, out_b});
    assert_int_equal(cached->holders, 2);
    binding_free(other.binding, &fixture.plans.budget);
    assert_int_equal(cached->holders, 1);
    expect_addresses(&fixture, &(Memory){arena_a, in_a, out_a});
    close_binding(&fixture);
}

/* The plan stays its holder's then. */
static void without_memory_there_is_no_binding(void **state) {
    (void)state;
    Fixture fixture;
    open_binding(&fixture, 0, true);
    Counter *counter = &fixture.plans.counter;
    const size_t blocks = counter->blocks;
    size_t refused = 0;
    Binding *binding = fixture.binding;
    Error error;
    for (;;) {
        counter->max_allocations = counter->allocations + refused++;
        if (!binding_make(fixture.binding->cached, &counter->allocator, &binding, &error))
            break;
        assert_null(binding);
        assert_int_equal(error.status, STRIDER_OUT_OF_MEMORY);
        assert_int_equal(counter->blocks, blocks);
        assert_int_equal(fixture.binding->cached->holders, 1);
    }
    assert_true(refused > 1);
    counter->max_allocations = SIZE_MAX;
    binding->cached->holders++; /* as the cache would have counted it */
    assert_true(budget_book(&fixture.plans.budget, (size_t)fixture.plan->budget.used_bytes));
    binding_free(binding, &fixture.plans.budget);
    close_binding(&fixture);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_follow_arenas_and_what_is_brought),
        cmocka_unit_test(a_buffer_is_where_the_arena_says),
        cmocka_unit_test(two_bindings_of_a_plan_do_not_meet),
        cmocka_unit_test(without_memory_there_is_no_binding),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
