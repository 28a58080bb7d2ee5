/* SPDX-License-Identifier: Apache-2.0 */
/* What the templates of matrix products share: the operands, and what comes after a sum. */
#ifndef OPS_CPU_GEMM_SIMD_H
#define OPS_CPU_GEMM_SIMD_H

#include "ops/cpu/epilogue_simd.h"
#include "ops/cpu/gemm.h"

typedef float vf_anywhere __attribute__((vector_size(STRIDER_WIDTH * 4), aligned(1), may_alias));

INLINE vf load_anywhere(const void *from) {
    return *(const vf_anywhere *)from;
}

INLINE vf load_count(const float *from, int64_t count) {
    return count >= VW ? load_anywhere(from) : v_load_first(from, count, 0);
}

/* The operands of one product of the batch. */
typedef struct Product {
    const GemmArgs *args;
    const float *a, *b, *c;
    float *y;
    VectorEpilogue epilogue;
} Product;

static Product product_of(const KernelCall *call, int64_t index) {
    const GemmArgs *args = call->args;
    int64_t a = 0, b = 0;
    if (args->batches)
        matmul_operands(args->batches, index, &a, &b);
    Product p = {.args = args,
                 .a = (const float *)call->inputs[0] + a * args->m * args->k,
                 .b = (args->b ? args->b : (const float *)call->inputs[1]) + args->b_offset +
                      b * args->k * args->n,
                 .c = args->c_port >= 0 ? call->inputs[args->c_port] : NULL,
                 .y = (float *)call->outputs[0] + index * args->m * args->n};
    const float *residual = cpu_residual(call, &args->epilogue);
    p.epilogue = vector_epilogue(&args->epilogue, residual ? residual + index * args->m * args->n : NULL);
    return p;
}

/* Stores up to a vector of sums at row m from column n on. */
INLINE void finish(const Product *p, int64_t m, int64_t n, vf sum) {
    const GemmArgs *args = p->args;
    const int64_t count = args->n - n < VW ? args->n - n : VW;
    vf value = sum * v_set(args->alpha);
    if (p->c) {
        const float *c = p->c + m * args->c_row + n * args->c_column;
        value += v_set(args->beta) * (args->c_column ? load_count(c, count) : v_set(*c));
    }
    value = epilogue_whole(&p->epilogue, value, m * args->n + n, count);
    if (count == VW)
        v_store(p->y + m * args->n + n, value);
    else
        v_store_first(p->y + m * args->n + n, value, count);
}

#endif
