/* SPDX-License-Identifier: MIT */
/* test_http_parse.c - what is a request, what it means, and what is refused with which status. */
#include "tests/unit/http_sample.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <stdio.h>

static struct http_parse parse;

static uint16_t status_of(const char *text)
{
    return sample_parse(text, &parse) == HTTP_REFUSED ? parse.status : 0;
}

/* Fields behind a request line and a Host. */
static uint16_t status_with(const char *fields)
{
    char text[4096];

    (void)snprintf(text, sizeof text, "POST / HTTP/1.1\r\nHost: a\r\n%s\r\n", fields);
    return status_of(text);
}

static uint16_t status_of_host(const char *host)
{
    char text[1024];

    (void)snprintf(text, sizeof text, "GET / HTTP/1.1\r\nHost: %s\r\n\r\n", host);
    return status_of(text);
}

static void assert_span(struct span span, const char *text)
{
    assert_int_equal(span.bytes, strlen(text));
    assert_memory_equal(span.data, text, span.bytes);
}

static void a_request_is_taken_apart(void **state)
{
    static const char text[] = "GET /a/b?c=d HTTP/1.1\r\nHost: Example.org:8080\r\nX-Empty:\r\n"
                               "If-None-Match: \t\"x\" \t\r\n\r\nGET /next";

    (void)state;
    assert_int_equal(sample_parse(text, &parse), HTTP_WHOLE);
    assert_int_equal(parse.head_bytes, sizeof text - 1 - strlen("GET /next"));
    assert_int_equal(parse.method, HTTP_GET);
    assert_span(http_parse_target(&parse), "/a/b?c=d");
    assert_int_equal(parse.path_bytes, 4);
    assert_span(http_parse_host(&parse), "Example.org:8080");
    assert_int_equal(parse.field_count, 3);
    assert_int_equal(http_parse_value(&parse, 1).bytes, 0);
    assert_int_equal(parse.conditions, HTTP_IF_NONE_MATCH);
    assert_span(http_parse_value(&parse, 2), "\"x\"");
    assert_true(parse.keep_alive);
    assert_false(parse.has_body);
}

static void a_request_cut_anywhere_means_the_same(void **state)
{
    static const char text[] =
        "\r\nPOST http://h.example/x?y HTTP/1.1\r\nHost: a\r\nX: b c \r\nContent-Length: 2\r\n\r\n";

    (void)state;
    for (size_t step = 1; step < sizeof text; step++) {
        enum http_progress progress = HTTP_MORE;

        http_parse_init(&parse, &sample_limits);
        for (size_t have = 0; progress == HTTP_MORE && have < sizeof text - 1;) {
            char moved[sizeof text]; /* the bytes so far, at another place each time */

            have = have + step < sizeof text - 1 ? have + step : sizeof text - 1;
            memcpy(moved, text, have);
            progress = http_parse_head(&parse, moved, have);
        }
        parse.base = text;
        assert_int_equal(progress, HTTP_WHOLE);
        assert_span(http_parse_target(&parse), "/x?y");
        assert_span(http_parse_host(&parse), "h.example");
        assert_span(http_parse_value(&parse, 1), "b c");
        assert_int_equal(parse.content_length, 2);
    }
}

static void connection_says_whether_it_stays(void **state)
{
    (void)state;
    assert_int_equal(status_with("Connection: x , Close\r\n"), 0);
    assert_false(parse.keep_alive);
    assert_int_equal(status_of("GET / HTTP/1.0\r\n\r\n"), 0);
    assert_false(parse.keep_alive);
    assert_int_equal(status_of("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n"), 0);
    assert_true(parse.keep_alive);
    assert_int_equal(status_of("GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n"), 0);
    assert_false(parse.keep_alive);
}

