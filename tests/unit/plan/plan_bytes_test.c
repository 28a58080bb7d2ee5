/* SPDX-License-Identifier: Apache-2.0 */
/* A plan for the host reads weights where they are, or where they are packed for all sessions: it holds no
 * copy of them. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "run/session.h"
#include "support/counter.h"
#include "support/op_test.h"
#include "support/tiny_model.h"

#include <cmocka.h>

enum { CHANNELS = 64, SIZE = 32, PIXELS = CHANNELS * SIZE * SIZE, ROWS = 1024, OFFSETS = 4 };

/* Each weight but the scales and the square has twice as much. */
enum { MAX_PLAN_BYTES = 64 << 10 };

static void put_random(Proto *graph, const char *name, int rank, const int64_t *dims, uint64_t seed) {
    size_t count = 1;
    for (int i = 0; i < rank; i++)
        count *= (size_t)dims[i];
    float *numbers = malloc(count * sizeof *numbers);
    fill_random(numbers, count, seed);
    put_tensor(graph, name, ONNX_FLOAT, rank, dims, numbers, count * sizeof *numbers);
    free(numbers);
}

static void put_conv(Proto *graph, const char *inputs, const char *output) {
    static const int64_t pads[] = {1, 1, 1, 1};
    Proto conv = make_node("Conv", "", inputs, output);
    proto_ints_attribute(&conv, "pads", pads, 4);
    proto_message(graph, GRAPH_NODE, &conv);
}

/* As dense blocks have them: scales and convolutions over what is put together, here with constants, too. */
static Proto make_dense(int offset) {
    static const int64_t weight[] = {CHANNELS, CHANNELS, 3, 3}, wide[] = {CHANNELS, 2 * CHANNELS, 3, 3},
                         channels[] = {1, CHANNELS, 1, 1}, image[] = {1, CHANNELS, SIZE, SIZE},
                         square[] = {SIZE, SIZE}, table[] = {ROWS, SIZE};
    Proto graph = {0};
    const char pad[] = "ppppp";
    proto_text(&graph, GRAPH_NAME, pad + offset); /* what follows lies at other addresses */
    put_random(&graph, "w", 4, weight, 1);
    put_random(&graph, "wide", 4, wide, 2);
    put_random(&graph, "scale", 4, channels, 3);
    put_random(&graph, "shift", 4, image, 4);
    put_random(&graph, "others", 4, image, 5);
    put_random(&graph, "square", 2, square, 6);
    put_random(&graph, "table", 2, table, 7);
    put_conv(&graph, "x w", "a");
    put_node(&graph, GRAPH_NODE, "Sin", "", "a", "b");
    put_node(&graph, GRAPH_NODE, "Mul", "", "b scale", "c");
    put_node(&graph, GRAPH_NODE, "Add", "", "c shift", "d");
    Proto concat = make_node("Concat", "", "d others", "e");
    proto_int_attribute(&concat, "axis", 1);
    proto_message(&graph, GRAPH_NODE, &concat);
    put_conv(&graph, "e wide", "f");
    put_node(&graph, GRAPH_NODE, "MatMul", "", "f square", "g");
    put_node(&graph, GRAPH_NODE, "Gather", "", "table index", "h");
    put_node(&graph, GRAPH_NODE, "Add", "", "g h", "y");
    proto_value(&graph, GRAPH_INPUT, "x", ONNX_FLOAT, image, 4);
    proto_value(&graph, GRAPH_INPUT, "index", ONNX_INT64, NULL, 0);
    proto_value(&graph, GRAPH_OUTPUT, "y", ONNX_FLOAT, image, 4);
    return make_model(&graph, 8, 17);
}

typedef struct Loaded {
    Proto bytes;
    Counter counter;
    strider_model *model;
    strider_session *session;
    strider_error error;
    float x[PIXELS], y[PIXELS];
} Loaded;

