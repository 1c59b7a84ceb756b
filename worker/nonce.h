/* SPDX-License-Identifier: MIT */
/*
 * nonce.h - Content-Security-Policy's nonces in pages that are kept. A page is made with a mark in their
 * place (ssr.nonce), and each answer has a nonce of its own there, of the same length. Design:
 * worker/README.md, "Nonces".
 */
#ifndef SSRD_WORKER_NONCE_H
#define SSRD_WORKER_NONCE_H

#include "shm/base.h"
#include "shm/heritage.h"

/* Fresh: 192 bits in base64 (CSP 3 section 2.3.1). False: the system has no randomness. */
bool nonce_draw(char ret_nonce[static HERITAGE_NONCE_BYTES]);

/* Put it in the place of every mark. */
void nonce_put(char *data, size_t bytes, const char *mark, const char *nonce);

bool nonce_has_mark(struct span text, const char *mark); /* an empty mark is nowhere */

/* A body that comes in parts: a mark may lie across two of them, so what may be the beginning of one waits. */
struct nonce_stream {
    const char *mark; /* NULL: parts pass as they are */
    char nonce[HERITAGE_NONCE_BYTES];
    char *buf; /* owned */
    size_t cap_bytes;
    size_t held_at; /* in buf: what waits */
    size_t held_bytes;
};

/* part, with the nonce in the place of marks, behind what waited. ret_out: valid until the next call, and as long as part. False: out of
 * memory. */
bool nonce_stream_add(struct nonce_stream *stream, struct span part, bool is_last,
                      struct span *ret_out);
void nonce_stream_done(struct nonce_stream *stream);

/* Which mark the pages of this server have: pages of another, out of a cache file, can't be told. Never 0. */
uint32_t nonce_mark_id(const char *mark);

#endif
