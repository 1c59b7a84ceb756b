/* SPDX-License-Identifier: MIT */
/*
 * conn.c - see conn.h. Every entry (readable, writable, expired, answered) ends in settle(), the
 * one place that decides what the connection waits for next and the only one that frees it.
 */
#include "worker/conn.h"

#include "worker/conn_in.h"
#include "worker/conn_out.h"
#include "worker/conn_peer.h"
#include "worker/flight.h"
#include "worker/http_state.h"
#include "worker/proxy_header.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/event.h>
#include <mimalloc.h>
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

static void on_event(evutil_socket_t fd, short events, void *arg);

static void watch(struct conn *c, short what)
{
    if (c->watching == what)
        return;
    if (c->watching)
        (void)event_del(&c->event);
    c->watching = what;
    if (what == 0)
        return;
    (void)event_assign(&c->event, c->http->worker->base, c->fd, (short)(what | EV_PERSIST),
                       on_event, c);
    if (event_add(&c->event, NULL) != 0)
        c->dead = true;
}

/* Pages and administration don't take each other's places. */
static size_t *count_of(const struct conn *c)
{
    if (unlikely(c->turned))
        return &c->http->turned_count;
    return c->admin ? &c->http->admin_count : &c->http->conn_count;
}

/*
 * Tell it that it is one too many. Closed at once TCP would reset, and the client might never see why, since what it
 * has sent is not read; so it lingers, as long as not too many do, in no place that others may have.
 */
static void turn_away(struct conn *c, enum peer_refusal why)
{
    struct http *http = c->http;

    *count_of(c) -= 1;
    c->turned = true;
    *count_of(c) += 1;
    c->proxy = false;
    mi_free(c->rest);
    c->rest = NULL;
    c->closing = c->careful = c->lingering = true;
    peer_turn_away(c, why);
    deadline_set(&http->linger, &c->deadline, http->now_ms);
    if (http->turned_count > HTTP_TURNED_MAX)
        conn_free(c);
}

/* *ret_conn: NULL when it was turned away at once. */
static int conn_make(struct http *http, int fd, enum listener_kind kind,
                     const struct sockaddr *peer, struct conn **ret_conn)
{
    struct conn *c = mi_zalloc(sizeof *c);

    if (!c) {
        (void)close(fd);
        return -ENOMEM;
    }
    c->http = http;
    c->fd = fd;
    c->kind = kind;
    c->admin = kind != LISTENER_PAGES;
    c->fresh = true;
    peer_note(c, peer);
    if (!c->admin)
        peer_meet(c, peer);
    TAILQ_INSERT_TAIL(&http->conns, c, link);
    *count_of(c) += 1;
    watch(c, EV_READ);
    deadline_set(&http->header, &c->deadline, http->now_ms);
    if (c->dead) {
        conn_free(c);
        return -ENOMEM;
    }
    if (unlikely(c->unwelcome)) {
        turn_away(c, PEER_TOO_MANY);
        c = NULL;
    }
    *ret_conn = c;
    return 0;
}

int conn_new(struct http *http, int fd, enum listener_kind kind, const struct sockaddr *peer)
{
    struct conn *c;

    return conn_make(http, fd, kind, peer, &c);
}

int conn_new_unwelcome(struct http *http, int fd)
{
    static const struct sockaddr nobody = {.sa_family = AF_UNSPEC};
    struct conn *c;
    int error = conn_make(http, fd, LISTENER_PAGES, &nobody, &c);

    if (!error && c)
        turn_away(c, PEER_NO_ROOM);
    return error;
}

void conn_free(struct conn *c)
{
    struct http *http = c->http;

    watch(c, 0);
    deadline_clear(&c->deadline);
    if (c->request)
        request_forget(c->request);
    in_free(c);
    unsent_free(c->unsent);
    mi_free(c->rest);
    (void)close(c->fd);
    TAILQ_REMOVE(&http->conns, c, link);
    *count_of(c) -= 1;
    peer_left(c);
    mi_free(c);
    http_conn_closed(http);
}

bool conn_is_idle(const struct conn *c)
{
    return !c->carry && !c->unsent && !c->request && !c->rest && !c->lingering &&
           !(c->depth > 0 && c->fresh); /* one from within is never without a request for long */
}

size_t conn_unanswered(const struct conn *c, struct span ret_piece[static 3])
{
    const struct http_parse *head = c->request ? c->request->outer : NULL;

    if (c->streaming || c->unsent || c->lingering || c->closing || c->dead || c->depth > 0 ||
        (c->carry && c->carry->in_body) || (head && head->has_body))
        return SIZE_MAX;
    ret_piece[0] = head ? (struct span){head->base, head->head_bytes} : (struct span){NULL, 0};
    ret_piece[1] =
        c->carry ? (struct span){c->carry->head, c->carry->head_bytes} : (struct span){NULL, 0};
    ret_piece[2] = (struct span){c->rest, c->rest ? c->rest_bytes : 0};
    return ret_piece[0].bytes + ret_piece[1].bytes + ret_piece[2].bytes;
}

