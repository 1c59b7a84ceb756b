/* SPDX-License-Identifier: MIT */
/*
 * portable.h - a render as bytes, for another worker to do: its request's head as text, its key and
 * data. The taker parses the head with the parser that all requests go through, and takes the policy
 * from its own config, so these bytes are trusted no further than a client's.
 */
#ifndef SSRD_WORKER_PORTABLE_H
#define SSRD_WORKER_PORTABLE_H

#include "shm/base.h"
#include "worker/key.h"

#define PORTABLE_ID_BYTES 16

struct portable {
    uint8_t kind; /* enum flight_kind */
    bool was_stale;
    bool believed; /* what proxies say in the head: struct http_parse */
    bool https;
    char id[PORTABLE_ID_BYTES]; /* of the request, in logs and answers */
    struct key key;             /* bytes 0: none */
    struct span data;           /* JSON */
    struct span head;           /* up to its empty line */
};

/* Bytes written; 0: they don't fit. */
size_t portable_write(const struct portable *portable, void *buf, size_t cap_bytes);

/* 0, and what *ret_portable points to lies in buf / -EINVAL. The hash of the key is computed anew. */
int portable_read(const void *buf, size_t bytes, struct portable *ret_portable);

#endif
