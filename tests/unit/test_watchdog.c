/* SPDX-License-Identifier: MIT */
/*
 * test_watchdog.c - worker/watchdog.c with a js_terminate() of the test's own, which notes each
 * shot and whether it was allowed, and the asks for ticks. Nothing here measures how soon one
 * comes, only that it comes, and that none comes too early or too late. Worth running with the thread sanitizer as well.
 */
#include "worker/watchdog.h"

#include "worker/js.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>

#include <cmocka.h>

#define HOUR_NS UINT64_C(3600000000000)
#define MS_NS UINT64_C(1000000)
#define PAST_NS 1u

/* The isolate, as far as the watchdog knows it. */
struct js {
    pthread_mutex_t mutex;
    pthread_cond_t shot;
    unsigned shots;      /* under the mutex, as are the next two */
    uint64_t shot_ns;    /* when the last one came */
    sigset_t signals;    /* blocked in the thread that shot */
    _Atomic bool target; /* a render whose deadline has come runs: a shot may fall */
    _Atomic unsigned strays;
    unsigned ticks; /* asked for; under the mutex */
    uint64_t tick_ns;
    pid_t thread;
};

void js_request_tick(struct js *js)
{
    (void)pthread_mutex_lock(&js->mutex);
    js->ticks++;
    js->tick_ns = mono_ns();
    js->thread = gettid();
    (void)pthread_cond_signal(&js->shot);
    (void)pthread_mutex_unlock(&js->mutex);
}

void js_terminate(struct js *js)
{
    if (!atomic_load_explicit(&js->target, memory_order_seq_cst))
        (void)atomic_fetch_add_explicit(&js->strays, 1, memory_order_seq_cst);
    (void)pthread_mutex_lock(&js->mutex);
    js->shots++;
    js->shot_ns = mono_ns();
    (void)pthread_sigmask(SIG_SETMASK, NULL, &js->signals);
    (void)pthread_cond_signal(&js->shot);
    (void)pthread_mutex_unlock(&js->mutex);
}

struct fixture {
    struct js js;
    struct watchdog *watchdog;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    if (!f)
        return -1;
    (void)pthread_mutex_init(&f->js.mutex, NULL);
    (void)pthread_cond_init(&f->js.shot, NULL);
    *state = f;
    return watchdog_start(&f->js, &f->watchdog);
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    watchdog_stop(f->watchdog); /* what it leaves running would touch f->js */
    (void)pthread_cond_destroy(&f->js.shot);
    (void)pthread_mutex_destroy(&f->js.mutex);
    free(f);
    return 0;
}

/* Returns when the count of shots has reached this number: at once, or never. */
static void wait_for_shot(struct js *js, unsigned number)
{
    (void)pthread_mutex_lock(&js->mutex);
    while (js->shots < number)
        (void)pthread_cond_wait(&js->shot, &js->mutex);
    (void)pthread_mutex_unlock(&js->mutex);
}

static void wait_for_tick(struct js *js, unsigned number)
{
    (void)pthread_mutex_lock(&js->mutex);
    while (js->ticks < number)
        (void)pthread_cond_wait(&js->shot, &js->mutex);
    (void)pthread_mutex_unlock(&js->mutex);
}

static unsigned ticks(struct js *js)
{
    unsigned number;

    (void)pthread_mutex_lock(&js->mutex);
    number = js->ticks;
    (void)pthread_mutex_unlock(&js->mutex);
    return number;
}

static unsigned shots(struct js *js)
{
    unsigned number;

    (void)pthread_mutex_lock(&js->mutex);
    number = js->shots;
    (void)pthread_mutex_unlock(&js->mutex);
    return number;
}

/* A render that may be shot, and one that may not. */
static void begin_target(struct fixture *f, uint64_t deadline_ns)
{
    atomic_store_explicit(&f->js.target, true, memory_order_seq_cst);
    watchdog_arm(f->watchdog, deadline_ns);
}

static void end_target(struct fixture *f)
{
    watchdog_disarm(f->watchdog);
    atomic_store_explicit(&f->js.target, false, memory_order_seq_cst);
}

static void no_strays(struct fixture *f)
{
    assert_int_equal(atomic_load_explicit(&f->js.strays, memory_order_seq_cst), 0);
}

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

/* ---- ticks ---- */

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

static void javascript_that_takes_its_ticks_is_not_relieved(void **state)
{
    struct fixture *f = *state;

    watchdog_set_relief(f->watchdog, note_relief, f);
    watchdog_tick_at(f->watchdog, PAST_NS);
    watchdog_arm(f->watchdog, mono_ns() + HOUR_NS);
    for (unsigned i = 1; i <= 100; i++) {
        wait_for_tick(&f->js, i);
        watchdog_tick_at(f->watchdog, mono_ns());
    }
    watchdog_disarm(f->watchdog);
    assert_in_range(shots(&f->js), 0, 20); /* the machine was busy: we came late */
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
        cmocka_unit_test(stop_joins_the_thread_asleep_or_awake),
        WITH_WATCHDOG(signals_are_left_to_the_main_thread),
        WITH_WATCHDOG(a_tick_is_asked_for_at_its_time_and_not_before),
        WITH_WATCHDOG(a_tick_is_asked_for_again_until_the_owner_names_the_next),
        WITH_WATCHDOG(a_tick_named_in_a_tick_wakes_the_thread),
        WITH_WATCHDOG(an_entry_with_the_deadline_of_the_last_one_has_its_own_tick),
        WITH_WATCHDOG(a_deadline_comes_before_ticks),
        WITH_WATCHDOG(without_a_render_no_tick_is_asked_for),
        WITH_WATCHDOG(javascript_that_takes_no_tick_is_relieved_until_it_returns),
        WITH_WATCHDOG(javascript_that_takes_its_ticks_is_not_relieved),
        WITH_WATCHDOG(while_nothing_renders_the_thread_does_not_run),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
