/* SPDX-License-Identifier: MIT */
/* generation_worker.c - a generation's workers: ordered, born, serving, dead, replaced. */
#include "master/generation_internal.h"
#include "shm/claim.h"
#include "shm/cold.h"
#include "shm/log.h"
#include "shm/offer.h"
#include "shm/peers.h"
#include "shm/poison.h"
#include "shm/region.h"
#include "shm/stats.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#define REVOKED_REST_MS 60000u /* a fork under way when its zygote died has long ended by then */
#define ORDER_MS_MAX 5000u     /* for a fork; on top of a render that the zygote may be busy with */
#define SILENCE_MS_MAX 10000u  /* a worker's heart beats once a second; on top of a render */
#define TICK_MS_MAX 200u       /* more between two ticks: we did not run, so nor may others have */
#define YOUNG_DEATHS_MAX 3u    /* while loading: then the generation is refused */

static struct place *by_row(struct generation *g, uint32_t row)
{
    for (size_t i = 0; i < g->place_count; i++)
        if (g->place[i].state != PLACE_EMPTY && g->place[i].row == row)
            return &g->place[i];
    return NULL;
}

static void order(struct generation *g, struct place *place)
{
    int error =
        peer_claim(g->host.region, g->heritage.generation, place->number, place->cpu, &place->row);

    if (!error) {
        error = zygote_order(g, place->row);
        if (error)
            peer_release(g->host.region, place->row);
    }
    if (error) {
        place->start_at_ms = mono_ms() + BACKOFF_FIRST_MS;
        log_warn("a worker can't be asked for; it is tried again",
                 log_str("error", strerror(-error)));
        return;
    }
    place->state = PLACE_ORDERED;
    place->serving = false;
    place->hung = false;
    place->silent_ms = 0;
    place->ordered_ms = mono_ms();
}

void workers_fill(struct generation *g)
{
    uint64_t now_ms = mono_ms();

    if (!g->zygote_ready || g->state == GENERATION_DRAINING)
        return;
    for (size_t i = 0; i < g->place_count; i++)
        if (g->place[i].state == PLACE_EMPTY && !g->place[i].spare &&
            g->place[i].start_at_ms <= now_ms)
            order(g, &g->place[i]);
    generation_reschedule(g);
}

/* After waitpid(), or when it was never born: what it held goes back. */
static void clear_row(struct generation *g, uint32_t row)
{
    unsigned repaired = cold_reap(g->host.cold, row);
    struct stats_master *stats = stats_master(g->host.region);

    atomic_fetch_add_explicit(&stats->cold_repairs, repaired, memory_order_relaxed);
    (void)claim_reap(g->host.region, &g->heritage.bells, row);
    if (g->offers)
        (void)offers_reap(
            g->offers, &g->heritage.bells,
            atomic_load_explicit(&peer_at(g->host.region, row)->worker, memory_order_relaxed));
    stats_retire(g->host.region, row);
    peer_release(g->host.region, row);
}

void worker_born(struct generation *g, uint32_t row, pid_t pid)
{
    struct place *place = by_row(g, row);

    if (!place) {
        (void)kill(pid, SIGKILL); /* we gave it up meanwhile */
        return;
    }
    place->state = PLACE_ALIVE;
    place->pid = pid;
    place->silent_ms = 0;
    atomic_store_explicit(&peer_at(g->host.region, row)->pid, (uint32_t)pid, memory_order_relaxed);
    if (g->state == GENERATION_DRAINING)
        (void)kill(pid, SIGTERM);
    workers_poke(g);
    /* It may have died before the zygote told us of it, and been reaped as nobody's. */
    if (kill(pid, 0) != 0 && errno == ESRCH)
        (void)worker_exited(g, pid, 0);
}

/* What was ordered may come or not. One that serves already has left its pid in its row; else the
 * row is revoked, so that one that is still on its way exits at once (worker.c, take_place). */
static void orphan(struct generation *g, struct place *place)
{
    struct peer *peer = peer_at(g->host.region, place->row);
    uint32_t expected = PEER_STARTING;

    /* acq_rel: pairs with the worker's own swap; whoever is first has it */
    if (atomic_compare_exchange_strong_explicit(&peer->state, &expected, PEER_REVOKED,
                                                memory_order_acq_rel, memory_order_acquire)) {
        place->state = PLACE_EMPTY; /* the row rests until generations_sweep_revoked() */
        place->start_at_ms = 0;
        atomic_store_explicit(&peer->started_ms, mono_ms(), memory_order_relaxed);
        return;
    }
    worker_born(g, place->row, (pid_t)atomic_load_explicit(&peer->self_pid, memory_order_relaxed));
}

