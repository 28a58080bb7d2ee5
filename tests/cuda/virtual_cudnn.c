/* SPDX-License-Identifier: Apache-2.0 */
/* libcudnn of the virtual device: the graph API for convolutions with pointwise operations after them.  What
 * it refuses is what the real library was seen to refuse. */
#include <cudnn.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "virtual_device.h"

enum {
    MAX_ATTRIBUTES = 12,
    CUDNN_MAX_RANK = 5,
    MAX_SPATIAL = 3,
    MAX_OPERATIONS = 8,
    MAX_DATA = 16,
    MAGIC = 0xbe
};

typedef struct Attribute {
    cudnnBackendAttributeName_t name;
    cudnnBackendAttributeType_t type;
    int64_t count;
    void *values;
} Attribute;

typedef struct Descriptor {
    int magic;
    cudnnBackendDescriptorType_t type;
    bool is_final;
    int n_attributes;
    Attribute attributes[MAX_ATTRIBUTES];
    int engine;               /* of configurations and engines: an index in `engines` */
    struct Descriptor *graph; /* of configurations */
} Descriptor;

struct cudnnContext {
    cudaStream_t stream;
};

/* What it offers, best first.  The notes' promises are kept, so that taking the wrong one shows. */
static const struct {
    bool builds, nondeterministic, tensor_core;
    int64_t workspace_bytes;
    double time_us;
} engines[] = {
    {.builds = false},
    {.builds = true, .nondeterministic = true, .workspace_bytes = 512, .time_us = 20},
    {.builds = true, .tensor_core = true, .workspace_bytes = 100000, .time_us = 30},
    {.builds = true, .workspace_bytes = 4104, .time_us = 50},
    {.builds = true, .time_us = 40}, /* of the fallback mode */
};
enum { ENGINES = sizeof engines / sizeof *engines };

/* --- errors --- */

static char last_error[200];

static cudnnStatus_t refuse(cudnnStatus_t status, const char *why) {
    snprintf(last_error, sizeof last_error, "%s", why);
    return status;
}

