/* SPDX-License-Identifier: MIT */
/*
 * render.c - see render.h. A job runs to its end in one call, or its promise stays open; then the
 * next of its timers, what comes from outside, or its deadline go on with it. While JavaScript runs,
 * ticks turn the loop. Watchdog and stamp always hold the deadline of the render whose JavaScript
 * runs.
 */
#include "worker/render_state.h"

#include "shm/peers.h"
#include "shm/stats.h"
#include "worker/lane.h"
#include "worker/watchdog.h"
#include "worker/worker.h"

#include <errno.h>
#include <event2/event.h>
#include <string.h>

#define WILL_NS_MAX UINT64_C(200000000)
#define OVERDUE_NS                                                                                 \
    UINT64_C(20000000) /* JavaScript stops in less than one millisecond of these, if it can */
#define LATE_WILL_NS UINT64_C(1000000000)
#define FETCH_OPEN_MAX 32
#define PAUSED_MAX 128u                 /* streams that wait for their readers, beside the others */
#define ABORT_MS 100u                   /* for listeners of request.signal */
#define PREPARE_NS UINT64_C(1000000000) /* for what a bundle does when it loads */
#define STEPS_NS UINT64_C(1000000)      /* of one turn: then the loop has its own */

#define TYPICAL_OF 8 /* renders, for the mean of late */

static uint64_t deadline_ns(const struct render_job *job)
{
    return job->start_ns + job->kept_ns + job->timeout_ms * UINT64_C(1000000);
}

/*
 * After JavaScript of `ran`, which may have been freed: if it went on until it was stopped, all others that are
 * open get the time back, as those who wait behind a hung render do (is_late()): once their timeout at
 * most. They stay in order, but for those who have had all of it.
 */
static void give_back(struct renderer *r, const struct render_job *ran, uint64_t until_ns,
                      uint64_t entered_ns, uint64_t now_ns)
{
    struct render_job *job;

    if (now_ns < until_ns)
        return;
    TAILQ_FOREACH(job, &r->open, link)
    {
        uint64_t most_ns = job->timeout_ms * UINT64_C(1000000);

        if (job != ran)
            job->kept_ns = now_ns - entered_ns < most_ns - job->kept_ns
                               ? job->kept_ns + (now_ns - entered_ns)
                               : most_ns;
    }
}

static void on_wake(evutil_socket_t fd, short events, void *arg)
{
    struct renderer *r = arg;

    (void)fd;
    (void)events;
    r->due = true; /* the work is done between turns, by renderer_turn() */
}

/* It has not stopped when it was to: its client need not wait for what becomes of it. And who will see to its end is
 * at work, so the master leaves that to us: were it to kill by the first limit, a machine that keeps us from running right
 * then would cost all others of this worker their answers. Relaxed: its look at the old limit may come first. */
static void on_overdue(void *arg)
{
    struct renderer *r = arg;
    struct peer *peer = r->worker->peer;
    uint64_t limit_ns = atomic_load_explicit(&peer->render_limit_ns, memory_order_relaxed);

    atomic_store_explicit(&peer->render_limit_ns, limit_ns + LATE_WILL_NS, memory_order_relaxed);
    if (r->running && r->running->overdue)
        r->running->overdue(r->running);
}

int renderer_new(struct worker *worker, struct renderer **ret_renderer)
{
    struct renderer *r = calloc(1, sizeof *r);
    int error = -ENOMEM;

    if (!r)
        return -ENOMEM;
    r->worker = worker;
    r->waiting_max = worker->config->policy.queue;
    r->route_waiting = calloc(worker->config->routes.count + 1, sizeof r->route_waiting[0]);
    r->open_max = worker->config->render.concurrency;
    if (r->open_max == 0) /* auto: a renderPage may keep what it renders in globals */
        r->open_max = js_contract(worker->js)->is_fetch ? FETCH_OPEN_MAX : 1;
    TAILQ_INIT(&r->waiting);
    TAILQ_INIT(&r->open);
    render_streams_init(&r->streams, worker->js, worker->config->render.stall_ms);
    r->wake = evtimer_new(worker->base, on_wake, r);
    if (!r->wake || !r->route_waiting)
        goto fail;
    error = watchdog_start(worker->js, &r->watchdog);
    if (error)
        goto fail;
    error = lane_new(worker, r->watchdog, &r->lane);
    if (error)
        goto fail;
    lane_set_overdue(r->lane, on_overdue, r);
    *ret_renderer = r;
    return 0;
fail:
    renderer_free(r);
    return error;
}

