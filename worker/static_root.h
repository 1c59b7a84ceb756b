/* SPDX-License-Identifier: MIT */
/*
 * static_root.h - a folder of files as the kernel sees it: opens what lies in it, with its
 * precompressed neighbours, and nothing outside (openat2, RESOLVE_BENEATH). Knows no HTTP.
 */
#ifndef SSRD_WORKER_STATIC_ROOT_H
#define SSRD_WORKER_STATIC_ROOT_H

#include "shm/config.h"
#include "shm/page.h"

#include <sys/types.h>

struct static_root {
    const struct config_static *config;
    int fd; /* O_PATH; -1: not there at the last look */
    dev_t device;
    ino_t inode;
    uint64_t looked_ms; /* mono: when the folder's name was last resolved */
};

/* What tells one version of a part from another. ctime moves also when mtime was set back, and when
 * another file was renamed into its place. */
struct static_stamp {
    uint64_t device, inode, bytes, modified_ns, changed_ns;
};

struct static_part {
    int fd; /* -1: absent */
    uint64_t bytes;
    struct static_stamp stamp;
};

/* A file in all encodings that lie beside it: name, name.gz, name.br, name.zst. */
struct static_file {
    struct static_part part[PAGE_ENCODINGS];
    uint64_t modified_s; /* of the file itself */
    uint64_t stamp; /* differs when any part was written, renamed into place, added or taken away */
};

void static_root_init(struct static_root *root, const struct config_static *config);
void static_root_done(struct static_root *root);

/*
 * Open a regular file. name: relative, NUL-terminated, as static_path() gives it, not ending in /.
 * now_ms: mono; the folder's own name is resolved again once a second, so that a deploy may put
 * another folder in its place. 0, ret_file's descriptors owned (static_file_done) / -ENOENT: no such
 * file, or it lies outside / -EISDIR / -EACCES / -EMFILE and others: negative errno.
 * A neighbour counts if it is not older than the file.
 */
int static_root_open(struct static_root *root, const char *name, uint64_t now_ms,
                     struct static_file *ret_file);
void static_file_done(struct static_file *file);

/* Is what the descriptor leads to as it was when it was opened, and still in its place? One system call. */
bool static_part_is_same(const struct static_part *part);

/* Read a part into buf, which has room for it. 0 / -EIO: it has become shorter / negative errno. */
int static_part_read(const struct static_part *part, char *buf);

#endif
