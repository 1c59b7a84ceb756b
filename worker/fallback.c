/* SPDX-License-Identifier: MIT */
/* fallback.c - see fallback.h. */
#include "worker/fallback.h"

#include "shm/base.h"
#include "shm/config.h"
#include "shm/log.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

struct fallbacks {
    size_t count;
    struct one {
        const struct config_policy *policy;
        char *data;
        size_t bytes;
    } one[]; /* the server's, then the routes' */
};

static struct fallbacks *all; /* lives as long as the process */

static int read_file(const char *path, char **ret_data, size_t *ret_bytes)
{
    autofd int fd = open(path, O_RDONLY | O_CLOEXEC);
    autofree char *data = NULL;
    size_t bytes = 0;
    ssize_t n;

    if (fd < 0)
        return -errno;
    data = malloc(FALLBACK_BYTES_MAX + 1);
    if (!data)
        return -ENOMEM;
    while ((n = read(fd, data + bytes, FALLBACK_BYTES_MAX + 1 - bytes)) > 0)
        bytes += (size_t)n;
    if (n < 0)
        return -errno;
    if (bytes > FALLBACK_BYTES_MAX)
        return -EFBIG;
    *ret_data = take(data);
    *ret_bytes = bytes;
    return 0;
}

static void load(struct one *one, const struct config_policy *policy)
{
    int error;

    one->policy = policy;
    if (policy->fallback[0] == '\0')
        return;
    error = read_file(policy->fallback, &one->data, &one->bytes);
    if (error)
        log_warn("no render.fallback: its file can't be read", log_str("file", policy->fallback),
                 log_str("error", strerror(-error)));
}

void fallbacks_read(const struct config *config)
{
    size_t count = 1 + config->routes.count;

    all = calloc(1, sizeof *all + count * sizeof all->one[0]);
    if (!all)
        return;
    all->count = count;
    load(&all->one[0], &config->policy);
    for (size_t i = 1; i < count; i++)
        load(&all->one[i], &config->routes.item[i - 1].policy);
}

struct span fallback_of(const struct config_policy *policy)
{
    for (size_t i = 0; all && i < all->count; i++)
        if (all->one[i].policy == policy)
            return (struct span){all->one[i].data, all->one[i].bytes};
    return (struct span){NULL, 0};
}