void worker_unborn(struct generation *g, uint32_t row, int error)
{
    struct place *place = by_row(g, row);

    if (!place)
        return;
    if (error == EIO) { /* who was to tell its pid has died (zygote.c, fork_worker) */
        orphan(g, place);
        if (place->state != PLACE_EMPTY)
            return;
    } else {
        clear_row(g, row);
        place->state = PLACE_EMPTY;
    }
    place->start_at_ms = mono_ms() + BACKOFF_FIRST_MS;
    log_error("the zygote can't fork a worker; it is tried again",
              log_str("error", strerror(error)));
    generation_reschedule(g);
}

/* Two on the same page within a minute: the page rests, so that a third is spared. */
static void note_poison(const struct generation *g, const struct place *place, int status)
{
    uint64_t key;
    char url[PEER_URL_BYTES + 1];
    bool hung = WIFEXITED(status) && WEXITSTATUS(status) == HERITAGE_EXIT_HUNG;

    if ((!hung && !WIFSIGNALED(status)) ||
        !peer_rendered(peer_at(g->host.region, place->row), &key, url))
        return;
    log_warn("it died while it rendered", log_uint("worker", place->number),
             log_int("pid", place->pid), log_str("url", url));
    if (poison_note(poison_of(g->host.region), key, mono_ms()))
        log_error("two workers died on one page: it is not rendered for a minute",
                  log_str("url", url));
}

static void log_death(const struct generation *g, const struct place *place, int status,
                      uint64_t lived_ms, uint64_t pause_ms)
{
    bool signalled = WIFSIGNALED(status);

    LOG_AT(pause_ms > 0 ? LOG_ERROR : LOG_WARN,
           pause_ms > 0 ? "a worker dies young again and again; its place waits before the next"
                        : "a worker has died and is replaced",
           log_uint("worker", place->number), log_int("pid", place->pid),
           log_uint("generation", g->heritage.generation),
           log_int(signalled ? "signal" : "status",
                   signalled ? WTERMSIG(status) : WEXITSTATUS(status)),
           log_str("reason", place->hung ? "hung" : NULL), log_uint("lived_ms", lived_ms),
           log_uint("pause_ms", pause_ms));
}

static void replace(struct generation *g, struct place *place, int status)
{
    uint64_t now_ms = mono_ms();
    uint64_t lived_ms = now_ms - place->ordered_ms;
    bool killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL && place->serving;
    uint64_t pause_ms;
    struct stats_master *stats = stats_master(g->host.region);

    if (WIFEXITED(status) && WEXITSTATUS(status) == HERITAGE_EXIT_HUNG)
        place->hung = killed = true; /* it did what we would have done, in better order */
    pause_ms = backoff_died(&place->backoff, lived_ms, killed);

    atomic_fetch_add_explicit(place->hung ? &stats->restarts_hung : &stats->restarts_crash, 1,
                              memory_order_relaxed);
    place->start_at_ms = now_ms + pause_ms;
    log_death(g, place, status, lived_ms, pause_ms);
    if (g->state == GENERATION_LOADING && place->backoff.early >= YOUNG_DEATHS_MAX)
        generation_refuse(g,
                          "its workers die as soon as they start; the log says with which signal");
    else if (g->state == GENERATION_LOADING && place->hung)
        generation_refuse(g, "its workers start but do not get to serve in time");
}

bool worker_exited(struct generation *g, pid_t pid, int status)
{
    for (size_t i = 0; i < g->place_count; i++) {
        struct place *place = &g->place[i];

        if (place->state != PLACE_ALIVE || place->pid != pid)
            continue;
        note_poison(g, place, status);
        clear_row(g, place->row);
        place->state = PLACE_EMPTY;
        if (recycle_exited(g, place))
            log_info("the recycled worker has gone", log_int("pid", pid));
        else if (g->state != GENERATION_DRAINING)
            replace(g, place, status);
        else if (WIFSIGNALED(status) && !g->killed)
            log_warn("a draining worker has died", log_int("pid", pid),
                     log_int("signal", WTERMSIG(status)));
        workers_fill(g);
        return true;
    }
    return false;
}

/* The zygote died, or was dismissed, while workers were on order. */
void workers_orphaned(struct generation *g)
{
    for (size_t i = 0; i < g->place_count; i++)
        if (g->place[i].state == PLACE_ORDERED)
            orphan(g, &g->place[i]);
}

void generations_sweep_revoked(const struct generation_host *host, uint64_t now_ms)
{
    for (uint32_t row = 0; row < REGION_PEERS_MAX; row++) {
        struct peer *peer = peer_at(host->region, row);

        if (atomic_load_explicit(&peer->state, memory_order_relaxed) == PEER_REVOKED &&
            now_ms - atomic_load_explicit(&peer->started_ms, memory_order_relaxed) >
                REVOKED_REST_MS) {
            (void)cold_reap(host->cold, row);
            peer_release(host->region, row);
        }
    }
}

