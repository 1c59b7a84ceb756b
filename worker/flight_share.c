/* SPDX-License-Identifier: MIT */
/*
 * flight_share.c - renders that another worker does: what this one can't start now is offered to all of
 * its generation (shm/offer.h), and when it has nothing to do it takes what others offer (prototypes:
 * flight.h; design: worker/README.md, "Sharing renders"). The owner's flight stays in its own queue meanwhile; a guest
 * is an ordinary flight whose only request has no connection, and whose end is told to its owner.
 */
#include "shm/bell.h"
#include "shm/offer.h"
#include "shm/stats.h"
#include "worker/conn.h"
#include "worker/flight.h"
#include "worker/forwarded.h"
#include "worker/hot.h"
#include "worker/http_state.h"
#include "worker/lookup.h"
#include "worker/portable.h"
#include "worker/worker.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum verdict { VERDICT_STORED = 1, VERDICT_PAGE, VERDICT_FAILED };

/* What stands before the page in a result. */
struct result {
    uint32_t verdict;
    uint16_t status; /* FAILED */
    uint8_t mark;    /* PAGE: not for sharing, and nor will the next ones be */
    uint8_t reserved;
    uint32_t page_bytes;
    char detail[52];
};
static_assert(sizeof(struct result) == 64, "a page is aligned behind it");

static struct offers *offers_of(const struct flight *f)
{
    return f->all->worker->offers;
}

static const struct bells *bells_of(const struct requests *all)
{
    return &all->worker->heritage->bells;
}

/* ---- the owner ---- */

/* Errors of a back end's render are told with their stack, which stays in the worker it happened in. What
 * is not safe (RFC 9110 section 9.2.1) must not be done twice, as it would when its taker dies. */
static bool is_portable(const struct flight *f)
{
    const struct request *r = TAILQ_FIRST(&f->requests);
    bool safe = r && (r->head->method == HTTP_GET || r->head->method == HTTP_HEAD) &&
                f->job.request.body_bytes == 0 && f->job.request.call == JS_CALL_PAGE;

    return safe && f->job.request.depth == 0 && !f->guest && !f->at_home && !f->offered &&
           r->outer == r->head && !(r->conn && r->conn->admin);
}

static void offer(struct flight *f)
{
    struct requests *all = f->all;
    const struct request *r = TAILQ_FIRST(&f->requests);
    struct portable portable = {
        .kind = (uint8_t)f->kind,
        .was_stale = f->was_stale,
        .believed = r->head->believed,
        .https = r->head->https,
        .key = f->key,
        .data = {f->data, f->job.request.data_bytes},
        .head = {r->head->base, r->head->head_bytes},
    };
    size_t bytes;
    void *at;

    flights_busy(all); /* or we might wake ourselves */
    if (offer_begin(all->worker->offers, all->worker->number, &f->offer, &at) != 0)
        return;
    memcpy(portable.id, f->id, sizeof portable.id);
    bytes = portable_write(&portable, at, OFFER_REQUEST_BYTES);
    offer_publish(all->worker->offers, bells_of(all), f->offer, bytes, f->job.queued_ns);
    if (bytes == 0)
        return;
    f->offered = true;
    TAILQ_INSERT_TAIL(&all->away, f, away_link);
}

int flight_queue(struct flight *f)
{
    struct worker *w = f->all->worker;
    bool busy = w->offers && !renderer_has_room(w->renderer);
    int error = renderer_submit(w->renderer, &f->job);

    if (!error && busy && is_portable(f))
        offer(f);
    return error;
}

/* It is no longer offered, whatever has become of it. */
void flight_recall(struct flight *f)
{
    if (!f->offered)
        return;
    f->offered = false;
    TAILQ_REMOVE(&f->all->away, f, away_link);
    offer_drop(offers_of(f), f->offer);
}

static void render_at_home(struct flight *f)
{
    flight_recall(f);
    f->at_home = true;
    if (f->job.queued)
        return;
    if (renderer_requeue(f->all->worker->renderer, &f->job) != 0)
        flight_fail(f, 503, NULL);
}

/* Of its key, or of a variant under it. */
static bool is_page_of(const struct page *page, const struct flight *f)
{
    size_t bytes = f->key.primary_bytes;

    return page->key_bytes >= bytes && memcmp(page_key(page), f->key.data, bytes) == 0;
}

