/* SPDX-License-Identifier: MIT */
/*
 * region.h - the one mapping that all processes share, and where everything stands in it.
 * Made by the master before the first fork; children inherit it at the same address, but what
 * lies in it uses offsets all the same, because it may be a file that outlives us.
 *
 * Byte map: header | peers | stats | purge | claims | index | segments; each section starts on a page.
 */
#ifndef SSRD_SHM_REGION_H
#define SSRD_SHM_REGION_H

#include "shm/base.h"

#define REGION_MAGIC 0x6e6f69676572641bull /* "ESC dregion", little-endian */
#define REGION_VERSION 3u

#define REGION_PEERS_MAX 1024 /* workers alive at once, draining ones included */

struct region; /* private handle: the mapping's address, size and descriptor */

struct region_sizes {
    uint64_t cold_bytes;       /* budget of the cold cache: segments only, 1 MiB or more */
    uint64_t max_object_bytes; /* largest page */
};

/*
 * A fresh region. All of it but the segments is backed now, a segment when it is first used, so
 * that memory that runs out is an error and never a SIGBUS. max_object_bytes is cut to a quarter of
 * the cold cache. 0 / -ENOMEM, -ENOSPC: not enough memory for all of it / -EINVAL: sizes out of
 * range.
 */
int region_create(const struct region_sizes *sizes, struct region **ret_region);

/* Unmap and forget; the memory goes with its last process. Takes NULL. */
void region_close(struct region *region);

/*
 * The cold clock: milliseconds since 1970 when the region was made, then monotonic, so that a
 * step of the wall clock neither ages nor rejuvenates a page. The same in all processes.
 */
uint64_t region_now_ms(const struct region *region);

/* The same for a moment of mono_ns() that the caller has read already. */
uint64_t region_clock_ms(const struct region *region, uint64_t mono_ns_read);

/* The shared log level, for log_share(). */
struct log_shared;
struct log_shared *region_log_level(const struct region *region);

/* A worker asks the master for a reload (POST /reload), then wakes it: as another user it may not
 * send signals. The master compares the count with the last that it has seen. */
void region_ask_reload(struct region *region);
uint32_t region_reloads_asked(const struct region *region);

/* True once the master is stopping for good: workers then close idle connections at once. */
bool region_stopping(const struct region *region);
void region_set_stopping(struct region *region);

#endif
