/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cpu.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif
#include <pthread.h>
#include <sched.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* --- features --- */

/* Registers that the system must save (bits of XCR0), without which their instructions fault. */
enum { SAVES_AVX = 0x6, SAVES_AVX512 = 0xe6, SAVES_AMX = 0x60000 };
enum { EAX, EBX, ECX, EDX };

/* A feature, and the bit of cpuid that states it. */
typedef struct FeatureRow {
    CpuFeature feature;
    const char *name;
    unsigned leaf, subleaf;
    int reg, bit;
    uint64_t saves;
} FeatureRow;

static const FeatureRow rows[] = {
    {CPU_AVX2, "avx2", 7, 0, EBX, 5, SAVES_AVX},
    {CPU_FMA, "fma", 1, 0, ECX, 12, SAVES_AVX},
    {CPU_AVX_VNNI, "avx_vnni", 7, 1, EAX, 4, SAVES_AVX},
    {CPU_AVX512F, "avx512f", 7, 0, EBX, 16, SAVES_AVX512},
    {CPU_AVX512_BW, "avx512bw", 7, 0, EBX, 30, SAVES_AVX512},
    {CPU_AVX512_VL, "avx512vl", 7, 0, EBX, 31, SAVES_AVX512},
    {CPU_AVX512_DQ, "avx512dq", 7, 0, EBX, 17, SAVES_AVX512},
    {CPU_AVX512_VNNI, "avx512_vnni", 7, 0, ECX, 11, SAVES_AVX512},
    {CPU_AVX512_BF16, "avx512_bf16", 7, 1, EAX, 5, SAVES_AVX512},
    {CPU_AVX512_FP16, "avx512_fp16", 7, 0, EDX, 23, SAVES_AVX512},
    {CPU_AMX_TILE, "amx_tile", 7, 0, EDX, 24, SAVES_AMX},
    {CPU_AMX_INT8, "amx_int8", 7, 0, EDX, 25, SAVES_AMX},
    {CPU_AMX_BF16, "amx_bf16", 7, 0, EDX, 22, SAVES_AMX},
};
enum { N_ROWS = sizeof rows / sizeof *rows };

const char *cpu_features_text(CpuFeatures features, char text[CPU_FEATURES_TEXT]) {
    size_t used = (size_t)snprintf(text, CPU_FEATURES_TEXT, "%s", features ? "" : "none");
    for (size_t i = 0; i < N_ROWS && used < CPU_FEATURES_TEXT; i++)
        if (features & rows[i].feature)
            used += (size_t)snprintf(text + used, CPU_FEATURES_TEXT - used, "%s%s", used ? " " : "",
                                     rows[i].name);
    return text;
}

static bool is_word(const char *word, size_t length, const char *name) {
    return strlen(name) == length && memcmp(word, name, length) == 0;
}

static CpuFeatures left_by_word(CpuFeatures features, const char *word, size_t length) {
    for (size_t i = 0; i < CPU_TARGET_COUNT; i++)
        if (is_word(word, length, cpu_targets[i].name))
            return features & (cpu_targets[i].requires | cpu_targets[i].besides);
    for (size_t i = 0; i < N_ROWS && *word == '-'; i++)
        if (is_word(word + 1, length - 1, rows[i].name))
            return features & ~(CpuFeatures)rows[i].feature;
    return features;
}

CpuFeatures cpu_features_left(CpuFeatures features, const char *words) {
    while (*words) {
        const size_t length = strcspn(words, ",");
        features = left_by_word(features, words, length);
        words += words[length] ? length + 1 : length;
    }
    return features;
}

#if defined(__x86_64__)

/* The registers that the system saves. */
static uint64_t saved_registers(void) {
    unsigned eax, ebx, ecx, edx, low, high;
    if (!__get_cpuid(1, &eax, &ebx, &ecx, &edx) || !(ecx & bit_OSXSAVE))
        return 0;
    __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (uint64_t)high << 32 | low;
}

static CpuFeatures stated_features(void) {
    const uint64_t saved = saved_registers();
    CpuFeatures features = 0;
    for (size_t i = 0; i < N_ROWS; i++) {
        unsigned words[4];
        if ((saved & rows[i].saves) == rows[i].saves &&
            __get_cpuid_count(rows[i].leaf, rows[i].subleaf, &words[EAX], &words[EBX], &words[ECX],
                              &words[EDX]) &&
            (words[rows[i].reg] >> rows[i].bit & 1))
            features |= rows[i].feature;
    }
    return features;
}

/* Linux lets only those processes use AMX's tiles that have asked. */
static bool may_use_amx(void) {
    enum { REQUEST_PERMISSION = 0x1023, TILE_DATA = 18 };
    return syscall(SYS_arch_prctl, REQUEST_PERMISSION, TILE_DATA) == 0;
}

#else

static CpuFeatures stated_features(void) {
    return 0;
}

static bool may_use_amx(void) {
    return false;
}

#endif

static CpuFeatures found;

static void find_features(void) {
    const char *words = getenv("STRIDER_ISA");
    const CpuFeatures amx = CPU_AMX_TILE | CPU_AMX_INT8 | CPU_AMX_BF16;
    found = cpu_features_left(stated_features(), words ? words : "");
    if ((found & amx) && !may_use_amx())
        found &= ~amx;
}

CpuFeatures cpu_features(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, find_features);
    return found;
}

/* --- targets --- */

#define TARGET_ROW(NAME, WIDTH, REQUIRES, BESIDES, ...) {#NAME, CPU_TARGET_##NAME, WIDTH, REQUIRES, BESIDES},
const CpuTarget cpu_targets[CPU_TARGET_COUNT] = {CPU_TARGETS(TARGET_ROW)};

const CpuTarget *cpu_target_for(CpuFeatures features) {
    const CpuTarget *best = &cpu_targets[CPU_TARGET_COUNT - 1];
    while (best->requires & ~features) /* the first requires nothing */
        best--;
    return best;
}

const CpuTarget *cpu_target(void) {
    return cpu_target_for(cpu_features());
}

bool cpu_target_runs(const CpuTarget *target) {
    return !(target->requires & ~cpu_features());
}

CpuFeatures cpu_target_features(const CpuTarget *target) {
    return cpu_features() & (target->requires | target->besides);
}

/* --- the machine --- */

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
