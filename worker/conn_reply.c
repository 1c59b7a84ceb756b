/* SPDX-License-Identifier: MIT */
/* conn_reply.c - the answers of conn.h: a page or a text, gathered for the socket, counted, logged.
 */
#include "worker/conn.h"

#include "shm/stats.h"
#include "worker/access.h"
#include "worker/condition.h"
#include "worker/conn_out.h"
#include "worker/conn_peer.h"
#include "worker/encode.h"
#include "worker/http_date.h"
#include "worker/http_range.h"
#include "worker/http_state.h"
#include "worker/nonce.h"

#include <mimalloc.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

static enum stats_method method_of(const struct http_parse *head)
{
    if (likely(head && head->method == HTTP_GET))
        return STATS_GET;
    if (head && head->method == HTTP_HEAD)
        return STATS_HEAD;
    return head && head->method == HTTP_POST ? STATS_POST : STATS_OTHER;
}

static void count(const struct conn *c, const struct http_parse *head, uint16_t status)
{
    if (!c->admin)
        stats_count_request(c->http->worker->stats, method_of(head), status);
}

static void observe(const struct conn *c, enum reply_origin origin)
{
    static const enum stats_cache caches[] = {
        [REPLY_HOT] = STATS_HOT,   [REPLY_COLD] = STATS_COLD,      [REPLY_STALE] = STATS_STALE,
        [REPLY_MISS] = STATS_MISS, [REPLY_COLLAPSED] = STATS_MISS, [REPLY_BYPASS] = STATS_BYPASS,
    };

    if (!c->admin)
        stats_observe(&c->http->worker->stats->request_duration[caches[origin]],
                      mono_ns() - c->request_ns);
}

static void note_access(const struct conn *c, const struct http_parse *head, uint16_t status,
                        uint64_t body_bytes, const char *cache)
{
    char address[INET6_ADDRSTRLEN];

    if (likely(!access_is_on()))
        return;
    access_write(&(struct access_line){
        .peer = peer_text(c, head, address),
        .head = head,
        .status = status,
        .body_bytes = body_bytes,
        .cache = cache,
        .took_us = c->request_ns ? (mono_ns() - c->request_ns) / 1000 : 0,
        .wall_ms = wall_ms(),
    });
}

/* The lines that end every head; decides about the connection. */
static void end_head(struct conn *c, const struct http_parse *head, struct reply_text *text,
                     bool has_date)
{
    struct http *http = c->http;
    bool keep = head && head->keep_alive && !c->closing && !http->worker->draining;

    if (likely(keep && !has_date && head->minor == 1)) {
        reply_add(text, http->date.line, REPLY_DATE_BYTES + 2); /* and the empty line */
        return;
    }
    if (likely(!has_date))
        reply_add(text, http->date.line, REPLY_DATE_BYTES);
    reply_end(text, keep, head ? head->minor : 1);
    if (!keep)
        c->closing = true;
    if (!keep && head && head->keep_alive)
        c->careful = true; /* its next request may be on the way already */
}

static const char *origin_text(enum reply_origin origin)
{
    static const char *const texts[] = {"hot", "cold", "stale", "miss", "collapsed", "bypass"};

    return texts[origin];
}

static void add_ms(struct reply_text *t, uint64_t us)
{
    char text[32];

    (void)snprintf(text, sizeof text, ";dur=%llu.%03u", (unsigned long long)(us / 1000),
                   (unsigned)(us % 1000));
    reply_add_str(t, text);
}

/* http.server_timing (W3C Server Timing, section 2). render_us: 0: not known, or not done for this answer. */
static void add_timing(const struct conn *c, struct reply_text *t, enum reply_origin origin,
                       uint64_t render_us)
{
    reply_add_literal(t, "Server-Timing: cache;desc=");
    reply_add_str(t, origin_text(origin));
    if (render_us > 0) {
        reply_add_literal(t, ", render");
        add_ms(t, render_us);
    }
    reply_add_literal(t, ", total");
    add_ms(t, c->request_ns ? (mono_ns() - c->request_ns) / 1000 : 0);
    reply_add_literal(t, "\r\n");
}

