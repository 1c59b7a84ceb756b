/* SPDX-License-Identifier: MIT */
/* test_flight_wait.c - what a worker makes of another worker's render of the same page. */
#include "shm/bell.h"
#include "worker/request.h"

#include "tests/unit/http_fixture.h"

/* The other worker begins to render this target. */
static struct claim claimed_by_other(struct fixture *f, const char *target)
{
    char text[100];
    struct claim_key key = {.edition = f->heritage.edition, .epoch = purge_epoch(f->worker.purge)};
    size_t bytes = (size_t)snprintf(text, sizeof text, "a%s", target);
    struct claim claim;

    key.hash = key_hash(text, bytes);
    key.check = claim_check(claims_of(f->region), text, bytes);
    assert_int_equal(claim_take(f->region, &f->heritage.bells, f->other_row, &key, &claim), 0);
    return claim;
}

static void ends(struct fixture *f, struct claim claim, enum claim_outcome outcome)
{
    claim_release(f->region, &f->heritage.bells, claim, outcome);
    turn(f);
}

/* Takes the page out of both caches, as if nobody had rendered it yet. */
static void take_out(struct fixture *f, const char *key, struct page *ret_page)
{
    size_t bytes = strlen(key);
    struct cold_ref ref;

    assert_int_equal(cold_find(f->worker.cold, key, bytes, key_hash(key, bytes), &ref), 0);
    assert_int_equal(cold_copy(f->worker.cold, &ref, key, bytes, ret_page), 0);
    (void)cold_delete(f->worker.cold, key, bytes, key_hash(key, bytes));
    hot_free(f->worker.http->hot);
    assert_int_equal(hot_new(MIB, f->worker.hits, &f->worker.http->hot), 0);
}

/* A page of this target stands in the hot cache alone, past its ttl. */
static void make_stale(struct fixture *f, int fd)
{
    struct hot_page *hot;

    ask(f, fd, "/a", "");
    render_all(f);
    (void)hear(fd);
    hot = hot_get(f->worker.http->hot, "a/a", 3, key_hash("a/a", 3));
    assert_non_null(hot);
    hot->page.fresh_until_ms = region_now_ms(f->region) - 1;
    (void)cold_delete(f->worker.cold, "a/a", 3, key_hash("a/a", 3));
}

static void who_meets_anothers_render_waits_and_gets_its_page(void **state)
{
    struct fixture *f = *state;
    int fd[2] = {client(f), client(f)};
    static uint64_t copy[1024];
    struct claim claim;

    ask(f, fd[0], "/a", "");
    render_all(f);
    (void)hear(fd[0]);
    take_out(f, "a/a", (struct page *)copy);
    claim = claimed_by_other(f, "/a");
    ask(f, fd[0], "/a", "");
    assert_false(begin(f));
    ask(f, fd[1], "/a", ""); /* joins who waits */
    assert_int_equal(f->renderer.queued, 0);
    assert_string_equal(hear(fd[0]), "");
    assert_int_equal(cold_put(f->worker.cold, (struct page *)copy), 0);
    ends(f, claim, CLAIM_STORED);
    assert_hears(fd[0], "fwd=uri-miss; collapsed", "render 1 /a");
    assert_hears(fd[1], "fwd=uri-miss; collapsed", "render 1 /a");
    assert_int_equal(f->renderer.renders, 1);
    assert_int_equal(count_of(&f->worker.stats->cache_collapsed), 2);
    (void)close(fd[0]);
    (void)close(fd[1]);
}

static void a_page_that_is_gone_again_is_rendered(void **state)
{
    struct fixture *f = *state;
    int fd = client(f);
    struct claim claim = claimed_by_other(f, "/a");

    ask(f, fd, "/a", "");
    assert_false(begin(f));
    ends(f, claim, CLAIM_STORED);
    assert_int_equal(f->renderer.queued, 1);
    render_all(f);
    assert_hears(fd, "fwd=uri-miss; stored", "render 1 /a");
    (void)close(fd);
}

static void failures_are_shared(void **state)
{
    static const struct {
        enum claim_outcome outcome;
        const char *status;
    } cases[] = {{CLAIM_ERROR, "500"}, {CLAIM_TIMEOUT, "504"}, {CLAIM_SHED, "503"}};
    struct fixture *f = *state;
    int fd = client(f);

    for (size_t i = 0; i < array_len(cases); i++) {
        struct claim claim = claimed_by_other(f, "/a");

        ask(f, fd, "/a", "");
        assert_false(begin(f));
        ends(f, claim, cases[i].outcome);
        assert_hears(fd, cases[i].status, "X-Request-Id");
    }
    assert_int_equal(f->renderer.renders, 0);
    (void)close(fd);
}

