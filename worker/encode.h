/* SPDX-License-Identifier: MIT */
/*
 * encode.h - pages in encodings: which one a request gets, and adding one that a page does not have
 * yet. A page is packed once for each encoding that is asked for, and kept with it; never once a
 * request. Design: worker/README.md, "Encodings".
 */
#ifndef SSRD_WORKER_ENCODE_H
#define SSRD_WORKER_ENCODE_H

#include "shm/base.h"
#include "shm/page.h"
#include "worker/compress.h"
#include "worker/http_parse.h"
#include "worker/http_reply.h"
#include "worker/js.h"

struct config;
struct encoder;
struct hot;
struct hot_page;

/* 0 / -ENOMEM. */
int encoder_new(const struct config *config, struct encoder **ret_encoder);
void encoder_free(struct encoder *encoder); /* takes NULL */

/* Is the answer worth it: long enough, of a type that gets smaller, neither encoded nor
 * Cache-Control: no-transform (RFC 9111 section 5.2.2.6), a status with content of its own? */
bool encoder_pays(const struct encoder *encoder, const struct js_result *result);

/* Of the encodings in the mask (1 << enum page_encoding) the one that the request takes best. */
enum page_encoding encoder_best(struct encoder *encoder, const struct http_parse *head,
                                unsigned mask);

/* Of those that are configured the one that the request takes best. */
enum page_encoding encoder_wanted(struct encoder *encoder, const struct http_parse *head);

/* What to send of those that the page has. */
enum page_encoding encoder_choose(struct encoder *encoder, const struct http_parse *head,
                                  const struct page *page);

/* What the page lacks and the request would rather have; PAGE_IDENTITY: nothing. */
enum page_encoding encoder_lacks(struct encoder *encoder, const struct http_parse *head,
                                 const struct page *page);

/* A tag of its own for each encoding (RFC 9110 section 8.8.3.3): `"x"` becomes `"x-br"`. Bytes; 0:
 * etag is none that can be told apart, or too long. */
size_t encoder_etag(struct span etag, enum page_encoding encoding, char *out, size_t cap_bytes);

/* From a page's head to that of an encoding: its length and Content-Encoding, its tag unless bytes are 0. */
void encoder_head(struct reply_text *text, struct span head, enum page_encoding encoding,
                  size_t body_bytes, struct span etag);

/*
 * The page with one encoding more, the caller its one holder; `page` keeps its holders. Where packing gains nothing that is noted in the
 * page itself, so that it is not tried again, and NULL returned; also for lack of memory.
 */
struct hot_page *encoder_add(struct encoder *encoder, struct hot *hot, struct hot_page *page,
                             enum page_encoding encoding, enum compress_effort effort);

/* in packed for one answer alone, into out, which has in.bytes of room. Bytes; 0: it gains nothing, or memory lacks. */
size_t encoder_pack_each(struct encoder *encoder, enum page_encoding encoding, struct span in,
                         char *out);

/* An encoding of the page that may become smaller when there is time; PAGE_IDENTITY: none. */
enum page_encoding encoder_improvable(const struct page *page);

/*
 * The page with this body (packed with COMPRESS_BEST; borrowed) in the place of what it has in that
 * encoding, and an entity tag of its own; the caller its one holder. Where it is no smaller that is noted in the page
 * itself, and NULL returned; also for lack of memory.
 */
struct hot_page *encoder_improve(struct hot *hot, struct hot_page *page,
                                 enum page_encoding encoding, struct span body);

#endif
