/* SPDX-License-Identifier: MIT */
/*
 * fuzz_conn.c - whole connections: any bytes, cut into reads, on each kind of listener, against the HTTP side of a worker
 * with real caches and a renderer that answers at once. So it reaches what stands behind the parser: pipelines, bodies,
 * the JSON of the admin listener and of gateways, the PROXY header, X-Forwarded-*, the access log's escaping.
 * Beyond not crashing: what goes out is whole answers, none behind one that says close, and when the client has gone
 * nothing of it is left.
 *
 * The first byte says which kind of listener (enum listener_kind, 2 bits), 4: a PROXY header comes first, 8: the bundle takes
 * bodies, 16: the peer is trusted, 32: each address has three requests an hour, 64: it comes from within, and too deep; the second how many bytes a read has.
 */
#include "worker/access.h"
#include "worker/limit.h"

#include "tests/unit/http_fixture.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

#define OUT_BYTES (4u * (unsigned)MIB)
#define TURNS_MAX 100 /* until all of a client that has gone is given back */

static char out[OUT_BYTES];
static size_t out_bytes;

static void drain(int fd)
{
    ssize_t n;

    while (out_bytes < sizeof out &&
           (n = recv(fd, out + out_bytes, sizeof out - out_bytes, MSG_DONTWAIT)) > 0)
        out_bytes += (size_t)n;
}

/* Everything that can be done without more bytes. */
static void go_on(struct fixture *f, int fd)
{
    size_t before;

    do {
        before = out_bytes;
        turn(f);
        drain(fd);
        render_all(f);
        turn(f);
        drain(fd);
    } while (out_bytes != before || f->renderer.queued > 0);
}

/* An answer to HEAD looks like the beginning of one to GET, so nothing can be said where there may be one. */
static void check_answers(const uint8_t *data, size_t bytes)
{
    llhttp_settings_t settings;
    llhttp_t parser;

    if (memmem(data, bytes, "HEAD", 4))
        return;
    llhttp_settings_init(&settings);
    llhttp_init(&parser, HTTP_RESPONSE, &settings);
    assert(llhttp_execute(&parser, out, out_bytes) == HPE_OK);
    assert(out_bytes == 0 || llhttp_finish(&parser) == HPE_OK);
}

static struct fixture *the_worker(void)
{
    static void *state;
    struct fixture *f;

    if (state)
        return state;
    if (setup(&state) != 0)
        abort();
    f = state;
    log_set_level(LOG_ERROR);
    f->heritage.master_wake_fd = -1;
    f->config.http.max_body_bytes = 3000; /* before a connection has asked */
    f->worker.http->limits.body_bytes = 3000;
    (void)access_open("/dev/null");
    assert(network_parse("unix", &f->worker.http->trusted[0]) == 0);
    return f;
}

static int open_client(struct fixture *f, unsigned mode)
{
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) != 0)
        abort();
    f->config.http.proxy_protocol = (mode & 4) != 0;
    f->worker.takes_request = (mode & 8) != 0;
    f->worker.http->trusted_count = (mode & 16) != 0;
    limit_free(f->worker.http->limit);
    f->worker.http->limit = NULL;
    if ((mode & 32) &&
        limit_new(2, (struct config_rate){3, 3600}, f->worker.row + 1, &f->worker.http->limit) != 0)
        abort();
    limit_take_row(f->worker.http->limit, f->worker.row);
    http_wake(f->worker.http);
    if (conn_new(f->worker.http, pair[1], (enum listener_kind)(mode & 3),
                 &(struct sockaddr){.sa_family = AF_UNIX}) != 0)
        abort();
    if (mode & 64)
        TAILQ_LAST(&f->worker.http->conns, conn_list)->depth = 9;
    return pair[0];
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct fixture *f = the_worker();
    size_t step;
    int fd;

    if (bytes < 2)
        return 0;
    fd = open_client(f, data[0]);
    step = data[1] ? data[1] : bytes;
    out_bytes = 0;
    for (size_t at = 2; at < bytes; at += step) {
        size_t n = bytes - at < step ? bytes - at : step;

        if (send(fd, data + at, n, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
            break;
        turn(f);
        drain(fd);
    }
    go_on(f, fd);
    check_answers(data, bytes);
    (void)close(fd);
    /* A few turns do; a process that others keep from running finds deadlines passed between them, each of which answers first. */
    for (int i = 0; i < TURNS_MAX && http_connections(f->worker.http) > 0; i++) {
        turn(f);
        render_all(f);
    }
    assert(http_connections(f->worker.http) == 0);
    return 0;
}
