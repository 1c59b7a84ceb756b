/* SPDX-License-Identifier: MIT */
/*
 * test_config.c - the loader from its door: a YAML text and -o in, struct config or problems out.
 * The sample file and the man page are held against the table (SSRD_SOURCE: root of the sources).
 */
#include "master/config_load.h"
#include "master/config_option.h"
#include "shm/log.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct config *config;
static struct config_problems problems;

static int teardown(void **state)
{
    config_free(config);
    config = NULL;
    config_problems_done(&problems);
    return 0;
}

static int parse_with(const char *text, const char *const *override, size_t count)
{
    (void)teardown(NULL);
    return config_parse(text, strlen(text), "t.yaml", override, count, &config, &problems);
}

/* A text that must load without a word. */
static void accept(const char *text)
{
    int rc = parse_with(text, NULL, 0);

    if (rc != 0 || problems.count > 0)
        fail_msg("%d: %s", rc, problems.count > 0 ? problems.text[0] : "");
}

/* A text with a problem, by the beginning of its first line; more of them: test_config_problem.c.
 */
static void refuse_start(const char *text, const char *wanted)
{
    assert_int_equal(parse_with(text, NULL, 0), -EINVAL);
    assert_null(config);
    assert_true(problems.errors > 0);
    if (strncmp(problems.text[0], wanted, strlen(wanted)) != 0)
        fail_msg("%s\nwanted: %s", problems.text[0], wanted);
}

static void override(const char *text, int wanted)
{
    assert_int_equal(parse_with("cache: {ttl: 1h}\nlisten: 127.0.0.1:1\n", &text, 1), wanted);
}

static void an_empty_file_means_defaults(void **state)
{
    static const char *const empty[] = {"", "\n", "# nothing\n", "---\n", "~", "{}"};

    for (size_t i = 0; i < array_len(empty); i++) {
        accept(empty[i]);
        assert_int_equal(config->listen.count, 1);
        assert_string_equal(config->listen.item[0], "127.0.0.1:8080");
        assert_false(config->listen_given);
        assert_string_equal(config->admin.listen, "127.0.0.1:9180");
        assert_string_equal(config->user, "ssrd");
        assert_int_equal(config->workers, 0);
        assert_true(config->pin);
        assert_int_equal(config->start, START_WARM);
        assert_int_equal(config->shutdown_timeout_ms, 30000);
        assert_int_equal(config->log.level, LOG_INFO);
        assert_string_equal(config->bundle.path, "");
        assert_string_equal(config->bundle.function, "renderPage");
        assert_int_equal(config->bundle.warmup.count, 1);
        assert_int_equal(config->policy.timeout_ms, 5000);
        assert_int_equal(config->render.tick_us, 1000);
        assert_int_equal(config->render.heap_bytes, 256 * MIB);
        assert_int_equal(config->render.isolation, ISOLATION_RESET);
        assert_int_equal(config->policy.queue, 256);
        assert_int_equal(config->cache.hot_bytes, 16 * MIB);
        assert_true(config->policy.ttl_ms == CONFIG_TTL_AUTO);
        assert_int_equal(config->policy.key.query, QUERY_ALL);
        assert_string_equal(config->policy.bypass_headers.item[0], "authorization");
        assert_int_equal(config->policy.status.item[0].status, 404);
        assert_int_equal(config->policy.status.item[0].ttl_ms, 10000);
        assert_string_equal(config->policy.headers.item[0].name, "x-content-type-options");
        assert_int_equal(config->http.keepalive_ms, 65000);
        assert_int_equal(config->http.max_header_bytes, 16384);
        assert_int_equal(config->http.connections, 10000);
        assert_int_equal(config->routes.count, 0);
    }
}

