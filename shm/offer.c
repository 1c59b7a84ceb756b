/* SPDX-License-Identifier: MIT */
/*
 * offer.c - the renders of a generation that anybody may do. A slot is a word (version 32 | taker 12 | owner 12 |
 * state 8), a request and a result. Who may change the word, all by CAS on the whole of it:
 *
 *            owner                 taker             owner, result read
 *   FREE ──▶ FILLING ──▶ OPEN ──────────▶ TAKEN ──────────▶ DONE ──▶ FREE
 *             ▲            │ owner          │ │  └─ gives up, or reaped ─▶ LOST ──▶ FREE (owner)
 *             └─ withdraws ┘                │ └─ owner gone ─▶ ORPHAN ──▶ FREE (taker, or the reaper)
 *
 * Beside the slots: `open`, a bit for each that is OPEN, so that looking for work reads four words; and
 * `idle`, a bit for each worker that has none.
 *
 *   owner  P0 word = FILLING (CAS, acquire)         idler  I1 idle |= own bit (seq_cst)
 *          P1 write request (plain)                        I2 load open (seq_cst): none: sleep
 *          P2 word = OPEN (release)                 taker  T1 load word: OPEN (acquire)
 *          P3 open |= bit (seq_cst)                        T2 word = TAKEN (CAS, acq_rel); open &= ~bit
 *          P3a not OPEN any more: open &= ~bit
 *          P4 load idle (seq_cst)                          T3 read request, render, write result
 *          P5 idle &= ~bit (seq_cst); if it                T4 word = DONE (CAS, release)
 *             was set: ring                                T5 ring the owner
 *          D1 load word: DONE (acquire)
 *          D2 read result   D3 word = FREE (release)
 *
 * Whole request: T1 pairs with P2. Whole result: D1 pairs with T4. The next owner's P0 pairs with D3, so it
 *   overwrites nothing that is still read; an ORPHAN is freed by its taker alone, who reads the request.
 * No work is left lying while somebody is idle: of P3, P4 and I1, I2, all in one order, either P4
 *   sees the bit or I2 the offer. Who clears a bit rings that bell; a woken worker takes the oldest it
 *   finds and, when it has nothing again, does I1, I2 anew: so one ring for two offers suffices.
 * A slot's bit in `open` is cleared before the slot can be used again (a withdrawal goes through FILLING),
 *   so none is cleared that a later offer has set. Nor does one stay behind its offer: a taker that has seen the
 *   bit of the offer before may find the next one between P2 and P3, take it and clear the bit before it is
 *   set; so the owner looks once more (P3a). Only it or that taker can free the slot, so no later offer's is meant.
 *
 * Crash of an owner: FILLING, OPEN, DONE, LOST are freed by offers_reap(); TAKEN becomes ORPHAN. Of a taker: TAKEN
 *   becomes LOST and its owner is rung; ORPHAN is freed. Of an idle worker between its ring and its look:
 *   what it would have taken waits for the next who is idle, or for its owner, who renders it when its
 *   turn comes: an offer is a chance, not a duty, so nobody waits for the dead.
 */
#include "shm/offer.h"

#include "shm/bell.h"
#include "shm/fault.h"

#include <errno.h>
#include <stdatomic.h>
#include <sys/mman.h>

#define WORDS (OFFERS_MAX / 64)
#define IDLE_WORDS (OFFER_WORKERS_MAX / 64)

enum state { FREE, FILLING, OPEN, TAKEN, DONE, LOST, ORPHAN };

struct slot {
    _Atomic uint64_t word;
    _Atomic uint64_t queued_ns;     /* by its owner, before OPEN */
    _Atomic uint32_t request_bytes; /* likewise */
    _Atomic uint32_t result_bytes;  /* by its taker, before DONE */
};

struct offers {
    /* owners set, takers clear; who withdraws, and the master for the dead, clear too */
    alignas(CACHE_LINE_BYTES) _Atomic uint64_t open[WORDS];
    /* the idle set, owners clear; who finds work by itself, and the master for the dead, clear too */
    alignas(CACHE_LINE_BYTES) _Atomic uint64_t idle[IDLE_WORDS];
    alignas(CACHE_LINE_BYTES) _Atomic uint32_t
        waiting[OFFER_WORKERS_MAX][OFFER_ROUTES_MAX]; /* each its own */
    alignas(CACHE_LINE_BYTES) struct slot slot[OFFERS_MAX];
    alignas(4096) unsigned char request[OFFERS_MAX][OFFER_REQUEST_BYTES];
    unsigned char result[OFFERS_MAX][OFFER_RESULT_BYTES];
};

