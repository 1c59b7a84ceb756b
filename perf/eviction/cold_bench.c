/* SPDX-License-Identifier: MIT */
/*
 * cold_bench.c - what an operation of the caches costs, in nanoseconds of CPU time, beside memcpy of the
 * same bytes: alone, and with a second process that does the same on the same region. The pages are
 * drawn from 4 MiB, more than a core's caches of level 1 and 2; memcpy walks the same places.
 *
 * Nobody stores while gets are measured, so each of them must hit: one that does not is an error.
 *
 * The operations take turns, round by round, and the figure is the lower quartile of the rounds: what
 * else runs on the machine makes rounds slower, never faster.
 *
 *   cold_bench                     the table
 *   cold_bench OPERATION BYTES N   N of them, for perf/cold_cost to count instructions in
 */
#include "shm/cold.h"
#include "shm/hits.h"
#include "shm/purge.h"
#include "shm/region.h"
#include "worker/hot.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#define WORKING_BYTES (4 * MIB)
#define PAGE_BYTES_MAX (128 * KIB)
#define ROUND_NS 2000000u
#define ROUNDS 24
#define FILLS_MAX 8

struct bench {
    struct region *region;
    struct cold *cold;
    struct hot *hot;
    struct hits *hits;
    size_t page_bytes;
    uint32_t pages;
    uint64_t random;
    unsigned char *plain; /* WORKING_BYTES: what memcpy copies from */
    unsigned char *built; /* WORKING_BYTES: all pages, for put */
    struct page *buf;
    uint64_t misses;
};

static uint32_t draw(struct bench *b, uint32_t below)
{
    b->random = b->random * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(((b->random >> 32) * below) >> 32);
}

struct name {
    char key[16];
    uint64_t hash;
};

/* As a parsed request has them: not part of what is measured, but the mixing is cheap. */
static struct name name_of(uint32_t n)
{
    struct name name = {.key = "/page/"};

    for (int i = 0; i < 8; i++)
        name.key[6 + i] = (char)('a' + (n >> 4 * i & 15));
    name.hash = (n + 1) * 0x9e3779b97f4a7c15u;
    name.hash = (name.hash ^ name.hash >> 29) * 0xbf58476d1ce4e5b9u;
    name.hash ^= name.hash >> 32;
    return name;
}

#define KEY_BYTES 14

static struct page *built(const struct bench *b, uint32_t n)
{
    return (struct page *)(void *)(b->built + n * b->page_bytes);
}

static void build(struct bench *b, uint32_t n)
{
    struct name name = name_of(n);
    struct page_source source = {
        .hash = name.hash,
        .path_hash = name.hash,
        .epoch = purge_epoch(purge_of(b->region)),
        .stored_ms = 1,
        .fresh_until_ms = UINT64_MAX / 2,
        .status = 200,
        .key = {name.key, KEY_BYTES},
        .path_bytes = KEY_BYTES,
    };

    source.variant[PAGE_IDENTITY] =
        (struct page_variant_source){{"H\r\n", 3}, {(const char *)b->plain, 0}, {0}};
    source.variant[PAGE_IDENTITY].body.bytes = b->page_bytes - page_bytes(&source);
    page_build(&source, built(b, n));
}

static void do_copy(struct bench *b)
{
    uint32_t n = draw(b, b->pages);

    memcpy(b->buf, b->plain + n * b->page_bytes, b->page_bytes);
    __asm__ volatile("" ::"r"(b->buf) : "memory");
}

static bool get(struct bench *b, uint32_t n)
{
    struct name name = name_of(n);
    struct cold_ref ref;

    return cold_find(b->cold, name.key, KEY_BYTES, name.hash, &ref) == 0 &&
           cold_copy(b->cold, &ref, name.key, KEY_BYTES, b->buf) == 0;
}

static void do_get(struct bench *b)
{
    b->misses += !get(b, draw(b, b->pages));
}

