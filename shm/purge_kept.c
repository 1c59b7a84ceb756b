/* SPDX-License-Identifier: MIT */
/*
 * purge_kept.c - see purge_kept.h. The file's copy of the purges is written as they happen and read
 * once, by the next master, before it forks anybody. All its orders are relaxed: while processes run it
 * is written only, and what a machine that goes down leaves of it is not read at all (region_file.c).
 *
 * Where the epoch goes on. A purger raises the live epoch and then the kept one, so when all are
 * killed the kept one is behind by at most one for each process. The next start adds that many, so
 * that the first purge after it covers all pages of before.
 */
#include "shm/purge_kept.h"

#include "shm/fault.h"
#include "shm/purge_map.h"
#include "shm/region_map.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

/* Workers, zygotes and the master, with room. */
#define EPOCHS_BEHIND (2 * REGION_PEERS_MAX)

#define CHECK_BITS 16

static uint64_t check_of(uint64_t epoch)
{
    return (epoch * UINT64_C(0x9e3779b97f4a7c15)) >> (64 - CHECK_BITS);
}

uint64_t purge_kept_word(uint64_t epoch)
{
    return epoch << CHECK_BITS | check_of(epoch);
}

bool purge_kept_read(uint64_t word, uint64_t *ret_epoch)
{
    if (purge_kept_word(word >> CHECK_BITS) != word)
        return false;
    *ret_epoch = word >> CHECK_BITS;
    return true;
}

void purge_kept_raise(_Atomic uint64_t *word, uint64_t epoch)
{
    uint64_t now = atomic_load_explicit(word, memory_order_relaxed);
    uint64_t then;

    while ((!purge_kept_read(now, &then) || then < epoch) &&
           !atomic_compare_exchange_weak_explicit(word, &now, purge_kept_word(epoch),
                                                  memory_order_relaxed, memory_order_relaxed))
        continue;
}

uint64_t purge_text_check(const struct purge_prefix *entry)
{
    uint64_t text[PREFIX_WORDS + 1];
    uint64_t check;

    text[PREFIX_WORDS] = atomic_load_explicit(&entry->bytes, memory_order_relaxed);
    for (size_t i = 0; i < PREFIX_WORDS; i++)
        text[i] = atomic_load_explicit(&entry->text[i], memory_order_relaxed);
    check = XXH3_64bits(text, sizeof text);
    return check != 0 ? check : 1;
}

static void lead_to_copy(struct purge *live, struct purge *kept)
{
    live->kept_offset = (uint64_t)((unsigned char *)kept - (unsigned char *)live);
}

void purge_kept_begin(struct purge *live, struct purge *kept)
{
    memset((void *)kept, 0, sizeof *kept);
    memset((void *)live, 0, sizeof *live);
    purge_init(live);
    FAULT(kept_cleared);
    purge_kept_raise(&kept->epoch, atomic_load_explicit(&live->epoch, memory_order_relaxed));
    lead_to_copy(live, kept);
}

/* One word of before; `epoch` is the one to go on with. */
static void resume_word(_Atomic uint64_t *live, _Atomic uint64_t *kept, uint64_t epoch)
{
    uint64_t word = atomic_load_explicit(kept, memory_order_relaxed);
    uint64_t then;

    if (!purge_kept_read(word, &then) || then > epoch) {
        then = epoch;
        atomic_store_explicit(kept, purge_kept_word(then), memory_order_relaxed);
    }
    atomic_store_explicit(live, then, memory_order_relaxed);
    FAULT(kept_word_resumed);
}

static void clear_prefix(struct purge_prefix *entry)
{
    memset((void *)entry, 0, sizeof *entry);
}

/* True: the entry holds what was purged, or nothing. */
static bool resume_prefix(struct purge_prefix *live, struct purge_prefix *kept, uint64_t epoch)
{
    uint64_t bytes = atomic_load_explicit(&kept->bytes, memory_order_relaxed);

    if (atomic_load_explicit(&kept->epoch, memory_order_relaxed) == 0) {
        clear_prefix(kept);
        return true;
    }
    if (bytes > PURGE_PREFIX_BYTES_MAX ||
        atomic_load_explicit(&kept->version, memory_order_relaxed) != purge_text_check(kept))
        return false;
    resume_word(&live->epoch, &kept->epoch, epoch);
    atomic_store_explicit(&live->bytes, bytes, memory_order_relaxed);
    for (size_t i = 0; i < PREFIX_WORDS; i++)
        atomic_store_explicit(&live->text[i],
                              atomic_load_explicit(&kept->text[i], memory_order_relaxed),
                              memory_order_relaxed);
    return true;
}

bool purge_kept_resume(struct purge *live, struct purge *kept)
{
    uint64_t epoch;

    if (!purge_kept_read(atomic_load_explicit(&kept->epoch, memory_order_relaxed), &epoch) ||
        epoch == 0 || epoch > PURGE_KEPT_MAX / 2)
        return false;
    epoch += EPOCHS_BEHIND;
    memset((void *)live, 0, sizeof *live);
    atomic_store_explicit(&live->epoch, epoch, memory_order_relaxed);
    atomic_store_explicit(&kept->epoch, purge_kept_word(epoch), memory_order_relaxed);
    FAULT(kept_epoch_resumed);
    resume_word(&live->all, &kept->all, epoch);
    resume_word(&live->floor, &kept->floor, epoch);
    for (size_t i = 0; i < PURGE_WORDS; i++) {
        resume_word(&live->url[i], &kept->url[i], epoch);
        resume_word(&live->tag[i], &kept->tag[i], epoch);
    }
    for (size_t i = 0; i < PURGE_PREFIXES; i++) {
        FAULT(kept_prefix_resumed);
        if (resume_prefix(&live->prefix[i], &kept->prefix[i], epoch))
            continue;
        /* what it covered is not known: everything of before */
        clear_prefix(&kept->prefix[i]);
        purge_kept_raise(&kept->floor, epoch);
        atomic_store_explicit(&live->floor, epoch, memory_order_relaxed);
    }
    lead_to_copy(live, kept);
    return true;
}
