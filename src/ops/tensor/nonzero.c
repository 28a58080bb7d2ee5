/* SPDX-License-Identifier: Apache-2.0 */
/* NonZero: the coordinates of all elements that are not zero, in their order, one column for each: [rank of
 * x, count].  ONNX 9, 13.  NaN is not zero.  Of a scalar, which has no coordinates, [0, count]. */
#include "ops/op.h"

static Status nonzero_infer(InferContext *ctx) {
    const Shape *x = &ctx->inputs[0].shape;
    ctx->outputs[0].dtype = STRIDER_I64;
    if (x->rank >= 0)
        ctx->outputs[0].shape = shape_make(2, (int64_t[]){x->rank, DIM_UNKNOWN});
    return STRIDER_OK;
}

/* The numbers of the elements [from, end) that are not zero into `columns`, of which there are `room`; how
 * many. Written without a branch on what the elements are: masks have no pattern. */
typedef int64_t FindRow(const void *data, int64_t from, int64_t count, int64_t *columns, int64_t room);
typedef int64_t CountAll(const void *data, int64_t count);

#define FIND(NAME, T, IS_SET)                                                                                \
    static int64_t count_##NAME(const void *data, int64_t count) {                                           \
        const T *x = data;                                                                                   \
        int64_t found = 0;                                                                                   \
        for (int64_t i = 0; i < count; i++)                                                                  \
            found += IS_SET(x[i]);                                                                           \
        return found;                                                                                        \
    }                                                                                                        \
    static int64_t find_##NAME(const void *data, int64_t from, int64_t count, int64_t *columns,              \
                               int64_t room) {                                                               \
        const T *x = (const T *)data + from;                                                                 \
        int64_t found = 0;                                                                                   \
        for (int64_t i = 0; i < count && found < room; i++) {                                                \
            columns[found] = i;                                                                              \
            found += IS_SET(x[i]);                                                                           \
        }                                                                                                    \
        return found;                                                                                        \
    }
#define IS_NOT_ZERO(VALUE) ((VALUE) != 0)
#define HALF_IS_NOT_ZERO(BITS) (((BITS)&0x7fff) != 0) /* of both kinds, whatever the sign */

FIND(8, uint8_t, IS_NOT_ZERO)
FIND(16, uint16_t, IS_NOT_ZERO)
FIND(32, uint32_t, IS_NOT_ZERO)
FIND(64, uint64_t, IS_NOT_ZERO)
FIND(half, uint16_t, HALF_IS_NOT_ZERO)
FIND(float, float, IS_NOT_ZERO)
FIND(double, double, IS_NOT_ZERO)

typedef struct Finder {
    CountAll *count;
    FindRow *find;
} Finder;

static Finder finder_of(DType dtype) {
    switch (dtype) {
    case STRIDER_F32:
        return (Finder){count_float, find_float};
    case STRIDER_F64:
        return (Finder){count_double, find_double};
    case STRIDER_F16:
    case STRIDER_BF16:
        return (Finder){count_half, find_half};
    default:
        break;
    }
    switch (dtype_size(dtype)) {
    case 1:
        return (Finder){count_8, find_8};
    case 2:
        return (Finder){count_16, find_16};
    case 4:
        return (Finder){count_32, find_32};
    default:
        return (Finder){count_64, find_64};
    }
}

/* The next row's coordinates. */
static void advance(const Shape *x, int64_t at[MAX_RANK]) {
    for (int d = x->rank - 2; d >= 0 && ++at[d] == x->dims[d]; d--)
        at[d] = 0;
}

static Status nonzero_reference(EvalContext *ctx) {
    const Tensor *x = ctx->inputs[0];
    const Shape *shape = &x->type.shape;
    const Finder finder = finder_of(x->type.dtype);
    const int rank = shape->rank;
    const int64_t elements = tensor_elements(x), count = finder.count(x->data, elements);
    const Shape out = shape_make(2, (int64_t[]){rank, count});
    TRY(eval_set_output_shape(ctx, 0, STRIDER_I64, &out));
    int64_t *y = ctx->outputs[0]->data, at[MAX_RANK] = {0};
    if (!rank)
        return STRIDER_OK;
    const int64_t width = shape->dims[rank - 1];
    for (int64_t row = 0, done = 0; done < count; row++, advance(shape, at)) {
        const int64_t found =
            finder.find(x->data, row * width, width, y + (rank - 1) * count + done, count - done);
        for (int d = 0; d < rank - 1; d++)
            for (int64_t i = 0; i < found; i++)
                y[d * count + done + i] = at[d];
        done += found;
    }
    return STRIDER_OK;
}

const Op op_nonzero = {
    OP_NAMED(NonZero),          .since = 9,
    .inputs = {1, 1},           .outputs = {1, 1},
    .infer = nonzero_infer,     .reference = nonzero_reference,
    .flags = OP_DATA_DEPENDENT,
};