#define REQUIRE(CONDITION)                                                                                   \
    if (!(CONDITION))                                                                                        \
    return refuse(CUDNN_STATUS_BAD_PARAM, "not " #CONDITION)
#define FAIL_IF_ASKED(CALL)                                                                                  \
    if (virtual_must_fail(#CALL))                                                                            \
    return refuse(CUDNN_STATUS_EXECUTION_FAILED, #CALL " was to fail")

size_t cudnnGetVersion(void) {
    return (size_t)virtual_setting("VCUDNN_VERSION", CUDNN_VERSION);
}

const char *cudnnGetErrorString(cudnnStatus_t status) {
    return status == CUDNN_STATUS_SUCCESS ? "CUDNN_STATUS_SUCCESS" : "an error of the virtual cuDNN";
}

void cudnnGetLastErrorString(char *message, size_t size) {
    snprintf(message, size, "%s", last_error);
    last_error[0] = '\0';
}

cudnnStatus_t cudnnCreate(cudnnHandle_t *handle) {
    FAIL_IF_ASKED(cudnnCreate);
    *handle = calloc(1, sizeof **handle);
    virtual_object("cuDNN handle", 1);
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnDestroy(cudnnHandle_t handle) {
    free(handle);
    virtual_object("cuDNN handle", -1);
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnSetStream(cudnnHandle_t handle, cudaStream_t stream) {
    REQUIRE(virtual_is_stream(stream));
    handle->stream = stream;
    return CUDNN_STATUS_SUCCESS;
}

/* --- descriptors --- */

static size_t type_bytes(cudnnBackendAttributeType_t type) {
    switch (type) {
    case CUDNN_TYPE_INT64:
    case CUDNN_TYPE_VOID_PTR:
    case CUDNN_TYPE_BACKEND_DESCRIPTOR:
    case CUDNN_TYPE_HANDLE:
    case CUDNN_TYPE_DOUBLE:
        return 8;
    case CUDNN_TYPE_BOOLEAN:
    case CUDNN_TYPE_CHAR:
        return 1;
    default:
        return 4;
    }
}

static const Attribute *attribute(const Descriptor *d, cudnnBackendAttributeName_t name) {
    for (int i = 0; i < d->n_attributes; i++)
        if (d->attributes[i].name == name)
            return &d->attributes[i];
    return NULL;
}

static int64_t integer(const Descriptor *d, cudnnBackendAttributeName_t name, int64_t index) {
    return ((const int64_t *)attribute(d, name)->values)[index];
}

static int enumeration(const Descriptor *d, cudnnBackendAttributeName_t name) {
    return *(const int *)attribute(d, name)->values;
}

static Descriptor *linked(const Descriptor *d, cudnnBackendAttributeName_t name) {
    const Attribute *found = attribute(d, name);
    return found ? *(Descriptor **)found->values : NULL;
}

cudnnStatus_t cudnnBackendCreateDescriptor(cudnnBackendDescriptorType_t type,
                                           cudnnBackendDescriptor_t *descriptor) {
    FAIL_IF_ASKED(cudnnBackendCreateDescriptor);
    Descriptor *made = calloc(1, sizeof *made);
    made->magic = MAGIC;
    made->type = type;
    made->engine = -1;
    virtual_object("descriptor", 1);
    *descriptor = made;
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnBackendDestroyDescriptor(cudnnBackendDescriptor_t descriptor) {
    Descriptor *d = descriptor;
    REQUIRE(d && d->magic == MAGIC);
    for (int i = 0; i < d->n_attributes; i++)
        free(d->attributes[i].values);
    d->magic = 0;
    free(d);
    virtual_object("descriptor", -1);
    return CUDNN_STATUS_SUCCESS;
}

/* The types that the real library insists on. */
static cudnnBackendAttributeType_t type_of(cudnnBackendAttributeName_t name,
                                           cudnnBackendAttributeType_t given) {
    switch (name) {
    case CUDNN_ATTR_TENSOR_DIMENSIONS:
    case CUDNN_ATTR_TENSOR_STRIDES:
    case CUDNN_ATTR_TENSOR_UNIQUE_ID:
    case CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT:
    case CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS:
    case CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS:
    case CUDNN_ATTR_CONVOLUTION_POST_PADDINGS:
    case CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES:
    case CUDNN_ATTR_CONVOLUTION_DILATIONS:
    case CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS:
        return CUDNN_TYPE_INT64;
    case CUDNN_ATTR_TENSOR_DATA_TYPE:
    case CUDNN_ATTR_CONVOLUTION_COMP_TYPE:
    case CUDNN_ATTR_POINTWISE_MATH_PREC:
        return CUDNN_TYPE_DATA_TYPE;
    case CUDNN_ATTR_TENSOR_IS_VIRTUAL:
        return CUDNN_TYPE_BOOLEAN;
    case CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS:
    case CUDNN_ATTR_VARIANT_PACK_WORKSPACE:
        return CUDNN_TYPE_VOID_PTR;
    default:
        return given;
    }
}

cudnnStatus_t cudnnBackendSetAttribute(cudnnBackendDescriptor_t descriptor, cudnnBackendAttributeName_t name,
                                       cudnnBackendAttributeType_t type, int64_t count, const void *values) {
    Descriptor *d = descriptor;
    FAIL_IF_ASKED(cudnnBackendSetAttribute);
    REQUIRE(d && d->magic == MAGIC);
    REQUIRE(!d->is_final);
    REQUIRE(count > 0 && values && d->n_attributes < MAX_ATTRIBUTES && !attribute(d, name));
    REQUIRE(type_of(name, type) == type);
    for (int64_t i = 0; type == CUDNN_TYPE_BACKEND_DESCRIPTOR && i < count; i++) {
        const Descriptor *other = ((Descriptor *const *)values)[i];
        REQUIRE(other && other->magic == MAGIC && other->is_final);
    }
    const size_t size_bytes = (size_t)count * type_bytes(type);
    Attribute *added = &d->attributes[d->n_attributes++];
    *added = (Attribute){name, type, count, malloc(size_bytes)};
    memcpy(added->values, values, size_bytes);
    return CUDNN_STATUS_SUCCESS;
}

/* --- geometry --- */

typedef struct View {
    int rank;
    int64_t dims[CUDNN_MAX_RANK], strides[CUDNN_MAX_RANK];
} View;

static View view_of(const Descriptor *tensor) {
    View view = {.rank = (int)attribute(tensor, CUDNN_ATTR_TENSOR_DIMENSIONS)->count};
    for (int i = 0; i < view.rank; i++) {
        view.dims[i] = integer(tensor, CUDNN_ATTR_TENSOR_DIMENSIONS, i);
        view.strides[i] = integer(tensor, CUDNN_ATTR_TENSOR_STRIDES, i);
    }
    return view;
}

static size_t extent_bytes(const View *view) {
    int64_t last = 0;
    for (int i = 0; i < view->rank; i++)
        last += (view->dims[i] - 1) * view->strides[i];
    return (size_t)(last + 1) * sizeof(float);
}

typedef struct Window {
    int spatial;
    int64_t begin[MAX_SPATIAL], end[MAX_SPATIAL], strides[MAX_SPATIAL], dilations[MAX_SPATIAL];
} Window;

static Window window_of(const Descriptor *d) {
    Window window = {.spatial = (int)integer(d, CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, 0)};
    for (int i = 0; i < window.spatial; i++) {
        window.begin[i] = integer(d, CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, i);
        window.end[i] = integer(d, CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, i);
        window.strides[i] = integer(d, CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, i);
        window.dilations[i] = integer(d, CUDNN_ATTR_CONVOLUTION_DILATIONS, i);
    }
    return window;
}

/* A convolution's tensors as of a forward one: backward `x` is what is computed. */
typedef struct Convolution {
    bool is_forward;
    Descriptor *x, *w, *y, *window;
} Convolution;

static Convolution convolution_of(const Descriptor *o) {
    if (o->type == CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR)
        return (Convolution){true, linked(o, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X),
                             linked(o, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W),
                             linked(o, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y),
                             linked(o, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC)};
    return (Convolution){false, linked(o, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX),
                         linked(o, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W),
                         linked(o, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY),
                         linked(o, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC)};
}

static const Descriptor *result_of(const Descriptor *operation) {
    if (operation->type == CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR)
        return linked(operation, CUDNN_ATTR_OPERATION_POINTWISE_YDESC);
    const Convolution c = convolution_of(operation);
    return c.is_forward ? c.y : c.x;
}

/* --- finalizing --- */

static cudnnStatus_t check_tensor(const Descriptor *d) {
    const Attribute *dims = attribute(d, CUDNN_ATTR_TENSOR_DIMENSIONS),
                    *strides = attribute(d, CUDNN_ATTR_TENSOR_STRIDES);
    REQUIRE(dims && strides && dims->count == strides->count && dims->count >= 3 &&
            dims->count <= CUDNN_MAX_RANK);
    REQUIRE(attribute(d, CUDNN_ATTR_TENSOR_UNIQUE_ID) && attribute(d, CUDNN_ATTR_TENSOR_DATA_TYPE) &&
            attribute(d, CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT));
    for (int64_t i = 0; i < dims->count; i++)
        REQUIRE(integer(d, CUDNN_ATTR_TENSOR_DIMENSIONS, i) > 0);
    const int64_t alignment = integer(d, CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, 0);
    REQUIRE(alignment > 0 && (alignment & (alignment - 1)) == 0);
    REQUIRE(enumeration(d, CUDNN_ATTR_TENSOR_DATA_TYPE) == CUDNN_DATA_FLOAT);
    return CUDNN_STATUS_SUCCESS;
}

static cudnnStatus_t check_window(const Descriptor *d) {
    static const cudnnBackendAttributeName_t lists[] = {
        CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, CUDNN_ATTR_CONVOLUTION_POST_PADDINGS,
        CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, CUDNN_ATTR_CONVOLUTION_DILATIONS};
    REQUIRE(attribute(d, CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS) &&
            attribute(d, CUDNN_ATTR_CONVOLUTION_COMP_TYPE) && attribute(d, CUDNN_ATTR_CONVOLUTION_CONV_MODE));
    REQUIRE(enumeration(d, CUDNN_ATTR_CONVOLUTION_CONV_MODE) == CUDNN_CROSS_CORRELATION);
    for (int i = 0; i < 4; i++) {
        const Attribute *list = attribute(d, lists[i]);
        REQUIRE(list && list->count == integer(d, CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, 0));
        for (int64_t k = 0; k < list->count; k++)
            REQUIRE(((const int64_t *)list->values)[k] >= (i < 2 ? 0 : 1));
    }
    return CUDNN_STATUS_SUCCESS;
}

static cudnnStatus_t check_convolution(const Descriptor *d) {
    const Convolution c = convolution_of(d);
    REQUIRE(c.x && c.w && c.y && c.window);
    const View x = view_of(c.x), w = view_of(c.w), y = view_of(c.y);
    const Window window = window_of(c.window);
    REQUIRE(x.rank == w.rank && x.rank == y.rank && x.rank == window.spatial + 2);
    REQUIRE(x.dims[0] == y.dims[0] && y.dims[1] == w.dims[0]);
    REQUIRE(x.dims[1] % w.dims[1] == 0 && w.dims[0] % (x.dims[1] / w.dims[1]) == 0);
    for (int i = 0; i < window.spatial; i++) {
        const int64_t room =
            x.dims[2 + i] + window.begin[i] + window.end[i] - window.dilations[i] * (w.dims[2 + i] - 1) - 1;
        REQUIRE(room >= 0 && y.dims[2 + i] == room / window.strides[i] + 1);
    }
    return CUDNN_STATUS_SUCCESS;
}

static cudnnStatus_t check_pointwise(const Descriptor *d) {
    const Descriptor *function = linked(d, CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR),
                     *other = linked(d, CUDNN_ATTR_OPERATION_POINTWISE_BDESC);
    REQUIRE(function && linked(d, CUDNN_ATTR_OPERATION_POINTWISE_XDESC) &&
            linked(d, CUDNN_ATTR_OPERATION_POINTWISE_YDESC));
    const View x = view_of(linked(d, CUDNN_ATTR_OPERATION_POINTWISE_XDESC)),
               y = view_of(linked(d, CUDNN_ATTR_OPERATION_POINTWISE_YDESC));
    const int mode = enumeration(function, CUDNN_ATTR_POINTWISE_MODE);
    const bool is_add = mode == CUDNN_POINTWISE_ADD;
    REQUIRE(is_add || mode == CUDNN_POINTWISE_RELU_FWD);
    REQUIRE(is_add == (other != NULL));
    for (int i = 0; i < y.rank; i++) {
        REQUIRE(x.dims[i] == y.dims[i]);
        if (other)
            REQUIRE(view_of(other).dims[i] == y.dims[i] || view_of(other).dims[i] == 1);
    }
    return CUDNN_STATUS_SUCCESS;
}

static bool is_tensor(const Attribute *a) {
    return a->type == CUDNN_TYPE_BACKEND_DESCRIPTOR &&
           (*(Descriptor **)a->values)->type == CUDNN_BACKEND_TENSOR_DESCRIPTOR;
}

static cudnnStatus_t check_graph(const Descriptor *d) {
    const Attribute *operations = attribute(d, CUDNN_ATTR_OPERATIONGRAPH_OPS);
    Descriptor *seen[MAX_OPERATIONS * 3];
    int n = 0;
    REQUIRE(operations && operations->count <= MAX_OPERATIONS);
    for (int64_t o = 0; o < operations->count; o++) {
        const Descriptor *operation = ((Descriptor **)operations->values)[o];
        for (int i = 0; i < operation->n_attributes; i++) {
            if (!is_tensor(&operation->attributes[i]))
                continue;
            Descriptor *tensor = *(Descriptor **)operation->attributes[i].values;
            for (int k = 0; k < n; k++)
                REQUIRE(seen[k] == tensor || integer(seen[k], CUDNN_ATTR_TENSOR_UNIQUE_ID, 0) !=
                                                 integer(tensor, CUDNN_ATTR_TENSOR_UNIQUE_ID, 0));
            seen[n++] = tensor;
        }
    }
    return CUDNN_STATUS_SUCCESS;
}

static cudnnStatus_t check_plan(const Descriptor *d) {
    const Descriptor *configuration = linked(d, CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG);
    REQUIRE(configuration && linked(d, CUDNN_ATTR_EXECUTION_PLAN_DEVICEPROP));
    return engines[configuration->engine].builds
               ? CUDNN_STATUS_SUCCESS
               : refuse(CUDNN_STATUS_NOT_SUPPORTED, "this engine never builds");
}

static cudnnStatus_t check(const Descriptor *d) {
    switch (d->type) {
    case CUDNN_BACKEND_TENSOR_DESCRIPTOR:
        return check_tensor(d);
    case CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR:
        return check_window(d);
    case CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR:
    case CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR:
        return check_convolution(d);
    case CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR:
        return check_pointwise(d);
    case CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR:
        return check_graph(d);
    case CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR:
        return check_plan(d);
    case CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR:
        REQUIRE(attribute(d, CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH) &&
                attribute(d, CUDNN_ATTR_ENGINEHEUR_MODE) && attribute(d, CUDNN_ATTR_ENGINEHEUR_DEVICEPROP));
        return CUDNN_STATUS_SUCCESS;
    default:
        return CUDNN_STATUS_SUCCESS;
    }
}

cudnnStatus_t cudnnBackendFinalize(cudnnBackendDescriptor_t descriptor) {
    Descriptor *d = descriptor;
    FAIL_IF_ASKED(cudnnBackendFinalize);
    REQUIRE(d && d->magic == MAGIC && !d->is_final);
    const cudnnStatus_t status = check(d);
    d->is_final = status == CUDNN_STATUS_SUCCESS;
    return status;
}

/* --- offers --- */

static bool is_bias(const Descriptor *tensor) {
    return integer(tensor, CUDNN_ATTR_TENSOR_DIMENSIONS, 0) == 1 &&
           integer(tensor, CUDNN_ATTR_TENSOR_DIMENSIONS, 2) == 1;
}

/* Whether pads differ before and after, and the setting says so of these. */
static bool is_uneven(const Descriptor *operation, const char *wanted) {
    const char *setting = getenv("VCUDNN_UNEVEN");
    const Window window = window_of(convolution_of(operation).window);
    bool uneven = false;
    for (int i = 0; i < window.spatial; i++)
        uneven |= window.begin[i] != window.end[i];
    return uneven && setting && strcmp(setting, wanted) == 0;
}

/* The real library has engines for a residual only before a bias, and for nothing after a gradient. */
static bool has_engines(const Descriptor *graph) {
    const Attribute *operations = attribute(graph, CUDNN_ATTR_OPERATIONGRAPH_OPS);
    const Descriptor *const *list = operations->values;
    const char *setting = getenv("VCUDNN_ENGINES");
    bool bias = false, residual = false;
    if (setting &&
        (strcmp(setting, "none") == 0 || (strcmp(setting, "unfused") == 0 && operations->count > 1)))
        return false;
    if (is_uneven(list[0], "refused"))
        return false;
    for (int64_t i = 1; i < operations->count; i++) {
        const Descriptor *other = linked(list[i], CUDNN_ATTR_OPERATION_POINTWISE_BDESC);
        if (other && !is_bias(other) && bias)
            return false;
        residual |= other && !is_bias(other);
        bias |= other && is_bias(other);
    }
    return (bias || !residual) && (list[0]->type == CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR ||
                                   operations->count == 1);
}

static cudnnStatus_t get_offers(const Descriptor *heuristic, int64_t wanted, int64_t *count,
                                Descriptor **offers) {
    Descriptor *graph = linked(heuristic, CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH);
    const bool is_fallback = enumeration(heuristic, CUDNN_ATTR_ENGINEHEUR_MODE) == CUDNN_HEUR_MODE_FALLBACK;
    const int first = is_fallback ? ENGINES - 1 : 0, end = is_fallback ? ENGINES : ENGINES - 1;
    *count = has_engines(graph) ? end - first : 0;
    for (int i = 0; i < *count && i < wanted; i++) {
        REQUIRE(offers[i] && offers[i]->type == CUDNN_BACKEND_ENGINECFG_DESCRIPTOR);
        offers[i]->engine = first + i;
        offers[i]->graph = graph;
        offers[i]->is_final = true;
    }
    return CUDNN_STATUS_SUCCESS;
}

static cudnnStatus_t get_notes(const Descriptor *engine, int64_t *count, cudnnBackendNumericalNote_t *notes) {
    *count = 0;
    if (engines[engine->engine].nondeterministic)
        notes[(*count)++] = CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC;
    if (engines[engine->engine].tensor_core)
        notes[(*count)++] = CUDNN_NUMERICAL_NOTE_TENSOR_CORE;
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnBackendGetAttribute(cudnnBackendDescriptor_t const descriptor,
                                       cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type,
                                       int64_t wanted, int64_t *count, void *values) {
    const Descriptor *d = descriptor;
    FAIL_IF_ASKED(cudnnBackendGetAttribute);
    REQUIRE(d && d->magic == MAGIC && d->is_final && type_of(name, type) == type);
    switch (name) {
    case CUDNN_ATTR_ENGINEHEUR_RESULTS:
        return get_offers(d, wanted, count, values);
    case CUDNN_ATTR_ENGINECFG_ENGINE: {
        Descriptor *engine = *(Descriptor **)values;
        REQUIRE(engine && engine->type == CUDNN_BACKEND_ENGINE_DESCRIPTOR);
        engine->engine = d->engine;
        engine->is_final = true;
        *count = 1;
        return CUDNN_STATUS_SUCCESS;
    }
    case CUDNN_ATTR_ENGINE_NUMERICAL_NOTE:
        REQUIRE(wanted >= 2);
        return get_notes(d, count, values);
    case CUDNN_ATTR_ENGINE_GLOBAL_INDEX:
        *(int64_t *)values = d->engine;
        *count = 1;
        return CUDNN_STATUS_SUCCESS;
    case CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE:
        *(int64_t *)values =
            engines[linked(d, CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG)->engine].workspace_bytes;
        *count = 1;
        return CUDNN_STATUS_SUCCESS;
    default:
        return refuse(CUDNN_STATUS_NOT_SUPPORTED, "an attribute that the virtual cuDNN does not know");
    }
}

/* --- running --- */

typedef struct Run {
    Descriptor *plan;
    int count;
    int64_t uids[MAX_DATA];
    float *data[MAX_DATA];
    float *owned[MAX_OPERATIONS]; /* virtual tensors */
    int n_owned;
    char *workspace;
} Run;

static float *data_of(Run *run, const Descriptor *tensor) {
    const int64_t uid = integer(tensor, CUDNN_ATTR_TENSOR_UNIQUE_ID, 0);
    for (int i = 0; i < run->count; i++)
        if (run->uids[i] == uid)
            return run->data[i];
    const View view = view_of(tensor);
    run->uids[run->count] = uid;
    run->owned[run->n_owned++] = run->data[run->count] = malloc(extent_bytes(&view));
    return run->data[run->count++];
}

/* Calls for each position of a view. */
static bool next_position(const View *view, int64_t at[CUDNN_MAX_RANK]) {
    for (int i = view->rank - 1; i >= 0; i--) {
        if (++at[i] < view->dims[i])
            return true;
        at[i] = 0;
    }
    return false;
}

static int64_t offset_of(const View *view, const int64_t at[CUDNN_MAX_RANK]) {
    int64_t offset = 0;
    for (int i = 0; i < view->rank; i++)
        offset += (view->dims[i] == 1 ? 0 : at[i]) * view->strides[i];
    return offset;
}

/* Whole networks are made of products: checking each would take most of the time. */
#define UNCHECKED __attribute__((no_sanitize("undefined")))

/* To the 10 bits of TF32. */
static UNCHECKED float rounded(float x, uint32_t mask) {
    union {
        float value;
        uint32_t bits;
    } u = {x};
    u.bits &= mask;
    return u.value;
}

/* One weight by one row. */
static UNCHECKED void add_row(double *restrict sums, int64_t sums_step, const float *restrict row,
                              int64_t row_step, int64_t count, double weight, uint32_t mask) {
    for (int64_t i = 0; i < count; i++)
        sums[i * sums_step] += weight * (double)rounded(row[i * row_step], mask);
}

/* The position in x that tap `tap` reads for position `at` of y, along spatial dimension `i`. */
static int64_t read_by(const Window *window, int i, int64_t at, int64_t tap) {
    return at * window->strides[i] - window->begin[i] + tap * window->dilations[i];
}

/* What one channel of y has to do with one of x, `sums` and `factors` being theirs: forward the products of x
 * are added to y, backward those of y to x. */
static void add_channel(const View *x, const View *w, const View *y, const Window *window,
                        const float *weights, const float *factors, double *sums, bool is_forward,
                        uint32_t mask) {
    const int last = window->spatial - 1;
    int64_t tap[CUDNN_MAX_RANK] = {0};
    View taps = *w, rows = *y;
    taps.dims[0] = taps.dims[1] = rows.dims[0] = rows.dims[1] = rows.dims[2 + last] = 1;
    do {
        int64_t at[CUDNN_MAX_RANK] = {0}, first = 0, end = y->dims[2 + last];
        while (first < end && read_by(window, last, first, tap[2 + last]) < 0)
            first++;
        while (end > first && read_by(window, last, end - 1, tap[2 + last]) >= x->dims[2 + last])
            end--;
        do {
            int64_t read[CUDNN_MAX_RANK] = {0};
            bool inside = true;
            for (int i = 0; i < last; i++) {
                read[2 + i] = read_by(window, i, at[2 + i], tap[2 + i]);
                inside = inside && read[2 + i] >= 0 && read[2 + i] < x->dims[2 + i];
            }
            if (!inside || first == end)
                continue;
            const int64_t x_step = window->strides[last] * x->strides[2 + last],
                          y_step = y->strides[2 + last],
                          x_row = offset_of(x, read) +
                                  read_by(window, last, first, tap[2 + last]) * x->strides[2 + last],
                          y_row = offset_of(y, at) + first * y_step;
            const double weight = (double)rounded(weights[offset_of(&taps, tap)], mask);
            if (is_forward)
                add_row(sums + y_row, y_step, factors + x_row, x_step, end - first, weight, mask);
            else
                add_row(sums + x_row, x_step, factors + y_row, y_step, end - first, weight, mask);
        } while (next_position(&rows, at));
    } while (next_position(&taps, tap));
}

/* Sums in float64, forward and backward. */
static void run_convolution(Run *run, const Descriptor *operation, bool tensor_core) {
    const Convolution c = convolution_of(operation);
    const View x = view_of(c.x), w = view_of(c.w), y = view_of(c.y);
    const Window window = window_of(c.window);
    float *x_data = data_of(run, c.x), *w_data = data_of(run, c.w), *y_data = data_of(run, c.y);
    const View *out = c.is_forward ? &y : &x;
    float *out_data = c.is_forward ? y_data : x_data;
    double *sums = calloc(extent_bytes(out) / sizeof(float), sizeof *sums);
    const int64_t per_group = w.dims[0] / (x.dims[1] / w.dims[1]);
    for (int64_t image = 0; image < y.dims[0]; image++)
        for (int64_t to = 0; to < y.dims[1]; to++)
            for (int64_t from = 0; from < w.dims[1]; from++) {
                const int64_t in_x =
                    image * x.strides[0] + (to / per_group * w.dims[1] + from) * x.strides[1];
                const int64_t in_y = image * y.strides[0] + to * y.strides[1];
                add_channel(&x, &w, &y, &window, w_data + to * w.strides[0] + from * w.strides[1],
                            c.is_forward ? x_data + in_x : y_data + in_y, sums + (c.is_forward ? in_y : in_x),
                            c.is_forward, tensor_core ? 0xffffe000u : UINT32_MAX);
            }
    int64_t at[CUDNN_MAX_RANK] = {0};
    do
        out_data[offset_of(out, at)] = (float)sums[offset_of(out, at)];
    while (next_position(out, at));
    free(sums);
}

static void run_pointwise(Run *run, const Descriptor *operation) {
    const Descriptor *x = linked(operation, CUDNN_ATTR_OPERATION_POINTWISE_XDESC),
                     *y = linked(operation, CUDNN_ATTR_OPERATION_POINTWISE_YDESC),
                     *other = linked(operation, CUDNN_ATTR_OPERATION_POINTWISE_BDESC);
    const View from = view_of(x), to = view_of(y), added = view_of(other ? other : x);
    const float *x_data = data_of(run, x), *other_data = other ? data_of(run, other) : NULL;
    float *y_data = data_of(run, y);
    int64_t at[CUDNN_MAX_RANK] = {0};
    do {
        const float value = x_data[offset_of(&from, at)];
        y_data[offset_of(&to, at)] = other       ? value + other_data[offset_of(&added, at)]
                                     : value < 0 ? 0
                                                 : value;
    } while (next_position(&to, at));
}

static void finish_result(const Descriptor *configuration, float *result) {
    static uint32_t varying = 1;
    varying = varying * 1664525u + 1013904223u;
    if (engines[configuration->engine].nondeterministic && varying >> 31)
        *result = nextafterf(*result, INFINITY);
    virtual_spoil("cudnnBackendExecute", result);
}

/* On a copy, as a captured plan runs more than once. */
static void run_plan(void *context) {
    Run copy = *(const Run *)context, *run = &copy;
    if (run->plan->magic != MAGIC) {
        virtual_error("a plan was destroyed before it ran");
        return;
    }
    const Descriptor *configuration = linked(run->plan, CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG);
    const Attribute *operations = attribute(configuration->graph, CUDNN_ATTR_OPERATIONGRAPH_OPS);
    if (run->workspace)
        memset(run->workspace, 0xff, (size_t)engines[configuration->engine].workspace_bytes);
    virtual_spend(engines[configuration->engine].time_us +
                  (is_uneven(((Descriptor **)operations->values)[0], "slow") ? 1000 : 0));
    for (int64_t i = 0; i < operations->count; i++) {
        const Descriptor *operation = ((Descriptor **)operations->values)[i];
        if (operation->type == CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR)
            run_pointwise(run, operation);
        else
            run_convolution(run, operation, engines[configuration->engine].tensor_core);
        if (i == operations->count - 1)
            finish_result(configuration, data_of(run, result_of(operation)));
    }
    while (run->n_owned)
        free(run->owned[--run->n_owned]);
}

static cudnnStatus_t check_data(const Run *run, const Descriptor *tensor) {
    const View view = view_of(tensor);
    if (*(const bool *)attribute(tensor, CUDNN_ATTR_TENSOR_IS_VIRTUAL)->values)
        return CUDNN_STATUS_SUCCESS;
    for (int i = 0; i < run->count; i++) {
        if (run->uids[i] != integer(tensor, CUDNN_ATTR_TENSOR_UNIQUE_ID, 0))
            continue;
        REQUIRE(virtual_check(run->data[i], extent_bytes(&view), "cudnnBackendExecute"));
        REQUIRE((uintptr_t)run->data[i] % (uintptr_t)integer(tensor, CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, 0) ==
                0);
        return CUDNN_STATUS_SUCCESS;
    }
    return refuse(CUDNN_STATUS_BAD_PARAM, "a tensor is missing in the variant pack");
}

cudnnStatus_t cudnnBackendExecute(cudnnHandle_t handle, cudnnBackendDescriptor_t plan,
                                  cudnnBackendDescriptor_t pack) {
    const Descriptor *p = plan, *data = pack;
    FAIL_IF_ASKED(cudnnBackendExecute);
    REQUIRE(handle && handle->stream && p && p->magic == MAGIC && p->is_final && data &&
            data->magic == MAGIC && data->is_final);
    const Attribute *uids = attribute(data, CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS),
                    *pointers = attribute(data, CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS),
                    *workspace = attribute(data, CUDNN_ATTR_VARIANT_PACK_WORKSPACE);
    REQUIRE(uids && pointers && workspace && uids->count == pointers->count && uids->count < MAX_DATA / 2);
    const Descriptor *configuration = linked(p, CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG);
    const int64_t workspace_bytes = engines[configuration->engine].workspace_bytes;
    Run run = {.plan = plan, .count = (int)uids->count, .workspace = *(char **)workspace->values};
    memcpy(run.uids, uids->values, (size_t)uids->count * sizeof *run.uids);
    memcpy(run.data, pointers->values, (size_t)uids->count * sizeof *run.data);
    REQUIRE(!workspace_bytes ||
            virtual_check(run.workspace, (size_t)workspace_bytes, "the workspace of a plan"));
    const Attribute *operations = attribute(configuration->graph, CUDNN_ATTR_OPERATIONGRAPH_OPS);
    for (int64_t i = 0; i < operations->count; i++) {
        const Descriptor *operation = ((Descriptor **)operations->values)[i];
        for (int k = 0; k < operation->n_attributes; k++)
            if (is_tensor(&operation->attributes[k])) {
                const cudnnStatus_t status =
                    check_data(&run, *(Descriptor **)operation->attributes[k].values);
                if (status)
                    return status;
            }
    }
    Run *queued = malloc(sizeof *queued);
    *queued = run;
    virtual_enqueue(handle->stream, run_plan, queued);
    return CUDNN_STATUS_SUCCESS;
}
