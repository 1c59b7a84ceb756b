/* SPDX-License-Identifier: MIT */
/*
 * hot.h - the pages that one worker keeps in its own memory: what a hit is answered from without
 * lock, system call or allocation. One thread. Eviction is SIEVE (Zhang et al., NSDI 2024): a hit
 * writes one bit at most. Budget and pinned pages: worker/README.md, "Hot cache".
 */
#ifndef SSRD_WORKER_HOT_H
#define SSRD_WORKER_HOT_H

#include "shm/base.h"
#include "shm/page.h"

#include <sys/queue.h>

struct hits;
struct hot;

/* A page in memory, in the cache or not; freed when the last holder lets go. */
struct hot_page {
    struct hot *hot; /* for hot_release() */
    TAILQ_ENTRY(hot_page) link;
    uint64_t checked_epoch; /* purge epoch at which it was last found valid */
    size_t bytes;           /* of the allocation */
    uint32_t holders;       /* the cache itself counts as one */
    bool cached;
    bool visited;
    uint16_t hits_cell; /* where its hits are counted: shm/hits.h */
    struct page page;   /* its bytes go on behind the struct */
};

/* budget_bytes: of the pages, their overhead included. hits: must outlive the cache; NULL: nothing is counted.
 * 0 / -ENOMEM. */
int hot_new(uint64_t budget_bytes, struct hits *hits, struct hot **ret_hot);
void hot_free(struct hot *hot); /* takes NULL; no page may be held by others then */

/* Room for a page, not in the cache yet, its bytes not written; the caller is its one holder.
 * NULL: out of memory. */
struct hot_page *hot_alloc(struct hot *hot, size_t page_bytes);

/* The page of a key, or NULL. Borrowed: valid until the next call that may evict, unless held.
 * Freshness, edition and purges are the caller's to judge. */
struct hot_page *hot_get(struct hot *hot, const char *key, size_t key_bytes, uint64_t hash);

/* Put a page, built by now, into the cache in place of the one of the same key; evicts. The caller
 * stays holder. A page above a quarter of the budget is not taken: it lives as long as it is held.
 */
void hot_put(struct hot *hot, struct hot_page *page);

/* Take a page out of the cache; freed at once unless someone holds it. */
void hot_remove(struct hot *hot, struct hot_page *page);

static inline struct hot_page *hot_hold(struct hot_page *page)
{
    page->holders++;
    return page;
}
void hot_release(struct hot_page *page); /* takes NULL */

/* The youngest page in the cache that `wanted` says yes to, or NULL; as hot_get(), without a visit. */
struct hot_page *hot_find(struct hot *hot, bool (*wanted)(const struct hot_page *page, void *arg),
                          void *arg);

struct hot_figures {
    uint64_t bytes;   /* all that pages of this cache occupy, those held by slow clients included */
    uint64_t entries; /* in the cache */
    uint64_t evictions;
};
void hot_figures(const struct hot *hot, struct hot_figures *ret_figures);

#endif
