/* SPDX-License-Identifier: Apache-2.0 */
/* What the default promises of a whole network, on each target that the CPU runs: its error is at most
 * twice that of direct sums.  The truth is what references compute, in float64 and rounded once after each
 * node. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "run/session.h"
#include "support/session_fixture.h"

#include <cmocka.h>

/* A first layer, and blocks of two convolutions around which their input passes: nearly all of its work is
 * Winograd's, so that larger networks do better. */
enum { BLOCKS = 4, CHANNELS = 48, SIDE = 40, PLANE = SIDE * SIDE, VALUES = CHANNELS * PLANE };
enum { COLOURS = 3, TAPS = 9, MAX_WEIGHTS = CHANNELS * CHANNELS * TAPS };

/* The convolution of `in` to s`layer`: weights keep the scale of what passes `gain` times. */
static void put_conv(Proto *graph, int layer, const char *in, int64_t channels, float gain) {
    static float weights[MAX_WEIGHTS];
    const int64_t dims[4] = {CHANNELS, channels, 3, 3}, pads[4] = {1, 1, 1, 1};
    const size_t count = (size_t)(CHANNELS * channels * TAPS);
    char weight[16], inputs[40], out[16];
    snprintf(weight, sizeof weight, "w%d", layer);
    snprintf(inputs, sizeof inputs, "%s %s", in, weight);
    snprintf(out, sizeof out, "s%d", layer);
    fill(weights, count, (unsigned)layer + 2);
    for (size_t i = 0; i < count; i++) /* the numbers' own variance is 1/12 */
        weights[i] *= gain * sqrtf(12.0f / (float)(TAPS * channels));
    Proto node = make_node("Conv", "", inputs, out);
    proto_ints_attribute(&node, "pads", pads, 4);
    proto_message(graph, GRAPH_NODE, &node);
    put_tensor(graph, weight, ONNX_FLOAT, 4, dims, weights, count * sizeof *weights);
}

/* From a`block` to the next. */
static void put_block(Proto *graph, int block) {
    const int first = 1 + 2 * block;
    char in[16], sum[16], relu[16], both[40], out[16];
    snprintf(in, sizeof in, "a%d", block);
    snprintf(sum, sizeof sum, "s%d", first);
    snprintf(relu, sizeof relu, "r%d", block);
    put_conv(graph, first, in, CHANNELS, 1.4f);
    put_node(graph, GRAPH_NODE, "Relu", "", sum, relu);
    put_conv(graph, first + 1, relu, CHANNELS, 1);
    snprintf(both, sizeof both, "s%d %s", first + 1, in);
    snprintf(sum, sizeof sum, "t%d", block);
    put_node(graph, GRAPH_NODE, "Add", "", both, sum);
    snprintf(out, sizeof out, "a%d", block + 1);
    put_node(graph, GRAPH_NODE, "Relu", "", sum, block + 1 < BLOCKS ? out : "y");
}

static Proto make_graph(void) {
    const int64_t in[4] = {1, COLOURS, SIDE, SIDE}, out[4] = {1, CHANNELS, SIDE, SIDE};
    Proto graph = {0};
    proto_text(&graph, GRAPH_NAME, "blocks");
    put_conv(&graph, 0, "x", COLOURS, 1.4f);
    put_node(&graph, GRAPH_NODE, "Relu", "", "s0", "a0");
    for (int block = 0; block < BLOCKS; block++)
        put_block(&graph, block);
    proto_value(&graph, GRAPH_INPUT, "x", ONNX_FLOAT, in, 4);
    proto_value(&graph, GRAPH_OUTPUT, "y", ONNX_FLOAT, out, 4);
    return graph;
}

/* What a picture has: large shapes and small ones. */
static void make_picture(float picture[COLOURS * PLANE]) {
    float noise[COLOURS * PLANE];
    fill(noise, COLOURS * PLANE, 1);
    for (int c = 0; c < COLOURS; c++)
        for (int i = 0; i < PLANE; i++) {
            const int y = i / SIDE, x = i % SIDE;
            picture[c * PLANE + i] = noise[c * PLANE + i] + noise[c * PLANE + y / 4 * SIDE + x / 4] +
                                     noise[c * PLANE + y / 16 * SIDE + x / 16];
        }
}

static void run_network(const Fixture *fixture, const CpuTarget *target,
                        const strider_session_options *options, float to[VALUES]) {
    static float picture[COLOURS * PLANE];
    strider_session *session;
    make_picture(picture);
    must(strider_session_create(fixture->model, options, &session, &error));
    session->target.cpu = target;
    const strider_tensor input = {STRIDER_F32, 4, {1, COLOURS, SIDE, SIDE}, picture};
    strider_tensor output = {0};
    must(strider_session_run(session, &input, 1, &output, 1, &error));
    memcpy(to, output.data, VALUES * sizeof *to);
    strider_session_free(session);
}

/* The root mean square of the difference over that of the output. */
static double error_of(const float exact[VALUES], const float got[VALUES]) {
    double difference = 0, all = 0;
    for (int i = 0; i < VALUES; i++) {
        const double value = (double)exact[i], d = (double)got[i] - value;
        difference += d * d;
        all += value * value;
    }
    return sqrt(difference / all);
}

static void check_target(const Fixture *fixture, const CpuTarget *target, const float exact[VALUES]) {
    static float direct[VALUES], by_default[VALUES], fast[VALUES];
    strider_session_options options = strider_session_options_default();
    options.threads = 1;
    run_network(fixture, target, &options, by_default);
    options.max_layer_error = 0;
    run_network(fixture, target, &options, direct);
    options.max_layer_error = STRIDER_FAST_WINOGRAD_ERROR;
    run_network(fixture, target, &options, fast);
    /* Else there would be nothing to hold: Winograd is what is taken, and a faster one where it may be. */
    assert_memory_not_equal(direct, by_default, sizeof direct);
    assert_memory_not_equal(by_default, fast, sizeof fast);
    const double of_direct = error_of(exact, direct), of_default = error_of(exact, by_default),
                 of_fast = error_of(exact, fast);
    print_message("%s: direct sums %.2g, by default %.2g, fast %.2g\n", target->name, of_direct, of_default,
                  of_fast);
    assert_true(of_direct < 4e-7);
    assert_true(of_default < 2 * of_direct);
    assert_true(of_fast < 10 * of_direct);
}

static void a_network_errs_at_most_twice_as_much_as_direct_sums(void **state) {
    (void)state;
    static float exact[VALUES];
    Proto graph = make_graph();
    Fixture fixture;
    open_graph(&fixture, &graph, NULL, false);
    strider_session_options options = strider_session_options_default();
    options.reference = true;
    run_network(&fixture, cpu_target(), &options, exact);
    for (int i = 0; i < CPU_TARGET_COUNT; i++)
        if (cpu_target_runs(&cpu_targets[i]))
            check_target(&fixture, &cpu_targets[i], exact);
    close_model(&fixture);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_network_errs_at_most_twice_as_much_as_direct_sums),
    };
    return cmocka_run_group_tests_name("accuracy", tests, NULL, NULL);
}
