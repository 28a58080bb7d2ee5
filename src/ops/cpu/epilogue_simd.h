/* SPDX-License-Identifier: Apache-2.0 */
/* Post-operations on vectors, for templates.
 *
 * Where sums lie in many registers, an activation that takes more than a clamp would be there once for each
 * of them. So they are finished in two phases: bias, residual and clamp in registers, and such an activation,
 * with a residual after it, on what was stored and lies in L1 still. */
#ifndef OPS_CPU_EPILOGUE_SIMD_H
#define OPS_CPU_EPILOGUE_SIMD_H

#include <math.h>

#include "ops/cpu/unary_simd.h"
#include "ops/post_ops.h"

/* What is the same for all vectors of a call.  Residuals lie as the output does. */
typedef struct VectorEpilogue {
    vf low, high;                /* the clamp; infinite ones where the activation is none */
    const float *before, *after; /* residuals before and after the clamp; NULL: none */
    bool is_activated;           /* there is a second phase: this activation, and a residual after it */
    Unary activation;
    const float *last;
} VectorEpilogue;

/* None, Relu and Clip are all min(high, max(low, x)); NaN stays. */
INLINE bool is_clamp(UnaryKind kind) {
    return kind == UNARY_NONE || kind == UNARY_CLIP || kind == UNARY_RELU;
}

INLINE VectorEpilogue vector_epilogue(const Epilogue *epilogue, const float *residual) {
    const Unary activation = epilogue->activation;
    const bool clamps = is_clamp(activation.kind), last = epilogue->residual_last;
    return (VectorEpilogue){.low = v_set(activation.kind == UNARY_RELU   ? 0
                                         : activation.kind == UNARY_CLIP ? activation.alpha
                                                                         : -INFINITY),
                            .high = v_set(activation.kind == UNARY_CLIP ? activation.beta : INFINITY),
                            .before = last ? NULL : residual,
                            .after = last && clamps ? residual : NULL,
                            .is_activated = !clamps,
                            .activation = activation,
                            .last = last && !clamps ? residual : NULL};
}

INLINE vf epilogue_clamp(const VectorEpilogue *e, vf value) {
    return v_min(e->high, v_max(e->low, value));
}

INLINE vf load_residual(const float *from, int64_t lanes) {
    return lanes >= VW ? v_load(from) : v_load_first(from, lanes, 0);
}

/* The first phase: of the vector at `at` in the output, of which so many lanes are there. */
INLINE vf epilogue_first(const VectorEpilogue *e, vf value, int64_t at, int64_t lanes) {
    if (e->before)
        value += load_residual(e->before + at, lanes);
    value = epilogue_clamp(e, value);
    return e->after ? value + load_residual(e->after + at, lanes) : value;
}

/* The second one, where `is_activated`. */
INLINE vf epilogue_second(const VectorEpilogue *e, vf value, int64_t at, int64_t lanes) {
    value = v_activate(e->activation, value);
    return e->last ? value + load_residual(e->last + at, lanes) : value;
}

/* Both, where there are few vectors. */
INLINE vf epilogue_whole(const VectorEpilogue *e, vf value, int64_t at, int64_t lanes) {
    value = epilogue_first(e, value, at, lanes);
    return e->is_activated ? epilogue_second(e, value, at, lanes) : value;
}

#endif
