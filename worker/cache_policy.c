/* SPDX-License-Identifier: MIT */
/* cache_policy.c - see cache_policy.h. */
#include "worker/cache_policy.h"

#include "shm/purge.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

static bool is(const char *data, size_t bytes, const char *text)
{
    return strlen(text) == bytes && strncasecmp(data, text, bytes) == 0;
}

/* ---- Cache-Control ---- */

void cache_control_init(struct cache_control *control)
{
    *control = (struct cache_control){.max_age_s = -1, .s_maxage_s = -1, .swr_s = -1, .sie_s = -1};
}

/* delta-seconds; what overflows is "very long", what is no number is stale at once (RFC
 * 9111 4.2.1). */
static int64_t seconds(const char *at, const char *end)
{
    int64_t value = 0;

    if (end - at >= 2 && *at == '"' && end[-1] == '"') {
        at++;
        end--;
    }
    if (at == end)
        return 0;
    for (; at < end; at++) {
        if (*at < '0' || *at > '9')
            return 0;
        if (value < INT32_MAX)
            value = value * 10 + (*at - '0');
    }
    return value < INT32_MAX ? value : INT32_MAX;
}

static void directive(const char *name, size_t name_bytes, const char *arg, const char *arg_end,
                      struct cache_control *c)
{
    if (is(name, name_bytes, "no-store"))
        c->no_store = true;
    else if (is(name, name_bytes, "no-cache"))
        c->no_cache = true; /* with field names too: the careful reading */
    else if (is(name, name_bytes, "private"))
        c->is_private = true;
    else if (!arg)
        return;
    else if (is(name, name_bytes, "max-age"))
        c->max_age_s = seconds(arg, arg_end);
    else if (is(name, name_bytes, "s-maxage"))
        c->s_maxage_s = seconds(arg, arg_end);
    else if (is(name, name_bytes, "stale-while-revalidate"))
        c->swr_s = seconds(arg, arg_end);
    else if (is(name, name_bytes, "stale-if-error"))
        c->sie_s = seconds(arg, arg_end);
}

void cache_control_parse(const char *value, size_t bytes, struct cache_control *control)
{
    const char *at = value;
    const char *end = value + bytes;

    while (at < end) {
        const char *name;
        const char *name_end;
        const char *arg = NULL;
        bool quoted = false;

        while (at < end && (*at == ' ' || *at == '\t' || *at == ','))
            at++;
        for (name = at; at < end && *at != '=' && *at != ',' && *at != ' ' && *at != '\t'; at++)
            ;
        name_end = at;
        if (at < end && *at == '=') {
            for (arg = ++at; at < end && (quoted || *at != ','); at++) {
                if (*at == '"')
                    quoted = !quoted;
                else if (quoted && *at == '\\' && at + 1 < end)
                    at++;
            }
        }
        directive(name, (size_t)(name_end - name), arg, at, control);
        while (at < end && *at != ',')
            at++;
    }
}

/* ---- the verdict ---- */

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

/* Tags past the limit could not be purged by, so such a page is not stored. */
static bool add_tag(struct cache_verdict *v, const char *tag, size_t bytes)
{
    if (v->tag_count == PAGE_TAGS_MAX)
        return deny(v, "tags");
    v->tag[v->tag_count++] = purge_tag_hash(tag, bytes);
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

struct heard {
    struct cache_control cache;
    struct cache_control cdn;
    bool has_cdn;
    bool encoded; /* Content-Encoding */
};

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
        heard->has_cdn = true;
        cache_control_parse(h->value, h->value_bytes, &heard->cdn);
    }
    return true;
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

static bool judge_ttl(const struct config_policy *policy, const struct js_result *r,
                      const struct heard *heard, struct cache_verdict *v)
{
    const struct cache_control *c = heard->has_cdn ? &heard->cdn : &heard->cache;
    const struct status_ttl *listed_status = NULL;

    if (c->is_private)
        return deny(v, "private");
    if (c->no_store)
        return deny(v, "no-store");
    for (size_t i = 0; i < policy->status.count; i++)
        if (policy->status.item[i].status == r->status)
            listed_status = &policy->status.item[i];
    if (r->status >= 500 || (!is_storable_status(r->status) && !listed_status))
        return deny(v, "status");

    v->swr_ms = c->swr_s >= 0 ? from_seconds(c->swr_s) : policy->swr_ms;
    v->sie_ms = c->sie_s >= 0 ? from_seconds(c->sie_s) : policy->sie_ms;
    if (r->swr_ms != JS_UNSET)
        v->swr_ms = clamp(r->swr_ms);
    if (r->sie_ms != JS_UNSET)
        v->sie_ms = clamp(r->sie_ms);

    if (r->ttl_ms != JS_UNSET)
        v->ttl_ms = clamp(r->ttl_ms);
    else if (c->no_cache)
        return deny(v, "no-cache");
    else if (c->s_maxage_s >= 0)
        v->ttl_ms = from_seconds(c->s_maxage_s);
    else if (c->max_age_s >= 0)
        v->ttl_ms = from_seconds(c->max_age_s);
    else if (r->is_fetch && policy->ttl_ms == CONFIG_TTL_AUTO)
        return deny(v, "no-cache-control");
    else if (listed_status)
        v->ttl_ms = listed_status->ttl_ms;
    else
        v->ttl_ms = policy->ttl_ms == CONFIG_TTL_AUTO ? CACHE_TTL_AUTO_MS : policy->ttl_ms;
    if (v->ttl_ms == 0)
        return deny(v, "ttl-0");
    if (v->ttl_ms > CACHE_TTL_MAX_MS)
        v->ttl_ms = CACHE_TTL_MAX_MS;
    return true;
}

void cache_policy_judge(const struct config_policy *policy, const struct js_result *r,
                        struct cache_verdict *v)
{
    struct heard heard = {.has_cdn = false};
    bool store = true;

    memset(v, 0, sizeof *v);
    v->store = true;
    cache_control_init(&heard.cache);
    cache_control_init(&heard.cdn);
    for (size_t i = 0; i < r->header_count; i++)
        heard.encoded |= is(r->headers[i].name, r->headers[i].name_bytes, "content-encoding");
    /* All headers are heard even after a denial: has_control and Vary are needed in any case. */
    for (size_t i = 0; i < r->header_count; i++)
        store &= judge_header(&policy->key, &r->headers[i], &heard, v);
    for (size_t i = 0; i < r->tag_count; i++)
        store &= add_tag(v, r->tags[i].name, r->tags[i].name_bytes);
    store &= judge_reads(&policy->key, &r->reads,
                         v->has_control || heard.has_cdn || r->ttl_ms != JS_UNSET, v);
    v->store = store;
    if (!store)
        return;
    if (r->is_private) {
        (void)deny(v, "private");
        return;
    }
    (void)judge_ttl(policy, r, &heard, v);
}
