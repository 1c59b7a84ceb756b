/* SPDX-License-Identifier: MIT */
/*
 * stress_index.c - a crew that works on the index alone: puts, finds, removes, moves, forgets, touches and cools pages of some
 * keys that stand in few buckets. There is no ring: a page is an entry of a table, the place that a word leads to, whose
 * sequence is raised before it is written anew, as a segment's is. What it checks: README.md.
 *
 * The oracle. Puts and removes of a key draw tickets, after they have said what they are doing; a page bears
 * its put's. Who begins one knows therefore that all puts up to some ticket are over (settled). When it has returned,
 * these are gone: the put has replaced what there was, the remove cleared it. gone[] is raised only then. Whoever reads
 * gone[] and then finds a page of a ticket not above it has found what should be no more.
 */
#include "shm/index.h"
#include "tests/stress/crew.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

#define SLOTS 128u /* 16 buckets */
#define KEYS 110u  /* two of each hash; now and then a bucket is full */
#define PLACES_EACH 4096u
#define PLACES ((CREW_MAX + 1) * PLACES_EACH)
#define LO_BITS 48 /* of board.doing: the key + 1 above it */

/* Written by one worker, read by all. */
struct place {
    _Atomic uint64_t sequence; /* its low bits are those of words */
    _Atomic uint64_t page_key;
    _Atomic uint64_t page_ticket;
};

struct board {
    struct crew_board crew;
    alignas(CACHE_LINE_BYTES) _Atomic uint64_t index_word[SLOTS];
    _Atomic uint64_t tickets[KEYS];
    _Atomic uint64_t gone[KEYS];
    _Atomic uint64_t
        doing[CREW_MAX + 1]; /* key + 1, and a ticket that its own will be above; 0: nothing */
    _Atomic uint64_t puts, evictions, refused, finds, hits, removes, moves, failed_moves, ghosts;
    struct place place[PLACES];
};

/* One worker's own. */
struct own {
    uint32_t next;              /* of its places */
    uint64_t word[PLACES_EACH]; /* under which each was shown; 0: not, or no more */
};

static struct board *board_of(const struct crew_worker *w)
{
    return (struct board *)w->crew->board;
}

static struct own *own_of(const struct crew_worker *w)
{
    return &((struct own *)w->crew->stage)[w->number];
}

static struct index index_of(struct board *board)
{
    return (struct index){.slot = board->index_word, .slots = SLOTS};
}

static uint64_t hash_of(uint64_t key)
{
    uint64_t x = (key / 2 + 1) * 0x9e3779b97f4a7c15u;

    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    return x ^ x >> 31;
}

/* --- places ------------------------------------------------------------------------------- */

struct wanted {
    const struct board *board;
    uint64_t key;
    uint64_t ticket; /* of the page found last */
};

static enum index_found look(void *arg, uint64_t word, uint64_t *ret_stored_ms)
{
    struct wanted *wanted = arg;
    const struct place *place;
    uint64_t sequence;
    uint64_t key;

    if (index_word_location(word) >= PLACES)
        return INDEX_DEAD;
    place = &wanted->board->place[index_word_location(word)];
    sequence = atomic_load_explicit(&place->sequence, memory_order_acquire);
    if ((sequence & INDEX_SEQUENCE_MASK) != index_word_sequence(word))
        return INDEX_DEAD;
    key = atomic_load_explicit(&place->page_key, memory_order_relaxed);
    wanted->ticket = atomic_load_explicit(&place->page_ticket, memory_order_relaxed);
    atomic_thread_fence(memory_order_acquire); /* pairs with write_place()'s */
    if (atomic_load_explicit(&place->sequence, memory_order_relaxed) != sequence)
        return INDEX_DEAD;
    *ret_stored_ms = wanted->ticket;
    return key == wanted->key ? INDEX_SAME : INDEX_OTHER;
}

/* A new page in an own place: what stood there is dead. Returns the word for it. */
static uint64_t write_place(struct crew_worker *w, uint32_t number, uint64_t key, uint64_t ticket)
{
    struct place *place = &board_of(w)->place[number];
    uint64_t sequence = atomic_load_explicit(&place->sequence, memory_order_relaxed) + 1;
    uint64_t word = index_word(hash_of(key), number, (uint32_t)sequence & INDEX_SEQUENCE_MASK);

    atomic_store_explicit(&place->sequence, sequence, memory_order_relaxed);
    atomic_thread_fence(memory_order_release); /* pairs with look()'s */
    atomic_store_explicit(&place->page_key, key, memory_order_relaxed);
    atomic_store_explicit(&place->page_ticket, ticket, memory_order_relaxed);
    own_of(w)->word[number % PLACES_EACH] = word;
    return word;
}

static uint32_t next_place(struct crew_worker *w)
{
    return w->number * PLACES_EACH + own_of(w)->next++ % PLACES_EACH;
}

/* --- the oracle --------------------------------------------------------------------------- */

struct act {
    uint64_t key;
    uint64_t ticket;
    uint64_t settled;
};

