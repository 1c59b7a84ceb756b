/* SPDX-License-Identifier: MIT */
/* report_metrics.c - GET /metrics: Prometheus text, exposition format 0.0.4. */
#include "shm/report_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

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
                  report_seconds_since(LOAD(master->started_ms), mono_ms()));
    pair(out, "ssrd_worker_restarts_total", "workers replaced", "reason", "crash",
         LOAD(master->restarts_crash), "hung", LOAD(master->restarts_hung));
    (void)fprintf(out, "ssrd_worker_restarts_total{reason=\"recycled\"} %" PRIu64 "\n",
                  LOAD(master->restarts_recycled));
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

/* The table's rows, summed; what is told for each worker is left to others. */
static void table_metrics(FILE *out, const struct stats *total)
{
    const char *last = "";

    for (size_t i = 0; i < stats_column_count; i++) {
        const struct stats_column *column = &stats_columns[i];
        uint64_t value = LOAD(*(const _Atomic uint64_t *)((const char *)total + column->offset));

        if (starts_with(column->metric, "ssrd_worker_"))
            continue;
        if (strcmp(last, column->metric) != 0)
            head(out, column->metric, column->is_gauge ? "gauge" : "counter", column->text);
        last = column->metric;
        if (column->labels[0] == '\0')
            (void)fprintf(out, "%s %" PRIu64 "\n", column->metric, value);
        else
            (void)fprintf(out, "%s{%s} %" PRIu64 "\n", column->metric, column->labels, value);
    }
}

/* Only what has occurred: 38 codes times 4 methods are mostly zeros. GET 200 is always there. */
static void request_metrics(FILE *out, const struct stats *total)
{
    static const char *const methods[STATS_METHODS] = {"GET", "HEAD", "POST", "other"};

    head(out, "ssrd_requests_total", "counter", "requests answered");
    for (unsigned code = 0; code < STATS_CODES; code++)
        for (unsigned method = 0; method < STATS_METHODS; method++) {
            uint64_t value = LOAD(total->requests[method][code]);

            if (value > 0 || (code == STATS_CODE_200 && method == STATS_GET))
                (void)fprintf(out, "ssrd_requests_total{code=\"%u\",method=\"%s\"} %" PRIu64 "\n",
                              stats_code_status(code), methods[method], value);
        }
}

/* label: "" or "cache=\"hot\"". Buckets are cumulative in the text, not in memory. */
static void histogram(FILE *out, const char *metric, const char *label,
                      const struct stats_histogram *values)
{
    static const uint32_t bounds_us[STATS_BOUNDS] = STATS_BOUNDS_US;
    const char *comma = label[0] == '\0' ? "" : ",";
    const char *open = label[0] == '\0' ? "" : "{";
    const char *close = label[0] == '\0' ? "" : "}";
    uint64_t count = 0;

    for (unsigned i = 0; i < STATS_BOUNDS; i++) {
        count += LOAD(values->bucket[i]);
        (void)fprintf(out, "%s_bucket{%s%sle=\"%g\"} %" PRIu64 "\n", metric, label, comma,
                      bounds_us[i] / 1e6, count);
    }
    count += LOAD(values->bucket[STATS_BOUNDS]);
    (void)fprintf(out, "%s_bucket{%s%sle=\"+Inf\"} %" PRIu64 "\n", metric, label, comma, count);
    (void)fprintf(out, "%s_sum%s%s%s %.9f\n", metric, open, label, close,
                  (double)LOAD(values->sum_ns) / 1e9);
    (void)fprintf(out, "%s_count%s%s%s %" PRIu64 "\n", metric, open, label, close, count);
}

static void duration_metrics(FILE *out, const struct stats *total)
{
    static const char *const caches[STATS_CACHES] = {
        "cache=\"hot\"", "cache=\"cold\"", "cache=\"stale\"", "cache=\"miss\"", "cache=\"bypass\""};

    head(out, "ssrd_request_duration_seconds", "histogram",
         "from a request's arrival to its answer's way out, by where the page came from");
    for (unsigned i = 0; i < STATS_CACHES; i++)
        histogram(out, "ssrd_request_duration_seconds", caches[i], &total->request_duration[i]);
    head(out, "ssrd_render_duration_seconds", "histogram", "time spent in renders");
    histogram(out, "ssrd_render_duration_seconds", "", &total->render_duration);
}

static void cold_metrics(FILE *out, struct cold *cold)
{
    struct cold_figures figures;

    report_figures(cold, &figures);
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
        rss_bytes[worker] += report_resident_bytes(report_pid(peer));
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
    struct stats total;
    FILE *out;

    if (sums == NULL)
        return NULL;
    out = open_memstream(&text, &text_bytes);
    if (out == NULL)
        return NULL;
    stats_total(region, &total);
    build_info(out, v8_version);
    master_metrics(out, region);
    request_metrics(out, &total);
    duration_metrics(out, &total);
    table_metrics(out, &total);
    cold_metrics(out, cold);
    worker_metrics(out, region, sums, sums + REGION_PEERS_MAX);
    bool failed = ferror(out) != 0;
    if (fclose(out) != 0 || failed) {
        free(text);
        return NULL;
    }
    return text;
}
