/* SPDX-License-Identifier: MIT */
/* test_ring.c - who holds which segment, and what a change of hands does to readers. */
#include "shm/region.h"
#include "shm/ring.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <sys/mman.h>

struct fixture {
    struct region *region;
    struct ring mine;  /* row 1 */
    struct ring other; /* row 2 */
};

static int setup(void **state)
{
    static struct fixture fixture;

    if (region_create(&(struct region_sizes){MIB, 64 * KIB}, &fixture.region) != 0)
        return -1;
    ring_view(fixture.region, 1, &fixture.mine);
    ring_view(fixture.region, 2, &fixture.other);
    *state = &fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;

    region_close(fixture->region);
    return 0;
}

static void fresh_ring_is_held_by_nobody(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(f->mine.segments, 64);
    assert_int_equal(f->mine.segment_bytes, 16 * KIB);
    assert_int_equal(ring_held(&f->mine), 0);
    assert_int_equal(ring_fill(&f->mine, 0), 0);
}

static void claimed_segment_is_refused_to_others(void **state)
{
    struct fixture *f = *state;

    assert_true(ring_claim(&f->mine, 5));
    assert_false(ring_claim(&f->mine, 5));
    assert_false(ring_claim(&f->other, 5));
    assert_false(ring_open(&f->other, 5));
    assert_true(ring_open(&f->mine, 5));
    assert_false(ring_claim(&f->other, 5));
    assert_false(ring_seal(&f->other, 5));
    assert_true(ring_owned(&f->mine, 5));
    assert_false(ring_owned(&f->other, 5));
    assert_true(ring_seal(&f->mine, 5));
    assert_false(ring_owned(&f->mine, 5));
    assert_true(ring_claim(&f->other, 5));
}

static void segment_is_backed_when_claimed_first_and_not_before(void **state)
{
    struct fixture *f = *state;
    unsigned char resident[64] = {0};
    unsigned char *at = ring_at(&f->mine, ring_location(&f->mine, 5, 0));
    size_t pages = f->mine.segment_bytes / 4096;

    assert_int_equal(mincore(at, f->mine.segment_bytes, resident), 0);
    for (size_t i = 0; i < pages; i++)
        assert_int_equal(resident[i] & 1, 0);
    assert_true(ring_claim(&f->mine, 5));
    assert_int_equal(mincore(at, f->mine.segment_bytes, resident), 0);
    for (size_t i = 0; i < pages; i++)
        assert_int_equal(resident[i] & 1, 1);
}

static void sequence_changes_when_opened_and_only_then(void **state)
{
    struct fixture *f = *state;
    uint32_t sequence = ring_sequence(&f->mine, 5);

    assert_true(ring_claim(&f->mine, 5));
    assert_true(ring_unchanged(&f->other, 5, 1, sequence));
    assert_true(ring_unclaim(&f->mine, 5));
    assert_true(ring_unchanged(&f->other, 5, 1, sequence));
    assert_true(ring_claim(&f->mine, 5));
    assert_true(ring_open(&f->mine, 5));
    assert_false(ring_unchanged(&f->other, 5, 1, sequence));
    sequence = ring_sequence(&f->mine, 5);
    assert_true(ring_seal(&f->mine, 5));
    assert_true(ring_unchanged(&f->other, 5, 1, sequence));
}

static void opened_segment_is_empty(void **state)
{
    struct fixture *f = *state;

    assert_true(ring_claim(&f->mine, 5) && ring_open(&f->mine, 5));
    ring_set_fill(&f->mine, 5, 4096, 3);
    assert_true(ring_seal(&f->mine, 5));
    assert_int_equal(ring_fill(&f->mine, 5), 4096);
    assert_int_equal(ring_run(&f->mine, 5), 3);
    assert_true(ring_claim(&f->mine, 5) && ring_open(&f->mine, 5));
    assert_int_equal(ring_fill(&f->mine, 5), 0);
    assert_int_equal(ring_run(&f->mine, 5), 1);
}