static void host_is_required_once_and_valid(void **state)
{
    (void)state;
    assert_int_equal(status_of("GET / HTTP/1.1\r\n\r\n"), 400);
    assert_int_equal(status_of("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"), 400);
    assert_int_equal(status_of("GET http://a/ HTTP/1.1\r\n\r\n"), 400);
    assert_int_equal(status_of_host("a-b.example:80"), 0);
    assert_int_equal(status_of_host("[::1]:8080"), 0);
    assert_int_equal(status_of_host("%41.example"), 0);
    assert_int_equal(status_of_host(""), 400);
    assert_int_equal(status_of_host("a b"), 400);
    assert_int_equal(status_of_host("a/b"), 400);
    assert_int_equal(status_of_host("user@a"), 400);
    assert_int_equal(status_of_host("a:b"), 400);
    assert_int_equal(status_of_host("[::1"), 400);
    assert_int_equal(status_of_host("a%4"), 400);
    assert_int_equal(status_of_host("a,b\r\nX: \"c\""), 0); /* sub-delims are legal */
    assert_int_equal(status_of_host("a\"b"), 400);
}

static void framing_that_two_servers_could_read_differently_is_refused(void **state)
{
    (void)state;
    assert_int_equal(status_with("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n"), 400);
    assert_int_equal(status_with("Transfer-Encoding: chunked\r\nContent-Length: 3\r\n"), 400);
    assert_int_equal(status_with("Content-Length: 3\r\nContent-Length: 3\r\n"), 400);
    assert_int_equal(status_with("Content-Length: 3, 3\r\n"), 400);
    assert_int_equal(status_with("Content-Length: +3\r\n"), 400);
    assert_int_equal(status_with("Content-Length:\r\n"), 400);
    assert_int_equal(status_with("Content-Length: 0x3\r\n"), 400);
    assert_int_equal(status_with("Content-Length: 99999999999999999999999\r\n"), 400);
    assert_int_equal(status_with("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"),
                     400);
    assert_int_equal(status_with("Transfer-Encoding: gzip\r\n"), 501);
    assert_int_equal(status_with("Transfer-Encoding: gzip, chunked\r\n"), 501);
    assert_int_equal(status_of("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"), 400);
    assert_int_equal(status_with("X: a\r\n b\r\n"), 400);
    assert_int_equal(status_with("X:\r\n b\r\n"), 400);
    assert_int_equal(status_with("X: a\r\n \r\n"), 400);
    assert_int_equal(status_with("X : a\r\n"), 400);
    assert_int_equal(status_with(": a\r\n"), 400);
    assert_int_equal(status_with("X: a\rb\r\n"), 400);
    assert_int_equal(status_with("X: a\x01\r\n"), 400);
    assert_int_equal(status_of("GET / HTTP/1.1\nHost: a\n\n"), 400);
    assert_int_equal(status_of("GET / HTTP/1.1\r\n Host: a\r\n\r\n"), 400);
}

static void nul_bytes_are_refused(void **state)
{
    static const char text[] = "GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n";

    (void)state;
    http_parse_init(&parse, &sample_limits);
    assert_int_equal(http_parse_head(&parse, text, sizeof text - 1), HTTP_REFUSED);
    assert_int_equal(parse.status, 400);
}