static void unlink_open(struct renderer *r, struct render_job *job)
{
    TAILQ_REMOVE(&r->open, job, link);
    r->open_count--;
    r->nested_count -= render_is_nested(job);
    r->gone_count -= job->is_gone;
    render_streams_forget(&r->streams, job);
    job->is_open = false;
    if (r->running == job)
        r->running = NULL;
}

/* What `done` submits from now on could not run. */
void renderer_stop(struct renderer *renderer)
{
    struct render_job *job;

    renderer->waiting_max = 0;
    while ((job = TAILQ_FIRST(&renderer->open))) { /* of a worker that is lost */
        unlink_open(renderer, job);
        job->done(job, RENDER_STOPPED, NULL);
    }
    while ((job = TAILQ_FIRST(&renderer->waiting))) {
        render_unlink(renderer, job);
        job->done(job, RENDER_STOPPED, NULL);
    }
}

bool renderer_cancel(struct renderer *renderer, struct render_job *job)
{
    if (renderer_withdraw(renderer, job))
        return true;
    if (job->is_open && !job->is_gone) { /* its JavaScript may be running: the next turn ends it */
        job->is_gone = true;
        renderer->gone_count++;
        renderer->due = true;
    }
    return false;
}

void renderer_resume(struct renderer *renderer, struct render_job *job)
{
    if (job->is_open && render_streams_ask(&renderer->streams, job))
        renderer->due = true;
}

/* The last will is made so much before the master kills, that there is time for it. */
static uint64_t earlier_ns(uint64_t grace_ns)
{
    return grace_ns / 4 < WILL_NS_MAX ? grace_ns / 4 : WILL_NS_MAX;
}

/* JavaScript runs between these two: the watchdog ends it at its deadline, or the master, by the
 * stamp, when `grace` has passed too. */
static void enter(struct renderer *r, const struct render_job *job, uint64_t start_ns,
                  uint64_t timeout_ms, uint64_t now_ns)
{
    struct peer *peer = r->worker->peer;
    uint64_t timeout_ns = timeout_ms * UINT64_C(1000000);
    uint64_t grace_ns = r->worker->config->render.grace_ms * UINT64_C(1000000);

    peer_note_render(peer, job->key_hash, job->request.url, job->request.url_bytes);
    atomic_store_explicit(&peer->render_limit_ns, timeout_ns + grace_ns, memory_order_relaxed);
    /* release: the master that reads the stamp (acquire) sees its limit */
    atomic_store_explicit(&peer->render_start_ns, start_ns, memory_order_release);
    lane_lend(r->lane, now_ns, start_ns + timeout_ns + OVERDUE_NS,
              start_ns + timeout_ns + grace_ns - earlier_ns(grace_ns));
    watchdog_arm(r->watchdog, start_ns + timeout_ns);
}

static void leave(struct renderer *r)
{
    watchdog_disarm(r->watchdog);
    (void)lane_take(r->lane);
    atomic_store_explicit(&r->worker->peer->render_start_ns, 0, memory_order_relaxed);
}

static void count(struct stats *stats, const struct js_result *result, uint64_t ns)
{
    stats_observe(&stats->render_duration, ns);
    switch (result->outcome) {
    case JS_OK:
        stats_add(&stats->renders_ok, 1);
        break;
    case JS_ERROR:
        stats_add(&stats->renders_error, 1);
        break;
    case JS_TIMEOUT:
    case JS_STALL:
        stats_add(&stats->renders_timeout, 1);
        break;
    case JS_OOM:
        stats_add(&stats->renders_oom, 1);
        break;
    case JS_GONE:
        break;
    }
}

