/* SPDX-License-Identifier: MIT */
/*
 * flight_wait.c - one render a key over all workers: a flight claims its key when its render is about to start
 * (shm/claim.h), or waits for the worker that renders it (prototypes: flight.h). Who waits is not in
 * the renderer's queue; the worker's bell tells that something is over, and each looks for itself.
 */
#include "shm/bell.h"
#include "shm/peers.h"
#include "shm/purge.h"
#include "worker/conn.h"
#include "worker/flight.h"
#include "worker/hot.h"
#include "worker/http_state.h"
#include "worker/lookup.h"
#include "worker/worker.h"

#include <errno.h>
#include <event2/event.h>

/* The master kills who hangs in a render after its limit, or who is silent for 10 s: whoever still
 * waits after both is told so rather than left. */
#define WAIT_GRACE_MS 15000u

static const struct bells *bells_of(const struct requests *all)
{
    return &all->worker->heritage->bells;
}

static uint32_t number_of(const struct worker *worker)
{
    return atomic_load_explicit(&worker->peer->worker, memory_order_relaxed);
}

/* ---- claiming ---- */

static void start_waiting(struct flight *f)
{
    struct requests *all = f->all;

    f->waits = true;
    f->waits_since_ns = mono_ns();
    TAILQ_INSERT_TAIL(&all->waiting, f, wait_link);
    if (!claim_wait(claims_of(all->http->region), all->worker->row, f->claim))
        bell_ring(all->http->region, bells_of(all), all->worker->row); /* over: look in a moment */
}

void flight_stop_waiting(struct flight *f)
{
    struct requests *all = f->all;
    const struct flight *other;

    if (!f->waits)
        return;
    f->waits = false;
    TAILQ_REMOVE(&all->waiting, f, wait_link);
    TAILQ_FOREACH(other, &all->waiting, wait_link)
    if (other->claim.slot == f->claim.slot)
        return; /* one bit for all flights of this worker */
    claim_leave(claims_of(all->http->region), all->worker->row, f->claim);
}

bool flight_claim(struct flight *f)
{
    struct requests *all = f->all;
    struct claims *claims = claims_of(all->http->region);
    struct claim_key key = {
        .hash = f->key.hash, .edition = all->worker->heritage->edition, .epoch = f->epoch};

    if (f->kind != FLIGHT_SHARED || !all->bell)
        return true;
    key.check = claim_check(claims, f->key.data, f->key.bytes);
    switch (claim_take(all->http->region, bells_of(all), all->worker->row, &key, &f->claim)) {
    case 0:
        f->owns_claim = true;
        return true;
    case -EBUSY:
        start_waiting(f);
        return false;
    default:
        return true;
    }
}

void flight_disclaim(struct flight *f, enum claim_outcome outcome)
{
    if (!f->owns_claim)
        return;
    f->owns_claim = false;
    claim_release(f->all->http->region, bells_of(f->all), f->claim, outcome);
}

/* ---- what it comes to ---- */

static void ask_again(struct flight *f)
{
    if (renderer_requeue(f->all->worker->renderer, &f->job) != 0)
        flight_fail(f, 503, NULL);
}

/* The page is there, or a record of variants; or it has been purged or evicted right away. */
static void take_stored(struct flight *f)
{
    struct hot_page *hot = NULL;
    enum reply_origin origin;

    switch (lookup(f->all->http, &f->key, &hot, &origin)) {
    case FOUND_FRESH:
        flight_answer(f, hot,
                      (struct reply_cache){.origin = REPLY_COLLAPSED, .was_stale = f->was_stale});
        break;
    case FOUND_VARY:
        flight_scatter(f, &hot->page);
        break;
    case FOUND_NONE:
    case FOUND_STALE:
        ask_again(f);
    }
    hot_release(hot);
}

/* A refresh that nobody has joined. */
static bool is_for_nobody(const struct flight *f)
{
    const struct request *r;

    TAILQ_FOREACH(r, &f->requests, link)
    if (r->conn)
        return false;
    return true;
}

/* The page was for whoever it was rendered for: each renders its own. */
static void go_alone(struct flight *f)
{
    flight_mark(f->all, f->key.hash);
    if (is_for_nobody(f)) {
        flight_end(f);
        return;
    }
    flight_unlist(f);
    f->kind = FLIGHT_ALONE;
    flight_part_ways(f);
    ask_again(f);
}

static void conclude(struct flight *f, enum claim_outcome outcome)
{
    flight_stop_waiting(f);
    if (!flight_is_wanted(f)) {
        flight_end(f);
        return;
    }
    switch (outcome) {
    case CLAIM_STORED:
        take_stored(f);
        break;
    case CLAIM_PRIVATE:
        go_alone(f);
        break;
    case CLAIM_ERROR:
        flight_fail(f, 500, NULL);
        break;
    case CLAIM_TIMEOUT:
        flight_fail(f, 504, NULL);
        break;
    case CLAIM_SHED:
        flight_fail(f, 503, NULL);
        break;
    case CLAIM_LOST: /* all ask again, one gets it */
    case CLAIM_OPEN:
        ask_again(f);
    }
}

/* From the start after each: an answer may let a connection go on to its next request. */
static struct flight *next_over(struct requests *all, enum claim_outcome *ret_outcome)
{
    struct flight *f;

    TAILQ_FOREACH(f, &all->waiting, wait_link)
    {
        *ret_outcome = claim_look(claims_of(all->http->region), f->claim);
        if (*ret_outcome != CLAIM_OPEN)
            return f;
    }
    return NULL;
}

static void on_bell(evutil_socket_t fd, short events, void *arg)
{
    struct requests *all = arg;
    enum claim_outcome outcome;
    struct flight *f;

    (void)events;
    bell_hush((int)fd); /* before the look: what ends after it rings again */
    http_wake(all->http);
    while ((f = next_over(all, &outcome)))
        conclude(f, outcome);
    if (!all->worker->offers)
        return;
    flights_fetch(all);
    all->says_idle =
        false; /* who rings has taken that back; looked for anew when nothing is to be rendered */
    if (!renderer_has_room(all->worker->renderer))
        offers_pass_on(all->worker->offers, bells_of(all));
}

void flights_check(struct requests *all)
{
    const struct config *config = all->http->config;
    struct flight *f, *next;

    if (all->worker->offers)
        flights_check_away(all, config->render.grace_ms + WAIT_GRACE_MS);
    for (f = TAILQ_FIRST(&all->waiting); f; f = next) {
        uint64_t waited_ms = (all->http->wake_ns - f->waits_since_ns) / 1000000u;

        next = TAILQ_NEXT(f, wait_link);
        if (all->http->wake_ns > f->waits_since_ns &&
            waited_ms > f->policy->timeout_ms + config->render.grace_ms + WAIT_GRACE_MS) {
            flight_stop_waiting(f);
            flight_fail(f, 504, NULL);
            return; /* the others in a moment */
        }
    }
}

int flights_listen(struct requests *all)
{
    const struct bells *bells = bells_of(all);
    uint32_t number = number_of(all->worker);

    TAILQ_INIT(&all->waiting);
    TAILQ_INIT(&all->away);
    if (bells->count < 2 || number >= bells->count) /* nobody to wait for */
        return 0;
    all->bell = event_new(all->worker->base, bells->fd[number], EV_READ | EV_PERSIST, on_bell, all);
    return all->bell && event_add(all->bell, NULL) == 0 ? 0 : -ENOMEM;
}

void flights_deafen(struct requests *all)
{
    if (all->bell)
        event_free(all->bell);
    all->bell = NULL;
}
