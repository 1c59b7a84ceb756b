/* SPDX-License-Identifier: MIT */
/*
 * worker.h - one worker process: what its parts share. One thread at a time runs all of it: the main
 * one, or while that is in JavaScript the watchdog's (lane.h). The parts: http (connections, requests, caches) and
 * renderer (JavaScript). Rules of turns and ticks: worker/README.md.
 */
#ifndef SSRD_WORKER_WORKER_H
#define SSRD_WORKER_WORKER_H

#include "shm/base.h"
#include "shm/heritage.h"
#include "worker/js.h"

struct cold;
struct event_base;
struct fetches;
struct fragments;
struct hits;
struct http;
struct lane;
struct offers;
struct peer;
struct purge;
struct renderer;
struct stats;

struct worker {
    const struct heritage *heritage;
    const struct config *config; /* = heritage->config */
    uint32_t row;                /* in the peers table */
    uint32_t number;             /* among the workers of its generation */
    struct offers *offers;       /* NULL: there is no other worker */
    struct event_base *base;
    int loop_fd; /* loop.h; -1: none */
    struct js *js;
    struct renderer *renderer;
    struct http *http;
    struct cold *cold;
    struct hits *hits;           /* of its row */
    struct fragments *fragments; /* ssr.cache */
    struct fetches *fetches;
    struct purge *purge;
    struct stats *stats; /* its own row */
    struct peer *peer;   /* its own row */
    bool draining;       /* takes no new connections; answers with Connection: close */
    bool takes_request;  /* methods but GET and HEAD are the bundle's to answer */
    bool relieved;       /* the watchdog's thread turns the loop: not even js_heap() may be asked */
    /* The worker is lost: see to those who wait and end the process. With the lane, on the
     * watchdog's thread; NULL: nothing is done. outcome: why, JS_TIMEOUT or JS_OOM. */
    void (*will)(struct worker *worker, enum js_outcome outcome);
    /* Around what a native called by JavaScript does to what the loop owns (caches, requests,
     * figures): the watchdog's thread may be turning the loop just then. NULL: nobody else does. */
    bool (*enter_native)(struct worker *worker);
    void (*leave_native)(struct worker *worker); /* where enter gave true */
    struct lane *lane;                           /* the renderer's */
    bool ticking;           /* JavaScript is on the stack below the loop: tick.h */
    uint64_t tick_until_ns; /* mono: such a turn ends with the callback that begins after it */
    uint64_t callbacks;     /* of the loop, so far */
};

/*
 * The life of a worker, in the child that the zygote forked. js: warm and after js_after_fork(),
 * or NULL with `start: cold`. Returns the exit code.
 */
int worker_main(const struct heritage *heritage, struct js *js, uint32_t row);

#endif