/* The whole of the interface's page, as it stands there. */
static const char whole[] =
    "listen: [127.0.0.1:8080]\n"
    "admin: {listen: 127.0.0.1:9180, socket: /run/ssrd/ctl.sock}\n"
    "user: ssrd\n"
    "workers: auto\n"
    "pin: true\n"
    "start: warm\n"
    "shutdown_timeout: 30s\n"
    "log: {level: info, format: text, access: off}\n"
    "bundle:\n"
    "  path: dist/server.js\n"
    "  format: auto\n"
    "  function: renderPage\n"
    "  warmup: [/]\n"
    "  template: \"\"\n"
    "  manifest: \"\"\n"
    "  watch: false\n"
    "render:\n"
    "  timeout: 5s\n"
    "  grace: 1s\n"
    "  stall: 0s\n"
    "  tick: 1ms\n"
    "  buffer_for: []\n"
    "  heap: 256MiB\n"
    "  isolation: reset\n"
    "  concurrency: auto\n"
    "  browser_globals: auto\n"
    "  queue: 256\n"
    "  fallback: \"\"\n"
    "  max_requests: 0\n"
    "  max_rss: 0\n"
    "cache:\n"
    "  hot: 16MiB\n"
    "  cold: 256MiB\n"
    "  file: \"\"\n"
    "  max_object: 4MiB\n"
    "  ttl: auto\n"
    "  swr: 0s\n"
    "  sie: 0s\n"
    "  key: {query: all, headers: [], cookies: []}\n"
    "  bypass: {headers: [authorization], cookies: []}\n"
    "  status: {404: 10s}\n"
    "  refresh_ahead: 0\n"
    "  on_reload: drop\n"
    "compression: {encodings: [br, gzip], min: 1KiB}\n"
    "http: {keepalive: 65s, header_timeout: 10s, body_timeout: 10s, send_timeout: 30s, max_header: "
    "16KiB, max_body: 1MiB, connections: 10000,\n"
    "  limit: {}, trusted: [], proxy_protocol: false, early_hints: false, server_timing: false}\n"
    "headers: {x-content-type-options: nosniff}\n"
    "static: [{prefix: /assets/, root: dist/client/assets, max_age: 1y, immutable: true}]\n"
    "env: {API_URL: http://127.0.0.1:3000}\n"
    "fetch: {timeout: 5s, max_body: 8MiB, allow: []}\n"
    "native: [{name: qr, path: ./libqr.so, threads: 2}]\n"
    "wasm: [{name: qr, path: ./qr.wasm}]\n"
    "exec: [{name: qr, command: [./qr-cli], timeout: 2s, processes: 4}]\n"
    "remote: {redis: \"\", ttl: 1h}\n"
    "gateway: []\n"
    "routes:\n"
    "  - match: /blog/*\n"
    "    cache: {ttl: 60s, swr: 300s, key: {query: [page], cookies: [theme]}}\n"
    "  - match: /account/*\n"
    "    cache: {ttl: 0}\n";

static void the_whole_config_loads_and_what_has_no_effect_yet_is_named(void **state)
{
    static const char *const warned[] = {"native", "wasm", "exec"};

    assert_int_equal(parse_with(whole, NULL, 0), 0);
    assert_int_equal(problems.errors, 0);
    assert_int_equal(problems.count, array_len(warned));
    for (size_t i = 0; i < array_len(warned); i++) {
        char wanted[128];

        (void)snprintf(wanted, sizeof wanted,
                       ": warning: `%s` is not available in this version and has no effect",
                       warned[i]);
        assert_non_null(strstr(problems.text[i], wanted));
    }
    assert_int_equal(strncmp(problems.text[0], "t.yaml:51:1: ", 13), 0);
    assert_true(config->listen_given && config->admin.listen_given && config->admin.socket_given &&
                config->user_given);
    assert_int_equal(config->routes.count, 2);
}

