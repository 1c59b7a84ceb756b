/* SPDX-License-Identifier: MIT */
/* listeners.c - see listeners.h. */
#include "master/listeners.h"

#include "master/notify.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#define BACKLOG 4096 /* the kernel cuts it to net.core.somaxconn */

static const char *what_to_do(const char *text, int error)
{
    bool is_path = strncmp(text, "unix:", 5) == 0;

    switch (error) {
    case -EADDRINUSE:
        return is_path
                   ? "already in use: stop the other program (ss -xlp shows it) or change the path"
                   : "already in use: stop the other program (ss -ltnp shows it) or change the "
                     "port";
    case -EACCES:
        return is_path ? "not permitted: this user may not make files in its directory"
                       : "not permitted: ports below 1024 need root, CAP_NET_BIND_SERVICE or "
                         "systemd's socket";
    case -EADDRNOTAVAIL:
        return "this machine has no such address";
    case -ENOENT:
        return "its directory does not exist";
    case -EEXIST:
        return "what is there is not a socket: move it away or change the path";
    case -EBADF:
        return "no listening socket of this number was handed over: start ssrd through ssrd.socket";
    default:
        return strerror(-error);
    }
}

static int complain(char *problem, size_t cap, const char *text, int error)
{
    (void)snprintf(problem, cap, "can't listen on %s: %s", text, what_to_do(text, error));
    return error;
}

/* The kernel notes who called listen(2). Killed, a master leaves workers that hold its sockets for
 * some seconds: they must not keep its successor out. 0: of another pid namespace, not to be known.
 */
static bool listener_has_gone(int fd)
{
    struct ucred peer;
    socklen_t bytes = sizeof peer;

    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &bytes) == 0 && peer.pid > 0 &&
           kill(peer.pid, 0) != 0 && errno == ESRCH;
}

/* Only a refusal proves it, or a listener that is no more: a socket of another type or one that
 * this user may not dial lives on. */
static bool has_died(const struct sockaddr_un *address)
{
    autofd int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0)
        return false;
    if (connect(fd, (const struct sockaddr *)address, sizeof *address) != 0)
        return errno == ECONNREFUSED;
    return listener_has_gone(fd);
}

int listener_unix(const char *path, mode_t mode, int *ret_fd)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    autofd int fd = -1;
    struct stat st;

    if (strlen(path) >= sizeof address.sun_path)
        return -ENAMETOOLONG;
    memcpy(address.sun_path, path, strlen(path));
    if (lstat(path, &st) == 0) {
        if (!S_ISSOCK(st.st_mode))
            return -EEXIST;
        if (!has_died(&address))
            return -EADDRINUSE;
        (void)unlink(path);
    }
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    mode_t before = umask(0777 & ~mode); /* no moment with wider permissions */
    int error = bind(fd, (const struct sockaddr *)&address, sizeof address) == 0 ? 0 : -errno;
    (void)umask(before);
    if (error)
        return error;
    if (listen(fd, BACKLOG) != 0) {
        error = -errno;
        (void)unlink(path);
        return error;
    }
    *ret_fd = take_fd(fd);
    return 0;
}

static int bind_one(const struct addrinfo *info, int *ret_fd)
{
    static const int on = 1;
    autofd int fd = socket(info->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0)
        return -errno;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (info->ai_family == AF_INET6) /* [::] is IPv6 alone: 0.0.0.0 can be listed beside it */
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    if (bind(fd, info->ai_addr, info->ai_addrlen) != 0 || listen(fd, BACKLOG) != 0)
        return -errno;
    *ret_fd = take_fd(fd);
    return 0;
}

/* text: "host:port" or "[v6]:port", checked by the config loader; taken apart once more. */
static int bind_tcp(const char *text, int *ret_fd)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    struct addrinfo *info = NULL;
    autofree char *host = strdup(text);
    char *colon = host ? strrchr(host, ':') : NULL;
    char *name = host;
    int error;

    if (!colon)
        return host ? -EINVAL : -ENOMEM;
    *colon = '\0';
    if (name[0] == '[' && colon[-1] == ']') {
        colon[-1] = '\0';
        name++;
    }
    if (getaddrinfo(name, colon + 1, &hints, &info) != 0)
        return -EADDRNOTAVAIL;
    error = -EADDRNOTAVAIL;
    for (struct addrinfo *i = info; i; i = i->ai_next) {
        error = bind_one(i, ret_fd);
        if (error != -EADDRNOTAVAIL && error != -EAFNOSUPPORT)
            break; /* "localhost" may be ::1 first where there is no IPv6 */
    }
    freeaddrinfo(info);
    return error;
}

