/* SPDX-License-Identifier: Apache-2.0 */
#include "support/device_case.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "plan/plan.h"
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
    Plan *plan;
    PackCache packs[2];
    void *arenas[2], *scratch;
    strider_tensor inputs[OP_TEST_MAX_PORTS];
    Error err;
} Case;

/* Contents of integers decide shapes; others come with the run. */
static Status make_plan(Case *c, Graph *graph) {
    Given given[2 * OP_TEST_MAX_PORTS] = {0};
    const OpTest *test = c->test;
    int n_inputs = 0;
    for (int i = 0; i < test->n_inputs; i++) {
        const Value *value = c->node->inputs[i];
        if (!value)
            continue;
        const Tensor *tensor = &test->inputs[i];
        strider_tensor *input = &c->inputs[n_inputs++];
        *input = (strider_tensor){
            .dtype = tensor->type.dtype, .rank = tensor->type.shape.rank, .data = tensor->data};
        memcpy(input->dims, tensor->type.shape.dims, sizeof input->dims);
        given[value->index] = (Given){.present = !value->constant, .type = tensor->type};
        if (!dtype_is_float(tensor->type.dtype))
            given[value->index].contents = tensor;
    }
    const PlanRequest request = {.graph = graph,
                                 .given = given,
                                 .devices = {{&used.host, &c->packs[0]}, {used.device, &c->packs[1]}},
                                 .n_devices = 2,
                                 .isa = isa_chosen(),
                                 .threads = 1,
                                 .max_layer_error = 1e-5,
                                 .budget = &used.budget,
                                 .shapes = STRIDER_SHAPES_WARN};
    return plan_make(&request, &c->plan, &c->err);
}

static bool runs_on_device(const Plan *plan) {
    for (size_t i = 0; i < plan->n_steps; i++)
        if (plan->steps[i].kind == STEP_SUBMIT)
            return plan->end_node == plan->graph->n_nodes;
    return false;
}

static Status run_plan(Case *c) {
    for (int i = 0; i < 2; i++)
        TRY(c->plan->devices[i]->reserve(c->plan->devices[i], c->plan->arena_bytes[i], &c->arenas[i],
                                         &c->err));
    c->scratch = memory_alloc(allocator_default(), c->plan->scratch_bytes);
    const Execution execution = {.plan = c->plan,
                                 .arenas = (char *const *)c->arenas,
                                 .scratch = c->scratch,
                                 .scratch_stride = c->plan->scratch_bytes,
                                 .inputs = c->inputs,
                                 .threads = 1};
    return execute(&execution, &c->err);
}

/* Sums of many terms lose digits of the largest, so that small results may be off by some of these. */
static void compare(const Case *c, int port, const Tensor *expected) {
    const Plan *plan = c->plan;
    double largest = 0;
    if (!c->node->outputs[port] || !expected->data)
        return;
    const int slot = plan->plain_slots[c->node->outputs[port]->index];
    Tensor got = tensor_view(expected->type.dtype, &expected->type.shape,
                             plan_address(plan, slot, (char *const *)c->arenas, c->inputs));
    for (int64_t i = 0; i < tensor_elements(expected); i++) {
        const double value = fabs(tensor_get_f64(expected, i));
        largest = isfinite(value) && value > largest ? value : largest;
    }
    assert_tensor_close(&got, expected, 1e-5, 2e-6 * largest);
}

static void run_case(const OpTest *test, Graph *graph, const Node *node) {
    Case c = {.test = test, .node = node};
    Device *const devices[] = {&used.host, used.device};
    for (int i = 0; i < 2; i++)
        if (pack_cache_init(&c.packs[i], devices[i], &c.err))
            fail_msg("%s", c.err.message);
    if (make_plan(&c, graph))
        fail_msg("%s: %s", test->op, c.err.message);
    if (runs_on_device(c.plan)) {
        if (run_plan(&c))
            fail_msg("%s: %s", test->op, c.err.message);
        used.cases++;
        for (int i = 0; i < node->n_outputs; i++)
            compare(&c, i, &test->outputs[i]);
    }
    plan_free(c.plan);
    for (int i = 0; i < 2; i++) {
        devices[i]->release(devices[i], c.arenas[i]);
        pack_cache_free(&c.packs[i]);
    }
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
