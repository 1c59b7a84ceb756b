/* SPDX-License-Identifier: MIT */
/* test_limit.c - connections and requests of one address, over several processes. */
#include "worker/limit.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define SECOND 1000000000u

static struct limit *make(uint32_t connections, uint32_t count, uint32_t seconds)
{
    struct limit *limit;

    assert_int_equal(limit_new(connections, (struct config_rate){count, seconds}, 4, &limit), 0);
    for (uint32_t row = 0; row < 4; row++)
        limit_take_row(limit, row);
    return limit;
}

static uint32_t who(const struct limit *limit, const char *text)
{
    struct sockaddr_in in = {.sin_family = AF_INET};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};

    if (inet_pton(AF_INET, text, &in.sin_addr) == 1)
        return limit_of(limit, (struct sockaddr *)&in);
    assert_int_equal(inet_pton(AF_INET6, text, &in6.sin6_addr), 1);
    return limit_of(limit, (struct sockaddr *)&in6);
}

static void without_limits_there_is_no_table(void **state)
{
    (void)state;
    assert_null(make(0, 0, 1));
    assert_int_equal(who(NULL, "192.0.2.1"), UINT32_MAX);
    assert_true(limit_connect(NULL, 0, 1) && limit_request(NULL, 1, 0));
    limit_take_row(NULL, 0);
    limit_disconnect(NULL, 0, 1);
}

static void connections_add_up_over_the_rows(void **state)
{
    struct limit *limit = make(3, 0, 1);
    uint32_t a = who(limit, "192.0.2.1");

    (void)state;
    assert_true(limit_connect(limit, 0, a) && limit_connect(limit, 1, a));
    assert_true(limit_connect(limit, 1, a));
    assert_false(limit_connect(limit, 0, a));
    assert_false(limit_connect(limit, 2, a));
    limit_disconnect(limit, 1, a);
    assert_true(limit_connect(limit, 2, a));
    assert_false(limit_connect(limit, 2, a));
    assert_true(limit_request(limit, a, 0));
    limit_free(limit);
}

static void a_row_taken_over_begins_at_nothing(void **state)
{
    struct limit *limit = make(2, 0, 1);
    uint32_t a = who(limit, "192.0.2.1");

    (void)state;
    assert_true(limit_connect(limit, 1, a) && limit_connect(limit, 1, a));
    assert_false(limit_connect(limit, 0, a));
    limit_take_row(limit, 1);
    assert_true(limit_connect(limit, 0, a));
    limit_disconnect(limit, 1, a); /* of the time before: no count goes below nothing */
    assert_true(limit_connect(limit, 1, a));
    assert_false(limit_connect(limit, 1, a));
    limit_free(limit);
}

static void a_row_whose_process_has_gone_is_forgotten(void **state)
{
    struct limit *limit = make(2, 0, 1);
    uint32_t a = who(limit, "192.0.2.1");

    (void)state;
    assert_int_equal(limit_rows(NULL), 0);
    assert_int_equal(limit_rows(limit), 4); /* make() takes them */
    assert_true(limit_connect(limit, 1, a) && limit_connect(limit, 1, a));
    assert_false(limit_connect(limit, 0, a));
    limit_forget_row(limit, 1);
    assert_true(limit_connect(limit, 0, a));
    limit_forget_row(limit, 99);
    limit_free(limit);
}

static void requests_come_in_a_burst_and_then_at_their_rate(void **state)
{
    struct limit *limit = make(0, 5, 1);
    uint32_t a = who(limit, "192.0.2.1");
    uint64_t now = 1000 * (uint64_t)SECOND;

    (void)state;
    for (int i = 0; i < 5; i++)
        assert_true(limit_request(limit, a, now));
    assert_false(limit_request(limit, a, now));
    assert_false(limit_request(limit, a, now + SECOND / 5 - 1));
    assert_true(limit_request(limit, a, now + SECOND / 5));
    assert_false(limit_request(limit, a, now + SECOND / 5));
    for (int i = 0; i < 5; i++)
        assert_true(limit_request(limit, a, now + 10 * (uint64_t)SECOND));
    assert_false(limit_request(limit, a, now + 10 * (uint64_t)SECOND));
    assert_true(limit_connect(limit, 0, a));
    limit_free(limit);
}

static void an_address_is_a_v4_one_or_the_net_of_a_v6_one(void **state)
{
    struct limit *limit = make(1, 0, 1);
    struct sockaddr un = {.sa_family = AF_UNIX};

    (void)state;
    assert_int_equal(who(limit, "2001:db8::1"), who(limit, "2001:db8::ffff:1"));
    assert_int_equal(who(limit, "::ffff:192.0.2.1"), who(limit, "192.0.2.1"));
    assert_int_equal(limit_of(limit, &un), UINT32_MAX);
    for (int i = 0; i < 3; i++)
        assert_true(limit_connect(limit, 0, UINT32_MAX));
    limit_free(limit);
}

/* Four processes ask at once: of the requests of one instant exactly the burst passes. */
static void processes_share_one_bucket(void **state)
{
    struct limit *limit = make(0, 1000, 1);
    uint32_t a = who(limit, "192.0.2.1");
    unsigned passed = 0;
    int pipes[2];

    (void)state;
    assert_int_equal(pipe(pipes), 0);
    for (int p = 0; p < 4; p++) {
        unsigned own = 0;

        if (fork() != 0)
            continue;
        for (int i = 0; i < 5000; i++)
            own += limit_request(limit, a, SECOND);
        _exit(write(pipes[1], &own, sizeof own) != sizeof own);
    }
    for (int p = 0; p < 4; p++) {
        unsigned own = 0;
        int status = 1;

        assert_int_equal(read(pipes[0], &own, sizeof own), sizeof own);
        assert_true(wait(&status) > 0 && status == 0);
        passed += own;
    }
    assert_in_range(passed, 1000, 1010); /* who loses the race eight times passes */
    (void)close(pipes[0]);
    (void)close(pipes[1]);
    limit_free(limit);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_limits_there_is_no_table),
        cmocka_unit_test(connections_add_up_over_the_rows),
        cmocka_unit_test(a_row_taken_over_begins_at_nothing),
        cmocka_unit_test(a_row_whose_process_has_gone_is_forgotten),
        cmocka_unit_test(requests_come_in_a_burst_and_then_at_their_rate),
        cmocka_unit_test(an_address_is_a_v4_one_or_the_net_of_a_v6_one),
        cmocka_unit_test(processes_share_one_bucket),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
