/* SPDX-License-Identifier: MIT */
/*
 * purge.c - purges as generations. Shared by all processes; any of them may purge, several at
 * once, and none waits for another.
 *
 * The words. `epoch` counts purges. What a purge covers has a word (all, one of the URL words, one
 * of the tag words, the epoch of a prefix): a page is invalid when such a word is above the page's
 * own epoch, which is the one its render noted before it began.
 *
 *   purger  P1 e = load epoch (acquire)             reader  R1 load epoch (acquire)
 *           P2 covering word = max(word, e + 1)             R2 load covering words (relaxed)
 *           P3 fetch_add epoch by 1 (acq_rel)
 *
 * A render that began before the purge: it noted an epoch <= e, as the counter only grows and
 *   P1 comes later; the word is >= e + 1, so its page is invalid for good, however late it ends.
 * Hot caches: P3 makes the epoch differ from every value seen before it, so a hot cache asks
 *   again; R1 reads P3 or a later P3 of its release sequence, so R2 sees P2.
 *   (A page's own epoch as the ticket, stored after a later ticket became visible, would leave the
 *   visible epoch as it was, and hot caches would not notice: hence e + 1 and an increment each.)
 * A render that began after the purge returned noted an epoch >= e + 1: its page is valid. One
 *   that began between P1 and P3 is purged or not; both are right.
 * Crash after P2: the purge never returned, and may or may not hold. The word stands above the epoch, so
 *   pages rendered from now on would be refused as soon as anybody's P3 makes readers look: the reaper
 *   does the P3 that is missing, if it sees such a word. (It may be that of a living one between P2 and
 *   P3; then one more does no harm.)
 *
 * Collisions. 64 Ki words each for URLs and tags: a purge hits, beside its own, each page that is
 * older than itself with probability 1/65536: 15 of a million. Words never need clearing, as
 * newer pages are valid under any old word. 1 MiB in all, whatever the number of pages.
 *
 * Prefixes need their text. The last 64 are kept in entries, each behind a version, which says who
 * is writing, if somebody is ("taken"); when one is overwritten, its epoch goes to `floor`, and pages older than the floor are
 * refused: too many, never too few. A prefix purged again raises its entry's epoch and takes no new
 * one, so a site that purges the same prefixes all day never moves the floor.
 *
 *   purger  W1 version v -> v, pid (CAS, acq_rel)       reader  R1 load version (acquire)
 *           W2 floor = max(floor, entry epoch)                  R2 load epoch: below or equal to
 *           W3 entry epoch = max(entry epoch, e + 1)               the page's: does not cover it
 *           W4 fence(release)                                   R3 compare text (relaxed words)
 *           W5 text (relaxed)                                   R4 fence(acquire)
 *           W6 version = v + 1, nobody (release)                R5 load version (relaxed)
 *                                                               R6 after all entries: load floor
 * In doubt (taken at R1, changed at R5): the reader takes the text as matching, so the page is
 *   refused when the entry's epoch is above its own. The entry's epoch only grows, so it is never
 *   below that of the text being overwritten. W4 and R4 pair: text newer than R1's version shows
 *   at R5.
 * An old text gone at R1 (free, newer): W6/R1 pair, so R6 sees W2.
 * Raising an entry again: max on its epoch, then CAS(version, v, v) (acq_rel). If it succeeds, a
 *   later W1 reads from it, so W2 sees the raise; if it fails, another entry is used.
 * Crash between W1 and W6: the entry stays taken until the reaper comes: its text counts as matching
 *   whatever is asked, but its epoch stands still: refused are pages older than the purge that was
 *   under way, or of the time between death and reaper. Writers pass it by.
 *
 *   reaper  D1 floor = max(floor, entry epoch)
 *           D2 fence(release), then a length that no text has (relaxed)
 *           D3 version = v + 1, nobody (release)
 *           D4 P3, if a covering word is above the epoch
 * As the writer's W2, W5 and W6: who sees the entry taken is in doubt, who sees D3 sees D1 at R6, and
 *   who sees D2 before it sees D3 finds the version changed at R5 (D2 and R4 pair). Nobody else
 *   changes the entry meanwhile: W1 fails on a version that is taken. A reaper that dies itself leaves
 *   it taken, and all words as high as they were.
 *
 * With a cache file each word is raised in the file's copy first (purge_kept.c), so a purge that has
 * returned holds after a restart too. Nobody but the next master reads the copy: no order is needed
 * among its words, and the program's order does where all processes die at once.
 */
