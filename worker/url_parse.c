/* SPDX-License-Identifier: MIT */
/*
 * url_parse.c - the basic URL parser (URL Standard, section 4.4) and the serializer (4.5). The standard
 * goes through its states a character at a time; here each state is a function that takes what is
 * its own at once and hands on the rest, which gives the same URLs.
 */
#include "worker/url_text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define TRY(call)                                                                                  \
    do {                                                                                           \
        if (!(call))                                                                               \
            return -ENOMEM;                                                                        \
    } while (0)

static const struct scheme {
    const char *name;
    size_t bytes;
    int port; /* -1: none */
} special_schemes[] = {
    {"https", 5, 443}, {"http", 4, 80}, {"file", 4, -1},
    {"ws", 2, 80},     {"wss", 3, 443}, {"ftp", 3, 21},
};

static const struct scheme *scheme_find(const char *text, size_t bytes)
{
    for (size_t i = 0; i < sizeof special_schemes / sizeof special_schemes[0]; i++)
        if (special_schemes[i].bytes == bytes && memcmp(special_schemes[i].name, text, bytes) == 0)
            return &special_schemes[i];
    return NULL;
}

bool url_scheme_special(const char *scheme, size_t bytes)
{
    return scheme_find(scheme, bytes) != NULL;
}

int url_default_port(const struct url_text *scheme)
{
    const struct scheme *found = scheme_find(scheme->data, scheme->bytes);

    return found ? found->port : -1;
}

static bool is_file(const struct url *url)
{
    return url->scheme.bytes == 4 && memcmp(url->scheme.data, "file", 4) == 0;
}

static bool is_slash(const struct url *url, char c)
{
    return c == '/' || (c == '\\' && url->special);
}

/* Where the authority, or a segment of the path, ends. */
static const char *find_end(const struct url *url, const char *at, const char *end, bool stops)
{
    while (at < end && !is_slash(url, *at) && !(stops && (*at == '?' || *at == '#')))
        at++;
    return at;
}

/* "Windows drive letter", also "normalized": a letter and a colon. */
bool url_is_drive(const char *text, size_t bytes, bool normalized)
{
    return bytes == 2 && url_is_alpha(text[0]) &&
           (text[1] == ':' || (text[1] == '|' && !normalized));
}

static bool starts_with_drive(const char *at, const char *end)
{
    return end - at >= 2 && url_is_drive(at, 2, false) &&
           (end - at == 2 || at[2] == '/' || at[2] == '\\' || at[2] == '?' || at[2] == '#');
}

/* ------------------------------------------------------------------ paths */

/* "shorten": the last segment goes, but for a drive letter that stands alone. */
static void shorten(struct url *url)
{
    struct url_text *path = &url->path;

    if (is_file(url) && path->bytes == 3 && url_is_drive(path->data + 1, 2, true))
        return;
    while (path->bytes && path->data[path->bytes - 1] != '/')
        path->bytes--;
    if (path->bytes)
        path->bytes--;
}

/* How many dots a segment stands for, %2e being one: 1, 2, or 0 where it is another. */
static int dots(const char *at, const char *end)
{
    int count = 0;

    while (at < end && count < 3) {
        if (*at == '.')
            at++;
        else if (end - at >= 3 && at[0] == '%' && at[1] == '2' && (at[2] | 0x20) == 'e')
            at += 3;
        else
            return 0;
        count++;
    }
    return count < 3 ? count : 0;
}

static bool add_segment(struct url *url, const char *at, const char *end)
{
    struct url_text *path = &url->path;
    bool drive = is_file(url) && path->bytes == 0 && url_is_drive(at, (size_t)(end - at), false);

    if (!url_text_add(path, "/", 1) || !url_text_encode(path, at, (size_t)(end - at), URL_SET_PATH))
        return false;
    if (drive)
        path->data[path->bytes - 1] = ':';
    return true;
}