/* A page that is not in the caches: for the first who asked. */
static void take_page(struct flight *f, const struct result *result, const struct page *page)
{
    struct requests *all = f->all;
    struct reply_cache cache = {.origin = f->kind == FLIGHT_BYPASS ? REPLY_BYPASS : REPLY_MISS,
                                .was_stale = f->was_stale,
                                .detail = result->detail};
    struct hot_page *hot = hot_alloc(all->http->hot, result->page_bytes);

    if (hot)
        memcpy(&hot->page, page, result->page_bytes);
    if (!hot || page_check(&hot->page, result->page_bytes, true) != 0 ||
        !is_page_of(&hot->page, f)) {
        hot_release(hot);
        render_at_home(f);
        return;
    }
    flight_recall(f);
    flight_unlist(f);
    if (result->mark && f->key.bytes > 0)
        flight_mark(all, f->key.hash);
    flight_part_ways(f);
    flight_answer(f, hot, cache);
    hot_release(hot);
}

static void take_stored(struct flight *f)
{
    struct hot_page *hot = NULL;
    enum reply_origin origin;
    struct reply_cache cache = {
        .origin = REPLY_MISS, .stored = true, .was_stale = f->was_stale, .detail = ""};

    switch (lookup(f->all->http, &f->key, &hot, &origin)) {
    case FOUND_FRESH:
        flight_recall(f);
        cache.ttl_s = answer_ttl_s(&hot->page, f->all->http->now_ms);
        flight_answer(f, hot, cache);
        break;
    case FOUND_VARY:
        flight_recall(f);
        flight_scatter(f, &hot->page);
        break;
    case FOUND_NONE:
    case FOUND_STALE:
        render_at_home(f);
    }
    hot_release(hot);
}

static void take_result(struct flight *f)
{
    size_t bytes;
    const void *at = offer_result(offers_of(f), f->offer, &bytes);
    struct result result;

    if (bytes < sizeof result) {
        render_at_home(f);
        return;
    }
    memcpy(&result, at, sizeof result);
    result.detail[sizeof result.detail - 1] = '\0';
    (void)renderer_withdraw(f->all->worker->renderer, &f->job);
    switch (result.verdict) {
    case VERDICT_STORED:
        take_stored(f);
        break;
    case VERDICT_PAGE:
        if (result.page_bytes > bytes - sizeof result || result.page_bytes < sizeof(struct page))
            render_at_home(f);
        else
            take_page(f, &result, (const void *)((const char *)at + sizeof result));
        break;
    case VERDICT_FAILED:
        flight_recall(f);
        flight_fail(f, result.status == 503 || result.status == 504 ? result.status : 500, NULL);
        break;
    default:
        render_at_home(f);
    }
}

bool flight_take_back(struct flight *f)
{
    if (!f->offered)
        return true;
    switch (offer_look(offers_of(f), f->offer)) {
    case OFFER_OPEN:
        if (!offer_withdraw(offers_of(f), f->offer))
            break; /* taken this very moment */
        flight_recall(f);
        return true;
    case OFFER_TAKEN:
        break;
    case OFFER_DONE:
        take_result(f);
        return false;
    case OFFER_LOST:
        flight_recall(f);
        f->at_home = true;
        return true;
    }
    f->away_since_ns = mono_ns();
    return false;
}

static struct flight *next_back(struct requests *all, enum offer_sight *ret_sight)
{
    struct flight *f;

    TAILQ_FOREACH(f, &all->away, away_link)
    {
        *ret_sight = offer_look(all->worker->offers, f->offer);
        if (*ret_sight == OFFER_DONE || *ret_sight == OFFER_LOST)
            return f;
    }
    return NULL;
}

void flights_fetch(struct requests *all)
{
    enum offer_sight sight;
    struct flight *f;

    while ((f = next_back(all, &sight))) {
        if (!flight_is_wanted(f)) {
            (void)renderer_withdraw(all->worker->renderer, &f->job);
            flight_end(f);
        } else if (sight == OFFER_DONE) {
            take_result(f);
        } else {
            render_at_home(f);
        }
    }
}

void flights_check_away(struct requests *all, uint64_t limit_ms)
{
    struct flight *f, *next;

    for (f = TAILQ_FIRST(&all->away); f; f = next) {
        next = TAILQ_NEXT(f, away_link);
        flight_drop_leavers(f); /* the taker can't see them */
        if (!flight_is_wanted(f)) {
            (void)renderer_withdraw(all->worker->renderer, &f->job);
            flight_end(f);
        } else if (!f->job.queued && all->http->wake_ns > f->away_since_ns &&
                   (all->http->wake_ns - f->away_since_ns) / 1000000u >
                       f->policy->timeout_ms + limit_ms) {
            flight_recall(f);
            flight_fail(f, 504, NULL);
            return; /* the others in a moment */
        }
    }
}

