/* SPDX-License-Identifier: MIT */
/* test_forwarded.c - scheme and host of a request that came through proxies. */
#include "worker/forwarded.h"

#include "tests/unit/http_sample.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* "https://host", what the request becomes behind proxies of 10.0.0.0/8. */
static const char *origin_of(const char *fields)
{
    static char text[300];
    char request[1000];
    struct network trusted;
    struct http_parse head;
    struct span host;

    (void)snprintf(request, sizeof request, "GET / HTTP/1.1\r\nHost: own\r\n%s\r\n", fields);
    assert_int_equal(network_parse("10.0.0.0/8", &trusted), 0);
    assert_int_equal(sample_parse(request, &head), HTTP_WHOLE);
    forwarded_take_origin(&head, &trusted, 1);
    host = http_parse_host(&head);
    (void)snprintf(text, sizeof text, "%s://%.*s", head.https ? "https" : "http", (int)host.bytes,
                   host.data);
    return text;
}

static void one_proxy_says_it(void **state)
{
    (void)state;
    assert_string_equal(origin_of("X-Forwarded-Proto: https\r\n"), "https://own");
    assert_string_equal(origin_of("X-Forwarded-Proto: HTTPS\r\nX-Forwarded-Host: a.b:8443\r\n"),
                        "https://a.b:8443");
    assert_string_equal(origin_of("X-Forwarded-Host: [2001:db8::1]:80\r\n"),
                        "http://[2001:db8::1]:80");
    assert_string_equal(origin_of("Forwarded: for=1.2.3.4;Proto=https;host=\"a.b:8443\"\r\n"),
                        "https://a.b:8443");
    assert_string_equal(origin_of("X-Forwarded-For: 1.2.3.4\r\n"), "http://own");
}

static void what_is_none_changes_nothing(void **state)
{
    static const char *const none[] = {
        "X-Forwarded-Proto: ftp\r\n",    "X-Forwarded-Proto:\r\n",
        "X-Forwarded-Host: a b\r\n",     "X-Forwarded-Host:\r\n",
        "X-Forwarded-Host: a/b\r\n",     "X-Forwarded-Host: https://a\r\n",
        "X-Forwarded-Host: a@b\r\n",     "X-Forwarded-Host: a|b\r\n",
        "Forwarded: proto;host\r\n",     "Forwarded: proto=;host=\r\n",
        "Forwarded: host=\"a\\b\"\r\n",  "Forwarded: xproto=https;xhost=a\r\n",
        "X-Forwarded-Scheme: https\r\n",
    };

    (void)state;
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        assert_string_equal(origin_of(none[i]), "http://own");
}

/* Proxies that add to what is there: the value beside the client's address counts, not what he wrote himself. */
static void of_several_the_one_beside_the_client_counts(void **state)
{
    (void)state;
    assert_string_equal(origin_of("X-Forwarded-For: 6.6.6.6, 1.2.3.4\r\n"
                                  "X-Forwarded-Host: evil, shop\r\n"
                                  "X-Forwarded-Proto: http, https\r\n"),
                        "https://shop");
    assert_string_equal(origin_of("X-Forwarded-For: 6.6.6.6, 1.2.3.4, 10.0.0.9\r\n"
                                  "X-Forwarded-Host: evil, shop, inner\r\n"
                                  "X-Forwarded-Proto: http, https, http\r\n"),
                        "https://shop");
    /* the outer one adds, the inner one overwrites */
    assert_string_equal(origin_of("X-Forwarded-For: 1.2.3.4, 10.0.0.9\r\n"
                                  "X-Forwarded-Host: shop\r\n"
                                  "X-Forwarded-Proto: https\r\n"),
                        "https://shop");
    /* as several fields, which are one list */
    assert_string_equal(origin_of("X-Forwarded-For: 1.2.3.4\r\nX-Forwarded-Host: evil\r\n"
                                  "X-Forwarded-Host: shop\r\n"),
                        "http://shop");
    assert_string_equal(origin_of("Forwarded: for=6.6.6.6;host=evil;proto=http, "
                                  "for=1.2.3.4;host=shop;proto=https, for=10.0.0.9;host=inner\r\n"),
                        "https://shop");
    assert_string_equal(origin_of("X-Forwarded-Host: evil, shop\r\n"), "http://shop");
}

/* A proxy that speaks the old way passes the standard field on as its client wrote it. */
static void forwarded_is_not_heard_beside_the_old_fields(void **state)
{
    (void)state;
    assert_string_equal(
        origin_of("X-Forwarded-For: 1.2.3.4\r\nForwarded: host=evil;proto=https\r\n"),
        "http://own");
    assert_string_equal(
        origin_of("X-Forwarded-Proto: http\r\nForwarded: host=evil;proto=https\r\n"), "http://own");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_proxy_says_it),
        cmocka_unit_test(what_is_none_changes_nothing),
        cmocka_unit_test(of_several_the_one_beside_the_client_counts),
        cmocka_unit_test(forwarded_is_not_heard_beside_the_old_fields),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
