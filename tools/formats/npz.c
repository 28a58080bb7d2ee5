/* SPDX-License-Identifier: Apache-2.0 */
/* NumPy's .npz: a zip archive of .npy files, stored or deflated.  Read by the central directory at its end
 * (APPNOTE.TXT 4.3.12 and, for large archives, 4.3.14 and 4.5.3), inflated by zlib. */
#include "formats/npz.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "formats/npy.h"

enum {
    END_BYTES = 22,
    CENTRAL_BYTES = 46,
    LOCAL_BYTES = 30,
    MAX_ENTRIES = 65536,
};

/* What all entries together may inflate to: deflate makes a thousand bytes of one, where they are all the
 * same, but what is worth reading seldom makes 64. */
static uint64_t max_unpacked(uint64_t file_bytes) {
    const uint64_t always = (uint64_t)256 << 20, never = (uint64_t)16 << 30;
    const uint64_t limit = file_bytes < never / 64 ? always + 64 * file_bytes : never;
    return limit < never ? limit : never;
}

static uint64_t get_le(const unsigned char *at, int size) {
    uint64_t value = 0;
    for (int i = size - 1; i >= 0; i--)
        value = value << 8 | at[i];
    return value;
}

typedef struct Entry {
    const unsigned char *name; /* in the file */
    size_t name_length;
    unsigned method;
    uint32_t crc;
    uint64_t packed, unpacked, local;
    uint64_t contents; /* where they begin; `packed` bytes are there */
} Entry;

static strider_status malformed(strider_error *error, const char *what) {
    return tool_fail(error, STRIDER_BAD_MODEL, "a .npz file %s", what);
}

/* Sizes of 4 GiB and more stand in an extra field. */
static bool read_zip64(const unsigned char *extra, size_t size, Entry *entry) {
    while (size >= 4) {
        size_t id = (size_t)get_le(extra, 2), length = (size_t)get_le(extra + 2, 2);
        if (length > size - 4)
            return false;
        if (id == 1) {
            const unsigned char *at = extra + 4, *end = at + length;
            uint64_t *fields[] = {&entry->unpacked, &entry->packed, &entry->local};
            for (int i = 0; i < 3; i++)
                if (*fields[i] == 0xffffffff) {
                    if (end - at < 8)
                        return false;
                    *fields[i] = get_le(at, 8);
                    at += 8;
                }
            return true;
        }
        extra += 4 + length;
        size -= 4 + length;
    }
    return true;
}

static strider_status inflate_entry(const Entry *entry, const unsigned char *from, unsigned char *to,
                                    strider_error *error) {
    z_stream stream = {0};
    if (inflateInit2(&stream, -MAX_WBITS) != Z_OK)
        return tool_fail(error, STRIDER_OUT_OF_MEMORY, "out of memory");
    uint64_t in = 0, out = 0;
    int result = Z_OK;
    stream.next_in = (unsigned char *)from;
    stream.next_out = to;
    while (result == Z_OK && (in < entry->packed || stream.avail_in || out < entry->unpacked)) {
        if (!stream.avail_in) { /* zlib counts in 32 bits */
            stream.avail_in = (unsigned)(entry->packed - in > 1 << 30 ? 1 << 30 : entry->packed - in);
            in += stream.avail_in;
        }
        if (!stream.avail_out) {
            stream.avail_out = (unsigned)(entry->unpacked - out > 1 << 30 ? 1 << 30 : entry->unpacked - out);
            out += stream.avail_out;
        }
        result = inflate(&stream, Z_NO_FLUSH);
    }
    bool whole = result == Z_STREAM_END && stream.avail_out == 0 && out == entry->unpacked;
    inflateEnd(&stream);
    return whole ? STRIDER_OK : malformed(error, "with damaged compressed data");
}

static strider_status read_contents(const unsigned char *data, const Entry *entry, strider_tensor *tensor,
                                    strider_error *error) {
    const unsigned char *contents = data + entry->contents;
    unsigned char *inflated = NULL;
    strider_status status = STRIDER_OK;
    if (entry->method) {
        inflated = malloc(entry->unpacked + 1);
        if (!inflated)
            return tool_fail(error, STRIDER_OUT_OF_MEMORY, "out of memory");
        status = inflate_entry(entry, contents, inflated, error);
        contents = inflated;
    }
    if (!status && crc32_z(0, contents, entry->unpacked) != entry->crc)
        status = malformed(error, "with a wrong checksum");
    if (!status)
        status = npy_parse(contents, entry->unpacked, tensor, error);
    free(inflated);
    return status;
}

