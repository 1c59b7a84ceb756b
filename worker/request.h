/* SPDX-License-Identifier: MIT */
/*
 * request.h - the path of a request for a page: key, hot cache, cold cache, someone else's render,
 * own render. Design: worker/README.md, "A page's path".
 */
#ifndef SSRD_WORKER_REQUEST_H
#define SSRD_WORKER_REQUEST_H

#include "shm/base.h"
#include "worker/http_parse.h"
#include "worker/js.h"

struct conn;
struct http;
struct request;
struct requests;

int requests_new(struct http *http, struct requests **ret_requests); /* 0 / -ENOMEM */
/* Renders that wait are withdrawn. By then the connections are closed, and the renderer is freed or
 * has none of ours open. Takes NULL. */
void requests_free(struct requests *requests);

/* A request on a listener for pages: answered now (gathered, see conn.h), or conn->request is set.
 * body: borrowed. */
void request_page(struct conn *conn, const struct http_parse *head, struct span body);

/* POST /render of the admin listener, and calls of gateways. */
struct request_ask {
    struct span data; /* JSON */
    bool with_cache;  /* false: past the cache */
    enum js_call call;
    bool as_json; /* answer {"status", "headers", "html"} */
};
/* head: of the request to be rendered; outer: of the request to be answered; both borrowed. */
void request_render(struct conn *conn, const struct http_parse *outer,
                    const struct http_parse *head, const struct request_ask *ask);

/* See http_help(); flight_share.c. */
bool requests_help(struct requests *requests);

/* Now and then: who has waited for another worker in vain is told so. flight_wait.c */
void flights_check(struct requests *requests);

/* The purge epoch of the oldest render that is open, of now when none is. */
uint64_t requests_oldest_epoch(const struct requests *requests);

/* The connection of a waiting request is being closed. */
void request_forget(struct request *request);

/* For how long, if only its own client wants what it waits for; else 0. */
uint64_t request_waited_ms(const struct request *request);

#endif
