/* SPDX-License-Identifier: MIT */
/* answer.c - what a request that waited is told, and what is counted (prototypes: flight.h). */
#include "shm/hits.h"
#include "shm/stats.h"
#include "worker/conn.h"
#include "worker/failure_page.h"
#include "worker/fallback.h"
#include "worker/flight.h"
#include "worker/gateway.h"
#include "worker/http_state.h"
#include "worker/request_json.h"
#include "worker/worker.h"

#include <stdio.h>
#include <string.h>

/* from: NULL where there is no page yet. Hits of it are those answered from a cache. */
void answer_count(const struct conn *c, enum reply_origin origin, struct hot_page *from)
{
    const struct worker *w = c->http->worker;
    struct stats *stats = w->stats;

    if (c->admin)
        return;
    if (origin <= REPLY_STALE)
        hits_count(w->hits, &from->hits_cell, &from->page);
    switch (origin) {
    case REPLY_HOT:
        stats_add(&stats->cache_hot, 1);
        break;
    case REPLY_COLD:
        stats_add(&stats->cache_cold, 1);
        break;
    case REPLY_STALE:
        stats_add(&stats->cache_stale, 1);
        break;
    case REPLY_MISS:
        stats_add(&stats->cache_miss, 1);
        break;
    case REPLY_COLLAPSED:
        stats_add(&stats->cache_collapsed, 1);
        break;
    case REPLY_BYPASS:
        stats_add(&stats->cache_bypass, 1);
        break;
    }
}

/* A plain error that tells nothing of the inside but an id to look for in the log. */
static void reply_error(struct conn *c, const struct http_parse *head, uint16_t status,
                        const struct flight *f)
{
    struct span fallback = fallback_of(f->policy);
    const char *id = f->id;
    char lines[80];
    char body[160];
    int n;

    (void)snprintf(lines, sizeof lines, "%sX-Request-Id: %s\r\n",
                   status == 503 ? "Retry-After: 1\r\n" : "", id);
    if (fallback.data) {
        conn_reply_text(c, head, status, "text/html; charset=utf-8", lines, fallback.data,
                        fallback.bytes);
        return;
    }
    n = snprintf(body, sizeof body, "%u %s\n\nrequest id: %s\n", status, reply_status_text(status),
                 id);
    conn_reply_text(c, head, status, NULL, lines, body, (size_t)n);
}

/* Development: whoever looks at the page is who wrote it. */
static void reply_failure_page(struct conn *c, const struct http_parse *head, uint16_t status,
                               const struct flight *f, const struct js_error *error)
{
    const char *id = f->id;
    bool html = failure_page_wants_html(head);
    autofree char *text = failure_page(error, status, id, html);
    char lines[64];

    if (!text) {
        reply_error(c, head, status, f);
        return;
    }
    (void)snprintf(lines, sizeof lines, "X-Request-Id: %s\r\n", id);
    conn_reply_text(c, head, status, html ? "text/html; charset=utf-8" : NULL, lines, text,
                    strlen(text));
}

void answer_gather_failure(struct conn *c, const struct http_parse *head, uint16_t status,
                           const struct flight *f, const struct js_error *error)
{
    if (c->kind == LISTENER_INERTIA || c->kind == LISTENER_HYPERNOVA)
        gateway_failure(c, head, status, f->id, (struct span){f->data, f->job.request.data_bytes},
                        error);
    else if (c->admin)
        request_reply_problem(c, head, status, f->id, error);
    else if (error && c->http->config->bundle.watch)
        reply_failure_page(c, head, status, f, error);
    else
        reply_error(c, head, status, f);
}

/* The connection is let go of first: it may be freed, or wait for its next request, right away. */
static struct conn *part(struct request *r)
{
    struct conn *c = r->conn;

    r->conn = NULL;
    c->request = NULL;
    return c;
}

void answer_stream_end(struct request *r, bool is_whole)
{
    struct conn *c = part(r);

    r->streams = NULL;
    conn_stream_end(c, r->outer, is_whole);
    if (!is_whole)
        stats_add(&c->http->worker->stats->streams_cut, 1);
    conn_answered(c);
}

void answer_error(struct request *r, uint16_t status, const struct flight *f,
                  const struct js_error *error)
{
    struct conn *c;

    if (r->streams) {
        answer_stream_end(r, false);
        return;
    }
    c = part(r);
    answer_gather_failure(c, r->outer, status, f, error);
    conn_answered(c);
}

void answer_page(const struct flight *f, struct request *r, struct hot_page *hot,
                 const struct reply_cache *cache)
{
    struct conn *c;

    if (r->streams) { /* it has had this page */
        answer_stream_end(r, true);
        return;
    }
    c = part(r);
    answer_count(c, cache->origin, hot);
    if (r->as_json)
        request_reply_json(c, r->outer, hot, f->id);
    else
        conn_reply_page(c, r->outer, hot, cache);
    conn_answered(c);
}

/* Rounded up, so that what is fresh never says 0; stale: how long already, below 0. */
int64_t answer_ttl_s(const struct page *page, uint64_t now_ms)
{
    if (page->fresh_until_ms > now_ms)
        return (int64_t)((page->fresh_until_ms - now_ms + 999) / 1000);
    return -(int64_t)((now_ms - page->fresh_until_ms) / 1000) - 1;
}

struct reply_cache answer_hit(const struct page *page, enum reply_origin origin, uint64_t now_ms)
{
    return (struct reply_cache){
        .origin = origin,
        .ttl_s = answer_ttl_s(page, now_ms),
        .age_s = page->age_s + (now_ms > page->stored_ms ? (now_ms - page->stored_ms) / 1000 : 0),
    };
}
