/* SPDX-License-Identifier: MIT */
/* test_config_identity.c - which options make other pages. */
#include "master/config_identity.h"

#include "master/config_load.h"
#include "shm/base.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static uint64_t identity_of(const char *yaml)
{
    struct config_problems problems = {0};
    struct config *config = NULL;
    uint64_t identity;

    assert_int_equal(config_parse(yaml, strlen(yaml), "test", NULL, 0, &config, &problems), 0);
    identity = config_identity(config);
    config_problems_done(&problems);
    config_free(config);
    return identity;
}

static void what_shows_in_a_page_or_its_key_counts(void **state)
{
    static const char *const others[] = {
        "headers: {x-site: one}\n",
        "headers: {x-site: two}\n",
        "env: {API_URL: a}\n",
        "env: {API_URL: b}\n",
        "bundle: {function: app.render}\n",
        "bundle: {template: index.html}\n",
        "cache: {key: {query: none}}\n",
        "cache: {key: {query: [a]}}\n",
        "cache: {key: {query: [b]}}\n",
        "cache: {key: {headers: [accept-language]}}\n",
        "cache: {key: {cookies: [theme]}}\n",
        "routes: [{match: /a/*, headers: {x-site: one}}]\n",
        "routes: [{match: /b/*, headers: {x-site: one}}]\n",
        "routes: [{match: /a/*, cache: {key: {query: none}}}]\n",
    };
    uint64_t identity[array_len(others) + 1] = {identity_of("")};

    (void)state;
    for (size_t i = 0; i < array_len(others); i++) {
        identity[i + 1] = identity_of(others[i]);
        for (size_t k = 0; k <= i; k++)
            assert_true(identity[i + 1] != identity[k]);
    }
}

static void where_how_fast_and_how_long_does_not(void **state)
{
    uint64_t identity = identity_of("");

    (void)state;
    assert_true(identity_of("") == identity);
    assert_true(identity_of("workers: 3\nlisten: [127.0.0.1:1]\nlog: {level: debug}\n") ==
                identity);
    assert_true(identity_of("cache: {ttl: 7s, swr: 1s, cold: 1GiB, file: a, on_reload: stale}\n") ==
                identity);
    assert_true(
        identity_of("render: {timeout: 1s, queue: 3}\nbundle: {path: x.js, warmup: []}\n") ==
        identity);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_shows_in_a_page_or_its_key_counts),
        cmocka_unit_test(where_how_fast_and_how_long_does_not),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
