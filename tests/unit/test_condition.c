/* SPDX-License-Identifier: MIT */
/* test_condition.c - conditional requests (RFC 9110 section 13). */
#include "worker/condition.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define NOW 1795000000
#define OLD "Sun, 06 Nov 1994 08:49:37 GMT"
#define OLDER "Sun, 06 Nov 1994 08:49:36 GMT"
#define NEWER "Sunday, 06-Nov-94 08:49:38 GMT"

static struct span span_of(const char *text)
{
    return (struct span){text, strlen(text)};
}

static const struct http_parse *parse_of(const char *fields)
{
    static const struct http_limits limits = {8192, 0};
    static struct http_parse parse;
    static char text[2000];
    int n = snprintf(text, sizeof text, "GET /p HTTP/1.1\r\nHost: a\r\n%s\r\n", fields);

    http_parse_init(&parse, &limits);
    assert_int_equal(http_parse_head(&parse, text, (size_t)n), HTTP_WHOLE);
    return &parse;
}

static void assert_condition(const char *fields, enum condition expected)
{
    struct condition_page page = {span_of("\"abc\""), true, 784111777};

    if (condition_judge(parse_of(fields), &page, NOW) != expected)
        fail_msg("%s", fields);
}

static void if_none_match_is_a_list_compared_weakly(void **state)
{
    static const char *const match[] = {"\"abc\"", "W/\"abc\"", "\"x\", W/\"y,z\" ,\"abc\"", "*"};
    static const char *const other[] = {"", "\"abcd\"", "abc", "\"ab", "W/", "\"x\\\"abc\""};

    (void)state;
    for (size_t i = 0; i < array_len(match); i++)
        assert_true(condition_names(span_of(match[i]), span_of("\"abc\""), false));
    for (size_t i = 0; i < array_len(other); i++)
        assert_false(condition_names(span_of(other[i]), span_of("\"abc\""), false));
    assert_true(condition_names(span_of("\"abc\""), span_of("W/\"abc\""), false));
    assert_condition("If-None-Match: \"x\"\r\nIf-None-Match: \"abc\"\r\n", CONDITION_NOT_MODIFIED);
    assert_condition("If-None-Match: \"x\"\r\n", CONDITION_SEND);
}

static void if_match_is_compared_strongly(void **state)
{
    (void)state;
    assert_condition("If-Match: \"x\", \"abc\"\r\n", CONDITION_SEND);
    assert_condition("If-Match: *\r\n", CONDITION_SEND);
    assert_condition("If-Match: W/\"abc\"\r\n", CONDITION_FAILED);
    assert_condition("If-Match: \"x\"\r\n", CONDITION_FAILED);
    assert_false(condition_names(span_of("\"abc\""), span_of("W/\"abc\""), true));
}

static void dates_are_compared_whatever_their_form(void **state)
{
    (void)state;
    assert_condition("If-Modified-Since: " OLD "\r\n", CONDITION_NOT_MODIFIED);
    assert_condition("If-Modified-Since: " NEWER "\r\n", CONDITION_NOT_MODIFIED);
    assert_condition("If-Modified-Since: " OLDER "\r\n", CONDITION_SEND);
    assert_condition("If-Modified-Since: yesterday\r\n", CONDITION_SEND);
    assert_condition("If-Modified-Since: " OLD "\r\nIf-Modified-Since: " OLD "\r\n",
                     CONDITION_SEND);
    assert_condition("If-Unmodified-Since: " OLD "\r\n", CONDITION_SEND);
    assert_condition("If-Unmodified-Since: " OLDER "\r\n", CONDITION_FAILED);
}

static void entity_tags_go_before_dates(void **state)
{
    (void)state;
    assert_condition("If-None-Match: \"x\"\r\nIf-Modified-Since: " OLD "\r\n", CONDITION_SEND);
    assert_condition("If-None-Match: \"abc\"\r\nIf-Modified-Since: " OLDER "\r\n",
                     CONDITION_NOT_MODIFIED);
    assert_condition("If-Match: \"abc\"\r\nIf-Unmodified-Since: " OLDER "\r\n", CONDITION_SEND);
    assert_condition("If-Match: \"x\"\r\nIf-None-Match: \"abc\"\r\n", CONDITION_FAILED);
}

static void a_page_without_validators_meets_no_condition(void **state)
{
    struct condition_page page = {.has_date = false};

    (void)state;
    assert_int_equal(condition_judge(parse_of("If-None-Match: \"\"\r\n"), &page, NOW),
                     CONDITION_SEND);
    assert_int_equal(condition_judge(parse_of("If-Modified-Since: " OLD "\r\n"), &page, NOW),
                     CONDITION_SEND);
    assert_int_equal(condition_judge(parse_of("If-Match: \"a\"\r\n"), &page, NOW),
                     CONDITION_FAILED);
}

static void a_part_needs_the_very_same_page(void **state)
{
    struct condition_page page = {span_of("\"abc\""), true, 784111777};

    (void)state;
    assert_true(condition_range(parse_of(""), &page, NOW));
    assert_true(condition_range(parse_of("If-Range: \"abc\"\r\n"), &page, NOW));
    assert_true(condition_range(parse_of("If-Range: " OLD "\r\n"), &page, NOW));
    assert_false(condition_range(parse_of("If-Range: \"x\"\r\n"), &page, NOW));
    assert_false(condition_range(parse_of("If-Range: W/\"abc\"\r\n"), &page, NOW));
    assert_false(condition_range(parse_of("If-Range: " NEWER "\r\n"), &page, NOW));
    page.etag = span_of("W/\"abc\"");
    assert_false(condition_range(parse_of("If-Range: W/\"abc\"\r\n"), &page, NOW));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(if_none_match_is_a_list_compared_weakly),
        cmocka_unit_test(if_match_is_compared_strongly),
        cmocka_unit_test(dates_are_compared_whatever_their_form),
        cmocka_unit_test(entity_tags_go_before_dates),
        cmocka_unit_test(a_page_without_validators_meets_no_condition),
        cmocka_unit_test(a_part_needs_the_very_same_page),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
