/* SPDX-License-Identifier: MIT */
/*
 * http_state.h - struct http, which the files of the HTTP side share: what there is once a worker.
 * The worker's loop sees http.h.
 */
#ifndef SSRD_WORKER_HTTP_STATE_H
#define SSRD_WORKER_HTTP_STATE_H

#include "shm/network.h"
#include "shm/page.h"
#include "worker/conn.h"
#include "worker/deadline.h"
#include "worker/hot.h"
#include "worker/http.h"
#include "worker/http_parse.h"
#include "worker/http_reply.h"
#include "worker/request.h"
#include "worker/static.h"
#include "worker/worker.h"

#include <event2/event_struct.h>
#include <sys/uio.h>

#define HTTP_IN_BYTES 65536u
#define HTTP_TEXT_BYTES 65536u
#define HTTP_PIECES 32u
#define HTTP_HEAD_BYTES_MAX 16384u /* of a page's response head */
#define HTTP_ADMIN_MAX 256u        /* connections for administration in a worker */
#define HTTP_LINGER_MS 2000u
#define HTTP_LEFT_MS 1000u   /* who has closed its side, and hears nothing for so long, has left */
#define HTTP_TURNED_MAX 256u /* connections that were told to go, and have not gone */

struct hints;
struct limit;

struct http_listener {
    struct http *http;
    const struct heritage_listener *from;
    struct event event;
    bool watched;
    uint16_t port; /* 0: none, a Unix socket */
};

/*
 * The answers to what one read brought, written at once. Text is copied; large bodies are pointed
 * to and held. Empty between callbacks.
 */
struct http_batch {
    struct iovec piece[HTTP_PIECES];
    struct hot_page *held[HTTP_PIECES]; /* NULL: the piece is text, or of a file */
    struct out_file *file[HTTP_PIECES]; /* not NULL: iov_base is an offset in it */
    unsigned pieces;
    size_t text_bytes;
    char text[HTTP_TEXT_BYTES];
};

struct http {
    struct worker *worker;
    const struct config *config;
    const struct region *region;
    struct http_limits limits;
    uint64_t wake_ns; /* mono, taken when a callback begins */
    uint64_t now_ms;  /* cold clock, taken when a callback begins: also the clock of deadlines */
    struct reply_date date;
    bool server_timing; /* http.server_timing, at hand: each hit looks */
    struct hot *hot;
    struct requests *requests;
    struct encoder *encoder;
    struct polish *polish;
    struct hints *hints;     /* NULL: http.early_hints is off */
    struct statics *statics; /* NULL: no folders of files */

    struct http_listener *listener;
    size_t listener_count;
    bool accepting;          /* between http_start() and http_drain() */
    bool paused;             /* for lack of descriptors or room */
    bool starving;           /* of descriptors: administration has to wait too */
    uint64_t pause_until_ms; /* UINT64_MAX: until a connection closes */
    uint64_t pause_logged_ms;
    uint64_t full_logged_ms;
    uint64_t full_since_ms; /* 0: there is room */
    bool stopped;           /* its copies of the listening sockets are closed */

    TAILQ_HEAD(conn_list, conn) conns;
    size_t conn_count;  /* for pages */
    size_t admin_count; /* for administration and gateways */
    size_t turned_count;
    size_t conn_max;    /* this worker's share of http.connections */
    uint64_t elsewhere; /* connections of other workers at elsewhere_ms */
    uint64_t elsewhere_ms;
    struct limit *limit; /* of one address; NULL: none */
    struct network *trusted;
    size_t trusted_count;
    struct deadline_list keepalive, header, body, send, linger, silence;
    struct handover *handover;
    struct event *tick;
    bool close_idle;

    uint64_t body_bytes; /* room for bodies that are arriving: conn_in.h */
    uint64_t body_bytes_max;
    struct http_parse parse; /* of a request that is whole in one read */
    struct http_batch batch;
    char in[HTTP_IN_BYTES];
};

/* A callback begins: take the time, renew what depends on it. */
void http_wake(struct http *http);

/* For one connection more? May make it. Not from within a request's handling. */
bool http_has_room(struct http *http);

/* One connection gives its place to a newcomer. Not from within a request's handling. False: all are at work. */
bool http_make_room(struct http *http);

/* The connection that has been silent longest in the midst of a body; NULL: there is none. */
struct conn *http_silent_in_body(const struct http *http);

/* A connection was closed: there is room again. */
void http_conn_closed(struct http *http);

#endif
