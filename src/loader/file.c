/* SPDX-License-Identifier: Apache-2.0 */
#include "loader/file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NAME_MAX_BYTES = 256 };
/* O_NONBLOCK: opening a FIFO must not wait for a writer. */
enum { OPEN_FILE = O_RDONLY | O_NONBLOCK | O_CLOEXEC, OPEN_FOLDER = O_PATH | O_DIRECTORY | O_CLOEXEC };

static void close_file(const File *file) {
    if (file->mapped)
        munmap((void *)file->data, file->size_bytes);
    else if (file->allocator)
        memory_free(file->allocator, (void *)file->data);
}

/* Closes the file on failure. */
static Status add_file(Files *files, File file, Error *err) {
    File *added = region_alloc(files->region, sizeof *added);
    if (!added ||
        !region_grow(files->region, &files->items, files->count, &files->capacity, sizeof(File *))) {
        close_file(&file);
        return fail_memory(err, sizeof file, "the list of files");
    }
    *added = file;
    files->items[files->count++] = added;
    return STRIDER_OK;
}

static Status map_file(int descriptor, size_t size_bytes, File *file, Error *err) {
    void *data = mmap(NULL, size_bytes, PROT_READ, MAP_PRIVATE, descriptor, 0);
    if (data == MAP_FAILED)
        return fail(err, errno == ENOMEM ? STRIDER_OUT_OF_MEMORY : STRIDER_FILE_ERROR, "cannot be mapped: %s",
                    strerror(errno));
    *file = (File){.data = data, .size_bytes = size_bytes, .mapped = true};
    return STRIDER_OK;
}

static Status read_all(int descriptor, unsigned char *data, size_t size_bytes, Error *err) {
    enum { MAX_AT_ONCE = 1 << 30 };
    for (size_t at = 0; at < size_bytes;) {
        const size_t left = size_bytes - at;
        const ssize_t got = pread(descriptor, data + at, left < MAX_AT_ONCE ? left : MAX_AT_ONCE, (off_t)at);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return fail(err, STRIDER_FILE_ERROR, "cannot be read: %s", strerror(errno));
        if (got == 0)
            return fail(err, STRIDER_FILE_ERROR,
                        "the file ends after %zu of its %zu bytes: it became shorter", at, size_bytes);
        at += (size_t)got;
    }
    return STRIDER_OK;
}

static Status read_file(int descriptor, size_t size_bytes, const Allocator *allocator, File *file,
                        Error *err) {
    unsigned char *data = memory_alloc(allocator, size_bytes);
    if (!data)
        return fail_memory(err, size_bytes, "a file");
    const Status status = read_all(descriptor, data, size_bytes, err);
    if (status)
        memory_free(allocator, data);
    else
        *file = (File){.data = data, .size_bytes = size_bytes, .allocator = allocator};
    return status;
}

static Status check_file(int descriptor, uint64_t max_bytes, struct stat *info, Error *err) {
    if (fstat(descriptor, info) != 0)
        return fail(err, STRIDER_FILE_ERROR, "%s", strerror(errno));
    if (!S_ISREG(info->st_mode))
        return fail(err, STRIDER_FILE_ERROR, "not a regular file");
    if (info->st_size == 0)
        return fail(err, STRIDER_BAD_MODEL, "the file is empty");
    if ((uint64_t)info->st_size > max_bytes)
        return fail(err, STRIDER_LIMIT_EXCEEDED,
                    "the file has %" PRIu64 " bytes, more than the limit of %" PRIu64 " (max_file_bytes)",
                    (uint64_t)info->st_size, max_bytes);
    return STRIDER_OK;
}

/* The whole of a regular file, unless it is there already. */
static Status take_file(Files *files, int descriptor, uint64_t max_bytes, File **file, Error *err) {
    const strider_load_options *options = files->options;
    struct stat info;
    void *known = NULL;
    TRY(check_file(descriptor, max_bytes, &info, err));
    const char *identity =
        region_format(files->region, "%ju %ju", (uintmax_t)info.st_dev, (uintmax_t)info.st_ino);
    if (!identity)
        return fail_memory(err, sizeof info, "the list of files");
    if (names_find(&files->by_identity, identity, &known)) {
        *file = known;
        return STRIDER_OK;
    }
    const size_t size_bytes = (size_t)info.st_size;
    File made = {0};
    TRY(options->copy || size_bytes <= MAX_READ_BYTES
            ? read_file(descriptor, size_bytes, options->allocator, &made, err)
            : map_file(descriptor, size_bytes, &made, err));
    TRY(add_file(files, made, err));
    *file = files->items[files->count - 1];
    return names_add(&files->by_identity, identity, *file)
               ? STRIDER_OK
               : fail_memory(err, sizeof made, "the list of files");
}

