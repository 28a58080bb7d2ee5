/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/size.h"
#include "base/text.h"
#include "ops/op.h"
#include "tensor/narrow.h"

#define FORMAT_MESSAGE(message, format)                                                                      \
    char message[sizeof(((Error *)0)->message)];                                                             \
    do {                                                                                                     \
        va_list args;                                                                                        \
        va_start(args, format);                                                                              \
        text_vformat(message, sizeof message, format, args);                                                 \
        va_end(args);                                                                                        \
    } while (0)

Status parse_fail(ParseContext *ctx, Status status, const char *format, ...) {
    FORMAT_MESSAGE(message, format);
    return node_fail(ctx->node, ctx->err, status, "%s", message);
}

Status infer_fail(InferContext *ctx, Status status, const char *format, ...) {
    FORMAT_MESSAGE(message, format);
    return node_fail(ctx->node, ctx->err, status, "%s", message);
}

Status eval_fail(EvalContext *ctx, Status status, const char *format, ...) {
    FORMAT_MESSAGE(message, format);
    return node_fail(ctx->node, ctx->err, status, "%s", message);
}

Status host_fail(HostContext *ctx, Status status, const char *format, ...) {
    FORMAT_MESSAGE(message, format);
    return node_fail(ctx->node, ctx->err, status, "%s", message);
}

/* --- infer() --- */

bool infer_has_input(const InferContext *ctx, int port) {
    return port < ctx->n_inputs && ctx->node->inputs[port] != NULL;
}

Status infer_require_dtype(InferContext *ctx, int port, unsigned accepted) {
    DType dtype = port < ctx->n_inputs ? ctx->inputs[port].dtype : STRIDER_DTYPE_NONE;
    if (dtype && !(accepted & DTYPE_BIT(dtype)))
        return infer_fail(ctx, STRIDER_UNSUPPORTED, "input %d of type %s is not supported", port,
                          dtype_name(dtype));
    return STRIDER_OK;
}

Status infer_require_same_dtype(InferContext *ctx, int port_a, int port_b) {
    DType a = port_a < ctx->n_inputs ? ctx->inputs[port_a].dtype : STRIDER_DTYPE_NONE;
    DType b = port_b < ctx->n_inputs ? ctx->inputs[port_b].dtype : STRIDER_DTYPE_NONE;
    if (a && b && a != b)
        return infer_fail(ctx, STRIDER_BAD_MODEL,
                          "input %d is %s and input %d is %s, but they must be of one type", port_a,
                          dtype_name(a), port_b, dtype_name(b));
    return STRIDER_OK;
}

Status infer_require_rank(InferContext *ctx, int port, int min, int max) {
    int rank = port < ctx->n_inputs ? ctx->inputs[port].shape.rank : RANK_UNKNOWN;
    if (rank < 0 || (rank >= min && (max < 0 || rank <= max)))
        return STRIDER_OK;
    if (min == max)
        return infer_fail(ctx, STRIDER_BAD_MODEL, "input %d has rank %d, must have %d", port, rank, min);
    if (max < 0)
        return infer_fail(ctx, STRIDER_BAD_MODEL, "input %d has rank %d, must have at least %d", port, rank,
                          min);
    return infer_fail(ctx, STRIDER_BAD_MODEL, "input %d has rank %d, must have %d to %d", port, rank, min,
                      max);
}

Status infer_require_scalar(InferContext *ctx, int port) {
    const Shape *shape = port < ctx->n_inputs ? &ctx->inputs[port].shape : NULL;
    int64_t count;
    if (shape && shape->rank >= 0 && shape_count(shape, 0, shape->rank, &count) && count != 1)
        return infer_fail(ctx, STRIDER_BAD_MODEL, "input %d must be a scalar", port);
    return STRIDER_OK;
}

int64_t infer_input_dim(const InferContext *ctx, int port, int at) {
    const Shape *shape = port < ctx->n_inputs ? &ctx->inputs[port].shape : NULL;
    return shape && shape->rank > at ? shape->dims[at] : DIM_UNKNOWN;
}

Status infer_axis(InferContext *ctx, int64_t axis, int rank, int *result) {
    if (axis < -rank || axis >= rank)
        return infer_fail(ctx, STRIDER_BAD_MODEL, "axis %lld is outside [%d, %d)", (long long)axis, -rank,
                          rank);
    *result = (int)(axis < 0 ? axis + rank : axis);
    return STRIDER_OK;
}

/* Shared by infer_ints() and eval_ints(). */
static bool read_ints(const Tensor *tensor, int64_t *values, int capacity, int *count) {
    int64_t elements = tensor_elements(tensor);
    if (elements > capacity)
        return false;
    for (int64_t i = 0; i < elements; i++)
        values[i] = tensor_get_i64(tensor, i);
    *count = (int)elements;
    return true;
}

