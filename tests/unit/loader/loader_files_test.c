/* SPDX-License-Identifier: Apache-2.0 */
/* Models and external data in files: what is read and what is mapped, and files that change. */
#include "loader/file.h" /* before cmocka.h, which has a macro fail() */

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "strider/strider.h"
#include "support/tiny_model.h"

static strider_error error;
static char folder[] = "/tmp/strider_files_XXXXXX";

static const char *in_folder(const char *name) {
    static char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static int make_folder(void **state) {
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state) {
    (void)state;
    return rmdir(folder);
}

static void write_file(const char *name, const void *data, size_t size) {
    FILE *file = fopen(in_folder(name), "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, size, file), size);
    fclose(file);
}

/* y = x + w, `count` floats, with w in the file `location`. */
static void put_external(Proto *graph, const char *name, const char *location, int64_t count) {
    Proto tensor = {0}, entry = {0};
    proto_int(&tensor, 1, count);
    proto_int(&tensor, 2, 1);
    proto_text(&tensor, 8, name);
    proto_text(&entry, 1, "location");
    proto_text(&entry, 2, location);
    proto_message(&tensor, 13, &entry);
    proto_int(&tensor, 14, 1);
    proto_message(graph, GRAPH_INITIALIZER, &tensor);
}

static void write_model(const char *location, int64_t count) {
    Proto graph = start_graph(count);
    put_node(&graph, GRAPH_NODE, "Add", "", "x w", "y");
    put_external(&graph, "w", location, count);
    Proto model = finish_model(&graph, 10);
    write_file("m.onnx", model.data, model.size);
    proto_free(&model);
}

static strider_status load(bool copy, strider_model **loaded) {
    strider_load_options options = strider_load_options_default();
    options.copy = copy;
    return strider_model_load(in_folder("m.onnx"), &options, loaded, &error);
}

/* Loads, lets both files become empty, runs. */
static void check_survives(int64_t count, bool copy) {
    float *values = calloc((size_t)count, sizeof *values), *x = calloc((size_t)count, sizeof *x);
    for (int64_t i = 0; i < count; i++)
        values[i] = (float)(i % 1000);
    strider_model *loaded;
    strider_session *session;
    strider_tensor input = {STRIDER_F32, 1, {count}, x}, output = {0};
    write_file("w.bin", values, (size_t)count * sizeof *values);
    write_model("w.bin", count);
    assert_int_equal(load(copy, &loaded), STRIDER_OK);
    assert_int_equal(truncate(in_folder("w.bin"), 0), 0);
    assert_int_equal(truncate(in_folder("m.onnx"), 0), 0);
    assert_int_equal(strider_session_create(loaded, NULL, &session, &error), STRIDER_OK);
    assert_int_equal(strider_session_run(session, &input, 1, &output, 1, &error), STRIDER_OK);
    assert_memory_equal(output.data, values, (size_t)count * sizeof *values);
    strider_session_free(session);
    strider_model_free(loaded);
    free(values);
    free(x);
    unlink(in_folder("w.bin"));
    unlink(in_folder("m.onnx"));
}

static void small_files_may_become_shorter_after_loading(void **state) {
    (void)state;
    check_survives(1000, false);
    check_survives(MAX_READ_BYTES / 4, false);
}

static void copied_files_may_become_shorter_after_loading(void **state) {
    (void)state;
    check_survives(MAX_READ_BYTES / 4 + 1, true);
}

/* Of 4 MiB, by 500 names: each alone would be 2 GB. */
static void a_file_of_many_names_is_read_once(void **state) {
    (void)state;
    enum { NAMES = 500 };
    unsigned char *zeros = calloc(1, MAX_READ_BYTES);
    write_file("w.bin", zeros, MAX_READ_BYTES);
    Proto graph = start_graph(1);
    char location[2 * NAMES + 8], name[20];
    for (int i = 0; i < NAMES; i++) {
        for (int j = 0; j < i; j++)
            memcpy(location + 2 * j, "./", 2);
        strcpy(location + 2 * i, "w.bin");
        snprintf(name, sizeof name, "w%d", i);
        put_external(&graph, name, location, MAX_READ_BYTES / 4);
    }
    put_node(&graph, GRAPH_NODE, "Relu", "", "x", "y");
    Proto model = finish_model(&graph, 10);
    write_file("m.onnx", model.data, model.size);
    Files files;
    const File *first, *other;
    Region region;
    strider_load_options options = strider_load_options_default();
    region_init(&region, options.allocator, 0);
    assert_int_equal(files_open(&files, &region, in_folder("m.onnx"), &options, &error), STRIDER_OK);
    assert_int_equal(files_external(&files, "w.bin", &first, &error), STRIDER_OK);
    assert_int_equal(files_external(&files, "././w.bin", &other, &error), STRIDER_OK);
    assert_ptr_equal(first, other);
    assert_int_equal(files.count, 2);
    files_close(&files);
    region_free(&region);
    strider_model *loaded;
    assert_int_equal(load(false, &loaded), STRIDER_OK);
    strider_model_free(loaded);
    proto_free(&model);
    free(zeros);
    unlink(in_folder("w.bin"));
    unlink(in_folder("m.onnx"));
}

static void a_file_that_ends_before_its_size_is_a_file_error(void **state) {
    (void)state;
    /* The system says 4096 bytes and gives fewer. */
    const char *path = "/sys/kernel/mm/transparent_hugepage/enabled";
    strider_model *loaded;
    if (access(path, R_OK) != 0)
        skip();
    assert_int_equal(strider_model_load(path, NULL, &loaded, &error), STRIDER_FILE_ERROR);
    assert_non_null(strstr(error.message, "shorter"));
}

static void what_is_no_file_is_not_read(void **state) {
    (void)state;
    strider_model *loaded;
    assert_int_equal(strider_model_load("/tmp", NULL, &loaded, &error), STRIDER_FILE_ERROR);
    assert_int_equal(strider_model_load("/dev/zero", NULL, &loaded, &error), STRIDER_FILE_ERROR);
    assert_int_equal(mkfifo(in_folder("w.bin"), 0600), 0);
    assert_int_equal(strider_model_load(in_folder("w.bin"), NULL, &loaded, &error), STRIDER_FILE_ERROR);
    write_model("w.bin", 4);
    assert_int_equal(load(false, &loaded), STRIDER_FILE_ERROR);
    write_model("gone.bin", 4);
    assert_int_equal(load(false, &loaded), STRIDER_FILE_ERROR);
    unlink(in_folder("w.bin"));
    unlink(in_folder("m.onnx"));
}

static void messages_escape_paths_of_external_data(void **state) {
    (void)state;
    strider_model *loaded;
    write_model("\x1b[31m\n\"x.bin", 4);
    assert_int_equal(load(false, &loaded), STRIDER_FILE_ERROR);
    assert_non_null(strstr(error.message, "\"\\x1b[31m\\x0a\\\"x.bin\""));
    unlink(in_folder("m.onnx"));
}

static void link_to(const char *target, const char *name) {
    assert_int_equal(symlink(target, in_folder(name)), 0);
}

static void move(const char *from, const char *to) {
    char old[128];
    strcpy(old, in_folder(from));
    assert_int_equal(rename(old, in_folder(to)), 0);
}

static void make_subfolder(const char *name) {
    assert_int_equal(mkdir(in_folder(name), 0700), 0);
}

static strider_status load_by_link(bool allow_links) {
    strider_load_options options = strider_load_options_default();
    strider_model *loaded;
    options.allow_links = allow_links;
    const strider_status status = strider_model_load(in_folder("snap/m.onnx"), &options, &loaded, &error);
    strider_model_free(loaded);
    return status;
}

/* As a hub's cache has it: snap/m.onnx and snap/w.bin are links to blobs/a and blobs/b. */
static void data_of_a_linked_model_lies_beside_the_link_or_its_target(void **state) {
    (void)state;
    const float zeros[4] = {0};
    make_subfolder("snap");
    make_subfolder("blobs");
    write_model("w.bin", 4);
    move("m.onnx", "blobs/a");
    link_to("../blobs/a", "snap/m.onnx");
    assert_int_equal(load_by_link(false), STRIDER_FILE_ERROR); /* no data anywhere */

    write_file("blobs/b", zeros, sizeof zeros);
    link_to("../blobs/b", "snap/w.bin");
    assert_int_equal(load_by_link(false), STRIDER_OK);
    unlink(in_folder("snap/w.bin"));

    write_file("snap/w.bin", zeros, sizeof zeros); /* no link */
    assert_int_equal(load_by_link(false), STRIDER_OK);
    unlink(in_folder("snap/w.bin"));

    write_file("blobs/w.bin", zeros, sizeof zeros); /* beside the target alone */
    assert_int_equal(load_by_link(false), STRIDER_OK);
    unlink(in_folder("blobs/w.bin"));
}

/* Follows. */
static void links_lead_nowhere_else(void **state) {
    (void)state;
    const float zeros[4] = {0};
    write_file("outside", zeros, sizeof zeros);
    link_to("../outside", "snap/w.bin");
    assert_int_equal(load_by_link(false), STRIDER_BAD_MODEL);
    assert_non_null(strstr(error.message, "--allow-links"));
    assert_int_equal(load_by_link(true), STRIDER_OK);
    unlink(in_folder("snap/w.bin"));

    link_to("../outside", "blobs/c"); /* by two steps */
    link_to("../blobs/c", "snap/w.bin");
    assert_int_equal(load_by_link(false), STRIDER_BAD_MODEL);
    unlink(in_folder("snap/w.bin"));

    link_to("/etc/passwd", "snap/w.bin");
    assert_int_equal(load_by_link(false), STRIDER_BAD_MODEL);
    unlink(in_folder("snap/w.bin"));

    /* A model that is no link has no such links. */
    unlink(in_folder("snap/m.onnx"));
    move("blobs/a", "snap/m.onnx");
    link_to("../blobs/b", "snap/w.bin");
    assert_int_equal(load_by_link(false), STRIDER_BAD_MODEL);
    assert_int_equal(load_by_link(true), STRIDER_OK);
    const char *const left[] = {"snap/w.bin", "snap/m.onnx", "blobs/b", "blobs/c", "outside"};
    for (size_t i = 0; i < sizeof left / sizeof *left; i++)
        assert_int_equal(unlink(in_folder(left[i])), 0);
    rmdir(in_folder("snap"));
    rmdir(in_folder("blobs"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_files_may_become_shorter_after_loading),
        cmocka_unit_test(copied_files_may_become_shorter_after_loading),
        cmocka_unit_test(a_file_of_many_names_is_read_once),
        cmocka_unit_test(a_file_that_ends_before_its_size_is_a_file_error),
        cmocka_unit_test(what_is_no_file_is_not_read),
        cmocka_unit_test(data_of_a_linked_model_lies_beside_the_link_or_its_target),
        cmocka_unit_test(links_lead_nowhere_else),
        cmocka_unit_test(messages_escape_paths_of_external_data),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
