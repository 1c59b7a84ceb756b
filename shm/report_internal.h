/* SPDX-License-Identifier: MIT */
/*
 * report_internal.h - what report.c (JSON) and report_metrics.c (Prometheus text) share; nobody else
 * includes it.
 */
#ifndef SSRD_SHM_REPORT_INTERNAL_H
#define SSRD_SHM_REPORT_INTERNAL_H

#include "shm/cold.h"
#include "shm/peers.h"
#include "shm/region.h"
#include "shm/report.h"
#include "shm/stats.h"

#ifndef SSRD_VERSION
#define SSRD_VERSION "unknown"
#endif

#define LOAD(field) atomic_load_explicit(&(field), memory_order_relaxed)

/* A worker may serve some microseconds before the zygote's report of its pid reaches the master. */
uint32_t report_pid(const struct peer *peer);

/* Second field of /proc/PID/statm, in bytes; 0 when it can't be read. */
uint64_t report_resident_bytes(uint32_t pid);

/* 0 for a moment that has not been yet. */
double report_seconds_since(uint64_t then_ms, uint64_t now_ms);

/* All 0 without a cold cache. */
void report_figures(struct cold *cold, struct cold_figures *ret_figures);

#endif
