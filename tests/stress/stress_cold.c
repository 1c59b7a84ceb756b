/* SPDX-License-Identifier: MIT */
/*
 * stress_cold.c - many processes on one small region: find, put, delete and purge as fast as they
 * can, while the parent, itself one of them, stops some and kills others with SIGKILL at random
 * moments, reaps them and starts new ones. Pages check themselves: each byte follows from key,
 * version and serial number. With --threads: the same in threads and without deaths, for TSan.
 * What it checks, and how it was seen to fail: README.md.
 *
 * The oracle for purges. data[k] is the version of what key k is rendered from. A purger raises it,
 * purges, and only then raises floor[k]. Whoever reads floor[k] and then gets a page older than
 * that was served what was purged before its request came in. Renders note the epoch before they
 * read data[k], as a worker does; and each peer has a small hot cache that revalidates on epochs.
 */
#include "shm/cold.h"
#include "shm/peers.h"
#include "shm/purge.h"
#include "shm/region_map.h"
#include "shm/ring.h"

#include <errno.h>
#include <getopt.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#define KEYS 600u
#define GROUPS 16u
#define TAGS 16u
#define HOT 64u
#define PEERS_MAX 64u
#define PAGE_BYTES_MAX (128 * 1024)

/* Shared by all peers, beside the region: what they agree on and what went wrong. */
struct board {
    _Atomic uint64_t data[KEYS];
    _Atomic uint64_t floor[KEYS];
    _Atomic uint64_t serial;
    _Atomic uint64_t finds, hits, hot_hits, puts, refused, stale, purges, deletes;
    _Atomic uint32_t stop;
    _Atomic uint32_t failures;
    char what[256]; /* of the first failure */
};

struct hot_page {
    uint32_t key;
    uint64_t epoch; /* at which it was last found valid */
    struct page *page;
};

struct actor {
    struct board *board;
    struct purge *purge;
    struct cold *cold;
    bool in_thread;
    uint64_t random;
    struct hot_page hot[HOT];
    uint64_t buf[PAGE_BYTES_MAX / 8];
    uint64_t body[PAGE_BYTES_MAX / 8];
};

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

static uint64_t draw(struct actor *s, uint64_t below)
{
    s->random += 0x9e3779b97f4a7c15u;
    return mixed(s->random) % below;
}

static void fail(struct board *board, const char *what, uint32_t key, uint64_t got, uint64_t want)
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

static uint64_t tag_of(uint32_t key)
{
    char tag[16];
    int n = snprintf(tag, sizeof tag, "t%u", key / 7 % TAGS);

    return purge_tag_hash(tag, (size_t)n);
}

/* --- pages that check themselves ---------------------------------------------------------- */

/* Mostly small, some near the size of a segment, a few over several. In words. */
static size_t body_words(struct actor *s)
{
    uint64_t kind = draw(s, 100);

    if (kind < 80)
        return 3 + draw(s, 250);
    if (kind < 97)
        return 250 + draw(s, 2000);
    return 2000 + draw(s, 9000);
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
    uint64_t tag = tag_of(key);
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
    const uint64_t *body = (const void *)page_at(page, page->variant[PAGE_IDENTITY].body_offset);
    size_t words = page->variant[PAGE_IDENTITY].body_bytes / 8;

    if (words < 3)
        return fail(s->board, "torn (size)", key, words, 3);
    if (body[0] != key)
        return fail(s->board, "foreign or torn", key, body[0], key);
    for (size_t i = 3; i < words; i++) {
        if (body[i] != body_word(key, body[1], body[2], i))
            return fail(s->board, "torn", key, i, words);
    }
    if (body[1] < floor)
        fail(s->board, purged, key, body[1], floor);
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
    struct hot_page *hot = &s->hot[key % HOT];
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
    struct hot_page *hot = &s->hot[key % HOT];

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
        fail(s->board, "size out of bounds", key, ref.page_bytes, sizeof s->buf);
        return true;
    }
    if (cold_copy(s->cold, &ref, path, path_bytes, page) != 0)
        return false;
    bump(&s->board->hits);
    check_page(s, page, key, floor, "purged page");
    if (draw(s, 4) == 0)
        hot_put(s, key, epoch, page);
    return true;
}

