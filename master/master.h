/* SPDX-License-Identifier: MIT */
/*
 * master.h - the master as its control socket sees it: what can be asked of it. The process that
 * owns sockets, config, shared memory and children; it never starts V8 and never reads HTTP. After
 * the first fork it checks and refuses instead of asserting: its abort would be an outage.
 */
#ifndef SSRD_MASTER_MASTER_H
#define SSRD_MASTER_MASTER_H

#include "shm/base.h"
#include "shm/config.h"

struct cold;
struct event_base;
struct master;
struct region;

struct event_base *master_base(const struct master *master);
struct region *master_region(const struct master *master);
struct cold *master_cold(const struct master *master);
/* Of the serving generation, else of the one that loads; valid until the next turn of the loop. NULL
 * when there is neither: while the master stops and older generations finish what they have. */
const struct config *master_config(const struct master *master);

/* ok: the new generation serves. text: what happened, for people, several lines allowed: the
 * JavaScript error with its position where a bundle was refused. Borrowed for the call. */
typedef void master_outcome(void *arg, bool ok, const char *text);

/*
 * Read config and bundle again and swap generations. done: called once, from the loop, never from
 * within this call, may be NULL. A reload asked for while one runs starts after it (at most one
 * waits; its askers share the outcome); one asked for while the master stops is refused. arg must
 * live until done, or until master_forget(arg).
 */
void master_reload(struct master *master, master_outcome *done, void *arg);
void master_forget(struct master *master, void *arg); /* the asker has gone */

/* graceful: finish what is in flight, within shutdown_timeout; else at once, also when a graceful
 * stop is under way. Graceful once more changes nothing: a service manager's SIGTERM may follow
 * `ssrctl drain`. The process exits soon after; done is called right before (may be NULL). */
void master_stop(struct master *master, bool graceful, master_outcome *done, void *arg);

#endif
