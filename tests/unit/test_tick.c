/* SPDX-License-Identifier: MIT */
/* test_tick.c - worker/tick.c on a loop whose callbacks take as long as the test says. */
#include "worker/tick.h"

#include "shm/stats.h"
#include "worker/worker.h"

#include <event2/event.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define HOUR_NS UINT64_C(3600000000000)
#define MS_NS UINT64_C(1000000)
#define EVENTS 10

struct fixture {
    struct worker worker;
    struct stats stats;
    struct event *event[EVENTS];
    char ran[EVENTS + 1]; /* their numbers, in order */
    uint64_t each_ns;     /* how long a callback takes */
};

static struct fixture *fixture;

static void on_event(evutil_socket_t fd, short events, void *arg)
{
    struct fixture *f = fixture;
    uint64_t now_ns = mono_ns();
    size_t ran = strlen(f->ran);

    (void)fd;
    (void)events;
    tick_note(&f->worker, now_ns);
    f->ran[ran] = (char)('0' + (int)((struct event **)arg - f->event));
    while (mono_ns() - now_ns < f->each_ns)
        continue;
}

static int set_up(void **state)
{
    struct fixture *f = NULL;

    if (posix_memalign((void **)&f, CACHE_LINE_BYTES, sizeof *f) != 0)
        return -1;
    memset(f, 0, sizeof *f);
    f->worker = (struct worker){.base = event_base_new(), .stats = &f->stats};
    for (int i = 0; i < EVENTS; i++)
        f->event[i] = event_new(f->worker.base, -1, 0, on_event, &f->event[i]);
    *state = fixture = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    for (int i = 0; i < EVENTS; i++)
        event_free(f->event[i]);
    event_base_free(f->worker.base);
    free(f);
    return 0;
}

static void make_ready(struct fixture *f)
{
    for (int i = 0; i < EVENTS; i++)
        event_active(f->event[i], EV_TIMEOUT, 0);
}

static void all_that_is_ready_is_done_and_none_is_waited_for(void **state)
{
    struct fixture *f = *state;

    make_ready(f);
    (void)tick_turn(&f->worker, HOUR_NS);
    assert_string_equal(f->ran, "0123456789");
    (void)tick_turn(&f->worker, HOUR_NS); /* returns */
    assert_false(f->worker.ticking);
    assert_int_equal(atomic_load_explicit(&f->stats.ticks, memory_order_relaxed), 2);
}

static void past_the_budget_no_further_callback_begins_and_the_next_turn_goes_on_there(void **state)
{
    struct fixture *f = *state;
    char want[EVENTS + 1] = "";

    make_ready(f);
    for (int i = 0; i < EVENTS; i++) {
        (void)tick_turn(&f->worker, 0);
        want[i] = (char)('0' + i);
        assert_string_equal(f->ran, want);
    }
}

static void outside_of_ticks_there_is_no_budget(void **state)
{
    struct fixture *f = *state;

    (void)tick_turn(&f->worker, 0);
    make_ready(f);
    (void)event_base_loop(f->worker.base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
    assert_string_equal(f->ran, "0123456789");
}

static void with_nothing_ready_the_next_turn_is_a_tick_away(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(tick_turn(&f->worker, MS_NS), MS_NS);
    assert_int_equal(tick_turn(&f->worker, HOUR_NS), HOUR_NS);
}

static void javascript_has_two_thirds_as_long_as_the_turn_took(void **state)
{
    struct fixture *f = *state;
    uint64_t before_ns, pause_ns;

    f->each_ns = MS_NS / 4;
    make_ready(f);
    before_ns = mono_ns();
    pause_ns = tick_turn(&f->worker, 100 * MS_NS / EVENTS);
    assert_true(pause_ns <= (mono_ns() - before_ns) / 3 * 2 ||
                pause_ns == 100 * MS_NS / EVENTS / 4);
    assert_true(pause_ns >= EVENTS * f->each_ns / 3 * 2);
}

static void and_a_quarter_of_a_tick_at_least(void **state)
{
    struct fixture *f = *state;

    make_ready(f);
    assert_int_equal(tick_turn(&f->worker, HOUR_NS), HOUR_NS / 4);
}

int main(void)
{
#define WITH_LOOP(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        WITH_LOOP(all_that_is_ready_is_done_and_none_is_waited_for),
        WITH_LOOP(past_the_budget_no_further_callback_begins_and_the_next_turn_goes_on_there),
        WITH_LOOP(outside_of_ticks_there_is_no_budget),
        WITH_LOOP(with_nothing_ready_the_next_turn_is_a_tick_away),
        WITH_LOOP(javascript_has_two_thirds_as_long_as_the_turn_took),
        WITH_LOOP(and_a_quarter_of_a_tick_at_least),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
