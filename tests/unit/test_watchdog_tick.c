/* SPDX-License-Identifier: MIT */
/* test_watchdog_tick.c - ticks of worker/watchdog.c, and when its thread sleeps. */
#include "tests/unit/watchdog_fixture.h"

#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

static void a_tick_is_asked_for_at_its_time_and_not_before(void **state)
{
    struct fixture *f = *state;

    for (unsigned i = 1; i <= 20; i++) {
        uint64_t at_ns = mono_ns() + MS_NS;
        unsigned before = ticks(&f->js);

        watchdog_tick_at(f->watchdog, at_ns);
        watchdog_arm(f->watchdog, at_ns + HOUR_NS);
        wait_for_tick(&f->js, before + 1);
        watchdog_tick_at(f->watchdog, UINT64_MAX);
        watchdog_disarm(f->watchdog);
        assert_true(f->js.tick_ns >= at_ns);
    }
    assert_int_equal(shots(&f->js), 0);
}

/* The first ask may have found no JavaScript, because the owner was not there yet. */
static void a_tick_is_asked_for_again_until_the_owner_names_the_next(void **state)
{
    struct fixture *f = *state;
    unsigned asked;

    watchdog_tick_at(f->watchdog, PAST_NS);
    watchdog_arm(f->watchdog, mono_ns() + HOUR_NS);
    wait_for_tick(&f->js, 3);
    watchdog_tick_at(f->watchdog, mono_ns() + HOUR_NS);
    asked = ticks(&f->js);
    begin_target(f, PAST_NS); /* while one comes and goes, none but one under way is asked for */
    wait_for_shot(&f->js, 3);
    end_target(f);
    assert_in_range(ticks(&f->js), asked, asked + 1);
}

static void a_tick_named_in_a_tick_wakes_the_thread(void **state)
{
    struct fixture *f = *state;

    watchdog_tick_at(f->watchdog, mono_ns() + HOUR_NS);
    watchdog_arm(f->watchdog, mono_ns() + 2 * HOUR_NS); /* it may sleep till then */
    for (unsigned i = 0; i < 1000; i++) {
        unsigned before = ticks(&f->js);

        watchdog_tick_at(f->watchdog, mono_ns());
        wait_for_tick(&f->js, before + 1);
        watchdog_tick_at(f->watchdog, mono_ns() + HOUR_NS);
    }
    watchdog_disarm(f->watchdog);
}

/* The deadline is the same number each time, as for the timers of one render. */
static void an_entry_with_the_deadline_of_the_last_one_has_its_own_tick(void **state)
{
    struct fixture *f = *state;
    uint64_t deadline_ns = mono_ns() + HOUR_NS;

    for (unsigned i = 0; i < 5000; i++) {
        unsigned before;

        watchdog_tick_at(f->watchdog, deadline_ns);
        watchdog_arm(f->watchdog, deadline_ns);
        watchdog_disarm(f->watchdog);
        before = ticks(&f->js);
        watchdog_tick_at(f->watchdog, mono_ns() + i % 64 * 1000);
        watchdog_arm(f->watchdog, deadline_ns);
        wait_for_tick(&f->js, before + 1);
        watchdog_disarm(f->watchdog);
    }
}

static void a_deadline_comes_before_ticks(void **state)
{
    struct fixture *f = *state;

    watchdog_tick_at(f->watchdog, PAST_NS);
    begin_target(f, PAST_NS);
    wait_for_shot(&f->js, 1);
    end_target(f);
    no_strays(f);
}

