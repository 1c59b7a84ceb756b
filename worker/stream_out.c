/* SPDX-License-Identifier: MIT */
/* stream_out.c - see stream_out.h. */
#include "worker/stream_out.h"

#include "worker/compress_stream.h"
#include "worker/conn.h"

#include <mimalloc.h>
#include <string.h>

#define PIECE_BYTES (64 * (size_t)KIB) /* for the connection at once, of what waits */
#define KEPT_BYTES (256 * (size_t)KIB) /* room that stays when nothing waits any more */

static bool keep(struct stream_out *o, struct span part)
{
    if (part.bytes > o->cap_bytes - o->bytes) {
        size_t cap = (o->bytes + part.bytes) * 2;
        char *waiting = mi_realloc(o->waiting, cap);

        if (!waiting)
            return false;
        o->waiting = waiting;
        o->cap_bytes = cap;
    }
    if (part.bytes > 0)
        memcpy(o->waiting + o->bytes, part.data, part.bytes);
    o->bytes += part.bytes;
    return true;
}

/* Of what waits; where it stood is room again when nothing does. */
static struct span next_piece(struct stream_out *o, size_t bytes_max)
{
    size_t left = stream_out_waiting(o);
    struct span piece = {o->waiting + o->at, left < bytes_max ? left : bytes_max};

    o->at += piece.bytes;
    return piece;
}

static void settle(struct stream_out *o)
{
    if (stream_out_waiting(o) > 0)
        return;
    o->at = o->bytes = 0;
    if (o->cap_bytes <= KEPT_BYTES)
        return;
    mi_free(o->waiting);
    o->waiting = NULL;
    o->cap_bytes = 0;
}

bool stream_out_add(struct stream_out *o, struct conn *c, struct span part, bool is_last)
{
    bool may_go = !c->unsent && stream_out_waiting(o) == 0;

    if (!nonce_stream_add(&o->nonce, part, is_last, &part))
        return false;
    if (o->packer && !compress_stream_add(o->packer, part, is_last, &part))
        return false;
    if (may_go && is_last) {
        conn_stream_gather(c, part.data, part.bytes);
        return true;
    }
    if (may_go) {
        (void)conn_stream_part(c, part.data, part.bytes);
        return true;
    }
    if (!keep(o, part))
        return false;
    part = is_last ? next_piece(o, SIZE_MAX) : (struct span){NULL, 0};
    (void)conn_stream_part(c, part.data, part.bytes); /* with none: the head may be gathered yet */
    settle(o);
    return true;
}

void stream_out_drained(struct stream_out *o, struct conn *c)
{
    bool flows = true;

    while (flows && stream_out_waiting(o) > 0) {
        struct span piece = next_piece(o, PIECE_BYTES);

        flows = conn_stream_part(c, piece.data, piece.bytes);
    }
    settle(o);
}

void stream_out_done(struct stream_out *o)
{
    nonce_stream_done(&o->nonce);
    compress_stream_free(o->packer);
    mi_free(o->waiting);
    *o = (struct stream_out){.at = 0};
}
