/* SPDX-License-Identifier: MIT */
/*
 * report.h - what is going on, made from the tables in shared memory alone, so that the master's
 * control socket and a worker's admin listener say the same. JSON for people's scripts, Prometheus
 * text (exposition format 0.0.4) for /metrics.
 */
#ifndef SSRD_SHM_REPORT_H
#define SSRD_SHM_REPORT_H

#include "shm/base.h"

struct cold;
struct region;

/* The object that `ssrctl status --json` and GET /status print. Returns owned (free()),
 * NUL-terminated, one line; NULL: out of memory. cold may be NULL: no figures. Like
 * report_metrics() it reads /proc of the workers and walks the cold index: for people and scrapes,
 * not for hot paths. */
char *report_status(const struct region *region, struct cold *cold, const char *v8_version);

/* GET /metrics. Returns owned; NULL: out of memory. */
char *report_metrics(const struct region *region, struct cold *cold, const char *v8_version);

/* `ssrctl cache stat --json`. Returns owned; NULL: out of memory. */
char *report_cache(const struct region *region, struct cold *cold);

#endif
