/* SPDX-License-Identifier: MIT */
/*
 * http.h - the HTTP side of a worker as its main loop sees it: listeners, connections, requests.
 * Behind it: conn (bytes and deadlines), http_parse, http_reply, request (the path of a page),
 * key, hot, admin.
 */
#ifndef SSRD_WORKER_HTTP_H
#define SSRD_WORKER_HTTP_H

#include "shm/base.h"

struct worker;
struct http;

/* 0 / -ENOMEM. Nothing is accepted before http_start(). */
int http_new(struct worker *worker, struct http **ret_http);
void http_free(struct http *http); /* closes what is open; takes NULL */

/* Accept on the listeners of the heritage. 0 / negative errno. */
int http_start(struct http *http);

/*
 * Stop accepting. Each connection gets its next answer with `Connection: close`; it is not closed
 * before that (a client may be sending on it), but for close_idle: then idle ones close now.
 */
void http_drain(struct http *http, bool close_idle);

/* This worker has nothing to render: take what others offer. True: a render has been queued. Between
 * turns of the loop. */
bool http_help(struct http *http);

/* There is time: make stored pages smaller (polish.h). False: there is nothing to make smaller. Between turns. */
bool http_polish(struct http *http);

/* Has a listener for pages this TCP port? */
bool http_has_port(const struct http *http, unsigned port);

/* A connection from within, by a render that fetches from this server itself: depth as that of js_request, 1
 * or more. Takes fd, whatever is returned. Any callback, with the lane. 0 / -ENOMEM. */
int http_take_inside(struct http *http, int fd, unsigned depth);

size_t http_connections(const struct http *http);

/* Close everything, whatever it is doing: the deadline has come. */
void http_abort(struct http *http);

#endif