static void env_takes_any_yaml_and_keeps_its_types(void **state)
{
    assert_int_equal(parse_with("env:\n"
                                "  URL: http://127.0.0.1:3000\n"
                                "  n: [1, -2, 0x1f, 1.50, 2e3, 9007199254740993, 007, 1., .5]\n"
                                "  t: [true, no, 'true', \"12\", null, ~, '']\n"
                                "  deep: &d {a: {b: [x]}, 'q\"\\': \"l\\nf\"}\n"
                                "  again: *d\n"
                                "  none: {}\n",
                                NULL, 0),
                     0);
    assert_int_equal(problems.count, 0);
    assert_string_equal(config->env,
                        "{\"URL\":\"http://127.0.0.1:3000\","
                        "\"n\":[1,-2,31,1.50,2e3,\"9007199254740993\",\"007\",\"1.\",\".5\"],"
                        "\"t\":[true,false,\"true\",\"12\",null,null,\"\"],"
                        "\"deep\":{\"a\":{\"b\":[\"x\"]},\"q\\\"\\\\\":\"l\\u000af\"},"
                        "\"again\":{\"a\":{\"b\":[\"x\"]},\"q\\\"\\\\\":\"l\\u000af\"},"
                        "\"none\":{}}");
    assert_int_equal(parse_with("workers: 1", NULL, 0), 0);
    assert_string_equal(config->env, "{}");
}

static void values_that_have_no_effect_are_warned_of_one_by_one(void **state)
{
    assert_int_equal(parse_with("native: [a]\nremote: {ttl: 2h}\n", NULL, 0), 0);
    assert_int_equal(problems.count, 2);
    assert_non_null(strstr(problems.text[0], "`native"));
    accept("render: {isolation: context, stall: 0}\nbundle: {format: module}\ncompression: "
           "{encodings: [br, gzip]}\n"
           "cache: {key: {headers: [accept-language], cookies: [theme]}}\n");
}

static void routes_are_complete_and_override_what_they_give(void **state)
{
    const struct config_policy *blog;

    accept("cache:\n"
           "  ttl: 10m\n"
           "  key: {query: [a], headers: [X-B, accept-language, x-b]}\n"
           "headers: {X-One: 1, x-two: 2}\n"
           "routes:\n"
           "  - match: /blog/*\n"
           "    cache: {ttl: 60s, key: {query: [page, b], cookies: [theme]}, status: {410: 1m}}\n"
           "    render: {timeout: 250ms}\n"
           "    headers: {X-Two: b, x-three: 3}\n"
           "  - match: /account\n"
           "    cache: {ttl: 0, key: {query: none}}\n");
    blog = config_policy_for(config, "/blog/x", 7);
    assert_ptr_equal(blog, &config->routes.item[0].policy);
    assert_int_equal(blog->ttl_ms, 60000);
    assert_int_equal(blog->timeout_ms, 250);
    assert_int_equal(blog->key.query, QUERY_NAMED);
    assert_int_equal(blog->key.query_names.count, 2);
    assert_string_equal(blog->key.query_names.item[0], "b"); /* sorted */
    assert_int_equal(blog->key.headers.count, 2);
    assert_string_equal(blog->key.headers.item[0], "accept-language");
    assert_string_equal(blog->key.headers.item[1], "x-b");
    assert_string_equal(blog->key.cookies.item[0], "theme");
    assert_string_equal(blog->bypass_headers.item[0], "authorization");
    assert_int_equal(blog->status.count, 2);
    assert_int_equal(blog->status.item[0].status, 404);
    assert_int_equal(blog->status.item[1].ttl_ms, 60000);
    assert_int_equal(blog->headers.count, 3);
    assert_string_equal(blog->headers.item[0].name, "x-one");
    assert_string_equal(blog->headers.item[1].value, "b");
    assert_string_equal(blog->headers.item[2].name, "x-three");
    assert_int_equal(config_policy_for(config, "/account", 8)->ttl_ms, 0);
    assert_int_equal(config_policy_for(config, "/account", 8)->key.query, QUERY_NONE);
    assert_int_equal(config_policy_for(config, "/account", 8)->key.query_names.count, 0);
    assert_int_equal(config->policy.ttl_ms, 600000);
    assert_int_equal(config->policy.headers.count, 2);
}