static void without_a_render_no_tick_is_asked_for(void **state)
{
    struct fixture *f = *state;
    struct watchdog *other = NULL;
    unsigned asked;

    watchdog_tick_at(f->watchdog, PAST_NS);
    watchdog_arm(f->watchdog, mono_ns() + HOUR_NS);
    wait_for_tick(&f->js, 1);
    watchdog_disarm(f->watchdog);
    assert_int_equal(watchdog_start(&f->js, &other), 0);
    begin_target(f, mono_ns() + HOUR_NS); /* in the past, but disarmed within: none is due */
    end_target(f);
    asked = ticks(&f->js);
    atomic_store_explicit(&f->js.target, true, memory_order_seq_cst);
    watchdog_arm(other, PAST_NS); /* its shots are what time passes by */
    wait_for_shot(&f->js, 3);
    watchdog_disarm(other);
    watchdog_stop(other);
    assert_in_range(ticks(&f->js), asked, asked + 1);
}

static uint64_t note_relief(void *arg)
{
    struct fixture *f = arg;
    unsigned number;

    (void)pthread_mutex_lock(&f->js.mutex);
    number = ++f->js.shots;
    (void)pthread_cond_signal(&f->js.shot);
    (void)pthread_mutex_unlock(&f->js.mutex);
    return number % 2 ? 0 : MS_NS;
}

static void javascript_that_takes_no_tick_is_relieved_until_it_returns(void **state)
{
    struct fixture *f = *state;
    unsigned reliefs;

    watchdog_set_relief(f->watchdog, note_relief, f);
    watchdog_tick_at(f->watchdog, PAST_NS);
    watchdog_arm(f->watchdog, mono_ns() + HOUR_NS);
    wait_for_shot(&f->js, 5);
    assert_true(ticks(&f->js) > 5); /* and asked all the while */
    watchdog_disarm(f->watchdog);
    reliefs = shots(&f->js);
    watchdog_arm(f->watchdog, mono_ns() + HOUR_NS);
    watchdog_disarm(f->watchdog);
    assert_in_range(shots(&f->js), reliefs, reliefs + 1); /* one was under way */
}

static uint64_t note_relief_of_shots(void *arg)
{
    struct fixture *f = arg;

    (void)pthread_mutex_lock(&f->js.mutex);
    f->js.ticks = f->js.shots;
    (void)pthread_cond_signal(&f->js.shot);
    (void)pthread_mutex_unlock(&f->js.mutex);
    return 0;
}

static void javascript_that_was_shot_at_twice_is_relieved_without_asks(void **state)
{
    struct fixture *f = *state;

    watchdog_set_relief(f->watchdog, note_relief_of_shots, f);
    watchdog_tick_at(f->watchdog, UINT64_MAX);
    begin_target(f, PAST_NS);
    wait_for_tick(&f->js, 2); /* of the second shot, or a later one */
    end_target(f);
    no_strays(f);
}

static uint64_t note_early_relief(void *arg)
{
    struct fixture *f = arg;

    if (f->js.asks < 4)
        (void)atomic_fetch_add_explicit(&f->js.strays, 1, memory_order_seq_cst);
    return 0;
}

/* On a busy machine this thread comes so late that it is relieved with good reason: after three asks
 * in vain, and never before. It counts its moments after naming them, so `asks` is one too high at times. */
static void javascript_that_takes_its_ticks_is_not_relieved(void **state)
{
    struct fixture *f = *state;

    watchdog_set_relief(f->watchdog, note_early_relief, f);
    watchdog_tick_at(f->watchdog, PAST_NS);
    watchdog_arm(f->watchdog, mono_ns() + HOUR_NS);
    for (unsigned i = 1; i <= 100; i++) {
        wait_for_tick(&f->js, i);
        watchdog_tick_at(f->watchdog, mono_ns());
        (void)atomic_fetch_add_explicit(&f->js.named, 1, memory_order_seq_cst);
    }
    watchdog_disarm(f->watchdog);
    no_strays(f);
}

/* ---- what the loop has to do ---- */

static void pass_time(struct js *js, unsigned shots_of_ten_ms)
{
    struct watchdog *other = NULL;
    unsigned before = shots(js);

    assert_int_equal(watchdog_start(js, &other), 0);
    atomic_store_explicit(&js->target, true, memory_order_seq_cst);
    watchdog_arm(other, PAST_NS);
    wait_for_shot(js, before + shots_of_ten_ms);
    watchdog_disarm(other);
    watchdog_stop(other);
    atomic_store_explicit(&js->target, false, memory_order_seq_cst);
}

