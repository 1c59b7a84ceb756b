/* SPDX-License-Identifier: MIT */
/*
 * keypath.h - path and query as they stand in cache keys: the query filtered and sorted as
 * `cache.key.query` says. Used by workers for each request that has a query, and by the master
 * so that a purged URL means what its requests mean.
 */
#ifndef SSRD_SHM_KEYPATH_H
#define SSRD_SHM_KEYPATH_H

#include "shm/base.h"
#include "shm/config.h"

/*
 * Write the normal form of url (path, or path?query; a fragment is dropped) to out.
 * QUERY_ALL: parameters sorted bytewise by name, those of one name as they came; QUERY_NONE: no query;
 * QUERY_NAMED: those named, sorted. An empty query loses its "?". Nothing is decoded or encoded:
 * /a%20b stays. 0 / -ENOBUFS: cap_bytes too small; the result is never longer than url. Never
 * allocates.
 */
int keypath_normalise(const struct config_key *key, const char *url, size_t url_bytes, char *out,
                      size_t cap_bytes, size_t *ret_bytes);

#endif