static strider_status read_entry(const unsigned char *data, const Entry *entry, TensorFile *file,
                                 strider_error *error) {
    strider_tensor tensor;
    char *name = strndup((const char *)entry->name, entry->name_length);
    strider_status status = name ? read_contents(data, entry, &tensor, error)
                                 : tool_fail(error, STRIDER_OUT_OF_MEMORY, "out of memory");
    if (!status)
        status = tensor_file_add(file, name, tensor, error);
    free(name);
    return status;
}

/* The end record stands at the very end, unless a comment of up to 64 KiB follows. */
static const unsigned char *find_end(const unsigned char *data, size_t size) {
    for (size_t back = END_BYTES; back <= size && back <= END_BYTES + 65535; back++)
        if (memcmp(data + size - back, "PK\5\6", 4) == 0)
            return data + size - back;
    return NULL;
}

static bool find_directory(const unsigned char *data, size_t size, uint64_t *count, uint64_t *at) {
    const unsigned char *end = find_end(data, size);
    if (!end)
        return false;
    *count = get_le(end + 10, 2);
    *at = get_le(end + 16, 4);
    if ((*at == 0xffffffff || *count == 0xffff) && end - data >= 20 && memcmp(end - 20, "PK\6\7", 4) == 0) {
        uint64_t record = get_le(end - 12, 8);
        if (record > size || size - record < 56 || memcmp(data + record, "PK\6\6", 4) != 0)
            return false;
        *count = get_le(data + record + 32, 8);
        *at = get_le(data + record + 48, 8);
    }
    return *count <= MAX_ENTRIES && *at <= size;
}

/* --- the directory, and what it may claim --- */

static strider_status find_contents(const unsigned char *data, size_t size, Entry *entry,
                                    strider_error *error) {
    if (entry->local > size || size - entry->local < LOCAL_BYTES ||
        memcmp(data + entry->local, "PK\3\4", 4) != 0)
        return malformed(error, "with a damaged entry");
    const unsigned char *local = data + entry->local;
    entry->contents = entry->local + LOCAL_BYTES + get_le(local + 26, 2) + get_le(local + 28, 2);
    if (entry->contents > size || entry->packed > size - entry->contents)
        return malformed(error, "whose entries reach beyond its end");
    if (entry->method != 0 && entry->method != Z_DEFLATED)
        return tool_fail(error, STRIDER_UNSUPPORTED, "a .npz file with compression method %u", entry->method);
    if (entry->method == 0 && entry->packed != entry->unpacked)
        return malformed(error, "with a damaged entry");
    return STRIDER_OK;
}

static strider_status parse_entry(const unsigned char *data, size_t size, size_t *at, Entry *entry,
                                  strider_error *error) {
    if (size - *at < CENTRAL_BYTES || memcmp(data + *at, "PK\1\2", 4) != 0)
        return malformed(error, "with a damaged directory");
    const unsigned char *record = data + *at;
    size_t name_length = (size_t)get_le(record + 28, 2), extra_length = (size_t)get_le(record + 30, 2);
    size_t comment_length = (size_t)get_le(record + 32, 2);
    if (name_length + extra_length + comment_length > size - *at - CENTRAL_BYTES)
        return malformed(error, "with a damaged directory");
    *entry = (Entry){.name = record + CENTRAL_BYTES,
                     .name_length = name_length,
                     .method = (unsigned)get_le(record + 10, 2),
                     .crc = (uint32_t)get_le(record + 16, 4),
                     .packed = get_le(record + 20, 4),
                     .unpacked = get_le(record + 24, 4),
                     .local = get_le(record + 42, 4)};
    *at += CENTRAL_BYTES + name_length + extra_length + comment_length;
    if (!read_zip64(record + CENTRAL_BYTES + name_length, extra_length, entry))
        return malformed(error, "with a damaged directory");
    if (name_length > 4 && memcmp(entry->name + name_length - 4, ".npy", 4) == 0)
        entry->name_length -= 4;
    return find_contents(data, size, entry, error);
}

static int by_place(const void *a, const void *b) {
    const Entry *const *first = a, *const *second = b;
    return ((*first)->local > (*second)->local) - ((*first)->local < (*second)->local);
}

