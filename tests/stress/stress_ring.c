/* SPDX-License-Identifier: MIT */
/*
 * stress_ring.c - a crew that works on the ring alone: claims segments, looks at what stands in them, opens them, writes
 * records that check themselves, seals and resumes, makes runs; and reads what the others have shown in a table that stands in for
 * the index. What it checks: README.md.
 */
#include "shm/region_map.h"
#include "shm/ring.h"
#include "tests/stress/crew.h"

#include <errno.h>
#include <stdio.h>

#define SEGMENTS_MAX 64u
#define SHOWN 256u
#define RECORD_MAGIC 0x7265636f7264u
#define READS_AN_ACT 6
#define RUN_MAX 3u

struct record {
    uint64_t magic;
    uint64_t bytes; /* of all of it; a multiple of RING_UNIT_BYTES */
    uint64_t serial;
    uint64_t location;
    uint64_t sequence;
};
#define HEAD_WORDS (sizeof(struct record) / 8)

struct board {
    struct crew_board crew;
    _Atomic uint32_t holder[SEGMENTS_MAX]; /* number + 1 of who thinks that it holds the segment */
    _Atomic uint64_t shown[SHOWN];         /* location | sequence, as index words are; 0: nothing */
    _Atomic uint64_t serial;
    _Atomic uint64_t writes, opens, resumes, looks, runs, reads, whole, went;
};

/* A segment as its owner knows it. */
struct open {
    uint32_t segment;
    uint32_t sequence;
    uint32_t fill;
    bool is_known; /* sealed by this worker, or held */
    bool is_held;
};

/* One worker's own. */
struct own {
    struct ring ring;
    bool is_ready;
    struct open open;
    uint64_t buf[(RUN_MAX * 256 * KIB) / 8];
};

struct stage {
    struct region *region;
    struct own own[CREW_MAX + 1];
};

static struct board *board_of(const struct crew_worker *w)
{
    return (struct board *)w->crew->board;
}

/* The ring's owner is a process: not to be viewed before the fork. */
static struct own *own_of(const struct crew_worker *w)
{
    struct stage *stage = w->crew->stage;
    struct own *own = &stage->own[w->number];

    if (!own->is_ready) {
        ring_view(stage->region, w->number < CREW_MAX ? w->number : REGION_PEERS_MAX, &own->ring);
        own->open.is_known = own->open.is_held = false;
        own->is_ready = true;
    }
    return own;
}

/* --- records ------------------------------------------------------------------------------ */

static uint64_t record_word(uint64_t serial, size_t i)
{
    uint64_t x = serial * 0x9e3779b97f4a7c15u + i * 0xff51afd7ed558ccdu;

    return x ^ x >> 29;
}

static void make_record(struct own *own, uint64_t serial, uint64_t bytes, uint32_t location,
                        uint32_t sequence)
{
    *(struct record *)own->buf = (struct record){RECORD_MAGIC, bytes, serial, location, sequence};
    for (size_t i = HEAD_WORDS; i < bytes / 8; i++)
        own->buf[i] = record_word(serial, i);
}

/* `bytes` of it are there, in private memory or in a segment that is the caller's. */
static bool is_whole(const struct record *record, uint64_t bytes)
{
    const uint64_t *words = (const uint64_t *)record;

    for (size_t i = HEAD_WORDS; i < bytes / 8; i++) {
        if (words[i] != record_word(record->serial, i))
            return false;
    }
    return true;
}

/* --- holding ------------------------------------------------------------------------------ */

static void hold(struct crew_worker *w, uint32_t segment)
{
    uint32_t nobody = 0;

    if (!atomic_compare_exchange_strong_explicit(&board_of(w)->holder[segment], &nobody,
                                                 w->number + 1, memory_order_relaxed,
                                                 memory_order_relaxed))
        crew_fail(w->crew, "two hold segment", segment);
}

static void let_go(struct crew_worker *w, uint32_t segment)
{
    atomic_store_explicit(&board_of(w)->holder[segment], 0, memory_order_relaxed);
}

/*
 * What a claimed segment holds: whole records up to its fill, all of one sequence. That is the segment's own, or
 * an older one, when somebody was killed who had just opened it.
 */
