/* SPDX-License-Identifier: MIT */
/* test_cold.c - the cold cache through its only door, in a region of 1 MiB (64 segments of 16 KiB).
 */
#include "shm/cold.h"
#include "shm/index.h"
#include "shm/region.h"
#include "shm/ring.h"
#include "shm/stats.h"
#include "tests/unit/sample_page.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

struct fixture {
    struct region *region;
    struct purge *purge;
    struct cold *cold;  /* row 0 */
    struct cold *other; /* row 1 */
    struct cold *master;
};

static int setup(void **state)
{
    static struct fixture f;

    if (region_create(&(struct region_sizes){MIB, 4 * MIB}, &f.region) != 0 ||
        cold_open(f.region, 0, &f.cold) != 0 || cold_open(f.region, 1, &f.other) != 0 ||
        cold_open(f.region, REGION_PEERS_MAX, &f.master) != 0)
        return -1;
    f.purge = purge_of(f.region);
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    cold_close(f->cold);
    cold_close(f->other);
    cold_close(f->master);
    region_close(f->region);
    return 0;
}

static int put_sample(struct cold *cold, struct sample sample)
{
    autofree struct page *page = sample_page(&sample);

    return cold_put(cold, page);
}

static int put(struct fixture *f, struct cold *cold, const char *path, char letter, size_t bytes)
{
    return put_sample(cold, (struct sample){.path = path,
                                            .letter = letter,
                                            .body_bytes = bytes,
                                            .epoch = purge_epoch(f->purge)});
}

static int copy_of(struct cold *cold, const struct cold_ref *ref, const char *path,
                   char *ret_letter)
{
    autofree struct page *page = malloc(ref->page_bytes);
    int rc = cold_copy(cold, ref, path, strlen(path), page);

    if (rc == 0) {
        *ret_letter = *page_at(page, page_variant(page, PAGE_IDENTITY)->body_offset);
        assert_true(sample_is(page, *ret_letter));
    }
    return rc;
}

/* The letter of the page found, 0 when there is none. */
static char get(struct cold *cold, const char *path)
{
    struct cold_ref ref;
    char letter = 0;

    if (cold_find(cold, path, strlen(path), sample_hash(path), &ref) != 0)
        return 0;
    (void)copy_of(cold, &ref, path, &letter);
    return letter;
}

/* Store pages of other keys until the hand has gone round so many times; wanted: each is asked for
 * once. */
static void fill_with(struct fixture *f, unsigned rounds, unsigned *serial, bool wanted)
{
    for (unsigned i = 0; i < rounds * 64 * 4; i++) {
        char path[32];

        (void)snprintf(path, sizeof path, "/filler/%u", (*serial)++);
        assert_int_equal(put(f, f->cold, path, 'f', 3500), 0); /* four to a segment */
        if (wanted)
            assert_int_equal(get(f->other, path), 'f');
    }
}

static void fill_ring(struct fixture *f, unsigned rounds, unsigned *serial)
{
    fill_with(f, rounds, serial, false);
}

static void page_that_was_put_is_found_by_all(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(get(f->cold, "/a"), 0);
    assert_int_equal(put(f, f->cold, "/a", 'x', 500), 0);
    assert_int_equal(get(f->cold, "/a"), 'x');
    assert_int_equal(get(f->other, "/a"), 'x');
    assert_int_equal(get(f->master, "/a"), 'x');
}

static void page_is_copied_whole(void **state)
{
    struct fixture *f = *state;
    autofree struct page *page =
        sample_page(&(struct sample){.path = "/a", .letter = 'x', .body_bytes = 777, .epoch = 1});
    autofree struct page *copy = malloc(page->bytes);
    struct cold_ref ref;

    assert_int_equal(cold_put(f->cold, page), 0);
    assert_int_equal(cold_find(f->other, "/a", 2, sample_hash("/a"), &ref), 0);
    assert_int_equal(ref.page_bytes, page->bytes);
    assert_int_equal(cold_copy(f->other, &ref, "/a", 2, copy), 0);
    assert_memory_equal(copy, page, page->bytes);
}

