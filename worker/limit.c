/* SPDX-License-Identifier: MIT */
/*
 * limit.c - see limit.h.
 *
 *   connections  a row of counters for each process, written by that process alone. What a death leaves in it counts until it is
 *                cleared: by the next owner of the row, and, since that may never come (a successor gets another row when
 *                one before it has become free), by each process at its birth for all rows whose process has gone.
 *                One that is born in such a row at that very moment may lose the count of its first
 *                connections: a few more than allowed, until they end. Whoever asks adds up the column. All relaxed:
 *                a number says nothing about other memory, and one that is a moment old lets one connection more in, or less.
 *   requests     one word for each address: when, in the clock's nanoseconds, its bucket would be full
 *                again. Whoever counts a request moves it on by compare-and-swap; relaxed, since nothing is read on
 *                its word. A process that dies or stops between load and swap has changed nothing; who loses the race tries again with the
 *                newer value, a few times, and then lets the request pass rather than spin.
 */
#include "worker/limit.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#define SLOTS 16384u
#define TRIES 8

struct limit {
    size_t bytes;
    uint64_t seed;
    uint32_t connections; /* 0: not limited */
    uint32_t rows;
    _Atomic uint32_t rows_used; /* any process: those below have been taken once; only grows */
    uint64_t interval_ns;       /* 0: requests are not limited */
    uint64_t period_ns;
    _Atomic uint64_t full_ns[SLOTS]; /* any process */
    _Atomic uint32_t open[][SLOTS];  /* row r: its process alone */
};

int limit_new(uint32_t connections, struct config_rate requests, uint32_t rows,
              struct limit **ret_limit)
{
    size_t bytes = sizeof(struct limit);
    struct limit *limit;

    *ret_limit = NULL;
    if (connections == 0 && requests.count == 0)
        return 0;
    if (connections > 0)
        bytes += rows * sizeof limit->open[0];
    limit = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (limit == MAP_FAILED)
        return -ENOMEM;
    limit->bytes = bytes;
    limit->connections = connections;
    limit->rows = rows;
    if (requests.count > 0) {
        limit->period_ns = (uint64_t)requests.seconds * 1000000000u;
        limit->interval_ns = limit->period_ns / requests.count;
    }
    if (getrandom(&limit->seed, sizeof limit->seed, 0) != (ssize_t)sizeof limit->seed)
        limit->seed = mono_ns();
    *ret_limit = limit;
    return 0;
}

static struct limit *shared;

int limit_share(uint32_t connections, struct config_rate requests, uint32_t rows)
{
    return limit_new(connections, requests, rows, &shared);
}

struct limit *limit_shared(void)
{
    return shared;
}

void limit_free(struct limit *limit)
{
    if (limit)
        (void)munmap(limit, limit->bytes);
}

uint32_t limit_rows(const struct limit *limit)
{
    return limit ? atomic_load_explicit(&limit->rows_used, memory_order_relaxed) : 0;
}

void limit_forget_row(struct limit *limit, uint32_t row)
{
    if (!limit || limit->connections == 0 || row >= limit->rows)
        return;
    for (size_t i = 0; i < SLOTS;
         i++) /* mostly zero: do not touch, so that no page is made for it */
        if (atomic_load_explicit(&limit->open[row][i], memory_order_relaxed) != 0)
            atomic_store_explicit(&limit->open[row][i], 0, memory_order_relaxed);
}

void limit_take_row(struct limit *limit, uint32_t row)
{
    uint32_t used;

    if (!limit || limit->connections == 0 || row >= limit->rows)
        return;
    used = atomic_load_explicit(&limit->rows_used, memory_order_relaxed);
    while (used <= row &&
           !atomic_compare_exchange_weak_explicit(&limit->rows_used, &used, row + 1,
                                                  memory_order_relaxed, memory_order_relaxed))
        ;
    limit_forget_row(limit, row);
}

uint32_t limit_of(const struct limit *limit, const struct sockaddr *address)
{
    static const unsigned char mapped[12] = {[10] = 0xff, [11] = 0xff}; /* ::ffff:0:0/96 */
    const struct in6_addr *v6;
    const void *data;
    size_t bytes;

    if (!limit)
        return UINT32_MAX;
    if (address->sa_family == AF_INET) {
        data = &((const struct sockaddr_in *)address)->sin_addr;
        bytes = 4;
    } else if (address->sa_family == AF_INET6) {
        v6 = &((const struct sockaddr_in6 *)address)->sin6_addr;
        data = v6;
        bytes = 8;
        if (memcmp(v6, mapped, sizeof mapped) == 0) {
            data = (const char *)v6 + 12;
            bytes = 4;
        }
    } else {
        return UINT32_MAX;
    }
    return (uint32_t)(XXH3_64bits_withSeed(data, bytes, limit->seed) % SLOTS);
}

bool limit_connect(struct limit *limit, uint32_t row, uint32_t who)
{
    uint64_t open = 0;
    uint32_t rows;
    uint32_t own;

    if (!limit || who >= SLOTS || limit->connections == 0 || row >= limit->rows)
        return true;
    rows = atomic_load_explicit(&limit->rows_used, memory_order_relaxed);
    for (uint32_t r = 0; r < rows; r++)
        open += atomic_load_explicit(&limit->open[r][who], memory_order_relaxed);
    if (open >= limit->connections)
        return false;
    own = atomic_load_explicit(&limit->open[row][who], memory_order_relaxed);
    atomic_store_explicit(&limit->open[row][who], own + 1, memory_order_relaxed);
    return true;
}

void limit_disconnect(struct limit *limit, uint32_t row, uint32_t who)
{
    uint32_t own;

    if (!limit || who >= SLOTS || limit->connections == 0 || row >= limit->rows)
        return;
    own = atomic_load_explicit(&limit->open[row][who], memory_order_relaxed);
    if (own > 0)
        atomic_store_explicit(&limit->open[row][who], own - 1, memory_order_relaxed);
}

bool limit_request(struct limit *limit, uint32_t who, uint64_t now_ns)
{
    uint64_t full_ns;

    if (!limit || who >= SLOTS || limit->interval_ns == 0)
        return true;
    full_ns = atomic_load_explicit(&limit->full_ns[who], memory_order_relaxed);
    for (int i = 0; i < TRIES; i++) {
        uint64_t from_ns = full_ns > now_ns ? full_ns : now_ns;

        if (from_ns - now_ns > limit->period_ns - limit->interval_ns)
            return false;
        if (atomic_compare_exchange_weak_explicit(&limit->full_ns[who], &full_ns,
                                                  from_ns + limit->interval_ns,
                                                  memory_order_relaxed, memory_order_relaxed))
            return true;
    }
    return true;
}
