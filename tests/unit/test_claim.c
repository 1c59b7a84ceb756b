/* SPDX-License-Identifier: MIT */
/* test_claim.c - who renders which key: one owner, and everybody who waits is told. */
#include "shm/claim.h"

#include "shm/bell.h"
#include "shm/peers.h"
#include "shm/region.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/eventfd.h>

#include <cmocka.h>

#define WORKERS 3u

struct fixture {
    struct region *region;
    struct claims *claims;
    int fd[WORKERS];
    struct bells bells;
    uint32_t row[WORKERS];
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    *state = f;
    if (region_create(&(struct region_sizes){MIB, 64 * KIB}, &f->region) != 0)
        return -1;
    f->claims = claims_of(f->region);
    f->bells = (struct bells){f->fd, WORKERS, 1};
    for (uint32_t i = 0; i < WORKERS; i++) {
        f->fd[i] = eventfd(0, EFD_NONBLOCK);
        if (peer_claim(f->region, 1, i, -1, &f->row[i]) != 0)
            return -1;
    }
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    for (uint32_t i = 0; i < WORKERS; i++)
        (void)close(f->fd[i]);
    region_close(f->region);
    free(f);
    return 0;
}

static struct claim_key key_of(uint64_t hash)
{
    return (struct claim_key){.hash = hash, .check = ~hash, .edition = 1, .epoch = 1};
}

static int claim_by(struct fixture *f, uint32_t worker, uint64_t hash, struct claim *ret_claim)
{
    struct claim_key key = key_of(hash);

    return claim_take(f->region, &f->bells, f->row[worker], &key, ret_claim);
}

/* Did its bell ring since the last look? */
static bool rang(struct fixture *f, uint32_t worker)
{
    uint64_t count;

    return read(f->fd[worker], &count, sizeof count) == (ssize_t)sizeof count;
}

static void release_by(struct fixture *f, struct claim claim, enum claim_outcome outcome)
{
    claim_release(f->region, &f->bells, claim, outcome);
}

static void a_key_has_one_owner(void **state)
{
    struct fixture *f = *state;
    struct claim first, seen;

    assert_int_equal(claim_by(f, 0, 7, &first), 0);
    assert_int_equal(claim_by(f, 1, 7, &seen), -EBUSY);
    assert_int_equal(seen.slot, first.slot);
    assert_int_equal(seen.version, first.version);
    assert_int_equal(claim_by(f, 0, 7, &seen), -EBUSY); /* not twice by one row either */
    assert_int_equal(claim_by(f, 1, 8, &seen), 0);
    assert_int_equal(claim_count(f->claims), 2);
}

static void what_is_released_can_be_claimed_again(void **state)
{
    struct fixture *f = *state;
    struct claim claim;

    for (int i = 0; i < 5000; i++) { /* more than there are slots */
        assert_int_equal(claim_by(f, (uint32_t)i % WORKERS, 7, &claim), 0);
        release_by(f, claim, CLAIM_STORED);
    }
    assert_int_equal(claim_count(f->claims), 0);
}

static void keys_that_differ_in_any_part_have_their_own_owners(void **state)
{
    struct fixture *f = *state;
    struct claim_key key = key_of(7);
    struct claim claim;

    /* one bucket has room for three */
    assert_int_equal(claim_take(f->region, &f->bells, f->row[0], &key, &claim), 0);
    key.check++;
    assert_int_equal(claim_take(f->region, &f->bells, f->row[0], &key, &claim), 0);
    key.epoch++;
    assert_int_equal(claim_take(f->region, &f->bells, f->row[0], &key, &claim), 0);
    release_by(f, claim, CLAIM_STORED);
    key.edition++;
    assert_int_equal(claim_take(f->region, &f->bells, f->row[0], &key, &claim), 0);
    key.hash += UINT64_C(1) << 32;
    assert_int_equal(claim_take(f->region, &f->bells, f->row[0], &key, &claim), -ENOSPC);
}

static void who_waits_is_woken_and_told_how_it_ended(void **state)
{
    struct fixture *f = *state;
    struct claim claim, seen;

    assert_int_equal(claim_by(f, 0, 7, &claim), 0);
    assert_int_equal(claim_by(f, 1, 7, &seen), -EBUSY);
    assert_true(claim_wait(f->claims, f->row[1], seen));
    assert_int_equal(claim_look(f->claims, seen), CLAIM_OPEN);
    assert_false(rang(f, 1));
    release_by(f, claim, CLAIM_TIMEOUT);
    assert_true(rang(f, 1));
    assert_false(rang(f, 2));
    assert_int_equal(claim_look(f->claims, seen), CLAIM_TIMEOUT);
}

