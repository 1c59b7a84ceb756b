/* SPDX-License-Identifier: MIT */
/*
 * fetch_allow.h - `fetch.allow`: which hosts JavaScript may reach, judged twice: the URL's host by name,
 * and after DNS the very address that is connected to. Pure functions. Rules: worker/README.md, "fetch".
 */
#ifndef SSRD_WORKER_FETCH_ALLOW_H
#define SSRD_WORKER_FETCH_ALLOW_H

#include "shm/config.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

/*
 * Is this an entry: host, host:port, *.domain, an address ([::1]:8080 with a port) or a network
 * (10.0.0.0/8, fd00::/8)? Names compare without regard to case.
 */
bool fetch_allow_is_entry(const char *text);

/* May a URL name this host? host: as in the URL, IPv6 in brackets or not. Entries that are none match
 * nothing. An empty list allows all. */
bool fetch_allow_host(const struct str_list *allow, const char *host, unsigned port);

/*
 * May this address be connected to for that host, which fetch_allow_host() has allowed? Yes if an
 * entry is the address or its network; else a name vouches for public addresses, for private ones only
 * if public DNS can't hold it (no dot, .internal, .local, ...), for loopback only as localhost;
 * and nothing vouches for link-local, multicast and the like.
 */
bool fetch_allow_address(const struct str_list *allow, const char *host, unsigned port,
                         const struct sockaddr *address);

/* Loopback or unspecified: this machine, whatever its interfaces. */
bool fetch_address_is_loopback(const struct sockaddr *address);

/* localhost, or an address, with IPv6 in brackets or not, that is so. Other names that lead
 * there are not known. */
bool fetch_host_is_loopback(const char *host);

#endif