void renderer_give_up(struct renderer *renderer, enum js_outcome outcome,
                      const struct js_error *error)
{
    const struct js_result result = {.outcome = outcome, .error = error};
    struct render_job *job = renderer->running;

    renderer->waiting_max = 0;
    if (!job)
        return;
    unlink_open(renderer, job);
    job->render_ns = mono_ns() - job->start_ns;
    count(renderer->worker->stats, &result, job->render_ns);
    job->done(job, RENDER_HUNG, &result);
}

/* In a last will nothing is freed: the process ends. */
static void free_lasting(struct render_job *job, enum render_end end,
                         const struct js_result *result)
{
    (void)result;
    if (end != RENDER_HUNG)
        free(job);
}

static void on_over(void *arg)
{
    struct render_job *job = arg;
    struct renderer *r = job->renderer;
    bool lent = lane_take(r->lane);

    unlink_open(r, job);
    job->done(job, RENDER_DONE, NULL);
    if (lent)
        lane_lend_again(r->lane);
}

/*
 * What was given to ctx.waitUntil() goes on as a job of our own, for the submitter's is freed in its
 * done: open as long as that, with its deadline, for concurrency and drain. No memory: it ends with its answer.
 */
static void last(struct renderer *r, struct render_job *job, struct js_open *open)
{
    size_t url_bytes = job->request.url_bytes;
    struct render_job *after = calloc(1, sizeof *after + url_bytes);

    if (!after)
        return;
    if (url_bytes > 0)
        memcpy(after + 1, job->request.url, url_bytes);
    after->request.url = (const char *)(after + 1);
    after->request.url_bytes = url_bytes;
    after->key_hash = job->key_hash;
    after->timeout_ms = job->timeout_ms;
    after->start_ns = job->start_ns;
    after->kept_ns = job->kept_ns;
    after->epoch = job->epoch;
    after->done = free_lasting;
    after->renderer = r;
    after->open = open;
    after->is_open = after->lasts = true;
    TAILQ_INSERT_AFTER(&r->open, job, after, link);
    r->open_count++;
    r->running = after; /* its tasks run after done */
    js_keep(open, on_over, after);
}

static void on_done(void *arg, const struct js_result *result)
{
    struct render_job *job = arg;
    struct renderer *r = job->renderer;
    bool lent = lane_take(r->lane);

    if (result->lasting)
        last(r, job, result->lasting);
    unlink_open(r, job);
    job->render_ns = mono_ns() - job->start_ns;
    count(r->worker->stats, result, job->render_ns);
    r->typical_ns += job->render_ns / TYPICAL_OF - r->typical_ns / TYPICAL_OF;
    /* before the answer goes out: who kills the worker when he has it must not blame the page */
    peer_forget_render(r->worker->peer);
    job->done(job, RENDER_DONE, result);
    if (lent)
        lane_lend_again(r->lane); /* V8's own tasks follow, or what listens to request.signal */
}

/* The answer does not wait for those who listen to request.signal; they have a little time. */
static void cancel(struct renderer *r, struct render_job *job, enum js_outcome outcome)
{
    uint64_t now_ns = mono_ns();

    enter(r, job, now_ns, ABORT_MS, now_ns);
    js_cancel(r->worker->js, job->open, outcome);
    leave(r);
}

/* After JavaScript: what is open waits for its next timer, or the first deadline of all. */
static void rest(struct renderer *r)
{
    uint64_t now_ns, at_ns, next_ms;
    struct render_job *job;
    struct timeval tv;

    if (js_is_stuck(r->worker->js)) /* nothing is left that could settle them: no use in waiting */
        while ((job = TAILQ_FIRST(&r->open)))
            cancel(r, job, JS_TIMEOUT);
    job = TAILQ_FIRST(&r->open);
    if (!job) {
        (void)event_del(r->wake);
        r->due = false;
        return;
    }
    now_ns = mono_ns();
    at_ns = deadline_ns(job);
    next_ms = js_next_timer_ms(r->worker->js);
    if (next_ms < at_ns / UINT64_C(1000000))
        at_ns = next_ms * UINT64_C(1000000);
    if (render_streams_next_ns(&r->streams) < at_ns)
        at_ns = render_streams_next_ns(&r->streams);
    r->due = at_ns <= now_ns || r->gone_count > 0 || r->streams.asked_count > 0;
    at_ns = at_ns > now_ns ? at_ns - now_ns : 0;
    tv.tv_sec = (time_t)(at_ns / 1000000000u);
    tv.tv_usec = (suseconds_t)((at_ns % 1000000000u + 999) / 1000);
    (void)evtimer_add(r->wake, &tv);
}