static void the_first_route_that_matches_wins(void **state)
{
    accept("routes:\n  - match: /a/b\n  - match: /a/*\n  - match: /*\n    cache: {ttl: 1}\n");
    assert_ptr_equal(config_policy_for(config, "/a/b", 4), &config->routes.item[0].policy);
    assert_ptr_equal(config_policy_for(config, "/a/bc", 5), &config->routes.item[1].policy);
    assert_ptr_equal(config_policy_for(config, "/a/", 3), &config->routes.item[1].policy);
    assert_ptr_equal(config_policy_for(config, "/a", 2), &config->routes.item[2].policy);
    assert_ptr_equal(config_policy_for(config, "/c/../%61/b", 11), &config->routes.item[0].policy);
    accept("routes:\n  - match: /caf%c3%a9/*\n  - match: /%40x/.*\n");
    assert_ptr_equal(config_policy_for(config, "/caf%C3%A9/y", 12), &config->routes.item[0].policy);
    assert_ptr_equal(config_policy_for(config, "/@x/.y", 6), &config->routes.item[1].policy);
    assert_ptr_equal(config_policy_for(config, "*", 1), &config->policy);
    assert_ptr_equal(config_policy_for(config, "", 0), &config->policy);
}

static void a_route_behind_one_that_takes_its_paths_is_warned_of(void **state)
{
    assert_int_equal(parse_with("routes:\n  - match: /a/*\n  - match: /a/b\n", NULL, 0), 0);
    assert_int_equal(problems.count, 1);
    assert_string_equal(problems.text[0], "t.yaml:3:5: warning: `routes[1]` has no effect: `/a/*` "
                                          "stands before it and takes all its paths");
}

static void scalars_stand_for_lists_of_one_and_nothing_for_the_default(void **state)
{
    accept("listen: unix:/tmp/x\nbundle: {warmup: /a}\ncache:\nhttp: {keepalive: }\nworkers: "
           "~\nuser: \"\"\n"
           "admin: {listen: off}\n");
    assert_int_equal(config->listen.count, 1);
    assert_string_equal(config->listen.item[0], "unix:/tmp/x");
    assert_string_equal(config->bundle.warmup.item[0], "/a");
    assert_int_equal(config->http.keepalive_ms, 65000);
    assert_int_equal(config->workers, 0);
    assert_string_equal(config->user, "");
    assert_true(config->user_given);
    assert_string_equal(config->admin.listen, "");
}

static void the_environment_is_read(void **state)
{
    assert_int_equal(setenv("SSRD_TEST_TTL", "7s", 1), 0);
    assert_int_equal(unsetenv("SSRD_TEST_NONE"), 0);
    accept("cache: {ttl: \"${SSRD_TEST_TTL}\", hot: \"${SSRD_TEST_NONE:-1MiB}\"}\n");
    assert_int_equal(config->policy.ttl_ms, 7000);
    assert_int_equal(config->cache.hot_bytes, MIB);
    refuse_start("user: ${SSRD_TEST_NONE}", "t.yaml:1:7: the environment has no SSRD_TEST_NONE; ");
    refuse_start("user: ${SSRD_TEST_NONE", "t.yaml:1:7: `${SSRD_TEST_NONE`: wanted ${NAME}");
}

static void a_smaller_cold_cache_lowers_max_object_that_nobody_gave(void **state)
{
    accept("cache: {cold: 2MiB}");
    assert_int_equal(config->cache.max_object_bytes, 2 * MIB);
}

