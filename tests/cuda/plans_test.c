/* SPDX-License-Identifier: Apache-2.0 */
/* Plans of the real cuDNN without a GPU.  The module runs on the virtual device except for cuDNN, which is
 * NVIDIA's: it plans from a device's properties, for which it takes a description (gpus/NAME.json) as well as
 * a handle.  The functions below stand before cuDNN's own and put the description in the handle's place, so
 * that sessions prepare models as they do on that GPU, up to running them. cuDNN asks cuBLASLt for engines of
 * its own: that is NVIDIA's, too, while the module has the virtual one, which is linked into this program.
 * Arguments: libcudnn, libcublasLt, the repository. */
#include <cudnn.h>
#include <dlfcn.h>
#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "strider/strider.h"
#include "support/tiny_model.h"

enum { FLOAT = 1, SKIPPED = 77, DESCRIPTION = 4096 };

static const char *folder;                               /* the repository */
static struct { char name[32], text[DESCRIPTION]; } gpu; /* that plans are for */

/* --- cuDNN, with a description for a handle --- */

/* NVIDIA's. */
static struct {
    __typeof__(&cudnnBackendSetAttribute) set;
    __typeof__(&cudnnBackendCreateDescriptor) create;
    __typeof__(&cudnnBackendFinalize) finalize;
    __typeof__(&cudnnBackendDestroyDescriptor) destroy;
    __typeof__(&cudnnGetLastErrorString) last_error;
} cudnn;

static bool load_libraries(const char *path, const char *blas) {
    static const char *const names[] = {"cudnnBackendSetAttribute", "cudnnBackendCreateDescriptor",
                                        "cudnnBackendFinalize", "cudnnBackendDestroyDescriptor",
                                        "cudnnGetLastErrorString"};
    void *const functions[] = {&cudnn.set, &cudnn.create, &cudnn.finalize, &cudnn.destroy, &cudnn.last_error};
    void *library = dlopen(blas, RTLD_NOW | RTLD_GLOBAL) ? dlopen(path, RTLD_NOW | RTLD_GLOBAL) : NULL;
    for (int i = 0; library && i < 5; i++) {
        void *function = dlsym(library, names[i]);
        if (!function)
            library = NULL;
        memcpy(functions[i], &function, sizeof function);
    }
    if (!library)
        printf("SKIPPED: %s\n", dlerror());
    return library;
}

cudnnStatus_t cudnnBackendSetAttribute(cudnnBackendDescriptor_t descriptor, cudnnBackendAttributeName_t name,
                                       cudnnBackendAttributeType_t type, int64_t count, const void *values) {
    if (name == CUDNN_ATTR_DEVICEPROP_HANDLE)
        return cudnn.set(descriptor, CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION, CUDNN_TYPE_CHAR,
                         (int64_t)strlen(gpu.text), gpu.text);
    return cudnn.set(descriptor, name, type, count, values);
}

