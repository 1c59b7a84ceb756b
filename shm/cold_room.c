/* SPDX-License-Identifier: MIT */
/* cold_room.c - see cold_room.h. */
#include "shm/cold_room.h"

#include "shm/fault.h"

void room_count_evictions(struct cold *cold, uint64_t n)
{
    if (cold->stats != NULL && n > 0)
        stats_add(&cold->stats->cold_evictions, n);
}

/*
 * A page of a claimed segment. Nobody else should write there, but the bytes are foreign all the same:
 * its struct is read once, and what was checked in that copy is what is used.
 */
struct standing {
    const unsigned char *at;
    struct page head;
    uint64_t word; /* of the slot that leads there, if one does, without heat */
};

static uint64_t useful_until_ms(const struct page *page)
{
    uint64_t until = page->fresh_until_ms;

    if (page->swr_until_ms > until)
        until = page->swr_until_ms;
    return page->sie_until_ms > until ? page->sie_until_ms : until;
}

/* Ghosts' clock: it ticks when new pages have filled a thirty-second part of the cache. */
uint32_t room_ghost_stamp(const struct cold *cold)
{
    uint32_t tick = cold->ring.segments / GHOST_TICKS > 0 ? cold->ring.segments / GHOST_TICKS : 1;

    return (uint32_t)(ring_turns(&cold->ring) / tick) & INDEX_STAMP_MASK;
}

/* Was it purged? Most pages are of the epoch that is now; for the others the whole key and all tags
 * are needed. False also when they can't be where the struct says. */
static bool is_valid(struct cold *cold, const struct standing *standing)
{
    const struct page *head = &standing->head;
    uint64_t bytes = head->variants_offset;

    if (head->epoch == purge_epoch(cold->purge))
        return true;
    if (bytes > COLD_HEAD_BYTES_MAX)
        return false;
    ring_copy(cold->scratch, standing->at, bytes);
    *cold->scratch = *head;
    return purge_page_valid(cold->purge, cold->scratch);
}

/* limit_bytes: what the page may take from where it stands. */
static bool is_useful(struct cold *cold, const struct standing *standing, uint64_t limit_bytes,
                      uint64_t now_ms)
{
    return useful_until_ms(&standing->head) > now_ms &&
           page_check_struct(&standing->head, limit_bytes) == 0 && is_valid(cold, standing);
}

static bool has_room(struct cold *cold, enum ring_area area, uint32_t bytes);

/* Write a page into the open segment of an area, where there is room. Returns its location. */
static uint32_t append(struct cold *cold, enum ring_area area, const struct standing *standing)
{
    struct open *open = cold->now[area];
    uint32_t location = ring_location(&cold->ring, open->segment, open->fill);

    ring_write(ring_at(&cold->ring, location), standing->at, standing->head.bytes);
    open->fill += rounded(standing->head.bytes);
    ring_set_fill(&cold->ring, open->segment, open->fill, 1);
    return location;
}

/*
 * From a claimed segment to the open one of main, without a moment in which it can't be found: its
 * old bytes stay until the claimed segment is opened. nested: a segment of main is being taken, so
 * no other is; only one with room will do.
 */
static bool promote(struct cold *cold, const struct standing *standing, uint64_t slot,
                    uint64_t word, uint64_t heat, uint64_t now_ms, bool nested)
{
    uint32_t bytes = rounded(standing->head.bytes);
    uint32_t location;

    if (!(nested ? has_room(cold, RING_MAIN, bytes) : room_reserve_main(cold, bytes, now_ms)))
        return false;
    location = append(cold, RING_MAIN, standing);
    FAULT(room_copied);
    /* fails when the key was stored anew or removed: then that holds */
    (void)index_move(&cold->index, slot, word,
                     index_word(standing->head.hash, location, cold->now[RING_MAIN]->sequence) |
                         heat);
    FAULT(room_promoted);
    return true;
}

static bool stay(struct cold *cold, const struct standing *standing, uint64_t slot, uint64_t word,
                 uint64_t heat, uint32_t room)
{
    uint32_t bytes = rounded(standing->head.bytes);
    uint32_t used = cold->bounce_bytes;

    if (used > room || bytes > room - used)
        return false;
    memcpy(cold->bounce + used, standing->at, standing->head.bytes);
    cold->survivor[cold->survivors++] =
        (struct survivor){slot, word, standing->head.hash, heat, used};
    cold->bounce_bytes += bytes;
    return true;
}

