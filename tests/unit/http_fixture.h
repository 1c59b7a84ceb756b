/* SPDX-License-Identifier: MIT */
/*
 * http_fixture.h - a worker's HTTP side for tests: real connections (one end of a socket pair),
 * real caches and a renderer that does what the test says. No listener, no JavaScript, no clock
 * that anyone waits for. Included by one file a program.
 */
#ifndef SSRD_TESTS_UNIT_HTTP_FIXTURE_H
#define SSRD_TESTS_UNIT_HTTP_FIXTURE_H

#include "shm/claim.h"
#include "shm/cold.h"
#include "shm/hits.h"
#include "shm/log.h"
#include "shm/peers.h"
#include "shm/purge.h"
#include "shm/region.h"
#include "shm/stats.h"
#include "worker/conn.h"
#include "worker/http_state.h"
#include "worker/key.h"
#include "worker/lane.h"
#include "worker/render.h"

#include <errno.h>
#include <event2/event.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <cmocka.h>

/* ---- the renderer ---- */

#define QUEUE_MAX 3

struct renderer {
    TAILQ_HEAD(, render_job) queue;
    size_t queued;
    struct render_job *open; /* begun, not done */
    unsigned renders;
    struct render_job *cancelled; /* the last */
    struct render_job *resumed;   /* the last */
};

struct lane {
    unsigned asides;
    void (*beside)(void); /* what others do meanwhile */
};

void lane_aside(struct lane *lane, void (*work)(void *arg), void *arg)
{
    lane->asides++;
    work(arg);
    if (lane->beside)
        lane->beside();
}

bool renderer_cancel(struct renderer *r, struct render_job *job)
{
    r->cancelled = job;
    return false;
}

uint64_t renderer_oldest_epoch(const struct renderer *renderer, uint64_t epoch)
{
    return epoch;
}

void renderer_resume(struct renderer *r, struct render_job *job)
{
    r->resumed = job;
}

int renderer_submit(struct renderer *r, struct render_job *job)
{
    if (r->queued == QUEUE_MAX)
        return -EBUSY;
    job->queued = true;
    job->queued_ns = mono_ns();
    TAILQ_INSERT_TAIL(&r->queue, job, link);
    r->queued++;
    return 0;
}

int renderer_requeue(struct renderer *r, struct render_job *job)
{
    job->queued = true;
    job->queued_ns = mono_ns();
    TAILQ_INSERT_HEAD(&r->queue, job, link);
    r->queued++;
    return 0;
}

bool renderer_has_room(const struct renderer *r)
{
    return r->queued == 0 && !r->open;
}

bool renderer_withdraw(struct renderer *r, struct render_job *job)
{
    if (!job->queued)
        return false;
    TAILQ_REMOVE(&r->queue, job, link);
    job->queued = false;
    r->queued--;
    return true;
}

const char *js_v8_version(void)
{
    return "none";
}

/* ---- a worker ---- */

struct fixture {
    struct config config;
    struct heritage heritage;
    struct region *region;
    struct worker worker;
    struct renderer renderer;
    struct lane lane;
    int bell[2];
    uint32_t other_row;      /* of another worker, who does what the test says */
    struct js_result result; /* what the next render gives; body: "render N url" */
    char body[256];
    const char *large; /* instead of "render N url", when set */
    size_t large_bytes;
};

static char *bypass_names[] = {(char[]){"authorization"}};

