/* SPDX-License-Identifier: MIT */
/* admin.h - requests on the admin listener: /metrics, /healthz, /readyz, /status, /purge, /reload,
 * /render (INTERFACE: "Admin listener"). */
#ifndef SSRD_WORKER_ADMIN_H
#define SSRD_WORKER_ADMIN_H

#include "shm/base.h"
#include "worker/http_parse.h"

struct conn;

void admin_request(struct conn *conn, const struct http_parse *head, struct span body);

#endif
