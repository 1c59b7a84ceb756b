/* SPDX-License-Identifier: MIT */
/*
 * http.c - see http.h: listeners, the coarse timer, drain. Connections look after themselves
 * (conn.c).
 *
 * All workers listen on the same sockets, so one that is idle takes what a busy one leaves in the
 * queue. A few connections a turn only: a worker that empties the queue in one go would serve
 * alone.
 */
#include "worker/http.h"

#include "shm/log.h"
#include "shm/peers.h"
#include "shm/region.h"
#include "shm/stats.h"
#include "worker/access.h"
#include "worker/conn_in.h"
#include "worker/encode.h"
#include "worker/handover.h"
#include "worker/hints.h"
#include "worker/http_state.h"
#include "worker/limit.h"
#include "worker/polish.h"
#include "worker/tick.h"

#include <errno.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

#define ACCEPTS_A_TURN 4
#define TICK_MS 250
#define FULL_MS 250 /* between two looks for room */
/* Before it can lose its place: a request's head may take so long, a body and a reader may be silent so long. */
#define HEAD_AT_LEAST_MS 1000
#define BODY_AT_LEAST_MS 1000
#define SEND_AT_LEAST_MS 5000

static void watch_listeners(struct http *http)
{
    for (size_t i = 0; i < http->listener_count; i++) {
        struct http_listener *l = &http->listener[i];
        bool may = !http->paused || (l->from->kind != LISTENER_PAGES && !http->starving);
        bool wanted = http->accepting && may;

        if (l->watched == wanted)
            continue;
        l->watched = wanted;
        if (wanted ? event_add(&l->event, NULL) : event_del(&l->event))
            log_error("a listening socket can't be watched", log_str("listen", l->from->text));
    }
}

static void pause_accepting(struct http *http, uint64_t until_ms)
{
    http->paused = true;
    http->pause_until_ms = until_ms;
    watch_listeners(http);
}

void http_conn_closed(struct http *http)
{
    stats_set(&http->worker->stats->connections, http_connections(http));
    if (unlikely(http->full_since_ms > 0) && http->conn_count < http->conn_max)
        http->full_since_ms = 0;
    if (unlikely(http->paused) && http->conn_count < http->conn_max) {
        http->paused = http->starving = false;
        watch_listeners(http);
    }
}

void http_wake(struct http *http)
{
    http->wake_ns = mono_ns();
    tick_note(http->worker, http->wake_ns);
    http->now_ms = region_clock_ms(http->region, http->wake_ns);
    if (unlikely(http->now_ms >= http->date.renew_ms))
        reply_date_renew(&http->date, http->now_ms, wall_ms());
}

/* No descriptors, or no memory: the queue keeps what waits; tell it once a second. */
static void starved(struct http *http, int error)
{
    http->starving = true;
    pause_accepting(http, http->now_ms + 1000);
    if (http->now_ms < http->pause_logged_ms + 1000)
        return;
    http->pause_logged_ms = http->now_ms;
    log_error("connections can't be accepted for now", log_str("error", strerror(error)),
              log_uint("connections", http->conn_count));
}

static bool is_starvation(int error)
{
    return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

/* One connection off the queue; false: there is none, or none can be taken. */
static bool accept_one(struct http *http, const struct http_listener *l, bool is_welcome)
{
    struct sockaddr_storage peer = {0};
    socklen_t peer_bytes = sizeof peer;
    int one = 1;
    int error;
    int fd =
        accept4(l->from->fd, (struct sockaddr *)&peer, &peer_bytes, SOCK_NONBLOCK | SOCK_CLOEXEC);

    if (fd < 0) {
        if (is_starvation(errno))
            starved(http, errno);
        return errno == EINTR || errno == ECONNABORTED; /* that one has gone; there may be others */
    }
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one); /* fails on Unix sockets */
    error = is_welcome ? conn_new(http, fd, l->from->kind, (struct sockaddr *)&peer)
                       : conn_new_unwelcome(http, fd);
    if (error) {
        starved(http, ENOMEM);
        return false;
    }
    stats_add(&http->worker->stats->accepted, 1);
    return true;
}

