/* SPDX-License-Identifier: MIT */
/* flight_land.c - the life of a flight: it begins, and its render ends in a page or in a failure.
 */
#include "worker/flight.h"

#include "shm/cold.h"
#include "shm/log.h"
#include "shm/poison.h"
#include "shm/purge.h"
#include "shm/stats.h"
#include "worker/cache_policy.h"
#include "worker/conn.h"
#include "worker/http_state.h"
#include "worker/lookup.h"
#include "worker/worker.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define LEAVES_MS 5u /* who has waited less is taken to be there still */

void flight_submit(struct flight *f)
{
    if (renderer_submit(f->all->worker->renderer, &f->job) == 0)
        return;
    stats_add(&f->all->worker->stats->renders_shed, 1);
    flight_fail(f, 503, NULL);
}

struct hot_page *flight_find_sie(const struct flight *f)
{
    struct hot_page *hot = NULL;
    enum reply_origin origin;

    if (f->key.bytes == 0 || f->kind == FLIGHT_BYPASS)
        return NULL;
    if (lookup(f->all->http, &f->key, &hot, &origin) == FOUND_NONE)
        return NULL;
    if (page_is_vary(&hot->page)) {
        hot_release(hot);
        return NULL;
    }
    if (hot->page.fresh_until_ms > f->all->http->now_ms ||
        hot->page.sie_until_ms > f->all->http->now_ms)
        return hot;
    hot_release(hot);
    return NULL;
}

static enum claim_outcome outcome_of(uint16_t status)
{
    return status == 504 ? CLAIM_TIMEOUT : status == 503 ? CLAIM_SHED : CLAIM_ERROR;
}

void flight_fail(struct flight *f, uint16_t status, const struct js_error *error)
{
    struct requests *all = f->all;
    struct hot_page *stale = flight_find_sie(f);
    struct request *r;

    flight_unlist(f);
    flight_disclaim(f, outcome_of(status));
    while ((r = TAILQ_FIRST(&f->requests))) {
        TAILQ_REMOVE(&f->requests, r, link);
        if (stale && r->conn) {
            struct reply_cache cache = answer_hit(&stale->page, REPLY_STALE, all->http->now_ms);

            answer_page(f, r, stale, &cache);
        } else if (r->conn) {
            answer_error(r, status, f->id, error);
        }
        if (!f->doomed)
            request_free(r);
    }
    hot_release(stale);
    flight_end(f);
}

static void drop_those_who_left(struct flight *f)
{
    uint64_t waiting_ms = (mono_ns() - f->job.queued_ns) / 1000000u;
    struct request *r;

    if (waiting_ms < LEAVES_MS) /* a system call a render, to find next to nobody */
        return;
    TAILQ_FOREACH(r, &f->requests, link)
    if (r->conn && conn_has_left(r->conn, waiting_ms))
        conn_free(r->conn); /* request_forget() clears r->conn */
}

bool flight_is_wanted(const struct flight *f)
{
    const struct request *r;

    if (f->refresh)
        return true;
    TAILQ_FOREACH(r, &f->requests, link)
    if (r->conn)
        return true;
    return false;
}

void flight_answer(struct flight *f, struct hot_page *hot, struct reply_cache cache)
{
    struct request *r;

    flight_unlist(f);
    while ((r = TAILQ_FIRST(&f->requests))) {
        TAILQ_REMOVE(&f->requests, r, link);
        if (r->conn)
            answer_page(f, r, hot, &cache);
        if (cache.origin == REPLY_MISS)
            cache.origin = REPLY_COLLAPSED;
        request_free(r);
    }
    flight_end(f);
}

/* While it waited another worker may have rendered the page. True: all is done. */
static bool is_there_by_now(struct flight *f)
{
    struct hot_page *hot = NULL;
    enum reply_origin origin;
    enum found found = lookup(f->all->http, &f->key, &hot, &origin);

    if (found == FOUND_FRESH || found == FOUND_VARY)
        flight_disclaim(f, CLAIM_STORED);
    if (found == FOUND_FRESH)
        flight_answer(f, hot, answer_hit(&hot->page, origin, f->all->http->now_ms));
    else if (found == FOUND_VARY)
        flight_scatter(f, &hot->page);
    hot_release(hot);
    return found == FOUND_FRESH || found == FOUND_VARY;
}

