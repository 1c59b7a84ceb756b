/* SPDX-License-Identifier: MIT */
/*
 * conn_peer.h - who is at the other end of a connection for pages: its address, whether it is a proxy of ours,
 * and how much it may ask for. For conn.c. Design: worker/README.md, "Limits and proxies".
 */
#ifndef SSRD_WORKER_CONN_PEER_H
#define SSRD_WORKER_CONN_PEER_H

#include "worker/conn.h"

/* From now on this is the client's address. */
void peer_note(struct conn *conn, const struct sockaddr *peer);

/* A new connection: sets trusted, proxy, unwelcome. */
void peer_meet(struct conn *conn, const struct sockaddr *peer);

/* Count it among those of its address. False: it would be one too many. */
bool peer_is_welcome(struct conn *conn);
enum peer_refusal {
    PEER_TOO_MANY, /* 429: http.limit.connections */
    PEER_NO_ROOM,  /* 503: http.connections, and all are at work */
};
void peer_turn_away(struct conn *conn,
                    enum peer_refusal why); /* tells it, and that no more comes */
void peer_left(struct conn *conn);          /* it is being closed */

/* What the worker that had it knew, by a PROXY header. */
void peer_restore(struct conn *conn, const struct conn_client *client);

/* The other end, whomever requests were made for. Valid as long as the connection. */
const struct conn_client *peer_own(const struct conn *conn);

/* Whose request it is, as text, "" if nobody is known; head: NULL when it could not be read; ret_text: INET6_ADDRSTRLEN. */
const char *peer_text(const struct conn *conn, const struct http_parse *head, char *ret_text);

/* The PROXY header has come; family AF_UNSPEC: it names nobody. */
void peer_proxied(struct conn *conn, const struct sockaddr_storage *client);

/* A request with X-Forwarded-* or Forwarded: believed, or taken out. */
void peer_forwarded(struct conn *conn, struct http_parse *head);

/* False: one request too many of its address; it has been told. */
bool peer_admit(struct conn *conn, const struct http_parse *head);

#endif
