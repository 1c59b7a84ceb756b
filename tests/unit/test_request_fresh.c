/* SPDX-License-Identifier: MIT */
/* test_request_fresh.c - ages, conditions, parts, and stored pages that the application is asked about. */
#include "tests/unit/http_fixture.h"

static struct js_header header(const char *name, const char *value)
{
    return (struct js_header){name, strlen(name), value, strlen(value)};
}

static void headers(struct fixture *f, struct js_header *list, size_t count)
{
    f->result.headers = list;
    f->result.header_count = count;
}

static const struct js_header *sent(const struct fixture *f, const char *name)
{
    const struct js_request *q = &f->renderer.open->request;

    for (size_t i = 0; i < q->header_count; i++)
        if (q->headers[i].name_bytes == strlen(name) &&
            memcmp(q->headers[i].name, name, strlen(name)) == 0)
            return &q->headers[i];
    return NULL;
}

static void a_stale_page_is_asked_for_and_lives_on_after_a_304(void **state)
{
    struct js_header first[] = {header("cache-control", "max-age=0"), header("etag", "\"v1\""),
                                header("x-old", "1"), header("x-both", "1")};
    struct js_header second[] = {header("cache-control", "max-age=60"), header("x-both", "2"),
                                 header("content-length", "9")};
    struct fixture *f = *state;
    int fd = client(f);
    const char *text;

    headers(f, first, 4);
    ask(f, fd, "/a", "");
    render_all(f);
    assert_hears(fd, "render 1 /a", "stored; ttl=-1");
    ask(f, fd, "/a", "If-None-Match: \"other\"\r\n");
    assert_true(begin(f));
    assert_non_null(sent(f, "if-none-match"));
    assert_memory_equal(sent(f, "if-none-match")->value, "\"v1\"", 4);
    assert_null(sent(f, "if-modified-since"));
    headers(f, second, 3);
    f->result.status = 304;
    end(f);
    text = hear(fd);
    assert_non_null(strstr(text, "HTTP/1.1 200 OK\r\n"));
    assert_non_null(strstr(text, "Content-Length: 11\r\n"));
    assert_non_null(strstr(text, "render 1 /a"));
    assert_non_null(strstr(text, "fwd=stale; fwd-status=304; stored; ttl=60"));
    assert_non_null(strstr(text, "x-old: 1\r\n"));
    assert_non_null(strstr(text, "x-both: 2\r\n"));
    assert_null(strstr(text, "x-both: 1\r\n"));
    assert_non_null(strstr(text, "cache-control: max-age=60\r\n"));
    assert_null(strstr(text, "max-age=0"));
    ask(f, fd, "/a", "If-None-Match: \"v1\"\r\n");
    assert_hears(fd, "304 Not Modified", "detail=hot");
    (void)close(fd);
}

static void a_304_that_nobody_asked_for_is_passed_on(void **state)
{
    struct js_header tag = header("etag", "\"v1\"");
    struct fixture *f = *state;
    int fd = client(f);
    const char *text;

    headers(f, &tag, 1);
    f->result.status = 304;
    ask(f, fd, "/a", "");
    render_all(f);
    text = hear(fd);
    assert_non_null(strstr(text, "304 Not Modified\r\nETag: \"v1\"\r\n"));
    assert_null(strstr(text, "Content-Length"));
    assert_null(strstr(text, "stored"));
    (void)close(fd);
}

static void a_page_with_an_age_is_that_old_already(void **state)
{
    struct js_header list[] = {header("cache-control", "max-age=100"), header("age", "30")};
    struct fixture *f = *state;
    int fd = client(f);

    headers(f, list, 2);
    ask(f, fd, "/a", "");
    render_all(f);
    assert_hears(fd, "Age: 30\r\n", "stored; ttl=70");
    ask(f, fd, "/a", "");
    assert_hears(fd, "Age: 30\r\n", "hit; ttl=70; detail=hot");
    list[1] = header("age", "100");
    ask(f, fd, "/b", "");
    render_all(f);
    assert_hears(fd, "Age: 100\r\n", "fwd=uri-miss; detail=age");
    (void)close(fd);
}

