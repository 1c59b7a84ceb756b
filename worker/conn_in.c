/* SPDX-License-Identifier: MIT */
/* conn_in.c - see conn_in.h. */
#include "worker/conn_in.h"

#include "worker/admin.h"
#include "worker/conn_peer.h"
#include "worker/gateway.h"
#include "worker/http_state.h"

#include <errno.h>
#include <mimalloc.h>
#include <stdio.h>
#include <string.h>

#define HEAD_BYTES_MIN 512u
#define DEPTH_MAX 8u /* renders that wait for one another, the first not counted */

void in_refuse(struct conn *c, const struct http_parse *parse, uint16_t status, const char *reason)
{
    char body[256];
    int n = snprintf(body, sizeof body, "%u %s: %s\n", status, reply_status_text(status), reason);

    c->closing = true;
    c->careful = true;
    conn_reply_refusal(c, status, body, (size_t)n, parse->llhttp.method == HTTP_HEAD);
}

/* A page that fetches itself, and so on for ever. */
static void refuse_loop(struct conn *c, const struct http_parse *head)
{
    static const char text[] = "508 Loop Detected: pages of this server that fetch one another\n";

    conn_reply_text(c, head, 508, NULL, "", text, sizeof text - 1);
}

static void handle(struct conn *c, struct http_parse *head, struct span body)
{
    c->request_ns = c->http->wake_ns;
    if (unlikely(c->admin)) {
        if (c->kind == LISTENER_ADMIN)
            admin_request(c, head, body);
        else
            gateway_request(c, head, body);
        return;
    }
    if (unlikely(c->depth > DEPTH_MAX)) {
        refuse_loop(c, head);
        return;
    }
    if (unlikely(head->forwarded))
        peer_forwarded(c, head);
    if (likely(!c->http->limit) || peer_admit(c, head))
        request_page(c, head, body);
}

/* Room for so many bytes more. False: there is none. */
static bool make_room_for_body(struct carry *carry, struct http *http, size_t more)
{
    uint64_t largest = http->limits.body_bytes;
    size_t need =
        carry->body_bytes + more; /* the parser sees to it that this is at most `largest` */
    size_t cap = 2 * need < largest ? 2 * need : need;
    char *body;

    while (http->body_bytes + (cap - carry->body_cap_bytes) > http->body_bytes_max) {
        struct conn *silent = http_silent_in_body(http);

        if (!silent || silent->carry == carry)
            return false;
        conn_free(silent);
    }
    body = mi_realloc(carry->body, cap);
    if (!body)
        return false;
    http->body_bytes += cap - carry->body_cap_bytes;
    carry->body = body;
    carry->body_cap_bytes = cap;
    return true;
}

static bool keep_body(void *arg, const char *data, size_t bytes)
{
    struct conn *c = arg;
    struct carry *carry = c->carry;

    if (carry->body_bytes + bytes > carry->body_cap_bytes &&
        !make_room_for_body(carry, c->http, bytes))
        return false;
    memcpy(carry->body + carry->body_bytes, data, bytes);
    carry->body_bytes += bytes;
    return true;
}

/* Bytes of a head behind those that are there. It may lie elsewhere then. */
static bool keep_head(struct carry *carry, const char *data, size_t bytes, size_t limit)
{
    size_t need = carry->head_bytes + bytes;
    size_t cap = need < HEAD_BYTES_MIN ? HEAD_BYTES_MIN : 2 * need < limit ? 2 * need : limit;
    char *head;

    if (need > carry->head_cap_bytes) {
        cap = cap < need ? need : cap;
        head = mi_realloc(carry->head, cap);
        if (!head)
            return false;
        carry->head = head;
        carry->head_cap_bytes = cap;
        carry->parse.base = head;
    }
    memcpy(carry->head + carry->head_bytes, data, bytes);
    carry->head_bytes += bytes;
    return true;
}

static void carry_free(struct http *http, struct carry *carry)
{
    if (!carry)
        return;
    http->body_bytes -= carry->body_cap_bytes;
    mi_free(carry->body);
    mi_free(carry->head);
    mi_free(carry);
}

void in_free(struct conn *c)
{
    carry_free(c->http, c->carry);
    c->carry = NULL;
}

