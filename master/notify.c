/* SPDX-License-Identifier: MIT */
/* notify.c - see notify.h. */
#include "master/notify.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#define LISTEN_FDS_START 3

static struct sockaddr_un address;
static socklen_t address_bytes; /* 0: nobody listens */
static uint64_t watchdog_ms;
static unsigned socket_count;

static uint64_t number(const char *name)
{
    const char *text = getenv(name);

    return text ? strtoull(text, NULL, 10) : 0;
}

static bool for_us(const char *pid_name)
{
    const char *text = getenv(pid_name);

    return !text || strtoull(text, NULL, 10) == (unsigned long long)getpid();
}

static void read_address(void)
{
    const char *path = getenv("NOTIFY_SOCKET");
    size_t bytes = path ? strlen(path) : 0;

    if (bytes == 0 || bytes >= sizeof address.sun_path || (path[0] != '/' && path[0] != '@'))
        return;
    address.sun_family = AF_UNIX;
    memcpy(address.sun_path, path, bytes);
    if (path[0] == '@')
        address.sun_path[0] = '\0'; /* abstract */
    address_bytes = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + bytes);
}

void notify_init(void)
{
    static const char *const names[] = {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID",
                                        "LISTEN_FDS",    "LISTEN_PID",    "LISTEN_FDNAMES"};

    read_address();
    if (for_us("WATCHDOG_PID"))
        watchdog_ms = number("WATCHDOG_USEC") / 1000 / 2;
    if (getenv("LISTEN_PID") && for_us("LISTEN_PID"))
        socket_count = (unsigned)number("LISTEN_FDS");
    for (size_t i = 0; i < array_len(names); i++)
        (void)unsetenv(names[i]);
}

void notify_send(const char *format, ...)
{
    char text[512];
    va_list args;
    autofd int fd = -1;
    int bytes;

    if (address_bytes == 0)
        return;
    va_start(args, format);
    bytes = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (bytes < 0)
        return;
    if ((size_t)bytes >= sizeof text)
        bytes = sizeof text - 1;
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd >= 0)
        (void)sendto(fd, text, (size_t)bytes, MSG_NOSIGNAL, (const struct sockaddr *)&address,
                     address_bytes);
}

uint64_t notify_watchdog_ms(void)
{
    return watchdog_ms;
}

unsigned notify_sockets(int *ret_first_fd)
{
    if (socket_count > 0)
        *ret_first_fd = LISTEN_FDS_START;
    return socket_count;
}