/* Judge one page of a claimed segment: it survives, or leaves the index. */
static void judge(struct cold *cold, const struct reclaim *r, const struct standing *standing)
{
    uint64_t hash = standing->head.hash;
    uint64_t slot;
    uint64_t now;
    uint64_t heat;
    bool useful;

    if (!index_locate(&cold->index, hash, standing->word, &slot, &now))
        return; /* replaced or removed meanwhile */
    useful = is_useful(cold, standing, standing->head.bytes, r->now_ms);
    heat = r->from == RING_MAIN ? index_cooler(now) : 0;
    if (useful && (now & INDEX_TOUCHED) != 0 &&
        ((r->room > 0 && stay(cold, standing, slot, now, heat, r->room)) ||
         promote(cold, standing, slot, now, heat, r->now_ms, r->room > 0)))
        return;
    room_count_evictions(
        cold, useful ? index_forget(&cold->index, slot, now, hash, room_ghost_stamp(cold))
                     : index_clear(&cold->index, slot, now));
    FAULT(room_judged);
}

/* All segments of a run become main: the hand of probation passes over them from now on. */
static void promote_run(struct cold *cold, uint32_t first, uint32_t run)
{
    ring_set_area(&cold->ring, first, RING_MAIN);
    for (uint32_t i = 1; i < run; i++) {
        if (!ring_claim(&cold->ring, first + i))
            continue; /* somebody else's: the page is gone */
        FAULT(room_run_claimed);
        ring_set_area(&cold->ring, first + i, RING_MAIN);
        FAULT(room_run_area_set);
        (void)ring_unclaim(&cold->ring, first + i);
    }
}

/* A page over several segments can't be moved, but may stay where it is for another round. */
static bool run_stays(struct cold *cold, const struct reclaim *r, const struct standing *standing)
{
    uint32_t run = ring_run(&cold->ring, r->segment);
    uint64_t run_bytes = (uint64_t)run * cold->ring.segment_bytes;
    uint64_t slot;
    uint64_t now;

    if (run < 2 || !index_locate(&cold->index, standing->head.hash, standing->word, &slot, &now))
        return false;
    if ((now & INDEX_TOUCHED) != 0 && is_useful(cold, standing, run_bytes, r->now_ms) &&
        index_cool(&cold->index, slot, now)) {
        FAULT(room_run_cooled);
        if (r->from == RING_PROBATION)
            promote_run(cold, r->segment, run);
        if (ring_unclaim(&cold->ring, r->segment)) {
            FAULT(room_run_stayed);
            ring_hand_skip(&cold->ring, r->from, run - 1);
            return true;
        }
    }
    room_count_evictions(
        cold, index_forget(&cold->index, slot, now, standing->head.hash, room_ghost_stamp(cold)));
    return false;
}

/* Read the struct of the page at an offset. False: none stands there, or a flipped one does. */
static bool read_standing(const struct cold *cold, uint32_t segment, uint32_t offset,
                          struct standing *ret)
{
    uint32_t location = ring_location(&cold->ring, segment, offset);

    ret->at = ring_at(&cold->ring, location);
    ring_copy(&ret->head, ret->at, sizeof ret->head);
    ret->word = index_word(ret->head.hash, location, ring_sequence(&cold->ring, segment));
    return ret->head.magic == PAGE_MAGIC && ret->head.bytes >= sizeof ret->head;
}

/* Walk the pages of a claimed segment. False: it stays as it is, and is no longer claimed.
 * Where a size makes no sense the walk ends: the new sequence kills the slots it did not see. */
static bool empty_segment(struct cold *cold, const struct reclaim *r)
{
    uint32_t fill = ring_fill(&cold->ring, r->segment);
    struct standing standing;

    for (uint32_t offset = 0; offset + sizeof(struct page) <= fill;
         offset += rounded(standing.head.bytes)) {
        if (!read_standing(cold, r->segment, offset, &standing))
            break;
        if (standing.head.bytes > fill - offset)
            return !run_stays(cold, r, &standing);
        judge(cold, r, &standing);
    }
    return true;
}

