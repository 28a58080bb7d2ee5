/* SPDX-License-Identifier: Apache-2.0 */
#include "formats/bytes.h"
#include "formats/formats.h"
#include "formats/npy.h"
#include "formats/npz.h"
#include "formats/pb.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static strider_error error;

static char *scratch_path(const char *suffix) {
    static char path[64];
    snprintf(path, sizeof path, "/tmp/strider_formats_%ld%s", (long)getpid(), suffix);
    return path;
}

static strider_tensor counting(strider_dtype dtype, int rank, const int64_t *dims) {
    strider_tensor tensor;
    assert_int_equal(tensor_make(&tensor, dtype, rank, dims, &error), STRIDER_OK);
    for (size_t i = 0; i < tensor_bytes(&tensor); i++)
        ((unsigned char *)tensor.data)[i] = (unsigned char)(dtype == STRIDER_BOOL ? i % 2 : i * 7 + 1);
    if (strider_dtype_bits(dtype) < 8) /* bits beyond the type's as they are after reading */
        for (int64_t i = 0; i < strider_tensor_elements(&tensor); i++)
            strider_tensor_set(&tensor, i, strider_tensor_get(&tensor, i));
    return tensor;
}

static void assert_same(const strider_tensor *a, const strider_tensor *b) {
    assert_int_equal(a->dtype, b->dtype);
    assert_int_equal(a->rank, b->rank);
    for (int i = 0; i < a->rank; i++)
        assert_int_equal(a->dims[i], b->dims[i]);
    assert_memory_equal(a->data, b->data, tensor_bytes(a));
}

static void every_type_comes_back_from_npy_and_pb(void **state) {
    (void)state;
    const int64_t dims[] = {2, 3, 4};
    for (int dtype = STRIDER_F32; dtype < STRIDER_STRING; dtype++)
        for (int rank = 0; rank <= 3; rank++) {
            strider_tensor tensor = counting((strider_dtype)dtype, rank, dims);
            TensorFile file;
            assert_int_equal(npy_write(scratch_path(".npy"), &tensor, &error), STRIDER_OK);
            if (dtype == STRIDER_BF16 || dtype > STRIDER_BOOL) {
                assert_int_equal(format_read(scratch_path(".npy"), &file, &error), STRIDER_UNSUPPORTED);
                tensor_file_free(&file);
            } else {
                assert_int_equal(format_read(scratch_path(".npy"), &file, &error), STRIDER_OK);
                assert_same(&file.items[0].tensor, &tensor);
                tensor_file_free(&file);
            }
            assert_int_equal(pb_write(scratch_path(".pb"), "name", &tensor, &error), STRIDER_OK);
            assert_int_equal(format_read(scratch_path(".pb"), &file, &error), STRIDER_OK);
            assert_string_equal(file.items[0].name, "name");
            assert_same(&file.items[0].tensor, &tensor);
            tensor_file_free(&file);
            strider_tensor_free(&tensor);
        }
    unlink(scratch_path(".npy"));
    unlink(scratch_path(".pb"));
}

static void strings_come_back_from_pb_alone(void **state) {
    (void)state;
    strider_string strings[] = {{"a\0b", 3}, {NULL, 0}, {"\xc3\xa4", 2}};
    strider_tensor tensor = {STRIDER_STRING, 1, {3}, strings}, copy;
    const NamedTensor named = {"name", tensor};
    TensorFile file;
    assert_int_equal(format_write(scratch_path(".pb"), &named, 1, &error), STRIDER_OK);
    assert_int_equal(format_read(scratch_path(".pb"), &file, &error), STRIDER_OK);
    assert_int_equal(tensor_copy(&file.items[0].tensor, &copy, &error), STRIDER_OK);
    tensor_file_free(&file);
    assert_int_equal(copy.dtype, STRIDER_STRING);
    assert_int_equal(copy.dims[0], 3);
    for (int i = 0; i < 3; i++) {
        const strider_string *got = (const strider_string *)copy.data + i;
        assert_int_equal(got->size, strings[i].size);
        if (got->size)
            assert_memory_equal(got->data, strings[i].data, got->size);
    }
    strider_tensor_free(&copy);
    assert_int_equal(format_write(scratch_path(".npy"), &named, 1, &error), STRIDER_UNSUPPORTED);
    assert_int_equal(format_write(scratch_path(".npz"), &named, 1, &error), STRIDER_UNSUPPORTED);
    unlink(scratch_path(".pb"));
}

static void npz_keeps_names_and_order(void **state) {
    (void)state;
    const int64_t dims[] = {3, 5};
    NamedTensor items[] = {{"first/one", counting(STRIDER_F32, 2, dims)},
                           {"second", counting(STRIDER_I64, 1, dims)}};
    TensorFile file;
    assert_int_equal(npz_write(scratch_path(".npz"), items, 2, &error), STRIDER_OK);
    assert_int_equal(format_read(scratch_path(".npz"), &file, &error), STRIDER_OK);
    assert_int_equal(file.count, 2);
    for (int i = 0; i < 2; i++) {
        assert_string_equal(file.items[i].name, items[i].name);
        assert_same(&file.items[i].tensor, &items[i].tensor);
        strider_tensor_free(&items[i].tensor);
    }
    tensor_file_free(&file);
    unlink(scratch_path(".npz"));
}

