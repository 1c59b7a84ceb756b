/* SPDX-License-Identifier: MIT */
/*
 * polish.h - when there is time: pages that are asked for again and again are packed once more, as small
 * as pays. Which, and what bounds it: worker/README.md, "When there is nothing to do".
 */
#ifndef SSRD_WORKER_POLISH_H
#define SSRD_WORKER_POLISH_H

#include "shm/base.h"

struct http;
struct polish;

/* 0 / -ENOMEM. */
int polish_new(struct http *http, struct polish **ret_polish);
void polish_free(struct polish *polish); /* takes NULL */

/*
 * Go on with the page at hand, or find one: some 20 ms at most, in which others may turn the loop. False: no page
 * is worth it. Worker's main thread, between turns, with nothing to render.
 */
bool polish_turn(struct polish *polish);

#endif
