/* SPDX-License-Identifier: MIT */
/* test_cache_control.c - Cache-Control, and CDN-Cache-Control as a structured field. */
#include "worker/cache_control.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct cache_control control;

static void parse(const char *value)
{
    cache_control_init(&control);
    cache_control_parse(value, strlen(value), &control);
}

static bool parse_cdn(const char *value)
{
    cache_control_init(&control);
    return cache_control_parse_cdn(value, strlen(value), &control);
}

static void words_are_found_in_any_case_and_order(void **state)
{
    (void)state;
    parse("foo, MAX-AGE=5 , No-Store;x, no-cache=\"a, b\", private, public, proxy-revalidate, "
          "s-maxage=7, stale-if-error=1, stale-while-revalidate=\"2\", only-if-cached");
    assert_int_equal(control.max_age_s, 5);
    assert_int_equal(control.s_maxage_s, 7);
    assert_int_equal(control.sie_s, 1);
    assert_int_equal(control.swr_s, 2);
    assert_false(control.no_store); /* "No-Store;x" is another word */
    assert_true(control.no_cache && control.is_private && control.is_public);
    assert_true(control.must_revalidate && control.only_if_cached);
}

static void numbers_are_read_carefully(void **state)
{
    static const char *const without[] = {"max-age", "max-age=", "max-age = 9",
                                          "max-age=9, max-age"};

    (void)state;
    parse("max-age=99999999999999999999");
    assert_int_equal(control.max_age_s, INT32_MAX);
    parse("max-age=-1");
    assert_int_equal(control.max_age_s, 0);
    parse("max-age='3600'");
    assert_int_equal(control.max_age_s, 0);
    parse("max-age=3600, max-age=1, max-age=7200");
    assert_int_equal(control.max_age_s, 1);
    parse("extension=\"max-age=3600\", max-age=2");
    assert_int_equal(control.max_age_s, 2);
    parse(",, MAX-AGE=5 ,max-age=\"7\",x=\"no-store, private\"");
    assert_false(control.no_store || control.is_private);
    assert_int_equal(control.max_age_s, 5);
    parse("x=\"unclosed, no-store");
    assert_false(control.no_store);
    for (size_t i = 0; i < array_len(without); i++) {
        parse(without[i]);
        assert_int_equal(control.max_age_s, 0); /* as any value that is none: stale at once */
    }
    parse("No-Transform, x=\"no-store\"");
    assert_true(control.no_transform && !control.no_store);
}

static void cdn_cache_control_is_a_structured_field(void **state)
{
    static const char *const good[] = {
        "max-age=10",
        "max-age=10, foo",
        "max-age=10,foo=?0",
        "max-age=10;a=\"b\";c",
        "max-age=10, a=(1 \"b\" c;d=1)",
        "max-age=10, a=:YWJj:",
        "  max-age=10  ",
        "max-age=10, x=1.5",
        "max-age=99, max-age=10",
    };

    (void)state;
    for (size_t i = 0; i < array_len(good); i++) {
        if (!parse_cdn(good[i]))
            fail_msg("refused: %s", good[i]);
        assert_int_equal(control.max_age_s, 10);
    }
    assert_true(parse_cdn("no-store, no-cache=\"a\", private, must-revalidate"));
    assert_true(control.no_store && control.no_cache && control.is_private &&
                control.must_revalidate);
    assert_true(parse_cdn("max-age=-5"));
    assert_int_equal(control.max_age_s, 0);
    assert_true(parse_cdn("no-store=?0"));
    assert_false(control.no_store);
}

static void what_is_none_is_to_be_ignored(void **state)
{
    static const char *const bad[] = {
        "max-age=10, &&&&&",
        "max-age=\"10\"",
        "max-age=10,",
        "max-age=",
        "Max-Age=10",
        "max-age=10 foo",
        "max-age=10.5",
        "max-age",
        "a=\"b",
        "a=(1 2",
        "a=1.2345",
        "a=?2",
        "max-age=1234567890123456",
        "a=:YQ",
        "a=\"\\x\"",
        ", a",
        "a=1;;",
        "=1",
    };

    (void)state;
    for (size_t i = 0; i < array_len(bad); i++)
        if (parse_cdn(bad[i]))
            fail_msg("taken: %s", bad[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_are_found_in_any_case_and_order),
        cmocka_unit_test(numbers_are_read_carefully),
        cmocka_unit_test(cdn_cache_control_is_a_structured_field),
        cmocka_unit_test(what_is_none_is_to_be_ignored),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