static uint64_t make_word(uint32_t version, uint32_t taker, uint32_t owner, enum state state)
{
    return (uint64_t)version << 32 | (uint64_t)taker << 20 | (uint64_t)owner << 8 | (uint64_t)state;
}

static uint32_t version_of(uint64_t word)
{
    return (uint32_t)(word >> 32);
}

static uint32_t taker_of(uint64_t word)
{
    return (uint32_t)(word >> 20) & 0xfff;
}

static uint32_t owner_of(uint64_t word)
{
    return (uint32_t)(word >> 8) & 0xfff;
}

static enum state state_of(uint64_t word)
{
    return (enum state)(word & 0xff);
}

static struct slot *slot_of(const struct offers *offers, struct offer offer)
{
    return (struct slot *)&offers->slot[offer.slot % OFFERS_MAX];
}

int offers_new(struct offers **ret_offers)
{
    void *at = mmap(NULL, sizeof(struct offers), PROT_READ | PROT_WRITE,
                    MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (at == MAP_FAILED)
        return -ENOMEM;
    *ret_offers = at; /* zero: all FREE, nobody idle */
    return 0;
}

void offers_free(struct offers *offers)
{
    if (offers)
        (void)munmap(offers, sizeof *offers);
}

/* ---- words ---- */

/* From the word seen to another state; release: what was written before is seen by who finds it. */
static bool move(struct slot *s, uint64_t word, uint32_t taker, enum state to)
{
    return atomic_compare_exchange_strong_explicit(
        &s->word, &word, make_word(version_of(word), taker, owner_of(word), to),
        memory_order_acq_rel, memory_order_relaxed); /* P0, T2, T4, D3: pair as said above */
}

static uint64_t word_now(const struct slot *s)
{
    return atomic_load_explicit(&s->word, memory_order_acquire); /* T1, D1: pairs P2, T4 */
}

static void close_bit(struct offers *offers, uint32_t slot)
{
    (void)atomic_fetch_and_explicit(&offers->open[slot / 64], ~(UINT64_C(1) << slot % 64),
                                    memory_order_relaxed);
}

/* ---- the owner ---- */

int offer_begin(struct offers *offers, uint32_t owner, struct offer *ret_offer, void **ret_request)
{
    for (uint32_t i = 0; i < OFFERS_MAX; i++) { /* the lowest: so little memory is touched */
        struct slot *s = &offers->slot[i];
        uint64_t word = atomic_load_explicit(&s->word, memory_order_relaxed);
        uint32_t version = version_of(word) + 1;

        if (state_of(word) != FREE ||
            !atomic_compare_exchange_strong_explicit(
                &s->word, &word, make_word(version, 0, owner, FILLING), memory_order_acquire,
                memory_order_relaxed)) /* P0, pairs D3 */
            continue;
        FAULT(offer_filling);
        *ret_offer = (struct offer){i, version};
        *ret_request = offers->request[i];
        return 0;
    }
    return -ENOSPC;
}

/* P4, P5: one idle worker, the lowest number. */
static void wake_one(struct offers *offers, const struct bells *bells)
{
    for (uint32_t i = 0; i < IDLE_WORDS; i++) {
        uint64_t idle = atomic_load_explicit(&offers->idle[i], memory_order_seq_cst); /* I1 */

        for (; idle != 0; idle &= idle - 1) {
            uint64_t bit = idle & -idle;

            if (atomic_fetch_and_explicit(&offers->idle[i], ~bit, memory_order_seq_cst) & bit) {
                FAULT(offer_bell_due);
                bell_ring_number(bells, i * 64 + (uint32_t)__builtin_ctzll(bit));
                return;
            }
        }
    }
}

void offer_publish(struct offers *offers, const struct bells *bells, struct offer offer,
                   size_t bytes, uint64_t queued_ns)
{
    struct slot *s = slot_of(offers, offer);
    uint64_t word = atomic_load_explicit(&s->word, memory_order_relaxed); /* our own */

    if (bytes == 0) {
        (void)move(s, word, 0, FREE);
        return;
    }
    atomic_store_explicit(&s->queued_ns, queued_ns, memory_order_relaxed);
    atomic_store_explicit(&s->request_bytes, (uint32_t)bytes, memory_order_relaxed);
    (void)move(s, word, 0, OPEN); /* P2 */
    FAULT(offer_open);
    (void)atomic_fetch_or_explicit(&offers->open[offer.slot / 64], UINT64_C(1) << offer.slot % 64,
                                   memory_order_seq_cst); /* P3, pairs I2 */
    FAULT(offer_bit_set);
    if (state_of(word_now(s)) != OPEN) { /* P3a */
        close_bit(offers, offer.slot);
        return;
    }
    wake_one(offers, bells);
}

enum offer_sight offer_look(const struct offers *offers, struct offer offer)
{
    uint64_t word = word_now(slot_of(offers, offer));

    if (version_of(word) != offer.version)
        return OFFER_LOST;
    switch (state_of(word)) {
    case FILLING:
    case OPEN:
        return OFFER_OPEN;
    case TAKEN:
        return OFFER_TAKEN;
    case DONE:
        return OFFER_DONE;
    default:
        return OFFER_LOST;
    }
}

bool offer_withdraw(struct offers *offers, struct offer offer)
{
    struct slot *s = slot_of(offers, offer);
    uint64_t word = atomic_load_explicit(&s->word, memory_order_relaxed);

    if (version_of(word) != offer.version || state_of(word) != OPEN || !move(s, word, 0, FILLING))
        return false;
    FAULT(offer_withdrawing);
    close_bit(offers, offer.slot);
    FAULT(offer_withdrawn);
    (void)move(s, atomic_load_explicit(&s->word, memory_order_relaxed), 0, FREE);
    return true;
}

const void *offer_result(const struct offers *offers, struct offer offer, size_t *ret_bytes)
{
    const struct slot *s = slot_of(offers, offer);
    uint32_t bytes = atomic_load_explicit(&s->result_bytes, memory_order_relaxed);

    *ret_bytes = bytes <= OFFER_RESULT_BYTES ? bytes : 0;
    return offers->result[offer.slot % OFFERS_MAX];
}

void offer_drop(struct offers *offers, struct offer offer)
{
    struct slot *s = slot_of(offers, offer);

    for (;;) { /* at most twice more: OPEN -> TAKEN -> DONE or LOST */
        uint64_t word = word_now(s);

        if (version_of(word) != offer.version)
            return;
        switch (state_of(word)) {
        case OPEN:
            if (offer_withdraw(offers, offer))
                return;
            break;
        case TAKEN:
            if (move(s, word, taker_of(word), ORPHAN)) {
                FAULT(offer_orphaned);
                return;
            }
            break;
        case DONE:
        case LOST:
            FAULT(offer_read);
            (void)move(s, word, 0, FREE); /* D3 */
            return;
        default:
            return;
        }
    }
}

/* ---- the taker ---- */

/* The open slot that waits longest; OFFERS_MAX: none. */
static uint32_t oldest(const struct offers *offers, uint64_t *ret_word)
{
    uint32_t found = OFFERS_MAX;
    uint64_t found_ns = UINT64_MAX;

    for (uint32_t i = 0; i < WORDS; i++) {
        uint64_t open = atomic_load_explicit(&offers->open[i], memory_order_seq_cst); /* I2 */

        for (; open != 0; open &= open - 1) {
            uint32_t slot = i * 64 + (uint32_t)__builtin_ctzll(open);
            const struct slot *s = &offers->slot[slot];
            uint64_t word = word_now(s); /* T1 */
            uint64_t queued_ns = atomic_load_explicit(&s->queued_ns, memory_order_relaxed);

            if (state_of(word) != OPEN || queued_ns >= found_ns)
                continue;
            found = slot;
            found_ns = queued_ns;
            *ret_word = word;
        }
    }
    return found;
}

int offer_take(struct offers *offers, uint32_t taker, struct offer *ret_offer,
               const void **ret_request, size_t *ret_bytes, uint64_t *ret_queued_ns)
{
    uint64_t word = 0;
    uint32_t slot;

    while ((slot = oldest(offers, &word)) < OFFERS_MAX) {
        struct slot *s = &offers->slot[slot];
        uint32_t bytes;

        if (!move(s, word, taker, TAKEN)) /* T2; another's success */
            continue;
        FAULT(offer_taken);
        close_bit(offers, slot);
        FAULT(offer_bit_closed);
        bytes = atomic_load_explicit(&s->request_bytes, memory_order_relaxed);
        *ret_offer = (struct offer){slot, version_of(word)};
        *ret_request = offers->request[slot];
        *ret_bytes = bytes <= OFFER_REQUEST_BYTES ? bytes : 0;
        *ret_queued_ns = atomic_load_explicit(&s->queued_ns, memory_order_relaxed);
        return 0;
    }
    return -ENOENT;
}

bool offer_is_wanted(const struct offers *offers, struct offer offer)
{
    uint64_t word = atomic_load_explicit(&slot_of(offers, offer)->word, memory_order_relaxed);

    return version_of(word) == offer.version && state_of(word) == TAKEN;
}

void *offer_room(struct offers *offers, struct offer offer)
{
    return offers->result[offer.slot % OFFERS_MAX];
}

void offer_finish(struct offers *offers, const struct bells *bells, struct offer offer,
                  size_t bytes)
{
    struct slot *s = slot_of(offers, offer);
    uint64_t word = atomic_load_explicit(&s->word, memory_order_relaxed);

    if (version_of(word) != offer.version)
        return;
    atomic_store_explicit(&s->result_bytes, (uint32_t)bytes, memory_order_relaxed);
    FAULT(offer_rendered);
    if (state_of(word) == TAKEN &&
        move(s, word, taker_of(word), bytes > 0 ? DONE : LOST)) { /* T4 */
        FAULT(offer_done);
        bell_ring_number(bells, owner_of(word)); /* T5 */
        return;
    }
    word = atomic_load_explicit(&s->word, memory_order_relaxed);
    if (version_of(word) == offer.version && state_of(word) == ORPHAN) {
        FAULT(offer_orphan_done);
        (void)move(s, word, 0, FREE);
    }
}

bool offers_idle(struct offers *offers, uint32_t worker)
{
    uint64_t open = 0;

    if (worker >= OFFER_WORKERS_MAX)
        return false;
    (void)atomic_fetch_or_explicit(&offers->idle[worker / 64], UINT64_C(1) << worker % 64,
                                   memory_order_seq_cst); /* I1, pairs P4 */
    FAULT(offer_idle_set);
    for (uint32_t i = 0; i < WORDS; i++)
        open |= atomic_load_explicit(&offers->open[i], memory_order_seq_cst); /* I2, pairs P3 */
    return open != 0;
}

void offers_busy(struct offers *offers, uint32_t worker)
{
    if (worker < OFFER_WORKERS_MAX)
        (void)atomic_fetch_and_explicit(&offers->idle[worker / 64], ~(UINT64_C(1) << worker % 64),
                                        memory_order_relaxed);
}

void offers_pass_on(struct offers *offers, const struct bells *bells)
{
    uint64_t open = 0;

    for (uint32_t i = 0; i < WORDS; i++)
        open |= atomic_load_explicit(&offers->open[i], memory_order_relaxed);
    if (open != 0)
        wake_one(offers, bells);
}

/* ---- figures ---- */

void offers_set_waiting(struct offers *offers, uint32_t worker, uint32_t route, uint32_t waiting)
{
    if (worker < OFFER_WORKERS_MAX && route < OFFER_ROUTES_MAX)
        atomic_store_explicit(&offers->waiting[worker][route], waiting, memory_order_relaxed);
}

uint64_t offers_waiting(const struct offers *offers, uint32_t workers, uint32_t route)
{
    uint64_t sum = 0;

    for (uint32_t i = 0; i < workers && i < OFFER_WORKERS_MAX && route < OFFER_ROUTES_MAX; i++)
        sum += atomic_load_explicit(&offers->waiting[i][route], memory_order_relaxed);
    return sum;
}

unsigned offers_count(const struct offers *offers)
{
    unsigned count = 0;

    for (uint32_t i = 0; i < OFFERS_MAX; i++)
        count +=
            state_of(atomic_load_explicit(&offers->slot[i].word, memory_order_relaxed)) != FREE;
    return count;
}

/* ---- the master's part ---- */

/* What a slot becomes when this worker is dead; its own state: nothing to do. */
static enum state after_death(uint64_t word, uint32_t dead)
{
    enum state state = state_of(word);

    if (state != FREE && owner_of(word) == dead) {
        if (state == TAKEN && taker_of(word) != dead)
            return ORPHAN;
        return state == ORPHAN && taker_of(word) != dead ? ORPHAN : FREE;
    }
    if (taker_of(word) == dead && state == TAKEN)
        return LOST;
    if (taker_of(word) == dead && state == ORPHAN)
        return FREE;
    return state;
}

unsigned offers_reap(struct offers *offers, const struct bells *bells, uint32_t dead)
{
    unsigned count = 0;

    offers_busy(offers, dead);
    for (uint32_t route = 0; route < OFFER_ROUTES_MAX; route++)
        offers_set_waiting(offers, dead, route, 0);
    for (uint32_t i = 0; i < OFFERS_MAX; i++) {
        struct slot *s = &offers->slot[i];
        uint64_t word = word_now(s);
        enum state to;

        if (taker_of(word) == dead && (state_of(word) == DONE || state_of(word) == LOST))
            bell_ring_number(bells, owner_of(word)); /* it may have died right before T5 */
        while ((to = after_death(word, dead)) != state_of(word)) {
            FAULT(offer_reaping);
            close_bit(offers,
                      i); /* it may have died right before it would have; nobody offers it yet */
            FAULT(offer_reap_closed);
            if (move(s, word, taker_of(word), to)) {
                FAULT(offer_reap_moved);
                count++;
                if (to == LOST)
                    bell_ring_number(bells, owner_of(word));
                break;
            }
            word = word_now(s); /* the other party has moved it */
        }
    }
    return count;
}
