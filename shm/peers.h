/* SPDX-License-Identifier: MIT */
/*
 * peers.h - a row for each worker alive: who it is, how it does, when its render began. Shared by
 * the master (which gives rows out and takes them back after waitpid) and the worker that owns
 * the row. One cache line has one kind of writer, named beside it.
 */
#ifndef SSRD_SHM_PEERS_H
#define SSRD_SHM_PEERS_H

#include "shm/base.h"

#include <stdatomic.h>

struct region;

#define PEER_URL_WORDS 15
#define PEER_URL_BYTES (PEER_URL_WORDS * 8)

enum peer_state {
    PEER_FREE,     /* nobody's */
    PEER_STARTING, /* given out by the master, the worker is being forked */
    PEER_SERVING,  /* accepts and answers */
    PEER_DRAINING, /* no longer accepts; finishes what it has */
    PEER_REVOKED,  /* the zygote died between fork and report: whoever finds this at its birth exits
                    */
};

/* Why a worker wants to be replaced. */
enum peer_wish { PEER_STAYS, PEER_RENDERED, PEER_RSS, PEER_HEAP };

struct peer {
    /* written by the master only */
    alignas(CACHE_LINE_BYTES) _Atomic uint32_t pid; /* 0: not known yet */
    _Atomic uint32_t generation;
    _Atomic int32_t cpu;         /* -1: not pinned */
    _Atomic uint32_t worker;     /* its number among the generation's workers */
    _Atomic uint64_t started_ms; /* mono */

    /* written by the worker; the master sets STARTING before the fork and FREE after reaping */
    alignas(CACHE_LINE_BYTES) _Atomic uint32_t state;
    _Atomic uint32_t self_pid;        /* set before SERVING: adopts a worker whose zygote died */
    _Atomic uint32_t wish;            /* enum peer_wish */
    _Atomic uint64_t heartbeat_ms;    /* mono, once a second, for the watchdog */
    _Atomic uint64_t render_start_ns; /* mono; 0: no JavaScript runs */
    _Atomic uint64_t render_limit_ns; /* how long that may take before the master ends it */

    /* written by the worker before render_start_ns: what it renders, in case it does not survive */
    alignas(CACHE_LINE_BYTES) _Atomic uint64_t render_key; /* for poison.h; 0: none */
    _Atomic uint64_t render_url[PEER_URL_WORDS];           /* its beginning, filled with zeros */
};
static_assert(sizeof(struct peer) == 4 * CACHE_LINE_BYTES, "in shared memory");

/* The worker's own row: what it is about to render. */
void peer_note_render(struct peer *peer, uint64_t key, const char *url, size_t url_bytes);

/* The page is made; what JavaScript still does is not its doing. */
void peer_forget_render(struct peer *peer);

/* Whether JavaScript ran in it that was making a page, and which: into url[PEER_URL_BYTES + 1], NUL-terminated, as
 * foreign as any bytes from shared memory. For the master, after waitpid(). */
bool peer_rendered(const struct peer *peer, uint64_t *ret_key, char *url);

/* Row number -> row; the table has REGION_PEERS_MAX rows. */
struct peer *peer_at(const struct region *region, uint32_t row);

/* Master only. A free row, marked STARTING; -ENOSPC when all are taken. */
int peer_claim(struct region *region, uint32_t generation, uint32_t worker, int32_t cpu,
               uint32_t *ret_row);
/* Master only, after waitpid(). */
void peer_release(struct region *region, uint32_t row);

#endif