/* As lookup() does it: the page, whether a purge came since it was checked, whether it is fresh; and it is counted. */
static void do_hot(struct bench *b)
{
    struct name name = name_of(draw(b, b->pages));
    uint64_t epoch = purge_epoch(purge_of(b->region));
    struct hot_page *page = hot_get(b->hot, name.key, KEY_BYTES, name.hash);

    if (page == NULL || page->checked_epoch != epoch || page->page.fresh_until_ms < 2) {
        b->misses++;
        return;
    }
    hits_count(b->hits, &page->hits_cell, &page->page);
    hot_release(hot_hold(page));
}

/* Without page_build(): one of the pages is stored anew, and the ring goes round. */
static void do_put(struct bench *b)
{
    (void)cold_put(b->cold, built(b, draw(b, b->pages)));
}

static void do_mixed(struct bench *b)
{
    if (draw(b, 20) == 0)
        do_put(b);
    else
        do_get(b);
}

typedef void operation(struct bench *b);

static uint64_t cpu_ns(void)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static double round_ns(struct bench *b, operation *op)
{
    uint64_t start = cpu_ns();
    uint64_t now = start;
    uint64_t count = 0;

    while (now - start < ROUND_NS) {
        for (int i = 0; i < 200; i++)
            op(b);
        count += 200;
        now = cpu_ns();
    }
    return (double)(now - start) / (double)count;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;

    return (x > y) - (x < y);
}

static int fill_hot(struct bench *b)
{
    hot_free(b->hot);
    b->hot = NULL;
    if (hot_new(4 * WORKING_BYTES, b->hits, &b->hot) != 0)
        return -1;
    for (uint32_t n = 0; n < b->pages; n++) {
        struct hot_page *page = hot_alloc(b->hot, b->page_bytes);

        if (page == NULL)
            return -1;
        memcpy(&page->page, b->built + n * b->page_bytes, b->page_bytes);
        page->checked_epoch = purge_epoch(purge_of(b->region));
        hot_put(b->hot, page);
        hot_release(page);
    }
    return 0;
}

/*
 * All pages, side by side: what puts have done to them is gone. They are more than probation has room
 * for (a twentieth of the cache), so the first of those that nobody has asked for since they were stored
 * last have left when the last ones come. Asked for at once they stay; so the few that went are stored again.
 */
static int fill_cold(struct bench *b)
{
    uint32_t absent = b->pages;
    int rc = 0;

    for (uint32_t n = 0; n < b->pages && rc == 0; n++)
        rc = cold_put(b->cold, built(b, n));
    for (int i = 0; i < FILLS_MAX && absent > 0 && rc == 0; i++) {
        absent = 0;
        for (uint32_t n = 0; n < b->pages && rc == 0; n++) {
            if (get(b, n))
                continue;
            absent++;
            rc = cold_put(b->cold, built(b, n));
        }
    }
    return rc != 0 ? rc : absent > 0 ? -1 : 0;
}

static int fill(struct bench *b)
{
    b->pages = (uint32_t)(WORKING_BYTES / b->page_bytes);
    for (uint32_t n = 0; n < b->pages; n++)
        build(b, n);
    return fill_cold(b) != 0 ? -1 : fill_hot(b);
}

/* A second process does the same until it is killed: then the parent's figures are of two. */
static pid_t start_other(const struct bench *b, operation *op)
{
    pid_t pid = fork();

    if (pid == 0) {
        struct bench other = *b;

        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        other.random = 4711;
        if (cold_open(b->region, 1, &other.cold) != 0 ||
            hits_open(b->region, 1, other.cold, &other.hits) != 0)
            _exit(1);
        for (;;)
            op(&other);
    }
    return pid;
}

static void end_other(const struct bench *b, pid_t pid)
{
    if (pid <= 0)
        return;
    (void)kill(pid, SIGKILL);
    (void)waitpid(pid, NULL, 0);
    (void)cold_reap(b->cold, 1);
}

static const struct {
    const char *name;
    operation *run;
} operations[] = {
    {"memcpy", do_copy}, {"hot", do_hot}, {"get", do_get}, {"put", do_put}, {"95/5", do_mixed}};

