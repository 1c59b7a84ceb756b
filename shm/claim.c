/* SPDX-License-Identifier: MIT */
/*
 * claim.c - one render a key, over all workers. Two tables:
 *
 *   bucket  64-bit word: version (31 bits) | three numbers of slots (11 bits each, 0: none)
 *   slot    word: version (32) | row (16) | outcome (8) | state (8); the key; a bit for each row that
 *           waits
 *
 * A bucket's word decides alone who owns a key: to claim is to read the word, to find the key
 * in none of its slots, and to change that very word by CAS so that it names one's own slot. Each
 * success raises its version, so two workers that both found nothing can't both succeed. (A process
 * stopped between reading and CAS for exactly 2^31 claims of its bucket could: one render too many.)
 *
 * A slot:  FREE ──▶ FILLING ──▶ HELD ──▶ DONE ──▶ FILLING …     (anyone, by CAS, when nobody waits)
 *            take: CAS, version + 1    │        its owner, or the reaper
 *                                 the key is there
 *
 * A number in a bucket whose slot is not HELD, or holds a key of another bucket, counts as none:
 * nothing is removed at the end of a render, the next claim takes the place. So a slot may be seen
 * through an old number before its owner's CAS; if that fails, the owner releases it as LOST,
 * and who has begun to wait for it asks again.
 *
 *   claimer  C1 load bucket (acquire)              owner   O1 page into the cold cache
 *            C2 load slot: HELD, v (acquire)               O2 slot = DONE, outcome (seq_cst)
 *            C3 load key (relaxed)                         O3 load waiters (seq_cst), ring each
 *            C4 fence(acquire)
 *            C5 load slot: still v (relaxed)       waiter  W1 set own bit (seq_cst)
 *            C6 own slot = FILLING, v + 1 (CAS)            W2 load slot: HELD, v? (seq_cst)
 *            C7 fence(release)                             W3 sleep, else look
 *            C8 store key (relaxed)
 *            C9 own slot = HELD, v + 1 (release)
 *            C10 bucket += own slot (CAS, acq_rel)
 *
 * Whole key: C2 pairs with C9, so C3 sees v's key or a later one; had it seen a later one, C7/C4 pair
 *   and C5 must see the later version.
 * No wake-up is lost: of O2, O3 and W1, W2, all in one order, either O3 sees the bit or W2 the end.
 *   That holds for the reaper's O3 too, when it finds DONE: R1 pairs with O2, so O2 comes before its O3.
 * A page is not rendered twice in a row: who finds DONE at C2 (acquire, pairs with O2), or a word
 *   put there by one who did (C1 pairs with C10), sees O1 when it looks into the cold cache afterwards.
 *
 *   claimer  T1 load slot: DONE (acquire)          waiter  L1 load slot: DONE (acquire)
 *            T2 load waits: none (seq_cst)                 L2 clear own bit (release)
 *            C6 …
 *
 * The outcome is kept while somebody waits. Who was told to sleep saw HELD at W2, so W1, W2, O2 have this order for
 *   all. T1 pairs with O2, so T2 comes after them and sees the bit, unless L2 has taken it back; then L2 and T2
 *   pair, and L1 came before C6. (Were T2 relaxed it might miss the bit: the slot goes to another key, whose end a second waiter
 *   of that row may await by the same bit, which the first takes back: asleep for good.) A bit that is set after T2
 *   is noticed at W2, or rings a bell for nothing.
 * Nobody but its owner, or the reaper for it, stores to a word that is FILLING or HELD; one that is
 *   FREE or DONE changes by CAS only (C6): so the reaper leaves a DONE word alone.
 *
 * Crash of an owner: FILLING or HELD stays until claim_reap(), which sets DONE, LOST and does O3 for
 *   it; after O2 and before the end of O3: the slot still names the row, and the reaper rings for it
 *   again. Of a waiter: its bits stay until claim_reap() takes them off. Between C9 and C10: as HELD.
 * A stopped owner: those who wait go on waiting, until the master finds it hung and kills it.
 */
#include "shm/claim.h"

#include "shm/bell.h"
#include "shm/fault.h"
#include "shm/region_map.h"

#include <errno.h>
#include <sys/random.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#define SLOTS 1024u
#define BUCKETS 2048u
#define REFS 3u
#define REF_BITS 11u
#define REF_MASK ((1u << REF_BITS) - 1)
#define REFS_MASK ((UINT64_C(1) << REFS * REF_BITS) - 1)
#define PROBES 64u /* slots looked at for one to take */
#define TRIES 16u  /* each is another's success: so many in a row are not seen */
#define WAIT_WORDS (REGION_PEERS_MAX / 64)

