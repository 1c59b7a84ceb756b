/* SPDX-License-Identifier: MIT */
/* accounts.c - see accounts.h. First the segments, which pages stand where; then the slots. */
#include "tests/stress/accounts.h"

#include "shm/index.h"
#include "shm/page.h"
#include "shm/purge_map.h"
#include "shm/region_map.h"
#include "shm/ring.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* What stands at a unit of the segments. */
enum mark { NOTHING, PAGE_START, OLD_RUN, NAMED };

struct audit {
    const struct region *region;
    struct ring ring;
    struct index index;
    bool may_be_flipped;
    unsigned char *mark; /* a unit each */
    struct accounts sums;
    char *why;
};

static bool wrong(struct audit *a, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(a->why, 160, format, arguments);
    va_end(arguments);
    return false;
}

static uint64_t up(uint64_t bytes)
{
    return (bytes + RING_UNIT_BYTES - 1) / RING_UNIT_BYTES * RING_UNIT_BYTES;
}

static uint64_t word_of(const struct audit *a, uint32_t segment)
{
    return atomic_load_explicit(&a->ring.table->segment[segment].word, memory_order_relaxed);
}

static const struct page *page_of(const struct audit *a, uint32_t location)
{
    return (const void *)ring_at(&a->ring, location);
}

/* Do all segments of a page's run still have the sequence of its first? */
static bool run_is_whole(const struct audit *a, uint32_t segment, uint64_t bytes)
{
    uint32_t count = ring_run_of(&a->ring, bytes);

    for (uint32_t i = 1; i < count; i++) {
        if (segment + i >= a->ring.segments ||
            ring_sequence(&a->ring, segment + i) != ring_sequence(&a->ring, segment))
            return false;
    }
    return true;
}

/* --- segments ----------------------------------------------------------------------------- */

/* The first page of a run covers all of its first segment; the others have fill 0. Its bytes there
 * are free as soon as one of them is somebody else's. */
static void add_run(struct audit *a, uint32_t segment, uint64_t bytes)
{
    a->mark[ring_location(&a->ring, segment, 0)] =
        run_is_whole(a, segment, bytes) ? PAGE_START : OLD_RUN;
}

static bool add_pages(struct audit *a, uint32_t segment, uint32_t fill)
{
    uint32_t offset = 0;

    while (offset < fill) {
        const struct page *page = page_of(a, ring_location(&a->ring, segment, offset));

        if (offset + sizeof *page > fill || page->magic != PAGE_MAGIC ||
            page->bytes < sizeof *page) {
            a->sums.broken_bytes += fill - offset;
            return a->may_be_flipped ||
                   wrong(a, "segment %u: no page at %u of %u", segment, offset, fill);
        }
        if (page->bytes > fill - offset) {
            if (offset == 0 && fill == a->ring.segment_bytes) {
                add_run(a, segment, page->bytes);
                return true;
            }
            a->sums.broken_bytes += fill - offset;
            return a->may_be_flipped ||
                   wrong(a, "segment %u: page at %u is beyond %u", segment, offset, fill);
        }
        a->mark[ring_location(&a->ring, segment, offset)] = PAGE_START;
        offset += (uint32_t)up(page->bytes);
    }
    return true;
}

static bool add_segments(struct audit *a)
{
    uint32_t probation = 0;

    for (uint32_t i = 0; i < a->ring.segments; i++) {
        const struct ring_segment *s = &a->ring.table->segment[i];
        uint32_t fill = atomic_load_explicit(&s->fill, memory_order_relaxed);
        uint32_t area = atomic_load_explicit(&s->area, memory_order_relaxed);

        if ((word_of(a, i) & 3) != RING_SEALED)
            return wrong(a, "segment %u is held: %#llx", i, (unsigned long long)word_of(a, i));
        if (fill > a->ring.segment_bytes || fill % RING_UNIT_BYTES != 0 || area >= RING_AREAS)
            return wrong(a, "segment %u: fill %u, area %u", i, fill, area);
        probation += area == RING_PROBATION;
        if (!add_pages(a, i, fill))
            return false;
        a->sums.free_bytes += a->ring.segment_bytes - fill;
    }
    if (probation != ring_probation(&a->ring))
        return wrong(a, "%u segments of probation, counted %u", probation,
                     ring_probation(&a->ring));
    return true;
}

