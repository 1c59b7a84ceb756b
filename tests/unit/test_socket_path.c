/* SPDX-License-Identifier: MIT */
/* test_socket_path.c - where the control socket is looked for and made. */
#include "master/socket_path.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static char dir[64];

static int setup(void **state)
{
    (void)state;
    (void)snprintf(dir, sizeof dir, "/tmp/ssrd-test-XXXXXX");
    return mkdtemp(dir) == NULL ? -1 : 0;
}

static int teardown(void **state)
{
    (void)state;
    return rmdir(dir);
}

static void candidates_come_in_the_documented_order(void **state)
{
    char path[SOCKET_PATH_CANDIDATES][SOCKET_PATH_BYTES], own[SOCKET_PATH_BYTES];

    (void)state;
    (void)snprintf(own, sizeof own, "/tmp/ssrd-%u/ctl.sock", (unsigned)geteuid());
    assert_int_equal(setenv("XDG_RUNTIME_DIR", dir, 1), 0);
    assert_int_equal(socket_path_candidates(path), 3);
    assert_string_equal(path[0], "/run/ssrd/ctl.sock");
    assert_memory_equal(path[1], dir, strlen(dir));
    assert_string_equal(path[1] + strlen(dir), "/ssrd/ctl.sock");
    assert_string_equal(path[2], own);
}

static void without_a_session_there_is_no_session_candidate(void **state)
{
    char path[SOCKET_PATH_CANDIDATES][SOCKET_PATH_BYTES];

    (void)state;
    assert_int_equal(unsetenv("XDG_RUNTIME_DIR"), 0);
    assert_int_equal(socket_path_candidates(path), 2);
    assert_int_equal(setenv("XDG_RUNTIME_DIR", "relative", 1), 0);
    assert_int_equal(socket_path_candidates(path), 2);
}

static void a_candidate_that_does_not_fit_is_left_out(void **state)
{
    char path[SOCKET_PATH_CANDIDATES][SOCKET_PATH_BYTES], lengthy[SOCKET_PATH_BYTES];

    (void)state;
    memset(lengthy, 'x', sizeof lengthy);
    lengthy[0] = '/';
    lengthy[sizeof lengthy - 1] = '\0';
    assert_int_equal(setenv("XDG_RUNTIME_DIR", lengthy, 1), 0);
    assert_int_equal(socket_path_candidates(path), 2);
}

static void the_default_is_one_of_the_candidates(void **state)
{
    char path[SOCKET_PATH_CANDIDATES][SOCKET_PATH_BYTES], chosen[SOCKET_PATH_BYTES];
    size_t count, i;

    (void)state;
    assert_int_equal(setenv("XDG_RUNTIME_DIR", dir, 1), 0);
    count = socket_path_candidates(path);
    assert_int_equal(socket_path_default(chosen, sizeof chosen), 0);
    for (i = 0; i < count && strcmp(path[i], chosen) != 0; i++)
        continue;
    assert_true(i < count);
    assert_int_equal(socket_path_default(chosen, 5), -ENAMETOOLONG);
}

static void a_directory_is_made_for_its_owner_alone(void **state)
{
    char path[128], made[128];
    struct stat st;

    (void)state;
    (void)snprintf(made, sizeof made, "%s/ssrd", dir);
    (void)snprintf(path, sizeof path, "%s/ssrd/ctl.sock", dir);
    assert_int_equal(socket_path_check_directory(path), -ENOENT);
    assert_int_equal(socket_path_make_directory(path), 0);
    assert_int_equal(stat(made, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    assert_int_equal(socket_path_make_directory(path), 0); /* there already */
    assert_int_equal(rmdir(made), 0);
}

static void a_link_in_place_of_the_directory_is_refused(void **state)
{
    char path[128], made[128];

    (void)state;
    (void)snprintf(made, sizeof made, "%s/ssrd", dir);
    (void)snprintf(path, sizeof path, "%s/ssrd/ctl.sock", dir);
    assert_int_equal(symlink("/tmp", made), 0);
    assert_int_equal(socket_path_make_directory(path), -EPERM);
    assert_int_equal(unlink(made), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(candidates_come_in_the_documented_order),
        cmocka_unit_test(without_a_session_there_is_no_session_candidate),
        cmocka_unit_test(a_candidate_that_does_not_fit_is_left_out),
        cmocka_unit_test(the_default_is_one_of_the_candidates),
        cmocka_unit_test(a_directory_is_made_for_its_owner_alone),
        cmocka_unit_test(a_link_in_place_of_the_directory_is_refused),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
