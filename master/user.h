/* SPDX-License-Identifier: MIT */
/* user.h - as whom bundles run when ssrd was started as root. */
#ifndef SSRD_MASTER_USER_H
#define SSRD_MASTER_USER_H

#include "shm/config.h"

#include <stddef.h>
#include <sys/types.h>

/*
 * config.user, or `nobody` where that is the default and does not exist; (uid_t)-1 when we are not root, and stay who
 * we are. is_first: warn about what is not as configured.
 * 0 / -EINVAL: there is no such user; *problem says so. Nothing is written then.
 */
int user_choose(const struct config *config, bool is_first, uid_t *ret_uid, gid_t *ret_gid,
                char *problem, size_t problem_bytes);

#endif
