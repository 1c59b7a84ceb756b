/* SPDX-License-Identifier: MIT */
/*
 * cold.c - the cold cache: index and ring put together, the only door to both. Here a word of the
 * index becomes a page (checked, of the right key, not purged), and pages are stored; who has to go for
 * them is cold_room.c's. Who may do what when, and what a death leaves: ring.c, index.c, and
 * shm/README.md for the whole.
 */
#include "shm/cold.h"

#include "shm/cold_room.h"
#include "shm/fault.h"
#include "shm/index.h"
#include "shm/peers.h"
#include "shm/purge.h"
#include "shm/region_map.h"
#include "shm/ring.h"
#include "shm/stats.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

/* Asked for before anything of a page is known: struct, key, head, the body's beginning. And once its
 * size is: what the copy reads before the processor's own prefetcher has understood. Both were
 * measured: perf/README.md. */
#define PREFETCH_BYTES 1024
#define PREFETCH_BYTES_MAX 2048

int cold_open(struct region *region, uint32_t peer, struct cold **ret_cold)
{
    struct cold *cold = calloc(1, sizeof *cold);
    uint32_t kept = kept_bytes(region->header->segment_bytes);

    if (cold == NULL)
        return -ENOMEM;
    cold->region = region;
    ring_view(region, peer, &cold->ring);
    index_view(region, &cold->index);
    cold->purge = purge_of(region);
    cold->stats = stats_at(region, peer);
    cold->max_object_bytes = region->header->max_object_bytes;
    for (int area = 0; area < RING_AREAS; area++) {
        for (int i = 0; i < OPEN_SEGMENTS; i++)
            cold->open[area][i].segment = NO_SEGMENT;
        cold->now[area] = &cold->open[area][0];
    }
    cold->bounce = calloc(1, kept);
    cold->survivor = malloc((kept / rounded(sizeof(struct page)) + 1) * sizeof *cold->survivor);
    cold->scratch = malloc(COLD_HEAD_BYTES_MAX);
    if (cold->bounce == NULL || cold->survivor == NULL || cold->scratch == NULL)
        goto fail;
    *ret_cold = cold;
    return 0;
fail:
    cold_close(cold);
    return -ENOMEM;
}

void cold_close(struct cold *cold)
{
    if (cold == NULL)
        return;
    for (int i = 0; i < RING_AREAS; i++)
        let_go(cold, cold->now[i]);
    free(cold->scratch);
    free(cold->survivor);
    free(cold->bounce);
    free(cold);
}

/* --- reading ------------------------------------------------------------------------------ */

/* Where a word leads. Segment, count and sequence are what ring_unchanged() wants afterwards. */
struct place {
    const unsigned char *at;
    uint32_t segment;
    uint32_t count;
    uint32_t sequence;
};

/* False: the word is dead, or so many bytes cannot stand there. */
static bool place_of(const struct cold *cold, uint64_t word, uint64_t bytes, struct place *ret)
{
    uint32_t location = index_word_location(word);
    uint64_t offset = ring_offset_of(&cold->ring, location);

    ret->segment = ring_segment_of(&cold->ring, location);
    if (ret->segment >= cold->ring.segments)
        return false;
    ret->count = ring_run_of(&cold->ring, offset + bytes);
    if (ret->count > cold->ring.segments - ret->segment || (ret->count > 1 && offset != 0))
        return false;
    ret->sequence = ring_sequence(&cold->ring, ret->segment);
    ret->at = ring_at(&cold->ring, location);
    return (ret->sequence & INDEX_SEQUENCE_MASK) == index_word_sequence(word);
}

static bool still_there(const struct cold *cold, const struct place *place)
{
    return ring_unchanged(&cold->ring, place->segment, place->count, place->sequence);
}

/* Copy the struct page a word leads to. True: it was there, and its offsets lie inside it. */
static bool read_head(const struct cold *cold, uint64_t word, struct page *head,
                      struct place *ret_place)
{
    struct place place;

