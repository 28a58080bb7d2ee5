/* SPDX-License-Identifier: Apache-2.0 */
/* What this CPU can do. */
#ifndef BASE_CPU_H
#define BASE_CPU_H

#include <stdbool.h>

/* The instruction sets that kernels are compiled for, each containing those before it. */
typedef enum Isa { ISA_GENERIC, ISA_AVX2, ISA_AVX512, ISA_COUNT } Isa;

const char *isa_name(Isa isa); /* "generic", "avx2", "avx512" */
bool isa_supported(Isa isa);   /* by this CPU and by this build */

/* The best supported one, or the one that the environment variable STRIDER_ISA names where that is supported.
 * Decided once. */
Isa isa_chosen(void);

enum { CPU_MODEL_TEXT = 64 };
/* The CPU's name as it states it, one line without outer spaces; "unknown" where it states none. */
const char *cpu_model(char text[CPU_MODEL_TEXT]);

/* CPUs that this process may run on; at least 1. */
int cpu_count(void);

#endif
