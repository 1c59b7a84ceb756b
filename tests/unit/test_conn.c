/* SPDX-License-Identifier: MIT */
/* test_conn.c - what goes over a connection: order, length, closing, slow readers. */
#include "worker/conn.h"
#include "worker/conn_in.h"

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

static void other_methods_reach_a_bundle_that_takes_a_request(void **state)
{
    static const char post[] = "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                               "2\r\nab\r\n1\r\nc\r\n0\r\n\r\n";
    static const char trace[] = "TRACE /a HTTP/1.1\r\nHost: a\r\n\r\n";
    struct fixture *f = *state;
    int fd = client(f);
    const struct render_job *job;

    f->worker.takes_request = true;
    (void)send(fd, post, sizeof post - 1, 0);
    turn(f);
    job = TAILQ_FIRST(&f->worker.renderer->queue);
    assert_non_null(job);
    assert_int_equal(job->request.method_bytes, 4);
    assert_memory_equal(job->request.method, "POST", 4);
    assert_int_equal(job->request.body_bytes, 3);
    assert_memory_equal(job->request.body, "abc", 3);
    render_all(f);
    assert_hears(fd, "HTTP/1.1 200", "fwd=bypass");
    (void)send(fd, trace, sizeof trace - 1, 0);
    turn(f);
    assert_hears(fd, "HTTP/1.1 405", "Allow: GET, HEAD");
    (void)close(fd);
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

static void what_is_refused_of_a_head_request_has_no_body(void **state)
{
    static const char *const bad[] = {"HEAD /a HTTP/1.1\r\nHost : a\r\n\r\n",
                                      "HEAD /a HTTP/1.1\r\n\r\n",
                                      "HEAD http:// HTTP/1.1\r\nHost: a\r\n\r\n"};
    struct fixture *f = *state;

    for (size_t i = 0; i < array_len(bad); i++) {
        int fd = client(f);
        const char *text;

        assert_int_equal(send(fd, bad[i], strlen(bad[i]), 0), strlen(bad[i]));
        turn(f);
        text = hear(fd);
        assert_non_null(strstr(text, "HTTP/1.1 400 Bad Request"));
        assert_non_null(strstr(text, "Content-Length: "));
        assert_string_equal(text + strlen(text) - 4, "\r\n\r\n");
        (void)close(fd);
    }
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

/* Asks for a page by a request with a body, of which one byte comes at a time, the first so long ago; returns how many came. */
static int drip(struct fixture *f, int fd, int bytes, uint64_t ago_ms)
{
    static const char head[] = "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 60000\r\n\r\n";
    struct conn *c = TAILQ_LAST(&f->worker.http->conns, conn_list);
    int i;

    assert_int_equal(send(fd, head, sizeof head - 1, 0), sizeof head - 1);
    turn(f);
    assert_non_null(c->carry);
    c->carry->body_since_ms -= ago_ms;
    for (i = 0; i < bytes && c->carry; i++) {
        assert_int_equal(send(fd, "x", 1, 0), 1);
        turn(f);
    }
    return i;
}

static void a_body_that_drips_is_over_some_time(void **state)
{
    struct fixture *f = *state;
    char much[20000];
    int fd;

    f->worker.http->limits.body_bytes = 60000;
    f->config.http.body_timeout_ms = 10000;
    f->config.http.min_rate_bytes = 500;
    fd = client(f);
    assert_int_equal(drip(f, fd, 20, 9000), 20); /* at first it may */
    (void)close(fd);
    turn(f);
    fd = client(f);
    assert_int_equal(drip(f, fd, 20, 30000), 1);
    assert_hears(fd, "408 Request Timeout", "too slowly");
    assert_string_equal(hear(fd), "EOF");
    (void)close(fd);
    turn(f);
    fd = client(f);
    f->config.http.min_rate_bytes = 0;
    assert_int_equal(drip(f, fd, 20, 3000000), 20);
    f->config.http.min_rate_bytes = 500;
    TAILQ_LAST(&f->worker.http->conns, conn_list)->carry->body_since_ms += 3000000 - 30000;
    memset(much, 'x', sizeof much); /* 20 seconds' worth in one go: it has caught up */
    assert_int_equal(send(fd, much, sizeof much, 0), sizeof much);
    turn(f);
    assert_int_equal(send(fd, "x", 1, 0), 1);
    turn(f);
    assert_non_null(TAILQ_LAST(&f->worker.http->conns, conn_list)->carry);
    (void)close(fd);
}

/* All that comes, with turns of the loop, until nothing does; returns the bytes. */
static size_t hear_all(struct fixture *f, int fd, char *buf, size_t cap_bytes)
{
    size_t bytes = 0;

    for (int quiet = 0; quiet < 3 && bytes < cap_bytes;) {
        ssize_t n;

        turn(f);
        n = recv(fd, buf + bytes, cap_bytes - bytes, MSG_DONTWAIT);
        quiet = n > 0 ? 0 : quiet + 1;
        bytes += n > 0 ? (size_t)n : 0;
    }
    return bytes;
}

#define LARGE_BYTES 200000u

/* A client whose socket takes little, and a page /large in the hot cache that is more than that. */
static int client_of_a_large_page(struct fixture *f, char *large, char *buf, size_t cap_bytes)
{
    int small = 4096;
    int fd = client(f);

    (void)setsockopt(TAILQ_FIRST(&f->worker.http->conns)->fd, SOL_SOCKET, SO_SNDBUF, &small,
                     sizeof small);
    memset(large, 'L', LARGE_BYTES);
    f->large = large;
    f->large_bytes = LARGE_BYTES;
    ask(f, fd, "/large", "");
    render_all(f);
    f->large = NULL;
    assert_true(hear_all(f, fd, buf, cap_bytes) > LARGE_BYTES);
    return fd;
}

static void a_render_that_ends_before_the_answer_ahead_is_out_comes_after_it(void **state)
{
    static const char text[] =
        "GET /large HTTP/1.1\r\nHost: a\r\n\r\nGET /b HTTP/1.1\r\nHost: a\r\n\r\n";
    static char large[LARGE_BYTES];
    static char buf[2 * LARGE_BYTES];
    struct fixture *f = *state;
    int fd = client_of_a_large_page(f, large, buf, sizeof buf);
    const char *body;
    size_t bytes;

    (void)send(fd, text, sizeof text - 1, 0);
    turn(f);
    assert_non_null(TAILQ_FIRST(&f->worker.http->conns)->unsent);
    assert_int_equal(f->renderer.queued, 1);
    render_all(f); /* the client has read nothing yet */
    bytes = hear_all(f, fd, buf, sizeof buf - 1);
    buf[bytes] = 0;
    body = strstr(buf, "\r\n\r\n");
    assert_non_null(body);
    assert_memory_equal(body + 4, large, LARGE_BYTES);
    assert_memory_equal(body + 4 + LARGE_BYTES, "HTTP/1.1 200 OK\r\n", 17);
    assert_non_null(strstr(body + 4 + LARGE_BYTES, "render 2 /b"));
    (void)close(fd);
}

static void a_render_that_outlasts_the_answer_ahead_is_waited_for(void **state)
{
    static const char text[] =
        "GET /large HTTP/1.1\r\nHost: a\r\n\r\nGET /b HTTP/1.1\r\nHost: a\r\n\r\n";
    static char large[LARGE_BYTES];
    static char buf[2 * LARGE_BYTES];
    struct fixture *f = *state;
    int fd = client_of_a_large_page(f, large, buf, sizeof buf);

    (void)send(fd, text, sizeof text - 1, 0);
    assert_true(hear_all(f, fd, buf, sizeof buf) > LARGE_BYTES);
    turn(f); /* writable, and nothing to write */
    render_all(f);
    assert_hears(fd, "HTTP/1.1 200 OK", "render 2 /b");
    (void)close(fd);
}

/* Reads a little of an answer that has been waiting for so long; is the connection there afterwards? */
static bool outlives_a_sip(struct fixture *f, int fd, uint64_t ago_ms)
{
    struct conn *c = TAILQ_FIRST(&f->worker.http->conns);
    char sip[2000];

    assert_non_null(c->unsent);
    c->unsent_since_ms -= ago_ms;
    for (int i = 0; i < 20 && TAILQ_FIRST(&f->worker.http->conns) == c; i++) {
        assert_true(recv(fd, sip, sizeof sip, MSG_DONTWAIT) >
                    0); /* so often that the socket takes more */
        turn(f);
    }
    return TAILQ_FIRST(&f->worker.http->conns) == c;
}

static void a_reader_that_sips_is_over_some_time(void **state)
{
    static const char text[] = "GET /large HTTP/1.1\r\nHost: a\r\n\r\n";
    static char large[LARGE_BYTES];
    static char buf[2 * LARGE_BYTES];
    struct fixture *f = *state;
    int fd = client_of_a_large_page(f, large, buf, sizeof buf);

    f->config.http.send_timeout_ms = 30000;
    f->config.http.min_rate_bytes = 500;
    (void)send(fd, text, sizeof text - 1, 0);
    turn(f);
    assert_true(outlives_a_sip(f, fd, 29000));
    f->config.http.min_rate_bytes = 0;
    assert_true(outlives_a_sip(f, fd, 1000000));
    f->config.http.min_rate_bytes = 500;
    assert_false(outlives_a_sip(f, fd, 0));
    (void)close(fd);
}

static void what_waited_behind_an_unsent_answer_may_wait_for_a_render(void **state)
{
    static const char text[] = "GET /large HTTP/1.1\r\nHost: a\r\n\r\n";
    static char large[LARGE_BYTES];
    static char buf[4 * LARGE_BYTES];
    struct fixture *f = *state;
    int fd = client_of_a_large_page(f, large, buf, sizeof buf);
    char many[40 * sizeof text];
    size_t bytes = 0;

    for (int i = 0; i < 15; i++) { /* more pieces than a batch has: some stay in conn->rest */
        memcpy(many + bytes, text, sizeof text - 1);
        bytes += sizeof text - 1;
    }
    bytes += (size_t)snprintf(many + bytes, 64, "GET /b HTTP/1.1\r\nHost: a\r\n\r\n");
    (void)send(fd, many, bytes, 0);
    turn(f);
    assert_non_null(TAILQ_FIRST(&f->worker.http->conns)->rest);
    while (f->renderer.queued == 0)
        assert_true(hear_all(f, fd, buf, sizeof buf) > 0);
    (void)hear_all(f, fd, buf, sizeof buf);
    render_all(f);
    assert_hears(fd, "HTTP/1.1 200 OK", "render 2 /b");
    (void)close(fd);
}

/* The deadline is of one head, from its first byte. */
static void heads_cut_by_each_read_have_a_deadline_each(void **state)
{
    static const char cut[] = " HTTP/1.1\r\nHost: a\r\n\r\nGET /a";
    struct fixture *f = *state;
    int fd = client(f);
    struct conn *c = TAILQ_FIRST(&f->worker.http->conns);

    ask(f, fd, "/a", "");
    render_all(f);
    (void)send(fd, "GET /a", 6, 0);
    turn(f);
    assert_ptr_equal(c->deadline.list, &f->worker.http->header);
    c->deadline.due_ms = 1; /* time goes by */
    (void)send(fd, cut, sizeof cut - 1, 0);
    turn(f);
    assert_ptr_equal(c->deadline.list, &f->worker.http->header);
    assert_true(c->deadline.due_ms > f->worker.http->now_ms);
    (void)close(fd);
}

/* The client's copy of the page is good; its cookie need not be. */
static void a_304_carries_the_cookie(void **state)
{
    static const struct js_header set_cookie = {"set-cookie", 10, "a=b", 3};
    struct fixture *f = *state;
    int fd = client(f);

    f->result.headers = &set_cookie;
    f->result.header_count = 1;
    ask(f, fd, "/a", "If-None-Match: *\r\n");
    render_all(f);
    assert_hears(fd, "HTTP/1.1 304 Not Modified", "set-cookie: a=b\r\n");
    (void)close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(pipelined_requests_are_answered_in_order),
        TEST(half_closing_after_the_request_is_no_leaving),
        TEST(a_known_etag_gets_304_fresh_or_hot),
        TEST(a_304_carries_the_cookie),
        TEST(head_has_the_length_and_no_body),
        TEST(a_draining_worker_answers_and_then_closes),
        TEST(other_methods_reach_a_bundle_that_takes_a_request),
        TEST(other_methods_are_405_and_bad_requests_close),
        TEST(what_is_refused_of_a_head_request_has_no_body),
        TEST(what_a_slow_reader_left_is_sent_when_it_reads),
        TEST(a_body_that_drips_is_over_some_time),
        TEST(a_reader_that_sips_is_over_some_time),
        TEST(a_render_that_ends_before_the_answer_ahead_is_out_comes_after_it),
        TEST(a_render_that_outlasts_the_answer_ahead_is_waited_for),
        TEST(what_waited_behind_an_unsent_answer_may_wait_for_a_render),
        TEST(heads_cut_by_each_read_have_a_deadline_each),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