/* "path state"; stops: at ? and #, which a setter does not. *ret: where it ended. */
int url_parse_path(struct url *url, const char *at, const char *end, bool stops, const char **ret)
{
    for (;;) {
        const char *stop = find_end(url, at, end, stops);
        bool more = stop < end && is_slash(url, *stop);
        int count = dots(at, stop);

        if (count == 2)
            shorten(url);
        if (count == 0)
            TRY(add_segment(url, at, stop));
        else if (!more)
            TRY(url_text_add(&url->path, "/", 1));
        at = stop;
        if (!more)
            break;
        at++;
    }
    *ret = at;
    return 0;
}

/* "path start state", and what follows the path */
static int parse_tail(struct url *url, const char *at, const char *end)
{
    if (at < end && *at == '?') {
        const char *stop = memchr(at, '#', (size_t)(end - at));
        if (!stop)
            stop = end;
        url->has_query = true;
        url->query.bytes = 0;
        TRY(url_text_encode(&url->query, at + 1, (size_t)(stop - at - 1),
                            url->special ? URL_SET_SPECIAL_QUERY : URL_SET_QUERY));
        at = stop;
    }
    if (at < end) {
        url->has_fragment = true;
        url->fragment.bytes = 0;
        TRY(url_text_encode(&url->fragment, at + 1, (size_t)(end - at - 1), URL_SET_FRAGMENT));
    }
    return 0;
}

static int parse_path_on(struct url *url, const char *at, const char *end)
{
    int result = url_parse_path(url, at, end, true, &at);

    return result ? result : parse_tail(url, at, end);
}

static int parse_path_start(struct url *url, const char *at, const char *end)
{
    if (url->special) {
        if (at < end && is_slash(url, *at))
            at++;
        return parse_path_on(url, at, end);
    }
    if (at < end && *at != '?' && *at != '#')
        return parse_path_on(url, at + (*at == '/'), end);
    return parse_tail(url, at, end);
}

static int parse_opaque_path(struct url *url, const char *at, const char *end)
{
    const char *stop = at;

    while (stop < end && *stop != '?' && *stop != '#')
        stop++;
    url->opaque = true;
    TRY(url_text_encode(&url->path, at, (size_t)(stop - at), URL_SET_C0));
    return parse_tail(url, stop, end);
}

/* ------------------------------------------------------------------ authority */

/* Before the last @. */
static int parse_credentials(struct url *url, const char *at, const char *end)
{
    const char *colon = memchr(at, ':', (size_t)(end - at));

    TRY(url_text_encode(&url->username, at, (size_t)((colon ? colon : end) - at),
                        URL_SET_USERINFO));
    if (colon)
        TRY(url_text_encode(&url->password, colon + 1, (size_t)(end - colon - 1),
                            URL_SET_USERINFO));
    return 0;
}

/* All of it digits. An empty one is none. */
int url_parse_port(struct url *url, const char *at, const char *end)
{
    int32_t port = 0;

    if (at == end) {
        url->port = URL_NO_PORT;
        return 0;
    }
    for (; at < end; at++) {
        if (!url_is_digit(*at))
            return -EINVAL;
        port = port * 10 + (*at - '0');
        if (port > 65535)
            return -EINVAL;
    }
    url->port = port == url_default_port(&url->scheme) ? URL_NO_PORT : port;
    return 0;
}

int url_host_set(struct url *url, const char *text, size_t bytes)
{
    int result = bytes || url->special
                     ? url_host_parse(text, bytes, url->special, &url->host, &url->scratch)
                     : 0;

    if (result)
        return result;
    if (!bytes)
        url->host.bytes = 0;
    url->has_host = true;
    return 0;
}

