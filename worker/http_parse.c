/* SPDX-License-Identifier: MIT */
/*
 * http_parse.c - see http_parse.h. llhttp 8.1 takes a few things that newer ones and RFC 9112
 * refuse (obs-fold, empty names, several spaces, HTTP/0.9, RTSP). Instead of a list of those, the
 * head is walked once more by its seams: request line, and between each name, value and line end,
 * exactly the bytes that the grammar allows. Whatever version of llhttp runs, nothing else gets
 * through.
 */
#include "worker/http_parse.h"

#include "worker/http_parse_body.h"

#include <string.h>
#include <strings.h>

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* ---- llhttp's callbacks; offsets are taken from base, which the caller keeps current ---- */

static int on_url(llhttp_t *llhttp, const char *at, size_t bytes)
{
    struct http_parse *p = llhttp->data;

    if (p->target_bytes == 0)
        p->target = (uint32_t)(at - p->base);
    p->target_bytes += (uint32_t)bytes;
    if (p->target_bytes <= HTTP_TARGET_BYTES_MAX)
        return 0;
    (void)http_parse_refuse(p, 414, "the request target is too long");
    return HPE_USER;
}

static int on_field(llhttp_t *llhttp, const char *at, size_t bytes)
{
    struct http_parse *p = llhttp->data;
    struct http_field *f;

    if (p->head_bytes > 0)
        return 0; /* a trailer: not used */
    if (!p->in_name) {
        if (p->field_count == HTTP_FIELDS_MAX) {
            (void)http_parse_refuse(p, 431, "too many header fields");
            return HPE_USER;
        }
        f = &p->field[p->field_count++];
        *f = (struct http_field){.name = (uint32_t)(at - p->base)};
        p->in_name = true;
    }
    p->field[p->field_count - 1].name_bytes += (uint32_t)bytes;
    return 0;
}

static int on_field_complete(llhttp_t *llhttp)
{
    struct http_parse *p = llhttp->data;

    p->in_name = false;
    return 0;
}

static int on_value(llhttp_t *llhttp, const char *at, size_t bytes)
{
    struct http_parse *p = llhttp->data;
    struct http_field *f;

    if (p->head_bytes > 0 || p->field_count == 0)
        return 0;
    f = &p->field[p->field_count - 1];
    if (f->value == 0)
        f->value = (uint32_t)(at - p->base);
    else if (at != p->base + f->value + f->value_bytes)
        p->folded = true; /* only obs-fold leaves a gap; RFC 9112 section 5.2 */
    f->value_bytes = (uint32_t)(at + bytes - p->base) - f->value;
    return 0;
}

static int on_headers_complete(llhttp_t *llhttp)
{
    llhttp->upgrade = 0; /* never taken: the body follows as usual */
    return HPE_PAUSED;
}

static const llhttp_settings_t settings = {
    .on_url = on_url,
    .on_header_field = on_field,
    .on_header_field_complete = on_field_complete,
    .on_header_value = on_value,
    .on_headers_complete = on_headers_complete,
    .on_body = http_on_body,
    .on_chunk_header = http_on_chunk_header,
    .on_chunk_extension_name = http_on_chunk_extension,
    .on_chunk_extension_name_complete = http_on_chunk_extension_complete,
    .on_chunk_extension_value = http_on_chunk_extension,
    .on_chunk_extension_value_complete = http_on_chunk_extension_complete,
    .on_message_complete = http_on_message_complete,
};

void http_parse_init(struct http_parse *p, const struct http_limits *limits)
{
    memset(p, 0, offsetof(struct http_parse, field));
    p->accept_encoding = HTTP_NONE;
    llhttp_init(&p->llhttp, HTTP_REQUEST, &settings);
    p->llhttp.data = p;
    p->limits = limits;
}

size_t http_parse_bytes(const struct http_parse *p)
{
    return offsetof(struct http_parse, field) + p->field_count * sizeof p->field[0];
}

