/* SPDX-License-Identifier: Apache-2.0 */
/* The CPU's features as Linux states them, what STRIDER_ISA leaves of a set, and the choice of a target. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cpu.h"

#include <cmocka.h>

static const CpuFeatures every_feature = (CPU_AMX_BF16 << 1) - 1;

static const CpuTarget *target_called(const char *name) {
    for (int i = 0; i < CPU_TARGET_COUNT; i++)
        if (strcmp(cpu_targets[i].name, name) == 0)
            return &cpu_targets[i];
    fail_msg("no target %s", name);
    return NULL;
}

/* The features among the flags of the first CPU in /proc/cpuinfo. */
static CpuFeatures features_of_linux(void) {
    static char line[8192];
    CpuFeatures features = 0;
    FILE *file = fopen("/proc/cpuinfo", "r");
    assert_non_null(file);
    while (fgets(line, sizeof line, file) && strncmp(line, "flags\t", 6) != 0)
        ;
    fclose(file);
    for (char *word = strtok(line, " \n"); word; word = strtok(NULL, " \n"))
        for (CpuFeatures feature = 1; feature & every_feature; feature <<= 1) {
            char name[CPU_FEATURES_TEXT];
            if (strcmp(word, cpu_features_text(feature, name)) == 0)
                features |= feature;
        }
    return features;
}

static void features_are_those_that_linux_states(void **state) {
    (void)state;
    if (getenv("STRIDER_ISA"))
        skip();
#if defined(__x86_64__)
    const CpuFeatures expected = features_of_linux(), amx = CPU_AMX_TILE | CPU_AMX_INT8 | CPU_AMX_BF16;
    /* Linux states AMX also where this process may not use it. */
    assert_int_equal(cpu_features() & ~amx, expected & ~amx);
    assert_true((cpu_features() & amx) == (expected & amx) || (cpu_features() & amx) == 0);
#else
    (void)features_of_linux;
    assert_int_equal(cpu_features(), 0);
#endif
}

static void every_feature_has_a_name_of_its_own(void **state) {
    (void)state;
    char text[CPU_FEATURES_TEXT], all[CPU_FEATURES_TEXT], words[CPU_FEATURES_TEXT + 1];
    cpu_features_text(every_feature, all);
    assert_true(strlen(all) < CPU_FEATURES_TEXT - 1);
    for (CpuFeatures feature = 1; feature & every_feature; feature <<= 1) {
        cpu_features_text(feature, text);
        assert_string_not_equal(text, "");
        snprintf(words, sizeof words, "-%s", text);
        assert_int_equal(cpu_features_left(every_feature, words), every_feature & ~feature);
    }
    assert_string_equal(cpu_features_text(0, text), "none");
    assert_string_equal(cpu_features_text(CPU_FMA | CPU_AVX2, text), "avx2 fma");
}

static void words_leave_what_they_say(void **state) {
    (void)state;
    assert_int_equal(cpu_features_left(every_feature, ""), every_feature);
    assert_int_equal(cpu_features_left(every_feature, "generic"), 0);
    assert_int_equal(cpu_features_left(every_feature, "sse9,-avx1024,-,,avx2x,AVX2"), every_feature);
    assert_int_equal(cpu_features_left(every_feature, "-avx512_vnni,-amx_int8"),
                     every_feature & ~(CpuFeatures)(CPU_AVX512_VNNI | CPU_AMX_INT8));
#if defined(__x86_64__)
    assert_int_equal(cpu_features_left(every_feature, "avx2"), CPU_AVX2 | CPU_FMA | CPU_AVX_VNNI);
    assert_int_equal(cpu_features_left(every_feature, "avx2,-avx_vnni"), CPU_AVX2 | CPU_FMA);
    assert_int_equal(cpu_features_left(every_feature, "-fma,avx2"), CPU_AVX2 | CPU_AVX_VNNI);
    assert_int_equal(cpu_features_left(CPU_AVX2 | CPU_FMA, "avx512"), CPU_AVX2 | CPU_FMA);
#endif
}

static void the_best_target_that_runs_is_chosen(void **state) {
    (void)state;
    assert_ptr_equal(cpu_target_for(0), target_called("generic"));
    assert_ptr_equal(cpu_target_for(every_feature), &cpu_targets[CPU_TARGET_COUNT - 1]);
    for (int i = 0; i < CPU_TARGET_COUNT; i++) {
        assert_int_equal(cpu_targets[i].index, i);
        assert_ptr_equal(cpu_target_for(cpu_targets[i].requires), &cpu_targets[i]);
        assert_int_equal(cpu_targets[i].requires & cpu_targets[i].besides, 0);
        const char *name = cpu_targets[i].name;
        assert_ptr_equal(cpu_target_for(cpu_features_left(every_feature, name)), &cpu_targets[i]);
    }
#if defined(__x86_64__)
    assert_ptr_equal(cpu_target_for(every_feature & ~(CpuFeatures)CPU_FMA), target_called("generic"));
    assert_ptr_equal(cpu_target_for(every_feature & ~(CpuFeatures)CPU_AVX512_DQ), target_called("avx2"));
    assert_ptr_equal(cpu_target_for(every_feature & ~(CpuFeatures)CPU_AVX512_VNNI), target_called("avx512"));
#endif
}

static void kernels_of_a_target_may_use_what_it_names_and_the_cpu_has(void **state) {
    (void)state;
    assert_true(cpu_target_runs(cpu_target()));
    for (int i = 0; i < CPU_TARGET_COUNT; i++) {
        const CpuTarget *target = &cpu_targets[i];
        assert_int_equal(cpu_target_features(target), cpu_features() & (target->requires | target->besides));
        assert_int_equal(cpu_target_runs(target), (cpu_features() & target->requires) == target->requires);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(features_are_those_that_linux_states),
        cmocka_unit_test(every_feature_has_a_name_of_its_own),
        cmocka_unit_test(words_leave_what_they_say),
        cmocka_unit_test(the_best_target_that_runs_is_chosen),
        cmocka_unit_test(kernels_of_a_target_may_use_what_it_names_and_the_cpu_has),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