static void overrides_replace_values_of_the_file(void **state)
{
    override("cache.ttl=5s", 0);
    assert_int_equal(config->policy.ttl_ms, 5000);
    override("listen=127.0.0.1:0", 0);
    assert_string_equal(config->listen.item[0], "127.0.0.1:0");
    override("listen=[::1]:80", 0);
    assert_string_equal(config->listen.item[0], "[::1]:80");
    override("listen=[a:1, b:2]", 0);
    assert_int_equal(config->listen.count, 2);
    override("bundle.warmup=[/,/about]", 0);
    assert_int_equal(config->bundle.warmup.count, 2);
    override("bundle.path=a #1: [x].js", 0);
    assert_string_equal(config->bundle.path, "a #1: [x].js");
    override("bundle.path=\"q.js\"", 0);
    assert_string_equal(config->bundle.path, "q.js");
    override("headers={x-a: b}", 0);
    assert_string_equal(config->policy.headers.item[0].name, "x-a");
    override("headers.x-a=b", 0);
    assert_int_equal(config->policy.headers.count, 1);
    override("cache={hot: 1MiB}", 0);
    assert_int_equal(config->cache.hot_bytes, MIB);
    assert_int_equal(config->policy.ttl_ms, 3600000); /* a section is laid over */
    override("cache.ttl=", 0);
    assert_true(config->policy.ttl_ms == CONFIG_TTL_AUTO);
    override("routes=[{match: /x}]", 0);
    assert_int_equal(config->routes.item[0].policy.ttl_ms, 3600000);
}

static void static_folders_are_read_and_judged(void **state)
{
    accept("static:\n"
           "  - {prefix: /assets/, root: dist/client, max_age: 1y, immutable: true}\n"
           "  - {prefix: /, root: public}\n"
           "  - {prefix: /docs/, root: docs, index: start.html}\n");
    assert_int_equal(config->statics.count, 3);
    assert_string_equal(config->statics.item[0].prefix, "/assets/");
    assert_string_equal(config->statics.item[0].root, "dist/client");
    assert_true(config->statics.item[0].max_age_ms == 365ULL * 24 * 3600 * 1000);
    assert_true(config->statics.item[0].is_immutable);
    assert_string_equal(config->statics.item[0].index, "index.html");
    assert_false(config->statics.item[1].is_immutable);
    assert_int_equal(config->statics.item[1].max_age_ms, 0);
    assert_string_equal(config->statics.item[1].index, ""); /* the bundle renders / */
    assert_string_equal(config->statics.item[2].index, "start.html");
    refuse_start("static: x\n", "t.yaml:1:9: ");
    refuse_start("static:\n  - x\n", "t.yaml:2:5: ");
    refuse_start("static:\n  - {prefix: /a/}\n", "t.yaml:2:5: `static[0]`: `root` is missing");
    refuse_start("static:\n  - {prefix: /a/, rot: x, root: y}\n",
                 "t.yaml:2:19: unknown key `static[0].rot`; did you mean `root`?");
    refuse_start("static:\n  - {prefix: a/, root: y}\n", "t.yaml:2:14: ");
    refuse_start("static:\n  - {prefix: /a, root: y}\n", "t.yaml:2:14: ");
    refuse_start("static:\n  - {prefix: /a/, root: y, index: b/c}\n", "t.yaml:2:35: ");
    refuse_start("static:\n  - {prefix: /a/, root: y, max_age: soon}\n", "t.yaml:2:37: ");
    override("static=[{prefix: /x/, root: r}]", 0);
    assert_int_equal(config->statics.count, 1);
}

static void routes_build_on_overrides(void **state)
{
    const char *text = "cache.ttl=5s";

    assert_int_equal(parse_with("routes: [{match: /x}]", &text, 1), 0);
    assert_int_equal(config->routes.item[0].policy.ttl_ms, 5000);
}

