/* SPDX-License-Identifier: MIT */
/*
 * watchdog.h - the thread that ends JavaScript at its deadline. The only thread of a worker besides
 * its main one; it touches the isolate through js_terminate() alone.
 *
 * It costs a render two atomic stores: while renders come and go the thread sleeps until the
 * earliest deadline it has seen and then looks again; it is woken only by a deadline earlier than
 * that, and sleeps for good while no render runs.
 */
#ifndef SSRD_WORKER_WATCHDOG_H
#define SSRD_WORKER_WATCHDOG_H

#include "shm/base.h"

struct js;
struct watchdog;

/* Start the thread. 0 / -EAGAIN, -ENOMEM. Never before a fork: stop it first. */
int watchdog_start(struct js *js, struct watchdog **ret_watchdog);

/* Join and free; takes NULL. Not while armed. */
void watchdog_stop(struct watchdog *watchdog);

/* JavaScript is about to run and must end by deadline_ns (mono). Owner's thread. */
void watchdog_arm(struct watchdog *watchdog, uint64_t deadline_ns);

/* JavaScript has returned. After this no js_terminate() of this deadline comes any more. */
void watchdog_disarm(struct watchdog *watchdog);

#endif
