/* SPDX-License-Identifier: MIT */
/*
 * hits.c - see hits.h. Two places in shared memory: cells, a row a worker, for the entries that it holds
 * in its own memory; and a count for each slot of the index, which a cell is added to when its page
 * leaves the worker. Leans on cold_locate() to find the slot.
 *
 * Orders: all relaxed. A word bears the stamp of the page that it counts, so a reader needs no order
 * between words: hits of another page have another stamp, but for one in 16 million. A cell has
 * one writer; a count is changed by CAS, so no hit is lost when two workers add to it.
 *
 * A cell that is given back is cleared, then its hits are added: a look between the two is short of them,
 * and a death between the two loses them. The other order would count them twice, for good. A page that is
 * replaced between cold_locate() and the CAS takes the wrong stamp, and begins at 0 once more.
 */
#include "shm/hits.h"

#include "shm/cold.h"
#include "shm/peers.h"
#include "shm/region_map.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#define COUNT_BITS 40
#define COUNT_MASK (((uint64_t)1 << COUNT_BITS) - 1)
#define COUNTS_A_PAGE (REGION_PAGE_BYTES / sizeof(uint64_t))
#define CELLS_A_PAGE (REGION_PAGE_BYTES / sizeof(struct hits_cell))

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23 /* Linux 5.14 */
#endif

/* The section: how much of each row is used, then the rows. Only what is used has memory. */
struct hits_rows {
    _Atomic uint32_t used[REGION_PEERS_MAX];
    struct hits_cell cell[REGION_PEERS_MAX][HITS_CELLS];
};
static_assert(offsetof(struct hits_rows, cell) == REGION_PAGE_BYTES, "as hits_backed_bytes() says");

size_t hits_section_bytes(void)
{
    return sizeof(struct hits_rows);
}

size_t hits_backed_bytes(void)
{
    return offsetof(struct hits_rows, cell);
}

size_t hits_counts_bytes(uint64_t slots)
{
    return slots * sizeof(uint64_t);
}

static struct hits_rows *rows_of(const struct region *region)
{
    return region_at(region, REGION_HITS);
}

static uint64_t load(const _Atomic uint64_t *word)
{
    return atomic_load_explicit(word, memory_order_relaxed);
}

static void store(_Atomic uint64_t *word, uint64_t value)
{
    atomic_store_explicit(word, value, memory_order_relaxed);
}

uint64_t hits_stamp(const struct page *page)
{
    uint64_t mixed = page->hash ^ (page->stored_ms * 0x9e3779b97f4a7c15u) ^
                     (page->edition * 0xc2b2ae3d27d4eb4fu) ^ (page->epoch << 20);

    return mixed * 0xff51afd7ed558ccdu & ~COUNT_MASK;
}

static uint32_t used_of(const struct hits_rows *rows, uint32_t peer)
{
    uint32_t used = atomic_load_explicit(&rows->used[peer], memory_order_relaxed);

    return used < HITS_CELLS ? used : HITS_CELLS; /* others write here too, if only by mistake */
}

/* Memory for the page that `at` is in. A store where there is none would be a SIGBUS. */
static bool back(const void *at)
{
    void *page = (void *)((uintptr_t)at & ~(uintptr_t)(REGION_PAGE_BYTES - 1));

    return madvise(page, REGION_PAGE_BYTES, MADV_POPULATE_WRITE) == 0 || errno == EINVAL;
}

static bool is_backed(struct hits *hits, uint64_t slot)
{
    uint64_t page = slot / COUNTS_A_PAGE;
    uint8_t bit = (uint8_t)(1u << page % 8);

    if (!(hits->backed[page / 8] & bit) && back(&hits->count[slot]))
        hits->backed[page / 8] |= bit;
    return (hits->backed[page / 8] & bit) != 0;
}

static bool has_stamp(const struct page *page, void *arg)
{
    return hits_stamp(page) == *(const uint64_t *)arg;
}

/* word: a stamp and hits to add to what the page of this hash and stamp has. */
static void settle(struct hits *hits, uint64_t hash, uint64_t word)
{
    uint64_t stamp = word & ~COUNT_MASK;
    uint64_t now, sum, slot;

    if ((word & COUNT_MASK) == 0 || !cold_locate(hits->cold, hash, has_stamp, &stamp, &slot) ||
        !is_backed(hits, slot))
        return;
    now = load(&hits->count[slot]);
    do {
        sum = (word & COUNT_MASK) + ((now & ~COUNT_MASK) == stamp ? now & COUNT_MASK : 0);
        sum = sum < COUNT_MASK ? sum : COUNT_MASK;
    } while (!atomic_compare_exchange_weak_explicit(&hits->count[slot], &now, stamp | sum,
                                                    memory_order_relaxed, memory_order_relaxed));
}

static void empty_cell(struct hits *hits, uint32_t number)
{
    struct hits_cell *cell = &hits->cell[number];
    uint64_t hash = load(&cell->hash);
    uint64_t word = load(&cell->word);

    store(&cell->hash, 0);
    if (hash != 0)
        settle(hits, hash, word);
}

