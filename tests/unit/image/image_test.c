/* SPDX-License-Identifier: Apache-2.0 */
/* Files of pictures that are damaged, cut or too large, and memory that lacks; whole ones are in
 * tests/data/images. */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/budget.h"
#include "image/image.h"

#include <cmocka.h>

#ifndef STRIDER_TEST_IMAGE_FORMATS
#error "the formats that this build reads, by the names of folders"
#endif

static const ImageLimits limits = {.max_pixels = 1 << 20};

/* --- the files of tests/data/images --- */

typedef struct File {
    uint8_t *bytes;
    size_t size;
} File;

static File read_file(const char *path) {
    FILE *stream = fopen(path, "rb");
    assert_non_null(stream);
    static uint8_t message[1 << 16];
    const size_t size = fread(message, 1, sizeof message, stream);
    fclose(stream);
    strider_tensor tensor;
    assert_int_equal(strider_tensor_from_onnx(message, size, &tensor, NULL, 0, NULL), STRIDER_OK);
    /* Memory of its own size, so that what reads beyond it is found. */
    File file = {malloc((size_t)tensor.dims[0]), (size_t)tensor.dims[0]};
    assert_non_null(file.bytes);
    memcpy(file.bytes, tensor.data, file.size);
    strider_tensor_free(&tensor);
    return file;
}

static int for_each_case(const char *folder, void (*act)(const char *name, const File *file)) {
    char path[1024];
    int count = 0;
    snprintf(path, sizeof path, "%s/%s", STRIDER_TEST_DATA, folder);
    DIR *cases = opendir(path);
    assert_non_null(cases);
    for (const struct dirent *entry; (entry = readdir(cases)); count++) {
        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "%s/%s/%s/test_data_set_0/input_0.pb", STRIDER_TEST_DATA, folder,
                 entry->d_name);
        File file = read_file(path);
        act(path, &file);
        free(file.bytes);
    }
    closedir(cases);
    return count;
}

static void for_each_file(void (*act)(const char *name, const File *file)) {
    static const char *const folders[] = {STRIDER_TEST_IMAGE_FORMATS};
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
        assert_true(for_each_case(folders[i], act) > 4);
}

/* Decodes from memory that is counted: all comes back. */
static Status decode_counted(const uint8_t *bytes, size_t size, const ImageLimits *limit,
                             uint64_t limit_bytes, int64_t *pixels, Error *err) {
    Budget budget;
    Image image;
    budget_init(&budget, allocator_default(), limit_bytes);
    const Status status = image_decode(bytes, size, PIXELS_RGB, limit, &budget.allocator, &image, err);
    if (status)
        assert_null(image.pixels);
    if (pixels)
        *pixels = image.height * image.width;
    image_free(&image);
    assert_int_equal(budget_used(&budget), 0);
    budget_free(&budget);
    return status;
}

static Status decode(const uint8_t *bytes, size_t size, Error *err) {
    return decode_counted(bytes, size, &limits, UINT64_MAX, NULL, err);
}

/* --- files that end too early --- */

static void cut(const char *name, const File *file) {
    for (size_t size = 0; size < file->size; size++) {
        uint8_t *bytes = malloc(size ? size : 1);
        Error err = {0};
        assert_non_null(bytes);
        memcpy(bytes, file->bytes, size);
        const Status status = decode(bytes, size, &err);
        free(bytes);
        if (status ? !err.message[0] : size <= file->size / 2)
            fail_msg("%s cut to %zu of %zu bytes: %s, \"%s\"", name, size, file->size,
                     strider_status_name(status), err.message);
    }
}

static void files_that_are_cut_anywhere_are_refused_and_nothing_is_lost(void **state) {
    (void)state;
    for_each_file(cut);
}

/* --- files with other bytes --- */

static void damage(const char *name, const File *file) {
    (void)name;
    uint64_t random = 88172645463325252u;
    for (int round = 0; round < 300; round++) {
        uint8_t *bytes = malloc(file->size);
        Error err;
        assert_non_null(bytes);
        memcpy(bytes, file->bytes, file->size);
        for (int change = 0; change <= round % 4; change++) {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            /* The headers, where damage does most, more often. */
            const size_t range = round % 2 && file->size > 64 ? 64 : file->size;
            bytes[random % range] = (uint8_t)(random >> 32);
        }
        (void)!decode(bytes, file->size, &err);
        free(bytes);
    }
}

static void damaged_files_read_nothing_that_is_not_theirs(void **state) {
    (void)state;
    for_each_file(damage);
}