/* All connections have been at work for a while: who comes now is told so, rather than left to wait for nobody knows what. */
static bool is_full(const struct http *http)
{
    return http->full_since_ms > 0 && http->now_ms >= http->full_since_ms + FULL_MS &&
           http->turned_count < HTTP_TURNED_MAX;
}

/* All connections are at work: look again in a moment, or when one closes. */
static void full(struct http *http)
{
    if (http->full_since_ms == 0)
        http->full_since_ms = http->now_ms;
    pause_accepting(http, http->now_ms + FULL_MS);
    if (http->now_ms < http->full_logged_ms + 1000)
        return;
    http->full_logged_ms = http->now_ms;
    log_warn(
        "http.connections is reached and all are at work; new ones wait a moment, then get 503",
        log_uint("connections", http->conn_count));
}

static struct conn *conn_of(struct deadline *d)
{
    return d ? (struct conn *)((char *)d - offsetof(struct conn, deadline)) : NULL;
}

/* The connection for pages that stands first in a list; administration has places of its own. */
static struct conn *first_for_pages(const struct deadline_list *list)
{
    struct deadline *d = deadline_first(list);

    while (d && conn_of(d)->admin)
        d = TAILQ_NEXT(d, link);
    return conn_of(d);
}

/* When it last gave a sign of life, or its head began. */
static uint64_t since_ms(const struct conn *c)
{
    return c->deadline.due_ms - c->deadline.list->delay_ms;
}

/*
 * At http.connections somebody gives way to a newcomer: whoever holds connections without using them must not keep others
 * out. First the request head that has been arriving longest, since heads come in one piece but from those who
 * attack; then who has been silent longest, idle, in the midst of a body or of an answer. NULL: all are at work.
 */
static struct conn *least_busy(const struct http *http)
{
    const struct {
        const struct deadline_list *list;
        uint64_t at_least_ms;
    } silent[] = {
        {&http->keepalive, 0}, {&http->body, BODY_AT_LEAST_MS}, {&http->send, SEND_AT_LEAST_MS}};
    struct conn *found = first_for_pages(&http->header);

    if (found && http->now_ms >= since_ms(found) + HEAD_AT_LEAST_MS)
        return found;
    found = NULL;
    for (size_t i = 0; i < array_len(silent); i++) {
        struct conn *c = first_for_pages(silent[i].list);

        if (c && http->now_ms >= since_ms(c) + silent[i].at_least_ms &&
            (!found || since_ms(c) < since_ms(found)))
            found = c;
    }
    return found;
}

bool http_make_room(struct http *http)
{
    struct conn *c = least_busy(http);

    if (!c)
        return false;
    if (http->now_ms >= http->full_logged_ms + 1000) {
        http->full_logged_ms = http->now_ms;
        log_warn("http.connections is reached; for each new one the slowest or the one idle "
                 "longest is closed",
                 log_uint("connections", http->conn_count));
    }
    conn_free(c);
    return true;
}

struct conn *http_silent_in_body(const struct http *http)
{
    return conn_of(deadline_first(&http->body));
}

/* Connections of other workers, as far as they have told. Looked up once a millisecond at most. */
static uint64_t elsewhere(struct http *http)
{
    uint64_t count = 0;

    if (http->elsewhere_ms == http->now_ms)
        return http->elsewhere;
    for (uint32_t row = 0; row < REGION_PEERS_MAX; row++)
        if (row != http->worker->row)
            count += atomic_load_explicit(&stats_at(http->region, row)->connections,
                                          memory_order_relaxed);
    http->elsewhere = count;
    http->elsewhere_ms = http->now_ms;
    return count;
}

/* The kernel does not deal connections out evenly: who has his share may have what others don't use. */
bool http_has_room(struct http *http)
{
    return likely(http->conn_count < http->conn_max) ||
           http->conn_count + elsewhere(http) < http->config->http.connections ||
           http_make_room(http);
}

static void on_listener(evutil_socket_t fd, short events, void *arg)
{
    struct http_listener *l = arg;
    struct http *http = l->http;

    (void)fd;
    (void)events;
    http_wake(http);
    for (int i = 0; i < ACCEPTS_A_TURN; i++) {
        bool is_welcome = true;

        if (l->from->kind != LISTENER_PAGES) {
            if (http->admin_count >= HTTP_ADMIN_MAX)
                break;
        } else if (!http_has_room(http)) {
            if (!is_full(http)) {
                full(http);
                break;
            }
            is_welcome = false;
        }
        if (!accept_one(http, l, is_welcome))
            break;
    }
    stats_set(&http->worker->stats->connections, http_connections(http));
}