static void fortran_order_and_big_endian_are_put_right(void **state) {
    (void)state;
    static const char header[] = "{'descr': '>i2', 'fortran_order': True, 'shape': (2, 3), }\n";
    unsigned char bytes[256] = "\x93NUMPY\1\0";
    bytes[8] = (unsigned char)(sizeof header - 1);
    memcpy(bytes + 10, header, sizeof header - 1);
    unsigned char *data = bytes + 10 + sizeof header - 1;
    for (int i = 0; i < 6; i++) {
        data[2 * i] = 1;
        data[2 * i + 1] = (unsigned char)i;
    }
    strider_tensor tensor;
    assert_int_equal(npy_parse(bytes, (size_t)(data + 12 - bytes), &tensor, &error), STRIDER_OK);
    const int16_t expected[] = {256, 258, 260, 257, 259, 261};
    assert_memory_equal(tensor.data, expected, sizeof expected);
    strider_tensor_free(&tensor);
}

static void damaged_files_are_refused_at_every_length(void **state) {
    (void)state;
    const int64_t dims[] = {2, 3};
    strider_tensor tensor = counting(STRIDER_F32, 2, dims);
    NamedTensor item = {"x", tensor};
    unsigned char *whole;
    size_t size;
    Bytes npy = {0};
    npy_encode(&npy, &tensor);
    for (size_t n = 0; n < npy.size; n++) {
        unsigned char *cut = malloc(n + 1); /* its own block, so that the sanitizer sees reads after it */
        strider_tensor got;
        memcpy(cut, npy.data, n);
        assert_int_not_equal(npy_parse(cut, n, &got, &error), STRIDER_OK);
        free(cut);
    }
    assert_int_equal(npz_write(scratch_path(".npz"), &item, 1, &error), STRIDER_OK);
    assert_int_equal(read_whole(scratch_path(".npz"), 1 << 20, &whole, &size, &error), STRIDER_OK);
    for (size_t n = 0; n < size; n++) {
        unsigned char *cut = malloc(n + 1);
        TensorFile file = {0};
        memcpy(cut, whole, n);
        assert_int_not_equal(npz_parse(cut, n, &file, &error), STRIDER_OK);
        tensor_file_free(&file);
        free(cut);
    }
    for (size_t i = 0; i < size; i++) { /* each byte wrong: refused, or it did not matter */
        TensorFile file = {0};
        whole[i] ^= 0x55;
        (void)!npz_parse(whole, size, &file, &error);
        tensor_file_free(&file);
        whole[i] ^= 0x55;
    }
    free(whole);
    free(npy.data);
    strider_tensor_free(&tensor);
    unlink(scratch_path(".npz"));
}

static void headers_that_claim_too_much_are_refused(void **state) {
    (void)state;
    static const char *const headers[] = {
        "{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904, 4), }\n",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000000,), }\n",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (-1,), }\n",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,1,1), }\n",
        "{'descr': '|O', 'fortran_order': False, 'shape': (1,), }\n",
        "{'descr': '<f4', 'shape': (1,), }\n",
        "not a header",
    };
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
        unsigned char bytes[256] = "\x93NUMPY\1\0";
        strider_tensor tensor;
        bytes[8] = (unsigned char)strlen(headers[i]);
        memcpy(bytes + 10, headers[i], strlen(headers[i]));
        assert_int_not_equal(npy_parse(bytes, sizeof bytes, &tensor, &error), STRIDER_OK);
    }
}

static void a_shape_without_elements_may_have_any_other_dimensions(void **state) {
    (void)state;
    static const char header[] =
        "{'descr': '<f4', 'fortran_order': True, 'shape': (4000000000000, 4000000000000, 0), }\n";
    unsigned char bytes[256] = "\x93NUMPY\1\0";
    strider_tensor tensor = {0};
    bytes[8] = (unsigned char)strlen(header);
    memcpy(bytes + 10, header, strlen(header));
    (void)!npy_parse(bytes, 10 + strlen(header), &tensor, &error); /* refused or not, without overflow */
    strider_tensor_free(&tensor);
}

static void a_header_longer_than_any_is_refused(void **state) {
    (void)state;
    const size_t size = 1 << 20;
    unsigned char *bytes = calloc(1, size);
    strider_tensor tensor;
    memcpy(bytes, "\x93NUMPY\2\0\xf0\xff\xf\0", 12);
    assert_int_equal(npy_parse(bytes, size, &tensor, &error), STRIDER_BAD_MODEL);
    assert_non_null(strstr(error.message, "header of 1048560 bytes"));
    free(bytes);
}