static void look_at_pages(struct crew_worker *w, uint32_t segment)
{
    const struct ring *ring = &own_of(w)->ring;
    uint32_t fill = ring_fill(ring, segment);
    uint64_t sequence = 0;
    uint64_t bytes = 0;

    crew_count(&board_of(w)->looks);
    for (uint32_t offset = 0; offset < fill; offset += (uint32_t)bytes) {
        uint32_t location = ring_location(ring, segment, offset);
        const struct record *record = (const void *)ring_at(ring, location);

        bytes = record->bytes;
        if (record->magic != RECORD_MAGIC || record->location != location || bytes == 0 ||
            bytes % RING_UNIT_BYTES != 0)
            return crew_fail(w->crew, "no record where the fill says so, segment", segment);
        if (offset > 0 && record->sequence != sequence)
            return crew_fail(w->crew, "records of two sequences, segment", segment);
        sequence = record->sequence;
        if (bytes > fill - offset) {
            if (offset > 0 || fill != ring->segment_bytes)
                return crew_fail(w->crew, "a record beyond the fill, segment", segment);
            bytes = fill; /* a run: so much of it is here */
        }
        if (!is_whole(record, bytes))
            return crew_fail(w->crew, "half a record inside the fill, segment", segment);
    }
    if (fill > 0 && sequence != ring_sequence(ring, segment) && w->crew->threads)
        crew_fail(w->crew, "records of an old sequence though nobody died, segment", segment);
}

static bool claim(struct crew_worker *w, uint32_t segment)
{
    if (!ring_claim(&own_of(w)->ring, segment))
        return false;
    hold(w, segment);
    look_at_pages(w, segment);
    return true;
}

/* Of a claimed one. */
static void open_segment(struct crew_worker *w, uint32_t segment)
{
    const struct ring *ring = &own_of(w)->ring;
    uint32_t before = ring_sequence(ring, segment);

    if (!ring_open(ring, segment))
        crew_fail(w->crew, "a claimed segment can't be opened", segment);
    if (ring_sequence(ring, segment) != ((before + 1) & RING_SEQUENCE_MASK))
        crew_fail(w->crew, "its sequence was not raised by one, segment", segment);
    if (ring_fill(ring, segment) != 0)
        crew_fail(w->crew, "it is not empty, segment", segment);
    crew_count(&board_of(w)->opens);
}

static void seal(struct crew_worker *w, uint32_t segment)
{
    let_go(w, segment);
    if (!ring_seal(&own_of(w)->ring, segment))
        crew_fail(w->crew, "an open segment was taken from its owner", segment);
}

/* --- writing ------------------------------------------------------------------------------ */

static void show(struct crew_worker *w, uint32_t location, uint32_t sequence)
{
    /* release: W3 of ring.c */
    atomic_store_explicit(&board_of(w)->shown[crew_draw(w, SHOWN)],
                          (uint64_t)location << 32 | sequence, memory_order_release);
}

static void seal_own(struct crew_worker *w)
{
    struct open *open = &own_of(w)->open;

    if (open->is_held)
        seal(w, open->segment);
    open->is_held = false;
}

/* SEALED by this worker: its own again, if nobody has opened it since. */
static bool resume(struct crew_worker *w)
{
    struct own *own = own_of(w);
    struct open *open = &own->open;

    if (!open->is_known || !ring_resume(&own->ring, open->segment, open->sequence)) {
        open->is_known = false;
        return false;
    }
    hold(w, open->segment);
    if (ring_fill(&own->ring, open->segment) != open->fill)
        crew_fail(w->crew, "a resumed segment has another fill", open->segment);
    open->is_held = true;
    crew_count(&board_of(w)->resumes);
    return true;
}