    if (!place_of(cold, word, sizeof *head, &place))
        return false;
    ring_copy(head, place.at, sizeof *head);
    if (!still_there(cold, &place) || page_check_struct(head, head->bytes) != 0)
        return false;
    /* again, now that its size is known: a run must be whole */
    if (!place_of(cold, word, head->bytes, ret_place) || ret_place->sequence != place.sequence)
        return false;
    return still_there(cold, ret_place);
}

struct wanted {
    const struct cold *cold;
    const char *key;
    size_t key_bytes;
    uint64_t hash;
    uint32_t page_bytes; /* of the page found */
};

/* Ask for bytes that are read soon, all at once: one after another each would be waited for. */
static void prefetch(const unsigned char *at, size_t bytes)
{
    for (size_t i = 0; i < bytes; i += CACHE_LINE_BYTES)
        __builtin_prefetch(at + i);
}

static enum index_found look(void *arg, uint64_t word, uint64_t *ret_stored_ms)
{
    struct wanted *wanted = arg;
    struct page head;
    struct place place;
    bool same;

    /* the tag has matched, so this is the page, but for one time in thousands */
    if (ring_segment_of(&wanted->cold->ring, index_word_location(word)) <
        wanted->cold->ring.segments)
        prefetch(ring_at(&wanted->cold->ring, index_word_location(word)), PREFETCH_BYTES);
    if (!read_head(wanted->cold, word, &head, &place))
        return INDEX_DEAD;
    same = head.hash == wanted->hash && head.key_bytes == wanted->key_bytes &&
           ring_equal(place.at + sizeof head, wanted->key, wanted->key_bytes);
    if (!still_there(wanted->cold, &place))
        return INDEX_DEAD;
    wanted->page_bytes = head.bytes;
    if (same && head.bytes > PREFETCH_BYTES)
        prefetch(place.at + PREFETCH_BYTES,
                 (head.bytes < PREFETCH_BYTES_MAX ? head.bytes : PREFETCH_BYTES_MAX) -
                     PREFETCH_BYTES);
    *ret_stored_ms = head.stored_ms;
    return same ? INDEX_SAME : INDEX_OTHER;
}

int cold_find(struct cold *cold, const char *key, size_t key_bytes, uint64_t hash,
              struct cold_ref *ret_ref)
{
    struct wanted wanted = {cold, key, key_bytes, hash, 0};
    uint64_t slot;
    uint64_t word;

    if (!index_find(&cold->index, hash, look, &wanted, &slot, &word))
        return -ENOENT;
    *ret_ref = (struct cold_ref){word, (uint32_t)slot, wanted.page_bytes};
    return 0;
}

int cold_copy(struct cold *cold, const struct cold_ref *ref, const char *key, size_t key_bytes,
              struct page *buf)
{
    struct place place;

    if (!place_of(cold, ref->word, ref->page_bytes, &place))
        return -ENOENT;
    ring_copy_page(buf, place.at, ref->page_bytes);
    if (!still_there(cold, &place))
        return -ENOENT;
    if (page_check(buf, ref->page_bytes, true) != 0) {
        /* nobody has overwritten it, and yet it is not what was stored */
        if (cold->stats != NULL)
            stats_add(&cold->stats->cold_corrupt, 1);
        return -ENOENT;
    }
    if (!page_has_key(buf, key, key_bytes) || !purge_page_valid(cold->purge, buf))
        return -ENOENT;
    if (cold->stats != NULL) /* the master looks for people: that is no reason to keep a page */
        index_touch(&cold->index, ref->slot, ref->word);
    return 0;
}

/* --- writing ------------------------------------------------------------------------------ */

static int publish(struct cold *cold, const struct page *page, uint32_t location, uint32_t sequence)
{
    struct wanted wanted = {cold, page_key(page), page->key_bytes, page->hash, 0};
    unsigned evicted = 0;
    int rc = index_put(&cold->index, page->hash, index_word(page->hash, location, sequence),
                       page->stored_ms, look, &wanted, &evicted);

    FAULT(cold_published);
    room_count_evictions(cold, evicted);
    return rc;
}

