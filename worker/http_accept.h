/* SPDX-License-Identifier: MIT */
/* http_accept.h - the Accept-Encoding field (RFC 9110 section 12.5.3). Pure. */
#ifndef SSRD_WORKER_HTTP_ACCEPT_H
#define SSRD_WORKER_HTTP_ACCEPT_H

#include "shm/base.h"
#include "shm/page.h"

/* What a client takes: a weight each, in thousandths; 0: not acceptable. */
struct http_accept {
    uint16_t weight[PAGE_ENCODINGS];
};

/* A request without the field: any would do, but clients that do not name an encoding seldom know
 * it, so identity alone. */
static inline struct http_accept http_accept_identity(void)
{
    return (struct http_accept){.weight = {[PAGE_IDENTITY] = 1000}};
}

/* value: of the field, several of them joined with a comma. Items that are no encodings, or have a
 * bad weight, are passed over. An encoding that is not named has the weight of `*`, else 0;
 * identity then 1: better than nothing at all. */
struct http_accept http_accept_parse(struct span value);

/* The encoding of most weight among those of the mask (1 << enum page_encoding; identity always
 * counts as there); at equal weight the first in `order`, identity last. When even identity is
 * refused it is sent all the same: RFC 9110 section 12.5.3 lets a server, and 406 helps nobody. */
enum page_encoding http_accept_choose(const struct http_accept *accept, unsigned mask,
                                      const enum page_encoding *order, size_t order_count);

#endif
