/* SPDX-License-Identifier: MIT */
/* cold_policy.h - the real cold cache as one more policy. */
#ifndef SSRD_PERF_EVICTION_COLD_POLICY_H
#define SSRD_PERF_EVICTION_COLD_POLICY_H

#include "perf/eviction/policy.h"

/* As policy_run, by so many workers that take turns. cache_bytes: 1 MiB or more. 0 / -EINVAL,
 * -ENOMEM, -ENOSPC. */
int cold_policy_run(const struct trace *trace, uint64_t cache_bytes, unsigned workers,
                    struct misses *ret_misses);

#endif
