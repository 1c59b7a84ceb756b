/* SPDX-License-Identifier: MIT */
/*
 * index.c - the index of the cold cache: buckets of eight slots, one cache line each. A key may
 * stand in any slot of its two buckets; there are no chains, so no tombstones, and no probe longer
 * than two lines. Every change is one CAS on one word: there is no step between to die at.
 *
 * A slot is live while the 14 bits of sequence in it are those of its segment; the segment's owner
 * kills all slots that lead into it by raising the sequence. Dead slots count as empty. Should the
 * 14 bits come round (16,384 reclaims with a slot left behind by a crash), the slot leads to bytes
 * that are bounds-checked, and to a page only if a whole page of just that key stands there.
 *
 *   writer  W1 page's bytes                       reader  R1 load slot (acquire), pairs W2
 *           W2 CAS slot (release)                         R2 the page's bytes
 *           W3 fence(seq_cst)
 *           W4 load the key's other slots (acquire)
 *
 * R2 sees W1, also when a touch came between: an RMW continues W2's release sequence.
 *
 * One key, one slot. A writer that finds its key replaces that word. Two writers of a new key may
 * take two slots: fences W3 of both are in one order, so at least one of them sees the other's word
 * at W4. Both judge alike (the page stored later stays; at one instant, the one in the earlier
 * probe) so one slot remains, whoever clears the other. A writer killed before W4 leaves two:
 * readers take the first; the next put takes that one and clears the other, a remove clears both.
 *
 * A reclaimer moves pages that survive: from the raise of the sequence to its index_move() their
 * slots are dead. A put or remove of that key must not be undone by that move: both clear (or
 * take) dead slots of their tag as if they were the key's own, so the move's CAS fails. Another key
 * of the same tag loses its page: a miss in 65,536.
 *
 * A page that moves to another segment while the old one is only claimed has no such gap: the slot
 * leads to the old bytes before the move's CAS and to the new ones after it (release: W2 for the
 * copy). Heat alone never makes a move, a clear or a ghost fail: it says nothing of where the page
 * is, so they try again with the heat that they found, at most as often as it can rise.
 *
 * Ghosts take the place of an evicted page's word by one CAS. They lead nowhere, so they publish
 * nothing, and every rule for dead words holds for them. A put that finds its key's ghost takes that
 * slot; index_known() is asked before, and what it says decides only where a page is stored.
 */
#include "shm/index.h"

#include "shm/fault.h"
#include "shm/region_map.h"

#include <errno.h>

/* Each failed CAS is another process's success. So many in a row is unheard of; then a page is not
 * stored, or a slot is left to the next. */
#define TRIES 64

void index_view(const struct region *region, struct index *ret_index)
{
    *ret_index = (struct index){
        .slot = region_at(region, REGION_INDEX),
        .slots = region->header->slots,
    };
}

/* The n-th place to look for a key. */
static uint64_t probe(const struct index *index, uint64_t hash, unsigned n)
{
    uint64_t mask = index->slots / INDEX_BUCKET_SLOTS - 1;
    uint64_t first = hash & mask;
    uint64_t second = hash >> 32 & mask;

    if (second == first)
        second ^= 1;
    return (n < INDEX_BUCKET_SLOTS ? first : second) * INDEX_BUCKET_SLOTS + n % INDEX_BUCKET_SLOTS;
}

uint64_t index_load(const struct index *index, uint64_t slot)
{
    return atomic_load_explicit(&index->slot[slot], memory_order_acquire); /* R1, W4: pairs W2 */
}

static bool swap(const struct index *index, uint64_t slot, uint64_t from, uint64_t to)
{
    /* release: W2 */
    return atomic_compare_exchange_strong_explicit(&index->slot[slot], &from, to,
                                                   memory_order_release, memory_order_relaxed);
}

/* As swap(), whatever the heat has become meanwhile: twice at most, since it only rises. */
static bool swap_any_heat(const struct index *index, uint64_t slot, uint64_t from, uint64_t to)
{
    uint64_t now = from;

    while (!atomic_compare_exchange_strong_explicit(&index->slot[slot], &now, to,
                                                    memory_order_release, memory_order_relaxed)) {
        if ((now & ~INDEX_HEAT_MASK) != (from & ~INDEX_HEAT_MASK) || index_is_ghost(now))
            return false;
    }
    return true;
}

static uint64_t ghost_word(uint64_t hash, uint32_t stamp)
{
    return (uint64_t)index_tag(hash) << 48 | (uint64_t)INDEX_NOWHERE << 16 |
           (hash >> 26 & 63) << 10 | (stamp & INDEX_STAMP_MASK);
}

