/* SPDX-License-Identifier: MIT */
/*
 * invalidate.h - what a successful unsafe request changes is no longer served from caches: RFC 9111 section 4.4.
 */
#ifndef SSRD_WORKER_INVALIDATE_H
#define SSRD_WORKER_INVALIDATE_H

#include "worker/http_parse.h"
#include "worker/js.h"

struct config;
struct purge;

/* Is the method one that asks for no change (RFC 9110 section 9.2.1)? */
bool invalidate_is_safe(uint8_t method);

/*
 * After an answer to an unsafe request, before it is sent: purges the URL of the request, and those of Location and
 * Content-Location, absolute or relative, on the same host and port, if the status is 2xx or 3xx. A purge is by path and query, whatever the host: it may take more, never less.
 */
void invalidate(struct purge *purge, const struct config *config, const struct http_parse *head,
                const struct js_result *result);

#endif
