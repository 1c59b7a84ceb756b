/* SPDX-License-Identifier: MIT */
/*
 * page_copy.c - see page_copy.h. From 3 kB on glibc's memcpy is `rep movsb` on processors that say they are quick
 * at it. Where the source is in the second or third cache, as a page that many ask for is, plain loads and stores of
 * 64 bytes take three quarters of its time up to some 20 kB (8 kB: 69 ns instead of 97), and longer from 64 kB on.
 * Those of 32 bytes gain nothing, so a processor without AVX-512 keeps memcpy. Figures: perf/README.md.
 */
#include "shm/page_copy.h"

#include <string.h>

#ifdef __x86_64__
#include <immintrin.h>

#define WIDE_BYTES_MIN 2048
#define WIDE_BYTES_MAX 20480

__attribute__((target("avx512f"))) static void copy_wide(char *to, const char *from, size_t bytes)
{
    size_t at = 0;

    for (; at + sizeof(__m512i) <= bytes; at += sizeof(__m512i))
        _mm512_storeu_si512(to + at, _mm512_loadu_si512(from + at));
    memcpy(to + at, from + at, bytes - at);
}

void page_copy(void *to, const void *from, size_t bytes)
{
    if (bytes >= WIDE_BYTES_MIN && bytes <= WIDE_BYTES_MAX && __builtin_cpu_supports("avx512f"))
        copy_wide(to, from, bytes);
    else
        memcpy(to, from, bytes);
}
#else
void page_copy(void *to, const void *from, size_t bytes)
{
    memcpy(to, from, bytes);
}
#endif