/* --- purges ------------------------------------------------------------------------------- */

static bool purges_are_through(struct audit *a)
{
    const struct purge *purge = purge_of(a->region);
    uint64_t epoch = purge_epoch(purge);

    for (unsigned i = 0; i < PURGE_PREFIXES; i++) {
        const struct purge_prefix *entry = &purge->prefix[i];

        if (atomic_load_explicit(&entry->version, memory_order_relaxed) & PURGE_PID_MASK)
            return wrong(a, "prefix entry %u is taken", i);
        if (atomic_load_explicit(&entry->epoch, memory_order_relaxed) > epoch)
            return wrong(a, "prefix entry %u is above the epoch", i);
    }
    for (unsigned i = 0; i < PURGE_WORDS; i++) {
        if (atomic_load_explicit(&purge->url[i], memory_order_relaxed) > epoch ||
            atomic_load_explicit(&purge->tag[i], memory_order_relaxed) > epoch)
            return wrong(a, "word %u of URLs or tags is above the epoch", i);
    }
    return atomic_load_explicit(&purge->all, memory_order_relaxed) <= epoch ||
           wrong(a, "all is above the epoch");
}

/* --- slots -------------------------------------------------------------------------------- */

/* The n-th place of a hash, of 16. Said once more: see probe() of index.c. */
static uint64_t place(const struct audit *a, uint64_t hash, unsigned n)
{
    uint64_t mask = a->index.slots / INDEX_BUCKET_SLOTS - 1;
    uint64_t first = hash & mask;
    uint64_t second = hash >> 32 & mask;

    if (second == first)
        second ^= 1;
    return (n < INDEX_BUCKET_SLOTS ? first : second) * INDEX_BUCKET_SLOTS + n % INDEX_BUCKET_SLOTS;
}

static bool is_place_of(const struct audit *a, uint64_t slot, uint64_t hash)
{
    for (unsigned n = 0; n < INDEX_PROBES; n++) {
        if (place(a, hash, n) == slot)
            return true;
    }
    return false;
}

static bool add_live(struct audit *a, uint64_t slot, uint64_t word)
{
    uint32_t location = index_word_location(word);
    const struct page *page = page_of(a, location);

    if (a->mark[location] == NAMED)
        return wrong(a, "slot %llu: its page has two", (unsigned long long)slot);
    if (a->mark[location] == OLD_RUN)
        return true;
    if (a->mark[location] == NOTHING)
        return a->may_be_flipped || wrong(a, "slot %llu leads to %u, where no page is",
                                          (unsigned long long)slot, location);
    a->mark[location] = NAMED;
    a->sums.live++;
    a->sums.page_bytes += page->bytes;
    a->sums.corrupt += page_check(page, page->bytes, true) != 0;
    if (!a->may_be_flipped &&
        (index_tag(page->hash) != word >> 48 || !is_place_of(a, slot, page->hash)))
        return wrong(a, "slot %llu leads to a page of another hash", (unsigned long long)slot);
    return true;
}

static bool add_slots(struct audit *a)
{
    for (uint64_t slot = 0; slot < a->index.slots; slot++) {
        uint64_t word = index_load(&a->index, slot);
        uint32_t segment = ring_segment_of(&a->ring, index_word_location(word));
        uint64_t live = a->sums.live;

        if (word == 0) {
            a->sums.empty++;
        } else if (index_is_ghost(word)) {
            a->sums.ghosts++;
        } else if (segment >= a->ring.segments) {
            return wrong(a, "slot %llu leads out of the ring", (unsigned long long)slot);
        } else if ((ring_sequence(&a->ring, segment) & INDEX_SEQUENCE_MASK) !=
                   index_word_sequence(word)) {
            a->sums.dead++;
        } else {
            if (!add_live(a, slot, word))
                return false;
            a->sums.dead += a->sums.live == live;
        }
    }
    return true;
}

