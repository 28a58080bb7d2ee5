/* SPDX-License-Identifier: Apache-2.0 */
#include "support/device_case.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "run/devices.h"
#include "run/executor.h"

/* Of the program. */
static struct {
    Device host, *device;
    Budget budget;
    int cases;
} used;

static void close_device(void) {
    used.device->close(used.device);
    printf("%d runs on %s\n", used.cases, getenv("STRIDER_TEST_DEVICE"));
}

static bool open_device(const char *name) {
    Error err;
    const DeviceOptions options = {.max_workspace_bytes = 1 << 20, .allocator = allocator_default()};
    if (used.device)
        return true;
    budget_init(&used.budget, allocator_default(), 1 << 30);
    used.host = cpu_device(allocator_default());
    if (devices_open(name, &options, NULL, &used.device, &err))
        fail_msg("%s", err.message);
    if (used.device)
        atexit(close_device);
    return used.device != NULL;
}

typedef struct Case {
    const OpTest *test;
    const Node *node;
    Region region; /* of the program */
    const Program *program;
    PlanCache plans;
    CachedPlan *cached;
    Binding *binding;
    PackCache packs[2];
    void *arenas[MAX_DEVICES], *scratch;
    const void *inputs[OP_TEST_MAX_PORTS];
    Error err;
} Case;

static const Tensor *tensor_of(const Case *c, const Value *value) {
    for (int i = 0; i < c->test->n_inputs; i++)
        if (c->node->inputs[i] == value)
            return &c->test->inputs[i];
    return NULL;
}

/* Of a program that is one partition. */
static Status make_plan(Case *c, const Partition *partition) {
    Type types[OP_TEST_MAX_PORTS];
    const Tensor *contents[OP_TEST_MAX_PORTS] = {0};
    for (size_t i = 0; i < partition->n_inputs; i++) {
        const Tensor *tensor = tensor_of(c, partition->inputs[i].value);
        types[i] = tensor->type;
        c->inputs[i] = tensor->data;
        if (partition->inputs[i].shapes)
            contents[i] = tensor;
    }
    const PlanTarget target = {.devices = {{&used.host, &c->packs[0]}, {used.device, &c->packs[1]}},
                               .n_devices = 2,
                               .cpu = cpu_target(),
                               .max_layer_error = 1e-5,
                               .shapes = STRIDER_SHAPES_WARN};
    const PlanRequest request = {.partition = partition,
                                 .inputs = types,
                                 .contents = contents,
                                 .target = &target,
                                 .threads = 1,
                                 .max_pack_bytes = UINT64_MAX,
                                 .budget = &used.budget,
                                 .allocator = allocator_default()};
    TRY(plan_cache_get(&c->plans, &request, &c->cached, &c->err));
    return binding_make(c->cached, allocator_default(), &c->binding, &c->err);
}

static bool runs_on_device(const Plan *plan) {
    for (size_t i = 0; i < plan->n_steps; i++)
        if (plan->steps[i].kind == STEP_SUBMIT)
            return true;
    return false;
}

static Status run_plan(Case *c) {
    const Plan *plan = c->binding->plan;
    for (int i = 0; i < 2; i++)
        TRY(plan->devices[i]->reserve(plan->devices[i], plan->arena_bytes[i], &c->arenas[i], &c->err));
    c->scratch = memory_alloc(allocator_default(), plan->scratch_bytes);
    binding_resolve(c->binding, (char *const *)c->arenas);
    binding_bring(c->binding, c->inputs, NULL);
    const Execution execution = {.plan = plan,
                                 .binding = c->binding,
                                 .arenas = (char *const *)c->arenas,
                                 .scratch = c->scratch,
                                 .scratch_stride = plan->scratch_bytes,
                                 .threads = 1};
    return execute(&execution, &c->err);
}

/* Sums of many terms lose digits of the largest, so that small results may be off by some of these. */
static void compare(const Case *c, int port, const Tensor *expected) {
    const Plan *plan = c->binding->plan;
    const Partition *partition = plan->partition;
    double largest = 0;
    size_t at = 0;
    if (!c->node->outputs[port] || !expected->data)
        return;
    while (partition->outputs[at] != c->node->outputs[port])
        at++;
    Tensor got = tensor_view(expected->type.dtype, &expected->type.shape,
                             (void *)binding_address(c->binding, plan->outputs[at]));
    for (int64_t i = 0; i < tensor_elements(expected); i++) {
        const double value = fabs(tensor_get_f64(expected, i));
        largest = isfinite(value) && value > largest ? value : largest;
    }
    assert_tensor_close(&got, expected, 1e-5, 2e-6 * largest);
}

