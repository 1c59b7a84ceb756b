/* SPDX-License-Identifier: MIT */
/*
 * test_hot_path.c - what a hot hit may cost: one read, one send; no allocation, no lock, no change of
 * what is watched, no JavaScript. The linker puts the functions below in front of those that they
 * count (--wrap, see meson.build), so whatever the HTTP side calls is seen.
 */
#include "tests/unit/http_fixture.h"

#include <pthread.h>

static struct calls {
    unsigned allocations, frees, locks, reads, sends, watches;
} calls;

#define COUNTED(field, type, name, parameters, arguments)                                          \
    type __real_##name parameters;                                                                 \
    type __wrap_##name parameters;                                                                 \
    type __wrap_##name parameters                                                                  \
    {                                                                                              \
        calls.field++;                                                                             \
        return __real_##name arguments;                                                            \
    }

COUNTED(allocations, void *, malloc, (size_t n), (n))
COUNTED(allocations, void *, calloc, (size_t n, size_t m), (n, m))
COUNTED(allocations, void *, realloc, (void *p, size_t n), (p, n))
COUNTED(allocations, void *, mi_malloc, (size_t n), (n))
COUNTED(allocations, void *, mi_zalloc, (size_t n), (n))
COUNTED(allocations, void *, mi_realloc, (void *p, size_t n), (p, n))
COUNTED(frees, void, mi_free, (void *p), (p))
COUNTED(locks, int, pthread_mutex_lock, (pthread_mutex_t * m), (m))
COUNTED(reads, ssize_t, read, (int fd, void *p, size_t n), (fd, p, n))
COUNTED(sends, ssize_t, send, (int fd, const void *p, size_t n, int f), (fd, p, n, f))
COUNTED(sends, ssize_t, sendmsg, (int fd, const struct msghdr *m, int f), (fd, m, f))
COUNTED(watches, int, event_add, (struct event * e, const struct timeval *t), (e, t))
COUNTED(watches, int, event_del, (struct event * e), (e))

/* The client's own send is not the server's. */
static struct calls cost_of(struct fixture *f, int fd, const char *text)
{
    assert_int_equal(__real_send(fd, text, strlen(text), 0), strlen(text));
    calls = (struct calls){0};
    turn(f);
    return calls;
}

static void only_reads(struct calls cost, unsigned reads, unsigned sends)
{
    assert_int_equal(cost.allocations, 0);
    assert_int_equal(cost.frees, 0);
    assert_int_equal(cost.locks, 0);
    assert_int_equal(cost.watches, 0);
    assert_int_equal(cost.reads, reads);
    assert_int_equal(cost.sends, sends);
}

static int client_with_a_hot_page(struct fixture *f)
{
    int fd = client(f);

    ask(f, fd, "/a", "");
    render_all(f);
    (void)hear(fd);
    ask(f, fd, "/a", "");
    assert_hears(fd, "detail=hot", "render 1 /a");
    return fd;
}

static void a_hot_hit_is_a_read_and_a_send(void **state)
{
    struct fixture *f = *state;
    int fd = client_with_a_hot_page(f);

    for (int i = 0; i < 100; i++) {
        only_reads(cost_of(f, fd, "GET /a HTTP/1.1\r\nHost: a\r\nAccept: */*\r\n\r\n"), 1, 1);
        assert_hears(fd, "detail=hot", "render 1 /a");
    }
    assert_int_equal(f->renderer.renders, 1);
    (void)close(fd);
}

static void so_is_a_large_one(void **state)
{
    static char large[100000];
    struct fixture *f = *state;
    int fd;

    memset(large, 'x', sizeof large);
    f->large = large;
    f->large_bytes = sizeof large;
    fd = client(f);
    ask(f, fd, "/a", "");
    render_all(f);
    while (strcmp(hear(fd), "") != 0)
        turn(f);
    only_reads(cost_of(f, fd, "GET /a HTTP/1.1\r\nHost: a\r\n\r\n"), 1, 1);
    (void)close(fd);
}

static void a_304_and_a_head_cost_no_more(void **state)
{
    struct fixture *f = *state;
    int fd = client_with_a_hot_page(f);

    only_reads(cost_of(f, fd, "HEAD /a HTTP/1.1\r\nHost: a\r\n\r\n"), 1, 1);
    assert_hears(fd, "200 OK", "detail=hot");
    only_reads(cost_of(f, fd, "GET /a HTTP/1.1\r\nHost: a\r\nIf-None-Match: *\r\n\r\n"), 1, 1);
    assert_hears(fd, "304 Not Modified", "detail=hot");
    (void)close(fd);
}

static void pipelined_hits_share_a_read_and_a_send(void **state)
{
    struct fixture *f = *state;
    int fd = client_with_a_hot_page(f);

    only_reads(
        cost_of(f, fd, "GET /a HTTP/1.1\r\nHost: a\r\n\r\nGET /a HTTP/1.1\r\nHost: a\r\n\r\n"), 1,
        1);
    (void)close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_hot_hit_is_a_read_and_a_send),
        TEST(so_is_a_large_one),
        TEST(a_304_and_a_head_cost_no_more),
        TEST(pipelined_hits_share_a_read_and_a_send),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
