/* SPDX-License-Identifier: MIT */
/*
 * tick.h - one turn of the worker's loop from within JavaScript, and how long the JavaScript has
 * the thread to itself after it. What may happen in it: worker/README.md, "Ticks".
 */
#ifndef SSRD_WORKER_TICK_H
#define SSRD_WORKER_TICK_H

#include "shm/base.h"

struct worker;

/*
 * Turn the loop: what is ready is done, none is waited for, and after tick_ns no further callback
 * begins. Returns how long (ns) until the next turn may come: tick_ns when nothing was ready; else
 * two thirds of what this one took, a quarter of tick_ns at least. So under load the JavaScript
 * keeps two fifths of the thread, and a request waits no longer than it takes to notice.
 * Worker's thread, in a tick of js.h, never from a callback of the loop.
 */
uint64_t tick_turn(struct worker *worker, uint64_t tick_ns);

/* A callback of the loop begins, at this moment (mono). */
void tick_note(struct worker *worker, uint64_t now_ns);

#endif
