/* SPDX-License-Identifier: MIT */
/*
 * listeners.h - the listening sockets. They belong to the master and outlive workers and
 * generations, so that a connection in a queue is never reset; generations hold references, and a
 * socket is closed when the last generation that named it has gone.
 */
#ifndef SSRD_MASTER_LISTENERS_H
#define SSRD_MASTER_LISTENERS_H

#include "shm/heritage.h"

#include <sys/queue.h>

/* So much of what was written to a connection may wait in the kernel, not yet sent (tcp(7), TCP_NOTSENT_LOWAT). */
#define LISTENER_UNSENT_BYTES 131072

struct listener {
    TAILQ_ENTRY(listener) link;
    char *text;  /* as configured */
    char *bound; /* as bound: the real port for port 0 */
    enum listener_kind kind;
    int fd;
    unsigned references;
    bool owns_path; /* a Unix socket that we made, to be removed */
};

TAILQ_HEAD(listeners, listener);

/*
 * The socket for text: "host:port", "[v6]:port", "unix:/path", or "systemd:N" (the Nth descriptor
 * handed over). One that is open already is shared. Each success is paired with listener_put().
 * 0 / negative errno and one line in problem: -EADDRINUSE (taken), -EACCES, -EADDRNOTAVAIL, -EEXIST
 * (the path is no socket's), -EBADF (no such listening socket was handed over), …
 */
int listeners_get(struct listeners *listeners, const char *text, enum listener_kind kind,
                  struct listener **ret_listener, char *problem, size_t cap);
void listener_put(struct listeners *listeners, struct listener *listener);

/* The end: no connection queues up any more, and names are free for a successor. The generations'
 * references stay valid, their descriptors are closed. */
void listeners_stop(struct listeners *listeners);

/* A listening Unix stream socket at path (mode: permissions); replaces a dead one's (also one
 * whose maker has died, whoever holds it still), never a live one's (-EADDRINUSE) and nothing that is not a socket (-EEXIST). 0 / negative errno. */
int listener_unix(const char *path, mode_t mode, int *ret_fd);

#endif