#include "shm/purge.h"

#include "shm/fault.h"
#include "shm/purge_kept.h"
#include "shm/purge_map.h"
#include "shm/region_map.h"

#include <errno.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

size_t purge_section_bytes(void)
{
    return sizeof(struct purge);
}

void purge_init(struct purge *purge)
{
    /* Words are 0, "never purged": a page of epoch 0 is valid under them, the first purge is 2. */
    atomic_store_explicit(&purge->epoch, 1, memory_order_relaxed);
}

struct purge *purge_of(const struct region *region)
{
    return region_at(region, REGION_PURGE);
}

uint64_t purge_epoch(const struct purge *purge)
{
    return atomic_load_explicit(&purge->epoch, memory_order_acquire); /* R1, pairs P3 */
}

uint64_t purge_url_hash(const char *url, size_t url_bytes)
{
    return XXH3_64bits(url, url_bytes);
}

uint64_t purge_tag_hash(const char *tag, size_t tag_bytes)
{
    return XXH3_64bits(tag, tag_bytes);
}

/* The high half: the low bits choose places in the index, and differ less among neighbours there.
 */
static size_t word_of(uint64_t hash)
{
    return (size_t)(hash >> 32) % PURGE_WORDS;
}

static void raise_to(_Atomic uint64_t *word, uint64_t value)
{
    uint64_t now = atomic_load_explicit(word, memory_order_relaxed);

    while (now < value && !atomic_compare_exchange_weak_explicit(
                              word, &now, value, memory_order_relaxed, memory_order_relaxed))
        continue;
}

/* The copy in the cache file of a word of `purge`; NULL: there is no file. */
static _Atomic uint64_t *kept_of(struct purge *purge, _Atomic uint64_t *word)
{
    if (purge->kept_offset == 0)
        return NULL;
    return (_Atomic uint64_t *)((unsigned char *)word + purge->kept_offset);
}

/* P2, W2, W3 */
static void cover(struct purge *purge, _Atomic uint64_t *word, uint64_t epoch)
{
    _Atomic uint64_t *kept = kept_of(purge, word);

    if (kept != NULL) {
        purge_kept_raise(kept, epoch);
        FAULT(kept_raised);
    }
    raise_to(word, epoch);
}

/* P1: what the covering word must reach. */
static uint64_t covering_epoch(const struct purge *purge)
{
    return purge_epoch(purge) + 1;
}

static void announce(struct purge *purge)
{
    _Atomic uint64_t *kept = kept_of(purge, &purge->epoch);
    uint64_t before;

    FAULT(purge_announcing);
    /* P3: release pairs with R1 in purge_epoch(); acquire keeps the release sequence in order */
    before = atomic_fetch_add_explicit(&purge->epoch, 1, memory_order_acq_rel);
    FAULT(purge_announced);
    if (kept != NULL)
        purge_kept_raise(kept, before + 1);
}

void purge_url(struct purge *purge, const char *url, size_t url_bytes)
{
    cover(purge, &purge->url[word_of(purge_url_hash(url, url_bytes))], covering_epoch(purge));
    announce(purge);
}

void purge_tag(struct purge *purge, const char *tag, size_t tag_bytes)
{
    cover(purge, &purge->tag[word_of(purge_tag_hash(tag, tag_bytes))], covering_epoch(purge));
    announce(purge);
}

void purge_all(struct purge *purge)
{
    cover(purge, &purge->all, covering_epoch(purge));
    announce(purge);
}

static size_t text_words(size_t bytes)
{
    return (bytes + sizeof(uint64_t) - 1) / sizeof(uint64_t);
}

/* Is the entry's text the beginning of the path? Racy (R3): the caller looks at the version again.
 */
static bool text_begins(const struct purge_prefix *entry, const char *path, size_t path_bytes)
{
    size_t bytes = atomic_load_explicit(&entry->bytes, memory_order_relaxed);

    if (bytes > path_bytes || bytes > PURGE_PREFIX_BYTES_MAX)
        return false;
    for (size_t i = 0; i < text_words(bytes); i++) {
        if (atomic_load_explicit(&entry->text[i], memory_order_relaxed) !=
            purge_text_word(path, bytes, i))
            return false;
    }
    return true;
}

static bool is_taken(uint64_t version)
{
    return (version & PURGE_PID_MASK) != 0;
}