bool flight_begin(struct render_job *job)
{
    struct flight *f = (struct flight *)job;

    http_wake(f->all->http);
    drop_those_who_left(f);
    if (!flight_is_wanted(f)) {
        flight_end(f);
        return false;
    }
    if (unlikely(poison_rests(poison_of(f->all->http->region), f->job.key_hash, mono_ms()))) {
        stats_add(&f->all->worker->stats->renders_poisoned, 1);
        flight_fail(f, 503, NULL);
        return false;
    }
    f->epoch = purge_epoch(f->all->worker->purge);
    if (!flight_claim(f)) /* before the look: the last owner has stored before it let go */
        return false;
    if (f->kind == FLIGHT_SHARED && is_there_by_now(f))
        return false;
    f->begun = true;
    return true;
}

static void log_failure(const struct flight *f, const struct js_result *result)
{
    static const char *const what[] = {
        [JS_OK] = "render gave no page",
        [JS_ERROR] = "render failed",
        [JS_TIMEOUT] = "render took too long and was stopped",
        [JS_OOM] = "render met the heap limit and was stopped",
    };
    const struct js_request *q = &f->job.request;
    const struct js_error *e = result->error;
    char where[512] = "";

    if (e && *e->file)
        (void)snprintf(where, sizeof where, "%s:%u:%u", e->file, e->line, e->column);
    log_error(
        f->doomed ? "render hangs and can't be stopped; its worker ends" : what[result->outcome],
        log_span("url", q->url, q->url_bytes), log_str("request", f->id),
        log_str("message", e ? e->message : NULL), log_str("at", *where ? where : NULL),
        log_str("source", e && *e->source ? e->source : NULL),
        log_str("hint", e && *e->hint ? e->hint : NULL), log_str("stack", e ? e->stack : NULL),
        log_ms("took", (double)f->job.render_ns / 1e6));
}

/* The page as bytes; NULL: out of memory, or its head is larger than any client takes. */
static struct hot_page *build_page(const struct flight *f, const struct key *key,
                                   const struct js_result *result,
                                   const struct cache_verdict *verdict)
{
    char head_text[HTTP_HEAD_BYTES_MAX];
    char etag[REPLY_ETAG_BYTES];
    struct reply_text head = {head_text, 0, sizeof head_text, false};
    bool has_body = reply_status_has_body(result->status);
    struct span body = {has_body && result->body_bytes ? result->body : "",
                        has_body ? result->body_bytes : 0};
    struct span etag_span = {etag, has_body ? REPLY_ETAG_BYTES : 0};
    uint64_t now_ms = f->all->http->now_ms;
    uint64_t fresh_until_ms = now_ms + verdict->ttl_ms;
    struct page_source source;
    struct hot_page *hot;
    size_t bytes;

    reply_etag(body.data, body.bytes, etag);
    reply_page_head(&head, f->policy, result, verdict, etag_span);
    if (head.overflow)
        return NULL;
    source = (struct page_source){
        .hash = key->hash,
        .path_hash = purge_url_hash(key->data + key->path_offset, key->path_bytes),
        .epoch = f->epoch,
        .edition = f->all->worker->heritage->edition,
        .stored_ms = now_ms,
        .fresh_until_ms = fresh_until_ms,
        .swr_until_ms = fresh_until_ms + verdict->swr_ms,
        .sie_until_ms = fresh_until_ms + verdict->sie_ms,
        .render_us = (uint32_t)(f->job.render_ns / 1000),
        .status = result->status,
        .key = {key->data, key->bytes},
        .path_offset_in_key = key->path_offset,
        .path_bytes = key->path_bytes,
        .tags = verdict->tag,
        .tag_count = verdict->tag_count,
    };
    source.variant[PAGE_IDENTITY].head = (struct span){head.data, head.bytes};
    source.variant[PAGE_IDENTITY].body = body;
    source.variant[PAGE_IDENTITY].etag = etag_span;
    bytes = page_bytes(&source);
    hot = bytes > 0 ? hot_alloc(f->all->http->hot, bytes) : NULL;
    if (!hot)
        return NULL;
    page_build(&source, &hot->page);
    hot->checked_epoch = f->epoch; /* a purge since then is seen at the first hit */
    return hot;
}

