/* SPDX-License-Identifier: MIT */
/* test_loop.c - worker/loop.c: what another thread sees of a loop. */
#include "worker/loop.h"

#include "shm/base.h"

#include <event2/event.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>

static bool is_ready(int fd)
{
    struct pollfd loop = {.fd = fd, .events = POLLIN};

    return poll(&loop, 1, 0) == 1;
}

static void read_it(evutil_socket_t fd, short events, void *arg)
{
    (void)events;
    (void)arg;
    assert_int_equal(eventfd_read(fd, &(eventfd_t){0}), 0);
}

static void it_is_ready_while_the_loop_has_something_to_read(void **state)
{
    struct event_base *base = NULL;
    int fd = -2, from = eventfd(0, EFD_CLOEXEC);
    struct event *event;

    (void)state;
    assert_int_equal(loop_new(&base, &fd), 0);
    assert_true(fd >= 0);
    event = event_new(base, from, EV_READ | EV_PERSIST, read_it, NULL);
    assert_int_equal(event_add(event, NULL), 0);
    assert_false(is_ready(fd));
    for (int i = 0; i < 3; i++) {
        assert_int_equal(eventfd_write(from, 1), 0);
        assert_true(is_ready(fd));
        assert_true(is_ready(fd)); /* looking takes nothing away */
        assert_int_equal(event_base_loop(base, EVLOOP_ONCE | EVLOOP_NONBLOCK), 0);
        assert_false(is_ready(fd));
    }
    assert_int_equal(event_del(event), 0);
    assert_int_equal(eventfd_write(from, 1), 0);
    assert_false(is_ready(fd)); /* nobody watches it */
    event_free(event);
    event_base_free(base);
    (void)close(from);
}

static void an_epoll_that_was_there_before_is_not_it(void **state)
{
    int other = epoll_create1(EPOLL_CLOEXEC);
    struct event_base *base = NULL;
    int fd = -2;

    (void)state;
    assert_int_equal(loop_new(&base, &fd), 0);
    assert_true(fd >= 0);
    assert_int_not_equal(fd, other);
    event_base_free(base);
    (void)close(other);
}

static void a_loop_without_epoll_has_none(void **state)
{
    struct event_base *base = NULL;
    int fd = -2;

    (void)state;
    assert_int_equal(setenv("EVENT_NOEPOLL", "1", 1), 0);
    assert_int_equal(loop_new(&base, &fd), 0);
    assert_int_equal(fd, -1);
    event_base_free(base);
    assert_int_equal(unsetenv("EVENT_NOEPOLL"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_ready_while_the_loop_has_something_to_read),
        cmocka_unit_test(an_epoll_that_was_there_before_is_not_it),
        cmocka_unit_test(a_loop_without_epoll_has_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
