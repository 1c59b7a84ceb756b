/* SPDX-License-Identifier: MIT */
/*
 * belady.c - the offline optimum: who is wanted latest goes first (Belady, 1966), the newcomer
 * included: a heap of what is stored by next use. Where sizes differ, whoever has the largest
 * product of size and time until the next use among some drawn at random: a yardstick, no bound.
 */
#include "perf/eviction/policy.h"

#include <errno.h>

#define NEVER UINT32_MAX
#define SAMPLES 64

/* What is stored. A heap (the first is the one to go) where sizes are equal, else a mere set. */
struct stored {
    const struct trace *trace;
    uint32_t *next;   /* [objects]: its next request, NEVER: none */
    uint32_t *object; /* [count] */
    uint32_t *place;  /* [objects]: where it is in object[], NEVER: not stored */
    uint32_t count;
    uint64_t bytes;
    uint64_t random;
};

static void put_at(struct stored *s, uint32_t at, uint32_t o)
{
    s->object[at] = o;
    s->place[o] = at;
}

static void up(struct stored *s, uint32_t at)
{
    uint32_t o = s->object[at];

    for (uint32_t parent; at > 0; at = parent) {
        parent = (at - 1) / 2;
        if (s->next[s->object[parent]] >= s->next[o])
            break;
        put_at(s, at, s->object[parent]);
    }
    put_at(s, at, o);
}

static void down(struct stored *s, uint32_t at)
{
    uint32_t o = s->object[at];

    for (uint32_t child; (child = 2 * at + 1) < s->count; at = child) {
        if (child + 1 < s->count && s->next[s->object[child + 1]] > s->next[s->object[child]])
            child++;
        if (s->next[s->object[child]] <= s->next[o])
            break;
        put_at(s, at, s->object[child]);
    }
    put_at(s, at, o);
}

static void add(struct stored *s, uint32_t o)
{
    put_at(s, s->count++, o);
    s->bytes += s->trace->bytes[o];
    if (!s->trace->sized)
        up(s, s->count - 1);
}

static void drop(struct stored *s, uint32_t at)
{
    uint32_t o = s->object[at];

    s->place[o] = NEVER;
    s->bytes -= s->trace->bytes[o];
    if (at != --s->count) {
        put_at(s, at, s->object[s->count]);
        if (!s->trace->sized)
            down(s, at); /* always the first */
    }
}

static double cost(const struct stored *s, uint32_t o, size_t now)
{
    return (s->next[o] == NEVER ? 1e9 : (double)s->next[o] - (double)now) * s->trace->bytes[o];
}

static uint32_t victim(struct stored *s, size_t now)
{
    uint32_t worst = 0;

    for (unsigned i = 0; i < SAMPLES && s->trace->sized; i++) {
        uint32_t at;

        s->random = s->random * 6364136223846793005u + 1442695040888963407u;
        at = (uint32_t)(((s->random >> 32) * s->count) >> 32);
        if (cost(s, s->object[at], now) > cost(s, s->object[worst], now))
            worst = at;
    }
    return worst;
}

/* For each request, when the same object is asked for again. Returns owned. */
static uint32_t *look_ahead(const struct trace *trace, uint32_t *last)
{
    uint32_t *next = calloc(trace->requests, sizeof *next);

    for (uint32_t o = 0; o < trace->objects; o++)
        last[o] = NEVER;
    for (size_t i = trace->requests; i-- > 0 && next != NULL;) {
        next[i] = last[trace->object[i]];
        last[trace->object[i]] = (uint32_t)i;
    }
    return next;
}

int belady_run(const struct trace *trace, uint64_t cache_bytes, struct misses *ret_misses)
{
    autofree uint32_t *object = calloc(trace->objects + 1, sizeof *object);
    autofree uint32_t *place = calloc(trace->objects, sizeof *place);
    autofree uint32_t *next = calloc(trace->objects, sizeof *next);
    autofree uint32_t *then = next != NULL ? look_ahead(trace, next) : NULL;
    struct stored s = {.trace = trace, .object = object, .place = place, .next = next};
    struct misses misses = {0};

    if (object == NULL || place == NULL || then == NULL)
        return -ENOMEM;
    for (uint32_t o = 0; o < trace->objects; o++)
        place[o] = NEVER;
    for (size_t i = 0; i < trace->requests; i++) {
        uint32_t o = trace->object[i];

        next[o] = then[i];
        if (place[o] != NEVER) {
            if (!trace->sized)
                up(&s, place[o]);
            continue;
        }
        misses.requests++;
        misses.bytes += trace->bytes[o];
        add(&s, o);
        while (s.bytes > cache_bytes)
            drop(&s, victim(&s, i));
    }
    *ret_misses = misses;
    return 0;
}
