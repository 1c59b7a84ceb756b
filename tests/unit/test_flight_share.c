/* SPDX-License-Identifier: MIT */
/* test_flight_share.c - renders that another worker does, and what a worker does for others. */
#include "shm/bell.h"
#include "shm/offer.h"
#include "worker/flight.h"
#include "worker/portable.h"
#include "worker/request.h"

#include "tests/unit/http_fixture.h"

#define OTHER 1u /* the number of the worker that the test plays */

static int setup_two(void **state)
{
    struct fixture *f;
    int error = setup(state);

    f = *state;
    if (!error)
        error = offers_new(&f->worker.offers);
    return error;
}

static int teardown_two(void **state)
{
    struct fixture *f = *state;
    struct offers *offers = f->worker.offers;
    int error;

    http_free(f->worker.http);
    f->worker.http = NULL;
    assert_int_equal(offers_count(offers), 0); /* whatever happened, nothing is left */
    error = teardown(state);
    offers_free(offers);
    return error;
}

/* The other worker takes what is offered; it must be this target. */
static struct offer taken(struct fixture *f, const char *target)
{
    struct offer offer = {0};
    struct portable p;
    uint64_t queued_ns;
    const void *at;
    size_t bytes;

    assert_int_equal(offer_take(f->worker.offers, OTHER, &offer, &at, &bytes, &queued_ns), 0);
    assert_int_equal(portable_read(at, bytes, &p), 0);
    assert_true(p.head.bytes > strlen(target) + 4);
    assert_memory_equal(p.head.data + 4, target, strlen(target));
    return offer;
}

static bool is_offered(struct fixture *f)
{
    struct offer offer;
    uint64_t queued_ns;
    const void *at;
    size_t bytes;

    if (offer_take(f->worker.offers, OTHER, &offer, &at, &bytes, &queued_ns) != 0)
        return false;
    offer_finish(f->worker.offers, &f->heritage.bells, offer, 0);
    return true;
}

/* The first render begins and goes on; two more are asked for. */
static void keep_busy(struct fixture *f, int fd[static 3])
{
    ask(f, fd[0], "/a", "");
    assert_true(begin(f));
    ask(f, fd[1], "/b", "");
    ask(f, fd[2], "/c", "");
}

static void open_clients(struct fixture *f, int fd[static 3])
{
    for (int i = 0; i < 3; i++)
        fd[i] = client(f);
}

static void close_clients(int fd[static 3])
{
    for (int i = 0; i < 3; i++)
        (void)close(fd[i]);
}

static void what_can_start_at_once_is_not_offered(void **state)
{
    struct fixture *f = *state;
    int fd = client(f);

    ask(f, fd, "/a", "");
    assert_int_equal(offers_count(f->worker.offers), 0);
    render_all(f);
    (void)close(fd);
}

static void what_nobody_took_is_rendered_at_home(void **state)
{
    struct fixture *f = *state;
    int fd[3];

    open_clients(f, fd);
    keep_busy(f, fd);
    assert_int_equal(offers_count(f->worker.offers), 2);
    end(f);
    render_all(f);
    assert_int_equal(offers_count(f->worker.offers), 0);
    assert_hears(fd[1], "fwd=uri-miss; stored", "render 2 /b");
    assert_hears(fd[2], "fwd=uri-miss; stored", "render 3 /c");
    close_clients(fd);
}

static void what_another_failed_at_is_told_and_not_rendered(void **state)
{
    struct fixture *f = *state;
    struct {
        uint32_t verdict;
        uint16_t status;
        uint16_t rest;
        uint32_t page_bytes;
        char detail[52];
    } failed = {.verdict = 3, .status = 504};
    struct offer offer;
    int fd[3];

    open_clients(f, fd);
    keep_busy(f, fd);
    offer = taken(f, "/b");
    end(f);
    assert_false(begin(f)); /* its turn, but another has it */
    memcpy(offer_room(f->worker.offers, offer), &failed, sizeof failed);
    offer_finish(f->worker.offers, &f->heritage.bells, offer, sizeof failed);
    turn(f);
    assert_hears(fd[1], "504", "X-Request-Id");
    render_all(f);
    close_clients(fd);
}

static void what_a_dead_taker_had_is_rendered_at_home_and_not_offered_again(void **state)
{
    struct fixture *f = *state;
    int fd[3];

    open_clients(f, fd);
    keep_busy(f, fd);
    (void)taken(f, "/b");
    (void)offers_reap(f->worker.offers, &f->heritage.bells, OTHER);
    turn(f);
    assert_true(is_offered(f)); /* /c */
    assert_false(is_offered(f));
    turn(f);
    end(f);
    render_all(f);
    assert_hears(fd[1], "stored", "/b");
    assert_hears(fd[2], "stored", "/c");
    close_clients(fd);
}

