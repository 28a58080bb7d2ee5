/* SPDX-License-Identifier: Apache-2.0 */
#include "support/run_models.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "support/tiny_model.h"

enum { ONNX_BOOL = 9, N = RUN_MODEL_ELEMENTS };
static const float DETECTION_THRESHOLD = 6;

/* --- writing --- */

static void put(Proto *graph, const char *op, const char *inputs, const char *output) {
    put_node(graph, GRAPH_NODE, op, "", inputs, output);
}

static void put_with_axis(Proto *graph, const char *op, const char *inputs, const char *output,
                          int64_t axis) {
    Proto node = make_node(op, "", inputs, output);
    proto_int_attribute(&node, "axis", axis);
    proto_message(graph, GRAPH_NODE, &node);
}

static void put_cast(Proto *graph, const char *input, const char *output) {
    Proto node = make_node("Cast", "", input, output);
    proto_int_attribute(&node, "to", ONNX_FLOAT);
    proto_message(graph, GRAPH_NODE, &node);
}

static void put_integers(Proto *graph, const char *name, int rank, int64_t first, int64_t second) {
    const int64_t count = 2, numbers[2] = {first, second};
    put_tensor(graph, name, ONNX_INT64, rank, &count, numbers, (rank ? 2 : 1) * sizeof *numbers);
}

static void put_value(Proto *graph, int field, const char *name, int type, int rank, int64_t a, int64_t b) {
    const int64_t dims[2] = {a, b};
    proto_value(graph, field, name, type, dims, rank);
}

/* Of float tensors. */
static void put_sequence(Proto *graph, int field, const char *name) {
    Proto value = {0}, type = {0}, sequence = {0}, element = {0}, tensor = {0};
    proto_int(&tensor, 1, ONNX_FLOAT);
    proto_message(&element, 1, &tensor);
    proto_message(&sequence, 1, &element);
    proto_message(&type, 4, &sequence);
    proto_text(&value, 1, name);
    proto_message(&value, 2, &type);
    proto_message(graph, field, &value);
}

static Proto start_body(const char *name) {
    Proto body = {0};
    proto_text(&body, GRAPH_NAME, name);
    return body;
}

static Proto start_loop_body(const char *name) {
    Proto body = start_body(name);
    put_value(&body, GRAPH_INPUT, "turn", ONNX_INT64, 0, 0, 0);
    put_value(&body, GRAPH_INPUT, "go", ONNX_BOOL, 0, 0, 0);
    return body;
}

static void put_body(Proto *node, const char *name, Proto *body) {
    Proto attribute = {0};
    proto_text(&attribute, 1, name);
    proto_message(&attribute, 6, body);
    proto_int(&attribute, 20, 5);
    proto_message(node, 5, &attribute);
}

/* Outputs are names with spaces between. */
static void put_loop(Proto *graph, const char *inputs, const char *outputs, Proto *body) {
    char text[100], *rest = NULL;
    snprintf(text, sizeof text, "%s", outputs);
    Proto node = make_node("Loop", "", inputs, strtok_r(text, " ", &rest));
    for (char *name = strtok_r(NULL, " ", &rest); name; name = strtok_r(NULL, " ", &rest))
        proto_text(&node, 2, name);
    put_body(&node, "body", body);
    proto_message(graph, GRAPH_NODE, &node);
}

static void put_if(Proto *graph, const char *condition, const char *output, Proto *then_branch,
                   Proto *else_branch) {
    Proto node = make_node("If", "", condition, output);
    put_body(&node, "then_branch", then_branch);
    put_body(&node, "else_branch", else_branch);
    proto_message(graph, GRAPH_NODE, &node);
}

/* --- models: the graph, and what it makes --- */

