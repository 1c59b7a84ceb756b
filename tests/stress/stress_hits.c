/* SPDX-License-Identifier: MIT */
/*
 * stress_hits.c - a crew that counts hits of the same pages and gives its cells back all the time, so that
 * all of them add to the same words. The oracle: what each worker says before and after a hit. Nothing else may be missing
 * than what a killed worker was just moving, and nothing is ever counted twice.
 */
#include "shm/hits.h"

#include "shm/cold.h"
#include "shm/peers.h"
#include "shm/region.h"
#include "tests/stress/crew.h"
#include "tests/unit/sample_page.h"

#include <errno.h>
#include <stdio.h>

#define PAGES 16u
#define CELL_HITS_MAX 40u
#define ANY_PAGE PAGES

struct board {
    struct crew_board crew;
    alignas(CACHE_LINE_BYTES) _Atomic uint64_t begun[PAGES]; /* hits */
    _Atomic uint64_t done[PAGES];
    _Atomic uint64_t gives, lives;
    _Atomic uint64_t moving[CREW_MAX]; /* page + 1 whose cell is on its way; 0: none */
};

struct stage {
    struct region *region;
    struct cold *cold;
    struct page *page[PAGES];
    uint64_t may_lack[PAGES + 1]; /* hits; the last: of any page */
    struct own {
        struct cold *cold;
        struct hits *hits;
        uint16_t cell[PAGES];
        unsigned held[PAGES]; /* hits in the cell */
    } own[CREW_MAX];
};

static struct board *board_of(const struct crew_worker *w)
{
    return (struct board *)w->crew->board;
}

static struct stage *stage_of(const struct crew_worker *w)
{
    return w->crew->stage;
}

static int open_stage(struct crew *crew)
{
    struct stage *stage = calloc(1, sizeof *stage);
    int rc;

    if (stage == NULL)
        return -ENOMEM;
    crew->stage = stage;
    rc = region_create(&(struct region_sizes){MIB, 64 * KIB}, &stage->region);
    if (rc == 0)
        rc = cold_open(stage->region, REGION_PEERS_MAX, &stage->cold);
    for (unsigned i = 0; i < PAGES && rc == 0; i++) {
        char path[8];

        (void)snprintf(path, sizeof path, "/%u", i);
        stage->page[i] = sample_page(
            &(struct sample){.path = path, .letter = 'a', .body_bytes = 100, .stored_ms = i + 1});
        rc = cold_put(stage->cold, stage->page[i]);
    }
    return rc;
}

static void close_stage(struct crew *crew)
{
    struct stage *stage = crew->stage;

    for (unsigned i = 0; i < PAGES; i++)
        free(stage->page[i]);
    cold_close(stage->cold);
    region_close(stage->region);
    free(stage);
}

static void enter(struct crew_worker *w)
{
    if (peer_claim(stage_of(w)->region, 1, w->number, -1, &w->row) != 0)
        abort();
}

static void set_moving(const struct crew_worker *w, uint64_t page_plus_one)
{
    atomic_store_explicit(&board_of(w)->moving[w->number], page_plus_one, memory_order_release);
}

/* The beginning of a life: what the last of this row has left is added up. */
static void begin(struct crew_worker *w, struct own *own)
{
    set_moving(w, ANY_PAGE + 1);
    if (cold_open(stage_of(w)->region, w->row, &own->cold) != 0 ||
        hits_open(stage_of(w)->region, w->row, own->cold, &own->hits) != 0)
        abort();
    set_moving(w, 0);
    crew_count(&board_of(w)->lives);
}

static void give(struct crew_worker *w, struct own *own, uint32_t page)
{
    set_moving(w, page + 1);
    hits_give(own->hits, own->cell[page]);
    set_moving(w, 0);
    own->cell[page] = 0;
    own->held[page] = 0;
    crew_count(&board_of(w)->gives);
}

static void act(struct crew_worker *w)
{
    struct own *own = &stage_of(w)->own[w->number];
    uint32_t page = (uint32_t)crew_draw(w, PAGES);

    if (own->hits == NULL)
        begin(w, own);
    crew_count(&board_of(w)->begun[page]);
    hits_count(own->hits, &own->cell[page], stage_of(w)->page[page]);
    crew_count(&board_of(w)->done[page]);
    if (++own->held[page] == CELL_HITS_MAX || crew_draw(w, 4) == 0)
        give(w, own, page);
}

static void leave(struct crew_worker *w)
{
    struct own *own = &stage_of(w)->own[w->number];

    set_moving(w, ANY_PAGE + 1);
    hits_close(own->hits);
    cold_close(own->cold);
    *own = (struct own){0};
    set_moving(w, 0);
}

static void bury(struct crew_worker *w)
{
    struct stage *stage = stage_of(w);
    uint64_t page = atomic_load_explicit(&board_of(w)->moving[w->number], memory_order_acquire);

    if (page > 0)
        stage->may_lack[page - 1] += CELL_HITS_MAX;
    set_moving(w, 0);
    peer_release(stage->region, w->row);
}

struct looking {
    struct crew *crew;
    const struct hits_now *now;
    unsigned seen;
};

static bool check_page(void *arg, const struct page *page, size_t copied_bytes,
                       const struct cold_seen *seen)
{
    struct looking *l = arg;
    struct stage *stage = l->crew->stage;
    struct board *board = (struct board *)l->crew->board;
    unsigned i = (unsigned)page->stored_ms - 1;
    uint64_t hits = hits_of(l->now, seen->slot, page);
    uint64_t done = atomic_load_explicit(&board->done[i], memory_order_relaxed);

    (void)copied_bytes;
    l->seen++;
    if (hits > atomic_load_explicit(&board->begun[i], memory_order_relaxed))
        crew_fail(l->crew, "more hits than there were, of page", i);
    if (hits + stage->may_lack[i] + stage->may_lack[ANY_PAGE] < done)
        crew_fail(l->crew, "hits are lost, of page", i);
    return true;
}

static void look(struct crew *crew)
{
    struct stage *stage = crew->stage;
    struct looking l = {crew, hits_look(stage->region), 0};

    if (l.now == NULL)
        abort();
    cold_walk(stage->cold, check_page, &l);
    hits_look_free((struct hits_now *)(uintptr_t)l.now);
    if (l.seen != PAGES)
        crew_fail(crew, "pages are gone", l.seen);
}

/* Where the hits are now, and where they are after the last have left. */
static void check(struct crew *crew)
{
    struct stage *stage = crew->stage;

    look(crew);
    hits_settle(stage->region, stage->cold);
    look(crew);
}

static bool print(const struct crew *crew)
{
    struct board *board = (struct board *)crew->board;
    uint64_t gives = atomic_load_explicit(&board->gives, memory_order_relaxed);

    (void)printf("cells given back %llu, lives %llu", (unsigned long long)gives,
                 (unsigned long long)atomic_load_explicit(&board->lives, memory_order_relaxed));
    return gives > 1000;
}

int main(int argc, char **argv)
{
    static const struct crew_play play = {
        .board_bytes = sizeof(struct board),
        .peers_min = 2,
        .open = open_stage,
        .enter = enter,
        .act = act,
        .leave = leave,
        .bury = bury,
        .check = check,
        .print = print,
        .close = close_stage,
    };

    return crew_main(argc, argv, &play);
}
