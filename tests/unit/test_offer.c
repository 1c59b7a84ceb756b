/* SPDX-License-Identifier: MIT */
/* test_offer.c - renders offered to other workers: each is done once, and its owner is told. */
#include "shm/offer.h"

#include "shm/bell.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>

#include <cmocka.h>

#define WORKERS 3u

struct fixture {
    struct offers *offers;
    int fd[WORKERS];
    struct bells bells;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    *state = f;
    f->bells = (struct bells){f->fd, WORKERS, 1};
    for (uint32_t i = 0; i < WORKERS; i++)
        f->fd[i] = eventfd(0, EFD_NONBLOCK);
    return offers_new(&f->offers);
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    for (uint32_t i = 0; i < WORKERS; i++)
        (void)close(f->fd[i]);
    offers_free(f->offers);
    free(f);
    return 0;
}

static bool rang(struct fixture *f, uint32_t worker)
{
    uint64_t count;

    return read(f->fd[worker], &count, sizeof count) == (ssize_t)sizeof count;
}

static struct offer offered(struct fixture *f, uint32_t owner, const char *text, uint64_t queued_ns)
{
    struct offer offer;
    void *at;

    assert_int_equal(offer_begin(f->offers, owner, &offer, &at), 0);
    memcpy(at, text, strlen(text));
    offer_publish(f->offers, &f->bells, offer, strlen(text), queued_ns);
    return offer;
}

/* The next one, whose request must be this text; NULL: there is none. */
static struct offer taken(struct fixture *f, uint32_t taker, const char *text)
{
    struct offer offer = {0};
    const void *at;
    size_t bytes;
    uint64_t queued_ns;
    int error = offer_take(f->offers, taker, &offer, &at, &bytes, &queued_ns);

    assert_int_equal(error, text ? 0 : -ENOENT);
    if (text) {
        assert_int_equal(bytes, strlen(text));
        assert_memory_equal(at, text, bytes);
    }
    return offer;
}

static void finish(struct fixture *f, struct offer offer, const char *text)
{
    memcpy(offer_room(f->offers, offer), text, strlen(text));
    offer_finish(f->offers, &f->bells, offer, strlen(text));
}

static void what_is_offered_is_taken_once_and_comes_back(void **state)
{
    struct fixture *f = *state;
    struct offer mine = offered(f, 0, "job", 5), theirs;
    size_t bytes;

    assert_int_equal(offer_look(f->offers, mine), OFFER_OPEN);
    theirs = taken(f, 1, "job");
    (void)taken(f, 2, NULL);
    assert_int_equal(offer_look(f->offers, mine), OFFER_TAKEN);
    assert_true(offer_is_wanted(f->offers, theirs));
    assert_false(rang(f, 0));
    finish(f, theirs, "page");
    assert_true(rang(f, 0));
    assert_int_equal(offer_look(f->offers, mine), OFFER_DONE);
    assert_memory_equal(offer_result(f->offers, mine, &bytes), "page", 4);
    assert_int_equal(bytes, 4);
    offer_drop(f->offers, mine);
    assert_int_equal(offers_count(f->offers), 0);
}

static void the_oldest_is_taken_first(void **state)
{
    struct fixture *f = *state;

    (void)offered(f, 0, "b", 20);
    (void)offered(f, 1, "c", 30);
    (void)offered(f, 0, "a", 10);
    (void)taken(f, 2, "a");
    (void)taken(f, 2, "b");
    (void)taken(f, 2, "c");
}

static void what_is_withdrawn_is_nobodys(void **state)
{
    struct fixture *f = *state;
    struct offer mine = offered(f, 0, "job", 5);

    assert_true(offer_withdraw(f->offers, mine));
    (void)taken(f, 1, NULL);
    assert_int_equal(offers_count(f->offers), 0);
    mine = offered(f, 0, "job", 5);
    (void)taken(f, 1, "job");
    assert_false(offer_withdraw(f->offers, mine)); /* too late */
}

static void what_was_given_up_is_its_owners_again(void **state)
{
    struct fixture *f = *state;
    struct offer mine = offered(f, 0, "job", 5);

    offer_finish(f->offers, &f->bells, taken(f, 1, "job"), 0);
    assert_true(rang(f, 0));
    assert_int_equal(offer_look(f->offers, mine), OFFER_LOST);
    offer_drop(f->offers, mine);
    assert_int_equal(offers_count(f->offers), 0);
}