/* The best that Accept-Encoding allows and the page has. */
static const struct page_variant *choose_variant(const struct http *http, const struct page *page,
                                                 const struct http_parse *head)
{
    if (likely(head->accept_encoding < 0))
        return page_variant(page, PAGE_IDENTITY);
    return page_variant(page, encoder_choose(http->encoder, head, page));
}

/* What is sent of a page. */
struct portion {
    uint16_t status;
    bool body;
    uint64_t first; /* of the body */
    uint64_t bytes;
};

/* A conditional request, or one for a part (RFC 9110 sections 13, 14). Parts are cut from stored pages only: of one that is
 * rendered each time, two parts need not fit together. */
static struct portion judge_conditions(const struct http_parse *head, const struct page *page,
                                       const struct page_variant *v, bool is_hit)
{
    const char *text = page_at(page, v->head_offset);
    struct condition_page known = {.etag = {page_at(page, v->etag_offset), v->etag_bytes}};
    struct portion p = {page->status, head->method != HTTP_HEAD, 0, v->body_bytes};
    uint64_t now_s = 0;
    int i;

    if (page->status != 200 || (head->method != HTTP_GET && head->method != HTTP_HEAD))
        return p;
    if (unlikely(head->conditions & HTTP_CONDITIONS_DATED)) {
        now_s = wall_ms() / 1000;
        known.has_date = http_date_parse(reply_head_field(text, v->head_bytes, "last-modified"),
                                         now_s, &known.modified_s) == 0;
    }
    switch (condition_judge(head, &known, now_s)) {
    case CONDITION_SEND:
        break;
    case CONDITION_NOT_MODIFIED:
        return (struct portion){304, false, 0, 0};
    case CONDITION_FAILED:
        return (struct portion){412, false, 0, 0};
    }
    if (likely(!(head->conditions & HTTP_RANGE)))
        return p;
    i = http_parse_find(head, "range", 5, 0);
    if (i < 0 || !is_hit || (page->flags & PAGE_NONCE) || head->method != HTTP_GET ||
        !condition_range(head, &known, now_s) || http_parse_find(head, "range", 5, i + 1) >= 0)
        return p;
    switch (http_range_parse(http_parse_value(head, i), v->body_bytes, &p.first, &p.bytes)) {
    case HTTP_RANGE_WHOLE:
        break;
    case HTTP_RANGE_PART:
        p.status = 206;
        break;
    case HTTP_RANGE_UNSATISFIABLE:
        return (struct portion){416, false, 0, 0};
    }
    return p;
}

static void add_portion_head(struct reply_text *text, const struct page *page,
                             const struct page_variant *v, const struct portion *p)
{
    const char *head = page_at(page, v->head_offset);

    if (p->status == 304) {
        reply_not_modified_head(text, head, v->head_bytes);
    } else if (p->status == 206) {
        reply_part_head(text, head, v->head_bytes, p->first, p->first + p->bytes - 1,
                        v->body_bytes);
    } else if (p->status == page->status) {
        reply_add(text, head, v->head_bytes);
    } else {
        reply_add_literal(text, "HTTP/1.1 ");
        reply_add_int(text, p->status);
        reply_add_literal(text, " ");
        reply_add_str(text, reply_status_text(p->status));
        reply_add_literal(text, "\r\nContent-Length: 0\r\n");
        if (p->status == 416) {
            reply_add_literal(text, "Content-Range: bytes */");
            reply_add_int(text, (int64_t)v->body_bytes);
            reply_add_literal(text, "\r\n");
        }
    }
}

/* A body of any size in a holder of its own, as pages are. */
static bool add_large_body(struct http *http, const char *body, size_t body_bytes)
{
    struct hot_page *holder = hot_alloc(http->hot, body_bytes);

    if (!holder)
        return false;
    memcpy(&holder->page, body, body_bytes);
    out_body(http, holder, (const char *)&holder->page, body_bytes);
    hot_release(holder);
    return true;
}

/* A page with marks goes out as a copy, with a nonce of its own in head and body. */
struct nonced {
    char nonce[HERITAGE_NONCE_BYTES];
    enum page_encoding encoding;
    struct hot_page *holder; /* of the body */
};