static void request_lines_are_exact(void **state)
{
    (void)state;
    assert_int_equal(status_of("GET  / HTTP/1.1\r\nHost: a\r\n\r\n"), 400);
    assert_int_equal(status_of("GET /  HTTP/1.1\r\nHost: a\r\n\r\n"), 400);
    assert_int_equal(status_of("GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n"), 400);
    assert_int_equal(status_of("GET / HTTP/1.1 \r\nHost: a\r\n\r\n"), 400);
    assert_int_equal(status_of("GET /\r\n\r\n"), 400);
    assert_int_equal(status_of("GET / RTSP/1.0\r\n\r\n"), 400);
    assert_int_equal(status_of("GET / HTTP/2.0\r\nHost: a\r\n\r\n"), 505);
    assert_int_equal(status_of("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), 505);
    assert_int_equal(status_of("GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n"), 400);
    assert_int_equal(status_of("GET /\xff HTTP/1.1\r\nHost: a\r\n\r\n"), 400);
    assert_int_equal(status_of("GET a HTTP/1.1\r\nHost: a\r\n\r\n"), 400);
    assert_int_equal(status_of("GET * HTTP/1.1\r\nHost: a\r\n\r\n"), 400);
    assert_int_equal(status_of("GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n"), 400);
    assert_int_equal(status_of("GET http://u@a/ HTTP/1.1\r\nHost: a\r\n\r\n"), 400);
    assert_int_equal(status_of("CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n"), 400);
    assert_int_equal(status_of("FOO / HTTP/1.1\r\nHost: a\r\n\r\n"), 501);
    assert_int_equal(status_of("get / HTTP/1.1\r\nHost: a\r\n\r\n"), 501);
    assert_int_equal(status_of("\x16\x03\x01\x02"), 400);
    assert_int_equal(status_of("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n"), 0);
    assert_true(parse.asterisk);
}

static void limits_have_their_own_answers(void **state)
{
    static char text[40000];
    char *at = text;

    (void)state;
    (void)snprintf(text, sizeof text, "GET /%09000d HTTP/1.1\r\nHost: a\r\n\r\n", 0);
    assert_int_equal(status_of(text), 414);
    (void)snprintf(text, sizeof text, "GET / HTTP/1.1\r\nHost: a\r\nX: %017000d\r\n\r\n", 0);
    assert_int_equal(status_of(text), 431);
    (void)snprintf(text, sizeof text, "GET / HTTP/1.1\r\nHost: a\r\nX: %017000d", 0);
    assert_int_equal(status_of(text), 431);
    at += sprintf(at, "GET / HTTP/1.1\r\nHost: a\r\n");
    for (int i = 1; i < HTTP_FIELDS_MAX; i++)
        at += sprintf(at, "X: y\r\n");
    strcpy(at, "\r\n");
    assert_int_equal(status_of(text), 0);
    strcpy(at, "X: y\r\n\r\n");
    assert_int_equal(status_of(text), 431);
    assert_int_equal(status_with("Content-Length: 1001\r\n"), 413);
    assert_int_equal(status_with("Content-Length: 1000\r\n"), 0);
}

static void expect_is_understood_or_417(void **state)
{
    (void)state;
    assert_int_equal(status_with("Expect: 100-Continue\r\nContent-Length: 1\r\n"), 0);
    assert_true(parse.expect_continue);
    assert_int_equal(status_with("Expect: a-miracle\r\n"), 417);
    assert_int_equal(status_of("POST / HTTP/1.0\r\nExpect: 100-continue\r\n\r\n"), 0);
    assert_false(parse.expect_continue); /* RFC 9110 section 10.1.1: ignored from 1.0 */
}

static bool gather(void *arg, const char *data, size_t bytes)
{
    (void)strncat(arg, data, bytes);
    return true;
}

static void a_chunked_body_is_decoded_and_ends_where_it_ends(void **state)
{
    static const char body[] = "3;x=y\r\nabc\r\n2\r\nde\r\n0\r\nT: v\r\n\r\nGET";
    char got[16] = "";
    size_t used;

    (void)state;
    assert_int_equal(status_with("Transfer-Encoding: Chunked\r\n"), 0);
    assert_true(parse.chunked && parse.has_body);
    assert_int_equal(http_parse_body(&parse, body, 8, gather, got, &used), HTTP_MORE);
    assert_int_equal(used, 8);
    assert_int_equal(http_parse_body(&parse, body + 8, sizeof body - 9, gather, got, &used),
                     HTTP_WHOLE);
    assert_int_equal(used, sizeof body - 9 - 3);
    assert_string_equal(got, "abcde");
    assert_int_equal(parse.field_count, 2); /* the trailer is not among them */
}

static void bodies_that_are_wrong_or_too_large_are_refused(void **state)
{
    static char chunk[2100];
    size_t used;

    (void)state;
    assert_int_equal(status_with("Transfer-Encoding: chunked\r\n"), 0);
    assert_int_equal(http_parse_body(&parse, "zz\r\n", 4, NULL, NULL, &used), HTTP_REFUSED);
    assert_int_equal(parse.status, 400);
    assert_int_equal(status_with("Transfer-Encoding: chunked\r\n"), 0);
    (void)snprintf(chunk, sizeof chunk, "7d0\r\n%02000d", 0);
    assert_int_equal(http_parse_body(&parse, chunk, strlen(chunk), NULL, NULL, &used),
                     HTTP_REFUSED);
    assert_int_equal(parse.status, 413);
    /* endless chunk extensions carry no body, but do not go on for ever */
    assert_int_equal(status_with("Transfer-Encoding: chunked\r\n"), 0);
    assert_int_equal(http_parse_body(&parse, "1;", 2, NULL, NULL, &used), HTTP_MORE);
    memset(chunk, 'x', sizeof chunk);
    for (int i = 0; i < 31; i++)
        assert_int_equal(http_parse_body(&parse, chunk, sizeof chunk, NULL, NULL, &used),
                         HTTP_MORE);
    assert_int_equal(http_parse_body(&parse, chunk, sizeof chunk, NULL, NULL, &used), HTTP_REFUSED);
    assert_int_equal(parse.status, 413);
}

static void chunk_extensions_have_names_and_values(void **state)
{
    static const struct {
        const char *body;
        enum http_progress wanted;
    } rows[] = {
        {"0;a\r\n\r\n", HTTP_WHOLE},
        {"0;a;b\r\n\r\n", HTTP_WHOLE},
        {"0;a=b\r\n\r\n", HTTP_WHOLE},
        {"0;a=\"b c\";d=e\r\n\r\n", HTTP_WHOLE},
        {"0;a=\"\"\r\n\r\n", HTTP_WHOLE},
        {"0;\r\n\r\n", HTTP_REFUSED},
        {"0;;\r\n\r\n", HTTP_REFUSED},
        {"0;;a\r\n\r\n", HTTP_REFUSED},
        {"0;a;;b\r\n\r\n", HTTP_REFUSED},
        {"0;=b\r\n\r\n", HTTP_REFUSED},
        {"0;a=\r\n\r\n", HTTP_REFUSED},
        {"0;a=;b\r\n\r\n", HTTP_REFUSED},
        {"1;;a\r\nx\r\n0\r\n\r\n", HTTP_REFUSED},
        {"0;a=\"b\r\n\r\n", HTTP_REFUSED},
    };
    size_t used;

    (void)state;
    for (size_t i = 0; i < array_len(rows); i++) {
        const char *body = rows[i].body;
        enum http_progress progress = HTTP_MORE;

        assert_int_equal(status_with("Transfer-Encoding: chunked\r\n"), 0);
        assert_int_equal(http_parse_body(&parse, body, strlen(body), NULL, NULL, &used),
                         rows[i].wanted);
        assert_int_equal(status_with("Transfer-Encoding: chunked\r\n"), 0);
        for (const char *at = body; progress == HTTP_MORE && *at; at++)
            progress = http_parse_body(&parse, at, 1, NULL, NULL, &used);
        assert_int_equal(progress, rows[i].wanted);
        assert_int_equal(parse.status, rows[i].wanted == HTTP_WHOLE ? 0 : 400);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_is_taken_apart),
        cmocka_unit_test(a_request_cut_anywhere_means_the_same),
        cmocka_unit_test(connection_says_whether_it_stays),
        cmocka_unit_test(host_is_required_once_and_valid),
        cmocka_unit_test(framing_that_two_servers_could_read_differently_is_refused),
        cmocka_unit_test(nul_bytes_are_refused),
        cmocka_unit_test(request_lines_are_exact),
        cmocka_unit_test(limits_have_their_own_answers),
        cmocka_unit_test(expect_is_understood_or_417),
        cmocka_unit_test(a_chunked_body_is_decoded_and_ends_where_it_ends),
        cmocka_unit_test(chunk_extensions_have_names_and_values),
        cmocka_unit_test(bodies_that_are_wrong_or_too_large_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
