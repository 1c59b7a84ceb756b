/* SPDX-License-Identifier: MIT */
/* bundle.c - see bundle.h. */
#include "master/bundle.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

static int complain(char *problem, size_t cap, const char *path, int error, const char *what)
{
    (void)snprintf(problem, cap, "%s: %s", path, what);
    return error;
}

static int read_all(int fd, char *buf, size_t bytes)
{
    size_t used = 0;

    while (used < bytes) {
        ssize_t got = read(fd, buf + used, bytes - used);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return got < 0 ? -errno : -EIO; /* it shrank while it was read */
        used += (size_t)got;
    }
    return 0;
}

static const char *what_to_do(int error)
{
    switch (error) {
    case -ENOENT:
    case -ENOTDIR:
        return "no such file: build the bundle, or set bundle.path";
    case -EACCES:
        return "not readable by this user: change its permissions, or start ssrd as its owner";
    case -EIO:
        return "it changed while it was read: write it elsewhere and rename it into place";
    default:
        return strerror(-error);
    }
}

int bundle_read(const char *path, struct bundle *ret_bundle, char *problem, size_t cap)
{
    autofd int fd =
        open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a FIFO would wait for a writer */
    struct stat st;
    autofree char *source = NULL;
    int error;

    if (fd < 0 || fstat(fd, &st) != 0) {
        error = -errno;
        return complain(problem, cap, path, error, what_to_do(error));
    }
    if (S_ISDIR(st.st_mode))
        return complain(problem, cap, path, -EISDIR,
                        "a directory: name the bundle's file, as in dist/server.js");
    if (!S_ISREG(st.st_mode))
        return complain(problem, cap, path, -EINVAL, "not a regular file");
    if (st.st_size == 0)
        return complain(problem, cap, path, -EINVAL, "empty: did the build fail?");
    if ((uint64_t)st.st_size > BUNDLE_BYTES_MAX)
        return complain(problem, cap, path, -EFBIG, "larger than 64 MiB");
    source = malloc((size_t)st.st_size);
    if (!source)
        return complain(problem, cap, path, -ENOMEM, "out of memory");
    error = read_all(fd, source, (size_t)st.st_size);
    if (error)
        return complain(problem, cap, path, error, what_to_do(error));
    ret_bundle->bytes = (size_t)st.st_size;
    ret_bundle->hash = XXH3_64bits(source, ret_bundle->bytes);
    ret_bundle->source = take(source);
    return 0;
}

void bundle_done(struct bundle *bundle)
{
    free(bundle->source);
    memset(bundle, 0, sizeof *bundle);
}