/* Packed, if the client takes that and it pays: each time anew, as the bytes are. */
static void pack_nonced(struct conn *c, const struct http_parse *head, struct nonced *n,
                        uint64_t *bytes)
{
    struct http *http = c->http;
    enum page_encoding encoding = encoder_wanted(http->encoder, head);
    struct hot_page *packed;
    size_t packed_bytes;
    char *buf;

    if (encoding == PAGE_IDENTITY)
        return;
    buf = mi_malloc(*bytes);
    if (!buf)
        return;
    packed_bytes = encoder_pack_each(http->encoder, encoding,
                                     (struct span){(const char *)&n->holder->page, *bytes}, buf);
    packed = packed_bytes > 0 ? hot_alloc(http->hot, packed_bytes) : NULL;
    if (packed) {
        memcpy(&packed->page, buf, packed_bytes);
        hot_release(n->holder);
        n->holder = packed;
        n->encoding = encoding;
        *bytes = packed_bytes;
    }
    mi_free(buf);
}

/* bytes: of the body, as it is and as it will be. False: it can't be made; the mark itself must not get out. */
static bool make_nonced(struct conn *c, const struct http_parse *head, const struct page *page,
                        const struct page_variant *v, struct portion *p, struct nonced *ret)
{
    struct nonced n = {.encoding = PAGE_IDENTITY};
    uint64_t bytes = p->status == page->status ? p->bytes : 0;

    n.holder = hot_alloc(c->http->hot, bytes);
    if (!n.holder || !nonce_draw(n.nonce)) {
        hot_release(n.holder);
        return false;
    }
    memcpy(&n.holder->page, page_at(page, v->body_offset), bytes);
    nonce_put((char *)&n.holder->page, bytes, c->http->worker->heritage->nonce_mark, n.nonce);
    if ((page->flags & PAGE_PACK_EACH) && bytes > 0) {
        pack_nonced(c, head, &n, &bytes);
        p->bytes = bytes;
    }
    *ret = n;
    return true;
}

/* Up to what each answer adds; marks are still in it. False: the answer can't be made. */
static bool add_nonced_head(struct conn *c, const struct http_parse *head, const struct page *page,
                            const struct page_variant *v, const struct reply_cache *cache,
                            struct reply_text *text, struct portion *p, struct nonced *ret)
{
    if (head->conditions != 0)
        *p = judge_conditions(head, page, v, cache->origin <= REPLY_STALE);
    if (!make_nonced(c, head, page, v, p, ret))
        return false;
    if (ret->encoding != PAGE_IDENTITY) /* a weak tag is that of all encodings */
        encoder_head(text, (struct span){page_at(page, v->head_offset), v->head_bytes},
                     ret->encoding, p->bytes, (struct span){NULL, 0});
    else
        add_portion_head(text, page, v, p);
    return true;
}

/* dressed: it may have marks for nonces, or gets Server-Timing. Made twice, so that what most answers are has no registers to
 * save for what few are. */
static inline __attribute__((always_inline)) void
reply_page(struct conn *c, const struct http_parse *head, struct hot_page *hot,
           const struct reply_cache *cache, bool dressed)
{
    struct http *http = c->http;
    const struct page *page = &hot->page;
    const struct page_variant *v = choose_variant(http, page, head);
    struct reply_text text = out_begin(http);
    struct portion p = {page->status, head->method != HTTP_HEAD, 0, v->body_bytes};
    bool has_marks = dressed && (page->flags & PAGE_NONCE);
    struct nonced nonced = {.encoding = PAGE_IDENTITY};

    if (has_marks) {
        if (!add_nonced_head(c, head, page, v, cache, &text, &p, &nonced)) {
            c->dead = true;
            return;
        }
    } else if (unlikely(head->conditions != 0)) {
        p = judge_conditions(head, page, v, cache->origin <= REPLY_STALE);
        add_portion_head(&text, page, v, &p);
    } else {
        reply_add(&text, page_at(page, v->head_offset), v->head_bytes);
    }
    reply_cache_lines(&text, cache);
    if (dressed && http->server_timing)
        add_timing(c, &text, cache->origin, cache->origin <= REPLY_STALE ? 0 : page->render_us);
    end_head(c, head, &text,
             (page->flags & PAGE_OWN_DATE) && (p.status == page->status || p.status < 400));
    if (has_marks) {
        nonce_put(text.data, text.bytes, http->worker->heritage->nonce_mark, nonced.nonce);
        out_end(http, &text);
        if (p.body)
            out_body(http, nonced.holder, (const char *)&nonced.holder->page, p.bytes);
        hot_release(nonced.holder);
    } else {
        out_end(http, &text);
        if (p.body)
            out_body(http, hot, page_at(page, v->body_offset) + p.first, p.bytes);
    }
    count(c, head, p.status);
    observe(c, cache->origin);
    note_access(c, head, p.status, p.body ? p.bytes : 0, origin_text(cache->origin));
}

