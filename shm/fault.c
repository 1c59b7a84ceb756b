/* SPDX-License-Identifier: MIT */
/* fault.c - see fault.h. Empty without fault points. */
#include "shm/fault.h"

#ifdef SSRD_FAULT_POINTS
#include <signal.h>

static const struct {
    const char *name;
    enum fault_by by;
} points[] = {
#define FAULT_POINT(name, by, text) {#name, FAULT_BY_##by},
#include "shm/fault_points.def"
#undef FAULT_POINT
};

static struct armed {
    enum fault_point point;
    uint64_t left; /* passages until the signal; 0: not armed */
    int signal;
} armed, next;

void fault_arm(enum fault_point point, uint64_t nth, int signal)
{
    *(armed.left == 0 ? &armed : &next) = (struct armed){point, nth, signal};
}

const char *fault_name(enum fault_point point)
{
    return points[point].name;
}

enum fault_by fault_by(enum fault_point point)
{
    return points[point].by;
}

void fault_pass(enum fault_point point)
{
    int signal = armed.signal;

    if (point != armed.point || armed.left == 0 || --armed.left > 0)
        return;
    armed = next;
    next = (struct armed){0};
    /* not raise(): a process of one thread has the signal before kill() returns, KILL and STOP too */
    (void)kill(getpid(), signal);
}
#endif
