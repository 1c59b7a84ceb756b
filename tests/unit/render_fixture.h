/* SPDX-License-Identifier: MIT */
/*
 * render_fixture.h - for tests of worker/render.c: a JavaScript and a watchdog of the test's own. What
 * a render does (answers, leaves its promise open, has a timer) is told in `js`, and the worker's
 * rule of turns is turn() below. Included by one file a program.
 */
#ifndef SSRD_TESTS_UNIT_RENDER_FIXTURE_H
#define SSRD_TESTS_UNIT_RENDER_FIXTURE_H

#include "worker/render.h"

#include "shm/peers.h"
#include "shm/stats.h"
#include "tests/unit/no_tick.h"
#include "worker/watchdog.h"
#include "worker/worker.h"

#include <errno.h>
#include <event2/event.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define QUEUE 3
#define GRACE_MS 700u
#define TIMEOUT_MS 60000u /* never met unless a test wants to */
#define NEVER UINT64_MAX

/* ---- JavaScript ---- */

struct js_open {
    js_done *done; /* NULL: not open */
    void *arg;
    uint64_t timer_ms;
    unsigned timers_run;
    bool takes_parts;
    unsigned chunks; /* js_stream_chunks() */
    bool has_part, held;
    bool lasts;    /* done does not end it: the next settle() does */
    js_over *over; /* set: it was answered, and kept */
};

struct js {
    enum js_outcome outcome; /* how renders end */
    bool stays_open;         /* js_render() leaves its promise open */
    bool lasts;              /* ctx.waitUntil(), of those that open from now on */
    bool streams;            /* bodies of those that open from now on: each timer brings a chunk */
    bool asks;               /* something outside is waited for */
    uint64_t timer_ms;       /* the next timer of those that open from now on */
    unsigned timers_left;    /* timers after which it settles */
    uint64_t timer_pause_ms; /* from one timer to the next */

    struct js_open open[8];
    struct js_contract contract;
    unsigned wants_realms; /* render.isolation: context */
    char order[64];        /* urls rendered, one after the other */
    uint64_t stamp_ns;     /* what the master saw of the last entry */
    unsigned timers_run;
    unsigned cancels;
};

struct watchdog {
    bool armed;
    uint64_t deadline_ns;
    unsigned arms;
};

static struct watchdog the_watchdog;
static int watchdog_error;

int watchdog_start(struct js *js, struct watchdog **ret_watchdog)
{
    if (watchdog_error)
        return watchdog_error;
    the_watchdog = (struct watchdog){0};
    *ret_watchdog = &the_watchdog;
    return 0;
}

void watchdog_stop(struct watchdog *watchdog)
{
    assert_true(!watchdog || !watchdog->armed);
}

void watchdog_arm(struct watchdog *watchdog, uint64_t deadline_ns)
{
    assert_false(watchdog->armed);
    watchdog->armed = true;
    watchdog->deadline_ns = deadline_ns;
    watchdog->arms++;
}

void watchdog_disarm(struct watchdog *watchdog)
{
    watchdog->armed = false;
}

static inline void settle(struct js_open *open, enum js_outcome outcome)
{
    struct js_result result = {.outcome = outcome, .status = 200, .body = "page", .body_bytes = 4};
    js_done *done = open->done;

    if (open->over) {
        open->done = NULL;
        open->over(open->arg);
        return;
    }
    result.lasting = open->lasts ? open : NULL;
    done(open->arg, &result);
    if (!open->over)
        open->done = NULL;
}

void js_keep(struct js_open *open, js_over *over, void *arg)
{
    assert_true(open->lasts);
    open->over = over;
    open->arg = arg;
}

static inline void entered(struct js *js);

static inline struct js_open *free_place(struct js *js)
{
    for (size_t i = 0; i < array_len(js->open); i++)
        if (!js->open[i].done)
            return &js->open[i];
    fail_msg("too many are open");
    return NULL;
}

