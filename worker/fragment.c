/* SPDX-License-Identifier: MIT */
/*
 * fragment.c - see fragment.h. One copy out of shared memory at each get, none kept in this process:
 * a value that is asked for often is a page's business, and so is its hot cache.
 */
#include "worker/fragment.h"

#include "shm/cold.h"
#include "shm/hits.h"
#include "shm/purge.h"
#include "shm/region.h"
#include "shm/stats.h"
#include "worker/http_state.h"
#include "worker/key.h"
#include "worker/render.h"
#include "worker/request.h"
#include "worker/small_entry.h"
#include "worker/worker.h"

#include <errno.h>
#include <mimalloc.h>
#include <string.h>

#define KEEP_BYTES (256 * KIB) /* of a buffer, from call to call */
#define COUNTED 256            /* fragments whose hits are counted without looking for them */
static_assert(PAGE_KEY_FRAGMENT < ' ', "no host, no path");

struct buffer {
    struct page *page;
    size_t cap_bytes;
};

/* The place that a fragment's hash leads to counts those of the last one there. */
struct counted {
    uint64_t hash, stamp;
    uint16_t cell;
};

struct fragments {
    struct js_fragments js;
    struct worker *worker;
    struct buffer out; /* what get() has found */
    struct buffer in;  /* what set() builds */
    struct counted counted[COUNTED];
    char key[PAGE_KEY_BYTES_MAX];
};

/* False: no memory. The contents do not survive. */
static bool make_room(struct buffer *buffer, size_t bytes)
{
    if (buffer->cap_bytes >= bytes)
        return true;
    mi_free(buffer->page);
    buffer->page = mi_malloc(bytes);
    buffer->cap_bytes = buffer->page == NULL ? 0 : bytes;
    return buffer->page != NULL;
}

static void trim(struct buffer *buffer)
{
    if (buffer->cap_bytes <= KEEP_BYTES)
        return;
    mi_free(buffer->page);
    *buffer = (struct buffer){0};
}

/* False: longer than a key may be. */
static bool make_key(struct fragments *f, const char *name, size_t name_bytes, struct key *ret_key)
{
    if (name_bytes > sizeof f->key - 1)
        return false;
    f->key[0] = PAGE_KEY_FRAGMENT;
    memcpy(f->key + 1, name, name_bytes);
    *ret_key = (struct key){.data = f->key, .bytes = name_bytes + 1};
    ret_key->hash = key_hash(f->key, ret_key->bytes);
    return true;
}

static bool find(struct fragments *f, const struct key *key)
{
    const struct worker *w = f->worker;
    struct cold_ref ref;

    trim(&f->out);
    return cold_find(w->cold, key->data, key->bytes, key->hash, &ref) == 0 &&
           make_room(&f->out, ref.page_bytes) &&
           cold_copy(w->cold, &ref, key->data, key->bytes, f->out.page) == 0 &&
           f->out.page->edition == w->heritage->edition &&
           f->out.page->fresh_until_ms > region_now_ms(w->heritage->region);
}

/* The kind is the one byte of the head. */
static bool read_fragment(const struct page *page, struct js_fragment *ret_fragment)
{
    const struct page_variant *v = page_variant(page, PAGE_IDENTITY);
    unsigned char kind;

    if (page->status != FRAGMENT_STATUS || !page_has(page, PAGE_IDENTITY) || v->head_bytes != 1)
        return false;
    kind = (unsigned char)*page_at(page, v->head_offset);
    if (kind >= JS_FRAGMENT_KINDS)
        return false;
    *ret_fragment = (struct js_fragment){(enum js_fragment_kind)kind, page_at(page, v->body_offset),
                                         v->body_bytes};
    return true;
}

/* The watchdog's thread may be turning the loop, which uses the same caches. */
static bool enter(const struct fragments *f)
{
    return f->worker->enter_native && f->worker->enter_native(f->worker);
}

