/* SPDX-License-Identifier: MIT */
/* test_purge.c - what a purge covers, and what it leaves alone. */
#include "shm/purge_map.h"
#include "shm/region.h"
#include "tests/unit/sample_page.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <stdio.h>

struct fixture {
    struct region *region;
    struct purge *purge;
};

static int setup(void **state)
{
    static struct fixture fixture;

    if (region_create(&(struct region_sizes){MIB, 64 * KIB}, &fixture.region) != 0)
        return -1;
    fixture.purge = purge_of(fixture.region);
    *state = &fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;

    region_close(fixture->region);
    return 0;
}

/* A page whose render begins now. Returns owned. */
static struct page *rendered(const struct purge *purge, const char *path)
{
    return sample_page(&(struct sample){.path = path, .epoch = purge_epoch(purge)});
}

static void page_is_valid_until_its_url_is_purged(void **state)
{
    struct fixture *f = *state;
    autofree struct page *page = rendered(f->purge, "/a?b=1");
    autofree struct page *other = rendered(f->purge, "/a?b=2");

    assert_true(purge_page_valid(f->purge, page));
    purge_url(f->purge, "/a?b=1", 6);
    assert_false(purge_page_valid(f->purge, page));
    assert_true(purge_page_valid(f->purge, other));
}

static void render_begun_after_the_purge_is_valid(void **state)
{
    struct fixture *f = *state;
    autofree struct page *page = NULL;

    purge_url(f->purge, "/a", 2);
    (void)purge_prefix(f->purge, "/", 1);
    purge_all(f->purge);
    page = rendered(f->purge, "/a");
    assert_true(purge_page_valid(f->purge, page));
}

static void render_begun_before_the_purge_stays_invalid(void **state)
{
    struct fixture *f = *state;
    autofree struct page *page = rendered(f->purge, "/a");

    purge_url(f->purge, "/a", 2);
    for (int i = 0; i < 200; i++)
        purge_url(f->purge, "/other", 6);
    assert_false(purge_page_valid(f->purge, page));
}

static void every_purge_moves_the_epoch(void **state)
{
    struct fixture *f = *state;
    uint64_t epoch = purge_epoch(f->purge);

    purge_url(f->purge, "/a", 2);
    assert_int_equal(purge_epoch(f->purge), epoch + 1);
    purge_tag(f->purge, "t", 1);
    assert_int_equal(purge_epoch(f->purge), epoch + 2);
    purge_all(f->purge);
    assert_int_equal(purge_epoch(f->purge), epoch + 3);
    assert_int_equal(purge_prefix(f->purge, "/a", 2), 0);
    assert_int_equal(purge_epoch(f->purge), epoch + 4);
    assert_int_equal(purge_prefix(f->purge, "/a", 2), 0);
    assert_int_equal(purge_epoch(f->purge), epoch + 5);
}

static void tag_covers_pages_that_carry_it(void **state)
{
    struct fixture *f = *state;
    struct span tags[] = {{"red", 3}, {"blue", 4}};
    autofree struct page *both = sample_page(&(struct sample){
        .path = "/a", .epoch = purge_epoch(f->purge), .tags = tags, .tag_count = 2});
    autofree struct page *one = sample_page(&(struct sample){
        .path = "/b", .epoch = purge_epoch(f->purge), .tags = tags, .tag_count = 1});

    purge_tag(f->purge, "blue", 4);
    assert_false(purge_page_valid(f->purge, both));
    assert_true(purge_page_valid(f->purge, one));
}

static void prefix_covers_what_begins_with_it(void **state)
{
    struct fixture *f = *state;
    autofree struct page *under = rendered(f->purge, "/blog/2024/a-rather-long-title");
    autofree struct page *equal = rendered(f->purge, "/blog/2024/");
    autofree struct page *shorter = rendered(f->purge, "/blog/2024");
    autofree struct page *beside = rendered(f->purge, "/blog/2025/a");

    assert_int_equal(purge_prefix(f->purge, "/blog/2024/", 11), 0);
    assert_false(purge_page_valid(f->purge, under));
    assert_false(purge_page_valid(f->purge, equal));
    assert_true(purge_page_valid(f->purge, shorter));
    assert_true(purge_page_valid(f->purge, beside));
}

static void prefix_of_the_greatest_length_works_and_one_more_is_refused(void **state)
{
    struct fixture *f = *state;
    char path[PURGE_PREFIX_BYTES_MAX + 2];
    autofree struct page *page = NULL;
    autofree struct page *other = NULL;
    uint64_t epoch;

    memset(path, 'x', sizeof path);
    path[0] = '/';
    path[PURGE_PREFIX_BYTES_MAX] = '\0';
    page = rendered(f->purge, path);
    path[PURGE_PREFIX_BYTES_MAX - 1] = 'y';
    other = rendered(f->purge, path);
    path[PURGE_PREFIX_BYTES_MAX - 1] = 'x';
    assert_int_equal(purge_prefix(f->purge, path, PURGE_PREFIX_BYTES_MAX), 0);
    assert_false(purge_page_valid(f->purge, page));
    assert_true(purge_page_valid(f->purge, other));
    epoch = purge_epoch(f->purge);
    assert_int_equal(purge_prefix(f->purge, path, PURGE_PREFIX_BYTES_MAX + 1), -ENAMETOOLONG);
    assert_int_equal(purge_epoch(f->purge), epoch);
}

