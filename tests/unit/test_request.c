/* SPDX-License-Identifier: MIT */
/* test_request.c - where the answer to a request comes from, and who may share it. */
#include "worker/request.h"

#include "tests/unit/http_fixture.h"
#include "worker/conn.h"
#include "worker/flight.h"

static void a_page_is_rendered_once_and_then_hot(void **state)
{
    struct fixture *f = *state;
    int fd = client(f);

    ask(f, fd, "/a", "");
    assert_string_equal(hear(fd), "");
    render_all(f);
    assert_hears(fd, "fwd=uri-miss; stored; ttl=300", "render 1 /a");
    ask(f, fd, "/a", "");
    assert_hears(fd, "hit; ttl=300; detail=hot", "render 1 /a");
    assert_int_equal(count_of(&f->worker.stats->cache_hot), 1);
    assert_int_equal(stats_requests_of_class(f->worker.stats, 2), 2);
    (void)close(fd);
}

static void what_another_worker_rendered_is_cold_then_hot(void **state)
{
    struct fixture *f = *state;
    int fd = client(f);

    ask(f, fd, "/a", "");
    render_all(f);
    (void)hear(fd);
    hot_free(f->worker.http->hot);
    assert_int_equal(hot_new(MIB, f->worker.hits, &f->worker.http->hot), 0);
    ask(f, fd, "/a", "");
    assert_hears(fd, "detail=cold", "render 1 /a");
    ask(f, fd, "/a", "");
    assert_hears(fd, "detail=hot", "render 1 /a");
    (void)close(fd);
}

static void all_who_ask_meanwhile_get_the_one_render(void **state)
{
    struct fixture *f = *state;
    int fd[3] = {client(f), client(f), client(f)};

    for (int i = 0; i < 2; i++)
        ask(f, fd[i], "/a", "");
    assert_true(begin(f));
    ask(f, fd[2], "/a", "");
    end(f);
    assert_int_equal(f->renderer.queued, 0);
    assert_hears(fd[0], "fwd=uri-miss; stored; ttl=300\r\n", "render 1 /a");
    assert_hears(fd[1], "collapsed", "render 1 /a");
    assert_hears(fd[2], "collapsed", "render 1 /a");
    for (int i = 0; i < 3; i++)
        (void)close(fd[i]);
}

static void a_private_page_goes_to_one_and_the_others_render_their_own(void **state)
{
    struct fixture *f = *state;
    int fd[3] = {client(f), client(f), client(f)};

    f->result.reads.cookie = true;
    for (int i = 0; i < 3; i++)
        ask(f, fd[i], "/a", "Cookie: me\r\n");
    assert_int_equal(f->renderer.queued, 1);
    render_all(f);
    assert_hears(fd[0], "detail=read-cookie", "render 1 /a");
    assert_hears(fd[1], "detail=read-cookie", "render 2 /a");
    assert_hears(fd[2], "detail=read-cookie", "render 3 /a");
    for (int i = 0; i < 2; i++) /* known by now: nobody waits for another's */
        ask(f, fd[i], "/a", "");
    assert_int_equal(f->renderer.queued, 2);
    render_all(f);
    for (int i = 0; i < 3; i++)
        (void)close(fd[i]);
}

static void who_asks_after_a_purge_is_not_given_what_began_before_it(void **state)
{
    struct fixture *f = *state;
    int before = client(f);
    int after = client(f);

    ask(f, before, "/a", "");
    assert_true(begin(f));
    purge_url(f->worker.purge, "/a", 2);
    ask(f, after, "/a", "");
    assert_int_equal(f->renderer.queued, 1);
    end(f);
    assert_hears(before, "fwd=uri-miss", "render 1 /a");
    assert_string_equal(hear(after), "");
    render_all(f);
    assert_hears(after, "fwd=uri-miss; stored", "render 2 /a");
    (void)close(before);
    (void)close(after);
}

static void a_purge_reaches_the_hot_cache(void **state)
{
    struct fixture *f = *state;
    int fd = client(f);

    ask(f, fd, "/a", "");
    render_all(f);
    (void)hear(fd);
    purge_all(f->worker.purge);
    ask(f, fd, "/a", "");
    assert_int_equal(f->renderer.queued, 1);
    render_all(f);
    assert_hears(fd, "fwd=uri-miss", "render 2 /a");
    (void)close(fd);
}

