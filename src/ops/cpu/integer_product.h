/* SPDX-License-Identifier: Apache-2.0 */
/* Products of operands of 8 bits, summed in int32: what the preparations hand to the templates.
 *
 * Operands are packed as int16, less their zero points, in pairs along k: a tile of rows as [pairs][rows][2],
 * a panel of columns as [pairs][columns][2], so that one instruction multiplies two and adds them.  Sums wrap
 * around as int32 does, in whatever order. */
#ifndef OPS_CPU_INTEGER_PRODUCT_H
#define OPS_CPU_INTEGER_PRODUCT_H

#include "ops/cpu/cpu.h"
#include "ops/quantization/products.h"

enum {
    INTEGER_PANEL_VECTORS = 2, /* columns of a panel, in vectors */
    MAX_INTEGER_ROWS = 12,     /* of a tile, on any target */
};

/* Elements of 8 bits as numbers: (byte ^ flip) - offset. */
typedef struct ByteForm {
    uint8_t flip;   /* 0x80 where they are signed */
    int32_t offset; /* the zero point, and 128 where they are signed */
} ByteForm;
ByteForm byte_form(DType dtype, int32_t zero);

/* What becomes of a tile's sums. */
typedef struct SumForm {
    DType dtype;     /* int32, float32, int8 or uint8 */
    float low, high; /* of 8 bits: the type's range less the zero point */
    int32_t zero;
    float divisor; /* of multipliers that columns have a part in: the scale of y */
} SumForm;

typedef struct IntegerTile {
    const int16_t *a, *b;
    int64_t pairs;
    int rows, columns; /* columns: those that there are, up to a panel's */
    void *y;           /* of the first sum */
    int64_t y_row;     /* elements from one row to the next */
    const SumForm *form;
    /* Sums of row r and column c, with row_bias[r] and column_bias[c] added (NULL: none), are multiplied by
     * row_factors[r], or where there are column_factors by row_factors[r] * column_factors[c] / divisor. */
    const int32_t *row_bias, *column_bias;
    const float *row_factors, *column_factors;
} IntegerTile;

/* A row of output pixels of one input channel: sums of weights[t] * x[offsets[t] + i], whole numbers below
 * 2^24, which are `sums` of one row. */
typedef struct IntegerRow {
    const float *x, *weights;
    const int64_t *offsets;
    int64_t taps;
    IntegerTile sums; /* without operands */
} IntegerRow;

typedef struct IntegerTable {
    int rows; /* of a tile that is not the last one */
    void (*tile)(const IntegerTile *tile);
    /* Reads whole vectors of x. */
    void (*row)(const IntegerRow *row);
    /* Writes two rows of bytes beside each other as pairs: to[2 i] and to[2 i + 1] from element i * step of
     * each; without `second` its half is zero. */
    void (*interleave)(const uint8_t *first, const uint8_t *second, int64_t step, int64_t count,
                       ByteForm form, int16_t *to);
} IntegerTable;

TARGET_TABLES(IntegerTable, integer)

/* The scalar contents of an input in a run: of float32, and of 8 bits; `absent` where there is none. */
float integer_scale(const KernelCall *call, int port, int64_t index);
int32_t integer_zero(const KernelCall *call, int port, DType dtype, int64_t index);

/* The form of sums in a run. */
SumForm integer_sum_form(const KernelCall *call, const ProductPorts *ports, DType y);

/* A scale or zero point: how many there are, and how far apart those of two matrices lie. */
typedef struct Parameter {
    int64_t count; /* 0: absent; 1: the same for all */
    int64_t matrix_step;
} Parameter;
Parameter integer_parameter(const KernelQuery *query, int port);
/* Where a list has the parameter of `index` of a matrix. */
static inline int64_t parameter_at(Parameter parameter, int64_t matrix, int64_t index) {
    return parameter.count == 1 ? 0 : matrix * parameter.matrix_step + index;
}

/* The operator's ports, -1 also where the node has no such input. */
ProductPorts integer_ports(const KernelQuery *query);
/* All operands as they lie in tensors. */
void integer_plain_layouts(KernelQuery *query);
/* The zero point that a constant is packed with, and which names the pack; false unless it is known and the
 * same for all. */
bool integer_constant_zero(const KernelQuery *query, int port, int32_t *zero) MUST_CHECK;

/* Whether the operands are of types that the templates know: 8 bits with scales of float32. */
bool integer_product_accepts(const KernelQuery *query, const ProductPorts *ports);

#endif
