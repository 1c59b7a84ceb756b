/* SPDX-License-Identifier: MIT */
/*
 * policy.c - FIFO, LRU, clock, SIEVE and S3-FIFO over lists of object numbers. SIEVE: Zhang et al.,
 * NSDI 2024. S3-FIFO: Yang et al., SOSP 2023, with its parameters: a tenth of the bytes for the
 * small queue, ghosts for as many bytes as the main queue has, promoted when asked for twice more.
 * A page larger than the cache is not stored by any of them.
 */
#include "perf/eviction/policy.h"

#include <errno.h>

#define NONE UINT32_MAX

/* Lists: the newest first. An object is on one of them or on none. */
enum { L_NONE, L_MAIN, L_SMALL, L_GHOST, LISTS };

struct node {
    uint32_t newer, older;
    uint8_t list;
    uint8_t heat;
};

struct sim {
    const struct trace *trace;
    struct node *node;
    uint32_t newest[LISTS], oldest[LISTS];
    uint64_t bytes[LISTS];
    uint64_t cache_bytes;
    uint32_t hand; /* SIEVE's */
};

static void unlink_node(struct sim *s, uint32_t o)
{
    struct node *n = &s->node[o];

    if (n->newer != NONE)
        s->node[n->newer].older = n->older;
    else
        s->newest[n->list] = n->older;
    if (n->older != NONE)
        s->node[n->older].newer = n->newer;
    else
        s->oldest[n->list] = n->newer;
    s->bytes[n->list] -= s->trace->bytes[o];
    n->list = L_NONE;
}

static void push(struct sim *s, uint32_t o, uint8_t list)
{
    struct node *n = &s->node[o];

    *n = (struct node){.newer = NONE, .older = s->newest[list], .list = list, .heat = n->heat};
    if (n->older != NONE)
        s->node[n->older].newer = o;
    else
        s->oldest[list] = o;
    s->newest[list] = o;
    s->bytes[list] += s->trace->bytes[o];
}

static void move(struct sim *s, uint32_t o, uint8_t list)
{
    unlink_node(s, o);
    push(s, o, list);
}

/* What differs: what a hit does, and how one step makes room (or gets nearer to it). */
struct policy {
    void (*hit)(struct sim *s, uint32_t o);
    void (*make_room)(struct sim *s);
    void (*store)(struct sim *s, uint32_t o);
};

static int replay(const struct policy *policy, const struct trace *trace, uint64_t cache_bytes,
                  struct misses *ret)
{
    autofree struct node *node = calloc(trace->objects, sizeof *node);
    struct sim s = {.trace = trace, .node = node, .cache_bytes = cache_bytes, .hand = NONE};
    struct misses misses = {0};

    if (node == NULL)
        return -ENOMEM;
    for (int i = 0; i < LISTS; i++)
        s.newest[i] = s.oldest[i] = NONE;
    for (size_t i = 0; i < trace->requests; i++) {
        uint32_t o = trace->object[i];
        uint64_t bytes = trace->bytes[o];

        if (node[o].list == L_MAIN || node[o].list == L_SMALL) {
            policy->hit(&s, o);
            continue;
        }
        misses.requests++;
        misses.bytes += bytes;
        if (bytes > cache_bytes)
            continue;
        while (s.bytes[L_MAIN] + s.bytes[L_SMALL] + bytes > cache_bytes)
            policy->make_room(&s);
        policy->store(&s, o);
    }
    *ret = misses;
    return 0;
}

static void hit_nothing(struct sim *s, uint32_t o)
{
    (void)s;
    (void)o;
}

static void hit_heat(struct sim *s, uint32_t o)
{
    s->node[o].heat = 1;
}

static void hit_front(struct sim *s, uint32_t o)
{
    move(s, o, L_MAIN);
}

static void drop_oldest(struct sim *s)
{
    unlink_node(s, s->oldest[L_MAIN]);
}

static void store_main(struct sim *s, uint32_t o)
{
    s->node[o].heat = 0;
    push(s, o, L_MAIN);
}

int fifo_run(const struct trace *trace, uint64_t cache_bytes, struct misses *ret_misses)
{
    static const struct policy fifo = {hit_nothing, drop_oldest, store_main};

    return replay(&fifo, trace, cache_bytes, ret_misses);
}

int lru_run(const struct trace *trace, uint64_t cache_bytes, struct misses *ret_misses)
{
    static const struct policy lru = {hit_front, drop_oldest, store_main};

    return replay(&lru, trace, cache_bytes, ret_misses);
}

static void clock_room(struct sim *s)
{
    uint32_t o = s->oldest[L_MAIN];

    if (s->node[o].heat > 0) {
        s->node[o].heat--;
        move(s, o, L_MAIN);
    } else {
        unlink_node(s, o);
    }
}

int clock_run(const struct trace *trace, uint64_t cache_bytes, struct misses *ret_misses)
{
    static const struct policy clock_policy = {hit_heat, clock_room, store_main};

    return replay(&clock_policy, trace, cache_bytes, ret_misses);
}

static void sieve_room(struct sim *s)
{
    uint32_t o = s->hand != NONE ? s->hand : s->oldest[L_MAIN];

    s->hand = s->node[o].newer;
    if (s->node[o].heat > 0)
        s->node[o].heat = 0;
    else
        unlink_node(s, o);
}

int sieve_run(const struct trace *trace, uint64_t cache_bytes, struct misses *ret_misses)
{
    static const struct policy sieve = {hit_heat, sieve_room, store_main};

    return replay(&sieve, trace, cache_bytes, ret_misses);
}

static void s3_hit(struct sim *s, uint32_t o)
{
    if (s->node[o].heat < 3)
        s->node[o].heat++;
}

static void s3_room(struct sim *s)
{
    uint32_t o = s->oldest[L_SMALL];

    if (s->bytes[L_SMALL] < s->cache_bytes / 10 || o == NONE) {
        if (s->oldest[L_MAIN] != NONE)
            clock_room(s);
        else
            move(s, o, L_GHOST);
        return;
    }
    if (s->node[o].heat > 1) {
        s->node[o].heat = 0;
        move(s, o, L_MAIN);
        while (s->bytes[L_MAIN] > s->cache_bytes - s->cache_bytes / 10)
            clock_room(s);
        return;
    }
    move(s, o, L_GHOST);
    while (s->bytes[L_GHOST] > s->cache_bytes - s->cache_bytes / 10)
        unlink_node(s, s->oldest[L_GHOST]);
}

static void s3_store(struct sim *s, uint32_t o)
{
    uint8_t list = s->node[o].list == L_GHOST ? L_MAIN : L_SMALL;

    if (list == L_MAIN)
        unlink_node(s, o);
    s->node[o].heat = 0;
    push(s, o, list);
}

int s3fifo_run(const struct trace *trace, uint64_t cache_bytes, struct misses *ret_misses)
{
    static const struct policy s3 = {s3_hit, s3_room, s3_store};

    return replay(&s3, trace, cache_bytes, ret_misses);
}