static void pages_of_another_bundle_are_not_served(void **state)
{
    struct fixture *f = *state;
    int fd = client(f);

    ask(f, fd, "/a", "");
    render_all(f);
    (void)hear(fd);
    f->heritage.edition = 2;
    ask(f, fd, "/a", "");
    render_all(f);
    assert_hears(fd, "fwd=uri-miss", "render 2 /a");
    (void)close(fd);
}

static void bypass_neither_looks_nor_stores(void **state)
{
    struct fixture *f = *state;
    int fd = client(f);

    ask(f, fd, "/a", "Authorization: x\r\n");
    render_all(f);
    assert_hears(fd, "Cache-Status: ssrd; fwd=bypass\r\n", "private, no-cache");
    ask(f, fd, "/a", "");
    assert_int_equal(f->renderer.queued, 1);
    render_all(f);
    (void)close(fd);
}

static void who_asks_the_caches_alone_starts_no_render(void **state)
{
    static const char only[] = "Cache-Control: max-age=0\r\nCache-Control: ONLY-IF-CACHED\r\n";
    struct fixture *f = *state;
    int fd = client(f);

    ask(f, fd, "/a", only);
    assert_hears(fd, "HTTP/1.1 504 Gateway Timeout", "Cache-Status: ssrd; detail=only-if-cached");
    assert_int_equal(f->renderer.queued, 0);
    ask(f, fd, "/a", "Cache-Control: no-cache\r\n");
    render_all(f);
    assert_hears(fd, "200 OK", "render 1 /a");
    ask(f, fd, "/a", only);
    assert_hears(fd, "detail=hot", "render 1 /a");
    ask(f, fd, "/a", "Cache-Control: no-cache, no-store\r\nPragma: no-cache\r\n"); /* not heard */
    assert_hears(fd, "detail=hot", "render 1 /a");
    (void)close(fd);
}

static void a_full_queue_sheds_with_503(void **state)
{
    struct fixture *f = *state;
    int fd[QUEUE_MAX + 1];
    char target[16];

    for (int i = 0; i <= QUEUE_MAX; i++) {
        fd[i] = client(f);
        (void)snprintf(target, sizeof target, "/%d", i);
        ask(f, fd[i], target, "");
    }
    assert_hears(fd[QUEUE_MAX], "503 Service Unavailable", "Retry-After: 1");
    assert_int_equal(count_of(&f->worker.stats->renders_shed), 1);
    ask(f, fd[QUEUE_MAX], "/0", ""); /* the connection goes on, and may join who waits */
    render_all(f);
    assert_hears(fd[QUEUE_MAX], "collapsed", "render 1 /0");
    for (int i = 0; i <= QUEUE_MAX; i++)
        (void)close(fd[i]);
}

static void a_failed_render_tells_clients_nothing_but_an_id(void **state)
{
    struct fixture *f = *state;
    struct js_error error = {(char[]){"Secret"}, (char[]){"b.js"}, 1,           2, (char[]){""},
                             (char[]){""},       (char[]){""},     (char[]){""}};
    int fd = client(f);
    const char *text;

    f->result.outcome = JS_ERROR;
    f->result.error = &error;
    ask(f, fd, "/a", "");
    render_all(f);
    text = hear(fd);
    assert_non_null(strstr(text, "HTTP/1.1 500 Internal Server Error"));
    assert_non_null(strstr(text, "no-store"));
    assert_non_null(strstr(text, "X-Request-Id: "));
    assert_null(strstr(text, "Secret"));
    f->result.outcome = JS_TIMEOUT;
    f->result.error = NULL;
    ask(f, fd, "/a", "");
    render_all(f);
    assert_hears(fd, "HTTP/1.1 504", "no-store");
    (void)close(fd);
}

