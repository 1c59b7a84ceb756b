/* SPDX-License-Identifier: MIT */
/*
 * test_index.c - slots and their words. The ring is played by a table in this file: a word's
 * location is a number of a "page", which has a key (its hash), a time, and may be dead.
 */
#include "shm/index.h"
#include "shm/region.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define PAGES 256

struct fixture {
    struct region *region;
    struct index index;
    uint64_t hash[PAGES];
    uint64_t stored_ms[PAGES];
    bool dead[PAGES];
    uint64_t wanted; /* the hash asked for */
};

static int setup(void **state)
{
    static struct fixture fixture;

    memset(&fixture, 0, sizeof fixture);
    if (region_create(&(struct region_sizes){MIB, 64 * KIB}, &fixture.region) != 0)
        return -1;
    index_view(fixture.region, &fixture.index);
    *state = &fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;

    region_close(fixture->region);
    return 0;
}

static enum index_found look(void *arg, uint64_t word, uint64_t *ret_stored_ms)
{
    struct fixture *f = arg;
    uint32_t page = index_word_location(word);

    assert_true(page < PAGES);
    if (f->dead[page])
        return INDEX_DEAD;
    *ret_stored_ms = f->stored_ms[page];
    return f->hash[page] == f->wanted ? INDEX_SAME : INDEX_OTHER;
}

static uint64_t word_for(struct fixture *f, uint32_t page)
{
    return index_word(f->hash[page], page, 1);
}

static unsigned put(struct fixture *f, uint32_t page, uint64_t hash)
{
    unsigned evicted = 77;

    f->hash[page] = hash;
    f->wanted = hash;
    assert_int_equal(
        index_put(&f->index, hash, word_for(f, page), f->stored_ms[page], look, f, &evicted), 0);
    return evicted;
}

/* The page found under a hash, or -1. */
static int find(struct fixture *f, uint64_t hash)
{
    uint64_t slot;
    uint64_t word;

    f->wanted = hash;
    return index_find(&f->index, hash, look, f, &slot, &word) ? (int)index_word_location(word) : -1;
}

static unsigned taken(const struct fixture *f)
{
    unsigned n = 0;

    for (uint64_t slot = 0; slot < f->index.slots; slot++)
        n += index_load(&f->index, slot) != 0;
    return n;
}

/* Hashes that share both buckets but differ: tags in the top 16 bits. */
static uint64_t neighbour(unsigned n)
{
    return (uint64_t)(n + 1) << 48 | (uint64_t)3 << 32 | 5;
}

static void word_keeps_its_parts(void **state)
{
    uint64_t word = index_word(0xabcd000000000000u, 0xfffffffeu, 0x1fffffff);

    assert_int_equal(index_word_location(word), 0xfffffffeu);
    assert_int_equal(index_word_sequence(word), INDEX_SEQUENCE_MASK);
    assert_int_equal(word >> 48, 0xabcd);
    assert_int_equal(word & INDEX_TOUCHED, 0);
}

static void word_of_the_least_hash_and_place_is_not_empty(void **state)
{
    assert_int_not_equal(index_word(0, 0, 0), 0);
}

static void what_was_put_is_found(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(find(f, 1234), -1);
    assert_int_equal(put(f, 7, 1234), 0);
    assert_int_equal(find(f, 1234), 7);
    assert_int_equal(find(f, 1235), -1);
}

static void second_put_replaces_the_first(void **state)
{
    struct fixture *f = *state;

    put(f, 7, 1234);
    assert_int_equal(put(f, 8, 1234), 0);
    assert_int_equal(find(f, 1234), 8);
    assert_int_equal(taken(f), 1);
}

static void removed_key_is_gone(void **state)
{
    struct fixture *f = *state;

    put(f, 7, 1234);
    assert_int_equal(index_remove(&f->index, 1234, look, f), 1);
    assert_int_equal(find(f, 1234), -1);
    assert_int_equal(index_remove(&f->index, 1234, look, f), 0);
    assert_int_equal(taken(f), 0);
}

