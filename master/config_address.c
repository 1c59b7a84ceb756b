/* SPDX-License-Identifier: MIT */
/*
 * config_address.c - what may stand in `listen`, and what to write instead of what may not. Only
 * the form is judged; names are resolved, and sockets opened, by the listeners.
 */
#include "master/config_value.h"

#include "shm/base.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#define HOST_BYTES_MAX 255

__attribute__((format(printf, 2, 3))) static int refuse(char *why, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    (void)vsnprintf(why, CONFIG_WHY_BYTES, format, args);
    va_end(args);
    return -EINVAL;
}

static int check_port(const char *port, char *why)
{
    uint64_t number;

    if (config_value_count(port, &number) != 0 || number > 65535)
        return refuse(why, "the port must be a number between 0 and 65535");
    return 0;
}

static int check_unix(const char *path, char *why)
{
    if (path[0] != '/' && path[0] != '.')
        return refuse(why, "a path follows unix:, such as unix:/run/ssrd/http.sock");
    if (strlen(path) >= sizeof((struct sockaddr_un *)0)->sun_path)
        return refuse(why, "the path of a Unix socket has at most %zu bytes",
                      sizeof((struct sockaddr_un *)0)->sun_path - 1);
    return 0;
}

static int check_host(const char *host, char *why)
{
    struct in_addr v4;

    if (strlen(host) > HOST_BYTES_MAX)
        return refuse(why, "the host name is too long");
    if (strspn(host, "0123456789.") == strlen(host) && inet_pton(AF_INET, host, &v4) != 1)
        return refuse(why, "`%s` is not an IPv4 address", host);
    if (strspn(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_") !=
        strlen(host))
        return refuse(why, "the host holds a character that no host name has");
    return 0;
}

int config_value_address(const char *text, char *why)
{
    char host[HOST_BYTES_MAX + 2];
    const char *colon = strrchr(text, ':');
    const char *port =
        text + (strncmp(text, "*:", 2) == 0 ? 2 : text[0] == ':'); /* 8080 :8080 *:8080 */
    struct in6_addr v6;
    char show[CONFIG_SHOW_BYTES];

    if (strcmp(text, "systemd") == 0)
        return 0;
    if (strncmp(text, "unix:", 5) == 0)
        return check_unix(text + 5, why);
    if (text[0] == '/')
        return refuse(why, "a Unix socket is written unix:%s", config_value_show(text, show));
    if (strncmp(text, "http:", 5) == 0 || strncmp(text, "https:", 6) == 0)
        return refuse(why, "an address is wanted, not a URL: 127.0.0.1:8080");
    if (port[0] != '\0' && strspn(port, "0123456789") == strlen(port))
        return refuse(why,
                      "the host is missing: write 127.0.0.1:%.20s for this machine alone, "
                      "0.0.0.0:%.20s for all its addresses",
                      port, port);
    if (text[0] != '[' && (!colon || strchr(text, ':') != colon)) {
        if (inet_pton(AF_INET6, text, &v6) == 1)
            return refuse(why, "an IPv6 address stands in brackets, with a port: \"[%s]:8080\"",
                          text);
        return refuse(why, colon
                               ? "wanted host:port, [::]:port, unix:/path or systemd"
                               : "the port is missing; wanted host:port, [::]:port, unix:/path or "
                                 "systemd");
    }
    if (text[0] == '[') {
        const char *end = strchr(text, ']');
        size_t bytes = end ? (size_t)(end - text - 1) : 0;

        if (!end || bytes >= sizeof host || end[1] != ':')
            return refuse(why,
                          "wanted \"[ADDRESS]:port\" with an IPv6 address, such as \"[::]:8080\"");
        memcpy(host, text + 1, bytes);
        host[bytes] = '\0';
        if (inet_pton(AF_INET6, host, &v6) != 1)
            return refuse(why, "`%s` is not an IPv6 address", config_value_show(host, show));
        return check_port(end + 2, why);
    }
    if ((size_t)(colon - text) >= sizeof host)
        return refuse(why, "the host name is too long");
    memcpy(host, text, (size_t)(colon - text));
    host[colon - text] = '\0';
    if (check_host(host, why) != 0)
        return -EINVAL;
    return check_port(colon + 1, why);
}