bool conn_has_left(struct conn *c, uint64_t waiting_ms)
{
    char byte;
    ssize_t n = recv(c->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);

    if (n > 0)
        return false;
    c->half_closed = n == 0;
    if (n == 0)
        return waiting_ms >= HTTP_LEFT_MS;
    return errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR;
}

/* ---- what next ---- */

/*
 * Each pause may be as long as its timeout, but not one after another for ever: with a byte in each, a body of 1 MiB
 * would take months. As many bytes as min_rate in each second but the first `grace`; once a client that began slowly goes on
 * faster, that is made up for.
 */
static bool is_too_slow(const struct http *http, uint64_t since_ms, uint64_t bytes,
                        uint64_t grace_ms)
{
    uint64_t took_ms = http->now_ms - since_ms;

    return took_ms > grace_ms &&
           bytes < (took_ms - grace_ms) * http->config->http.min_rate_bytes / 1000;
}

static void __attribute__((noinline, cold)) refuse_slow_body(struct conn *c)
{
    const struct http *http = c->http;
    const struct carry *carry = c->carry;

    if (!carry || !carry->in_body || c->dead ||
        !is_too_slow(http, carry->body_since_ms, carry->parse.raw_bytes,
                     http->config->http.body_timeout_ms))
        return;
    in_refuse(c, &c->carry->parse, 408, "the request body came too slowly");
    in_flush(c);
}

static void settle_closing(struct conn *c)
{
    struct http *http = c->http;

    if (!c->careful) {
        conn_free(c);
        return;
    }
    /* Closed with bytes unread, TCP resets and the client may lose our answer: read on a while. */
    if (!c->lingering) {
        c->lingering = true;
        in_free(c);
        (void)shutdown(c->fd, SHUT_WR);
    }
    watch(c, EV_READ);
    deadline_keep(&http->linger, &c->deadline, http->now_ms);
    if (c->dead)
        conn_free(c);
}

/* The render has a deadline of its own, but to a reader who has left a stream for him alone may have nothing to say until then,
 * and keep others waiting for so long. */
static void settle_waiting(struct conn *c)
{
    if (unlikely(c->half_closed) && flight_stream_is_private(c->request))
        deadline_set(&c->http->silence, &c->deadline, c->http->now_ms);
    else
        deadline_clear(&c->deadline);
}

static void settle(struct conn *c)
{
    struct http *http = c->http;

    if (unlikely(c->dead)) {
        conn_free(c);
        return;
    }
    if (unlikely(c->unsent != NULL)) {
        if (c->watching != EV_WRITE) {
            c->unsent_since_ms = http->now_ms;
            c->unsent_gone = 0;
        }
        watch(c, EV_WRITE);
        deadline_keep(&http->send, &c->deadline, http->now_ms);
    } else if (c->request) {
        settle_waiting(c);
        if (c->watching == EV_WRITE) /* what stood ahead of it is out: nothing is to be written */
            watch(c, EV_READ);
    } else if (c->closing) {
        settle_closing(c);
        return;
    } else {
        watch(c, EV_READ);
        if (likely(!c->carry))
            deadline_set(&http->keepalive, &c->deadline, http->now_ms);
        else if (!c->carry->in_body)
            deadline_keep(&http->header, &c->deadline, http->now_ms);
        else
            deadline_set(&http->body, &c->deadline, http->now_ms);
        if (unlikely(http->close_idle) && conn_is_idle(c))
            c->dead = true;
    }
    if (unlikely(c->dead))
        conn_free(c);
}

/* Answer what can be, keep what can't yet. */
static void serve(struct conn *c, const char *data, size_t bytes)
{
    size_t used = 0;

    for (;;) {
        used += in_take(c, data + used, bytes - used);
        in_flush(c);
        if (used == bytes || !in_can_take(c))
            break;
    }
    if (unlikely(c->carry != NULL))
        refuse_slow_body(c);
    if (unlikely(used < bytes)) {
        if (c->closing) {
            c->careful = true;
        } else if (!c->dead) {
            c->rest = mi_malloc(bytes - used);
            c->rest_bytes = bytes - used;
            if (c->rest)
                memcpy(c->rest, data + used, bytes - used);
            else
                c->dead = true;
        }
    }
    settle(c);
}