static void a_tick_waits_until_it_has_something_to_do(void **state)
{
    struct fixture *f = *state;
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

    watchdog_watch(f->watchdog, fd, HOUR_NS);
    for (unsigned i = 1; i <= 100; i++) {
        unsigned before = ticks(&f->js);

        watchdog_tick_at(f->watchdog, mono_ns());
        watchdog_arm(f->watchdog, mono_ns() + HOUR_NS);
        if (i == 1)
            pass_time(&f->js, 3);
        assert_int_equal(ticks(&f->js), before);
        assert_int_equal(eventfd_write(fd, 1), 0);
        wait_for_tick(&f->js, before + 1);
        watchdog_tick_at(f->watchdog, UINT64_MAX);
        watchdog_disarm(f->watchdog);
        assert_int_equal(eventfd_read(fd, &(eventfd_t){0}), 0);
    }
    (void)close(fd);
}

static void what_is_ready_is_not_looked_at_before_the_tick_may_come(void **state)
{
    struct fixture *f = *state;
    int fd = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);

    watchdog_watch(f->watchdog, fd, HOUR_NS);
    watchdog_tick_at(f->watchdog, mono_ns() + HOUR_NS);
    watchdog_arm(f->watchdog, mono_ns() + 2 * HOUR_NS);
    pass_time(&f->js, 3);
    assert_int_equal(ticks(&f->js), 0);
    watchdog_tick_at(f->watchdog, mono_ns());
    wait_for_tick(&f->js, 1);
    watchdog_disarm(f->watchdog);
    (void)close(fd);
}

static void a_loop_with_nothing_to_do_has_its_tick_after_four(void **state)
{
    struct fixture *f = *state;
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    uint64_t at_ns = mono_ns();

    watchdog_watch(f->watchdog, fd, MS_NS / 2);
    watchdog_tick_at(f->watchdog, at_ns);
    watchdog_arm(f->watchdog, at_ns + HOUR_NS);
    wait_for_tick(&f->js, 1);
    watchdog_disarm(f->watchdog);
    assert_true(f->js.tick_ns >= at_ns + 2 * MS_NS);
    (void)close(fd);
}

static void an_ask_in_vain_is_repeated_whatever_the_loop_has_to_do(void **state)
{
    struct fixture *f = *state;
    int fd = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);

    watchdog_watch(f->watchdog, fd, HOUR_NS);
    watchdog_tick_at(f->watchdog, mono_ns());
    watchdog_arm(f->watchdog, mono_ns() + HOUR_NS);
    wait_for_tick(&f->js, 1);
    assert_int_equal(eventfd_read(fd, &(eventfd_t){0}), 0);
    wait_for_tick(&f->js, 3);
    watchdog_disarm(f->watchdog);
    (void)close(fd);
}

static void a_relief_comes_when_there_is_something_to_do(void **state)
{
    struct fixture *f = *state;
    int fd = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
    unsigned reliefs;

    watchdog_watch(f->watchdog, fd, HOUR_NS);
    watchdog_set_relief(f->watchdog, note_relief, f);
    watchdog_tick_at(f->watchdog, mono_ns());
    watchdog_arm(f->watchdog, mono_ns() + HOUR_NS);
    wait_for_shot(&f->js, 2);
    assert_int_equal(eventfd_read(fd, &(eventfd_t){0}), 0);
    pass_time(&f->js, 3); /* the last of them, if one was under way, is over */
    reliefs = ticks(&f->js);
    pass_time(&f->js, 3);
    assert_int_equal(ticks(&f->js), reliefs); /* each relief asks as well */
    assert_int_equal(eventfd_write(fd, 1), 0);
    wait_for_tick(&f->js, reliefs + 2);
    watchdog_disarm(f->watchdog);
    (void)close(fd);
}

