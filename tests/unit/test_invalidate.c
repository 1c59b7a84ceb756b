/* SPDX-License-Identifier: MIT */
/* test_invalidate.c - which requests purge which pages. */
#include "worker/invalidate.h"

#include "tests/unit/http_fixture.h"

static void store(struct fixture *f, int fd, const char *path)
{
    ask(f, fd, path, "");
    render_all(f);
    (void)hear(fd);
    ask(f, fd, path, "");
    assert_hears(fd, "detail=hot", path);
}

static bool is_stored(struct fixture *f, int fd, const char *path)
{
    bool stored;

    ask(f, fd, path, "");
    stored = f->renderer.queued == 0;
    render_all(f);
    (void)hear(fd);
    return stored;
}

static void answer(struct fixture *f, const char *request_line, uint16_t status,
                   struct js_header *headers, size_t count)
{
    static const struct http_limits limits = {8192, 0};
    struct js_result r = {.status = status, .headers = headers, .header_count = count};
    struct http_parse parse;
    char text[300];
    int n = snprintf(text, sizeof text, "%s HTTP/1.1\r\nHost: a\r\n\r\n", request_line);

    http_parse_init(&parse, &limits);
    assert_int_equal(http_parse_head(&parse, text, (size_t)n), HTTP_WHOLE);
    invalidate(f->worker.purge, &f->config, &parse, &r);
}

static void a_successful_unsafe_request_purges_its_url(void **state)
{
    static const char *const unsafe[] = {"POST /a", "PUT /a", "DELETE /a", "PATCH /a",
                                         "M-SEARCH /a"};
    static const char *const safe[] = {"GET /a", "HEAD /a", "OPTIONS /a", "PROPFIND /a"};
    struct fixture *f = *state;
    int fd = client(f);

    for (size_t i = 0; i < array_len(unsafe); i++) {
        store(f, fd, "/a");
        answer(f, unsafe[i], 204, NULL, 0);
        assert_false(is_stored(f, fd, "/a"));
    }
    for (size_t i = 0; i < array_len(safe); i++)
        answer(f, safe[i], 200, NULL, 0);
    answer(f, "POST /a", 404, NULL, 0);
    answer(f, "POST /a", 500, NULL, 0);
    answer(f, "POST /b", 200, NULL, 0);
    assert_true(is_stored(f, fd, "/a"));
    answer(f, "POST /a", 303, NULL, 0);
    assert_false(is_stored(f, fd, "/a"));
    (void)close(fd);
}

static void so_are_the_urls_that_its_answer_names_on_this_host(void **state)
{
    static const char *const here[] = {
        "/a",  "http://A/a", "https://a/a#top", "//a/a",         "a",
        "./a", "../a#x",     "/x/../a",         "http://a:80/a", "/%2e/a"};
    static const char *const there[] = {"http://b/a", "//b/a",       "http://a",      "b",
                                        "",           "http://ab/a", "http://a:81/a", "ftp://a/a",
                                        "http://%/a", "?a"};
    struct fixture *f = *state;
    int fd = client(f);

    for (size_t i = 0; i < array_len(here); i++) {
        struct js_header h = {i % 2 ? "location" : "content-location", i % 2 ? 8 : 16, here[i],
                              strlen(here[i])};

        store(f, fd, "/a");
        answer(f, "POST /x", 201, &h, 1);
        assert_false(is_stored(f, fd, "/a"));
    }
    for (size_t i = 0; i < array_len(there); i++) {
        struct js_header h = {"location", 8, there[i], strlen(there[i])};

        answer(f, "POST /x", 201, &h, 1);
        assert_true(is_stored(f, fd, "/a"));
    }
    (void)close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_successful_unsafe_request_purges_its_url),
        TEST(so_are_the_urls_that_its_answer_names_on_this_host),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
