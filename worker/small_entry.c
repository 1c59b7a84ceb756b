/* SPDX-License-Identifier: MIT */
/* small_entry.c - see small_entry.h. */
#include "worker/small_entry.h"

#include "shm/heritage.h"
#include "shm/purge.h"
#include "shm/region.h"
#include "worker/worker.h"

void small_entry_source(const struct worker *w, const struct small_entry *entry,
                        struct page_source *ret_source)
{
    uint64_t now_ms = region_now_ms(w->heritage->region);
    uint64_t end_ms = now_ms + entry->ttl_ms;

    *ret_source = (struct page_source){
        .hash = entry->key.hash,
        .path_hash = purge_url_hash(entry->key.data, entry->key.bytes),
        .epoch = entry->epoch,
        .edition = w->heritage->edition,
        .stored_ms = now_ms,
        .fresh_until_ms = end_ms,
        .swr_until_ms = end_ms,
        .sie_until_ms = end_ms,
        .status = entry->status,
        .key = {entry->key.data, entry->key.bytes},
        .path_offset_in_key = (uint32_t)entry->key.bytes, /* an empty path: of no prefix but "" */
        .tags = entry->tags,
        .tag_count = entry->tag_count,
        .variant[PAGE_IDENTITY] = {.head = entry->head,
                                   .body = {entry->body.bytes > 0 ? entry->body.data : "",
                                            entry->body.bytes}},
    };
}