const char *http_method_text(uint8_t method)
{
    return llhttp_method_name((llhttp_method_t)method);
}

/* name is lower case; names of fields are tokens, in which | 0x20 maps nothing else to these. By words, since most names
 * that come are of a length that is asked for; bytes is a constant wherever this is inlined. */
static inline __attribute__((always_inline)) bool same_name(const char *sent, const char *name,
                                                            size_t bytes)
{
    uint64_t a = 0;
    uint64_t b = 0;

    for (; bytes >= sizeof a; bytes -= sizeof a, sent += sizeof a, name += sizeof a) {
        memcpy(&a, sent, sizeof a);
        memcpy(&b, name, sizeof b);
        if ((a | UINT64_C(0x2020202020202020)) != b)
            return false;
    }
    for (; bytes > 0; bytes--, sent++, name++)
        if ((*sent | 0x20) != *name)
            return false;
    return true;
}

int http_parse_find(const struct http_parse *p, const char *name, size_t name_bytes, int from)
{
    for (int i = from; i < p->field_count; i++)
        if (p->field[i].name_bytes == name_bytes &&
            strncasecmp(p->base + p->field[i].name, name, name_bytes) == 0)
            return i;
    return -1;
}

/* ---- the walk over the seams ---- */

/* METHOD SP target SP HTTP/1.x CRLF, behind any empty lines; ret_next: the first field's name */
static bool check_request_line(const struct http_parse *p, uint32_t *ret_next)
{
    const char *method = http_method_text(p->method);
    size_t method_bytes = strlen(method);
    const char *at = p->base;
    const char *target = p->base + p->target;
    const char *version = target + p->target_bytes;

    while (at + 1 < target && at[0] == '\r' && at[1] == '\n')
        at += 2;
    if (p->target_bytes == 0 || (size_t)(target - at) != method_bytes + 1 ||
        memcmp(at, method, method_bytes) != 0 || at[method_bytes] != ' ')
        return false;
    if (p->head_bytes - (size_t)(version - p->base) < 11 || memcmp(version, " HTTP/1.", 8) != 0 ||
        version[9] != '\r' || version[10] != '\n')
        return false;
    *ret_next = (uint32_t)(version + 11 - p->base);
    return true;
}

/* name ":" OWS value OWS CRLF, nothing else; cuts the white space behind the value */
static bool check_field(const struct http_parse *p, struct http_field *f, uint32_t start,
                        uint32_t next)
{
    const char *at = p->base + f->name + f->name_bytes;
    const char *line_end = p->base + next - 2;
    const char *value;

    if (f->name != start || f->name_bytes == 0 || at >= line_end || *at != ':' ||
        line_end[0] != '\r' || line_end[1] != '\n')
        return false;
    for (at++; at < line_end && is_blank(*at); at++)
        ;
    value = f->value_bytes > 0 ? p->base + f->value : at;
    if (value != at || value + f->value_bytes > line_end)
        return false;
    for (at = value + f->value_bytes; at < line_end; at++)
        if (!is_blank(*at))
            return false;
    while (f->value_bytes > 0 && is_blank(value[f->value_bytes - 1]))
        f->value_bytes--;
    f->value = (uint32_t)(value - p->base);
    return true;
}

static bool check_seams(struct http_parse *p)
{
    uint32_t start = 0;
    uint32_t end = p->head_bytes - 2; /* of the last line; then comes the empty one */

    if (p->head_bytes < 4 || memcmp(p->base + end, "\r\n", 2) != 0 ||
        !check_request_line(p, &start))
        return false;
    for (int i = 0; i < p->field_count; i++) {
        uint32_t next = i + 1 < p->field_count ? p->field[i + 1].name : end;

        if (next < start + 2 || !check_field(p, &p->field[i], start, next))
            return false;
        start = next;
    }
    return start == end;
}

/* ---- meaning ---- */

