/* SPDX-License-Identifier: MIT */
/* test_stats.c - counters: named, summed, and never falling when a worker leaves. */
#include "shm/region.h"
#include "shm/stats.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static int setup(void **state)
{
    struct region *region;
    int rc = region_create(&(struct region_sizes){MIB, 64 * KIB}, &region);

    *state = region;
    return rc;
}

static int teardown(void **state)
{
    region_close(*state);
    return 0;
}

static size_t column(const char *name)
{
    size_t i = 0;

    while (i < stats_column_count && strcmp(stats_columns[i].name, name) != 0)
        i++;
    assert_true(i < stats_column_count);
    return i;
}

static void sum_is_over_all_rows(void **state)
{
    struct region *region = *state;

    stats_add(&stats_at(region, 0)->cache_hot, 3);
    stats_add(&stats_at(region, REGION_PEERS_MAX - 1)->cache_hot, 4);
    assert_int_equal(stats_sum(region, column("cache_hot")), 7);
    assert_int_equal(stats_one(region, 0, column("cache_hot")), 3);
    assert_int_equal(stats_sum(region, column("cache_cold")), 0);
}

static void retired_counters_stay_and_gauges_vanish(void **state)
{
    struct region *region = *state;

    stats_add(&stats_at(region, 5)->renders_ok, 9);
    stats_set(&stats_at(region, 5)->connections, 2);
    stats_retire(region, 5);
    assert_int_equal(stats_sum(region, column("renders_ok")), 9);
    assert_int_equal(stats_sum(region, column("connections")), 0);
    assert_int_equal(stats_one(region, 5, column("renders_ok")), 0);
}

static void row_used_again_adds_to_what_its_last_owner_did(void **state)
{
    struct region *region = *state;

    for (int i = 0; i < 3; i++) {
        stats_add(&stats_at(region, 5)->renders_ok, 2);
        stats_retire(region, 5);
    }
    assert_int_equal(stats_sum(region, column("renders_ok")), 6);
}

static void every_column_leads_to_a_word_of_its_own(void **state)
{
    struct region *region = *state;

    for (size_t i = 0; i < stats_column_count; i++) {
        struct stats *row = stats_at(region, 1);

        stats_add((_Atomic uint64_t *)((char *)row + stats_columns[i].offset), i + 1);
    }
    for (size_t i = 0; i < stats_column_count; i++)
        assert_int_equal(stats_one(region, 1, i), i + 1);
}

static void rows_stand_on_cache_lines(void **state)
{
    assert_int_equal((uintptr_t)stats_at(*state, 1) % CACHE_LINE_BYTES, 0);
    assert_int_equal((uintptr_t)stats_master(*state) % CACHE_LINE_BYTES, 0);
    assert_null(stats_at(*state, REGION_PEERS_MAX));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(sum_is_over_all_rows, setup, teardown),
        cmocka_unit_test_setup_teardown(retired_counters_stay_and_gauges_vanish, setup, teardown),
        cmocka_unit_test_setup_teardown(row_used_again_adds_to_what_its_last_owner_did, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(every_column_leads_to_a_word_of_its_own, setup, teardown),
        cmocka_unit_test_setup_teardown(rows_stand_on_cache_lines, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
