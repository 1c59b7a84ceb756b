/* SPDX-License-Identifier: MIT */
/*
 * test_config_problem.c - what is refused, where, and in which words. What is accepted:
 * test_config.c.
 */
#include "master/config_load.h"
#include "shm/base.h"

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

/* A text with this one problem. */
static void refuse(const char *text, const char *wanted)
{
    assert_int_equal(parse_with(text, NULL, 0), -EINVAL);
    assert_null(config);
    assert_int_equal(problems.errors, 1);
    assert_string_equal(problems.text[0], wanted);
}

/* The same, by the beginning of its first line alone. */
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

static void wrong_routes_are_refused(void **state)
{
    refuse_start("routes: {match: /}",
                 "t.yaml:1:9: `routes`: wanted a list of routes; found a map");
    refuse_start("routes: [/a]", "t.yaml:1:10: `routes[0]`: wanted a map with `match`; found `/a`");
    refuse_start("routes: [{cache: {ttl: 1}}]", "t.yaml:1:10: `routes[0]`: `match` is missing");
    refuse_start("routes: [{match: a}]", "t.yaml:1:18: `routes[0].match`: wanted a path");
    refuse_start("routes: [{match: /a*b}]", "t.yaml:1:18: `routes[0].match`: wanted a path");
    refuse_start("routes: [{match: /a, cache: {hot: 1MiB}}]",
                 "t.yaml:1:30: `routes[0].cache.hot`: a route can't change this");
    refuse_start("routes: [{match: /a, workers: 1}]",
                 "t.yaml:1:22: `routes[0].workers`: a route can't");
    refuse_start("routes: [{match: /a, cache: {tll: 1}}]",
                 "t.yaml:1:30: unknown key `routes[0].cache.tll`; did you mean `ttl`?");
    refuse_start("routes: [{match: /a, match: /b}]",
                 "t.yaml:1:22: duplicate key `routes[0].match`");
}

static void unknown_keys_are_named_with_the_nearest_known_one(void **state)
{
    refuse("cache:\n  tll: 5s\n", "t.yaml:2:3: unknown key `cache.tll`; did you mean `ttl`?\n"
                                  "      tll: 5s\n      ^");
    refuse_start("worker: 1", "t.yaml:1:1: unknown key `worker`; did you mean `workers`?");
    refuse_start("ttl: 1", "t.yaml:1:1: unknown key `ttl`; did you mean `cache.ttl`?");
    refuse_start("cache: {key: {headrs: []}}",
                 "t.yaml:1:15: unknown key `cache.key.headrs`; did you mean "
                 "`headers`?");
    refuse_start("frobnicate: 1", "t.yaml:1:1: unknown key `frobnicate`\n");
    refuse_start("\"cache.ttl\": 1\n\"\": 1\n\"a\\nb\": 1", "t.yaml:2:1: unknown key ``");
}

