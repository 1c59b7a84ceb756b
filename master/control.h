/* SPDX-License-Identifier: MIT */
/*
 * control.h - the control socket: a Unix stream socket on which `ssrctl` sends one JSON object a
 * line and gets JSON lines back. Protocol: master/README.md, "Control socket".
 */
#ifndef SSRD_MASTER_CONTROL_H
#define SSRD_MASTER_CONTROL_H

#include "shm/base.h"

struct control;
struct master;

/*
 * Serve requests that arrive on listen_fd (a listening Unix socket, non-blocking; takes it, also on
 * failure). http_path: the Unix socket on which workers answer the admin HTTP interface, told to
 * ssrctl; copied. Writes the calling process's pid into stats_master, and ignores SIGPIPE if nobody
 * handles it. 0 / negative errno.
 */
int control_new(struct master *master, int listen_fd, const char *http_path,
                struct control **ret_control);

/* Closes all; who still waits for a stop hears that it is done. While the master is whole
 * (it calls master_forget()). Takes NULL. */
void control_free(struct control *control);

#endif
