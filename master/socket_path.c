/* SPDX-License-Identifier: MIT */
/*
 * socket_path.c - the places of the control socket.
 */
#include "master/socket_path.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define RUN_PATH "/run/ssrd/ctl.sock"

static bool fits(int written, size_t cap_bytes)
{
    return written >= 0 && (size_t)written < cap_bytes;
}

static bool xdg_path(char *out, size_t cap_bytes)
{
    const char *dir = getenv("XDG_RUNTIME_DIR");

    return dir != NULL && dir[0] == '/' &&
           fits(snprintf(out, cap_bytes, "%s/ssrd/ctl.sock", dir), cap_bytes);
}

static bool tmp_path(char *out, size_t cap_bytes)
{
    return fits(snprintf(out, cap_bytes, "/tmp/ssrd-%u/ctl.sock", (unsigned)geteuid()), cap_bytes);
}

int socket_path_default(char *out, size_t cap_bytes)
{
    char path[SOCKET_PATH_BYTES];
    const char *xdg = getenv("XDG_RUNTIME_DIR");

    if (geteuid() == 0 || eaccess("/run/ssrd", W_OK | X_OK) == 0)
        (void)snprintf(path, sizeof path, RUN_PATH);
    else if ((!xdg_path(path, sizeof path) || eaccess(xdg, W_OK | X_OK) != 0) &&
             !tmp_path(path, sizeof path))
        return -ENAMETOOLONG;
    if (strlen(path) >= cap_bytes)
        return -ENAMETOOLONG;
    memcpy(out, path, strlen(path) + 1);
    return 0;
}

size_t socket_path_candidates(char out[static SOCKET_PATH_CANDIDATES][SOCKET_PATH_BYTES])
{
    size_t count = 0;

    (void)snprintf(out[count++], SOCKET_PATH_BYTES, RUN_PATH);
    if (xdg_path(out[count], SOCKET_PATH_BYTES))
        count++;
    if (tmp_path(out[count], SOCKET_PATH_BYTES))
        count++;
    return count;
}

/* dir: PATH_MAX bytes */
static int directory_of(const char *path, char *dir)
{
    const char *slash = strrchr(path, '/');

    if (slash == NULL || slash == path)
        return fits(snprintf(dir, PATH_MAX, "%s", slash == NULL ? "." : "/"), PATH_MAX)
                   ? 0
                   : -ENAMETOOLONG;
    return fits(snprintf(dir, PATH_MAX, "%.*s", (int)(slash - path), path), PATH_MAX)
               ? 0
               : -ENAMETOOLONG;
}

/* Only root makes directories there, whoever owns them then. */
static bool under_run(const char *dir)
{
    return strncmp(dir, "/run/", 5) == 0;
}

int socket_path_check_directory(const char *path)
{
    char dir[PATH_MAX];
    struct stat st;
    int rc = directory_of(path, dir);

    if (rc != 0)
        return rc;
    if (lstat(dir, &st) != 0)
        return -errno;
    if (!S_ISDIR(st.st_mode))
        return -EPERM;
    return under_run(dir) || st.st_uid == geteuid() || st.st_uid == 0 ? 0 : -EPERM;
}

int socket_path_make_directory(const char *path)
{
    char dir[PATH_MAX];
    int rc = directory_of(path, dir);

    if (rc != 0)
        return rc;
    if (mkdir(dir, under_run(dir) ? 0755 : 0700) != 0 && errno != EEXIST)
        return -errno;
    return socket_path_check_directory(path);
}
