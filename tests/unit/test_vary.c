/* SPDX-License-Identifier: MIT */
/* test_vary.c - names, records and keys of variants. */
#include "worker/vary.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct vary names_of(const char *list)
{
    struct vary vary;

    vary_init(&vary);
    while (*list) {
        size_t bytes = strcspn(list, " ");

        assert_true(vary_add(&vary, list, bytes));
        list += bytes + (list[bytes] != 0);
    }
    return vary;
}

static void assert_names(const struct vary *vary, const char *expected)
{
    assert_int_equal(vary->bytes, strlen(expected));
    assert_memory_equal(vary->text, expected, vary->bytes);
}

/* The key of a request with these fields, by these names. Returns what vary_key() did. */
static int key_of(const char *names, const char *fields, char buf[static 1000], struct key *key)
{
    static const struct http_limits limits = {8192, 0};
    static const struct config_key policy = {.query = QUERY_ALL};
    struct vary vary = names_of(names);
    static struct http_parse parse;
    static char text[2000];
    int n = snprintf(text, sizeof text, "GET /p HTTP/1.1\r\nHost: a\r\n%s\r\n", fields);

    http_parse_init(&parse, &limits);
    assert_int_equal(http_parse_head(&parse, text, (size_t)n), HTTP_WHOLE);
    assert_int_equal(key_build(&policy, &parse, (struct span){NULL, 0}, buf, 1000, key), 0);
    return vary_key(&vary, &parse, buf, 1000, key);
}

static void assert_key(const char *names, const char *fields, const char *expected)
{
    char buf[1000];
    struct key key;

    assert_int_equal(key_of(names, fields, buf, &key), 0);
    if (key.bytes != strlen(expected) || memcmp(key.data, expected, key.bytes) != 0)
        fail_msg("key: %.*s", (int)key.bytes, key.data);
    assert_int_equal(key.hash, key_hash(key.data, key.bytes));
    assert_int_equal(key.primary_bytes, 3);
}

static void assert_same(const char *names, const char *one, const char *other, bool same)
{
    char buf[2][1000];
    struct key key[2];

    assert_int_equal(key_of(names, one, buf[0], &key[0]), 0);
    assert_int_equal(key_of(names, other, buf[1], &key[1]), 0);
    assert_int_equal(
        key[0].bytes == key[1].bytes && memcmp(key[0].data, key[1].data, key[0].bytes) == 0, same);
}

static void names_are_sorted_and_stand_once(void **state)
{
    struct vary vary = names_of("b A c B a");

    (void)state;
    assert_names(&vary, "a\nb\nc");
    assert_int_equal(vary.count, 3);
    assert_true(vary_has(&vary, "b", 1));
    assert_false(vary_has(&vary, "ab", 2));
    assert_names(&(struct vary){0}, "");
}

static void a_prefix_of_a_name_is_another_name(void **state)
{
    struct vary vary = names_of("accept accept-language acc");

    (void)state;
    assert_names(&vary, "acc\naccept\naccept-language");
}

static void what_is_no_name_is_refused(void **state)
{
    static const char *const bad[] = {"*", "", "a b", "a\nb", "a=b", "a:b", "\x80", "a,"};
    struct vary vary = names_of("x");

    (void)state;
    for (size_t i = 0; i < array_len(bad); i++)
        assert_false(vary_add(&vary, bad[i], strlen(bad[i])));
    assert_names(&vary, "x");
}

static void too_many_names_are_refused(void **state)
{
    struct vary vary = names_of("");
    char name[] = "a";

    (void)state;
    for (; *name < 'a' + VARY_NAMES_MAX; ++*name)
        assert_true(vary_add(&vary, name, 1));
    assert_false(vary_add(&vary, "z", 1));
    assert_true(vary_add(&vary, "c", 1)); /* known */
}

static void a_key_tells_values_apart_and_absent_from_empty(void **state)
{
    (void)state;
    assert_key("foo", "Foo: 1\r\n", "a/p\n?\nfoo=1");
    assert_key("foo", "", "a/p\n?\nfoo");
    assert_key("foo", "Foo:\r\n", "a/p\n?\nfoo=");
    assert_key("foo bar", "Foo: 1\r\nBar: 2\r\n", "a/p\n?\nbar=2\nfoo=1");
    assert_same("foo", "Foo: 1\r\n", "Foo: 2\r\n", false);
    assert_same("foo", "Foo: 1\r\nX: 1\r\n", "X: 2\r\nfOO: 1\r\n", true);
}

