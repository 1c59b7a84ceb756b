/* SPDX-License-Identifier: MIT */
/*
 * watch.h - bundle.watch: which files of the bundle have changed since they were read? They are looked
 * at every WATCH_MS, by stat(2): that works on every file system and for files that are replaced.
 */
#ifndef SSRD_MASTER_WATCH_H
#define SSRD_MASTER_WATCH_H

#include "shm/heritage.h"

struct event_base;
struct watch;

#define WATCH_MS 200

/* changed: from the loop, when a change is over (two looks alike); may call watch_files(). Kept. */
int watch_new(struct event_base *base, void (*changed)(void *arg), void *arg,
              struct watch **ret_watch); /* 0 / -ENOMEM */
void watch_free(struct watch *watch);    /* takes NULL */

/* From now on these files, as they are now: of the heritage, whose names are copied; NULL: none.
 * 0 / -ENOMEM: none. */
int watch_files(struct watch *watch, const struct heritage *heritage);

/* One look, for the timer and for tests. */
void watch_look(struct watch *watch);

#endif
