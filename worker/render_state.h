/* SPDX-License-Identifier: MIT */
/* render_state.h - struct renderer, which render.c and render_queue.c share. Private to them. */
#ifndef SSRD_WORKER_RENDER_STATE_H
#define SSRD_WORKER_RENDER_STATE_H

#include "worker/render.h"
#include "worker/render_streams.h"

struct event;
struct lane;
struct watchdog;

TAILQ_HEAD(render_job_list, render_job);

struct renderer {
    struct worker *worker;
    struct watchdog *watchdog;
    struct event *wake; /* the next timer or deadline of the open */
    struct render_job_list waiting;
    size_t waiting_count;
    size_t waiting_max;
    size_t nested_count;     /* waiting or open, that a render of this worker waits for */
    uint32_t *route_waiting; /* by route; of them all in waiting_count */
    uint64_t typical_ns;     /* what a render took of late */
    struct lane *lane;
    struct render_job_list open; /* started, not done; by deadline */
    size_t open_count;
    size_t open_max;
    size_t gone_count;             /* of the open: to be ended */
    struct render_streams streams; /* of the open */
    struct render_job *running;    /* of the open: whose JavaScript runs */
    bool due;                      /* something of the open may be */
    bool went_on;                  /* the last turn was theirs; the next is for one that waits */
};

/* Another render of this worker waits for it, by fetch(): it must not wait for that one's place. */
static inline bool render_is_nested(const struct render_job *job)
{
    return job->request.depth > 0;
}

/* render_queue.c: no longer among those that wait. */
void render_unlink(struct renderer *renderer, struct render_job *job);

#endif
