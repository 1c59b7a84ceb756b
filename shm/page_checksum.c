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
#include <immintrin.h>
#include <xxh_x86dispatch.h>

/* libxxhash 0.8.1 returns from its AVX code with the upper halves of vector registers in use. Whatever is compiled for any
 * amd64 (our code, V8's own) would from then on take up to four times as long with each vector register that it
 * fills anew: base64 of 1 kB 0.54 us, not 0.12. */
__attribute__((target("avx"))) static void clear_upper_halves(void)
{
    _mm256_zeroupper();
}

static uint64_t checksum(const void *data, size_t bytes)
{
    uint64_t sum = XXH3_64bits(data, bytes);

    if (__builtin_cpu_supports("avx"))
        clear_upper_halves();
    return sum;
}
#else
#define XXH_INLINE_ALL
#include <xxhash.h>

static uint64_t checksum(const void *data, size_t bytes)
{
    return XXH3_64bits(data, bytes);
}
#endif

uint64_t page_checksum(const void *data, size_t bytes)
{
    return checksum(data, bytes);
}
