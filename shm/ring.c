/* SPDX-License-Identifier: MIT */
/*
 * ring.c - who holds which segment of the ring. Segments, not pages, are claimed: a worker fights
 * for one about once in a hundred pages, and appends to it alone, without an atomic operation but
 * the publishing store.
 *
 * A segment's word: sequence (29 bits) | peer (11) | pid (22) | state (2). Who may change it:
 *
 *   SEALED      -> RECLAIMING  anyone, by CAS                    claim
 *   RECLAIMING  -> OPEN        its owner; sequence + 1, fill 0   open
 *   RECLAIMING  -> SEALED      its owner, nothing changed        unclaim
 *   OPEN        -> OPEN        its owner, empty; newer sequence  join
 *   OPEN        -> SEALED      its owner                         seal
 *   SEALED      -> OPEN        who sealed it; same sequence      resume
 *   either      -> SEALED      the reaper, nothing changed
 *
 * All by CAS on the whole word, owner included, so that no step succeeds on a segment that has
 * become someone else's. Pages are immutable from their publication until the sequence changes.
 *
 *   owner  W0 word = OPEN, sequence s (CAS, release)    reader  R1 load index slot (acquire)
 *          W1 fence(release)                                    R2 load word, sequence s (acquire)
 *          W2 write page (plain or relaxed)                     R3 copy bytes
 *          W3 publish slot (CAS, release)                       R4 fence(acquire)
 *          ...                                                  R5 load word: sequence still s
 *   next   W4 word = OPEN, sequence s + 1 (CAS, release)
 *   owner  W5 fence(release)
 *          W6 write other pages
 *
 * Not half written: R1 reads W3 (or an RMW upon it: touch), so R3 sees W2 or newer bytes.
 * Not overwritten: had R3 seen a byte of W6, fences W5/R4 pair, so R5 must see W4 or later: the
 *   sequence differs and the copy is dropped. R2 cannot see an older sequence than s: W0 happens
 *   before W3, which R1 has read.
 * Pages in W6 never appear under the old sequence: they are published after W4.
 * Claim (acquire) pairs with seal (release): the reclaimer sees all that the owner wrote.
 * Resume is a CAS on the very word that the caller's seal left, so the sequence s was not raised
 *   since: nobody has opened the segment in between (claimed and unclaimed it may have been: that
 *   changes no byte). The bytes behind the caller's own fill were therefore never named under s, and
 *   appending to them is as in W2, W3: R2 finds s, put there by W0, which happens before W3 still.
 *   The fill must be the one that the caller noted: that of the table may be another process's by
 *   the time it is read.
 *
 * A run is a page over several segments, all OPEN and given one common sequence before the page is
 * written (join), so a reader needs that of the first alone; each is sealed, claimed and reclaimed
 * for itself afterwards, and a reader looks at all of them at R2 and R5. Nothing ties the
 * segments together, so a death between any two steps leaves no half of a run to repair.
 *
 * Crash, at any step: the word names the owner, and the reaper finds it by one walk of the table;
 *   to take the owner's name off is the whole repair. OPEN: published pages stay; fill covers
 *   complete ones only (it is stored after each), and what was being written behind it is named by
 *   nothing. RECLAIMING: some pages are out of the index, the others stay for the next pass, as no
 *   byte was changed before W4. A killed opener may have left the old fill under the new
 *   sequence: whole pages that nothing names, as no byte was changed before the fill either. So
 *   a page that can be read is always inside the fill of its segment. A stopped process holds its open segment and no one waits for it: claims fail and move on.
 */
#include "shm/ring.h"

#include "shm/region_map.h"

#include <errno.h>
#include <sys/mman.h>

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23 /* Linux 5.14 */
#endif

#define STATE_BITS 2
#define PID_BITS 22 /* the kernel's PID_MAX_LIMIT */
#define PEER_BITS 11
#define PEER_SHIFT (STATE_BITS + PID_BITS)
#define SEQUENCE_SHIFT (PEER_SHIFT + PEER_BITS)
#define STATE_MASK (((uint64_t)1 << STATE_BITS) - 1)
#define OWNER_MASK ((((uint64_t)1 << SEQUENCE_SHIFT) - 1) & ~STATE_MASK)
#define PEER_MASK (((uint64_t)1 << PEER_BITS) - 1)
static_assert(SEQUENCE_SHIFT + RING_SEQUENCE_BITS == 64, "a word is full");
static_assert(REGION_PEERS_MAX <= PEER_MASK, "rows and the master's number fit");

