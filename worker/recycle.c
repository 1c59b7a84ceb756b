/* SPDX-License-Identifier: MIT */
/* recycle.c - see recycle.h. */
#include "worker/recycle.h"

#include "shm/peers.h"
#include "shm/stats.h"
#include "worker/worker.h"

#include <stdio.h>
#include <unistd.h>

static enum peer_wish wish_of(const struct worker *w)
{
    return (enum peer_wish)atomic_load_explicit(&w->peer->wish, memory_order_relaxed);
}

static void ask(const struct worker *w, enum peer_wish wish)
{
    uint64_t one = 1;

    if (wish_of(w) != PEER_STAYS)
        return;
    atomic_store_explicit(&w->peer->wish, wish, memory_order_relaxed); /* carries only itself */
    (void)!write(w->heritage->master_wake_fd, &one, sizeof one);
}

static uint64_t load(const _Atomic uint64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

uint64_t recycle_renders(const struct stats *stats)
{
    return load(&stats->renders_ok) + load(&stats->renders_error) + load(&stats->renders_timeout) +
           load(&stats->renders_oom);
}

/* 0 when the kernel does not say. */
static uint64_t rss_bytes(void)
{
    FILE *file = fopen("/proc/self/statm", "re");
    unsigned long long size, resident = 0;

    if (!file)
        return 0;
    if (fscanf(file, "%llu %llu", &size, &resident) != 2)
        resident = 0;
    (void)fclose(file);
    return resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

bool recycle_look(struct worker *worker)
{
    uint64_t most = worker->config->render.max_requests;
    uint64_t most_bytes = worker->config->render.max_rss_bytes;

    if (wish_of(worker) == PEER_STAYS && most > 0 && recycle_renders(worker->stats) >= most)
        ask(worker, PEER_RENDERED);
    if (wish_of(worker) == PEER_STAYS && most_bytes > 0 && rss_bytes() > most_bytes)
        ask(worker, PEER_RSS);
    return wish_of(worker) != PEER_STAYS;
}

void recycle_after_collection(struct worker *worker, uint64_t used_bytes, uint64_t limit_bytes)
{
    if (used_bytes > limit_bytes / 4 * 3)
        ask(worker, PEER_HEAP);
}
