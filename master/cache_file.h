/* SPDX-License-Identifier: MIT */
/* cache_file.h - the shared memory of this server, with cache.file or without, and what to say of it. */
#ifndef SSRD_MASTER_CACHE_FILE_H
#define SSRD_MASTER_CACHE_FILE_H

#include "shm/config.h"
#include "shm/region.h"

/*
 * Make the region that the config asks for. Workers that outlive a killed master have its cache file
 * still: waits for them, 15 s at most. 0 / negative errno, and a line that says what to do.
 */
int cache_file_open(const struct config *config, struct region **ret_region, char *problem,
                    size_t cap);

/* Some times a second: notes the time, and tells of a file that is damaged under us, once. */
void cache_file_tick(struct region *region);

#endif