/* ---- the taker ---- */

bool flight_is_expected(const struct flight *f)
{
    return f->guest && offer_is_wanted(offers_of(f), f->offer);
}

static void tell(struct flight *f, const struct result *result, const struct page *page)
{
    struct requests *all = f->all;
    char *at = offer_room(offers_of(f), f->offer);
    size_t bytes = sizeof *result + (page ? page->bytes : 0);

    f->guest = false;
    if (bytes <= OFFER_RESULT_BYTES) {
        memcpy(at, result, sizeof *result);
        if (page)
            memcpy(at + sizeof *result, page, page->bytes);
    } else {
        bytes = 0; /* too large to go through: its owner renders it */
    }
    offer_finish(offers_of(f), bells_of(all), f->offer, bytes);
}

void flight_tell_stored(struct flight *f)
{
    if (f->guest)
        tell(f, &(struct result){.verdict = VERDICT_STORED}, NULL);
}

void flight_tell_page(struct flight *f, const struct page *page, const char *detail, bool mark)
{
    struct result result = {.verdict = VERDICT_PAGE, .mark = mark, .page_bytes = page->bytes};

    if (!f->guest)
        return;
    (void)snprintf(result.detail, sizeof result.detail, "%s", detail ? detail : "");
    tell(f, &result, page);
}

void flight_tell_failed(struct flight *f, uint16_t status)
{
    if (f->guest)
        tell(f, &(struct result){.verdict = VERDICT_FAILED, .status = status}, NULL);
}

void flight_tell_nothing(struct flight *f)
{
    if (!f->guest)
        return;
    f->guest = false;
    offer_finish(offers_of(f), bells_of(f->all), f->offer, 0);
}

/* A flight from the bytes of an offer; NULL: they are none. */
static struct flight *adopt(struct requests *all, const void *at, size_t bytes)
{
    struct http_parse head;
    struct portable p;
    struct flight_plan plan;
    struct request *r;
    struct flight *f;

    if (portable_read(at, bytes, &p) != 0 || p.kind > FLIGHT_BYPASS ||
        (p.kind == FLIGHT_SHARED && p.key.bytes == 0))
        return NULL;
    http_parse_init(&head, &all->http->limits);
    if (http_parse_head(&head, p.head.data, p.head.bytes) != HTTP_WHOLE)
        return NULL;
    if (p.believed)
        forwarded_take_origin(&head, all->http->trusted, all->http->trusted_count);
    else if (head.forwarded)
        forwarded_drop(&head); /* as it was dropped where the request came in */
    head.believed = p.believed;
    head.https = p.https;
    plan = (struct flight_plan){.kind = (enum flight_kind)p.kind,
                                .policy = request_policy(all, &head),
                                .key = p.key,
                                .data = p.data,
                                .was_stale = p.was_stale};
    r = request_new(NULL, &head, &head);
    f = r ? flight_new(all, &plan, r) : NULL;
    if (f)
        memcpy(f->id, p.id, sizeof p.id);
    return f;
}

void flights_busy(struct requests *all)
{
    if (!all->says_idle)
        return;
    all->says_idle = false;
    offers_busy(all->worker->offers, all->worker->number);
}

static bool help(struct requests *all)
{
    struct worker *w = all->worker;
    uint64_t queued_ns;
    struct offer offer;
    struct flight *f;
    const void *at;
    size_t bytes;

    while (offer_take(w->offers, w->number, &offer, &at, &bytes, &queued_ns) == 0) {
        f = adopt(all, at, bytes);
        if (!f) {
            offer_finish(w->offers, bells_of(all), offer, 0);
            continue;
        }
        f->guest = true;
        f->offer = offer;
        if (renderer_requeue(w->renderer, &f->job) != 0) { /* it was queued where it came from */
            flight_end(f);
            return false;
        }
        f->job.queued_ns = queued_ns;
        stats_add(&w->stats->renders_helped, 1);
        return true;
    }
    return false;
}

bool requests_help(struct requests *all)
{
    struct worker *w = all->worker;

    if (likely(!w->offers || all->says_idle))
        return false;
    if (w->draining)
        return false;
    all->says_idle = true;
    if (!offers_idle(w->offers, w->number) || !help(all))
        return false;
    flights_busy(all);
    return true;
}