Status infer_ints(InferContext *ctx, int port, int64_t *values, int capacity, int *count) {
    *count = -1;
    if (!infer_has_input(ctx, port))
        return STRIDER_OK;
    if (ctx->inputs[port].shape.rank > 1)
        return infer_fail(ctx, STRIDER_BAD_MODEL, "input %d has rank %d, must be a list of integers", port,
                          ctx->inputs[port].shape.rank);
    TRY(infer_require_dtype(ctx, port, DTYPES_INTEGER));
    const Tensor *tensor = ctx->input_values[port];
    if (tensor && !read_ints(tensor, values, capacity, count))
        return infer_fail(ctx, STRIDER_BAD_MODEL, "input %d has more than %d values", port, capacity);
    return STRIDER_OK;
}

static Status broadcast_dim(InferContext *ctx, int64_t a, int64_t b, int64_t *result) {
    if (a == b || b == 1)
        *result = a;
    else if (a == 1)
        *result = b;
    else if (a >= 0 && b >= 0)
        return infer_fail(ctx, STRIDER_BAD_MODEL, "dimensions %lld and %lld do not broadcast", (long long)a,
                          (long long)b);
    else /* the number that is known and not 1 decides, if the model is right */
        *result = a >= 0 ? a : b >= 0 ? b : DIM_UNKNOWN;
    return STRIDER_OK;
}

Status infer_broadcast(InferContext *ctx, const Shape *a, const Shape *b, Shape *result) {
    if (a->rank < 0 || b->rank < 0) {
        *result = shape_unknown();
        return STRIDER_OK;
    }
    Shape joined = {.rank = a->rank > b->rank ? a->rank : b->rank};
    for (int i = 1; i <= joined.rank; i++)
        TRY(broadcast_dim(ctx, i <= a->rank ? a->dims[a->rank - i] : 1,
                          i <= b->rank ? b->dims[b->rank - i] : 1, &joined.dims[joined.rank - i]));
    *result = joined;
    return STRIDER_OK;
}

int64_t infer_derived_dim(InferContext *ctx, int64_t dim, const char *format, ...) {
    const char *text = symbol_text(ctx->symbols, dim);
    if (!text)
        return DIM_UNKNOWN;
    char derived[256];
    va_list args;
    va_start(args, format);
    int length = vsnprintf(derived, sizeof derived, format, args);
    va_end(args);
    return length > 0 && (size_t)length < sizeof derived ? symbol_dim(ctx->symbols, derived) : DIM_UNKNOWN;
}

Status infer_check_dim(InferContext *ctx, int64_t value, const char *what) {
    if (value < 0)
        return infer_fail(ctx, STRIDER_BAD_MODEL, "%s is %lld, must not be negative", what, (long long)value);
    return STRIDER_OK;
}

/* --- reference() --- */

uint64_t tensor_get_bits(const Tensor *tensor, int64_t index) {
    if (tensor->type.dtype == STRIDER_U64)
        return ((const uint64_t *)tensor->data)[index];
    if (tensor->type.dtype == STRIDER_BOOL)
        return ((const uint8_t *)tensor->data)[index] != 0;
    return (uint64_t)tensor_get_i64(tensor, index);
}

void tensor_set_bits(Tensor *tensor, int64_t index, uint64_t value) {
    size_t size = dtype_size(tensor->type.dtype);
    if (dtype_is_small_integer(tensor->type.dtype))
        value = narrow_element(tensor->type.dtype, (uint8_t)value);
    /* The low bytes stand first: little-endian, as all that Strider runs on. */
    memcpy((char *)tensor->data + (size_t)index * size, &value, size);
}

Status eval_set_output_shape(EvalContext *ctx, int port, DType dtype, const Shape *shape) {
    Tensor *output = ctx->outputs[port];
    if (output->data || shape_is_known(&output->type.shape))
        return shape_equal(&output->type.shape, shape)
                   ? STRIDER_OK
                   : eval_fail(ctx, STRIDER_BAD_MODEL,
                               "output %d has another shape than its inputs' shapes said", port);
    if (!ctx->allocator)
        return eval_fail(ctx, STRIDER_BAD_MODEL, "the shape of output %d depends on data", port);
    return tensor_alloc(output, ctx->allocator, dtype, shape, ctx->err);
}

Status eval_ints(EvalContext *ctx, int port, int64_t *values, int capacity, int *count) {
    const Tensor *tensor = eval_input(ctx, port);
    *count = -1;
    if (tensor && !read_ints(tensor, values, capacity, count))
        return eval_fail(ctx, STRIDER_BAD_MODEL, "input %d has more than %d values", port, capacity);
    return STRIDER_OK;
}

