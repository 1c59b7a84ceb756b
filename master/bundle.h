/* SPDX-License-Identifier: MIT */
/*
 * bundle.h - the bundle's bytes, read by the master (which may still be root) and inherited by
 * zygotes and workers (which are not). What the bytes mean is the zygote's business.
 */
#ifndef SSRD_MASTER_BUNDLE_H
#define SSRD_MASTER_BUNDLE_H

#include "shm/base.h"

#define BUNDLE_BYTES_MAX (64 * MIB)

struct bundle {
    char *source;
    size_t bytes;
    uint64_t hash; /* XXH3 of the bytes */
};

/*
 * Read path. 0, or negative errno and in problem (cap bytes) one line that names the file and what
 * to do: missing, unreadable, a directory, empty, above BUNDLE_BYTES_MAX.
 */
int bundle_read(const char *path, struct bundle *ret_bundle, char *problem, size_t cap);
void bundle_done(struct bundle *bundle);

#endif
