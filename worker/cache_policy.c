/* SPDX-License-Identifier: MIT */
/* cache_policy.c - see cache_policy.h. */
#include "worker/cache_policy.h"

#include "shm/purge.h"
#include "worker/cache_control.h"
#include "worker/http_date.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

static bool is(const char *data, size_t bytes, const char *text)
{
    return strlen(text) == bytes && strncasecmp(data, text, bytes) == 0;
}

static bool listed(const struct str_list *list, const char *name, size_t bytes)
{
    for (size_t i = 0; i < list->count; i++)
        if (is(name, bytes, list->item[i]))
            return true;
    return false;
}

bool cache_policy_names(const struct config_key *key, const char *name, size_t name_bytes)
{
    if (is(name, name_bytes, "host") || listed(&key->headers, name, name_bytes))
        return true;
    return is(name, name_bytes, "cookie") && key->cookies.count > 0;
}

static bool deny(struct cache_verdict *v, const char *detail)
{
    v->store = false;
    (void)snprintf(v->detail, sizeof v->detail, "%s", detail);
    return false;
}

bool cache_policy_is_condition(const char *name, size_t bytes)
{
    static const char *const names[] = {"if-none-match", "if-modified-since",   "if-match",
                                        "if-range",      "if-unmodified-since", "range"};

    for (size_t i = 0; i < array_len(names); i++)
        if (is(name, bytes, names[i]))
            return true;
    return false;
}

/* One more header that the page depends on: in the key already, or told apart from now on. */
static bool depend(const struct config_key *key, const char *name, size_t bytes,
                   struct cache_verdict *v)
{
    if (cache_policy_names(key, name, bytes) || cache_policy_is_condition(name, bytes))
        return true;
    if (!vary_add(&v->vary, name, bytes))
        return deny(v, "vary");
    return true;
}

/*
 * What the render looked at and the key does not tell apart may differ for the next visitor.
 * `says`: the page itself says how long it may be stored. Then a walk over all headers, which is how a
 * request is copied or passed on, is no reason against it: the page's own Vary is believed, but only
 * among visitors without cookie and authorization.
 */
static bool judge_reads(const struct config_key *key, const struct js_reads *reads, bool says,
                        struct cache_verdict *v)
{
    bool store = true;

    for (size_t i = 0; i < reads->header_count; i++)
        store &= depend(key, reads->header[i].name, reads->header[i].name_bytes, v);
    if (reads->other)
        return deny(v, "read-other");
    if (reads->cookie && !cache_policy_names(key, "cookie", 6))
        return deny(v, "read-cookie");
    if (reads->authorization && !cache_policy_names(key, "authorization", 13))
        return deny(v, "read-authorization");
    if (reads->all && !says)
        return deny(v, "read-headers");
    if (reads->all)
        store &= depend(key, "cookie", 6, v) && depend(key, "authorization", 13, v);
    return store;
}

/* Vary of the page (RFC 9111 section 4.1). Accept-Encoding tells no pages apart: the body is one for all
 * codings, unless the page brings a coding of its own. */
static bool judge_vary(const struct config_key *key, const struct js_header *h, bool encoded,
                       struct cache_verdict *v)
{
    const char *at = h->value;
    const char *end = at + h->value_bytes;
    bool store = true;

    while (at < end) {
        const char *name;
        size_t bytes;

        while (at < end && (*at == ' ' || *at == '\t' || *at == ','))
            at++;
        for (name = at; at < end && *at != ',' && *at != ' ' && *at != '\t'; at++)
            ;
        bytes = (size_t)(at - name);
        if (bytes == 0 || (is(name, bytes, "accept-encoding") && !encoded))
            continue;
        if ((is(name, bytes, "cookie") || is(name, bytes, "authorization")) &&
            !cache_policy_names(key, name, bytes))
            store = deny(v, "vary");
        else
            store &= depend(key, name, bytes, v);
    }
    return store;
}

/* Tags past the limits could not be purged by, so such a page is not stored. */
static bool add_tag(struct cache_verdict *v, const char *tag, size_t bytes)
{
    v->tag_text_bytes += sizeof(uint16_t) + bytes;
    if (v->tag_count == PAGE_TAGS_MAX || v->tag_text_bytes > PAGE_TAG_TEXT_BYTES_MAX)
        return deny(v, "tags");
    v->tag[v->tag_count++] = (struct span){tag, bytes};
    return true;
}

static bool add_tags(struct cache_verdict *v, const char *at, size_t bytes, char separator)
{
    const char *end = at + bytes;

    while (at < end) {
        const char *tag;
        const char *stop;

        while (at < end && (*at == separator || *at == ' ' || *at == '\t'))
            at++;
        for (tag = at; at < end && *at != separator; at++)
            ;
        for (stop = at; stop > tag && (stop[-1] == ' ' || stop[-1] == '\t'); stop--)
            ;
        if (stop > tag && !add_tag(v, tag, (size_t)(stop - tag)))
            return false;
    }
    return true;
}