/* relu(x) + x as a convolution with the weight 1, beside that through MatMul by the identity. */
static void make_plain(RunModel *model, Proto *graph) {
    static const int64_t weight[4] = {1, 1, 1, 1}, square[2] = {6, 6};
    static const float one = 1;
    float identity[36] = {0};
    for (int i = 0; i < 6; i++)
        identity[7 * i] = 1;
    put_tensor(graph, "w", ONNX_FLOAT, 4, weight, &one, sizeof one);
    put_tensor(graph, "identity", ONNX_FLOAT, 2, square, identity, sizeof identity);
    put_integers(graph, "leading", 1, 0, 1);
    put(graph, "Unsqueeze", "x leading", "image");
    put(graph, "Conv", "image w", "a");
    put(graph, "Relu", "a", "b");
    put(graph, "MatMul", "b identity", "c");
    put(graph, "Add", "c x", "y");
    for (int i = 0; i < N; i++)
        model->expected[model->n_expected++] = fmaxf(model->x[i], 0) + model->x[i];
}

/* All of x, reshaped, but for the last row and column. */
static void make_shaped(RunModel *model, Proto *graph) {
    put_integers(graph, "ones", 1, 1, 1);
    put(graph, "Neg", "n", "negative");
    put(graph, "Neg", "negative", "shape");
    put(graph, "Reshape", "x shape", "a");
    put(graph, "ConstantOfShape", "shape", "zeros");
    put(graph, "Add", "a zeros", "b");
    put(graph, "Sub", "shape shape", "starts");
    put(graph, "Sub", "shape ones", "ends");
    put(graph, "Slice", "b starts ends", "c");
    put(graph, "Neg", "c", "y");
    for (int64_t row = 0; row < model->integers[0] - 1; row++)
        for (int64_t column = 0; column < model->integers[1] - 1; column++)
            model->expected[model->n_expected++] = -model->x[row * model->integers[1] + column];
}

/* The places of what is positive, as floats. */
static void make_found(RunModel *model, Proto *graph) {
    put_integers(graph, "flat", 1, 1, -1);
    put(graph, "Reshape", "x flat", "row");
    put(graph, "Relu", "row", "a");
    put(graph, "NonZero", "a", "places");
    put_with_axis(graph, "Gather", "places last", "columns", 0);
    put_integers(graph, "last", 0, 1, 0);
    put_cast(graph, "columns", "b");
    put(graph, "Neg", "b", "y");
    for (int i = 0; i < N; i++)
        if (model->x[i] > 0)
            model->expected[model->n_expected++] = -(float)i;
}

/* Six boxes, of which two are the same; their middles are elements of x's second row. */
enum { N_BOXES = 6 };
static const int middle_of_box[N_BOXES] = {0, 3, 2, 3, 4, 5};

static void put_boxes(Proto *graph) {
    static const int64_t batch[] = {1, N_BOXES, 4}, list[] = {N_BOXES, 4};
    float boxes[4 * N_BOXES];
    for (int i = 0; i < N_BOXES; i++) {
        const float middle = (float)middle_of_box[i];
        memcpy(boxes + 4 * i, (float[]){middle - 0.5f, 0.5f, middle + 0.5f, 1.5f}, 4 * sizeof(float));
    }
    put_tensor(graph, "boxes", ONNX_FLOAT, 3, batch, boxes, sizeof boxes);
    put_tensor(graph, "rois", ONNX_FLOAT, 2, list, boxes, sizeof boxes);
}

