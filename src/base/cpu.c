/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cpu.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *isa_name(Isa isa) {
    static const char *const names[ISA_COUNT] = {"generic", "avx2", "avx512"};
    return names[isa];
}

bool isa_supported(Isa isa) {
#if defined(__x86_64__)
    switch (isa) {
    case ISA_AVX512:
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
               __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
               isa_supported(ISA_AVX2);
    case ISA_AVX2:
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    default:
        return true;
    }
#else
    return isa == ISA_GENERIC;
#endif
}

Isa isa_chosen(void) {
    static int chosen = -1; /* racing threads store the same value */
    int isa = __atomic_load_n(&chosen, __ATOMIC_RELAXED);
    if (isa >= 0)
        return (Isa)isa;
    for (isa = ISA_COUNT - 1; isa > ISA_GENERIC && !isa_supported((Isa)isa); isa--)
        ;
    const char *wanted = getenv("STRIDER_ISA");
    for (int i = 0; wanted && i <= isa; i++)
        if (strcmp(wanted, isa_name((Isa)i)) == 0)
            isa = i;
    __atomic_store_n(&chosen, isa, __ATOMIC_RELAXED);
    return (Isa)isa;
}

const char *cpu_model(char text[CPU_MODEL_TEXT]) {
    char name[CPU_MODEL_TEXT] = "";
#if defined(__x86_64__)
    unsigned words[12];
    bool stated = true;
    for (unsigned i = 0; i < 3; i++)
        stated = stated && __get_cpuid(0x80000002u + i, &words[4 * i], &words[4 * i + 1], &words[4 * i + 2],
                                       &words[4 * i + 3]);
    if (stated)
        memcpy(name, words, sizeof words);
#endif
    const char *begin = name + strspn(name, " ");
    size_t length = strlen(begin);
    while (length && begin[length - 1] == ' ')
        length--;
    if (length)
        snprintf(text, CPU_MODEL_TEXT, "%.*s", (int)length, begin);
    else
        snprintf(text, CPU_MODEL_TEXT, "unknown");
    return text;
}

int cpu_count(void) {
    cpu_set_t set;
    int count = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 0;
    return count > 0 ? count : 1;
}
