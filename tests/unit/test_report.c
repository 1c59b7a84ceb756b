/* SPDX-License-Identifier: MIT */
/* test_report.c - status, metrics and cache figures, read from a small region filled by hand. */
#include "shm/cold.h"
#include "shm/peers.h"
#include "shm/region.h"
#include "shm/report.h"
#include "shm/stats.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

struct fixture {
    struct region *region;
    struct cold *cold;
};

static int setup(void **state)
{
    static struct fixture fixture;
    const struct region_sizes sizes = {.cold_bytes = MIB, .max_object_bytes = 64 * KIB};

    if (region_create(&sizes, &fixture.region) != 0)
        return -1;
    *state = &fixture;
    return cold_open(fixture.region, REGION_PEERS_MAX, &fixture.cold);
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;

    cold_close(fixture->cold);
    region_close(fixture->region);
    return 0;
}

static uint32_t add_worker(const struct fixture *fixture, uint32_t generation, uint32_t worker,
                           uint32_t pid)
{
    uint32_t row = UINT32_MAX;

    assert_int_equal(peer_claim(fixture->region, generation, worker, /* cpu= */ -1, &row), 0);
    atomic_store_explicit(&peer_at(fixture->region, row)->pid, pid, memory_order_relaxed);
    atomic_store_explicit(&peer_at(fixture->region, row)->state, PEER_SERVING,
                          memory_order_relaxed);
    return row;
}

static json_t *parsed(char *text)
{
    json_t *json;

    assert_non_null(text);
    assert_null(strchr(text, '\n')); /* it travels as one line */
    json = json_loads(text, 0, NULL);
    free(text);
    assert_non_null(json);
    return json;
}

static json_int_t integer(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);

    if (!json_is_integer(value))
        fail_msg("%s is missing or no integer", name);
    return json_integer_value(value);
}

static size_t occurrences(const char *text, const char *what)
{
    size_t count = 0;

    for (const char *at = strstr(text, what); at != NULL; at = strstr(at + 1, what))
        count++;
    return count;
}

static void assert_line(const char *text, const char *line)
{
    size_t bytes = strlen(line);

    for (const char *at = strstr(text, line); at != NULL; at = strstr(at + 1, line))
        if ((at == text || at[-1] == '\n') && at[bytes] == '\n')
            return;
    fail_msg("no line `%s` in:\n%s", line, text);
}

static void status_of_an_empty_region_is_whole(void **state)
{
    struct fixture *fixture = *state;
    json_t *status = parsed(report_status(fixture->region, fixture->cold, NULL));

    assert_string_equal(json_string_value(json_object_get(status, "v8")), "");
    assert_int_equal(integer(status, "generation"), 0);
    assert_int_equal(json_array_size(json_object_get(status, "workers")), 0);
    assert_true(json_real_value(json_object_get(status, "uptime_s")) == 0.0);
    assert_non_null(json_object_get(json_object_get(status, "cache"), "cold"));
    json_decref(status);
}

static void status_tells_the_masters_own_figures(void **state)
{
    struct fixture *fixture = *state;
    struct stats_master *master = stats_master(fixture->region);
    json_t *status;

    atomic_store_explicit(&master->pid, 4242, memory_order_relaxed);
    atomic_store_explicit(&master->generation, 7, memory_order_relaxed);
    atomic_store_explicit(&master->bundle_hash, 0xabc, memory_order_relaxed);
    atomic_store_explicit(&master->reloads_refused, 3, memory_order_relaxed);
    atomic_store_explicit(&master->restarts_hung, 2, memory_order_relaxed);
    atomic_store_explicit(&master->restarts_recycled, 4, memory_order_relaxed);
    status = parsed(report_status(fixture->region, fixture->cold, "10.2.154"));
    assert_string_equal(json_string_value(json_object_get(status, "v8")), "10.2.154");
    assert_string_equal(json_string_value(json_object_get(status, "bundle_hash")),
                        "0000000000000abc");
    assert_int_equal(integer(status, "pid"), 4242);
    assert_int_equal(integer(status, "generation"), 7);
    assert_int_equal(integer(json_object_get(status, "reloads"), "refused"), 3);
    assert_int_equal(integer(json_object_get(status, "restarts"), "hung"), 2);
    assert_int_equal(integer(json_object_get(status, "restarts"), "recycled"), 4);
    json_decref(status);
}

