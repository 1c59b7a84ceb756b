/* SPDX-License-Identifier: MIT */
/* test_backoff.c - the pauses of master/backoff.h as tables: one row a death. */
#include "master/backoff.h"

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

struct death {
    uint64_t lived_ms;
    bool killed;
    uint64_t pause_ms;
};

static void check(struct backoff *b, const struct death *death, size_t count)
{
    for (size_t i = 0; i < count; i++)
        assert_int_equal(backoff_died(b, death[i].lived_ms, death[i].killed), death[i].pause_ms);
}

static void early_deaths_pause_twice_as_long_each_time_up_to_a_limit(void **state)
{
    static const struct death deaths[] = {
        {0, false, 0},     {1, false, 0},    {1999, false, 0},   {0, false, 100},
        {0, false, 200},   {5, false, 400},  {1999, false, 800}, {0, false, 1600},
        {10, false, 3200}, {0, false, 5000}, {0, false, 5000},   {1999, false, 5000},
    };
    struct backoff b = {0};

    (void)state;
    check(&b, deaths, array_len(deaths));
}

static void one_long_life_forgives_all(void **state)
{
    static const struct death deaths[] = {
        {0, false, 0},   {0, false, 0},          {0, false, 0},
        {0, false, 100}, {0, false, 200},        {BACKOFF_YOUNG_MS, false, 0},
        {0, false, 0},   {0, false, 0},          {0, false, 0},
        {0, false, 100}, {UINT64_MAX, false, 0}, {0, false, 0},
    };
    struct backoff b = {0};

    (void)state;
    check(&b, deaths, array_len(deaths));
}

static void kills_while_serving_are_free_for_long_but_not_for_ever(void **state)
{
    struct backoff b = {0};

    (void)state;
    for (unsigned i = 0; i < BACKOFF_FREE_KILLED; i++)
        assert_int_equal(backoff_died(&b, 10, true), 0);
    assert_int_equal(b.early, 0);
    for (unsigned i = 0; i < BACKOFF_FREE; i++)
        assert_int_equal(backoff_died(&b, 10, true), 0);
    assert_int_equal(backoff_died(&b, 10, true), BACKOFF_FIRST_MS);
    assert_int_equal(backoff_died(&b, 10, true), 2 * BACKOFF_FIRST_MS);
}

static void a_kill_neither_adds_to_crashes_nor_forgives_them(void **state)
{
    static const struct death deaths[] = {
        {0, false, 0},   {0, true, 0}, {0, false, 0},   {0, false, 0},
        {0, false, 100}, {0, true, 0}, {0, false, 200}, {BACKOFF_YOUNG_MS, true, 0},
        {0, false, 0},
    };
    struct backoff b = {0};

    (void)state;
    check(&b, deaths, array_len(deaths));
}

static void the_pause_stays_at_its_limit_for_any_number_of_deaths(void **state)
{
    struct backoff b = {.early = UINT_MAX - 1};

    (void)state;
    assert_int_equal(backoff_died(&b, 0, false), BACKOFF_MAX_MS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(early_deaths_pause_twice_as_long_each_time_up_to_a_limit),
        cmocka_unit_test(one_long_life_forgives_all),
        cmocka_unit_test(kills_while_serving_are_free_for_long_but_not_for_ever),
        cmocka_unit_test(a_kill_neither_adds_to_crashes_nor_forgives_them),
        cmocka_unit_test(the_pause_stays_at_its_limit_for_any_number_of_deaths),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