/* True: it stands in a cache now. Those who wait in other workers are told where they find it. */
static bool store(struct flight *f, struct hot_page *hot)
{
    struct worker *w = f->all->worker;
    int error = cold_put(w->cold, &hot->page);

    if (error == 0)
        stats_add(&w->stats->cold_stored, 1);
    else if (error == -EAGAIN)
        stats_add(&w->stats->cold_refused, 1);
    flight_disclaim(f, error == 0         ? CLAIM_STORED
                       : error == -ESTALE ? CLAIM_LOST /* purged meanwhile */
                                          : CLAIM_PRIVATE);
    if (error && error != -EAGAIN)
        return false; /* too large for any cache, or purged meanwhile */
    hot_put(f->all->http->hot, hot);
    return true;
}

void flight_part_ways(struct flight *f)
{
    struct requests *all = f->all;
    struct flight_plan plan = {.kind = FLIGHT_ALONE, .policy = f->policy, .key = f->key};
    struct request *first = TAILQ_FIRST(&f->requests);
    struct request *r;

    while ((r = TAILQ_NEXT(first, link))) {
        struct conn *c = r->conn;
        struct flight *own;

        TAILQ_REMOVE(&f->requests, r, link);
        if (!c) {
            request_free(r);
            continue;
        }
        plan.data = (struct span){f->data, f->job.request.data_bytes};
        own = flight_new(all, &plan, r);
        if (own)
            flight_submit(own);
        else
            conn_free(c);
    }
}

static void flight_land(struct flight *f, const struct js_result *result)
{
    struct requests *all = f->all;
    struct cache_verdict verdict;
    struct reply_cache cache = {.origin = f->kind == FLIGHT_BYPASS ? REPLY_BYPASS : REPLY_MISS,
                                .was_stale = f->was_stale};
    struct key key = f->key;
    bool may_mark = true;
    struct hot_page *hot;

    cache_policy_judge(f->policy, result, &verdict);
    if (f->kind == FLIGHT_BYPASS || f->key.bytes == 0)
        verdict.store = false;
    if (verdict.store && !flight_page_key(f, &verdict, &key)) {
        verdict.store = false;
        may_mark = false; /* of this URL other requests have pages that are kept */
        (void)snprintf(verdict.detail, sizeof verdict.detail, "vary");
    }
    hot = result->status >= 200 ? build_page(f, &key, result, &verdict) : NULL;
    if (!hot) {
        log_failure(f, result);
        flight_fail(f, 500, NULL);
        return;
    }
    flight_unlist(f);
    if (verdict.store) {
        if (verdict.vary.count > 0)
            flight_put_record(f, &verdict.vary); /* before others look for the page */
        cache.stored = store(f, hot);
        cache.ttl_s = answer_ttl_s(&hot->page, all->http->now_ms);
        if (verdict.vary.count > 0) {
            flight_regroup(f, &verdict.vary, &hot->page);
        }
    } else {
        if (f->key.bytes > 0 && may_mark)
            flight_mark(all, f->key.hash);
        flight_disclaim(f, may_mark ? CLAIM_PRIVATE : CLAIM_LOST);
        flight_part_ways(f);
    }
    cache.detail = f->kind == FLIGHT_BYPASS ? "" : verdict.detail;
    flight_answer(f, hot, cache);
    hot_release(hot);
}

void flight_done(struct render_job *job, enum render_end end, const struct js_result *result)
{
    struct flight *f = (struct flight *)job;
    struct request *r;

    http_wake(f->all->http);
    f->doomed = end == RENDER_HUNG;
    if (end == RENDER_STOPPED) {
        TAILQ_FOREACH(r, &f->requests, link)
        if (r->conn)
            r->conn->closing = true; /* whoever asks next asks another worker */
        flight_fail(f, 503, NULL);
    } else if (result->outcome == JS_OK) {
        flight_land(f, result);
    } else {
        log_failure(f, result);
        flight_fail(f, result->outcome == JS_TIMEOUT ? 504 : 500, result->error);
    }
}