static void second_put_replaces_the_first(void **state)
{
    struct fixture *f = *state;
    struct cold_figures figures;

    assert_int_equal(put(f, f->cold, "/a", 'x', 500), 0);
    assert_int_equal(put(f, f->other, "/a", 'y', 600), 0);
    assert_int_equal(get(f->cold, "/a"), 'y');
    cold_figures(f->cold, &figures);
    assert_int_equal(figures.entries, 1);
}

static void equal_hash_of_another_key_is_a_miss(void **state)
{
    struct fixture *f = *state;
    struct cold_ref ref = {.slot = 77};

    assert_int_equal(
        put_sample(
            f->cold,
            (struct sample){.path = "/a", .letter = 'x', .epoch = 1, .hash = sample_hash("/b")}),
        0);
    assert_int_equal(cold_find(f->cold, "/b", 2, sample_hash("/b"), &ref), -ENOENT);
    assert_int_equal(ref.slot, 77); /* outputs stay untouched on failure */
}

static void two_keys_of_one_hash_live_side_by_side(void **state)
{
    struct fixture *f = *state;
    struct cold_ref ref;
    char letter = 0;

    put_sample(f->cold, (struct sample){
                            .path = "/a", .letter = 'a', .body_bytes = 9, .epoch = 1, .hash = 42});
    put_sample(f->cold, (struct sample){
                            .path = "/b", .letter = 'b', .body_bytes = 9, .epoch = 1, .hash = 42});
    assert_int_equal(cold_find(f->cold, "/a", 2, 42, &ref), 0);
    assert_int_equal(copy_of(f->cold, &ref, "/a", &letter), 0);
    assert_int_equal(letter, 'a');
    assert_int_equal(cold_find(f->cold, "/b", 2, 42, &ref), 0);
    assert_int_equal(copy_of(f->cold, &ref, "/b", &letter), 0);
    assert_int_equal(letter, 'b');
}

static void deleted_page_is_gone(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(put(f, f->cold, "/a", 'x', 500), 0);
    assert_int_equal(cold_delete(f->other, "/a", 2, sample_hash("/a")), 1);
    assert_int_equal(get(f->cold, "/a"), 0);
    assert_int_equal(cold_delete(f->other, "/a", 2, sample_hash("/a")), 0);
}

static void page_evicted_between_find_and_copy_is_a_miss(void **state)
{
    struct fixture *f = *state;
    struct cold_ref ref;
    unsigned serial = 0;
    char letter;

    assert_int_equal(put(f, f->cold, "/a", 'x', 500), 0);
    assert_int_equal(cold_find(f->other, "/a", 2, sample_hash("/a"), &ref), 0);
    fill_ring(f, 1, &serial);
    fill_ring(f, 1, &serial);
    assert_int_equal(copy_of(f->other, &ref, "/a", &letter), -ENOENT);
}

static void page_purged_between_find_and_copy_is_a_miss(void **state)
{
    struct fixture *f = *state;
    struct cold_ref ref;
    char letter;

    assert_int_equal(put(f, f->cold, "/a", 'x', 500), 0);
    assert_int_equal(cold_find(f->other, "/a", 2, sample_hash("/a"), &ref), 0);
    purge_url(f->purge, "/a", 2);
    assert_int_equal(copy_of(f->other, &ref, "/a", &letter), -ENOENT);
    assert_int_equal(get(f->other, "/a"), 0);
}

static void page_rendered_before_a_purge_is_not_stored_after_it(void **state)
{
    struct fixture *f = *state;
    autofree struct page *page = sample_page(&(struct sample){
        .path = "/a", .letter = 'x', .body_bytes = 5, .epoch = purge_epoch(f->purge)});

    purge_url(f->purge, "/a", 2);
    assert_int_equal(cold_put(f->cold, page), -ESTALE);
    assert_int_equal(get(f->cold, "/a"), 0);
    assert_int_equal(put(f, f->cold, "/a", 'y', 5), 0);
    assert_int_equal(get(f->cold, "/a"), 'y');
}

