/* SPDX-License-Identifier: MIT */
/* privileges.c - see privileges.h. */
#include "worker/privileges.h"

#include <errno.h>
#include <grp.h>
#include <sys/prctl.h>
#include <unistd.h>

int privileges_drop(const struct heritage *h)
{
    if (h->uid == (uid_t)-1)
        return 0;
    if (setgroups(0, NULL) != 0 || setresgid(h->gid, h->gid, h->gid) != 0 ||
        setresuid(h->uid, h->uid, h->uid) != 0)
        return -errno;
    return prctl(PR_SET_DUMPABLE, 1) == 0 ? 0 : -errno; /* profilers and /proc/self stay readable */
}
