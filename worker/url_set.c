/* SPDX-License-Identifier: MIT */
/*
 * url_set.c - the setters of a URL (URL Standard, section 6.1, with the parser's state overrides of 4.4). What one
 * refuses leaves the URL as it was.
 */
#include "worker/url_text.h"

#include <errno.h>
#include <string.h>

#define TRY(call)                                                                                  \
    do {                                                                                           \
        if (!(call))                                                                               \
            return -ENOMEM;                                                                        \
    } while (0)

/* Section 4.2 */
static bool has_credentials(const struct url *url)
{
    return url->username.bytes || url->password.bytes;
}

static bool is_file(const struct url *url)
{
    return url->scheme.bytes == 4 && memcmp(url->scheme.data, "file", 4) == 0;
}

static bool takes_no_credentials(const struct url *url)
{
    return !url->has_host || url->host.bytes == 0 || is_file(url);
}

static int set_protocol(struct url *url, const char *at, const char *end)
{
    char lower[64];
    size_t bytes = 0;

    if (at == end || !url_is_alpha(*at))
        return 0;
    for (; at < end && *at != ':'; at++) {
        char c = *at;
        if (!url_is_alpha(c) && !url_is_digit(c) && c != '+' && c != '-' && c != '.')
            return 0;
        if (bytes == sizeof lower)
            return 0; /* no scheme is that long; the standard has no limit */
        lower[bytes++] = (char)(c >= 'A' && c <= 'Z' ? c | 0x20 : c);
    }
    bool file = bytes == 4 && memcmp(lower, "file", 4) == 0;
    if (url_scheme_special(lower, bytes) != url->special ||
        (file && (has_credentials(url) || url->port != URL_NO_PORT)) ||
        (is_file(url) && url->host.bytes == 0))
        return 0;
    TRY(url_text_set(&url->scheme, lower, bytes));
    if (url->port == url_default_port(&url->scheme))
        url->port = URL_NO_PORT;
    return 0;
}

/* The digits that it begins with. */
static int set_port(struct url *url, const char *at, const char *end)
{
    const char *stop = at;
    int32_t before = url->port;

    if (at == end) {
        url->port = URL_NO_PORT;
        return 0;
    }
    while (stop < end && url_is_digit(*stop))
        stop++;
    if (stop > at && url_parse_port(url, at, stop) != 0)
        url->port = before;
    return 0;
}

static int set_file_host(struct url *url, const char *at, const char *stop)
{
    int result =
        at == stop ? 0 : url_host_parse(at, (size_t)(stop - at), true, &url->href, &url->scratch);

    if (result)
        return result == -EINVAL ? 0 : result;
    if (at == stop || (url->href.bytes == 9 && memcmp(url->href.data, "localhost", 9) == 0))
        url->href.bytes = 0;
    TRY(url_text_set(&url->host, url->href.data, url->href.bytes));
    url->has_host = true;
    return 0;
}

/* "host state" and "hostname state" with override: name_only: a port is none of its business. */
static int set_host(struct url *url, const char *at, const char *end, bool name_only)
{
    const char *stop = at, *colon = NULL;
    bool inside = false;
    int result;

    while (stop < end && *stop != '/' && *stop != '?' && *stop != '#' &&
           !(*stop == '\\' && url->special))
        stop++;
    if (is_file(url))
        return set_file_host(url, at, stop);
    for (const char *c = at; c < stop && !colon; c++) {
        inside = *c == '[' || (inside && *c != ']');
        if (*c == ':' && !inside)
            colon = c;
    }
    if (colon && (name_only || colon == at))
        return 0;
    const char *name_end = colon ? colon : stop;
    if (name_end == at && (url->special || has_credentials(url) || url->port != URL_NO_PORT))
        return 0;
    /* Into another text: what fails must leave the host. */
    url->href.bytes = 0;
    result = name_end == at ? 0
                            : url_host_parse(at, (size_t)(name_end - at), url->special, &url->href,
                                             &url->scratch);
    if (result)
        return result == -EINVAL ? 0 : result;
    TRY(url_text_set(&url->host, url->href.data, url->href.bytes));
    url->has_host = true;
    return colon && colon + 1 < stop ? set_port(url, colon + 1, stop) : 0;
}

static int set_pathname(struct url *url, const char *at, const char *end)
{
    const char *ignored;

    url->path.bytes = 0;
    if (at == end && !url->special) {
        if (!url->has_host)
            TRY(url_text_add(&url->path, "/", 1));
        return 0;
    }
    if (at < end && (*at == '/' || (*at == '\\' && url->special)))
        at++;
    return url_parse_path(url, at, end, false, &ignored);
}

static int set_search(struct url *url, const char *at, const char *end)
{
    url->query.bytes = 0;
    url->has_query = at < end;
    if (at < end && *at == '?')
        at++;
    TRY(url_text_encode(&url->query, at, (size_t)(end - at),
                        url->special ? URL_SET_SPECIAL_QUERY : URL_SET_QUERY));
    return 0;
}

static int set_hash(struct url *url, const char *at, const char *end)
{
    url->fragment.bytes = 0;
    url->has_fragment = at < end;
    if (at < end && *at == '#')
        at++;
    TRY(url_text_encode(&url->fragment, at, (size_t)(end - at), URL_SET_FRAGMENT));
    return 0;
}

static int set_userinfo(struct url_text *part, const char *text, size_t bytes)
{
    part->bytes = 0;
    TRY(url_text_encode(part, text, bytes, URL_SET_USERINFO));
    return 0;
}

/* Tabs and line ends go: the standard's parser does that whatever state it begins in. */
static bool clean(struct url_text *to, const char *text, size_t bytes)
{
    to->bytes = 0;
    if (!url_text_room(to, bytes))
        return false;
    for (size_t i = 0; i < bytes; i++)
        if (text[i] != '\t' && text[i] != '\n' && text[i] != '\r')
            to->data[to->bytes++] = text[i];
    return true;
}

static int set_clean(struct url *url, enum url_part part, const char *at, const char *end)
{
    switch (part) {
    case URL_PROTOCOL:
        return set_protocol(url, at, end);
    case URL_PORT:
        return takes_no_credentials(url) ? 0 : set_port(url, at, end);
    case URL_HOST:
        return url->opaque ? 0 : set_host(url, at, end, false);
    case URL_HOSTNAME:
        return url->opaque ? 0 : set_host(url, at, end, true);
    case URL_PATHNAME:
        return url->opaque ? 0 : set_pathname(url, at, end);
    case URL_SEARCH:
        return set_search(url, at, end);
    default:
        return set_hash(url, at, end);
    }
}

int url_set(struct url *url, enum url_part part, const char *text, size_t bytes)
{
    struct url_text cleaned = {0};
    int result;

    if (part == URL_USERNAME || part == URL_PASSWORD)
        return takes_no_credentials(url)
                   ? 0
                   : set_userinfo(part == URL_USERNAME ? &url->username : &url->password, text,
                                  bytes);
    TRY(clean(&cleaned, text, bytes));
    const char *begin = cleaned.data ? cleaned.data : ""; /* nothing was left of it */
    result = set_clean(url, part, begin, begin + cleaned.bytes);
    struct url spent = {.scratch = cleaned};
    url_done(&spent);
    return result;
}