cudnnStatus_t cudnnCreate(cudnnHandle_t *handle) {
    *handle = (cudnnHandle_t)(void *)&gpu;
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnDestroy(cudnnHandle_t handle) {
    return handle == (cudnnHandle_t)(void *)&gpu ? CUDNN_STATUS_SUCCESS : CUDNN_STATUS_BAD_PARAM;
}

cudnnStatus_t cudnnSetStream(cudnnHandle_t handle, cudaStream_t stream) {
    return handle && stream ? CUDNN_STATUS_SUCCESS : CUDNN_STATUS_BAD_PARAM;
}

static void read_gpu(const char *name) {
    char path[512];
    snprintf(path, sizeof path, "%s/tests/cuda/gpus/%s.json", folder, name);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    gpu.text[fread(gpu.text, 1, sizeof gpu.text - 1, file)] = '\0';
    fclose(file);
    snprintf(gpu.name, sizeof gpu.name, "%s", name);
}

/* The description is no documented format, so that a later cuDNN may refuse it. */
static bool cudnn_takes_descriptions(void) {
    cudnnBackendDescriptor_t properties = NULL;
    char why[400] = "";
    read_gpu("a100");
    cudnnStatus_t status = cudnn.create(CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR, &properties);
    if (!status)
        status = cudnn.set(properties, CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION, CUDNN_TYPE_CHAR,
                           (int64_t)strlen(gpu.text), gpu.text);
    if (!status)
        status = cudnn.finalize(properties);
    cudnn.last_error(why, sizeof why);
    if (properties)
        cudnn.destroy(properties);
    if (status)
        printf("SKIPPED: cuDNN makes no plans from descriptions of GPUs: error %d, %s\n", (int)status, why);
    return !status;
}

/* --- plans of a model --- */

typedef struct Found {
    int convolutions, planned; /* by cuDNN */
    int fused;                 /* with all that follows, in one plan */
    int steps;                 /* without copies */
    char kernel[128];          /* of the last convolution */
} Found;

static void must(strider_status status, const strider_error *error, const char *what) {
    if (status)
        fail_msg("%s for %s: %s", what, gpu.name, error->message);
}

static Found count_plans(const strider_session *session) {
    Found found = {0};
    strider_step_info step;
    for (size_t i = 0; strider_session_get_step(session, i, &step) == STRIDER_OK; i++) {
        found.steps += step.node >= 0;
        if (strcmp(step.op_type, "Conv") != 0 && strcmp(step.op_type, "ConvTranspose") != 0)
            continue;
        found.convolutions++;
        found.planned += strncmp(step.kernel, "cudnn engine", 12) == 0;
        snprintf(found.kernel, sizeof found.kernel, "%s", step.kernel);
    }
    return found;
}

static Found prepare(const strider_model *model, const char *what) {
    strider_session_options options = strider_session_options_default();
    strider_session *session;
    strider_error error;
    strider_tensor inputs[4] = {0};
    const size_t n_inputs = strider_model_input_count(model);
    options.device = "cuda";
    options.threads = 1;
    assert_true(n_inputs <= 4);
    for (size_t i = 0; i < n_inputs; i++) {
        strider_value_info info;
        must(strider_model_get_input(model, i, &info), &error, what);
        inputs[i] = (strider_tensor){.dtype = info.dtype, .rank = info.rank};
        for (int k = 0; k < info.rank; k++)
            inputs[i].dims[k] = info.dims[k] > 0 ? info.dims[k] : 1;
    }
    must(strider_session_create(model, &options, &session, &error), &error, what);
    must(strider_session_prepare(session, inputs, n_inputs, &error), &error, what);
    const Found found = count_plans(session);
    strider_session_free(session);
    return found;
}

static const char *const gpus[] = {"t4", "a100", "rtx3090", "rtx4090", "h100", "b200"};
enum { N_GPUS = sizeof gpus / sizeof *gpus };

static void every_convolution_of_the_models_has_a_plan(void **state) {
    (void)state;
    char pattern[512];
    glob_t models;
    snprintf(pattern, sizeof pattern, "%s/models/*/*/*/model.onnx", folder);
    assert_int_equal(glob(pattern, 0, NULL, &models), 0);
    snprintf(pattern, sizeof pattern, "%s/models/*/*.onnx", folder);
    assert_int_equal(glob(pattern, GLOB_APPEND, NULL, &models), 0);
    int convolutions = 0;
    for (size_t i = 0; i < models.gl_pathc; i++) {
        strider_model *model;
        strider_error error;
        must(strider_model_load(models.gl_pathv[i], NULL, &model, &error), &error, models.gl_pathv[i]);
        for (int g = 0; g < N_GPUS; g++) {
            read_gpu(gpus[g]);
            const Found found = prepare(model, models.gl_pathv[i]);
            convolutions += found.convolutions;
            if (found.planned != found.convolutions)
                fail_msg("%s for %s: %d of %d convolutions have a plan (%s)", models.gl_pathv[i], gpu.name,
                         found.planned, found.convolutions, found.kernel);
        }
        strider_model_free(model);
    }
    printf("models/: %d plans\n", convolutions);
    assert_true(convolutions > 0);
    globfree(&models);
}

/* --- convolutions of networks --- */

typedef struct Line {
    char network[32], op[24], after[3][12];
    int group, n_after;
    int64_t x[8], w[8], strides[8], dilations[8], pads[8], output_padding[8];
    int rank;
} Line;

static int numbers(const char *text, int64_t *values) {
    int count = 0;
    for (char *end; count < 8; text = end + 1) {
        values[count++] = strtoll(text, &end, 10);
        if (*end != 'x')
            break;
    }
    return count;
}

static bool read_line(FILE *file, Line *line) {
    char text[300], fields[6][80];
    do {
        if (!fgets(text, sizeof text, file))
            return false;
    } while (text[0] == '#');
    *line = (Line){0};
    const int count = sscanf(text, "%31s %23s %d %79s %79s %79s %79s %79s %79s %11s %11s %11s", line->network,
                             line->op, &line->group, fields[0], fields[1], fields[2], fields[3], fields[4],
                             fields[5], line->after[0], line->after[1], line->after[2]);
    assert_true(count >= 10);
    line->n_after = strcmp(line->after[0], "-") == 0 ? 0 : count - 9;
    line->rank = numbers(fields[0], line->x);
    assert_int_equal(numbers(fields[1], line->w), line->rank);
    assert_int_equal(numbers(fields[2], line->strides), line->rank - 2);
    assert_int_equal(numbers(fields[3], line->dilations), line->rank - 2);
    assert_int_equal(numbers(fields[4], line->pads), 2 * (line->rank - 2));
    assert_int_equal(numbers(fields[5], line->output_padding), line->rank - 2);
    return true;
}

static bool is_followed_by(const Line *line, const char *what) {
    for (int i = 0; i < line->n_after; i++)
        if (strcmp(line->after[i], what) == 0)
            return true;
    return false;
}

static void add_node(Proto *graph, const char *op, const char *output, int n_inputs, const char **inputs,
                     const Line *attributes) {
    Proto node = {0};
    const size_t spatial = (size_t)(attributes ? attributes->rank - 2 : 0);
    for (int i = 0; i < n_inputs; i++)
        proto_text(&node, 1, inputs[i]);
    proto_text(&node, 2, output);
    proto_text(&node, 4, op);
    if (attributes) {
        proto_ints_attribute(&node, "strides", attributes->strides, spatial);
        proto_ints_attribute(&node, "dilations", attributes->dilations, spatial);
        proto_ints_attribute(&node, "pads", attributes->pads, 2 * spatial);
        proto_int_attribute(&node, "group", attributes->group);
        if (strcmp(op, "ConvTranspose") == 0)
            proto_ints_attribute(&node, "output_padding", attributes->output_padding, spatial);
    }
    proto_message(graph, 1, &node);
}

/* What a line says, as a model: weights are an input, as plans know only their shape. */
static Proto model_of(const Line *line) {
    Proto graph = {0};
    const bool transposed = strcmp(line->op, "ConvTranspose") == 0;
    const bool has_residual = is_followed_by(line, "residual"), has_relu = is_followed_by(line, "relu"),
               has_bias = is_followed_by(line, "bias");
    const int64_t channels = transposed ? line->w[1] * line->group : line->w[0];
    int64_t y[8] = {1, channels};
    for (int i = 0; i < line->rank - 2; i++) {
        const int64_t pads = line->pads[i] + line->pads[i + line->rank - 2],
                      span = line->dilations[i] * (line->w[i + 2] - 1);
        y[i + 2] = transposed
                       ? (line->x[i + 2] - 1) * line->strides[i] - pads + span + 1 + line->output_padding[i]
                       : (line->x[i + 2] + pads - span - 1) / line->strides[i] + 1;
    }
    const char *inputs[] = {"x", "w", "b"};
    add_node(&graph, line->op, has_residual ? "c" : has_relu ? "a" : "y", 2 + has_bias, inputs, line);
    if (has_residual)
        add_node(&graph, "Add", has_relu ? "a" : "y", 2, (const char *[]){"c", "r"}, NULL);
    if (has_relu)
        add_node(&graph, "Relu", "y", 1, (const char *[]){"a"}, NULL);
    proto_text(&graph, 2, "convolution");
    proto_value(&graph, 11, "x", FLOAT, line->x, line->rank);
    proto_value(&graph, 11, "w", FLOAT, line->w, line->rank);
    if (has_bias)
        proto_value(&graph, 11, "b", FLOAT, &channels, 1);
    if (has_residual)
        proto_value(&graph, 11, "r", FLOAT, y, line->rank);
    proto_value(&graph, 12, "y", FLOAT, y, line->rank);
    return make_model(&graph, 8, 17);
}

/* cuDNN has an engine for each convolution with all that follows, but none for what follows a transposed one.
 */
static void plan_line(const Line *line, Found *sum) {
    char what[120];
    snprintf(what, sizeof what, "%s: %s group %d, w %lldx%lldx%lldx%lld", line->network, line->op,
             line->group, (long long)line->w[0], (long long)line->w[1], (long long)line->w[2],
             (long long)line->w[3]);
    Proto proto = model_of(line);
    strider_model *model;
    strider_error error;
    must(strider_model_load_memory(proto.data, proto.size, NULL, NULL, &model, &error), &error, what);
    const Found found = prepare(model, what);
    strider_model_free(model);
    proto_free(&proto);
    bool fused = strcmp(line->op, "Conv") == 0;
    for (int i = 0; fused && i < line->n_after; i++)
        fused = strstr(found.kernel, line->after[i]);
    if (found.convolutions != 1 || found.steps != 1 || !found.planned ||
        fused != (strcmp(line->op, "Conv") == 0))
        fail_msg("%s for %s: %d steps, %s", what, gpu.name, found.steps, found.kernel);
    sum->convolutions++;
    sum->fused += fused;
}

static void every_convolution_of_known_networks_has_a_plan(void **state) {
    (void)state;
    char path[512];
    snprintf(path, sizeof path, "%s/tests/cuda/convolutions.txt", folder);
    for (int g = 0; g < N_GPUS; g++) {
        FILE *file = fopen(path, "r");
        Line line;
        Found sum = {0};
        assert_non_null(file);
        read_gpu(gpus[g]);
        while (read_line(file, &line))
            plan_line(&line, &sum);
        fclose(file);
        printf("%s: %d plans, %d of them with all that follows\n", gpu.name, sum.convolutions, sum.fused);
        assert_true(sum.convolutions > 0);
    }
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_convolution_of_the_models_has_a_plan),
        cmocka_unit_test(every_convolution_of_known_networks_has_a_plan),
    };
    if (argc != 4)
        return 2;
    folder = argv[3];
    if (!load_libraries(argv[1], argv[2]) || !cudnn_takes_descriptions())
        return SKIPPED;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
