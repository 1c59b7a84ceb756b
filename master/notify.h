/* SPDX-License-Identifier: MIT */
/*
 * notify.h - the service manager's side: sd_notify(3) messages, its watchdog, its sockets
 * (sd_listen_fds(3)). The protocols are a datagram and two environment variables, and systemd's
 * manual invites to speak them without its library.
 */
#ifndef SSRD_MASTER_NOTIFY_H
#define SSRD_MASTER_NOTIFY_H

#include "shm/base.h"

/* Read NOTIFY_SOCKET, WATCHDOG_USEC and LISTEN_FDS and take them out of the environment, so that no
 * child speaks in our name. Once, at start. */
void notify_init(void);

/* Send "READY=1\nSTATUS=…"; without a service manager: nothing. Never blocks. */
void notify_send(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* How often to send WATCHDOG=1: half of what was asked for; 0: not asked for. */
uint64_t notify_watchdog_ms(void);

/* The first descriptor handed over by the service manager (3), and how many; 0: none. */
unsigned notify_sockets(int *ret_first_fd);

#endif
