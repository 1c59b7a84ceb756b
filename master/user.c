/* SPDX-License-Identifier: MIT */
/* user.c - see user.h. */
#include "master/user.h"

#include "shm/log.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <unistd.h>

int user_choose(const struct config *config, bool is_first, uid_t *ret_uid, gid_t *ret_gid,
                char *problem, size_t problem_bytes)
{
    const struct passwd *user;

    if (geteuid() != 0) {
        if (config->user_given && is_first)
            log_warn("`user` has no effect: ssrd was not started as root",
                     log_str("user", config->user));
        *ret_uid = (uid_t)-1;
        *ret_gid = (gid_t)-1;
        return 0;
    }
    user = getpwnam(config->user);
    if (!user && !config->user_given) {
        user = getpwnam("nobody");
        if (is_first)
            log_warn("user ssrd does not exist, workers run as nobody; create it with "
                     "systemd-sysusers, or "
                     "set `user`");
    }
    if (!user) {
        (void)snprintf(problem, problem_bytes,
                       "user: no user `%s` on this machine: create it, or set `user` to one",
                       config->user);
        return -EINVAL;
    }
    *ret_uid = user->pw_uid;
    *ret_gid = user->pw_gid;
    return 0;
}
