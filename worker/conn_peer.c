/* SPDX-License-Identifier: MIT */
/* conn_peer.c - see conn_peer.h. */
#include "worker/conn_peer.h"

#include "worker/forwarded.h"
#include "worker/http_state.h"
#include "worker/limit.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

void peer_note(struct conn *c, const struct sockaddr *peer)
{
    struct conn_client *to = &c->client;

    c->who = limit_of(c->http->limit, peer);
    to->family = 0;
    if (peer->sa_family == AF_INET) {
        to->family = 4;
        memcpy(to->address, &((const struct sockaddr_in *)peer)->sin_addr, 4);
    } else if (peer->sa_family == AF_INET6) {
        to->family = 6;
        memcpy(to->address, &((const struct sockaddr_in6 *)peer)->sin6_addr, 16);
    }
}

const struct conn_client *peer_own(const struct conn *c)
{
    return c->renamed ? &c->own : &c->client;
}

const char *peer_text(const struct conn *c, const struct http_parse *head, char *ret_text)
{
    const struct conn_client *who = head && head->forwarded ? &c->client : peer_own(c);

    if (who->family == 0 ||
        !inet_ntop(who->family == 4 ? AF_INET : AF_INET6, who->address, ret_text, INET6_ADDRSTRLEN))
        return "";
    return ret_text;
}

/* The request is of the proxy itself, or of nobody it names. */
static void forget_name(struct conn *c)
{
    if (!c->renamed)
        return;
    c->client = c->own;
    c->who = c->own_who;
    c->renamed = false;
}

void peer_restore(struct conn *c, const struct conn_client *client)
{
    struct sockaddr_storage address = {.ss_family = AF_UNSPEC};

    if (client->family == 4) {
        address.ss_family = AF_INET;
        memcpy(&((struct sockaddr_in *)&address)->sin_addr, client->address, 4);
    } else if (client->family == 6) {
        address.ss_family = AF_INET6;
        memcpy(&((struct sockaddr_in6 *)&address)->sin6_addr, client->address, 16);
    }
    peer_left(c); /* as the address of the socket: a reload may have changed http.proxy_protocol */
    c->counted = false;
    peer_proxied(c, &address);
    c->client.trusted = client->trusted;
    (void)peer_is_welcome(c); /* it has its place already: it is only counted */
}

/* One more of its address. A proxy of ours has as many as it needs. */
bool peer_is_welcome(struct conn *c)
{
    if (!c->http->limit || c->client.trusted || c->admin)
        return true;
    c->counted = limit_connect(c->http->limit, c->http->worker->row, c->who);
    return c->counted;
}

void peer_meet(struct conn *c, const struct sockaddr *peer)
{
    const struct http *http = c->http;

    c->client.trusted =
        http->trusted_count > 0 && network_any(http->trusted, http->trusted_count, peer);
    c->proxy = http->config->http.proxy_protocol && (c->client.trusted || http->trusted_count == 0);
    if (!c->proxy && !peer_is_welcome(c))
        c->unwelcome = true;
}

void peer_turn_away(struct conn *c, enum peer_refusal why)
{
    static const char *const status[] = {
        [PEER_TOO_MANY] = "429 Too Many Requests", [PEER_NO_ROOM] = "503 Service Unavailable"};
    char text[200];
    int n =
        snprintf(text, sizeof text,
                 "HTTP/1.1 %s\r\nRetry-After: 1\r\nContent-Length: 0\r\nConnection: close\r\n%s",
                 status[why], c->http->date.line);

    (void)send(c->fd, text, (size_t)n, MSG_NOSIGNAL | MSG_DONTWAIT);
    (void)shutdown(c->fd, SHUT_WR);
}

void peer_left(struct conn *c)
{
    if (c->counted)
        limit_disconnect(c->http->limit, c->http->worker->row, c->who);
}

void peer_proxied(struct conn *c, const struct sockaddr_storage *client)
{
    const struct sockaddr *address = (const struct sockaddr *)client;

    c->proxy = false;
    c->client.proxied = 1;
    if (client->ss_family == AF_UNSPEC)
        return;
    c->client.trusted = network_any(c->http->trusted, c->http->trusted_count, address);
    peer_note(c, address);
}

/* The client behind a proxy of ours. */
static void take_forwarded(struct conn *c, struct http_parse *head)
{
    const struct http *http = c->http;
    struct sockaddr_storage client;

    forget_name(c);
    if (forwarded_client(head, http->trusted, http->trusted_count, &client)) {
        c->own = c->client;
        c->own_who = c->who;
        c->renamed = true;
        peer_note(c, (struct sockaddr *)&client);
    }
    head->believed = true;
    forwarded_take_origin(head, http->trusted, http->trusted_count);
}

void peer_forwarded(struct conn *c, struct http_parse *head)
{
    if (c->client.trusted)
        take_forwarded(c, head);
    else
        forwarded_drop(head);
}

bool peer_admit(struct conn *c, const struct http_parse *head)
{
    static const char text[] = "429 Too Many Requests\n";

    if (!head->forwarded)
        forget_name(c);
    if (limit_request(c->http->limit, c->who, c->request_ns))
        return true;
    conn_reply_text(c, head, 429, NULL, "Retry-After: 1\r\n", text, sizeof text - 1);
    return false;
}
