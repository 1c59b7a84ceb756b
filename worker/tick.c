/* SPDX-License-Identifier: MIT */
/* tick.c - see tick.h. */
#include "worker/tick.h"

#include "shm/stats.h"
#include "worker/worker.h"

#include <event2/event.h>

uint64_t tick_turn(struct worker *worker, uint64_t tick_ns)
{
    uint64_t begin_ns = mono_ns();
    uint64_t callbacks = worker->callbacks;
    uint64_t took_ns;

    assert(!worker->ticking);
    worker->ticking = true;
    worker->tick_until_ns = begin_ns + tick_ns;
    (void)event_base_loop(worker->base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
    worker->ticking = false;
    stats_add(&worker->stats->ticks, 1);
    if (worker->callbacks == callbacks)
        return tick_ns;
    took_ns = (mono_ns() - begin_ns) / 3 * 2;
    return took_ns > tick_ns / 4 ? took_ns : tick_ns / 4;
}

void tick_note(struct worker *worker, uint64_t now_ns)
{
    worker->callbacks++;
    if (unlikely(worker->ticking) && now_ns >= worker->tick_until_ns) /* this one is the last */
        (void)event_base_loopbreak(worker->base);
}
