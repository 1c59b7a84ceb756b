/* SPDX-License-Identifier: MIT */
/*
 * log_shared.h - the word of the log level in shared memory, used by all processes. Apart from
 * log.h because that one is also seen by files that must see no _Atomic.
 *
 * Written by the master (`ssrctl log LEVEL`), read by everyone at each line, relaxed: nothing else
 * is published by it. Any value may be found in it; what is out of range counts as debug.
 */
#ifndef SSRD_SHM_LOG_SHARED_H
#define SSRD_SHM_LOG_SHARED_H

#include <assert.h>
#include <stdatomic.h>
#include <stdint.h>

struct log_shared {
    _Atomic uint32_t level; /* enum log_level */
};
static_assert(sizeof(struct log_shared) == 4, "in shared memory");

#endif
