/* SPDX-License-Identifier: MIT */
/*
 * test_render_tick.c - who turns the loop while worker/render.c has JavaScript running (lane.h): the
 * test's own JavaScript takes two ticks in each render, or is relieved by another thread.
 */
#include "worker/render.h"

#include "shm/peers.h"
#include "shm/stats.h"
#include "worker/lane.h"
#include "worker/watchdog.h"
#include "worker/worker.h"

#include <event2/event.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define TICK_US 2000u
#define TICK_NS (TICK_US * UINT64_C(1000))
#define JOBS 3

struct js {
    void (*tick)(void *arg);
    void *tick_arg;
    void (*fatal)(void *arg);
    void *fatal_arg;
    void (*instead)(void); /* of the two ticks */
};

struct watchdog {
    bool armed;
    uint64_t first_tick_ns; /* asked for before the JavaScript began */
    uint64_t tick_at_ns;    /* asked for last */
    uint64_t (*relief)(void *arg);
    void *relief_arg;
};

static struct watchdog the_watchdog;

int watchdog_start(struct js *js, struct watchdog **ret_watchdog)
{
    the_watchdog = (struct watchdog){0};
    *ret_watchdog = &the_watchdog;
    return 0;
}

void watchdog_stop(struct watchdog *watchdog)
{
}

void watchdog_arm(struct watchdog *watchdog, uint64_t deadline_ns)
{
    watchdog->armed = true;
    watchdog->first_tick_ns = watchdog->tick_at_ns;
}

void watchdog_disarm(struct watchdog *watchdog)
{
    watchdog->armed = false;
}

void watchdog_tick_at(struct watchdog *watchdog, uint64_t at_ns)
{
    watchdog->tick_at_ns = at_ns;
}

void watchdog_relieve_at(struct watchdog *watchdog, uint64_t at_ns)
{
    watchdog->tick_at_ns = at_ns;
}

void watchdog_watch(struct watchdog *watchdog, int loop_fd, uint64_t tick_ns)
{
}

void js_set_tick(struct js *js, void (*tick)(void *arg), void *arg)
{
    js->tick = tick;
    js->tick_arg = arg;
}

struct js_open *js_render(struct js *js, const struct js_request *request, js_done *done, void *arg)
{
    struct js_result result = {.outcome = JS_OK, .status = 200};

    if (js->instead)
        js->instead();
    for (int i = 0; i < 2 && !js->instead; i++) {
        assert_true(the_watchdog.armed);
        js->tick(js->tick_arg);
    }
    done(arg, &result);
    return NULL;
}

void js_collect(struct js *js)
{
}

void js_set_fatal(struct js *js, void (*fatal)(void *arg), void *arg)
{
    js->fatal = fatal;
    js->fatal_arg = arg;
}

void watchdog_set_relief(struct watchdog *watchdog, uint64_t (*relief)(void *arg), void *arg)
{
    watchdog->relief = relief;
    watchdog->relief_arg = arg;
}

uint64_t js_next_timer_ms(struct js *js)
{
    return UINT64_MAX;
}

bool js_wants_realm(const struct js *js)
{
    (void)js;
    return false;
}

void js_prepare(struct js *js)
{
    (void)js;
}

bool js_is_stuck(const struct js *js)
{
    return false;
}

struct js_open *js_next_part(struct js *js, struct js_part *ret_part)
{
    return NULL;
}

void js_resume(struct js_open *open)
{
}

uint64_t js_stream_chunks(const struct js_open *open)
{
    return 0;
}

struct js_open *js_due(struct js *js, uint64_t now_ms)
{
    return NULL;
}

const struct js_contract *js_contract(const struct js *js)
{
    static const struct js_contract contract;

    return &contract;
}

void js_keep(struct js_open *open, js_over *over, void *arg)
{
}

void *js_arg(const struct js_open *open)
{
    return NULL;
}

void js_step(struct js *js, struct js_open *open, uint64_t now_ms)
{
}

void js_cancel(struct js *js, struct js_open *open, enum js_outcome outcome)
{
}

struct fixture {
    struct config config;
    struct js js;
    struct peer peer;
    struct stats stats;
    struct worker worker;
    char ended[JOBS + 1];
    struct render_job job[JOBS];
};

static struct fixture *fixture;

static bool begin(struct render_job *job)
{
    return true;
}

static void done(struct render_job *job, enum render_end end, const struct js_result *result)
{
    (void)strncat(fixture->ended, job->request.url, 1);
}

static int set_up(void **state)
{
    static const char urls[] = "abc";
    struct fixture *f = NULL;

    if (posix_memalign((void **)&f, CACHE_LINE_BYTES, sizeof *f) != 0)
        return -1;
    memset(f, 0, sizeof *f);
    f->config.policy.queue = JOBS;
    f->config.render.tick_us = TICK_US;
    f->worker = (struct worker){.config = &f->config,
                                .base = event_base_new(),
                                .js = &f->js,
                                .stats = &f->stats,
                                .peer = &f->peer};
    for (int i = 0; i < JOBS; i++)
        f->job[i] = (struct render_job){
            .request = {.url = urls + i, .url_bytes = 1},
            .timeout_ms = 60000,
            .begin = begin,
            .done = done,
        };
    *state = fixture = f;
    return renderer_new(&f->worker, &f->worker.renderer);
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    renderer_free(f->worker.renderer);
    event_base_free(f->worker.base);
    free(f);
    return 0;
}

