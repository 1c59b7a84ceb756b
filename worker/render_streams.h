/* SPDX-License-Identifier: MIT */
/*
 * render_streams.h - of the renders that are open, those whose body is a stream: which may give parts,
 * which wait for their reader, which have been silent for too long. For render.c, which ends them;
 * all calls between turns, but render_streams_ask().
 */
#ifndef SSRD_WORKER_RENDER_STREAMS_H
#define SSRD_WORKER_RENDER_STREAMS_H

#include "worker/render.h"

struct render_streams {
    struct js *js;
    uint64_t stall_ns;                /* render.stall; 0: they may be silent as long as they like */
    TAILQ_HEAD(, render_job) flowing; /* that may stall; who was silent longest first */
    TAILQ_HEAD(, render_job) paused;  /* part() said no, or asked for in the meantime */
    size_t paused_count;
    size_t asked_count; /* of them: by render_streams_ask(), not resumed yet */
};

void render_streams_init(struct render_streams *streams, struct js *js, uint64_t stall_ms);

/* JavaScript has run for an open render: has its stream brought something? */
void render_streams_note(struct render_streams *streams, struct render_job *job, uint64_t now_ns);

/* What streams have brought goes to their owners, job->part(). */
void render_streams_pass_on(struct render_streams *streams, uint64_t now_ns);

/* It is to go on giving parts; JavaScript may be running, even on another thread, so the next
 * render_streams_resume() does it. True: there is something to do now. */
bool render_streams_ask(struct render_streams *streams, struct render_job *job);
void render_streams_resume(struct render_streams *streams, uint64_t now_ns);

/* It is no longer open. */
void render_streams_forget(struct render_streams *streams, struct render_job *job);

/* One that has been silent for render.stall, or NULL. One that waits for its reader is not. */
struct render_job *render_streams_stalled(struct render_streams *streams, uint64_t now_ns);
uint64_t render_streams_next_ns(const struct render_streams *streams); /* UINT64_MAX: none */

#endif
