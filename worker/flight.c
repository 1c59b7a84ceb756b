/* SPDX-License-Identifier: MIT */
/* flight.c - see flight.h: the memory of requests and flights, and the table. */
#include "worker/flight.h"

#include "shm/purge.h"
#include "worker/conn.h"
#include "worker/hot.h"
#include "worker/http_state.h"
#include "worker/request.h"
#include "worker/worker.h"

#include <errno.h>
#include <mimalloc.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#define MARK_MS 10000u

int requests_new(struct http *http, struct requests **ret_requests)
{
    struct requests *all = calloc(1, sizeof *all);

    if (!all)
        return -ENOMEM;
    all->http = http;
    all->worker = http->worker;
    if (getrandom(&all->id_base, sizeof all->id_base, 0) < 0)
        all->id_base = (uint32_t)mono_ns();
    if (flights_listen(all) != 0) {
        flights_deafen(all);
        free(all);
        return -ENOMEM;
    }
    *ret_requests = all;
    return 0;
}

/* A parse with its head's bytes, in memory of its own; names in lower case, as JavaScript gets
 * them. */
static struct http_parse *copy_head(const struct http_parse *from)
{
    size_t parse_bytes = http_parse_bytes(from);
    struct http_parse *parse = mi_malloc(parse_bytes + from->head_bytes);
    char *head;

    if (!parse)
        return NULL;
    head = (char *)parse + parse_bytes;
    memcpy(parse, from, parse_bytes);
    memcpy(head, from->base, from->head_bytes);
    parse->base = head;
    for (int i = 0; i < parse->field_count; i++)
        for (uint32_t k = 0; k < parse->field[i].name_bytes; k++) {
            char *c = head + parse->field[i].name + k;

            if (*c >= 'A' && *c <= 'Z')
                *c |= 0x20;
        }
    return parse;
}

void request_free(struct request *r)
{
    if (!r)
        return;
    if (r->conn)
        r->conn->request = NULL;
    if (r->outer != r->head)
        mi_free(r->outer);
    mi_free(r->head);
    mi_free(r);
}

struct request *request_new(struct conn *conn, const struct http_parse *outer,
                            const struct http_parse *head)
{
    struct request *r = mi_zalloc(sizeof *r);

    if (!r)
        return NULL;
    r->head = copy_head(head);
    r->outer = outer == head ? r->head : copy_head(outer);
    if (!r->head || !r->outer) {
        request_free(r);
        return NULL;
    }
    r->conn = conn;
    if (conn)
        conn->request = r;
    return r;
}

void request_forget(struct request *request)
{
    request->conn = NULL;
    flight_stream_left(request);
    if (request->alone && request->alone->begun) /* no cache gets the page: nobody wants it now */
        (void)renderer_cancel(request->alone->all->worker->renderer, &request->alone->job);
}

uint64_t request_waited_ms(const struct request *request)
{
    return request->alone ? (mono_ns() - request->alone->job.queued_ns) / 1000000u : 0;
}

void flight_unlist(struct flight *f)
{
    if (!f->in_table)
        return;
    LIST_REMOVE(f, link);
    LIST_INSERT_HEAD(&f->all->others, f, link);
    f->in_table = false;
}

void flight_end(struct flight *f)
{
    struct request *r;

    flight_stop_waiting(f);
    flight_disclaim(f, CLAIM_LOST);
    flight_recall(f);
    flight_tell_nothing(f);
    LIST_REMOVE(f, link);
    if (f->doomed)
        return;
    hot_release(f->stale);
    flight_stream_free(f);
    while ((r = TAILQ_FIRST(&f->requests))) {
        TAILQ_REMOVE(&f->requests, r, link);
        request_free(r);
    }
    mi_free(f);
}

/* The cookies that the key names, as a Cookie value, each once: "theme=dark; lang=de". buf: NULL to
 * count only. Returns bytes. */
static size_t named_cookies(const struct config_key *key, const struct http_parse *head, char *buf)
{
    size_t bytes = 0;

    for (size_t i = 0; i < key->cookies.count; i++) {
        const char *name = key->cookies.item[i];
        size_t name_bytes = strlen(name);
        size_t gap = bytes > 0 ? 2 : 0;
        struct span value;

        if (!key_cookie(head, name, name_bytes, &value))
            continue;
        if (buf) {
            memcpy(buf + bytes, "; ", gap);
            memcpy(buf + bytes + gap, name, name_bytes);
            buf[bytes + gap + name_bytes] = '=';
            memcpy(buf + bytes + gap + name_bytes + 1, value.data, value.bytes);
        }
        bytes += gap + name_bytes + 1 + value.bytes;
    }
    return bytes;
}

