/* SPDX-License-Identifier: MIT */
/*
 * render.c - see render.h. One render is open at a time: it runs to its end in one call, or its
 * promise stays open, and then its timers and its deadline are what wakes the loop. While its
 * JavaScript runs, others turn the loop (lane.h).
 */
#include "worker/render.h"

#include "shm/peers.h"
#include "shm/stats.h"
#include "worker/lane.h"
#include "worker/watchdog.h"
#include "worker/worker.h"

#include <errno.h>
#include <event2/event.h>

#define WILL_NS_MAX UINT64_C(200000000)

TAILQ_HEAD(render_job_list, render_job);

struct renderer {
    struct worker *worker;
    struct watchdog *watchdog;
    struct event *wake; /* the open render's next timer or deadline */
    struct render_job_list waiting;
    size_t waiting_count;
    size_t waiting_max;
    struct lane *lane;
    struct render_job *open; /* started, not done */
    bool due;                /* wake fired */
};

static uint64_t deadline_ns(const struct render_job *job)
{
    return job->start_ns + job->timeout_ms * UINT64_C(1000000);
}

static void on_wake(evutil_socket_t fd, short events, void *arg)
{
    struct renderer *r = arg;

    (void)fd;
    (void)events;
    r->due = true; /* the work is done between turns, by renderer_turn() */
}

int renderer_new(struct worker *worker, struct renderer **ret_renderer)
{
    struct renderer *r = calloc(1, sizeof *r);
    int error = -ENOMEM;

    if (!r)
        return -ENOMEM;
    r->worker = worker;
    r->waiting_max = worker->config->render.queue;
    TAILQ_INIT(&r->waiting);
    r->wake = evtimer_new(worker->base, on_wake, r);
    if (!r->wake)
        goto fail;
    error = watchdog_start(worker->js, &r->watchdog);
    if (error)
        goto fail;
    error = lane_new(worker, r->watchdog, &r->lane);
    if (error)
        goto fail;
    *ret_renderer = r;
    return 0;
fail:
    renderer_free(r);
    return error;
}

static void unlink_job(struct renderer *r, struct render_job *job)
{
    TAILQ_REMOVE(&r->waiting, job, link);
    job->queued = false;
    r->waiting_count--;
    stats_set(&r->worker->stats->render_queue, r->waiting_count);
}

/* What `done` submits from now on could not run. */
void renderer_stop(struct renderer *renderer)
{
    struct render_job *job;

    renderer->waiting_max = 0;
    while ((job = TAILQ_FIRST(&renderer->waiting))) {
        unlink_job(renderer, job);
        job->done(job, RENDER_STOPPED, NULL);
    }
}

void renderer_free(struct renderer *renderer)
{
    if (!renderer)
        return;
    renderer->waiting_max = 0;
    if (renderer->open)
        js_cancel(renderer->worker->js, JS_TIMEOUT);
    renderer_stop(renderer);
    if (renderer->wake)
        event_free(renderer->wake);
    watchdog_stop(renderer->watchdog);
    lane_free(renderer->lane);
    free(renderer);
}

int renderer_submit(struct renderer *renderer, struct render_job *job)
{
    if (renderer->waiting_count >= renderer->waiting_max)
        return -EBUSY;
    job->start_ns = 0;
    job->queued_ns = mono_ns();
    job->queued = true;
    TAILQ_INSERT_TAIL(&renderer->waiting, job, link);
    renderer->waiting_count++;
    stats_set(&renderer->worker->stats->render_queue, renderer->waiting_count);
    return 0;
}

int renderer_requeue(struct renderer *renderer, struct render_job *job)
{
    if (renderer->waiting_max == 0)
        return -EBUSY;
    job->queued = true;
    TAILQ_INSERT_HEAD(&renderer->waiting, job, link);
    renderer->waiting_count++;
    stats_set(&renderer->worker->stats->render_queue, renderer->waiting_count);
    return 0;
}

bool renderer_withdraw(struct renderer *renderer, struct render_job *job)
{
    if (!job->queued)
        return false;
    unlink_job(renderer, job);
    return true;
}

/* The last will is made so much before the master kills, that there is time for it. */
static uint64_t earlier_ns(uint64_t grace_ns)
{
    return grace_ns / 4 < WILL_NS_MAX ? grace_ns / 4 : WILL_NS_MAX;
}