static void an_outcome_is_kept_until_all_have_looked(void **state)
{
    struct fixture *f = *state;
    struct claim claim, seen;

    assert_int_equal(claim_by(f, 0, 7, &claim), 0);
    assert_int_equal(claim_by(f, 1, 7, &seen), -EBUSY);
    assert_true(claim_wait(f->claims, f->row[1], seen));
    release_by(f, claim, CLAIM_ERROR);
    for (uint64_t i = 0; i < 3000; i++) {
        assert_int_equal(claim_by(f, 0, i, &claim), 0);
        release_by(f, claim, CLAIM_STORED);
    }
    assert_int_equal(claim_look(f->claims, seen), CLAIM_ERROR);
    claim_leave(f->claims, f->row[1], seen);
    for (uint64_t i = 0; i < 3000; i++) {
        assert_int_equal(claim_by(f, 0, i * 7919, &claim), 0);
        release_by(f, claim, CLAIM_STORED);
    }
    assert_int_equal(claim_look(f->claims, seen), CLAIM_LOST); /* no longer known */
}

static void waiting_for_what_is_over_is_refused(void **state)
{
    struct fixture *f = *state;
    struct claim claim, seen;

    assert_int_equal(claim_by(f, 0, 7, &claim), 0);
    assert_int_equal(claim_by(f, 1, 7, &seen), -EBUSY);
    release_by(f, claim, CLAIM_STORED);
    assert_false(claim_wait(f->claims, f->row[1], seen));
    assert_int_equal(claim_look(f->claims, seen), CLAIM_STORED);
}

static void a_dead_owners_claims_are_lost_and_waiters_woken(void **state)
{
    struct fixture *f = *state;
    struct claim claim, seen;

    assert_int_equal(claim_by(f, 0, 7, &claim), 0);
    for (uint32_t i = 1; i < WORKERS; i++) {
        assert_int_equal(claim_by(f, i, 7, &seen), -EBUSY);
        assert_true(claim_wait(f->claims, f->row[i], seen));
    }
    assert_int_equal(claim_reap(f->region, &f->bells, f->row[0]), 1);
    assert_true(rang(f, 1));
    assert_true(rang(f, 2));
    assert_int_equal(claim_look(f->claims, seen), CLAIM_LOST);
    assert_int_equal(claim_by(f, 1, 7, &claim), 0); /* one of them takes over */
    assert_int_equal(claim_by(f, 2, 7, &seen), -EBUSY);
    assert_int_equal(claim_reap(f->region, &f->bells, f->row[0]), 0);
}

static void a_late_release_of_a_reaped_claim_does_nothing(void **state)
{
    struct fixture *f = *state;
    struct claim old, claim, seen;

    assert_int_equal(claim_by(f, 0, 7, &old), 0);
    assert_int_equal(claim_reap(f->region, &f->bells, f->row[0]), 1);
    assert_int_equal(claim_by(f, 1, 7, &claim), 0);
    release_by(f, old, CLAIM_STORED);
    assert_int_equal(claim_by(f, 2, 7, &seen), -EBUSY);
}

static void a_dead_waiter_keeps_no_slot(void **state)
{
    struct fixture *f = *state;
    struct claim claim, seen;

    for (uint64_t i = 0; i < 1024; i++) { /* as many as there are slots */
        assert_int_equal(claim_by(f, 0, i, &claim), 0);
        assert_int_equal(claim_by(f, 1, i, &seen), -EBUSY);
        (void)claim_wait(f->claims, f->row[1], seen);
        release_by(f, claim, CLAIM_STORED);
    }
    assert_int_equal(claim_by(f, 0, 5000, &claim), -ENOSPC);
    assert_int_equal(claim_reap(f->region, &f->bells, f->row[1]), 0);
    assert_int_equal(claim_by(f, 0, 5000, &claim), 0);
}

static void bells_of_another_generation_are_not_rung(void **state)
{
    struct fixture *f = *state;
    struct bells other = f->bells;

    other.generation = 2;
    bell_ring(f->region, &other, f->row[1]);
    assert_false(rang(f, 1));
    bell_ring(f->region, &f->bells, REGION_PEERS_MAX); /* no such row */
    bell_ring(f->region, &f->bells, f->row[1]);
    assert_true(rang(f, 1));
}

static void the_second_hash_depends_on_the_region(void **state)
{
    struct fixture *f = *state;
    struct region *other;

    assert_int_equal(region_create(&(struct region_sizes){MIB, 64 * KIB}, &other), 0);
    assert_int_equal(claim_check(f->claims, "a/b", 3), claim_check(f->claims, "a/b", 3));
    assert_true(claim_check(f->claims, "a/b", 3) != claim_check(claims_of(other), "a/b", 3));
    region_close(other);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_key_has_one_owner),
        T(what_is_released_can_be_claimed_again),
        T(keys_that_differ_in_any_part_have_their_own_owners),
        T(who_waits_is_woken_and_told_how_it_ended),
        T(an_outcome_is_kept_until_all_have_looked),
        T(waiting_for_what_is_over_is_refused),
        T(a_dead_owners_claims_are_lost_and_waiters_woken),
        T(a_late_release_of_a_reaped_claim_does_nothing),
        T(a_dead_waiter_keeps_no_slot),
        T(bells_of_another_generation_are_not_rung),
        T(the_second_hash_depends_on_the_region),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
