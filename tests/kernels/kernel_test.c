/* SPDX-License-Identifier: Apache-2.0 */
#include "kernel_test.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/wrap.h"
#include "graph/evaluate.h"
#include "guarded.h"
#include "ops/cpu/cpu.h"
#include "ops/device.h"
#include "ops/op.h"

enum { MAX_KERNELS = 1024, PORTS = OP_TEST_MAX_PORTS };

const int64_t test_channels[N_TEST_CHANNELS] = {1, 3, 4, 5, 8, 15, 16, 17, 33};

/* Which kernels accepted a test's node, on which targets; and with constants that come with each run. */
static bool tested[MAX_KERNELS][CPU_TARGET_COUNT], tested_varying[MAX_KERNELS][CPU_TARGET_COUNT];

WRAPS_AROUND int64_t random_below(uint64_t *seed, int64_t n) {
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return (int64_t)((*seed >> 33) % (uint64_t)n);
}

/* --- a node with its inputs and what the reference makes of them --- */

typedef struct Fixture {
    const KernelTest *test;
    Graph graph;
    Node *node;
    Guarded memory[PORTS]; /* of constants, at an odd address */
    Tensor inputs[PORTS], unaligned[PORTS], outputs[PORTS];
    ValueType output_types[PORTS];
    int n_outputs;
    Error error;
} Fixture;

