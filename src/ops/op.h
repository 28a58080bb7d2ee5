/* SPDX-License-Identifier: Apache-2.0 */
/* The table of operators, and helpers for writing their functions (the struct Op itself is in graph/op.h). */
#ifndef OPS_OP_H
#define OPS_OP_H

#include "graph/op.h"
#include "ops/op_kind.h"

/* The row for an operator at an opset, or NULL.  Domains "ai.onnx" and "" are the same. */
const Op *op_find(const char *domain, const char *name, int64_t opset);
/* Whether any version of the operator exists: for messages. */
bool op_exists(const char *domain, const char *name);
/* All rows. */
const Op *const *op_table(size_t *count);

/* --- parse() --- */
/* Each sets *result to the attribute's value, or to `fallback` where there is none, and fails where it has
 * another kind. */
Status parse_int(ParseContext *ctx, const char *name, int64_t fallback, int64_t *result) MUST_CHECK;
Status parse_bool(ParseContext *ctx, const char *name, bool fallback,
                  bool *result) MUST_CHECK; /* an int, 0 or not */
Status parse_float(ParseContext *ctx, const char *name, float fallback, float *result) MUST_CHECK;
/* The result points into ctx->attrs' memory, which lives as long as ctx->region. */
Status parse_string(ParseContext *ctx, const char *name, const char *fallback,
                    const char **result) MUST_CHECK;
/* *result is the index of the string among `names` (NULL-terminated); any other string is BAD_MODEL. */
Status parse_enum(ParseContext *ctx, const char *name, const char *const *names, int fallback,
                  int *result) MUST_CHECK;
/* *count is -1 where the attribute is absent.  At most `capacity` values; more is BAD_MODEL. */
Status parse_ints(ParseContext *ctx, const char *name, int64_t *values, int capacity, int *count) MUST_CHECK;
/* Lists that lie where a string does; *count is -1 where the attribute is absent. */
Status parse_floats(ParseContext *ctx, const char *name, const float **values, int64_t *count) MUST_CHECK;
Status parse_strings(ParseContext *ctx, const char *name, const char *const **values,
                     int64_t *count) MUST_CHECK;
/* A data type by ONNX's number, or before opset 6 its name; UNSUPPORTED for those that Strider lacks. */
Status parse_dtype(ParseContext *ctx, const char *name, DType fallback, DType *dtype) MUST_CHECK;
/* Unchanged where the attribute is absent. */
Status parse_type(ParseContext *ctx, const char *name, ValueType *type) MUST_CHECK;
bool parse_has(const ParseContext *ctx, const char *name);
/* BAD_MODEL: required attribute missing. */
Status parse_require(ParseContext *ctx, const char *name) MUST_CHECK;
Status parse_fail(ParseContext *ctx, Status status, const char *format, ...) PRINTF_LIKE(3, 4);

/* --- infer() --- */
static inline const void *infer_attrs(const InferContext *ctx) {
    return ctx->node->attrs;
}
bool infer_has_input(const InferContext *ctx, int port); /* connected, whether or not its type is known */
Status infer_fail(InferContext *ctx, Status status, const char *format, ...) PRINTF_LIKE(3, 4);
/* UNSUPPORTED where input `port` is of a type that is not among `accepted`, a bit set of DTYPE_BIT(); unknown
 * passes.  DTYPES_ALL are those that operators compute with.  Those of DTYPES_STORAGE are only kept, moved
 * and converted: an operator that moves elements by their size asks for no types and takes them with all
 * others. */
#define DTYPE_BIT(dtype) (1u << (dtype))
enum {
    DTYPES_FLOAT = 1u << STRIDER_F32 | 1u << STRIDER_F64 | 1u << STRIDER_F16 | 1u << STRIDER_BF16,
    DTYPES_INTEGER = 1u << STRIDER_I8 | 1u << STRIDER_I16 | 1u << STRIDER_I32 | 1u << STRIDER_I64 |
                     1u << STRIDER_U8 | 1u << STRIDER_U16 | 1u << STRIDER_U32 | 1u << STRIDER_U64,
    DTYPES_NUMERIC = DTYPES_FLOAT | DTYPES_INTEGER,
    DTYPES_ALL = DTYPES_NUMERIC | 1u << STRIDER_BOOL,
    DTYPES_INDEX = 1u << STRIDER_I32 | 1u << STRIDER_I64,
    DTYPES_STRING = 1u << STRIDER_STRING,
    DTYPES_FLOAT8 =
        1u << STRIDER_F8E4M3FN | 1u << STRIDER_F8E4M3FNUZ | 1u << STRIDER_F8E5M2 | 1u << STRIDER_F8E5M2FNUZ,
    DTYPES_NARROW_FLOAT = DTYPES_FLOAT8 | 1u << STRIDER_F8E8M0 | 1u << STRIDER_F6E2M3 | 1u << STRIDER_F6E3M2 |
                          1u << STRIDER_F4E2M1,
    DTYPES_SMALL_INTEGER = 1u << STRIDER_I4 | 1u << STRIDER_U4 | 1u << STRIDER_I2 | 1u << STRIDER_U2,
    DTYPES_STORAGE = DTYPES_NARROW_FLOAT | DTYPES_SMALL_INTEGER,
};
Status infer_require_dtype(InferContext *ctx, int port, unsigned accepted) MUST_CHECK;
/* BAD_MODEL where both types are known and differ. */
Status infer_require_same_dtype(InferContext *ctx, int port_a, int port_b) MUST_CHECK;
/* BAD_MODEL where the rank is known and outside [min, max] (max -1: MAX_RANK). */
Status infer_require_rank(InferContext *ctx, int port, int min, int max) MUST_CHECK;
/* BAD_MODEL where input `port` is known to have another number of elements than one. */
Status infer_require_scalar(InferContext *ctx, int port) MUST_CHECK;
/* Dimension `at` of an input; DIM_UNKNOWN also where it has none. */
int64_t infer_input_dim(const InferContext *ctx, int port, int at);
/* `axis` in [-rank, rank) to [0, rank); BAD_MODEL otherwise. */
Status infer_axis(InferContext *ctx, int64_t axis, int rank, int *result) MUST_CHECK;
/* The contents of a rank-0 or rank-1 integer input as int64: *count is -1 where the contents are not known
 * yet, or the input is absent (ask infer_has_input()).  At most `capacity` values; more is BAD_MODEL. */
