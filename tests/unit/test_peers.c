/* SPDX-License-Identifier: MIT */
/* test_peers.c - rows of the peers table, given out and taken back. */
#include "shm/peers.h"
#include "shm/region.h"

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

static void claimed_row_holds_what_was_asked_for(void **state)
{
    struct region *region = *state;
    uint32_t row = 77;

    assert_int_equal(peer_claim(region, 3, 1, -1, &row), 0);
    assert_int_equal(row, 0);
    assert_int_equal(peer_at(region, row)->state, PEER_STARTING);
    assert_int_equal(peer_at(region, row)->generation, 3);
    assert_int_equal(peer_at(region, row)->worker, 1);
    assert_int_equal(peer_at(region, row)->cpu, -1);
    assert_int_equal(peer_at(region, row)->pid, 0);
}

static void two_claims_give_two_rows(void **state)
{
    struct region *region = *state;
    uint32_t one;
    uint32_t two;

    assert_int_equal(peer_claim(region, 1, 0, 0, &one), 0);
    assert_int_equal(peer_claim(region, 1, 1, 1, &two), 0);
    assert_int_not_equal(one, two);
}

static void released_row_is_clean_for_its_next_owner(void **state)
{
    struct region *region = *state;
    uint32_t row;
    uint32_t again;

    assert_int_equal(peer_claim(region, 1, 0, 0, &row), 0);
    peer_at(region, row)->pid = 123;
    peer_at(region, row)->render_start_ns = 5;
    peer_at(region, row)->heartbeat_ms = 5;
    peer_release(region, row);
    assert_int_equal(peer_at(region, row)->state, PEER_FREE);
    assert_int_equal(peer_claim(region, 2, 0, 0, &again), 0);
    assert_int_equal(again, row);
    assert_int_equal(peer_at(region, row)->pid, 0);
    assert_int_equal(peer_at(region, row)->render_start_ns, 0);
    assert_int_equal(peer_at(region, row)->heartbeat_ms, 0);
}

static void full_table_refuses_and_leaves_the_result_alone(void **state)
{
    struct region *region = *state;
    uint32_t row = 0;

    for (uint32_t i = 0; i < REGION_PEERS_MAX; i++)
        assert_int_equal(peer_claim(region, 1, i, 0, &row), 0);
    row = 4711;
    assert_int_equal(peer_claim(region, 1, 0, 0, &row), -ENOSPC);
    assert_int_equal(row, 4711);
}

static void row_outside_the_table_is_null(void **state)
{
    assert_null(peer_at(*state, REGION_PEERS_MAX));
    peer_release(*state, REGION_PEERS_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(claimed_row_holds_what_was_asked_for, setup, teardown),
        cmocka_unit_test_setup_teardown(two_claims_give_two_rows, setup, teardown),
        cmocka_unit_test_setup_teardown(released_row_is_clean_for_its_next_owner, setup, teardown),
        cmocka_unit_test_setup_teardown(full_table_refuses_and_leaves_the_result_alone, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(row_outside_the_table_is_null, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
