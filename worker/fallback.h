/* SPDX-License-Identifier: MIT */
/*
 * fallback.h - the files of render.fallback, read once by the zygote: what is served, with
 * the status of the failure and no-store, when a render fails, takes too long or is shed.
 */
#ifndef SSRD_WORKER_FALLBACK_H
#define SSRD_WORKER_FALLBACK_H

#include "worker/http_parse.h"

#define FALLBACK_BYTES_MAX MIB

struct config;
struct config_policy;

/* Once a process, in the zygote while it still has the master's rights: workers are born with them.
 * A file that can't be read is warned of, and left out; out of memory, all are. */
void fallbacks_read(const struct config *config);

/* The whole page of this policy, one of the config's own; data NULL: none. */
struct span fallback_of(const struct config_policy *policy);

#endif