static int parse_authority(struct url *url, const char *at, const char *end)
{
    const char *stop = find_end(url, at, end, true), *colon = NULL, *sign = NULL;
    bool inside = false;
    int result;

    for (const char *c = at; c < stop; c++)
        if (*c == '@')
            sign = c;
    if (sign) {
        if (sign + 1 == stop)
            return -EINVAL;
        result = parse_credentials(url, at, sign);
        if (result)
            return result;
        at = sign + 1;
    }
    for (const char *c = at; c < stop && !colon; c++) {
        inside = *c == '[' || (inside && *c != ']');
        if (*c == ':' && !inside)
            colon = c;
    }
    if (at == (colon ? colon : stop) && (url->special || colon))
        return -EINVAL;
    result = url_host_set(url, at, (size_t)((colon ? colon : stop) - at));
    if (!result && colon)
        result = url_parse_port(url, colon + 1, stop);
    return result ? result : parse_path_start(url, stop, end);
}

/* "special authority (ignore) slashes state" */
static int parse_special_authority(struct url *url, const char *at, const char *end)
{
    while (at < end && is_slash(url, *at))
        at++;
    return parse_authority(url, at, end);
}

/* ------------------------------------------------------------------ relative to a base */

static int copy_host(struct url *url, const struct url *base)
{
    url->has_host = base->has_host;
    TRY(url_text_set(&url->host, base->host.data, base->host.bytes));
    return 0;
}

static int copy_authority(struct url *url, const struct url *base)
{
    TRY(url_text_set(&url->username, base->username.data, base->username.bytes));
    TRY(url_text_set(&url->password, base->password.data, base->password.bytes));
    url->port = base->port;
    return copy_host(url, base);
}

static int copy_path(struct url *url, const struct url *base)
{
    url->opaque = base->opaque;
    TRY(url_text_set(&url->path, base->path.data, base->path.bytes));
    return 0;
}

static int copy_query(struct url *url, const struct url *base)
{
    url->has_query = base->has_query;
    TRY(url_text_set(&url->query, base->query.data, base->query.bytes));
    return 0;
}

/* The end of "relative state" and of "file state": the base's path, then what is there. */
static int parse_from_path(struct url *url, const char *at, const char *end, const struct url *base)
{
    int result = copy_path(url, base);

    if (result)
        return result;
    if (at == end || *at == '#') {
        result = copy_query(url, base);
        return result ? result : parse_tail(url, at, end);
    }
    if (*at == '?')
        return parse_tail(url, at, end);
    if (is_file(url) && starts_with_drive(at, end))
        url->path.bytes = 0;
    else
        shorten(url);
    return parse_path_on(url, at, end);
}

static int parse_relative(struct url *url, const char *at, const char *end, const struct url *base)
{
    bool slash = at < end && is_slash(url, *at);
    int result;

    if (slash && end - at > 1 && is_slash(url, at[1]))
        return url->special ? parse_special_authority(url, at + 2, end)
                            : parse_authority(url, at + 2, end);
    result = copy_authority(url, base);
    if (result)
        return result;
    return slash ? parse_path_on(url, at + 1, end) : parse_from_path(url, at, end, base);
}

/* "file host state" */
static int parse_file_host(struct url *url, const char *at, const char *end)
{
    const char *stop = find_end(url, at, end, true);
    int result;

    if (url_is_drive(at, (size_t)(stop - at), false))
        return parse_path_on(url, at, end);
    if (stop > at) {
        result = url_host_set(url, at, (size_t)(stop - at));
        if (result)
            return result;
        if (url->host.bytes == 9 && memcmp(url->host.data, "localhost", 9) == 0)
            url->host.bytes = 0;
    }
    return parse_path_start(url, stop, end);
}

/* "file slash state", after one slash */
static int parse_file_slash(struct url *url, const char *at, const char *end,
                            const struct url *base)
{
    if (at < end && is_slash(url, *at))
        return parse_file_host(url, at + 1, end);
    if (base && is_file(base)) {
        int result = copy_host(url, base);
        if (result)
            return result;
        if (!starts_with_drive(at, end) && base->path.bytes >= 3 &&
            url_is_drive(base->path.data + 1, 2, true) &&
            (base->path.bytes == 3 || base->path.data[3] == '/'))
            TRY(url_text_set(&url->path, base->path.data, 3));
    }
    return parse_path_on(url, at, end);
}