static void leave(const struct fragments *f, bool entered)
{
    if (entered)
        f->worker->leave_native(f->worker);
}

/* It was found once more. None is kept in this process whose cell could be its own, as a page's is. */
static void count(struct fragments *f, const struct page *page)
{
    struct counted *counted = &f->counted[page->hash % COUNTED];
    uint64_t stamp = hits_stamp(page);

    if (counted->hash != page->hash || counted->stamp != stamp) {
        hits_give(f->worker->hits, counted->cell);
        *counted = (struct counted){page->hash, stamp, 0};
    }
    hits_count(f->worker->hits, &counted->cell, page);
}

static bool get(void *arg, const char *name, size_t name_bytes, struct js_fragment *ret_fragment)
{
    struct fragments *f = arg;
    struct stats *stats = f->worker->stats;
    struct key key;
    bool entered = enter(f);
    bool found;

    found = make_key(f, name, name_bytes, &key) && find(f, &key) &&
            read_fragment(f->out.page, ret_fragment);
    if (found)
        count(f, f->out.page);
    stats_add(found ? &stats->fragments_hit : &stats->fragments_miss, 1);
    leave(f, entered); /* what was found lies in a buffer of our own */
    return found;
}

/* The epoch of the oldest render that is open: what the fragment is made of may be as old. */
static uint64_t epoch_of(const struct worker *w)
{
    return renderer_oldest_epoch(w->renderer, requests_oldest_epoch(w->http->requests));
}

static bool set(void *arg, const char *name, size_t name_bytes, const struct js_fragment *fragment,
                uint64_t ttl_ms, const struct js_header *tags, size_t tag_count)
{
    struct fragments *f = arg;
    struct worker *w = f->worker;
    char kind = (char)fragment->kind;
    struct span tag[PAGE_TAGS_MAX];
    struct small_entry entry = {.ttl_ms = ttl_ms,
                                .status = FRAGMENT_STATUS,
                                .head = {&kind, 1},
                                .body = {fragment->data, fragment->bytes},
                                .tags = tag,
                                .tag_count = tag_count};
    struct page_source source;
    size_t bytes;
    bool entered;
    bool kept;

    if (tag_count > PAGE_TAGS_MAX || !make_key(f, name, name_bytes, &entry.key))
        return false;
    entered = enter(f);
    for (size_t i = 0; i < tag_count; i++)
        tag[i] = (struct span){tags[i].name, tags[i].name_bytes};
    entry.epoch = epoch_of(w);
    small_entry_source(w, &entry, &source);
    bytes = page_bytes(&source);
    kept = bytes > 0 && make_room(&f->in, bytes);
    if (kept) {
        page_build(&source, f->in.page);
        kept = cold_put(w->cold, f->in.page) == 0;
        trim(&f->in);
    }
    stats_add(kept ? &w->stats->fragments_stored : &w->stats->fragments_refused, 1);
    leave(f, entered);
    return kept;
}

static bool delete (void *arg, const char *name, size_t name_bytes)
{
    struct fragments *f = arg;
    struct key key;

    /* the old value may be invalid already; "there was one" means one that get() would have given */
    if (!make_key(f, name, name_bytes, &key))
        return false;
    bool entered = enter(f);
    bool found = find(f, &key);
    (void)cold_delete(f->worker->cold, key.data, key.bytes, key.hash);
    leave(f, entered);
    return found;
}

int fragments_new(struct worker *worker, struct fragments **ret_fragments)
{
    struct fragments *f = calloc(1, sizeof *f);

    if (f == NULL)
        return -ENOMEM;
    f->worker = worker;
    f->js = (struct js_fragments){get, set, delete, f};
    *ret_fragments = f;
    return 0;
}

void fragments_free(struct fragments *fragments)
{
    if (fragments == NULL)
        return;
    mi_free(fragments->out.page);
    mi_free(fragments->in.page);
    free(fragments);
}

const struct js_fragments *fragments_js(const struct fragments *fragments)
{
    return &fragments->js;
}
