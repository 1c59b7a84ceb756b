/* SPDX-License-Identifier: MIT */
/*
 * recycle.h - when a worker asks the master to be replaced: render.max_requests, render.max_rss, or
 * a heap that stays near its limit although it was collected. It goes on serving until its
 * successor does, and then hands its idle connections over.
 */
#ifndef SSRD_WORKER_RECYCLE_H
#define SSRD_WORKER_RECYCLE_H

#include "shm/base.h"

struct stats;
struct worker;

/* Once a second, worker's loop. True: it has asked, now or before. */
bool recycle_look(struct worker *worker);

/* Renders that this worker has ended, by its own row. */
uint64_t recycle_renders(const struct stats *stats);

/* After a full collection: used_bytes of limit_bytes are alive. */
void recycle_after_collection(struct worker *worker, uint64_t used_bytes, uint64_t limit_bytes);

#endif