static void wrong_values_say_what_was_found_and_what_is_wanted(void **state)
{
    static const char *const cases[][2] = {
        {"workers: x", "t.yaml:1:10: `workers`: wanted a whole number, or auto; found `x`"},
        {"workers: 0", "t.yaml:1:10: `workers`: `0` is out of range; wanted 1 to 512"},
        {"workers: 99999999999999999999",
         "t.yaml:1:10: `workers`: `99999999999999999999` is out of"},
        {"workers: [1]", "t.yaml:1:10: `workers`: wanted a whole number, or auto; found a list"},
        {"pin: 1", "t.yaml:1:6: `pin`: wanted true or false; found `1`"},
        {"start: hot", "t.yaml:1:8: `start`: wanted one of warm|cold; found `hot`"},
        {"start: [warm]", "t.yaml:1:8: `start`: wanted one of warm|cold; found a list"},
        {"cache: 5",
         "t.yaml:1:8: `cache`: wanted a map of options, such as `cache: {hot: …}`; found `5`"},
        {"bundle: dist/server.js", "t.yaml:1:9: `bundle`: wanted a map of options, such as "
                                   "`bundle: {path: …}`; found `dist/server.js`"},
        {"cache: {ttl: 5x}",
         "t.yaml:1:14: `cache.ttl`: wanted a duration, such as 5s, 10m or 1h, or auto; "
         "found `5x`"},
        {"render: {timeout: 0.1ms}", "t.yaml:1:19: `render.timeout`: wanted a duration"},
        {"render: {timeout: 2h}",
         "t.yaml:1:19: `render.timeout`: `2h` is out of range; wanted 1ms to 1h"},
        {"render: {timeout: auto}", "t.yaml:1:19: `render.timeout`: wanted a duration"},
        {"cache: {cold: 1KiB}",
         "t.yaml:1:15: `cache.cold`: `1KiB` is out of range; wanted 1MiB to 256GiB"},
        {"cache: {cold: 257GiB}", "t.yaml:1:15: `cache.cold`: `257GiB` is out of range"},
        {"cache: {refresh_ahead: 0.6}",
         "t.yaml:1:24: `cache.refresh_ahead`: `0.6` is out of range; wanted 0 to 0.5"},
        {"bundle: {path: [a]}", "t.yaml:1:16: `bundle.path`: wanted text; found a list"},
        {"bundle: {warmup: [a]}", "t.yaml:1:19: `bundle.warmup[0]`: `a`: wanted a path and query"},
        {"bundle: {warmup: {a: b}}",
         "t.yaml:1:18: `bundle.warmup`: wanted a list of texts; found a map"},
        {"listen: 8080", "t.yaml:1:9: `listen`: `8080`: the host is missing: write 127.0.0.1:8080"},
        {"listen: []", "t.yaml:1:9: `listen`: wanted 1 to 64 items; found 0"},
        {"listen: [a:1, a:1]", "t.yaml:1:15: `listen[1]`: `a:1` stands there twice"},
        {"admin: {listen: x}", "t.yaml:1:17: `admin.listen`: the port is missing"},
        {"cache: {key: {query: [a=b]}}", "t.yaml:1:23: `cache.key.query[0]`: `a=b`: not the name"},
        {"cache: {key: {query: some}}",
         "t.yaml:1:22: `cache.key.query`: wanted all, none, or a list"},
        {"cache: {key: {headers: [a b]}}",
         "t.yaml:1:25: `cache.key.headers[0]`: `a b`: not the name"},
        {"http: {limit: {requests: 50}}",
         "t.yaml:1:26: `http.limit.requests`: wanted a number and a period"},
        {"http: {limit: {requests: 0/s}}",
         "t.yaml:1:26: `http.limit.requests`: wanted a number and a period"},
        {"http: {trusted: [10.0.0.0/33]}",
         "t.yaml:1:18: `http.trusted[0]`: `10.0.0.0/33`: wanted an address"},
        {"cache: {status: {600: 1s}}",
         "t.yaml:1:18: `cache.status.600`: wanted a status from 200 to 599"},
        {"cache: {status: {404: x}}", "t.yaml:1:23: `cache.status.404`: wanted a duration"},
        {"cache: {status: 404}", "t.yaml:1:17: `cache.status`: wanted a map"},
        {"headers: {content-length: 1}", "t.yaml:1:11: `headers.content-length`: the server sets"},
        {"headers: {a b: 1}", "t.yaml:1:11: `headers.a b`: not the name of a header"},
        {"headers: {a: \"x\\r\\ny\"}", "t.yaml:1:11: `headers.a`: the value holds characters"},
        {"headers: {a: 1, A: 2}", "t.yaml:1:17: `headers.A`: the same header twice"},
        {"headers: {a: [1]}", "t.yaml:1:14: `headers.a`: wanted text; found a list"},
        {"compression: {encodings: [deflate]}",
         "t.yaml:1:27: `compression.encodings[0]`: `deflate`: wanted one of"},
        {"static: {a: b}", "t.yaml:1:9: `static`: wanted a list of maps; found a map"},
        {"env: [a]", "t.yaml:1:6: `env`: wanted a map; found a list"},
        {"cache: {max_object: 8MiB, cold: 4MiB}",
         "t.yaml: `cache.max_object` is larger than `cache.cold`"},
    };

    for (size_t i = 0; i < array_len(cases); i++)
        refuse_start(cases[i][0], cases[i][1]);
}

