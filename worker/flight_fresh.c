/* SPDX-License-Identifier: MIT */
/*
 * flight_fresh.c - a stored page past its time may be asked for with the application's own validators
 * (RFC 9111 section 4.3); when the answer is 304, the page goes on to live under the new headers
 * (prototypes: flight.h).
 */
#include "worker/flight.h"
#include "worker/hot.h"
#include "worker/http_state.h"
#include "worker/worker.h"

#include <mimalloc.h>
#include <string.h>
#include <strings.h>

#define HEADERS_MAX 256

struct freshened {
    struct js_header header[HEADERS_MAX];
    struct js_result result;
    char text[]; /* the stored head, names in lower case */
};

static struct span field_of(const struct page *page, const char *name)
{
    const struct page_variant *v = page_variant(page, PAGE_IDENTITY);

    return reply_head_field(page_at(page, v->head_offset), v->head_bytes, name);
}

size_t flight_add_validators(const struct page *stale, struct js_header header[static 2])
{
    static const struct {
        uint32_t flag;
        const char *from;
        const char *to;
    } fields[] = {{PAGE_OWN_ETAG, "etag", "if-none-match"},
                  {PAGE_OWN_MODIFIED, "last-modified", "if-modified-since"}};
    size_t count = 0;

    for (size_t i = 0; i < array_len(fields); i++) {
        struct span value = field_of(stale, fields[i].from);

        if ((stale->flags & fields[i].flag) && value.bytes > 0)
            header[count++] =
                (struct js_header){fields[i].to, strlen(fields[i].to), value.data, value.bytes};
    }
    return count;
}

static bool has(const struct js_result *r, struct span name)
{
    for (size_t i = 0; i < r->header_count; i++)
        if (r->headers[i].name_bytes == name.bytes &&
            strncasecmp(r->headers[i].name, name.data, name.bytes) == 0)
            return true;
    return false;
}

static bool is(struct span name, const char *text)
{
    return name.bytes == strlen(text) && memcmp(name.data, text, name.bytes) == 0;
}

/* Of the stored head: what a 304 can't change, and what is made anew. */
static bool is_left_out(const struct page *stale, struct span name)
{
    if (is(name, "content-length") || is(name, "date") || is(name, "vary"))
        return true;
    if (is(name, "cache-control"))
        return !(stale->flags & PAGE_OWN_CONTROL);
    return is(name, "etag") && !(stale->flags & PAGE_OWN_ETAG);
}

/* A 304 does not speak of another body (RFC 9111 section 3.2). */
static bool is_about_the_body(const struct js_header *h)
{
    struct span name = {h->name, h->name_bytes};

    return is(name, "content-length") || is(name, "content-encoding") || is(name, "content-type") ||
           is(name, "content-range");
}

static void take_stored(struct freshened *fresh, const struct page *stale,
                        const struct js_result *result, size_t text_bytes)
{
    char *at = memchr(fresh->text, '\n', text_bytes);
    char *end = fresh->text + text_bytes;

    for (at = at ? at + 1 : end; at < end;) {
        char *stop = memchr(at, '\n', (size_t)(end - at));
        char *colon = stop ? memchr(at, ':', (size_t)(stop - at)) : NULL;
        struct span name;

        if (!stop)
            return;
        if (colon && stop - colon >= 3 && fresh->result.header_count < HEADERS_MAX) {
            for (char *c = at; c < colon; c++)
                if (*c >= 'A' && *c <= 'Z')
                    *c |= 0x20;
            name = (struct span){at, (size_t)(colon - at)};
            if (!is_left_out(stale, name) && !has(result, name))
                fresh->header[fresh->result.header_count++] = (struct js_header){
                    name.data, name.bytes, colon + 2, (size_t)(stop - colon - 3)};
        }
        at = stop + 1;
    }
}

static bool says_how_long(const struct js_result *r)
{
    return r->ttl_ms != JS_UNSET || has(r, (struct span){"cache-control", 13}) ||
           has(r, (struct span){"cdn-cache-control", 17}) || has(r, (struct span){"expires", 7});
}

static int64_t between(uint64_t from_ms, uint64_t to_ms)
{
    return to_ms > from_ms ? (int64_t)(to_ms - from_ms) : 0;
}

struct js_result *flight_freshen(const struct flight *f, const struct js_result *result)
{
    const struct page *stale = &f->stale->page;
    const struct page_variant *v = page_variant(stale, PAGE_IDENTITY);
    struct freshened *fresh = mi_malloc(sizeof *fresh + v->head_bytes);

    if (!fresh)
        return NULL;
    memcpy(fresh->text, page_at(stale, v->head_offset), v->head_bytes);
    fresh->result = *result;
    fresh->result.status = stale->status;
    fresh->result.headers = fresh->header;
    fresh->result.header_count = 0;
    fresh->result.body = page_at(stale, v->body_offset);
    fresh->result.body_bytes = v->body_bytes;
    take_stored(fresh, stale, result, v->head_bytes);
    for (size_t i = 0; i < result->header_count && fresh->result.header_count < HEADERS_MAX; i++)
        if (!is_about_the_body(&result->headers[i]))
            fresh->header[fresh->result.header_count++] = result->headers[i];
    if (!says_how_long(result) && !(stale->flags & PAGE_OWN_CONTROL)) {
        /* it said so in words that are not in the head, or policy did: as long as before */
        fresh->result.ttl_ms = between(stale->stored_ms, stale->fresh_until_ms);
        fresh->result.swr_ms = between(stale->fresh_until_ms, stale->swr_until_ms);
        fresh->result.sie_ms = between(stale->fresh_until_ms, stale->sie_until_ms);
    }
    return &fresh->result;
}

void flight_freshen_done(struct js_result *result)
{
    if (result)
        mi_free((char *)result - offsetof(struct freshened, result));
}