static bool has_tag(uint64_t word, uint64_t hash)
{
    return word != 0 && (uint16_t)(word >> 48) == index_tag(hash);
}

/* What a word leads to; a ghost leads nowhere. */
static enum index_found ask(index_look *look, void *arg, uint64_t word, uint64_t *ret_stored_ms)
{
    return index_is_ghost(word) ? INDEX_DEAD : look(arg, word, ret_stored_ms);
}

bool index_find(const struct index *index, uint64_t hash, index_look *look, void *arg,
                uint64_t *ret_slot, uint64_t *ret_word)
{
    uint64_t stored_ms;

    for (unsigned n = 0; n < INDEX_PROBES; n++) {
        uint64_t slot = probe(index, hash, n);
        uint64_t word = index_load(index, slot);

        if (has_tag(word, hash) && ask(look, arg, word, &stored_ms) == INDEX_SAME) {
            *ret_slot = slot;
            *ret_word = word;
            return true;
        }
    }
    return false;
}

/* Which slot a new word should take: the smallest rank. */
enum rank {
    RANK_SAME,
    RANK_DEAD_TAG,
    RANK_EMPTY,
    RANK_GHOST,
    RANK_DEAD,
    RANK_UNTOUCHED,
    RANK_TOUCHED,
    RANK_HOT,
    RANK_NONE
};

struct choice {
    enum rank rank;
    unsigned n;
    uint64_t word;
};

static enum rank rank_of(uint64_t word, uint64_t hash, index_look *look, void *arg)
{
    uint64_t stored_ms;

    if (word == 0)
        return RANK_EMPTY;
    if (has_tag(word, hash)) {
        enum index_found found = ask(look, arg, word, &stored_ms);

        if (found != INDEX_OTHER)
            return found == INDEX_SAME ? RANK_SAME : RANK_DEAD_TAG;
    }
    if (index_is_ghost(word))
        return RANK_GHOST;
    if ((word & INDEX_HOT) == INDEX_HOT)
        return RANK_HOT;
    return word & INDEX_TOUCHED ? RANK_TOUCHED : RANK_UNTOUCHED;
}

/* start: where to begin, so that not the same slot of a full bucket gives way each time. */
static struct choice choose(const struct index *index, uint64_t hash, unsigned start,
                            index_look *look, void *arg)
{
    struct choice best = {.rank = RANK_NONE};
    uint64_t stored_ms;

    for (unsigned i = 0; i < INDEX_PROBES; i++) {
        unsigned n = (start + i) % INDEX_PROBES;
        uint64_t word = index_load(index, probe(index, hash, n));
        enum rank rank = rank_of(word, hash, look, arg);

        /* among empty slots the earliest probe: readers find it soonest; among the key's own too, or
         * at W4 we would yield to one of the same instant that was there before us */
        if (rank < best.rank ||
            (rank == best.rank && (rank == RANK_EMPTY || rank == RANK_SAME) && n < best.n))
            best = (struct choice){rank, n, word};
    }
    /* Nothing free at sight: only now is it worth asking whether others' words still lead anywhere.
     */
    for (unsigned n = 0; n < INDEX_PROBES && best.rank > RANK_DEAD; n++) {
        uint64_t word = index_load(index, probe(index, hash, n));

        if (word != 0 && ask(look, arg, word, &stored_ms) == INDEX_DEAD)
            best = (struct choice){RANK_DEAD, n, word};
    }
    return best;
}

/* W4 for one slot. False: it holds a newer page of the key, so ours goes. A clear that fails met
 * a move of the same page (index_move), or another writer: look again, or two slots would stay. */
static bool remove_other(const struct index *index, uint64_t hash, unsigned n, unsigned own,
                         uint64_t own_stored_ms, index_look *look, void *arg)
{
    uint64_t slot = probe(index, hash, n);

    for (int i = 0; i < TRIES; i++) {
        uint64_t other = index_load(index, slot);
        uint64_t stored_ms = 0;
        enum index_found found;

        if (!has_tag(other, hash))
            return true;
        found = ask(look, arg, other, &stored_ms);
        if (found == INDEX_OTHER)
            return true;
        if (found == INDEX_SAME &&
            (stored_ms > own_stored_ms || (stored_ms == own_stored_ms && n < own)))
            return false;
        FAULT(index_other_seen);
        if (index_clear(index, slot, other))
            return true;
    }
    return true;
}

