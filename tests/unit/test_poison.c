/* SPDX-License-Identifier: MIT */
/* test_poison.c - which keys rest, and for how long (shm/poison.h). The test owns the time. */
#include "shm/poison.h"

#include "shm/region.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define KEY 42u
#define T0 UINT64_C(1000000)

static struct region *region;
static struct poison *p;

static int set_up(void **state)
{
    (void)state;
    if (region_create(&(struct region_sizes){MIB, 64 * KIB}, &region) != 0)
        return -1;
    p = poison_of(region);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    region_close(region);
    return 0;
}

static void one_death_poisons_nothing(void **state)
{
    (void)state;
    assert_false(poison_note(p, KEY, T0));
    assert_false(poison_rests(p, KEY, T0));
}

static void two_within_a_minute_do_and_it_rests_for_a_minute(void **state)
{
    uint64_t second = T0 + POISON_DEATHS_MS - 1;

    (void)state;
    assert_false(poison_note(p, KEY, T0));
    assert_true(poison_note(p, KEY, second));
    assert_true(poison_rests(p, KEY, second));
    assert_true(poison_rests(p, KEY, second + POISON_REST_MS - 1));
    assert_false(poison_rests(p, KEY, second + POISON_REST_MS));
    assert_false(poison_rests(p, KEY + 1, second));
}

static void a_minute_apart_they_do_not(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < 5; i++)
        assert_false(poison_note(p, KEY, T0 + i * POISON_DEATHS_MS));
}

static void after_its_rest_one_death_is_enough_for_a_minute(void **state)
{
    (void)state;
    (void)poison_note(p, KEY, T0);
    assert_true(poison_note(p, KEY, T0));
    assert_true(poison_note(p, KEY, T0 + POISON_REST_MS + 1));
    assert_true(poison_rests(p, KEY, T0 + POISON_REST_MS + 2));
    assert_false(poison_note(p, KEY, T0 + 2 * POISON_REST_MS + POISON_DEATHS_MS + 2));
}

static void deaths_without_a_render_poison_nothing(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++)
        assert_false(poison_note(p, 0, T0));
    (void)poison_note(p, KEY, T0);
    (void)poison_note(p, KEY, T0);
    assert_false(poison_rests(p, 0, T0));
}

static void many_keys_push_out_the_one_longest_quiet(void **state)
{
    (void)state;
    (void)poison_note(p, KEY, T0);
    assert_true(poison_note(p, KEY, T0));
    for (uint64_t i = 1; i < 64; i++)
        assert_false(poison_note(p, KEY + i, T0 + i));
    assert_true(poison_rests(p, KEY, T0 + 100));
    assert_false(poison_note(p, KEY + 64, T0 + 64));
    assert_false(poison_rests(p, KEY, T0 + 100));
    assert_true(poison_note(p, KEY + 1, T0 + 65)); /* the others are remembered */
}

int main(void)
{
#define WITH_REGION(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        WITH_REGION(one_death_poisons_nothing),
        WITH_REGION(two_within_a_minute_do_and_it_rests_for_a_minute),
        WITH_REGION(a_minute_apart_they_do_not),
        WITH_REGION(after_its_rest_one_death_is_enough_for_a_minute),
        WITH_REGION(deaths_without_a_render_poison_nothing),
        WITH_REGION(many_keys_push_out_the_one_longest_quiet),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
