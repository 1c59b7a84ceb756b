/* SPDX-License-Identifier: MIT */
/*
 * socket_path.h - where the control socket is when nobody said: one order, kept by the server that
 * makes it and by ssrctl that looks for it.
 *
 *   1. /run/ssrd/ctl.sock                 root, or who may write there (systemd's RuntimeDirectory)
 *   2. $XDG_RUNTIME_DIR/ssrd/ctl.sock     a user with a session
 *   3. /tmp/ssrd-UID/ctl.sock             any other
 */
#ifndef SSRD_MASTER_SOCKET_PATH_H
#define SSRD_MASTER_SOCKET_PATH_H

#include "shm/base.h"

#define SOCKET_PATH_BYTES 108 /* of sockaddr_un.sun_path, the terminator included */
#define SOCKET_PATH_CANDIDATES 3

/*
 * Where a server started by this user puts its socket. Looks, makes nothing.
 * 0 / -ENAMETOOLONG: cap_bytes too small.
 */
int socket_path_default(char *out, size_t cap_bytes);

/* The same places in the same order, for a client to try. Those that don't fit are left out.
 * Returns how many. */
size_t socket_path_candidates(char out[static SOCKET_PATH_CANDIDATES][SOCKET_PATH_BYTES]);

/*
 * Make the directory that holds a default path, if it is not there: for all to enter under /run,
 * else for its owner alone. One level only; a directory that is there is left as it is. (A path
 * that a config names is its writer's affair.)
 * 0 / -EPERM: it belongs to another user, who could swap the socket under us, or is no directory /
 * negative errno of mkdir() or stat().
 */
int socket_path_make_directory(const char *path);

/* 0 when the directory that holds path is ours, root's or under /run; -EPERM, or negative errno of
 * lstat(). */
int socket_path_check_directory(const char *path);

#endif