static void bad_yaml_is_refused_where_it_is_bad(void **state)
{
    refuse(
        "a: [1, 2\nb: 3\n",
        "t.yaml:2:2: did not find expected ',' or ']', while parsing a flow sequence that begins "
        "at 1:4\n    b: 3\n     ^");
    refuse_start("cache:\n\tttl: 1\n", "t.yaml:2:1: found character that cannot start any token");
    assert_non_null(strstr(problems.text[0], "indent with spaces, not tabs"));
    refuse_start("listen: [[::]:8080]", "t.yaml:1:10: a key must be plain text");
    assert_non_null(strstr(problems.text[0], "an IPv6 address needs quotes"));
    refuse_start("listen: [::]:8080", "t.yaml:1:");
    refuse_start("- a\n",
                 "t.yaml:1:1: wanted a map of options, such as `workers: 2`; found a list");
    refuse_start("abc", "t.yaml:1:1: wanted a map of options, such as `workers: 2`; found `abc`");
    refuse_start("workers: 1\n---\nworkers: 2\n", "t.yaml:2:1: a second document");
    refuse_start("workers: 1\nü: \xff\n", "t.yaml:2:4: not readable as text");
    refuse_start("user: \"a\\0b\"", "t.yaml:1:7: a NUL character");
    refuse_start("? [a]\n: b\n", "t.yaml:1:3: a key must be plain text");
    refuse_start("user: *a", "t.yaml:1:7: an alias for an anchor that is not there");
    refuse_start("env: &a {b: *a}", "t.yaml:1:13: an alias within what it stands for");
}

static void duplicate_keys_are_refused_at_the_second(void **state)
{
    refuse("cache:\n  ttl: 1s\n  ttl: 2s\n",
           "t.yaml:3:3: duplicate key `cache.ttl`, first on line 2\n"
           "      ttl: 2s\n      ^");
    assert_int_equal(parse_with("env: {a: {b: 1, b: 2}}", NULL, 0),
                     -EINVAL); /* below a key not looked into */
    assert_int_equal(problems.count, 1);
    assert_int_equal(
        strncmp(problems.text[0], "t.yaml:1:17: duplicate key `env.a.b`, first on line 1", 53), 0);
}

static void all_problems_are_told_in_the_order_of_the_file(void **state)
{
    assert_int_equal(parse_with("routes: [{match: x}]\nworkers: x\nfoo: 1\npin: 7\n", NULL, 0),
                     -EINVAL);
    assert_int_equal(problems.errors, 4);
    for (size_t i = 0; i < problems.count; i++) {
        char wanted[32];

        (void)snprintf(wanted, sizeof wanted, "t.yaml:%zu:", i + 1);
        assert_int_equal(strncmp(problems.text[i], wanted, strlen(wanted)), 0);
    }
}