static uint64_t note_first_relief(void *arg)
{
    struct fixture *f = arg;

    (void)pthread_mutex_lock(&f->js.mutex);
    if (f->js.shots++ == 0)
        f->js.asks_at_first = f->js.asks;
    (void)pthread_cond_signal(&f->js.shot);
    (void)pthread_mutex_unlock(&f->js.mutex);
    return 0;
}

static void what_takes_no_ticks_is_relieved_at_the_first_ask(void **state)
{
    struct fixture *f = *state;

    watchdog_set_relief(f->watchdog, note_first_relief, f);
    watchdog_relieve_at(f->watchdog, mono_ns());
    watchdog_arm(f->watchdog, mono_ns() + HOUR_NS);
    wait_for_shot(&f->js, 1);
    watchdog_disarm(f->watchdog);
    assert_int_equal(f->js.asks_at_first, 1);
}

static void the_next_javascript_is_asked_three_times_again(void **state)
{
    struct fixture *f = *state;

    watchdog_set_relief(f->watchdog, note_early_relief, f);
    watchdog_relieve_at(f->watchdog, mono_ns() + HOUR_NS);
    watchdog_arm(f->watchdog, mono_ns() + HOUR_NS);
    watchdog_disarm(f->watchdog);
    watchdog_tick_at(f->watchdog, mono_ns());
    watchdog_arm(f->watchdog, mono_ns() + HOUR_NS);
    wait_for_tick(&f->js, 6);
    watchdog_disarm(f->watchdog);
    no_strays(f);
}

static void a_deadline_fires_while_the_loop_has_nothing_to_do(void **state)
{
    struct fixture *f = *state;
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

    watchdog_watch(f->watchdog, fd, HOUR_NS);
    for (unsigned i = 1; i <= 20; i++) {
        unsigned before = shots(&f->js);

        watchdog_tick_at(f->watchdog, mono_ns());
        begin_target(f, mono_ns() + MS_NS);
        wait_for_shot(&f->js, before + 1);
        end_target(f);
    }
    assert_int_equal(ticks(&f->js), 0);
    (void)close(fd);
}

static unsigned long switches_of(pid_t thread)
{
    char path[64], line[128];
    unsigned long sum = 0, n;
    FILE *file;

    (void)snprintf(path, sizeof path, "/proc/self/task/%d/status", (int)thread);
    file = fopen(path, "re");
    assert_non_null(file);
    while (fgets(line, sizeof line, file))
        if (sscanf(line, "voluntary_ctxt_switches: %lu", &n) == 1)
            sum += n;
    (void)fclose(file);
    return sum;
}

static void while_nothing_renders_the_thread_does_not_run(void **state)
{
    struct fixture *f = *state;
    struct watchdog *other = NULL;
    unsigned long before;
    pid_t thread;

    watchdog_tick_at(f->watchdog, PAST_NS);
    watchdog_arm(f->watchdog, mono_ns() + HOUR_NS);
    wait_for_tick(&f->js, 1);
    thread = f->js.thread;
    watchdog_disarm(f->watchdog);
    before = switches_of(thread);
    assert_int_equal(watchdog_start(&f->js, &other), 0);
    atomic_store_explicit(&f->js.target, true, memory_order_seq_cst);
    watchdog_arm(other, PAST_NS); /* ten milliseconds from shot to shot */
    wait_for_shot(&f->js, 10);
    watchdog_disarm(other);
    watchdog_stop(other);
    assert_in_range(switches_of(thread) - before, 0, 2); /* the last look, and falling asleep */
}

/* Where the thread sleeps, and what the timer was last set to: in the place of libc's. */

static _Atomic bool sleeps;
static _Atomic unsigned settings;
static _Atomic uint64_t set_to_ns;

int poll(struct pollfd *fds, nfds_t count, int timeout_ms)
{
    struct timespec none = {0};
    int ready;

    if (timeout_ms >= 0)
        return ppoll(fds, count, &none, NULL); /* a look, no sleep */
    atomic_store_explicit(&sleeps, true, memory_order_seq_cst);
    ready = ppoll(fds, count, NULL, NULL);
    atomic_store_explicit(&sleeps, false, memory_order_seq_cst);
    return ready;
}

