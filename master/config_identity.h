/* SPDX-License-Identifier: MIT */
/* config_identity.h - whether two configurations make the same pages. */
#ifndef SSRD_MASTER_CONFIG_IDENTITY_H
#define SSRD_MASTER_CONFIG_IDENTITY_H

#include "shm/config.h"

/*
 * A hash (XXH3) of all options that may show in a page or in its key, routes included: with another
 * one, pages kept in cache.file by the last process are those of another bundle. What only says
 * where, how fast and how long (addresses, workers, logs, limits, ttls) is left out. bundle.path is
 * too: the bundle's bytes count.
 */
uint64_t config_identity(const struct config *config);

#endif