static void __attribute__((noinline, cold))
reply_dressed(struct conn *c, const struct http_parse *head, struct hot_page *hot,
              const struct reply_cache *cache)
{
    reply_page(c, head, hot, cache, true);
}

void conn_reply_page(struct conn *c, const struct http_parse *head, struct hot_page *hot,
                     const struct reply_cache *cache)
{
    if (unlikely((hot->page.flags & PAGE_NONCE) || c->http->server_timing))
        reply_dressed(c, head, hot, cache);
    else
        reply_page(c, head, hot, cache, false);
}

void conn_hint(struct conn *c, struct span links)
{
    struct reply_text text = out_begin(c->http);

    reply_add_literal(&text, "HTTP/1.1 103 Early Hints\r\nLink: ");
    reply_add(&text, links.data, links.bytes);
    reply_add_literal(&text, "\r\n\r\n");
    out_end(c->http, &text);
}

/* ---- pages that go out in parts ---- */

/* The fields but Content-Length: how long it is, nobody knows yet. */
static void add_stream_fields(struct reply_text *t, struct span fields)
{
    static const char name[] = "Content-Length:";
    const char *line = memmem(fields.data, fields.bytes, "\r\nContent-Length:", 17);
    const char *end = fields.data + fields.bytes;
    const char *next;

    if (line) {
        line += 2;
        next = memchr(line + sizeof name - 1, '\n', (size_t)(end - line) - (sizeof name - 1));
        reply_add(t, fields.data, (size_t)(line - fields.data));
        if (next)
            reply_add(t, next + 1, (size_t)(end - next - 1));
    } else {
        reply_add(t, fields.data, fields.bytes);
    }
    reply_add_literal(t, "Transfer-Encoding: chunked\r\n");
}

void conn_stream_begin(struct conn *c, const struct http_parse *head, struct span fields,
                       bool has_date, const struct reply_cache *cache)
{
    struct http *http = c->http;
    struct reply_text text = out_begin(http);
    unsigned status = 0;

    add_stream_fields(&text, fields);
    reply_cache_lines(&text, cache);
    if (unlikely(http->server_timing))
        add_timing(c, &text, cache->origin, 0);
    end_head(c, head, &text, has_date);
    out_end(http, &text);
    for (int i = 9; i < 12; i++) /* "HTTP/1.1 200 ..." */
        status = status * 10 + (unsigned)(fields.data[i] - '0');
    c->streaming = true;
    c->stream_status = (uint16_t)status;
    c->stream_origin = (uint8_t)cache->origin;
    c->stream_bytes = 0;
}

void conn_stream_gather(struct conn *c, const char *data, size_t bytes)
{
    struct http *http = c->http;
    struct reply_text text = out_begin(http);
    char size[24];

    if (bytes > 0) {
        (void)snprintf(size, sizeof size, "%zx\r\n", bytes);
        reply_add_str(&text, size);
        out_end(http, &text);
        if (bytes <= OUT_COPY_BYTES)
            out_body(http, NULL, data, bytes);
        else if (!add_large_body(http, data, bytes))
            c->dead = true;
        text = out_begin(http);
        reply_add_literal(&text, "\r\n");
        out_end(http, &text);
        c->stream_bytes += bytes;
    }
}

bool conn_stream_part(struct conn *c, const char *data, size_t bytes)
{
    conn_stream_gather(c, data, bytes);
    return conn_progress(c);
}

