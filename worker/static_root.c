/* SPDX-License-Identifier: MIT */
/* static_root.c - see static_root.h. */
#include "worker/static_root.h"

#include "worker/static_path.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#define LOOK_AGAIN_MS 1000
#define RACES_MAX 8 /* openat2 gives EAGAIN when a rename crossed its way */

static const char *const suffixes[PAGE_ENCODINGS] = {
    [PAGE_IDENTITY] = "", [PAGE_GZIP] = ".gz", [PAGE_BR] = ".br", [PAGE_ZSTD] = ".zst"};

void static_root_init(struct static_root *root, const struct config_static *config)
{
    *root = (struct static_root){.config = config, .fd = -1};
}

void static_root_done(struct static_root *root)
{
    if (root->fd >= 0)
        (void)close(root->fd);
    root->fd = -1;
}

static void look(struct static_root *root, uint64_t now_ms)
{
    struct stat st;
    int fd;

    if (root->fd >= 0 && now_ms < root->looked_ms + LOOK_AGAIN_MS)
        return;
    root->looked_ms = now_ms;
    if (root->fd >= 0 && stat(root->config->root, &st) == 0 && st.st_dev == root->device &&
        st.st_ino == root->inode)
        return;
    fd = open(root->config->root, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0 && fstat(fd, &st) != 0) {
        (void)close(fd);
        fd = -1;
    }
    static_root_done(root);
    root->fd = fd;
    if (fd < 0)
        return;
    root->device = st.st_dev;
    root->inode = st.st_ino;
}

/* A descriptor / negative errno; what leads outside is as good as not there. */
static int open_beneath(int root, const char *name)
{
    /* O_NONBLOCK: a FIFO would wait for a writer */
    const struct open_how how = {.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
                                 .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};

    for (int i = 0; i < RACES_MAX; i++) {
        long fd = syscall(SYS_openat2, root, name, &how, sizeof how);

        if (fd >= 0)
            return (int)fd;
        if (errno != EAGAIN && errno != EINTR)
            break;
    }
    switch (errno) {
    case EXDEV:
    case ELOOP:
    case ENOTDIR:
    case ENAMETOOLONG:
    case ENXIO:
    case ENODEV:
        return -ENOENT;
    default:
        return -errno;
    }
}

static uint64_t ns(const struct timespec *at)
{
    return (uint64_t)at->tv_sec * 1000000000u + (uint64_t)at->tv_nsec;
}

static struct static_stamp stamp_of(const struct stat *st)
{
    return (struct static_stamp){st->st_dev, st->st_ino, (uint64_t)st->st_size, ns(&st->st_mtim),
                                 ns(&st->st_ctim)};
}

bool static_part_is_same(const struct static_part *part)
{
    struct static_stamp now;
    struct stat st;

    if (fstat(part->fd, &st) != 0)
        return false;
    now = stamp_of(&st);
    return memcmp(&now, &part->stamp, sizeof now) == 0;
}

/* 0 / -ENOENT / -EISDIR / negative errno. */
static int open_part(int root, const char *name, struct static_part *part)
{
    autofd int fd = open_beneath(root, name);
    struct stat st;

    if (fd < 0)
        return fd;
    if (fstat(fd, &st) != 0)
        return -errno;
    if (S_ISDIR(st.st_mode))
        return -EISDIR;
    if (!S_ISREG(st.st_mode))
        return -ENOENT;
    *part = (struct static_part){take_fd(fd), (uint64_t)st.st_size, stamp_of(&st)};
    return 0;
}

int static_root_open(struct static_root *root, const char *name, uint64_t now_ms,
                     struct static_file *ret_file)
{
    static const struct static_part absent = {.fd = -1};
    struct static_file file = {.part = {absent, absent, absent, absent}};
    struct static_stamp stamp[PAGE_ENCODINGS];
    char neighbour[STATIC_PATH_BYTES_MAX + 8];
    int error;

    look(root, now_ms);
    if (root->fd < 0)
        return -ENOENT;
    error = open_part(root->fd, name, &file.part[PAGE_IDENTITY]);
    if (error)
        return error;
    for (int i = 1; i < PAGE_ENCODINGS; i++) {
        (void)snprintf(neighbour, sizeof neighbour, "%s%s", name, suffixes[i]);
        if (open_part(root->fd, neighbour, &file.part[i]) != 0)
            continue;
        if (file.part[i].stamp.modified_ns < file.part[PAGE_IDENTITY].stamp.modified_ns) {
            (void)close(file.part[i].fd); /* of an older version */
            file.part[i] = absent;
        }
    }
    for (int i = 0; i < PAGE_ENCODINGS; i++)
        stamp[i] = file.part[i].stamp;
    file.modified_s = stamp[PAGE_IDENTITY].modified_ns / 1000000000u;
    file.stamp = XXH3_64bits(stamp, sizeof stamp);
    *ret_file = file;
    return 0;
}

void static_file_done(struct static_file *file)
{
    for (int i = 0; i < PAGE_ENCODINGS; i++) {
        if (file->part[i].fd >= 0)
            (void)close(file->part[i].fd);
        file->part[i].fd = -1;
    }
}

int static_part_read(const struct static_part *part, char *buf)
{
    uint64_t used = 0;

    while (used < part->bytes) {
        ssize_t got = pread(part->fd, buf + used, part->bytes - used, (off_t)used);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return got < 0 ? -errno : -EIO;
        used += (uint64_t)got;
    }
    return 0;
}
