/* SPDX-License-Identifier: MIT */
/* test_key.c - which requests share a page. */
#include "worker/key.h"

#include "shm/page.h"
#include "tests/unit/http_sample.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <stdio.h>

static char *header_names[] = {(char[]){"x-lang"}};
static char *cookie_names[] = {(char[]){"theme"}};
static char *bypass_names[] = {(char[]){"authorization"}};
static const struct config_key plain = {.query = QUERY_ALL};
static const struct config_key named = {
    .query = QUERY_ALL, .headers = {header_names, 1}, .cookies = {cookie_names, 1}};

/* Returns a literal buffer, overwritten at the next call but one. */
static const char *key_of(const struct config_key *policy, const char *target, const char *fields)
{
    static char buffer[2][PAGE_KEY_BYTES_MAX + 1];
    static char text[2000];
    static int turn;
    struct http_parse parse;
    struct key key;
    char *buf = buffer[turn++ & 1];

    (void)snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: Ex.Org\r\n%s\r\n", target, fields);
    assert_int_equal(sample_parse(text, &parse), HTTP_WHOLE);
    assert_int_equal(
        key_build(policy, &parse, (struct span){NULL, 0}, buf, PAGE_KEY_BYTES_MAX, &key), 0);
    buf[key.bytes] = 0;
    assert_int_equal(key.hash, key_hash(buf, key.bytes));
    assert_int_equal(buf[key.path_offset], '/');
    return buf;
}

static void host_is_lower_case_and_query_sorted(void **state)
{
    (void)state;
    assert_string_equal(key_of(&plain, "/A", ""), "ex.org/A");
    assert_string_equal(key_of(&plain, "/a?b=2&a=1", ""), "ex.org/a?a=1&b=2");
    assert_string_equal(key_of(&plain, "/a?", ""), "ex.org/a");
}

static void named_headers_and_cookies_are_part_of_it(void **state)
{
    (void)state;
    assert_string_equal(key_of(&named, "/", ""), "ex.org/\n\n");
    assert_string_equal(key_of(&named, "/", "X-Lang:\r\nCookie: theme=\r\n"), "ex.org/\n=\n=");
    assert_string_equal(
        key_of(&named, "/", "X-Lang: de\r\nx-lang: fr\r\nCookie: a=b; theme=dark; c\r\n"),
        "ex.org/\n=de, fr\n=dark");
    assert_string_equal(key_of(&named, "/", "Cookie: mytheme=x; themes=y\r\n"), "ex.org/\n\n");
    assert_string_equal(key_of(&plain, "/", "X-Lang: de\r\n"), "ex.org/");
}

static void a_value_cannot_pose_as_another_part(void **state)
{
    (void)state;
    assert_string_not_equal(key_of(&named, "/", "X-Lang: a\r\n"),
                            key_of(&named, "/", "Cookie: theme=a\r\n"));
    assert_string_not_equal(key_of(&named, "/", "X-Lang: a=b\r\n"),
                            key_of(&named, "/", "X-Lang: a\r\nCookie: theme=b\r\n"));
}

static void what_does_not_fit_is_no_key(void **state)
{
    struct http_parse parse;
    struct key key = {.bytes = 77};
    char buf[8];

    (void)state;
    assert_int_equal(sample_parse("GET /long HTTP/1.1\r\nHost: ex.org\r\n\r\n", &parse),
                     HTTP_WHOLE);
    assert_int_equal(key_build(&plain, &parse, (struct span){NULL, 0}, buf, sizeof buf, &key),
                     -ENOBUFS);
    assert_int_equal(key.bytes, 77);
}

static void data_of_a_back_end_tells_pages_apart(void **state)
{
    struct http_parse parse;
    struct key a;
    struct key b;
    char buf[2][100];

    (void)state;
    assert_int_equal(sample_parse("GET / HTTP/1.1\r\nHost: a\r\n\r\n", &parse), HTTP_WHOLE);
    assert_int_equal(key_build(&plain, &parse, (struct span){"{}", 2}, buf[0], 100, &a), 0);
    assert_int_equal(key_build(&plain, &parse, (struct span){"[]", 2}, buf[1], 100, &b), 0);
    assert_int_equal(a.bytes, b.bytes);
    assert_memory_not_equal(a.data, b.data, a.bytes);
}

