/* SPDX-License-Identifier: MIT */
/*
 * generation_recycle.c - workers that ask to be replaced: too many renders, too much memory. One at
 * a time, and the successor serves before the old one is told to go. So a generation has one place
 * more than it has workers: the spare one takes the successor, and the place that it leaves empty is
 * the spare one from then on.
 */
#include "master/generation_internal.h"
#include "shm/log.h"
#include "shm/peers.h"
#include "shm/stats.h"

#include <signal.h>

static enum peer_wish wish_of(const struct generation *g, const struct place *place)
{
    if (place->state != PLACE_ALIVE || !place->serving || place->spare)
        return PEER_STAYS;
    return atomic_load_explicit(&peer_at(g->host.region, place->row)->wish, memory_order_relaxed);
}

static struct place *find_spare(struct generation *g)
{
    for (size_t i = 0; i < g->place_count; i++)
        if (g->place[i].spare && g->place[i].state == PLACE_EMPTY)
            return &g->place[i];
    return NULL;
}

static void begin(struct generation *g, struct place *old, enum peer_wish wish)
{
    static const char *const why[] = {
        [PEER_RENDERED] = "render.max_requests",
        [PEER_RSS] = "render.max_rss",
        [PEER_HEAP] = "heap",
    };
    struct place *successor = find_spare(g);

    if (!successor)
        return;
    log_info("a worker is recycled", log_uint("worker", old->number), log_int("pid", old->pid),
             log_str("reason", wish <= PEER_HEAP ? why[wish] : "?"));
    successor->spare = false;
    successor->cpu = old->cpu;
    successor->start_at_ms = 0;
    g->leaver = old;
    g->successor = successor;
    workers_fill(g);
}

void recycle_poke(struct generation *g)
{
    if (g->state != GENERATION_SERVING)
        return;
    if (g->leaver) {
        if (g->successor->state == PLACE_ALIVE && g->successor->serving && !g->leaver->spare) {
            g->leaver->spare = true; /* nobody comes after it */
            (void)kill(g->leaver->pid, SIGTERM);
        }
        return;
    }
    for (size_t i = 0; i < g->place_count && !g->leaver; i++) {
        enum peer_wish wish = wish_of(g, &g->place[i]);

        if (wish != PEER_STAYS)
            begin(g, &g->place[i], wish);
    }
}

bool recycle_exited(struct generation *g, struct place *place)
{
    bool told = place->spare;

    if (place != g->leaver)
        return false;
    place->spare = true; /* also when it died before it was told: its successor is on the way */
    g->leaver = g->successor = NULL;
    if (told)
        atomic_fetch_add_explicit(&stats_master(g->host.region)->restarts_recycled, 1,
                                  memory_order_relaxed);
    return told;
}
