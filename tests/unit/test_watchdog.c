/* SPDX-License-Identifier: MIT */
/* test_watchdog.c - deadlines of worker/watchdog.c; its ticks: test_watchdog_tick.c. */
#include "tests/unit/watchdog_fixture.h"

static void a_deadline_in_the_past_fires(void **state)
{
    struct fixture *f = *state;

    begin_target(f, mono_ns() - MS_NS);
    wait_for_shot(&f->js, 1);
    end_target(f);
    no_strays(f);
}

static void the_deadline_0_fires_too(void **state)
{
    struct fixture *f = *state;

    begin_target(f, 0);
    wait_for_shot(&f->js, 1);
    end_target(f);
}

static void a_deadline_to_come_fires_and_not_before(void **state)
{
    struct fixture *f = *state;
    uint64_t deadline_ns = mono_ns() + 2 * MS_NS;

    begin_target(f, deadline_ns);
    wait_for_shot(&f->js, 1);
    end_target(f);
    assert_true(f->js.shot_ns >= deadline_ns);
}

static void each_deadline_has_its_shot(void **state)
{
    struct fixture *f = *state;

    for (unsigned i = 1; i <= 1000; i++) {
        begin_target(f, PAST_NS);
        wait_for_shot(&f->js, i);
        end_target(f);
    }
    no_strays(f);
}

/* The first may have found no JavaScript to end, because the owner was not there yet. */
static void a_shot_is_followed_by_others_until_it_is_disarmed(void **state)
{
    struct fixture *f = *state;
    unsigned fired;

    begin_target(f, PAST_NS);
    wait_for_shot(&f->js, 3);
    end_target(f);
    fired = shots(&f->js);
    begin_target(f, mono_ns() + HOUR_NS);
    end_target(f);
    assert_int_equal(shots(&f->js), fired);
    no_strays(f);
}

static void disarmed_in_time_it_never_fires(void **state)
{
    struct fixture *f = *state;

    for (int i = 0; i < 100000; i++) {
        watchdog_arm(f->watchdog, mono_ns() + HOUR_NS);
        watchdog_disarm(f->watchdog);
    }
    assert_int_equal(shots(&f->js), 0);
}

static void an_earlier_deadline_wakes_the_thread(void **state)
{
    struct fixture *f = *state;

    for (unsigned i = 1; i <= 1000; i++) {
        watchdog_arm(f->watchdog, mono_ns() + HOUR_NS); /* it may sleep till then */
        watchdog_disarm(f->watchdog);
        begin_target(f, PAST_NS);
        wait_for_shot(&f->js, i);
        end_target(f);
    }
    no_strays(f);
}

static void a_later_deadline_than_the_one_slept_for_fires(void **state)
{
    struct fixture *f = *state;

    for (unsigned i = 1; i <= 20; i++) {
        uint64_t now_ns = mono_ns();
        uint64_t deadline_ns = now_ns + MS_NS;

        watchdog_arm(f->watchdog, now_ns + MS_NS / 2);
        watchdog_disarm(f->watchdog); /* in time or not: the next line decides what is allowed */
        unsigned before = shots(&f->js);
        begin_target(f, deadline_ns);
        wait_for_shot(&f->js, before + 1);
        end_target(f);
        assert_true(f->js.shot_ns >= deadline_ns);
    }
}

/* The thread sleeps towards a deadline that is gone, and wakes by itself at the moment at which the
 * next one is set: later than that, so that nobody wakes it. */
static void a_deadline_set_while_the_thread_wakes_fires(void **state)
{
    struct fixture *f = *state;

    for (unsigned i = 0; i < 5000; i++) {
        uint64_t wakes_ns = mono_ns() + 60000;
        unsigned before;

        begin_target(f, wakes_ns);
        end_target(f);
        before = shots(&f->js);
        while (mono_ns() < wakes_ns + i % 64 * 1000)
            continue; /* so that the race is met at all its points */
        begin_target(f, mono_ns());
        wait_for_shot(&f->js, before + 1);
        end_target(f);
    }
    no_strays(f);
}

/* Every other render is one whose deadline has come, ended at once so that shot and disarm race; a
 * shot that falls into one of the others, or between two, is counted as a stray. */
static void no_shot_outlives_its_disarm(void **state)
{
    struct fixture *f = *state;

    for (unsigned i = 0; i < 100000; i++) {
        unsigned before = i % 1000 == 0 ? shots(&f->js) : 0;

        begin_target(f, i % 3 == 0 ? mono_ns() : PAST_NS);
        if (i % 1000 == 0)
            wait_for_shot(&f->js, before + 1);
        else
            for (unsigned spin = 0; spin < i % 64; spin++)
                (void)mono_ns(); /* so that the race is met at all its points */
        end_target(f);
        watchdog_arm(f->watchdog, mono_ns() + HOUR_NS);
        watchdog_disarm(f->watchdog);
    }
    no_strays(f);
    assert_in_range(shots(&f->js), 100, 100000);
}

