/* SPDX-License-Identifier: MIT */
/*
 * forwarded.h - whose request a trusted proxy passes on, and to which scheme and host it was: X-Forwarded-For,
 * -Proto and -Host, or, where none of these is there, Forwarded (RFC 7239). Pure.
 */
#ifndef SSRD_WORKER_FORWARDED_H
#define SSRD_WORKER_FORWARDED_H

#include "shm/network.h"
#include "worker/http_parse.h"

/*
 * The last address of the list that is not itself trusted: what stands before it the client may have written. False: there is none, or what stands
 * there is no address ("unknown", a pseudonym): then the peer's own counts.
 */
bool forwarded_client(const struct http_parse *head, const struct network *trusted, size_t count,
                      struct sockaddr_storage *ret_address);

/*
 * Scheme and host that the client asked for become those of the request, for keys and for request.url. Of several
 * values that proxies have added one to another the one that stands where the client's address does counts: what stands before it the
 * client may have written. Of fewer values than that the first, from a proxy that overwrites. What is no scheme (http, https)
 * or no host changes nothing.
 */
void forwarded_take_origin(struct http_parse *head, const struct network *trusted, size_t count);

/* Take X-Forwarded-* and Forwarded out of a request whose peer is not trusted. */
void forwarded_drop(struct http_parse *head);

#endif