/* W6, D3. */
static uint64_t written(uint64_t version)
{
    return ((version >> PURGE_PID_BITS) + 1) << PURGE_PID_BITS;
}

/* Does the entry cover a page of this path and epoch? In doubt it does. */
static bool prefix_covers(const struct purge_prefix *entry, const char *path, size_t path_bytes,
                          uint64_t page_epoch)
{
    uint64_t before = atomic_load_explicit(&entry->version, memory_order_acquire); /* R1, W6 */
    bool begins;

    if (atomic_load_explicit(&entry->epoch, memory_order_relaxed) <= page_epoch) /* R2 */
        return false;
    if (is_taken(before))
        return true;
    begins = text_begins(entry, path, path_bytes); /* R3 */
    atomic_thread_fence(memory_order_acquire);     /* R4, pairs W4 */
    return begins || atomic_load_explicit(&entry->version, memory_order_relaxed) != before; /* R5 */
}

bool purge_page_valid(const struct purge *purge, const struct page *page)
{
    const uint64_t *tags = page_tags(page);
    uint64_t epoch = page->epoch;

    /* acquire: pairs with P3; nothing was purged since it was rendered, the common case */
    if (purge_epoch(purge) == epoch)
        return true;
    if (atomic_load_explicit(&purge->all, memory_order_relaxed) > epoch ||
        atomic_load_explicit(&purge->url[word_of(page->path_hash)], memory_order_relaxed) > epoch)
        return false;
    for (size_t i = 0; i < page->tag_count; i++) {
        if (atomic_load_explicit(&purge->tag[word_of(tags[i])], memory_order_relaxed) > epoch)
            return false;
    }
    for (size_t i = 0; i < PURGE_PREFIXES; i++) {
        if (prefix_covers(&purge->prefix[i], page_at(page, page->path_offset), page->path_bytes,
                          epoch))
            return false;
    }
    return atomic_load_explicit(&purge->floor, memory_order_relaxed) <= epoch; /* R6 */
}

/* Raise the epoch of the entry that has this text already. False: there is none to be had. */
static bool raise_entry(struct purge *purge, const char *prefix, size_t bytes, uint64_t epoch)
{
    for (size_t i = 0; i < PURGE_PREFIXES; i++) {
        struct purge_prefix *entry = &purge->prefix[i];
        uint64_t version = atomic_load_explicit(&entry->version, memory_order_acquire); /* W6 */

        if (is_taken(version) || atomic_load_explicit(&entry->epoch, memory_order_relaxed) == 0 ||
            atomic_load_explicit(&entry->bytes, memory_order_relaxed) != bytes ||
            !text_begins(entry, prefix, bytes))
            continue;
        cover(purge, &entry->epoch, epoch);
        FAULT(purge_entry_raised);
        /* acq_rel: a later W1 reads from this, so its W2 sees the epoch just raised; that it
         * succeeds also says that the text compared above was this one's */
        return atomic_compare_exchange_strong_explicit(&entry->version, &version, version,
                                                       memory_order_acq_rel, memory_order_acquire);
    }
    return false;
}

/* The file's copy, by who has claimed the live entry: nobody else writes it. Its version is the
 * check of the text: killed in between, it does not fit, and the next start knows. */
static void keep_text(struct purge *purge, struct purge_prefix *entry, const char *prefix,
                      size_t bytes)
{
    struct purge_prefix *kept = (struct purge_prefix *)kept_of(purge, &entry->version);

    if (kept == NULL)
        return;
    atomic_store_explicit(&kept->version, 0, memory_order_relaxed);
    atomic_store_explicit(&kept->bytes, bytes, memory_order_relaxed);
    for (size_t i = 0; i < PREFIX_WORDS; i++) {
        atomic_store_explicit(&kept->text[i], purge_text_word(prefix, bytes, i),
                              memory_order_relaxed);
        FAULT(kept_text_half);
    }
    FAULT(kept_text_unchecked);
    atomic_store_explicit(&kept->version, purge_text_check(kept), memory_order_relaxed);
    FAULT(kept_text_written);
}