static void deadlines_at_the_end_of_time_are_deadlines(void **state)
{
    struct fixture *f = *state;

    for (uint64_t before_end = 0; before_end < 5; before_end++) {
        watchdog_arm(f->watchdog, UINT64_MAX - before_end);
        watchdog_disarm(f->watchdog);
    }
    assert_int_equal(shots(&f->js), 0);
    begin_target(f, PAST_NS);
    wait_for_shot(&f->js, 1);
    end_target(f);
}

static void disarm_without_arm_does_nothing(void **state)
{
    struct fixture *f = *state;
    unsigned fired;

    watchdog_disarm(f->watchdog);
    begin_target(f, PAST_NS);
    wait_for_shot(&f->js, 1);
    end_target(f);
    fired = shots(&f->js); /* more than one where this thread was kept from running meanwhile */
    watchdog_disarm(f->watchdog);
    assert_int_equal(shots(&f->js), fired);
}

/* The thread has nothing left of js once stop has returned; each round frees it. */
static void stop_joins_the_thread_asleep_or_awake(void **state)
{
    (void)state;
    for (int i = 0; i < 200; i++) {
        void *round = NULL;
        struct fixture *f;

        assert_int_equal(set_up(&round), 0);
        f = round;
        if (i % 4 == 1) {
            watchdog_arm(f->watchdog, mono_ns() + HOUR_NS);
            watchdog_disarm(f->watchdog);
        } else if (i % 4 > 1) {
            begin_target(f, PAST_NS);
            if (i % 4 == 3)
                wait_for_shot(&f->js, 1);
            end_target(f);
        }
        (void)tear_down(&round);
    }
    watchdog_stop(NULL);
}

static uint64_t own_cpu_ns(void)
{
    struct timespec at;

    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &at);
    return (uint64_t)at.tv_sec * 1000000000u + (uint64_t)at.tv_nsec;
}

/* However long ago its deadline was. */
static void who_has_hardly_run_is_spared_until_it_has(void **state)
{
    struct fixture *f = *state;
    uint64_t before_ns = own_cpu_ns();

    watchdog_spare(f->watchdog, 30 * MS_NS, mono_ns() + HOUR_NS);
    begin_target(f, PAST_NS);
    while (shots(&f->js) == 0)
        continue;
    assert_true(own_cpu_ns() - before_ns >= 30 * MS_NS);
    end_target(f);
    no_strays(f);
}

static void nobody_is_spared_for_ever(void **state)
{
    struct fixture *f = *state;
    uint64_t latest_ns = mono_ns() + 5 * MS_NS;

    watchdog_spare(f->watchdog, HOUR_NS, latest_ns);
    begin_target(f, PAST_NS);
    wait_for_shot(&f->js, 3); /* asleep */
    end_target(f);
    assert_true(f->js.shot_ns >= latest_ns);
    no_strays(f);
}

static void signals_are_left_to_the_main_thread(void **state)
{
    static const int numbers[] = {SIGTERM, SIGQUIT, SIGHUP, SIGUSR1, SIGCHLD, SIGPIPE};
    struct fixture *f = *state;
    struct watchdog *other = NULL;
    sigset_t before, after;

    begin_target(f, PAST_NS);
    wait_for_shot(&f->js, 1);
    end_target(f);
    assert_int_equal(pthread_sigmask(SIG_SETMASK, NULL, &before), 0);
    assert_int_equal(watchdog_start(&f->js, &other), 0);
    assert_int_equal(pthread_sigmask(SIG_SETMASK, NULL, &after), 0);
    watchdog_stop(other);
    for (size_t i = 0; i < array_len(numbers); i++) {
        assert_true(sigismember(&f->js.signals, numbers[i]));
        assert_int_equal(sigismember(&after, numbers[i]), sigismember(&before, numbers[i]));
    }
}

int main(void)
{
#define WITH_WATCHDOG(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        WITH_WATCHDOG(a_deadline_in_the_past_fires),
        WITH_WATCHDOG(the_deadline_0_fires_too),
        WITH_WATCHDOG(a_deadline_to_come_fires_and_not_before),
        WITH_WATCHDOG(each_deadline_has_its_shot),
        WITH_WATCHDOG(a_shot_is_followed_by_others_until_it_is_disarmed),
        WITH_WATCHDOG(disarmed_in_time_it_never_fires),
        WITH_WATCHDOG(an_earlier_deadline_wakes_the_thread),
        WITH_WATCHDOG(a_later_deadline_than_the_one_slept_for_fires),
        WITH_WATCHDOG(a_deadline_set_while_the_thread_wakes_fires),
        WITH_WATCHDOG(no_shot_outlives_its_disarm),
        WITH_WATCHDOG(deadlines_at_the_end_of_time_are_deadlines),
        WITH_WATCHDOG(disarm_without_arm_does_nothing),
        WITH_WATCHDOG(who_has_hardly_run_is_spared_until_it_has),
        WITH_WATCHDOG(nobody_is_spared_for_ever),
        cmocka_unit_test(stop_joins_the_thread_asleep_or_awake),
        WITH_WATCHDOG(signals_are_left_to_the_main_thread),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
