/* SPDX-License-Identifier: MIT */
/*
 * report.c - what is going on as JSON, from the tables in shared memory and /proc of the workers. Whatever
 * a row says is taken as it stands: its worker may be dying, so figures may be a moment apart, and
 * none of them is trusted as an index.
 */
#include "shm/report_internal.h"

#include "shm/cold.h"
#include "shm/peers.h"
#include "shm/region.h"
#include "shm/stats.h"

#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#ifndef SSRD_VERSION
#define SSRD_VERSION "unknown"
#endif

uint32_t report_pid(const struct peer *peer)
{
    uint32_t pid = LOAD(peer->pid);

    return pid != 0 ? pid : LOAD(peer->self_pid);
}

uint64_t report_resident_bytes(uint32_t pid)
{
    char path[40], text[100];
    unsigned long size_pages, resident_pages;

    if (pid == 0)
        return 0;
    (void)snprintf(path, sizeof path, "/proc/%" PRIu32 "/statm", pid);
    autofd int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    ssize_t n = read(fd, text, sizeof text - 1);
    if (n <= 0)
        return 0;
    text[n] = '\0';
    if (sscanf(text, "%lu %lu", &size_pages, &resident_pages) != 2)
        return 0;
    return (uint64_t)resident_pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static const char *state_name(uint32_t state)
{
    switch (state) {
    case PEER_FREE:
        return "free";
    case PEER_STARTING:
        return "starting";
    case PEER_SERVING:
        return "serving";
    case PEER_DRAINING:
        return "draining";
    default:
        return "unknown";
    }
}

double report_seconds_since(uint64_t then_ms, uint64_t now_ms)
{
    return then_ms == 0 || then_ms > now_ms ? 0.0 : (double)(now_ms - then_ms) / 1000.0;
}

static json_t *worker_json(const struct peer *peer, const struct stats *stats, uint32_t state,
                           uint64_t now_ms)
{
    uint32_t pid = report_pid(peer);
    uint64_t requests = stats_requests_of_class(stats, 2) + stats_requests_of_class(stats, 3) +
                        stats_requests_of_class(stats, 4) + stats_requests_of_class(stats, 5);
    uint64_t renders = LOAD(stats->renders_ok) + LOAD(stats->renders_error) +
                       LOAD(stats->renders_timeout) + LOAD(stats->renders_oom);

    return json_pack("{s:I s:I s:i s:I s:s s:I s:I s:I s:I s:I s:f}", "worker",
                     (json_int_t)LOAD(peer->worker), "pid", (json_int_t)pid, "cpu",
                     (int)LOAD(peer->cpu), "generation", (json_int_t)LOAD(peer->generation),
                     "state", state_name(state), "requests", (json_int_t)requests, "renders",
                     (json_int_t)renders, "connections", (json_int_t)LOAD(stats->connections),
                     "rss_bytes", (json_int_t)report_resident_bytes(pid), "heap_bytes",
                     (json_int_t)LOAD(stats->heap_bytes), "uptime_s",
                     report_seconds_since(LOAD(peer->started_ms), now_ms));
}

/* In the order of their rows. NULL: out of memory. */
static json_t *workers_json(const struct region *region, uint64_t now_ms)
{
    json_t *workers = json_array();

    for (uint32_t row = 0; row < REGION_PEERS_MAX; row++) {
        const struct peer *peer = peer_at(region, row);
        uint32_t state = LOAD(peer->state);

        if (state == PEER_FREE)
            continue;
        if (json_array_append_new(workers,
                                  worker_json(peer, stats_at(region, row), state, now_ms)) != 0) {
            json_decref(workers);
            return NULL;
        }
    }
    return workers;
}

void report_figures(struct cold *cold, struct cold_figures *ret_figures)
{
    *ret_figures = (struct cold_figures){0};
    if (cold != NULL)
        cold_figures(cold, ret_figures);
}

static json_t *cold_json(const struct region *region, const struct stats *total, struct cold *cold)
{
    struct cold_figures figures;

    report_figures(cold, &figures);
    return json_pack(
        "{s:I s:I s:I s:I s:I s:I s:I s:I s:I s:I s:I}", "budget_bytes",
        (json_int_t)figures.budget_bytes, "used_bytes", (json_int_t)figures.used_bytes, "entries",
        (json_int_t)figures.entries, "slots", (json_int_t)figures.slots, "segments",
        (json_int_t)figures.segments, "segment_bytes", (json_int_t)figures.segment_bytes, "stored",
        (json_int_t)LOAD(total->cold_stored), "refused", (json_int_t)LOAD(total->cold_refused),
        "evictions", (json_int_t)LOAD(total->cold_evictions), "corrupt",
        (json_int_t)LOAD(total->cold_corrupt), "repairs",
        (json_int_t)LOAD(stats_master(region)->cold_repairs));
}

static json_t *cache_json(const struct region *region, const struct stats *total, struct cold *cold)
{
    json_t *hot, *requests, *fragments;

    hot = json_pack("{s:I s:I s:I}", "used_bytes", (json_int_t)LOAD(total->hot_bytes), "entries",
                    (json_int_t)LOAD(total->hot_entries), "evictions",
                    (json_int_t)LOAD(total->hot_evictions));
    requests = json_pack(
        "{s:I s:I s:I s:I s:I s:I}", "hot", (json_int_t)LOAD(total->cache_hot), "cold",
        (json_int_t)LOAD(total->cache_cold), "stale", (json_int_t)LOAD(total->cache_stale), "miss",
        (json_int_t)LOAD(total->cache_miss), "collapsed", (json_int_t)LOAD(total->cache_collapsed),
        "bypass", (json_int_t)LOAD(total->cache_bypass));
    fragments = json_pack("{s:I s:I s:I s:I}", "hit", (json_int_t)LOAD(total->fragments_hit),
                          "miss", (json_int_t)LOAD(total->fragments_miss), "stored",
                          (json_int_t)LOAD(total->fragments_stored), "refused",
                          (json_int_t)LOAD(total->fragments_refused));
    /* "o" takes the references, also when one is NULL and packing fails */
    return json_pack("{s:o s:o s:o s:o}", "cold", cold_json(region, total, cold), "hot", hot,
                     "requests", requests, "fragments", fragments);
}

static json_t *counts_json(const struct stats *total)
{
    return json_pack("{s:I s:I s:I s:I}", "2xx", (json_int_t)stats_requests_of_class(total, 2),
                     "3xx", (json_int_t)stats_requests_of_class(total, 3), "4xx",
                     (json_int_t)stats_requests_of_class(total, 4), "5xx",
                     (json_int_t)stats_requests_of_class(total, 5));
}

static json_t *renders_json(const struct stats *total)
{
    return json_pack(
        "{s:I s:I s:I s:I s:I}", "ok", (json_int_t)LOAD(total->renders_ok), "error",
        (json_int_t)LOAD(total->renders_error), "timeout", (json_int_t)LOAD(total->renders_timeout),
        "oom", (json_int_t)LOAD(total->renders_oom), "shed", (json_int_t)LOAD(total->renders_shed));
}

static char *dump(json_t *json)
{
    char *text = json == NULL ? NULL : json_dumps(json, JSON_COMPACT);

    json_decref(json);
    return text;
}

char *report_status(const struct region *region, struct cold *cold, const char *v8_version)
{
    const struct stats_master *master = stats_master(region);
    uint64_t now_ms = mono_ms();
    struct stats sums, *total = &sums;
    char hash[17];

    stats_total(region, total);
    (void)snprintf(hash, sizeof hash, "%016" PRIx64, LOAD(master->bundle_hash));
    return dump(json_pack(
        "{s:s s:s s:I s:f s:I s:s s:o s:o s:I s:I s:o s:o s:{s:I s:I s:I} s:{s:I s:I}}", "version",
        SSRD_VERSION, "v8", v8_version == NULL ? "" : v8_version, "pid",
        (json_int_t)LOAD(master->pid), "uptime_s",
        report_seconds_since(LOAD(master->started_ms), now_ms), "generation",
        (json_int_t)LOAD(master->generation), "bundle_hash", hash, "workers",
        workers_json(region, now_ms), "cache", cache_json(region, total, cold), "queue",
        (json_int_t)LOAD(total->render_queue), "connections", (json_int_t)LOAD(total->connections),
        "requests", counts_json(total), "renders", renders_json(total), "restarts", "crash",
        (json_int_t)LOAD(master->restarts_crash), "hung", (json_int_t)LOAD(master->restarts_hung),
        "recycled", (json_int_t)LOAD(master->restarts_recycled), "reloads", "ok",
        (json_int_t)LOAD(master->reloads_ok), "refused",
        (json_int_t)LOAD(master->reloads_refused)));
}

char *report_cache(const struct region *region, struct cold *cold)
{
    struct stats sums, *total = &sums;

    stats_total(region, total);
    return dump(cache_json(region, total, cold));
}