static void sixteen_neighbours_fit_and_the_next_evicts_one(void **state)
{
    struct fixture *f = *state;
    unsigned found = 0;

    for (unsigned i = 0; i < INDEX_PROBES; i++)
        assert_int_equal(put(f, i, neighbour(i)), 0);
    for (unsigned i = 0; i < INDEX_PROBES; i++)
        assert_int_equal(find(f, neighbour(i)), i);
    assert_int_equal(put(f, 100, neighbour(100)), 1);
    assert_int_equal(find(f, neighbour(100)), 100);
    for (unsigned i = 0; i < INDEX_PROBES; i++)
        found += find(f, neighbour(i)) >= 0;
    assert_int_equal(found, INDEX_PROBES - 1);
}

static void touched_page_is_not_the_one_to_go(void **state)
{
    struct fixture *f = *state;

    for (unsigned i = 0; i < INDEX_PROBES; i++)
        put(f, i, neighbour(i));
    for (unsigned i = 0; i < INDEX_PROBES; i++) {
        uint64_t slot;
        uint64_t word;

        f->wanted = neighbour(i);
        assert_true(index_find(&f->index, neighbour(i), look, f, &slot, &word));
        if (i != 11)
            index_touch(&f->index, slot, word);
    }
    assert_int_equal(put(f, 100, neighbour(100)), 1);
    assert_int_equal(find(f, neighbour(11)), -1);
}

static void dead_slot_counts_as_empty(void **state)
{
    struct fixture *f = *state;

    for (unsigned i = 0; i < INDEX_PROBES; i++)
        put(f, i, neighbour(i));
    f->dead[3] = true;
    assert_int_equal(find(f, neighbour(3)), -1);
    assert_int_equal(put(f, 100, neighbour(100)), 0);
    assert_int_equal(find(f, neighbour(100)), 100);
    assert_int_equal(taken(f), INDEX_PROBES);
}

static void older_duplicate_goes_when_its_key_is_put(void **state)
{
    struct fixture *f = *state;
    uint64_t slot;
    uint64_t word;

    put(f, 1, neighbour(0));
    assert_true(index_locate(&f->index, neighbour(0), word_for(f, 1), &slot, &word));
    f->hash[2] = neighbour(0); /* as left by a writer killed between its two steps */
    assert_true(index_move(&f->index, slot + 1, 0, word_for(f, 2)));
    f->stored_ms[3] = 1;
    put(f, 3, neighbour(0));
    assert_int_equal(find(f, neighbour(0)), 3);
    assert_int_equal(taken(f), 1);
}

/* Wherever a put begins to look: of two slots of its key, left by a death, it takes the one that readers find.
 * In the other one it would yield to a page of the same millisecond that was there before it. */
static void put_takes_the_first_of_two_slots_of_its_key(void **state)
{
    struct fixture *f = *state;

    for (uint32_t start = 0; start < INDEX_PROBES; start++) {
        uint32_t one = 2 * INDEX_PROBES;
        uint32_t two = one + 1;
        uint32_t three = 3 * INDEX_PROBES + start; /* its location says where it begins */
        uint64_t slot;
        uint64_t word;

        put(f, one, neighbour(0));
        assert_true(index_locate(&f->index, neighbour(0), word_for(f, one), &slot, &word));
        f->hash[two] = neighbour(0);
        assert_true(index_move(&f->index, slot + 1, 0, word_for(f, two)));
        put(f, three, neighbour(0));
        assert_int_equal(find(f, neighbour(0)), three);
        assert_int_equal(taken(f), 1);
        assert_int_equal(index_remove(&f->index, neighbour(0), look, f), 1);
    }
}