static bool take_segment(struct crew_worker *w)
{
    struct own *own = own_of(w);
    uint64_t steps = 2 * (uint64_t)own->ring.segments;
    enum ring_area area = crew_draw(w, 3) == 0 ? RING_MAIN : RING_PROBATION;
    uint32_t segment;

    if (!ring_hand(&own->ring, area, &steps, &segment) || !claim(w, segment))
        return false;
    if (crew_draw(w, 4) == 0)
        ring_set_area(&own->ring, segment, crew_draw(w, 2) == 0 ? RING_MAIN : RING_PROBATION);
    if (crew_draw(w, 4) == 0) { /* as it was */
        let_go(w, segment);
        if (!ring_unclaim(&own->ring, segment))
            crew_fail(w->crew, "a claimed segment was taken from its owner", segment);
        return false;
    }
    open_segment(w, segment);
    own->open = (struct open){segment, ring_sequence(&own->ring, segment), 0, true, true};
    return true;
}

static void write_one(struct crew_worker *w)
{
    struct board *board = board_of(w);
    struct own *own = own_of(w);
    struct open *open = &own->open;
    uint64_t bytes = RING_UNIT_BYTES * (1 + crew_draw(w, 40));
    uint32_t location;

    if (open->is_held && open->fill + bytes > own->ring.segment_bytes) {
        seal_own(w);
        open->is_known = false;
    }
    if (!open->is_held && !resume(w) && !take_segment(w))
        return;
    if (open->fill + bytes > own->ring.segment_bytes)
        return;
    if (!ring_owned(&own->ring, open->segment))
        crew_fail(w->crew, "an open segment is not its owner's", open->segment);
    location = ring_location(&own->ring, open->segment, open->fill);
    make_record(own, atomic_fetch_add_explicit(&board->serial, 1, memory_order_relaxed), bytes,
                location, open->sequence);
    ring_write(ring_at(&own->ring, location), own->buf, bytes);
    open->fill += (uint32_t)bytes;
    ring_set_fill(&own->ring, open->segment, open->fill, 1);
    show(w, location, open->sequence);
    crew_count(&board->writes);
    if (crew_draw(w, 4) == 0)
        seal_own(w);
}

static void write_run(struct crew_worker *w)
{
    struct board *board = board_of(w);
    struct own *own = own_of(w);
    uint32_t count = 2 + (uint32_t)crew_draw(w, RUN_MAX - 1);
    uint64_t bytes = (uint64_t)count * own->ring.segment_bytes - RING_UNIT_BYTES * crew_draw(w, 90);
    uint32_t taken = 0;
    uint32_t first;
    uint32_t sequence;

    if (!ring_run_place(&own->ring, count, &first))
        return;
    for (; taken < count && claim(w, first + taken); taken++)
        open_segment(w, first + taken);
    if (taken == count) {
        if (!ring_join(&own->ring, first, count))
            crew_fail(w->crew, "a run can't be joined, segment", first);
        sequence = ring_sequence(&own->ring, first);
        if (!ring_unchanged(&own->ring, first, count, sequence))
            crew_fail(w->crew, "a run of different sequences, segment", first);
        make_record(own, atomic_fetch_add_explicit(&board->serial, 1, memory_order_relaxed), bytes,
                    ring_location(&own->ring, first, 0), sequence);
        ring_write(ring_at(&own->ring, ring_location(&own->ring, first, 0)), own->buf, bytes);
        ring_set_fill(&own->ring, first, own->ring.segment_bytes, count);
        for (uint32_t i = 1; i < count; i++)
            ring_set_fill(&own->ring, first + i, 0, 0);
        show(w, ring_location(&own->ring, first, 0), sequence);
        crew_count(&board->runs);
    }
    for (uint32_t i = 0; i < taken; i++)
        seal(w, first + i);
}

/* --- reading ------------------------------------------------------------------------------ */

