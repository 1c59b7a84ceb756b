/* SPDX-License-Identifier: MIT */
/*
 * hot.c - see hot.h. An index with open addressing (linear probing, deletion by shifting back, so
 * no tombstones), at most two thirds full, beside a queue in order of arrival over which the hand
 * of SIEVE moves from old to new.
 *
 * Bytes of pages that left the cache while a client was still being sent them count against the
 * budget until they are freed: slow clients make the cache smaller, never the worker bigger than
 * its budget and what is under way. For the same reason the hand passes over held pages: to evict
 * them frees nothing.
 */
#include "worker/hot.h"

#include "shm/hits.h"

#include <errno.h>
#include <mimalloc.h>
#include <string.h>

#define SLOTS_MIN 256u

struct slot {
    uint64_t hash;
    struct hot_page *page; /* NULL: empty */
};

TAILQ_HEAD(page_queue, hot_page);

struct hot {
    struct hits *hits;
    struct slot *slot;
    size_t slot_count;       /* a power of two */
    struct page_queue queue; /* newest first */
    struct hot_page *hand;   /* where the next eviction starts; NULL: at the oldest */
    uint64_t budget_bytes;
    uint64_t bytes;
    uint64_t entries;
    uint64_t evictions;
};

int hot_new(uint64_t budget_bytes, struct hits *hits, struct hot **ret_hot)
{
    struct hot *hot = calloc(1, sizeof *hot);

    if (!hot)
        return -ENOMEM;
    TAILQ_INIT(&hot->queue);
    hot->budget_bytes = budget_bytes;
    hot->hits = hits;
    hot->slot_count = SLOTS_MIN;
    hot->slot = calloc(hot->slot_count, sizeof *hot->slot);
    if (!hot->slot) {
        hot_free(hot);
        return -ENOMEM;
    }
    *ret_hot = hot;
    return 0;
}

void hot_free(struct hot *hot)
{
    struct hot_page *page;

    if (!hot)
        return;
    while ((page = TAILQ_FIRST(&hot->queue)))
        hot_remove(hot, page);
    assert(hot->bytes == 0);
    free(hot->slot);
    free(hot);
}

struct hot_page *hot_alloc(struct hot *hot, size_t page_bytes)
{
    size_t bytes = offsetof(struct hot_page, page) + page_bytes;
    struct hot_page *page;

    if (bytes < sizeof *page)
        bytes = sizeof *page;
    page = mi_malloc(bytes);
    if (!page)
        return NULL;
    memset(page, 0, sizeof *page);
    page->hot = hot;
    page->bytes = bytes;
    page->holders = 1;
    hot->bytes += bytes;
    return page;
}

void hot_release(struct hot_page *page)
{
    if (!page || --page->holders > 0)
        return;
    if (page->hits_cell != 0)
        hits_give(page->hot->hits, page->hits_cell);
    page->hot->bytes -= page->bytes;
    mi_free(page);
}

static size_t mask(const struct hot *hot)
{
    return hot->slot_count - 1;
}

struct hot_page *hot_get(struct hot *hot, const char *key, size_t key_bytes, uint64_t hash)
{
    for (size_t i = hash & mask(hot); hot->slot[i].page; i = (i + 1) & mask(hot)) {
        struct hot_page *page = hot->slot[i].page;

        if (hot->slot[i].hash != hash || !page_has_key(&page->page, key, key_bytes))
            continue;
        if (!page->visited)
            page->visited = true;
        return page;
    }
    return NULL;
}

static void insert_slot(struct slot *slots, size_t slot_mask, struct hot_page *page)
{
    size_t i = page->page.hash & slot_mask;

    while (slots[i].page)
        i = (i + 1) & slot_mask;
    slots[i] = (struct slot){page->page.hash, page};
}

static void remove_slot(struct hot *hot, const struct hot_page *page)
{
    size_t hole = page->page.hash & mask(hot);

    while (hot->slot[hole].page != page)
        hole = (hole + 1) & mask(hot);
    for (size_t i = (hole + 1) & mask(hot); hot->slot[i].page; i = (i + 1) & mask(hot)) {
        size_t home = hot->slot[i].hash & mask(hot);

        /* It may move into the hole unless its home lies behind the hole. */
        if (((i - home) & mask(hot)) >= ((i - hole) & mask(hot))) {
            hot->slot[hole] = hot->slot[i];
            hole = i;
        }
    }
    hot->slot[hole].page = NULL;
}

void hot_remove(struct hot *hot, struct hot_page *page)
{
    if (!page->cached)
        return;
    if (hot->hand == page)
        hot->hand = TAILQ_PREV(page, page_queue, link);
    remove_slot(hot, page);
    TAILQ_REMOVE(&hot->queue, page, link);
    page->cached = false;
    hot->entries--;
    hot_release(page);
}

/* Double the index when it is two thirds full; false: no memory, and it is full. */
static bool make_slot(struct hot *hot)
{
    size_t count = hot->slot_count * 2;
    struct hot_page *page;
    struct slot *slots;

    if ((hot->entries + 1) * 3 <= hot->slot_count * 2)
        return true;
    slots = calloc(count, sizeof *slots);
    if (!slots)
        return false;
    TAILQ_FOREACH(page, &hot->queue, link)
    insert_slot(slots, count - 1, page);
    free(hot->slot);
    hot->slot = slots;
    hot->slot_count = count;
    return true;
}

/* Evict until the budget holds. Two rounds at most: in the first each visited page loses its bit.
 */
static void make_room(struct hot *hot)
{
    uint64_t steps = hot->entries * 2;

    while (hot->bytes > hot->budget_bytes && hot->entries > 0 && steps-- > 0) {
        struct hot_page *page = hot->hand ? hot->hand : TAILQ_LAST(&hot->queue, page_queue);

        hot->hand = TAILQ_PREV(page, page_queue, link); /* NULL: from the oldest again */
        if (page->visited) {
            page->visited = false;
        } else if (page->holders == 1) {
            hot_remove(hot, page);
            hot->evictions++;
        }
    }
}

void hot_put(struct hot *hot, struct hot_page *page)
{
    struct hot_page *old =
        hot_get(hot, page_key(&page->page), page->page.key_bytes, page->page.hash);

    if (old == page)
        return;
    if (old)
        hot_remove(hot, old);
    if (page->bytes > hot->budget_bytes / 4 || !make_slot(hot))
        return;
    page->cached = true;
    page->visited = false;
    hot_hold(page);
    insert_slot(hot->slot, mask(hot), page);
    TAILQ_INSERT_HEAD(&hot->queue, page, link);
    hot->entries++;
    make_room(hot);
    if (hot->bytes > hot->budget_bytes) /* held pages fill it: this one waits for better times */
        hot_remove(hot, page);
}

struct hot_page *hot_find(struct hot *hot, bool (*wanted)(const struct hot_page *page, void *arg),
                          void *arg)
{
    struct hot_page *page;

    TAILQ_FOREACH(page, &hot->queue, link)
    {
        if (wanted(page, arg))
            return page;
    }
    return NULL;
}

void hot_figures(const struct hot *hot, struct hot_figures *ret_figures)
{
    *ret_figures = (struct hot_figures){
        .bytes = hot->bytes,
        .entries = hot->entries,
        .evictions = hot->evictions,
    };
}
