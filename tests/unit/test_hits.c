/* SPDX-License-Identifier: MIT */
/* test_hits.c - hits of an entry: whoever counted them, wherever it went, once each. */
#include "shm/hits.h"

#include "shm/cold.h"
#include "shm/region_map.h"
#include "tests/unit/sample_page.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#define WORKERS 2

struct fixture {
    struct region *region;
    struct cold *cold[WORKERS];
    struct hits *hits[WORKERS];
    struct cold *master;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct region_sizes sizes = {.cold_bytes = MIB, .max_object_bytes = 64 * KIB};

    *state = f;
    if (region_create(&sizes, &f->region) != 0 ||
        cold_open(f->region, REGION_PEERS_MAX, &f->master) != 0)
        return -1;
    for (uint32_t i = 0; i < WORKERS; i++) {
        if (cold_open(f->region, i, &f->cold[i]) != 0 ||
            hits_open(f->region, i, f->cold[i], &f->hits[i]) != 0)
            return -1;
    }
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    for (int i = 0; i < WORKERS; i++) {
        hits_close(f->hits[i]);
        cold_close(f->cold[i]);
    }
    cold_close(f->master);
    region_close(f->region);
    free(f);
    return 0;
}

static struct page *stored(struct fixture *f, const char *path, uint64_t stored_ms,
                           size_t body_bytes)
{
    struct page *page = sample_page(&(struct sample){
        .path = path, .letter = 'a', .body_bytes = body_bytes, .stored_ms = stored_ms});

    assert_int_equal(cold_put(f->cold[0], page), 0);
    return page;
}

struct looking {
    const struct hits_now *now;
    const char *path;
    int64_t hits; /* -1: not there */
};

static bool note(void *arg, const struct page *page, size_t copied_bytes,
                 const struct cold_seen *seen)
{
    struct looking *l = arg;

    (void)copied_bytes;
    if (!page_has_key(page, l->path, strlen(l->path)))
        return true;
    l->hits = (int64_t)hits_of(l->now, seen->slot, page);
    return false;
}

static int64_t hits_at(struct fixture *f, const char *path)
{
    struct hits_now *now = hits_look(f->region);
    struct looking l = {now, path, -1};

    assert_non_null(now);
    cold_walk(f->master, note, &l);
    hits_look_free(now);
    return l.hits;
}

static void count(struct hits *hits, uint16_t *cell, const struct page *page, unsigned times)
{
    for (unsigned i = 0; i < times; i++)
        hits_count(hits, cell, page);
}

static void all_workers_hits_count_wherever_the_page_is(void **state)
{
    struct fixture *f = *state;
    autofree struct page *page = stored(f, "/a", 1, 100);
    autofree struct page *other = stored(f, "/b", 1, 100);
    uint16_t cell[WORKERS] = {0};
    uint16_t others = 0;

    assert_int_equal(hits_at(f, "/a"), 0);
    count(f->hits[0], &cell[0], page, 3);
    count(f->hits[1], &cell[1], page, 4);
    count(f->hits[1], &others, other, 10);
    assert_int_equal(hits_at(f, "/a"), 7);
    hits_give(f->hits[0], cell[0]); /* evicted from its hot cache */
    assert_int_equal(hits_at(f, "/a"), 7);
    cell[0] = 0;
    count(f->hits[0], &cell[0], page, 1); /* and back */
    hits_close(f->hits[1]);
    f->hits[1] = NULL;
    assert_int_equal(hits_at(f, "/a"), 8);
    assert_int_equal(hits_at(f, "/b"), 10);
}

static void page_stored_anew_begins_at_zero(void **state)
{
    struct fixture *f = *state;
    autofree struct page *page = stored(f, "/a", 1, 100);
    uint16_t cell[WORKERS] = {0};

    count(f->hits[0], &cell[0], page, 3);
    count(f->hits[1], &cell[1], page, 3);
    hits_give(f->hits[0], cell[0]);
    autofree struct page *anew = stored(f, "/a", 2, 100);
    assert_int_equal(hits_at(f, "/a"), 0);
    cell[0] = 0;
    count(f->hits[0], &cell[0], anew, 2);
    hits_give(f->hits[1], cell[1]); /* of the page of before, late */
    assert_int_equal(hits_at(f, "/a"), 2);
    hits_give(f->hits[0], cell[0]);
    assert_int_equal(hits_at(f, "/a"), 2);
}

static void page_with_an_encoding_more_keeps_its_hits(void **state)
{
    struct fixture *f = *state;
    autofree struct page *page = stored(f, "/a", 1, 100);
    uint16_t cell = 0;

    count(f->hits[0], &cell, page, 3);
    hits_give(f->hits[0], cell);
    autofree struct page *more = stored(f, "/a", 1, 200);
    assert_int_equal(hits_at(f, "/a"), 3);
    cell = 0;
    count(f->hits[1], &cell, more, 1);
    assert_int_equal(hits_at(f, "/a"), 4);
}

