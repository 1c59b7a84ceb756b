/* SPDX-License-Identifier: MIT */
/*
 * cold_policy.c - replays a trace into the real cold cache: a region of the size asked for, whole
 * pages, cold_find() and cold_copy(), and cold_put() after a miss, as a worker does it (without a
 * hot cache before it). Several handles play as many workers, each with its open segments.
 */
#include "perf/eviction/cold_policy.h"

#include "shm/cold.h"
#include "shm/purge.h"
#include "shm/region.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define PAGE_BYTES_MAX (2 * MIB)
#define WORKERS_MAX 64

struct replayed {
    struct region *region;
    struct cold *cold[WORKERS_MAX];
    unsigned workers;
    struct page *page;
    char *body;
};

static void close_all(struct replayed *r)
{
    for (unsigned i = 0; i < r->workers; i++)
        cold_close(r->cold[i]);
    region_close(r->region);
    free(r->page);
    free(r->body);
}

static int open_all(struct replayed *r, uint64_t cache_bytes, unsigned workers)
{
    int rc = region_create(&(struct region_sizes){cache_bytes, PAGE_BYTES_MAX}, &r->region);

    if (rc != 0)
        return rc;
    r->page = malloc(PAGE_BYTES_MAX);
    r->body = calloc(1, PAGE_BYTES_MAX);
    if (r->page == NULL || r->body == NULL)
        return -ENOMEM;
    for (; r->workers < workers && rc == 0; r->workers += rc == 0)
        rc = cold_open(r->region, r->workers, &r->cold[r->workers]);
    return rc;
}

/* A page of exactly the object's size, of the time given. */
static void build(struct replayed *r, const struct trace *trace, uint32_t o, struct span key,
                  uint64_t hash, uint64_t now_ms)
{
    struct page_source source = {
        .hash = hash,
        .path_hash = hash,
        .epoch = purge_epoch(purge_of(r->region)),
        .stored_ms = now_ms,
        .fresh_until_ms = UINT64_MAX / 2,
        .status = 200,
        .key = key,
        .path_bytes = (uint32_t)key.bytes,
    };

    source.variant[PAGE_IDENTITY] = (struct page_variant_source){{"H\r\n", 3}, {r->body, 0}, {0}};
    source.variant[PAGE_IDENTITY].body.bytes = trace->bytes[o] - page_bytes(&source);
    page_build(&source, r->page);
}

static bool get(struct replayed *r, struct cold *cold, struct span key, uint64_t hash)
{
    struct cold_ref ref;

    return cold_find(cold, key.data, key.bytes, hash, &ref) == 0 &&
           cold_copy(cold, &ref, key.data, key.bytes, r->page) == 0;
}

int cold_policy_run(const struct trace *trace, uint64_t cache_bytes, unsigned workers,
                    struct misses *ret_misses)
{
    struct replayed r = {0};
    struct misses misses = {0};
    int rc = workers <= WORKERS_MAX ? open_all(&r, cache_bytes, workers) : -EINVAL;

    for (size_t i = 0; i < trace->requests && rc == 0; i++) {
        struct cold *cold = r.cold[i % workers];
        uint32_t o = trace->object[i];
        char key[16];
        struct span span = {key, (size_t)snprintf(key, sizeof key, "/%08x", o)};
        uint64_t hash = purge_url_hash(key, span.bytes);

        if (get(&r, cold, span, hash))
            continue;
        misses.requests++;
        misses.bytes += trace->bytes[o];
        build(&r, trace, o, span, hash, /* now_ms= */ i);
        (void)cold_put(cold, r.page); /* refused: not stored */
    }
    close_all(&r);
    if (rc == 0)
        *ret_misses = misses;
    return rc;
}