static void begin(Files *files, Region *region, const strider_load_options *options) {
    *files = (Files){.folder = -1,
                     .target_folder = -1,
                     .by_location = {.region = region},
                     .by_identity = {.region = region},
                     .options = options,
                     .region = region};
}

/* The folder that holds `path`; -1 where there is none: missed where data lies in it. */
static Status open_folder(Region *region, const char *path, int *folder, Error *err) {
    const char *slash = strrchr(path, '/');
    char *name = region_string(region, slash ? path : ".", slash ? (size_t)(slash - path) + 1 : 1);
    if (!name)
        return fail_memory(err, strlen(path) + 1, "the model's folder");
    *folder = open(name, OPEN_FOLDER);
    return STRIDER_OK;
}

static bool is_same_folder(int a, int b) {
    struct stat first, second;
    return a >= 0 && b >= 0 && fstat(a, &first) == 0 && fstat(b, &second) == 0 &&
           first.st_dev == second.st_dev && first.st_ino == second.st_ino;
}

static Status open_folders(Files *files, const char *path, Error *err) {
    char target[PATH_MAX];
    TRY(open_folder(files->region, path, &files->folder, err));
    if (!realpath(path, target))
        return STRIDER_OK;
    TRY(open_folder(files->region, target, &files->target_folder, err));
    if (is_same_folder(files->folder, files->target_folder)) {
        close(files->target_folder);
        files->target_folder = -1;
    }
    return STRIDER_OK;
}

Status files_open(Files *files, Region *region, const char *path, const strider_load_options *options,
                  Error *err) {
    File *file;
    begin(files, region, options);
    int descriptor = open(path, OPEN_FILE);
    if (descriptor < 0)
        return fail(err, STRIDER_FILE_ERROR, "%s", strerror(errno));
    const Status status = take_file(files, descriptor, options->max_file_bytes, &file, err);
    close(descriptor);
    return status ? status : open_folders(files, path, err);
}

Status files_wrap(Files *files, Region *region, const void *data, size_t size_bytes, const char *folder,
                  const strider_load_options *options, Error *err) {
    begin(files, region, options);
    if (!data || !size_bytes)
        return fail(err, STRIDER_BAD_MODEL, "the model is empty");
    if (folder) {
        files->folder = open(folder, OPEN_FOLDER);
        if (files->folder < 0)
            return fail(err, STRIDER_FILE_ERROR, "folder \"%.200s\": %s", folder, strerror(errno));
    }
    return add_file(files, (File){.data = data, .size_bytes = size_bytes}, err);
}

void files_close(Files *files) {
    for (size_t i = 0; i < files->count; i++)
        close_file(files->items[i]);
    if (files->folder >= 0)
        close(files->folder);
    if (files->target_folder >= 0)
        close(files->target_folder);
    *files = (Files){.folder = -1, .target_folder = -1};
}

/* The name before the next slash of a path, "" and "." left out; false where it is ".." or nothing. */
static bool next_name(const char **at, char name[NAME_MAX_BYTES], bool *is_last) {
    size_t length = strcspn(*at, "/");
    while ((*at)[length] && (length == 0 || (length == 1 && (*at)[0] == '.'))) {
        *at += length + 1;
        length = strcspn(*at, "/");
    }
    const bool is_dots = (*at)[0] == '.' && (length == 1 || (length == 2 && (*at)[1] == '.'));
    if (length == 0 || length >= NAME_MAX_BYTES || is_dots)
        return false;
    memcpy(name, *at, length);
    name[length] = '\0';
    *is_last = (*at)[length] == '\0';
    *at += length + !*is_last;
    return true;
}

/* A link in `folder`, followed by one step, where it leads to a file that lies in a folder of the model's.
 * The file is opened in that folder, not by the link's text: what changes meanwhile cannot lead elsewhere. */