static void run_planned(Case *c, const Partition *partition) {
    if (make_plan(c, partition))
        fail_msg("%s: %s", c->test->op, c->err.message);
    if (runs_on_device(c->binding->plan)) {
        if (run_plan(c))
            fail_msg("%s: %s", c->test->op, c->err.message);
        used.cases++;
        for (int i = 0; i < c->node->n_outputs; i++)
            compare(c, i, &c->test->outputs[i]);
    }
    binding_free(c->binding, &used.budget);
}

static void run_case(const OpTest *test, Graph *graph, const Node *node) {
    Case c = {.test = test, .node = node};
    Device *const devices[] = {&used.host, used.device};
    region_init(&c.region, allocator_default(), 0);
    plan_cache_init(&c.plans, allocator_default());
    for (int i = 0; i < 2; i++) {
        const PackMemory memory = device_pack_memory(devices[i]);
        if (pack_cache_init(&c.packs[i], &memory, &c.err))
            fail_msg("%s", c.err.message);
    }
    if (program_make(graph, &c.region, &(int){0}, &c.program, &c.err))
        fail_msg("%s: %s", test->op, c.err.message);
    if (c.program->n_items == 1 && c.program->items[0].kind == ITEM_PARTITION)
        run_planned(&c, &c.program->items[0].partition);
    for (int i = 0; i < 2; i++) {
        devices[i]->release(devices[i], c.arenas[i]);
        pack_cache_free(&c.packs[i]);
    }
    plan_cache_free(&c.plans);
    region_free(&c.region);
    memory_free(allocator_default(), c.scratch);
}

int device_case_count(void) {
    return used.cases;
}

void device_case_run(const OpTest *test, Graph *graph, Node *node) {
    const char *name = getenv("STRIDER_TEST_DEVICE");
    Error err;
    if (!name || !open_device(name))
        return;
    run_case(test, graph, node);
    /* Once more as in most models: all but the first input are constants. */
    for (int i = 1; i < test->n_inputs; i++)
        if (node->inputs[i] && !node->inputs[i]->constant && test->inputs[i].data &&
            graph_set_constant(
                graph, node->inputs[i],
                tensor_view(test->inputs[i].type.dtype, &test->inputs[i].type.shape, test->inputs[i].data),
                &err))
            fail_msg("%s", err.message);
    run_case(test, graph, node);
}

Tensor device_case_fill(int port, Shape shape) {
    static float values[OP_TEST_MAX_PORTS][DEVICE_CASE_FLOATS];
    const size_t count = (size_t)shape_elements(&shape);
    assert_true(count <= DEVICE_CASE_FLOATS);
    fill_random(values[port], count, 7 + (uint64_t)port);
    return op_test_tensor(STRIDER_F32, shape, values[port], count * sizeof **values);
}

Tensor device_case_integers(DType dtype, int64_t count, int period) {
    static double values[DEVICE_CASE_MARKS];
    static uint64_t memory[DEVICE_CASE_MARKS];
    assert_true(count <= DEVICE_CASE_MARKS);
    for (int64_t i = 0; i < count; i++)
        values[i] = (double)(i * 7 % period);
    return op_test_convert(dtype, DIMS(count), memory, values, (size_t)count);
}

Tensor device_case_bools(Shape shape) {
    static uint8_t values[DEVICE_CASE_MARKS];
    const int64_t count = shape_elements(&shape);
    assert_true(count <= DEVICE_CASE_MARKS);
    for (int64_t i = 0; i < count; i++)
        values[i] = i * 7 % 3 != 0;
    return op_test_tensor(STRIDER_BOOL, shape, values, (size_t)count);
}

static void must_run(OpTest *test, int times) {
    const int before = used.cases;
    const Status status = op_test_run(test);
    if (status)
        fail_msg("%s: %s", test->op, test->error.message);
    op_test_free(test);
    if (getenv("STRIDER_TEST_DEVICE") && used.cases < before + times)
        fail_msg("%s: the device takes it %d times, must take it %d", test->op, used.cases - before, times);
}

void device_case_must_run(OpTest *test) {
    must_run(test, 1);
}

void device_case_must_run_twice(OpTest *test) {
    must_run(test, 2);
}