Status eval_alloc(EvalContext *ctx, size_t size, int64_t count, void **memory) {
    static char nothing[MEMORY_ALIGNMENT]; /* where no bytes begin: no pointer is NULL, none may be moved */
    const Bytes bytes = scratch_of(size, count);
    if (bytes.n > ctx->scratch_bytes - ctx->scratch_used)
        return eval_fail(ctx, STRIDER_OUT_OF_MEMORY,
                         "the reference takes %zu bytes of scratch memory where %zu of %zu are left", bytes.n,
                         ctx->scratch_bytes - ctx->scratch_used, ctx->scratch_bytes);
    *memory = bytes.n ? ctx->scratch + ctx->scratch_used : nothing;
    ctx->scratch_used += bytes.n;
    return STRIDER_OK;
}

Status eval_alloc_doubles(EvalContext *ctx, int64_t count, double **values) {
    void *memory = NULL;
    TRY(eval_alloc(ctx, sizeof **values, count, &memory));
    *values = memory;
    return STRIDER_OK;
}

Status eval_alloc_string(EvalContext *ctx, size_t size, char **bytes) {
    if (!ctx->strings)
        return eval_fail(ctx, STRIDER_UNSUPPORTED, "strings are made in runs alone");
    *bytes = region_alloc(ctx->strings, size);
    return *bytes ? STRIDER_OK
                  : eval_fail(ctx, STRIDER_OUT_OF_MEMORY, "no memory for a string of %zu bytes", size);
}

Status eval_load_doubles(EvalContext *ctx, int port, double **values) {
    const Tensor *tensor = eval_input(ctx, port);
    *values = NULL;
    if (!tensor)
        return STRIDER_OK;
    int64_t count = tensor_elements(tensor);
    TRY(eval_alloc_doubles(ctx, count, values));
    if (tensor->type.dtype == STRIDER_F32) {
        const float *from = tensor->data;
        for (int64_t i = 0; i < count; i++)
            (*values)[i] = (double)from[i];
    } else {
        for (int64_t i = 0; i < count; i++)
            (*values)[i] = tensor_get_f64(tensor, i);
    }
    return STRIDER_OK;
}

void tensor_store_doubles(Tensor *tensor, const double *values) {
    int64_t count = tensor_elements(tensor);
    if (tensor->type.dtype == STRIDER_F32) {
        float *to = tensor->data;
        for (int64_t i = 0; i < count; i++)
            to[i] = (float)values[i];
    } else {
        for (int64_t i = 0; i < count; i++)
            tensor_set_f64(tensor, i, values[i]);
    }
}

/* --- host() --- */

Status host_tensor(HostContext *ctx, int port, const Tensor **tensor) {
    const RunValue *value = host_input(ctx, port);
    if (!value || value->kind != VALUE_TENSOR)
        return host_fail(ctx, STRIDER_BAD_MODEL, "input %d must be a tensor", port);
    *tensor = &value->tensor;
    return STRIDER_OK;
}

Status host_sequence(HostContext *ctx, int port, RunValue **sequence) {
    *sequence = host_input(ctx, port);
    if (!*sequence || (*sequence)->kind != VALUE_SEQUENCE)
        return host_fail(ctx, STRIDER_BAD_MODEL, "input %d must be a sequence", port);
    return STRIDER_OK;
}

Status host_int(HostContext *ctx, int port, int64_t fallback, int64_t *value) {
    const Tensor *tensor = NULL;
    *value = fallback;
    if (!host_input(ctx, port))
        return STRIDER_OK;
    TRY(host_tensor(ctx, port, &tensor));
    if (tensor_elements(tensor) != 1 || dtype_is_float(tensor->type.dtype))
        return host_fail(ctx, STRIDER_BAD_MODEL, "input %d must be one integer or bool", port);
    *value = tensor_get_i64(tensor, 0);
    return STRIDER_OK;
}

void host_set_output(HostContext *ctx, int port, RunValue *value) {
    if (port < ctx->n_outputs && ctx->node->outputs[port])
        ctx->outputs[port] = value;
    else
        run_value_release(value);
}

/* --- scratch() --- */

Bytes scratch_of(size_t size, int64_t count) {
    Bytes bytes = bytes_of_items(size, count);
    if (!size_align(bytes.n, MEMORY_ALIGNMENT, &bytes.n))
        bytes.n = SIZE_MAX;
    return bytes;
}

Bytes scratch_of_tensor(const Type *type) {
    if (!type->dtype || type->shape.rank < 0)
        return (Bytes){0};
    return scratch_of(sizeof(double), i64_product_of_list(type->shape.dims, (size_t)type->shape.rank));
}

Bytes scratch_of_input(const Node *node, const Type *inputs, const Type *outputs) {
    (void)node, (void)outputs;
    return scratch_of_tensor(&inputs[0]);
}

Bytes scratch_of_inputs(const Node *node, const Type *inputs, const Type *outputs) {
    (void)outputs;
    Bytes sum = {0};
    for (int i = 0; i < node_own_inputs(node); i++)
        sum = bytes_sum(sum, scratch_of_tensor(&inputs[i]));
    return sum;
}
