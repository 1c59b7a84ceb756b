/* SPDX-License-Identifier: MIT */
/* render_streams.c - see render_streams.h. */
#include "worker/render_streams.h"

void render_streams_init(struct render_streams *s, struct js *js, uint64_t stall_ms)
{
    *s = (struct render_streams){.js = js, .stall_ns = stall_ms * UINT64_C(1000000)};
    TAILQ_INIT(&s->flowing);
    TAILQ_INIT(&s->paused);
}

static void leave(struct render_streams *s, struct render_job *job)
{
    if (job->stream == RENDER_FLOWING)
        TAILQ_REMOVE(&s->flowing, job, stream_link);
    if (job->stream == RENDER_PAUSED || job->stream == RENDER_ASKED) {
        TAILQ_REMOVE(&s->paused, job, stream_link);
        s->paused_count--;
    }
    if (job->stream == RENDER_ASKED)
        s->asked_count--;
    job->stream = RENDER_NO_STREAM;
}

/* One stall for all: whoever was heard last is the last to stall. */
static void flow(struct render_streams *s, struct render_job *job, uint64_t now_ns)
{
    leave(s, job);
    job->stream = RENDER_FLOWING;
    job->heard_ns = now_ns;
    job->chunks = js_stream_chunks(job->open);
    TAILQ_INSERT_TAIL(&s->flowing, job, stream_link);
}

static void pause_job(struct render_streams *s, struct render_job *job)
{
    leave(s, job);
    job->stream = RENDER_PAUSED;
    TAILQ_INSERT_TAIL(&s->paused, job, stream_link);
    s->paused_count++;
}

static bool has_brought(const struct render_job *job)
{
    return js_stream_chunks(job->open) != job->chunks;
}

void render_streams_note(struct render_streams *s, struct render_job *job, uint64_t now_ns)
{
    if (s->stall_ns > 0 && job->stream <= RENDER_FLOWING && has_brought(job))
        flow(s, job, now_ns);
}

void render_streams_pass_on(struct render_streams *s, uint64_t now_ns)
{
    struct js_part part;
    struct js_open *open;

    while ((open = js_next_part(s->js, &part))) {
        struct render_job *job = js_arg(open);

        if (!job->part(job, &part)) {
            pause_job(s, job);
            continue;
        }
        if (s->stall_ns > 0)
            flow(s, job, now_ns);
        js_resume(open);
    }
}

bool render_streams_ask(struct render_streams *s, struct render_job *job)
{
    if (job->stream != RENDER_PAUSED)
        return false;
    job->stream = RENDER_ASKED;
    s->asked_count++;
    return true;
}

void render_streams_resume(struct render_streams *s, uint64_t now_ns)
{
    struct render_job *job, *next;

    for (job = TAILQ_FIRST(&s->paused); job && s->asked_count > 0; job = next) {
        next = TAILQ_NEXT(job, stream_link);
        if (job->stream != RENDER_ASKED)
            continue;
        leave(s, job);
        if (s->stall_ns > 0)
            flow(s, job, now_ns);
        js_resume(job->open);
    }
}

void render_streams_forget(struct render_streams *s, struct render_job *job)
{
    leave(s, job);
    job->chunks = 0;
}

uint64_t render_streams_next_ns(const struct render_streams *s)
{
    const struct render_job *first = TAILQ_FIRST(&s->flowing);

    return first ? first->heard_ns + s->stall_ns : UINT64_MAX;
}

/* A chunk may have come in another render's step, and is found only here. */
struct render_job *render_streams_stalled(struct render_streams *s, uint64_t now_ns)
{
    struct render_job *job;

    while ((job = TAILQ_FIRST(&s->flowing)) && render_streams_next_ns(s) <= now_ns) {
        if (!has_brought(job))
            return job;
        flow(s, job, now_ns);
    }
    return NULL;
}