static void a_stale_page_is_served_within_swr_and_renewed_once(void **state)
{
    struct fixture *f = *state;
    int fd = client(f);
    struct hot_page *hot;

    f->result.swr_ms = 60000;
    ask(f, fd, "/a", "");
    render_all(f);
    (void)hear(fd);
    hot = hot_get(f->worker.http->hot, "a/a", 3, key_hash("a/a", 3));
    assert_non_null(hot);
    hot->page.fresh_until_ms = region_now_ms(f->region) - 1; /* time goes by */
    assert_int_equal(cold_delete(f->worker.cold, "a/a", 3, key_hash("a/a", 3)), 1);
    ask(f, fd, "/a", "");
    assert_hears(fd, "hit; ttl=-1; detail=stale", "render 1 /a");
    ask(f, fd, "/a", "");
    assert_hears(fd, "detail=stale", "render 1 /a");
    assert_int_equal(f->renderer.queued, 1);
    render_all(f);
    ask(f, fd, "/a", "");
    assert_hears(fd, "detail=hot", "render 2 /a");
    (void)close(fd);
}

static void a_stale_page_within_sie_comes_before_an_error(void **state)
{
    struct fixture *f = *state;
    int fd = client(f);
    struct hot_page *hot;

    f->result.sie_ms = 60000;
    ask(f, fd, "/a", "");
    render_all(f);
    (void)hear(fd);
    hot = hot_get(f->worker.http->hot, "a/a", 3, key_hash("a/a", 3));
    hot->page.fresh_until_ms = region_now_ms(f->region) - 1;
    (void)cold_delete(f->worker.cold, "a/a", 3, key_hash("a/a", 3));
    f->result.outcome = JS_OOM;
    ask(f, fd, "/a", "");
    render_all(f);
    assert_hears(fd, "HTTP/1.1 200 OK", "detail=stale");
    (void)close(fd);
}

static void a_client_that_went_away_is_not_rendered_for(void **state)
{
    struct fixture *f = *state;
    int fd = client(f);

    ask(f, fd, "/a", "");
    TAILQ_FIRST(&f->renderer.queue)->queued_ns -= 5000000000u; /* it has waited long */
    (void)close(fd);
    assert_false(begin(f));
    assert_int_equal(http_connections(f->worker.http), 0);
}

static void a_render_past_the_caches_is_cancelled_when_its_client_goes(void **state)
{
    struct fixture *f = *state;
    struct request *r;

    ask(f, client(f), "/a", "");
    assert_true(begin(f));
    r = TAILQ_FIRST(&((struct flight *)f->renderer.open)->requests);
    conn_free(r->conn);
    assert_null(f->renderer.cancelled); /* the cache will want it */
    end(f);
    ask(f, client(f), "/b", "Authorization: x\r\n");
    assert_true(begin(f));
    r = TAILQ_FIRST(&((struct flight *)f->renderer.open)->requests);
    conn_free(r->conn);
    assert_ptr_equal(f->renderer.cancelled, f->renderer.open);
    f->result.outcome = JS_GONE;
    end(f);
    assert_int_equal(http_connections(f->worker.http), 0);
}

static void renders_that_the_worker_stops_end_with_503_and_close(void **state)
{
    struct fixture *f = *state;
    struct render_job *job;
    int fd = client(f);

    ask(f, fd, "/a", "");
    job = TAILQ_FIRST(&f->renderer.queue);
    assert_true(renderer_withdraw(&f->renderer, job));
    job->done(job, RENDER_STOPPED, NULL);
    assert_hears(fd, "HTTP/1.1 503", "Connection: close");
    (void)close(fd);
}

/* The value that the render of the job sees, "" if absent. */
static const char *seen(const struct render_job *job, const char *name)
{
    static char text[256];

    for (size_t i = 0; i < job->request.header_count; i++) {
        const struct js_header *h = &job->request.headers[i];

        if (h->name_bytes != strlen(name) || memcmp(h->name, name, h->name_bytes) != 0)
            continue;
        (void)snprintf(text, sizeof text, "%.*s", (int)h->value_bytes, h->value);
        return text;
    }
    return "";
}

static void a_render_sees_the_host_that_the_key_has(void **state)
{
    struct fixture *f = *state;
    int fd = client(f);
    const struct render_job *job;

    ask(f, fd, "http://Victim:80/a", ""); /* with "Host: a", which absolute-form overrules */
    job = TAILQ_FIRST(&f->renderer.queue);
    assert_string_equal(seen(job, "host"), "victim:80");
    assert_memory_equal(job->request.origin, "http://victim:80", job->request.origin_bytes);
    render_all(f);
    (void)close(fd);
    fd = client(f);
    (void)send(fd, "GET http://b/a HTTP/1.0\r\n\r\n", 27, 0);
    turn(f);
    assert_string_equal(seen(TAILQ_FIRST(&f->renderer.queue), "host"), "b");
    render_all(f);
    (void)close(fd);
}

static void a_render_sees_no_parameter_that_the_key_leaves_out(void **state)
{
    char *names[] = {(char[]){"page"}};
    struct fixture *f = *state;
    int fd = client(f);

    f->config.policy.key.query = QUERY_NAMED;
    f->config.policy.key.query_names = (struct str_list){names, 1};
    ask(f, fd, "/a?evil=1&page=2", "");
    render_all(f);
    assert_hears(fd, "stored", "render 1 /a?page=2");
    ask(f, fd, "/a?evil=1&page=2", "Authorization: x\r\n"); /* for nobody else: as it came */
    render_all(f);
    assert_hears(fd, "fwd=bypass", "render 2 /a?evil=1&page=2");
    (void)close(fd);
}

static void a_render_sees_no_cookie_that_the_key_leaves_out(void **state)
{
    char *names[] = {(char[]){"theme"}, (char[]){"lang"}};
    static const char fields[] = "Cookie: session=1; lang=de\r\nCookie: theme=dark; theme=x\r\n";
    struct fixture *f = *state;
    int fd = client(f);

    f->result.reads.cookie = true;
    f->config.policy.key.cookies = (struct str_list){names, 2};
    ask(f, fd, "/a", fields);
    assert_string_equal(seen(TAILQ_FIRST(&f->renderer.queue), "cookie"), "theme=dark; lang=de");
    render_all(f);
    assert_hears(fd, "stored", "render 1 /a");
    ask(f, fd, "/b", "Cookie: session=1\r\n");
    assert_string_equal(seen(TAILQ_FIRST(&f->renderer.queue), "cookie"), "");
    render_all(f);
    (void)close(fd);
}

static void what_was_not_for_sharing_a_moment_ago_is_not_renewed_by_each_hit(void **state)
{
    struct fixture *f = *state;
    int fd = client(f);
    struct hot_page *hot;

    f->result.swr_ms = 60000;
    ask(f, fd, "/a", "");
    render_all(f);
    (void)hear(fd);
    hot = hot_get(f->worker.http->hot, "a/a", 3, key_hash("a/a", 3));
    hot->page.fresh_until_ms = region_now_ms(f->region) - 1; /* time goes by */
    hot->page.sie_until_ms = hot->page.fresh_until_ms;
    (void)cold_delete(f->worker.cold, "a/a", 3, key_hash("a/a", 3));
    f->result.status = 500;
    ask(f, fd, "/a", "");
    render_all(f);
    for (int i = 0; i < 2; i++)
        ask(f, fd, "/a", "");
    assert_int_equal(f->renderer.queued, 0);
    (void)close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_page_is_rendered_once_and_then_hot),
        TEST(what_another_worker_rendered_is_cold_then_hot),
        TEST(all_who_ask_meanwhile_get_the_one_render),
        TEST(a_private_page_goes_to_one_and_the_others_render_their_own),
        TEST(who_asks_after_a_purge_is_not_given_what_began_before_it),
        TEST(a_purge_reaches_the_hot_cache),
        TEST(pages_of_another_bundle_are_not_served),
        TEST(bypass_neither_looks_nor_stores),
        TEST(who_asks_the_caches_alone_starts_no_render),
        TEST(a_full_queue_sheds_with_503),
        TEST(a_failed_render_tells_clients_nothing_but_an_id),
        TEST(a_stale_page_is_served_within_swr_and_renewed_once),
        TEST(a_stale_page_within_sie_comes_before_an_error),
        TEST(a_client_that_went_away_is_not_rendered_for),
        TEST(a_render_past_the_caches_is_cancelled_when_its_client_goes),
        TEST(renders_that_the_worker_stops_end_with_503_and_close),
        TEST(a_render_sees_the_host_that_the_key_has),
        TEST(a_render_sees_no_parameter_that_the_key_leaves_out),
        TEST(a_render_sees_no_cookie_that_the_key_leaves_out),
        TEST(what_was_not_for_sharing_a_moment_ago_is_not_renewed_by_each_hit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
