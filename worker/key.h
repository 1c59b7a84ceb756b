/* SPDX-License-Identifier: MIT */
/*
 * key.h - under which key a request's page is kept: host, path, query in normal form, and what the
 * policy names of headers and cookies.
 *
 * Text of a key: host (lower case), with "https|" before it if the client came by https, path[?query] then for each header and cookie that the policy
 * names, in the policy's order, "\n" if absent or "\n=value". No part can hold a newline, no host
 * a "|", and the path begins with the first slash, so two requests share a key only if they agree in all of it.
 */
#ifndef SSRD_WORKER_KEY_H
#define SSRD_WORKER_KEY_H

#include "shm/base.h"
#include "shm/config.h"
#include "worker/http_parse.h"

struct key {
    const char *data; /* in the buffer given to key_build() */
    size_t bytes;
    uint64_t hash;
    uint32_t primary_bytes; /* of them all, but for the key of a variant: see vary.h */
    uint32_t path_offset;   /* path and query */
    uint32_t path_bytes;
};

/* The hash that hot and cold caches share: XXH3 with a seed that stands here alone. */
uint64_t key_hash(const char *data, size_t bytes);

/*
 * extra: data of a render asked for by a back end, bytes 0 for none; it goes into the key as it is.
 * 0 / -ENOBUFS: longer than cap_bytes: the page can't be cached. Never allocates.
 */
int key_build(const struct config_key *policy, const struct http_parse *head, struct span extra,
              char *buf, size_t cap_bytes, struct key *ret_key);

/* Does the request carry a header or cookie for which the policy says bypass? */
bool key_is_bypass(const struct config_policy *policy, const struct http_parse *head);

/* The value of a cookie; the first if it is sent twice. False: absent. */
bool key_cookie(const struct http_parse *head, const char *name, size_t name_bytes,
                struct span *ret_value);

#endif
