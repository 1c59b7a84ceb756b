/* SPDX-License-Identifier: MIT */
/* invalidate.c - see invalidate.h. */
#include "worker/invalidate.h"

#include "shm/config.h"
#include "shm/keypath.h"
#include "shm/purge.h"
#include "worker/url.h"

#include <stdio.h>
#include <string.h>

bool invalidate_is_safe(uint8_t method)
{
    switch (method) {
    case HTTP_GET:
    case HTTP_HEAD:
    case HTTP_OPTIONS:
    case HTTP_TRACE:
    case HTTP_PROPFIND:
    case HTTP_REPORT:
    case HTTP_SEARCH:
        return true;
    default:
        return false;
    }
}

/* url: path and query */
static void purge_path(struct purge *purge, const struct config *config, struct span url)
{
    char path[HTTP_TARGET_BYTES_MAX];
    const char *end = memchr(url.data, '#', url.bytes);
    const char *query;
    size_t bytes;

    if (end)
        url.bytes = (size_t)(end - url.data);
    query = memchr(url.data, '?', url.bytes);
    if (keypath_normalise(
            &config_policy_for(config, url.data, query ? (size_t)(query - url.data) : url.bytes)
                 ->key,
            url.data, url.bytes, path, sizeof path, &bytes) == 0)
        purge_url(purge, path, bytes);
}

/* Where the request went, as a URL: what others are relative to. False: no memory. */
static bool base_of(const struct http_parse *head, struct url *base)
{
    struct span host = http_parse_host(head);
    struct span target = http_parse_target(head);
    char text[HTTP_HOST_BYTES_MAX + HTTP_TARGET_BYTES_MAX + 16];
    int n = snprintf(text, sizeof text, "http://%.*s%.*s", (int)host.bytes, host.data,
                     (int)target.bytes, target.data);

    return n > 0 && (size_t)n < sizeof text && url_parse(base, text, (size_t)n, NULL) == 0;
}

/* Whether by http or https: a proxy in front may speak either. */
static bool is_same_host(const struct url *a, const struct url *b)
{
    return a->scheme.bytes >= 4 && memcmp(a->scheme.data, "http", 4) == 0 && a->special &&
           a->port == b->port && a->host.bytes == b->host.bytes &&
           memcmp(a->host.data, b->host.data, a->host.bytes) == 0;
}

static void purge_reference(struct purge *purge, const struct config *config,
                            const struct url *base, const struct js_header *h)
{
    char text[HTTP_TARGET_BYTES_MAX];
    struct url url = {.port = URL_NO_PORT};
    int n = -1;

    if (url_parse(&url, h->value, h->value_bytes, base) == 0 && is_same_host(&url, base))
        n = snprintf(text, sizeof text, "%.*s%s%.*s", (int)url.path.bytes, url.path.data,
                     url.has_query ? "?" : "", (int)url.query.bytes,
                     url.query.data ? url.query.data : "");
    if (n > 0 && (size_t)n < sizeof text)
        purge_path(purge, config, (struct span){text, (size_t)n});
    url_done(&url);
}

void invalidate(struct purge *purge, const struct config *config, const struct http_parse *head,
                const struct js_result *result)
{
    struct url base = {.port = URL_NO_PORT};

    if (invalidate_is_safe(head->method) || result->status < 200 || result->status >= 400)
        return;
    purge_path(purge, config, http_parse_target(head));
    for (size_t i = 0; i < result->header_count; i++) {
        const struct js_header *h = &result->headers[i];

        if (!(h->name_bytes == 8 && memcmp(h->name, "location", 8) == 0) &&
            !(h->name_bytes == 16 && memcmp(h->name, "content-location", 16) == 0))
            continue;
        if (base.has_host || base_of(head, &base))
            purge_reference(purge, config, &base, h);
    }
    url_done(&base);
}
