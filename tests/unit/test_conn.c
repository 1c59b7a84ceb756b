/* SPDX-License-Identifier: MIT */
/* test_conn.c - what goes over a connection: order, length, closing, slow readers. */
#include "worker/conn.h"

#include "tests/unit/http_fixture.h"

static void pipelined_requests_are_answered_in_order(void **state)
{
    static const char text[] =
        "GET /a HTTP/1.1\r\nHost: a\r\n\r\nGET /b HTTP/1.1\r\nHost: a\r\n\r\n"
        "GET /a HTTP/1.1\r\nHost: a\r\n\r\n";
    struct fixture *f = *state;
    int fd = client(f);
    const char *heard;
    const char *a;
    const char *b;

    assert_int_equal(send(fd, text, sizeof text - 1, 0), sizeof text - 1);
    turn(f);
    render_all(f);
    heard = hear(fd);
    a = strstr(heard, "render 1 /a");
    assert_non_null(a);
    b = strstr(a, "render 2 /b");
    assert_non_null(b);
    assert_non_null(strstr(b, "render 1 /a"));
    (void)close(fd);
}

static void half_closing_after_the_request_is_no_leaving(void **state)
{
    struct fixture *f = *state;
    int fd = client(f);

    ask(f, fd, "/a", "");
    (void)shutdown(fd, SHUT_WR);
    render_all(f);
    assert_hears(fd, "200 OK", "render 1 /a");
    (void)close(fd);
}

static void a_known_etag_gets_304_fresh_or_hot(void **state)
{
    struct fixture *f = *state;
    int fd = client(f);
    const char *text;

    for (int i = 0; i < 2; i++) {
        ask(f, fd, "/a", "If-None-Match: *\r\n");
        render_all(f);
        text = hear(fd);
        assert_non_null(strstr(text, "HTTP/1.1 304 Not Modified"));
        assert_non_null(strstr(text, "ETag: \""));
        assert_null(strstr(text, "Content-Length"));
        assert_string_equal(text + strlen(text) - 4, "\r\n\r\n");
    }
    assert_int_equal(f->renderer.renders, 1);
    (void)close(fd);
}

static void head_has_the_length_and_no_body(void **state)
{
    static const char text[] = "HEAD /a HTTP/1.1\r\nHost: a\r\n\r\n";
    struct fixture *f = *state;
    int fd = client(f);
    const char *heard;

    (void)send(fd, text, sizeof text - 1, 0);
    turn(f);
    render_all(f);
    heard = hear(fd);
    assert_non_null(strstr(heard, "Content-Length: 11\r\n"));
    assert_null(strstr(heard, "render"));
    ask(f, fd, "/a", ""); /* it has filled the cache for GET */
    assert_hears(fd, "detail=hot", "render 1 /a");
    (void)close(fd);
}

static void a_draining_worker_answers_and_then_closes(void **state)
{
    struct fixture *f = *state;
    int idle = client(f);
    int waiting = client(f);

    ask(f, idle, "/a", "");
    render_all(f);
    (void)hear(idle);
    ask(f, waiting, "/b", "");
    f->worker.draining = true;
    http_drain(f->worker.http, false);
    turn(f);
    assert_int_equal(http_connections(f->worker.http),
                     2); /* no idle connection is closed under a client */
    ask(f, idle, "/a", "");
    assert_hears(idle, "Connection: close\r\n", "detail=hot");
    assert_string_equal(hear(idle), "EOF");
    render_all(f);
    assert_hears(waiting, "Connection: close\r\n", "render 2 /b");
    (void)close(idle);
    (void)close(waiting);
    turn(f);
    assert_int_equal(http_connections(f->worker.http), 0);
}

static void other_methods_are_405_and_bad_requests_close(void **state)
{
    static const char post[] = "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc";
    static const char bad[] = "GET /a HTTP/1.1\r\n\r\n";
    struct fixture *f = *state;
    int fd = client(f);

    (void)send(fd, post, sizeof post - 1, 0);
    turn(f);
    assert_hears(fd, "HTTP/1.1 405", "Allow: GET, HEAD");
    (void)send(fd, bad, sizeof bad - 1, 0);
    turn(f);
    assert_hears(fd, "HTTP/1.1 400", "Connection: close");
    assert_string_equal(hear(fd), "EOF");
    (void)close(fd);
}

static void what_a_slow_reader_left_is_sent_when_it_reads(void **state)
{
    struct fixture *f = *state;
    int fd = client(f);
    size_t heard = 0;
    int small = 4096;

    (void)setsockopt(TAILQ_FIRST(&f->worker.http->conns)->fd, SOL_SOCKET, SO_SNDBUF, &small,
                     sizeof small);
    ask(f, fd, "/a", "");
    render_all(f);
    (void)hear(fd);
    for (int i = 0; i < 200; i++)
        (void)send(fd, "GET /a HTTP/1.1\r\nHost: a\r\n\r\n", 28, 0);
    for (int i = 0; i < 400; i++) {
        const char *text;

        turn(f);
        for (text = hear(fd); (text = strstr(text, "HTTP/1.1 200 OK")); text++)
            heard++;
    }
    assert_in_range(heard, 190, 200); /* a status line cut by the reading buffer is not counted */
    assert_null(TAILQ_FIRST(&f->worker.http->conns)->unsent);
    (void)close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(pipelined_requests_are_answered_in_order),
        TEST(half_closing_after_the_request_is_no_leaving),
        TEST(a_known_etag_gets_304_fresh_or_hot),
        TEST(head_has_the_length_and_no_body),
        TEST(a_draining_worker_answers_and_then_closes),
        TEST(other_methods_are_405_and_bad_requests_close),
        TEST(what_a_slow_reader_left_is_sent_when_it_reads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