static void a_page_keeps_its_own_date(void **state)
{
    struct js_header list[] = {header("cache-control", "max-age=100"),
                               header("date", "Sun, 06 Nov 2044 08:49:37 GMT")};
    struct fixture *f = *state;
    int fd = client(f);
    const char *text;

    headers(f, list, 2);
    ask(f, fd, "/a", "");
    render_all(f);
    (void)hear(fd);
    ask(f, fd, "/a", "");
    text = hear(fd);
    assert_non_null(strstr(text, "Date: Sun, 06 Nov 2044 08:49:37 GMT\r\n"));
    assert_null(strstr(strstr(text, "Date:") + 1, "Date:"));
    (void)close(fd);
}

static void what_must_be_revalidated_is_never_served_stale(void **state)
{
    struct js_header control = header("cache-control", "max-age=0, stale-while-revalidate=60");
    struct js_header strict =
        header("cache-control", "max-age=0, must-revalidate, stale-while-revalidate=60");
    struct fixture *f = *state;
    int fd = client(f);

    headers(f, &control, 1);
    ask(f, fd, "/a", "");
    render_all(f);
    (void)hear(fd);
    ask(f, fd, "/a", "");
    assert_hears(fd, "render 1 /a", "detail=stale");
    render_all(f); /* the refresh */
    headers(f, &strict, 1);
    ask(f, fd, "/b", "");
    render_all(f);
    (void)hear(fd);
    ask(f, fd, "/b", "");
    assert_string_equal(hear(fd), "");
    render_all(f);
    assert_hears(fd, "/b", "fwd=");
    (void)close(fd);
}

static void an_error_that_the_application_answers_is_covered_by_sie(void **state)
{
    struct js_header control = header("cache-control", "max-age=0, stale-if-error=60");
    struct fixture *f = *state;
    int fd = client(f);

    headers(f, &control, 1);
    ask(f, fd, "/a", "");
    render_all(f);
    (void)hear(fd);
    f->result.status = 503;
    ask(f, fd, "/a", "");
    render_all(f);
    assert_hears(fd, "200 OK", "render 1 /a");
    f->result.status = 501;
    ask(f, fd, "/a", "");
    render_all(f);
    assert_hears(fd, "501 Not Implemented", "render 3 /a");
    (void)close(fd);
}

static void a_part_of_a_stored_page_is_cut_from_it(void **state)
{
    struct fixture *f = *state;
    int fd = client(f);

    ask(f, fd, "/a", "Range: bytes=0-5\r\n");
    render_all(f);
    assert_hears(fd, "200 OK", "render 1 /a");
    ask(f, fd, "/a", "Range: bytes=0-5\r\n");
    assert_hears(fd, "206 Partial Content\r\nContent-Range: bytes 0-5/11\r\nContent-Length: 6\r\n",
                 "\r\n\r\nrender");
    ask(f, fd, "/a", "Range: bytes=11-\r\n");
    assert_hears(fd, "416 Range Not Satisfiable", "Content-Range: bytes */11\r\n");
    ask(f, fd, "/a", "Range: bytes=0-5\r\nIf-Range: \"x\"\r\n");
    assert_hears(fd, "200 OK", "render 1 /a");
    ask(f, fd, "/a", "If-Match: \"x\"\r\n");
    assert_hears(fd, "412 Precondition Failed", "Content-Length: 0\r\n");
    (void)close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_stale_page_is_asked_for_and_lives_on_after_a_304),
        TEST(a_304_that_nobody_asked_for_is_passed_on),
        TEST(a_page_with_an_age_is_that_old_already),
        TEST(a_page_keeps_its_own_date),
        TEST(what_must_be_revalidated_is_never_served_stale),
        TEST(an_error_that_the_application_answers_is_covered_by_sie),
        TEST(a_part_of_a_stored_page_is_cut_from_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
