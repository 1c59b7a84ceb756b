/* SPDX-License-Identifier: MIT */
/*
 * loop.c - see loop.h. The descriptor is the epoll that was not there before the base was made, by
 * /proc/self/fd. Rejected: an epoll of our own around libevent's, which we could not name either;
 * guessing the lowest free number, which holds only as long as libevent opens nothing before it.
 */
#include "worker/loop.h"

#include "shm/base.h"

#include <dirent.h>
#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#define EPOLLS_MAX 8 /* a worker has one */

struct epolls {
    int fd[EPOLLS_MAX];
    size_t count;
};

static void note_if_epoll(struct epolls *found, const char *number)
{
    static const char wanted[] = "anon_inode:[eventpoll]";
    char path[64], target[sizeof wanted] = "";

    (void)snprintf(path, sizeof path, "/proc/self/fd/%.16s", number);
    if (readlink(path, target, sizeof target) != sizeof wanted - 1 ||
        memcmp(target, wanted, sizeof wanted - 1) != 0)
        return;
    if (found->count < EPOLLS_MAX)
        found->fd[found->count++] = (int)strtol(number, NULL, 10);
}

static void find_epolls(struct epolls *ret_found)
{
    DIR *dir = opendir("/proc/self/fd");
    const struct dirent *entry;

    ret_found->count = 0;
    if (!dir)
        return;
    while ((entry = readdir(dir)))
        note_if_epoll(ret_found, entry->d_name);
    (void)closedir(dir);
}

static bool has(const struct epolls *found, int fd)
{
    for (size_t i = 0; i < found->count; i++)
        if (found->fd[i] == fd)
            return true;
    return false;
}

/* -1 also when there are two: which is the loop's can't be told. */
static int new_one(const struct epolls *before, const struct epolls *after)
{
    int fd = -1;

    for (size_t i = 0; i < after->count; i++) {
        if (has(before, after->fd[i]))
            continue;
        if (fd >= 0)
            return -1;
        fd = after->fd[i];
    }
    return fd;
}

int loop_new(struct event_base **ret_base, int *ret_fd)
{
    struct event_config *config = event_config_new();
    struct event_base *base = NULL;
    struct epolls before, after;

    if (!config)
        return -ENOMEM;
    find_epolls(&before);
    /* One thread at a time uses it, so no locks; time comes from our own clock, so no cache of it. */
    if (event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK) == 0)
        base = event_base_new_with_config(config);
    event_config_free(config);
    if (!base)
        return -ENOMEM;
    find_epolls(&after);
    *ret_base = base;
    *ret_fd = new_one(&before, &after);
    return 0;
}