static inline int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    uint32_t row;

    *state = f;
    log_set_level(LOG_ERROR);
    f->config.log.access = (char[]){"off"};
    f->config.http.keepalive_ms = f->config.http.header_timeout_ms = 10000;
    f->config.http.body_timeout_ms = f->config.http.send_timeout_ms = 10000;
    f->config.http.max_header_bytes = 16384;
    f->config.http.max_body_bytes = 100;
    f->config.http.connections = 100;
    f->config.cache.hot_bytes = MIB;
    f->config.policy.timeout_ms = 1000;
    f->config.policy.fallback = (char[]){""};
    f->config.policy.ttl_ms = CONFIG_TTL_AUTO;
    f->config.policy.bypass_headers = (struct str_list){bypass_names, 1};
    if (region_create(&(struct region_sizes){4 * MIB, 256 * KIB}, &f->region) != 0 ||
        peer_claim(f->region, 1, 0, -1, &row) != 0 ||
        peer_claim(f->region, 1, 1, -1, &f->other_row) != 0)
        return -1;
    f->bell[0] = eventfd(0, EFD_NONBLOCK);
    f->bell[1] = eventfd(0, EFD_NONBLOCK);
    f->heritage = (struct heritage){.config = &f->config,
                                    .region = f->region,
                                    .edition = 1,
                                    .generation = 1,
                                    .worker_count = 1,
                                    .bells = {f->bell, 2, 1}};
    f->worker = (struct worker){.heritage = &f->heritage,
                                .config = &f->config,
                                .row = row,
                                .base = event_base_new(),
                                .renderer = &f->renderer,
                                .lane = &f->lane,
                                .purge = purge_of(f->region),
                                .stats = stats_at(f->region, row),
                                .peer = peer_at(f->region, row)};
    TAILQ_INIT(&f->renderer.queue);
    f->result = (struct js_result){.outcome = JS_OK,
                                   .status = 200,
                                   .ttl_ms = JS_UNSET,
                                   .swr_ms = JS_UNSET,
                                   .sie_ms = JS_UNSET};
    if (cold_open(f->region, row, &f->worker.cold) != 0 ||
        hits_open(f->region, row, f->worker.cold, &f->worker.hits) != 0 ||
        http_new(&f->worker, &f->worker.http) != 0)
        return -1;
    return http_start(f->worker.http);
}

static inline int teardown(void **state)
{
    struct fixture *f = *state;

    http_free(f->worker.http);
    hits_close(f->worker.hits);
    cold_close(f->worker.cold);
    event_base_free(f->worker.base);
    region_close(f->region);
    (void)close(f->bell[0]);
    (void)close(f->bell[1]);
    free(f);
    return 0;
}

static inline void turn(struct fixture *f)
{
    (void)event_base_loop(f->worker.base, EVLOOP_NONBLOCK);
}

/* Begin the next job; false: none, or it was not wanted any more. */
static inline bool begin(struct fixture *f)
{
    struct render_job *job = TAILQ_FIRST(&f->renderer.queue);

    if (!job)
        return false;
    assert_true(renderer_withdraw(&f->renderer, job));
    if (!job->begin(job))
        return false;
    f->renderer.open = job;
    f->renderer.renders++;
    return true;
}

static inline void end(struct fixture *f)
{
    struct render_job *job = f->renderer.open;
    int n = snprintf(f->body, sizeof f->body, "render %u %.*s", f->renderer.renders,
                     (int)job->request.url_bytes, job->request.url);

    f->result.body = f->large ? f->large : f->body;
    if (n >= (int)sizeof f->body)
        n = sizeof f->body - 1; /* of a long URL the beginning */
    f->result.body_bytes = f->large ? f->large_bytes : (size_t)n;
    f->renderer.open = NULL;
    job->done(job, RENDER_DONE, &f->result);
}

static inline void render_all(struct fixture *f)
{
    while (f->renderer.queued > 0)
        if (begin(f))
            end(f);
}

/* Returns the client's end. */
static inline int client(struct fixture *f)
{
    int pair[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
    http_wake(f->worker.http);
    assert_int_equal(
        conn_new(f->worker.http, pair[1], LISTENER_PAGES, &(struct sockaddr){.sa_family = AF_UNIX}),
        0);
    return pair[0];
}

static inline void ask(struct fixture *f, int fd, const char *target, const char *fields)
{
    char text[1000];
    int n = snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: a\r\n%s\r\n", target, fields);

    assert_int_equal(send(fd, text, (size_t)n, 0), n);
    turn(f);
}

/* What has come by now, "" if nothing, "EOF" when closed without a word. */
static inline const char *hear(int fd)
{
    static char text[8192];
    ssize_t n = recv(fd, text, sizeof text - 1, MSG_DONTWAIT);

    if (n == 0)
        return "EOF";
    text[n > 0 ? n : 0] = 0;
    return text;
}

static inline void assert_hears(int fd, const char *first, const char *second)
{
    const char *text = hear(fd);

    if (!strstr(text, first) || !strstr(text, second))
        fail_msg("heard: %s", text);
}

static inline uint64_t count_of(_Atomic uint64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif
