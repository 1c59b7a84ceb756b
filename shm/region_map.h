/* SPDX-License-Identifier: MIT */
/*
 * region_map.h - the byte map of the region, for the files of shm/ that live in it (and their
 * tests); everybody else goes through region.h. Shared by two processes, or by one and a file.
 *
 *   header    struct region_header, one page
 *   peers     struct peer[REGION_PEERS_MAX]
 *   stats     struct stats_table: a row a peer, the departed row, the master's row
 *   purge     struct purge
 *   claims    struct claims: who renders which key
 *   poison    struct poison: keys that are not rendered for now
 *   hits      struct hits_rows: a row a peer; only what is used of it has memory
 *   file      struct region_file, then a struct purge as purge_kept.h keeps it; nothing without a file
 *   index     _Atomic uint64_t[slots]
 *   ring      struct ring_table: the hand, then a struct ring_segment for each segment
 *   counts    _Atomic uint64_t[slots]: hits.h
 *   segments  segments * segment_bytes: the only section that counts against cache.cold
 *
 * Each section starts on a page. With cache.file those from `file` on are the file's, mapped behind
 * the others, so offsets are the same either way; the others are anonymous always. The header is
 * written by the master before the first fork and then only read, but for its words on lines of their
 * own.
 */
#ifndef SSRD_SHM_REGION_MAP_H
#define SSRD_SHM_REGION_MAP_H

#include "shm/region.h"

#include <stdatomic.h>

#define REGION_PAGE_BYTES ((uint64_t)4096)

enum region_section {
    REGION_PEERS,
    REGION_STATS,
    REGION_PURGE,
    REGION_CLAIMS,
    REGION_POISON,
    REGION_HITS,
    REGION_FILE, /* from here on: what a file keeps */
    REGION_INDEX,
    REGION_RING,
    REGION_COUNTS,
    REGION_SEGMENTS,
    REGION_SECTIONS,
};

struct region_header {
    uint64_t magic;
    uint32_t version;
    uint32_t header_bytes;
    uint64_t bytes; /* the whole region */
    uint64_t cold_bytes;
    uint64_t max_object_bytes; /* as bounded by region_create() */
    uint64_t slots;            /* of the index; a power of two */
    uint32_t segments;
    uint32_t segment_bytes; /* a power of two */
    uint64_t wall_start_ms; /* the two clocks at one moment: region_now_ms() */
    uint64_t mono_start_ms;
    uint64_t section_offset[REGION_SECTIONS];

    /* written by the master only */
    alignas(CACHE_LINE_BYTES) _Atomic uint32_t stopping;

    /* written by workers: reloads asked for over the admin listener, ever */
    alignas(CACHE_LINE_BYTES) _Atomic uint32_t reloads_asked;

    /* written by whoever met a page of the file that can't be had: region_guard.c */
    alignas(CACHE_LINE_BYTES) _Atomic uint32_t file_faults;

    /* struct log_shared: written by whoever sets the level */
    alignas(CACHE_LINE_BYTES) unsigned char log_level[CACHE_LINE_BYTES];
};
static_assert(offsetof(struct region_header, section_offset) == 72, "in shared memory");
static_assert(offsetof(struct region_header, stopping) == 192, "in shared memory");
static_assert(sizeof(struct region_header) == 448, "in shared memory");

struct region {
    struct region_header *header; /* also the mapping's address */
    size_t bytes;
    int file_fd; /* -1: no file; the description that is mapped, see region_file.h */
    int lock_fd; /* -1: no file */
};

static inline void *region_at(const struct region *region, enum region_section section)
{
    return (unsigned char *)region->header + region->header->section_offset[section];
}

/* What region_create() asks of the sections' owners. The memory given to init is zero. */
size_t stats_section_bytes(void);
size_t purge_section_bytes(void);
struct purge;
void purge_init(struct purge *purge);
size_t claims_section_bytes(void);
size_t poison_section_bytes(void);
size_t hits_section_bytes(void);
size_t hits_backed_bytes(void); /* of those, what has memory from the start */
size_t hits_counts_bytes(uint64_t slots);
struct claims;
void claims_init(struct claims *claims);

#endif