static void budget_holds_whatever_is_stored(void **state)
{
    struct fixture *f = *state;
    struct cold_figures figures;
    unsigned serial = 0;

    fill_ring(f, 3, &serial);
    cold_figures(f->cold, &figures);
    assert_true(figures.used_bytes <= figures.budget_bytes);
    assert_true(figures.used_bytes > figures.budget_bytes / 2);
    assert_int_equal(figures.segments * figures.segment_bytes, figures.budget_bytes);
    assert_int_equal(stats_at(f->region, 0)->cold_evictions + figures.entries, serial);
}

static void touched_page_survives_the_hand_and_untouched_does_not(void **state)
{
    struct fixture *f = *state;
    unsigned serial = 0;

    assert_int_equal(put(f, f->cold, "/loved", 'l', 500), 0);
    assert_int_equal(put(f, f->cold, "/forgotten", 'f', 500), 0);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(get(f->other, "/loved"), 'l');
        fill_ring(f, 1, &serial);
    }
    assert_int_equal(get(f->other, "/loved"), 'l');
    assert_int_equal(get(f->other, "/forgotten"), 0);
}

static void proven_page_is_not_pushed_out_by_pages_nobody_wants(void **state)
{
    struct fixture *f = *state;
    unsigned serial = 0;

    assert_int_equal(put(f, f->cold, "/a", 'x', 500), 0);
    assert_int_equal(get(f->other, "/a"), 'x');
    fill_ring(f, 10, &serial); /* a crawler */
    assert_int_equal(get(f->other, "/a"), 'x');
}

static void proven_page_gives_way_to_others_that_have_proven_themselves(void **state)
{
    struct fixture *f = *state;
    unsigned serial = 0;

    assert_int_equal(put(f, f->cold, "/a", 'x', 500), 0);
    assert_int_equal(get(f->other, "/a"), 'x');
    fill_with(f, 4, &serial, true);
    assert_int_equal(get(f->other, "/a"), 0);
}

static void page_stored_again_soon_after_its_eviction_is_proven(void **state)
{
    struct fixture *f = *state;
    unsigned serial = 0;

    assert_int_equal(put(f, f->cold, "/a", 'x', 500), 0);
    fill_ring(f, 1, &serial);
    for (int i = 0; i < 40; i++) /* ten segments more */
        assert_int_equal(put(f, f->cold, i % 2 ? "/b" : "/c", 'x', 3500), 0);
    assert_int_equal(get(f->other, "/a"), 0);
    assert_int_equal(put(f, f->cold, "/a", 'y', 500), 0);
    fill_ring(f, 3, &serial);
    assert_int_equal(get(f->other, "/a"), 'y');
}

static void expired_or_purged_page_gets_no_second_round(void **state)
{
    struct fixture *f = *state;
    unsigned serial = 0;
    uint64_t before;
    struct cold_figures figures;

    assert_int_equal(put_sample(f->cold, (struct sample){.path = "/a",
                                                         .letter = 'x',
                                                         .body_bytes = 5,
                                                         .epoch = purge_epoch(f->purge),
                                                         .fresh_ms = 1}),
                     0);
    assert_int_equal(put(f, f->cold, "/b", 'x', 500), 0);
    (void)get(f->other, "/a");
    (void)get(f->other, "/b");
    purge_url(f->purge, "/b", 2);
    before = stats_at(f->region, 0)->cold_evictions;
    for (int i = 0; i < 300; i++) { /* pages stored at 1 ms: then /a is over */
        char path[32];

        (void)snprintf(path, sizeof path, "/filler/%u", serial++);
        assert_int_equal(put_sample(f->cold, (struct sample){.path = path,
                                                             .letter = 'f',
                                                             .body_bytes = 3500,
                                                             .epoch = purge_epoch(f->purge),
                                                             .stored_ms = 1}),
                         0);
    }
    cold_figures(f->cold, &figures);
    assert_true(stats_at(f->region, 0)->cold_evictions >= before + 2);
    assert_int_equal(cold_delete(f->cold, "/a", 2, sample_hash("/a")), 0);
    assert_int_equal(cold_delete(f->cold, "/b", 2, sample_hash("/b")), 0);
}