static int open_link(const Files *files, int folder, const char *name) {
    char target[PATH_MAX];
    const ssize_t length = readlinkat(folder, name, target, sizeof target - 1);
    if (length <= 0)
        return -1;
    target[length] = '\0';
    char *slash = strrchr(target, '/');
    if (!slash)
        return openat(folder, target, OPEN_FILE | O_NOFOLLOW);
    *slash = '\0';
    const int holder = openat(folder, target, OPEN_FOLDER); /* "" fails: no folder of ours is the root */
    const bool is_inside =
        is_same_folder(holder, files->folder) || is_same_folder(holder, files->target_folder);
    const int opened = is_inside ? openat(holder, slash + 1, OPEN_FILE | O_NOFOLLOW) : -1;
    if (holder >= 0)
        close(holder);
    return opened;
}

static bool is_link(int folder, const char *name) {
    struct stat info;
    return fstatat(folder, name, &info, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(info.st_mode);
}

static int open_name(const Files *files, int folder, const char *name, bool is_last) {
    const int no_links = files->options->allow_links ? 0 : O_NOFOLLOW;
    const int opened = openat(folder, name, (is_last ? OPEN_FILE : OPEN_FOLDER) | no_links);
    const int reason = errno;
    if (opened < 0 && reason == ELOOP && is_last && files->target_folder >= 0) {
        const int followed = open_link(files, folder, name);
        errno = reason;
        return followed;
    }
    return opened;
}

static Status fail_open(int folder, const char *name, const char *location, int reason, Error *err) {
    if ((reason == ELOOP || reason == ENOTDIR) && is_link(folder, name))
        return fail(err, STRIDER_BAD_MODEL,
                    "external data \"%.200s\": \"%s\" is a symbolic link, which is only followed with "
                    "--allow-links (strider_load_options.allow_links)",
                    location, name);
    return fail(err, reason == ENOTDIR ? STRIDER_BAD_MODEL : STRIDER_FILE_ERROR,
                "external data \"%.200s\": %s", location, strerror(reason));
}

/* Opens `location` one component after the other, so that no link and no ".." can lead out of the folder
 * whatever changes on the disk meanwhile. */
static Status open_inside(const Files *files, int root, const char *location, int *descriptor, Error *err) {
    char name[NAME_MAX_BYTES];
    bool is_last = false;
    int folder = dup(root);
    if (location[0] == '/' || location[0] == '\0' || strchr(location, '\\')) {
        close(folder);
        return fail(err, STRIDER_BAD_MODEL, "external data \"%.200s\": the path must be relative", location);
    }
    for (const char *at = location; folder >= 0 && !is_last;) {
        if (!next_name(&at, name, &is_last)) {
            close(folder);
            return fail(err, STRIDER_BAD_MODEL,
                        "external data \"%.200s\" does not lie inside the model's folder", location);
        }
        const int next = open_name(files, folder, name, is_last);
        const Status status = next < 0 ? fail_open(folder, name, location, errno, err) : STRIDER_OK;
        close(folder);
        TRY(status);
        folder = next;
    }
    *descriptor = folder;
    return folder >= 0
               ? STRIDER_OK
               : fail(err, STRIDER_FILE_ERROR, "external data \"%.200s\": %s", location, strerror(errno));
}

/* Beside the model, else beside what it is a link to; the message is about the first. */
static Status open_external(const Files *files, const char *location, int *descriptor, Error *err) {
    const Status status = open_inside(files, files->folder, location, descriptor, err);
    if (status != STRIDER_FILE_ERROR || files->target_folder < 0)
        return status;
    return open_inside(files, files->target_folder, location, descriptor, NULL) ? status : STRIDER_OK;
}

Status files_external(Files *files, const char *location, const File **file, Error *err) {
    void *known = NULL;
    if (names_find(&files->by_location, location, &known)) {
        *file = known;
        return STRIDER_OK;
    }
    if (files->folder < 0)
        return fail(err, STRIDER_BAD_MODEL, "external data \"%.200s\": the model has no folder to look in",
                    location);
    int descriptor = -1;
    TRY(open_external(files, location, &descriptor, err));
    File *taken;
    Error why = {0};
    const Status status = take_file(files, descriptor, INT64_MAX, &taken, &why);
    close(descriptor);
    if (status)
        return fail(err, status, "external data \"%.200s\": %s", location, why.message);
    const char *name = region_string(files->region, location, strlen(location));
    if (!name || !names_add(&files->by_location, name, taken))
        return fail_memory(err, strlen(location) + 1, "the list of files");
    *file = taken;
    return STRIDER_OK;
}