static uint64_t make_word(uint32_t sequence, uint64_t owner, enum ring_state state)
{
    return (uint64_t)(sequence & RING_SEQUENCE_MASK) << SEQUENCE_SHIFT | owner | (uint64_t)state;
}

static enum ring_state state_of(uint64_t word)
{
    return (enum ring_state)(word & STATE_MASK);
}

/* Does `a` come after `b`? Sequences wrap. */
static bool comes_after(uint32_t a, uint32_t b)
{
    uint32_t ahead = (a - b) & RING_SEQUENCE_MASK;

    return ahead != 0 && ahead <= RING_SEQUENCE_MASK / 2;
}

static struct ring_segment *segment_at(const struct ring *ring, uint32_t segment)
{
    return &ring->table->segment[segment];
}

static uint64_t word_now(const struct ring *ring, uint32_t segment)
{
    return atomic_load_explicit(&segment_at(ring, segment)->word, memory_order_relaxed);
}

/* acq_rel: acquire pairs with the seal of the last owner, release with claims and readers to come.
 */
static bool change(const struct ring *ring, uint32_t segment, uint64_t from, uint64_t to)
{
    return atomic_compare_exchange_strong_explicit(&segment_at(ring, segment)->word, &from, to,
                                                   memory_order_acq_rel, memory_order_relaxed);
}

size_t ring_table_bytes(uint32_t segments)
{
    return sizeof(struct ring_table) + segments * sizeof(struct ring_segment);
}

void ring_init(struct ring_table *table, uint32_t segments)
{
    for (uint32_t i = 0; i < segments; i++) {
        atomic_store_explicit(&table->segment[i].word, make_word(0, 0, RING_SEALED),
                              memory_order_relaxed);
        atomic_store_explicit(&table->segment[i].run, 1, memory_order_relaxed);
        atomic_store_explicit(&table->segment[i].area, RING_PROBATION, memory_order_relaxed);
    }
    atomic_store_explicit(&table->probation, segments, memory_order_relaxed);
}

/* What a death of all processes at once has left: as ring_reap() for all of them. Fill, run, area and
 * hands are bounded where they are read; a sequence may be anything. */
void ring_adopt(struct ring_table *table, uint32_t segments)
{
    uint32_t probation = 0;

    for (uint32_t i = 0; i < segments; i++) {
        struct ring_segment *s = &table->segment[i];
        uint64_t word = atomic_load_explicit(&s->word, memory_order_relaxed);

        atomic_store_explicit(&s->word, make_word(ring_word_sequence(word), 0, RING_SEALED),
                              memory_order_relaxed);
        probation += atomic_load_explicit(&s->area, memory_order_relaxed) != RING_MAIN;
    }
    atomic_store_explicit(&table->probation, probation, memory_order_relaxed);
}

void ring_view(const struct region *region, uint32_t peer, struct ring *ret_ring)
{
    uint64_t pid = (uint64_t)getpid() & (((uint64_t)1 << PID_BITS) - 1);

    *ret_ring = (struct ring){
        .table = region_at(region, REGION_RING),
        .bytes = region_at(region, REGION_SEGMENTS),
        .segments = region->header->segments,
        .segment_bytes = region->header->segment_bytes,
        .segment_shift = (uint32_t)__builtin_ctz(region->header->segment_bytes),
        .owner = (uint64_t)peer << PEER_SHIFT | pid << STATE_BITS,
    };
}

bool ring_unchanged(const struct ring *ring, uint32_t first, uint32_t count, uint32_t sequence)
{
    atomic_thread_fence(memory_order_acquire); /* R4, pairs W5 */
    for (uint32_t i = 0; i < count; i++) {
        if (ring_word_sequence(word_now(ring, first + i)) != sequence) /* R5 */
            return false;
    }
    return true;
}

enum ring_area ring_area(const struct ring *ring, uint32_t segment)
{
    return atomic_load_explicit(&segment_at(ring, segment)->area, memory_order_relaxed) == RING_MAIN
               ? RING_MAIN
               : RING_PROBATION;
}

/* Killed between the two stores: the count is wrong by one until the reaper counts. */
void ring_set_area(const struct ring *ring, uint32_t segment, enum ring_area area)
{
    if (ring_area(ring, segment) == area)
        return;
    atomic_store_explicit(&segment_at(ring, segment)->area, (uint32_t)area, memory_order_relaxed);
    FAULT(ring_area_stored);
    (void)atomic_fetch_add_explicit(
        &ring->table->probation, area == RING_PROBATION ? 1 : (uint32_t)-1, memory_order_relaxed);
}

uint32_t ring_probation(const struct ring *ring)
{
    return atomic_load_explicit(&ring->table->probation, memory_order_relaxed);
}