static void move_of_a_survivor_fails_once_its_key_was_put(void **state)
{
    struct fixture *f = *state;
    uint64_t old = index_word(neighbour(0), 1, 1);
    uint64_t slot;
    uint64_t word;

    put(f, 1, neighbour(0));
    assert_true(index_locate(&f->index, neighbour(0), old, &slot, &word));
    f->dead[1] = true; /* its segment was opened anew, the survivor is not back yet */
    put(f, 2, neighbour(0));
    f->hash[3] = neighbour(0);
    assert_false(index_move(&f->index, slot, word, word_for(f, 3)));
    assert_int_equal(find(f, neighbour(0)), 2);
}

static void move_of_a_survivor_fails_once_its_key_was_removed(void **state)
{
    struct fixture *f = *state;
    uint64_t slot;
    uint64_t word;

    put(f, 1, neighbour(0));
    assert_true(index_locate(&f->index, neighbour(0), word_for(f, 1), &slot, &word));
    f->dead[1] = true;
    assert_int_equal(index_remove(&f->index, neighbour(0), look, f), 0);
    assert_false(index_move(&f->index, slot, word, word_for(f, 3)));
    assert_int_equal(taken(f), 0);
}

static void touch_changes_one_bit_and_none_of_a_hot_page(void **state)
{
    struct fixture *f = *state;
    uint64_t slot;
    uint64_t word;

    put(f, 1, 99);
    assert_true(index_locate(&f->index, 99, word_for(f, 1), &slot, &word));
    index_touch(&f->index, slot, word);
    assert_int_equal(index_load(&f->index, slot), word | INDEX_TOUCHED);
    index_touch(&f->index, slot, word); /* stale: changes nothing */
    assert_int_equal(index_load(&f->index, slot), word | INDEX_TOUCHED);
    index_touch(&f->index, slot, word | INDEX_TOUCHED);
    assert_int_equal(index_load(&f->index, slot), word | INDEX_HOT);
    index_touch(&f->index, slot, word | INDEX_HOT);
    assert_int_equal(index_load(&f->index, slot), word | INDEX_HOT);
    assert_true(index_cool(&f->index, slot, word | INDEX_HOT));
    assert_int_equal(index_load(&f->index, slot), word | INDEX_TOUCHED);
    assert_true(index_cool(&f->index, slot, word | INDEX_TOUCHED));
    assert_int_equal(index_load(&f->index, slot), word);
    index_touch(&f->index, slot, word);
    index_touch(&f->index, slot, word | INDEX_TOUCHED);
    assert_true(index_clear(&f->index, slot, word)); /* touches do not keep it */
    assert_int_equal(taken(f), 0);
}

static void touched_word_is_moved_as_well(void **state)
{
    struct fixture *f = *state;
    uint64_t slot;
    uint64_t word;

    put(f, 1, 99);
    assert_true(index_locate(&f->index, 99, word_for(f, 1), &slot, &word));
    index_touch(&f->index, slot, word);
    f->hash[2] = 99;
    assert_true(index_move(&f->index, slot, word, word_for(f, 2)));
    assert_int_equal(index_load(&f->index, slot), word_for(f, 2));
}

static void forgotten_page_is_absent_but_known_for_a_while(void **state)
{
    struct fixture *f = *state;
    uint64_t slot;
    uint64_t word;

    put(f, 1, 99);
    assert_false(index_known(&f->index, 99, 5, 32)); /* stored, but never asked for */
    assert_true(index_locate(&f->index, 99, word_for(f, 1), &slot, &word));
    assert_true(index_forget(&f->index, slot, word, 99, 5));
    assert_int_equal(find(f, 99), -1);
    assert_true(index_is_ghost(index_load(&f->index, slot)));
    assert_true(index_known(&f->index, 99, 5, 32));
    assert_true(index_known(&f->index, 99, 37, 32));
    assert_false(index_known(&f->index, 99, 38, 32));
    assert_false(index_known(&f->index, 99 + ((uint64_t)1 << 26), 5, 32));
    assert_false(index_locate(&f->index, 99, word, &slot, &word));
    assert_int_equal(put(f, 2, 99), 0); /* takes the ghost's place */
    assert_int_equal(find(f, 99), 2);
    assert_int_equal(taken(f), 1);
}