static void bypass_goes_by_presence(void **state)
{
    const struct config_policy policy = {.bypass_headers = {bypass_names, 1},
                                         .bypass_cookies = {cookie_names, 1}};
    struct http_parse parse;

    (void)state;
    (void)sample_parse("GET / HTTP/1.1\r\nHost: a\r\nCookie: x=theme\r\n\r\n", &parse);
    assert_false(key_is_bypass(&policy, &parse));
    (void)sample_parse("GET / HTTP/1.1\r\nHost: a\r\nAUTHORIZATION:\r\n\r\n", &parse);
    assert_true(key_is_bypass(&policy, &parse));
    (void)sample_parse("GET / HTTP/1.1\r\nHost: a\r\nCookie: a=b\r\nCookie: theme=\r\n\r\n",
                       &parse);
    assert_true(key_is_bypass(&policy, &parse));
}

/* As the render sees them: several fields and one with the same list are one page, "a,b" is another. */
static void a_key_tells_apart_what_a_render_can_tell_apart(void **state)
{
    char *cookie_header[] = {(char[]){"cookie"}};
    const struct config_key cookies = {.query = QUERY_ALL, .headers = {cookie_header, 1}};

    (void)state;
    assert_string_equal(key_of(&named, "/", "X-Lang: a\r\nX-Lang: b\r\n"),
                        key_of(&named, "/", "X-Lang: a, b\r\n"));
    assert_string_not_equal(key_of(&named, "/", "X-Lang: a\r\nX-Lang: b\r\n"),
                            key_of(&named, "/", "X-Lang: a,b\r\n"));
    assert_string_equal(key_of(&cookies, "/", "Cookie: a\r\nCookie: b\r\n"),
                        key_of(&cookies, "/", "Cookie: a; b\r\n"));
    assert_string_not_equal(key_of(&cookies, "/", "Cookie: a\r\nCookie: b\r\n"),
                            key_of(&cookies, "/", "Cookie: a, b\r\n"));
}

static void key_with_data(const char *data, size_t bytes, char ret_text[static 200])
{
    struct http_parse parse;
    struct key key;

    assert_int_equal(sample_parse("GET /a HTTP/1.1\r\nHost: a\r\n\r\n", &parse), HTTP_WHOLE);
    assert_int_equal(key_build(&plain, &parse, (struct span){data, bytes}, ret_text, 199, &key), 0);
    ret_text[key.bytes] = 0;
}

static void data_stands_in_the_key_as_it_is(void **state)
{
    char key[200];

    (void)state;
    key_with_data("{\"a\":1}", 7, key);
    assert_string_equal(key, "a/a\n#{\"a\":1}");
}

static void data_that_the_key_can_not_hold_is_not_cached(void **state)
{
    static char data[PAGE_KEY_BYTES_MAX];
    static char buf[PAGE_KEY_BYTES_MAX];
    struct http_parse parse;
    struct key key;

    (void)state;
    memset(data, 'x', sizeof data);
    assert_int_equal(sample_parse("GET /a HTTP/1.1\r\nHost: a\r\n\r\n", &parse), HTTP_WHOLE);
    assert_int_equal(key_build(&(struct config_key){0}, &parse, (struct span){data, sizeof data},
                               buf, sizeof buf, &key),
                     -ENOBUFS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(host_is_lower_case_and_query_sorted),
        cmocka_unit_test(named_headers_and_cookies_are_part_of_it),
        cmocka_unit_test(a_key_tells_apart_what_a_render_can_tell_apart),
        cmocka_unit_test(data_stands_in_the_key_as_it_is),
        cmocka_unit_test(data_that_the_key_can_not_hold_is_not_cached),
        cmocka_unit_test(a_value_cannot_pose_as_another_part),
        cmocka_unit_test(what_does_not_fit_is_no_key),
        cmocka_unit_test(data_of_a_back_end_tells_pages_apart),
        cmocka_unit_test(bypass_goes_by_presence),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
