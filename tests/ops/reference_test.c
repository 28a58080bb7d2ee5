/* SPDX-License-Identifier: Apache-2.0 */
/* Reference kernels against PyTorch: tests/data/ops/torch.bin, or the file that the first argument names, as
 * make_reference.py writes it and describes it. */
#include "support/op_test.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char *path = STRIDER_TEST_DATA "/ops/torch.bin";

typedef struct Reader {
    const uint8_t *next, *end;
    Region region;
} Reader;

static void take(Reader *reader, void *to, size_t size_bytes) {
    assert_true((size_t)(reader->end - reader->next) >= size_bytes);
    memcpy(to, reader->next, size_bytes);
    reader->next += size_bytes;
}

/* The file and the machine are both little-endian. */
#define TAKE(T, reader)                                                                                      \
    ({                                                                                                       \
        T taken;                                                                                             \
        take(reader, &taken, sizeof taken);                                                                  \
        taken;                                                                                               \
    })

static void *take_array(Reader *reader, size_t count, size_t size) {
    void *memory = region_alloc_array(&reader->region, count + 1, size);
    assert_non_null(memory);
    take(reader, memory, count * size);
    return memory;
}

static const char *take_string(Reader *reader) {
    size_t length = TAKE(uint8_t, reader);
    return take_array(reader, length, 1); /* zeroed memory, one byte more */
}

static Attr take_attribute(Reader *reader) {
    const char *name = take_string(reader);
    Attr attr;
    size_t count;
    switch (TAKE(uint8_t, reader)) {
    case 0:
        return attr_int(name, TAKE(int64_t, reader));
    case 1:
        return attr_float(name, TAKE(float, reader));
    case 2:
        return attr_string(name, take_string(reader));
    default:
        count = TAKE(uint8_t, reader);
        attr = (Attr){.name = name, .kind = ATTR_INTS, .count = count};
        attr.ints = take_array(reader, count, sizeof(int64_t));
        return attr;
    }
}

static Tensor take_tensor(Reader *reader) {
    int kind = TAKE(uint8_t, reader);
    if (!kind)
        return (Tensor){0};
    Shape shape = {.rank = TAKE(uint8_t, reader)};
    assert_true(shape.rank <= MAX_RANK);
    for (int i = 0; i < shape.rank; i++)
        shape.dims[i] = TAKE(uint32_t, reader);
    DType dtype = kind == 1 ? STRIDER_F32 : STRIDER_I64;
    void *data = take_array(reader, (size_t)shape_elements(&shape), dtype_size(dtype));
    return tensor_view(dtype, &shape, data);
}

static void run_case(Reader *reader) {
    OpTest test = {.op = take_string(reader), .opset = TAKE(uint16_t, reader)};
    size_t n_attrs = TAKE(uint8_t, reader);
    assert_true(n_attrs < sizeof test.attrs / sizeof *test.attrs);
    for (size_t i = 0; i < n_attrs; i++)
        test.attrs[i] = take_attribute(reader);
    test.n_inputs = TAKE(uint8_t, reader);
    assert_true(test.n_inputs <= OP_TEST_MAX_PORTS);
    for (int i = 0; i < test.n_inputs; i++)
        test.inputs[i] = take_tensor(reader);
    test.n_outputs = TAKE(uint8_t, reader);
    assert_true(test.n_outputs <= OP_TEST_MAX_PORTS);
    if (op_test_run(&test))
        fail_msg("%s", test.error.message);
    for (int i = 0; i < test.n_outputs; i++) {
        Tensor expected = take_tensor(reader);
        assert_tensor_close(&test.outputs[i], &expected, 1e-6, 1e-6);
    }
    op_test_free(&test);
}

static void *read_file(size_t *size_bytes) {
    FILE *file = fopen(path, "rb");
    if (!file)
        fail_msg("cannot open %s", path);
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    long size = ftell(file);
    assert_true(size > 0);
    rewind(file);
    void *data = malloc((size_t)size);
    assert_non_null(data);
    *size_bytes = fread(data, 1, (size_t)size, file);
    fclose(file);
    assert_int_equal(*size_bytes, size);
    return data;
}

static void operators_agree_with_torch(void **state) {
    (void)state;
    size_t size_bytes;
    uint8_t *data = read_file(&size_bytes);
    Reader reader = {.next = data, .end = data + size_bytes};
    region_init(&reader.region, allocator_default(), 0);
    char magic[6];
    take(&reader, magic, sizeof magic);
    assert_memory_equal(magic, "STRC1\n", sizeof magic);
    size_t cases = 0;
    for (; reader.next < reader.end; cases++)
        run_case(&reader);
    print_message("%zu cases\n", cases);
    assert_true(cases > 0);
    region_free(&reader.region);
    free(data);
}

int main(int argc, char **argv) {
    if (argc > 1)
        path = argv[1];
    const struct CMUnitTest tests[] = {cmocka_unit_test(operators_agree_with_torch)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
