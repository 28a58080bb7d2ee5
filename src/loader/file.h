/* SPDX-License-Identifier: Apache-2.0 */
/* Files as mapped memory, and the rules for files that a model names. */
#ifndef LOADER_FILE_H
#define LOADER_FILE_H

#include "base/memory.h"
#include "base/status.h"

typedef struct MappedFile {
    const char *location; /* as the model names it; NULL for the model itself */
    const unsigned char *data;
    size_t size_bytes;
    bool mapped; /* else the caller's memory */
} MappedFile;

/* A model file and the files with external data beside it, each mapped once. */
typedef struct Files {
    MappedFile *items; /* the model first */
    size_t count, capacity;
    int folder; /* an open descriptor; -1 where no external data may be read */
    bool allow_links;
    Region *region;
} Files;

/* Both leave *files to be closed with files_close() also on failure. */
Status files_open(Files *files, Region *region, const char *path, uint64_t max_bytes, bool allow_links,
                  Error *err) MUST_CHECK;
Status files_wrap(Files *files, Region *region, const void *data, size_t size_bytes, const char *folder,
                  bool allow_links, Error *err) MUST_CHECK;
void files_close(Files *files);

/* The file with external data at `location`, relative to the model's folder and inside it: no absolute path,
 * no "..", and, unless links are allowed, no symbolic link on the way.  Regular files only. */
Status files_external(Files *files, const char *location, const MappedFile **file, Error *err) MUST_CHECK;

#endif