int timerfd_settime(int fd, int flags, const struct itimerspec *to, struct itimerspec *ret_was)
{
    atomic_store_explicit(
        &set_to_ns, (uint64_t)to->it_value.tv_sec * 1000 * MS_NS + (uint64_t)to->it_value.tv_nsec,
        memory_order_seq_cst);
    (void)atomic_fetch_add_explicit(&settings, 1, memory_order_seq_cst);
    return (int)syscall(SYS_timerfd_settime, fd, flags, to, ret_was);
}

/* Each arm finds the timer set for an entry before it, and puts it off when it is half a tick early: it never
 * goes off, and is set twice a tick. The moments are an hour ahead, so that no machine is too slow for them. */
static void while_short_renders_come_and_go_the_thread_sleeps(void **state)
{
    const uint64_t tick_ns = 200 * MS_NS;
    uint64_t now_ns = mono_ns() + HOUR_NS;
    struct fixture *f = *state;
    unsigned before;

    watchdog_watch(f->watchdog, -1, tick_ns);
    while (!atomic_load_explicit(&sleeps, memory_order_seq_cst))
        (void)sched_yield();
    before = atomic_load_explicit(&settings, memory_order_seq_cst);
    for (unsigned i = 0; i < 1000; i++, now_ns += tick_ns / 10) {
        watchdog_tick_at(f->watchdog, now_ns + tick_ns);
        watchdog_arm(f->watchdog, now_ns + HOUR_NS);
        assert_in_range(atomic_load_explicit(&set_to_ns, memory_order_seq_cst),
                        now_ns + tick_ns / 2, now_ns + tick_ns);
        watchdog_disarm(f->watchdog);
    }
    assert_in_range(atomic_load_explicit(&settings, memory_order_seq_cst) - before, 1,
                    2 * 1000 / 10);
    assert_true(atomic_load_explicit(&sleeps, memory_order_seq_cst));
    assert_int_equal(ticks(&f->js), 0);
}

int main(void)
{
#define WITH_WATCHDOG(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        WITH_WATCHDOG(a_tick_is_asked_for_at_its_time_and_not_before),
        WITH_WATCHDOG(a_tick_is_asked_for_again_until_the_owner_names_the_next),
        WITH_WATCHDOG(a_tick_named_in_a_tick_wakes_the_thread),
        WITH_WATCHDOG(an_entry_with_the_deadline_of_the_last_one_has_its_own_tick),
        WITH_WATCHDOG(a_deadline_comes_before_ticks),
        WITH_WATCHDOG(without_a_render_no_tick_is_asked_for),
        WITH_WATCHDOG(javascript_that_takes_no_tick_is_relieved_until_it_returns),
        WITH_WATCHDOG(javascript_that_takes_its_ticks_is_not_relieved),
        WITH_WATCHDOG(javascript_that_was_shot_at_twice_is_relieved_without_asks),
        WITH_WATCHDOG(a_tick_waits_until_it_has_something_to_do),
        WITH_WATCHDOG(what_is_ready_is_not_looked_at_before_the_tick_may_come),
        WITH_WATCHDOG(a_loop_with_nothing_to_do_has_its_tick_after_four),
        WITH_WATCHDOG(an_ask_in_vain_is_repeated_whatever_the_loop_has_to_do),
        WITH_WATCHDOG(a_relief_comes_when_there_is_something_to_do),
        WITH_WATCHDOG(what_takes_no_ticks_is_relieved_at_the_first_ask),
        WITH_WATCHDOG(the_next_javascript_is_asked_three_times_again),
        WITH_WATCHDOG(a_deadline_fires_while_the_loop_has_nothing_to_do),
        WITH_WATCHDOG(while_nothing_renders_the_thread_does_not_run),
        WITH_WATCHDOG(while_short_renders_come_and_go_the_thread_sleeps),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
