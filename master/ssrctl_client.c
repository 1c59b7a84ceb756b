/* SPDX-License-Identifier: MIT */
/*
 * ssrctl_client.c - ssrctl's line to the server: finding its socket, sending a line, waiting for
 * lines with a limit.
 */
#include "master/ssrctl.h"

#include "master/config_load.h"
#include "master/socket_path.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#define ANSWER_BYTES_MAX ((size_t)64 << 20) /* of one line; a server sends far less */

struct client {
    int fd;
    char *path;
    char *buffer;
    size_t bytes, cap_bytes;
    size_t used; /* of the buffer: lines already given */
};

int client_connect(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    autofd int fd = -1;

    if (strlen(path) >= sizeof address.sun_path)
        return -ENAMETOOLONG;
    memcpy(address.sun_path, path, strlen(path) + 1);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof address) != 0)
        return -errno;
    return take_fd(fd);
}

static int no_server(const char *path, int rc)
{
    if (rc == -EACCES || rc == -EPERM) {
        (void)fprintf(stderr,
                      "ssrctl: no permission for %s: run ssrctl as root or as the user that "
                      "started ssrd, or name another socket with -s\n",
                      path);
        return SSRCTL_NO_PERMISSION;
    }
    (void)fprintf(stderr,
                  "ssrctl: no server at %s (%s): start ssrd, or name its socket with -s SOCKET or "
                  "its config with -c FILE\n",
                  path,
                  rc == -ENOENT         ? "no such socket"
                  : rc == -ECONNREFUSED ? "nobody listens there"
                                        : strerror(-rc));
    return SSRCTL_NO_SERVER;
}

static int connect_default(char *ret_path)
{
    char path[SOCKET_PATH_CANDIDATES][SOCKET_PATH_BYTES];
    size_t count = socket_path_candidates(path), told = 0;
    int told_rc = 0;

    for (size_t i = 0; i < count; i++) {
        /* in a directory anyone can make, another user's socket is not the one looked for */
        int rc = socket_path_check_directory(path[i]);
        int fd = rc != 0 ? rc : client_connect(path[i]);

        if (fd >= 0) {
            memcpy(ret_path, path[i], SOCKET_PATH_BYTES);
            return fd;
        }
        /* a socket that is there but can't be used says more than one that is not there */
        if (told_rc == 0 || (told_rc == -ENOENT && fd != -ENOENT)) {
            told_rc = fd;
            told = i;
        }
    }
    memcpy(ret_path, path[told], SOCKET_PATH_BYTES);
    return told_rc;
}

/* admin.socket of a config file; "" when the file leaves it to the default. Owned. */
static int configured_path(const char *file, char **ret_path)
{
    struct config_problems problems = {0};
    struct config *config = NULL;
    int rc = config_load(file, NULL, 0, &config, &problems);

    if (rc != 0) {
        for (size_t i = 0; i < problems.count; i++)
            (void)fprintf(stderr, "%s\n", problems.text[i]);
        if (problems.count == 0)
            (void)fprintf(stderr, "ssrctl: %s: %s\n", file, strerror(-rc));
    } else {
        *ret_path = strdup(config->admin.socket_given ? config->admin.socket : "");
        config_free(config);
    }
    config_problems_done(&problems);
    return rc == 0 ? SSRCTL_OK : SSRCTL_CONFIG;
}

int client_open(const struct ssrctl *options, struct client **ret_client)
{
    char default_path[SOCKET_PATH_BYTES];
    autofree char *path = NULL;
    struct client *client;
    int fd;

    if (options->socket != NULL) {
        path = strdup(options->socket);
    } else if (options->config != NULL) {
        int rc = configured_path(options->config, &path);

        if (rc != SSRCTL_OK)
            return rc;
    } else {
        path = strdup("");
    }
    client = calloc(1, sizeof *client);
    if (path == NULL || client == NULL) {
        free(client);
        (void)fputs("ssrctl: out of memory\n", stderr);
        return SSRCTL_INTERNAL;
    }
    fd = path[0] != '\0' ? client_connect(path) : connect_default(default_path);
    if (fd < 0) {
        free(client);
        return no_server(path[0] != '\0' ? path : default_path, fd);
    }
    client->fd = fd;
    client->path = path[0] != '\0' ? take(path) : strdup(default_path);
    *ret_client = client;
    return SSRCTL_OK;
}

