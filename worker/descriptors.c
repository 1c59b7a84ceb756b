/* SPDX-License-Identifier: MIT */
/* descriptors.c - see descriptors.h. */
#include "worker/descriptors.h"

#include <limits.h>
#include <unistd.h>

static int by_value(const void *a, const void *b)
{
    int x = *(const int *)a, y = *(const int *)b;

    return (x > y) - (x < y);
}

void descriptors_keep(const struct heritage *heritage, int extra_fd)
{
    size_t count = 0;
    autofree int *keep =
        calloc(heritage->listener_count + heritage->bells.count + 5, sizeof keep[0]);
    unsigned next = STDERR_FILENO + 1;

    if (!keep)
        return; /* more descriptors than needed; nothing breaks by them */
    for (size_t i = 0; i < heritage->listener_count; i++)
        keep[count++] = heritage->listener[i].fd;
    for (uint32_t i = 0; i < heritage->bells.count; i++)
        keep[count++] = heritage->bells.fd[i];
    keep[count++] = heritage->handover_give_fd;
    keep[count++] = heritage->handover_take_fd;
    keep[count++] = heritage->master_wake_fd;
    keep[count++] = heritage->lifeline_fd;
    keep[count++] = extra_fd;
    qsort(keep, count, sizeof keep[0], by_value);
    for (size_t i = 0; i < count; i++) {
        if (keep[i] < 0 || (unsigned)keep[i] < next)
            continue;
        if ((unsigned)keep[i] > next)
            (void)close_range(next, (unsigned)keep[i] - 1, 0);
        next = (unsigned)keep[i] + 1;
    }
    (void)close_range(next, UINT_MAX, 0);
}
