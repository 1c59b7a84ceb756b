/* SPDX-License-Identifier: MIT */
/* encode.c - see encode.h. */
#include "worker/encode.h"

#include "worker/cache_control.h"

#include "shm/config.h"
#include "worker/cache_policy.h"
#include "worker/hot.h"
#include "worker/http_accept.h"
#include "worker/http_reply.h"

#include <errno.h>
#include <mimalloc.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define MASKS (1u << PAGE_ENCODINGS)
#define REMEMBERED_BYTES 128 /* of an Accept-Encoding; longer ones are read each time */
#define HEAD_BYTES_MAX 16384

struct encoder {
    struct compressor *compressor;
    enum page_encoding order[PAGE_ENCODINGS]; /* compression.encodings */
    size_t order_count;
    unsigned configured; /* mask of them, and identity */
    uint64_t min_bytes;
    /* The last Accept-Encoding, and what it comes to for each mask of encodings: browsers of one
     * kind all send the same. */
    char last[REMEMBERED_BYTES];
    size_t last_bytes;
    uint8_t best[MASKS];
};

int encoder_new(const struct config *config, struct encoder **ret_encoder)
{
    struct encoder *e = calloc(1, sizeof *e);
    const struct str_list *list = &config->compression.encodings;

    if (!e)
        return -ENOMEM;
    e->compressor = compressor_new();
    if (!e->compressor) {
        free(e);
        return -ENOMEM;
    }
    e->configured = 1u << PAGE_IDENTITY;
    e->min_bytes = config->compression.min_bytes;
    for (size_t i = 0; i < list->count; i++)
        for (int j = 1; j < PAGE_ENCODINGS; j++)
            if (strcmp(list->item[i], page_encoding_name((enum page_encoding)j)) == 0 &&
                compress_has((enum page_encoding)j) && !(e->configured >> j & 1)) {
                e->order[e->order_count++] = (enum page_encoding)j;
                e->configured |= 1u << j;
            }
    *ret_encoder = e;
    return 0;
}

void encoder_free(struct encoder *e)
{
    if (!e)
        return;
    compressor_free(e->compressor);
    free(e);
}

/* ---- which ---- */

/* Of those that can be asked for. */
static unsigned mask_of(const struct page *page)
{
    return (page->encodings & (MASKS - 1)) | 1u << PAGE_IDENTITY;
}

enum page_encoding encoder_best(struct encoder *e, const struct http_parse *head, unsigned mask)
{
    struct span value;
    struct http_accept accept;

    if (head->accept_encoding < 0)
        return PAGE_IDENTITY;
    value = http_parse_value(head, head->accept_encoding);
    if (likely(value.bytes == e->last_bytes && memcmp(value.data, e->last, value.bytes) == 0))
        return (enum page_encoding)e->best[mask];
    accept = http_accept_parse(value);
    if (value.bytes == 0 || value.bytes > sizeof e->last)
        return http_accept_choose(&accept, mask, e->order, e->order_count);
    memcpy(e->last, value.data, value.bytes);
    e->last_bytes = value.bytes;
    for (unsigned i = 0; i < MASKS; i++)
        e->best[i] = (uint8_t)http_accept_choose(&accept, i, e->order, e->order_count);
    return (enum page_encoding)e->best[mask];
}

enum page_encoding encoder_wanted(struct encoder *e, const struct http_parse *head)
{
    return encoder_best(e, head, e->configured);
}

enum page_encoding encoder_choose(struct encoder *e, const struct http_parse *head,
                                  const struct page *page)
{
    if (!(page->flags & PAGE_PACKABLE))
        return PAGE_IDENTITY;
    return encoder_best(e, head, mask_of(page));
}

enum page_encoding encoder_lacks(struct encoder *e, const struct http_parse *head,
                                 const struct page *page)
{
    enum page_encoding best;

    if (!(page->flags & PAGE_PACKABLE))
        return PAGE_IDENTITY;
    best = encoder_wanted(e, head);
    if (best == PAGE_IDENTITY || page_has(page, best) || (page->flags & PAGE_GAINED_NOTHING(best)))
        return PAGE_IDENTITY;
    return best;
}

/* ---- whether ---- */

static bool is(const struct js_header *h, const char *name)
{
    return h->name_bytes == strlen(name) && memcmp(h->name, name, h->name_bytes) == 0;
}