static void joined_run_has_one_new_sequence(void **state)
{
    struct fixture *f = *state;
    uint32_t sequence;

    for (int i = 0; i < 3; i++) /* the middle one has been around more often */
        assert_true(ring_claim(&f->mine, 6) && ring_open(&f->mine, 6) && ring_seal(&f->mine, 6));
    for (uint32_t i = 5; i < 8; i++)
        assert_true(ring_claim(&f->mine, i) && ring_open(&f->mine, i));
    assert_true(ring_join(&f->mine, 5, 3));
    sequence = ring_sequence(&f->mine, 5);
    assert_int_equal(sequence, 4);
    assert_true(ring_unchanged(&f->mine, 5, 3, sequence));
    for (uint32_t i = 5; i < 8; i++)
        assert_true(ring_seal(&f->mine, i));
    assert_true(ring_claim(&f->other, 7) && ring_open(&f->other, 7));
    assert_false(ring_unchanged(&f->mine, 5, 3, sequence));
}

static void reaped_open_segment_keeps_its_pages(void **state)
{
    struct fixture *f = *state;
    uint32_t sequence;

    assert_true(ring_claim(&f->mine, 5) && ring_open(&f->mine, 5));
    ring_set_fill(&f->mine, 5, 640, 1);
    sequence = ring_sequence(&f->mine, 5);
    assert_int_equal(ring_reap(&f->other, 1), 1);
    assert_true(ring_unchanged(&f->mine, 5, 1, sequence));
    assert_int_equal(ring_fill(&f->mine, 5), 640);
    assert_int_equal(ring_held(&f->mine), 0);
}

static void reaped_reclaim_leaves_what_was_not_yet_judged(void **state)
{
    struct fixture *f = *state;
    uint32_t sequence;

    assert_true(ring_claim(&f->mine, 5) && ring_open(&f->mine, 5));
    ring_set_fill(&f->mine, 5, 640, 1);
    assert_true(ring_seal(&f->mine, 5));
    sequence = ring_sequence(&f->mine, 5);
    assert_true(ring_claim(&f->mine, 5));
    assert_int_equal(ring_reap(&f->other, 1), 1);
    assert_true(ring_unchanged(&f->mine, 5, 1, sequence));
    assert_int_equal(ring_fill(&f->mine, 5), 640);
    assert_int_equal(ring_held(&f->mine), 0);
    assert_true(ring_claim(&f->other, 5));
}

static void reaper_leaves_the_living_alone(void **state)
{
    struct fixture *f = *state;

    assert_true(ring_claim(&f->mine, 5) && ring_open(&f->mine, 5));
    assert_true(ring_claim(&f->other, 6));
    assert_int_equal(ring_reap(&f->mine, 3), 0);
    assert_int_equal(ring_reap(&f->mine, 2), 1);
    assert_true(ring_owned(&f->mine, 5));
}

static void what_the_reaper_took_is_no_longer_its_owners(void **state)
{
    struct fixture *f = *state;

    assert_true(ring_claim(&f->mine, 5) && ring_open(&f->mine, 5));
    assert_int_equal(ring_reap(&f->other, 1), 1);
    assert_false(ring_owned(&f->mine, 5));
    assert_false(ring_seal(&f->mine, 5));
}

static void hand_goes_round(void **state)
{
    struct fixture *f = *state;
    uint64_t steps = 2 * f->mine.segments;
    uint32_t segment = 77;

    for (uint32_t i = 0; i < 2 * f->mine.segments; i++) {
        assert_true(ring_hand(&f->mine, RING_PROBATION, &steps, &segment));
        assert_int_equal(segment, i % f->mine.segments);
    }
    assert_false(ring_hand(&f->mine, RING_PROBATION, &steps, &segment));
}

static void each_area_has_its_hand_that_passes_over_the_others_segments(void **state)
{
    struct fixture *f = *state;
    uint64_t steps = 64;
    uint32_t segment = 77;

    assert_false(ring_peek(&f->mine, RING_MAIN, &segment));
    assert_false(ring_hand(&f->mine, RING_MAIN, &steps, &segment));
    assert_int_equal(segment, 77);
    assert_int_equal(steps, 0);
    ring_set_area(&f->mine, 0, RING_MAIN);
    ring_set_area(&f->mine, 9, RING_MAIN);
    ring_set_area(&f->mine, 9, RING_MAIN);
    assert_int_equal(ring_probation(&f->mine), 62);
    steps = 11;
    assert_true(ring_hand(&f->mine, RING_PROBATION, &steps, &segment));
    assert_int_equal(segment, 1);
    assert_true(ring_hand(&f->mine, RING_MAIN, &steps, &segment));
    assert_int_equal(segment, 0);
    assert_true(ring_peek(&f->mine, RING_MAIN, &segment));
    assert_int_equal(segment, 9);
    assert_false(ring_hand(&f->mine, RING_MAIN, &steps, &segment)); /* 8 steps were left */
    steps = 64;
    assert_true(ring_hand(&f->mine, RING_MAIN, &steps, &segment));
    assert_int_equal(segment, 9);
}

