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

#include "shm/peers.h"
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
static_assert(sizeof(struct stats_master) == 80, "in shared memory");

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

static_assert(sizeof(struct stats) % sizeof(uint64_t) == 0, "words throughout");
#define WORDS (sizeof(struct stats) / sizeof(uint64_t))

static const uint16_t statuses[] = {
#define CODE(code) code,
#include "shm/codes.def"
#undef CODE
};
static_assert(array_len(statuses) == STATS_CODES, "one a code");

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

unsigned stats_code_status(enum stats_code code)
{
    return statuses[code];
}

/* What is not in the table counts as x00 of its class. */
static enum stats_code code_of(unsigned status)
{
    switch (status) {
#define CODE(code)                                                                                 \
    case code:                                                                                     \
        return STATS_CODE_##code;
#include "shm/codes.def"
#undef CODE
    default:
        return status < 200   ? STATS_CODE_100
               : status < 300 ? STATS_CODE_200
               : status < 400 ? STATS_CODE_300
               : status < 500 ? STATS_CODE_400
                              : STATS_CODE_500;
    }
}

void stats_count_request(struct stats *stats, enum stats_method method, unsigned status)
{
    stats_add(&stats->requests[method][likely(status == 200) ? STATS_CODE_200 : code_of(status)],
              1);
}

void stats_observe(struct stats_histogram *histogram, uint64_t ns)
{
    static const uint32_t bounds_us[STATS_BOUNDS] = STATS_BOUNDS_US;
    size_t i = 0;

    while (i < STATS_BOUNDS && ns > bounds_us[i] * UINT64_C(1000))
        i++;
    stats_add(&histogram->bucket[i], 1);
    stats_add(&histogram->sum_ns, ns);
}

uint64_t stats_requests_of_class(const struct stats *stats, unsigned class_of_status)
{
    uint64_t sum = 0;

    for (unsigned method = 0; method < STATS_METHODS; method++)
        for (unsigned code = 0; code < STATS_CODES; code++)
            if (statuses[code] / 100 == class_of_status)
                sum += atomic_load_explicit(&stats->requests[method][code], memory_order_relaxed);
    return sum;
}

static _Atomic uint64_t *words_of(struct stats *stats)
{
    return (_Atomic uint64_t *)stats;
}

uint64_t stats_one(const struct region *region, uint32_t peer, size_t column)
{
    struct stats *row = stats_at(region, peer);

    if (row == NULL || column >= stats_column_count)
        return 0;
    return atomic_load_explicit(cell(row, column), memory_order_relaxed);
}

static void add_row(struct stats *total, struct stats *row)
{
    for (size_t i = 0; i < WORDS; i++)
        stats_add(&words_of(total)[i],
                  atomic_load_explicit(&words_of(row)[i], memory_order_relaxed));
}

static void clear_row(struct stats *row)
{
    for (size_t i = 0; i < WORDS; i++)
        stats_set(&words_of(row)[i], 0);
}

void stats_total(const struct region *region, struct stats *ret_total)
{
    struct stats_table *table = table_of(region);

    for (int i = 0; i < SUM_TRIES; i++) {
        /* acquire: pairs with the release at the end of a move */
        uint64_t before = atomic_load_explicit(&table->moving, memory_order_acquire);

        clear_row(ret_total);
        add_row(ret_total, &table->departed.stats);
        for (uint32_t peer = 0; peer < REGION_PEERS_MAX; peer++)
            if (atomic_load_explicit(&peer_at(region, peer)->state, memory_order_relaxed) !=
                PEER_FREE) /* a free row is zero: passed over, or a sum walks megabytes */
                add_row(ret_total, stats_at(region, peer));
        atomic_thread_fence(memory_order_acquire); /* pairs with the move's fence */
        if (before % 2 == 0 && atomic_load_explicit(&table->moving, memory_order_relaxed) == before)
            break;
    }
}

uint64_t stats_sum(const struct region *region, size_t column)
{
    struct stats total;

    if (column >= stats_column_count)
        return 0;
    stats_total(region, &total);
    return atomic_load_explicit(cell(&total, column), memory_order_relaxed);
}

void stats_retire(struct region *region, uint32_t peer)
{
    struct stats_table *table = table_of(region);
    struct stats *row = stats_at(region, peer);

    if (row == NULL)
        return;
    stats_add(&table->moving, 1);
    atomic_thread_fence(memory_order_release); /* pairs with the fence in stats_total() */
    for (size_t i = 0; i < stats_column_count; i++)
        if (stats_columns[i].is_gauge)
            stats_set(cell(row, i), 0);
    add_row(&table->departed.stats, row);
    clear_row(row);
    /* release: pairs with the load at the start of stats_total() */
    atomic_store_explicit(&table->moving,
                          atomic_load_explicit(&table->moving, memory_order_relaxed) + 1,
                          memory_order_release);
}