static bool says_no_transform(const struct js_header *h)
{
    struct cache_control control;

    if (!is(h, "cache-control"))
        return false;
    cache_control_init(&control);
    cache_control_parse(h->value, h->value_bytes, &control);
    return control.no_transform;
}

bool encoder_pays(const struct encoder *e, const struct js_result *r)
{
    struct span type = {"text/html", 9};

    if (e->order_count == 0 || r->body_bytes < e->min_bytes || r->body_bytes == 0 ||
        r->body_bytes > UINT32_MAX || !reply_status_has_body(r->status) || r->status == 206)
        return false;
    for (size_t i = 0; i < r->header_count; i++) {
        const struct js_header *h = &r->headers[i];

        if (is(h, "content-encoding") || is(h, "content-range") || says_no_transform(h))
            return false;
        if (is(h, "content-type"))
            type = (struct span){h->value, h->value_bytes};
    }
    return compress_pays(type);
}

/* ---- adding one ---- */

/* mark: tells bytes apart that are in one encoding. */
static size_t marked_etag(struct span etag, enum page_encoding encoding, const char *mark,
                          char *out, size_t cap_bytes)
{
    size_t name_bytes = strlen(page_encoding_name(encoding));
    size_t mark_bytes = strlen(mark);

    if (etag.bytes < 2 || etag.data[etag.bytes - 1] != '"' ||
        etag.bytes + 1 + name_bytes + mark_bytes > cap_bytes)
        return 0;
    memcpy(out, etag.data, etag.bytes - 1);
    out[etag.bytes - 1] = '-';
    memcpy(out + etag.bytes, page_encoding_name(encoding), name_bytes);
    memcpy(out + etag.bytes + name_bytes, mark, mark_bytes);
    out[etag.bytes + name_bytes + mark_bytes] = '"';
    return etag.bytes + 1 + name_bytes + mark_bytes;
}

size_t encoder_etag(struct span etag, enum page_encoding encoding, char *out, size_t cap_bytes)
{
    return marked_etag(etag, encoding, "", out, cap_bytes);
}

/* What saves less than a sixteenth is not worth a page's second copy. */
static size_t worth_bytes(size_t body_bytes)
{
    return body_bytes - body_bytes / 16;
}

static bool line_is(const char *line, size_t bytes, const char *name)
{
    size_t name_bytes = strlen(name);

    return bytes > name_bytes && line[name_bytes] == ':' &&
           strncasecmp(line, name, name_bytes) == 0;
}

void encoder_head(struct reply_text *t, struct span head, enum page_encoding encoding,
                  size_t body_bytes, struct span etag)
{
    const char *at = head.data;
    const char *end = at + head.bytes;

    while (at < end) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        size_t bytes = stop ? (size_t)(stop + 1 - at) : (size_t)(end - at);

        if (line_is(at, bytes, "content-length")) {
            reply_add_literal(t, "Content-Length: ");
            reply_add_int(t, (int64_t)body_bytes);
            reply_add_literal(t, "\r\nContent-Encoding: ");
            reply_add_str(t, page_encoding_name(encoding));
            reply_add_literal(t, "\r\n");
        } else if (line_is(at, bytes, "etag") && etag.bytes > 0) {
            reply_add_literal(t, "ETag: ");
            reply_add(t, etag.data, etag.bytes);
            reply_add_literal(t, "\r\n");
        } else {
            reply_add(t, at, bytes);
        }
        at += bytes;
    }
}

/* tags: room for the texts of the page's, which stay in it. */
static struct page_source source_of(const struct page *page, struct span tags[static PAGE_TAGS_MAX])
{
    struct page_source source = {
        .hash = page->hash,
        .path_hash = page->path_hash,
        .epoch = page->epoch,
        .edition = page->edition,
        .stored_ms = page->stored_ms,
        .fresh_until_ms = page->fresh_until_ms,
        .swr_until_ms = page->swr_until_ms,
        .sie_until_ms = page->sie_until_ms,
        .render_us = page->render_us,
        .age_s = page->age_s,
        .flags = page->flags,
        .status = page->status,
        .key = {page_key(page), page->key_bytes},
        .path_offset_in_key = page->path_offset - (uint32_t)sizeof *page,
        .path_bytes = page->path_bytes,
        .tags = tags,
        .tag_count = page_tag_texts(page, tags),
    };

