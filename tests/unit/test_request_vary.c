/* SPDX-License-Identifier: MIT */
/* test_request_vary.c - pages of which a request header makes several: each client gets its own. */
#include "tests/unit/http_fixture.h"

static struct js_header language = {"accept-language", 15, "", 0};
static struct js_header agent = {"user-agent", 10, "", 0};

static void reads(struct fixture *f, struct js_header *header)
{
    f->result.reads = (struct js_reads){.header = header, .header_count = 1};
}

/* Rendered, as number n, or found; says: what else the answer holds. */
static void gets(struct fixture *f, int fd, const char *fields, const char *page, const char *says)
{
    ask(f, fd, "/a", fields);
    render_all(f);
    assert_hears(fd, page, says);
}

static void each_value_has_its_own_page(void **state)
{
    struct fixture *f = *state;
    int fd = client(f);

    reads(f, &language);
    gets(f, fd, "Accept-Language: de\r\n", "render 1 /a", "stored");
    gets(f, fd, "Accept-Language: en\r\n", "render 2 /a", "stored");
    gets(f, fd, "", "render 3 /a", "Vary: accept-language\r\n");
    gets(f, fd, "Accept-Language: de\r\n", "render 1 /a", "detail=hot");
    gets(f, fd, "X: y\r\nAccept-Language: en\r\n", "render 2 /a", "Vary: accept-language\r\n");
    gets(f, fd, "", "render 3 /a", "detail=hot");
    assert_int_equal(f->renderer.renders, 3);
    (void)close(fd);
}

static void variants_and_record_come_from_the_cold_cache_too(void **state)
{
    struct fixture *f = *state;
    int fd = client(f);

    reads(f, &language);
    gets(f, fd, "Accept-Language: de\r\n", "render 1 /a", "stored");
    hot_free(f->worker.http->hot);
    assert_int_equal(hot_new(MIB, f->worker.hits, &f->worker.http->hot), 0);
    gets(f, fd, "Accept-Language: de\r\n", "render 1 /a", "detail=cold");
    gets(f, fd, "Accept-Language: de\r\n", "render 1 /a", "detail=hot");
    (void)close(fd);
}

static void those_who_wait_for_one_render_get_each_their_variant(void **state)
{
    static const char *const fields[] = {"Accept-Language: de\r\n", "Accept-Language: en\r\n",
                                         "Accept-Language: de\r\n", "Accept-Language: en\r\n", ""};
    struct fixture *f = *state;
    int fd[5];

    reads(f, &language);
    for (int i = 0; i < 5; i++) {
        fd[i] = client(f);
        ask(f, fd[i], "/a", fields[i]);
    }
    assert_int_equal(f->renderer.queued, 1);
    render_all(f);
    assert_hears(fd[0], "render 1 /a", "fwd=uri-miss; stored");
    assert_hears(fd[2], "render 1 /a", "collapsed");
    assert_hears(fd[1], "render 2 /a", "fwd=uri-miss; stored");
    assert_hears(fd[3], "render 2 /a", "collapsed");
    assert_hears(fd[4], "render 3 /a", "stored");
    assert_int_equal(f->renderer.renders, 3);
    for (int i = 0; i < 5; i++)
        (void)close(fd[i]);
}

static void headers_learnt_later_are_added_to_those_known(void **state)
{
    struct fixture *f = *state;
    int fd = client(f);

    reads(f, &language);
    gets(f, fd, "User-Agent: x\r\n", "render 1 /a", "Vary: accept-language\r\n");
    reads(f, &agent);
    gets(f, fd, "Accept-Language: de\r\nUser-Agent: x\r\n", "render 2 /a",
         "Vary: accept-language, user-agent\r\n");
    reads(f, &language); /* each page is told apart by both from now on */
    gets(f, fd, "User-Agent: x\r\n", "render 3 /a", "Vary: accept-language, user-agent\r\n");
    gets(f, fd, "Accept-Language: de\r\nUser-Agent: x\r\n", "render 2 /a", "detail=hot");
    gets(f, fd, "Accept-Language: de\r\nUser-Agent: y\r\n", "render 4 /a", "stored");
    (void)close(fd);
}

static void a_purge_of_the_url_takes_all_variants(void **state)
{
    struct fixture *f = *state;
    int fd = client(f);

    reads(f, &language);
    gets(f, fd, "Accept-Language: de\r\n", "render 1 /a", "stored");
    gets(f, fd, "Accept-Language: en\r\n", "render 2 /a", "stored");
    purge_url(f->worker.purge, "/a", 2);
    gets(f, fd, "Accept-Language: de\r\n", "render 3 /a", "stored");
    gets(f, fd, "Accept-Language: en\r\n", "render 4 /a", "stored");
    (void)close(fd);
}

static void the_pages_own_vary_counts_as_well(void **state)
{
    static struct js_header vary = {"vary", 4, "Accept-Encoding, Foo", 20};
    struct fixture *f = *state;
    int fd = client(f);

    f->result.headers = &vary;
    f->result.header_count = 1;
    gets(f, fd, "Foo: 1\r\nAccept-Encoding: br\r\n", "render 1 /a",
         "Vary: Accept-Encoding, Foo\r\n");
    gets(f, fd, "Foo: 2\r\n", "render 2 /a", "stored");
    gets(f, fd, "Foo: 1\r\nAccept-Encoding: gzip\r\n", "render 1 /a", "detail=hot");
    (void)close(fd);
}

/* Who copies all headers and says for how long the page is good: among visitors without a cookie. */
static void a_page_that_saw_all_headers_is_not_for_those_with_cookies(void **state)
{
    static struct js_header control = {"cache-control", 13, "max-age=60", 10};
    struct fixture *f = *state;
    int fd = client(f);

    f->result.reads.all = true;
    gets(f, fd, "Foo: 1\r\n", "render 1 /a", "detail=read-headers");
    f->worker.http->now_ms += 20000; /* the mark on the key */
    f->result.headers = &control;
    f->result.header_count = 1;
    gets(f, fd, "Foo: 1\r\n", "render 2 /a", "stored");
    gets(f, fd, "Foo: 2\r\n", "render 2 /a", "detail=hot");
    gets(f, fd, "Cookie: me\r\n", "render 3 /a", "detail=vary");
    gets(f, fd, "Cookie: me\r\n", "render 4 /a", "detail=vary");
    gets(f, fd, "", "render 2 /a", "detail=hot");
    (void)close(fd);
}

static void a_clients_conditions_do_not_reach_the_render(void **state)
{
    struct fixture *f = *state;
    int fd = client(f);

    ask(f, fd, "/a",
        "If-None-Match: \"x\"\r\nIf-Modified-Since: y\r\nRange: bytes=0-1\r\nX: y\r\n");
    assert_true(begin(f));
    assert_int_equal(f->renderer.open->request.header_count, 2); /* host, x */
    end(f);
    assert_hears(fd, "200 OK", "render 1 /a");
    (void)close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_value_has_its_own_page),
        TEST(variants_and_record_come_from_the_cold_cache_too),
        TEST(those_who_wait_for_one_render_get_each_their_variant),
        TEST(headers_learnt_later_are_added_to_those_known),
        TEST(a_purge_of_the_url_takes_all_variants),
        TEST(the_pages_own_vary_counts_as_well),
        TEST(a_page_that_saw_all_headers_is_not_for_those_with_cookies),
        TEST(a_clients_conditions_do_not_reach_the_render),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
