/* SPDX-License-Identifier: MIT */
/*
 * watchdog.h - the thread that ends JavaScript at its deadline, and until then asks it for ticks.
 * The only thread of a worker besides its main one; it touches the isolate through js_terminate()
 * and js_request_tick() alone. Where the JavaScript takes no ticks it does their work (lane.h).
 *
 * It costs a render three atomic stores: while renders come and go nobody wakes it up, for the timer
 * by which it sleeps is put off, twice a tick. It wakes up when a render has run for a tick, once
 * after the last one, and then for what there is to do in a tick.
 */
#ifndef SSRD_WORKER_WATCHDOG_H
#define SSRD_WORKER_WATCHDOG_H

#include "shm/base.h"

struct js;
struct watchdog;

/* Start the thread. 0 / -EAGAIN, -ENOMEM, -EMFILE. Never before a fork: stop it first. */
int watchdog_start(struct js *js, struct watchdog **ret_watchdog);

/* Join and free; takes NULL. Not while armed. */
void watchdog_stop(struct watchdog *watchdog);

/* JavaScript is about to run and must end by deadline_ns (mono). Owner's thread. */
void watchdog_arm(struct watchdog *watchdog, uint64_t deadline_ns);

/*
 * Deadlines to come end JavaScript only when the calling thread has run for cpu_ns since this call, or at latest_ns (mono): on
 * a machine that is too busy, or stopped, time passes that nobody had. Owner's thread, before watchdog_arm().
 */
void watchdog_spare(struct watchdog *watchdog, uint64_t cpu_ns, uint64_t latest_ns);

/*
 * Ticks are asked for only when there is something to do: loop_fd (kept) is readable, or four times
 * tick_ns have passed since the moment named below, for the timers that a loop has besides.
 * -1: it is not known what there is to do. Before the first watchdog_arm().
 */
void watchdog_watch(struct watchdog *watchdog, int loop_fd, uint64_t tick_ns);

/*
 * JavaScript that runs may be asked for a tick (js.h) from at_ns (mono) on, once; UINT64_MAX: not at
 * all, as long as nothing else is said. Owner's thread, before watchdog_arm() for what is armed next, or in
 * the tick for the one after it.
 */
void watchdog_tick_at(struct watchdog *watchdog, uint64_t at_ns);

/* As watchdog_tick_at(), for an entry that takes no ticks at all: no ask is in vain before the relief. */
void watchdog_relieve_at(struct watchdog *watchdog, uint64_t at_ns);

/*
 * What is done in a tick's stead when the JavaScript has taken none for three milliseconds, or was shot at twice:
 * relief(arg), on the watchdog's thread, again and again until a tick is taken or JavaScript has
 * returned. It returns how long (ns) until it is called next, and must not call this header.
 * Before the first watchdog_arm(). arg: kept.
 */
void watchdog_set_relief(struct watchdog *watchdog, uint64_t (*relief)(void *arg), void *arg);

/* JavaScript has returned. After this no js_terminate() of this deadline comes any more. */
void watchdog_disarm(struct watchdog *watchdog);

#endif