/* --- limits --- */

static void refuse_pixels(const char *name, const File *file) {
    Error err = {0};
    int64_t pixels = 0;
    assert_int_equal(decode_counted(file->bytes, file->size, &limits, UINT64_MAX, &pixels, &err), STRIDER_OK);
    const ImageLimits enough = {.max_pixels = pixels}, less = {.max_pixels = pixels - 1};
    if (decode_counted(file->bytes, file->size, &enough, UINT64_MAX, NULL, &err))
        fail_msg("%s: %s", name, err.message);
    assert_int_equal(decode_counted(file->bytes, file->size, &less, UINT64_MAX, NULL, &err),
                     STRIDER_LIMIT_EXCEEDED);
}

static void more_pixels_than_the_limit_are_refused(void **state) {
    (void)state;
    for_each_file(refuse_pixels);
}

/* Where a budget ends at any of its allocations. */
static void refuse_memory(const char *name, const File *file) {
    Error err = {0};
    uint64_t budget_bytes = 0;
    while (decode_counted(file->bytes, file->size, &limits, budget_bytes, NULL, &err) ==
           STRIDER_OUT_OF_MEMORY)
        budget_bytes += 16;
    if (decode_counted(file->bytes, file->size, &limits, budget_bytes, NULL, &err))
        fail_msg("%s with %llu bytes: %s", name, (unsigned long long)budget_bytes, err.message);
    assert_true(budget_bytes >= 3 * 32);
}

static void memory_that_lacks_is_said_to_lack(void **state) {
    (void)state;
    for_each_file(refuse_memory);
}

/* --- single files --- */

static void expect_refused(const void *bytes, size_t size, Status status, const char *part) {
    Error err = {0};
    assert_int_equal(decode(bytes, size, &err), status);
    if (!strstr(err.message, part))
        fail_msg("\"%s\" has no \"%s\"", err.message, part);
}
#define EXPECT_REFUSED(TEXT, STATUS, PART) expect_refused(TEXT, sizeof TEXT - 1, STATUS, PART)

static void what_is_no_picture_is_refused(void **state) {
    (void)state;
    EXPECT_REFUSED("", STRIDER_BAD_MODEL, "no picture in a known format");
    EXPECT_REFUSED("GIF89a", STRIDER_BAD_MODEL, "no picture in a known format");
    EXPECT_REFUSED("RIFF\0\0\0\0WAVE", STRIDER_BAD_MODEL, "no picture in a known format");
    EXPECT_REFUSED("P7", STRIDER_BAD_MODEL, "no picture in a known format");
}

static void numbers_of_pnm_are_checked(void **state) {
    (void)state;
    EXPECT_REFUSED("P2 x", STRIDER_BAD_MODEL, "PNM picture: there is no number at byte 3");
    EXPECT_REFUSED("P2 2 2 0 1", STRIDER_BAD_MODEL, "its largest value is 0");
    EXPECT_REFUSED("P2 2 2 65536 1", STRIDER_BAD_MODEL, "the number 65536 before byte 12 is beyond 65535");
    EXPECT_REFUSED("P2 99999999999999999999 1 9 ", STRIDER_BAD_MODEL, "is beyond 2147483647");
    EXPECT_REFUSED("P2 2 1 9 1 10", STRIDER_BAD_MODEL, "the number 10 before byte 13 is beyond 9");
    EXPECT_REFUSED("P1 2 1 1 2", STRIDER_BAD_MODEL, "the number 2 before byte 10 is beyond 1");
    EXPECT_REFUSED("P5 2 1 9 \x01\x0a", STRIDER_BAD_MODEL, "the sample 10 is beyond 9");
    EXPECT_REFUSED("P5 2 1 9", STRIDER_BAD_MODEL, "ends too early");
    EXPECT_REFUSED("P5 2 1 9#\n\x01\x01", STRIDER_BAD_MODEL, "no space after its header");
    EXPECT_REFUSED("P5 0 1 9 ", STRIDER_BAD_MODEL, "it has no pixels: 0 x 1");
    EXPECT_REFUSED("P5 2147483647 2147483647 255 ", STRIDER_BAD_MODEL, "ends too early");
}

#define BMP_HEADER(WIDTH, HEIGHT, BITS, COMPRESSION)                                                         \
    "BM\0\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0" WIDTH HEIGHT "\1\0" BITS "\0" COMPRESSION                       \
    "\0\0\0\0\0\0\0\0\0\0\0\0\0"                                                                             \
    "\0\0\0\0\0\0\0\0\0\0"

