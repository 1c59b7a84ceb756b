/* SPDX-License-Identifier: MIT */
/*
 * compress_slow.h - bytes into gzip, br or zstd as small as pays (COMPRESS_BEST of compress.h), in
 * steps of some 20 ms at most, for when nobody waits. Touches nothing but its own memory and what it is
 * given to read, so any thread may do it, one at a time.
 */
#ifndef SSRD_WORKER_COMPRESS_SLOW_H
#define SSRD_WORKER_COMPRESS_SLOW_H

#include "shm/base.h"
#include "shm/page.h"

struct compress_slow;

/* What is beyond that is not begun: its memory (16 bytes a byte, for br) and its time grow with it. */
#define COMPRESS_SLOW_BYTES_MAX 524288u

/* in: borrowed until compress_slow_free(). NULL: out of memory, too long, or not built in. */
struct compress_slow *compress_slow_new(enum page_encoding encoding, struct span in);
void compress_slow_free(struct compress_slow *slow); /* takes NULL */

/* True: it is done, or has failed; not to be called again then. */
bool compress_slow_step(struct compress_slow *slow);

/* What came of it, valid until compress_slow_free(); 0 bytes: it failed, or did not get smaller. */
struct span compress_slow_result(const struct compress_slow *slow);

#endif
