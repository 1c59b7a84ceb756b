/* SPDX-License-Identifier: MIT */
/*
 * cache_control.h - the words of Cache-Control (RFC 9111 section 5.2, RFC 5861) and of CDN-Cache-Control
 * (RFC 9213), which is a structured field (RFC 8941) with the same words. Pure.
 */
#ifndef SSRD_WORKER_CACHE_CONTROL_H
#define SSRD_WORKER_CACHE_CONTROL_H

#include "shm/base.h"

/* Seconds: -1: absent. */
struct cache_control {
    bool no_store;
    bool no_cache;
    bool is_private;
    bool is_public;
    bool must_revalidate; /* proxy-revalidate too: to a shared cache they say the same */
    bool
        must_understand; /* no-store is for caches that don't know the status (RFC 9111 section 5.2.2.3) */
    bool only_if_cached; /* requests only */
    bool no_transform;
    int64_t max_age_s;
    int64_t s_maxage_s;
    int64_t swr_s;
    int64_t sie_s;
};
void cache_control_init(struct cache_control *control);

/* Add the words of one field's value. Lenient: what is not understood is passed over; a number that is none, or is not there, is
 * 0, one that overflows is INT32_MAX (RFC 9111 section 1.2.2), of two the smaller one counts. */
void cache_control_parse(const char *value, size_t bytes, struct cache_control *control);

/* The same for one field of CDN-Cache-Control. False: it is no structured field, or a known word has a value of
 * another type: then all such fields are to be ignored (RFC 9213 section 2.1); control is spoilt. */
bool cache_control_parse_cdn(const char *value, size_t bytes, struct cache_control *control);

#endif