#define OPERATIONS array_len(operations)
enum { MEMCPY, HOT, GET };
#define HOT_NS_MAX 40

/* For two: what the other does changes with the operation. */
static int measure(struct bench *b, bool two)
{
    static double ns[OPERATIONS][ROUNDS];
    uint64_t misses = 0;
    double target;

    if (fill(b) != 0)
        return -1;
    for (int round = 0; round < ROUNDS; round++) {
        for (size_t i = 0; i < OPERATIONS; i++) {
            pid_t other = two ? start_other(b, operations[i].run) : 0;

            if (fill_cold(b) != 0)
                return -1;
            for (uint32_t k = 0; k < b->pages; k++) /* after a fork each page is copied once */
                operations[i].run(b);
            b->misses = 0;
            ns[i][round] = round_ns(b, operations[i].run);
            end_other(b, other);
            misses += i == GET ? b->misses : 0;
        }
    }
    (void)printf("%3zu kB %-9s", b->page_bytes / KIB, two ? "two" : "alone");
    for (size_t i = 0; i < OPERATIONS; i++) {
        qsort(ns[i], ROUNDS, sizeof ns[i][0], compare);
        (void)printf(" %9.0f", ns[i][ROUNDS / 4]);
    }
    target = 1.5 * ns[MEMCPY][ROUNDS / 4] + 100;
    (void)printf("   %7.0f %-4s %s\n", target, ns[GET][ROUNDS / 4] <= target ? "ok" : "MISS",
                 ns[HOT][ROUNDS / 4] <= HOT_NS_MAX ? "ok" : "MISS");
    (void)fflush(stdout);
    if (misses > 0)
        (void)printf("%llu gets missed though nobody stored\n", (unsigned long long)misses);
    return misses > 0 ? -1 : 0;
}

/* Exactly so many, for callgrind; the difference of two runs is the operations alone. */
static int count(struct bench *b, const char *name, size_t bytes, unsigned long n)
{
    b->page_bytes = bytes;
    if (fill(b) != 0)
        return 1;
    for (size_t i = 0; i < OPERATIONS; i++) {
        if (strcmp(operations[i].name, name) != 0)
            continue;
        for (unsigned long k = 0; k < n; k++)
            operations[i].run(b);
        (void)printf("%llu misses\n", (unsigned long long)b->misses);
        return 0;
    }
    return 1;
}

static int run(struct bench *b)
{
    static const size_t sizes[] = {1 * KIB, 8 * KIB, 64 * KIB};

    (void)printf("ns          ");
    for (size_t i = 0; i < OPERATIONS; i++)
        (void)printf(" %9s", operations[i].name);
    (void)printf("   1.5 memcpy + 100: get  40: hot\n");
    for (size_t i = 0; i < array_len(sizes); i++) {
        b->page_bytes = sizes[i];
        for (int two = 0; two < 2; two++) {
            if (measure(b, two) != 0)
                return 1;
        }
    }
    return 0;
}

int main(int argc, char **argv)
{
    struct bench b = {.random = 42};
    int rc = 1;

    b.plain = malloc(WORKING_BYTES);
    b.built = malloc(WORKING_BYTES);
    b.buf = malloc(PAGE_BYTES_MAX);
    if (b.plain != NULL && b.built != NULL && b.buf != NULL &&
        region_create(&(struct region_sizes){64 * MIB, PAGE_BYTES_MAX}, &b.region) == 0 &&
        cold_open(b.region, 0, &b.cold) == 0 && hits_open(b.region, 0, b.cold, &b.hits) == 0) {
        memset(b.plain, 'x', WORKING_BYTES);
        memset(b.buf, 0, PAGE_BYTES_MAX);
        rc = argc == 4 ? count(&b, argv[1], strtoul(argv[2], NULL, 10), strtoul(argv[3], NULL, 10))
                       : run(&b);
    }
    hot_free(b.hot);
    hits_close(b.hits);
    cold_close(b.cold);
    region_close(b.region);
    free(b.plain);
    free(b.built);
    free(b.buf);
    return rc;
}
