/* SPDX-License-Identifier: MIT */
/*
 * limit.h - how many connections one client address may have open, and how many requests it may make, over all
 * workers of a generation. Shared by processes: the zygote makes the table before it forks workers. Nobody
 * waits, nothing is allocated after the start. Argument: limit.c.
 */
#ifndef SSRD_WORKER_LIMIT_H
#define SSRD_WORKER_LIMIT_H

#include "shm/base.h"
#include "shm/config.h"

#include <sys/socket.h>

struct limit; /* in shared memory */

/* Rows: as many as processes may count in it. *ret_limit is NULL when nothing is limited. 0 / -ENOMEM. */
int limit_new(uint32_t connections, struct config_rate requests, uint32_t rows,
              struct limit **ret_limit);
void limit_free(struct limit *limit); /* takes NULL */

/* The zygote's, for the workers that it forks; NULL: nothing is limited. */
int limit_share(uint32_t connections, struct config_rate requests, uint32_t rows);
struct limit *limit_shared(void);

/* Before a process counts in a row: what the last one there has left is forgotten. limit may be NULL. */
void limit_take_row(struct limit *limit, uint32_t row);

/* Rows below this one have been counted in. */
uint32_t limit_rows(const struct limit *limit);
/* Its process is dead, and it may be long until the row is anybody's again: its connections are no more. */
void limit_forget_row(struct limit *limit, uint32_t row);

/*
 * Which counters an address has: that of an IPv6 address are its /64's, since whoever has one has all of it; UINT32_MAX, which is never
 * limited, for what is none (a Unix socket). Two addresses may share counters (one in 16,384): the hash is keyed by random bytes,
 * so nobody can look for a neighbour.
 */
uint32_t limit_of(const struct limit *limit, const struct sockaddr *address);

/* One more connection. False: it would be one too many, and is not counted. */
bool limit_connect(struct limit *limit, uint32_t row, uint32_t who);
void limit_disconnect(struct limit *limit, uint32_t row, uint32_t who);

/* One more request. As many as the rate names may come at once, then one each time its share of the period has
 * passed (the "generic cell rate algorithm"). False: it came too early, and is not counted. */
bool limit_request(struct limit *limit, uint32_t who, uint64_t now_ns);

#endif