/* By deadline: with one timeout for all of them at the end. */
static void insert_open(struct renderer *r, struct render_job *job)
{
    struct render_job *before = TAILQ_LAST(&r->open, render_job_list);

    while (before && deadline_ns(before) > deadline_ns(job))
        before = TAILQ_PREV(before, render_job_list, link);
    if (before)
        TAILQ_INSERT_AFTER(&r->open, before, job, link);
    else
        TAILQ_INSERT_HEAD(&r->open, job, link);
    r->open_count++;
    r->nested_count += render_is_nested(job);
}

static void start(struct renderer *r, struct render_job *job)
{
    uint64_t start_ns, until_ns;
    struct js_open *open;

    job->start_ns = mono_ns();
    job->kept_ns = 0;
    job->renderer = r;
    job->open = NULL;
    job->is_open = true;
    job->is_gone = false;
    job->stream = RENDER_NO_STREAM;
    job->chunks = 0;
    insert_open(r, job);
    r->running = job;
    start_ns = job->start_ns;
    until_ns = deadline_ns(job);
    enter(r, job, job->start_ns, job->timeout_ms, job->start_ns);
    open = js_render(r->worker->js, &job->request, on_done, job);
    leave(r); /* only now: V8's tasks, which may be JavaScript, run after done */
    r->running = NULL;
    give_back(r, job, until_ns, start_ns, mono_ns());
    if (open) { /* else job may have been freed */
        job->open = open;
        render_streams_note(&r->streams, job, mono_ns());
    }
    render_streams_pass_on(&r->streams, mono_ns());
    rest(r);
}

static void end_those_who_left(struct renderer *r)
{
    struct render_job *job, *next;

    for (job = TAILQ_FIRST(&r->open); job && r->gone_count > 0; job = next) {
        next = TAILQ_NEXT(job, link);
        if (job->is_gone)
            cancel(r, job, JS_GONE);
    }
}

static void go_on(struct renderer *r)
{
    struct js *js = r->worker->js;
    uint64_t now_ns = mono_ns(), until_ns = now_ns + STEPS_NS;
    struct render_job *job;
    struct js_open *open;

    end_those_who_left(r);
    render_streams_resume(&r->streams, now_ns);
    render_streams_pass_on(&r->streams, now_ns);
    while ((job = TAILQ_FIRST(&r->open)) && deadline_ns(job) <= now_ns)
        cancel(r, job, JS_TIMEOUT);
    while ((job = render_streams_stalled(&r->streams, now_ns)))
        cancel(r, job, JS_STALL);
    while (now_ns < until_ns && (open = js_due(js, now_ns / UINT64_C(1000000)))) {
        uint64_t entered_ns = now_ns, end_ns;

        job = js_arg(open);
        end_ns = deadline_ns(job);
        r->running = job;
        enter(r, job, job->start_ns + job->kept_ns, job->timeout_ms, now_ns);
        js_step(js, open, now_ns / UINT64_C(1000000));
        leave(r);
        now_ns = mono_ns();
        give_back(r, job, end_ns, entered_ns, now_ns);
        if (r->running) /* it is still open */
            render_streams_note(&r->streams, r->running, now_ns);
        r->running = NULL;
        render_streams_pass_on(&r->streams, now_ns);
    }
    rest(r);
}

void renderer_free(struct renderer *renderer)
{
    struct render_job *job;

    if (!renderer)
        return;
    renderer->waiting_max = 0;
    while ((job = TAILQ_FIRST(&renderer->open)))
        cancel(renderer, job, JS_TIMEOUT);
    renderer_stop(renderer);
    if (renderer->wake)
        event_free(renderer->wake);
    watchdog_stop(renderer->watchdog);
    lane_free(renderer->lane);
    free(renderer->route_waiting);
    free(renderer);
}

