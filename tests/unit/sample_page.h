/* SPDX-License-Identifier: MIT */
/*
 * sample_page.h - pages for the tests of shm/: one identity variant whose body is a run of one
 * letter. The key is the path.
 */
#ifndef SSRD_TESTS_UNIT_SAMPLE_PAGE_H
#define SSRD_TESTS_UNIT_SAMPLE_PAGE_H

#include "shm/page.h"
#include "shm/purge.h"

#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

struct sample {
    const char *path;
    char letter;
    size_t body_bytes;
    uint64_t epoch;
    uint64_t stored_ms;
    uint64_t fresh_ms; /* 0: for a very long time */
    uint64_t hash;     /* 0: the path's */
    const struct span *tags;
    size_t tag_count;
};

static inline uint64_t sample_hash(const char *path)
{
    return XXH3_64bits(path, strlen(path));
}

/* Returns owned. */
static inline struct page *sample_page(const struct sample *sample)
{
    char *body = malloc(sample->body_bytes + 1);
    struct page_source source = {
        .hash = sample->hash != 0 ? sample->hash : sample_hash(sample->path),
        .path_hash = purge_url_hash(sample->path, strlen(sample->path)),
        .epoch = sample->epoch,
        .stored_ms = sample->stored_ms,
        .fresh_until_ms = sample->fresh_ms != 0 ? sample->fresh_ms : UINT64_MAX / 2,
        .status = 200,
        .key = {sample->path, strlen(sample->path)},
        .path_bytes = (uint32_t)strlen(sample->path),
        .tags = sample->tags,
        .tag_count = sample->tag_count,
    };
    struct page *page;
    size_t bytes;

    memset(body, sample->letter, sample->body_bytes);
    source.variant[PAGE_IDENTITY] = (struct page_variant_source){
        .head = {"HTTP/1.1 200 OK\r\n", 17},
        .body = {body, sample->body_bytes},
        .etag = {"\"0123456789abcdef\"", 18},
    };
    bytes = page_bytes(&source);
    page = malloc(bytes);
    page_build(&source, page);
    free(body);
    return page;
}

/* Is every byte of the body this letter? */
static inline bool sample_is(const struct page *page, char letter)
{
    const char *body = page_at(page, page_variant(page, PAGE_IDENTITY)->body_offset);

    for (uint32_t i = 0; i < page_variant(page, PAGE_IDENTITY)->body_bytes; i++) {
        if (body[i] != letter)
            return false;
    }
    return true;
}

#endif
