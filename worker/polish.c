/* SPDX-License-Identifier: MIT */
/*
 * polish.c - see polish.h. One page and encoding at a time: looked for in the hot cache, packed aside (the
 * page is held and its bytes don't change, so nothing else of the worker's is touched), and put into
 * both caches in the place of the page that it was made of, if that is still there.
 */
#include "worker/polish.h"

#include "shm/region.h"
#include "shm/stats.h"
#include "worker/compress_slow.h"
#include "worker/encode.h"
#include "worker/hot.h"
#include "worker/http_state.h"
#include "worker/lane.h"
#include "worker/lookup.h"

#include <errno.h>

#define FRESH_MS 10000u /* so long at least a page must go on being fresh */

struct polish {
    struct http *http;
    struct hot_page *page; /* held; NULL: none at hand */
    enum page_encoding encoding;
    struct compress_slow *slow;
    bool done;
    uint64_t now_ms; /* cold clock */
};

int polish_new(struct http *http, struct polish **ret_polish)
{
    struct polish *p = calloc(1, sizeof *p);

    if (!p)
        return -ENOMEM;
    p->http = http;
    *ret_polish = p;
    return 0;
}

static void let_go(struct polish *p)
{
    compress_slow_free(p->slow);
    hot_release(p->page);
    p->slow = NULL;
    p->page = NULL;
    p->done = false;
}

void polish_free(struct polish *p)
{
    if (!p)
        return;
    let_go(p);
    free(p);
}

/* Asked for again since it came into the cache or the hand last passed, and not soon to be rendered anew. */
static bool is_worth_it(const struct hot_page *hot, void *arg)
{
    const struct polish *p = arg;
    const struct page *page = &hot->page;

    return hot->visited && page->fresh_until_ms > p->now_ms + FRESH_MS &&
           page->edition == p->http->worker->heritage->edition &&
           page_variant(page, PAGE_IDENTITY)->body_bytes <= COMPRESS_SLOW_BYTES_MAX &&
           encoder_improvable(page) != PAGE_IDENTITY;
}

/* Another worker may have done it, or have rendered the page anew: then ours makes room for that one. */
static bool find(struct polish *p)
{
    struct http *http = p->http;
    struct hot_page *hot;

    p->now_ms = region_clock_ms(http->region, mono_ns());
    while ((hot = hot_find(http->hot, is_worth_it, p))) {
        const struct page_variant *v = page_variant(&hot->page, PAGE_IDENTITY);

        if (lookup_is_replaced(http, &hot->page)) {
            hot_remove(http->hot, hot);
            continue;
        }
        p->page = hot_hold(hot);
        p->encoding = encoder_improvable(&hot->page);
        p->slow = compress_slow_new(
            p->encoding, (struct span){page_at(&hot->page, v->body_offset), v->body_bytes});
        if (p->slow)
            return true;
        hot->page.flags |= PAGE_PACKED_BEST(p->encoding); /* don't try that again */
        let_go(p);
    }
    return false;
}

static void finish(struct polish *p)
{
    struct http *http = p->http;
    struct hot_page *old = p->page;
    struct hot_page *made =
        old->cached ? encoder_improve(http->hot, old, p->encoding, compress_slow_result(p->slow))
                    : NULL;

    if (made) {
        hot_put(http->hot, made);
        lookup_replace_cold(http, &old->page, &made->page);
        hot_release(made);
        stats_add(&http->worker->stats->pages_polished, 1);
    }
    let_go(p);
}

/* Others may be turning the loop. */
static void work(void *arg)
{
    struct polish *p = arg;

    p->done = compress_slow_step(p->slow);
}

bool polish_turn(struct polish *p)
{
    if (!p->page && !find(p))
        return false;
    if (!p->page->cached) { /* replaced, evicted or purged meanwhile */
        let_go(p);
        return true;
    }
    lane_aside(p->http->worker->lane, work, p);
    if (p->done)
        finish(p);
    return true;
}
