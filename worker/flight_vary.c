/* SPDX-License-Identifier: MIT */
/*
 * flight_vary.c - a render turns out to depend on request headers: under which key its page goes, the
 * record that leads there, and those who waited for it but are to get another variant (prototypes:
 * flight.h; design: worker/README.md, "Two levels of keys").
 */
#include "shm/cold.h"
#include "shm/purge.h"
#include "worker/conn.h"
#include "worker/flight.h"
#include "worker/hot.h"
#include "worker/http_state.h"
#include "worker/worker.h"

#include <errno.h>
#include <string.h>

/* The key of this request's variant, in the buffer of which a worker needs one: valid until the next call. */
static int variant_key(const struct flight *f, const struct request *r, const struct vary *vary,
                       struct key *ret_key)
{
    struct requests *all = f->all;
    struct key key = f->key;
    int error;

    memcpy(all->variant_text, f->key.data, f->key.primary_bytes);
    error = vary_key(vary, r->head, all->variant_text, sizeof all->variant_text, &key);
    if (!error)
        *ret_key = key;
    return error;
}

bool flight_page_key(struct flight *f, struct cache_verdict *verdict, struct key *ret_key)
{
    struct vary vary;

    *ret_key = f->key;
    (void)vary_from_key(&vary, &f->key);
    for (size_t at = 0; at < verdict->vary.bytes;) {
        const char *name = verdict->vary.text + at;
        const char *end = memchr(name, '\n', verdict->vary.bytes - at);
        size_t bytes = end ? (size_t)(end - name) : verdict->vary.bytes - at;

        if (!vary_add(&vary, name, bytes))
            return false;
        at += bytes + 1;
    }
    verdict->vary = vary;
    if (vary.count == 0)
        return true;
    return variant_key(f, TAILQ_FIRST(&f->requests), &vary, ret_key) == 0;
}

void flight_put_record(const struct flight *f, const struct vary *vary)
{
    struct http *http = f->all->http;
    struct page_source source = {
        .hash = key_hash(f->key.data, f->key.primary_bytes),
        .path_hash = purge_url_hash(f->key.data + f->key.path_offset, f->key.path_bytes),
        .epoch = f->epoch,
        .edition = f->all->worker->heritage->edition,
        .stored_ms = http->now_ms,
        .fresh_until_ms = http->now_ms + CACHE_TTL_MAX_MS,
        .swr_until_ms = http->now_ms + CACHE_TTL_MAX_MS,
        .sie_until_ms = http->now_ms + CACHE_TTL_MAX_MS,
        .key = {f->key.data, f->key.primary_bytes},
        .path_offset_in_key = f->key.path_offset,
        .path_bytes = f->key.path_bytes,
    };
    struct vary known;
    struct hot_page *hot;
    size_t bytes;

    if (vary_from_key(&known, &f->key) && known.bytes == vary->bytes &&
        memcmp(known.text, vary->text, known.bytes) == 0)
        return; /* a record with these names led here */
    source.variant[PAGE_IDENTITY].head = (struct span){"", 0};
    source.variant[PAGE_IDENTITY].body = (struct span){vary->text, vary->bytes};
    bytes = page_bytes(&source);
    hot = bytes > 0 ? hot_alloc(http->hot, bytes) : NULL;
    if (!hot) /* the variant can't be found then: rendered again, no more */
        return;
    page_build(&source, &hot->page);
    hot->checked_epoch = f->epoch;
    if (cold_put(f->all->worker->cold, &hot->page) != -ESTALE)
        hot_put(http->hot, hot);
    hot_release(hot);
}

/* A request goes on to a flight of its own variant, or joins one. */
static void send_on(struct flight *f, struct request *r, const struct vary *vary)
{
    struct requests *all = f->all;
    struct flight_plan plan = {
        .kind = FLIGHT_SHARED, .policy = f->policy, .data = {f->data, f->job.request.data_bytes}};
    struct flight *other;
    struct conn *c = r->conn;

    if (variant_key(f, r, vary, &plan.key) != 0) {
        plan.kind = FLIGHT_ALONE;
        plan.key = f->key;
    }
    other = plan.kind == FLIGHT_SHARED ? flight_find(all, &plan.key) : NULL;
    if (other) {
        TAILQ_INSERT_TAIL(&other->requests, r, link);
        return;
    }
    other = flight_new(all, &plan, r);
    if (other)
        flight_submit(other);
    else
        conn_free(c);
}

void flight_regroup(struct flight *f, const struct vary *vary, const struct page *page)
{
    struct request *r = TAILQ_FIRST(&f->requests);
    struct request *next = r ? TAILQ_NEXT(r, link) : NULL;
    struct key key;

    for (r = next; r; r = next) {
        next = TAILQ_NEXT(r, link);
        if (variant_key(f, r, vary, &key) == 0 && page_has_key(page, key.data, key.bytes))
            continue;
        TAILQ_REMOVE(&f->requests, r, link);
        if (r->conn)
            send_on(f, r, vary);
        else
            request_free(r);
    }
}

void flight_scatter(struct flight *f, const struct page *record)
{
    struct vary vary;
    bool known = vary_from_record(&vary, record);
    struct request *r;

    if (!known)
        vary_init(&vary);  /* foreign bytes: each renders under the primary key */
    flight_tell_stored(f); /* its owner finds the record */
    flight_unlist(f);
    while ((r = TAILQ_FIRST(&f->requests))) {
        TAILQ_REMOVE(&f->requests, r, link);
        if (r->conn)
            send_on(f, r, &vary);
        else
            request_free(r);
    }
    flight_end(f);
}