/* Nothing hinders the connection any more: go on with what came in meanwhile. */
static void go_on(struct conn *c)
{
    char *rest = c->rest;
    size_t bytes = c->rest_bytes;

    if (!rest || !in_can_take(c)) {
        c->careful |= rest != NULL;
        settle(c);
        return;
    }
    c->rest = NULL;
    c->rest_bytes = 0;
    serve(c, rest, bytes);
    mi_free(rest);
}

void conn_answered(struct conn *c)
{
    c->request = NULL;
    in_flush(c);
    go_on(c);
}

bool conn_progress(struct conn *c)
{
    bool flows;

    in_flush(c);
    flows = !c->unsent && !c->dead;
    settle(c);
    return flows;
}

static void take_proxy_header(struct conn *c, size_t bytes);

int conn_adopt(struct http *http, int fd, enum listener_kind kind, const struct conn_client *client,
               const char *data, size_t bytes)
{
    struct sockaddr_storage peer = {0};
    socklen_t peer_bytes = sizeof peer;
    struct conn *c;
    int error;

    (void)getpeername(fd, (struct sockaddr *)&peer, &peer_bytes);
    error = conn_make(http, fd, kind, (struct sockaddr *)&peer, &c);
    if (error || !c)
        return error;
    if (client->proxied)
        peer_restore(c, client);
    if (bytes == 0)
        return 0;
    c->fresh = false;
    if (c->proxy && bytes <= sizeof http->in) {
        memcpy(http->in, data, bytes);
        take_proxy_header(c, bytes);
    } else {
        serve(c, data, bytes);
    }
    return 0;
}

/* What came is in http->in. Part of a header is kept in `rest`; its deadline is that of a request's head. */
static void take_proxy_header(struct conn *c, size_t bytes)
{
    struct http *http = c->http;
    size_t kept = c->rest_bytes;
    struct sockaddr_storage client;
    size_t used = 0;

    if (kept + bytes > sizeof http->in) {
        conn_free(c);
        return;
    }
    memmove(http->in + kept, http->in, bytes);
    memcpy(http->in, c->rest ? c->rest : "", kept);
    bytes += kept;
    mi_free(c->rest);
    c->rest = NULL;
    c->rest_bytes = 0;
    switch (proxy_header_parse(http->in, bytes, &used, &client)) {
    case PROXY_MORE:
        c->rest = mi_malloc(bytes);
        if (c->rest) {
            memcpy(c->rest, http->in, bytes);
            c->rest_bytes = bytes;
            return;
        }
        conn_free(c);
        return;
    case PROXY_REFUSED:
        conn_free(c);
        return;
    case PROXY_WHOLE:
        break;
    }
    peer_proxied(c, &client);
    if (!peer_is_welcome(c)) {
        turn_away(c, PEER_TOO_MANY);
        return;
    }
    if (used < bytes) {
        c->fresh = false;
        serve(c, http->in + used, bytes - used);
    }
}

static void on_readable(struct conn *c)
{
    struct http *http = c->http;
    ssize_t n;

    if (c->request) {
        if (conn_has_left(c, request_waited_ms(c->request))) {
            conn_free(c);
            return;
        }
        watch(c, 0); /* more is here than is asked for now; look when the answer is out */
        if (c->half_closed)
            settle_waiting(c);
        return;
    }
    n = read(c->fd, http->in, sizeof http->in);
    if (n > 0 && unlikely(c->proxy)) {
        take_proxy_header(c, (size_t)n);
        return;
    }
    if (n > 0) {
        c->fresh = false;
        if (likely(!c->lingering))
            serve(c, http->in, (size_t)n);
        return;
    }
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
        return;
    conn_free(c);
}

static void on_writable(struct conn *c)
{
    struct request *r = c->request;
    int error = out_resume(c);

    if ((error && error != -EAGAIN) ||
        (error && is_too_slow(c->http, c->unsent_since_ms, c->unsent_gone,
                              c->http->config->http.send_timeout_ms)))
        c->dead = true;
    deadline_clear(&c->deadline); /* each bit of progress begins it anew */
    if (error == 0 && r) {
        flight_stream_drained(r);
        if (!r->conn)
            return;
    }
    go_on(c);
}

static void on_event(evutil_socket_t fd, short events, void *arg)
{
    struct conn *c = arg;

    (void)fd;
    http_wake(c->http);
    if (events & EV_READ)
        on_readable(c);
    else
        on_writable(c);
}

void conn_expired(struct conn *c, const struct deadline_list *list)
{
    struct http *http = c->http;

    if (!c->carry || (list != &http->header && list != &http->body)) {
        conn_free(c);
        return;
    }
    in_refuse(c, &c->carry->parse, 408,
              list == &http->header ? "the request head took too long"
                                    : "the request body took too long");
    in_flush(c);
    settle(c);
}
