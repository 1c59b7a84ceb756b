/* SPDX-License-Identifier: MIT */
/*
 * fuzz_region_file.c - a cache file that somebody else has written. The input changes a good file: a
 * list of patches, each a place (3 bytes, over the file's parts that are not empty), a length (1) and
 * bytes; an odd first byte cuts the file too. Whatever is in it: it opens or is refused, a page that
 * comes out of it has the key that was asked for, and what is stored then can be had.
 */
#include "shm/cold.h"
#include "shm/hits.h"
#include "shm/purge.h"
#include "shm/region.h"
#include "tests/unit/sample_page.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static const struct region_sizes sizes = {.cold_bytes = MIB, .max_object_bytes = 64 * KIB};
static const char *const urls[] = {"/a", "/b", "/prefix/c", "/d?e=f"};
static const struct span tags[] = {{"t", 1}, {"\0\xff,", 3}, {"", 0}, {"a longer one", 12}};

static char path[100];
static unsigned char *good; /* the file before each input */
static size_t good_bytes;

static void forget_file(void)
{
    (void)unlink(path);
}

static void set_aside_is_removed(const struct region_report *report)
{
    if (report->found == REGION_OTHER)
        (void)unlink(report->aside);
}

static int store(struct region *region, struct cold *cold, const char *url, char letter,
                 size_t body_bytes)
{
    autofree struct page *page =
        sample_page(&(struct sample){.path = url,
                                     .letter = letter,
                                     .body_bytes = body_bytes,
                                     .epoch = purge_epoch(purge_of(region)),
                                     .stored_ms = region_now_ms(region),
                                     .tags = tags,
                                     .tag_count = array_len(tags)});

    return cold_put(cold, page);
}

static void make_good(void)
{
    struct region_report report;
    struct region *region;
    struct cold *cold;
    struct stat st;
    int rc;

    (void)snprintf(path, sizeof path, "/tmp/ssrd-fuzz-region-%d", (int)getpid());
    forget_file();
    rc = region_open(&sizes, path, &region, &report);
    assert(rc == 0 && report.found == REGION_NEW);
    rc = cold_open(region, 0, &cold);
    assert(rc == 0);
    for (size_t i = 0; i < array_len(urls); i++)
        assert(store(region, cold, urls[i], 'a', 3000 * (i * i + 1)) == 0);
    purge_url(purge_of(region), urls[1], strlen(urls[1]));
    (void)purge_prefix(purge_of(region), "/prefix/", 8);
    cold_close(cold);
    region_close(region);
    autofd int fd = open(path, O_RDONLY);
    assert(fd >= 0 && fstat(fd, &st) == 0);
    good_bytes = (size_t)st.st_size;
    good = malloc(good_bytes);
    assert(good != NULL && read(fd, good, good_bytes) == st.st_size);
    (void)atexit(forget_file);
}

/* Of the file, its parts that are not empty: a byte in so many thousand matters else. */
static size_t place_of(uint32_t number)
{
    static uint32_t *place;
    static uint32_t count;

    if (place == NULL) {
        place = malloc(good_bytes * sizeof *place);
        assert(place != NULL);
        for (size_t at = 0; at < good_bytes; at++)
            if (good[at] != 0 || at % 4096 == 0)
                place[count++] = (uint32_t)at;
    }
    return place[number % count];
}

static void patch(int fd, const uint8_t *data, size_t bytes)
{
    while (bytes >= 4) {
        size_t at = place_of((uint32_t)data[0] | (uint32_t)data[1] << 8 | (uint32_t)data[2] << 16);
        size_t n = data[3] < bytes - 4 ? data[3] : bytes - 4;

        if (at + n > good_bytes)
            n = good_bytes - at;
        assert(pwrite(fd, data + 4, n, (off_t)at) == (ssize_t)n);
        data += 4 + n;
        bytes -= 4 + n;
    }
}

static void ask(struct cold *cold, const char *url)
{
    struct cold_ref ref;
    autofree struct page *page = NULL;

    if (cold_find(cold, url, strlen(url), sample_hash(url), &ref) != 0)
        return;
    page = malloc(ref.page_bytes);
    if (page != NULL && cold_copy(cold, &ref, url, strlen(url), page) == 0)
        assert(page_check(page, ref.page_bytes, true) == 0 && page_has_key(page, url, strlen(url)));
}

static bool visit(void *arg, const struct page *page, size_t copied_bytes,
                  const struct cold_seen *seen)
{
    struct span tag;
    uint32_t at = 0;

    (void)hits_of(arg, seen->slot, page);
    assert(seen->heat <= COLD_HEAT_MAX);
    assert(copied_bytes >= sizeof *page && copied_bytes <= page->bytes);
    while (page_next_tag(page, &at, &tag))
        assert(tag.data >= page_key(page) &&
               tag.data + tag.bytes <= (const char *)page + copied_bytes);
    return true;
}

static void use(struct region *region)
{
    struct cold_figures figures;
    struct hits_now *now;
    struct cold *cold;

    if (cold_open(region, 0, &cold) != 0)
        return;
    for (size_t i = 0; i < array_len(urls); i++)
        ask(cold, urls[i]);
    now = hits_look(region);
    assert(now != NULL);
    cold_walk(cold, visit, now);
    hits_look_free(now);
    cold_figures(cold, &figures);
    (void)cold_reap(cold, 1);
    for (unsigned i = 0; i < 150; i++) { /* each segment is reclaimed once at least */
        char url[20];

        (void)snprintf(url, sizeof url, "/n%u", i);
        assert(store(region, cold, url, 'n', 12000) == 0);
        ask(cold, url);
    }
    purge_all(purge_of(region));
    (void)cold_sweep_prefix(cold, "", 0);
    cold_close(cold);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct region_report report;
    struct region *region;
    int fd;

    if (bytes < 4)
        return 0;
    if (good == NULL)
        make_good();
    forget_file();
    fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    assert(fd >= 0 && write(fd, good, good_bytes) == (ssize_t)good_bytes);
    if (data[0] & 1)
        assert(ftruncate(fd, (off_t)(good_bytes * data[1] / 255)) == 0);
    patch(fd, data + 2, bytes - 2);
    (void)close(fd);
    if (region_open(&sizes, path, &region, &report) != 0)
        return 0;
    set_aside_is_removed(&report);
    use(region);
    region_close(region);
    return 0;
}
