/* SPDX-License-Identifier: MIT */
/*
 * deadline.h - timeouts of connections. All of one class have the same delay, so a list to which
 * the latest is appended is ordered by time, and one coarse timer looks at the heads. libevent's
 * own timeouts keep a heap: each request would pay for its upkeep.
 */
#ifndef SSRD_WORKER_DEADLINE_H
#define SSRD_WORKER_DEADLINE_H

#include "shm/base.h"

#include <sys/queue.h>

/* Dues are rounded up to this, so that a busy connection moves in its list a few times a second
 * and not at each request. */
#define DEADLINE_STEP_MS 128u

struct deadline {
    TAILQ_ENTRY(deadline) link;
    struct deadline_list *list; /* NULL: in none */
    uint64_t due_ms;
};

struct deadline_list {
    TAILQ_HEAD(, deadline) head;
    uint64_t delay_ms;
};

void deadline_list_init(struct deadline_list *list, uint64_t delay_ms);

/* Due after the list's delay from now on, whatever it was before. now_ms never falls. */
void deadline_set(struct deadline_list *list, struct deadline *deadline, uint64_t now_ms);

/* As deadline_set(), but keeps its due when it is in this list already. */
void deadline_keep(struct deadline_list *list, struct deadline *deadline, uint64_t now_ms);

void deadline_clear(struct deadline *deadline); /* also one in no list */

/* The one that waits longest, left where it is; NULL: the list is empty. */
struct deadline *deadline_first(const struct deadline_list *list);

/* Take out the first that is due; NULL: none is. */
struct deadline *deadline_take_due(struct deadline_list *list, uint64_t now_ms);

#endif