/* Appends what lies in the middle of the boxes that are found by scores, which grow from turn to turn. */
static void put_detection_body(Proto *graph) {
    Proto body = start_loop_body("body"), align = make_node("RoiAlign", "", "image chosen images", "values");
    put_value(&body, GRAPH_INPUT, "carried", ONNX_FLOAT, 1, -1, 0);
    put_cast(&body, "turn", "more");
    put(&body, "Add", "scores more", "larger");
    put(&body, "Add", "larger more", "grown");
    put(&body, "NonMaxSuppression", "boxes grown most overlap nothing", "found");
    put_with_axis(&body, "Gather", "found column", "numbers", 1);
    put_with_axis(&body, "Gather", "rois numbers", "chosen", 0);
    put(&body, "Mul", "numbers wrong", "images");
    proto_text_attribute(&align, "coordinate_transformation_mode", "output_half_pixel");
    proto_message(&body, GRAPH_NODE, &align);
    put(&body, "Reshape", "values flat", "line");
    put_with_axis(&body, "Concat", "carried line", "next", 0);
    put(&body, "Identity", "go", "going");
    put_value(&body, GRAPH_OUTPUT, "going", ONNX_BOOL, 0, 0, 0);
    put_value(&body, GRAPH_OUTPUT, "next", ONNX_FLOAT, 1, -1, 0);
    put_loop(graph, "trips - none", "all", &body);
}

static void put_floats(Proto *graph, const char *name, int64_t count, float value) {
    put_tensor(graph, name, ONNX_FLOAT, 1, &count, &value, (size_t)count * sizeof value);
}

/* What x has in the middle of boxes that come up in any turn, each value once and only what is above -1: none
 * in the first turn, in the last one three boxes and a fourth that is one of these again. */
static void expect_detected(RunModel *model) {
    bool is_seen[N_BOXES] = {0};
    for (int i = 0; i < N_BOXES; i++)
        is_seen[middle_of_box[i]] |= model->x[i] + 2 * (float)(model->trips - 1) > DETECTION_THRESHOLD;
    for (float value = -0.5f; value < 100; value++)
        for (int i = 0; i < N_BOXES; i++)
            if (is_seen[i] && model->x[6 + i] == value)
                model->expected[model->n_expected++] = value;
}

static void make_detected(RunModel *model, Proto *graph) {
    static const int64_t shapes[] = {1, 1, -1}, three = 3;
    put_boxes(graph);
    put_integers(graph, "leading", 1, 0, 1);
    put_integers(graph, "nought", 0, 0, 0);
    put_integers(graph, "column", 0, 2, 0);
    put_integers(graph, "most", 0, 100, 0);
    put_integers(graph, "eight", 0, RUN_MODEL_FIRST_INTEGER, 0);
    put_integers(graph, "trips", 0, model->trips, 0);
    put_tensor(graph, "row", ONNX_INT64, 1, &three, shapes, sizeof shapes);
    put_tensor(graph, "flat", ONNX_INT64, 1, (int64_t[]){1}, &shapes[2], sizeof *shapes);
    put_floats(graph, "overlap", 1, 0.5f);
    put_floats(graph, "nothing", 1, DETECTION_THRESHOLD);
    put_floats(graph, "bound", 1, -1);
    put_floats(graph, "none", 0, 0);
    put(graph, "Unsqueeze", "x leading", "image");
    put_with_axis(graph, "Gather", "x nought", "first", 0);
    put(graph, "Reshape", "first row", "scores");
    put_with_axis(graph, "Gather", "n nought", "given", 0);
    put(graph, "Sub", "given eight", "wrong");
    put_detection_body(graph);
    put(graph, "Unique", "all", "each");
    put(graph, "Greater", "each bound", "wanted");
    put(graph, "Compress", "each wanted", "y");
    expect_detected(model);
}

/* -x or relu(x), as the condition says. */
static void put_branches(Proto *graph, const char *x, const char *condition, const char *output) {
    Proto yes = start_body("yes"), no = start_body("no");
    char inputs[40];
    snprintf(inputs, sizeof inputs, "%s n", x);
    put(&yes, "Reshape", inputs, "p");
    put(&yes, "Neg", "p", "q");
    put_value(&yes, GRAPH_OUTPUT, "q", ONNX_FLOAT, 2, -1, -1);
    put(&no, "Reshape", inputs, "r");
    put(&no, "Relu", "r", "s");
    put_value(&no, GRAPH_OUTPUT, "s", ONNX_FLOAT, 2, -1, -1);
    put_if(graph, condition, output, &yes, &no);
}

