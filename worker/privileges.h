/* SPDX-License-Identifier: MIT */
/* privileges.h - who runs a bundle is no longer root. */
#ifndef SSRD_WORKER_PRIVILEGES_H
#define SSRD_WORKER_PRIVILEGES_H

#include "shm/heritage.h"

/* Become heritage->uid and ->gid, in no other group, for good. 0, also when that is (uid_t)-1 / negative errno. */
int privileges_drop(const struct heritage *heritage);

#endif