static bool write_entry(struct purge *purge, struct purge_prefix *entry, const char *prefix,
                        size_t bytes, uint64_t epoch)
{
    uint64_t version = atomic_load_explicit(&entry->version, memory_order_relaxed);

    if (is_taken(version) ||
        !atomic_compare_exchange_strong_explicit(&entry->version, &version,
                                                 version | ((uint64_t)getpid() & PURGE_PID_MASK),
                                                 memory_order_acq_rel, /* W1 */
                                                 memory_order_relaxed))
        return false;
    FAULT(purge_entry_taken);
    cover(purge, &purge->floor, atomic_load_explicit(&entry->epoch, memory_order_relaxed)); /* W2 */
    FAULT(purge_floor_raised);
    cover(purge, &entry->epoch, epoch); /* W3 */
    FAULT(purge_entry_covers);
    keep_text(purge, entry, prefix, bytes);
    atomic_thread_fence(memory_order_release);                         /* W4 */
    atomic_store_explicit(&entry->bytes, bytes, memory_order_relaxed); /* W5 */
    for (size_t i = 0; i < text_words(bytes); i++) {
        FAULT(purge_text_half);
        atomic_store_explicit(&entry->text[i], purge_text_word(prefix, bytes, i),
                              memory_order_relaxed);
    }
    FAULT(purge_text_written);
    atomic_store_explicit(&entry->version, written(version), memory_order_release); /* W6, R1 */
    FAULT(purge_entry_given_back);
    return true;
}

int purge_prefix(struct purge *purge, const char *prefix, size_t prefix_bytes)
{
    uint64_t epoch = covering_epoch(purge);
    bool done;

    if (prefix_bytes > PURGE_PREFIX_BYTES_MAX)
        return -ENAMETOOLONG;
    done = raise_entry(purge, prefix, prefix_bytes, epoch);
    for (size_t i = 0; i < PURGE_PREFIXES && !done; i++) {
        uint64_t cursor = atomic_fetch_add_explicit(&purge->cursor, 1, memory_order_relaxed);

        FAULT(purge_cursor_moved);
        done = write_entry(purge, &purge->prefix[cursor % PURGE_PREFIXES], prefix, prefix_bytes,
                           epoch);
    }
    if (!done) /* every entry is being written or was left so by the dead */
        cover(purge, &purge->all, epoch);
    announce(purge);
    return 0;
}

/* D1 to D3. */
static void free_entry(struct purge *purge, struct purge_prefix *entry, uint64_t version)
{
    _Atomic uint64_t *kept = kept_of(purge, &entry->epoch);

    cover(purge, &purge->floor, atomic_load_explicit(&entry->epoch, memory_order_relaxed)); /* D1 */
    FAULT(purge_floor_for_dead);
    if (kept != NULL) { /* its text may not check: the next start would refuse everything */
        atomic_store_explicit(kept, 0, memory_order_relaxed);
        FAULT(kept_freed);
    }
    atomic_thread_fence(memory_order_release); /* D2: R4 */
    atomic_store_explicit(&entry->bytes, PURGE_PREFIX_BYTES_MAX + 1, memory_order_relaxed);
    FAULT(purge_text_gone);
    atomic_store_explicit(&entry->version, written(version), memory_order_release); /* D3: R1 */
    FAULT(purge_entry_freed);
}

static bool any_above(const _Atomic uint64_t *word, size_t count, uint64_t epoch)
{
    bool found = false;

    for (size_t i = 0; i < count; i++)
        found |= atomic_load_explicit(&word[i], memory_order_relaxed) > epoch;
    return found;
}

/* Is there a purge whose P3 has not come? 130,000 words: some ten microseconds. */
static bool is_unfinished(const struct purge *purge)
{
    uint64_t epoch = purge_epoch(purge);
    bool found = any_above(&purge->all, 1, epoch) || any_above(&purge->floor, 1, epoch) ||
                 any_above(purge->url, PURGE_WORDS, epoch) ||
                 any_above(purge->tag, PURGE_WORDS, epoch);

    for (size_t i = 0; i < PURGE_PREFIXES && !found; i++)
        found = any_above(&purge->prefix[i].epoch, 1, epoch);
    return found;
}

unsigned purge_reap(struct purge *purge, uint32_t dead_pid)
{
    unsigned freed = 0;

    for (size_t i = 0; i < PURGE_PREFIXES && dead_pid != 0; i++) {
        struct purge_prefix *entry = &purge->prefix[i];
        uint64_t version = atomic_load_explicit(&entry->version, memory_order_relaxed);

        if ((version & PURGE_PID_MASK) == dead_pid) {
            free_entry(purge, entry, version);
            freed++;
        }
    }
    FAULT(purge_entries_freed);
    if (is_unfinished(purge))
        announce(purge); /* D4 */
    return freed;
}