static bool check_port(const char *at, const char *end)
{
    if (at == end)
        return true;
    if (*at != ':' || end - at > 6)
        return false;
    for (at++; at < end; at++)
        if (*at < '0' || *at > '9')
            return false;
    return true;
}

/* uri-host [":" port] (RFC 9110 section 7.2), without user information, not empty */
static bool check_host(const char *host, size_t bytes)
{
    const char *at = host;
    const char *end = host + bytes;

    if (bytes == 0 || bytes > HTTP_HOST_BYTES_MAX)
        return false;
    if (*at == '[') {
        for (at++; at < end && *at != ']'; at++)
            if (!strchr("0123456789abcdefABCDEF:.", *at) || *at == 0)
                return false;
        return at < end && at > host + 2 && check_port(at + 1, end);
    }
    for (; at < end && *at != ':'; at++) {
        unsigned char c = (unsigned char)*at;

        if (c == '%') {
            if (end - at < 3 || !strchr("0123456789abcdefABCDEF", at[1]) || at[1] == 0 ||
                !strchr("0123456789abcdefABCDEF", at[2]) || at[2] == 0)
                return false;
            at += 2;
        } else if (!(http_is_token_char(c) && c != '#' && c != '^' && c != '`' && c != '|') &&
                   c != '(' && c != ')' && c != ',' && c != ';' && c != '=') {
            return false;
        }
    }
    return at > host && check_port(at, end);
}

bool http_parse_is_host(struct span text)
{
    return check_host(text.data, text.bytes);
}

/* absolute-form: the authority is the host (RFC 9112 section 3.2.2), the rest the target. */
static enum http_progress take_absolute(struct http_parse *p)
{
    const char *target = p->base + p->target;
    const char *end = target + p->target_bytes;
    const char *host;
    const char *path;

    if (p->target_bytes > 7 && strncasecmp(target, "http://", 7) == 0)
        host = target + 7;
    else if (p->target_bytes > 8 && strncasecmp(target, "https://", 8) == 0)
        host = target + 8;
    else
        return http_parse_refuse(p, 400, "the request target is malformed");
    for (path = host; path < end && *path != '/' && *path != '?'; path++)
        ;
    /* "http://host" and "http://host?q" have no path to point at. */
    if (path == end || *path != '/')
        return http_parse_refuse(p, 400, "the request target has no path");
    if (!check_host(host, (size_t)(path - host)))
        return http_parse_refuse(p, 400, "the host is malformed");
    p->host = (uint32_t)(host - p->base);
    p->host_bytes = (uint32_t)(path - host);
    p->target = (uint32_t)(path - p->base);
    p->target_bytes = (uint32_t)(end - path);
    return HTTP_WHOLE;
}

static enum http_progress take_target(struct http_parse *p)
{
    const char *target = p->base + p->target;
    const char *query;

    for (uint32_t i = 0; i < p->target_bytes; i++)
        if ((unsigned char)target[i] <= ' ' || (unsigned char)target[i] >= 0x7f || target[i] == '#')
            return http_parse_refuse(p, 400, "the request target is malformed");
    if (p->method == HTTP_CONNECT)
        return http_parse_refuse(p, 400, "this is not a proxy");
    if (p->target_bytes == 1 && *target == '*' && p->method == HTTP_OPTIONS)
        p->asterisk = true;
    else if (*target != '/' && take_absolute(p) != HTTP_WHOLE)
        return HTTP_REFUSED;
    target = p->base + p->target;
    query = memchr(target, '?', p->target_bytes);
    p->path_bytes = query ? (uint32_t)(query - target) : p->target_bytes;
    return HTTP_WHOLE;
}

