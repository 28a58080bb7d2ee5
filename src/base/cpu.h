/* SPDX-License-Identifier: Apache-2.0 */
/* What this CPU can do, and the targets that kernels are compiled for. */
#ifndef BASE_CPU_H
#define BASE_CPU_H

#include <stdbool.h>

/* What a CPU may have beyond what every one of its architecture has. */
typedef enum CpuFeature {
    CPU_AVX2 = 1 << 0,
    CPU_FMA = 1 << 1,
    CPU_AVX_VNNI = 1 << 2,
    CPU_AVX512F = 1 << 3,
    CPU_AVX512_BW = 1 << 4,
    CPU_AVX512_VL = 1 << 5,
    CPU_AVX512_DQ = 1 << 6,
    CPU_AVX512_VNNI = 1 << 7,
    CPU_AVX512_BF16 = 1 << 8,
    CPU_AVX512_FP16 = 1 << 9,
    CPU_AMX_TILE = 1 << 10,
    CPU_AMX_INT8 = 1 << 11,
    CPU_AMX_BF16 = 1 << 12,
} CpuFeature;

typedef unsigned CpuFeatures; /* a set of them */

/* Those that the CPU has and the system lets programs use, less what the environment variable STRIDER_ISA
 * drops.  Decided once, whichever thread asks first.  For AMX that asks Linux for this process's permission,
 * after which signal stacks must have room for its state; where STRIDER_ISA drops AMX nothing is asked. */
CpuFeatures cpu_features(void);

/* What STRIDER_ISA leaves of a set: words with commas between, of which a target's name leaves what code may
 * use on that target, and "-" before a feature's name drops that feature.  Other words say nothing. */
CpuFeatures cpu_features_left(CpuFeatures features, const char *words);

/* "avx2 fma", with the names that Linux has for them; "none" for the empty set. */
enum { CPU_FEATURES_TEXT = 160 };
const char *cpu_features_text(CpuFeatures features, char text[CPU_FEATURES_TEXT]);

/* The targets, each a line in src/CMakeLists.txt, each better than those before it:
 *     DO(name, floats in a vector, what it requires, what kernels may use besides, further arguments) */
#if defined(__x86_64__)
#define CPU_TARGETS(DO, ...)                                                                                 \
    DO(generic, 4, 0, 0, __VA_ARGS__)                                                                        \
    DO(avx2, 8, CPU_AVX2 | CPU_FMA, CPU_AVX_VNNI, __VA_ARGS__)                                               \
    DO(avx512, 16, CPU_AVX2 | CPU_FMA | CPU_AVX512F | CPU_AVX512_BW | CPU_AVX512_VL | CPU_AVX512_DQ,         \
       CPU_AVX_VNNI | CPU_AVX512_VNNI | CPU_AVX512_BF16 | CPU_AVX512_FP16 | CPU_AMX_TILE | CPU_AMX_INT8 |    \
           CPU_AMX_BF16,                                                                                     \
       __VA_ARGS__)
#else
#define CPU_TARGETS(DO, ...) DO(generic, 4, 0, 0, __VA_ARGS__)
#endif

#define CPU_TARGET_INDEX(NAME, ...) CPU_TARGET_##NAME,
enum { CPU_TARGETS(CPU_TARGET_INDEX) CPU_TARGET_COUNT };

typedef struct CpuTarget {
    const char *name;     /* "generic", "avx2", "avx512" */
    int index;            /* in cpu_targets */
    int width;            /* floats in a vector: the block of the target's blocked layouts */
    CpuFeatures requires; /* that its compiled code uses */
    CpuFeatures besides;  /* that single kernels of it may use where the CPU has them */
} CpuTarget;

extern const CpuTarget cpu_targets[CPU_TARGET_COUNT];

/* The best target whose code runs where these features are. */
const CpuTarget *cpu_target_for(CpuFeatures features);
/* The same for cpu_features(). */
const CpuTarget *cpu_target(void);
/* Whether its code runs here. */
bool cpu_target_runs(const CpuTarget *target);
/* Of cpu_features(), those that kernels may use on the target. */
CpuFeatures cpu_target_features(const CpuTarget *target);

enum { CPU_MODEL_TEXT = 64 };
/* The CPU's name as it states it, one line without outer spaces; "unknown" where it states none. */
const char *cpu_model(char text[CPU_MODEL_TEXT]);

/* CPUs that this process may run on; at least 1. */
int cpu_count(void);

#endif
