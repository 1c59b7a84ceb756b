/* SPDX-License-Identifier: MIT */
/* test_bundle.c - what master/bundle.c takes for a bundle, and what it says of the rest. */
#include "master/bundle.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

struct place {
    char dir[64];
    char path[96];
};

static int set_up(void **state)
{
    struct place *p = calloc(1, sizeof *p);

    if (!p)
        return -1;
    (void)snprintf(p->dir, sizeof p->dir, "/tmp/ssrd-test-bundle-XXXXXX");
    if (!mkdtemp(p->dir)) {
        free(p);
        return -1;
    }
    (void)snprintf(p->path, sizeof p->path, "%s/server.js", p->dir);
    *state = p;
    return 0;
}

static int tear_down(void **state)
{
    struct place *p = *state;

    (void)unlink(p->path);
    (void)rmdir(p->path);
    (void)rmdir(p->dir);
    free(p);
    return 0;
}

static void write_file(const char *path, const char *text, size_t bytes)
{
    FILE *file = fopen(path, "we");

    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, bytes, file), bytes);
    assert_int_equal(fclose(file), 0);
}

/* It fails so, says one line that begins with the path and holds `says`, and gives no bundle. */
static void refused(const char *path, int error, const char *says)
{
    struct bundle bundle = {.bytes = 77};
    char problem[512] = "";

    assert_int_equal(bundle_read(path, &bundle, problem, sizeof problem), error);
    assert_int_equal(strncmp(problem, path, strlen(path)), 0);
    assert_non_null(strstr(problem, says));
    assert_null(strchr(problem, '\n'));
    assert_null(bundle.source); /* outputs stay untouched on failure */
    assert_int_equal(bundle.bytes, 77);
}

static void every_byte_is_read(void **state)
{
    static const char text[] = "globalThis.renderPage = () => '\0 \xc3\xa9';\n";
    struct place *p = *state;
    struct bundle bundle;
    char problem[512];

    write_file(p->path, text, sizeof text - 1);
    assert_int_equal(bundle_read(p->path, &bundle, problem, sizeof problem), 0);
    assert_int_equal(bundle.bytes, sizeof text - 1);
    assert_memory_equal(bundle.source, text, sizeof text - 1);
    bundle_done(&bundle);
    assert_null(bundle.source);
    bundle_done(&bundle); /* twice does no harm */
}

static uint64_t hash_of(const char *path, const char *text)
{
    struct bundle bundle;
    char problem[512];
    uint64_t hash;

    write_file(path, text, strlen(text));
    assert_int_equal(bundle_read(path, &bundle, problem, sizeof problem), 0);
    hash = bundle.hash;
    bundle_done(&bundle);
    return hash;
}

static void the_hash_is_of_the_bytes_alone(void **state)
{
    struct place *p = *state;
    uint64_t one = hash_of(p->path, "one");

    assert_true(hash_of(p->path, "two") != one);
    assert_true(hash_of(p->path, "one ") != one);
    assert_true(hash_of(p->path, "one") == one);
}

static void write_beside(const struct place *p, const char *name, const char *text)
{
    char path[160];

    (void)snprintf(path, sizeof path, "%s/%s", p->dir, name);
    write_file(path, text, strlen(text));
}

static void remove_beside(const struct place *p, const char *name)
{
    char path[160];

    (void)snprintf(path, sizeof path, "%s/%s", p->dir, name);
    assert_int_equal(unlink(path), 0);
}

static void what_is_imported_is_read_and_hashed_too(void **state)
{
    struct place *p = *state;
    struct bundle bundle;
    char problem[512];
    char name[160];
    uint64_t hash;

    write_beside(p, "b.js", "import './a.js'; import './nowhere.js'; import '../../etc/passwd'");
    write_beside(p, "a.js", "import('./b.js'); export {default} from './c.json'");
    write_beside(p, "c.json", "{}");
    hash = hash_of(p->path, "import './b.js'");
    assert_int_equal(bundle_read(p->path, &bundle, problem, sizeof problem), 0);
    assert_int_equal(bundle.file_count, 3);
    for (size_t i = 0; i < 3; i++) {
        static const char *const names[] = {"a.js", "b.js", "c.json"};

        (void)snprintf(name, sizeof name, "%s/%s", p->dir, names[i]);
        assert_string_equal(bundle.file[i].name, name);
    }
    assert_memory_equal(bundle.file[2].text, "{}", 2);
    bundle_done(&bundle);
    assert_int_equal(hash_of(p->path, "import './b.js'"), hash);
    write_beside(p, "c.json", "[]");
    assert_int_not_equal(hash_of(p->path, "import './b.js'"), hash);
    remove_beside(p, "a.js");
    remove_beside(p, "b.js");
    remove_beside(p, "c.json");
}

