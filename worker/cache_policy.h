/* SPDX-License-Identifier: MIT */
/*
 * cache_policy.h - may the page that a render made be stored, and for how long. Pure: looks at the
 * render's result and the route's policy, knows no cache and no clock. The rule above all: a page
 * that may hold what belongs to one visitor is never shared.
 */
#ifndef SSRD_WORKER_CACHE_POLICY_H
#define SSRD_WORKER_CACHE_POLICY_H

#include "shm/base.h"
#include "shm/config.h"
#include "shm/page.h"
#include "worker/js.h"
#include "worker/vary.h"

#define CACHE_TTL_AUTO_MS 300000u
#define CACHE_TTL_MAX_MS ((uint64_t)10 * 366 * 86400 * 1000)

struct cache_verdict {
    bool store;       /* false: for the one request it was rendered for, and no other */
    bool has_control; /* the page brought its own Cache-Control */
    bool fresh;       /* stored: it may answer without being asked for again */
    uint64_t ttl_ms;  /* counted from its birth, age_ms ago */
    uint64_t age_ms;
    uint64_t swr_ms;
    uint64_t sie_ms;
    struct span tag[PAGE_TAGS_MAX]; /* point into the result */
    size_t tag_count;
    size_t tag_text_bytes;
    bool packable;    /* set by the lander (encode.h): Vary names Accept-Encoding then */
    struct vary vary; /* headers beyond the key's policy that tell variants of the page apart */
    char detail[48];  /* why not, a token for Cache-Status; "" when stored */
};

/* What else the verdict hangs on. */
struct cache_asked {
    int64_t now_s;      /* wall clock, since 1970: what dates in headers are compared with */
    bool authorization; /* the request has such a field */
};

/*
 * result: outcome JS_OK.
 * Order: Set-Cookie, what the render read, private; then a lifetime from, in this order: `cache` of the
 * page, CDN-Cache-Control (RFC 9213), Cache-Control's s-maxage, max-age, Expires, cache.status, cache.ttl.
 */
void cache_policy_judge(const struct config_policy *policy, const struct js_result *result,
                        const struct cache_asked *asked, struct cache_verdict *ret_verdict);

/* Is the name (lower case) one that the key's policy names? Host always is. */
bool cache_policy_names(const struct config_key *key, const char *name, size_t name_bytes);

/* Is it a field (any case) by which a client makes its request conditional or partial? What may be stored is not
 * rendered from those: the caches answer them from the page (RFC 9111 section 4.3.2). */
bool cache_policy_is_condition(const char *name, size_t name_bytes);

#endif
