/* SPDX-License-Identifier: MIT */
/* test_keypath.c - the normal form of path and query. */
#include "shm/keypath.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const struct config_key all = {.query = QUERY_ALL};
static const struct config_key none = {.query = QUERY_NONE};

static void check(const struct config_key *key, const char *url, const char *wanted)
{
    char out[8192];
    size_t bytes = 0;

    assert_int_equal(keypath_normalise(key, url, strlen(url), out, sizeof out, &bytes), 0);
    out[bytes] = '\0';
    assert_string_equal(out, wanted);
    assert_true(bytes <= strlen(url));
}

static void a_path_alone_stays(void **state)
{
    check(&all, "/a%20b/ü", "/a%20b/ü");
    check(&all, "", "");
}

static void parameters_are_sorted_by_name_and_those_of_one_name_stay_in_order(void **state)
{
    check(&all, "/?b=2&a=1&c=3", "/?a=1&b=2&c=3");
    check(&all, "/?b&a=2&a=1&a", "/?a=2&a=1&a&b");
    check(&all, "/?a=1&a%3D1&A=1", "/?A=1&a=1&a%3D1");
}

static void equal_parameters_all_stay(void **state)
{
    check(&all, "/?a=1&b&a=1", "/?a=1&a=1&b");
}

static void empty_queries_and_empty_parameters_go(void **state)
{
    check(&all, "/p?", "/p");
    check(&all, "/p?&&", "/p");
    check(&all, "/p?&b&&a&", "/p?a&b");
    check(&none, "/p?a=1", "/p");
}

static void fragments_go(void **state)
{
    check(&all, "/p#x?y=1", "/p");
    check(&all, "/p?b&a#x&c", "/p?a&b");
}

static void a_second_question_mark_is_part_of_the_query(void **state)
{
    check(&all, "/p?b=?&a", "/p?a&b=?");
}

static void only_named_parameters_stay(void **state)
{
    char *names[] = {(char *)"page", (char *)"q"};
    struct config_key named = {.query = QUERY_NAMED, .query_names = {names, 2}};

    check(&named, "/?q=x&utm=1&page=2&pages=3&pag=4&page", "/?page=2&page&q=x");
    check(&named, "/?utm=1", "/");
    check(&named, "/?=q&PAGE=1", "/");
}

static void sorting_twice_changes_nothing(void **state)
{
    check(&all, "/?a=1&a=2&b", "/?a=1&a=2&b");
}

/* /?p127&p126…: as many as asked for, descending. */
static size_t many(char *out, size_t cap, int count)
{
    size_t used = (size_t)snprintf(out, cap, "/?");

    for (int i = count; i-- > 0;)
        used += (size_t)snprintf(out + used, cap - used, "%sp%03d", i == count - 1 ? "" : "&", i);
    return used;
}

static void the_most_parameters_are_sorted_and_one_more_leaves_them_as_they_are(void **state)
{
    char url[2048];
    char out[2048];
    size_t bytes = 0;
    size_t url_bytes = many(url, sizeof url, 128);

    assert_int_equal(keypath_normalise(&all, url, url_bytes, out, sizeof out, &bytes), 0);
    assert_int_equal(bytes, url_bytes);
    assert_memory_equal(out, "/?p000&p001&p002", 16);

    url_bytes = many(url, sizeof url, 129);
    assert_int_equal(keypath_normalise(&all, url, url_bytes, out, sizeof out, &bytes), 0);
    assert_int_equal(bytes, url_bytes);
    assert_memory_equal(out, url, url_bytes);
}

static void too_small_a_buffer_is_refused_and_the_result_left_alone(void **state)
{
    char out[8];
    size_t bytes = 77;

    assert_int_equal(keypath_normalise(&all, "/?b&a", 5, out, 4, &bytes), -ENOBUFS);
    assert_int_equal(keypath_normalise(&all, "/?b&a", 5, out, 0, &bytes), -ENOBUFS);
    assert_int_equal(bytes, 77);
    assert_int_equal(keypath_normalise(&all, "/?b&a", 5, out, 5, &bytes), 0);
    assert_int_equal(bytes, 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_path_alone_stays),
        cmocka_unit_test(parameters_are_sorted_by_name_and_those_of_one_name_stay_in_order),
        cmocka_unit_test(equal_parameters_all_stay),
        cmocka_unit_test(empty_queries_and_empty_parameters_go),
        cmocka_unit_test(fragments_go),
        cmocka_unit_test(a_second_question_mark_is_part_of_the_query),
        cmocka_unit_test(only_named_parameters_stay),
        cmocka_unit_test(sorting_twice_changes_nothing),
        cmocka_unit_test(the_most_parameters_are_sorted_and_one_more_leaves_them_as_they_are),
        cmocka_unit_test(too_small_a_buffer_is_refused_and_the_result_left_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
