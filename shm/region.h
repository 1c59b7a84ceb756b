/* SPDX-License-Identifier: MIT */
/*
 * region.h - the one mapping that all processes share, and where everything stands in it.
 * Made by the master before the first fork; children inherit it at the same address, but what
 * lies in it uses offsets all the same, because it may be a file that outlives us.
 *
 * Byte map: header | peers | stats | purge | claims | poison | hits | file | index | ring | counts | segments;
 * each section starts on a page.
 */
#ifndef SSRD_SHM_REGION_H
#define SSRD_SHM_REGION_H

#include "shm/base.h"

#define REGION_MAGIC 0x6e6f69676572641bull /* "ESC dregion", little-endian */
#define REGION_VERSION                                                                             \
    6u /* raised with each change of what a file keeps: struct page, index, ring */

#define REGION_PEERS_MAX 1024 /* workers alive at once, draining ones included */

struct region; /* private handle: the mapping's address, size and descriptor */

struct region_sizes {
    uint64_t cold_bytes;       /* budget of the cold cache: segments only, 1 MiB or more */
    uint64_t max_object_bytes; /* largest page */
};

/*
 * A fresh region. All of it but segments and hits is backed now, a segment when it is first used, so
 * that memory that runs out is an error and never a SIGBUS. max_object_bytes is cut to a quarter of
 * the cold cache. 0 / -ENOMEM, -ENOSPC: not enough memory for all of it / -EINVAL: sizes out of
 * range.
 */
int region_create(const struct region_sizes *sizes, struct region **ret_region);

/* What region_open() found under the name. */
enum region_found {
    REGION_NEW,   /* nothing, or an empty file */
    REGION_KEPT,  /* the pages of the last time, which are served on */
    REGION_CUT,   /* the same; it was shorter than it should be, and what was lost is empty now */
    REGION_OTHER, /* a file of another version or of other sizes, or no cache at all: set aside */
    REGION_UNSYNCED, /* the machine went down while it was in use: emptied, see shm/README.md */
    REGION_AHEAD,    /* its clock is more than a day ahead of the wall clock: emptied */
};

#define REGION_ASIDE_BYTES 4200

struct region_report {
    enum region_found found;
    char aside[REGION_ASIDE_BYTES]; /* REGION_OTHER: the name that the file has now */
};

/*
 * A region whose index, segments and purges are kept in a file, which is made where there is none and
 * belongs to this process and its children as long as one of them lives. The file's room is taken at
 * once (posix_fallocate), and a page of it that can't be had later (the file was cut short by
 * somebody else, its disk fails) is replaced by an empty one: never a SIGBUS. Master only, once.
 *
 * 0 / -EINVAL, -ENOMEM, -ENOSPC as region_create() / -EADDRINUSE: another master has the file /
 * -EAGAIN: children of a master that died have it still, they leave by themselves / -EPERM: another
 * user's, or others may write it / -ELOOP, -EISDIR, -ENOTBLK, -ENODEV: a symbolic link, a directory, no regular
 * file, one of the kernel's (/proc, /sys) / -EEXIST: no name is left to set it aside / what open, lock or allocation said (-EACCES,
 * -EFBIG, -EDQUOT, -EROFS, -ENOLCK …). On failure the file is as it was.
 */
int region_open(const struct region_sizes *sizes, const char *path, struct region **ret_region,
                struct region_report *ret_report);

/* Unmap and forget; without a file the memory goes with its last process. Takes NULL. */
void region_close(struct region *region);

/* Master, at the end, when no child is left: the file is written out and marked complete, so that it
 * is good after a restart of the machine too. Nothing without a file. */
void region_sync(struct region *region);

/* Master, some times a second: what region_now_ms() says goes into the file, so that time never runs
 * backwards over a restart. */
void region_note_clock(struct region *region);

/* How often a page of the file could not be had: see region_open(). */
uint32_t region_file_faults(const struct region *region);

/*
 * Editions: a number that all pages of one bundle (with one set of options that shape pages) bear,
 * struct page's edition. The file remembers that of the last that served, under the hash `identity`.
 * ret_before: the edition that served before it, 0: none known.
 */
uint64_t region_first_edition(const struct region *region, uint64_t identity, uint64_t *ret_before);
uint64_t region_new_edition(void); /* one never used before; not 0 */
void region_note_edition(struct region *region, uint64_t identity, uint64_t edition);

/*
 * The cold clock: milliseconds since 1970 when the region was made, then monotonic, so that a
 * step of the wall clock neither ages nor rejuvenates a page. The same in all processes.
 */
uint64_t region_now_ms(const struct region *region);

/* The same for a moment of mono_ns() that the caller has read already. */
uint64_t region_clock_ms(const struct region *region, uint64_t mono_ns_read);

/* The shared log level, for log_share(). */
struct log_shared;
struct log_shared *region_log_level(const struct region *region);

/* A worker asks the master for a reload (POST /reload), then wakes it: as another user it may not
 * send signals. The master compares the count with the last that it has seen. */
void region_ask_reload(struct region *region);
uint32_t region_reloads_asked(const struct region *region);

/* True once the master is stopping for good: workers then close idle connections at once. */
bool region_stopping(const struct region *region);
void region_set_stopping(struct region *region);

#endif