#define OK(expression)                                                                                       \
    do {                                                                                                     \
        Status ok_status = (expression);                                                                     \
        if (ok_status)                                                                                       \
            fail_msg("%s: %s", #expression, fixture->error.message);                                         \
    } while (0)

static void fill_input(const KernelTest *test, Tensor *tensor, int port) {
    float *values = tensor->data;
    int64_t count = tensor_elements(tensor);
    uint64_t seed = test->seed + 77 * (uint64_t)port;
    float low = test->low, high = test->high;
    if (low == 0 && high == 0) {
        low = -1;
        high = 1;
    }
    fill_random(values, (size_t)count, test->seed * 31 + (uint64_t)port);
    for (int64_t i = 0; i < count; i++)
        values[i] = low + (high - low) * (values[i] + 1) / 2;
    static const float special[] = {NAN, INFINITY, -INFINITY, -0.0f};
    for (int i = 0; (test->with_nan >> port & 1) && count && i < 4; i++)
        values[random_below(&seed, count)] = special[i];
}

static void add_input(Fixture *fixture, int port) {
    const KernelTest *test = fixture->test;
    Error *err = &fixture->error;
    if (test->absent >> port & 1)
        return;
    char name[8] = {'i', (char)('a' + port)};
    Value *value = NULL;
    Tensor *tensor = &fixture->inputs[port];
    DType dtype = test->given[port].type.dtype ? test->given[port].type.dtype : STRIDER_F32;
    const Shape *shape = dtype == STRIDER_F32 && !test->given[port].type.dtype
                             ? &test->inputs[port]
                             : &test->given[port].type.shape;
    OK(tensor_alloc(tensor, allocator_default(), dtype, shape, err));
    if (test->given[port].type.dtype)
        memcpy(tensor->data, test->given[port].data, tensor->size_bytes);
    else
        fill_input(test, tensor, port);
    OK(graph_add_value(&fixture->graph, name, &value, err));
    node_set_input(fixture->node, port, value);
    value->type = value_type_tensor(tensor->type);
    if (!(test->constants >> port & 1)) {
        OK(graph_add_input(&fixture->graph, value, err));
        return;
    }
    /* As in a mapped file: at any address, here an odd one. */
    fixture->memory[port] = guarded_alloc(tensor->size_bytes + 1, 0);
    Tensor *unaligned = &fixture->unaligned[port];
    *unaligned = tensor_view(dtype, shape, (char *)fixture->memory[port].data + 1);
    unaligned->unaligned = true;
    memcpy(unaligned->data, tensor->data, tensor->size_bytes);
    OK(graph_set_constant(&fixture->graph, value, *unaligned, err));
}

void kernel_test_add_operand(KernelTest *test, PostOpKind kind, Shape operand) {
    const int port = test->n_inputs++;
    test->inputs[port] = operand;
    test->constants |= (unsigned)(kind != POST_RESIDUAL) << port;
    test->post_ops[test->n_post_ops++] = (PostOp){.kind = kind, .port = port};
}

void kernel_test_add_activation(KernelTest *test, Unary activation) {
    test->post_ops[test->n_post_ops++] = (PostOp){.kind = POST_ACTIVATION,
                                                  .port = -1,
                                                  .function = (int)activation.kind,
                                                  .alpha = activation.alpha,
                                                  .beta = activation.beta};
}

static void fixture_make(Fixture *fixture, const KernelTest *test, bool evaluates) {
    *fixture = (Fixture){.test = test, .n_outputs = test->n_outputs ? test->n_outputs : 1};
    Error *err = &fixture->error;
    graph_init(&fixture->graph, allocator_default());
    const Op *op = op_find(test->domain ? test->domain : "", test->op, test->opset);
    if (!op)
        fail_msg("no operator %s at opset %d", test->op, test->opset);
    OK(graph_add_node(&fixture->graph, op, "node under test", test->n_inputs, fixture->n_outputs,
                      &fixture->node, err));
    Node *node = fixture->node;
    node->opset = test->opset;
    ValueType types[PORTS];
    const Tensor *inputs[PORTS] = {0};
    for (int i = 0; i < test->n_inputs; i++) {
        add_input(fixture, i);
        types[i] = node->inputs[i] ? node->inputs[i]->type : value_type_unknown();
        inputs[i] = node->inputs[i] ? &fixture->inputs[i] : NULL;
    }
    for (int i = 0; i < fixture->n_outputs; i++) {
        char name[8] = {'o', (char)('a' + i)};
        Value *value = NULL;
        if (test->unused_outputs >> i & 1)
            continue;
        OK(graph_add_value(&fixture->graph, name, &value, err));
        node_set_output(node, i, value);
    }
    size_t n_attrs = 0;
    while (n_attrs < sizeof test->attrs / sizeof *test->attrs && test->attrs[n_attrs].name)
        n_attrs++;
    AttrList attrs = {(Attr *)test->attrs, n_attrs};
    ParseContext parse = {.node = node, .attrs = &attrs, .region = &fixture->graph.region, .err = err};
    if (op->parse)
        OK(op->parse(&parse, node->attrs));
    node->post_ops = test->post_ops;
    node->n_post_ops = test->n_post_ops;
    if (test->adjust)
        test->adjust(node);
    OK(node_infer(node, types, inputs, fixture->graph.symbols, fixture->output_types, err));
    if (evaluates)
        OK(node_evaluate(node, inputs, fixture->output_types, fixture->outputs, allocator_default(), err));
}

static void fixture_free(Fixture *fixture) {
    for (int i = 0; i < PORTS; i++) {
        tensor_free(&fixture->inputs[i]);
        tensor_free(&fixture->outputs[i]);
        guarded_free(&fixture->memory[i]);
    }
    graph_free(&fixture->graph);
}

/* --- layouts, written to be obvious --- */

/* Where element `i` of channel `c` of image `n` lies in blocks, in elements. */
static int64_t blocked_at(const Shape *shape, int block, int64_t n, int64_t c, int64_t i) {
    const int64_t blocks = (shape->dims[1] + block - 1) / block, plane = shape_size(shape, 2, shape->rank);
    return ((n * blocks + c / block) * plane + i) * block + c % block;
}

static void to_blocks(const Tensor *plain, int block, char *to) {
    const Shape *shape = &plain->type.shape;
    const size_t size = dtype_size(plain->type.dtype);
    const int64_t channels = shape->dims[1], plane = shape_size(shape, 2, shape->rank);
    const int64_t padded = (channels + block - 1) / block * block;
    for (int64_t n = 0; n < shape->dims[0]; n++)
        for (int64_t c = 0; c < padded; c++)
            for (int64_t i = 0; i < plane; i++) {
                char *element = to + (size_t)blocked_at(shape, block, n, c, i) * size;
                const size_t from = (size_t)((n * channels + c) * plane + i) * size;
                if (c < channels)
                    memcpy(element, (const char *)plain->data + from, size);
                else
                    memset(element, 0, size);
            }
}

static void check_and_flatten(const char *blocked, int block, const char *what, Tensor *plain) {
    static const char zeros[8];
    const Shape *shape = &plain->type.shape;
    const size_t size = dtype_size(plain->type.dtype);
    const int64_t channels = shape->dims[1], plane = shape_size(shape, 2, shape->rank);
    const int64_t padded = (channels + block - 1) / block * block;
    for (int64_t n = 0; n < shape->dims[0]; n++)
        for (int64_t c = 0; c < padded; c++)
            for (int64_t i = 0; i < plane; i++) {
                const char *element = blocked + (size_t)blocked_at(shape, block, n, c, i) * size;
                const size_t to = (size_t)((n * channels + c) * plane + i) * size;
                if (c < channels)
                    memcpy((char *)plain->data + to, element, size);
                else if (memcmp(element, zeros, size) != 0)
                    fail_msg("%s: padding channel %lld of pixel %lld is not zero", what,
                             (long long)(c - channels), (long long)i);
            }
}

/* --- one kernel --- */

typedef struct Bench {
    Fixture *fixture;
    const Kernel *kernel;
    unsigned varying; /* bit i: the constant i is an input of each run */
    bool knows;       /* these, while planning */
    KernelQuery query;
    Operand inputs[PORTS], outputs[PORTS];
    Region region;
    Device device;
    PackCache packs;
    KernelInstance instance;
    Guarded input_memory[PORTS], output_memory[PORTS], scratch, workspace;
    const void *input_pointers[PORTS];
    void *output_pointers[PORTS];
    char what[200];
} Bench;

static void bench_query(Bench *bench, unsigned blocked) {
    Fixture *fixture = bench->fixture;
    bench->query.n_inputs = fixture->node->n_inputs;
    bench->query.n_outputs = fixture->node->n_outputs;
    bench->query.inputs = bench->inputs;
    bench->query.outputs = bench->outputs;
    for (int i = 0; i < bench->query.n_inputs; i++) {
        const Value *value = fixture->node->inputs[i];
        bench->inputs[i] = (Operand){.layout = layout_plain()};
        if (!value)
            continue;
        bench->inputs[i].type = value->type.tensor;
        bench->inputs[i].constant = bench->varying >> i & 1 ? NULL : value->constant;
        bench->inputs[i].contents = bench->varying >> i & 1 && !bench->knows ? NULL : value->constant;
        if (blocked >> i & 1)
            bench->inputs[i].layout = cpu_blocked(&bench->query);
    }
    for (int i = 0; i < bench->query.n_outputs; i++) {
        bench->outputs[i] = (Operand){.layout = layout_plain()};
        if (fixture->node->outputs[i])
            bench->outputs[i].type = fixture->output_types[i].tensor;
    }
}

/* The last `size_bytes` of the memory, or a little more for alignment: its end stays close to the guard page.
 */
static void *aligned_end(const Guarded *guarded, size_t size_bytes) {
    char *end = (char *)guarded->data + size_bytes + MEMORY_ALIGNMENT;
    return (void *)((uintptr_t)(end - size_bytes) & ~(uintptr_t)(MEMORY_ALIGNMENT - 1));
}

static size_t operand_bytes(const Operand *operand) {
    size_t size_bytes = 0;
    assert_true(layout_size(&operand->type, operand->layout, &size_bytes));
    return size_bytes;
}

static void bench_alloc(Bench *bench, int at_end) {
    Fixture *fixture = bench->fixture;
    for (int i = 0; i < bench->query.n_inputs; i++) {
        const Operand *operand = &bench->inputs[i];
        bench->input_pointers[i] = NULL;
        if (!fixture->node->inputs[i] || operand->packed)
            continue;
        bench->input_memory[i] = guarded_alloc(operand_bytes(operand), at_end);
        if (operand->layout.kind == LAYOUT_PLAIN)
            memcpy(bench->input_memory[i].data, fixture->inputs[i].data, fixture->inputs[i].size_bytes);
        else
            to_blocks(&fixture->inputs[i], operand->layout.block, bench->input_memory[i].data);
        bench->input_pointers[i] = bench->input_memory[i].data;
    }
    for (int i = 0; i < bench->query.n_outputs; i++) {
        bench->output_pointers[i] = NULL;
        if (!fixture->node->outputs[i])
            continue;
        bench->output_memory[i] = guarded_alloc(operand_bytes(&bench->outputs[i]), at_end);
        bench->output_pointers[i] = bench->output_memory[i].data;
    }
    bench->scratch = guarded_alloc(bench->instance.scratch_bytes.n + MEMORY_ALIGNMENT, 1);
    bench->workspace = guarded_alloc(bench->instance.workspace_bytes.n + MEMORY_ALIGNMENT, 1);
}

static void bench_free_memory(Bench *bench) {
    for (int i = 0; i < PORTS; i++) {
        guarded_free(&bench->input_memory[i]);
        guarded_free(&bench->output_memory[i]);
    }
    guarded_free(&bench->scratch);
    guarded_free(&bench->workspace);
}

static void bench_run(Bench *bench, bool backwards) {
    const KernelInstance *instance = &bench->instance;
    Fixture *fixture = bench->fixture;
    KernelCall call = {.inputs = bench->input_pointers,
                       .outputs = bench->output_pointers,
                       .scratch = aligned_end(&bench->scratch, instance->scratch_bytes.n),
                       .workspace = aligned_end(&bench->workspace, instance->workspace_bytes.n),
                       .args = instance->args};
    memset(call.workspace, 0xff, instance->workspace_bytes.n);
    if (instance->check)
        OK(instance->check(&call, &fixture->error));
    for (int64_t i = 0; i < instance->prologue_tasks; i++) {
        memset(call.scratch, 0xff, instance->scratch_bytes.n);
        instance->prologue(&call, backwards ? instance->prologue_tasks - 1 - i : i);
    }
    for (int64_t i = 0; i < instance->tasks; i++) {
        memset(call.scratch, 0xff, instance->scratch_bytes.n); /* nothing may be kept from task to task */
        instance->run(&call, backwards ? instance->tasks - 1 - i : i);
    }
}

static void check_output(Bench *bench, int port) {
    Fixture *fixture = bench->fixture;
    const KernelTest *test = fixture->test;
    const Operand *operand = &bench->outputs[port];
    const Tensor *expected = &fixture->outputs[port];
    Tensor got = {0};
    OK(tensor_alloc(&got, allocator_default(), operand->type.dtype, &operand->type.shape, &fixture->error));
    if (operand->layout.kind == LAYOUT_PLAIN)
        memcpy(got.data, bench->output_pointers[port], got.size_bytes);
    else
        check_and_flatten(bench->output_pointers[port], operand->layout.block, bench->what, &got);
    double atol = test->atol > 0 ? test->atol : 1e-5;
    atol += bench->kernel->peak_error * test->peak;
    bool only_padding = test->only_padding || (test->with_nan && bench->kernel->peak_error > 0);
    for (int64_t i = 0; i < tensor_elements(expected); i++) {
        double a = tensor_get_f64(&got, i), b = tensor_get_f64(expected, i);
        bool same = a == b || (isnan(a) && isnan(b));
        if (!only_padding && !same && !(fabs(a - b) <= atol + test->rtol * fabs(b)))
            fail_msg("%s: output %d, element %lld is %.9g, the reference says %.9g", bench->what, port,
                     (long long)i, a, b);
    }
    tensor_free(&got);
}

static void check_outputs(Bench *bench) {
    for (int i = 0; i < bench->query.n_outputs; i++)
        if (bench->output_pointers[i])
            check_output(bench, i);
}

/* Runs in the reverse order, at other addresses: the bits must be the same. */
static void check_again(Bench *bench) {
    void *before[PORTS] = {0};
    for (int i = 0; i < bench->query.n_outputs; i++)
        if (bench->output_pointers[i]) {
            before[i] = memory_alloc(allocator_default(), operand_bytes(&bench->outputs[i]));
            memcpy(before[i], bench->output_pointers[i], operand_bytes(&bench->outputs[i]));
        }
    bench_free_memory(bench);
    bench_alloc(bench, 0);
    bench_run(bench, true);
    for (int i = 0; i < bench->query.n_outputs; i++) {
        if (before[i] && memcmp(before[i], bench->output_pointers[i], operand_bytes(&bench->outputs[i])) != 0)
            fail_msg("%s: output %d differs when tasks run in another order", bench->what, i);
        memory_free(allocator_default(), before[i]);
    }
}

/* With the output in the memory of an input. */
static void check_in_place(Bench *bench) {
    for (int i = 0; i < bench->query.n_inputs; i++) {
        const Operand *operand = &bench->inputs[i];
        if (!(bench->kernel->overwrites >> i & 1) || !bench->input_pointers[i] ||
            !layout_equal(operand->layout, bench->outputs[0].layout) ||
            operand_bytes(operand) != operand_bytes(&bench->outputs[0]))
            continue;
        bench_free_memory(bench);
        bench_alloc(bench, 1);
        void *own = bench->output_pointers[0];
        bench->output_pointers[0] = (void *)bench->input_pointers[i];
        bench_run(bench, false);
        check_output(bench, 0);
        bench->output_pointers[0] = own;
    }
}

/* What the plan relies on when it lets producers write into Concat's output, and readers read parts. */
static void check_parts(Bench *bench) {
    const Kernel *kernel = bench->kernel;
    size_t offset;
    for (int i = 0; kernel->output_part && i < bench->query.n_outputs; i++)
        if (bench->output_pointers[i] && kernel->output_part(&bench->query, i, &offset)) {
            size_t size_bytes = operand_bytes(&bench->outputs[i]);
            assert_true(offset + size_bytes <= operand_bytes(&bench->inputs[0]));
            assert_memory_equal((const char *)bench->input_pointers[0] + offset, bench->output_pointers[i],
                                size_bytes);
        }
    for (int i = 0; kernel->input_part && i < bench->query.n_inputs; i++)
        if (bench->input_pointers[i] && kernel->input_part(&bench->query, i, &offset)) {
            size_t size_bytes = operand_bytes(&bench->inputs[i]);
            char *place = (char *)bench->output_pointers[0] + offset;
            assert_true(offset + size_bytes <= operand_bytes(&bench->outputs[0]));
            assert_memory_equal(place, bench->input_pointers[i], size_bytes);
            const void *own = bench->input_pointers[i];
            bench->input_pointers[i] = place;
            bench_run(bench, false);
            assert_memory_equal(place, own, size_bytes);
            bench->input_pointers[i] = own;
        }
}

static bool bench_accepts(Bench *bench, unsigned blocked, const CpuTarget *target) {
    bench->query = (KernelQuery){.node = bench->fixture->node, .target = target, .width = target->width};
    bench_query(bench, blocked);
    return bench->kernel->accepts(&bench->query);
}

static void bench_prepare(Bench *bench, unsigned blocked) {
    Fixture *fixture = bench->fixture;
    snprintf(bench->what, sizeof bench->what, "%s on %s, inputs blocked %x, varying %x, seed %llu",
             bench->kernel->name, bench->query.target->name, blocked, bench->varying,
             (unsigned long long)fixture->test->seed);
    double cost = bench->kernel->cost(&bench->query);
    if (!(cost > 0 && isfinite(cost)))
        fail_msg("%s: cost %g", bench->what, cost);
    region_init(&bench->region, allocator_default(), 0);
    bench->device = cpu_device(allocator_default());
    const PackMemory memory = device_pack_memory(&bench->device);
    OK(pack_cache_init(&bench->packs, &memory, &fixture->error));
    PrepareContext prepare = {.region = &bench->region,
                              .packs = &bench->packs,
                              .max_pack_bytes = UINT64_MAX,
                              .err = &fixture->error,
                              .device = &bench->device};
    OK(bench->kernel->prepare(&bench->query, &prepare, &bench->instance));
    pack_fill_pending(&bench->packs, 1);
    if (!cpu_in_proportion(&bench->query, bench->instance.scratch_bytes, bench->instance.workspace_bytes))
        fail_msg("%s: memory out of proportion, %zu bytes a thread and %zu for all", bench->what,
                 bench->instance.scratch_bytes.n, bench->instance.workspace_bytes.n);
}

/* What this CPU lacks of what the kernel takes on the target. */
static CpuFeatures lacking(const Kernel *kernel, const CpuTarget *target) {
    return (kernel->requires | target->requires) & ~cpu_features();
}

/* Whether the kernel may run on the target on any CPU. */
static bool is_for(const Kernel *kernel, const CpuTarget *target) {
    return !(kernel->requires & ~(target->requires | target->besides));
}

static void bench_free(Bench *bench) {
    bench_free_memory(bench);
    region_free(&bench->region);
    pack_cache_free(&bench->packs);
}

static void check_same_bits(const Bench *bench, const Bench *other) {
    for (int i = 0; i < bench->query.n_outputs; i++)
        if (bench->output_pointers[i] && memcmp(bench->output_pointers[i], other->output_pointers[i],
                                                operand_bytes(&bench->outputs[i])) != 0)
            fail_msg("%s: output %d differs from that with constants", bench->what, i);
}

/* One set of the test's varying constants after the other, from call to call. */
static void check_varying(const Bench *constant, unsigned blocked) {
    static unsigned varying;
    Fixture *fixture = constant->fixture;
    const unsigned all = fixture->test->varying & fixture->test->constants;
    varying = varying ? (varying - 1) & all : all;
    if (!varying)
        varying = all;
    if (!varying)
        return;
    Bench bench = {.fixture = fixture, .kernel = constant->kernel, .varying = varying};
    if (!bench_accepts(&bench, blocked, constant->query.target))
        fail_msg("%s is not accepted with varying %x", constant->what, varying);
    bench_prepare(&bench, blocked);
    bench_alloc(&bench, 1);
    bench_run(&bench, false);
    check_same_bits(&bench, constant);
    const uint64_t packed = varying >> CONV_W & 1 ? 0 : constant->instance.packed_bytes;
    if (bench.instance.packed_bytes != packed)
        fail_msg("%s: %llu bytes are packed once, not %llu", bench.what,
                 (unsigned long long)bench.instance.packed_bytes, (unsigned long long)packed);
    check_again(&bench);
    bench_free(&bench);
}

/* Parameters that only the plan knows make the kernel do the same; it may want constants all the same. */
static void check_known(const Bench *constant, unsigned blocked) {
    Fixture *fixture = constant->fixture;
    Bench bench = {
        .fixture = fixture, .kernel = constant->kernel, .varying = fixture->test->constants, .knows = true};
    if (!bench.varying || !bench_accepts(&bench, blocked, constant->query.target))
        return;
    bench_prepare(&bench, blocked);
    bench_alloc(&bench, 1);
    bench_run(&bench, false);
    check_outputs(&bench);
    bench_free(&bench);
}

/* Whether it accepts the node; what then cannot run here is not run. */
static bool check_kernel(Fixture *fixture, const Kernel *kernel, unsigned blocked, const CpuTarget *target) {
    Bench bench = {.fixture = fixture, .kernel = kernel};
    if (!bench_accepts(&bench, blocked, target))
        return false;
    if (lacking(kernel, target))
        return true;
    bench_prepare(&bench, blocked);
    bench_alloc(&bench, 1);
    bench_run(&bench, false);
    check_outputs(&bench);
    check_again(&bench);
    check_varying(&bench, blocked);
    check_known(&bench, blocked);
    check_parts(&bench);
    check_in_place(&bench);
    bench_free(&bench);
    return true;
}

/* Whether any input in `blocked` cannot come blocked. */
static bool is_impossible(const Fixture *fixture, unsigned blocked) {
    for (int i = 0; i < fixture->node->n_inputs; i++) {
        const Value *value = fixture->node->inputs[i];
        if ((blocked >> i & 1) && (!value || value->constant || !layout_can_block(&value->type.tensor)))
            return true;
    }
    return false;
}

/* Whether any kernel accepts the node. */
static bool check_on_target(Fixture *fixture, const CpuTarget *target) {
    size_t count;
    const Kernel *const *kernels = cpu_kernels(&count);
    const int n_inputs = fixture->test->n_inputs;
    const unsigned combinations = 1u << (n_inputs > 4 ? 4 : n_inputs);
    bool accepted = false;
    for (size_t k = 0; k < count; k++)
        for (unsigned blocked = 0; blocked < combinations; blocked++)
            if (kernels[k]->op == fixture->node->op->kind && is_for(kernels[k], target) &&
                !is_impossible(fixture, blocked) && check_kernel(fixture, kernels[k], blocked, target)) {
                accepted = tested[k][target->index] = true;
                tested_varying[k][target->index] |= (fixture->test->varying & fixture->test->constants) != 0;
            }
    return accepted;
}

void kernel_test_check(KernelTest test) {
    Fixture fixture;
    fixture_make(&fixture, &test, true);
    for (int t = 0; t < CPU_TARGET_COUNT; t++)
        if (!check_on_target(&fixture, &cpu_targets[t]) && test.must_accept)
            fail_msg("no kernel accepts this %s on %s", test.op, cpu_targets[t].name);
    fixture_free(&fixture);
}

/* --- what was tested --- */

void kernel_test_check_coverage(void) {
    size_t count;
    const Kernel *const *kernels = cpu_kernels(&count);
    assert_true(count <= MAX_KERNELS);
    for (size_t k = 0; k < count; k++)
        for (int t = 0; t < CPU_TARGET_COUNT; t++) {
            if (!is_for(kernels[k], &cpu_targets[t]))
                continue;
            if (!tested[k][t])
                fail_msg("kernel %s accepts no test's node on %s: it needs a test", kernels[k]->name,
                         cpu_targets[t].name);
            if ((kernels[k]->op == OP_Conv || kernels[k]->op == OP_ConvTranspose) && !tested_varying[k][t])
                fail_msg("kernel %s accepts no test's node on %s with weights of each run", kernels[k]->name,
                         cpu_targets[t].name);
        }
}

/* Kernels that require nothing lack what their target lacks. */
void kernel_test_report(void) {
    size_t count, n_lacking = 0;
    const Kernel *const *kernels = cpu_kernels(&count);
    char text[CPU_FEATURES_TEXT];
    for (int t = 0; t < CPU_TARGET_COUNT; t++) {
        const CpuTarget *target = &cpu_targets[t];
        if (!cpu_target_runs(target)) {
            n_lacking++;
            printf("not run here: target %s, for want of %s\n", target->name,
                   cpu_features_text(target->requires & ~cpu_features(), text));
        }
        for (size_t k = 0; k < count; k++)
            if (kernels[k]->requires && is_for(kernels[k], target) && lacking(kernels[k], target)) {
                n_lacking++;
                printf("not run here: kernel %s on %s, for want of %s\n", kernels[k]->name, target->name,
                       cpu_features_text(lacking(kernels[k], target), text));
            }
    }
    if (!n_lacking)
        printf("every kernel has run on every target\n");
}

/* --- times --- */

static double now_s(void) {
    return (double)clock_ns() * 1e-9;
}

static void time_kernel(Fixture *fixture, const Kernel *kernel, unsigned blocked, const char *label) {
    Bench bench = {.fixture = fixture, .kernel = kernel};
    if (!kernel_runs(kernel, cpu_target()) || !bench_accepts(&bench, blocked, cpu_target()))
        return;
    bench_prepare(&bench, blocked);
    bench_alloc(&bench, 0);
    KernelCall call = {.inputs = bench.input_pointers,
                       .outputs = bench.output_pointers,
                       .scratch = aligned_end(&bench.scratch, bench.instance.scratch_bytes.n),
                       .workspace = aligned_end(&bench.workspace, bench.instance.workspace_bytes.n),
                       .args = bench.instance.args};
    double best = INFINITY, begin = now_s();
    for (int i = 0; i < 5 || (now_s() - begin < 0.05 && i < 10000); i++) {
        double before = now_s();
        for (int64_t task = 0; task < bench.instance.prologue_tasks; task++)
            bench.instance.prologue(&call, task);
        for (int64_t task = 0; task < bench.instance.tasks; task++)
            bench.instance.run(&call, task);
        best = fmin(best, now_s() - before);
    }
    Type types[PORTS], output_types[PORTS];
    double bytes = 0;
    for (int i = 0; i < bench.query.n_inputs; i++) {
        types[i] = bench.inputs[i].type;
        bytes += (double)fixture->inputs[i].size_bytes;
    }
    for (int i = 0; i < bench.query.n_outputs; i++) {
        output_types[i] = bench.outputs[i].type;
        bytes += bench.output_pointers[i] ? (double)operand_bytes(&bench.outputs[i]) : 0;
    }
    const Op *op = fixture->node->op;
    double macs = op->macs ? (double)op->macs(fixture->node, types, output_types) : 0;
    printf("%-20s %-8s %-44s %9.1f us %8.1f GFLOP/s %7.1f GB/s  cost/time %.2f, %lld tasks\n", kernel->name,
           bench.query.target->name, label, best * 1e6, 2e-9 * macs / best, 1e-9 * bytes / best,
           kernel->cost(&bench.query) * 1e-9 / best, (long long)bench.instance.tasks);
    bench_free(&bench);
}

void kernel_test_time(KernelTest test, const char *label) {
    Fixture fixture;
    fixture_make(&fixture, &test, false);
    size_t count;
    const Kernel *const *kernels = cpu_kernels(&count);
    unsigned all = (1u << test.n_inputs) - 1;
    for (int i = 0; i < test.n_inputs; i++)
        if (is_impossible(&fixture, 1u << i))
            all &= ~(1u << i);
    for (size_t k = 0; k < count; k++)
        if (kernels[k]->op == fixture.node->op->kind)
            time_kernel(&fixture, kernels[k], all, label);
    fixture_free(&fixture);
}