static void a_failure_elsewhere_does_not_replace_a_stale_page(void **state)
{
    struct fixture *f = *state;
    int fd = client(f);
    struct claim claim;

    f->result.sie_ms = 60000;
    make_stale(f, fd);
    claim = claimed_by_other(f, "/a");
    ask(f, fd, "/a", "");
    assert_false(begin(f));
    ends(f, claim, CLAIM_ERROR);
    assert_hears(fd, "200 OK", "render 1 /a");
    (void)close(fd);
}

static void who_waited_for_a_private_page_renders_its_own(void **state)
{
    struct fixture *f = *state;
    int fd[3] = {client(f), client(f), client(f)};
    struct claim claim = claimed_by_other(f, "/a");

    for (int i = 0; i < 2; i++)
        ask(f, fd[i], "/a", "");
    assert_false(begin(f));
    ends(f, claim, CLAIM_PRIVATE);
    assert_int_equal(f->renderer.queued, 2);
    claim = claimed_by_other(f, "/a"); /* by now nobody waits for it */
    ask(f, fd[2], "/a", "");
    render_all(f);
    for (int i = 0; i < 3; i++) {
        assert_hears(fd[i], "200 OK", "render");
        (void)close(fd[i]);
    }
    assert_int_equal(f->renderer.renders, 3);
}

static void one_takes_over_from_the_dead(void **state)
{
    struct fixture *f = *state;
    int fd = client(f);

    (void)claimed_by_other(f, "/a");
    ask(f, fd, "/a", "");
    assert_false(begin(f));
    assert_int_equal(claim_reap(f->region, &f->heritage.bells, f->other_row), 1);
    turn(f);
    assert_int_equal(f->renderer.queued, 1);
    render_all(f);
    assert_hears(fd, "stored", "render 1 /a");
    (void)close(fd);
}

static void who_comes_after_a_purge_does_not_wait_for_an_older_render(void **state)
{
    struct fixture *f = *state;
    int fd = client(f);

    (void)claimed_by_other(f, "/a");
    purge_url(f->worker.purge, "/a", 2);
    ask(f, fd, "/a", "");
    render_all(f);
    assert_hears(fd, "stored", "render 1 /a");
    (void)close(fd);
}

static void nobody_waits_for_a_client_that_left(void **state)
{
    struct fixture *f = *state;
    int fd = client(f);
    struct claim claim = claimed_by_other(f, "/a");

    ask(f, fd, "/a", "");
    assert_false(begin(f));
    conn_free(TAILQ_FIRST(&f->worker.http->conns));
    ends(f, claim, CLAIM_LOST);
    assert_int_equal(f->renderer.queued, 0);
    (void)close(fd);
}

static void one_worker_renews_a_stale_page_and_another_if_it_dies(void **state)
{
    struct fixture *f = *state;
    int fd = client(f);

    f->result.swr_ms = 60000;
    make_stale(f, fd);
    (void)claimed_by_other(f, "/a");
    ask(f, fd, "/a", "");
    assert_hears(fd, "detail=stale", "render 1 /a");
    assert_int_equal(f->renderer.queued, 1);
    assert_false(begin(f));
    ask(f, fd, "/a", "");
    assert_hears(fd, "detail=stale", "render 1 /a");
    assert_int_equal(f->renderer.queued, 0);
    (void)claim_reap(f->region, &f->heritage.bells, f->other_row);
    turn(f);
    render_all(f);
    ask(f, fd, "/a", "");
    assert_hears(fd, "detail=hot", "render 2 /a");
    (void)close(fd);
}

static void what_a_worker_renders_is_claimed_meanwhile(void **state)
{
    struct fixture *f = *state;
    int fd = client(f);

    ask(f, fd, "/a", "");
    assert_int_equal(claim_count(claims_of(f->region)), 0);
    assert_true(begin(f));
    assert_int_equal(claim_count(claims_of(f->region)), 1);
    end(f);
    assert_int_equal(claim_count(claims_of(f->region)), 0);
    (void)close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(who_meets_anothers_render_waits_and_gets_its_page),
        TEST(a_page_that_is_gone_again_is_rendered),
        TEST(failures_are_shared),
        TEST(a_failure_elsewhere_does_not_replace_a_stale_page),
        TEST(who_waited_for_a_private_page_renders_its_own),
        TEST(one_takes_over_from_the_dead),
        TEST(who_comes_after_a_purge_does_not_wait_for_an_older_render),
        TEST(nobody_waits_for_a_client_that_left),
        TEST(one_worker_renews_a_stale_page_and_another_if_it_dies),
        TEST(what_a_worker_renders_is_claimed_meanwhile),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
