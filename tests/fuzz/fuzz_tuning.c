/* SPDX-License-Identifier: Apache-2.0 */
/* For libFuzzer: the lines of a tuning file.  The first one, which names the version and the CPU, is put
 * before the bytes unless these bring their own. */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/cpu.h"
#include "fuzz/fuzz.h"
#include "strider/strider.h"

static void write_all(int file, const void *data, size_t size) {
    if (size && write(file, data, size) != (ssize_t)size)
        __builtin_trap();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char path[40], first[1024], model[CPU_MODEL_TEXT];
    strider_tuning *tuning;
    strider_error error;
    const int file = memfd_create("tuning", 0);
    snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    if (strider_tuning_create(&tuning, &error))
        __builtin_trap();
    if (size && data[0] != 's') {
        const int length =
            snprintf(first, sizeof first, "strider-tuning 1 %s %s\n", strider_version(), cpu_model(model));
        write_all(file, first, (size_t)length);
    }
    write_all(file, data, size);
    bool matches;
    (void)!strider_tuning_load(tuning, path, &matches, &error);
    strider_tuning_free(tuning);
    close(file);
    return 0;
}
