/* SPDX-License-Identifier: Apache-2.0 */
/* Files as memory, and the rules for files that a model names. */
#ifndef LOADER_FILE_H
#define LOADER_FILE_H

#include "base/memory.h"
#include "base/names.h"
#include "base/status.h"

typedef struct File {
    const unsigned char *data;
    size_t size_bytes;
    bool mapped;                /* its pages can be given back and come again */
    const Allocator *allocator; /* of what was read; NULL where it is mapped, or the caller's memory */
} File;

/* A model file and the files with external data beside it, each there once. */
typedef struct Files {
    File **items; /* the model first */
    size_t count, capacity;
    NameMap by_location; /* as the model names them */
    NameMap by_identity; /* however they are named: their device and inode, so that each is read once */
    int folder;          /* an open descriptor; -1 where no external data may be read */
    int target_folder;   /* where the model is a symbolic link: of the file that it leads to; else -1 */
    const strider_load_options *options; /* while loading */
    Region *region;
} Files;

/* Files larger than this are mapped, unless options->copy: where they become shorter while they are in use,
 * the process gets SIGBUS.  Smaller ones are read, which takes a millisecond at most. */
enum { MAX_READ_BYTES = 4 << 20 };

/* Both leave *files to be closed with files_close() also on failure.  `options` is kept for files_external().
 */
Status files_open(Files *files, Region *region, const char *path, const strider_load_options *options,
                  Error *err) MUST_CHECK;
Status files_wrap(Files *files, Region *region, const void *data, size_t size_bytes, const char *folder,
                  const strider_load_options *options, Error *err) MUST_CHECK;
void files_close(Files *files);

/* The file with external data at `location`, relative to the model's folder and inside it: no absolute path,
 * no "..", and, unless links are allowed, no symbolic link on the way.  Regular files only.  Where the model
 * itself is a link, as in the caches of model hubs, the folder of its target is searched, too, and a file may
 * be a link to one that lies in one of the two folders itself. */
Status files_external(Files *files, const char *location, const File **file, Error *err) MUST_CHECK;

#endif
