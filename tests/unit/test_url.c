/* SPDX-License-Identifier: MIT */
/* test_url.c - worker/url.h: what is parsed, what is refused, what setters do. */
#include "worker/url.h"

#include "shm/base.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* The serialization, or "failure". Valid until the next call. */
static const char *parse(const char *text, const char *base_text)
{
    static struct url url, base;
    static char out[1024];
    struct url_offsets offsets;

    if (base_text)
        assert_int_equal(url_parse(&base, base_text, strlen(base_text), NULL), 0);
    if (url_parse(&url, text, strlen(text), base_text ? &base : NULL) != 0)
        return "failure";
    assert_int_equal(url_serialize(&url, &offsets), 0);
    assert_true(url.href.bytes < sizeof out);
    memcpy(out, url.href.data, url.href.bytes);
    out[url.href.bytes] = 0;
    return out;
}

static void urls_are_normalized(void **state)
{
    static const struct {
        const char *text, *base, *want;
    } rows[] = {
        {" HTTP://User:p%40@EXAMPLE.com:80/a/./b/../c?q#f\n", NULL,
         "http://User:p%40@example.com/a/c?q#f"},
        {"https:example.org", NULL, "https://example.org/"},
        {"https:x", "https://example.org/a/b", "https://example.org/a/x"},
        {"//other/x", "https://example.org/a", "https://other/x"},
        {"/x\\y", "https://example.org/a", "https://example.org/x/y"},
        {"?q", "https://example.org/a?b#c", "https://example.org/a?q"},
        {"#f", "mailto:x?y", "mailto:x?y#f"},
        {"", "https://example.org/a?b#c", "https://example.org/a?b"},
        {"../../..", "https://example.org/a/b/c", "https://example.org/"},
        {"%2e%2E/x/%2e", "https://example.org/a/b/c", "https://example.org/a/x/"},
        {"http://a:b@c@d/", NULL, "http://a:b%40c@d/"},
        {"http://h/a b\"<>`{}?a b'\"<>#a b`", NULL,
         "http://h/a%20b%22%3C%3E%60%7B%7D?a%20b%27%22%3C%3E#a%20b%60"},
        {"x:/a/../..//b", NULL, "x:/.//b"},
        {"x:a b\x01", NULL, "x:a b"},
        {"x://H%41\xc3\xa9/p", NULL, "x://H%41%C3%A9/p"},
        {"file:///C|/a/../..", NULL, "file:///C:/"},
        {"file://localhost/x", NULL, "file:///x"},
        {"/y", "file:///C:/a/b", "file:///C:/y"},
        {"file:c:\\foo", NULL, "file:///c:/foo"},
        {"http://h\xc3\xa9.de/\xf0\x9f\x98\x80", NULL, "http://xn--h-bga.de/%F0%9F%98%80"},
        {"http://fa\xc3\x9f.de", NULL, "http://xn--fa-hia.de/"},
        {"http://0x7f.1/", NULL, "http://127.0.0.1/"},
        {"http://4294967295", NULL, "http://255.255.255.255/"},
        {"http://1.2.3.09x", NULL, "http://1.2.3.09x/"},
        {"http://0..0x300/", NULL, "http://0..0x300/"}, /* these four as of July 2021 */
        {"http://1.2.3.4.5", NULL, "http://1.2.3.4.5/"},
        {"http://0177.0.0.0189", NULL, "http://0177.0.0.0189/"},
        {"http://a\x1f\x7f", NULL, "http://a\x1f\x7f/"},
        {"http://[1:0::0:2]/", NULL, "http://[1::2]/"},
        {"http://[::ffff:1.2.3.4]/", NULL, "http://[::ffff:102:304]/"},
        {"http://[0:0:1:0:0:0:0:0]/", NULL, "http://[0:0:1::]/"},
        {"http://[1:2:3:4:5:6:7::]/", NULL, "http://[1:2:3:4:5:6:7:0]/"},
        {"http://h:00000000000000000000000080", NULL, "http://h/"},
        {"ht\ttp://a\nb/", NULL, "http://ab/"},
    };

    (void)state;
    for (size_t i = 0; i < array_len(rows); i++) {
        const char *got = parse(rows[i].text, rows[i].base);
        if (strcmp(got, rows[i].want) != 0)
            fail_msg("%s: %s, not %s", rows[i].text, got, rows[i].want);
    }
}