static void add_header(struct flight *f, const char *name, struct span value)
{
    f->header[f->job.request.header_count++] =
        (struct js_header){name, strlen(name), value.data, value.bytes};
}

/* Host is that of the key, whatever the field said; cookies: data NULL: as they were sent. */
static void fill_headers(struct flight *f, const struct http_parse *head, struct span host,
                         struct span cookies)
{
    struct js_request *to = &f->job.request;

    to->headers = f->header;
    if (host.bytes > 0)
        add_header(f, "host", host);
    if (cookies.bytes > 0)
        add_header(f, "cookie", cookies);
    for (int i = 0; i < head->field_count; i++) {
        struct span name = http_parse_name(head, i);
        struct span value = http_parse_value(head, i);

        if (name.bytes == 4 && memcmp(name.data, "host", 4) == 0)
            continue;
        if (cookies.data && name.bytes == 6 && memcmp(name.data, "cookie", 6) == 0)
            continue;
        if (f->kind != FLIGHT_BYPASS && cache_policy_is_condition(name.data, name.bytes))
            continue;
        f->header[to->header_count++] =
            (struct js_header){name.data, name.bytes, value.data, value.bytes};
    }
}

/* Of "http://" or "https://". */
static size_t scheme_bytes(const struct http_parse *head)
{
    return head->https ? 8 : 7;
}

/* What may be stored is rendered from what its key holds and nothing beside it; else the one who
 * asks first could write into the page of all others. */
static void fill_request(struct flight *f, const struct http_parse *head, struct span origin,
                         struct span cookies)
{
    bool bypass = f->kind == FLIGHT_BYPASS;
    const char *method = bypass ? http_method_text(head->method) : "GET";
    struct span target = http_parse_target(head);
    struct span host = {origin.data + scheme_bytes(head), head->host_bytes};

    /* the same parameters in another order are the same request: it is seen as it was sent */
    if (!bypass && f->key.path_bytes != target.bytes)
        target = (struct span){f->key.data + f->key.path_offset, f->key.path_bytes};
    f->job.request = (struct js_request){
        .url = target.data,
        .url_bytes = target.bytes,
        .method = method,
        .method_bytes = strlen(method),
        .origin = origin.data,
        .origin_bytes = origin.bytes,
        .id = f->id,
        .id_bytes = FLIGHT_ID_BYTES,
    };
    fill_headers(f, head, host, cookies);
    if (f->stale)
        f->job.request.header_count +=
            flight_add_validators(&f->stale->page, f->header + f->job.request.header_count);
}

static uint32_t route_of(const struct config *config, const struct config_policy *policy)
{
    for (size_t i = 0; i < config->routes.count; i++)
        if (policy == &config->routes.item[i].policy)
            return (uint32_t)i + 1;
    return 0;
}

struct flight *flight_new(struct requests *all, const struct flight_plan *plan, struct request *r)
{
    struct span host = http_parse_host(r->head);
    size_t scheme = scheme_bytes(r->head);
    size_t origin_bytes = scheme + (host.bytes ? host.bytes : 9);
    const struct config_key *policy = &plan->policy->key;
    bool filters = plan->kind != FLIGHT_BYPASS && policy->cookies.count > 0;
    size_t cookie_bytes = filters ? named_cookies(policy, r->head, NULL) : 0;
    struct flight *f = mi_malloc(sizeof *f + plan->key.bytes + origin_bytes + plan->data.bytes +
                                 cookie_bytes + plan->body.bytes);
    char *cookies;

    if (!f) {
        request_free(r);
        return NULL;
    }
    memset(f, 0, offsetof(struct flight, header));
    f->all = all;
    f->kind = plan->kind;
    f->policy = plan->policy;
    f->refresh = plan->refresh;
    f->was_stale = plan->was_stale;
    f->stale = plan->stale ? hot_hold(plan->stale) : NULL;
    f->ahead_of_ms = plan->ahead_of_ms;
    f->key = plan->key;
    f->key.data = f->key_text;
    memcpy(f->key_text, plan->key.data ? plan->key.data : "", plan->key.bytes);
    TAILQ_INIT(&f->requests);
    TAILQ_INSERT_TAIL(&f->requests, r, link);
    r->alone = plan->kind == FLIGHT_BYPASS ? f : NULL;
    (void)snprintf(f->id, sizeof f->id, "%08x%08x", all->id_base, all->id_count++);