void workers_poke(struct generation *g)
{
    size_t serving = 0;

    for (size_t i = 0; i < g->place_count; i++) {
        struct place *place = &g->place[i];

        if (place->state != PLACE_ALIVE)
            continue;
        /* acquire: pairs with the worker's release store of its state */
        if (atomic_load_explicit(&peer_at(g->host.region, place->row)->state,
                                 memory_order_acquire) >= PEER_SERVING)
            place->serving = true;
        serving += place->serving;
    }
    if (g->state == GENERATION_LOADING && serving == g->heritage.worker_count)
        generation_settle(g);
    recycle_poke(g);
}

/* A render that neither its deadline nor the watchdog could end: its worker goes. */
static bool is_hung(const struct peer *peer, uint64_t now_ns)
{
    uint64_t start_ns =
        atomic_load_explicit(&peer->render_start_ns, memory_order_acquire); /* pairs enter() */
    uint64_t limit_ns = atomic_load_explicit(&peer->render_limit_ns, memory_order_relaxed);

    return start_ns != 0 && now_ns > start_ns && now_ns - start_ns > limit_ns;
}

/* The longest that JavaScript may keep a process from its loop. */
static uint64_t render_max_ms(const struct generation *g)
{
    const struct config *config = g->config;
    uint64_t longest_ms = config->policy.timeout_ms;

    for (size_t i = 0; i < config->routes.count; i++)
        if (config->routes.item[i].policy.timeout_ms > longest_ms)
            longest_ms = config->routes.item[i].policy.timeout_ms;
    return longest_ms + config->render.grace_ms;
}

static bool is_silent(const struct generation *g, struct place *place, uint64_t passed_ms)
{
    uint64_t heartbeat_ms = atomic_load_explicit(&peer_at(g->host.region, place->row)->heartbeat_ms,
                                                 memory_order_relaxed);

    if (heartbeat_ms != place->heartbeat_ms) {
        place->heartbeat_ms = heartbeat_ms;
        place->silent_ms = 0;
    }
    place->silent_ms += passed_ms;
    if (place->state == PLACE_ORDERED)
        return place->silent_ms > ORDER_MS_MAX + render_max_ms(g);
    return place->silent_ms >
           (place->serving ? SILENCE_MS_MAX + render_max_ms(g) : generation_load_limit_ms(g));
}

static void tick_ordered(struct generation *g, struct place *place)
{
    place->silent_ms = 0;
    log_error("the zygote does not fork; it is killed", log_int("pid", g->zygote_pid));
    if (g->state == GENERATION_LOADING)
        generation_refuse(g, "its zygote has loaded it but does not fork workers in time");
    if (g->zygote_pid > 0)
        (void)kill(g->zygote_pid, SIGKILL);
}

static void tick_alive(struct generation *g, struct place *place, bool silent)
{
    bool renders = is_hung(peer_at(g->host.region, place->row), mono_ns());

    if (place->hung || (!renders && !silent))
        return;
    place->hung = true;
    log_error(renders          ? "a render does not end; its worker is killed"
              : place->serving ? "a worker gives no sign of life and is killed"
                               : "a worker does not get to serve and is killed",
              log_uint("worker", place->number), log_int("pid", place->pid));
    (void)kill(place->pid, SIGKILL);
}

void workers_tick(struct generation *g, uint64_t now_ms)
{
    uint64_t passed_ms = now_ms - g->tick_ms;

    if (passed_ms > TICK_MS_MAX) /* the first one too */
        passed_ms = TICK_MS_MAX;
    g->tick_ms = now_ms;
    for (size_t i = 0; i < g->place_count; i++) {
        struct place *place = &g->place[i];
        bool silent = place->state != PLACE_EMPTY && is_silent(g, place, passed_ms);

        if (place->state == PLACE_ALIVE)
            tick_alive(g, place, silent);
        else if (silent)
            tick_ordered(g, place);
    }
}

bool workers_accept(const struct generation *g)
{
    for (size_t i = 0; i < g->place_count; i++) {
        const struct place *place = &g->place[i];

        /* acquire: pairs with the worker's release store of DRAINING, made after it stopped */
        if (place->state == PLACE_ALIVE &&
            atomic_load_explicit(&peer_at(g->host.region, place->row)->state,
                                 memory_order_acquire) < PEER_DRAINING)
            return true;
    }
    return false;
}

size_t workers_alive(const struct generation *g)
{
    size_t count = 0;

    for (size_t i = 0; i < g->place_count; i++)
        count += g->place[i].state != PLACE_EMPTY;
    return count;
}

uint64_t workers_next_ms(const struct generation *g)
{
    uint64_t next = UINT64_MAX;

    for (size_t i = 0; i < g->place_count; i++)
        if (g->place[i].state == PLACE_EMPTY && !g->place[i].spare &&
            g->place[i].start_at_ms < next)
            next = g->place[i].start_at_ms;
    return next;
}
