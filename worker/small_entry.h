/* SPDX-License-Identifier: MIT */
/*
 * small_entry.h - what stands in the cold cache beside pages: fragments and links. An entry with one
 * body, without a path, that ends all at once; purged, evicted and kept as a page is.
 */
#ifndef SSRD_WORKER_SMALL_ENTRY_H
#define SSRD_WORKER_SMALL_ENTRY_H

#include "shm/page.h"
#include "worker/key.h"

struct worker;

struct small_entry {
    struct key key;
    uint64_t epoch; /* of the render it is made of */
    uint64_t ttl_ms;
    uint16_t status;  /* struct page's: which kind it is */
    struct span head; /* one byte or more */
    struct span body;
    const struct span *tags;
    size_t tag_count;
};

/* As it is stored by this worker now. What ret_source points to is the entry's. */
void small_entry_source(const struct worker *w, const struct small_entry *entry,
                        struct page_source *ret_source);

#endif