Status infer_ints(InferContext *ctx, int port, int64_t *values, int capacity, int *count) MUST_CHECK;
/* The multidirectional broadcast of two dimensions or shapes (as in NumPy); BAD_MODEL where they do not fit.
 */
Status infer_broadcast(InferContext *ctx, const Shape *a, const Shape *b, Shape *result) MUST_CHECK;
/* A dimension that follows from `dim` by a formula: where `dim` is a symbol, the symbol whose text is made
 * from the printf-like `format` (the caller puts symbol_text(ctx->symbols, dim) into it); else unknown. */
int64_t infer_derived_dim(InferContext *ctx, int64_t dim, const char *format, ...) PRINTF_LIKE(3, 4);
/* BAD_MODEL where `value`, a dimension from a model's integers, is negative. */
Status infer_check_dim(InferContext *ctx, int64_t value, const char *what) MUST_CHECK;

/* --- reference() --- */
static inline const void *eval_attrs(const EvalContext *ctx) {
    return ctx->node->attrs;
}
static inline const Tensor *eval_input(const EvalContext *ctx, int port) {
    return port < ctx->n_inputs ? ctx->inputs[port] : NULL;
}
static inline Tensor *eval_output(const EvalContext *ctx, int port) {
    return port < ctx->n_outputs ? ctx->outputs[port] : NULL;
}
Status eval_fail(EvalContext *ctx, Status status, const char *format, ...) PRINTF_LIKE(3, 4);
/* Element `index` of an integer or bool tensor as 64 bits, sign-extended where the type is signed; and the
 * reverse, which keeps the low bits: unsigned arithmetic in between wraps around as the type itself would.  A
 * bool is 0 or 1, whatever its byte holds. */
uint64_t tensor_get_bits(const Tensor *tensor, int64_t index);
void tensor_set_bits(Tensor *tensor, int64_t index, uint64_t value);
/* For data-dependent shapes: allocates output `port`, which must be asked for and have no data yet. */
Status eval_set_output_shape(EvalContext *ctx, int port, DType dtype, const Shape *shape) MUST_CHECK;
/* `count` items of `size` bytes of scratch memory, at a multiple of MEMORY_ALIGNMENT, contents undefined. All
 * of it ends with reference(), which may take no more than Op.scratch() has stated. */
Status eval_alloc(EvalContext *ctx, size_t size, int64_t count, void **memory) MUST_CHECK;
Status eval_alloc_doubles(EvalContext *ctx, int64_t count, double **values) MUST_CHECK;
/* `size` bytes for a string, which stay until the next run; UNSUPPORTED before runs. */
Status eval_alloc_string(EvalContext *ctx, size_t size, char **bytes) MUST_CHECK;
/* A tensor's elements as doubles in scratch memory; NULL where the input is absent.  How reference kernels
 * handle all float types by one loop. */
Status eval_load_doubles(EvalContext *ctx, int port, double **values) MUST_CHECK;
/* The reverse: rounds each element once to the tensor's type. */
void tensor_store_doubles(Tensor *tensor, const double *values);
/* An integer tensor's contents; at most `capacity`. */
Status eval_ints(EvalContext *ctx, int port, int64_t *values, int capacity, int *count) MUST_CHECK;

/* --- host() --- */
static inline const void *host_attrs(const HostContext *ctx) {
    return ctx->node->attrs;
}
/* NULL where the input is absent. */
static inline RunValue *host_input(const HostContext *ctx, int port) {
    return port < ctx->n_inputs ? ctx->inputs[port] : NULL;
}
Status host_fail(HostContext *ctx, Status status, const char *format, ...) PRINTF_LIKE(3, 4);
/* A tensor, or a sequence, that must be there; BAD_MODEL where input `port` is something else. */
Status host_tensor(HostContext *ctx, int port, const Tensor **tensor) MUST_CHECK;
Status host_sequence(HostContext *ctx, int port, RunValue **sequence) MUST_CHECK;
/* The one element of an integer or bool tensor; `fallback` where the input is absent. */
Status host_int(HostContext *ctx, int port, int64_t fallback, int64_t *value) MUST_CHECK;
/* Sets an output to a value, whose reference goes over; where nobody asked for it the reference ends. */
void host_set_output(HostContext *ctx, int port, RunValue *value);

/* --- scratch(): what these take --- */
Bytes scratch_of(size_t size, int64_t count);
/* As doubles: a tensor of a known type, or none where it is absent; the first input; all inputs. */
Bytes scratch_of_tensor(const Type *type);
Bytes scratch_of_input(const Node *node, const Type *inputs, const Type *outputs);
Bytes scratch_of_inputs(const Node *node, const Type *inputs, const Type *outputs);

#endif
