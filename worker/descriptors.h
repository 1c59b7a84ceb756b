/* SPDX-License-Identifier: MIT */
/*
 * descriptors.h - a child keeps the descriptors of its heritage and no other: the master's epoll,
 * control socket and clients are not its business, and would outlive the master through it.
 */
#ifndef SSRD_WORKER_DESCRIPTORS_H
#define SSRD_WORKER_DESCRIPTORS_H

#include "shm/base.h"
#include "shm/heritage.h"

/* Close everything above standard error but the heritage's descriptors and extra_fd (-1: none). */
void descriptors_keep(const struct heritage *heritage, int extra_fd);

#endif
