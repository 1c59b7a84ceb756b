/* SPDX-License-Identifier: MIT */
/*
 * region_guard.h - a page of the cache file that can't be had is an empty page, not a SIGBUS. Used by
 * region.c alone; children inherit the handler.
 */
#ifndef SSRD_SHM_REGION_GUARD_H
#define SSRD_SHM_REGION_GUARD_H

struct region;

/* Guard what region->header says is the file's. Not thread-safe: at start, before any fork. */
void region_guard_add(const struct region *region);
void region_guard_remove(const struct region *region); /* nothing if it is not guarded */

#endif
