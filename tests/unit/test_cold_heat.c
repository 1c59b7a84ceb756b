/* SPDX-License-Identifier: MIT */
/* test_cold_heat.c - what a walk tells of how often a page was read. */
#include "shm/cold.h"
#include "shm/region.h"
#include "tests/unit/sample_page.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static bool note_heat(void *arg, const struct page *page, size_t copied_bytes,
                      const struct cold_seen *where)
{
    unsigned *seen = arg;

    (void)page;
    (void)copied_bytes;
    *seen = where->heat;
    return true;
}

static unsigned heat_of(struct cold *cold)
{
    unsigned heat = 77;

    cold_walk(cold, note_heat, &heat);
    return heat;
}

static void read_page(struct cold *cold, struct page *buf)
{
    struct cold_ref ref;

    assert_int_equal(cold_find(cold, "/a", 2, sample_hash("/a"), &ref), 0);
    assert_int_equal(cold_copy(cold, &ref, "/a", 2, buf), 0);
}

static void heat_is_the_reads_of_workers_up_to_two(void **state)
{
    autofree struct page *page = sample_page(&(struct sample){.path = "/a", .body_bytes = 50});
    struct region *region;
    struct cold *worker;
    struct cold *master;

    assert_int_equal(region_create(&(struct region_sizes){MIB, 64 * KIB}, &region), 0);
    assert_int_equal(cold_open(region, 0, &worker), 0);
    assert_int_equal(cold_open(region, REGION_PEERS_MAX, &master), 0);
    assert_int_equal(cold_put(worker, page), 0);
    for (unsigned reads = 0; reads < 5; reads++) {
        read_page(master, page); /* people who look do not count */
        assert_int_equal(heat_of(master), reads < COLD_HEAT_MAX ? reads : COLD_HEAT_MAX);
        read_page(worker, page);
    }
    cold_close(worker);
    cold_close(master);
    region_close(region);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(heat_is_the_reads_of_workers_up_to_two)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