/* The request so far moves from the worker's buffers to memory of the connection. */
static bool begin_carry(struct conn *c, const char *data, size_t bytes)
{
    struct carry *carry = mi_malloc(sizeof *carry);

    if (carry) {
        memset(carry, 0, offsetof(struct carry, parse));
        memcpy(&carry->parse, &c->http->parse, http_parse_bytes(&c->http->parse));
    }
    if (!carry || !keep_head(carry, data, bytes, c->http->limits.head_bytes)) {
        mi_free(carry);
        c->dead = true;
        return false;
    }
    c->carry = carry;
    deadline_clear(&c->deadline); /* the one of the head before this, which has arrived */
    return true;
}

/* Its head is whole and a body follows. more: bytes behind the head are here already. */
static void begin_body(struct conn *c, bool more)
{
    struct http *http = c->http;

    c->carry->in_body = true;
    c->carry->body_since_ms = http->now_ms;
    if (c->carry->parse.expect_continue && !more) {
        struct reply_text text = out_begin(http);

        reply_add_literal(&text, "HTTP/1.1 100 Continue\r\n\r\n");
        out_end(http, &text);
    }
}

/* The request is whole: it is no longer the connection's when it is handled. */
static void end_carry(struct conn *c)
{
    struct carry *carry = c->carry;

    c->carry = NULL;
    handle(c, &carry->parse, (struct span){carry->body, carry->body_bytes});
    carry_free(c->http, carry);
}

static size_t take_fresh(struct conn *c, const char *data, size_t bytes)
{
    struct http_parse *parse = &c->http->parse;

    http_parse_init(parse, &c->http->limits);
    switch (http_parse_head(parse, data, bytes)) {
    case HTTP_WHOLE:
        if (likely(!parse->has_body))
            handle(c, parse, (struct span){NULL, 0});
        else if (begin_carry(c, data, parse->head_bytes))
            begin_body(c, bytes > parse->head_bytes);
        return parse->head_bytes;
    case HTTP_MORE:
        (void)begin_carry(c, data, bytes);
        return bytes;
    default:
        in_refuse(c, parse, parse->status, parse->reason);
        return bytes;
    }
}

static size_t take_head(struct conn *c, const char *data, size_t bytes)
{
    struct carry *carry = c->carry;
    size_t had = carry->head_bytes;
    size_t room = c->http->limits.head_bytes - had;
    size_t taken = bytes < room ? bytes : room;

    if (!keep_head(carry, data, taken, c->http->limits.head_bytes)) {
        c->dead = true;
        return bytes;
    }
    switch (http_parse_head(&carry->parse, carry->head, carry->head_bytes)) {
    case HTTP_WHOLE:
        taken = carry->parse.head_bytes - had;
        if (carry->parse.has_body)
            begin_body(c, bytes > taken);
        else
            end_carry(c);
        return taken;
    case HTTP_MORE:
        return taken;
    default:
        in_refuse(c, &carry->parse, carry->parse.status, carry->parse.reason);
        return bytes;
    }
}

/* Where nobody will ask for it, a body is read and dropped. */
static bool keeps_body(const struct conn *c)
{
    return c->admin || (c->http->worker->takes_request && c->carry->parse.method != HTTP_GET &&
                        c->carry->parse.method != HTTP_HEAD);
}

static size_t take_body(struct conn *c, const char *data, size_t bytes)
{
    struct carry *carry = c->carry;
    size_t used;

    switch (
        http_parse_body(&carry->parse, data, bytes, keeps_body(c) ? keep_body : NULL, c, &used)) {
    case HTTP_WHOLE:
        end_carry(c);
        return used;
    case HTTP_MORE:
        return used;
    default:
        in_refuse(c, &carry->parse, carry->parse.status, carry->parse.reason);
        return bytes;
    }
}

size_t in_take(struct conn *c, const char *data, size_t bytes)
{
    size_t used = 0;

    while (used < bytes && in_can_take(c)) {
        if (!out_has_room(c->http))
            in_flush(c);
        else if (!c->carry)
            used += take_fresh(c, data + used, bytes - used);
        else if (!c->carry->in_body)
            used += take_head(c, data + used, bytes - used);
        else
            used += take_body(c, data + used, bytes - used);
    }
    return used;
}