static void put(struct actor *s, uint32_t key)
{
    uint64_t epoch = purge_epoch(s->purge);
    /* acquire: pairs with the purger's raise */
    uint64_t version = atomic_load_explicit(&s->board->data[key], memory_order_acquire);
    struct page *page = render(s, key, epoch, version);
    int rc;

    if (draw(s, 16) == 0)
        (void)sched_yield(); /* a slow render: much may be purged meanwhile */
    rc = cold_put(s->cold, page);
    if (rc == 0)
        bump(&s->board->puts);
    else if (rc == -EAGAIN)
        bump(&s->board->refused);
    else if (rc == -ESTALE)
        bump(&s->board->stale);
    else
        fail(s->board, "put", key, (uint64_t)-rc, 0);
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
    uint64_t version[KEYS];
    char text[32];
    size_t bytes = path_of(of, text);

    for (uint32_t key = 0; key < KEYS; key++) {
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
        if (draw(s, 2) == 0) {
            bytes = (size_t)snprintf(text, sizeof text, "/h%llu/", (unsigned long long)draw(s, 99));
            (void)purge_prefix(s->purge, text, bytes);
        }
        bytes = (size_t)snprintf(text, sizeof text, "/g%u/", of % GROUPS);
        (void)purge_prefix(s->purge, text, bytes);
    } else {
        purge_all(s->purge);
    }
    for (uint32_t key = 0; key < KEYS; key++) {
        if (covers(what, of, key))
            raise_floor(s->board, key, version[key]);
    }
    bump(&s->board->purges);
}

/* Popular keys first, as with pages. */
static uint32_t draw_key(struct actor *s)
{
    uint64_t a = draw(s, KEYS);

    return (uint32_t)(a * draw(s, KEYS) / KEYS);
}

static void step(struct actor *s)
{
    uint32_t key = draw_key(s);
    uint64_t kind = draw(s, 10000);
    char path[32];

    if (kind < 9700) {
        if (!get(s, key))
            put(s, key);
    } else if (kind < 9880) {
        put(s, key);
    } else if (kind < 9940) {
        (void)cold_delete(s->cold, path, path_of(key, path), hash_of(key));
        bump(&s->board->deletes);
    } else if (kind < 9980) {
        purge(s, URL, key);
    } else if (kind < 9990) {
        purge(s, TAG, key);
    } else {
        purge(s, kind < 9999 ? PREFIX : ALL, key);
    }
}

static struct actor *peer_open(struct board *board, struct region *region, uint32_t row,
                               uint64_t seed)
{
    struct actor *s = calloc(1, sizeof *s);

    if (s == NULL || cold_open(region, row, &s->cold) != 0)
        abort();
    s->board = board;
    s->purge = purge_of(region);
    s->random = mixed(seed + row);
    return s;
}

static void peer_close(struct actor *s)
{
    for (uint32_t i = 0; i < HOT; i++)
        hot_drop(&s->hot[i]);
    cold_close(s->cold);
    free(s);
}

static void run(struct actor *s)
{
    while (atomic_load_explicit(&s->board->stop, memory_order_relaxed) == 0)
        step(s);
}

/* --- processes, deaths -------------------------------------------------------------------- */

struct options {
    unsigned seconds;
    unsigned peers;
    bool threads;
    uint64_t seed;
};

struct child {
    pid_t pid;
    uint32_t row;
};

struct deaths {
    unsigned kills, stops, repairs;
};

static void start_child(struct child *child, struct board *board, struct region *region,
                        uint64_t seed)
{
    if (peer_claim(region, 1, 0, -1, &child->row) != 0)
        abort();
    child->pid = fork();
    if (child->pid < 0)
        abort();
    if (child->pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        run(peer_open(board, region, child->row, seed)); /* its end is a kill, or a failure */
        _exit(0);
    }
}

/* Kill, reap and repair, as the master does. */
static void end_child(struct child *child, struct board *board, struct region *region,
                      struct cold *cold, struct deaths *deaths)
{
    int status = 0;

    (void)kill(child->pid, SIGKILL);
    (void)waitpid(child->pid, &status, 0);
    if (WIFSIGNALED(status) && WTERMSIG(status) != SIGKILL)
        fail(board, "a peer crashed, signal", 0, (uint64_t)WTERMSIG(status), SIGKILL);
    deaths->repairs += cold_reap(cold, child->row);
    peer_release(region, child->row);
}

static void steps(struct actor *s, uint64_t count)
{
    while (count-- > 0 && atomic_load_explicit(&s->board->stop, memory_order_relaxed) == 0)
        step(s);
}

static void run_processes(const struct options *options, struct actor *own, struct region *region,
                          struct deaths *deaths)
{
    struct child child[PEERS_MAX];
    uint64_t end_ms = mono_ms() + options->seconds * 1000u;
    uint64_t seed = options->seed;

    for (unsigned i = 0; i < options->peers; i++)
        start_child(&child[i], own->board, region, seed++);
    while (mono_ms() < end_ms &&
           atomic_load_explicit(&own->board->stop, memory_order_relaxed) == 0) {
        struct child *victim = &child[draw(own, options->peers)];

        if (draw(own, 8) == 0) { /* stopped anywhere: the others go on */
            (void)kill(victim->pid, SIGSTOP);
            steps(own, 2000);
            if (draw(own, 2) == 0)
                (void)kill(victim->pid, SIGCONT);
            deaths->stops++;
        }
        steps(own, draw(own, 300));
        end_child(victim, own->board, region, own->cold, deaths);
        deaths->kills++;
        start_child(victim, own->board, region, seed++);
        if (draw(own, 50) == 0)
            (void)cold_sweep_prefix(own->cold, "/g3/", 4);
    }
    for (unsigned i = 0; i < options->peers; i++)
        end_child(&child[i], own->board, region, own->cold, deaths);
}