static void stamps_wrap(void **state)
{
    struct fixture *f = *state;
    uint64_t slot;
    uint64_t word;

    put(f, 1, 99);
    assert_true(index_locate(&f->index, 99, word_for(f, 1), &slot, &word));
    assert_true(index_forget(&f->index, slot, word, 99, INDEX_STAMP_MASK));
    assert_true(index_known(&f->index, 99, 3, 4));
    assert_false(index_known(&f->index, 99, 4, 4));
}

static void touched_page_is_known(void **state)
{
    struct fixture *f = *state;
    uint64_t slot;
    uint64_t word;

    put(f, 1, 99);
    assert_true(index_locate(&f->index, 99, word_for(f, 1), &slot, &word));
    index_touch(&f->index, slot, word);
    assert_true(index_known(&f->index, 99, 0, 0));
}

static void ghost_gives_way_before_any_page(void **state)
{
    struct fixture *f = *state;
    uint64_t slot;
    uint64_t word;

    for (unsigned i = 0; i < INDEX_PROBES; i++)
        put(f, i, neighbour(i));
    assert_true(index_locate(&f->index, neighbour(6), word_for(f, 6), &slot, &word));
    assert_true(index_forget(&f->index, slot, word, neighbour(6), 0));
    assert_int_equal(put(f, 100, neighbour(100)), 0);
    assert_int_equal(find(f, neighbour(100)), 100);
    assert_int_equal(taken(f), INDEX_PROBES);
    assert_int_equal(index_remove(&f->index, neighbour(6), look, f), 0);
}

static void hot_page_is_not_the_one_to_go(void **state)
{
    struct fixture *f = *state;

    for (unsigned i = 0; i < INDEX_PROBES; i++)
        put(f, i, neighbour(i));
    for (unsigned i = 0; i < INDEX_PROBES; i++) {
        uint64_t slot;
        uint64_t word;

        f->wanted = neighbour(i);
        assert_true(index_find(&f->index, neighbour(i), look, f, &slot, &word));
        index_touch(&f->index, slot, word);
        if (i != 11)
            index_touch(&f->index, slot, word | INDEX_TOUCHED);
    }
    assert_int_equal(put(f, 100, neighbour(100)), 1);
    assert_int_equal(find(f, neighbour(11)), -1);
}

static void touch_of_a_word_replaced_meanwhile_does_nothing(void **state)
{
    struct fixture *f = *state;
    uint64_t slot;
    uint64_t word;

    put(f, 1, 99);
    assert_true(index_locate(&f->index, 99, word_for(f, 1), &slot, &word));
    put(f, 2, 99);
    index_touch(&f->index, slot, word);
    assert_int_equal(index_load(&f->index, slot), word_for(f, 2));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        T(word_keeps_its_parts),
        T(word_of_the_least_hash_and_place_is_not_empty),
        T(what_was_put_is_found),
        T(second_put_replaces_the_first),
        T(removed_key_is_gone),
        T(sixteen_neighbours_fit_and_the_next_evicts_one),
        T(touched_page_is_not_the_one_to_go),
        T(dead_slot_counts_as_empty),
        T(older_duplicate_goes_when_its_key_is_put),
        T(put_takes_the_first_of_two_slots_of_its_key),
        T(move_of_a_survivor_fails_once_its_key_was_put),
        T(move_of_a_survivor_fails_once_its_key_was_removed),
        T(touch_changes_one_bit_and_none_of_a_hot_page),
        T(touched_word_is_moved_as_well),
        T(forgotten_page_is_absent_but_known_for_a_while),
        T(stamps_wrap),
        T(touched_page_is_known),
        T(ghost_gives_way_before_any_page),
        T(hot_page_is_not_the_one_to_go),
        T(touch_of_a_word_replaced_meanwhile_does_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