static void a_missing_file_is_named(void **state)
{
    struct place *p = *state;

    refused(p->path, -ENOENT, "no such file");
    refused("", -ENOENT, "no such file");
}

static void a_link_to_nothing_is_a_missing_file(void **state)
{
    struct place *p = *state;

    assert_int_equal(symlink("gone.js", p->path), 0);
    refused(p->path, -ENOENT, "no such file");
}

static void a_path_below_a_regular_file_is_a_missing_file(void **state)
{
    struct place *p = *state;
    char below[128];

    write_file(p->path, "1", 1);
    (void)snprintf(below, sizeof below, "%s/server.js", p->path);
    refused(below, -ENOTDIR, "no such file");
}

static void a_directory_is_refused(void **state)
{
    struct place *p = *state;

    assert_int_equal(mkdir(p->path, 0700), 0);
    refused(p->path, -EISDIR, "a directory");
}

static void utf16_is_called_by_its_name(void **state)
{
    struct place *p = *state;

    write_file(p->path, "\xff\xfe;\0", 4);
    refused(p->path, -EINVAL, "UTF-16: save it as UTF-8");
    write_file(p->path, "\xfe\xff\0;", 4);
    refused(p->path, -EINVAL, "UTF-16: save it as UTF-8");
}

static void an_empty_file_is_refused(void **state)
{
    struct place *p = *state;

    write_file(p->path, "", 0);
    refused(p->path, -EINVAL, "empty");
}

static void a_fifo_is_refused_without_waiting_for_a_writer(void **state)
{
    struct place *p = *state;

    assert_int_equal(mkfifo(p->path, 0600), 0);
    (void)alarm(20); /* ends a test that waits after all */
    refused(p->path, -EINVAL, "not a regular file");
    (void)alarm(0);
}

static void a_device_is_refused(void **state)
{
    (void)state;
    refused("/dev/null", -EINVAL, "not a regular file");
}

static void too_large_a_file_is_refused_unread(void **state)
{
    struct place *p = *state;

    write_file(p->path, "1", 1);
    assert_int_equal(truncate(p->path, (off_t)BUNDLE_BYTES_MAX + 1), 0);
    refused(p->path, -EFBIG, "64 MiB");
}

static void an_unreadable_file_is_refused(void **state)
{
    struct place *p = *state;

    if (geteuid() == 0)
        skip(); /* root reads everything */
    write_file(p->path, "1", 1);
    assert_int_equal(chmod(p->path, 0), 0);
    refused(p->path, -EACCES, "permissions");
}

static void a_long_path_is_cut_to_the_room_given(void **state)
{
    struct bundle bundle;
    char problem[16];

    (void)state;
    assert_int_equal(bundle_read("/nonexistent/dist/server.js", &bundle, problem, sizeof problem),
                     -ENOENT);
    assert_string_equal(problem, "/nonexistent/di");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_byte_is_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_hash_is_of_the_bytes_alone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_imported_is_read_and_hashed_too, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_missing_file_is_named, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_link_to_nothing_is_a_missing_file, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_path_below_a_regular_file_is_a_missing_file, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_directory_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(utf16_is_called_by_its_name, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_empty_file_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_fifo_is_refused_without_waiting_for_a_writer, set_up,
                                        tear_down),
        cmocka_unit_test(a_device_is_refused),
        cmocka_unit_test_setup_teardown(too_large_a_file_is_refused_unread, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_unreadable_file_is_refused, set_up, tear_down),
        cmocka_unit_test(a_long_path_is_cut_to_the_room_given),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