struct js_open *js_render(struct js *js, const struct js_request *request, js_done *done, void *arg)
{
    struct js_open *open = free_place(js);

    entered(js);
    assert_true(strlen(js->order) + request->url_bytes < sizeof js->order);
    (void)strncat(js->order, request->url, request->url_bytes);
    *open = (struct js_open){.done = done,
                             .arg = arg,
                             .timer_ms = js->timer_ms,
                             .takes_parts = request->takes_parts,
                             .chunks = js->streams,
                             .lasts = js->lasts};
    if (!js->stays_open)
        settle(open, js->outcome);
    return open->done && !open->over ? open : NULL;
}

const struct js_contract *js_contract(const struct js *js)
{
    return &js->contract;
}

void *js_arg(const struct js_open *open)
{
    return open->arg;
}

static inline struct js_open *next_open(struct js *js)
{
    struct js_open *next = NULL;

    for (size_t i = 0; i < array_len(js->open); i++)
        if (js->open[i].done && (!next || js->open[i].timer_ms < next->timer_ms))
            next = &js->open[i];
    return next;
}

uint64_t js_next_timer_ms(struct js *js)
{
    const struct js_open *next = next_open(js);

    return next ? next->timer_ms : NEVER;
}

bool js_wants_realm(const struct js *js)
{
    return js->wants_realms > 0;
}

void js_prepare(struct js *js)
{
    js->wants_realms--;
    strcat(js->order, "+");
}

bool js_is_stuck(const struct js *js)
{
    return !js->asks && js_next_timer_ms((struct js *)js) == NEVER;
}

struct js_open *js_next_part(struct js *js, struct js_part *ret_part)
{
    for (size_t i = 0; i < array_len(js->open); i++) {
        struct js_open *open = &js->open[i];

        if (!open->done || !open->has_part || open->held)
            continue;
        open->has_part = false;
        open->held = true;
        *ret_part = (struct js_part){.data = "part", .bytes = 4};
        return open;
    }
    return NULL;
}

void js_resume(struct js_open *open)
{
    assert_true(open->held);
    open->held = false;
}

uint64_t js_stream_chunks(const struct js_open *open)
{
    return open->chunks;
}

struct js_open *js_due(struct js *js, uint64_t now_ms)
{
    struct js_open *next = next_open(js);

    return next && next->timer_ms <= now_ms ? next : NULL;
}

void js_step(struct js *js, struct js_open *open, uint64_t now_ms)
{
    entered(js);
    assert_true(open->done && open->timer_ms <= now_ms);
    js->timers_run++;
    if (open->chunks > 0) {
        open->chunks++;
        open->has_part = open->takes_parts;
    }
    open->timer_ms = now_ms + js->timer_pause_ms;
    if (++open->timers_run >= js->timers_left)
        settle(open, js->outcome);
}

void js_cancel(struct js *js, struct js_open *open, enum js_outcome outcome)
{
    entered(js); /* those who listen to request.signal */
    assert_non_null(open);
    assert_non_null(open->done);
    js->cancels++;
    settle(open, outcome);
}

/* ---- the worker around it ---- */

struct fixture {
    struct config config;
    struct js js;
    struct peer peer;
    struct stats stats;
    struct worker worker;
    char ended[64]; /* urls answered, "!" behind those that were stopped */
    struct render_job job[8];
};

/* What `arg` of a job may ask for, besides being noted. */
enum wish { NOTHING, NOT_WANTED, SUBMIT_ANOTHER, FREE_ITSELF };

static struct fixture *fixture; /* for callbacks of jobs */
static enum wish wishes[array_len(((struct fixture *)0)->job)];
static enum js_outcome last_outcome;
static uint64_t last_render_ns;

static inline enum wish *wish_of(const struct render_job *job)
{
    return job->arg;
}

static inline bool blames_a_page(void);