static void all_touched_still_makes_room(void **state)
{
    struct fixture *f = *state;

    for (unsigned i = 0; i < 2000; i++) {
        char path[32];

        (void)snprintf(path, sizeof path, "/%u", i);
        assert_int_equal(put(f, f->cold, path, 'x', i % 3 == 0 ? 15000 : 900), 0);
        assert_int_equal(get(f->cold, path), 'x');
    }
}

static void page_of_exactly_one_segment_and_one_larger_are_stored(void **state)
{
    struct fixture *f = *state;
    size_t overhead = 280 + 8 + 24; /* struct, key, head */

    assert_int_equal(put(f, f->cold, "/one", 'o', 16384 - overhead), 0);
    assert_int_equal(put(f, f->cold, "/more", 'm', 16384 - overhead + 1), 0);
    assert_int_equal(put(f, f->cold, "/many", 'n', 200 * KIB), 0);
    assert_int_equal(get(f->other, "/one"), 'o');
    assert_int_equal(get(f->other, "/more"), 'm');
    assert_int_equal(get(f->other, "/many"), 'n');
}

static void page_above_the_largest_size_is_refused(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(put(f, f->cold, "/a", 'x', 256 * KIB), -EFBIG);
    assert_int_equal(get(f->cold, "/a"), 0);
}

static void large_pages_come_and_go_among_small_ones(void **state)
{
    struct fixture *f = *state;
    struct cold_figures figures;
    unsigned serial = 0;

    for (unsigned i = 0; i < 200; i++) {
        char path[32];

        (void)snprintf(path, sizeof path, "/large/%u", i % 7);
        assert_int_equal(put(f, f->other, path, (char)('a' + i % 26), 20000 + 1000 * (i % 180)), 0);
        assert_int_equal(get(f->cold, path), 'a' + i % 26);
        for (int j = 0; j < 5; j++) {
            (void)snprintf(path, sizeof path, "/small/%u", serial++);
            assert_int_equal(put(f, f->cold, path, 's', 2000), 0);
            assert_int_equal(get(f->other, path), 's');
        }
    }
    cold_figures(f->cold, &figures);
    assert_true(figures.used_bytes <= figures.budget_bytes);
}

static void proven_large_page_stays_until_others_have_proven_themselves(void **state)
{
    struct fixture *f = *state;
    unsigned serial = 0;

    assert_int_equal(put(f, f->cold, "/large", 'l', 100 * KIB), 0);
    assert_int_equal(get(f->other, "/large"), 'l');
    fill_ring(f, 5, &serial);
    assert_int_equal(get(f->other, "/large"), 'l');
    fill_with(f, 4, &serial, true);
    assert_int_equal(get(f->other, "/large"), 0);
}

