/* SPDX-License-Identifier: Apache-2.0 */
/* A plan asks a kernel only where the CPU has what that requires. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include "ops/op.h"
#include "plan/plan.h"

#include <cmocka.h>

static Error error;

#define OK(EXPRESSION)                                                                                       \
    do {                                                                                                     \
        Status ok_status = (EXPRESSION);                                                                     \
        if (ok_status)                                                                                       \
            fail_msg("%s: %s", #EXPRESSION, error.message);                                                  \
    } while (0)

static int times_asked;

static bool accepts(KernelQuery *query) {
    times_asked++;
    return query->inputs[0].type.dtype == STRIDER_F32;
}

static double cost(const KernelQuery *query) {
    (void)query;
    return 1;
}

static Status prepare(const KernelQuery *query, PrepareContext *ctx, KernelInstance *instance) {
    (void)query;
    (void)ctx;
    instance->tasks = 1;
    return STRIDER_OK;
}

/* Plans one Relu on a CPU of that one kernel; returns what computes it. */
static const char *kernel_chosen(const Kernel *kernel, const CpuTarget *cpu) {
    Graph graph;
    Value *x = NULL, *y = NULL;
    Node *node = NULL;
    const int64_t dims[] = {1, 3, 4, 4};
    const Type type = type_of(STRIDER_F32, shape_make(4, dims));
    graph_init(&graph, allocator_default());
    OK(graph_add_value(&graph, "x", &x, &error));
    OK(graph_add_value(&graph, "y", &y, &error));
    x->type = value_type_tensor(type);
    OK(graph_add_input(&graph, x, &error));
    OK(graph_add_node(&graph, op_find("", "Relu", 14), "relu", 1, 1, &node, &error));
    node_set_input(node, 0, x);
    node_set_output(node, 0, y);
    OK(graph_add_output(&graph, y, &error));
    Region region;
    const Program *program = NULL;
    region_init(&region, allocator_default(), 0);
    OK(program_make(&graph, &region, &(int){0}, &program, &error));
    assert_int_equal(program->n_items, 1);
    Budget budget;
    budget_init(&budget, allocator_default(), UINT64_MAX);
    Device host = cpu_device(allocator_default());
    host.kernels = &kernel;
    host.n_kernels = 1;
    PackCache packs;
    const PackMemory memory = device_pack_memory(&host);
    OK(pack_cache_init(&packs, &memory, &error));
    const PlanTarget target = {.devices = {{&host, &packs}}, .n_devices = 1, .cpu = cpu};
    const Tensor *contents[1] = {NULL};
    const PlanRequest request = {.partition = &program->items[0].partition,
                                 .inputs = &type,
                                 .contents = contents,
                                 .target = &target,
                                 .threads = 1,
                                 .max_pack_bytes = UINT64_MAX,
                                 .budget = &budget,
                                 .allocator = allocator_default()};
    const Plan *plan = NULL;
    times_asked = 0;
    OK(plan_make(&request, &plan, &error));
    assert_int_equal(plan->n_steps, 1);
    const char *chosen = plan->steps[0].kernel;
    plan_free(plan);
    pack_cache_free(&packs);
    budget_free(&budget);
    region_free(&region);
    graph_free(&graph);
    return chosen;
}

static void a_kernel_that_requires_nothing_is_asked(void **state) {
    (void)state;
    const Kernel kernel = {
        .name = "made up", .op = OP_Relu, .accepts = accepts, .cost = cost, .prepare = prepare};
    assert_string_equal(kernel_chosen(&kernel, cpu_target()), "made up");
    assert_true(times_asked > 0);
}

static void what_the_target_has_is_enough(void **state) {
    (void)state;
    const Kernel kernel = {.name = "made up",
                           .op = OP_Relu,
                           .requires = cpu_target_features(cpu_target()),
                           .accepts = accepts,
                           .cost = cost,
                           .prepare = prepare};
    assert_string_equal(kernel_chosen(&kernel, cpu_target()), "made up");
}

/* The first target may use no feature, whatever this CPU has. */
static void a_kernel_is_not_asked_where_one_feature_is_missing(void **state) {
    (void)state;
    const CpuFeatures missing[] = {CPU_AVX2, CPU_AVX512_VNNI, CPU_AMX_BF16};
    for (size_t i = 0; i < sizeof missing / sizeof *missing; i++) {
        const Kernel kernel = {.name = "made up",
                               .op = OP_Relu,
                               .requires = missing[i],
                               .accepts = accepts,
                               .cost = cost,
                               .prepare = prepare};
        assert_string_equal(kernel_chosen(&kernel, &cpu_targets[0]), "reference");
        assert_int_equal(times_asked, 0);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_kernel_that_requires_nothing_is_asked),
        cmocka_unit_test(what_the_target_has_is_enough),
        cmocka_unit_test(a_kernel_is_not_asked_where_one_feature_is_missing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
