/* SPDX-License-Identifier: MIT */
/*
 * conn.h - one client connection: bytes in, requests out to request.c or admin.c, answers back, in
 * order. An idle one is this struct and nothing else. States and deadlines: worker/README.md,
 * "Connections".
 */
#ifndef SSRD_WORKER_CONN_H
#define SSRD_WORKER_CONN_H

#include "shm/base.h"
#include "shm/heritage.h"
#include "worker/deadline.h"
#include "worker/http_parse.h"
#include "worker/http_reply.h"

#include <event2/event_struct.h>
#include <sys/socket.h>

struct carry;
struct hot_page;
struct http;
struct out_file;
struct request;
struct unsent;

/* Who is at the other end, as far as we were told. A plain record: it goes along with a connection
 * to another worker, which believes nothing of it (handover_check()). */
struct conn_client {
    uint8_t proxied; /* 1: a header of the PROXY protocol has come; 0: what the socket says holds */
    uint8_t trusted; /* 1: the peer is a proxy of ours: http.trusted */
    uint8_t family;  /* of address: 4, 6 (bytes), 0: none */
    uint8_t reserved;
    uint8_t address[16]; /* in network order; behind a proxy of ours that of the last request */
};
static_assert(sizeof(struct conn_client) == 20, "200 of them go in one message");

struct conn {
    struct event event;
    struct deadline deadline;
    TAILQ_ENTRY(conn) link;
    struct http *http;
    struct carry *carry;     /* a request that has begun to arrive; else NULL */
    struct unsent *unsent;   /* answers that the socket did not take; else NULL */
    struct request *request; /* waits for a render; else NULL */
    char *rest;              /* pipelined bytes not looked at yet; else NULL */
    size_t rest_bytes;
    uint64_t unsent_since_ms; /* http->now_ms when the socket took no more */
    uint64_t unsent_gone;     /* bytes of it that it has taken since */
    uint64_t stream_bytes;    /* of the page that goes out in parts */
    uint64_t request_ns;      /* mono: when the callback that took the request up began */
    int fd;
    short watching; /* EV_READ, EV_WRITE or 0 */
    uint32_t who;   /* counters of the client's address: limit.h */
    struct conn_client client;
    struct conn_client own; /* when renamed: client and who as they were */
    uint32_t own_who;
    bool
        renamed; /* a proxy of ours has named its client, in the last request that had such fields */
    unsigned depth; /* from within, by fetch(): how many renders wait for it; 0: a client */
    bool counted;   /* among its connections */
    bool unwelcome; /* beyond http.limit.connections: told so, and closed */
    bool turned;    /* it has been told; counted apart */
    bool proxy;     /* a header of the PROXY protocol comes first */
    enum listener_kind kind;
    bool admin;   /* not for pages: of the admin listener or a gateway */
    bool fresh;   /* nothing received yet */
    bool closing; /* no more requests; close when all is sent */
    bool careful; /* the client may still be sending: linger, so that it can read the answer */
    bool lingering;
    bool dead;
    bool half_closed; /* the client has closed its side, or all: TCP does not tell */
    bool streaming;   /* the head of an answer is out, its end is not */
    uint16_t stream_status;
    uint8_t stream_origin; /* enum reply_origin */
};
static_assert(sizeof(struct conn) <= 1024, "an idle connection is cheap");

/* Takes fd, whatever is returned. 0 / -ENOMEM. */
int conn_new(struct http *http, int fd, enum listener_kind kind, const struct sockaddr *peer);

/* One more than there is room for: it is told 503, and closed. Takes fd, whatever is returned. 0 / -ENOMEM. */
int conn_new_unwelcome(struct http *http, int fd);

/*
 * For a move to another worker: what has come of requests that are not answered yet, as it came, in
 * three pieces that lie in the connection and its request. Returns their bytes (0: it is idle), or
 * SIZE_MAX when it can't go: a body or an answer is half way, or it is closing.
 */
size_t conn_unanswered(const struct conn *conn, struct span ret_piece[static 3]);

/* A connection that another worker had, with such bytes. client: what it knew of the other end. Takes fd,
 * whatever is returned. 0 / -ENOMEM. */
int conn_adopt(struct http *http, int fd, enum listener_kind kind, const struct conn_client *client,
               const char *data, size_t bytes);

/* Close at once. Not from within a request's handling. */
void conn_free(struct conn *conn);

/* A deadline has passed. */
void conn_expired(struct conn *conn, const struct deadline_list *list);

bool conn_is_idle(const struct conn *conn);

/*
 * Answers. head: the request. They only
 * gather: whoever answers a request that waited calls conn_answered() afterwards; it may free the
 * connection.
 */
void conn_reply_page(struct conn *conn, const struct http_parse *head, struct hot_page *page,
                     const struct reply_cache *cache);

/* lines: further fields, each with CRLF, "" for none; a body without type is text/plain. */
void conn_reply_text(struct conn *conn, const struct http_parse *head, uint16_t status,
                     const char *type, const char *lines, const char *body, size_t body_bytes);

/* To a request that could not be read: then the connection closes. is_head: as far as it could, it was a HEAD. */
void conn_reply_refusal(struct conn *conn, uint16_t status, const char *body, size_t body_bytes,
                        bool is_head);

/* A file, a part of one, or what to say instead. fields: of the head of the whole, each with CRLF. */
struct reply_file {
    uint16_t status; /* 200, 206, 304, 412, 416 */
    struct span fields;
    uint64_t first; /* what is sent of it, with 200 and 206 */
    uint64_t bytes;
    uint64_t total;
    struct hot_page *hot; /* the whole lies in it at data */
    const char *data;     /* NULL: it lies in file */
    struct out_file *file;
};
void conn_reply_file(struct conn *conn, const struct http_parse *head,
                     const struct reply_file *file);

/* 103 Early Hints (RFC 8297) ahead of an answer that is not there yet; links: the value of Link. */
void conn_hint(struct conn *conn, struct span links);

void conn_answered(struct conn *conn);

/*
 * A page that goes out in parts, chunked (RFC 9112 section 7.1). fields: its status line and fields, as
 * reply_page_head() makes them; Content-Length is left out.
 */
void conn_stream_begin(struct conn *conn, const struct http_parse *head, struct span fields,
                       bool has_date, const struct reply_cache *cache);
/* Gather one chunk, and write what is gathered. False: the client does not keep up; when it has, its request
 * hears flight_stream_drained(). The connection may be gone: its request then has none. */
bool conn_stream_part(struct conn *conn, const char *data, size_t bytes);
/* Gather one chunk: conn_progress() or conn_stream_end() comes next. */
void conn_stream_gather(struct conn *conn, const char *data, size_t bytes);
/* Gather the end, or cut it: without the last chunk, and the connection closes. Then conn_answered(). */
void conn_stream_end(struct conn *conn, const struct http_parse *head, bool is_whole);

/* A part of an answer is gathered: write it, and wait for what comes next. May free. False: not all of it
 * is out. */
bool conn_progress(struct conn *conn);

/* Has the client of a waiting request left? One that only half-closed its side counts as present
 * for a second, since "send, shut down, read" is a legal way to ask. */
bool conn_has_left(struct conn *conn, uint64_t waiting_ms);

#endif