static struct act begin(struct crew_worker *w, uint64_t key)
{
    struct board *board = board_of(w);
    uint64_t lo = atomic_load_explicit(&board->tickets[key], memory_order_seq_cst);
    struct act act = {.key = key};

    atomic_store_explicit(&board->doing[w->number], (key + 1) << LO_BITS | lo,
                          memory_order_seq_cst);
    act.ticket = atomic_fetch_add_explicit(&board->tickets[key], 1, memory_order_seq_cst) + 1;
    act.settled = act.ticket - 1;
    for (uint32_t i = 0; i <= CREW_MAX; i++) {
        uint64_t other = atomic_load_explicit(&board->doing[i], memory_order_seq_cst);

        lo = other & (((uint64_t)1 << LO_BITS) - 1);
        if (i != w->number && other >> LO_BITS == key + 1 && lo < act.settled)
            act.settled = lo;
    }
    return act;
}

static void end(struct crew_worker *w, const struct act *act, bool done)
{
    struct board *board = board_of(w);
    uint64_t now = atomic_load_explicit(&board->gone[act->key], memory_order_relaxed);

    while (done && now < act->settled &&
           !atomic_compare_exchange_weak_explicit(&board->gone[act->key], &now, act->settled,
                                                  memory_order_release, memory_order_relaxed))
        continue;
    atomic_store_explicit(&board->doing[w->number], 0, memory_order_release);
}

/* --- what one does ------------------------------------------------------------------------ */

static void put(struct crew_worker *w, uint64_t key)
{
    struct board *board = board_of(w);
    struct index index = index_of(board);
    struct wanted wanted = {board, key, 0};
    struct act act = begin(w, key);
    uint64_t word = write_place(w, next_place(w), key, act.ticket);
    unsigned evicted = 0;
    int rc = index_put(&index, hash_of(key), word, act.ticket, look, &wanted, &evicted);

    end(w, &act, rc == 0);
    crew_count(rc == 0 ? &board->puts : &board->refused);
    if (evicted > 0)
        crew_count(&board->evictions);
}

static bool find(struct crew_worker *w, uint64_t key, bool touch)
{
    struct board *board = board_of(w);
    struct index index = index_of(board);
    struct wanted wanted = {board, key, 0};
    /* acquire: pairs with end() */
    uint64_t gone = atomic_load_explicit(&board->gone[key], memory_order_acquire);
    uint64_t slot;
    uint64_t word;

    crew_count(&board->finds);
    if (!index_find(&index, hash_of(key), look, &wanted, &slot, &word))
        return false;
    crew_count(&board->hits);
    if (wanted.ticket <= gone)
        crew_fail(w->crew, "a page that was gone is found, key", key);
    if (touch)
        index_touch(&index, slot, word);
    return true;
}

static void remove_key(struct crew_worker *w, uint64_t key)
{
    struct board *board = board_of(w);
    struct index index = index_of(board);
    struct wanted wanted = {board, key, 0};
    struct act act = begin(w, key);

    (void)index_remove(&index, hash_of(key), look, &wanted);
    end(w, &act, true);
    crew_count(&board->removes);
}

/* A page of its own that an eviction comes to: it moves, as main's do or in place, or leaves a ghost, or leaves. */
static void judge(struct crew_worker *w)
{
    struct board *board = board_of(w);
    struct index index = index_of(board);
    uint32_t back = 1 + (uint32_t)crew_draw(w, 2 * KEYS);
    uint32_t place = w->number * PLACES_EACH + (own_of(w)->next - back) % PLACES_EACH;
    uint64_t word = own_of(w)->word[place % PLACES_EACH];
    uint64_t key = atomic_load_explicit(&board->place[place].page_key, memory_order_relaxed);
    uint64_t ticket = atomic_load_explicit(&board->place[place].page_ticket, memory_order_relaxed);
    uint64_t slot;
    uint64_t now;
    bool moved;

    if (word == 0 || !index_locate(&index, hash_of(key), word, &slot, &now))
        return;
    if (crew_draw(w, 8) == 0)
        (void)sched_yield(); /* others put and remove the key meanwhile */
    switch (crew_draw(w, 5)) {
    case 0:
        if (index_forget(&index, slot, now, hash_of(key), (uint32_t)crew_draw(w, 16)))
            crew_count(&board->ghosts);
        return;
    case 1:
        (void)index_clear(&index, slot, now);
        return;
    case 2:
        (void)index_cool(&index, slot, now);
        return;
    case 3: /* to another place, the old one stands on */
        moved = index_move(&index, slot, now, write_place(w, next_place(w), key, ticket));
        break;
    default: /* in place: dead for a moment */
        word = write_place(w, place, key, ticket);
        if (crew_draw(w, 8) == 0)
            (void)sched_yield();
        moved = index_move(&index, slot, now, word);
    }
    crew_count(moved ? &board->moves : &board->failed_moves);
}

