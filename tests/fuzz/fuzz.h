/* SPDX-License-Identifier: Apache-2.0 */
/* What the fuzzers share. */
#ifndef TESTS_FUZZ_H
#define TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>

/* libFuzzer's entry. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Loads bytes as a model; what loads is planned and run, within narrow limits. */
void fuzz_model_bytes(const uint8_t *data, size_t size);

#endif
