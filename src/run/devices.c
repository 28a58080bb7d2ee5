/* SPDX-License-Identifier: Apache-2.0 */
/* Loading the modules of devices.  This is the one place outside of a module that names its kind. */
#include "run/devices.h"

#include <ctype.h>
#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cpu.h"

/* What "auto" looks for, in this order. */
static const char *const kinds[] = {"cuda"};
enum { KINDS = sizeof kinds / sizeof *kinds, KIND_TEXT = 16, MAX_ORDINAL = 1000 };

/* "cuda:1" into its parts; false where it is no such thing. */
static bool parse_name(const char *name, char kind[KIND_TEXT], int *ordinal) {
    size_t length = 0;
    while (isalpha((unsigned char)name[length]) && islower((unsigned char)name[length]))
        length++;
    *ordinal = 0;
    if (length == 0 || length >= KIND_TEXT)
        return false;
    memcpy(kind, name, length);
    kind[length] = '\0';
    if (!name[length])
        return true;
    char *end;
    const long number = strtol(name + length + 1, &end, 10);
    if (name[length] != ':' || !isdigit((unsigned char)name[length + 1]) || *end || number > MAX_ORDINAL)
        return false;
    *ordinal = (int)number;
    return true;
}

/* STRIDER_CUDA_MODULE for "cuda": a path that is used instead of looking for the module. */
static const char *module_from_environment(const char *kind) {
    char variable[KIND_TEXT + 32], upper[KIND_TEXT];
    size_t length = 0;
    for (; kind[length] && length < KIND_TEXT - 1; length++)
        upper[length] = (char)toupper((unsigned char)kind[length]);
    upper[length] = '\0';
    snprintf(variable, sizeof variable, "STRIDER_%s_MODULE", upper);
    return secure_getenv(variable);
}

/* The folder of the library, or of the program that it is linked into. */
static void own_folder(char folder[PATH_MAX]) {
    Dl_info info;
    char path[PATH_MAX] = "";
    if (dladdr((void *)devices_open, &info) && info.dli_fname && strchr(info.dli_fname, '/'))
        snprintf(path, sizeof path, "%s", info.dli_fname);
    else if (readlink("/proc/self/exe", path, sizeof path - 1) < 0)
        path[0] = '\0';
    char *slash = strrchr(path, '/');
    if (slash)
        *slash = '\0';
    snprintf(folder, PATH_MAX, "%s", path);
}

static Status find_module(const char *kind, char path[PATH_MAX], Error *err) {
    const char *given = module_from_environment(kind);
    char folder[PATH_MAX];
    own_folder(folder);
    const char *const folders[] = {STRIDER_MODULE_DIR, folder};
    for (int i = 0; !given && i < 2; i++) {
        if (snprintf(path, PATH_MAX, "%s/libstrider_%s.so", folders[i], kind) < PATH_MAX &&
            !access(path, F_OK))
            return STRIDER_OK;
    }
    if (!given)
        return fail(
            err, STRIDER_DEVICE_FAILED,
            "device %s: its module libstrider_%s.so is neither in %s nor in %s; this build may have none",
            kind, kind, STRIDER_MODULE_DIR, folder);
    snprintf(path, PATH_MAX, "%s", given);
    return STRIDER_OK;
}

static Status load_module(const char *kind, const DeviceModule **module, Error *err) {
    char path[PATH_MAX];
    TRY(find_module(kind, path, err));
    /* Stays loaded: devices' threads and handlers at exit would outlive it. */
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library)
        return fail(err, STRIDER_DEVICE_FAILED, "device %s: its module cannot be loaded: %s", kind,
                    dlerror());
    const char *(*build_of)(void);
    const DeviceModule *(*module_of)(void);
    *(void **)&build_of = dlsym(library, DEVICE_BUILD);
    *(void **)&module_of = dlsym(library, DEVICE_MODULE);
    if (!build_of || !module_of)
        return fail(err, STRIDER_DEVICE_FAILED, "device %s: %s is no module of Strider", kind, path);
    if (strcmp(build_of(), device_build) != 0)
        return fail(err, STRIDER_DEVICE_FAILED,
                    "device %s: %s belongs to Strider %s, this is %s: install both from one build", kind,
                    path, build_of(), device_build);
    *module = module_of();
    return STRIDER_OK;
}

static Status open_kind(const char *kind, int ordinal, const DeviceOptions *options, Device **device,
                        Error *err) {
    const DeviceModule *module;
    TRY(load_module(kind, &module, err));
    return module->open(ordinal, options, device, err);
}

bool strider_device_is_known(const char *name) {
    char kind[KIND_TEXT] = "";
    int ordinal;
    if (strcmp(name, "cpu") == 0 || strcmp(name, "auto") == 0)
        return true;
    if (!parse_name(name, kind, &ordinal))
        return false;
    for (int i = 0; i < KINDS; i++)
        if (strcmp(kind, kinds[i]) == 0)
            return true;
    return module_from_environment(kind) != NULL;
}

Status devices_open(const char *name, const DeviceOptions *options, const Log *log, Device **device,
                    Error *err) {
    char kind[KIND_TEXT];
    int ordinal;
    *device = NULL;
    if (!name || strcmp(name, "cpu") == 0)
        return STRIDER_OK;
    if (!strider_device_is_known(name))
        return fail(err, STRIDER_INVALID_ARGUMENT, "no device is called \"%s\"", name);
    if (strcmp(name, "auto") != 0)
        return parse_name(name, kind, &ordinal)
                   ? open_kind(kind, ordinal, options, device, err)
                   : fail(err, STRIDER_INVALID_ARGUMENT, "no device is called \"%s\"", name);
    for (int i = 0; i < KINDS; i++) {
        Error reason;
        if (open_kind(kinds[i], 0, options, device, &reason) == STRIDER_OK)
            return STRIDER_OK;
        log_warning(log, "running on the CPU: %s", reason.message);
    }
    return STRIDER_OK;
}

/* --- questions --- */

static void describe_cpu(strider_device_info *info) {
    snprintf(info->name, sizeof info->name, "cpu");
    snprintf(info->description, sizeof info->description, "%d threads, %s", cpu_count(), cpu_target()->name);
}

/* Device `index` among those of a kind; a kind that cannot be used counts as one. */
static Status describe_of_kind(const char *kind, size_t index, strider_device_info *info, int *count) {
    const DeviceModule *module;
    Error reason;
    Status status = load_module(kind, &module, &reason);
    if (!status)
        status = module->describe((int)index, info, count, &reason);
    if (!status)
        return STRIDER_OK;
    *count = 1;
    snprintf(info->name, sizeof info->name, "%s", kind);
    snprintf(info->problem, sizeof info->problem, "%s", reason.message);
    return status;
}

strider_status strider_device_get(size_t index, strider_device_info *info) {
    *info = (strider_device_info){0};
    if (index == 0) {
        describe_cpu(info);
        return STRIDER_OK;
    }
    index--;
    for (int i = 0; i < KINDS; i++) {
        int count = 0;
        *info = (strider_device_info){0};
        (void)describe_of_kind(kinds[i], index, info, &count);
        if (index < (size_t)count)
            return STRIDER_OK;
        index -= (size_t)count;
    }
    return STRIDER_INVALID_ARGUMENT;
}
