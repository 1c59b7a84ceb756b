/* SPDX-License-Identifier: MIT */
/*
 * conn_in.h - from the bytes of a connection to requests that are handled: what comes whole is parsed where it lies, what
 * does not is carried. For conn.c, which decides what a connection waits for.
 */
#ifndef SSRD_WORKER_CONN_IN_H
#define SSRD_WORKER_CONN_IN_H

#include "worker/conn.h"
#include "worker/conn_out.h"

#include <errno.h>

/*
 * Bodies that are kept while they arrive, of all connections of a worker: so many bytes, or eight of the largest there may be
 * if these are more. Beyond it the connection that has been silent longest in the midst of its body makes room.
 */
#define IN_BODIES_BYTES (64u * (uint64_t)MIB)

static inline uint64_t in_bodies_max(uint64_t largest_bytes)
{
    return 8 * largest_bytes > IN_BODIES_BYTES ? 8 * largest_bytes : IN_BODIES_BYTES;
}

/* A request that did not arrive whole in one read, or has a body. Its memory grows with what has come. */
struct carry {
    bool in_body;
    uint64_t body_since_ms; /* http->now_ms */
    char *body;             /* decoded; kept where somebody will ask for it */
    size_t body_bytes;
    size_t body_cap_bytes; /* counted in http->body_bytes */
    char *head;
    size_t head_bytes;
    size_t head_cap_bytes;
    struct http_parse parse;
};

/* Take requests from these bytes, and gather answers to them, as long as none has to wait. Returns how many bytes were
 * used. */
size_t in_take(struct conn *conn, const char *data, size_t bytes);
static inline bool in_can_take(const struct conn *conn)
{
    return !conn->dead && !conn->closing && !conn->request && !conn->unsent;
}

/* A request that can't be served is answered in a line, and the connection is of no more use. */
void in_refuse(struct conn *conn, const struct http_parse *parse, uint16_t status,
               const char *reason);

/* Write what is gathered; notes in the connection if that failed. */
static inline void in_flush(struct conn *conn)
{
    int error = out_flush(conn);

    if (unlikely(error) && error != -EAGAIN)
        conn->dead = true;
}

/* Forget the request that is carried, if there is one. */
void in_free(struct conn *conn);

#endif