static void aliases_work_and_bombs_do_not(void **state)
{
    char bomb[2048];
    size_t used;

    assert_int_equal(parse_with("cache: &c {ttl: 5s}\nroutes: [{match: /a, cache: *c}]\n", NULL, 0),
                     0);
    assert_int_equal(config->routes.item[0].policy.ttl_ms, 5000);

    used = (size_t)snprintf(bomb, sizeof bomb, "env:\n  a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for (int i = 1; i < 9; i++)
        used += (size_t)snprintf(
            bomb + used, sizeof bomb - used,
            "  a%d: &a%d [*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d]\n", i, i, i - 1, i - 1,
            i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1);
    assert_int_equal(parse_with(bomb, NULL, 0), -EINVAL);
    assert_non_null(strstr(problems.text[0], "too large: more than 10000 values"));

    memset(bomb, '[', 1000);
    memset(bomb + 1000, ']', 1000);
    bomb[2000] = '\0';
    assert_int_equal(parse_with(bomb, NULL, 0), -EINVAL);
    assert_non_null(strstr(problems.text[0], "too deep: more than 32 levels"));
}

static void problems_without_end_are_cut(void **state)
{
    char text[8192];
    size_t used = 0;

    for (int i = 0; i < 500; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "zz%d: 1\n", i);
    assert_int_equal(parse_with(text, NULL, 0), -EINVAL);
    assert_int_equal(problems.errors, 500);
    assert_int_equal(problems.count, 101);
    assert_string_equal(problems.text[100], "… and 400 more");
}

static void problems_of_overrides_name_them(void **state)
{
    static const char *const cases[][2] = {
        {"cache.ttl=x",
         "-o cache.ttl: `cache.ttl`: wanted a duration, such as 5s, 10m or 1h, or auto; found `x`"},
        {"cache.tll=1", "-o cache.tll: unknown key `cache.tll`; did you mean `ttl`?"},
        {"cache.ttl", "-o cache.ttl: wanted key=value, such as cache.ttl=5s"},
        {"=1", "-o : wanted key=value, such as cache.ttl=5s"},
        {"a..b.c.d.e.f.g.h.i.j=1",
         "-o a..b.c.d.e.f.g.h.i.j: wanted key=value, such as cache.ttl=5s"},
        {"cache..ttl=1", "-o cache..ttl: unknown key `cache.`"},
        {"headers={a: b", "-o headers: did not find expected ',' or '}', while parsing a flow "
                          "mapping that begins at 1:1"},
        {"listen=8080",
         "-o listen: `listen`: `8080`: the host is missing: write 127.0.0.1:8080 for this machine "
         "alone, 0.0.0.0:8080 for all its addresses"},
        {"bundle.path=${SSRD_TEST_NONE}", "-o bundle.path: the environment has no SSRD_TEST_NONE"},
    };

    assert_int_equal(unsetenv("SSRD_TEST_NONE"), 0);
    for (size_t i = 0; i < array_len(cases); i++) {
        override(cases[i][0], -EINVAL);
        assert_int_equal(problems.count, 1);
        assert_string_equal(problems.text[0], cases[i][1]);
    }
}

static void a_file_that_cannot_be_read_is_an_error_with_its_name(void **state)
{
    (void)teardown(NULL);
    assert_int_equal(config_load("/nonexistent/x.yaml", NULL, 0, &config, &problems), -ENOENT);
    assert_string_equal(problems.text[0],
                        "/nonexistent/x.yaml: can't be read: No such file or directory");
    config_problems_done(&problems);
    assert_int_equal(config_load("/", NULL, 0, &config, &problems), -EISDIR);
    config_problems_done(&problems);
    assert_int_equal(config_load("/dev/zero", NULL, 0, &config, &problems), -EINVAL);
    assert_string_equal(problems.text[0], "/dev/zero: too large: more than 1048576 bytes");
    config_problems_done(&problems);
    assert_int_equal(config_load(NULL, NULL, 0, &config, &problems), 0);
    assert_string_equal(config->file, "");
}

static void long_and_odd_lines_are_shown_through_a_window(void **state)
{
    char text[1200];

    memset(text, 'x', sizeof text);
    memcpy(text, "env: {a: \"ü\x09", 12);
    strcpy(text + 1100, "\", zzz}");
    text[1] = 'm'; /* emv */
    assert_int_equal(parse_with(text, NULL, 0), -EINVAL);
    for (size_t i = 0; i < problems.count; i++)
        assert_true(strlen(problems.text[i]) < 500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wrong_routes_are_refused),
        cmocka_unit_test(unknown_keys_are_named_with_the_nearest_known_one),
        cmocka_unit_test(wrong_values_say_what_was_found_and_what_is_wanted),
        cmocka_unit_test(bad_yaml_is_refused_where_it_is_bad),
        cmocka_unit_test(duplicate_keys_are_refused_at_the_second),
        cmocka_unit_test(all_problems_are_told_in_the_order_of_the_file),
        cmocka_unit_test(aliases_work_and_bombs_do_not),
        cmocka_unit_test(problems_without_end_are_cut),
        cmocka_unit_test(problems_of_overrides_name_them),
        cmocka_unit_test(a_file_that_cannot_be_read_is_an_error_with_its_name),
        cmocka_unit_test(long_and_odd_lines_are_shown_through_a_window),
    };

    return cmocka_run_group_tests(tests, NULL, teardown);
}
