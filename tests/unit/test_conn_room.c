/* SPDX-License-Identifier: MIT */
/*
 * test_conn_room.c - how much memory clients can make a worker take. The linker puts the functions below in front of
 * the allocator's (--wrap, see meson.build), so that what is counted is what is held, not what a heap has in reserve.
 */
#include "tests/unit/http_fixture.h"

#include <mimalloc.h>

#define CLIENTS 50

static size_t held_bytes;

void *__real_mi_malloc(size_t n);
void *__real_mi_zalloc(size_t n);
void *__real_mi_realloc(void *p, size_t n);
void __real_mi_free(void *p);
void *__wrap_mi_malloc(size_t n);
void *__wrap_mi_zalloc(size_t n);
void *__wrap_mi_realloc(void *p, size_t n);
void __wrap_mi_free(void *p);

static void *held(void *p)
{
    held_bytes += mi_usable_size(p);
    return p;
}

void *__wrap_mi_malloc(size_t n)
{
    return held(__real_mi_malloc(n));
}

void *__wrap_mi_zalloc(size_t n)
{
    return held(__real_mi_zalloc(n));
}

void *__wrap_mi_realloc(void *p, size_t n)
{
    held_bytes -= mi_usable_size(p);
    return held(__real_mi_realloc(p, n));
}

void __wrap_mi_free(void *p)
{
    held_bytes -= mi_usable_size(p);
    __real_mi_free(p);
}

/* So many clients, each of whom has sent this. Returns bytes held for each. */
static size_t room_of(struct fixture *f, int fd[static CLIENTS], const char *text)
{
    size_t before = held_bytes;

    for (int i = 0; i < CLIENTS; i++) {
        fd[i] = client(f);
        assert_int_equal(send(fd[i], text, strlen(text), 0), strlen(text));
        turn(f);
        render_all(f);
    }
    return (held_bytes - before) / CLIENTS;
}

static void leave(struct fixture *f, int fd[static CLIENTS])
{
    for (int i = 0; i < CLIENTS; i++)
        (void)close(fd[i]);
    for (int i = 0; i < 5; i++)
        turn(f);
    assert_int_equal(http_connections(f->worker.http), 0);
    assert_int_equal(f->worker.http->body_bytes, 0);
}

static void an_idle_connection_takes_a_few_hundred_bytes(void **state)
{
    struct fixture *f = *state;
    int fd[CLIENTS];

    ask(f, fd[0] = client(f), "/a", "");
    render_all(f); /* the page is hot now */
    (void)close(fd[0]);
    turn(f);
    assert_in_range(room_of(f, fd, "GET /a HTTP/1.1\r\nHost: a\r\n\r\n"), 200, 512);
    leave(f, fd);
}

static void a_head_that_arrives_slowly_takes_no_more_than_4_kb(void **state)
{
    struct fixture *f = *state;
    int fd[CLIENTS];

    assert_in_range(room_of(f, fd, "GET /a HTTP/1.1\r\nHost: a\r\nX-a: b\r\n"), 1000, 4096);
    leave(f, fd);
}

static void a_head_takes_as_much_as_has_come(void **state)
{
    struct fixture *f = *state;
    size_t before = held_bytes;
    char text[1000];
    int fd = client(f);

    memset(text, 'x', sizeof text);
    memcpy(text, "GET / HTTP/1.1\r\nHost: a\r\nX: ", 28);
    for (size_t sent = sizeof text; sent < 16384; sent += sizeof text) {
        assert_int_equal(send(fd, text, sizeof text, 0), sizeof text);
        turn(f);
        assert_in_range(held_bytes - before, sent, 2 * sent + 4096);
        memset(text, 'x', sizeof text);
    }
    assert_int_equal(send(fd, text, sizeof text, 0), sizeof text);
    turn(f);
    assert_hears(fd, "431 ", "close");
    (void)close(fd);
}

/* Whoever sends a body and falls silent makes room for who is still sending. */
static void bodies_are_bounded_over_all_connections(void **state)
{
    static const char head[] = "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n";
    struct fixture *f = *state;
    struct http *http = f->worker.http;
    char body[900];
    int fd[10];

    f->worker.takes_request = true;
    http->limits.body_bytes = 1000;
    http->body_bytes_max = 4000;
    memset(body, 'b', sizeof body);
    for (int i = 0; i < 10; i++) {
        fd[i] = client(f);
        assert_int_equal(send(fd[i], head, sizeof head - 1, 0), sizeof head - 1);
        assert_int_equal(send(fd[i], body, sizeof body, 0), sizeof body);
        turn(f);
        turn(f);
        assert_true(http->body_bytes <= 4000);
    }
    assert_string_equal(hear(fd[0]), "EOF"); /* the longest silent */
    assert_int_equal(send(fd[9], body, 100, 0), 100);
    turn(f);
    render_all(f);
    assert_hears(fd[9], "200 OK", "render 1 /a");
    for (int i = 0; i < 10; i++)
        (void)close(fd[i]);
    turn(f);
    assert_int_equal(http->body_bytes, 0);
}

static void a_body_that_finds_no_room_is_told(void **state)
{
    static const char head[] = "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n";
    struct fixture *f = *state;
    int fd = client(f);

    f->worker.takes_request = true;
    f->worker.http->body_bytes_max = 10;
    assert_int_equal(send(fd, head, sizeof head - 1, 0), sizeof head - 1);
    turn(f);
    assert_int_equal(send(fd, head, 50, 0), 50);
    turn(f);
    assert_hears(fd, "503 Service Unavailable", "no room");
    (void)close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_idle_connection_takes_a_few_hundred_bytes),
        TEST(a_head_that_arrives_slowly_takes_no_more_than_4_kb),
        TEST(a_head_takes_as_much_as_has_come),
        TEST(bodies_are_bounded_over_all_connections),
        TEST(a_body_that_finds_no_room_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