/* Pages that a slot names, and those that none does; and keys with more than one. */
static void add_bytes(struct audit *a)
{
    uint64_t units = (uint64_t)a->ring.segments * a->ring.segment_bytes / RING_UNIT_BYTES;

    for (uint64_t unit = 0; unit < units; unit++) {
        uint32_t location = (uint32_t)unit;
        uint64_t bytes;

        if (a->mark[unit] == NOTHING)
            continue;
        bytes = up(page_of(a, location)->bytes);
        if (bytes > a->ring.segment_bytes) /* a run: the rest of it is counted as free */
            bytes = a->ring.segment_bytes;
        *(a->mark[unit] == NAMED ? &a->sums.named_bytes : &a->sums.unnamed_bytes) += bytes;
    }
}

static bool same_key(const struct page *a, const struct page *b)
{
    return a->hash == b->hash && a->key_bytes == b->key_bytes &&
           memcmp(page_key(a), page_key(b), a->key_bytes) == 0;
}

/* The page that a live slot names, or NULL. */
static const struct page *named(const struct audit *a, uint64_t slot)
{
    uint64_t word = index_load(&a->index, slot);
    uint32_t location = index_word_location(word);
    uint32_t segment = ring_segment_of(&a->ring, location);

    if (word == 0 || index_is_ghost(word) ||
        (ring_sequence(&a->ring, segment) & INDEX_SEQUENCE_MASK) != index_word_sequence(word) ||
        a->mark[location] != NAMED ||
        page_check(page_of(a, location), page_of(a, location)->bytes, false) != 0)
        return NULL;
    return page_of(a, location);
}

static void add_twins(struct audit *a)
{
    for (uint64_t slot = 0; slot < a->index.slots; slot++) {
        const struct page *page = named(a, slot);
        bool found = false;

        for (unsigned n = 0; page != NULL && n < INDEX_PROBES && !found; n++) {
            uint64_t other = place(a, page->hash, n);
            const struct page *second = other < slot ? named(a, other) : NULL;

            found = second != NULL && same_key(page, second);
        }
        a->sums.twins += found;
    }
}

bool accounts_add_up(const struct region *region, bool may_be_flipped,
                     struct accounts *ret_accounts, char why[static 160])
{
    struct audit audit = {.region = region, .may_be_flipped = may_be_flipped, .why = why};
    uint64_t all;
    uint64_t sum;
    bool fine;

    ring_view(region, REGION_PEERS_MAX, &audit.ring);
    index_view(region, &audit.index);
    all = (uint64_t)audit.ring.segments * audit.ring.segment_bytes;
    audit.mark = calloc(1, all / RING_UNIT_BYTES);
    if (audit.mark == NULL)
        abort();
    fine = purges_are_through(&audit) && add_segments(&audit) && add_slots(&audit);
    if (fine) {
        add_bytes(&audit);
        add_twins(&audit);
        sum = audit.sums.named_bytes + audit.sums.unnamed_bytes + audit.sums.broken_bytes +
              audit.sums.free_bytes;
        fine = sum == all || wrong(&audit, "%llu bytes of %llu accounted for",
                                   (unsigned long long)sum, (unsigned long long)all);
    }
    if (fine && !may_be_flipped && audit.sums.corrupt > 0)
        fine = wrong(&audit, "%llu pages are corrupt", (unsigned long long)audit.sums.corrupt);
    free(audit.mark);
    *ret_accounts = audit.sums;
    return fine;
}
