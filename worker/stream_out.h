/* SPDX-License-Identifier: MIT */
/*
 * stream_out.h - the way of a body that comes in parts to one connection: packed or as it is; what
 * the client does not take yet waits here. Who makes the parts, and for whom else: flight_stream.c.
 */
#ifndef SSRD_WORKER_STREAM_OUT_H
#define SSRD_WORKER_STREAM_OUT_H

#include "shm/base.h"
#include "worker/nonce.h"

struct compress_stream;
struct conn;

struct stream_out {
    struct nonce_stream nonce;      /* before packing; mark NULL: none */
    struct compress_stream *packer; /* owned; NULL: parts go out as they are */
    char *waiting;                  /* bytes for the wire, behind what the connection has */
    size_t at;
    size_t bytes;
    size_t cap_bytes;
};

/*
 * Send a part, behind what waits; is_last: and all that waits, which the connection then keeps. The
 * last part may only be gathered, so that the end goes with it in one call: conn_progress() or the
 * stream's end comes next. The connection may be gone afterwards, and its request then has none.
 * False: out of memory, it has to be cut.
 */
bool stream_out_add(struct stream_out *out, struct conn *conn, struct span part, bool is_last);

/* The connection has sent what it had: it gets more of what waits. May be gone afterwards. */
void stream_out_drained(struct stream_out *out, struct conn *conn);

static inline size_t stream_out_waiting(const struct stream_out *out)
{
    return out->bytes - out->at;
}

void stream_out_done(struct stream_out *out);

#endif