static void reaper_counts_probation_anew(void **state)
{
    struct fixture *f = *state;

    ring_set_area(&f->mine, 5, RING_MAIN);
    f->mine.table->probation = 7; /* killed between the two stores, often */
    assert_int_equal(ring_reap(&f->mine, 3), 0);
    assert_int_equal(ring_probation(&f->mine), 63);
}

static void sealed_segment_is_resumed_under_its_sequence_only(void **state)
{
    struct fixture *f = *state;
    uint32_t sequence;

    assert_true(ring_claim(&f->mine, 5) && ring_open(&f->mine, 5));
    sequence = ring_sequence(&f->mine, 5);
    assert_false(ring_resume(&f->mine, 5, sequence)); /* is open */
    ring_set_fill(&f->mine, 5, 640, 1);
    assert_true(ring_seal(&f->mine, 5));
    assert_true(ring_claim(&f->other, 5));
    assert_false(ring_resume(&f->mine, 5, sequence)); /* is claimed */
    assert_true(ring_unclaim(&f->other, 5));
    assert_true(ring_resume(&f->mine, 5, sequence));
    assert_true(ring_owned(&f->mine, 5));
    assert_int_equal(ring_fill(&f->mine, 5), 640);
    assert_true(ring_unchanged(&f->other, 5, 1, sequence));
    assert_true(ring_seal(&f->mine, 5));
    assert_true(ring_claim(&f->other, 5) && ring_open(&f->other, 5) && ring_seal(&f->other, 5));
    assert_false(ring_resume(&f->mine, 5, sequence)); /* was opened by another */
}

static void place_of_a_run_is_sealed_unbroken_and_takes_little_from_main(void **state)
{
    struct fixture *f = *state;
    uint32_t first = 77;

    assert_true(ring_claim(&f->other, 1));
    assert_true(ring_run_place(&f->mine, 4, &first));
    assert_int_equal(first, 2);
    for (uint32_t i = 0; i < 62; i++)
        ring_set_area(&f->mine, i, RING_MAIN);
    ring_set_area(&f->mine, 30, RING_PROBATION);
    assert_true(ring_run_place(&f->mine, 4, &first)); /* with both, and not over the wrap */
    assert_int_equal(first, 60);
    assert_true(ring_run_place(&f->mine, 4, &first)); /* the same: there is no better one */
    assert_int_equal(first, 60);
    assert_true(ring_claim(&f->other, 63));
    assert_true(ring_run_place(&f->mine, 4, &first));
    assert_int_equal(first, 27);
    for (uint32_t i = 2; i < 64; i += 4)
        assert_true(ring_claim(&f->other, i));
    first = 77;
    assert_false(ring_run_place(&f->mine, 4, &first));
    assert_int_equal(first, 77);
}

static void fill_and_run_are_bounded_whatever_stands_there(void **state)
{
    struct fixture *f = *state;

    ring_set_fill(&f->mine, 60, UINT32_MAX, UINT32_MAX);
    assert_int_equal(ring_fill(&f->mine, 60), f->mine.segment_bytes);
    assert_int_equal(ring_run(&f->mine, 60), 1);
    assert_false(ring_inside_run(&f->mine, 60));
    ring_set_fill(&f->mine, 60, 0, 0);
    assert_int_equal(ring_run(&f->mine, 60), 1);
    assert_true(ring_inside_run(&f->mine, 60));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        T(fresh_ring_is_held_by_nobody),
        T(claimed_segment_is_refused_to_others),
        T(segment_is_backed_when_claimed_first_and_not_before),
        T(sequence_changes_when_opened_and_only_then),
        T(opened_segment_is_empty),
        T(joined_run_has_one_new_sequence),
        T(reaped_open_segment_keeps_its_pages),
        T(reaped_reclaim_leaves_what_was_not_yet_judged),
        T(reaper_leaves_the_living_alone),
        T(what_the_reaper_took_is_no_longer_its_owners),
        T(hand_goes_round),
        T(each_area_has_its_hand_that_passes_over_the_others_segments),
        T(reaper_counts_probation_anew),
        T(sealed_segment_is_resumed_under_its_sequence_only),
        T(place_of_a_run_is_sealed_unbroken_and_takes_little_from_main),
        T(fill_and_run_are_bounded_whatever_stands_there),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