/* JavaScript runs between these two: the watchdog ends it, or the master, by the stamp. */
static void enter(struct renderer *r, const struct render_job *job, uint64_t now_ns)
{
    struct peer *peer = r->worker->peer;
    uint64_t grace_ns = r->worker->config->render.grace_ms * UINT64_C(1000000);

    peer_note_render(peer, job->key_hash, job->request.url, job->request.url_bytes);
    atomic_store_explicit(&peer->render_limit_ns, job->timeout_ms * UINT64_C(1000000) + grace_ns,
                          memory_order_relaxed);
    /* release: the master that reads the stamp (acquire) sees its limit */
    atomic_store_explicit(&peer->render_start_ns, job->start_ns, memory_order_release);
    lane_lend(r->lane, now_ns, deadline_ns(job) + grace_ns - earlier_ns(grace_ns));
    watchdog_arm(r->watchdog, deadline_ns(job));
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
        stats_add(&stats->renders_timeout, 1);
        break;
    case JS_OOM:
        stats_add(&stats->renders_oom, 1);
        break;
    }
}

void renderer_give_up(struct renderer *renderer, enum js_outcome outcome)
{
    const struct js_result result = {.outcome = outcome};
    struct render_job *job = renderer->open;

    renderer->waiting_max = 0;
    if (!job)
        return;
    renderer->open = NULL;
    job->render_ns = mono_ns() - job->start_ns;
    count(renderer->worker->stats, &result, job->render_ns);
    job->done(job, RENDER_HUNG, &result);
}

static void on_done(void *arg, const struct js_result *result)
{
    struct renderer *r = arg;
    struct render_job *job = r->open;
    bool lent = lane_take(r->lane); /* not when nothing ran: a cancel */

    r->open = NULL;
    job->render_ns = mono_ns() - job->start_ns;
    count(r->worker->stats, result, job->render_ns);
    (void)event_del(r->wake);
    r->due = false;
    job->done(job, RENDER_DONE, result);
    if (lent)
        lane_lend_again(r->lane); /* V8's own tasks follow */
}

/* The promise is open: be woken for its next timer or its deadline. May end it, and so call done. */
static void sleep_on(struct renderer *r)
{
    uint64_t now_ns = mono_ns();
    uint64_t at_ns = deadline_ns(r->open);
    uint64_t timer_ms = js_next_timer_ms(r->worker->js);
    struct timeval tv;

    if (timer_ms == UINT64_MAX) {
        js_cancel(r->worker->js,
                  JS_TIMEOUT); /* nothing is left that could settle it: no use in waiting */
        return;
    }
    if (timer_ms * UINT64_C(1000000) < at_ns)
        at_ns = timer_ms * UINT64_C(1000000);
    at_ns = at_ns > now_ns ? at_ns - now_ns : 0;
    tv.tv_sec = (time_t)(at_ns / 1000000000u);
    tv.tv_usec = (suseconds_t)((at_ns % 1000000000u + 999) / 1000);
    (void)evtimer_add(r->wake, &tv);
}

static void start(struct renderer *r, struct render_job *job)
{
    job->start_ns = mono_ns();
    r->open = job;
    enter(r, job, job->start_ns);
    (void)js_render(r->worker->js, &job->request, on_done, r); /* -EBUSY: only one is open */
    leave(r); /* only now: V8's tasks, which may be JavaScript, run after done */
    if (r->open)
        sleep_on(r);
}

static void go_on(struct renderer *r)
{
    struct js *js = r->worker->js;

    uint64_t now_ns = mono_ns();

    r->due = false;
    if (now_ns >= deadline_ns(r->open)) {
        js_cancel(js, JS_TIMEOUT);
        return;
    }
    enter(r, r->open, now_ns);
    js_run_timers(js, mono_ms());
    leave(r);
    if (r->open)
        sleep_on(r);
}

bool renderer_ready(const struct renderer *renderer)
{
    return renderer->open ? renderer->due : renderer->waiting_count > 0;
}

void renderer_turn(struct renderer *renderer)
{
    struct render_job *job;

    assert(!renderer->worker->ticking);
    if (renderer->open) {
        if (renderer->due)
            go_on(renderer);
        return;
    }
    job = TAILQ_FIRST(&renderer->waiting);
    if (!job)
        return;
    unlink_job(renderer, job);
    if (job->begin(job))
        start(renderer, job);
}

size_t renderer_waiting(const struct renderer *renderer)
{
    return renderer->waiting_count + (renderer->open != NULL);
}