static_assert(SLOTS <= REF_MASK, "a number, and none");

enum state { FREE, FILLING, HELD, DONE };

struct slot {
    /* written by its owner (by whoever takes it), and by the master after the owner's death */
    alignas(CACHE_LINE_BYTES) _Atomic uint64_t word;
    _Atomic uint64_t hash;
    _Atomic uint64_t check;
    _Atomic uint64_t edition;
    _Atomic uint64_t epoch;
    /* written by those who wait, and by the master for the dead among them */
    alignas(CACHE_LINE_BYTES) _Atomic uint64_t waits[WAIT_WORDS];
};
static_assert(sizeof(struct slot) == CACHE_LINE_BYTES + WAIT_WORDS * 8, "in shared memory");

struct claims {
    uint64_t seed; /* set before the first fork */
    alignas(CACHE_LINE_BYTES) _Atomic uint64_t bucket[BUCKETS];
    struct slot slot[SLOTS];
};

static uint64_t make_word(uint32_t version, uint32_t row, enum claim_outcome outcome,
                          enum state state)
{
    return (uint64_t)version << 32 | (uint64_t)row << 16 | (uint64_t)outcome << 8 | (uint64_t)state;
}

static uint32_t version_of(uint64_t word)
{
    return (uint32_t)(word >> 32);
}

static uint32_t row_of(uint64_t word)
{
    return (uint32_t)(word >> 16) & 0xffff;
}

static enum claim_outcome outcome_of(uint64_t word)
{
    return (enum claim_outcome)(word >> 8 & 0xff);
}

static enum state state_of(uint64_t word)
{
    return (enum state)(word & 0xff);
}

size_t claims_section_bytes(void)
{
    return sizeof(struct claims);
}

void claims_init(struct claims *claims)
{
    if (getrandom(&claims->seed, sizeof claims->seed, 0) < 0)
        claims->seed = mono_ns();
}

struct claims *claims_of(const struct region *region)
{
    return region_at(region, REGION_CLAIMS);
}

uint64_t claim_check(const struct claims *claims, const char *key, size_t key_bytes)
{
    return XXH3_64bits_withSeed(key, key_bytes, claims->seed);
}

static uint32_t bucket_of(uint64_t hash)
{
    return (uint32_t)(hash % BUCKETS);
}

/* ---- finding ---- */

enum sight { SIGHT_DEAD, SIGHT_OTHER, SIGHT_SAME, SIGHT_MOVED };

/* What stands in a slot, as seen from the bucket of this key. */
static enum sight look_at(struct slot *s, const struct claim_key *key, uint32_t *ret_version)
{
    uint64_t word = atomic_load_explicit(&s->word, memory_order_acquire); /* C2, pairs C9 and O2 */
    uint64_t hash, check, edition, epoch;

    if (state_of(word) != HELD)
        return SIGHT_DEAD;
    hash = atomic_load_explicit(&s->hash, memory_order_relaxed);
    check = atomic_load_explicit(&s->check, memory_order_relaxed);
    edition = atomic_load_explicit(&s->edition, memory_order_relaxed);
    epoch = atomic_load_explicit(&s->epoch, memory_order_relaxed);
    atomic_thread_fence(memory_order_acquire); /* C4, pairs C7 */
    if (version_of(atomic_load_explicit(&s->word, memory_order_relaxed)) != version_of(word))
        return SIGHT_MOVED;
    *ret_version = version_of(word);
    if (bucket_of(hash) != bucket_of(key->hash))
        return SIGHT_DEAD;
    return hash == key->hash && check == key->check && edition == key->edition &&
                   epoch == key->epoch
               ? SIGHT_SAME
               : SIGHT_OTHER;
}

/*
 * Walk the slots that a bucket's word names. 0: the key is in none, *ret_place is a number to
 * replace / -EBUSY: *ret_claim holds it / -ENOSPC: all places are others' / -EAGAIN: it changed.
 * own: the caller's slot, passed over; SLOTS for none.
 */