static void empty_prefix_covers_everything(void **state)
{
    struct fixture *f = *state;
    autofree struct page *page = rendered(f->purge, "/a");

    assert_int_equal(purge_prefix(f->purge, "", 0), 0);
    assert_false(purge_page_valid(f->purge, page));
}

static void forgotten_prefix_still_covers_its_pages(void **state)
{
    struct fixture *f = *state;
    autofree struct page *page = rendered(f->purge, "/blog/a");

    assert_int_equal(purge_prefix(f->purge, "/blog/", 6), 0);
    for (int i = 0; i < 500; i++) {
        char other[32];
        int n = snprintf(other, sizeof other, "/other/%d/", i);
        autofree struct page *fresh = NULL;

        assert_int_equal(purge_prefix(f->purge, other, (size_t)n), 0);
        assert_false(purge_page_valid(f->purge, page));
        fresh = rendered(f->purge, "/blog/a");
        assert_true(purge_page_valid(f->purge, fresh));
    }
}

static void same_prefix_again_and_again_forgets_nothing(void **state)
{
    struct fixture *f = *state;
    autofree struct page *old = rendered(f->purge, "/keep");

    for (int i = 0; i < 500; i++) {
        autofree struct page *page = rendered(f->purge, "/blog/a");

        assert_int_equal(purge_prefix(f->purge, "/blog/", 6), 0);
        assert_false(purge_page_valid(f->purge, page));
    }
    assert_true(purge_page_valid(f->purge, old));
}

static void all_covers_everything_older(void **state)
{
    struct fixture *f = *state;
    autofree struct page *page = rendered(f->purge, "/a");

    purge_all(f->purge);
    assert_false(purge_page_valid(f->purge, page));
}

#define DEAD 4000000u

static void entry_of_a_dead_purger_is_freed_and_what_it_covered_refused(void **state)
{
    struct fixture *f = *state;
    autofree struct page *old = rendered(f->purge, "/elsewhere");
    struct purge_prefix *entry = &f->purge->prefix[3];
    autofree struct page *page = NULL;

    /* killed while it wrote the text, its epoch raised */
    atomic_store_explicit(&entry->version, DEAD, memory_order_relaxed);
    atomic_store_explicit(&entry->epoch, purge_epoch(f->purge) + 1, memory_order_relaxed);
    assert_int_equal(purge_reap(f->purge, DEAD - 1), 0);
    assert_int_equal(entry->version & PURGE_PID_MASK, DEAD);
    assert_int_equal(purge_reap(f->purge, DEAD), 1);
    assert_int_equal(entry->version & PURGE_PID_MASK, 0);
    assert_int_equal(purge_reap(f->purge, DEAD), 0);
    page = rendered(f->purge, "/elsewhere");
    purge_url(f->purge, "/b", 2); /* readers look again */
    assert_false(purge_page_valid(f->purge, old));
    assert_true(purge_page_valid(f->purge, page));
}

static void purge_that_died_before_its_epoch_refuses_nothing_rendered_after_the_reaper(void **state)
{
    struct fixture *f = *state;
    autofree struct page *old = rendered(f->purge, "/a");
    autofree struct page *page = NULL;
    uint64_t epoch = purge_epoch(f->purge);

    assert_int_equal(purge_reap(f->purge, DEAD), 0);
    assert_int_equal(purge_epoch(f->purge), epoch); /* nothing to finish: nobody looks again */
    atomic_store_explicit(&f->purge->tag[77], epoch + 1, memory_order_relaxed);
    atomic_store_explicit(&f->purge->all, epoch + 1, memory_order_relaxed);
    assert_int_equal(purge_reap(f->purge, DEAD), 0);
    page = rendered(f->purge, "/a");
    purge_url(f->purge, "/b", 2);
    assert_true(purge_page_valid(f->purge, page));
    assert_false(purge_page_valid(f->purge, old));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        T(page_is_valid_until_its_url_is_purged),
        T(render_begun_after_the_purge_is_valid),
        T(render_begun_before_the_purge_stays_invalid),
        T(every_purge_moves_the_epoch),
        T(tag_covers_pages_that_carry_it),
        T(prefix_covers_what_begins_with_it),
        T(prefix_of_the_greatest_length_works_and_one_more_is_refused),
        T(empty_prefix_covers_everything),
        T(forgotten_prefix_still_covers_its_pages),
        T(same_prefix_again_and_again_forgets_nothing),
        T(all_covers_everything_older),
        T(entry_of_a_dead_purger_is_freed_and_what_it_covered_refused),
        T(purge_that_died_before_its_epoch_refuses_nothing_rendered_after_the_reaper),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
