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

typedef struct IntegerTable {
    int rows; /* of a tile that is not the last one */
    void (*tile)(const IntegerTile *tile);
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

/* Whether the operands are of types that the templates know: 8 bits with scales of float32. */
bool integer_product_accepts(const KernelQuery *query, const ProductPorts *ports);

#endif