static void *thread_main(void *arg)
{
    run(arg);
    return NULL;
}

static void run_threads(const struct options *options, struct actor *own, struct region *region)
{
    struct actor *peer[PEERS_MAX];
    pthread_t thread[PEERS_MAX];
    uint64_t end_ms = mono_ms() + options->seconds * 1000u;

    for (unsigned i = 0; i < options->peers; i++) {
        peer[i] = peer_open(own->board, region, i, options->seed);
        if (pthread_create(&thread[i], NULL, thread_main, peer[i]) != 0)
            abort();
    }
    while (mono_ms() < end_ms && atomic_load_explicit(&own->board->stop, memory_order_relaxed) == 0)
        step(own);
    atomic_store_explicit(&own->board->stop, 1, memory_order_relaxed);
    for (unsigned i = 0; i < options->peers; i++) {
        (void)pthread_join(thread[i], NULL);
        peer_close(peer[i]);
    }
}

/* After the run: nothing is held but what we hold ourselves, and all of it can be used again. */
static void check_accounts(struct actor *own, struct region *region)
{
    struct cold_figures figures;
    struct ring ring;

    ring_view(region, REGION_PEERS_MAX, &ring);
    if (ring_held(&ring) > 1)
        fail(own->board, "segments still held", 0, ring_held(&ring), 1);
    cold_figures(own->cold, &figures);
    if (figures.used_bytes > figures.budget_bytes)
        fail(own->board, "over budget", 0, figures.used_bytes, figures.budget_bytes);
    for (uint32_t i = 0; i < 4 * ring.segments; i++) {
        uint32_t key = i % KEYS;
        struct page *page = render(own, key, purge_epoch(own->purge), own->board->data[key]);

        if (cold_put(own->cold, page) != 0 || !get(own, key))
            fail(own->board, "a page stored in peace is not there", key, 0, 1);
    }
}

static int parse(int argc, char **argv, struct options *options)
{
    static const struct option names[] = {
        {"seconds", required_argument, NULL, 's'},
        {"peers", required_argument, NULL, 'p'},
        {"seed", required_argument, NULL, 'e'},
        {"threads", no_argument, NULL, 't'},
        {NULL, 0, NULL, 0},
    };
    int c;

    while ((c = getopt_long(argc, argv, "", names, NULL)) != -1) {
        if (c == 's')
            options->seconds = (unsigned)strtoul(optarg, NULL, 10);
        else if (c == 'p')
            options->peers = (unsigned)strtoul(optarg, NULL, 10);
        else if (c == 'e')
            options->seed = strtoull(optarg, NULL, 10);
        else if (c == 't')
            options->threads = true;
        else
            return -EINVAL;
    }
    return optind == argc && options->peers >= 1 && options->peers <= PEERS_MAX ? 0 : -EINVAL;
}

#define COUNT(name) (unsigned long long)board->name

int main(int argc, char **argv)
{
    struct options options = {.seconds = 5, .peers = 4, .seed = mono_ns()};
    struct deaths deaths = {0};
    struct actor *own;
    struct region *region;
    struct board *board;
    bool failed;

    if (parse(argc, argv, &options) != 0) {
        (void)fprintf(stderr, "stress_cold [--seconds N] [--peers 1-64] [--seed N] [--threads]\n");
        return 64;
    }
    board = mmap(NULL, sizeof *board, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (board == MAP_FAILED ||
        region_create(&(struct region_sizes){MIB, PAGE_BYTES_MAX}, &region) != 0)
        return 71;
    own = peer_open(board, region, REGION_PEERS_MAX, options.seed);
    if (options.threads)
        run_threads(&options, own, region);
    else
        run_processes(&options, own, region, &deaths);
    if (board->failures == 0)
        check_accounts(own, region);
    failed = board->failures != 0;
    (void)printf(
        "%s seed=%llu finds=%llu hits=%llu hot_hits=%llu puts=%llu refused=%llu stale=%llu "
        "purges=%llu deletes=%llu kills=%u stops=%u repairs=%u\n",
        failed ? "FAILED" : "ok", (unsigned long long)options.seed, COUNT(finds), COUNT(hits),
        COUNT(hot_hits), COUNT(puts), COUNT(refused), COUNT(stale), COUNT(purges), COUNT(deletes),
        deaths.kills, deaths.stops, deaths.repairs);
    if (failed)
        (void)printf("first of %u: %s\n", board->failures, board->what);
    peer_close(own);
    region_close(region);
    (void)munmap(board, sizeof *board);
    return failed;
}
