/* SPDX-License-Identifier: MIT */
/*
 * network.h - sets of addresses as people write them: 192.0.2.1, 10.0.0.0/8, 2001:db8::/32, unix. Pure.
 */
#ifndef SSRD_SHM_NETWORK_H
#define SSRD_SHM_NETWORK_H

#include "shm/base.h"

#include <sys/socket.h>

struct network {
    int family; /* AF_INET, AF_INET6, AF_UNIX */
    uint8_t bits;
    unsigned char address[16];
};

/* 0 / -EINVAL: neither an address nor a network. Bits behind the prefix do not matter. */
int network_parse(const char *text, struct network *ret_network);

/* Is the address in one of them? An IPv4 address mapped into IPv6 counts as the IPv4 address. */
bool network_any(const struct network *list, size_t count, const struct sockaddr *address);

#endif
