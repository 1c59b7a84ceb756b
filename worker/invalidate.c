/* SPDX-License-Identifier: MIT */
/* invalidate.c - see invalidate.h. */
#include "worker/invalidate.h"

#include "shm/config.h"
#include "shm/keypath.h"
#include "shm/purge.h"

#include <string.h>
#include <strings.h>

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

/* Path and query of a URL on this host; bytes 0: it is on another one, or relative to the path, which no
 * framework sends and which is not worth a resolver. */
static struct span on_host(struct span url, struct span host)
{
    const char *slash;
    size_t scheme = 0;

    if (url.bytes >= 2 && url.data[0] == '/' && url.data[1] == '/')
        scheme = 2;
    else if (url.bytes >= 7 && strncasecmp(url.data, "http://", 7) == 0)
        scheme = 7;
    else if (url.bytes >= 8 && strncasecmp(url.data, "https://", 8) == 0)
        scheme = 8;
    else
        return url.bytes > 0 && *url.data == '/' ? url : (struct span){NULL, 0};
    slash = memchr(url.data + scheme, '/', url.bytes - scheme);
    if (!slash || (size_t)(slash - url.data) - scheme != host.bytes ||
        strncasecmp(url.data + scheme, host.data, host.bytes) != 0)
        return (struct span){NULL, 0};
    return (struct span){slash, url.bytes - (size_t)(slash - url.data)};
}

void invalidate(struct purge *purge, const struct config *config, const struct http_parse *head,
                const struct js_result *result)
{
    struct span host = http_parse_host(head);

    if (invalidate_is_safe(head->method) || result->status < 200 || result->status >= 400)
        return;
    purge_path(purge, config, http_parse_target(head));
    for (size_t i = 0; i < result->header_count; i++) {
        const struct js_header *h = &result->headers[i];
        struct span url;

        if (!(h->name_bytes == 8 && memcmp(h->name, "location", 8) == 0) &&
            !(h->name_bytes == 16 && memcmp(h->name, "content-location", 16) == 0))
            continue;
        url = on_host((struct span){h->value, h->value_bytes}, host);
        if (url.bytes > 0)
            purge_path(purge, config, url);
    }
}
