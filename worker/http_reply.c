/* SPDX-License-Identifier: MIT */
/* http_reply.c - see http_reply.h. */
#include "worker/http_reply.h"

#include "shm/page_checksum.h"
#include "worker/http_date.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

void reply_add(struct reply_text *text, const char *data, size_t bytes)
{
    if (unlikely(bytes > text->cap_bytes - text->bytes)) {
        text->overflow = true;
        text->cap_bytes = text->bytes;
        return;
    }
    memcpy(text->data + text->bytes, data, bytes);
    text->bytes += bytes;
}

/* The same for literals of each hit: inlined, a copy of a known length is a few moves instead of two calls. */
static inline __attribute__((always_inline)) void add_known(struct reply_text *text,
                                                            const char *data, size_t bytes)
{
    if (unlikely(bytes > text->cap_bytes - text->bytes)) {
        reply_add(text, data, bytes);
        return;
    }
    memcpy(text->data + text->bytes, data, bytes);
    text->bytes += bytes;
}
#define ADD_KNOWN(text, literal) add_known(text, literal, sizeof literal - 1)

void reply_add_str(struct reply_text *text, const char *string)
{
    reply_add(text, string, strlen(string));
}

void reply_add_int(struct reply_text *text, int64_t value)
{
    char digits[24];
    char *at = digits + sizeof digits;
    uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;

    do {
        *--at = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    if (value < 0)
        *--at = '-';
    reply_add(text, at, (size_t)(digits + sizeof digits - at));
}

const char *reply_status_text(uint16_t status)
{
    switch (status) {
    case 100:
        return "Continue";
    case 200:
        return "OK";
    case 201:
        return "Created";
    case 202:
        return "Accepted";
    case 203:
        return "Non-Authoritative Information";
    case 204:
        return "No Content";
    case 205:
        return "Reset Content";
    case 206:
        return "Partial Content";
    case 300:
        return "Multiple Choices";
    case 301:
        return "Moved Permanently";
    case 302:
        return "Found";
    case 303:
        return "See Other";
    case 304:
        return "Not Modified";
    case 307:
        return "Temporary Redirect";
    case 308:
        return "Permanent Redirect";
    case 400:
        return "Bad Request";
    case 401:
        return "Unauthorized";
    case 402:
        return "Payment Required";
    case 403:
        return "Forbidden";
    case 404:
        return "Not Found";
    case 405:
        return "Method Not Allowed";
    case 406:
        return "Not Acceptable";
    case 408:
        return "Request Timeout";
    case 409:
        return "Conflict";
    case 410:
        return "Gone";
    case 411:
        return "Length Required";
    case 412:
        return "Precondition Failed";
    case 413:
        return "Content Too Large";
    case 414:
        return "URI Too Long";
    case 415:
        return "Unsupported Media Type";
    case 416:
        return "Range Not Satisfiable";
    case 417:
        return "Expectation Failed";
    case 421:
        return "Misdirected Request";
    case 422:
        return "Unprocessable Content";
    case 425:
        return "Too Early";
    case 426:
        return "Upgrade Required";
    case 428:
        return "Precondition Required";
    case 429:
        return "Too Many Requests";
    case 431:
        return "Request Header Fields Too Large";
    case 451:
        return "Unavailable For Legal Reasons";
    case 500:
        return "Internal Server Error";
    case 501:
        return "Not Implemented";
    case 502:
        return "Bad Gateway";
    case 503:
        return "Service Unavailable";
    case 504:
        return "Gateway Timeout";
    case 505:
        return "HTTP Version Not Supported";
    case 508:
        return "Loop Detected";
    default:
        return "Unknown";
    }
}

void reply_date_renew(struct reply_date *date, uint64_t now_ms, uint64_t wall_now_ms)
{
    static const char days[] = "SunMonTueWedThuFriSat";
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    time_t seconds = (time_t)(wall_now_ms / 1000);
    struct tm tm;

    (void)gmtime_r(&seconds, &tm);
    (void)snprintf(date->line, sizeof date->line,
                   "Date: %.3s, %02d %.3s %04d %02d:%02d:%02d GMT\r\n\r\n", days + 3L * tm.tm_wday,
                   tm.tm_mday % 100, months + 3L * tm.tm_mon, (tm.tm_year + 1900) % 10000,
                   tm.tm_hour % 100, tm.tm_min % 100, tm.tm_sec % 100);
    date->renew_ms = now_ms + 1000 - wall_now_ms % 1000;
}

void reply_etag(const char *body, size_t body_bytes, char ret_etag[static REPLY_ETAG_BYTES])
{
    static const char hex[] = "0123456789abcdef";
    uint64_t hash = page_checksum(body, body_bytes);

    ret_etag[0] = '"';
    for (int i = 0; i < 16; i++)
        ret_etag[1 + i] = hex[hash >> (60 - 4 * i) & 15];
    ret_etag[17] = '"';
}

static bool is(const char *data, size_t bytes, const char *text)
{
    return strlen(text) == bytes && strncasecmp(data, text, bytes) == 0;
}

/* name: lower case, of that many bytes */
static bool is_name(const char *data, const char *name, size_t bytes)
{
    return strncasecmp(data, name, bytes) == 0;
}

/* Ours to say, hop by hop, or meant for us and not for clients. */
static bool is_kept_back(const struct js_header *h)
{
    static const char *const names[] = {
        "connection",
        "keep-alive",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "date",
        "age",
        "cache-status",
        "content-length",
        "etag",
        "vary",
        "surrogate-key",
        "cache-tag",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-authentication-info",
    };

    for (size_t i = 0; i < array_len(names); i++)
        if (is(h->name, h->name_bytes, names[i]))
            return true;
    return false;
}

bool reply_field_says(const struct js_header *h, const char *name, const char *word)
{
    size_t bytes = strlen(word);

    if (!is(h->name, h->name_bytes, name))
        return false;
    for (size_t i = 0; i + bytes <= h->value_bytes; i++)
        if (strncasecmp(h->value + i, word, bytes) == 0)
            return true;
    return false;
}

/* Is the token in any of the page's fields of this name (lower case), lists all? */
static bool lists_token(const struct js_result *r, const char *field, const char *name,
                        size_t name_bytes)
{
    for (size_t i = 0; i < r->header_count; i++) {
        const char *at = r->headers[i].value;
        const char *end = at + r->headers[i].value_bytes;

        if (!is(r->headers[i].name, r->headers[i].name_bytes, field))
            continue;
        while (at < end) {
            const char *token;

            while (at < end && (*at == ' ' || *at == '\t' || *at == ','))
                at++;
            for (token = at; at < end && *at != ',' && *at != ' ' && *at != '\t'; at++)
                ;
            if ((size_t)(at - token) == name_bytes && strncasecmp(token, name, name_bytes) == 0)
                return true;
        }
    }
    return false;
}

static const struct js_header *find_header(const struct js_result *r, const char *name)
{
    for (size_t i = 0; i < r->header_count; i++)
        if (is(r->headers[i].name, r->headers[i].name_bytes, name))
            return &r->headers[i];
    return NULL;
}

/* [W/]"..." (RFC 9110 section 8.8.3) */
static bool is_etag(const struct js_header *h)
{
    const char *at = h->value;
    const char *end = at + h->value_bytes;

    if (end - at >= 2 && at[0] == 'W' && at[1] == '/')
        at += 2;
    if (end - at < 2 || *at != '"' || end[-1] != '"')
        return false;
    for (at++; at < end - 1; at++)
        if (*at == '"' || *at == ' ' || *at == '\t')
            return false;
    return true;
}

static bool is_date(const struct js_header *h)
{
    uint64_t s;

    return http_date_parse((struct span){h->value, h->value_bytes}, 0, &s) == 0;
}

static bool has_header(const struct js_result *r, const char *name)
{
    for (size_t i = 0; i < r->header_count; i++)
        if (is(r->headers[i].name, r->headers[i].name_bytes, name))
            return true;
    return false;
}

static void add_field(struct reply_text *t, const char *name, size_t name_bytes, const char *value,
                      size_t value_bytes)
{
    reply_add(t, name, name_bytes);
    reply_add_literal(t, ": ");
    reply_add(t, value, value_bytes);
    reply_add_literal(t, "\r\n");
}

struct vary_line {
    struct reply_text *text;
    const struct js_result *page;
    const char *before;
};

static void add_vary_name(struct vary_line *line, const char *name, size_t name_bytes)
{
    if (lists_token(line->page, "vary", name, name_bytes))
        return;
    reply_add_str(line->text, line->before);
    reply_add(line->text, name, name_bytes);
    line->before = ", ";
}

/* One Vary line: the page's own words first, then what the key's policy adds, then what the render read. */
static void add_vary(struct reply_text *t, const struct config_key *key, const struct vary *vary,
                     bool packable, const struct js_result *r)
{
    struct vary_line line = {t, r, "Vary: "};

    for (size_t i = 0; i < r->header_count; i++) {
        if (!is(r->headers[i].name, r->headers[i].name_bytes, "vary") ||
            r->headers[i].value_bytes == 0)
            continue;
        reply_add_str(t, line.before);
        reply_add(t, r->headers[i].value, r->headers[i].value_bytes);
        line.before = ", ";
    }
    for (size_t i = 0; i < key->headers.count; i++)
        add_vary_name(&line, key->headers.item[i], strlen(key->headers.item[i]));
    if (key->cookies.count > 0)
        add_vary_name(&line, "cookie", 6);
    for (size_t at = 0; at < vary->bytes;) {
        const char *end = memchr(vary->text + at, '\n', vary->bytes - at);
        size_t bytes = end ? (size_t)(end - vary->text) - at : vary->bytes - at;

        /* these two mean "without" (vary.h): the page's own words do not name them */
        if (!is(vary->text + at, bytes, "cookie") && !is(vary->text + at, bytes, "authorization"))
            add_vary_name(&line, vary->text + at, bytes);
        at += bytes + 1;
    }
    if (packable && !vary_has(vary, "accept-encoding", 15))
        add_vary_name(&line, "Accept-Encoding", 15);
    if (*line.before == ',')
        reply_add_literal(t, "\r\n");
}

static void add_length(struct reply_text *t, const struct js_result *r)
{
    bool has_body = reply_status_has_body(r->status);

    if (!has_body &&
        r->status != 205) /* 205 says that there is nothing (RFC 9110 section 15.3.6) */
        return;
    if (has_body && !has_header(r, "content-type") && r->body_bytes > 0)
        reply_add_literal(t, "Content-Type: text/html; charset=utf-8\r\n");
    reply_add_literal(t, "Content-Length: ");
    reply_add_int(t, has_body ? (int64_t)r->body_bytes : 0);
    reply_add_literal(t, "\r\n");
}

/* ETag, the page's own if it is one, and the page's own Date. */
static void add_own(struct reply_text *t, const struct js_result *r, struct span etag,
                    struct reply_head *head)
{
    const struct js_header *own = find_header(r, "etag");
    const struct js_header *date = find_header(r, "date");

    if (own && is_etag(own)) {
        etag = (struct span){own->value, own->value_bytes};
        head->flags |= PAGE_OWN_ETAG;
    }
    if (own && etag.data == own->value && *own->value == '"' && r->reads.nonce) {
        /* its bytes differ from answer to answer, whatever the page says */
        reply_add_literal(t, "ETag: W/");
        reply_add(t, etag.data, etag.bytes);
        reply_add_literal(t, "\r\n");
        head->etag = (struct span){t->data + t->bytes - etag.bytes - 4, etag.bytes + 2};
    } else if (etag.bytes > 0) {
        add_field(t, "ETag", 4, etag.data, etag.bytes);
        head->etag = (struct span){t->data + t->bytes - etag.bytes - 2, etag.bytes};
    }
    if (date && is_date(date)) {
        add_field(t, "Date", 4, date->value, date->value_bytes);
        head->flags |= PAGE_OWN_DATE;
    }
    if (find_header(r, "last-modified"))
        head->flags |= PAGE_OWN_MODIFIED;
    if (find_header(r, "cache-control"))
        head->flags |= PAGE_OWN_CONTROL;
}

void reply_page_head(struct reply_text *t, const struct config_policy *policy,
                     const struct js_result *r, const struct cache_verdict *verdict,
                     struct span etag, struct reply_head *ret_head)
{
    *ret_head = (struct reply_head){.flags = 0};
    reply_add_literal(t, "HTTP/1.1 ");
    reply_add_int(t, r->status);
    reply_add_literal(t, " ");
    reply_add_str(t, reply_status_text(r->status));
    reply_add_literal(t, "\r\n");
    add_length(t, r);
    add_own(t, r, etag, ret_head);
    for (size_t i = 0; i < r->header_count; i++) {
        const struct js_header *h = &r->headers[i];

        if (!is_kept_back(h) && !lists_token(r, "connection", h->name, h->name_bytes))
            add_field(t, h->name, h->name_bytes, h->value, h->value_bytes);
    }
    if (!verdict->has_control) {
        if (verdict->store)
            reply_add_literal(t, "Cache-Control: public, max-age=0, must-revalidate\r\n");
        else
            reply_add_literal(t, "Cache-Control: private, no-cache\r\n");
    }
    add_vary(t, &policy->key, &verdict->vary, verdict->packable, r);
    for (size_t i = 0; i < policy->headers.count; i++) {
        const struct name_value *h = &policy->headers.item[i];

        if (!has_header(r, h->name)) /* the page knows better */
            add_field(t, h->name, strlen(h->name), h->value, strlen(h->value));
    }
}

/* By length first: most fields are none of these. */
static bool is_in_304(const char *name, size_t bytes)
{
    switch (bytes) {
    case 4:
        return is_name(name, "etag", 4) || is_name(name, "vary", 4) || is_name(name, "date", 4);
    case 7:
        return is_name(name, "expires", 7);
    case 10:
        return is_name(name, "set-cookie", 10);
    case 13:
        return is_name(name, "cache-control", 13);
    case 16:
        return is_name(name, "content-location", 16);
    default:
        return false;
    }
}

void reply_not_modified_head(struct reply_text *t, const char *head, size_t head_bytes)
{
    const char *at = head;
    const char *end = head + head_bytes;

    reply_add_literal(t, "HTTP/1.1 304 Not Modified\r\n");
    while (at < end) {
        const char *line_end = memchr(at, '\n', (size_t)(end - at));
        const char *colon = memchr(at, ':', (size_t)(end - at));

        if (!line_end)
            return;
        if (colon && is_in_304(at, (size_t)(colon - at)))
            reply_add(t, at, (size_t)(line_end + 1 - at));
        at = line_end + 1;
    }
}

void reply_part_head(struct reply_text *t, const char *head, size_t head_bytes, uint64_t first,
                     uint64_t last, uint64_t body_bytes)
{
    const char *at = memchr(head, '\n', head_bytes);
    const char *end = head + head_bytes;

    reply_add_literal(t, "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes ");
    reply_add_int(t, (int64_t)first);
    reply_add_literal(t, "-");
    reply_add_int(t, (int64_t)last);
    reply_add_literal(t, "/");
    reply_add_int(t, (int64_t)body_bytes);
    reply_add_literal(t, "\r\nContent-Length: ");
    reply_add_int(t, (int64_t)(last - first + 1));
    reply_add_literal(t, "\r\n");
    for (at = at ? at + 1 : end; at < end;) {
        const char *line_end = memchr(at, '\n', (size_t)(end - at));

        if (!line_end)
            return;
        if (strncasecmp(at, "content-length:", 15) != 0 &&
            strncasecmp(at, "content-range:", 14) != 0)
            reply_add(t, at, (size_t)(line_end + 1 - at));
        at = line_end + 1;
    }
}

struct span reply_head_field(const char *head, size_t head_bytes, const char *name)
{
    const char *at = head;
    const char *end = head + head_bytes;

    while (at < end) {
        const char *line_end = memchr(at, '\n', (size_t)(end - at));
        const char *colon = line_end ? memchr(at, ':', (size_t)(line_end - at)) : NULL;

        if (!line_end)
            break;
        if (colon && is(at, (size_t)(colon - at), name) && line_end - colon >= 3)
            return (struct span){colon + 2, (size_t)(line_end - colon - 3)};
        at = line_end + 1;
    }
    return (struct span){NULL, 0};
}

void reply_cache_lines(struct reply_text *t, const struct reply_cache *c)
{
    bool hit = c->origin == REPLY_HOT || c->origin == REPLY_COLD || c->origin == REPLY_STALE;

    if (hit) {
        ADD_KNOWN(t, "Age: ");
        reply_add_int(t, (int64_t)c->age_s);
        ADD_KNOWN(t, "\r\nCache-Status: ssrd; hit; ttl=");
        reply_add_int(t, c->ttl_s);
        if (c->origin == REPLY_HOT)
            ADD_KNOWN(t, "; detail=hot\r\n");
        else if (c->origin == REPLY_COLD)
            reply_add_literal(t, "; detail=cold\r\n");
        else
            reply_add_literal(t, "; detail=stale\r\n");
        return;
    }
    if (c->age_s > 0) {
        reply_add_literal(t, "Age: ");
        reply_add_int(t, (int64_t)c->age_s);
        reply_add_literal(t, "\r\n");
    }
    if (c->origin == REPLY_BYPASS)
        reply_add_literal(t, "Cache-Status: ssrd; fwd=bypass");
    else if (c->was_stale)
        reply_add_literal(t, "Cache-Status: ssrd; fwd=stale");
    else
        reply_add_literal(t, "Cache-Status: ssrd; fwd=uri-miss");
    if (c->revalidated)
        reply_add_literal(t, "; fwd-status=304");
    if (c->stored) {
        reply_add_literal(t, "; stored; ttl=");
        reply_add_int(t, c->ttl_s);
    }
    if (c->origin == REPLY_COLLAPSED)
        reply_add_literal(t, "; collapsed");
    if (c->detail && *c->detail) {
        reply_add_literal(t, "; detail=");
        reply_add_str(t, c->detail);
    }
    reply_add_literal(t, "\r\n");
}

void reply_end(struct reply_text *t, bool keep_alive, uint8_t minor)
{
    if (!keep_alive)
        reply_add_literal(t, "Connection: close\r\n\r\n");
    else if (minor == 0)
        reply_add_literal(t, "Connection: keep-alive\r\n\r\n");
    else
        reply_add_literal(t, "\r\n");
}
