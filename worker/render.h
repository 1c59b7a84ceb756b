/* SPDX-License-Identifier: MIT */
/*
 * render.h - the queue of renders of one worker, and the only caller of js_render() in it. Up to
 * render.concurrency of them are open at once: started, and waiting for timers or something outside;
 * streams that wait for their readers do not count.
 * Renders run between turns of the event loop, never inside a callback of it: libevent's loop is
 * not re-entrant, and a later version turns the loop from inside JavaScript. So submit only queues.
 */
#ifndef SSRD_WORKER_RENDER_H
#define SSRD_WORKER_RENDER_H

#include "shm/base.h"
#include "worker/js.h"

#include <sys/queue.h>

struct renderer;
struct render_job;

enum render_end {
    RENDER_DONE,    /* result is set, whatever its outcome */
    RENDER_STOPPED, /* the worker leaves before it could run; result is NULL */
    RENDER_HUNG /* it does not end, so the worker does: result tells how, error where if that is known; nothing
                       that the job or its request is made of may be freed */
};

/* Of a render whose body is a stream. */
enum render_stream {
    RENDER_NO_STREAM, /* or none that is looked after */
    RENDER_FLOWING,   /* it may stall */
    RENDER_PAUSED,    /* it waits for its reader: part() said no */
    RENDER_ASKED,     /* renderer_resume(): the next turn does it */
};

/*
 * Filled by the submitter, who keeps it and all that request points to alive until `done`.
 * All callbacks: on the worker's thread, between turns of the loop; they may submit, and may free
 * the job in `done`, but must not enter JavaScript.
 */
struct render_job {
    struct js_request request;
    uint64_t key_hash;   /* of what is rendered, for poison.h; 0: none */
    uint32_t route;      /* its place in the config, from 1; 0: none */
    uint64_t timeout_ms; /* from its start: JavaScript and waiting for promises together */

    /* Right before it starts. False: no longer wanted (the client has gone, or the page has come
     * from elsewhere); the job is then forgotten without `done`, and may have been freed. */
    bool (*begin)(struct render_job *job);
    /* A part of a page whose body is a stream; only with request.takes_parts. False: no more of them
     * until renderer_resume(). It may cancel the job, never free it. */
    bool (*part)(struct render_job *job, const struct js_part *part);
    void (*done)(struct render_job *job, enum render_end end, const struct js_result *result);
    /* Its deadline has passed, and the JavaScript that runs has not stopped: who waits for it may be told. In the midst of
     * that JavaScript; `done` follows, whenever and with whatever it ends. May be NULL. */
    void (*overdue)(struct render_job *job);
    void *arg;

    /* the renderer's own */
    TAILQ_ENTRY(render_job) link; /* of those that wait, then of those that are open */
    struct renderer *renderer;
    struct js_open *open; /* NULL while its first JavaScript runs */
    bool is_open;         /* started, not done */
    bool is_gone;
    enum render_stream stream; /* this and what follows: render_streams.c */
    TAILQ_ENTRY(render_job) stream_link;
    uint64_t heard_ns; /* mono: when its stream gave something last */
    uint64_t chunks;   /* that it had given by then */
    uint64_t queued_ns;
    uint64_t start_ns; /* mono; 0: not started */
    uint64_t
        kept_ns; /* its deadline is so much later: others that had to be stopped had the thread */
    uint64_t render_ns; /* set before done: from its start to its end */
    uint64_t epoch;     /* set by begin: the purge epoch that what it has read is of */
    bool lasts;         /* not a submitter's: goes on for ctx.waitUntil(), the answer is out */
    bool queued;
    bool
        late; /* set before begin: it has waited so long that it can't end in time: README.md, "Too late" */
};

struct worker;
int renderer_new(struct worker *worker, struct renderer **ret_renderer);
/* Takes NULL. Open renders end with JS_TIMEOUT, queued jobs with RENDER_STOPPED, and what their
 * `done` submits is refused with -EBUSY. */
void renderer_free(struct renderer *renderer);

/* The worker's last will (will.h), with the lane: the running render ends with RENDER_HUNG; and then,
 * when connections have been handed over, the other open ones and those that wait with RENDER_STOPPED. */
void renderer_give_up(struct renderer *renderer, enum js_outcome outcome,
                      const struct js_error *error);
void renderer_stop(struct renderer *renderer);

/* Queue a job. 0 / -EBUSY: as many wait, in all workers together, as render.queue says: shed it. */
int renderer_submit(struct renderer *renderer, struct render_job *job);

/* Queue a job that has waited elsewhere since its `begin` said no: before all others, for its turn has
 * been, and whatever the bound. 0 / -EBUSY: the worker leaves. */
int renderer_requeue(struct renderer *renderer, struct render_job *job);

/* Parts are wanted again. Any callback of the loop; does nothing where none were refused. */
void renderer_resume(struct renderer *renderer, struct render_job *job);

/* Nobody wants it any more: taken out of the queue without `done` (true), or, once it has started,
 * ended with JS_GONE before its next JavaScript (false; also once it is done). */
bool renderer_cancel(struct renderer *renderer, struct render_job *job);

/* The smallest epoch of those that go on for ctx.waitUntil(), or `epoch` if that is smaller. */
uint64_t renderer_oldest_epoch(const struct renderer *renderer, uint64_t epoch);

/* Take a job that has not started out of the queue; false when it has started (it then ends with
 * `done` all the same). */
bool renderer_withdraw(struct renderer *renderer, struct render_job *job);

/* Would a job submitted now start at once? */
bool renderer_has_room(const struct renderer *renderer);

/* Worker's loop only: is there something to do now? Do some of it: start a job, or go on with those
 * that are open and due, for a millisecond. */
bool renderer_ready(const struct renderer *renderer);
void renderer_turn(struct renderer *renderer);
size_t renderer_waiting(const struct renderer *renderer);

/* Between turns, when there is time: a full collection, unless a render is open. Milliseconds, in
 * which the lane is lent. */
void renderer_collect(struct renderer *renderer);

#endif