static void expire(struct http *http, struct deadline_list *list)
{
    struct deadline *d;

    while ((d = deadline_take_due(list, http->now_ms)))
        conn_expired(conn_of(d), list);
}

static void on_tick(evutil_socket_t fd, short events, void *arg)
{
    struct http *http = arg;
    struct hot_figures figures;

    (void)fd;
    (void)events;
    http_wake(http);
    expire(http, &http->keepalive);
    expire(http, &http->header);
    expire(http, &http->body);
    expire(http, &http->send);
    expire(http, &http->linger);
    expire(http, &http->silence);
    flights_check(http->requests);
    access_flush();
    statics_tick(http->statics);
    hot_figures(http->hot, &figures);
    stats_set(&http->worker->stats->hot_bytes, figures.bytes);
    stats_set(&http->worker->stats->hot_entries, figures.entries);
    stats_set(&http->worker->stats->hot_evictions, figures.evictions);
    if (http->paused && http->now_ms >= http->pause_until_ms) {
        http->paused = http->starving = false;
        watch_listeners(http);
    }
}

static void set_up_lists(struct http *http)
{
    const struct config *config = http->config;

    TAILQ_INIT(&http->conns);
    deadline_list_init(&http->keepalive, config->http.keepalive_ms);
    deadline_list_init(&http->header, config->http.header_timeout_ms);
    deadline_list_init(&http->body, config->http.body_timeout_ms);
    deadline_list_init(&http->send, config->http.send_timeout_ms);
    deadline_list_init(&http->linger, HTTP_LINGER_MS);
    deadline_list_init(&http->silence, HTTP_LEFT_MS);
}

/* Whom this worker replaces may have had another row. */
static void forget_the_dead(struct http *http)
{
    uint32_t rows = limit_rows(http->limit);

    for (uint32_t row = 0; row < rows; row++) {
        const struct peer *peer = peer_at(http->region, row);

        /* acquire: pairs with the master's release, the row above it is that of the state */
        if (peer && (atomic_load_explicit(&peer->state, memory_order_acquire) == PEER_FREE ||
                     atomic_load_explicit(&peer->generation, memory_order_relaxed) !=
                         http->worker->heritage->generation))
            limit_forget_row(http->limit, row);
    }
}

static int set_up_peers(struct http *http)
{
    const struct str_list *list = &http->config->http.trusted;

    http->limit = limit_shared();
    limit_take_row(http->limit, http->worker->row);
    forget_the_dead(http);
    http->trusted = calloc(list->count ? list->count : 1, sizeof *http->trusted);
    if (!http->trusted)
        return -ENOMEM;
    for (size_t i = 0; i < list->count; i++)
        if (network_parse(list->item[i], &http->trusted[http->trusted_count]) == 0)
            http->trusted_count++; /* the config was checked */
    return 0;
}

static uint16_t port_of(int fd)
{
    struct sockaddr_storage at = {0};
    socklen_t bytes = sizeof at;

    if (getsockname(fd, (struct sockaddr *)&at, &bytes) != 0)
        return 0;
    if (at.ss_family == AF_INET)
        return ntohs(((struct sockaddr_in *)&at)->sin_port);
    return at.ss_family == AF_INET6 ? ntohs(((struct sockaddr_in6 *)&at)->sin6_port) : 0;
}

bool http_has_port(const struct http *http, unsigned port)
{
    for (size_t i = 0; i < http->listener_count; i++)
        if (http->listener[i].from->kind == LISTENER_PAGES && http->listener[i].port == port)
            return port != 0;
    return false;
}

static int set_up_events(struct http *http)
{
    const struct heritage *h = http->worker->heritage;

    http->listener = calloc(h->listener_count ? h->listener_count : 1, sizeof *http->listener);
    http->tick = event_new(http->worker->base, -1, EV_PERSIST, on_tick, http);
    if (!http->listener || !http->tick)
        return -ENOMEM;
    http->listener_count = h->listener_count;
    for (size_t i = 0; i < h->listener_count; i++) {
        struct http_listener *l = &http->listener[i];

        l->http = http;
        l->from = &h->listener[i];
        l->port = port_of(l->from->fd);
        if (event_assign(&l->event, http->worker->base, l->from->fd, EV_READ | EV_PERSIST,
                         on_listener, l))
            return -ENOMEM;
    }
    return 0;
}

