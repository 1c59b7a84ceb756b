/* SPDX-License-Identifier: MIT */
/* test_static_path.c - names of files from paths of requests, and their types. */
#include "worker/mime.h"
#include "worker/static_path.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void names_are_decoded_and_judged(void **state)
{
    static const struct {
        const char *path;
        const char *name; /* NULL: error */
        int error;
    } rows[] = {
        {"/assets/app.js", "app.js", 0},
        {"/assets/a/b%20c.css", "a/b c.css", 0},
        {"/assets/%C3%A4.png", "\xc3\xa4.png", 0},
        {"/assets/", "", 0},
        {"/assets/sub/", "sub/", 0},
        {"/assets/.well-known/x", ".well-known/x", 0},
        {"/assets/a..b", "a..b", 0},
        {"/assets", NULL, -ENOENT},
        {"/", NULL, -ENOENT},
        {"/%61ssets/app.js", NULL, -ENOENT},
        {"/assets/../x", NULL, -EINVAL},
        {"/assets/..", NULL, -EINVAL},
        {"/assets/.", NULL, -EINVAL},
        {"/assets/a/../../x", NULL, -EINVAL},
        {"/assets/%2e%2e/x", NULL, -EINVAL},
        {"/assets/.%2E/x", NULL, -EINVAL},
        {"/assets/..%2fx", NULL, -EINVAL},
        {"/assets/a%2Fb", NULL, -EINVAL},
        {"/assets/a%00.js", NULL, -EINVAL},
        {"/assets/a%0a", NULL, -EINVAL},
        {"/assets/a%7f", NULL, -EINVAL},
        {"/assets//a", NULL, -EINVAL},
        {"/assets/a//b", NULL, -EINVAL},
        {"/assets/.git/config", NULL, -EINVAL},
        {"/assets/a/.env", NULL, -EINVAL},
        {"/assets/.well-known2", NULL, -EINVAL},
        {"/assets/%", NULL, -EINVAL},
        {"/assets/%4", NULL, -EINVAL},
        {"/assets/%zz", NULL, -EINVAL},
        {"/assets/%252e%252e/x", "%2e%2e/x", 0}, /* decoded once: a name like any other */
    };
    char name[STATIC_PATH_BYTES_MAX];

    (void)state;
    for (size_t i = 0; i < array_len(rows); i++) {
        int got = static_path(rows[i].path, strlen(rows[i].path), "/assets/", name);

        if (rows[i].name ? got != (int)strlen(rows[i].name) || strcmp(name, rows[i].name) != 0
                         : got != rows[i].error)
            fail_msg("%s: %d %s", rows[i].path, got, got >= 0 ? name : "");
    }
}

static void a_name_that_is_too_long_is_refused(void **state)
{
    char path[STATIC_PATH_BYTES_MAX + 2];
    char name[STATIC_PATH_BYTES_MAX];

    (void)state;
    memset(path, 'a', sizeof path);
    path[0] = '/';
    assert_int_equal(static_path(path, sizeof path, "/", name), -ENAMETOOLONG);
    assert_int_equal(static_path(path, STATIC_PATH_BYTES_MAX, "/", name),
                     STATIC_PATH_BYTES_MAX - 1);
}

static void types_come_from_the_table_and_ours_come_first(void **state)
{
    char path[] = "/tmp/test_mime_XXXXXX";
    int fd = mkstemp(path);
    FILE *file = fdopen(fd, "w");
    struct mime *mime;

    (void)state;
    (void)fputs("# a comment\n\napplication/x-thing\t\tthing\tTHNG\napplication/javascript "
                "js\nno/extension\n",
                file);
    (void)fclose(file);
    mime = mime_new(path);
    (void)unlink(path);
    assert_string_equal(mime_type(mime, "a.thing"), "application/x-thing");
    assert_string_equal(mime_type(mime, "a.thng"), "application/x-thing");
    assert_string_equal(mime_type(mime, "dir/a.js"), "text/javascript; charset=utf-8");
    assert_string_equal(mime_type(mime, "A.HTML"), "text/html; charset=utf-8");
    assert_string_equal(mime_type(mime, "a.tar.thing"), "application/x-thing");
    assert_string_equal(mime_type(mime, "dir.thing/none"), "application/octet-stream");
    assert_string_equal(mime_type(mime, "none"), "application/octet-stream");
    mime_free(mime);
    mime = mime_new("/nowhere/mime.types");
    assert_string_equal(mime_type(mime, "a.svg"), "image/svg+xml");
    assert_string_equal(mime_type(mime, "a.thing"), "application/octet-stream");
    mime_free(mime);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_decoded_and_judged),
        cmocka_unit_test(a_name_that_is_too_long_is_refused),
        cmocka_unit_test(types_come_from_the_table_and_ours_come_first),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
