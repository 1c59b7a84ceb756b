/* SPDX-License-Identifier: MIT */
/*
 * test_cold_bounds.c - what the cold cache keeps to, whatever is stored: sizes from the smallest page to the largest, a
 * budget to the byte, no memory of its own after it was opened, all encodings of a page as one. The linker puts the functions
 * below in front of those that they count (--wrap, see meson.build).
 */
#include "shm/cold.h"
#include "shm/purge.h"
#include "shm/region_map.h"
#include "shm/ring.h"
#include "tests/unit/sample_page.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#define COLD_BYTES (8 * MIB)
#define OBJECT_BYTES_MAX (2 * MIB)

static unsigned allocations;

#define COUNTED(type, name, parameters, arguments)                                                 \
    type __real_##name parameters;                                                                 \
    type __wrap_##name parameters;                                                                 \
    type __wrap_##name parameters                                                                  \
    {                                                                                              \
        allocations++;                                                                             \
        return __real_##name arguments;                                                            \
    }

COUNTED(void *, malloc, (size_t n), (n))
COUNTED(void *, calloc, (size_t n, size_t m), (n, m))
COUNTED(void *, realloc, (void *p, size_t n), (p, n))
COUNTED(void *, mmap, (void *p, size_t n, int prot, int flags, int fd, off_t at),
        (p, n, prot, flags, fd, at))

struct fixture {
    struct region *region;
    struct purge *purge;
    struct cold *cold;
    struct page *copy; /* OBJECT_BYTES_MAX */
};

static int setup(void **state)
{
    static struct fixture f;

    f.copy = malloc(OBJECT_BYTES_MAX);
    if (f.copy == NULL ||
        region_create(&(struct region_sizes){COLD_BYTES, OBJECT_BYTES_MAX}, &f.region) != 0 ||
        cold_open(f.region, 0, &f.cold) != 0)
        return -1;
    f.purge = purge_of(f.region);
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    cold_close(f->cold);
    region_close(f->region);
    free(f->copy);
    return 0;
}

/* Copies the page of a path into f->copy. */
static bool get(struct fixture *f, const char *path)
{
    struct cold_ref ref;

    return cold_find(f->cold, path, strlen(path), sample_hash(path), &ref) == 0 &&
           ref.page_bytes <= OBJECT_BYTES_MAX &&
           cold_copy(f->cold, &ref, path, strlen(path), f->copy) == 0;
}

static void pages_of_every_size_come_back_to_the_byte(void **state)
{
    struct fixture *f = *state;

    for (size_t bytes = 1; bytes < OBJECT_BYTES_MAX - 1024; bytes += 1 + bytes / 13) {
        autofree struct page *page = sample_page(&(struct sample){
            .path = "/sized", .letter = 's', .body_bytes = bytes, .epoch = purge_epoch(f->purge)});

        assert_int_equal(cold_put(f->cold, page), 0);
        assert_true(get(f, "/sized"));
        assert_int_equal(f->copy->bytes, page->bytes);
        assert_memory_equal(f->copy, page, page->bytes);
    }
}

static void largest_page_is_exactly_max_object(void **state)
{
    struct fixture *f = *state;
    struct sample sample = {
        .path = "/largest", .letter = 'l', .body_bytes = 1, .epoch = purge_epoch(f->purge)};
    autofree struct page *small = sample_page(&sample);
    autofree struct page *largest = NULL;
    autofree struct page *larger = NULL;

    /* pages are built to multiples of eight */
    sample.body_bytes = 1 + OBJECT_BYTES_MAX - small->bytes;
    largest = sample_page(&sample);
    assert_int_equal(largest->bytes, OBJECT_BYTES_MAX);
    assert_int_equal(cold_put(f->cold, largest), 0);
    assert_true(get(f, "/largest"));
    sample.body_bytes += 8;
    larger = sample_page(&sample);
    assert_int_equal(cold_put(f->cold, larger), -EFBIG);
}

/* A storm of all sizes, among them runs, some asked for again. */
static void store_many(struct fixture *f, struct page *const *page, size_t pages, unsigned puts)
{
    uint64_t random = 7;
    struct cold_ref ref;

    for (unsigned i = 0; i < puts; i++) {
        const struct page *one;

        random = random * 6364136223846793005u + 1442695040888963407u;
        one = page[(random >> 33) % pages];
        assert_int_equal(cold_put(f->cold, one), 0);
        if (random >> 60 < 8 &&
            cold_find(f->cold, page_key(one), one->key_bytes, one->hash, &ref) == 0)
            (void)cold_copy(f->cold, &ref, page_key(one), one->key_bytes, f->copy);
    }
}

#define PAGES 300

/* Returns owned. */
static struct page *storm_page(const struct fixture *f, unsigned n)
{
    static const size_t bytes[] = {100, 700, 3000, 9000, 40000, 120000, 500000};
    char path[32];

    (void)snprintf(path, sizeof path, "/storm/%u", n);
    return sample_page(&(struct sample){.path = path,
                                        .letter = (char)('a' + n % 26),
                                        .body_bytes = bytes[n % array_len(bytes)] + n,
                                        .epoch = purge_epoch(f->purge)});
}

