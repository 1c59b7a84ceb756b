/* SPDX-License-Identifier: MIT */
/*
 * lane.h - who turns the worker's loop: the main thread; or, while that is in JavaScript, a tick on
 * top of it; or, when the JavaScript takes no ticks (a built-in that V8 can't interrupt, a native
 * that blocks, a long collection), the watchdog's thread in its stead. One at a time: whoever holds
 * the lane may touch what the worker's C code owns. Rules: worker/README.md, "Relief".
 */
#ifndef SSRD_WORKER_LANE_H
#define SSRD_WORKER_LANE_H

#include "worker/js.h"

struct lane;
struct watchdog;
struct worker;

/* The calling thread is the main one, and holds the lane. 0 / -ENOMEM. */
int lane_new(struct worker *worker, struct watchdog *watchdog, struct lane **ret_lane);
void lane_free(struct lane *lane); /* takes NULL; the watchdog has been stopped */

/*
 * JavaScript begins: others may turn the loop, the first of them when a tick has passed. Both mono, UINT64_MAX: never.
 * overdue_ns: it should have been stopped by then; whoever turns the loop next in its stead calls overdue first, once.
 * will_ns: from then on the worker is lost; whoever turns the loop next calls worker->will, which does not return.
 */
void lane_lend(struct lane *lane, uint64_t now_ns, uint64_t overdue_ns, uint64_t will_ns);

/* overdue(arg): on the watchdog's thread, with the lane, as a tick; it must not enter the edge. Before the first
 * lane_lend(). arg: kept. */
void lane_set_overdue(struct lane *lane, void (*overdue)(void *arg), void *arg);

/*
 * Between turns, when there is time: work(arg) on the main thread, which takes some milliseconds there and touches
 * nothing of the loop's. It takes no ticks: others turn the loop as soon as that has something to do.
 */
void lane_aside(struct lane *lane, void (*work)(void *arg), void *arg);
uint64_t lane_aside_ns(const struct lane *lane); /* CPU time of it all, so far */

/* The main thread is back in C, in a `done` or at the JavaScript's end: waits until the turn that
 * may be under way is over. False: it was not lent. */
bool lane_take(struct lane *lane);

/* After a lane_take() that was true: the JavaScript goes on. */
void lane_lend_again(struct lane *lane);

#endif
