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
#include "worker/encode.h"
#include "worker/http_state.h"
#include "worker/invalidate.h"
#include "worker/lookup.h"
#include "worker/nonce.h"
#include "worker/worker.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define LEAVES_MS 5u /* who has waited less is taken to be there still */

void flight_submit(struct flight *f)
{
    if (flight_queue(f) == 0)
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

/* Who is there still. Those whose answer is a stream stay, if they may. */
static void tell_all(struct flight *f, uint16_t status, const struct js_error *error,
                     bool streams_too)
{
    struct hot_page *stale = flight_find_sie(f);
    struct request *r;

    flight_tell_failed(f, status);
    TAILQ_FOREACH(r, &f->requests, link)
    {
        if (!r->conn || (r->streams && !streams_too))
            continue;
        if (stale && !r->streams) {
            struct reply_cache cache = answer_hit(&stale->page, REPLY_STALE, f->all->http->now_ms);

            answer_page(f, r, stale, &cache);
        } else {
            answer_error(r, status, f, error);
        }
    }
    hot_release(stale);
}

void flight_fail(struct flight *f, uint16_t status, const struct js_error *error)
{
    flight_unlist(f);
    flight_disclaim(f, outcome_of(status));
    flight_recall(f);
    tell_all(f, status, error, true);
    flight_end(f); /* frees the requests, if it may */
}

/* The claim is kept, or the next who asks would have the page rendered by another worker, which then hangs as well. */
void flight_overdue(struct render_job *job)
{
    struct flight *f = (struct flight *)job;

    f->overdue = true;
    http_wake(f->all->http);
    tell_all(f, 504, NULL, false);
}

void flight_drop_leavers(struct flight *f)
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

    if (f->refresh || flight_is_expected(f))
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
    if (f->in_cold || (cache.origin != REPLY_MISS && cache.origin != REPLY_BYPASS))
        flight_tell_stored(f);
    else
        flight_tell_page(f, &hot->page, cache.detail, f->marks);
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

static void forget_hot(const struct flight *f)
{
    struct hot *cache = f->all->http->hot;
    struct hot_page *old = hot_get(cache, f->key.data, f->key.bytes, f->key.hash);

    if (old && old->page.fresh_until_ms <= f->ahead_of_ms)
        hot_remove(cache, old);
}

/* While it waited another worker may have rendered the page. True: all is done. */
static bool is_there_by_now(struct flight *f)
{
    struct hot_page *hot = NULL;
    enum reply_origin origin;
    enum found found;

    if (f->ahead_of_ms > 0) /* our own copy would hide a newer one in the cold cache */
        forget_hot(f);
    found = lookup(f->all->http, &f->key, &hot, &origin);
    if (found == FOUND_FRESH && f->ahead_of_ms > 0 && hot->page.fresh_until_ms <= f->ahead_of_ms)
        found = FOUND_NONE; /* the one that is to be renewed */
    if (found == FOUND_FRESH || found == FOUND_VARY)
        flight_disclaim(f, CLAIM_STORED);
    if (found == FOUND_FRESH)
        flight_answer(f, hot, answer_hit(&hot->page, origin, f->all->http->now_ms));
    else if (found == FOUND_VARY)
        flight_scatter(f, &hot->page);
    hot_release(hot);
    return found == FOUND_FRESH || found == FOUND_VARY;
}

/* What can't end in time is not begun: no work for who will have given up. */
static void come_too_late(struct flight *f)
{
    if (f->kind == FLIGHT_SHARED && is_there_by_now(f))
        return;
    stats_add(&f->all->worker->stats->renders_shed, 1);
    flight_fail(f, 503, NULL);
}

bool flight_begin(struct render_job *job)
{
    struct flight *f = (struct flight *)job;

    http_wake(f->all->http);
    flight_drop_leavers(f);
    if (!flight_is_wanted(f)) {
        flight_end(f);
        return false;
    }
    if (!flight_take_back(f))
        return false;
    if (unlikely(poison_rests(poison_of(f->all->http->region), f->job.key_hash, mono_ms()))) {
        stats_add(&f->all->worker->stats->renders_poisoned, 1);
        flight_fail(f, 503, NULL);
        return false;
    }
    if (f->job.late) {
        come_too_late(f);
        return false;
    }
    f->epoch = f->job.epoch = purge_epoch(f->all->worker->purge);
    if (!flight_claim(f)) /* before the look: the last owner has stored before it let go */
        return false;
    if (f->kind == FLIGHT_SHARED && is_there_by_now(f))
        return false;
    f->begun = true;
    flights_busy(f->all);
    f->job.request.takes_parts = flight_can_stream(f);
    return true;
}

/* As the config names it; NULL: of none. */
static const char *route_of(const struct flight *f)
{
    return f->job.route > 0 ? f->all->http->config->routes.item[f->job.route - 1].match : NULL;
}

/* why: NULL: the exception tells */
static void log_failure(const struct flight *f, const struct js_result *result, const char *why)
{
    static const char *const what[] = {
        [JS_OK] = "render gave no page",
        [JS_ERROR] = "render failed",
        [JS_TIMEOUT] = "render took too long and was stopped",
        [JS_OOM] = "render met the heap limit and was stopped",
        [JS_STALL] = "render's stream stalled and was stopped",
    };
    static const char *const doom[] = {
        "render hangs and can't be stopped; its worker ends",
        "render took all memory; its worker ends",
    };
    const struct js_request *q = &f->job.request;
    const struct js_error *e = result->error;
    char where[512] = "";

    if (e && *e->file)
        (void)snprintf(where, sizeof where, "%s:%u:%u", e->file, e->line, e->column);
    log_error(
        f->doomed ? doom[result->outcome == JS_OOM] : what[result->outcome],
        log_span("url", q->url, q->url_bytes), log_str("route", route_of(f)),
        log_str("request", f->id), log_str("message", e ? e->message : why),
        log_str("at", *where ? where : NULL), log_str("source", e && *e->source ? e->source : NULL),
        log_str("hint", e && *e->hint ? e->hint : NULL), log_str("stack", e ? e->stack : NULL),
        log_ms("took", (double)f->job.render_ns / 1e6));
}

/* An instant moved back by an age, but not before another. */
static uint64_t until(uint64_t instant_ms, uint64_t age_ms, uint64_t at_least_ms)
{
    return instant_ms > at_least_ms + age_ms ? instant_ms - age_ms : at_least_ms;
}

/* Marks of nonces in what goes out: of this render, or from what the bundle keeps of another. */
static bool has_marks(const struct flight *f, const struct js_result *result)
{
    const char *mark = f->all->worker->heritage->nonce_mark;

    if (result->reads.nonce || !result->reads.nonce_about)
        return result->reads.nonce;
    for (size_t i = 0; i < result->header_count; i++)
        if (nonce_has_mark((struct span){result->headers[i].value, result->headers[i].value_bytes},
                           mark))
            return true;
    return nonce_has_mark((struct span){result->body, result->body_bytes}, mark);
}

/* The page as bytes; NULL: *ret_why. */
static struct hot_page *build_page(const struct flight *f, const struct key *key,
                                   const struct js_result *result,
                                   const struct cache_verdict *verdict, const char **ret_why)
{
    char head_text[HTTP_HEAD_BYTES_MAX];
    char etag[2 + REPLY_ETAG_BYTES];
    struct reply_text head = {head_text, 0, sizeof head_text, false};
    bool has_body = reply_status_has_body(result->status);
    bool has_nonce = has_marks(f, result);
    struct js_result page = *result;
    struct span body = {has_body && result->body_bytes ? result->body : "",
                        has_body ? result->body_bytes : 0};
    uint64_t now_ms = f->all->http->now_ms;
    uint64_t end_ms = now_ms + verdict->ttl_ms; /* of a page born now */
    uint64_t fresh_until_ms = until(end_ms, verdict->age_ms, now_ms);
    struct reply_head about;
    struct page_source source;
    struct hot_page *hot;
    size_t bytes;

    memcpy(etag, "W/", 2); /* weak, where each answer has other bytes */
    reply_etag(body.data, body.bytes, etag + 2);
    page.reads.nonce = has_nonce;
    reply_page_head(&head, f->policy, &page, verdict,
                    (struct span){etag + (has_nonce ? 0 : 2),
                                  has_body ? REPLY_ETAG_BYTES + (has_nonce ? 2 : 0) : 0},
                    &about);
    if (head.overflow) {
        *ret_why = "the page's head is larger than 16 KiB";
        return NULL;
    }
    *ret_why = "out of memory, or the page is larger than 4 GiB";
    source = (struct page_source){
        .hash = key->hash,
        .path_hash = purge_url_hash(key->data + key->path_offset, key->path_bytes),
        .epoch = f->epoch,
        .edition = f->all->worker->heritage->edition,
        .stored_ms = now_ms,
        .fresh_until_ms = fresh_until_ms,
        .swr_until_ms = until(end_ms + verdict->swr_ms, verdict->age_ms, fresh_until_ms),
        .sie_until_ms = until(end_ms + verdict->sie_ms, verdict->age_ms, fresh_until_ms),
        .age_s = (uint32_t)(verdict->age_ms / 1000),
        .flags = about.flags | (has_nonce ? PAGE_NONCE : 0) |
                 (!verdict->packable ? 0
                  : has_nonce        ? PAGE_PACK_EACH
                                     : PAGE_PACKABLE),
        .nonce = has_nonce ? nonce_mark_id(f->all->worker->heritage->nonce_mark) : 0,
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
    source.variant[PAGE_IDENTITY].etag = about.etag;
    bytes = page_bytes(&source);
    hot = bytes > 0 ? hot_alloc(f->all->http->hot, bytes) : NULL;
    if (!hot)
        return NULL;
    page_build(&source, &hot->page);
    hot->checked_epoch = f->epoch; /* a purge since then is seen at the first hit */
    return hot;
}

/* True: it stands in a cache now. Those who wait in other workers are told where they find it. */
static bool store(struct flight *f, struct hot_page *hot, bool for_others)
{
    struct worker *w = f->all->worker;
    int error = cold_put(w->cold, &hot->page);

    if (error == 0)
        stats_add(&w->stats->cold_stored, 1);
    else if (error == -EAGAIN)
        stats_add(&w->stats->cold_refused, 1);
    f->in_cold = error == 0 && for_others;
    flight_disclaim(f, error == 0 && for_others ? CLAIM_STORED
                       : error == -ESTALE       ? CLAIM_LOST /* purged meanwhile */
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

/* May it be stored, where, and who else gets it. */
struct landing {
    struct cache_verdict verdict;
    struct key key;
    bool may_mark;
};

static void judge(struct flight *f, const struct js_result *result, struct landing *l)
{
    const struct request *first = TAILQ_FIRST(&f->requests);
    struct cache_asked asked = {
        .now_s = (int64_t)(wall_ms() / 1000),
        .authorization = http_parse_find(first->head, "authorization", 13, 0) >= 0,
    };

    l->key = f->key;
    l->may_mark = true;
    cache_policy_judge(f->policy, result, &asked, &l->verdict);
    l->verdict.packable = encoder_pays(f->all->http->encoder, result);
    if (f->kind == FLIGHT_BYPASS || f->key.bytes == 0)
        l->verdict.store = false;
    if (!l->verdict.store || flight_page_key(f, &l->verdict, &l->key))
        return;
    l->verdict.store = false;
    l->may_mark = false; /* of this URL other requests have pages that are kept */
    (void)snprintf(l->verdict.detail, sizeof l->verdict.detail, "vary");
}

/* It may answer others without being asked for again. */
static bool shareable(const struct landing *l)
{
    return l->verdict.store && (l->verdict.fresh || l->verdict.swr_ms > 0);
}

void flight_judge(struct flight *f, const struct js_result *result,
                  struct cache_verdict *ret_verdict, bool *ret_keeps, bool *ret_shareable)
{
    struct landing l;

    judge(f, result, &l);
    *ret_verdict = l.verdict;
    *ret_keeps = l.verdict.store;
    *ret_shareable = shareable(&l);
}

/* Those who wait get the page too, or each their own. */
static void share(struct flight *f, const struct landing *l, const struct page *page)
{
    if (l->verdict.store && l->verdict.vary.count > 0)
        flight_regroup(f, &l->verdict.vary, page);
    if (shareable(l))
        return;
    f->marks = f->key.bytes > 0 && l->may_mark;
    if (f->marks)
        flight_mark(f->all, f->key.hash);
    flight_disclaim(f, l->may_mark ? CLAIM_PRIVATE : CLAIM_LOST);
    flight_part_ways(f);
}

/* In the encodings that those who wait would have. */
static struct hot_page *pack(struct flight *f, struct hot_page *hot)
{
    struct http *http = f->all->http;
    const struct request *r;

    TAILQ_FOREACH(r, &f->requests, link)
    {
        enum page_encoding lacking = encoder_lacks(http->encoder, r->outer, &hot->page);
        struct hot_page *more;

        if (lacking == PAGE_IDENTITY || !r->conn || r->as_json || r->streams)
            continue;
        more = encoder_add(http->encoder, http->hot, hot, lacking, COMPRESS_QUICK);
        if (!more)
            continue;
        stats_add(&http->worker->stats->pages_packed, 1);
        hot_release(hot);
        hot = more;
    }
    return hot;
}

/* fresh: the application said that the page is as it was */
static void land(struct flight *f, const struct js_result *result, bool fresh)
{
    struct requests *all = f->all;
    struct reply_cache cache = {.origin = f->kind == FLIGHT_BYPASS ? REPLY_BYPASS : REPLY_MISS,
                                .was_stale = f->was_stale,
                                .revalidated = fresh};
    const char *why =
        "a page's status is 200 or more: what comes before it is not for pages to send";
    struct landing l;
    struct hot_page *hot;

    if (f->kind == FLIGHT_BYPASS) /* before the answer: whoever has it and asks, sees what it did */
        invalidate(all->worker->purge, all->http->config, TAILQ_FIRST(&f->requests)->head, result);
    judge(f, result, &l);
    if (fresh && l.verdict.tag_count == 0)
        l.verdict.tag_count = page_tag_texts(&f->stale->page, l.verdict.tag);
    hot = result->status >= 200 ? build_page(f, &l.key, result, &l.verdict, &why) : NULL;
    if (!hot) {
        log_failure(f, result, why);
        flight_fail(f, 500, NULL);
        return;
    }
    hot = pack(f, hot);
    flight_unlist(f);
    if (l.verdict.store) {
        if (l.verdict.vary.count > 0)
            flight_put_record(f, &l.verdict.vary); /* before others look for the page */
        cache.stored = store(f, hot, shareable(&l));
        cache.ttl_s = answer_ttl_s(&hot->page, all->http->now_ms);
    }
    flight_note_hints(f, result, l.verdict.store);
    cache.age_s = l.verdict.age_ms / 1000;
    share(f, &l, &hot->page);
    cache.detail = f->kind == FLIGHT_BYPASS ? "" : l.verdict.detail;
    flight_answer(f, hot, cache);
    hot_release(hot);
}

/* What stale-if-error is about (RFC 5861 section 4), when the application answers it by itself. */
bool flight_is_failure(uint16_t status)
{
    return status == 500 || status == 502 || status == 503 || status == 504;
}

static bool has_sie(const struct flight *f)
{
    struct hot_page *stale = flight_find_sie(f);

    hot_release(stale);
    return stale != NULL;
}

/* Its head has gone out: there is no way back. */
static bool is_streaming(const struct flight *f)
{
    return TAILQ_FIRST(&f->requests)->streams != NULL;
}

static void flight_land(struct flight *f, const struct js_result *result)
{
    struct js_result *fresh;

    if (flight_is_failure(result->status) && has_sie(f) && !is_streaming(f)) {
        flight_fail(f, result->status, NULL);
        return;
    }
    if (result->status != 304 || !f->stale) {
        land(f, result, false);
        return;
    }
    fresh = flight_freshen(f, result);
    if (fresh)
        land(f, fresh, true);
    else
        flight_fail(f, 503, NULL);
    flight_freshen_done(fresh);
}

static bool is_timeout(enum js_outcome outcome)
{
    return outcome == JS_TIMEOUT || outcome == JS_STALL;
}

void flight_done(struct render_job *job, enum render_end end, const struct js_result *result)
{
    struct flight *f = (struct flight *)job;
    struct js_result whole;
    struct request *r;

    http_wake(f->all->http);
    f->doomed = end == RENDER_HUNG;
    if (end == RENDER_STOPPED) {
        TAILQ_FOREACH(r, &f->requests, link)
        if (r->conn)
            r->conn->closing = true; /* whoever asks next asks another worker */
        flight_tell_nothing(f);      /* its owner renders it */
        flight_fail(f, 503, NULL);
    } else if (result->outcome == JS_OK && f->stream) {
        if (flight_stream_end(f, result, &whole))
            flight_land(f, &whole);
    } else if (result->outcome == JS_OK) {
        flight_land(f, result);
    } else {
        if (result->outcome != JS_GONE)
            log_failure(f, result, NULL);
        flight_fail(f, is_timeout(result->outcome) ? 504 : 500, result->error);
    }
}
