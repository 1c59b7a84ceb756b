/* SPDX-License-Identifier: MIT */
/* test_http_fields.c - ranges and encodings as fields write them. */
#include "worker/http_accept.h"
#include "worker/http_range.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct span span(const char *text)
{
    return (struct span){text, strlen(text)};
}

static void ranges_follow_the_rfc(void **state)
{
    static const struct {
        const char *value;
        uint64_t total;
        enum http_range wanted;
        uint64_t first, bytes;
    } rows[] = {
        {"bytes=0-499", 10000, HTTP_RANGE_PART, 0, 500},
        {"bytes=500-999", 10000, HTTP_RANGE_PART, 500, 500},
        {"bytes=-500", 10000, HTTP_RANGE_PART, 9500, 500},
        {"bytes=9500-", 10000, HTTP_RANGE_PART, 9500, 500},
        {"bytes=0-0", 10000, HTTP_RANGE_PART, 0, 1},
        {"bytes=0-", 10000, HTTP_RANGE_PART, 0, 10000},
        {"BYTES=0-0", 10000, HTTP_RANGE_PART, 0, 1},
        {"bytes= 1-2 ", 10000, HTTP_RANGE_PART, 1, 2},
        {"bytes=9999-20000", 10000, HTTP_RANGE_PART, 9999, 1},
        {"bytes=-20000", 10000, HTTP_RANGE_PART, 0, 10000},
        {"bytes=0-99999999999999999999999999", 10000, HTTP_RANGE_PART, 0, 10000},
        {"bytes=10000-", 10000, HTTP_RANGE_UNSATISFIABLE, 0, 0},
        {"bytes=99999999999999999999999999-", 10000, HTTP_RANGE_UNSATISFIABLE, 0, 0},
        {"bytes=-0", 10000, HTTP_RANGE_UNSATISFIABLE, 0, 0},
        {"bytes=0-0", 0, HTTP_RANGE_UNSATISFIABLE, 0, 0},
        {"bytes=-1", 0, HTTP_RANGE_UNSATISFIABLE, 0, 0},
        {"bytes=0-1,3-4", 10000, HTTP_RANGE_WHOLE, 0, 0},
        {"bytes=5-4", 10000, HTTP_RANGE_WHOLE, 0, 0},
        {"bytes=", 10000, HTTP_RANGE_WHOLE, 0, 0},
        {"bytes=-", 10000, HTTP_RANGE_WHOLE, 0, 0},
        {"bytes=a-b", 10000, HTTP_RANGE_WHOLE, 0, 0},
        {"bytes=1", 10000, HTTP_RANGE_WHOLE, 0, 0},
        {"items=0-1", 10000, HTTP_RANGE_WHOLE, 0, 0},
        {"", 10000, HTTP_RANGE_WHOLE, 0, 0},
    };

    (void)state;
    for (size_t i = 0; i < array_len(rows); i++) {
        uint64_t first = 0;
        uint64_t bytes = 0;
        enum http_range got = http_range_parse(span(rows[i].value), rows[i].total, &first, &bytes);

        if (got != rows[i].wanted ||
            (got == HTTP_RANGE_PART && (first != rows[i].first || bytes != rows[i].bytes)))
            fail_msg("%s of %llu: %d, %llu, %llu", rows[i].value, (unsigned long long)rows[i].total,
                     got, (unsigned long long)first, (unsigned long long)bytes);
    }
}

static void the_encoding_is_chosen_by_weight_then_order(void **state)
{
    static const enum page_encoding order[] = {PAGE_BR, PAGE_GZIP};
    enum { ALL = 1 << PAGE_IDENTITY | 1 << PAGE_GZIP | 1 << PAGE_BR };
    static const struct {
        const char *value;
        unsigned mask;
        enum page_encoding wanted;
    } rows[] = {
        {"gzip, deflate, br", ALL, PAGE_BR},
        {"gzip, deflate, br, zstd", ALL | 1 << PAGE_ZSTD, PAGE_BR}, /* zstd is not in the order */
        {"gzip", ALL, PAGE_GZIP},
        {"x-gzip", ALL, PAGE_GZIP},
        {"GZIP", ALL, PAGE_GZIP},
        {"br;q=0.5, gzip;q=0.8", ALL, PAGE_GZIP},
        {"br;q=0.5,gzip;q=0.5", ALL, PAGE_BR},
        {"br;q=0, *", ALL, PAGE_GZIP},
        {"*", ALL, PAGE_BR},
        {"*;q=0", ALL, PAGE_IDENTITY},
        {"identity", ALL, PAGE_IDENTITY},
        {"identity;q=0, gzip", ALL, PAGE_GZIP},
        {"identity;q=0", ALL, PAGE_IDENTITY},
        {"identity, gzip;q=0.5", ALL, PAGE_IDENTITY},
        {"gzip;q=0.001", ALL, PAGE_GZIP},
        {"gzip;q=0", ALL, PAGE_IDENTITY},
        {"gzip;q=0.000", ALL, PAGE_IDENTITY},
        {"gzip ; q=1.000", ALL, PAGE_GZIP},
        {"gzip;q=1.001", ALL, PAGE_IDENTITY},
        {"gzip;q=x", ALL, PAGE_IDENTITY},
        {"gzip;level=9", ALL, PAGE_IDENTITY},
        {"", ALL, PAGE_IDENTITY},
        {",,", ALL, PAGE_IDENTITY},
        {"br", 1 << PAGE_IDENTITY | 1 << PAGE_GZIP, PAGE_IDENTITY},
        {"br, gzip;q=0.1", 1 << PAGE_IDENTITY | 1 << PAGE_GZIP, PAGE_GZIP},
    };

    (void)state;
    for (size_t i = 0; i < array_len(rows); i++) {
        struct http_accept accept = http_accept_parse(span(rows[i].value));
        enum page_encoding got = http_accept_choose(&accept, rows[i].mask, order, array_len(order));

        if (got != rows[i].wanted)
            fail_msg("%s: %d, wanted %d", rows[i].value, got, rows[i].wanted);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranges_follow_the_rfc),
        cmocka_unit_test(the_encoding_is_chosen_by_weight_then_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
