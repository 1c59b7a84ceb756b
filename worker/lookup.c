/* SPDX-License-Identifier: MIT */
/* lookup.c - see lookup.h. */
#include "worker/lookup.h"

#include "shm/cold.h"
#include "shm/purge.h"
#include "worker/hot.h"
#include "worker/http_state.h"
#include "worker/nonce.h"

#include <errno.h>
#include <mimalloc.h>

/* Its own edition, or that of the last bundle where cache.on_reload lets it be served stale. */
static bool is_ours(const struct http *http, const struct page *page)
{
    const struct heritage *heritage = http->worker->heritage;

    return likely(page->edition == heritage->edition) ||
           (heritage->edition_before != 0 && page->edition == heritage->edition_before);
}

static bool is_fresh(const struct http *http, const struct page *page)
{
    return page->fresh_until_ms > http->now_ms && page->edition == http->worker->heritage->edition;
}

/* Something was purged since it was checked last. */
static bool is_valid(struct http *http, struct hot_page *hot, uint64_t epoch)
{
    if (!purge_page_valid(http->worker->purge, &hot->page))
        return false;
    hot->checked_epoch = epoch;
    return true;
}

/* The hot page of the key, if it may be used in some way. *ret_fresh: as a hit, the usual case, for which
 * everything is asked once. */
static struct hot_page *find_hot(struct http *http, const struct key *key, uint64_t epoch,
                                 bool *ret_fresh)
{
    struct hot *cache = http->hot;
    struct hot_page *hot = hot_get(cache, key->data, key->bytes, key->hash);

    *ret_fresh = false;
    if (!hot)
        return NULL;
    if (unlikely(hot->checked_epoch != epoch) && !is_valid(http, hot, epoch)) {
        hot_remove(cache, hot);
        return NULL;
    }
    if (likely(is_fresh(http, &hot->page))) {
        *ret_fresh = true;
        return hot;
    }
    if (is_ours(http, &hot->page))
        return hot;
    hot_remove(cache, hot);
    return NULL;
}

/* A copy of the cold page, put into the hot cache. The caller becomes holder. */
static struct hot_page *find_cold(struct http *http, const struct key *key, uint64_t epoch)
{
    struct hot *cache = http->hot;
    struct hot_page *hot;
    struct cold_ref ref;

    if (cold_find(http->worker->cold, key->data, key->bytes, key->hash, &ref) != 0)
        return NULL;
    hot = hot_alloc(cache, ref.page_bytes);
    if (!hot)
        return NULL;
    hot->checked_epoch = epoch;
    if (cold_copy(http->worker->cold, &ref, key->data, key->bytes, &hot->page) != 0 ||
        !is_ours(http, &hot->page) ||
        ((hot->page.flags & PAGE_NONCE) &&
         hot->page.nonce != nonce_mark_id(http->worker->heritage->nonce_mark))) {
        hot_release(hot);
        return NULL;
    }
    if (is_fresh(http, &hot->page)) /* a stale one is worth no place */
        hot_put(cache, hot);
    return hot;
}

enum found lookup(struct http *http, const struct key *key, struct hot_page **ret_hot,
                  enum reply_origin *ret_origin)
{
    uint64_t epoch = purge_epoch(http->worker->purge);
    bool fresh;
    struct hot_page *hot = find_hot(http, key, epoch, &fresh);
    struct hot_page *cold;

    *ret_origin = REPLY_HOT;
    if (likely(fresh)) {
        *ret_hot = hot_hold(hot);
        return unlikely(page_is_vary(&hot->page)) ? FOUND_VARY : FOUND_FRESH;
    }
    if (hot)
        hot_hold(hot); /* finding the cold one may evict it */
    cold = find_cold(http, key, epoch);
    if (cold) {
        hot_release(hot);
        *ret_origin = REPLY_COLD;
        *ret_hot = cold;
        if (page_is_vary(&cold->page))
            return FOUND_VARY;
        return is_fresh(http, &cold->page) ? FOUND_FRESH : FOUND_STALE;
    }
    *ret_hot = hot;
    if (hot && page_is_vary(&hot->page))
        return FOUND_VARY;
    return hot ? FOUND_STALE : FOUND_NONE;
}

/* 0: the cold cache has the very page / -ENOENT: it has none / -ESTALE: it has another of the key. */
static int compare_cold(struct http *http, const struct page *page)
{
    struct cold *cold = http->worker->cold;
    const char *key = page_key(page);
    struct cold_ref ref;
    struct page *there;
    int error = cold_find(cold, key, page->key_bytes, page->hash, &ref);

    if (error)
        return -ENOENT;
    there = mi_malloc(ref.page_bytes);
    error = there ? cold_copy(cold, &ref, key, page->key_bytes, there) : -ENOENT;
    if (!error && there->checksum != page->checksum)
        error = -ESTALE;
    mi_free(there);
    return error;
}

void lookup_replace_cold(struct http *http, const struct page *page, const struct page *more)
{
    /* A newer one that comes between this look and the put is lost: the older is within its ttl and
     * not purged (cold_put() asks), so that is a render for nothing, and never a wrong page. */
    if (compare_cold(http, page) == 0)
        (void)cold_put(http->worker->cold, more);
}

bool lookup_is_replaced(struct http *http, const struct page *page)
{
    return compare_cold(http, page) == -ESTALE;
}