/* What the page's headers say of storing it. */
struct heard {
    struct cache_control cache;
    struct cache_control cdn;
    bool has_cdn;
    bool bad_cdn;
    bool encoded; /* Content-Encoding */
    bool validates;
    int expires_count;
    int64_t expires_s; /* -1: no date */
    int64_t date_s;    /* now, unless the page has a Date */
    int64_t age_s;     /* -1: none */
};

/* Age: the first number counts, what is none is ignored (RFC 9111 section 5.1). */
static void hear_age(const struct js_header *h, struct heard *heard)
{
    int64_t value = 0;

    if (heard->age_s >= 0)
        return;
    for (size_t i = 0; i < h->value_bytes && h->value[i] != ','; i++) {
        if (h->value[i] < '0' || h->value[i] > '9')
            return;
        if (value < INT32_MAX)
            value = value * 10 + (h->value[i] - '0');
    }
    heard->age_s = value < INT32_MAX ? value : INT32_MAX;
}

static int64_t date_of(const struct js_header *h, int64_t now_s, int64_t otherwise_s)
{
    struct span text = {h->value, h->value_bytes};
    uint64_t s;

    return http_date_parse(text, (uint64_t)now_s, &s) == 0 ? (int64_t)s : otherwise_s;
}

static void hear_times(const struct js_header *h, int64_t now_s, struct heard *heard)
{
    if (is(h->name, h->name_bytes, "expires")) {
        heard
            ->expires_count++; /* "0", and whatever else is no date: expired (RFC 9111 section 5.3) */
        heard->expires_s = date_of(h, now_s, -1);
    } else if (is(h->name, h->name_bytes, "date")) {
        heard->date_s = date_of(h, now_s, heard->date_s);
    } else if (is(h->name, h->name_bytes, "age")) {
        hear_age(h, heard);
    } else if (is(h->name, h->name_bytes, "etag") || is(h->name, h->name_bytes, "last-modified")) {
        heard->validates = true;
    } else if (is(h->name, h->name_bytes, "content-encoding")) {
        heard->encoded = true;
    }
}

static bool judge_header(const struct config_key *key, const struct js_header *h,
                         struct heard *heard, struct cache_verdict *v)
{
    if (is(h->name, h->name_bytes, "set-cookie"))
        return deny(v, "set-cookie");
    if (is(h->name, h->name_bytes, "vary"))
        return judge_vary(key, h, heard->encoded, v);
    if (is(h->name, h->name_bytes, "surrogate-key"))
        return add_tags(v, h->value, h->value_bytes, ' ');
    if (is(h->name, h->name_bytes, "cache-tag"))
        return add_tags(v, h->value, h->value_bytes, ',');
    if (is(h->name, h->name_bytes, "cache-control")) {
        v->has_control = true;
        cache_control_parse(h->value, h->value_bytes, &heard->cache);
    } else if (is(h->name, h->name_bytes, "cdn-cache-control")) {
        heard->has_cdn |= h->value_bytes > 0; /* an empty one says nothing (RFC 9213 section 2.2) */
        if (!cache_control_parse_cdn(h->value, h->value_bytes, &heard->cdn))
            heard->bad_cdn = true;
    }
    return true;
}

static void hear(const struct js_result *r, int64_t now_s, struct heard *heard)
{
    *heard = (struct heard){.expires_s = -1, .date_s = now_s, .age_s = -1};
    cache_control_init(&heard->cache);
    cache_control_init(&heard->cdn);
    for (size_t i = 0; i < r->header_count; i++)
        hear_times(&r->headers[i], now_s, heard);
    if (heard->expires_count > 1)
        heard->expires_s = -1;
}

static bool is_storable_status(uint16_t status)
{
    switch (status) {
    case 200:
    case 203:
    case 204:
    case 301:
    case 308:
    case 404:
    case 410:
        return true;
    default:
        return false;
    }
}

static uint64_t from_seconds(int64_t s)
{
    return (uint64_t)s * 1000;
}

static uint64_t clamp(int64_t ms)
{
    if (ms <= 0)
        return 0;
    return (uint64_t)ms < CACHE_TTL_MAX_MS ? (uint64_t)ms : CACHE_TTL_MAX_MS;
}

static const struct status_ttl *listed_status(const struct config_policy *policy, uint16_t status)
{
    for (size_t i = 0; i < policy->status.count; i++)
        if (policy->status.item[i].status == status)
            return &policy->status.item[i];
    return NULL;
}

/*
 * Until when it may be served stale. must-revalidate, proxy-revalidate, no-cache and s-maxage forbid it (RFC 9111
 * section 4.2.4), whatever the configuration says; beside s-maxage the page's own word on it counts, which is how
 * everyone writes it. `cache` of the page goes before all.
 */
static void judge_stale(const struct config_policy *policy, const struct js_result *r,
                        const struct cache_control *c, struct cache_verdict *v)
{
    bool forbidden = c->must_revalidate || c->no_cache;

    v->swr_ms = c->s_maxage_s >= 0 ? 0 : policy->swr_ms;
    v->sie_ms = c->s_maxage_s >= 0 ? 0 : policy->sie_ms;
    if (c->swr_s >= 0)
        v->swr_ms = from_seconds(c->swr_s);
    if (c->sie_s >= 0)
        v->sie_ms = from_seconds(c->sie_s);
    if (forbidden)
        v->swr_ms = v->sie_ms = 0;
    if (r->swr_ms != JS_UNSET)
        v->swr_ms = clamp(r->swr_ms);
    if (r->sie_ms != JS_UNSET)
        v->sie_ms = clamp(r->sie_ms);
}

