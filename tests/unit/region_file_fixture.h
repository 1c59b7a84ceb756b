/* SPDX-License-Identifier: MIT */
/* region_file_fixture.h - a cache file in a folder of the test's own, used, ended, damaged. */
#ifndef SSRD_TESTS_UNIT_REGION_FILE_FIXTURE_H
#define SSRD_TESTS_UNIT_REGION_FILE_FIXTURE_H

#include "shm/cold.h"
#include "shm/purge.h"
#include "shm/purge_kept.h"
#include "shm/region_file.h"
#include "shm/ring.h"
#include "tests/unit/sample_page.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

static const struct region_sizes sizes = {.cold_bytes = MIB, .max_object_bytes = 64 * KIB};

static char folder[64];
static char path[PATH_MAX];

struct session {
    struct region *region;
    struct cold *cold;
    struct purge *purge;
    struct region_report report;
};

static inline struct session begin(void)
{
    struct session s = {0};

    assert_int_equal(region_open(&sizes, path, &s.region, &s.report), 0);
    assert_int_equal(cold_open(s.region, REGION_PEERS_MAX, &s.cold), 0);
    s.purge = purge_of(s.region);
    return s;
}

/* Nothing is written out: what is in the file is what the kernel has of it. */
static inline void end(struct session *s)
{
    cold_close(s->cold);
    region_close(s->region);
    s->region = NULL;
}

static inline int try_put(const struct session *s, const char *url, char letter)
{
    autofree struct page *page =
        sample_page(&(struct sample){.path = url,
                                     .letter = letter,
                                     .body_bytes = 5000,
                                     .epoch = purge_epoch(s->purge),
                                     .stored_ms = region_now_ms(s->region)});

    return cold_put(s->cold, page);
}

static inline void put(const struct session *s, const char *url, char letter)
{
    assert_int_equal(try_put(s, url, letter), 0);
}

/* The page's letter; 0: a miss. */
static inline char get(const struct session *s, const char *url)
{
    autofree struct page *page = NULL;
    struct cold_ref ref;

    if (cold_find(s->cold, url, strlen(url), sample_hash(url), &ref) != 0)
        return 0;
    page = malloc(ref.page_bytes);
    if (cold_copy(s->cold, &ref, url, strlen(url), page) != 0)
        return 0;
    for (char letter = 'a'; letter <= 'z'; letter++)
        if (sample_is(page, letter))
            return letter;
    return '?';
}

static inline void patch(uint64_t offset, const void *data, size_t bytes)
{
    autofd int fd = open(path, O_WRONLY);

    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, data, bytes, (off_t)offset), bytes);
}

static inline void flip(uint64_t offset, unsigned bit)
{
    autofd int fd = open(path, O_RDWR);
    unsigned char byte;

    assert_int_equal(pread(fd, &byte, 1, (off_t)offset), 1);
    byte ^= (unsigned char)(1u << bit);
    assert_int_equal(pwrite(fd, &byte, 1, (off_t)offset), 1);
}

/* Where a section stands in the file, and how large that is. */
static inline uint64_t offset_of(enum region_section section)
{
    struct region_layout layout;
    autofd int fd = open(path, O_RDONLY);

    assert_int_equal(pread(fd, &layout, sizeof layout, 0), sizeof layout);
    return section == REGION_SECTIONS ? layout.bytes : layout.offset[section - REGION_FILE];
}

static inline int setup(void **state)
{
    (void)state;
    (void)snprintf(folder, sizeof folder, "/tmp/ssrd-test-XXXXXX");
    if (mkdtemp(folder) == NULL)
        return -1;
    (void)snprintf(path, sizeof path, "%s/cache", folder);
    return 0;
}

static inline int teardown(void **state)
{
    static const char *const names[] = {"cache", "cache.old", "cache.old2", "cache.old3", "other"};
    char name[PATH_MAX];

    (void)state;
    for (size_t i = 0; i < array_len(names); i++) {
        (void)snprintf(name, sizeof name, "%s/%s", folder, names[i]);
        (void)unlink(name);
        (void)rmdir(name);
    }
    return rmdir(folder);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif
