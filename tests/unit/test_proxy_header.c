/* SPDX-License-Identifier: MIT */
/* test_proxy_header.c - the PROXY protocol, versions 1 and 2. */
#include "worker/proxy_header.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define V2 "\r\n\r\n\0\r\nQUIT\n"
#define TEXT(literal) literal, sizeof(literal) - 1

static struct sockaddr_storage address;
static size_t used;

static const char *text_of_address(void)
{
    static char text[INET6_ADDRSTRLEN];

    if (address.ss_family == AF_INET)
        return inet_ntop(AF_INET, &((struct sockaddr_in *)&address)->sin_addr, text, sizeof text);
    if (address.ss_family == AF_INET6)
        return inet_ntop(AF_INET6, &((struct sockaddr_in6 *)&address)->sin6_addr, text,
                         sizeof text);
    return "none";
}

/* However the bytes are cut: until the last one is there, more are wanted. What follows is left. */
static void assert_whole(const char *data, size_t bytes, const char *expected)
{
    char more[1200];

    for (size_t i = 0; i < bytes; i++)
        assert_int_equal(proxy_header_parse(data, i, &used, &address), PROXY_MORE);
    memcpy(more, data, bytes);
    memcpy(more + bytes, "GET / HTTP/1.1\r\n", 16);
    assert_int_equal(proxy_header_parse(more, bytes + 16, &used, &address), PROXY_WHOLE);
    assert_int_equal(used, bytes);
    assert_string_equal(text_of_address(), expected);
}

static void version_1_is_a_line(void **state)
{
    (void)state;
    assert_whole(TEXT("PROXY TCP4 192.0.2.1 192.0.2.2 56324 443\r\n"), "192.0.2.1");
    assert_whole(TEXT("PROXY TCP6 2001:db8::1 ::1 0 65535\r\n"), "2001:db8::1");
    assert_whole(TEXT("PROXY UNKNOWN\r\n"), "none");
    assert_whole(TEXT("PROXY UNKNOWN ffff::1 ffff::2 65535 65535\r\n"), "none");
}

static void version_2_is_binary(void **state)
{
    (void)state;
    assert_whole(TEXT(V2 "\x21\x11\0\x0c\xc0\0\2\1\xc0\0\2\2\1\2\3\4"), "192.0.2.1");
    assert_whole(TEXT(V2 "\x21\x21\0\x24"
                         "\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1"
                         "\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\2"
                         "\1\2\3\4"),
                 "2001:db8::1");
    assert_whole(TEXT(V2 "\x21\x11\0\x0f\xc0\0\2\1\xc0\0\2\2\1\2\3\4\4\0\0"), "192.0.2.1");
    assert_whole(TEXT(V2 "\x20\0\0\0"), "none"); /* LOCAL */
    assert_whole(TEXT(V2 "\x21\0\0\0"), "none"); /* UNSPEC */
}

static void anything_else_is_refused(void **state)
{
    static const struct {
        const char *data;
        size_t bytes;
    } bad[] = {
        {TEXT("GET / HTTP/1.1\r\n")},
        {TEXT("PROXY\r\n")},
        {TEXT("PROXY TCP4 192.0.2.1 192.0.2.2 56324 443\n")},
        {TEXT("PROXY TCP4 192.0.2.1 192.0.2.2 56324\r\n")},
        {TEXT("PROXY TCP4 192.0.2.1 192.0.2.2 56324 443 \r\n")},
        {TEXT("PROXY TCP4  192.0.2.1 192.0.2.2 56324 443\r\n")},
        {TEXT("PROXY TCP4 192.0.2.256 192.0.2.2 56324 443\r\n")},
        {TEXT("PROXY TCP4 192.0.2.1 192.0.2.2 65536 443\r\n")},
        {TEXT("PROXY TCP4 192.0.2.1 192.0.2.2 -1 443\r\n")},
        {TEXT("PROXY TCP4 2001:db8::1 ::1 1 2\r\n")},
        {TEXT("PROXY TCP5 192.0.2.1 192.0.2.2 1 2\r\n")},
        {TEXT("PROXY TCP4 192.0.2.1\0 192.0.2.2 1 2\r\n")},
        {TEXT(
            "PROXY UNKNOWN ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
            "ffffffffffffffffffffffffffffffffffff\r\n")},
        {TEXT(V2 "\x11\x11\0\x0c\xc0\0\2\1\xc0\0\2\2\1\2\3\4")},
        {TEXT(V2 "\x22\x11\0\x0c\xc0\0\2\1\xc0\0\2\2\1\2\3\4")},
        {TEXT(V2 "\x21\x11\0\x0b\xc0\0\2\1\xc0\0\2\2\1\2\3\4")},
        {TEXT(V2 "\x21\x21\0\x0c\xc0\0\2\1\xc0\0\2\2\1\2\3\4")},
        {TEXT(V2 "\x21\x11\xff\xff\xc0\0\2\1\xc0\0\2\2\1\2\3\4")},
        {TEXT(V2 "\x21\x41\0\0")},
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (proxy_header_parse(bad[i].data, bad[i].bytes, &used, &address) != PROXY_REFUSED)
            fail_msg("taken: %zu", i);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(version_1_is_a_line),
        cmocka_unit_test(version_2_is_binary),
        cmocka_unit_test(anything_else_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