/* True: the page's headers say it. */
static bool judge_lifetime(const struct config_policy *policy, const struct js_result *r,
                           const struct cache_control *c, const struct heard *heard,
                           struct cache_verdict *v)
{
    const struct status_ttl *listed = listed_status(policy, r->status);

    if (c->no_cache)
        v->ttl_ms = 0;
    else if (c->s_maxage_s >= 0)
        v->ttl_ms = from_seconds(c->s_maxage_s);
    else if (c->max_age_s >= 0)
        v->ttl_ms = from_seconds(c->max_age_s);
    else if (heard->expires_count > 0 && c == &heard->cache)
        v->ttl_ms =
            heard->expires_s > heard->date_s ? from_seconds(heard->expires_s - heard->date_s) : 0;
    else {
        if (r->is_fetch && policy->ttl_ms == CONFIG_TTL_AUTO)
            v->ttl_ms = 0; /* a fetch handler says so itself, or it is not stored */
        else if (listed)
            v->ttl_ms = listed->ttl_ms;
        else
            v->ttl_ms = policy->ttl_ms == CONFIG_TTL_AUTO ? CACHE_TTL_AUTO_MS : policy->ttl_ms;
        return false;
    }
    return true;
}

/* How old it is already (RFC 9111 section 4.2.3). */
static uint64_t age_ms(const struct heard *heard, int64_t now_s)
{
    int64_t apparent = now_s > heard->date_s ? now_s - heard->date_s : 0;

    return from_seconds(heard->age_s > apparent ? heard->age_s : apparent);
}

static bool says_nothing(const struct config_policy *policy, const struct js_result *r, bool said)
{
    return !said && r->ttl_ms == JS_UNSET && r->is_fetch && policy->ttl_ms == CONFIG_TTL_AUTO;
}

static bool judge_ttl(const struct config_policy *policy, const struct js_result *r,
                      const struct heard *heard, const struct cache_asked *asked,
                      struct cache_verdict *v)
{
    bool by_cdn = heard->has_cdn && !heard->bad_cdn;
    const struct cache_control *c = by_cdn ? &heard->cdn : &heard->cache;
    bool said;

    if (c->is_private)
        return deny(v, "private");
    if (c->no_store && !(c->must_understand && is_storable_status(r->status)))
        return deny(v, "no-store");
    if (!is_storable_status(r->status) && (c->must_understand || !listed_status(policy, r->status)))
        return deny(v, "status");
    if (asked->authorization && !c->is_public && !c->must_revalidate && c->s_maxage_s < 0)
        return deny(v, "authorization"); /* RFC 9111 section 3.5 */
    judge_stale(policy, r, c, v);
    said = judge_lifetime(policy, r, c, heard, v);
    if (r->ttl_ms != JS_UNSET)
        v->ttl_ms = clamp(r->ttl_ms);
    else if (c->no_cache && !heard->validates)
        return deny(v, "no-cache");
    if (v->ttl_ms > CACHE_TTL_MAX_MS)
        v->ttl_ms = CACHE_TTL_MAX_MS;
    v->age_ms = age_ms(heard, asked->now_s);
    v->fresh = v->ttl_ms > v->age_ms;
    /* Stale from the start it is worth keeping when it can be asked whether it still holds, or may be served stale. */
    if (!v->fresh &&
        !(said && r->ttl_ms == JS_UNSET && (heard->validates || c->swr_s > 0 || c->sie_s > 0)))
        return deny(v, v->ttl_ms > 0                   ? "age"
                       : says_nothing(policy, r, said) ? "no-cache-control"
                                                       : "ttl-0");
    return true;
}

void cache_policy_judge(const struct config_policy *policy, const struct js_result *r,
                        const struct cache_asked *asked, struct cache_verdict *v)
{
    struct heard heard;
    bool store = true;
    bool says;

    memset(v, 0, sizeof *v);
    v->store = true;
    hear(r, asked->now_s, &heard);
    /* All headers are heard even after a denial: has_control and Vary are needed in any case. */
    for (size_t i = 0; i < r->header_count; i++)
        store &= judge_header(&policy->key, &r->headers[i], &heard, v);
    v->has_control |= heard.expires_count > 0; /* ours beside it would overrule it */
    for (size_t i = 0; i < r->tag_count; i++)
        store &= add_tag(v, r->tags[i].name, r->tags[i].name_bytes);
    says = v->has_control || (heard.has_cdn && !heard.bad_cdn) || r->ttl_ms != JS_UNSET;
    store &= judge_reads(&policy->key, &r->reads, says, v);
    v->store = store;
    if (!store)
        return;
    if (r->is_private) {
        (void)deny(v, "private");
        return;
    }
    (void)judge_ttl(policy, r, &heard, asked, v);
}