static void what_is_no_url_is_refused(void **state)
{
    static const char *const rows[] = {
        "",
        "x",
        "/x",
        "1x:y",
        "http:",
        "http://",
        "http:///",
        "http://:80",
        "http://h:x",
        "http://h:65536",
        "http://a b/",
        "http://a%00b/",
        "http://a%0ab/",
        "http://a@/",
        "http://[::1",
        "http://[::1]x/",
        "http://[1::2::3]",
        "http://[1:2:3:4:5:6:7]",
        "http://[1:2:3:4:5:6:7:8:9]",
        "http://[::1.2.3]",
        "http://[::01.2.3.4]",
        "http://[:1]",
        "http://[1:]",
        "http://[g::]",
        "http://1.2.3.256",
        "http://256.256.256.256",
        "http://0x100000000",
        "http://xn--a",
        "http://\xc2\xad/",
        "x://a b",
        "file://a:80/",
        "http://%zz/",
    };

    (void)state;
    for (size_t i = 0; i < array_len(rows); i++)
        if (strcmp(parse(rows[i], NULL), "failure") != 0)
            fail_msg("%s is taken for %s", rows[i], parse(rows[i], NULL));
}

static void offsets_point_to_the_parts(void **state)
{
    static const char text[] = "https://user:pass@example.com:1234/foo/bar?baz#quux";
    struct url_offsets o;
    struct url url = {0};

    (void)state;
    assert_int_equal(url_parse(&url, text, sizeof text - 1, NULL), 0);
    assert_int_equal(url_serialize(&url, &o), 0);
    assert_int_equal(o.protocol_end, 6);
    assert_int_equal(o.username_end, 12);
    assert_int_equal(o.host_start, 17);
    assert_int_equal(o.host_end, 29);
    assert_int_equal(o.port, 1234);
    assert_int_equal(o.pathname_start, 34);
    assert_int_equal(o.search_start, 42);
    assert_int_equal(o.hash_start, 46);
    url_done(&url);
}

static void setters_change_a_part_or_nothing(void **state)
{
    static const struct {
        const char *text;
        enum url_part part;
        const char *value, *want;
    } rows[] = {
        {"http://h:443/", URL_PROTOCOL, "https:", "https://h/"},
        {"http://h/", URL_PROTOCOL, "x", "http://h/"},
        {"http://h/", URL_PROTOCOL, "file", "file://h/"},
        {"http://h/", URL_USERNAME, "a:b", "http://a%3Ab@h/"},
        {"file:///x", URL_USERNAME, "a", "file:///x"},
        {"http://h/", URL_PASSWORD, "\xc3\xa9", "http://:%C3%A9@h/"},
        {"http://h:1/", URL_HOST, "k:2/x", "http://k:2/"},
        {"http://h:1/", URL_HOST, "k:x", "http://k:1/"},
        {"http://h:1/", URL_HOST, "a b", "http://h:1/"},
        {"http://h:1/", URL_HOSTNAME, "k:2", "http://h:1/"},
        {"http://h:1/", URL_HOSTNAME, "", "http://h:1/"},
        {"x://h/", URL_HOSTNAME, "", "x:///"},
        {"x:y", URL_HOST, "h", "x:y"},
        {"file://h/p", URL_HOST, "localhost", "file:///p"},
        {"http://h/", URL_PORT, "81x", "http://h:81/"},
        {"http://h:81/", URL_PORT, "", "http://h/"},
        {"http://h:81/", URL_PORT, "65536", "http://h:81/"},
        {"http://h/a", URL_PATHNAME, "b/../c?#", "http://h/c%3F%23"},
        {"x:/a", URL_PATHNAME, "//b", "x:/.//b"},
        {"x:a", URL_PATHNAME, "b", "x:a"},
        {"http://h/?a", URL_SEARCH, "", "http://h/"},
        {"http://h/", URL_SEARCH, "?b c#", "http://h/?b%20c%23"},
        {"http://h/#a", URL_HASH, "", "http://h/"},
        {"http://h/", URL_HASH, "#\tb", "http://h/#b"},
    };
    struct url_offsets offsets;
    struct url url = {0};

    (void)state;
    for (size_t i = 0; i < array_len(rows); i++) {
        assert_int_equal(url_parse(&url, rows[i].text, strlen(rows[i].text), NULL), 0);
        assert_int_equal(url_set(&url, rows[i].part, rows[i].value, strlen(rows[i].value)), 0);
        assert_int_equal(url_serialize(&url, &offsets), 0);
        if (url.href.bytes != strlen(rows[i].want) ||
            memcmp(url.href.data, rows[i].want, url.href.bytes) != 0)
            fail_msg("%s, %s: %.*s, not %s", rows[i].text, rows[i].value, (int)url.href.bytes,
                     url.href.data, rows[i].want);
    }
    url_done(&url);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(urls_are_normalized),
        cmocka_unit_test(what_is_no_url_is_refused),
        cmocka_unit_test(offsets_point_to_the_parts),
        cmocka_unit_test(setters_change_a_part_or_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
