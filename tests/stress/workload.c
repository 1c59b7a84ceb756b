/* SPDX-License-Identifier: MIT */
/* workload.c - see workload.h. Pages check themselves: each byte follows from key, version, serial. */
#include "tests/stress/workload.h"

#include "shm/peers.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#define GROUPS 16u
#define TAGS 16u

const struct workload_mix workload_usual = {
    .put = 180, .delete = 60, .url = 40, .tag = 10, .prefix = 9, .all = 1};
const struct workload_mix workload_writes = {
    .put = 6000, .delete = 400, .url = 20, .tag = 20, .prefix = 60, .all = 1};

static void bump(_Atomic uint64_t *counter)
{
    (void)atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

static uint64_t mixed(uint64_t x)
{
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

uint64_t workload_draw(struct actor *s, uint64_t below)
{
    s->random += 0x9e3779b97f4a7c15u;
    return mixed(s->random) % below;
}

void workload_fail(struct board *board, const char *what, uint32_t key, uint64_t got, uint64_t want)
{
    if (atomic_fetch_add_explicit(&board->failures, 1, memory_order_relaxed) == 0)
        (void)snprintf(board->what, sizeof board->what, "%s: key %u, got %llu, want %llu", what,
                       key, (unsigned long long)got, (unsigned long long)want);
    atomic_store_explicit(&board->stop, 1, memory_order_relaxed);
}

static size_t path_of(uint32_t key, char path[static 32])
{
    return (size_t)snprintf(path, 32, "/g%u/k%u", key % GROUPS, key);
}

/* Two keys share each hash, so that only the comparison of whole keys tells them apart. */
static uint64_t hash_of(uint32_t key)
{
    uint32_t pair = key / 2;

    return XXH3_64bits(&pair, sizeof pair);
}

static struct span tag_of(uint32_t key, char text[static 16])
{
    int n = snprintf(text, 16, "t%u", key / 7 % TAGS);

    return (struct span){text, (size_t)n};
}

/* --- pages that check themselves ---------------------------------------------------------- */

/* Mostly small, some near the size of a segment, a few over several. In words. */
static size_t body_words(struct actor *s)
{
    uint64_t kind = workload_draw(s, 100);

    if (kind < 80 || s->small_pages)
        return 3 + workload_draw(s, 250);
    if (kind < 97)
        return 250 + workload_draw(s, 2000);
    return 2000 + workload_draw(s, 9000);
}

static uint64_t body_word(uint32_t key, uint64_t version, uint64_t serial, size_t i)
{
    return mixed(key * 0x9e3779b97f4a7c15u + version * 0x100000001b3u + serial +
                 i * 0xff51afd7ed558ccdu);
}

static struct page *render(struct actor *s, uint32_t key, uint64_t epoch, uint64_t version)
{
    uint64_t serial = atomic_fetch_add_explicit(&s->board->serial, 1, memory_order_relaxed);
    size_t words = body_words(s);
    char tag_text[16];
    struct span tag = tag_of(key, tag_text);
    char path[32];
    size_t path_bytes = path_of(key, path);
    struct page_source source = {
        .hash = hash_of(key),
        .path_hash = purge_url_hash(path, path_bytes),
        .epoch = epoch,
        .stored_ms = serial,
        .fresh_until_ms = UINT64_MAX / 2,
        .status = 200,
        .key = {path, path_bytes},
        .path_bytes = (uint32_t)path_bytes,
        .tags = &tag,
        .tag_count = 1,
    };

    s->body[0] = key;
    s->body[1] = version;
    s->body[2] = serial;
    for (size_t i = 3; i < words; i++)
        s->body[i] = body_word(key, version, serial, i);
    source.variant[PAGE_IDENTITY] =
        (struct page_variant_source){{"H\r\n", 3}, {(const char *)s->body, words * 8}, {"", 0}};
    page_build(&source, (struct page *)s->buf);
    return (struct page *)s->buf;
}

static void check_page(struct actor *s, const struct page *page, uint32_t key, uint64_t floor,
                       const char *purged)
{
    const uint64_t *body =
        (const void *)page_at(page, page_variant(page, PAGE_IDENTITY)->body_offset);
    size_t words = page_variant(page, PAGE_IDENTITY)->body_bytes / 8;

    if (words < 3)
        return workload_fail(s->board, "torn (size)", key, words, 3);
    if (body[0] != key)
        return workload_fail(s->board, "foreign or torn", key, body[0], key);
    for (size_t i = 3; i < words; i++) {
        if (body[i] != body_word(key, body[1], body[2], i))
            return workload_fail(s->board, "torn", key, i, words);
    }
    if (body[1] < floor)
        workload_fail(s->board, purged, key, body[1], floor);
}

/* --- what a peer does --------------------------------------------------------------------- */

static void hot_drop(struct hot_page *hot)
{
    free(hot->page);
    *hot = (struct hot_page){0};
}

/* As a worker's hot cache does it: one comparison, unless something was purged. */
static bool hot_get(struct actor *s, uint32_t key, uint64_t floor)
{
    struct hot_page *hot = &s->hot[key % WORKLOAD_HOT];
    uint64_t epoch = purge_epoch(s->purge);

    if (hot->page == NULL || hot->key != key)
        return false;
    if (hot->epoch != epoch && !purge_page_valid(s->purge, hot->page)) {
        hot_drop(hot);
        return false;
    }
    hot->epoch = epoch;
    check_page(s, hot->page, key, floor, "purged page from a hot cache");
    bump(&s->board->hot_hits);
    return true;
}

static void hot_put(struct actor *s, uint32_t key, uint64_t epoch, const struct page *page)
{
    struct hot_page *hot = &s->hot[key % WORKLOAD_HOT];

    hot_drop(hot);
    hot->page = malloc(page->bytes);
    if (hot->page == NULL)
        return;
    memcpy(hot->page, page, page->bytes);
    hot->key = key;
    hot->epoch = epoch;
}

static bool get(struct actor *s, uint32_t key)
{
    /* acquire: pairs with the purger's release: what it purged is purged for us */
    uint64_t floor = atomic_load_explicit(&s->board->floor[key], memory_order_acquire);
    struct page *page = (struct page *)s->buf;
    struct cold_ref ref;
    char path[32];
    size_t path_bytes = path_of(key, path);
    uint64_t epoch;

    if (hot_get(s, key, floor))
        return true;
    bump(&s->board->finds);
    epoch = purge_epoch(s->purge);
    if (cold_find(s->cold, path, path_bytes, hash_of(key), &ref) != 0)
        return false;
    if (ref.page_bytes > sizeof s->buf) {
        workload_fail(s->board, "size out of bounds", key, ref.page_bytes, sizeof s->buf);
        return true;
    }
    if (cold_copy(s->cold, &ref, path, path_bytes, page) != 0)
        return false;
    bump(&s->board->hits);
    check_page(s, page, key, floor, "purged page");
    if (workload_draw(s, 4) == 0)
        hot_put(s, key, epoch, page);
    return true;
}

void workload_put(struct actor *s, uint32_t key)
{
    uint64_t epoch = purge_epoch(s->purge);
    /* acquire: pairs with the purger's raise */
    uint64_t version = atomic_load_explicit(&s->board->data[key], memory_order_acquire);
    struct page *page = render(s, key, epoch, version);
    int rc;

    if (workload_draw(s, 16) == 0)
        (void)sched_yield(); /* a slow render: much may be purged meanwhile */
    rc = cold_put(s->cold, page);
    if (rc == 0)
        bump(&s->board->puts);
    else if (rc == -EAGAIN)
        bump(&s->board->refused);
    else if (rc == -ESTALE)
        bump(&s->board->stale);
    else
        workload_fail(s->board, "put", key, (uint64_t)-rc, 0);
}

void workload_delete(struct actor *s, uint32_t key)
{
    char path[32];

    (void)cold_delete(s->cold, path, path_of(key, path), hash_of(key));
    bump(&s->board->deletes);
}

enum what { URL, TAG, PREFIX, ALL };

static bool covers(enum what what, uint32_t of, uint32_t key)
{
    switch (what) {
    case URL:
        return key == of;
    case TAG:
        return key / 7 % TAGS == of / 7 % TAGS;
    case PREFIX:
        return key % GROUPS == of % GROUPS;
    case ALL:
        break;
    }
    return true;
}

static void raise_floor(struct board *board, uint32_t key, uint64_t version)
{
    uint64_t now = atomic_load_explicit(&board->floor[key], memory_order_relaxed);

    /* release: pairs with get() */
    while (now < version &&
           !atomic_compare_exchange_weak_explicit(&board->floor[key], &now, version,
                                                  memory_order_release, memory_order_relaxed))
        continue;
}

static void purge(struct actor *s, enum what what, uint32_t of)
{
    uint64_t version[WORKLOAD_KEYS];
    char text[32];
    size_t bytes = path_of(of, text);

    for (uint32_t key = 0; key < WORKLOAD_KEYS; key++) {
        if (covers(what, of, key)) /* acq_rel: pairs with put() */
            version[key] =
                atomic_fetch_add_explicit(&s->board->data[key], 1, memory_order_acq_rel) + 1;
    }
    if (what == URL) {
        purge_url(s->purge, text, bytes);
    } else if (what == TAG) {
        bytes = (size_t)snprintf(text, sizeof text, "t%u", of / 7 % TAGS);
        purge_tag(s->purge, text, bytes);
    } else if (what == PREFIX) {
        /* sometimes a text that was not purged lately, so that entries are forgotten */
        if (workload_draw(s, 2) == 0) {
            bytes = (size_t)snprintf(text, sizeof text, "/h%llu/",
                                     (unsigned long long)workload_draw(s, 99));
            (void)purge_prefix(s->purge, text, bytes);
        }
        bytes = (size_t)snprintf(text, sizeof text, "/g%u/", of % GROUPS);
        (void)purge_prefix(s->purge, text, bytes);
    } else {
        purge_all(s->purge);
    }
    for (uint32_t key = 0; key < WORKLOAD_KEYS; key++) {
        if (covers(what, of, key))
            raise_floor(s->board, key, version[key]);
    }
    bump(&s->board->purges);
}

/* Popular keys first, as with pages. */
static uint32_t draw_key(struct actor *s)
{
    uint64_t a = workload_draw(s, WORKLOAD_KEYS);

    return (uint32_t)(a * workload_draw(s, WORKLOAD_KEYS) / WORKLOAD_KEYS);
}

void workload_step(struct actor *s)
{
    const struct workload_mix *mix = s->mix;
    uint32_t key = draw_key(s);
    uint64_t kind = workload_draw(s, 10000);

    bump(&s->board->steps);
    if (kind < mix->put) {
        workload_put(s, key);
    } else if ((kind -= mix->put) < mix->delete) {
        workload_delete(s, key);
    } else if ((kind -= mix->delete) < mix->url) {
        purge(s, URL, key);
    } else if ((kind -= mix->url) < mix->tag) {
        purge(s, TAG, key);
    } else if ((kind -= mix->tag) < mix->prefix) {
        purge(s, PREFIX, key);
    } else if ((kind -= mix->prefix) < mix->all) {
        purge(s, ALL, key);
    } else if (!get(s, key)) {
        workload_put(s, key);
    }
}

static bool stopped(const struct actor *s)
{
    return atomic_load_explicit(&s->board->stop, memory_order_relaxed) != 0;
}

void workload_steps(struct actor *s, uint64_t count)
{
    while (count-- > 0 && !stopped(s))
        workload_step(s);
}

void workload_run(struct actor *s)
{
    while (!stopped(s))
        workload_step(s);
}

void workload_store_all(struct actor *s)
{
    for (uint32_t key = 0; key < WORKLOAD_KEYS; key++) {
        uint64_t version = atomic_load_explicit(&s->board->data[key], memory_order_relaxed);
        struct page *page = render(s, key, purge_epoch(s->purge), version);
        int rc = cold_put(s->cold, page);

        if (rc != 0)
            workload_fail(s->board, "a page can't be stored in peace", key, (uint64_t)-rc, 0);
        else if (!get(s, key))
            workload_fail(s->board, "a page stored in peace is not there", key, 0, 1);
    }
}

struct actor *workload_open(struct board *board, struct region *region, uint32_t row, uint64_t seed)
{
    struct actor *s = calloc(1, sizeof *s);
    struct peer *peer = peer_at(region, row);

    if (s == NULL || cold_open(region, row, &s->cold) != 0)
        abort();
    if (peer != NULL)
        atomic_store_explicit(&peer->self_pid, (uint32_t)getpid(), memory_order_relaxed);
    s->board = board;
    s->purge = purge_of(region);
    s->mix = &workload_usual;
    s->random = mixed(seed + row);
    return s;
}

void workload_close(struct actor *s)
{
    for (uint32_t i = 0; i < WORKLOAD_HOT; i++)
        hot_drop(&s->hot[i]);
    cold_close(s->cold);
    free(s);
}