/* Flip each bit of a page where it stands in the region. */
static void flipped_bits_in_shared_memory_never_crash_or_pass_and_are_counted(void **state)
{
    struct fixture *f = *state;
    struct cold_ref ref;
    struct ring ring;
    unsigned char *at;
    unsigned serial = 0;

    assert_int_equal(put(f, f->cold, "/a", 'x', 500), 0);
    assert_int_equal(cold_find(f->cold, "/a", 2, sample_hash("/a"), &ref), 0);
    ring_view(f->region, 1, &ring);
    at = ring_at(&ring, index_word_location(ref.word));
    for (uint32_t bit = 0; bit < ref.page_bytes * 8; bit++) {
        at[bit / 8] ^= (unsigned char)(1u << bit % 8);
        assert_int_equal(get(f->other, "/a"), 0);
        at[bit / 8] ^= (unsigned char)(1u << bit % 8);
    }
    assert_int_equal(get(f->other, "/a"), 'x');
    /* all but those of magic, size, hash and offsets: with them it is no page of this key */
    assert_true(stats_at(f->region, 1)->cold_corrupt >= 500 * 8);
    assert_true(stats_at(f->region, 1)->cold_corrupt < ref.page_bytes * 8);
    at[4] ^= 0xff; /* its size */
    at[5] ^= 0xff;
    fill_ring(f, 2, &serial); /* the reclaimer passes over it */
    assert_int_equal(get(f->other, "/a"), 0);
}

static void foreign_index_words_are_misses(void **state)
{
    struct fixture *f = *state;
    struct index index;
    uint64_t hash = sample_hash("/a");
    uint64_t bucket = (hash & (2048 / INDEX_BUCKET_SLOTS - 1)) * INDEX_BUCKET_SLOTS;
    struct cold_ref ref;

    index_view(f->region, &index);
    assert_int_equal(index.slots, 2048);
    for (uint32_t i = 0; i < 32; i++) {
        uint64_t word = index_word(hash, ~(uint32_t)0 >> i, i);

        assert_true(index_move(&index, bucket, index_load(&index, bucket), word));
        assert_int_equal(cold_find(f->cold, "/a", 2, hash, &ref), -ENOENT);
    }
    assert_int_equal(put(f, f->cold, "/a", 'x', 50), 0);
    assert_int_equal(get(f->cold, "/a"), 'x');
}

static void reaped_worker_leaves_its_pages_and_its_segment(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(put(f, f->other, "/a", 'x', 50), 0);
    assert_int_equal(cold_reap(f->master, 1), 1);
    assert_int_equal(cold_reap(f->master, 1), 0);
    assert_int_equal(get(f->cold, "/a"), 'x');
}

static void put_goes_on_after_its_segment_was_taken_away(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(put(f, f->other, "/a", 'x', 50), 0);
    assert_int_equal(cold_reap(f->master, 1), 1);
    assert_int_equal(put(f, f->other, "/b", 'y', 50), 0);
    assert_int_equal(get(f->cold, "/a"), 'x');
    assert_int_equal(get(f->cold, "/b"), 'y');
}

static void no_segment_to_be_had_is_eagain_and_nobody_waits(void **state)
{
    struct fixture *f = *state;
    struct ring ring;

    ring_view(f->region, 9, &ring);
    for (uint32_t i = 0; i < ring.segments; i++)
        assert_true(ring_claim(&ring, i)); /* a process stopped at the worst moments */
    assert_int_equal(put(f, f->cold, "/a", 'x', 50), -EAGAIN);
    assert_int_equal(put(f, f->cold, "/a", 'x', 50000), -EAGAIN);
    assert_int_equal(cold_reap(f->master, 9), 64);
    assert_int_equal(put(f, f->cold, "/a", 'x', 50), 0);
    assert_int_equal(put(f, f->cold, "/b", 'x', 50000), 0);
}

static void close_gives_the_open_segment_back(void **state)
{
    struct fixture *f = *state;
    struct ring ring;
    struct cold *third;

    assert_int_equal(cold_open(f->region, 2, &third), 0);
    assert_int_equal(put(f, third, "/a", 'x', 50), 0);
    ring_view(f->region, 0, &ring);
    assert_int_equal(ring_held(&ring), 1);
    cold_close(third);
    assert_int_equal(ring_held(&ring), 0);
    assert_int_equal(get(f->cold, "/a"), 'x');
    cold_close(NULL);
}

