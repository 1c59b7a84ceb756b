/* SPDX-License-Identifier: MIT */
/* test_fetch_allow.c - which hosts and addresses fetch.allow lets through (worker/fetch_allow.h). */
#include "worker/fetch_allow.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct str_list list_of(char **item, size_t count)
{
    return (struct str_list){.item = item, .count = count};
}

static bool host(const char *entry, const char *name, unsigned port)
{
    char *item[] = {(char *)(uintptr_t)entry};
    struct str_list allow = list_of(item, 1);

    return fetch_allow_host(&allow, name, port);
}

static bool address(const char *entry, const char *name, const char *text)
{
    char *item[] = {(char *)(uintptr_t)entry};
    struct str_list allow = list_of(item, 1);
    struct sockaddr_in four = {.sin_family = AF_INET};
    struct sockaddr_in6 six = {.sin6_family = AF_INET6};

    if (inet_pton(AF_INET, text, &four.sin_addr) == 1)
        return fetch_allow_address(&allow, name, 80, (struct sockaddr *)&four);
    assert_int_equal(inet_pton(AF_INET6, text, &six.sin6_addr), 1);
    return fetch_allow_address(&allow, name, 80, (struct sockaddr *)&six);
}

static void empty_list_allows_everything(void **state)
{
    struct str_list none = list_of(NULL, 0);
    struct sockaddr_in metadata = {.sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(UINT32_C(0xa9fea9fe))};

    (void)state;
    assert_true(fetch_allow_host(&none, "example.com", 80));
    assert_true(fetch_allow_address(&none, "example.com", 80, (struct sockaddr *)&metadata));
}

static void names_match_whole_and_without_case(void **state)
{
    (void)state;
    assert_true(host("api.example.com", "API.example.com", 443));
    assert_true(host("api.example.com", "api.example.com.", 443));
    assert_false(host("api.example.com", "xapi.example.com", 443));
    assert_false(host("api.example.com", "api.example.com.evil.org", 443));
    assert_false(host("example.com", "api.example.com", 443));
    assert_true(host("*.example.com", "api.example.com", 443));
    assert_false(host("*.example.com", "example.com", 443));
    assert_false(host("*.example.com", "evilexample.com", 443));
}

static void port_binds_when_it_is_given(void **state)
{
    (void)state;
    assert_true(host("api:8080", "api", 8080));
    assert_false(host("api:8080", "api", 80));
    assert_true(host("[::1]:8080", "[::1]", 8080));
    assert_false(host("[::1]:8080", "[::1]", 80));
    assert_true(host("::1", "[::1]", 80));
    assert_true(host("10.0.0.0/8", "10.200.3.4", 80));
    assert_false(host("10.0.0.0/8", "11.0.0.1", 80));
    assert_true(host("127.0.0.1", "[::ffff:127.0.0.1]", 80));
}

static void name_vouches_for_public_addresses_alone(void **state)
{
    static const char *const inside[] = {"127.0.0.1",
                                         "10.0.0.1",
                                         "172.31.255.255",
                                         "192.168.1.1",
                                         "169.254.169.254",
                                         "0.0.0.0",
                                         "224.0.0.1",
                                         "255.255.255.255",
                                         "100.64.0.1",
                                         "::1",
                                         "::",
                                         "fe80::1",
                                         "fd00::1",
                                         "ff02::1",
                                         "::ffff:127.0.0.1",
                                         "::ffff:10.0.0.1",
                                         "::7f00:1",
                                         "64:ff9b::7f00:1",
                                         "2002:7f00:1::",
                                         "64:ff9b::a00:1"};

    (void)state;
    assert_true(address("api.example.com", "api.example.com", "93.184.216.34"));
    assert_true(address("api.example.com", "api.example.com", "2606:2800::1"));
    assert_true(address("api.example.com", "api.example.com", "64:ff9b::5db8:d822"));
    for (size_t i = 0; i < sizeof inside / sizeof inside[0]; i++)
        if (address("api.example.com", "api.example.com", inside[i]))
            fail_msg("%s was allowed", inside[i]);
}

static void private_name_vouches_for_private_addresses(void **state)
{
    (void)state;
    assert_true(address("api", "api", "172.18.0.3"));
    assert_true(address("db.internal", "db.internal", "10.1.2.3"));
    assert_true(address("x.svc.cluster.local", "x.svc.cluster.local", "fd00::1"));
    assert_false(address("api", "api", "127.0.0.1"));
    assert_false(address("api", "api", "169.254.169.254"));
    assert_true(address("localhost", "localhost", "127.0.0.1"));
    assert_true(address("localhost", "localhost", "::1"));
    assert_false(address("localhost", "localhost", "10.0.0.1"));
}

static void listed_address_or_network_is_allowed_for_any_listed_name(void **state)
{
    char *item[] = {"api.example.com", "10.0.0.0/8"};
    struct str_list allow = list_of(item, 2);
    struct sockaddr_in ten = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x0a000001)};
    struct sockaddr_in other = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0xc0a80001)};

    (void)state;
    assert_true(fetch_allow_address(&allow, "api.example.com", 80, (struct sockaddr *)&ten));
    assert_false(fetch_allow_address(&allow, "api.example.com", 80, (struct sockaddr *)&other));
}

static void entries_are_judged(void **state)
{
    static const char *const bad[] = {"",    "http://a",    "a:b",  "a:0",    "a:99999",
                                      "a b", "10.0.0.0/33", "[::1", "[::1]x", "[a]",
                                      "*",   "*.",          "a/8",  "a:80:90"};
    static const char *const good[] = {"a",   "a:80",     "*.a.b",    "127.0.0.1", "10.0.0.0/8",
                                       "::1", "[::1]:80", "fd00::/8", "a_b.c"};

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (fetch_allow_is_entry(bad[i]))
            fail_msg("%s was taken", bad[i]);
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        if (!fetch_allow_is_entry(good[i]))
            fail_msg("%s was not taken", good[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(empty_list_allows_everything),
        cmocka_unit_test(names_match_whole_and_without_case),
        cmocka_unit_test(port_binds_when_it_is_given),
        cmocka_unit_test(name_vouches_for_public_addresses_alone),
        cmocka_unit_test(private_name_vouches_for_private_addresses),
        cmocka_unit_test(listed_address_or_network_is_allowed_for_any_listed_name),
        cmocka_unit_test(entries_are_judged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