static int put_page(struct cold *cold, const struct page *page, enum ring_area area)
{
    uint32_t bytes = rounded(page->bytes);
    struct open *open;
    uint32_t location;

    if (!(area == RING_MAIN ? room_reserve_main : room_reserve_probation)(cold, bytes,
                                                                          page->stored_ms))
        return -EAGAIN;
    open = cold->now[area];
    location = ring_location(&cold->ring, open->segment, open->fill);
    FAULT(cold_reserved);
    ring_write(ring_at(&cold->ring, location), page, page->bytes);
    FAULT(cold_written);
    open->fill += bytes;
    ring_set_fill(&cold->ring, open->segment, open->fill, 1);
    FAULT(cold_filled);
    return publish(cold, page, location, open->sequence);
}

static void seal_run(struct cold *cold, uint32_t first, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        (void)ring_seal(&cold->ring, first + i);
        FAULT(cold_run_sealed_one);
    }
}

/* Empty `count` segments that follow each other; they are then open. Those taken in vain are
 * sealed again, empty. */
static int gather(struct cold *cold, uint32_t count, enum ring_area area, uint64_t now_ms,
                  uint32_t *ret_first)
{
    uint32_t first;

    for (int i = 0; i < RUN_TRIES && ring_run_place(&cold->ring, count, &first); i++) {
        uint32_t taken = 0;

        for (; taken < count; taken++) {
            struct reclaim r = {first + taken, ring_area(&cold->ring, first + taken), area, 0,
                                now_ms};

            if (!room_reclaim(cold, &r))
                break;
            FAULT(cold_run_gathered_one);
        }
        if (taken == count) {
            *ret_first = first;
            return 0;
        }
        FAULT(cold_run_given_up);
        seal_run(cold, first, taken);
    }
    return -EAGAIN;
}

static int put_run(struct cold *cold, const struct page *page, enum ring_area area)
{
    uint32_t count = ring_run_of(&cold->ring, page->bytes);
    uint32_t location;
    uint32_t first;
    int rc = -EAGAIN;

    if (gather(cold, count, area, page->stored_ms, &first) != 0)
        return -EAGAIN;
    if (ring_join(&cold->ring, first, count)) {
        FAULT(cold_run_joined);
        location = ring_location(&cold->ring, first, 0);
        ring_write(ring_at(&cold->ring, location), page, page->bytes);
        FAULT(cold_run_written);
        ring_set_fill(&cold->ring, first, cold->ring.segment_bytes, count);
        for (uint32_t i = 1; i < count; i++) {
            FAULT(cold_run_filled_one);
            ring_set_fill(&cold->ring, first + i, 0, 0);
        }
        rc = publish(cold, page, location, ring_sequence(&cold->ring, first));
        FAULT(cold_run_published);
    }
    seal_run(cold, first, count);
    return rc;
}

int cold_put(struct cold *cold, const struct page *page)
{
    enum ring_area area = RING_PROBATION;
    int rc;

    if (page->bytes > cold->max_object_bytes)
        return -EFBIG;
    assert(page_check(page, page->bytes, false) == 0);
    if (!purge_page_valid(cold->purge, page))
        return -ESTALE;
    cold->main_shut = false;
    if (index_known(&cold->index, page->hash, room_ghost_stamp(cold), GHOST_TICKS))
        area = RING_MAIN;
    rc = rounded(page->bytes) <= cold->ring.segment_bytes ? put_page(cold, page, area)
                                                          : put_run(cold, page, area);
    let_go(cold, cold->now[RING_MAIN]);
    return rc;
}

struct described {
    const struct cold *cold;
    uint64_t hash;
    bool (*is)(const struct page *page, void *arg);
    void *arg;
};

static enum index_found look_at_head(void *arg, uint64_t word, uint64_t *ret_stored_ms)
{
    const struct described *wanted = arg;
    struct place place;
    struct page head;

    if (!read_head(wanted->cold, word, &head, &place))
        return INDEX_DEAD;
    *ret_stored_ms = head.stored_ms;
    return head.hash == wanted->hash && wanted->is(&head, wanted->arg) ? INDEX_SAME : INDEX_OTHER;
}

