/* SPDX-License-Identifier: MIT */
/* test_control_parse.c - lines of the control socket: what is a command and what is refused. */
#include "master/control_parse.h"

#include <errno.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static int parse(const char *line, struct control_request *ret_request)
{
    const char *why = NULL;
    int rc = control_parse(line, strlen(line), ret_request, &why);

    if (rc != 0)
        assert_non_null(why);
    return rc;
}

static void assert_refused(const char *line)
{
    struct control_request request = {.verb = CONTROL_WHERE, .prefix = "untouched"};

    if (parse(line, &request) != -EINVAL)
        fail_msg("accepted: %s", line);
    assert_string_equal(request.prefix, "untouched");
}

static void each_command_is_known(void **state)
{
    static const struct {
        const char *line;
        enum control_verb verb;
    } known[] = {
        {"{\"command\":\"status\"}", CONTROL_STATUS},
        {"{\"command\":\"reload\"}", CONTROL_RELOAD},
        {"{\"command\":\"stop\"}\r", CONTROL_STOP},
        {" {\"command\" : \"drain\"} ", CONTROL_DRAIN},
        {"{\"command\":\"purge\",\"all\":true}", CONTROL_PURGE},
        {"{\"command\":\"cache-stat\"}", CONTROL_CACHE_STAT},
        {"{\"command\":\"cache-ls\"}", CONTROL_CACHE_LS},
        {"{\"command\":\"cache-get\",\"url\":\"/\"}", CONTROL_CACHE_GET},
        {"{\"command\":\"log\",\"level\":\"debug\"}", CONTROL_LOG},
        {"{\"command\":\"where\"}", CONTROL_WHERE},
    };
    struct control_request request;

    (void)state;
    for (size_t i = 0; i < array_len(known); i++) {
        assert_int_equal(parse(known[i].line, &request), 0);
        assert_int_equal(request.verb, known[i].verb);
        control_request_done(&request);
    }
}

static void what_is_no_command_is_refused(void **state)
{
    (void)state;
    assert_refused("");
    assert_refused("reload");
    assert_refused("null");
    assert_refused("[]");
    assert_refused("\"reload\"");
    assert_refused("{}");
    assert_refused("{\"command\":1}");
    assert_refused("{\"command\":\"\"}");
    assert_refused("{\"command\":\"reloa\"}");
    assert_refused("{\"command\":\"reload\"");
    assert_refused("{\"command\":\"reload\"} {\"command\":\"stop\"}");
    assert_refused("{\"command\":\"reload\",\"command\":\"stop\"}");
    assert_refused("{\"command\":\"reload\\u0000\"}");
    assert_refused("{\"command\":\"\xff\"}");
}

static void a_misspelt_field_is_refused(void **state)
{
    (void)state;
    assert_refused("{\"command\":\"purge\",\"all\":true,\"prefixs\":[\"/a\"]}");
    assert_refused("{\"command\":\"purge\",\"all\":true,\"urls prefixes\":[]}");
    assert_refused("{\"command\":\"purge\",\"all\":true,\"\":[]}");
    assert_refused("{\"command\":\"reload\",\"now\":true}");
}

static void purge_takes_lists_of_strings(void **state)
{
    struct control_request request;

    (void)state;
    assert_int_equal(parse("{\"command\":\"purge\",\"urls\":[\"/a\",\"/b\"],\"prefixes\":[],"
                           "\"tags\":[\"t\"],\"all\":false}",
                           &request),
                     0);
    assert_int_equal(json_array_size(request.urls), 2);
    assert_int_equal(json_array_size(request.prefixes), 0);
    assert_int_equal(json_array_size(request.tags), 1);
    assert_false(request.all);
    control_request_done(&request);
}

static void purge_of_nothing_is_refused(void **state)
{
    (void)state;
    assert_refused("{\"command\":\"purge\"}");
    assert_refused("{\"command\":\"purge\",\"urls\":[],\"all\":false}");
}