/* Write the survivors to the start of the segment just opened, and lead their slots there. */
static void resettle(struct cold *cold, uint32_t segment)
{
    uint32_t sequence = ring_sequence(&cold->ring, segment);

    ring_write(ring_at(&cold->ring, ring_location(&cold->ring, segment, 0)), cold->bounce,
               cold->bounce_bytes);
    FAULT(room_resettled);
    ring_set_fill(&cold->ring, segment, cold->bounce_bytes, 1);
    FAULT(room_resettle_filled);
    for (uint32_t i = 0; i < cold->survivors; i++) {
        const struct survivor *survivor = &cold->survivor[i];
        uint32_t location = ring_location(&cold->ring, segment, survivor->offset);

        /* fails when the key was stored anew or removed: then that holds */
        (void)index_move(&cold->index, survivor->slot, survivor->word,
                         index_word(survivor->hash, location, sequence) | survivor->heat);
    }
}

/*
 * Take a segment: afterwards it is open and, but for what stayed in place, empty. False: it can't be
 * had now. What stays in place waits in private memory while the sequence is raised, so for some
 * microseconds those keys are misses; the alternative, a spare segment for each worker, costs a
 * share of the budget for good.
 */
bool room_reclaim(struct cold *cold, const struct reclaim *r)
{
    if (!ring_claim(&cold->ring, r->segment))
        return false;
    cold->survivors = 0;
    cold->bounce_bytes = 0;
    if (!empty_segment(cold, r))
        return false;
    FAULT(room_emptied);
    if (cold->survivors > 0)
        FAULT(room_survivors_wait);
    if (!ring_open(&cold->ring, r->segment))
        return false;
    FAULT(room_opened);
    ring_set_area(&cold->ring, r->segment, r->to);
    FAULT(room_area_set);
    if (r->room > 0 && cold->survivors > 0)
        resettle(cold, r->segment);
    return true;
}

/* --- finding room ------------------------------------------------------------------------- */

static uint32_t probation_share(const struct cold *cold)
{
    uint32_t segments = cold->ring.segments / PROBATION_SHARE;

    return segments > 0 ? segments : 1;
}

/* The fullest segment in which so many bytes still fit, or NULL. */
static struct open *best_fit(struct cold *cold, enum ring_area area, uint32_t bytes)
{
    struct open *best = NULL;

    for (int i = 0; i < OPEN_SEGMENTS; i++) {
        struct open *open = &cold->open[area][i];

        if (open->segment != NO_SEGMENT && open->fill + bytes <= cold->ring.segment_bytes &&
            (best == NULL || open->fill > best->fill))
            best = open;
    }
    return best;
}

/* Hold a segment with room for so many bytes, of those we know. */
static bool has_room(struct cold *cold, enum ring_area area, uint32_t bytes)
{
    struct open *open;

    while ((open = best_fit(cold, area, bytes)) != NULL) {
        bool held = open->held;

        if (held ? ring_owned(&cold->ring, open->segment) &&
                       ring_sequence(&cold->ring, open->segment) == open->sequence
                 : ring_resume(&cold->ring, open->segment, open->sequence)) {
            if (!held)
                let_go(cold, cold->now[area]);
            open->held = true;
            cold->now[area] = open;
            return true;
        }
        *open = (struct open){.segment = NO_SEGMENT}; /* another's by now */
    }
    return false;
}

/* A segment was opened: it takes the place of the fullest. */
static void now_open(struct cold *cold, const struct reclaim *r)
{
    struct open *place = &cold->open[r->to][0];

    for (int i = 1; i < OPEN_SEGMENTS && place->segment != NO_SEGMENT; i++) {
        struct open *open = &cold->open[r->to][i];

        if (open->segment == NO_SEGMENT || open->fill > place->fill)
            place = open;
    }
    let_go(cold, cold->now[r->to]);
    *place = (struct open){
        .segment = r->segment,
        .sequence = ring_sequence(&cold->ring, r->segment),
        .fill = r->room > 0 ? cold->bounce_bytes : 0,
        .held = true,
    };
    cold->now[r->to] = place;
}

/* Reclaim the next segment of `from` in place. At least half of each is given up, so that the hand
 * always gets on; and the page that needs the room must fit. */