static void note_and_queue(evutil_socket_t fd, short events, void *arg)
{
    struct fixture *f = arg;

    assert_true(f->worker.ticking);
    assert_int_equal(renderer_submit(f->worker.renderer, &f->job[1]), 0);
    assert_int_equal(renderer_submit(f->worker.renderer, &f->job[2]), 0);
    assert_true(renderer_withdraw(f->worker.renderer, &f->job[1]));
    assert_false(renderer_withdraw(f->worker.renderer, &f->job[0])); /* it runs */
    assert_string_equal(f->ended, "");
}

static void a_tick_turns_the_loop_and_what_it_queues_comes_after(void **state)
{
    struct fixture *f = *state;
    struct event *ready = event_new(f->worker.base, -1, 0, note_and_queue, f);

    event_active(ready, EV_TIMEOUT, 0);
    assert_int_equal(renderer_submit(f->worker.renderer, &f->job[0]), 0);
    renderer_turn(f->worker.renderer);
    assert_string_equal(f->ended, "a");
    assert_int_equal(atomic_load_explicit(&f->stats.ticks, memory_order_relaxed), 2);
    while (renderer_waiting(f->worker.renderer) > 0)
        renderer_turn(f->worker.renderer);
    assert_string_equal(f->ended, "ac");
    event_free(ready);
}

static void the_first_tick_is_due_a_tick_after_the_javascript_began(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(renderer_submit(f->worker.renderer, &f->job[0]), 0);
    renderer_turn(f->worker.renderer);
    assert_int_equal(the_watchdog.first_tick_ns, f->job[0].start_ns + TICK_NS);
}

static void after_a_tick_with_nothing_to_do_the_next_is_a_tick_away(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(renderer_submit(f->worker.renderer, &f->job[0]), 0);
    renderer_turn(f->worker.renderer);
    assert_true(the_watchdog.tick_at_ns > the_watchdog.first_tick_ns);
    assert_true(the_watchdog.tick_at_ns <= mono_ns() + TICK_NS);
}

/* ---- relief ---- */

static pthread_t turned_by;
static bool tick_failed;

static void note_thread(evutil_socket_t fd, short events, void *arg)
{
    struct fixture *f = arg;

    turned_by = pthread_self();
    tick_failed = !f->worker.relieved || !f->worker.ticking;
}

static void *relieve(void *arg)
{
    (void)arg;
    while (the_watchdog.relief(the_watchdog.relief_arg) == 0)
        continue; /* the main thread has the lane */
    return NULL;
}

static void is_relieved(void)
{
    pthread_t thread;

    assert_int_equal(pthread_create(&thread, NULL, relieve, NULL), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
}

static void a_relief_turns_the_loop_on_its_own_thread(void **state)
{
    struct fixture *f = *state;
    struct event *ready = event_new(f->worker.base, -1, 0, note_thread, f);

    turned_by = pthread_self();
    tick_failed = true;
    event_active(ready, EV_TIMEOUT, 0);
    f->js.instead = is_relieved;
    assert_int_equal(renderer_submit(f->worker.renderer, &f->job[0]), 0);
    renderer_turn(f->worker.renderer);
    assert_false(pthread_equal(turned_by, pthread_self()));
    assert_false(tick_failed);
    assert_false(f->worker.relieved);
    assert_string_equal(f->ended, "a");
    event_free(ready);
}

static uint64_t relief_in_c;

static void *relieve_once(void *arg)
{
    (void)arg;
    relief_in_c = the_watchdog.relief(the_watchdog.relief_arg);
    return NULL;
}

static void relieve_in_vain(evutil_socket_t fd, short events, void *arg)
{
    pthread_t thread;

    (void)arg;
    relief_in_c = 1;
    assert_int_equal(pthread_create(&thread, NULL, relieve_once, NULL), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
}

static void while_the_main_thread_is_in_c_nobody_relieves_it(void **state)
{
    struct fixture *f = *state;
    struct event *ready = event_new(f->worker.base, -1, 0, relieve_in_vain, f);

    relieve_in_vain(-1, 0, NULL); /* between turns */
    assert_int_equal(relief_in_c, 0);
    event_active(ready, EV_TIMEOUT, 0);
    assert_int_equal(renderer_submit(f->worker.renderer, &f->job[0]), 0);
    renderer_turn(f->worker.renderer); /* in a tick */
    assert_int_equal(relief_in_c, 0);
    event_free(ready);
}

static void aside(void *arg)
{
    assert_true(the_watchdog.armed);
    is_relieved();
}

static void what_is_done_aside_is_relieved(void **state)
{
    struct fixture *f = *state;
    struct event *ready = event_new(f->worker.base, -1, 0, note_thread, f);
    uint64_t before_ns = mono_ns();

    turned_by = pthread_self();
    event_active(ready, EV_TIMEOUT, 0);
    lane_aside(f->worker.lane, aside, NULL);
    assert_false(pthread_equal(turned_by, pthread_self()));
    assert_in_range(the_watchdog.tick_at_ns, before_ns, mono_ns()); /* from its beginning on */
    assert_false(the_watchdog.armed);
    relieve_in_vain(-1, 0, NULL);
    assert_int_equal(relief_in_c, 0);
    event_free(ready);
}

int main(void)
{
#define WITH_RENDERER(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        WITH_RENDERER(a_tick_turns_the_loop_and_what_it_queues_comes_after),
        WITH_RENDERER(the_first_tick_is_due_a_tick_after_the_javascript_began),
        WITH_RENDERER(a_relief_turns_the_loop_on_its_own_thread),
        WITH_RENDERER(while_the_main_thread_is_in_c_nobody_relieves_it),
        WITH_RENDERER(what_is_done_aside_is_relieved),
        WITH_RENDERER(after_a_tick_with_nothing_to_do_the_next_is_a_tick_away),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
