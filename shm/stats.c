/* SPDX-License-Identifier: MIT */
/*
 * stats.c - the rows of shm/counters.def in the region, their names, and their sums.
 *
 * A row has one writer, its worker; after its death the master moves the counters to the departed
 * row. A sum taken meanwhile could count them twice or not at all, and a counter that falls looks
 * like a restart to Prometheus: so the master makes `moving` odd around the move and a sum that met
 * a move is taken again. It gives up after a few tries (the master may have died inside): then
 * a figure is off, and nobody waits.
 */
#include "shm/stats.h"

#include "shm/region_map.h"

#define SUM_TRIES 64

struct stats_row {
    alignas(CACHE_LINE_BYTES) struct stats stats;
};

struct stats_table {
    struct stats_row peer[REGION_PEERS_MAX];
    struct stats_row departed;                            /* written by the master only */
    alignas(CACHE_LINE_BYTES) struct stats_master master; /* written by the master only */
    alignas(CACHE_LINE_BYTES) _Atomic uint64_t moving;    /* odd: the departed row changes */
};
static_assert(sizeof(struct stats_master) == 72, "in shared memory");

const struct stats_column stats_columns[] = {
#define COUNTER(name, metric, labels, text)                                                        \
    {#name, metric, labels, text, offsetof(struct stats, name), false},
#define GAUGE(name, metric, labels, text)                                                          \
    {#name, metric, labels, text, offsetof(struct stats, name), true},
#include "shm/counters.def"
#undef COUNTER
#undef GAUGE
};
const size_t stats_column_count = array_len(stats_columns);

size_t stats_section_bytes(void)
{
    return sizeof(struct stats_table);
}

static struct stats_table *table_of(const struct region *region)
{
    return region_at(region, REGION_STATS);
}

static _Atomic uint64_t *cell(struct stats *row, size_t column)
{
    return (_Atomic uint64_t *)((unsigned char *)row + stats_columns[column].offset);
}

struct stats *stats_at(const struct region *region, uint32_t peer)
{
    return peer < REGION_PEERS_MAX ? &table_of(region)->peer[peer].stats : NULL;
}

struct stats_master *stats_master(const struct region *region)
{
    return &table_of(region)->master;
}

uint64_t stats_one(const struct region *region, uint32_t peer, size_t column)
{
    struct stats *row = stats_at(region, peer);

    if (row == NULL || column >= stats_column_count)
        return 0;
    return atomic_load_explicit(cell(row, column), memory_order_relaxed);
}

uint64_t stats_sum(const struct region *region, size_t column)
{
    struct stats_table *table = table_of(region);
    uint64_t sum = 0;

    if (column >= stats_column_count)
        return 0;
    for (int i = 0; i < SUM_TRIES; i++) {
        /* acquire: pairs with the release at the end of a move */
        uint64_t before = atomic_load_explicit(&table->moving, memory_order_acquire);

        sum = atomic_load_explicit(cell(&table->departed.stats, column), memory_order_relaxed);
        for (uint32_t peer = 0; peer < REGION_PEERS_MAX; peer++)
            sum += stats_one(region, peer, column);
        atomic_thread_fence(memory_order_acquire); /* pairs with the move's fence */
        if (before % 2 == 0 && atomic_load_explicit(&table->moving, memory_order_relaxed) == before)
            break;
    }
    return sum;
}

void stats_retire(struct region *region, uint32_t peer)
{
    struct stats_table *table = table_of(region);
    struct stats *row = stats_at(region, peer);

    if (row == NULL)
        return;
    stats_add(&table->moving, 1);
    atomic_thread_fence(memory_order_release); /* pairs with the fence in stats_sum() */
    for (size_t i = 0; i < stats_column_count; i++) {
        if (!stats_columns[i].is_gauge)
            stats_add(cell(&table->departed.stats, i), stats_one(region, peer, i));
        stats_set(cell(row, i), 0);
    }
    /* release: pairs with the load at the start of stats_sum() */
    atomic_store_explicit(&table->moving,
                          atomic_load_explicit(&table->moving, memory_order_relaxed) + 1,
                          memory_order_release);
}