static void make_branch(RunModel *model, Proto *graph) {
    put(graph, "Neg", "x", "a");
    put_branches(graph, "a", "yes", "b");
    put(graph, "Abs", "b", "y");
    for (int i = 0; i < N; i++)
        model->expected[model->n_expected++] = model->is_true ? fabsf(model->x[i]) : fmaxf(-model->x[i], 0);
}

/* (turn + 2) x of all turns, then the last of these once more. */
static void make_loop(RunModel *model, Proto *graph) {
    Proto body = start_loop_body("body");
    put_value(&body, GRAPH_INPUT, "carried", ONNX_FLOAT, 2, 4, 6);
    put(&body, "Add", "carried x", "next");
    put(&body, "Identity", "next", "each");
    put(&body, "Identity", "go", "going");
    put_value(&body, GRAPH_OUTPUT, "going", ONNX_BOOL, 0, 0, 0);
    put_value(&body, GRAPH_OUTPUT, "next", ONNX_FLOAT, 2, 4, 6);
    put_value(&body, GRAPH_OUTPUT, "each", ONNX_FLOAT, 2, 4, 6);
    put_integers(graph, "first", 1, 0, 0);
    put_integers(graph, "trips", 0, model->trips, 0);
    put_loop(graph, "trips - x", "last all", &body);
    put_integers(graph, "flat", 1, -1, 6);
    put(graph, "Reshape", "all flat", "rows");
    put_with_axis(graph, "Concat", "rows last", "y", 0);
    for (int turn = 0; turn <= model->trips; turn++)
        for (int i = 0; i < N; i++)
            model->expected[model->n_expected++] =
                (float)((turn < model->trips ? turn : model->trips - 1) + 2) * model->x[i];
}

/* x, -x and in each turn x, from a sequence that a loop grows. */
static void make_sequence(RunModel *model, Proto *graph) {
    Proto body = start_loop_body("body");
    put_sequence(&body, GRAPH_INPUT, "items");
    put(&body, "SequenceAt", "items nought", "p");
    put(&body, "SequenceInsert", "items p", "more");
    put(&body, "Identity", "go", "going");
    put_value(&body, GRAPH_OUTPUT, "going", ONNX_BOOL, 0, 0, 0);
    put_sequence(&body, GRAPH_OUTPUT, "more");
    put_integers(graph, "nought", 0, 0, 0);
    put_integers(graph, "trips", 0, model->trips, 0);
    put(graph, "Neg", "x", "a");
    put(graph, "SequenceConstruct", "x a", "start");
    put_loop(graph, "trips - start", "grown", &body);
    put_with_axis(graph, "ConcatFromSequence", "grown", "b", 0);
    put(graph, "Neg", "b", "y");
    for (int item = 0; item < model->trips + 2; item++)
        for (int i = 0; i < N; i++)
            model->expected[model->n_expected++] = item == 1 ? model->x[i] : -model->x[i];
}

/* As CASE_BRANCH, in each turn of what the one before made. */
static void make_nested(RunModel *model, Proto *graph) {
    Proto body = start_loop_body("body");
    put_value(&body, GRAPH_INPUT, "carried", ONNX_FLOAT, 2, -1, -1);
    put_branches(&body, "carried", "yes", "next");
    put(&body, "Identity", "go", "going");
    put_value(&body, GRAPH_OUTPUT, "going", ONNX_BOOL, 0, 0, 0);
    put_value(&body, GRAPH_OUTPUT, "next", ONNX_FLOAT, 2, -1, -1);
    put_integers(graph, "trips", 0, model->trips, 0);
    put_loop(graph, "trips - x", "y", &body);
    const float sign = model->trips % 2 ? -1 : 1;
    for (int i = 0; i < N; i++)
        model->expected[model->n_expected++] = model->is_true ? sign * model->x[i] : fmaxf(model->x[i], 0);
}