/* Entries that share bytes would let a small file hold any number of large ones. */
static strider_status check_entries(const Entry *entries, size_t count, size_t size, strider_error *error) {
    const Entry **sorted = malloc((count + 1) * sizeof *sorted);
    uint64_t unpacked = 0, limit = max_unpacked(size);
    strider_status status = STRIDER_OK;
    if (!sorted)
        return tool_fail(error, STRIDER_OUT_OF_MEMORY, "out of memory");
    for (size_t i = 0; i < count; i++) {
        sorted[i] = &entries[i];
        if (entries[i].unpacked > limit - unpacked)
            status = tool_fail(error, STRIDER_LIMIT_EXCEEDED,
                               "a .npz file of %zu bytes that claims to hold more than %llu", size,
                               (unsigned long long)limit);
        if (status)
            break;
        unpacked += entries[i].unpacked;
    }
    if (!status)
        qsort(sorted, count, sizeof *sorted, by_place);
    for (size_t i = 1; i < count && !status; i++)
        if (sorted[i - 1]->contents + sorted[i - 1]->packed > sorted[i]->local)
            status = malformed(error, "whose entries overlap");
    free(sorted);
    return status;
}

bool npz_is(const unsigned char *data, size_t size) {
    return size >= 4 && memcmp(data, "PK\3\4", 4) == 0;
}

strider_status npz_parse(const unsigned char *data, size_t size, TensorFile *file, strider_error *error) {
    uint64_t count, directory;
    if (!find_directory(data, size, &count, &directory))
        return malformed(error, "without a readable directory: is it complete?");
    if (count > size / CENTRAL_BYTES)
        return malformed(error, "with a damaged directory");
    Entry *entries = calloc(count + 1, sizeof *entries);
    size_t at = (size_t)directory;
    strider_status status = entries ? STRIDER_OK : tool_fail(error, STRIDER_OUT_OF_MEMORY, "out of memory");
    for (uint64_t i = 0; i < count && !status; i++)
        status = parse_entry(data, size, &at, &entries[i], error);
    if (!status)
        status = check_entries(entries, (size_t)count, size, error);
    for (uint64_t i = 0; i < count && !status; i++)
        status = read_entry(data, &entries[i], file, error);
    free(entries);
    return status;
}

/* --- writing --- */

/* Both records share these fields. */
static void put_fields(Bytes *bytes, uint32_t crc, uint64_t size, size_t name_length) {
    bytes_put_le(bytes, 20, 2); /* version needed */
    bytes_put_le(bytes, 0, 2);  /* flags */
    bytes_put_le(bytes, 0, 2);  /* stored */
    bytes_put_le(bytes, 0, 2);  /* time and date: 1 January 1980, so that equal contents give equal files */
    bytes_put_le(bytes, 0x21, 2);
    bytes_put_le(bytes, crc, 4);
    bytes_put_le(bytes, size, 4);
    bytes_put_le(bytes, size, 4);
    bytes_put_le(bytes, name_length, 2);
}

strider_status npz_write(const char *path, const NamedTensor *items, size_t count, strider_error *error) {
    Bytes bytes = {0}, directory = {0};
    for (size_t i = 0; i < count; i++) {
        Bytes npy = {0};
        npy_encode(&npy, &items[i].tensor);
        size_t name_length = strlen(items[i].name) + 4, local = bytes.size;
        if (npy.failed || npy.size >= 0xffffffff || local >= 0xffffffff || name_length > 65535) {
            free(npy.data);
            free(bytes.data);
            free(directory.data);
            return tool_fail(error, STRIDER_UNSUPPORTED,
                             "the outputs are too large for one .npz file: save them in a folder");
        }
        uint32_t crc = (uint32_t)crc32_z(0, npy.data, npy.size);
        bytes_put(&bytes, "PK\3\4", 4);
        put_fields(&bytes, crc, npy.size, name_length);
        bytes_put_le(&bytes, 0, 2);
        bytes_put(&bytes, items[i].name, name_length - 4);
        bytes_put(&bytes, ".npy", 4);
        bytes_put(&bytes, npy.data, npy.size);
        bytes_put(&directory, "PK\1\2", 4);
        bytes_put_le(&directory, 20, 2);
        put_fields(&directory, crc, npy.size, name_length);
        bytes_put_le(&directory, 0, 2 + 2 + 2);
        bytes_put_le(&directory, 0, 2 + 4);
        bytes_put_le(&directory, local, 4);
        bytes_put(&directory, items[i].name, name_length - 4);
        bytes_put(&directory, ".npy", 4);
        free(npy.data);
    }
    size_t at = bytes.size;
    bytes_put(&bytes, directory.data, directory.size);
    bytes_put(&bytes, "PK\5\6\0\0\0\0", 8);
    bytes_put_le(&bytes, count, 2);
    bytes_put_le(&bytes, count, 2);
    bytes_put_le(&bytes, directory.size, 4);
    bytes_put_le(&bytes, at, 4);
    bytes_put_le(&bytes, 0, 2);
    bytes.failed = bytes.failed || directory.failed;
    free(directory.data);
    return bytes_write(&bytes, path, error);
}