/* W4: what else of the key is there? Returns when `word`, at probe `own`, is alone or gone. */
static void remove_others(const struct index *index, uint64_t hash, unsigned own, uint64_t word,
                          uint64_t own_stored_ms, index_look *look, void *arg)
{
    for (unsigned n = 0; n < INDEX_PROBES; n++) {
        if (n == own || remove_other(index, hash, n, own, own_stored_ms, look, arg))
            continue;
        FAULT(index_yielding);
        (void)index_clear(index, probe(index, hash, own), word);
        return;
    }
}

int index_put(const struct index *index, uint64_t hash, uint64_t word, uint64_t stored_ms,
              index_look *look, void *arg, unsigned *ret_evicted)
{
    unsigned start = index_word_location(word) % INDEX_PROBES;

    for (int i = 0; i < TRIES; i++) {
        struct choice choice = choose(index, hash, start, look, arg);

        FAULT(index_chosen);
        if (!swap(index, probe(index, hash, choice.n), choice.word, word)) /* W2 */
            continue;
        FAULT(index_taken);
        atomic_thread_fence(memory_order_seq_cst); /* W3, pairs with the other writer's */
        remove_others(index, hash, choice.n, word, stored_ms, look, arg);
        *ret_evicted = choice.rank >= RANK_UNTOUCHED;
        return 0;
    }
    return -EAGAIN;
}

unsigned index_remove(const struct index *index, uint64_t hash, index_look *look, void *arg)
{
    unsigned removed = 0;
    uint64_t stored_ms;

    for (unsigned n = 0; n < INDEX_PROBES; n++) {
        uint64_t slot = probe(index, hash, n);

        for (int i = 0; i < TRIES; i++) {
            uint64_t word = index_load(index, slot);
            enum index_found found;

            if (!has_tag(word, hash))
                break;
            found = ask(look, arg, word, &stored_ms);
            if (found == INDEX_OTHER)
                break;
            FAULT(index_removing);
            if (!index_clear(index, slot, word))
                continue;
            removed += found == INDEX_SAME;
            break;
        }
    }
    return removed;
}

bool index_locate(const struct index *index, uint64_t hash, uint64_t word, uint64_t *ret_slot,
                  uint64_t *ret_word)
{
    for (unsigned n = 0; n < INDEX_PROBES; n++) {
        uint64_t slot = probe(index, hash, n);
        uint64_t now = index_load(index, slot);

        if ((now & ~INDEX_HEAT_MASK) == (word & ~INDEX_HEAT_MASK)) {
            *ret_slot = slot;
            *ret_word = now;
            return true;
        }
    }
    return false;
}

bool index_known(const struct index *index, uint64_t hash, uint32_t now, uint32_t span)
{
    for (unsigned n = 0; n < INDEX_PROBES; n++) {
        uint64_t word = index_load(index, probe(index, hash, n));

        if (!has_tag(word, hash))
            continue;
        if (!index_is_ghost(word)) {
            if (word & INDEX_TOUCHED)
                return true;
        } else if (((word ^ ghost_word(hash, 0)) & ~(uint64_t)INDEX_STAMP_MASK) == 0 &&
                   ((now - (uint32_t)word) & INDEX_STAMP_MASK) <= span) {
            return true;
        }
    }
    return false;
}

bool index_clear(const struct index *index, uint64_t slot, uint64_t word)
{
    if (!swap_any_heat(index, slot, word, 0))
        return false;
    FAULT(index_cleared);
    return true;
}

bool index_forget(const struct index *index, uint64_t slot, uint64_t word, uint64_t hash,
                  uint32_t stamp)
{
    if (!swap_any_heat(index, slot, word, ghost_word(hash, stamp)))
        return false;
    FAULT(index_forgotten);
    return true;
}

bool index_move(const struct index *index, uint64_t slot, uint64_t from, uint64_t to)
{
    FAULT(index_moving);
    if (!swap_any_heat(index, slot, from, to))
        return false;
    FAULT(index_moved);
    return true;
}

bool index_cool(const struct index *index, uint64_t slot, uint64_t word)
{
    if (!swap(index, slot, word, (word & ~INDEX_HEAT_MASK) | index_cooler(word)))
        return false;
    FAULT(index_cooled);
    return true;
}

void index_touch(const struct index *index, uint64_t slot, uint64_t word)
{
    uint64_t heat = word & INDEX_HEAT_MASK;

    /* relaxed: an RMW continues the release sequence of W2, and publishes nothing itself */
    if (heat == INDEX_HOT)
        return;
    (void)atomic_compare_exchange_strong_explicit(&index->slot[slot], &word, word | (heat << 1 | 1),
                                                  memory_order_relaxed, memory_order_relaxed);
    FAULT(index_touched);
}
