/* SPDX-License-Identifier: MIT */
/* handover.c - see handover.h. One message is taken a turn, so that several workers share what comes. */
#include "worker/handover.h"

#include "shm/log.h"
#include "shm/stats.h"
#include "worker/conn.h"
#include "worker/conn_peer.h"
#include "worker/http_state.h"

#include <errno.h>
#include <event2/event.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PIECES 3

struct handover {
    struct http *http;
    struct event *readable; /* NULL: there is no socket */
    char message[sizeof(struct handover_head) + HANDOVER_BYTES];
};

/* ---- taking ---- */

/* Descriptors of a message, into fd[HANDOVER_FDS]; those beyond are closed. */
static size_t take_fds(struct msghdr *message, int *fd)
{
    size_t count = 0;

    for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
        size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        for (size_t i = 0; i < n; i++) {
            int one;

            memcpy(&one, CMSG_DATA(c) + i * sizeof one, sizeof one);
            if (count < HANDOVER_FDS)
                fd[count++] = one;
            else
                (void)close(one);
        }
    }
    return count;
}

static void on_readable(evutil_socket_t from, short events, void *arg)
{
    struct handover *h = arg;
    alignas(struct cmsghdr) char control[CMSG_SPACE(HANDOVER_FDS * sizeof(int))];
    struct iovec piece = {h->message, sizeof h->message};
    struct msghdr message = {.msg_iov = &piece,
                             .msg_iovlen = 1,
                             .msg_control = control,
                             .msg_controllen = sizeof control};
    struct handover_head head;
    const char *requests;
    int fd[HANDOVER_FDS];
    size_t fds;
    ssize_t n;

    (void)events;
    http_wake(h->http);
    n = recvmsg(from, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (n < 0)
        return; /* another worker has taken it */
    fds = take_fds(&message, fd);
    if ((message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) ||
        !handover_check(h->message, (size_t)n, fds, &head, &requests)) {
        log_error("connections were handed over that can't be understood; they are closed",
                  log_uint("connections", fds));
        for (size_t i = 0; i < fds; i++)
            (void)close(fd[i]);
        return;
    }
    stats_add(&h->http->worker->stats->taken_over, fds);
    for (size_t i = 0; i < fds; i++)
        (void)conn_adopt(h->http, fd[i], (enum listener_kind)head.kind[i], &head.client[i],
                         requests, head.bytes);
}

int handover_new(struct http *http, struct handover **ret_handover)
{
    const struct heritage *heritage = http->worker->heritage;
    struct handover *h = malloc(sizeof *h);

    if (!h)
        return -ENOMEM;
    h->http = http;
    h->readable = NULL;
    if (heritage->handover_take_fd > STDERR_FILENO) {
        h->readable = event_new(http->worker->base, heritage->handover_take_fd,
                                EV_READ | EV_PERSIST, on_readable, h);
        if (!h->readable) {
            free(h);
            return -ENOMEM;
        }
    }
    *ret_handover = h;
    return 0;
}

void handover_free(struct handover *handover)
{
    if (handover && handover->readable)
        event_free(handover->readable);
    free(handover);
}

int handover_start(struct handover *handover)
{
    return handover->readable && event_add(handover->readable, NULL) != 0 ? -EIO : 0;
}

void handover_stop(struct handover *handover)
{
    if (handover->readable)
        (void)event_del(handover->readable);
}

/* ---- giving ---- */

/* One message; 0 / negative errno: -ETIMEDOUT when there was no room in time. */
static int give(const struct http *http, struct iovec *piece, const int *fd, size_t fds,
                uint64_t until_ns)
{
    int to = http->worker->heritage->handover_give_fd;
    alignas(struct cmsghdr) char control[CMSG_SPACE(HANDOVER_FDS * sizeof(int))] = {0};
    struct msghdr message = {.msg_iov = piece,
                             .msg_iovlen = 1 + PIECES,
                             .msg_control = control,
                             .msg_controllen = CMSG_SPACE(fds * sizeof(int))};
    struct cmsghdr *c = CMSG_FIRSTHDR(&message);

    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(fds * sizeof(int));
    memcpy(CMSG_DATA(c), fd, fds * sizeof(int));
    while (sendmsg(to, &message, MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
        struct pollfd room = {.fd = to, .events = POLLOUT};

        if (errno != EAGAIN && errno != EINTR)
            return -errno;
        if (mono_ns() >= until_ns)
            return -ETIMEDOUT;
        (void)poll(&room, 1, 5);
    }
    return 0;
}

static bool give_one(struct conn *c, const struct span *requests, size_t bytes, uint64_t until_ns)
{
    struct handover_head head = {.magic = HANDOVER_MAGIC,
                                 .count = 1,
                                 .bytes = (uint32_t)bytes,
                                 .kind = {(uint8_t)c->kind},
                                 .client = {*peer_own(c)}};
    struct iovec piece[1 + PIECES] = {{&head, sizeof head}};

    if (bytes > HANDOVER_BYTES)
        return false;
    for (int i = 0; i < PIECES; i++)
        piece[1 + i] = (struct iovec){(void *)(uintptr_t)requests[i].data, requests[i].bytes};
    if (give(c->http, piece, &c->fd, 1, until_ns) != 0)
        return false;
    conn_free(c);
    return true;
}

static size_t give_idle(const struct http *http, struct conn **conn, size_t count,
                        uint64_t until_ns)
{
    struct handover_head head = {.magic = HANDOVER_MAGIC, .count = (uint32_t)count};
    struct iovec piece[1 + PIECES] = {{&head, sizeof head}};
    int fd[HANDOVER_FDS];

    for (size_t i = 0; i < count; i++) {
        fd[i] = conn[i]->fd;
        head.kind[i] = (uint8_t)conn[i]->kind;
        head.client[i] = *peer_own(conn[i]);
    }
    if (count == 0 || give(http, piece, fd, count, until_ns) != 0)
        return 0;
    for (size_t i = 0; i < count; i++)
        conn_free(conn[i]);
    return count;
}

size_t handover_all(struct http *http, bool idle_only, uint64_t until_ns)
{
    struct conn *idle[HANDOVER_FDS];
    struct span requests[PIECES];
    size_t idle_count = 0, given = 0, bytes;
    struct conn *next;

    if (http->worker->heritage->handover_give_fd <= STDERR_FILENO)
        return 0;
    for (struct conn *c = TAILQ_FIRST(&http->conns); c && !idle_only; c = next) {
        next = TAILQ_NEXT(c, link);
        bytes = conn_unanswered(c, requests);
        if (bytes != SIZE_MAX && bytes > 0)
            given += give_one(c, requests, bytes, until_ns);
    }
    for (struct conn *c = TAILQ_FIRST(&http->conns); c; c = next) {
        next = TAILQ_NEXT(c, link);
        if (conn_unanswered(c, requests) != 0)
            continue;
        idle[idle_count++] = c;
        if (idle_count == HANDOVER_FDS) {
            given += give_idle(http, idle, idle_count, until_ns);
            idle_count = 0;
        }
    }
    return given + give_idle(http, idle, idle_count, until_ns);
}