bool cold_locate(struct cold *cold, uint64_t hash, bool (*is)(const struct page *page, void *arg),
                 void *arg, uint64_t *ret_slot)
{
    struct described wanted = {cold, hash, is, arg};
    uint64_t word;

    return index_find(&cold->index, hash, look_at_head, &wanted, ret_slot, &word);
}

unsigned cold_delete(struct cold *cold, const char *key, size_t key_bytes, uint64_t hash)
{
    struct wanted wanted = {cold, key, key_bytes, hash, 0};

    return index_remove(&cold->index, hash, look, &wanted);
}

unsigned cold_reap(struct cold *cold, uint32_t dead_peer)
{
    const struct peer *peer = peer_at(cold->region, dead_peer);
    uint32_t pid = 0;

    if (peer != NULL) {
        pid = atomic_load_explicit(&peer->pid, memory_order_relaxed);
        if (pid == 0) /* the master was not told */
            pid = atomic_load_explicit(&peer->self_pid, memory_order_relaxed);
    }
    (void)purge_reap(cold->purge, pid);
    return ring_reap(&cold->ring, dead_peer);
}

/* --- walks -------------------------------------------------------------------------------- */

/* Copy struct, key and tags of the page a word leads to into the scratch. */
static bool read_scratch(struct cold *cold, uint64_t word, size_t *ret_bytes)
{
    struct page *scratch = cold->scratch;
    struct place place;
    struct page head;
    uint64_t bytes;

    if (word == 0 || !read_head(cold, word, &head, &place))
        return false;
    bytes = head.variants_offset;
    if (bytes > COLD_HEAD_BYTES_MAX)
        return false;
    ring_copy(scratch, place.at, bytes);
    if (!still_there(cold, &place) || memcmp(scratch, &head, sizeof head) != 0)
        return false;
    *ret_bytes = bytes;
    return true;
}

unsigned cold_sweep_prefix(struct cold *cold, const char *prefix, size_t prefix_bytes)
{
    unsigned swept = 0;
    size_t bytes;

    for (uint64_t slot = 0; slot < cold->index.slots; slot++) {
        uint64_t word = index_load(&cold->index, slot);
        const struct page *page = cold->scratch;

        if (read_scratch(cold, word, &bytes) && page->path_bytes >= prefix_bytes &&
            memcmp(page_at(page, page->path_offset), prefix, prefix_bytes) == 0) {
            swept += index_clear(&cold->index, slot, word);
            FAULT(cold_swept_one);
        }
    }
    return swept;
}

/* As cold_walk() judges it; key and tags are read only where something was purged since. */
static bool shows(struct cold *cold, uint64_t word, struct page *ret_head)
{
    struct place place;
    size_t bytes;

    if (word == 0 || !read_head(cold, word, ret_head, &place))
        return false;
    return ret_head->epoch == purge_epoch(cold->purge) ||
           (read_scratch(cold, word, &bytes) && purge_page_valid(cold->purge, cold->scratch));
}

void cold_figures(struct cold *cold, struct cold_figures *ret_figures)
{
    struct cold_figures figures = {
        .budget_bytes = cold->region->header->cold_bytes,
        .slots = cold->index.slots,
        .segments = cold->ring.segments,
        .segment_bytes = cold->ring.segment_bytes,
    };
    struct page head;

    for (uint64_t slot = 0; slot < figures.slots; slot++) {
        if (!shows(cold, index_load(&cold->index, slot), &head))
            continue;
        figures.entries++;
        figures.used_bytes += head.bytes;
    }
    *ret_figures = figures;
}

static unsigned heat_of(uint64_t word)
{
    return (word & INDEX_HOT) == INDEX_HOT ? COLD_HEAT_MAX : (word & INDEX_TOUCHED) != 0;
}

void cold_walk(struct cold *cold, cold_visit *visit, void *arg)
{
    size_t bytes;

    for (uint64_t slot = 0; slot < cold->index.slots; slot++) {
        uint64_t word = index_load(&cold->index, slot);

        if (read_scratch(cold, word, &bytes) && purge_page_valid(cold->purge, cold->scratch) &&
            !visit(arg, cold->scratch, bytes, &(struct cold_seen){slot, heat_of(word)}))
            return;
    }
}
