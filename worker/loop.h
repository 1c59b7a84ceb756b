/* SPDX-License-Identifier: MIT */
/*
 * loop.h - the event loop of a worker, and a descriptor that tells another thread whether it has
 * something to do. Libevent has no call for the latter.
 */
#ifndef SSRD_WORKER_LOOP_H
#define SSRD_WORKER_LOOP_H

struct event_base;

/*
 * ret_fd  the loop's own epoll(7): poll(2) finds it readable when a descriptor that the loop watches is
 *         ready. Timers don't show, nor what event_active() has made due. Valid until the base is
 *         freed. -1: not to be had (libevent uses something else, or there is no /proc).
 * 0 / -ENOMEM. Returns an owned base without locks: event_base_free().
 */
int loop_new(struct event_base **ret_base, int *ret_fd);

#endif
