/* SPDX-License-Identifier: MIT */
/* bell.c - see bell.h. */
#include "shm/bell.h"

#include "shm/peers.h"

void bell_ring_number(const struct bells *bells, uint32_t number)
{
    uint64_t one = 1;

    if (number < bells->count && bells->fd)
        (void)!write(bells->fd[number], &one,
                     sizeof one); /* at its limit it is rung all the same */
}

void bell_ring(const struct region *region, const struct bells *bells, uint32_t row)
{
    const struct peer *peer = peer_at(region, row);

    /* Relaxed: whoever names a row has learnt of it from the worker in it, or errs harmlessly. */
    if (peer != NULL &&
        atomic_load_explicit(&peer->generation, memory_order_relaxed) == bells->generation)
        bell_ring_number(bells, atomic_load_explicit(&peer->worker, memory_order_relaxed));
}

void bell_hush(int fd)
{
    uint64_t count;

    (void)!read(fd, &count, sizeof count);
}
