/* SPDX-License-Identifier: MIT */
/*
 * fetch_inside.h - fetches of this server itself: libcurl connects to a door that leads to this very
 * worker's HTTP side and is open for that one connection. With the lane (lane.h), as all of fetch.
 */
#ifndef SSRD_WORKER_FETCH_INSIDE_H
#define SSRD_WORKER_FETCH_INSIDE_H

#include <sys/socket.h>

struct fetch_door;
struct worker;

/*
 * A door for one connection of this process, of a render that `depth` others wait for. *ret_at, in
 * cap_bytes: where it is to be connected to. 0 / negative errno.
 */
int fetch_door_new(struct worker *worker, unsigned depth, struct sockaddr *ret_at, size_t cap_bytes,
                   socklen_t *ret_bytes, struct fetch_door **ret_door);
void fetch_door_free(struct fetch_door *door); /* takes NULL */

#endif