static void budget_is_kept_to_the_byte(void **state)
{
    struct fixture *f = *state;
    const struct region_header *header = f->region->header;
    struct page *page[PAGES];
    struct cold_figures figures;
    struct ring ring;
    uint64_t filled = 0;

    for (unsigned i = 0; i < PAGES; i++)
        page[i] = storm_page(f, i);
    store_many(f, page, PAGES, 3000);
    /* what may hold pages is the budget, and nothing lies outside it */
    assert_int_equal((uint64_t)header->segments * header->segment_bytes, COLD_BYTES);
    assert_int_equal(header->section_offset[REGION_SEGMENTS] + COLD_BYTES, header->bytes);
    ring_view(f->region, 0, &ring);
    for (uint32_t i = 0; i < ring.segments; i++) {
        assert_true(ring_fill(&ring, i) <= ring.segment_bytes);
        filled += ring_run(&ring, i) > 1 ? ring_run(&ring, i) * (uint64_t)ring.segment_bytes
                                         : ring_fill(&ring, i);
    }
    cold_figures(f->cold, &figures);
    assert_true(figures.used_bytes <= filled);
    assert_true(figures.used_bytes > COLD_BYTES / 4);
    for (unsigned i = 0; i < PAGES; i++)
        free(page[i]);
}

static bool see(void *arg, const struct page *page, size_t copied_bytes,
                const struct cold_seen *where)
{
    (void)page, (void)copied_bytes, (void)where;
    ++*(unsigned *)arg;
    return true;
}

static void nothing_is_allocated_after_the_start(void **state)
{
    struct fixture *f = *state;
    struct page *page[PAGES];
    struct cold_figures figures;
    void *volatile counted;
    unsigned seen = 0;

    for (unsigned i = 0; i < PAGES; i++)
        page[i] = storm_page(f, i);
    allocations = 0;
    store_many(f, page, PAGES, 3000);
    (void)cold_delete(f->cold, "/storm/1", 8, sample_hash("/storm/1"));
    purge_url(f->purge, "/storm/2", 8);
    assert_int_equal(purge_prefix(f->purge, "/storm/3", 8), 0);
    (void)cold_sweep_prefix(f->cold, "/storm/3", 8);
    cold_walk(f->cold, see, &seen);
    cold_figures(f->cold, &figures);
    (void)cold_reap(f->cold, 5);
    assert_int_equal(allocations, 0);
    assert_true(seen > 0);
    for (unsigned i = 0; i < PAGES; i++)
        free(page[i]);
    assert_int_equal(allocations, 0);
    counted = malloc(1); /* the count counts */
    assert_int_equal(allocations, 1);
    free(counted);
}

/* --- encodings ---------------------------------------------------------------------------- */

/* Each encoding has a body of its own letter and length. Returns owned. */
static struct page *page_of_all(const struct fixture *f, const char *path, unsigned encodings)
{
    static char body[PAGE_VARIANTS_MAX][4000];
    struct page_source source = {
        .hash = sample_hash(path),
        .path_hash = purge_url_hash(path, strlen(path)),
        .epoch = purge_epoch(f->purge),
        .fresh_until_ms = UINT64_MAX / 2,
        .status = 200,
        .key = {path, strlen(path)},
        .path_bytes = (uint32_t)strlen(path),
    };
    struct page *page;

    for (unsigned i = 0; i < encodings; i++) {
        memset(body[i], (char)('a' + i), sizeof body[i]);
        source.variant[i] = (struct page_variant_source){
            .head = {"H\r\n", 3}, .body = {body[i], sizeof body[i] - i}, .etag = {"\"e\"", 3}};
    }
    page = malloc(page_bytes(&source));
    page_build(&source, page);
    return page;
}

/* How many encodings the page found has; each must be whole. 0: a miss. */
static unsigned encodings_of(struct fixture *f, const char *path)
{
    unsigned count = 0;

    if (!get(f, path))
        return 0;
    for (unsigned i = 0; i < PAGE_VARIANTS_MAX; i++) {
        const struct page_variant *variant = page_variant(f->copy, i);
        const char *body;

        if (!page_has(f->copy, i))
            continue;
        body = page_at(f->copy, variant->body_offset);
        count++;
        assert_int_equal(variant->body_bytes, 4000 - i);
        assert_int_equal(body[0], 'a' + i);
        assert_int_equal(body[variant->body_bytes - 1], 'a' + i);
    }
    return count;
}

static void store(struct fixture *f, const char *path, unsigned encodings)
{
    autofree struct page *page = page_of_all(f, path, encodings);

    assert_int_equal(cold_put(f->cold, page), 0);
}

static void encodings_of_a_page_live_and_die_together(void **state)
{
    struct fixture *f = *state;
    struct page *page[PAGES];

    store(f, "/all", PAGE_VARIANTS_MAX);
    assert_int_equal(encodings_of(f, "/all"), PAGE_VARIANTS_MAX);
    /* a page stored anew brings its own encodings and leaves none of before */
    store(f, "/all", 1);
    assert_int_equal(encodings_of(f, "/all"), 1);
    store(f, "/all", PAGE_VARIANTS_MAX);
    assert_int_equal(cold_delete(f->cold, "/all", 4, sample_hash("/all")), 1);
    assert_int_equal(encodings_of(f, "/all"), 0);
    store(f, "/all", PAGE_VARIANTS_MAX);
    purge_url(f->purge, "/all", 4);
    assert_int_equal(encodings_of(f, "/all"), 0);
    /* evicted: all at once */
    for (unsigned i = 0; i < PAGES; i++)
        page[i] = storm_page(f, i);
    store(f, "/all", PAGE_VARIANTS_MAX);
    for (unsigned i = 0; i < 3; i++) { /* asked for, it stays */
        store_many(f, page, PAGES, 20);
        assert_int_equal(encodings_of(f, "/all"), PAGE_VARIANTS_MAX);
    }
    store_many(f, page, PAGES, 4000);
    assert_int_equal(encodings_of(f, "/all"), 0);
    for (unsigned i = 0; i < PAGES; i++)
        free(page[i]);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(pages_of_every_size_come_back_to_the_byte),
        TEST(largest_page_is_exactly_max_object),
        TEST(budget_is_kept_to_the_byte),
        TEST(nothing_is_allocated_after_the_start),
        TEST(encodings_of_a_page_live_and_die_together),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