static void sweep_removes_what_begins_with_the_prefix(void **state)
{
    struct fixture *f = *state;
    struct cold_figures figures;

    assert_int_equal(put(f, f->cold, "/blog/1", 'x', 50), 0);
    assert_int_equal(put(f, f->cold, "/blog/2", 'x', 50), 0);
    assert_int_equal(put(f, f->cold, "/blo", 'y', 50), 0);
    assert_int_equal(purge_prefix(f->purge, "/blog", 5), 0);
    assert_int_equal(cold_sweep_prefix(f->master, "/blog", 5), 2);
    assert_int_equal(get(f->cold, "/blo"), 'y');
    cold_figures(f->cold, &figures);
    assert_int_equal(figures.entries, 1);
}

struct seen {
    unsigned count;
    unsigned limit;
    size_t path_bytes;
};

static bool visit(void *arg, const struct page *page, size_t copied_bytes,
                  const struct cold_seen *where)
{
    struct seen *seen = arg;

    assert_true(copied_bytes >= page->path_offset + page->path_bytes);
    assert_int_equal(*page_at(page, page->path_offset), '/');
    seen->path_bytes += page->path_bytes;
    return ++seen->count < seen->limit;
}

static void walk_shows_each_valid_page_once_and_stops_when_told(void **state)
{
    struct fixture *f = *state;
    struct seen all = {.limit = 100};
    struct seen one = {.limit = 1};

    assert_int_equal(put(f, f->cold, "/a", 'x', 50), 0);
    assert_int_equal(put(f, f->cold, "/bb", 'x', 50), 0);
    assert_int_equal(put(f, f->cold, "/ccc", 'x', 60000), 0);
    purge_url(f->purge, "/bb", 3);
    cold_walk(f->master, visit, &all);
    assert_int_equal(all.count, 2);
    assert_int_equal(all.path_bytes, 6);
    cold_walk(f->master, visit, &one);
    assert_int_equal(one.count, 1);
}

static void room_of_purged_pages_is_used_by_new_ones(void **state)
{
    struct fixture *f = *state;
    struct seen valid = {.limit = 1000};
    unsigned serial = 0;

    fill_with(f, 3, &serial, true); /* main has most segments */
    purge_all(f->purge);
    fill_ring(f, 1, &serial);
    cold_walk(f->master, visit, &valid);
    assert_true(valid.count > 64 * 4 * 3 / 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        T(page_that_was_put_is_found_by_all),
        T(page_is_copied_whole),
        T(second_put_replaces_the_first),
        T(equal_hash_of_another_key_is_a_miss),
        T(two_keys_of_one_hash_live_side_by_side),
        T(deleted_page_is_gone),
        T(page_evicted_between_find_and_copy_is_a_miss),
        T(page_purged_between_find_and_copy_is_a_miss),
        T(page_rendered_before_a_purge_is_not_stored_after_it),
        T(budget_holds_whatever_is_stored),
        T(touched_page_survives_the_hand_and_untouched_does_not),
        T(proven_page_is_not_pushed_out_by_pages_nobody_wants),
        T(proven_page_gives_way_to_others_that_have_proven_themselves),
        T(page_stored_again_soon_after_its_eviction_is_proven),
        T(room_of_purged_pages_is_used_by_new_ones),
        T(expired_or_purged_page_gets_no_second_round),
        T(all_touched_still_makes_room),
        T(page_of_exactly_one_segment_and_one_larger_are_stored),
        T(page_above_the_largest_size_is_refused),
        T(large_pages_come_and_go_among_small_ones),
        T(proven_large_page_stays_until_others_have_proven_themselves),
        T(flipped_bits_in_shared_memory_never_crash_or_pass_and_are_counted),
        T(foreign_index_words_are_misses),
        T(reaped_worker_leaves_its_pages_and_its_segment),
        T(put_goes_on_after_its_segment_was_taken_away),
        T(no_segment_to_be_had_is_eagain_and_nobody_waits),
        T(close_gives_the_open_segment_back),
        T(sweep_removes_what_begins_with_the_prefix),
        T(walk_shows_each_valid_page_once_and_stops_when_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
