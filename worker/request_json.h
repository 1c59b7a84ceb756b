/* SPDX-License-Identifier: MIT */
/*
 * request_json.h - answers of POST /render as JSON: a page taken apart for a back end, a failure as
 * problem details (RFC 9457). They only gather, as conn_reply_*() do.
 */
#ifndef SSRD_WORKER_REQUEST_JSON_H
#define SSRD_WORKER_REQUEST_JSON_H

#include "shm/base.h"
#include "worker/hot.h"
#include "worker/http_parse.h"
#include "worker/js.h"

struct conn;

/* {"status", "headers", "html"}; a header sent twice becomes an array. id: "" for a page from a
 * cache. */
void request_reply_json(struct conn *conn, const struct http_parse *head,
                        const struct hot_page *hot, const char *id);

/* error may be NULL. The admin listener is for operators and back ends: it gets the inside, clients
 * don't. */
void request_reply_problem(struct conn *conn, const struct http_parse *head, uint16_t status,
                           const char *id, const struct js_error *error);

/* The same, without a render. */
void request_reply_complaint(struct conn *conn, const struct http_parse *head, uint16_t status,
                             const char *detail);

#endif