static void headers_of_bmp_are_checked(void **state) {
    (void)state;
    EXPECT_REFUSED("BM\0\0\0\0\0\0\0\0\x36\0\0\0\xff\0\0\0", STRIDER_UNSUPPORTED, "its header has 255 bytes");
    EXPECT_REFUSED(BMP_HEADER("\1\0\0\0", "\1\0\0\0", "\5", "\0"), STRIDER_UNSUPPORTED, "5 bits a pixel");
    EXPECT_REFUSED(BMP_HEADER("\1\0\0\0", "\1\0\0\0", "\x18", "\4"), STRIDER_UNSUPPORTED,
                   "with compression 4");
    EXPECT_REFUSED(BMP_HEADER("\0\0\0\0", "\1\0\0\0", "\x18", "\0"), STRIDER_BAD_MODEL,
                   "it has no pixels: 0 x 1");
    EXPECT_REFUSED(BMP_HEADER("\xff\xff\xff\xff", "\1\0\0\0", "\x18", "\0"), STRIDER_BAD_MODEL,
                   "it has no pixels: -1 x 1");
    EXPECT_REFUSED(BMP_HEADER("\xff\xff\xff\x7f", "\0\0\0\x80", "\x20", "\0"), STRIDER_BAD_MODEL,
                   "ends too early");
    EXPECT_REFUSED(BMP_HEADER("\xff\xff\xff\x7f", "\1\0\0\0", "\x8", "\1"), STRIDER_LIMIT_EXCEEDED,
                   "2147483647 x 1 pixels");
    EXPECT_REFUSED(BMP_HEADER("\1\0\0\0", "\1\0\0\0", "\x20", "\3") "\5\0\0\0", STRIDER_BAD_MODEL,
                   "mask 0x5 is not one run of bits");
}

/* Entries of 12 bytes in a file of little-endian numbers: tag, type, count, value. */
static void set_entry(uint8_t *entry, uint32_t value) {
    const uint8_t as_long[] = {4, 0, 1, 0, 0, 0};
    memcpy(entry + 2, as_long, sizeof as_long);
    for (int i = 0; i < 4; i++)
        entry[8 + i] = (uint8_t)(value >> (8 * i));
}

static int enlarged;

static void enlarge_tiff(const char *name, const File *file) {
    enum { WIDTH = 256, HEIGHT = 257, ORIENTATION = 274, ROWS_PER_STRIP = 278, LARGEST_ORIENTATION = 8 };
    uint8_t *bytes = file->bytes;
    if (bytes[0] != 'I' || bytes[2] != 42)
        return;
    const size_t at = bytes[4] | (size_t)bytes[5] << 8;
    const int count = bytes[at] | bytes[at + 1] << 8;
    for (uint32_t orientation = 1; orientation <= LARGEST_ORIENTATION; orientation++) {
        for (int i = 0; i < count; i++) {
            uint8_t *entry = bytes + at + 2 + 12 * (size_t)i;
            const int tag = entry[0] | entry[1] << 8;
            if (tag == WIDTH || tag == HEIGHT)
                set_entry(entry, 0xf0000000u + orientation);
            if (tag == ROWS_PER_STRIP)
                set_entry(entry, UINT32_MAX);
            if (tag == ORIENTATION)
                entry[8] = (uint8_t)orientation;
        }
        Error err;
        const Status status = decode(bytes, file->size, &err);
        if (!status)
            fail_msg("%s: decoded", name);
        enlarged += status == STRIDER_LIMIT_EXCEEDED; /* of others libtiff says itself that strips lack */
    }
}

/* Their product does not fit 64 bits. */
static void sizes_that_tiff_states_are_checked_before_they_are_used(void **state) {
    (void)state;
    static const char *const folders[] = {STRIDER_TEST_IMAGE_FORMATS};
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
        if (strcmp(folders[i], "tiff") == 0) {
            for_each_case("tiff", enlarge_tiff);
            assert_true(enlarged > 0);
        }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_no_picture_is_refused),
        cmocka_unit_test(numbers_of_pnm_are_checked),
        cmocka_unit_test(headers_of_bmp_are_checked),
        cmocka_unit_test(more_pixels_than_the_limit_are_refused),
        cmocka_unit_test(memory_that_lacks_is_said_to_lack),
        cmocka_unit_test(files_that_are_cut_anywhere_are_refused_and_nothing_is_lost),
        cmocka_unit_test(damaged_files_read_nothing_that_is_not_theirs),
        cmocka_unit_test(sizes_that_tiff_states_are_checked_before_they_are_used),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