int http_new(struct worker *worker, struct http **ret_http)
{
    struct http *http = calloc(1, sizeof *http);
    const struct config *config = worker->config;
    uint32_t workers = worker->heritage->worker_count ? worker->heritage->worker_count : 1;
    int error;

    if (!http)
        return -ENOMEM;
    http->worker = worker;
    http->config = config;
    http->server_timing = config->http.server_timing;
    http->region = worker->heritage->region;
    http->limits = (struct http_limits){config->http.max_header_bytes, config->http.max_body_bytes};
    http->body_bytes_max = in_bodies_max(http->limits.body_bytes);
    http->conn_max = (config->http.connections + workers - 1) / workers;
    set_up_lists(http);
    error = hot_new(config->cache.hot_bytes, worker->hits, &http->hot);
    if (!error)
        error = set_up_peers(http);
    if (!error)
        error = requests_new(http, &http->requests);
    if (!error)
        error = statics_new(http, &http->statics);
    if (!error)
        error = encoder_new(config, &http->encoder);
    if (!error && config->http.early_hints) {
        http->hints = hints_new();
        error = http->hints ? 0 : -ENOMEM;
    }
    if (!error)
        error = polish_new(http, &http->polish);
    if (!error)
        error = handover_new(http, &http->handover);
    if (!error)
        error = set_up_events(http);
    if (error) {
        http_free(http);
        return error;
    }
    *ret_http = http;
    return 0;
}

void http_free(struct http *http)
{
    if (!http)
        return;
    http_abort(http);
    http->accepting = false;
    watch_listeners(http);
    if (http->tick)
        event_free(http->tick);
    handover_free(http->handover);
    requests_free(http->requests);
    statics_free(http->statics);
    polish_free(http->polish);
    encoder_free(http->encoder);
    hints_free(http->hints);
    hot_free(http->hot);
    free(http->listener);
    free(http->trusted);
    access_close();
    free(http);
}

int http_take_inside(struct http *http, int fd, unsigned depth)
{
    static const struct sockaddr nobody = {.sa_family = AF_UNIX};

    if (conn_new(http, fd, LISTENER_PAGES, &nobody) != 0)
        return -ENOMEM;
    TAILQ_LAST(&http->conns, conn_list)->depth = depth;
    TAILQ_LAST(&http->conns, conn_list)->proxy = false;
    return 0;
}

int http_start(struct http *http)
{
    static const struct timeval tick = {0, TICK_MS * 1000L};
    const char *access = http->config->log.access;
    int error = access_open(access);

    if (error)
        log_warn("no access log: its file can't be opened", log_str("file", access),
                 log_str("error", strerror(-error)));
    http_wake(http);
    if (event_add(http->tick, &tick))
        return -EIO;
    http->accepting = true;
    watch_listeners(http);
    return handover_start(http->handover);
}

/* This process's copies: as long as one is open anywhere, connections queue up on it. */
static void close_listeners(struct http *http)
{
    for (size_t i = 0; i < http->listener_count && !http->stopped; i++)
        (void)close(http->listener[i].from->fd);
    http->stopped = true;
}

void http_drain(struct http *http, bool close_idle)
{
    struct conn *next;

    http->accepting = false;
    watch_listeners(http);
    handover_stop(http->handover);
    close_listeners(http);
    http->close_idle |= close_idle;
    if (!http->close_idle)
        return;
    for (struct conn *c = TAILQ_FIRST(&http->conns); c; c = next) {
        next = TAILQ_NEXT(c, link);
        if (conn_is_idle(c))
            conn_free(c);
    }
}

bool http_help(struct http *http)
{
    return requests_help(http->requests);
}

bool http_polish(struct http *http)
{
    return polish_turn(http->polish);
}

size_t http_connections(const struct http *http)
{
    return http->conn_count + http->admin_count + http->turned_count;
}

void http_abort(struct http *http)
{
    struct conn *c;

    while ((c = TAILQ_FIRST(&http->conns)))
        conn_free(c);
}
