/* SPDX-License-Identifier: MIT */
/* folders.h - do the folders that the configuration names exist? Asked before a generation starts. */
#ifndef SSRD_MASTER_FOLDERS_H
#define SSRD_MASTER_FOLDERS_H

#include "shm/config.h"

/* 0 / negative errno, and a line that says which and what to do in problem. */
int folders_check(const struct config *config, char *problem, size_t cap);

#endif