static void act(struct crew_worker *w)
{
    struct index index = index_of(board_of(w));
    uint64_t key = crew_draw(w, KEYS) * crew_draw(w, KEYS) / KEYS; /* popular ones first */

    switch (crew_draw(w, 16)) {
    case 0:
    case 1:
    case 2:
        put(w, key);
        break;
    case 3:
        remove_key(w, key);
        break;
    case 4:
    case 5:
    case 6:
        judge(w);
        break;
    default:
        if (!find(w, key, crew_draw(w, 4) == 0) &&
            !index_known(&index, hash_of(key), (uint32_t)crew_draw(w, 16), 4))
            put(w, key);
    }
}

/* --- the parent --------------------------------------------------------------------------- */

static int open_stage(struct crew *crew)
{
    crew->stage = calloc(CREW_MAX + 1, sizeof(struct own));
    return crew->stage != NULL ? 0 : -ENOMEM;
}

static void close_stage(struct crew *crew)
{
    free(crew->stage);
}

/* Each life begins at other places, so that no sequence comes round. */
static void enter(struct crew_worker *w)
{
    struct own *own = own_of(w);

    own->next = (uint32_t)crew_draw(w, PLACES_EACH);
    memset(own->word, 0, sizeof own->word);
}

static void bury(struct crew_worker *w)
{
    atomic_store_explicit(&board_of(w)->doing[w->number], 0, memory_order_seq_cst);
}

/* The n-th place of a hash, of 16. Said once more: see probe() of index.c. */
static uint64_t probe(uint64_t hash, unsigned n)
{
    uint64_t mask = SLOTS / INDEX_BUCKET_SLOTS - 1;
    uint64_t first = hash & mask;
    uint64_t second = (hash >> 32) & mask;

    if (second == first)
        second ^= 1;
    return (n < INDEX_BUCKET_SLOTS ? first : second) * INDEX_BUCKET_SLOTS + n % INDEX_BUCKET_SLOTS;
}

/* How many of its 16 slots lead to a page of this key. */
static unsigned slots_of_key(struct board *board, uint64_t key)
{
    struct index index = index_of(board);
    struct wanted wanted = {board, key, 0};
    unsigned count = 0;
    uint64_t ticket;

    for (unsigned n = 0; n < INDEX_PROBES; n++) {
        uint64_t word = index_load(&index, probe(hash_of(key), n));

        count += word != 0 && !index_is_ghost(word) && word >> 48 == index_tag(hash_of(key)) &&
                 look(&wanted, word, &ticket) == INDEX_SAME;
    }
    return count;
}

/* Does every slot that leads to a page stand among the 16 of its key? */
static void check_slots(struct crew *crew, struct board *board)
{
    struct index index = index_of(board);
    unsigned live = 0;
    unsigned of_keys = 0;

    for (uint64_t slot = 0; slot < SLOTS; slot++) {
        uint64_t word = index_load(&index, slot);
        struct wanted wanted = {board, KEYS, 0};
        uint64_t ticket;

        if (word == 0 || index_is_ghost(word))
            continue;
        if (index_word_location(word) >= PLACES)
            crew_fail(crew, "a slot leads nowhere", slot);
        else
            live += look(&wanted, word, &ticket) == INDEX_OTHER;
    }
    for (uint64_t key = 0; key < KEYS; key++)
        of_keys += slots_of_key(board, key);
    if (live != of_keys)
        crew_fail(crew, "slots lead to pages of other tags or buckets", live - of_keys);
}

static void check(struct crew *crew)
{
    struct board *board = (struct board *)crew->board;
    unsigned twins = 0;

    check_slots(crew, board);
    for (uint64_t key = 0; key < KEYS; key++) {
        unsigned slots = slots_of_key(board, key);

        twins += slots > 1 ? slots - 1 : 0;
    }
    if (twins > crew->kills)
        crew_fail(crew, "keys with two slots, more than deaths", twins);
    for (uint64_t key = 0; key < KEYS; key++) {
        put(&crew->dice, key);
        if (!find(&crew->dice, key, false))
            crew_fail(crew, "a page put in peace is not there, key", key);
        if (slots_of_key(board, key) != 1)
            crew_fail(crew, "a key put in peace has more than one slot", key);
        remove_key(&crew->dice, key);
        if (find(&crew->dice, key, false))
            crew_fail(crew, "a page removed in peace is there, key", key);
    }
}

static bool print(const struct crew *crew)
{
    const struct board *board = (const struct board *)crew->board;

    (void)printf(
        "%llu puts, %llu evictions, %llu refused, %llu finds, %llu hits, %llu removes, %llu moves, "
        "%llu failed moves, %llu ghosts",
        (unsigned long long)board->puts, (unsigned long long)board->evictions,
        (unsigned long long)board->refused, (unsigned long long)board->finds,
        (unsigned long long)board->hits, (unsigned long long)board->removes,
        (unsigned long long)board->moves, (unsigned long long)board->failed_moves,
        (unsigned long long)board->ghosts);
    return board->puts > 0 && board->hits > 0 && board->moves > 0;
}

int main(int argc, char **argv)
{
    static const struct crew_play play = {
        .board_bytes = sizeof(struct board),
        .peers_min = 1,
        .open = open_stage,
        .enter = enter,
        .act = act,
        .bury = bury,
        .check = check,
        .print = print,
        .close = close_stage,
    };

    return crew_main(argc, argv, &play);
}