static bool take_in_place(struct cold *cold, enum ring_area from, enum ring_area to, uint32_t bytes,
                          uint64_t now_ms)
{
    uint32_t kept = kept_bytes(cold->ring.segment_bytes);
    uint32_t left = cold->ring.segment_bytes - bytes;
    uint64_t steps = ROUNDS_MAX * (uint64_t)cold->ring.segments;
    struct reclaim r = {
        .from = from, .to = to, .room = left < kept ? left : kept, .now_ms = now_ms};

    if (r.room == 0)
        r.room = 1; /* in place, though nothing fits */
    while (ring_hand(&cold->ring, from, &steps, &r.segment)) {
        if (room_reclaim(cold, &r)) {
            now_open(cold, &r);
            return true;
        }
    }
    return false;
}

bool room_reserve_main(struct cold *cold, uint32_t bytes, uint64_t now_ms)
{
    enum ring_area first =
        ring_probation(&cold->ring) > probation_share(cold) ? RING_PROBATION : RING_MAIN;
    enum ring_area other = first == RING_MAIN ? RING_PROBATION : RING_MAIN;

    if (has_room(cold, RING_MAIN, bytes))
        return true;
    if (cold->main_shut)
        return false;
    if (take_in_place(cold, first, RING_MAIN, bytes, now_ms) ||
        take_in_place(cold, other, RING_MAIN, bytes, now_ms))
        return true;
    cold->main_shut = true;
    return false;
}

/* Is there nothing in a claimed segment that anyone could still use? */
static bool is_junk(struct cold *cold, uint32_t segment, uint64_t now_ms)
{
    uint32_t fill = ring_fill(&cold->ring, segment);
    struct standing standing;

    if (ring_inside_run(&cold->ring, segment))
        return false;
    for (uint32_t offset = 0; offset + sizeof(struct page) <= fill;
         offset += rounded(standing.head.bytes)) {
        uint64_t slot;
        uint64_t now;

        if (!read_standing(cold, segment, offset, &standing))
            break;
        if (standing.head.bytes > fill - offset)
            return false;
        if (is_useful(cold, &standing, standing.head.bytes, now_ms) &&
            index_locate(&cold->index, standing.head.hash, standing.word, &slot, &now))
            return false;
    }
    return true;
}

/*
 * After a purge of everything, or a night, main is full of what nobody can use, and only what has
 * proven itself would push it out, through a tenth of the cache. So before anything of probation
 * has to go, the next segment of main is looked at; mostly its first page ends the look.
 */
static bool take_junk(struct cold *cold, uint64_t now_ms)
{
    struct reclaim r = {.from = RING_MAIN, .to = RING_PROBATION, .room = 1, .now_ms = now_ms};
    bool junk;

    if (!ring_peek(&cold->ring, RING_MAIN, &r.segment) || !ring_claim(&cold->ring, r.segment))
        return false;
    junk = is_junk(cold, r.segment, now_ms);
    if (junk)
        FAULT(room_junk_judged);
    (void)ring_unclaim(&cold->ring, r.segment);
    if (junk)
        FAULT(room_junk_let_go);
    if (!junk || !room_reclaim(cold, &r))
        return false;
    now_open(cold, &r);
    return true;
}

/* Empty the next segment of an area for new pages; what has proven itself moves to main. */
static bool take_emptied(struct cold *cold, enum ring_area from, uint64_t now_ms)
{
    struct reclaim r = {.from = from, .to = RING_PROBATION, .now_ms = now_ms};
    uint64_t steps = ROUNDS_MAX * (uint64_t)cold->ring.segments;

    while (ring_hand(&cold->ring, from, &steps, &r.segment)) {
        if (room_reclaim(cold, &r)) {
            now_open(cold, &r);
            return true;
        }
    }
    return false;
}

bool room_reserve_probation(struct cold *cold, uint32_t bytes, uint64_t now_ms)
{
    enum ring_area first =
        ring_probation(&cold->ring) >= probation_share(cold) ? RING_PROBATION : RING_MAIN;
    enum ring_area other = first == RING_MAIN ? RING_PROBATION : RING_MAIN;

    if (has_room(cold, RING_PROBATION, bytes))
        return true;
    ring_count_turn(&cold->ring);
    return take_junk(cold, now_ms) || take_emptied(cold, first, now_ms) ||
           take_emptied(cold, other, now_ms);
}