/* Who waits for a slow reader keeps nobody from rendering; but not any number of such. */
static bool has_place(const struct renderer *r)
{
    size_t paused = r->streams.paused_count < PAUSED_MAX ? r->streams.paused_count : PAUSED_MAX;

    return r->open_count - paused < r->open_max;
}

static bool can_start(const struct renderer *r)
{
    return r->waiting_count > 0 && (has_place(r) || render_is_nested(TAILQ_FIRST(&r->waiting)));
}

/* Its timer has come, or something from outside, which wakes no timer of ours. */
static bool can_go_on(const struct renderer *r)
{
    return r->open_count > 0 && (r->due || js_next_timer_ms(r->worker->js) == 0);
}

bool renderer_has_room(const struct renderer *renderer)
{
    return !renderer->running && renderer->waiting_count == 0 && has_place(renderer);
}

bool renderer_ready(const struct renderer *renderer)
{
    return can_go_on(renderer) || can_start(renderer) || js_wants_realm(renderer->worker->js);
}

/* There is nothing to render: a realm for the next ones (render.isolation: context). */
static void prepare(struct renderer *r)
{
    uint64_t now_ns = mono_ns();

    if (!js_wants_realm(r->worker->js))
        return;
    lane_lend(r->lane, now_ns, UINT64_MAX, UINT64_MAX);
    watchdog_arm(r->watchdog, now_ns + PREPARE_NS); /* the bundle's top level is JavaScript */
    js_prepare(r->worker->js);
    watchdog_disarm(r->watchdog);
    (void)lane_take(r->lane);
}

/* A render is given its timeout twice: to wait behind others, one of which may have hung for as long,
 * and to run. Beyond that its client has been left waiting for longer than anybody was promised. What
 * is typical may be of a route with a longer timeout: it counts up to the own, or who has not waited
 * at all would be late, and so would all after him, and nothing would change what is typical. */
static bool is_late(const struct renderer *r, const struct render_job *job)
{
    uint64_t now_ns = mono_ns();
    uint64_t waited_ns = now_ns > job->queued_ns ? now_ns - job->queued_ns : 0;
    uint64_t timeout_ns = job->timeout_ms * UINT64_C(1000000);
    uint64_t typical_ns = r->typical_ns < timeout_ns ? r->typical_ns : timeout_ns;
    uint64_t grace_ns = r->worker->config->render.grace_ms * UINT64_C(1000000);

    return waited_ns + typical_ns > 2 * timeout_ns + grace_ns;
}

void renderer_turn(struct renderer *renderer)
{
    struct render_job *job;

    assert(!renderer->worker->ticking);
    if (can_go_on(renderer) && !(renderer->went_on && can_start(renderer))) {
        renderer->went_on = true;
        go_on(renderer);
        return;
    }
    renderer->went_on = false;
    if (!can_start(renderer)) {
        prepare(renderer);
        return;
    }
    job = TAILQ_FIRST(&renderer->waiting);
    render_unlink(renderer, job);
    job->late = is_late(renderer, job);
    if (job->begin(job))
        start(renderer, job);
}

uint64_t renderer_oldest_epoch(const struct renderer *renderer, uint64_t epoch)
{
    const struct render_job *job;

    TAILQ_FOREACH(job, &renderer->open, link)
    {
        if (job->lasts && job->epoch < epoch)
            epoch = job->epoch;
    }
    return epoch;
}

size_t renderer_waiting(const struct renderer *renderer)
{
    return renderer->waiting_count + renderer->open_count;
}

static void collect(void *arg)
{
    const struct renderer *r = arg;

    js_collect(r->worker->js);
}

void renderer_collect(struct renderer *renderer)
{
    if (renderer->open_count > 0)
        return;
    lane_aside(renderer->lane, collect, renderer);
    stats_add(&renderer->worker->stats->collections, 1);
}
