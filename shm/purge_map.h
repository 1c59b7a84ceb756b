/* SPDX-License-Identifier: MIT */
/*
 * purge_map.h - how the purges stand in memory, for purge.c and purge_kept.c alone. Shared by all
 * processes; with a cache file a second one, whose epochs are purge_kept_word()s, is shared with the
 * file.
 */
#ifndef SSRD_SHM_PURGE_MAP_H
#define SSRD_SHM_PURGE_MAP_H

#include "shm/purge.h"

#include <stdatomic.h>
#include <string.h>

#define PURGE_WORDS 65536u
#define PURGE_PREFIXES 64u
#define PREFIX_WORDS (PURGE_PREFIX_BYTES_MAX / sizeof(uint64_t))

/* An entry's version: how often it was written, and in the low bits the pid of who is at it; 0: nobody. */
#define PURGE_PID_BITS 22 /* the kernel's PID_MAX_LIMIT */
#define PURGE_PID_MASK (((uint64_t)1 << PURGE_PID_BITS) - 1)

/* Lines are written by whoever purges. */
struct purge_prefix {
    alignas(CACHE_LINE_BYTES) _Atomic uint64_t version;
    _Atomic uint64_t epoch; /* 0: never used */
    _Atomic uint64_t bytes;
    _Atomic uint64_t text[PREFIX_WORDS]; /* zeroes behind the end */
};
static_assert(PURGE_PREFIX_BYTES_MAX % sizeof(uint64_t) == 0, "text is whole words");
static_assert(sizeof(struct purge_prefix) == 1024, "in shared memory");

struct purge {
    /* read at each hit, written by each purge */
    alignas(CACHE_LINE_BYTES) _Atomic uint64_t epoch;
    _Atomic uint64_t all;
    _Atomic uint64_t floor;
    uint64_t kept_offset; /* bytes from here to the copy in the cache file; 0: none. Written once,
                             before the first fork */
    /* written by prefix purges only */
    alignas(CACHE_LINE_BYTES) _Atomic uint64_t cursor;
    struct purge_prefix prefix[PURGE_PREFIXES];
    _Atomic uint64_t url[PURGE_WORDS];
    _Atomic uint64_t tag[PURGE_WORDS];
};
static_assert(offsetof(struct purge, cursor) == 64, "in shared memory");
static_assert(offsetof(struct purge, prefix) == 128, "in shared memory");
static_assert(offsetof(struct purge, url) == 128 + 64 * 1024, "in shared memory");

/* The i-th word of a text, zeroes behind its end. */
static inline uint64_t purge_text_word(const char *text, size_t bytes, size_t i)
{
    size_t at = i * sizeof(uint64_t);
    uint64_t word = 0;

    if (at < bytes)
        memcpy(&word, text + at, bytes - at < sizeof word ? bytes - at : sizeof word);
    return word;
}

/* Over length and text of an entry; never 0. Only its claimer, or a master alone, may ask. */
uint64_t purge_text_check(const struct purge_prefix *entry);

#endif
