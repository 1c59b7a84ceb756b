/* SPDX-License-Identifier: MIT */
/*
 * report.c - what is going on, from the tables in shared memory and /proc of the workers. Whatever
 * a row says is taken as it stands: its worker may be dying, so figures may be a moment apart, and
 * none of them is trusted as an index.
 */
#include "shm/report.h"

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

#define LOAD(field) atomic_load_explicit(&(field), memory_order_relaxed)
#define TOTAL(name) total_of(region, offsetof(struct stats, name))

/* Over all workers, the departed included. */
static uint64_t total_of(const struct region *region, size_t offset)
{
    for (size_t i = 0; i < stats_column_count; i++)
        if (stats_columns[i].offset == offset)
            return stats_sum(region, i);
    return 0;
}

/* Second field of /proc/PID/statm, in bytes; 0 when it can't be read. */
/* A worker may serve some microseconds before the zygote's report of its pid reaches the master. */
static uint32_t peer_pid(const struct peer *peer)
{
    uint32_t pid = LOAD(peer->pid);

    return pid != 0 ? pid : LOAD(peer->self_pid);
}

static uint64_t resident_bytes(uint32_t pid)
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

static double seconds_since(uint64_t then_ms, uint64_t now_ms)
{
    return then_ms == 0 || then_ms > now_ms ? 0.0 : (double)(now_ms - then_ms) / 1000.0;
}

