/* SPDX-License-Identifier: MIT */
/* test_stats.c - counters: named, summed, and never falling when a worker leaves. */
#include "shm/peers.h"
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

/* Only rows of workers are summed. */
static void claim(const struct region *region, uint32_t row)
{
    atomic_store_explicit(&peer_at(region, row)->state, PEER_SERVING, memory_order_relaxed);
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

    claim(region, 0);
    claim(region, REGION_PEERS_MAX - 1);
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

static void requests_are_counted_by_method_and_status(void **state)
{
    struct region *region = *state;
    struct stats *row = stats_at(region, 3);
    struct stats total;

    claim(region, 3);
    stats_count_request(row, STATS_GET, 200);
    stats_count_request(row, STATS_GET, 200);
    stats_count_request(row, STATS_HEAD, 404);
    stats_count_request(row, STATS_POST, 599); /* in no row of the table: its class */
    stats_total(region, &total);
    assert_int_equal(total.requests[STATS_GET][STATS_CODE_200], 2);
    assert_int_equal(total.requests[STATS_HEAD][STATS_CODE_404], 1);
    assert_int_equal(total.requests[STATS_POST][STATS_CODE_500], 1);
    assert_int_equal(stats_requests_of_class(&total, 2), 2);
    assert_int_equal(stats_requests_of_class(&total, 4), 1);
    assert_int_equal(stats_requests_of_class(&total, 5), 1);
    for (unsigned code = 0; code < STATS_CODES; code++)
        assert_in_range(stats_code_status(code), 100, 599);
    stats_retire(region, 3);
    stats_total(region, &total);
    assert_int_equal(total.requests[STATS_GET][STATS_CODE_200], 2);
}

static void an_observation_falls_into_the_first_bucket_that_holds_it(void **state)
{
    struct stats_histogram *h = &stats_at(*state, 0)->render_duration;

    stats_observe(h, 0);
    stats_observe(h, 500000); /* a bound is inside its bucket */
    stats_observe(h, 500001);
    stats_observe(h, UINT64_C(10000000001)); /* above the last bound */
    assert_int_equal(h->bucket[0], 2);
    assert_int_equal(h->bucket[1], 1);
    assert_int_equal(h->bucket[STATS_BOUNDS], 1);
    assert_int_equal(h->sum_ns, UINT64_C(10001000002));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(sum_is_over_all_rows, setup, teardown),
        cmocka_unit_test_setup_teardown(requests_are_counted_by_method_and_status, setup, teardown),
        cmocka_unit_test_setup_teardown(an_observation_falls_into_the_first_bucket_that_holds_it,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(retired_counters_stay_and_gauges_vanish, setup, teardown),
        cmocka_unit_test_setup_teardown(row_used_again_adds_to_what_its_last_owner_did, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(every_column_leads_to_a_word_of_its_own, setup, teardown),
        cmocka_unit_test_setup_teardown(rows_stand_on_cache_lines, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