static void what_a_dead_worker_counted_is_kept(void **state)
{
    struct fixture *f = *state;
    autofree struct page *page = stored(f, "/a", 1, 100);
    uint16_t cell = 0;
    struct hits *dead = f->hits[1];

    count(dead, &cell, page, 5);
    f->hits[1] = NULL; /* killed: nothing of it runs any more */
    assert_int_equal(hits_at(f, "/a"), 5);
    assert_int_equal(hits_open(f->region, 1, f->cold[1], &f->hits[1]), 0); /* the next of its row */
    assert_int_equal(hits_at(f, "/a"), 5);
    cell = 0;
    count(f->hits[1], &cell, page, 1);
    assert_int_equal(hits_at(f, "/a"), 6);
    free(dead->backed);
    free(dead);
}

static void with_no_cell_left_each_hit_is_added_at_once(void **state)
{
    struct fixture *f = *state;
    autofree struct page *page = stored(f, "/a", 1, 100);
    autofree struct page *other = stored(f, "/b", 1, 100);
    uint16_t cell = 0;
    uint16_t first = 0;

    for (unsigned i = 1; i < HITS_CELLS; i++) {
        uint16_t taken = 0;

        assert_true(hits_take(f->hits[0], other, &taken));
        first = first ? first : taken;
    }
    count(f->hits[0], &cell, page, 3);
    assert_int_equal(cell, 0);
    assert_int_equal(hits_at(f, "/a"), 3);
    hits_give(f->hits[0], first);
    count(f->hits[0], &cell, page, 1);
    assert_int_not_equal(cell, 0);
    assert_int_equal(hits_at(f, "/a"), 4);
}

static void asked_for(struct fixture *f, const char *path)
{
    struct cold_ref ref;
    autofree struct page *page = NULL;

    assert_int_equal(cold_find(f->cold[0], path, strlen(path), sample_hash(path), &ref), 0);
    page = malloc(ref.page_bytes);
    assert_int_equal(cold_copy(f->cold[0], &ref, path, strlen(path), page), 0);
}

/* Pages come and go over the slots and the bytes of others; those that stay are moved. */
static void eviction_neither_loses_nor_bequeaths_hits(void **state)
{
    struct fixture *f = *state;
    autofree struct page *kept = stored(f, "/kept", 1, 5000);
    uint16_t cell = 0;

    count(f->hits[0], &cell, kept, 9);
    hits_give(f->hits[0], cell);
    for (unsigned i = 0; i < 2000; i++) {
        char path[20];

        (void)snprintf(path, sizeof path, "/n%u", i);
        autofree struct page *page = stored(f, path, 2 + i, 3000);
        assert_int_equal(hits_at(f, path), 0);
        cell = 0;
        count(f->hits[0], &cell, page, 1);
        hits_give(f->hits[0], cell);
        asked_for(f, "/kept");
        if (i % 100 == 0)
            assert_int_equal(hits_at(f, "/kept"), 9);
    }
    assert_int_equal(hits_at(f, "/n0"), -1);
    assert_int_equal(hits_at(f, "/kept"), 9);
}

static void hits_of_a_page_that_is_gone_go_nowhere(void **state)
{
    struct fixture *f = *state;
    autofree struct page *page = stored(f, "/a", 1, 100);
    uint16_t cell = 0;

    count(f->hits[0], &cell, page, 3);
    assert_int_equal(cold_delete(f->cold[0], "/a", 2, sample_hash("/a")), 1);
    hits_give(f->hits[0], cell);
    assert_int_equal(hits_at(f, "/a"), -1);
}

/* Foreign bytes: a file's counts, and a row that somebody wrote over. */
static void any_bytes_are_some_number(void **state)
{
    struct fixture *f = *state;
    autofree struct page *page = stored(f, "/a", 1, 100);
    uint16_t cell = 0;

    memset(region_at(f->region, REGION_COUNTS), 0xff, f->region->header->slots * 8);
    memset(region_at(f->region, REGION_HITS), 0xff, hits_backed_bytes() + 4096);
    assert_true(hits_at(f, "/a") >= 0);
    hits_close(f->hits[1]);
    assert_int_equal(hits_open(f->region, 1, f->cold[1], &f->hits[1]), 0);
    count(f->hits[1], &cell, page, 1);
    hits_give(f->hits[1], cell);
    assert_true(hits_at(f, "/a") >= 1);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(all_workers_hits_count_wherever_the_page_is),
        TEST(page_stored_anew_begins_at_zero),
        TEST(page_with_an_encoding_more_keeps_its_hits),
        TEST(what_a_dead_worker_counted_is_kept),
        TEST(with_no_cell_left_each_hit_is_added_at_once),
        TEST(eviction_neither_loses_nor_bequeaths_hits),
        TEST(hits_of_a_page_that_is_gone_go_nowhere),
        TEST(any_bytes_are_some_number),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
