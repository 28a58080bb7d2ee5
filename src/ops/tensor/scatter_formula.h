/* SPDX-License-Identifier: Apache-2.0 */
/* How an update of floats joins what is there, in a type REAL, as in unary_formula.h. */
#ifndef OPS_TENSOR_SCATTER_FORMULA_H
#define OPS_TENSOR_SCATTER_FORMULA_H

#include "ops/shared_math.h"
#include "ops/tensor/scatter_kind.h"

SHARED REAL scatter_join(Reduction reduction, REAL old, REAL update) {
    switch (reduction) {
    case REDUCTION_ADD:
        return old + update;
    case REDUCTION_MUL:
        return old * update;
    case REDUCTION_MAX: /* NaN where either is */
        return old > update || old != old ? old : update;
    case REDUCTION_MIN:
        return old < update || old != old ? old : update;
    case REDUCTION_NONE:
        break;
    }
    return update;
}

#endif
