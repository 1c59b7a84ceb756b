/* SPDX-License-Identifier: MIT */
/* render_queue.c - the jobs that wait (prototypes: render.h): their order and their bounds. */
#include "worker/render_state.h"

#include "shm/offer.h"
#include "shm/stats.h"
#include "worker/worker.h"

#include <errno.h>

/* A job of this route has come (1) or gone (-1). */
static void count_waiting(struct renderer *r, uint32_t route, int change)
{
    struct worker *w = r->worker;

    r->waiting_count += (size_t)change;
    r->route_waiting[route] += (uint32_t)change;
    stats_set(&w->stats->render_queue, r->waiting_count);
    if (!w->offers)
        return;
    offers_set_waiting(w->offers, w->number, 0, (uint32_t)r->waiting_count);
    if (route > 0)
        offers_set_waiting(w->offers, w->number, route, r->route_waiting[route]);
}

/* The bound is the server's, or a busy worker would refuse what others have room for. Routes beyond
 * those that are counted together are bounded in each worker. */
static bool is_full(const struct renderer *r, uint32_t route)
{
    const struct worker *w = r->worker;
    const struct config *config = w->config;
    uint64_t all = r->waiting_count;
    uint64_t own = r->route_waiting[route];

    if (w->offers) {
        all = offers_waiting(w->offers, w->heritage->bells.count, 0);
        if (route < OFFER_ROUTES_MAX)
            own = offers_waiting(w->offers, w->heritage->bells.count, route);
    }
    return all >= r->waiting_max ||
           (route > 0 && own >= config->routes.item[route - 1].policy.queue);
}

/* Nested ones stand before all others. is_first: before those of its kind. */
static void link_job(struct renderer *r, struct render_job *job, bool is_first)
{
    struct render_job *other = TAILQ_FIRST(&r->waiting);

    job->start_ns = 0;
    job->queued_ns = mono_ns();
    job->queued = true;
    r->nested_count += render_is_nested(job);
    while (other && render_is_nested(other) && !(is_first && render_is_nested(job)))
        other = TAILQ_NEXT(other, link);
    if (other && (is_first || render_is_nested(job)))
        TAILQ_INSERT_BEFORE(other, job, link);
    else
        TAILQ_INSERT_TAIL(&r->waiting, job, link);
    count_waiting(r, job->route, 1);
}

void render_unlink(struct renderer *r, struct render_job *job)
{
    TAILQ_REMOVE(&r->waiting, job, link);
    job->queued = false;
    r->nested_count -= render_is_nested(job);
    count_waiting(r, job->route, -1);
}

int renderer_submit(struct renderer *renderer, struct render_job *job)
{
    if (renderer->waiting_max == 0 ||
        (render_is_nested(job) ? renderer->nested_count >= renderer->waiting_max
                               : is_full(renderer, job->route)))
        return -EBUSY;
    link_job(renderer, job, false);
    return 0;
}

int renderer_requeue(struct renderer *renderer, struct render_job *job)
{
    if (renderer->waiting_max == 0)
        return -EBUSY;
    link_job(renderer, job, true); /* what it has waited for before was no queue */
    return 0;
}

bool renderer_withdraw(struct renderer *renderer, struct render_job *job)
{
    if (!job->queued)
        return false;
    render_unlink(renderer, job);
    return true;
}