static int parse_file(struct url *url, const char *at, const char *end, const struct url *base)
{
    int result;

    url->has_host = true;
    if (at < end && is_slash(url, *at))
        return parse_file_slash(url, at + 1, end, base);
    if (!base || !is_file(base))
        return parse_path_on(url, at, end);
    result = copy_host(url, base);
    return result ? result : parse_from_path(url, at, end, base);
}

/* ------------------------------------------------------------------ schemes */

/* "scheme start state" and "scheme state": the colon, or NULL. */
static const char *scheme_end(const char *at, const char *end)
{
    if (at == end || !url_is_alpha(*at))
        return NULL;
    while (at < end &&
           (url_is_alpha(*at) || url_is_digit(*at) || *at == '+' || *at == '-' || *at == '.'))
        at++;
    return at < end && *at == ':' ? at : NULL;
}

static bool set_scheme(struct url *url, const char *at, size_t bytes)
{
    if (!url_text_set(&url->scheme, at, bytes))
        return false;
    for (size_t i = 0; i < bytes; i++)
        if (at[i] >= 'A' && at[i] <= 'Z')
            url->scheme.data[i] = (char)(at[i] | 0x20);
    url->special = url_scheme_special(url->scheme.data, bytes);
    return true;
}

static int parse_after_scheme(struct url *url, const char *at, const char *end,
                              const struct url *base)
{
    if (is_file(url))
        return parse_file(url, at, end, base);
    if (url->special) {
        bool same = base && base->scheme.bytes == url->scheme.bytes &&
                    memcmp(base->scheme.data, url->scheme.data, url->scheme.bytes) == 0;
        if (same && !(end - at >= 2 && at[0] == '/' && at[1] == '/'))
            return parse_relative(url, at, end, base);
        return parse_special_authority(url, at, end);
    }
    if (at == end || *at != '/')
        return parse_opaque_path(url, at, end);
    if (end - at >= 2 && at[1] == '/')
        return parse_authority(url, at + 2, end);
    return parse_path_on(url, at + 1, end);
}

static int parse_without_scheme(struct url *url, const char *at, const char *end,
                                const struct url *base)
{
    int result;

    if (!base || (base->opaque && (at == end || *at != '#')))
        return -EINVAL;
    TRY(set_scheme(url, base->scheme.data, base->scheme.bytes));
    if (base->opaque) {
        result = copy_path(url, base);
        result = result ? result : copy_query(url, base);
        return result ? result : parse_tail(url, at, end);
    }
    if (is_file(base))
        return parse_file(url, at, end, base);
    return parse_relative(url, at, end, base);
}

/* Tabs and line ends go, C0 controls and spaces at the ends too; `url->scratch` holds the rest if any did. */
static int clean(struct url *url, const char **at, const char **end)
{
    const char *c;

    while (*at < *end && (uint8_t) * *at <= ' ')
        ++*at;
    while (*at < *end && (uint8_t)(*end)[-1] <= ' ')
        --*end;
    for (c = *at; c < *end && *c != '\t' && *c != '\n' && *c != '\r'; c++)
        ;
    if (c == *end)
        return 0;
    url->href.bytes = 0; /* nobody's yet; scratch is the hosts' */
    TRY(url_text_room(&url->href, (size_t)(*end - *at)));
    for (c = *at; c < *end; c++)
        if (*c != '\t' && *c != '\n' && *c != '\r')
            url->href.data[url->href.bytes++] = *c;
    *at = url->href.data;
    *end = url->href.data + url->href.bytes;
    return 0;
}

