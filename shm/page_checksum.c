/* SPDX-License-Identifier: MIT */
/*
 * page_checksum.c - see page_checksum.h. What it is for: bits that flip in memory or in the cache file, and stray
 * stores of a worker; what was overwritten while it was copied the ring's sequence finds. They may
 * come at any time, so the page is checked at each copy out of shared memory, and the price is what
 * this file is about: 8 kB take 400 ns with SSE2, which is all that a program for any amd64 may use
 * unasked, 120 with AVX2, 85 with AVX-512 (perf/README.md). libxxhash has all three and chooses when
 * first called, where it was built to (Debian's is, on amd64); elsewhere the compiler's choice is the only one.
 */
#include "shm/page_checksum.h"

#ifdef SSRD_XXH_DISPATCH
#include <xxh_x86dispatch.h>
#else
#define XXH_INLINE_ALL
#include <xxhash.h>
#endif

uint64_t page_checksum(const void *data, size_t bytes)
{
    return XXH3_64bits(data, bytes);
}