static void read_one(struct crew_worker *w)
{
    struct board *board = board_of(w);
    struct own *own = own_of(w);
    /* acquire: R1 of ring.c */
    uint64_t word = atomic_load_explicit(&board->shown[crew_draw(w, SHOWN)], memory_order_acquire);
    uint32_t location = (uint32_t)(word >> 32);
    uint32_t sequence = (uint32_t)word & RING_SEQUENCE_MASK;
    uint32_t segment = ring_segment_of(&own->ring, location);
    const struct record *record = (const void *)own->buf;
    uint32_t count;

    if (word == 0 || ring_sequence(&own->ring, segment) != sequence)
        return;
    crew_count(&board->reads);
    ring_copy(own->buf, ring_at(&own->ring, location), sizeof *record);
    if (!ring_unchanged(&own->ring, segment, 1, sequence)) {
        crew_count(&board->went);
        return;
    }
    if (record->magic != RECORD_MAGIC || record->location != location ||
        record->sequence != sequence || record->bytes > sizeof own->buf)
        return crew_fail(w->crew, "torn (head), segment", segment);
    count = ring_run_of(&own->ring, ring_offset_of(&own->ring, location) + record->bytes);
    if (count > own->ring.segments - segment)
        return crew_fail(w->crew, "torn (size), segment", segment);
    ring_copy(own->buf, ring_at(&own->ring, location), record->bytes);
    if (!ring_unchanged(&own->ring, segment, count, sequence)) {
        crew_count(&board->went);
        return;
    }
    if (record->magic != RECORD_MAGIC || record->sequence != sequence ||
        !is_whole(record, record->bytes))
        return crew_fail(w->crew, "torn, segment", segment);
    crew_count(&board->whole);
}

static void act(struct crew_worker *w)
{
    for (int i = 0; i < READS_AN_ACT; i++)
        read_one(w);
    if (crew_draw(w, 64) == 0)
        write_run(w);
    else
        write_one(w);
}

/* --- the parent --------------------------------------------------------------------------- */

static int open_stage(struct crew *crew)
{
    struct stage *stage = calloc(1, sizeof *stage);

    if (stage == NULL)
        return -ENOMEM;
    crew->stage = stage;
    return region_create(&(struct region_sizes){MIB, 64 * KIB}, &stage->region);
}

static void close_stage(struct crew *crew)
{
    struct stage *stage = crew->stage;

    region_close(stage->region);
    free(stage);
}

static void enter(struct crew_worker *w)
{
    ((struct stage *)w->crew->stage)->own[w->number].is_ready = false;
}

static void bury(struct crew_worker *w)
{
    for (uint32_t i = 0; i < SEGMENTS_MAX; i++) {
        if (atomic_load_explicit(&board_of(w)->holder[i], memory_order_relaxed) == w->number + 1)
            let_go(w, i);
    }
    (void)ring_reap(&own_of(&w->crew->dice)->ring, w->number);
}

/* Nobody holds anything, the areas are those counted, and every segment can be had and is as it should be. */
static void check(struct crew *crew)
{
    struct crew_worker *w = &crew->dice;
    const struct ring *ring = &own_of(w)->ring;
    uint32_t probation = 0;

    (void)ring_reap(ring, 0); /* in peace: now its count is exact */
    if (ring_held(ring) != 0)
        crew_fail(crew, "segments are held by nobody", ring_held(ring));
    for (uint32_t i = 0; i < ring->segments; i++) {
        probation += ring_area(ring, i) == RING_PROBATION;
        if (!claim(w, i))
            crew_fail(crew, "a segment can't be had", i);
        open_segment(w, i);
        seal(w, i);
    }
    if (probation != ring_probation(ring))
        crew_fail(crew, "probation is not as many as counted", probation);
}

static bool print(const struct crew *crew)
{
    const struct board *board = (const struct board *)crew->board;

    (void)printf("%llu writes, %llu runs, %llu opens, %llu resumes, %llu looks, %llu reads, %llu "
                 "whole, %llu went",
                 (unsigned long long)board->writes, (unsigned long long)board->runs,
                 (unsigned long long)board->opens, (unsigned long long)board->resumes,
                 (unsigned long long)board->looks, (unsigned long long)board->reads,
                 (unsigned long long)board->whole, (unsigned long long)board->went);
    return board->writes > 0 && board->runs > 0 && board->whole > 0 && board->resumes > 0;
}

int main(int argc, char **argv)
{
    static const struct crew_play play = {
        .board_bytes = sizeof(struct board),
        .peers_min = 1,
        .open = open_stage,
        .enter = enter,
        .act = act,
        .leave = seal_own,
        .bury = bury,
        .check = check,
        .print = print,
        .close = close_stage,
    };

    return crew_main(argc, argv, &play);
}
