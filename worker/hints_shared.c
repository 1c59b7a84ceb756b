/* SPDX-License-Identifier: MIT */
/* hints_shared.c - see hints_shared.h. */
#include "worker/hints_shared.h"

#include "shm/cold.h"
#include "shm/region.h"
#include "worker/key.h"
#include "worker/small_entry.h"

#include <mimalloc.h>
#include <string.h>

#define KEY_BYTES (1 + sizeof(uint64_t))
#define KEPT_MS 86400000u
#define PAGE_ROOM (HINTS_BYTES_MAX + 512u) /* of an entry with all around it */
static_assert(PAGE_KEY_HINTS < ' ' && PAGE_KEY_HINTS != PAGE_KEY_FRAGMENT, "no host, no fragment");

static struct key key_of(uint64_t hash, char text[static KEY_BYTES])
{
    struct key key = {.data = text, .bytes = KEY_BYTES};

    text[0] = PAGE_KEY_HINTS;
    memcpy(text + 1, &hash, sizeof hash);
    key.hash = key_hash(text, KEY_BYTES);
    return key;
}

bool hints_shared(const struct worker *w, uint64_t hash, char ret_text[static HINTS_BYTES_MAX],
                  size_t *ret_bytes)
{
    union {
        struct page page;
        char room[PAGE_ROOM];
    } entry;
    const struct page_variant *v;
    char text[KEY_BYTES];
    struct key key = key_of(hash, text);
    struct cold_ref ref;

    if (cold_find(w->cold, key.data, key.bytes, key.hash, &ref) != 0 ||
        ref.page_bytes > sizeof entry ||
        cold_copy(w->cold, &ref, key.data, key.bytes, &entry.page) != 0 ||
        entry.page.status != HINTS_STATUS || entry.page.edition != w->heritage->edition ||
        entry.page.fresh_until_ms <= region_now_ms(w->heritage->region) ||
        !page_has(&entry.page, PAGE_IDENTITY))
        return false;
    v = page_variant(&entry.page, PAGE_IDENTITY);
    if (v->body_bytes > HINTS_BYTES_MAX)
        return false;
    memcpy(ret_text, page_at(&entry.page, v->body_offset), v->body_bytes);
    *ret_bytes = v->body_bytes;
    return true;
}

static void put(const struct worker *w, uint64_t hash, uint64_t epoch, struct span links)
{
    char text[KEY_BYTES];
    struct page_source source;
    struct page *page;
    size_t bytes;

    small_entry_source(w,
                       &(struct small_entry){.key = key_of(hash, text),
                                             .epoch = epoch,
                                             .ttl_ms = KEPT_MS,
                                             .status = HINTS_STATUS,
                                             .head = {"l", 1},
                                             .body = links},
                       &source);
    bytes = page_bytes(&source);
    page = bytes > 0 && bytes <= PAGE_ROOM ? mi_malloc(bytes) : NULL;
    if (!page)
        return;
    page_build(&source, page);
    (void)cold_put(w->cold, page); /* refused: each worker learns by itself */
    mi_free(page);
}

void hints_share(const struct worker *w, uint64_t hash, uint64_t epoch, struct span links)
{
    char there[HINTS_BYTES_MAX];
    size_t bytes = 0;
    bool is_there = hints_shared(w, hash, there, &bytes);

    if (!is_there && links.bytes == 0)
        return;
    if (is_there && bytes == links.bytes && memcmp(there, links.data ? links.data : "", bytes) == 0)
        return;
    put(w, hash, epoch, links);
}