/* Connection: a list of tokens; only close and keep-alive mean something here. */
static void take_connection(const struct http_parse *p, const struct http_field *f, bool *ret_close,
                            bool *ret_keep)
{
    const char *at = p->base + f->value;
    const char *end = at + f->value_bytes;

    while (at < end) {
        const char *token = at;

        while (at < end && *at != ',' && !is_blank(*at))
            at++;
        if (at - token == 5 && strncasecmp(token, "close", 5) == 0)
            *ret_close = true;
        if (at - token == 10 && strncasecmp(token, "keep-alive", 10) == 0)
            *ret_keep = true;
        while (at < end && (*at == ',' || is_blank(*at)))
            at++;
    }
}

static bool take_length(struct http_parse *p, const struct http_field *f)
{
    const char *at = p->base + f->value;
    uint64_t length = 0;

    if (f->value_bytes == 0 || f->value_bytes > 18)
        return false;
    for (uint32_t i = 0; i < f->value_bytes; i++) {
        if (at[i] < '0' || at[i] > '9')
            return false;
        length = length * 10 + (uint64_t)(at[i] - '0');
    }
    p->content_length = length;
    p->has_body = length > 0;
    return true;
}

struct seen {
    int hosts, lengths, encodings, expects;
    bool close, keep, bad_length, bad_encoding, bad_expect, bad_host;
};

static void note_forwarded(struct http_parse *p, const struct http_field *f)
{
    if (f->name_bytes > 12 && same_name(p->base + f->name, "x-forwarded-", 12))
        p->forwarded = true;
}

static void take_field(struct http_parse *p, int i, struct seen *seen)
{
    const struct http_field *f = &p->field[i];
    const char *name = p->base + f->name;
    const char *value = p->base + f->value;

    switch (f->name_bytes) {
    case 9:
        if (same_name(name, "forwarded", 9))
            p->forwarded = true;
        break;
    case 5:
        if (same_name(name, "range", 5))
            p->conditions |= HTTP_RANGE;
        break;
    case 8:
        if (same_name(name, "if-match", 8))
            p->conditions |= HTTP_IF_MATCH;
        else if (same_name(name, "if-range", 8))
            p->conditions |= HTTP_IF_RANGE;
        break;
    case 19:
        if (same_name(name, "if-unmodified-since", 19))
            p->conditions |= HTTP_IF_UNMODIFIED_SINCE;
        else
            note_forwarded(p, f);
        break;
    case 4:
        if (!same_name(name, "host", 4))
            break;
        seen->hosts++;
        if (!check_host(value, f->value_bytes))
            seen->bad_host = true;
        if (p->host_bytes == 0) { /* absolute-form goes first */
            p->host = f->value;
            p->host_bytes = f->value_bytes;
        }
        break;
    case 6:
        if (!same_name(name, "expect", 6))
            break;
        seen->expects++;
        seen->bad_expect = f->value_bytes != 12 || strncasecmp(value, "100-continue", 12) != 0;
        break;
    case 10:
        if (same_name(name, "connection", 10))
            take_connection(p, f, &seen->close, &seen->keep);
        break;
    case 13:
        if (same_name(name, "if-none-match", 13))
            p->conditions |= HTTP_IF_NONE_MATCH;
        else
            note_forwarded(p, f);
        break;
    case 14:
        if (!same_name(name, "content-length", 14)) {
            note_forwarded(p, f);
            break;
        }
        seen->lengths++;
        seen->bad_length |= !take_length(p, f);
        break;
    case 15:
        if ((*name | 0x20) == 'x') /* Accept-Language is in most requests, and is neither */
            note_forwarded(p, f);
        else if (same_name(name, "accept-encoding", 15))
            p->accept_encoding = p->accept_encoding == HTTP_NONE ? (int16_t)i : HTTP_SEVERAL;
        break;
    case 17:
        if (!same_name(name, "transfer-encoding", 17)) {
            if (same_name(name, "if-modified-since", 17))
                p->conditions |= HTTP_IF_MODIFIED_SINCE;
            else
                note_forwarded(p, f);
            break;
        }
        seen->encodings++;
        seen->bad_encoding = f->value_bytes != 7 || strncasecmp(value, "chunked", 7) != 0;
        break;
    default:
        note_forwarded(p, f);
        break;
    }
}