uint64_t ring_turns(const struct ring *ring)
{
    return atomic_load_explicit(&ring->table->turns, memory_order_relaxed);
}

void ring_count_turn(const struct ring *ring)
{
    (void)atomic_fetch_add_explicit(&ring->table->turns, 1, memory_order_relaxed);
    FAULT(ring_turn_counted);
}

bool ring_hand(const struct ring *ring, enum ring_area area, uint64_t *steps, uint32_t *ret_segment)
{
    while (*steps > 0) {
        uint64_t hand =
            atomic_fetch_add_explicit(&ring->table->hand[area], 1, memory_order_relaxed);
        uint32_t segment = (uint32_t)(hand % ring->segments);

        FAULT(ring_hand_moved);
        --*steps;
        if (ring_area(ring, segment) != area)
            continue;
        *ret_segment = segment;
        return true;
    }
    return false;
}

bool ring_peek(const struct ring *ring, enum ring_area area, uint32_t *ret_segment)
{
    uint64_t hand = atomic_load_explicit(&ring->table->hand[area], memory_order_relaxed);

    for (uint32_t i = 0; i < ring->segments; i++) {
        uint32_t segment = (uint32_t)((hand + i) % ring->segments);

        if (ring_area(ring, segment) != area)
            continue;
        *ret_segment = segment;
        return true;
    }
    return false;
}

void ring_hand_skip(const struct ring *ring, enum ring_area area, uint32_t count)
{
    (void)atomic_fetch_add_explicit(&ring->table->hand[area], count, memory_order_relaxed);
}

/* Large pages would empty main where its hand stands, three segments for each, were it not for the
 * segments that earlier ones have left side by side. */
bool ring_run_place(const struct ring *ring, uint32_t count, uint32_t *ret_first)
{
    uint64_t hand = atomic_load_explicit(&ring->table->run_hand, memory_order_relaxed);
    uint32_t looks = ring->segments < RING_LOOK ? ring->segments : RING_LOOK;
    uint32_t most = 0;
    uint32_t sealed = 0; /* in a row, up to `last` */
    uint32_t probation = 0;
    bool found = false;

    for (uint32_t i = 0; i < looks + count - 1; i++) {
        uint32_t last = (uint32_t)((hand + i) % ring->segments);

        if (last == 0 || sealed == 0) /* the wrap is not a run */
            sealed = probation = 0;
        if (state_of(word_now(ring, last)) != RING_SEALED) {
            sealed = 0;
            continue;
        }
        probation += ring_area(ring, last) == RING_PROBATION;
        if (sealed == count)
            probation -= ring_area(ring, last - count) == RING_PROBATION;
        else
            sealed++;
        if (sealed == count && (!found || probation > most)) {
            found = true;
            most = probation;
            *ret_first = last + 1 - count;
        }
    }
    if (found) {
        atomic_store_explicit(&ring->table->run_hand, *ret_first + count, memory_order_relaxed);
        FAULT(ring_run_placed);
    }
    return found;
}

/* The caller's own word in this state, or false. */
static bool own_word(const struct ring *ring, uint32_t segment, enum ring_state state,
                     uint64_t *ret_word)
{
    uint64_t word = word_now(ring, segment);

    *ret_word = word;
    return state_of(word) == state && (word & OWNER_MASK) == ring->owner;
}

bool ring_unclaim(const struct ring *ring, uint32_t segment)
{
    uint64_t word;

    FAULT(ring_unclaiming);
    return own_word(ring, segment, RING_RECLAIMING, &word) &&
           change(ring, segment, word, make_word(ring_word_sequence(word), 0, RING_SEALED));
}

/* Ask for a segment's memory before its first use: where there is none the kernel then says so
 * (MADV_POPULATE_WRITE), while a plain store would be a SIGBUS. Kernels before 5.14 do not know
 * the call; there the store has to do. */
static bool back(const struct ring *ring, uint32_t segment)
{
    void *start = ring_at(ring, ring_location(ring, segment, 0));

    return madvise(start, ring->segment_bytes, MADV_POPULATE_WRITE) == 0 || errno == EINVAL;
}

bool ring_claim(const struct ring *ring, uint32_t segment)
{
    uint64_t word = word_now(ring, segment);

    if (state_of(word) != RING_SEALED ||
        !change(ring, segment, word,
                make_word(ring_word_sequence(word), ring->owner, RING_RECLAIMING)))
        return false;
    FAULT(ring_claimed);
    if (ring_word_sequence(word) != 0 || back(ring, segment)) {
        FAULT(ring_backed);
        return true;
    }
    (void)ring_unclaim(ring, segment);
    return false;
}