/* Hold every option of a config against its default; but_for: a key that may differ. */
static void check_defaults(const char *but_for)
{
    for (size_t i = 0; i < config_option_count; i++) {
        const struct config_option *option = &config_options[i];
        const void *field = config_option_field(option, config);
        union config_value initial = {0};
        union config_value value = {0};

        assert_int_equal(config_option_read_default(option, &initial), 0);
        if (field && strcmp(option->key, but_for) != 0) {
            assert_int_equal(config_option_copy(option, field, &value), 0);
            if (!config_option_equal(option, &value, &initial))
                fail_msg("%s is not at its default", option->key);
            config_option_value_done(option, &value);
        }
        config_option_value_done(option, &initial);
    }
}

static void every_default_of_the_table_can_be_read(void **state)
{
    accept("");
    check_defaults("");
}

/* A file of the sources, NUL-terminated; skips the test where these are not known. */
static char *read_source(const char *path)
{
    const char *root = getenv("SSRD_SOURCE");
    char *text = calloc(1, 65536);
    char name[4096];
    FILE *file;

    if (!root) {
        free(text);
        skip();
    }
    assert_non_null(text);
    (void)snprintf(name, sizeof name, "%s/%s", root ? root : "", path);
    file = fopen(name, "r");
    assert_non_null(file);
    assert_true(fread(text, 1, 65535, file) > 0);
    (void)fclose(file);
    return text;
}

static void the_sample_file_shows_the_defaults_of_all_options(void **state)
{
    char *text = read_source("etc/ssrd.yaml");

    accept(text);
    check_defaults("bundle.path");
    /* "#key" and "#  key" are options in waiting, "# Text" is prose. */
    for (char *line = text; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (line[0] == '#' &&
            ((line[1] >= 'a' && line[1] <= 'z') || strncmp(line + 1, "  ", 2) == 0))
            memmove(line, line + 1, strlen(line));
    }
    memset(strstr(text, "routes: []") + 8, ' ', 2); /* the routes below it are examples */
    *strstr(text, "  - match:") = '\0';
    accept(text);
    check_defaults("bundle.path");
    for (size_t i = 0; i < config_option_count; i++) {
        const char *dot = strrchr(config_options[i].key, '.');
        char key[128];

        (void)snprintf(key, sizeof key, "%s:", dot ? dot + 1 : config_options[i].key);
        if (!strstr(text, key))
            fail_msg("the sample lacks %s", config_options[i].key);
    }
    free(text);
}

static void the_man_page_has_all_options(void **state)
{
    char *text = read_source("etc/man/ssrd.yaml.5");

    for (size_t i = 0; i < config_option_count; i++) {
        char key[128];

        (void)snprintf(key, sizeof key, "\n.BR %s \" (%s, default ", config_options[i].key,
                       config_option_type_name(&config_options[i]));
        if (!strstr(text, key))
            fail_msg("the man page lacks %s", config_options[i].key);
    }
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_file_means_defaults),
        cmocka_unit_test(the_whole_config_loads_and_what_has_no_effect_yet_is_named),
        cmocka_unit_test(env_takes_any_yaml_and_keeps_its_types),
        cmocka_unit_test(values_that_have_no_effect_are_warned_of_one_by_one),
        cmocka_unit_test(routes_are_complete_and_override_what_they_give),
        cmocka_unit_test(the_first_route_that_matches_wins),
        cmocka_unit_test(a_route_behind_one_that_takes_its_paths_is_warned_of),
        cmocka_unit_test(scalars_stand_for_lists_of_one_and_nothing_for_the_default),
        cmocka_unit_test(the_environment_is_read),
        cmocka_unit_test(a_smaller_cold_cache_lowers_max_object_that_nobody_gave),
        cmocka_unit_test(overrides_replace_values_of_the_file),
        cmocka_unit_test(static_folders_are_read_and_judged),
        cmocka_unit_test(routes_build_on_overrides),
        cmocka_unit_test(every_default_of_the_table_can_be_read),
        cmocka_unit_test(the_sample_file_shows_the_defaults_of_all_options),
        cmocka_unit_test(the_man_page_has_all_options),
    };

    return cmocka_run_group_tests(tests, NULL, teardown);
}