static Loaded *load(int offset, bool reference) {
    Loaded *loaded = calloc(1, sizeof *loaded);
    strider_load_options options = strider_load_options_default();
    strider_session_options session = strider_session_options_default();
    loaded->bytes = make_dense(offset);
    counter_init(&loaded->counter);
    options.allocator = &loaded->counter.allocator;
    session.reference = reference;
    session.threads = 1;
    fill_random(loaded->x, PIXELS, 9);
    if (strider_model_load_memory(loaded->bytes.data, loaded->bytes.size, NULL, &options, &loaded->model,
                                  &loaded->error) ||
        strider_session_create(loaded->model, &session, &loaded->session, &loaded->error))
        fail_msg("%s", loaded->error.message);
    return loaded;
}

static void unload(Loaded *loaded) {
    strider_session_free(loaded->session);
    strider_model_free(loaded->model);
    assert_int_equal(loaded->counter.blocks, 0);
    proto_free(&loaded->bytes);
    free(loaded);
}

static void run(Loaded *loaded) {
    int64_t index = 7;
    const strider_tensor inputs[] = {{STRIDER_F32, 4, {1, CHANNELS, SIZE, SIZE}, loaded->x},
                                     {STRIDER_I64, 0, {0}, &index}};
    strider_tensor output = {0};
    if (strider_session_run(loaded->session, inputs, 2, &output, 1, &loaded->error))
        fail_msg("%s", loaded->error.message);
    assert_int_equal(strider_tensor_elements(&output), PIXELS);
    memcpy(loaded->y, output.data, sizeof loaded->y);
}

static uint64_t bytes_of_plans(const strider_model *model) {
    uint64_t bytes = 0;
    for (size_t i = 0; i < model->plans.n_buckets; i++)
        for (const CachedPlan *plan = model->plans.buckets[i]; plan; plan = plan->next)
            bytes += plan->plan->budget.used_bytes;
    return bytes;
}

static size_t count_unaligned(const Graph *graph) {
    size_t count = 0;
    for (size_t i = 0; i < graph->n_values; i++)
        count += graph->values[i]->constant && graph->values[i]->constant->unaligned;
    return count;
}

static void a_plan_holds_no_copy_of_a_weight(void **state) {
    (void)state;
    size_t n_unaligned = 0;
    for (int offset = 0; offset < OFFSETS; offset++) {
        Loaded *fast = load(offset, false), *plain = load(offset, true);
        n_unaligned += count_unaligned(fast->model->graph);
        run(plain);
        assert_in_range(bytes_of_plans(plain->model), 1, MAX_PLAN_BYTES);
        run(fast);
        assert_in_range(bytes_of_plans(fast->model), 1, MAX_PLAN_BYTES);
        for (int i = 0; i < PIXELS; i++)
            assert_true(fabsf(fast->y[i] - plain->y[i]) <= 1e-3f * (1 + fabsf(plain->y[i])));
        unload(fast);
        unload(plain);
    }
    assert_true(n_unaligned > 0);
}

/* What weights are aligned or packed to is there once, however many sessions run. */
static void a_second_session_takes_no_weight(void **state) {
    (void)state;
    for (int reference = 0; reference < 2; reference++) {
        Loaded *loaded = load(1, reference);
        run(loaded);
        strider_session *first = loaded->session;
        const uint64_t packed = pack_cache_bytes((PackCache *)&loaded->model->packs);
        strider_session_options options = strider_session_options_default();
        options.reference = reference;
        options.threads = 1;
        assert_int_equal(strider_session_create(loaded->model, &options, &loaded->session, &loaded->error),
                         STRIDER_OK);
        run(loaded);
        assert_int_equal(pack_cache_bytes((PackCache *)&loaded->model->packs), packed);
        strider_session_free(first);
        unload(loaded);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_plan_holds_no_copy_of_a_weight),
        cmocka_unit_test(a_second_session_takes_no_weight),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