static int scan(struct claims *claims, uint64_t word, const struct claim_key *key, uint32_t own,
                uint32_t *ret_place, struct claim *ret_claim)
{
    bool found = false;

    for (uint32_t i = 0; i < REFS; i++) {
        uint32_t ref = (uint32_t)(word >> i * REF_BITS) & REF_MASK;
        uint32_t version = 0;
        enum sight sight = SIGHT_DEAD;

        if (ref > 0 && ref <= SLOTS && ref - 1 != own)
            sight = look_at(&claims->slot[ref - 1], key, &version);
        if (sight == SIGHT_MOVED)
            return -EAGAIN;
        if (sight == SIGHT_SAME) {
            *ret_claim = (struct claim){ref - 1, version};
            return -EBUSY;
        }
        if (sight == SIGHT_DEAD && !found) {
            *ret_place = i;
            found = true;
        }
    }
    return found ? 0 : -ENOSPC;
}

/* ---- taking ---- */

static bool is_awaited(const struct slot *s)
{
    for (uint32_t i = 0; i < WAIT_WORDS; i++)
        if (atomic_load_explicit(&s->waits[i], memory_order_seq_cst) != 0) /* T2, pairs W1, L2 */
            return true;
    return false;
}

static bool take_slot(struct slot *s, uint32_t row, const struct claim_key *key,
                      uint32_t *ret_version)
{
    uint64_t word = atomic_load_explicit(&s->word, memory_order_acquire); /* T1, pairs O2 */
    uint32_t version = version_of(word) + 1;

    if (state_of(word) == FILLING || state_of(word) == HELD || is_awaited(s))
        return false;
    /* C6; acquire: after whoever had it before, in its fields too */
    if (!atomic_compare_exchange_strong_explicit(&s->word, &word,
                                                 make_word(version, row, CLAIM_OPEN, FILLING),
                                                 memory_order_acquire, memory_order_relaxed))
        return false;
    FAULT(claim_filling);
    atomic_thread_fence(memory_order_release); /* C7, pairs C4 */
    atomic_store_explicit(&s->hash, key->hash, memory_order_relaxed);
    FAULT(claim_key_half);
    atomic_store_explicit(&s->check, key->check, memory_order_relaxed);
    atomic_store_explicit(&s->edition, key->edition, memory_order_relaxed);
    atomic_store_explicit(&s->epoch, key->epoch, memory_order_relaxed);
    atomic_store_explicit(&s->word, make_word(version, row, CLAIM_OPEN, HELD),
                          memory_order_release); /* C9, pairs C2 */
    FAULT(claim_held);
    *ret_version = version;
    return true;
}

static int take_any(struct claims *claims, uint32_t row, const struct claim_key *key,
                    struct claim *ret_claim)
{
    uint32_t first = (uint32_t)(key->check % SLOTS);

    for (uint32_t i = 0; i < PROBES; i++) {
        uint32_t slot = (first + i) % SLOTS;

        if (take_slot(&claims->slot[slot], row, key, &ret_claim->version)) {
            ret_claim->slot = slot;
            return 0;
        }
    }
    return -ENOSPC;
}

static uint64_t with_ref(uint64_t word, uint32_t place, uint32_t slot)
{
    uint64_t refs = word & REFS_MASK & ~((uint64_t)REF_MASK << place * REF_BITS);
    uint64_t version = (word >> REFS * REF_BITS) + 1;

    return version << REFS * REF_BITS | refs | (uint64_t)(slot + 1) << place * REF_BITS;
}

/* O3. */
static void wake(const struct region *region, const struct bells *bells, uint32_t slot)
{
    const struct slot *s = &claims_of(region)->slot[slot];

    for (uint32_t i = 0; i < WAIT_WORDS; i++) {
        uint64_t waits = atomic_load_explicit(&s->waits[i], memory_order_seq_cst); /* O3, W1 */

        for (; waits != 0; waits &= waits - 1) {
            bell_ring(region, bells, i * 64 + (uint32_t)__builtin_ctzll(waits));
            FAULT(claim_rung_one);
        }
    }
}

/* O2 and O3: the caller's own claim, or the master's for the dead. */
static void finish(const struct region *region, const struct bells *bells, uint32_t slot,
                   uint64_t done)
{
    FAULT(claim_ending);
    atomic_store_explicit(&claims_of(region)->slot[slot].word, done,
                          memory_order_seq_cst); /* O2, pairs C2, T1, W2 */
    FAULT(claim_over);
    wake(region, bells, slot);
}

/* Its bucket does not name it, but somebody may see it through an old number, and wait. */
static void give_back(const struct region *region, const struct bells *bells, uint32_t row,
                      struct claim claim)
{
    FAULT(claim_giving_back);
    finish(region, bells, claim.slot, make_word(claim.version, row, CLAIM_LOST, DONE));
}