static void purge_with_wrong_types_is_refused(void **state)
{
    (void)state;
    assert_refused("{\"command\":\"purge\",\"urls\":\"/a\"}");
    assert_refused("{\"command\":\"purge\",\"urls\":[1]}");
    assert_refused("{\"command\":\"purge\",\"urls\":[\"\"]}");
    assert_refused("{\"command\":\"purge\",\"tags\":{},\"all\":true}");
    assert_refused("{\"command\":\"purge\",\"all\":1}");
    assert_refused("{\"command\":\"purge\",\"all\":\"true\"}");
}

static void fields_with_wrong_types_are_refused(void **state)
{
    (void)state;
    assert_refused("{\"command\":\"log\"}");
    assert_refused("{\"command\":\"log\",\"level\":3}");
    assert_refused("{\"command\":\"cache-get\"}");
    assert_refused("{\"command\":\"cache-get\",\"url\":[]}");
    assert_refused("{\"command\":\"cache-ls\",\"prefix\":null}");
}

static void a_line_over_the_limit_is_refused(void **state)
{
    size_t bytes = CONTROL_LINE_BYTES_MAX + 1;
    autofree char *line = malloc(bytes);
    struct control_request request;
    const char *why = NULL;
    static const char command[] = "{\"command\":\"status\"}";

    (void)state;
    assert_non_null(line);
    memset(line, ' ', bytes);
    memcpy(line, command, sizeof command - 1);
    assert_int_equal(control_parse(line, bytes, &request, &why), -EINVAL);
    assert_int_equal(control_parse(line, bytes - 1, &request, &why), 0);
    control_request_done(&request);
}

static void deep_nesting_is_refused_not_followed(void **state)
{
    size_t bytes = CONTROL_LINE_BYTES_MAX;
    autofree char *line = malloc(bytes);
    struct control_request request;
    const char *why = NULL;

    (void)state;
    assert_non_null(line);
    memset(line, '[', bytes);
    assert_int_equal(control_parse(line, bytes, &request, &why), -EINVAL);
}

static void assert_path(const char *url, const char *want)
{
    struct span path = {NULL, 0};
    int rc = control_url_path(url, &path);

    if (want == NULL) {
        if (rc != -EINVAL)
            fail_msg("accepted: %s", url);
        return;
    }
    assert_int_equal(rc, 0);
    assert_int_equal(path.bytes, strlen(want));
    assert_memory_equal(path.data, want, path.bytes);
}

static void a_url_loses_scheme_host_and_fragment(void **state)
{
    (void)state;
    assert_path("/", "/");
    assert_path("/a?b=c#d", "/a?b=c");
    assert_path("http://example.org/a?b", "/a?b");
    assert_path("HTTPS://example.org:8443/a", "/a");
    assert_path("http://example.org", "/");
    assert_path("http://example.org#x", "/");
    assert_path("//host/a", "//host/a"); /* a path as requests have it */
}

static void what_is_no_url_is_refused(void **state)
{
    (void)state;
    assert_path("", NULL);
    assert_path("a", NULL);
    assert_path("?q", NULL);
    assert_path("#", NULL);
    assert_path("http://", NULL);
    assert_path("http:///a", NULL);
    assert_path("http://host?q", NULL);
    assert_path("ftp://host/a", NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_command_is_known),
        cmocka_unit_test(what_is_no_command_is_refused),
        cmocka_unit_test(a_misspelt_field_is_refused),
        cmocka_unit_test(purge_takes_lists_of_strings),
        cmocka_unit_test(purge_of_nothing_is_refused),
        cmocka_unit_test(purge_with_wrong_types_is_refused),
        cmocka_unit_test(fields_with_wrong_types_are_refused),
        cmocka_unit_test(a_line_over_the_limit_is_refused),
        cmocka_unit_test(deep_nesting_is_refused_not_followed),
        cmocka_unit_test(a_url_loses_scheme_host_and_fragment),
        cmocka_unit_test(what_is_no_url_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