/* --- the whole --- */

static void make(RunModel *model, RunModelKind kind, int trips) {
    static void (*const makers[RUN_MODEL_KINDS])(RunModel *, Proto *) = {
        [CASE_PLAIN] = make_plain,   [CASE_SHAPED] = make_shaped,    [CASE_FOUND] = make_found,
        [CASE_BRANCH] = make_branch, [CASE_LOOP] = make_loop,        [CASE_SEQUENCE] = make_sequence,
        [CASE_NESTED] = make_nested, [CASE_DETECTED] = make_detected};
    Proto graph = start_body("graph");
    *model =
        (RunModel){.n_inputs = 3, .integers = {RUN_MODEL_FIRST_INTEGER, 3}, .is_true = true, .trips = trips};
    for (int i = 0; i < N; i++)
        model->x[i] = (float)(i * 7 % 11) - 4.5f;
    model->inputs[0] = (strider_tensor){STRIDER_F32, 2, {4, 6}, model->x};
    model->inputs[1] = (strider_tensor){STRIDER_I64, 1, {2}, model->integers};
    model->inputs[2] = (strider_tensor){STRIDER_BOOL, 0, {0}, &model->is_true};
    put_value(&graph, GRAPH_INPUT, "x", ONNX_FLOAT, 2, -1, -1);
    put_value(&graph, GRAPH_INPUT, "n", ONNX_INT64, 1, 2, 0);
    put_value(&graph, GRAPH_INPUT, "yes", ONNX_BOOL, 0, 0, 0);
    makers[kind](model, &graph);
    Proto output = {0};
    proto_text(&output, 1, "y");
    proto_message(&graph, GRAPH_OUTPUT, &output);
    model->bytes = make_model(&graph, 8, 17);
}

static void must(strider_status status, const strider_error *error) {
    if (status)
        fail_msg("%s: %s", strider_status_name(status), error->message);
}

void run_model_open(RunModel *model, RunModelKind kind) {
    run_model_open_loop(model, kind, 5);
}

void run_model_open_loop(RunModel *model, RunModelKind kind, int trips) {
    strider_load_options options = strider_load_options_default();
    strider_error error;
    assert_in_range(trips, 1, RUN_MODEL_MAX_TRIPS);
    make(model, kind, trips);
    counter_init(&model->counter);
    options.allocator = &model->counter.allocator;
    must(strider_model_load_memory(model->bytes.data, model->bytes.size, NULL, &options, &model->model,
                                   &error),
         &error);
}

void run_model_close(RunModel *model) {
    strider_model_free(model->model);
    assert_int_equal(model->counter.blocks, 0);
    proto_free(&model->bytes);
}

strider_session *run_model_session(const RunModel *model, bool reference, int threads) {
    strider_session_options options = strider_session_options_default();
    strider_session *session = NULL;
    strider_error error;
    options.reference = reference;
    options.threads = threads;
    must(strider_session_create(model->model, &options, &session, &error), &error);
    return session;
}

bool run_model_try(const RunModel *model, strider_session *session, strider_error *error) {
    strider_tensor output = {0};
    if (strider_session_run(session, model->inputs, model->n_inputs, &output, 1, error))
        return false;
    const float *got = output.data;
    bool same = strider_tensor_elements(&output) == (int64_t)model->n_expected;
    for (size_t i = 0; same && i < model->n_expected; i++)
        same = fabsf(got[i] - model->expected[i]) < 1e-5f;
    if (!same)
        snprintf(error->message, sizeof error->message, "%lld elements, %zu expected, or others",
                 (long long)strider_tensor_elements(&output), model->n_expected);
    return same;
}

void run_model_run(const RunModel *model, strider_session *session) {
    strider_error error;
    if (!run_model_try(model, session, &error))
        fail_msg("%s", error.message);
}