static enum http_progress take_head(struct http_parse *p)
{
    struct seen seen = {0};

    if (p->llhttp.http_major != 1 || p->llhttp.http_minor > 1)
        return p->llhttp.http_major > 1
                   ? http_parse_refuse(p, 505, "only HTTP/1.0 and HTTP/1.1 are spoken here")
                   : http_parse_refuse(p, 400, "the request is malformed");
    if (p->folded || !check_seams(p))
        return http_parse_refuse(p, 400, "the request is malformed");
    p->minor = p->llhttp.http_minor;
    if (take_target(p) != HTTP_WHOLE)
        return HTTP_REFUSED;
    for (int i = 0; i < p->field_count; i++)
        take_field(p, i, &seen);

    if (seen.hosts > 1 || seen.bad_host || (seen.hosts == 0 && p->minor == 1))
        return http_parse_refuse(
            p, 400, seen.hosts ? "the Host field is malformed" : "the Host field is missing");
    if (seen.lengths > 1 || seen.bad_length || (seen.lengths && seen.encodings))
        return http_parse_refuse(p, 400, "Content-Length is malformed");
    if (seen.encodings > 1 || (seen.encodings && p->minor == 0))
        return http_parse_refuse(p, 400, "Transfer-Encoding is malformed");
    if (seen.bad_encoding)
        return http_parse_refuse(p, 501, "only chunked Transfer-Encoding is understood");
    if (p->content_length > p->limits->body_bytes)
        return http_parse_refuse(p, 413, "the request body is too large");
    if (seen.expects && p->minor == 1) {
        if (seen.expects > 1 || seen.bad_expect)
            return http_parse_refuse(p, 417, "only Expect: 100-continue is understood");
        p->expect_continue = true;
    }
    p->chunked = seen.encodings > 0;
    p->has_body |= p->chunked;
    p->keep_alive = !seen.close && (p->minor == 1 || seen.keep);
    return HTTP_WHOLE;
}

/* llhttp knows no such method: 501 if it is one at all (RFC 9110 section 9.1). */
static enum http_progress refuse_method(struct http_parse *p, const char *base, size_t have_bytes)
{
    size_t i = 0;
    size_t start;

    while (i < have_bytes && (base[i] == '\r' || base[i] == '\n'))
        i++;
    for (start = i; i < have_bytes && http_is_token_char((unsigned char)base[i]); i++)
        ;
    return i > start && i < have_bytes && base[i] == ' '
               ? http_parse_refuse(p, 501, "the method is not known")
               : http_parse_refuse(p, 400, "the request is malformed");
}

enum http_progress http_parse_head(struct http_parse *p, const char *base, size_t have_bytes)
{
    size_t limit = p->limits->head_bytes;
    size_t feed_to = have_bytes < limit ? have_bytes : limit;
    enum llhttp_errno error;

    p->base = base;
    p->llhttp.data = p; /* the struct may have moved */
    error = llhttp_execute(&p->llhttp, base + p->fed_bytes, feed_to - p->fed_bytes);
    p->fed_bytes = (uint32_t)feed_to;
    switch ((int)error) {
    case HPE_OK:
        return have_bytes < limit ? HTTP_MORE
                                  : http_parse_refuse(p, 431, "the request head is too large");
    case HPE_PAUSED:
        p->head_bytes = (uint32_t)(llhttp_get_error_pos(&p->llhttp) - base);
        p->method = p->llhttp.method;
        return take_head(p);
    case HPE_USER:
        return HTTP_REFUSED;
    case HPE_INVALID_METHOD:
        return refuse_method(p, base, have_bytes);
    case HPE_PAUSED_H2_UPGRADE:
        return http_parse_refuse(p, 505, "only HTTP/1.0 and HTTP/1.1 are spoken here");
    default:
        return http_parse_refuse(p, 400, "the request is malformed");
    }
}