static inline void entered(struct js *js)
{
    assert_true(the_watchdog.armed);
    js->stamp_ns = atomic_load_explicit(&fixture->peer.render_start_ns, memory_order_relaxed);
    assert_true(js->stamp_ns != 0);
    assert_true(blames_a_page());
}

/* Whose fault it would be if the worker died now: poison.h. */
static inline bool blames_a_page(void)
{
    uint64_t key;
    char url[PEER_URL_BYTES + 1];
    struct peer running = {.render_start_ns = 1};

    memcpy(&running.render_url, &fixture->peer.render_url, sizeof running.render_url);
    return peer_rendered(&running, &key, url);
}

static inline bool begin(struct render_job *job)
{
    return *wish_of(job) != NOT_WANTED;
}

static inline void done(struct render_job *job, enum render_end end, const struct js_result *result)
{
    (void)strncat(fixture->ended, job->request.url, job->request.url_bytes);
    if (end == RENDER_STOPPED) {
        assert_null(result);
        (void)strcat(fixture->ended, "!");
    } else {
        assert_false(blames_a_page()); /* the answer goes out now */
        last_outcome = result->outcome;
        last_render_ns = job->render_ns;
    }
    if (*wish_of(job) == SUBMIT_ANOTHER) {
        struct render_job *another = &fixture->job[array_len(fixture->job) - 1];
        int error = renderer_submit(fixture->worker.renderer, another);

        assert_int_equal(error, end == RENDER_STOPPED ? -EBUSY : 0);
    }
    if (*wish_of(job) == FREE_ITSELF)
        free(job);
}

static inline void init_job(struct render_job *job, size_t number)
{
    static const char urls[] = "abcdefgh";

    wishes[number] = NOTHING;
    *job = (struct render_job){
        .request = {.url = urls + number, .url_bytes = 1},
        .timeout_ms = TIMEOUT_MS,
        .begin = begin,
        .done = done,
        .arg = &wishes[number],
    };
}

static inline int set_up(void **state)
{
    struct fixture *f = NULL;

    if (posix_memalign((void **)&f, CACHE_LINE_BYTES, sizeof *f) != 0)
        return -1;
    memset(f, 0, sizeof *f);
    f->config.policy.queue = QUEUE;
    f->config.render.grace_ms = GRACE_MS;
    f->js.timer_ms = NEVER;
    f->worker = (struct worker){
        .config = &f->config,
        .base = event_base_new(),
        .js = &f->js,
        .stats = &f->stats,
        .peer = &f->peer,
    };
    for (size_t i = 0; i < array_len(f->job); i++)
        init_job(&f->job[i], i);
    fixture = f;
    watchdog_error = 0;
    *state = f;
    return renderer_new(&f->worker, &f->worker.renderer);
}

static inline int tear_down(void **state)
{
    struct fixture *f = *state;

    renderer_free(f->worker.renderer);
    event_base_free(f->worker.base);
    free(f);
    return 0;
}

static inline uint64_t value(const _Atomic uint64_t *word)
{
    return atomic_load_explicit(word, memory_order_relaxed);
}

/* One turn of a worker. */
static inline void turn(struct fixture *f)
{
    bool ready = renderer_ready(f->worker.renderer);

    assert_true(event_base_loop(f->worker.base, EVLOOP_ONCE | (ready ? EVLOOP_NONBLOCK : 0)) >= 0);
    renderer_turn(f->worker.renderer);
    assert_false(the_watchdog.armed); /* between turns no JavaScript runs */
    assert_int_equal(value(&f->peer.render_start_ns), 0);
}

/* Turns until nothing is left to do. */
static inline void run(struct fixture *f)
{
    while (renderer_waiting(f->worker.renderer) > 0)
        turn(f);
}

static inline int submit(struct fixture *f, size_t number)
{
    return renderer_submit(f->worker.renderer, &f->job[number]);
}

#endif
