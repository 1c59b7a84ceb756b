/* SPDX-License-Identifier: MIT */
/* test_cpus.c - quotas as text, the affinity mask of this process, and what follows from both. */
#include "master/cpus.h"

#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void quotas_are_rounded_up_to_whole_cpus(void **state)
{
    static const struct {
        const char *text;
        unsigned cpus;
    } rows[] = {
        {"200000 100000\n", 2}, {"200000 100000", 2},       {"100000 100000", 1},
        {"100001 100000", 2},   {"150000 100000", 2},       {"1 100000", 1},
        {"50000 50000", 1},     {"  300000   100000  ", 3}, {"25600000 100000", 256},
    };

    (void)state;
    for (size_t i = 0; i < array_len(rows); i++)
        assert_int_equal(cpus_quota_parse(rows[i].text), rows[i].cpus);
}

static void no_limit_and_malformed_text_are_no_quota(void **state)
{
    static const char *const rows[] = {
        "max 100000",
        "max",
        "",
        "\n",
        "200000",
        "200000 ",
        "200000 max",
        "0 100000",
        "100000 0",
        "0 0",
        "-1 100000",
        "-300000 100000",
        "x 100000",
        "25600001 100000", /* more than CPUS_MAX: no bound at all */
        "18446744073709551615 2",
        "18446744073709551615 18446744073709551615",
        "99999999999999999999999999 100000",
    };

    (void)state;
    for (size_t i = 0; i < array_len(rows); i++)
        assert_int_equal(cpus_quota_parse(rows[i]), 0);
}

static void workers_are_the_lower_of_cpus_and_quota(void **state)
{
    static const struct {
        unsigned count, quota, workers;
    } rows[] = {
        {4, 0, 4}, {4, 2, 2}, {4, 4, 4}, {4, 8, 4}, {1, 0, 1}, {1, 1, 1}, {CPUS_MAX, 3, 3},
    };

    (void)state;
    for (size_t i = 0; i < array_len(rows); i++) {
        struct cpus cpus = {.count = rows[i].count, .quota = rows[i].quota};

        assert_int_equal(cpus_workers(&cpus), rows[i].workers);
    }
}

static void the_affinity_mask_is_read_in_ascending_order(void **state)
{
    struct cpus cpus;
    cpu_set_t set;

    (void)state;
    assert_int_equal(sched_getaffinity(0, sizeof set, &set), 0);
    cpus_read(&cpus);
    assert_int_equal(cpus.count, CPU_COUNT(&set) < CPUS_MAX ? CPU_COUNT(&set) : CPUS_MAX);
    for (unsigned i = 0; i < cpus.count; i++) {
        assert_true(CPU_ISSET(cpus.cpu[i], &set));
        assert_true(i == 0 || cpus.cpu[i] > cpus.cpu[i - 1]);
    }
    assert_in_range(cpus_workers(&cpus), 1, cpus.count);
}

static void a_narrower_mask_gives_fewer_cpus(void **state)
{
    cpu_set_t before, one;
    struct cpus all, cpus;
    int last;

    (void)state;
    cpus_read(&all);
    last = all.cpu[all.count - 1];
    assert_int_equal(sched_getaffinity(0, sizeof before, &before), 0);
    CPU_ZERO(&one);
    CPU_SET(last, &one);
    assert_int_equal(sched_setaffinity(0, sizeof one, &one), 0);
    cpus_read(&cpus);
    assert_int_equal(sched_setaffinity(0, sizeof before, &before), 0);
    assert_int_equal(cpus.count, 1);
    assert_int_equal(cpus.cpu[0], last);
    assert_int_equal(cpus_workers(&cpus), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quotas_are_rounded_up_to_whole_cpus),
        cmocka_unit_test(no_limit_and_malformed_text_are_no_quota),
        cmocka_unit_test(workers_are_the_lower_of_cpus_and_quota),
        cmocka_unit_test(the_affinity_mask_is_read_in_ascending_order),
        cmocka_unit_test(a_narrower_mask_gives_fewer_cpus),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