int url_parse(struct url *url, const char *text, size_t bytes, const struct url *base)
{
    const char *at = text ? text : "", *end = at + bytes, *colon;
    int result = clean(url, &at, &end);

    if (result)
        return result;
    url->scheme.bytes = url->username.bytes = url->password.bytes = url->host.bytes = 0;
    url->path.bytes = url->query.bytes = url->fragment.bytes = 0;
    url->port = URL_NO_PORT;
    url->special = url->has_host = url->has_query = url->has_fragment = url->opaque = false;
    colon = scheme_end(at, end);
    if (!colon)
        return parse_without_scheme(url, at, end, base);
    TRY(set_scheme(url, at, (size_t)(colon - at)));
    return parse_after_scheme(url, colon + 1, end, base);
}

/* ------------------------------------------------------------------ and out */

static bool serialize_authority(struct url *url, struct url_offsets *o)
{
    struct url_text *to = &url->href;
    bool ok =
        url_text_add(to, "//", 2) && url_text_add(to, url->username.data, url->username.bytes);

    o->username_end = (uint32_t)to->bytes;
    if (url->password.bytes)
        ok = ok && url_text_add(to, ":", 1) &&
             url_text_add(to, url->password.data, url->password.bytes);
    o->host_start = (uint32_t)to->bytes;
    if (url->username.bytes || url->password.bytes)
        ok = ok && url_text_add(to, "@", 1);
    ok = ok && url_text_add(to, url->host.data, url->host.bytes);
    o->host_end = (uint32_t)to->bytes;
    if (url->port != URL_NO_PORT && ok && url_text_room(to, 8)) {
        char digits[8];
        size_t count = 0;
        for (int32_t port = url->port; port || !count; port /= 10)
            digits[count++] = (char)('0' + port % 10);
        to->data[to->bytes++] = ':';
        while (count)
            to->data[to->bytes++] = digits[--count];
        o->port = (uint32_t)url->port;
    }
    return ok;
}

int url_serialize(struct url *url, struct url_offsets *ret_offsets)
{
    struct url_text *to = &url->href;
    struct url_offsets o = {
        .port = UINT32_MAX, .search_start = UINT32_MAX, .hash_start = UINT32_MAX};

    to->bytes = 0;
    TRY(url_text_room(to, url->scheme.bytes + url->username.bytes + url->password.bytes +
                              url->host.bytes + url->path.bytes + url->query.bytes +
                              url->fragment.bytes + 32));
    if (to->cap_bytes >= UINT32_MAX)
        return -EFBIG;
    TRY(url_text_add(to, url->scheme.data, url->scheme.bytes) && url_text_add(to, ":", 1));
    o.protocol_end = o.username_end = o.host_start = o.host_end = (uint32_t)to->bytes;
    if (url->has_host)
        TRY(serialize_authority(url, &o));
    else if (!url->opaque && url->path.bytes >= 2 && memcmp(url->path.data, "//", 2) == 0)
        TRY(url_text_add(to, "/.", 2)); /* or the path would be read as a host */
    o.pathname_start = (uint32_t)to->bytes;
    TRY(url_text_add(to, url->path.data, url->path.bytes));
    if (url->has_query) {
        o.search_start = (uint32_t)to->bytes;
        TRY(url_text_add(to, "?", 1) && url_text_add(to, url->query.data, url->query.bytes));
    }
    if (url->has_fragment) {
        o.hash_start = (uint32_t)to->bytes;
        TRY(url_text_add(to, "#", 1) && url_text_add(to, url->fragment.data, url->fragment.bytes));
    }
    *ret_offsets = o;
    return 0;
}

void url_done(struct url *url)
{
    struct url_text *texts[] = {&url->scheme,   &url->username, &url->password,
                                &url->host,     &url->path,     &url->query,
                                &url->fragment, &url->href,     &url->scratch};

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        free(texts[i]->data);
    *url = (struct url){.port = URL_NO_PORT};
}
