/* SPDX-License-Identifier: MIT */
/*
 * lookup.h - a page from the hot cache, else from the cold one, which then becomes hot. Judges
 * edition and purges; what past its ttl is still good for is the caller's to judge.
 */
#ifndef SSRD_WORKER_LOOKUP_H
#define SSRD_WORKER_LOOKUP_H

#include "worker/http_reply.h"
#include "worker/key.h"

struct hot_page;
struct http;
struct page;

enum found {
    FOUND_NONE,
    FOUND_FRESH,
    FOUND_STALE,
    FOUND_VARY, /* no page, but the record of what its variants are told apart by: vary.h */
};

/* Fresh, stale or a record: the caller becomes holder of *ret_hot, and *ret_origin is REPLY_HOT or
 * REPLY_COLD. None: *ret_hot is NULL. */
enum found lookup(struct http *http, const struct key *key, struct hot_page **ret_hot,
                  enum reply_origin *ret_origin);

/* `more` is `page` with an encoding more, or a smaller one: the cold cache's copy becomes that too, if it is still this
 * very page and no newer one. */
void lookup_replace_cold(struct http *http, const struct page *page, const struct page *more);

/* Does the cold cache have another page of its key? Not if it has none. */
bool lookup_is_replaced(struct http *http, const struct page *page);

#endif