static void results_that_are_nonsense_are_rendered_at_home(void **state)
{
    static const char nonsense[200] = {2, 0, 0, 0, 0, 0, 0, 0, 100}; /* a "page" of 100 bytes */
    struct fixture *f = *state;
    size_t bytes[] = {sizeof nonsense, 70, 64, 3};
    int fd[3];

    open_clients(f, fd);
    for (size_t i = 0; i < array_len(bytes); i++) {
        char target[2][8] = {{'/', 'x', (char)('0' + i)}, {'/', 'y', (char)('0' + i)}};
        struct offer offer;

        ask(f, fd[0], target[0], "");
        assert_true(begin(f));
        ask(f, fd[1], target[1], "");
        offer = taken(f, target[1]);
        memcpy(offer_room(f->worker.offers, offer), nonsense, bytes[i]);
        offer_finish(f->worker.offers, &f->heritage.bells, offer, bytes[i]);
        turn(f);
        end(f);
        render_all(f);
        assert_hears(fd[1], "stored", target[1]);
        (void)hear(fd[0]);
    }
    close_clients(fd);
}

static void who_left_is_taken_out_of_the_queue(void **state)
{
    struct fixture *f = *state;
    int fd[3];

    open_clients(f, fd);
    keep_busy(f, fd);
    conn_free(TAILQ_LAST(&f->worker.http->conns, conn_list));
    http_wake(f->worker.http);
    flights_check(f->worker.http->requests);
    assert_int_equal(f->renderer.queued, 1);
    assert_int_equal(offers_count(f->worker.offers), 1);
    end(f);
    render_all(f);
    close_clients(fd);
}

static void back_ends_renders_stay_at_home(void **state)
{
    struct fixture *f = *state;
    int fd[3];

    open_clients(f, fd);
    TAILQ_LAST(&f->worker.http->conns, conn_list)->admin = true;
    ask(f, fd[0], "/a", "");
    assert_true(begin(f));
    TAILQ_LAST(&f->worker.http->conns, conn_list)->admin = false;
    ask(f, fd[2], "/b", "");
    assert_int_equal(offers_count(f->worker.offers), 1);
    end(f);
    render_all(f);
    close_clients(fd);
}

/* ---- as a guest ---- */

/* Another worker offers a request. */
static struct offer offered_by_https(struct fixture *f, const char *target, const char *fields,
                                     bool https)
{
    char text[200], key_text[100];
    struct portable p = {
        .kind = FLIGHT_SHARED, .believed = https, .https = https, .id = "0123456789abcde"};
    struct offer offer;
    void *at;

    p.key.bytes = (size_t)snprintf(key_text, sizeof key_text, "a%s", target);
    p.key.data = key_text;
    p.key.primary_bytes = (uint32_t)p.key.bytes;
    p.key.path_offset = 1;
    p.key.path_bytes = (uint32_t)p.key.bytes - 1;
    p.head.bytes =
        (size_t)snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nhost: a\r\n%s\r\n", target, fields);
    p.head.data = text;
    assert_int_equal(offer_begin(f->worker.offers, OTHER, &offer, &at), 0);
    offer_publish(f->worker.offers, &f->heritage.bells, offer,
                  portable_write(&p, at, OFFER_REQUEST_BYTES), 1);
    return offer;
}

static struct offer offered(struct fixture *f, const char *target, const char *fields)
{
    return offered_by_https(f, target, fields, false);
}

static uint32_t verdict_of(struct fixture *f, struct offer offer)
{
    uint32_t verdict;
    size_t bytes;

    assert_int_equal(offer_look(f->worker.offers, offer), OFFER_DONE);
    memcpy(&verdict, offer_result(f->worker.offers, offer, &bytes), sizeof verdict);
    offer_drop(f->worker.offers, offer);
    return verdict;
}

static void an_idle_worker_renders_for_another_and_stores(void **state)
{
    struct fixture *f = *state;
    struct offer offer = offered(f, "/a", "");
    int fd = client(f);

    assert_true(requests_help(f->worker.http->requests));
    assert_false(requests_help(f->worker.http->requests)); /* no more than one */
    render_all(f);
    assert_int_equal(verdict_of(f, offer), 1);
    ask(f, fd, "/a", "");
    assert_hears(fd, "detail=hot", "render 1 /a");
    assert_int_equal(count_of(&f->worker.stats->renders_helped), 1);
    assert_int_equal(count_of(&f->worker.stats->cache_miss), 0); /* its owner counts the request */
    (void)close(fd);
}

static void local_requests_join_a_guest_but_get_no_private_page_of_it(void **state)
{
    struct fixture *f = *state;
    struct offer offer = offered(f, "/a", "");
    int fd = client(f);

    assert_true(requests_help(f->worker.http->requests));
    assert_true(begin(f));
    ask(f, fd, "/a", "");
    assert_int_equal(f->renderer.queued, 0);
    f->result.reads.cookie = true;
    end(f);
    assert_int_equal(verdict_of(f, offer), 2);
    assert_string_equal(hear(fd), "");
    render_all(f);
    assert_hears(fd, "detail=read-cookie", "render 2 /a");
    (void)close(fd);
}

