/* SPDX-License-Identifier: MIT */
/*
 * backoff.h - when to start again what has died. The first deaths cost nothing, so that a crash
 * is a matter of milliseconds; what dies young over and over waits longer each time, so that a
 * broken bundle does not burn the machine.
 */
#ifndef SSRD_MASTER_BACKOFF_H
#define SSRD_MASTER_BACKOFF_H

#include "shm/base.h"

#define BACKOFF_YOUNG_MS 2000u /* an earlier death is an early one */
#define BACKOFF_FREE 3u        /* early deaths in a row that cost no pause */
#define BACKOFF_FREE_KILLED                                                                        \
    50u /* the same for deaths by SIGKILL while serving: somebody's doing, not a crash */
#define BACKOFF_FIRST_MS 100u
#define BACKOFF_MAX_MS 5000u

struct backoff {
    unsigned early; /* early deaths in a row */
    unsigned
        killed; /* those by SIGKILL while it served, of which the first ones count here alone */
};

/*
 * It died after lived_ms; killed: by SIGKILL after it had begun to serve.
 * Returns the pause before it is started again, milliseconds: 0 = at once.
 */
static inline uint64_t backoff_died(struct backoff *backoff, uint64_t lived_ms, bool killed)
{
    uint64_t pause_ms = BACKOFF_FIRST_MS;
    unsigned over;

    if (lived_ms >= BACKOFF_YOUNG_MS) {
        *backoff = (struct backoff){0};
        return 0;
    }
    if (killed && ++backoff->killed <= BACKOFF_FREE_KILLED)
        return 0;
    backoff->early++;
    if (backoff->early <= BACKOFF_FREE)
        return 0;
    over = backoff->early - BACKOFF_FREE - 1;
    for (unsigned i = 0; i < over && pause_ms < BACKOFF_MAX_MS; i++)
        pause_ms *= 2;
    return pause_ms < BACKOFF_MAX_MS ? pause_ms : BACKOFF_MAX_MS;
}

#endif