static void status_lists_each_worker_with_its_own_counters(void **state)
{
    struct fixture *fixture = *state;
    uint32_t first = add_worker(fixture, 1, 0, (uint32_t)getpid());
    uint32_t second = add_worker(fixture, 1, 1, 0);
    json_t *status;
    const json_t *workers, *worker;

    for (int i = 0; i < 5; i++)
        stats_count_request(stats_at(fixture->region, first), STATS_GET, 200);
    stats_count_request(stats_at(fixture->region, first), STATS_HEAD, 404);
    stats_add(&stats_at(fixture->region, second)->renders_error, 2);
    stats_set(&stats_at(fixture->region, second)->render_queue, 9);
    status = parsed(report_status(fixture->region, fixture->cold, ""));
    workers = json_object_get(status, "workers");
    assert_int_equal(json_array_size(workers), 2);
    worker = json_array_get(workers, 0);
    assert_int_equal(integer(worker, "worker"), 0);
    assert_int_equal(integer(worker, "cpu"), -1);
    assert_int_equal(integer(worker, "requests"), 6);
    assert_int_equal(integer(worker, "renders"), 0);
    assert_true(integer(worker, "rss_bytes") > 0);
    assert_string_equal(json_string_value(json_object_get(worker, "state")), "serving");
    worker = json_array_get(workers, 1);
    assert_int_equal(integer(worker, "renders"), 2);
    assert_int_equal(integer(worker, "rss_bytes"), 0); /* no pid yet */
    assert_int_equal(integer(status, "queue"), 9);
    assert_int_equal(integer(json_object_get(status, "requests"), "2xx"), 5);
    json_decref(status);
}

static void a_state_out_of_range_is_told_as_unknown(void **state)
{
    struct fixture *fixture = *state;
    uint32_t row = add_worker(fixture, 1, 0, 0);
    json_t *status;

    atomic_store_explicit(&peer_at(fixture->region, row)->state, 99, memory_order_relaxed);
    status = parsed(report_status(fixture->region, fixture->cold, ""));
    assert_string_equal(json_string_value(json_object_get(
                            json_array_get(json_object_get(status, "workers"), 0), "state")),
                        "unknown");
    json_decref(status);
}

static void cache_sums_the_hot_caches_of_all_workers(void **state)
{
    struct fixture *fixture = *state;
    uint32_t first = add_worker(fixture, 1, 0, 0), second = add_worker(fixture, 1, 1, 0);
    json_t *cache;

    stats_set(&stats_at(fixture->region, first)->hot_bytes, 1000);
    stats_set(&stats_at(fixture->region, second)->hot_bytes, 24);
    stats_add(&stats_at(fixture->region, first)->cache_miss, 4);
    cache = parsed(report_cache(fixture->region, fixture->cold));
    assert_int_equal(integer(json_object_get(cache, "hot"), "used_bytes"), 1024);
    assert_int_equal(integer(json_object_get(cache, "requests"), "miss"), 4);
    assert_true(integer(json_object_get(cache, "cold"), "budget_bytes") > 0);
    json_decref(cache);
}

static void counters_of_the_departed_stay_in_the_sums(void **state)
{
    struct fixture *fixture = *state;
    uint32_t row = add_worker(fixture, 1, 0, 0);
    autofree char *text = NULL;

    stats_add(&stats_at(fixture->region, row)->renders_ok, 3);
    stats_retire(fixture->region, row);
    peer_release(fixture->region, row);
    text = report_metrics(fixture->region, fixture->cold, "");
    assert_non_null(text);
    assert_line(text, "ssrd_renders_total{result=\"ok\"} 3");
}

static void metrics_say_help_and_type_once_a_metric(void **state)
{
    struct fixture *fixture = *state;
    autofree char *text = NULL;
    char line[200], name[100];

    add_worker(fixture, 1, 0, 0);
    text = report_metrics(fixture->region, fixture->cold, "10.2");
    assert_non_null(text);
    for (const char *at = strstr(text, "# TYPE "); at != NULL; at = strstr(at + 1, "# TYPE ")) {
        assert_int_equal(sscanf(at, "# TYPE %99s", name), 1);
        (void)snprintf(line, sizeof line, "# TYPE %s ", name);
        assert_int_equal(occurrences(text, line), 1);
        (void)snprintf(line, sizeof line, "# HELP %s ", name);
        assert_int_equal(occurrences(text, line), 1);
    }
    assert_int_equal(text[strlen(text) - 1], '\n');
}

