/* SPDX-License-Identifier: MIT */
/* folders.c - see folders.h. */
#include "master/folders.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

int folders_check(const struct config *config, char *problem, size_t cap)
{
    for (size_t i = 0; i < config->statics.count; i++) {
        const char *root = config->statics.item[i].root;
        struct stat st;
        int error = stat(root, &st) == 0 ? 0 : -errno;

        if (!error && !S_ISDIR(st.st_mode))
            error = -ENOTDIR;
        if (!error)
            continue;
        (void)snprintf(problem, cap, "static[%zu].root: %s: %s", i, root,
                       error == -ENOENT ? "no such folder: build the client, or correct the path"
                                        : strerror(-error));
        return error;
    }
    return 0;
}
