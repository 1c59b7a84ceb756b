/* SPDX-License-Identifier: MIT */
/* test_routepath.c - a path as routes see it. */
#include "shm/routepath.h"

#include "shm/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void check(const char *path, const char *wanted)
{
    char out[256];
    size_t bytes = routepath_normalise(path, strlen(path), out);

    assert_true(bytes <= strlen(path));
    out[bytes] = '\0';
    assert_string_equal(out, wanted);
    if (strcmp(path, wanted) != 0)
        assert_true(routepath_is_odd(path, strlen(path)));
}

static void plain_paths_stay(void **state)
{
    static const char *const plain[] = {"/",   "/a/b",         "/a//b",        "//a",
                                        "/a/", "/a.b/..c/...", "/%",           "/%zz",
                                        "/%2", "/a;b=c",       "/%2F%5c%25%00"};

    (void)state;
    for (size_t i = 0; i < array_len(plain); i++)
        check(plain[i], plain[i]);
    assert_false(routepath_is_odd("/a.b/c~d//e", 11));
}

static void dots_go_up(void **state)
{
    (void)state;
    check("/a/../b", "/b");
    check("/a/./b/.", "/a/b/");
    check("/a/b/..", "/a/");
    check("/../../a", "/a");
    check("/..", "/");
    check("/a//../b", "/a/b");
    check("/x/%2e%2E/a", "/a");
    check("/x/.%2e/%2E./a/%2e", "/a/");
    check("/x\\..\\a", "/a");
    check("\\a", "/a");
}

static void what_is_encoded_is_decoded_once(void **state)
{
    (void)state;
    check("/%61ccount/m%65", "/account/me");
    check("/caf%C3%a9%20x", "/caf\xc3\xa9 x");
    check("/%2561", "/%2561");
    check("/a%2f..%2fb", "/a%2f..%2fb");
}

static void a_route_can_not_be_stepped_around(void **state)
{
    static const char *const ways[] = {"/account/me",          "/%61ccount/me", "/x/../account/me",
                                       "/x\\..\\account/me",   "/./account/me", "/%2e/account/me",
                                       "/a/%2E%2e/account\\me"};
    static const char *const others[] = {"/account/../x", "/account%2Fme", "/account/%2e%2e/x",
                                         "/accoun%74"};
    struct config_route route = {.match = (char[]){"/account/*"}};
    struct config config = {.routes = {&route, 1}};

    (void)state;
    for (size_t i = 0; i < array_len(ways); i++)
        assert_ptr_equal(config_policy_for(&config, ways[i], strlen(ways[i])), &route.policy);
    for (size_t i = 0; i < array_len(others); i++)
        assert_ptr_equal(config_policy_for(&config, others[i], strlen(others[i])), &config.policy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_paths_stay),
        cmocka_unit_test(dots_go_up),
        cmocka_unit_test(what_is_encoded_is_decoded_once),
        cmocka_unit_test(a_route_can_not_be_stepped_around),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