    f->origin = f->key_text + plan->key.bytes;
    memcpy(f->origin, r->head->https ? "https://" : "http://", scheme);
    memcpy(f->origin + scheme, host.bytes ? host.data : "localhost", origin_bytes - scheme);
    for (char *c = f->origin; c < f->origin + origin_bytes; c++)
        if (*c >= 'A' && *c <= 'Z')
            *c |= 0x20;
    f->data = f->origin + origin_bytes;
    memcpy(f->data, plan->data.data ? plan->data.data : "", plan->data.bytes);
    cookies = f->data + plan->data.bytes;
    (void)named_cookies(policy, r->head, filters ? cookies : NULL);
    fill_request(f, r->head, (struct span){f->origin, origin_bytes},
                 (struct span){filters ? cookies : NULL, cookie_bytes});
    f->job.request.data = f->data;
    f->job.request.data_bytes = plan->data.bytes;
    f->job.request.body = cookies + cookie_bytes;
    f->job.request.call = plan->call;
    f->job.request.body_bytes = plan->body.bytes;
    f->job.request.depth = r->conn ? r->conn->depth : 0;
    memcpy(cookies + cookie_bytes, plan->body.data ? plan->body.data : "", plan->body.bytes);
    f->job.timeout_ms = plan->policy->timeout_ms;
    f->job.route = route_of(all->http->config, plan->policy);
    f->job.key_hash =
        f->key.bytes > 0 ? f->key.hash : key_hash(f->job.request.url, f->job.request.url_bytes);
    f->job.begin = flight_begin;
    f->job.done = flight_done;
    f->job.part = flight_part;
    f->job.overdue = flight_overdue;
    f->in_table = plan->kind == FLIGHT_SHARED;
    if (f->in_table)
        LIST_INSERT_HEAD(&all->bucket[f->key.hash % FLIGHT_BUCKETS], f, link);
    else
        LIST_INSERT_HEAD(&all->others, f, link);
    return f;
}

/* One that still may be joined: begun before a purge, it must not answer who came after it. */
struct flight *flight_find(struct requests *all, const struct key *key)
{
    struct flight *f;

    LIST_FOREACH(f, &all->bucket[key->hash % FLIGHT_BUCKETS], link)
    {
        if (f->key.hash != key->hash || f->key.bytes != key->bytes ||
            memcmp(f->key.data, key->data, key->bytes) != 0)
            continue;
        if (!f->begun || f->epoch == purge_epoch(all->worker->purge))
            return f;
        flight_unlist(f);
        return NULL;
    }
    return NULL;
}

void requests_free(struct requests *all)
{
    struct flight *f;

    if (!all)
        return;
    for (size_t i = 0; i <= FLIGHT_BUCKETS; i++) {
        struct flight_list *list = i < FLIGHT_BUCKETS ? &all->bucket[i] : &all->others;

        while ((f = LIST_FIRST(list))) {
            (void)renderer_withdraw(all->worker->renderer, &f->job);
            flight_end(f);
        }
    }
    flights_busy(all);
    flights_deafen(all);
    free(all);
}

uint64_t requests_oldest_epoch(const struct requests *all)
{
    uint64_t oldest = purge_epoch(all->worker->purge);
    const struct flight *f;

    for (size_t i = 0; i <= FLIGHT_BUCKETS; i++)
        LIST_FOREACH(f, i < FLIGHT_BUCKETS ? &all->bucket[i] : &all->others, link)
    if (f->begun && f->epoch < oldest)
        oldest = f->epoch;
    return oldest;
}

bool flight_is_marked(const struct requests *all, uint64_t hash)
{
    const struct mark *m = &all->mark[hash % FLIGHT_MARKS];

    return m->hash == hash && m->until_ms > all->http->now_ms;
}

void flight_mark(struct requests *all, uint64_t hash)
{
    all->mark[hash % FLIGHT_MARKS] = (struct mark){hash, all->http->now_ms + MARK_MS};
}