    for (unsigned i = 0; i < PAGE_VARIANTS_MAX; i++) {
        const struct page_variant *v = page_variant(page, i);

        if (!page_has(page, i))
            continue;
        source.variant[i] =
            (struct page_variant_source){{page_at(page, v->head_offset), v->head_bytes},
                                         {page_at(page, v->body_offset), v->body_bytes},
                                         {page_at(page, v->etag_offset), v->etag_bytes}};
    }
    return source;
}

static struct hot_page *build(struct hot *hot, const struct hot_page *from,
                              const struct page_source *source)
{
    size_t bytes = page_bytes(source);
    struct hot_page *made = bytes > 0 ? hot_alloc(hot, bytes) : NULL;

    if (!made)
        return NULL;
    page_build(source, &made->page);
    made->checked_epoch = from->checked_epoch;
    return made;
}

/* With this body in that encoding. NULL: no head can be made for it, or memory lacks. */
static struct hot_page *with_variant(struct hot *hot, const struct hot_page *from,
                                     struct page_source *source, enum page_encoding encoding,
                                     struct span body, const char *mark)
{
    const struct page_variant *v = page_variant(&from->page, PAGE_IDENTITY);
    char etag[256];
    char head_text[HEAD_BYTES_MAX];
    struct reply_text head = {head_text, 0, sizeof head_text, false};
    size_t etag_bytes =
        marked_etag(source->variant[PAGE_IDENTITY].etag, encoding, mark, etag, sizeof etag);

    encoder_head(&head, source->variant[PAGE_IDENTITY].head, encoding, body.bytes,
                 (struct span){etag, etag_bytes});
    if (head.overflow || (etag_bytes == 0 && v->etag_bytes > 0))
        return NULL;
    source->variant[encoding] =
        (struct page_variant_source){{head_text, head.bytes}, body, {etag, etag_bytes}};
    return build(hot, from, source);
}

struct hot_page *encoder_add(struct encoder *e, struct hot *hot, struct hot_page *from,
                             enum page_encoding encoding, enum compress_effort effort)
{
    const struct page_variant *v = page_variant(&from->page, PAGE_IDENTITY);
    struct span tags[PAGE_TAGS_MAX];
    struct page_source source = source_of(&from->page, tags);
    struct hot_page *made = NULL;
    char *body = mi_malloc(v->body_bytes);
    size_t bytes;

    if (!body)
        return NULL;
    bytes = compress_bytes(e->compressor, encoding, effort, source.variant[PAGE_IDENTITY].body,
                           body, worth_bytes(v->body_bytes));
    if (bytes > 0)
        made = with_variant(hot, from, &source, encoding, (struct span){body, bytes}, "");
    if (!made)
        from->page.flags |=
            PAGE_GAINED_NOTHING(encoding); /* this copy's: others find out themselves */
    mi_free(body);
    return made;
}

size_t encoder_pack_each(struct encoder *e, enum page_encoding encoding, struct span in, char *out)
{
    return compress_bytes(e->compressor, encoding, COMPRESS_EACH, in, out, worth_bytes(in.bytes));
}

enum page_encoding encoder_improvable(const struct page *page)
{
    if (!(page->flags & PAGE_PACKABLE))
        return PAGE_IDENTITY;
    for (unsigned i = 1; i < PAGE_ENCODINGS; i++)
        if (page_has(page, i) && !(page->flags & PAGE_PACKED_BEST(i)))
            return (enum page_encoding)i;
    return PAGE_IDENTITY;
}

struct hot_page *encoder_improve(struct hot *hot, struct hot_page *from,
                                 enum page_encoding encoding, struct span body)
{
    struct span tags[PAGE_TAGS_MAX];
    struct page_source source = source_of(&from->page, tags);
    struct hot_page *made = NULL;

    source.flags |= PAGE_PACKED_BEST(encoding);
    if (body.bytes > 0 && body.bytes < page_variant(&from->page, encoding)->body_bytes)
        made = with_variant(hot, from, &source, encoding, body, "+");
    if (!made)
        from->page.flags |= PAGE_PACKED_BEST(encoding); /* likewise */
    return made;
}
