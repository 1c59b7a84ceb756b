/* SPDX-License-Identifier: MIT */
/*
 * test_http_smuggling.c - requests that two servers could read differently, one a list of what has been tried against proxies and
 * servers (CL.TE, TE.CL, TE.TE, disguised fields, chunks, line ends, targets, hosts): each is refused, whole or cut, and
 * nothing behind it is read. What differs from one of these by being right is taken, and ends where it ends.
 */
#include "tests/unit/http_sample.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#define NEXT "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"
#define HEAD(line) "GET / HTTP/1.1\r\nHost: a\r\n" line "\r\n\r\n"
#define POST(fields) "POST / HTTP/1.1\r\nHost: a\r\n" fields "\r\n\r\n"
#define CHUNKED(body) POST("Transfer-Encoding: chunked") body
#define TEXT(literal)                                                                              \
    {                                                                                              \
        literal, sizeof(literal) - 1                                                               \
    }

static const struct span refused[] = {
    /* two lengths of one body */
    TEXT(POST("Content-Length: 6\r\nTransfer-Encoding: chunked") "0\r\n\r\nG" NEXT),
    TEXT(POST("Transfer-Encoding: chunked\r\nContent-Length: 4") "5c\r\n" NEXT),
    TEXT(POST("Content-Length: 0\r\nTransfer-Encoding: chunked") "0\r\n\r\n"),
    TEXT(POST("Content-Length: 5\r\nContent-Length: 0") "hello" NEXT),
    TEXT(POST("Content-Length: 5\r\ncontent-length: 5") "hello"),
    TEXT(POST("Content-Length: 5, 0") "hello"),
    TEXT(POST("Content-Length: 5\r\n , 0") "hello"),
    TEXT(POST("Content-Length: 0,5") "hello"),
    /* lengths that are none, or that some read in another way */
    TEXT(POST("Content-Length: ")),
    TEXT(POST("Content-Length: +5") "hello"),
    TEXT(POST("Content-Length: -5") "hello"),
    TEXT(POST("Content-Length: 5 5") "hello"),
    TEXT(POST("Content-Length: 5\v") "hello"),
    TEXT(POST("Content-Length: \v5") "hello"),
    TEXT(POST("Content-Length: 5\0") "hello"),
    TEXT(POST("Content-Length: 0x5") "hello"),
    TEXT(POST("Content-Length: 5e0") "hello"),
    TEXT(POST("Content-Length: 5.0") "hello"),
    TEXT(POST("Content-Length: \"5\"") "hello"),
    TEXT(POST("Content-Length: 5;") "hello"),
    TEXT(POST("Content-Length: 0_5") "hello"),
    TEXT(POST("Content-Length: \xc2\xb2") "he"),
    TEXT(POST("Content-Length: 18446744073709551621") "hello"),
    TEXT(POST("Content-Length : 5") "hello"),
    TEXT(POST("Content-Length\t: 5") "hello"),
    TEXT(POST(" Content-Length: 5") "hello"),
    TEXT(POST("Content-Length\0: 5") "hello"),
    TEXT(POST("Content-Length\r\n: 5") "hello"),
    /* codings in disguise */
    TEXT(POST("Transfer-Encoding : chunked") "0\r\n\r\n"),
    TEXT(POST("Transfer-Encoding\t: chunked") "0\r\n\r\n"),
    TEXT(POST(" Transfer-Encoding: chunked") "0\r\n\r\n"),
    TEXT(POST("X: a\r\n Transfer-Encoding: chunked") "0\r\n\r\n"),
    TEXT(POST("X: a\nTransfer-Encoding: chunked") "0\r\n\r\n"),
    TEXT(POST("X: a\rTransfer-Encoding: chunked") "0\r\n\r\n"),
    TEXT(POST("Transfer-Encoding:\n chunked") "0\r\n\r\n"),
    TEXT(POST("Transfer-Encoding:\r\n chunked") "0\r\n\r\n"),
    TEXT(POST("Transfer-Encoding: \vchunked") "0\r\n\r\n"),
    TEXT(POST("Transfer-Encoding: chunked\v") "0\r\n\r\n"),
    TEXT(POST("Transfer-Encoding: chunked\0") "0\r\n\r\n"),
    TEXT(POST("Transfer-Encoding: \xa0"
              "chunked") "0\r\n\r\n"),
    TEXT(POST("Transfer-Encoding: xchunked") "0\r\n\r\n"),
    TEXT(POST("Transfer-Encoding: chunkedx") "0\r\n\r\n"),
    TEXT(POST("Transfer-Encoding: \"chunked\"") "0\r\n\r\n"),
    TEXT(POST("Transfer-Encoding: 'chunked'") "0\r\n\r\n"),
    TEXT(POST("Transfer-Encoding: chunked;q=1") "0\r\n\r\n"),
    TEXT(POST("Transfer-Encoding: chunked,") "0\r\n\r\n"),
    TEXT(POST("Transfer-Encoding: ,chunked") "0\r\n\r\n"),
    TEXT(POST("Transfer-Encoding: chunked, chunked") "0\r\n\r\n"),
    TEXT(POST("Transfer-Encoding: identity, chunked") "0\r\n\r\n"),
    TEXT(POST("Transfer-Encoding: chunked, identity") "0\r\n\r\n"),
    TEXT(POST("Transfer-Encoding: identity") "0\r\n\r\n"),
    TEXT(POST("Transfer-Encoding: gzip, chunked") "0\r\n\r\n"),
    TEXT(POST("Transfer-Encoding: ") "0\r\n\r\n"),
    TEXT(POST("Transfer-Encoding: chunked\r\nTransfer-Encoding: x") "0\r\n\r\n"),
    TEXT(POST("Transfer-Encoding: x\r\nTransfer-Encoding: chunked") "0\r\n\r\n"),
    TEXT("POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    /* chunks */
    TEXT(CHUNKED("x\r\nhello\r\n0\r\n\r\n")),
    TEXT(CHUNKED("\r\nhello\r\n0\r\n\r\n")),
    TEXT(CHUNKED("0x5\r\nhello\r\n0\r\n\r\n")),
    TEXT(CHUNKED("+5\r\nhello\r\n0\r\n\r\n")),
    TEXT(CHUNKED("-5\r\nhello\r\n0\r\n\r\n")),
    TEXT(CHUNKED(" 5\r\nhello\r\n0\r\n\r\n")),
    TEXT(CHUNKED("5 \r\nhello\r\n0\r\n\r\n")),
    TEXT(CHUNKED("5\t\r\nhello\r\n0\r\n\r\n")),
    TEXT(CHUNKED("5_\r\nhello\r\n0\r\n\r\n")),
    TEXT(CHUNKED("5\nhello\r\n0\r\n\r\n")),
    TEXT(CHUNKED("5\rhello\r\n0\r\n\r\n")),
    TEXT(CHUNKED("5\r\r\nhello\r\n0\r\n\r\n")),
    TEXT(CHUNKED("5\0\r\nhello\r\n0\r\n\r\n")),
    TEXT(CHUNKED("5\r\nhello\n0\r\n\r\n")),
    TEXT(CHUNKED("5\r\nhelloX\r\n0\r\n\r\n")),
    TEXT(CHUNKED("5\r\nhello0\r\n\r\n")),
    TEXT(CHUNKED("5\r\nhello\r\r\n0\r\n\r\n")),
    TEXT(CHUNKED("10000000000000005\r\nhello\r\n0\r\n\r\n")),
    TEXT(CHUNKED("ffffffffffffffff\r\nhello\r\n0\r\n\r\n")),
    TEXT(CHUNKED("5;a\nhello\r\n0\r\n\r\n")),
    TEXT(CHUNKED("5;a\rX\r\nhello\r\n0\r\n\r\n")),
    TEXT(CHUNKED("5;a=\"\nb\"\r\nhello\r\n0\r\n\r\n")),
    TEXT(CHUNKED("5;a\0b\r\nhello\r\n0\r\n\r\n")),
    TEXT(CHUNKED("0\n\r\n")),
    TEXT(CHUNKED("0\r\nX: a\nY: b\r\n\r\n")),
    TEXT(CHUNKED("0\r\nX: a\rY: b\r\n\r\n")),
    TEXT(CHUNKED("0\r\nX : a\r\n\r\n")),
    TEXT(CHUNKED("0\r\n X: a\r\n\r\n")),
    TEXT(CHUNKED("0\r\nX: \0\r\n\r\n")),
    TEXT(CHUNKED("0\r\nnonsense\r\n\r\n")),
    TEXT(CHUNKED("0\r\n\n") NEXT),
    TEXT(CHUNKED("0\r\nX: a\r\n\n") NEXT),
    TEXT(CHUNKED("0\r\n:\r\n\r\n")),
    TEXT(CHUNKED("0\r\n: a\r\n\r\n")),
    TEXT(CHUNKED("0\r\nX: a\r\n b\r\n\r\n")),
    TEXT(CHUNKED("0\r\nX: a\r\n\tb\r\n\r\n")),
    TEXT(CHUNKED("0\r\nX: a\r\n\r\r\n")),
    TEXT(CHUNKED("5\r\nhello\r\n0;a=b\r\n\n") NEXT),
    TEXT(CHUNKED("0\r\nTransfer-Encoding: chunked\r\n\r\n")),
    /* line ends and white space */
    TEXT("GET / HTTP/1.1\nHost: a\r\n\r\n"),
    TEXT("GET / HTTP/1.1\r\nHost: a\n\r\n"),
    TEXT("GET / HTTP/1.1\r\nHost: a\r\n\n"),
    TEXT("GET / HTTP/1.1\r\nHost: a\r\r\n\r\n"),
    TEXT("GET / HTTP/1.1\rHost: a\r\n\r\n"),
    TEXT("GET / HTTP/1.1\r\n\r\nHost: a\r\n\r\n"),
    TEXT(" GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
    TEXT("GET\v/ HTTP/1.1\r\nHost: a\r\n\r\n"),
    TEXT("GET /\fHTTP/1.1\r\nHost: a\r\n\r\n"),
    TEXT("GET /\tHTTP/1.1\r\nHost: a\r\n\r\n"),
    TEXT("GET / HTTP/1.1\v\r\nHost: a\r\n\r\n"),
    TEXT("GET / a HTTP/1.1\r\nHost: a\r\n\r\n"),
    TEXT("GET / HTTP/1.1 HTTP/1.1\r\nHost: a\r\n\r\n"),
    TEXT("GET /\r\nHost: a\r\n\r\n"),
    TEXT("\r GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
    /* versions */
    TEXT("GET / http/1.1\r\nHost: a\r\n\r\n"),
    TEXT("GET / HTTP/1\r\nHost: a\r\n\r\n"),
    TEXT("GET / HTTP/1.\r\nHost: a\r\n\r\n"),
    TEXT("GET / HTTP/1.10\r\nHost: a\r\n\r\n"),
    TEXT("GET / HTTP/01.1\r\nHost: a\r\n\r\n"),
    TEXT("GET / HTTP/1,1\r\nHost: a\r\n\r\n"),
    TEXT("GET / HTTP/1.2\r\nHost: a\r\n\r\n"),
    TEXT("GET / HTTP/0.9\r\nHost: a\r\n\r\n"),
    TEXT("GET / HTTP /1.1\r\nHost: a\r\n\r\n"),
    TEXT("GET / ICY/1.1\r\nHost: a\r\n\r\n"),
    /* names and values of fields */
    TEXT(HEAD("X@: a")),
    TEXT(HEAD("X(: a")),
    TEXT(HEAD("X\x80: a")),
    TEXT(HEAD("X\x7f: a")),
    TEXT(HEAD("X a: b")),
    TEXT(HEAD("\"X\": a")),
    TEXT(HEAD("X/: a")),
    TEXT(HEAD("X{: a")),
    TEXT(HEAD("X: a\x7f")),
    TEXT(HEAD("X: \x1b[2J")),
    TEXT(HEAD("X: a\r\n\tb")),
    TEXT(HEAD("X")),
    TEXT(HEAD(":")),
    TEXT(HEAD("X: a\r\n: b")),
    /* hosts and targets that some would route elsewhere */
    TEXT("GET / HTTP/1.1\r\nHost: a\r\nhost: b\r\n\r\n"),
    TEXT("GET / HTTP/1.1\r\nHost: a\r\n Host: b\r\n\r\n"),
    TEXT("GET / HTTP/1.1\r\nHost : a\r\n\r\n"),
    TEXT("GET / HTTP/1.1\r\nHost: a@b\r\n\r\n"),
    TEXT("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"),
    TEXT("GET / HTTP/1.1\r\nHost: a?b\r\n\r\n"),
    TEXT("GET / HTTP/1.1\r\nHost: a#b\r\n\r\n"),
    TEXT("GET / HTTP/1.1\r\nHost: a\\b\r\n\r\n"),
    TEXT("GET / HTTP/1.1\r\nHost: a|b\r\n\r\n"),
    TEXT("GET / HTTP/1.1\r\nHost: a:b\r\n\r\n"),
    TEXT("GET / HTTP/1.1\r\nHost: a:1:2\r\n\r\n"),
    TEXT("GET / HTTP/1.1\r\nHost: a:-1\r\n\r\n"),
    TEXT("GET / HTTP/1.1\r\nHost: [::1\r\n\r\n"),
    TEXT("GET / HTTP/1.1\r\nHost: [::1]a\r\n\r\n"),
    TEXT("GET / HTTP/1.1\r\nHost: :80\r\n\r\n"),
    TEXT("GET / HTTP/1.1\r\nHost: a b\r\n\r\n"),
    TEXT("GET / HTTP/1.1\r\nHost: a\tb\r\n\r\n"),
    TEXT("GET / HTTP/1.1\r\nHost: \xc3\xa4\r\n\r\n"),
    TEXT("GET / HTTP/1.1\r\nHost: \r\n\r\n"),
    TEXT("GET http://a@b/ HTTP/1.1\r\nHost: b\r\n\r\n"),
    TEXT("GET http:///x HTTP/1.1\r\nHost: b\r\n\r\n"),
    TEXT("GET http:/x HTTP/1.1\r\nHost: b\r\n\r\n"),
    TEXT("GET http://a HTTP/1.1\r\nHost: b\r\n\r\n"),
    TEXT("GET http://a?x HTTP/1.1\r\nHost: b\r\n\r\n"),
    TEXT("GET javascript:x HTTP/1.1\r\nHost: b\r\n\r\n"),
    TEXT("GET a:80 HTTP/1.1\r\nHost: b\r\n\r\n"),
    TEXT("GET \\x HTTP/1.1\r\nHost: b\r\n\r\n"),
    TEXT("GET @b/x HTTP/1.1\r\nHost: b\r\n\r\n"),
    TEXT("GET ?x HTTP/1.1\r\nHost: b\r\n\r\n"),
    TEXT("GET /x#y HTTP/1.1\r\nHost: b\r\n\r\n"),
    TEXT("GET /x\0y HTTP/1.1\r\nHost: b\r\n\r\n"),
    TEXT("GET /\x7f HTTP/1.1\r\nHost: b\r\n\r\n"),
    TEXT("CONNECT b:443 HTTP/1.1\r\nHost: b\r\n\r\n"),
    TEXT("OPTIONS *x HTTP/1.1\r\nHost: b\r\n\r\n"),
    TEXT("G\0T / HTTP/1.1\r\nHost: a\r\n\r\n"),
    TEXT("GET\0 / HTTP/1.1\r\nHost: a\r\n\r\n"),
    /* another protocol */
    TEXT("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    TEXT("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
    TEXT("PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n" NEXT),
    TEXT("\x80\x2e\x01\x03\x01"),
};

/* Right, however odd: what follows is the next request. */
static const struct {
    struct span request;
    size_t then; /* bytes of what follows */
} taken[] = {
    {TEXT(CHUNKED("5\r\nhello\r\n0\r\n\r\n") NEXT), sizeof NEXT - 1},
    {TEXT(CHUNKED("000005;a=b\r\nhello\r\n0\r\nX: a\r\n\r\n") NEXT), sizeof NEXT - 1},
    {TEXT(CHUNKED("0\r\nX: a\r\n\r\n") NEXT), sizeof NEXT - 1},
    {TEXT(CHUNKED("0\r\nX:\r\nY: \ta b\t \r\n\r\n") NEXT), sizeof NEXT - 1},
    {TEXT(CHUNKED("5\r\nhello\r\n00;a=\"b\"\r\nContent-Length: 9\r\nConnection: close\r\n\r\n")
              NEXT),
     sizeof NEXT - 1},
    {TEXT(POST("Transfer-Encoding:\tCHUNKED") "0\r\n\r\n" NEXT), sizeof NEXT - 1},
    {TEXT(POST("Content-Length:5 ") "hello" NEXT), sizeof NEXT - 1},
    {TEXT(POST("Content-Length: 0005") "hello" NEXT), sizeof NEXT - 1},
    {TEXT(HEAD("Content-Length: 5") "hello" NEXT), sizeof NEXT - 1}, /* a GET with a body */
    {TEXT(POST("Content_Length: 5\r\nTransfer_Encoding: chunked") NEXT), sizeof NEXT - 1},
    {TEXT(POST("Connection: Transfer-Encoding\r\nUpgrade: h2c\r\nContent-Length: 2") "hi" NEXT),
     sizeof NEXT - 1},
    {TEXT("\r\n\r\nGET http://b:80/x HTTP/1.1\r\nHost: a\r\n\r\n" NEXT), sizeof NEXT - 1},
    {TEXT("GET //b/x HTTP/1.1\r\nHost: a\r\n\r\n" NEXT), sizeof NEXT - 1},
};

/* Feeds it in reads of `step` bytes. Returns what was used of it, SIZE_MAX: refused, 0: more is wanted. */
static size_t read_by(struct span text, size_t step)
{
    enum http_progress progress = HTTP_MORE;
    struct http_parse p;
    size_t at = 0;

    http_parse_init(&p, &sample_limits);
    while (progress == HTTP_MORE && at < text.bytes) {
        at = text.bytes - at > step ? at + step : text.bytes;
        progress = http_parse_head(&p, text.data, at);
    }
    if (progress != HTTP_WHOLE)
        return progress == HTTP_REFUSED ? SIZE_MAX : 0;
    at = p.head_bytes;
    if (!p.has_body)
        return at;
    for (progress = HTTP_MORE; progress == HTTP_MORE && at < text.bytes;) {
        size_t n = text.bytes - at > step ? step : text.bytes - at;
        size_t used;

        progress = http_parse_body(&p, text.data + at, n, NULL, NULL, &used);
        at += used;
    }
    return progress == HTTP_WHOLE ? at : progress == HTTP_REFUSED ? SIZE_MAX : 0;
}

static void what_has_two_readings_is_refused_however_it_is_cut(void **state)
{
    unsigned wrong = 0;

    (void)state;
    for (size_t i = 0; i < array_len(refused); i++)
        for (size_t step = 1; step < 200; step = 3 * step + 1)
            if (read_by(refused[i], step) != SIZE_MAX) {
                print_error("taken, by %zu bytes: %.*s\n", step, (int)refused[i].bytes,
                            refused[i].data);
                wrong++;
            }
    assert_int_equal(wrong, 0);
}

static void what_is_right_ends_where_it_ends(void **state)
{
    (void)state;
    for (size_t i = 0; i < array_len(taken); i++)
        for (size_t step = 1; step < 200; step = 3 * step + 1)
            if (read_by(taken[i].request, step) != taken[i].request.bytes - taken[i].then)
                fail_msg("%zu of it used, by %zu bytes: %.*s", read_by(taken[i].request, step),
                         step, (int)taken[i].request.bytes, taken[i].request.data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_has_two_readings_is_refused_however_it_is_cut),
        cmocka_unit_test(what_is_right_ends_where_it_ends),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
