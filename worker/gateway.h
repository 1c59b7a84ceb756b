/* SPDX-License-Identifier: MIT */
/*
 * gateway.h - listeners that speak what adapters of other languages' frameworks speak to Node.js (config
 * key `gateway`): Inertia's server (Laravel, Rails, Django …) and Hypernova's (Rails, Java, PHP …). HTTP
 * and what fails outside of JavaScript are here; polyfills/gateway.js makes the answers.
 */
#ifndef SSRD_WORKER_GATEWAY_H
#define SSRD_WORKER_GATEWAY_H

#include "shm/base.h"
#include "worker/http_parse.h"
#include "worker/js.h"

struct conn;

/* A request on such a listener; answered now (gathered, see conn.h), or conn->request is set. */
void gateway_request(struct conn *conn, const struct http_parse *head, struct span body);

/* The answer for a render that ended in no page: 500 in the protocol's own shape. data: of the call, a page object or a
 * batch; empty: there was none to be read. error may be NULL. */
void gateway_failure(struct conn *conn, const struct http_parse *head, uint16_t status,
                     const char *id, struct span data, const struct js_error *error);

#endif
