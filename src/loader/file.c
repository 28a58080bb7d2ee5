/* SPDX-License-Identifier: Apache-2.0 */
#include "loader/file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NAME_MAX_BYTES = 256 };

static Status add_file(Files *files, MappedFile file, Error *err) {
    if (!region_grow(files->region, &files->items, files->count, &files->capacity, sizeof *files->items))
        return fail_memory(err, sizeof *files->items, "the list of files");
    files->items[files->count++] = file;
    return STRIDER_OK;
}

/* Maps a whole regular file and closes the descriptor. */
static Status map_descriptor(int descriptor, uint64_t max_bytes, MappedFile *file, Error *err) {
    struct stat info;
    Status status = STRIDER_OK;
    if (fstat(descriptor, &info) != 0)
        status = fail(err, STRIDER_FILE_ERROR, "%s", strerror(errno));
    else if (!S_ISREG(info.st_mode))
        status = fail(err, STRIDER_FILE_ERROR, "not a regular file");
    else if (info.st_size == 0)
        status = fail(err, STRIDER_BAD_MODEL, "the file is empty");
    else if ((uint64_t)info.st_size > max_bytes)
        status = fail(err, STRIDER_LIMIT_EXCEEDED,
                      "the file has %" PRIu64 " bytes, more than the limit of %" PRIu64,
                      (uint64_t)info.st_size, max_bytes);
    if (!status) {
        void *data = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_PRIVATE, descriptor, 0);
        if (data == MAP_FAILED)
            status = fail(err, STRIDER_FILE_ERROR, "cannot be mapped: %s", strerror(errno));
        else
            *file = (MappedFile){.data = data, .size_bytes = (size_t)info.st_size, .mapped = true};
    }
    close(descriptor);
    return status;
}

static void open_folder(Files *files, const char *path) {
    const char *slash = strrchr(path, '/');
    char *folder = slash ? region_string(files->region, path, (size_t)(slash - path) + 1) : NULL;
    files->folder = open(folder ? folder : ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
}

Status files_open(Files *files, Region *region, const char *path, uint64_t max_bytes, bool allow_links,
                  Error *err) {
    *files = (Files){.folder = -1, .allow_links = allow_links, .region = region};
    MappedFile file = {0};
    /* O_NONBLOCK: opening a FIFO must not wait for a writer. */
    int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (descriptor < 0)
        return fail(err, STRIDER_FILE_ERROR, "%s", strerror(errno));
    TRY(map_descriptor(descriptor, max_bytes, &file, err));
    Status status = add_file(files, file, err);
    if (status)
        munmap((void *)file.data, file.size_bytes);
    else
        open_folder(files, path);
    return status;
}

Status files_wrap(Files *files, Region *region, const void *data, size_t size_bytes, const char *folder,
                  bool allow_links, Error *err) {
    *files = (Files){.folder = -1, .allow_links = allow_links, .region = region};
    if (!data || !size_bytes)
        return fail(err, STRIDER_BAD_MODEL, "the model is empty");
    if (folder) {
        files->folder = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (files->folder < 0)
            return fail(err, STRIDER_FILE_ERROR, "folder \"%.200s\": %s", folder, strerror(errno));
    }
    return add_file(files, (MappedFile){.data = data, .size_bytes = size_bytes}, err);
}

void files_close(Files *files) {
    for (size_t i = 0; i < files->count; i++)
        if (files->items[i].mapped)
            munmap((void *)files->items[i].data, files->items[i].size_bytes);
    if (files->folder >= 0)
        close(files->folder);
    *files = (Files){.folder = -1};
}

/* Opens `location` one component after the other, so that no link and no ".." can lead out of the folder
 * whatever changes on the disk meanwhile. */
static Status open_inside(const Files *files, const char *location, int *descriptor, Error *err) {
    if (location[0] == '/' || location[0] == '\0' || strchr(location, '\\'))
        return fail(err, STRIDER_BAD_MODEL, "external data \"%.200s\": the path must be relative", location);
    int no_links = files->allow_links ? 0 : O_NOFOLLOW;
    int folder = dup(files->folder);
    for (const char *at = location; folder >= 0;) {
        size_t length = strcspn(at, "/");
        bool last = at[length] == '\0';
        char name[NAME_MAX_BYTES];
        if (length == 0 || length >= sizeof name || (length == 1 && at[0] == '.') ||
            (length == 2 && at[0] == '.' && at[1] == '.')) {
            bool skip = !last && (length == 0 || (length == 1 && at[0] == '.'));
            if (skip) {
                at += length + 1;
                continue;
            }
            close(folder);
            return fail(err, STRIDER_BAD_MODEL,
                        "external data \"%.200s\" does not lie inside the model's folder", location);
        }
        memcpy(name, at, length);
        name[length] = '\0';
        int flags = last ? O_RDONLY | O_NONBLOCK : O_PATH | O_DIRECTORY;
        int next = openat(folder, name, flags | no_links | O_CLOEXEC);
        int reason = errno;
        close(folder);
        if (next < 0 && (reason == ELOOP || (reason == ENOTDIR && !last)))
            return fail(err, STRIDER_BAD_MODEL,
                        "external data \"%.200s\": \"%s\" is a symbolic link or no folder", location, name);
        if (next < 0)
            return fail(err, STRIDER_FILE_ERROR, "external data \"%.200s\": %s", location, strerror(reason));
        if (last) {
            *descriptor = next;
            return STRIDER_OK;
        }
        folder = next;
        at += length + 1;
    }
    return fail(err, STRIDER_FILE_ERROR, "external data \"%.200s\": %s", location, strerror(errno));
}

Status files_external(Files *files, const char *location, const MappedFile **file, Error *err) {
    for (size_t i = 1; i < files->count; i++)
        if (strcmp(files->items[i].location, location) == 0) {
            *file = &files->items[i];
            return STRIDER_OK;
        }
    if (files->folder < 0)
        return fail(err, STRIDER_BAD_MODEL, "external data \"%.200s\": the model has no folder to look in",
                    location);
    int descriptor = -1;
    MappedFile mapped = {0};
    TRY(open_inside(files, location, &descriptor, err));
    Error why = {0};
    Status status = map_descriptor(descriptor, INT64_MAX, &mapped, &why);
    if (status)
        return fail(err, status, "external data \"%.200s\": %s", location, why.message);
    mapped.location = region_string(files->region, location, strlen(location));
    if (!mapped.location || add_file(files, mapped, err)) {
        munmap((void *)mapped.data, mapped.size_bytes);
        return fail_memory(err, sizeof mapped, "the list of files");
    }
    *file = &files->items[files->count - 1];
    return STRIDER_OK;
}
