/* SPDX-License-Identifier: MIT */
/*
 * fetch.h - fetch() of JavaScript, as far as it is C: polyfills/fetch.js asks, libcurl's multi interface
 * in the worker's loop does it. Asks and the life of a fetch: worker/README.md, "fetch". Nothing of
 * libcurl exists before the first fetch of a worker, so nothing of it is ever forked.
 */
#ifndef SSRD_WORKER_FETCH_H
#define SSRD_WORKER_FETCH_H

#include "worker/js.h"

struct fetches;
struct worker;

/* Needs worker->base, config and stats. 0 / -ENOMEM. */
int fetches_new(struct worker *worker, struct fetches **ret_fetches);
/* Ends those that are open. No render is. Takes NULL. */
void fetches_free(struct fetches *fetches);

/* For js_set_outside(), with the fetches as their arg. Valid until fetches_free(). */
extern const struct js_outside fetches_outside;

#endif