static void metrics_have_the_documented_names(void **state)
{
    static const char *const names[] = {"ssrd_requests_total{",
                                        "ssrd_request_duration_seconds_bucket{",
                                        "ssrd_render_duration_seconds_sum ",
                                        "ssrd_renders_total{",
                                        "ssrd_render_queue ",
                                        "ssrd_cache_requests_total{",
                                        "ssrd_cache_bytes ",
                                        "ssrd_cache_entries ",
                                        "ssrd_cache_evictions_total{",
                                        "ssrd_connections ",
                                        "ssrd_reloads_total{",
                                        "ssrd_worker_restarts_total{",
                                        "ssrd_bundle_generation ",
                                        "ssrd_worker_heap_bytes{",
                                        "ssrd_worker_resident_bytes{",
                                        "ssrd_build_info{"};
    struct fixture *fixture = *state;
    autofree char *text = NULL;
    char line[100];

    add_worker(fixture, 1, 0, 0);
    text = report_metrics(fixture->region, fixture->cold, "10.2");
    assert_non_null(text);
    for (size_t i = 0; i < array_len(names); i++) {
        (void)snprintf(line, sizeof line, "\n%s", names[i]);
        if (strstr(text, line) == NULL)
            fail_msg("no %s", names[i]);
    }
}

static void label_values_are_escaped(void **state)
{
    struct fixture *fixture = *state;
    autofree char *text = report_metrics(fixture->region, fixture->cold, "a\"b\\c\nd");

    assert_non_null(text);
    assert_non_null(strstr(text, ",v8=\"a\\\"b\\\\c\\nd\"} 1\n"));
}

static void two_generations_of_a_worker_are_one_series(void **state)
{
    struct fixture *fixture = *state;
    uint32_t old = add_worker(fixture, 1, 0, 0), new = add_worker(fixture, 2, 0, 0);
    autofree char *text = NULL;

    atomic_store_explicit(&peer_at(fixture->region, old)->state, PEER_DRAINING,
                          memory_order_relaxed);
    stats_set(&stats_at(fixture->region, old)->heap_bytes, 30);
    stats_set(&stats_at(fixture->region, new)->heap_bytes, 12);
    text = report_metrics(fixture->region, fixture->cold, "");
    assert_non_null(text);
    assert_line(text, "ssrd_worker_heap_bytes{worker=\"0\"} 42");
    assert_int_equal(occurrences(text, "ssrd_worker_heap_bytes{"), 1);
}

static void a_worker_number_out_of_range_is_left_out(void **state)
{
    struct fixture *fixture = *state;
    uint32_t row = add_worker(fixture, 1, 0, 0);
    autofree char *text = NULL;

    atomic_store_explicit(&peer_at(fixture->region, row)->worker, UINT32_MAX, memory_order_relaxed);
    text = report_metrics(fixture->region, fixture->cold, "");
    assert_non_null(text);
    assert_int_equal(occurrences(text, "ssrd_worker_heap_bytes{"), 0);
}

static void render_time_is_told_in_seconds(void **state)
{
    struct fixture *fixture = *state;
    uint32_t row = add_worker(fixture, 1, 0, 0);
    autofree char *text = NULL;

    stats_observe(&stats_at(fixture->region, row)->render_duration, 1400000000);
    stats_observe(&stats_at(fixture->region, row)->render_duration, 50000000);
    stats_observe(&stats_at(fixture->region, row)->render_duration, 50000000);
    text = report_metrics(fixture->region, fixture->cold, "");
    assert_non_null(text);
    assert_line(text, "ssrd_render_duration_seconds_sum 1.500000000");
    assert_line(text, "ssrd_render_duration_seconds_count 3");
    assert_line(text, "ssrd_render_duration_seconds_bucket{le=\"0.025\"} 0");
    assert_line(text, "ssrd_render_duration_seconds_bucket{le=\"0.05\"} 2");
    assert_line(text, "ssrd_render_duration_seconds_bucket{le=\"1\"} 2");
    assert_line(text, "ssrd_render_duration_seconds_bucket{le=\"2.5\"} 3");
    assert_line(text, "ssrd_render_duration_seconds_bucket{le=\"+Inf\"} 3");
    assert_line(text, "ssrd_requests_total{code=\"200\",method=\"GET\"} 0");
    assert_line(text, "ssrd_request_duration_seconds_count{cache=\"hot\"} 0");
    assert_null(strstr(text, "nanoseconds"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(status_of_an_empty_region_is_whole),
        TEST(status_tells_the_masters_own_figures),
        TEST(status_lists_each_worker_with_its_own_counters),
        TEST(a_state_out_of_range_is_told_as_unknown),
        TEST(cache_sums_the_hot_caches_of_all_workers),
        TEST(counters_of_the_departed_stay_in_the_sums),
        TEST(metrics_say_help_and_type_once_a_metric),
        TEST(metrics_have_the_documented_names),
        TEST(label_values_are_escaped),
        TEST(two_generations_of_a_worker_are_one_series),
        TEST(a_worker_number_out_of_range_is_left_out),
        TEST(render_time_is_told_in_seconds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
