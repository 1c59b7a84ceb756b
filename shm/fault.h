/* SPDX-License-Identifier: MIT */
/*
 * fault.h - named points between the steps of every write to shared memory, at which a test ends or
 * stops its own process: fault_points.def has them all. Nothing is left of them, nor of this file's
 * functions, unless SSRD_FAULT_POINTS is defined (meson: -Dfault_points=true). Private to a process.
 */
#ifndef SSRD_SHM_FAULT_H
#define SSRD_SHM_FAULT_H

/* Who passes a point: what a test must do to get there. */
enum fault_by {
    FAULT_BY_WRITER, /* stores, deletes, finds, sweeps */
    FAULT_BY_PURGER,
    FAULT_BY_REAPER, /* the master, after a death */
    FAULT_BY_RIVAL,  /* one of two writers of one new key, who took a slot each */
    FAULT_BY_CLAIMER,
    FAULT_BY_CLAIM_REAPER,
    FAULT_BY_CLAIM_RIVAL, /* one of two who claim one key, and the slower */
    FAULT_BY_OFFERER,
    FAULT_BY_TAKER, /* of what was offered */
    FAULT_BY_OFFER_REAPER,
    FAULT_BY_KEEPER, /* of a cache file: its master, and who purges where there is one */
};

#ifdef SSRD_FAULT_POINTS
#include "shm/base.h"

enum fault_point {
#define FAULT_POINT(name, by, text) FAULT_##name,
#include "shm/fault_points.def"
#undef FAULT_POINT
    FAULT_POINTS
};

/* The nth time from now (1: the next) that this process passes the point it sends itself the signal,
 * once. Armed twice, the second counts from when the first has been. */
void fault_arm(enum fault_point point, uint64_t nth, int signal);
const char *fault_name(enum fault_point point);
enum fault_by fault_by(enum fault_point point);

void fault_pass(enum fault_point point);
#define FAULT(name) fault_pass(FAULT_##name)
#else
#define FAULT(name) ((void)0)
#endif

#endif