static json_t *worker_json(const struct peer *peer, const struct stats *stats, uint32_t state,
                           uint64_t now_ms)
{
    uint32_t pid = peer_pid(peer);
    uint64_t requests = LOAD(stats->requests_2xx) + LOAD(stats->requests_3xx) +
                        LOAD(stats->requests_4xx) + LOAD(stats->requests_5xx);
    uint64_t renders = LOAD(stats->renders_ok) + LOAD(stats->renders_error) +
                       LOAD(stats->renders_timeout) + LOAD(stats->renders_oom);

    return json_pack("{s:I s:I s:i s:I s:s s:I s:I s:I s:I s:I s:f}", "worker",
                     (json_int_t)LOAD(peer->worker), "pid", (json_int_t)pid, "cpu",
                     (int)LOAD(peer->cpu), "generation", (json_int_t)LOAD(peer->generation),
                     "state", state_name(state), "requests", (json_int_t)requests, "renders",
                     (json_int_t)renders, "connections", (json_int_t)LOAD(stats->connections),
                     "rss_bytes", (json_int_t)resident_bytes(pid), "heap_bytes",
                     (json_int_t)LOAD(stats->heap_bytes), "uptime_s",
                     seconds_since(LOAD(peer->started_ms), now_ms));
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

static void figures_of(struct cold *cold, struct cold_figures *ret_figures)
{
    *ret_figures = (struct cold_figures){0};
    if (cold != NULL)
        cold_figures(cold, ret_figures);
}

static json_t *cache_json(const struct region *region, struct cold *cold)
{
    struct cold_figures figures;
    json_t *cold_json, *hot_json, *requests;

    figures_of(cold, &figures);
    cold_json = json_pack(
        "{s:I s:I s:I s:I s:I s:I s:I s:I s:I}", "budget_bytes", (json_int_t)figures.budget_bytes,
        "used_bytes", (json_int_t)figures.used_bytes, "entries", (json_int_t)figures.entries,
        "slots", (json_int_t)figures.slots, "segments", (json_int_t)figures.segments,
        "segment_bytes", (json_int_t)figures.segment_bytes, "stored",
        (json_int_t)TOTAL(cold_stored), "refused", (json_int_t)TOTAL(cold_refused), "evictions",
        (json_int_t)TOTAL(cold_evictions));
    hot_json =
        json_pack("{s:I s:I s:I}", "used_bytes", (json_int_t)TOTAL(hot_bytes), "entries",
                  (json_int_t)TOTAL(hot_entries), "evictions", (json_int_t)TOTAL(hot_evictions));
    requests =
        json_pack("{s:I s:I s:I s:I s:I s:I}", "hot", (json_int_t)TOTAL(cache_hot), "cold",
                  (json_int_t)TOTAL(cache_cold), "stale", (json_int_t)TOTAL(cache_stale), "miss",
                  (json_int_t)TOTAL(cache_miss), "collapsed", (json_int_t)TOTAL(cache_collapsed),
                  "bypass", (json_int_t)TOTAL(cache_bypass));
    /* "o" takes the references, also when one is NULL and packing fails */
    return json_pack("{s:o s:o s:o}", "cold", cold_json, "hot", hot_json, "requests", requests);
}

static json_t *counts_json(const struct region *region)
{
    return json_pack("{s:I s:I s:I s:I}", "2xx", (json_int_t)TOTAL(requests_2xx), "3xx",
                     (json_int_t)TOTAL(requests_3xx), "4xx", (json_int_t)TOTAL(requests_4xx), "5xx",
                     (json_int_t)TOTAL(requests_5xx));
}

static json_t *renders_json(const struct region *region)
{
    return json_pack("{s:I s:I s:I s:I s:I}", "ok", (json_int_t)TOTAL(renders_ok), "error",
                     (json_int_t)TOTAL(renders_error), "timeout",
                     (json_int_t)TOTAL(renders_timeout), "oom", (json_int_t)TOTAL(renders_oom),
                     "shed", (json_int_t)TOTAL(renders_shed));
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
    char hash[17];

    (void)snprintf(hash, sizeof hash, "%016" PRIx64, LOAD(master->bundle_hash));
    return dump(json_pack(
        "{s:s s:s s:I s:f s:I s:s s:o s:o s:I s:I s:o s:o s:{s:I s:I} s:{s:I s:I}}", "version",
        SSRD_VERSION, "v8", v8_version == NULL ? "" : v8_version, "pid",
        (json_int_t)LOAD(master->pid), "uptime_s", seconds_since(LOAD(master->started_ms), now_ms),
        "generation", (json_int_t)LOAD(master->generation), "bundle_hash", hash, "workers",
        workers_json(region, now_ms), "cache", cache_json(region, cold), "queue",
        (json_int_t)TOTAL(render_queue), "connections", (json_int_t)TOTAL(connections), "requests",
        counts_json(region), "renders", renders_json(region), "restarts", "crash",
        (json_int_t)LOAD(master->restarts_crash), "hung", (json_int_t)LOAD(master->restarts_hung),
        "reloads", "ok", (json_int_t)LOAD(master->reloads_ok), "refused",
        (json_int_t)LOAD(master->reloads_refused)));
}

char *report_cache(const struct region *region, struct cold *cold)
{
    return dump(cache_json(region, cold));
}

/* Prometheus text. */

static void head(FILE *out, const char *metric, const char *type, const char *text)
{
    (void)fprintf(out, "# HELP %s %s\n# TYPE %s %s\n", metric, text, metric, type);
}

/* A label's value between its quotes: backslash, quote and line feed are escaped (exposition
 * format 0.0.4, "Comments, help text, and type information"). */
static void label_value(FILE *out, const char *value)
{
    for (; *value != '\0'; value++) {
        if (*value == '\n')
            (void)fputs("\\n", out);
        else if (*value == '\\' || *value == '"')
            (void)fprintf(out, "\\%c", *value);
        else
            (void)fputc(*value, out);
    }
}

static void build_info(FILE *out, const char *v8_version)
{
    head(out, "ssrd_build_info", "gauge", "always 1; what runs is in the labels");
    (void)fputs("ssrd_build_info{version=\"", out);
    label_value(out, SSRD_VERSION);
    (void)fputs("\",v8=\"", out);
    label_value(out, v8_version == NULL ? "" : v8_version);
    (void)fputs("\"} 1\n", out);
}

static void plain(FILE *out, const char *metric, const char *type, const char *text, uint64_t value)
{
    head(out, metric, type, text);
    (void)fprintf(out, "%s %" PRIu64 "\n", metric, value);
}

/* A counter with one label of two values: only the master has those. */
static void pair(FILE *out, const char *metric, const char *text, const char *label, const char *a,
                 uint64_t a_value, const char *b, uint64_t b_value)
{
    head(out, metric, "counter", text);
    (void)fprintf(out, "%s{%s=\"%s\"} %" PRIu64 "\n%s{%s=\"%s\"} %" PRIu64 "\n", metric, label, a,
                  a_value, metric, label, b, b_value);
}

static void master_metrics(FILE *out, const struct region *region)
{
    const struct stats_master *master = stats_master(region);

    plain(out, "ssrd_bundle_generation", "gauge", "the generation that serves, 0 before the first",
          LOAD(master->generation));
    head(out, "ssrd_uptime_seconds", "gauge", "since the master started");
    (void)fprintf(out, "ssrd_uptime_seconds %.3f\n",
                  seconds_since(LOAD(master->started_ms), mono_ms()));
    pair(out, "ssrd_worker_restarts_total", "workers replaced", "reason", "crash",
         LOAD(master->restarts_crash), "hung", LOAD(master->restarts_hung));
    pair(out, "ssrd_reloads_total", "reloads, by how they ended", "result", "ok",
         LOAD(master->reloads_ok), "refused", LOAD(master->reloads_refused));
    plain(out, "ssrd_cache_repairs_total", "counter",
          "segments of the cold cache given back after a worker's death",
          LOAD(master->cold_repairs));
}

static bool starts_with(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

/*
 * The table's rows, summed. Left to others: what is told for each worker, and time spent in
 * renders, which the table keeps in nanoseconds and Prometheus wants as a summary in seconds.
 */
static void table_metrics(FILE *out, const struct region *region)
{
    const char *last = "";

    for (size_t i = 0; i < stats_column_count; i++) {
        const struct stats_column *column = &stats_columns[i];

        if (starts_with(column->metric, "ssrd_worker_") ||
            column->offset == offsetof(struct stats, render_ns))
            continue;
        if (strcmp(last, column->metric) != 0)
            head(out, column->metric, column->is_gauge ? "gauge" : "counter", column->text);
        last = column->metric;
        if (column->labels[0] == '\0')
            (void)fprintf(out, "%s %" PRIu64 "\n", column->metric, stats_sum(region, i));
        else
            (void)fprintf(out, "%s{%s} %" PRIu64 "\n", column->metric, column->labels,
                          stats_sum(region, i));
    }
    head(out, "ssrd_render_duration_seconds", "summary", "time spent in renders");
    (void)fprintf(out,
                  "ssrd_render_duration_seconds_sum %.9f\nssrd_render_duration_seconds_count "
                  "%" PRIu64 "\n",
                  (double)TOTAL(render_ns) / 1e9,
                  TOTAL(renders_ok) + TOTAL(renders_error) + TOTAL(renders_timeout) +
                      TOTAL(renders_oom));
}

static void cold_metrics(FILE *out, struct cold *cold)
{
    struct cold_figures figures;

    figures_of(cold, &figures);
    plain(out, "ssrd_cache_bytes", "gauge", "bytes of pages in the cold cache", figures.used_bytes);
    plain(out, "ssrd_cache_budget_bytes", "gauge", "bytes that the cold cache may hold",
          figures.budget_bytes);
    plain(out, "ssrd_cache_entries", "gauge", "pages in the cold cache", figures.entries);
}

/*
 * One value for each worker number. While two generations are alive, two rows bear the same number;
 * a metric must not say one series twice, and a label for the generation would leave dead series
 * behind with each reload, so their figures are added: what that worker's place costs.
 */
static void worker_metrics(FILE *out, const struct region *region, uint64_t *heap_bytes,
                           uint64_t *rss_bytes)
{
    bool seen[REGION_PEERS_MAX] = {false};

    for (uint32_t row = 0; row < REGION_PEERS_MAX; row++) {
        const struct peer *peer = peer_at(region, row);
        uint32_t worker = LOAD(peer->worker);

        if (LOAD(peer->state) == PEER_FREE || worker >= REGION_PEERS_MAX)
            continue;
        seen[worker] = true;
        heap_bytes[worker] += LOAD(stats_at(region, row)->heap_bytes);
        rss_bytes[worker] += resident_bytes(peer_pid(peer));
    }
    head(out, "ssrd_worker_heap_bytes", "gauge", "JavaScript heap in use");
    for (uint32_t i = 0; i < REGION_PEERS_MAX; i++)
        if (seen[i])
            (void)fprintf(out, "ssrd_worker_heap_bytes{worker=\"%" PRIu32 "\"} %" PRIu64 "\n", i,
                          heap_bytes[i]);
    head(out, "ssrd_worker_resident_bytes", "gauge", "resident memory, shared pages included");
    for (uint32_t i = 0; i < REGION_PEERS_MAX; i++)
        if (seen[i])
            (void)fprintf(out, "ssrd_worker_resident_bytes{worker=\"%" PRIu32 "\"} %" PRIu64 "\n",
                          i, rss_bytes[i]);
}

char *report_metrics(const struct region *region, struct cold *cold, const char *v8_version)
{
    autofree uint64_t *sums = calloc(2 * (size_t)REGION_PEERS_MAX, sizeof *sums);
    char *text = NULL;
    size_t text_bytes;
    FILE *out;

    if (sums == NULL)
        return NULL;
    out = open_memstream(&text, &text_bytes);
    if (out == NULL)
        return NULL;
    build_info(out, v8_version);
    master_metrics(out, region);
    table_metrics(out, region);
    cold_metrics(out, cold);
    worker_metrics(out, region, sums, sums + REGION_PEERS_MAX);
    bool failed = ferror(out) != 0;
    if (fclose(out) != 0 || failed) {
        free(text);
        return NULL;
    }
    return text;
}