int claim_take(const struct region *region, const struct bells *bells, uint32_t row,
               const struct claim_key *key, struct claim *ret_claim)
{
    struct claims *claims = claims_of(region);
    _Atomic uint64_t *bucket = &claims->bucket[bucket_of(key->hash)];
    struct claim own = {SLOTS, 0}, other;
    int error = -ENOSPC;

    for (uint32_t i = 0; i < TRIES; i++) {
        uint64_t word = atomic_load_explicit(bucket, memory_order_acquire); /* C1, pairs C10 */
        uint32_t place = 0;

        error = scan(claims, word, key, own.slot, &place, &other);
        if (error == -EAGAIN)
            continue;
        if (!error && own.slot == SLOTS)
            error = take_any(claims, row, key, &own);
        if (error)
            break;
        /* C10, pairs C1 */
        if (atomic_compare_exchange_strong_explicit(bucket, &word, with_ref(word, place, own.slot),
                                                    memory_order_acq_rel, memory_order_relaxed)) {
            FAULT(claim_named);
            *ret_claim = own;
            return 0;
        }
        error = -ENOSPC;
    }
    if (own.slot != SLOTS)
        give_back(region, bells, row, own);
    if (error == -EBUSY)
        *ret_claim = other;
    return error == -EBUSY ? -EBUSY : -ENOSPC;
}

/* ---- waiting ---- */

void claim_release(const struct region *region, const struct bells *bells, struct claim claim,
                   enum claim_outcome outcome)
{
    struct slot *s = &claims_of(region)->slot[claim.slot % SLOTS];
    uint64_t word = atomic_load_explicit(&s->word, memory_order_relaxed);

    if (version_of(word) == claim.version && state_of(word) == HELD)
        finish(region, bells, claim.slot % SLOTS,
               make_word(claim.version, row_of(word), outcome, DONE));
}

bool claim_wait(struct claims *claims, uint32_t row, struct claim claim)
{
    struct slot *s = &claims->slot[claim.slot % SLOTS];
    uint64_t word;

    FAULT(claim_waiting);
    (void)atomic_fetch_or_explicit(&s->waits[row / 64], UINT64_C(1) << row % 64,
                                   memory_order_seq_cst); /* W1, pairs O3, T2 */
    FAULT(claim_bit_set);
    word = atomic_load_explicit(&s->word, memory_order_seq_cst); /* W2, pairs O2 */
    return version_of(word) == claim.version && state_of(word) == HELD;
}

enum claim_outcome claim_look(const struct claims *claims, struct claim claim)
{
    uint64_t word = atomic_load_explicit(&claims->slot[claim.slot % SLOTS].word,
                                         memory_order_acquire); /* L1, pairs O2 */

    if (version_of(word) != claim.version)
        return CLAIM_LOST;
    return state_of(word) == HELD ? CLAIM_OPEN : outcome_of(word);
}

void claim_leave(struct claims *claims, uint32_t row, struct claim claim)
{
    FAULT(claim_leaving);
    (void)atomic_fetch_and_explicit(&claims->slot[claim.slot % SLOTS].waits[row / 64],
                                    ~(UINT64_C(1) << row % 64),
                                    memory_order_release); /* L2, pairs T2 */
}

/* ---- the master's part ---- */

unsigned claim_reap(const struct region *region, const struct bells *bells, uint32_t row)
{
    struct claims *claims = claims_of(region);
    unsigned count = 0;

    for (uint32_t i = 0; i < SLOTS; i++) {
        struct slot *s = &claims->slot[i];
        uint64_t word = atomic_load_explicit(&s->word, memory_order_acquire); /* R1, pairs C9, O2 */

        claim_leave(claims, row, (struct claim){i, 0});
        if (state_of(word) == FREE || row_of(word) != row)
            continue;
        FAULT(claim_reaping);
        if (state_of(word) == DONE) { /* it may have died before it rang */
            wake(region, bells, i);
        } else {
            finish(region, bells, i, make_word(version_of(word), row, CLAIM_LOST, DONE));
            count++;
        }
        FAULT(claim_reaped_one);
    }
    return count;
}

unsigned claim_count(const struct claims *claims)
{
    unsigned count = 0;

    for (uint32_t i = 0; i < SLOTS; i++)
        count +=
            state_of(atomic_load_explicit(&claims->slot[i].word, memory_order_relaxed)) == HELD;
    return count;
}
