/* SPDX-License-Identifier: MIT */
/* test_http_date.c - the three forms of a date, and what is none. */
#include "worker/http_date.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define NOW 1795000000 /* November 2026 */

static void assert_date(const char *text, uint64_t expected)
{
    uint64_t s = 0;

    assert_int_equal(http_date_parse((struct span){text, strlen(text)}, NOW, &s), 0);
    assert_int_equal(s, expected);
}

static void dates_are_written_as_the_rfc_writes_them(void **state)
{
    char text[HTTP_DATE_BYTES + 1];

    (void)state;
    http_date_format(784111777, text);
    assert_string_equal(text, "Sun, 06 Nov 1994 08:49:37 GMT");
    http_date_format(0, text);
    assert_string_equal(text, "Thu, 01 Jan 1970 00:00:00 GMT");
}

static void all_three_forms_are_read(void **state)
{
    (void)state;
    assert_date("Sun, 06 Nov 1994 08:49:37 GMT", 784111777);
    assert_date("Sunday, 06-Nov-94 08:49:37 GMT", 784111777);
    assert_date("Sun Nov  6 08:49:37 1994", 784111777);
    assert_date("Sun Nov 16 08:49:37 1994", 784975777);
    assert_date("Thu, 01 Jan 1970 00:00:00 GMT", 0);
    assert_date("Sun, 21 Nov 2286 04:46:39 GMT", 10000039599);
    assert_date("Tue, 29 Feb 2028 00:00:00 GMT", 1835395200);
}

static void case_does_not_matter(void **state)
{
    (void)state;
    assert_date("SUN, 06 nOV 1994 08:49:37 gmt", 784111777);
}

static void a_two_digit_year_is_at_most_fifty_years_ahead(void **state)
{
    (void)state;
    assert_date("Thursday, 18-Aug-50 02:01:18 GMT", 2544400878);
    assert_date("Tuesday, 18-Aug-76 02:01:18 GMT", 3364941678);
    assert_date("Thursday, 18-Aug-77 02:01:18 GMT", 240717678);
}

static void anything_else_is_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "0",
        "foo",
        "Sun, 06 Nov 1994 08:49:37 UTC",
        "Sun, 06 Nov 1994 08:49:37 AEST",
        "Sun, 06 Nov 1994 08:49:37",
        "Sun, 06 Nov 94 08:49:37 GMT",
        "Sun 06 Nov 1994 08:49:37 GMT",
        "Sun, 06  Nov  1994 08:49:37 GMT",
        "Sun, 06-Nov-1994 08:49:37 GMT",
        "Sun, 6 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 8:49:37 GMT",
        "Sun, 06 Nov 1994 08.49.37 GMT",
        "Sun, 06 Nov 1994 08:49:37 GMT ",
        "Sun, 06 Nov 1994 24:00:00 GMT",
        "Sun, 31 Feb 1994 00:00:00 GMT",
        "Sun, 00 Nov 1994 00:00:00 GMT",
        "Sun, 06 Xxx 1994 08:49:37 GMT",
        "06 Nov 1994 08:49:37 GMT",
        "-1",
        "Sun,",
        "Sun, 06 Nov 1994 08:60:37 GMT",
        "Sun, 06 Nov 1960 08:49:37 GMT",
        "Sun Nov 6 08:49:37 1994",
    };
    uint64_t s = 77;

    (void)state;
    for (size_t i = 0; i < array_len(bad); i++)
        if (http_date_parse((struct span){bad[i], strlen(bad[i])}, NOW, &s) != -EINVAL)
            fail_msg("taken: %s", bad[i]);
    assert_int_equal(s, 77);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dates_are_written_as_the_rfc_writes_them),
        cmocka_unit_test(all_three_forms_are_read),
        cmocka_unit_test(case_does_not_matter),
        cmocka_unit_test(a_two_digit_year_is_at_most_fifty_years_ahead),
        cmocka_unit_test(anything_else_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