static bool is_seen(const struct fixture *f, const char *name)
{
    const struct js_request *q = &f->renderer.open->request;

    for (size_t i = 0; i < q->header_count; i++)
        if (q->headers[i].name_bytes == strlen(name) &&
            memcmp(q->headers[i].name, name, strlen(name)) == 0)
            return true;
    return false;
}

/* The head comes as it was sent; what its worker did not believe is not believed here. */
static void what_proxies_said_is_believed_where_the_owner_did(void **state)
{
    static const char fields[] = "X-Forwarded-Host: shop\r\n";
    struct fixture *f = *state;
    struct offer offer = offered(f, "/a", fields);

    assert_true(requests_help(f->worker.http->requests));
    assert_true(begin(f));
    assert_false(is_seen(f, "x-forwarded-host"));
    assert_int_equal(f->renderer.open->request.origin_bytes, 8);
    assert_memory_equal(f->renderer.open->request.origin, "http://a", 8);
    end(f);
    assert_int_equal(verdict_of(f, offer), 1);
    offer = offered_by_https(f, "/b", fields, true);
    assert_true(requests_help(f->worker.http->requests));
    assert_true(begin(f));
    assert_true(is_seen(f, "x-forwarded-host"));
    assert_int_equal(f->renderer.open->request.origin_bytes, 12);
    assert_memory_equal(f->renderer.open->request.origin, "https://shop", 12);
    end(f);
    assert_int_equal(verdict_of(f, offer), 1);
}

static void what_the_owner_believed_goes_along(void **state)
{
    struct fixture *f = *state;
    struct offer offer;
    struct portable p;
    uint64_t queued_ns;
    const void *at;
    size_t bytes;
    int fd[3];

    open_clients(f, fd);
    assert_int_equal(network_parse("unix", &f->worker.http->trusted[0]), 0);
    f->worker.http->trusted_count = 1;
    TAILQ_LAST(&f->worker.http->conns, conn_list)->client.trusted = 1;
    ask(f, fd[0], "/a", "");
    assert_true(begin(f));
    ask(f, fd[2], "/b", "X-Forwarded-Proto: https\r\n");
    assert_int_equal(offer_take(f->worker.offers, OTHER, &offer, &at, &bytes, &queued_ns), 0);
    assert_int_equal(portable_read(at, bytes, &p), 0);
    assert_true(p.believed && p.https);
    offer_finish(f->worker.offers, &f->heritage.bells, offer, 0);
    turn(f);
    end(f);
    render_all(f);
    close_clients(fd);
}

static void a_guests_failure_is_told(void **state)
{
    struct fixture *f = *state;
    struct offer offer = offered(f, "/a", "");

    f->result.outcome = JS_TIMEOUT;
    assert_true(requests_help(f->worker.http->requests));
    render_all(f);
    assert_int_equal(verdict_of(f, offer), 3);
}

static void a_guest_whose_owner_dropped_it_is_not_rendered(void **state)
{
    struct fixture *f = *state;
    struct offer offer = offered(f, "/a", "");

    assert_true(requests_help(f->worker.http->requests));
    offer_drop(f->worker.offers, offer);
    assert_false(begin(f));
    assert_int_equal(f->renderer.renders, 0);
}

static void requests_that_are_nonsense_are_given_back(void **state)
{
    struct fixture *f = *state;
    struct offer offer;
    void *at;

    assert_int_equal(offer_begin(f->worker.offers, OTHER, &offer, &at), 0);
    memset(at, 'x', 100);
    offer_publish(f->worker.offers, &f->heritage.bells, offer, 100, 1);
    assert_false(requests_help(f->worker.http->requests));
    assert_int_equal(offer_look(f->worker.offers, offer), OFFER_LOST);
    offer_drop(f->worker.offers, offer);
}

static void a_draining_worker_takes_nothing(void **state)
{
    struct fixture *f = *state;
    struct offer offer = offered(f, "/a", "");

    f->worker.draining = true;
    assert_false(requests_help(f->worker.http->requests));
    assert_int_equal(offer_look(f->worker.offers, offer), OFFER_OPEN);
    assert_true(offer_withdraw(f->worker.offers, offer));
}

#define TWO(name) cmocka_unit_test_setup_teardown(name, setup_two, teardown_two)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TWO(what_can_start_at_once_is_not_offered),
        TWO(what_nobody_took_is_rendered_at_home),
        TWO(what_another_failed_at_is_told_and_not_rendered),
        TWO(what_a_dead_taker_had_is_rendered_at_home_and_not_offered_again),
        TWO(results_that_are_nonsense_are_rendered_at_home),
        TWO(who_left_is_taken_out_of_the_queue),
        TWO(back_ends_renders_stay_at_home),
        TWO(an_idle_worker_renders_for_another_and_stores),
        TWO(local_requests_join_a_guest_but_get_no_private_page_of_it),
        TWO(what_proxies_said_is_believed_where_the_owner_did),
        TWO(what_the_owner_believed_goes_along),
        TWO(a_guests_failure_is_told),
        TWO(a_guest_whose_owner_dropped_it_is_not_rendered),
        TWO(requests_that_are_nonsense_are_given_back),
        TWO(a_draining_worker_takes_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