static void nobody_works_on_for_an_owner_that_dropped_it(void **state)
{
    struct fixture *f = *state;
    struct offer mine = offered(f, 0, "job", 5), theirs = taken(f, 1, "job");

    offer_drop(f->offers, mine);
    assert_false(offer_is_wanted(f->offers, theirs));
    assert_int_equal(offers_count(f->offers), 1); /* its request may still be read */
    finish(f, theirs, "page");
    assert_false(rang(f, 0));
    assert_int_equal(offers_count(f->offers), 0);
}

static void one_idle_worker_is_woken_for_each_offer(void **state)
{
    struct fixture *f = *state;

    assert_false(offers_idle(f->offers, 1));
    assert_false(offers_idle(f->offers, 2));
    (void)offered(f, 0, "a", 1);
    assert_int_equal(rang(f, 1) + rang(f, 2), 1);
    (void)offered(f, 0, "b", 2);
    assert_int_equal(rang(f, 1) + rang(f, 2), 1);
    (void)offered(f, 0, "c", 3); /* nobody is idle by now */
    assert_int_equal(rang(f, 1) + rang(f, 2), 0);
    assert_true(offers_idle(f->offers, 1)); /* looks for itself */
    offers_busy(f->offers, 1);
    (void)offered(f, 0, "d", 4);
    assert_false(rang(f, 1));
}

static void a_dead_owners_offers_go(void **state)
{
    struct fixture *f = *state;
    struct offer offer, theirs;
    void *at;

    (void)offered(f, 0, "a", 1);
    theirs = taken(f, 1, "a");
    (void)offered(f, 0, "b", 2);
    assert_int_equal(offer_begin(f->offers, 0, &offer, &at), 0);
    assert_int_equal(offers_reap(f->offers, &f->bells, 0), 3);
    (void)taken(f, 1, NULL);
    assert_false(offer_is_wanted(f->offers, theirs));
    assert_int_equal(offers_count(f->offers), 1); /* until its taker is done */
    finish(f, theirs, "page");
    assert_int_equal(offers_count(f->offers), 0);
}

static void a_dead_takers_work_is_its_owners_again(void **state)
{
    struct fixture *f = *state;
    struct offer lost = offered(f, 0, "a", 1), unheard = offered(f, 0, "b", 2);

    (void)taken(f, 1, "a");
    finish(f, taken(f, 1, "b"), "page");
    assert_true(rang(f, 0));
    assert_int_equal(offers_reap(f->offers, &f->bells, 1), 1);
    assert_true(rang(f, 0));
    assert_int_equal(offer_look(f->offers, lost), OFFER_LOST);
    assert_int_equal(offer_look(f->offers, unheard), OFFER_DONE);
}

static void both_dead_leave_nothing(void **state)
{
    struct fixture *f = *state;

    for (uint32_t first = 0; first < 2; first++) {
        (void)offered(f, 0, "a", 1);
        (void)taken(f, 1, "a");
        (void)offers_reap(f->offers, &f->bells, first);
        (void)offers_reap(f->offers, &f->bells, 1 - first);
        assert_int_equal(offers_count(f->offers), 0);
    }
}

static void a_full_table_refuses(void **state)
{
    struct fixture *f = *state;
    struct offer offer;
    void *at;

    for (uint32_t i = 0; i < OFFERS_MAX; i++)
        (void)offered(f, 0, "a", i);
    assert_int_equal(offer_begin(f->offers, 0, &offer, &at), -ENOSPC);
}

static void all_waiting_renders_are_counted(void **state)
{
    struct fixture *f = *state;

    offers_set_waiting(f->offers, 0, 0, 3);
    offers_set_waiting(f->offers, 2, 0, 4);
    offers_set_waiting(f->offers, 2, 5, 2);
    assert_int_equal(offers_waiting(f->offers, WORKERS, 0), 7);
    assert_int_equal(offers_waiting(f->offers, WORKERS, 5), 2);
    (void)offers_reap(f->offers, &f->bells, 2);
    assert_int_equal(offers_waiting(f->offers, WORKERS, 0), 3);
    assert_int_equal(offers_waiting(f->offers, WORKERS, 5), 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(what_is_offered_is_taken_once_and_comes_back),
        T(the_oldest_is_taken_first),
        T(what_is_withdrawn_is_nobodys),
        T(what_was_given_up_is_its_owners_again),
        T(nobody_works_on_for_an_owner_that_dropped_it),
        T(one_idle_worker_is_woken_for_each_offer),
        T(a_dead_owners_offers_go),
        T(a_dead_takers_work_is_its_owners_again),
        T(both_dead_leave_nothing),
        T(a_full_table_refuses),
        T(all_waiting_renders_are_counted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