/* The whole row: what a dead process left there, or we at the end. */
static void empty_row(struct hits *hits, uint32_t used)
{
    for (uint32_t i = 1; i < used; i++)
        empty_cell(hits, i);
    hits->taken = 1;
    atomic_store_explicit(hits->told, hits->taken, memory_order_relaxed);
    hits->given_count = 0;
}

void hits_settle(struct region *region, struct cold *cold)
{
    struct hits *hits;

    for (uint32_t peer = 0; peer < REGION_PEERS_MAX; peer++) {
        if (used_of(rows_of(region), peer) > 1 && hits_open(region, peer, cold, &hits) == 0)
            hits_close(hits);
    }
}

int hits_open(struct region *region, uint32_t peer, struct cold *cold, struct hits **ret_hits)
{
    struct hits_rows *rows = rows_of(region);
    struct hits *hits;

    assert(peer < REGION_PEERS_MAX);
    hits = calloc(1, sizeof *hits);
    if (hits == NULL)
        return -ENOMEM;
    hits->backed = calloc(1, region->header->slots / COUNTS_A_PAGE / 8 + 1);
    if (hits->backed == NULL) {
        free(hits);
        return -ENOMEM;
    }
    hits->cold = cold;
    hits->cell = rows->cell[peer];
    hits->told = &rows->used[peer];
    hits->count = region_at(region, REGION_COUNTS);
    empty_row(hits, used_of(rows, peer));
    *ret_hits = hits;
    return 0;
}

void hits_close(struct hits *hits)
{
    if (hits == NULL)
        return;
    empty_row(hits, hits->taken);
    free(hits->backed);
    free(hits);
}

/* A number that nobody has; 0: none is left. */
static uint16_t free_cell(struct hits *hits)
{
    if (hits->given_count > 0)
        return hits->given[--hits->given_count];
    if (hits->taken == HITS_CELLS ||
        ((hits->taken % CELLS_A_PAGE == 0 || hits->taken == 1) && !back(&hits->cell[hits->taken])))
        return 0;
    atomic_store_explicit(hits->told, hits->taken + 1, memory_order_relaxed);
    return (uint16_t)hits->taken++;
}

bool hits_take(struct hits *hits, const struct page *page, uint16_t *ret_cell)
{
    uint16_t number = free_cell(hits);

    if (number == 0) {
        settle(hits, page->hash, hits_stamp(page) | 1);
        return false;
    }
    store(&hits->cell[number].word, hits_stamp(page));
    store(&hits->cell[number].hash, page->hash);
    *ret_cell = number;
    return true;
}

void hits_give(struct hits *hits, uint16_t cell)
{
    if (cell == 0)
        return;
    empty_cell(hits, cell);
    hits->given[hits->given_count++] = cell;
}

/* --- looking ------------------------------------------------------------------------------ */

struct seen {
    uint64_t hash;
    uint64_t word;
};

struct hits_now {
    const _Atomic uint64_t *count;
    size_t seen_count;
    struct seen seen[];
};

static int by_hash(const void *a, const void *b)
{
    const struct seen *one = a;
    const struct seen *two = b;

    return one->hash < two->hash ? -1 : one->hash > two->hash;
}

static size_t look_at_row(const struct hits_cell *row, uint32_t used, struct seen *ret_seen)
{
    size_t n = 0;

    for (uint32_t i = 1; i < used; i++) {
        struct seen seen = {load(&row[i].hash), load(&row[i].word)};

        if (seen.hash != 0 && (seen.word & COUNT_MASK) != 0)
            ret_seen[n++] = seen;
    }
    return n;
}

struct hits_now *hits_look(const struct region *region)
{
    const struct hits_rows *rows = rows_of(region);
    uint32_t used[REGION_PEERS_MAX];
    struct hits_now *now;
    size_t cells = 0;

    for (uint32_t peer = 0; peer < REGION_PEERS_MAX; peer++)
        cells += used[peer] = used_of(rows, peer);
    now = malloc(sizeof *now + cells * sizeof now->seen[0]);
    if (now == NULL)
        return NULL;
    now->count = region_at(region, REGION_COUNTS);
    now->seen_count = 0;
    for (uint32_t peer = 0; peer < REGION_PEERS_MAX; peer++)
        now->seen_count += look_at_row(rows->cell[peer], used[peer], now->seen + now->seen_count);
    qsort(now->seen, now->seen_count, sizeof now->seen[0], by_hash);
    return now;
}

void hits_look_free(struct hits_now *now)
{
    free(now);
}

/* The first that has this hash, or would come after it. */
static size_t first_of(const struct hits_now *now, uint64_t hash)
{
    size_t low = 0;
    size_t high = now->seen_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (now->seen[middle].hash < hash)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

uint64_t hits_of(const struct hits_now *now, uint64_t slot, const struct page *page)
{
    uint64_t stamp = hits_stamp(page);
    uint64_t word = load(&now->count[slot]);
    uint64_t sum = (word & ~COUNT_MASK) == stamp ? word & COUNT_MASK : 0;

    for (size_t i = first_of(now, page->hash);
         i < now->seen_count && now->seen[i].hash == page->hash; i++) {
        if ((now->seen[i].word & ~COUNT_MASK) == stamp)
            sum += now->seen[i].word & COUNT_MASK;
    }
    return sum;
}
