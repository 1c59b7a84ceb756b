/* SPDX-License-Identifier: MIT */
/*
 * proxy_header.h - the header of the PROXY protocol, versions 1 and 2 (haproxy.org, proxy-protocol.txt), by
 * which a proxy says whose connection it passes on. Pure.
 */
#ifndef SSRD_WORKER_PROXY_HEADER_H
#define SSRD_WORKER_PROXY_HEADER_H

#include "shm/base.h"

#include <sys/socket.h>

#define PROXY_HEADER_BYTES_MAX 1040u /* version 2 with what extensions may bring; more is refused */

enum proxy_header {
    PROXY_MORE,   /* a header has begun, and may go on */
    PROXY_WHOLE,  /* *ret_bytes are its own; the address is set */
    PROXY_REFUSED /* there is none, or it is malformed */
};

/*
 * data: the first bytes of a connection. ret_address: the client's address, without port; family AF_UNSPEC
 * where the header names none (UNKNOWN, LOCAL, Unix sockets): then the peer's own counts.
 */
enum proxy_header proxy_header_parse(const char *data, size_t bytes, size_t *ret_bytes,
                                     struct sockaddr_storage *ret_address);

#endif