/* Two entries of 15 floats, of which the directory is then changed at `field` of the second record. */
static strider_status parse_changed(size_t field, uint64_t value, int bytes) {
    const int64_t dims[] = {3, 5};
    NamedTensor items[] = {{"a", counting(STRIDER_F32, 2, dims)}, {"b", counting(STRIDER_F32, 2, dims)}};
    unsigned char *whole;
    size_t size;
    TensorFile file = {0};
    assert_int_equal(npz_write(scratch_path(".npz"), items, 2, &error), STRIDER_OK);
    assert_int_equal(read_whole(scratch_path(".npz"), 1 << 20, &whole, &size, &error), STRIDER_OK);
    unsigned char *record = whole + size - 22 - 51; /* "b.npy" */
    assert_memory_equal(record, "PK\1\2", 4);
    for (int i = 0; i < bytes; i++)
        record[field + (size_t)i] = (unsigned char)(value >> (8 * i));
    const strider_status status = npz_parse(whole, size, &file, &error);
    tensor_file_free(&file);
    free(whole);
    strider_tensor_free(&items[0].tensor);
    strider_tensor_free(&items[1].tensor);
    unlink(scratch_path(".npz"));
    return status;
}

static void an_archive_whose_entries_share_bytes_is_refused(void **state) {
    (void)state;
    enum { LOCAL_OFFSET = 42 };
    assert_int_equal(parse_changed(LOCAL_OFFSET, 0, 4), STRIDER_BAD_MODEL);
    assert_non_null(strstr(error.message, "overlap"));
}

static void an_archive_that_claims_too_much_is_refused_as_a_whole(void **state) {
    (void)state;
    enum { METHOD_AND_SIZES = 10, DEFLATED = 8, UNPACKED = 24, SIZE = 300 << 20 };
    assert_int_equal(parse_changed(UNPACKED, SIZE, 4), STRIDER_BAD_MODEL); /* stored, of another size */
    const int64_t dims[] = {3, 5};
    NamedTensor items[] = {{"a", counting(STRIDER_F32, 2, dims)}, {"b", counting(STRIDER_F32, 2, dims)}};
    unsigned char *whole;
    size_t size;
    TensorFile file = {0};
    assert_int_equal(npz_write(scratch_path(".npz"), items, 2, &error), STRIDER_OK);
    assert_int_equal(read_whole(scratch_path(".npz"), 1 << 20, &whole, &size, &error), STRIDER_OK);
    for (size_t i = 1; i <= 2; i++) { /* 150 MB each: only both together are too much */
        unsigned char *record = whole + size - 22 - 51 * i;
        record[METHOD_AND_SIZES] = DEFLATED;
        record[UNPACKED + 3] = 9;
    }
    assert_int_equal(npz_parse(whole, size, &file, &error), STRIDER_LIMIT_EXCEEDED);
    tensor_file_free(&file);
    free(whole);
    strider_tensor_free(&items[0].tensor);
    strider_tensor_free(&items[1].tensor);
    unlink(scratch_path(".npz"));
}

static void what_is_no_file_is_not_read(void **state) {
    (void)state;
    TensorFile file;
    char *fifo = scratch_path(".fifo");
    assert_int_equal(mkfifo(fifo, 0600), 0);
    const char *const paths[] = {"/dev/zero", "/tmp", fifo, "/nowhere/at/all"};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        assert_int_equal(format_read(paths[i], &file, &error), STRIDER_FILE_ERROR);
        assert_int_equal(file.count, 0);
    }
    unlink(fifo);
    /* The system says 4096 bytes and gives fewer, as of a file that becomes shorter. */
    const char *short_file = "/sys/kernel/mm/transparent_hugepage/enabled";
    if (access(short_file, R_OK) == 0) {
        assert_int_equal(format_read(short_file, &file, &error), STRIDER_FILE_ERROR);
        assert_non_null(strstr(error.message, "ends after"));
    }
}

static void messages_escape_what_headers_say(void **state) {
    (void)state;
    static const char header[] = "{'descr': '\x1b[31mred', 'fortran_order': False, 'shape': (1,), }\n";
    unsigned char bytes[256] = "\x93NUMPY\1\0";
    strider_tensor tensor;
    bytes[8] = (unsigned char)strlen(header);
    memcpy(bytes + 10, header, strlen(header));
    assert_int_equal(npy_parse(bytes, sizeof bytes, &tensor, &error), STRIDER_UNSUPPORTED);
    assert_null(strchr(error.message, 0x1b));
    assert_non_null(strstr(error.message, "\\x1b[31mred"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_type_comes_back_from_npy_and_pb),
        cmocka_unit_test(strings_come_back_from_pb_alone),
        cmocka_unit_test(npz_keeps_names_and_order),
        cmocka_unit_test(fortran_order_and_big_endian_are_put_right),
        cmocka_unit_test(damaged_files_are_refused_at_every_length),
        cmocka_unit_test(headers_that_claim_too_much_are_refused),
        cmocka_unit_test(a_shape_without_elements_may_have_any_other_dimensions),
        cmocka_unit_test(a_header_longer_than_any_is_refused),
        cmocka_unit_test(an_archive_whose_entries_share_bytes_is_refused),
        cmocka_unit_test(an_archive_that_claims_too_much_is_refused_as_a_whole),
        cmocka_unit_test(what_is_no_file_is_not_read),
        cmocka_unit_test(messages_escape_what_headers_say),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