void conn_stream_end(struct conn *c, const struct http_parse *head, bool is_whole)
{
    struct http *http = c->http;
    struct reply_text text = out_begin(http);

    if (is_whole) {
        reply_add_literal(&text, "0\r\n\r\n");
        out_end(http, &text);
    } else {
        c->closing = true;
    }
    c->streaming = false;
    count(c, head, c->stream_status);
    observe(c, (enum reply_origin)c->stream_origin);
    note_access(c, head, c->stream_status, c->stream_bytes,
                origin_text((enum reply_origin)c->stream_origin));
}

/* "Content-Range: bytes 0-499/1234" (RFC 9110 section 14.4) */
static void add_content_range(struct reply_text *t, const struct reply_file *f)
{
    reply_add_literal(t, "Content-Range: bytes ");
    if (f->status == 206) {
        reply_add_int(t, (int64_t)f->first);
        reply_add_literal(t, "-");
        reply_add_int(t, (int64_t)(f->first + f->bytes - 1));
    } else {
        reply_add_literal(t, "*");
    }
    reply_add_literal(t, "/");
    reply_add_int(t, (int64_t)f->total);
    reply_add_literal(t, "\r\n");
}

void conn_reply_file(struct conn *c, const struct http_parse *head, const struct reply_file *f)
{
    struct http *http = c->http;
    struct reply_text text = out_begin(http);
    bool has_content = f->status == 200 || f->status == 206;
    bool with_body = has_content && head->method != HTTP_HEAD;

    if (f->status == 304) {
        reply_not_modified_head(&text, f->fields.data, f->fields.bytes);
    } else {
        reply_add_literal(&text, "HTTP/1.1 ");
        reply_add_int(&text, f->status);
        reply_add_literal(&text, " ");
        reply_add_str(&text, reply_status_text(f->status));
        reply_add_literal(&text, "\r\nContent-Length: ");
        reply_add_int(&text, has_content ? (int64_t)f->bytes : 0);
        reply_add_literal(&text, "\r\n");
        if (has_content)
            reply_add(&text, f->fields.data, f->fields.bytes);
        if (f->status == 206 || f->status == 416)
            add_content_range(&text, f);
    }
    end_head(c, head, &text, false);
    out_end(http, &text);
    if (with_body && f->data)
        out_body(http, f->hot, f->data + f->first, f->bytes);
    else if (with_body)
        out_from_file(http, f->file, f->first, f->bytes);
    count(c, head, f->status);
    note_access(c, head, f->status, with_body ? f->bytes : 0, "static");
}

static void reply_text(struct conn *c, const struct http_parse *head, uint16_t status,
                       const char *type, const char *lines, const char *body, size_t body_bytes,
                       bool with_body)
{
    struct http *http = c->http;
    struct reply_text text = out_begin(http);

    reply_add_literal(&text, "HTTP/1.1 ");
    reply_add_int(&text, status);
    reply_add_literal(&text, " ");
    reply_add_str(&text, reply_status_text(status));
    if (reply_status_has_body(status)) {
        reply_add_literal(&text, "\r\nContent-Type: ");
        reply_add_str(&text, type ? type : "text/plain; charset=utf-8");
        reply_add_literal(&text, "\r\nContent-Length: ");
        reply_add_int(&text, (int64_t)body_bytes);
    }
    reply_add_literal(&text, "\r\nCache-Control: no-store\r\n");
    reply_add_str(&text, lines);
    end_head(c, head, &text, false);
    out_end(http, &text);
    if (with_body) {
        if (body_bytes <= OUT_COPY_BYTES)
            out_body(http, NULL, body, body_bytes);
        else if (!add_large_body(http, body, body_bytes))
            c->dead = true;
    }
    count(c, head, status);
    note_access(c, head, status, with_body ? body_bytes : 0, "none");
}

void conn_reply_text(struct conn *c, const struct http_parse *head, uint16_t status,
                     const char *type, const char *lines, const char *body, size_t body_bytes)
{
    reply_text(c, head, status, type, lines, body, body_bytes, !head || head->method != HTTP_HEAD);
}

void conn_reply_refusal(struct conn *c, uint16_t status, const char *body, size_t body_bytes,
                        bool is_head)
{
    reply_text(c, NULL, status, NULL, "", body, body_bytes, !is_head);
}
