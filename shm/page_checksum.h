/* SPDX-License-Identifier: MIT */
/* page_checksum.h - the checksum of a page; for page.c, its tests and perf/. */
#ifndef SSRD_SHM_PAGE_CHECKSUM_H
#define SSRD_SHM_PAGE_CHECKSUM_H

#include "shm/base.h"

/* XXH3, 64 bits, no seed: the same on all CPUs (a cache file may move), by the widest vector unit that
 * this one has. */
uint64_t page_checksum(const void *data, size_t bytes);

#endif
