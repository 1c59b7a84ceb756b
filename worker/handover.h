/* SPDX-License-Identifier: MIT */
/*
 * handover.h - connections that go from a worker that can't stay to another one, or to its
 * successor: descriptors over a socket pair that the master owns and all workers share
 * (heritage.h), each with what has been read of requests that are not answered yet. What waits in
 * that socket is lost with the master alone. Design: worker/README.md, "Last will".
 */
#ifndef SSRD_WORKER_HANDOVER_H
#define SSRD_WORKER_HANDOVER_H

#include "shm/base.h"
#include "shm/heritage.h"
#include "worker/conn.h"

struct handover;
struct http;

#define HANDOVER_MAGIC 0x7265766fu            /* "over" */
#define HANDOVER_FDS 200u                     /* connections in one message; the kernel takes 253 */
#define HANDOVER_BYTES (128u * (unsigned)KIB) /* of a connection's unanswered requests */

/* A message: the head, then `bytes` of requests, which belong to its one connection. */
struct handover_head {
    uint32_t magic;
    uint32_t count; /* connections, 1 to HANDOVER_FDS; 1 if there are bytes */
    uint32_t bytes;
    uint8_t kind[HANDOVER_FDS]; /* enum listener_kind */
    struct conn_client client[HANDOVER_FDS];
};

/* Is this a message with so many descriptors? Another worker wrote it, which may be ill: nothing
 * is believed. True: *ret_requests are its bytes, borrowed from data. */
bool handover_check(const void *data, size_t bytes, size_t fds, struct handover_head *ret_head,
                    const char **ret_requests);

/* Take over what others hand over, from handover_start() to handover_stop(). 0 / -ENOMEM. */
int handover_new(struct http *http, struct handover **ret_handover);
void handover_free(struct handover *handover); /* takes NULL */
int handover_start(struct handover *handover); /* 0 / -EIO */
void handover_stop(struct handover *handover);

/* Hand over all connections that can be, those with requests first (idle_only: not those), and close
 * them here. Waits for room in the socket until until_ns (mono). Returns how many went. */
size_t handover_all(struct http *http, bool idle_only, uint64_t until_ns);

#endif
