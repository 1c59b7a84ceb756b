/* SPDX-License-Identifier: MIT */
/*
 * fetch_inside.c - see fetch_inside.h. A door is a listening Unix socket under a name that the kernel
 * picks, without a place in the file system. Other processes may find it; who is not this process is
 * turned away. A pair of sockets would do without the door, but libcurl 7.88 connects whatever it
 * is given, also what the application says to be connected already.
 */
#include "worker/fetch_inside.h"

#include "shm/base.h"
#include "worker/http.h"
#include "worker/worker.h"

#include <errno.h>
#include <event2/event.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

struct fetch_door {
    struct worker *worker;
    struct event *event;
    int fd; /* -1: it has been walked through */
    unsigned depth;
};

static void shut(struct fetch_door *door)
{
    if (door->event)
        event_free(door->event);
    door->event = NULL;
    if (door->fd >= 0)
        (void)close(door->fd);
    door->fd = -1;
}

void fetch_door_free(struct fetch_door *door)
{
    if (!door)
        return;
    shut(door);
    free(door);
}

static bool is_ours(int fd)
{
    struct ucred peer = {0};
    socklen_t bytes = sizeof peer;

    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &bytes) == 0 && peer.pid == getpid();
}

static void on_visitor(evutil_socket_t listening, short events, void *arg)
{
    struct fetch_door *door = arg;
    int fd = accept4((int)listening, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    (void)events;
    if (fd < 0)
        return;
    if (!is_ours(fd)) {
        (void)close(fd);
        return;
    }
    shut(door);
    (void)http_take_inside(door->worker->http, fd, door->depth); /* no memory: the fetch fails */
}

int fetch_door_new(struct worker *worker, unsigned depth, struct sockaddr *ret_at, size_t cap_bytes,
                   socklen_t *ret_bytes, struct fetch_door **ret_door)
{
    struct fetch_door *door = calloc(1, sizeof *door);
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    socklen_t bytes = sizeof at;
    int error = -ENOMEM;

    if (!door)
        return -ENOMEM;
    door->worker = worker;
    door->depth = depth;
    door->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (door->fd < 0)
        goto fail_errno;
    /* a family and no name: the kernel gives one (unix(7), "Autobind feature") */
    if (bind(door->fd, (struct sockaddr *)&at, sizeof at.sun_family) != 0 ||
        listen(door->fd, 8) != 0 || getsockname(door->fd, (struct sockaddr *)&at, &bytes) != 0)
        goto fail_errno;
    if (bytes > cap_bytes)
        goto fail;
    door->event = event_new(worker->base, door->fd, EV_READ | EV_PERSIST, on_visitor, door);
    if (!door->event || event_add(door->event, NULL) != 0)
        goto fail;
    memcpy(ret_at, &at, bytes);
    *ret_bytes = bytes;
    *ret_door = door;
    return 0;
fail_errno:
    error = -errno;
fail:
    fetch_door_free(door);
    return error;
}