void client_close(struct client *client)
{
    if (client == NULL)
        return;
    (void)close(client->fd);
    free(client->path);
    free(client->buffer);
    free(client);
}

int client_send(struct client *client, json_t *request)
{
    autofree char *text = request == NULL ? NULL : json_dumps(request, JSON_COMPACT);
    size_t bytes;

    json_decref(request);
    if (text == NULL) {
        (void)fputs("ssrctl: out of memory\n", stderr);
        return SSRCTL_INTERNAL;
    }
    bytes = strlen(text);
    text[bytes++] = '\n'; /* where the terminator was */
    for (size_t sent = 0; sent < bytes;) {
        struct pollfd writable = {.fd = client->fd, .events = POLLOUT};
        ssize_t n = send(client->fd, text + sent, bytes - sent, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (n > 0) {
            sent += (size_t)n;
        } else if (n < 0 && errno == EAGAIN && poll(&writable, 1, 10000) == 1) {
            continue;
        } else if (n < 0 && (errno == EPIPE || errno == ECONNRESET)) {
            return SSRCTL_OK; /* its answer may say why it closed */
        } else if (n >= 0 || errno != EINTR) {
            (void)fprintf(stderr, "ssrctl: %s takes no more: %s\n", client->path, strerror(errno));
            return SSRCTL_NO_SERVER;
        }
    }
    return SSRCTL_OK;
}

/* Read once more into the buffer. 1: some bytes, 0: end, else negative errno. */
static int read_more(struct client *client, unsigned timeout_s)
{
    struct pollfd readable = {.fd = client->fd, .events = POLLIN};
    ssize_t n;

    if (client->bytes == client->cap_bytes) {
        size_t cap_bytes = client->cap_bytes == 0 ? 16384 : client->cap_bytes * 2;
        char *buffer = cap_bytes > ANSWER_BYTES_MAX ? NULL : realloc(client->buffer, cap_bytes);

        if (buffer == NULL)
            return -ENOMEM;
        client->buffer = buffer;
        client->cap_bytes = cap_bytes;
    }
    do {
        int ready = poll(&readable, 1, timeout_s > 86400 ? -1 : (int)timeout_s * 1000);

        if (ready == 0)
            return -ETIMEDOUT;
        n = ready < 0 ? -1
                      : read(client->fd, client->buffer + client->bytes,
                             client->cap_bytes - client->bytes);
    } while (n < 0 && errno == EINTR);
    if (n < 0)
        return errno == ECONNRESET ? 0 : -errno;
    client->bytes += (size_t)n;
    return n > 0;
}

int client_receive(struct client *client, unsigned timeout_s, json_t **ret_answer)
{
    size_t scanned = client->used;
    json_error_t error;
    char *eol;
    int rc;

    *ret_answer = NULL;
    while ((eol = client->bytes == scanned
                      ? NULL
                      : memchr(client->buffer + scanned, '\n', client->bytes - scanned)) == NULL) {
        if (client->used > 0) {
            client->bytes -= client->used;
            memmove(client->buffer, client->buffer + client->used, client->bytes);
            client->used = 0;
        }
        scanned = client->bytes;
        rc = read_more(client, timeout_s);
        if (rc == 0)
            return SSRCTL_OK;
        if (rc < 0) {
            (void)fprintf(stderr, "ssrctl: no answer from %s: %s\n", client->path,
                          rc == -ETIMEDOUT ? "the server is silent; --timeout SECONDS waits longer"
                                           : strerror(-rc));
            return SSRCTL_NO_SERVER;
        }
    }
    *ret_answer = json_loadb(client->buffer + client->used,
                             (size_t)(eol - client->buffer) - client->used, JSON_ALLOW_NUL, &error);
    client->used = (size_t)(eol - client->buffer) + 1;
    if (!json_is_object(*ret_answer)) {
        json_decref(*ret_answer);
        *ret_answer = NULL;
        (void)fprintf(stderr, "ssrctl: what answers at %s is not ssrd\n", client->path);
        return SSRCTL_NO_SERVER;
    }
    return SSRCTL_OK;
}
