/* SPDX-License-Identifier: MIT */
/*
 * peers.c - gives rows of the peers table out and takes them back. The master alone does both,
 * so no row is fought over; who holds a row is repaired by the master after waitpid() (cold_reap(),
 * claim_reap(), stats_retire(), then peer_release(), in this order: a row given out again must hold nothing).
 */
#include "shm/peers.h"

#include "shm/region_map.h"

#include <errno.h>
#include <string.h>

struct peer *peer_at(const struct region *region, uint32_t row)
{
    struct peer *peers = region_at(region, REGION_PEERS);

    return row < REGION_PEERS_MAX ? &peers[row] : NULL;
}

int peer_claim(struct region *region, uint32_t generation, uint32_t worker, int32_t cpu,
               uint32_t *ret_row)
{
    for (uint32_t row = 0; row < REGION_PEERS_MAX; row++) {
        struct peer *peer = peer_at(region, row);

        if (atomic_load_explicit(&peer->state, memory_order_relaxed) != PEER_FREE)
            continue;
        atomic_store_explicit(&peer->pid, 0, memory_order_relaxed);
        atomic_store_explicit(&peer->generation, generation, memory_order_relaxed);
        atomic_store_explicit(&peer->cpu, cpu, memory_order_relaxed);
        atomic_store_explicit(&peer->worker, worker, memory_order_relaxed);
        atomic_store_explicit(&peer->started_ms, mono_ms(), memory_order_relaxed);
        atomic_store_explicit(&peer->heartbeat_ms, 0, memory_order_relaxed);
        atomic_store_explicit(&peer->wish, PEER_STAYS, memory_order_relaxed);
        atomic_store_explicit(&peer->render_start_ns, 0, memory_order_relaxed);
        atomic_store_explicit(&peer->render_limit_ns, 0, memory_order_relaxed);
        /* release: whoever reads the state with acquire sees the row above it */
        atomic_store_explicit(&peer->state, PEER_STARTING, memory_order_release);
        *ret_row = row;
        return 0;
    }
    return -ENOSPC;
}

void peer_release(struct region *region, uint32_t row)
{
    struct peer *peer = peer_at(region, row);

    if (peer == NULL)
        return;
    atomic_store_explicit(&peer->pid, 0, memory_order_relaxed);
    atomic_store_explicit(&peer->render_start_ns, 0, memory_order_relaxed);
    /* release: pairs as in peer_claim() */
    atomic_store_explicit(&peer->state, PEER_FREE, memory_order_release);
}

void peer_note_render(struct peer *peer, uint64_t key, const char *url, size_t url_bytes)
{
    uint64_t words[PEER_URL_WORDS] = {0};

    memcpy(words, url, url_bytes < sizeof words ? url_bytes : sizeof words);
    atomic_store_explicit(&peer->render_key, key, memory_order_relaxed);
    for (unsigned i = 0; i < PEER_URL_WORDS; i++)
        atomic_store_explicit(&peer->render_url[i], words[i], memory_order_relaxed);
}

void peer_forget_render(struct peer *peer)
{
    atomic_store_explicit(&peer->render_url[0], 0, memory_order_relaxed);
}

bool peer_rendered(const struct peer *peer, uint64_t *ret_key, char *url)
{
    uint64_t words[PEER_URL_WORDS];

    /* relaxed: its writer has been waited for */
    if (atomic_load_explicit(&peer->render_start_ns, memory_order_relaxed) == 0)
        return false;
    *ret_key = atomic_load_explicit(&peer->render_key, memory_order_relaxed);
    for (unsigned i = 0; i < PEER_URL_WORDS; i++)
        words[i] = atomic_load_explicit(&peer->render_url[i], memory_order_relaxed);
    memcpy(url, words, sizeof words);
    url[sizeof words] = '\0';
    return url[0] != '\0';
}
