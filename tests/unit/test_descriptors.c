/* SPDX-License-Identifier: MIT */
/*
 * test_descriptors.c - worker/descriptors.c closes all but what was named. It closes the test's own
 * descriptors too, so each case runs in a child of its own.
 */
#include "worker/descriptors.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/wait.h>

#include <cmocka.h>

#define HIGHEST 200
#define NONE (-1)

/* Opens 3 to HIGHEST, keeps some, and compares what is left. In the child; returns the exit code:
 * 0, or the first descriptor that is wrong. */
static int keep_and_compare(const struct heritage *heritage, int extra_fd, const bool *want)
{
    for (int fd = STDERR_FILENO + 1; fd <= HIGHEST; fd++)
        if (fcntl(fd, F_GETFD) < 0 && dup2(STDERR_FILENO, fd) != fd)
            return fd;
    descriptors_keep(heritage, extra_fd);
    for (int fd = 0; fd <= HIGHEST; fd++)
        if ((fcntl(fd, F_GETFD) >= 0) != want[fd])
            return fd == 0 ? 255 : fd;
    return 0;
}

/* listeners, then master_wake_fd, lifeline_fd and extra_fd; each may be NONE */
static void check(const int *listener, size_t count, int wake_fd, int lifeline_fd, int extra_fd)
{
    static const int bell[] = {150, 60};
    struct heritage_listener listeners[8] = {0};
    struct heritage heritage = {.listener = listeners,
                                .listener_count = count,
                                .bells = {.fd = bell, .count = 2},
                                .master_wake_fd = wake_fd,
                                .lifeline_fd = lifeline_fd};
    bool want[HIGHEST + 1] = {true, true, true};
    int status;
    pid_t pid;

    want[bell[0]] = want[bell[1]] = true;
    for (size_t i = 0; i < count; i++) {
        listeners[i].fd = listener[i];
        want[listener[i]] = true;
    }
    for (int i = 0; i < 3; i++) {
        int fd = ((const int[]){wake_fd, lifeline_fd, extra_fd})[i];

        if (fd != NONE)
            want[fd] = true;
    }
    pid = fork();
    if (pid == 0)
        _exit(keep_and_compare(&heritage, extra_fd, want));
    assert_true(pid > 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void only_what_was_named_stays_open(void **state)
{
    (void)state;
    check((const int[]){10, 7}, 2, 20, 21, 150);
}

static void order_and_repetition_do_not_matter(void **state)
{
    (void)state;
    check((const int[]){199, 5, 40, 5}, 4, 3, 40, 4);
}

static void neighbours_and_the_lowest_are_kept(void **state)
{
    (void)state;
    check((const int[]){3, 4, 5}, 3, 6, 7, 8);
}

static void the_standard_ones_are_kept_named_or_not(void **state)
{
    (void)state;
    check((const int[]){0, 2}, 2, 1, 12, NONE);
}

static void with_nothing_named_only_the_standard_ones_stay(void **state)
{
    (void)state;
    check(NULL, 0, NONE, NONE, NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_what_was_named_stays_open),
        cmocka_unit_test(order_and_repetition_do_not_matter),
        cmocka_unit_test(neighbours_and_the_lowest_are_kept),
        cmocka_unit_test(the_standard_ones_are_kept_named_or_not),
        cmocka_unit_test(with_nothing_named_only_the_standard_ones_stay),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