bool ring_open(const struct ring *ring, uint32_t segment)
{
    uint64_t word;

    FAULT(ring_opening);
    if (!own_word(ring, segment, RING_RECLAIMING, &word) ||
        !change(ring, segment, word,
                make_word(ring_word_sequence(word) + 1, ring->owner, RING_OPEN))) /* W0, W4 */
        return false;
    FAULT(ring_opened);
    /* Not before W4: killed in between, pages that can still be read would be in no fill. */
    ring_set_fill(ring, segment, 0, 1);
    atomic_thread_fence(memory_order_release); /* W1, W5: pairs R4 */
    return true;
}

bool ring_join(const struct ring *ring, uint32_t first, uint32_t count)
{
    uint32_t newest = ring_word_sequence(word_now(ring, first));
    uint64_t word;

    for (uint32_t i = 1; i < count; i++) {
        uint32_t sequence = ring_word_sequence(word_now(ring, first + i));

        if (comes_after(sequence, newest))
            newest = sequence;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (!own_word(ring, first + i, RING_OPEN, &word) ||
            !change(ring, first + i, word, make_word(newest, ring->owner, RING_OPEN)))
            return false;
        FAULT(ring_joined_one);
    }
    atomic_thread_fence(memory_order_release); /* W1: pairs R4 */
    return true;
}

bool ring_owned(const struct ring *ring, uint32_t segment)
{
    uint64_t word;

    return own_word(ring, segment, RING_OPEN, &word);
}

void ring_set_fill(const struct ring *ring, uint32_t segment, uint32_t fill, uint32_t run)
{
    struct ring_segment *s = segment_at(ring, segment);

    atomic_store_explicit(&s->run, run, memory_order_relaxed);
    FAULT(ring_fill_halved);
    /* release: the bytes come first, so that the fill covers whole pages when its owner is killed;
     * pairs with the acquire of the claim that follows the reaper's seal */
    atomic_store_explicit(&s->fill, fill, memory_order_release);
    FAULT(ring_fill_set);
}

bool ring_seal(const struct ring *ring, uint32_t segment)
{
    uint64_t word;

    FAULT(ring_sealing);
    if (!own_word(ring, segment, RING_OPEN, &word) ||
        !change(ring, segment, word, make_word(ring_word_sequence(word), 0, RING_SEALED)))
        return false;
    FAULT(ring_sealed);
    return true;
}

bool ring_resume(const struct ring *ring, uint32_t segment, uint32_t sequence)
{
    /* no fence: W1 of the caller's own open still stands before all that it writes */
    if (!change(ring, segment, make_word(sequence, 0, RING_SEALED),
                make_word(sequence, ring->owner, RING_OPEN)))
        return false;
    FAULT(ring_resumed);
    return true;
}

uint32_t ring_fill(const struct ring *ring, uint32_t segment)
{
    uint32_t fill = atomic_load_explicit(&segment_at(ring, segment)->fill, memory_order_relaxed);

    return fill <= ring->segment_bytes ? fill : ring->segment_bytes;
}

uint32_t ring_run(const struct ring *ring, uint32_t segment)
{
    uint32_t run = atomic_load_explicit(&segment_at(ring, segment)->run, memory_order_relaxed);

    return run >= 1 && run <= ring->segments - segment ? run : 1;
}

bool ring_inside_run(const struct ring *ring, uint32_t segment)
{
    return atomic_load_explicit(&segment_at(ring, segment)->run, memory_order_relaxed) == 0;
}

unsigned ring_reap(const struct ring *ring, uint32_t dead_peer)
{
    unsigned repaired = 0;
    uint32_t probation = 0;

    for (uint32_t i = 0; i < ring->segments; i++) {
        uint64_t word = word_now(ring, i);

        probation += ring_area(ring, i) == RING_PROBATION;
        if (state_of(word) != RING_SEALED && (word >> PEER_SHIFT & PEER_MASK) == dead_peer) {
            repaired += change(ring, i, word, make_word(ring_word_sequence(word), 0, RING_SEALED));
            FAULT(ring_reaped_one);
        }
    }
    FAULT(ring_reaped_all);
    /* Others may change areas while this counts: then it is off by those that were on the way, until
     * the next death. It decides which area gives a segment, nothing else. */
    atomic_store_explicit(&ring->table->probation, probation, memory_order_relaxed);
    return repaired;
}

uint32_t ring_held(const struct ring *ring)
{
    uint32_t held = 0;

    for (uint32_t i = 0; i < ring->segments; i++)
        held += state_of(word_now(ring, i)) != RING_SEALED;
    return held;
}