static void values_that_mean_the_same_share_a_key(void **state)
{
    (void)state;
    assert_same("foo", "Foo: 1, 2\r\n", "Foo: 1\r\nFoo: 2\r\n", true);
    assert_same("foo", "Foo: 1 ,\t2\r\n", "Foo: 1,2\r\n", true);
    assert_same("foo", "Foo: 1 2\r\n", "Foo: 12\r\n", false);
    assert_same("foo", "Foo: \"1, 2\"\r\n", "Foo: \"1,2\"\r\n", false);
    assert_same("foo", "Foo: \"\\\", 2\"\r\n", "Foo: \"\\\",2\"\r\n", false);
    assert_same("foo", "Foo: a\r\n", "Foo: A\r\n", false);
    assert_same("accept-language", "Accept-Language: de, EN\r\n", "Accept-Language: DE,en\r\n",
                true);
    assert_same("accept-language", "Accept-Language: de, en\r\n", "Accept-Language: en, de\r\n",
                false);
}

static void a_variant_without_cookie_is_for_requests_without(void **state)
{
    char buf[1000];
    struct key key;

    (void)state;
    assert_int_equal(key_of("cookie", "Cookie: a\r\n", buf, &key), -EACCES);
    assert_int_equal(key_of("authorization", "Authorization: a\r\n", buf, &key), -EACCES);
    assert_key("cookie", "", "a/p\n?\ncookie");
}

static void a_key_that_is_too_long_is_none(void **state)
{
    char fields[1100];
    char buf[1000];
    struct key key;

    (void)state;
    (void)snprintf(fields, sizeof fields, "Foo: %0995d\r\n", 1);
    assert_int_equal(key_of("foo", fields, buf, &key), -ENOBUFS);
}

static void a_key_gives_its_names_back(void **state)
{
    char buf[1000];
    struct key key;
    struct vary vary;

    (void)state;
    assert_int_equal(key_of("foo bar", "Foo: a=b\r\n", buf, &key), 0);
    assert_true(vary_from_key(&vary, &key));
    assert_names(&vary, "bar\nfoo");
    key.bytes = key.primary_bytes;
    assert_false(vary_from_key(&vary, &key));
    assert_int_equal(vary.count, 0);
}

static void check_record(const char *body, size_t bytes, uint16_t status, const char *expected)
{
    struct page_source source = {.status = status, .key = {"k", 1}};
    uint64_t buf[200];
    struct vary vary;

    source.variant[PAGE_IDENTITY].head = (struct span){"", 0};
    source.variant[PAGE_IDENTITY].body = (struct span){body, bytes};
    assert_true(page_bytes(&source) <= sizeof buf);
    page_build(&source, (struct page *)buf);
    assert_int_equal(vary_from_record(&vary, (struct page *)buf), expected != NULL);
    if (expected)
        assert_names(&vary, expected);
}

static void a_record_gives_its_names_back_and_nothing_else_does(void **state)
{
    (void)state;
    check_record("bar\nfoo", 7, 0, "bar\nfoo");
    check_record("bar\nfoo", 7, 200, NULL);
    check_record("", 0, 0, NULL);
    check_record("a\n\nb", 4, 0, NULL);
    check_record("a b", 3, 0, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_sorted_and_stand_once),
        cmocka_unit_test(a_prefix_of_a_name_is_another_name),
        cmocka_unit_test(what_is_no_name_is_refused),
        cmocka_unit_test(too_many_names_are_refused),
        cmocka_unit_test(a_key_tells_values_apart_and_absent_from_empty),
        cmocka_unit_test(values_that_mean_the_same_share_a_key),
        cmocka_unit_test(a_variant_without_cookie_is_for_requests_without),
        cmocka_unit_test(a_key_that_is_too_long_is_none),
        cmocka_unit_test(a_key_gives_its_names_back),
        cmocka_unit_test(a_record_gives_its_names_back_and_nothing_else_does),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
