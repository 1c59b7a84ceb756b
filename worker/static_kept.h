/* SPDX-License-Identifier: MIT */
/*
 * static_kept.h - files that are sent from their descriptors, kept open between requests with the fields
 * of their heads: to open a file and its neighbours are four openat2(2), more than to send 60 kB. A
 * bounded table; one thread. Knows no HTTP. Design: worker/README.md, "Files".
 */
#ifndef SSRD_WORKER_STATIC_KEPT_H
#define SSRD_WORKER_STATIC_KEPT_H

#include "shm/page.h"
#include "worker/static_root.h"

struct out_file;
struct static_kept;

struct kept_part {
    struct static_part part;
    struct out_file *file; /* holds part.fd; NULL: absent */
    struct span fields;
    struct span etag;
};

struct kept_file {
    struct kept_part part[PAGE_ENCODINGS];
    uint64_t hash;
    uint64_t stamp; /* struct static_file's */
    uint64_t modified_s;
    uint64_t fresh_until_ms; /* when to look at its names again; the caller's */
    uint64_t used_ms;        /* of the last static_kept_find() */
    size_t key_bytes;
    char text[]; /* key, fields, entity tags */
};

struct static_kept *static_kept_new(void);        /* NULL: out of memory */
void static_kept_free(struct static_kept *table); /* takes NULL */

/* Valid until the next call with this table; NULL: not kept. */
struct kept_file *static_kept_find(struct static_kept *table, struct span key, uint64_t hash,
                                   uint64_t now_ms);

/*
 * Keep a file, in the place of another if need be. fields, etag: by encoding, copied; those of absent parts are not looked at.
 * Takes the descriptors of file, whose parts are then absent. NULL: out of memory, and file is as it was, or empty.
 * Valid as above.
 */
struct kept_file *static_kept_add(struct static_kept *table, struct span key, uint64_t hash,
                                  struct static_file *file,
                                  const struct span fields[static PAGE_ENCODINGS],
                                  const struct span etag[static PAGE_ENCODINGS], uint64_t now_ms);

/* Let go of one; answers that are being sent from it go on. */
void static_kept_drop(struct static_kept *table, struct kept_file *file);

/* Let go of those that nobody has asked for of late: what was deleted must not keep its room on the disk. */
void static_kept_sweep(struct static_kept *table, uint64_t now_ms);

#endif