/* A copy: what was handed over stays open, so that its number can't come to mean another descriptor
 * when a config drops it and a later one names it again. */
static int inherit(const char *number, int *ret_fd)
{
    int first = -1, listens = 0;
    unsigned count = notify_sockets(&first);
    unsigned long wanted = strtoul(number, NULL, 10);
    socklen_t bytes = sizeof listens;
    int fd = wanted < count ? first + (int)wanted : -1;

    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &bytes) != 0 || !listens)
        return -EBADF;
    (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
    (void)fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    *ret_fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    return *ret_fd >= 0 ? 0 : -errno;
}

static char *name_of(int fd, const char *text)
{
    struct sockaddr_storage address;
    socklen_t bytes = sizeof address;
    char host[NI_MAXHOST], port[NI_MAXSERV], *name = NULL;

    if (getsockname(fd, (struct sockaddr *)&address, &bytes) != 0 || address.ss_family == AF_UNIX ||
        getnameinfo((struct sockaddr *)&address, bytes, host, sizeof host, port, sizeof port,
                    NI_NUMERICHOST | NI_NUMERICSERV) != 0)
        return strdup(text);
    if (asprintf(&name, address.ss_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host, port) < 0)
        return NULL;
    return name;
}

/* Connections have what their listener has. Of a client that does not read the kernel would take megabytes, which
 * nothing of ours can bound; what it does not take is a reference to a page. Fails on Unix sockets. */
static void bound_unsent(int fd)
{
    static const int bytes = LISTENER_UNSENT_BYTES;

    (void)setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &bytes, sizeof bytes);
}

static int open_tcp(struct listener *l)
{
    int error = strncmp(l->text, "systemd:", 8) == 0 ? inherit(l->text + 8, &l->fd)
                                                     : bind_tcp(l->text, &l->fd);

    if (!error)
        bound_unsent(l->fd);
    return error;
}

static int open_socket(struct listener *l)
{
    int error;

    if (strncmp(l->text, "unix:", 5) != 0)
        return open_tcp(l);
    error = listener_unix(l->text + 5, l->kind == LISTENER_ADMIN ? 0600 : 0666, &l->fd);
    l->owns_path = error == 0;
    return error;
}

static void listener_close(struct listener *l)
{
    if (l->owns_path) /* before it is closed: a dead socket's path may be taken by another ssrd */
        (void)unlink(l->text + 5);
    if (l->fd >= 0)
        (void)close(l->fd);
    l->owns_path = false;
    l->fd = -1;
}

static void listener_free(struct listener *l)
{
    if (!l)
        return;
    listener_close(l);
    free(l->text);
    free(l->bound);
    free(l);
}

int listeners_get(struct listeners *listeners, const char *text, enum listener_kind kind,
                  struct listener **ret_listener, char *problem, size_t cap)
{
    struct listener *l;
    int error = -ENOMEM;

    TAILQ_FOREACH(l, listeners, link)
    if (l->kind == kind && strcmp(l->text, text) == 0) {
        l->references++;
        *ret_listener = l;
        return 0;
    }
    l = calloc(1, sizeof *l);
    if (!l)
        return complain(problem, cap, text, -ENOMEM);
    l->fd = -1;
    l->kind = kind;
    l->references = 1;
    l->text = strdup(text);
    if (!l->text)
        goto fail;
    error = open_socket(l);
    if (error)
        goto fail;
    error = -ENOMEM;
    l->bound = name_of(l->fd, text);
    if (!l->bound)
        goto fail;
    TAILQ_INSERT_TAIL(listeners, l, link);
    *ret_listener = l;
    return 0;
fail:
    listener_free(l);
    return complain(problem, cap, text, error);
}

void listener_put(struct listeners *listeners, struct listener *listener)
{
    if (--listener->references > 0)
        return;
    TAILQ_REMOVE(listeners, listener, link);
    listener_free(listener);
}

void listeners_stop(struct listeners *listeners)
{
    struct listener *l;

    TAILQ_FOREACH(l, listeners, link)
    listener_close(l);
}
