/* SPDX-License-Identifier: MIT */
/*
 * bell.h - how one process wakes another's event loop: an eventfd for each worker of a generation,
 * made by the master before the zygote is forked and kept when a worker is replaced. A bell says
 * "look again", never what has happened: that stands in shared memory. Who rings one too often, or
 * that of a worker that has gone, does no harm.
 */
#ifndef SSRD_SHM_BELL_H
#define SSRD_SHM_BELL_H

#include "shm/base.h"

struct region;

struct bells {
    const int *fd;  /* by a worker's number; NULL: none */
    uint32_t count; /* workers of the generation */
    uint32_t generation;
};

/* Wake the worker in this row, if it is one of this generation. Never blocks. Any process. */
void bell_ring(const struct region *region, const struct bells *bells, uint32_t row);

/* The same by the worker's number. */
void bell_ring_number(const struct bells *bells, uint32_t number);

/* The worker whose bell it is: take back what was rung. */
void bell_hush(int fd);

#endif
