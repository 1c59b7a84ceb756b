/* SPDX-License-Identifier: MIT */
/*
 * vary.h - by which request headers a page's variants are told apart (RFC 9111 section 4.1), beyond what the route's
 * policy puts into every key. The names stand in a record, which is kept in the caches as a page of
 * status 0 under the key of the URL ("primary key"); each variant stands under a key of its own, the
 * primary one with names and values behind it. Design: worker/README.md, "Two levels of keys".
 */
#ifndef SSRD_WORKER_VARY_H
#define SSRD_WORKER_VARY_H

#include "shm/base.h"
#include "shm/page.h"
#include "worker/http_parse.h"
#include "worker/key.h"

#define VARY_NAMES_MAX 16
#define VARY_TEXT_BYTES 1024

/* Names in lower case, each once, in alphabetical order, with a newline between them. */
struct vary {
    size_t count;
    size_t bytes;
    char text[VARY_TEXT_BYTES];
};

static inline void vary_init(struct vary *vary)
{
    vary->count = 0;
    vary->bytes = 0;
}

/* Add a name, any case; one that is there already is fine. False: it is no field name, or there are too many. */
bool vary_add(struct vary *vary, const char *name, size_t name_bytes);
bool vary_has(const struct vary *vary, const char *name, size_t name_bytes); /* lower case */

/* From the body of a record, and from the key of a variant: foreign bytes, for the cold cache may be
 * a file. False: they are none. */
bool vary_from_record(struct vary *vary, const struct page *page);
bool vary_from_key(struct vary *vary, const struct key *key);

/*
 * Make the key of the request's variant: cut `key` back to its primary part, and append names and
 * values in normal form. key->data must lie in buf, of cap_bytes.
 * 0 / -ENOBUFS: too long to be kept / -EACCES: the record has "cookie" or "authorization", which means
 * requests without such a field, and this one has it.
 */
int vary_key(const struct vary *vary, const struct http_parse *head, char *buf, size_t cap_bytes,
             struct key *key);

/*
 * A value in normal form, at most as long as it was: white space beside commas removed, but not in
 * quoted strings; case folded where the field does not tell it apart (Accept-Language, Accept-Encoding,
 * Accept-Charset). Order stays: RFC 9110 section 12.5.4 leaves to the application what it means. Returns bytes.
 */
size_t vary_normalise(struct span name, struct span value, char *out);

#endif
