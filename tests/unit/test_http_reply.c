/* SPDX-License-Identifier: MIT */
/* test_http_reply.c - heads of responses, byte for byte. */
#include "worker/http_reply.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static char buffer[4096];
static struct name_value added[] = {{(char[]){"x-frame-options"}, (char[]){"DENY"}}};
static char *header_names[] = {(char[]){"accept-language"}};
static char *cookie_names[] = {(char[]){"theme"}};

static struct reply_text fresh(void)
{
    memset(buffer, 0, sizeof buffer);
    return (struct reply_text){buffer, 0, sizeof buffer - 1, false};
}

static struct js_header header(const char *name, const char *value)
{
    return (struct js_header){name, strlen(name), value, strlen(value)};
}

static struct reply_head about;

static void a_page_head_holds_what_does_not_change(void **state)
{
    struct config_policy policy = {.headers = {added, 1}};
    struct js_header h[] = {header("x-a", "1"), header("connection", "close"),
                            header("content-length", "9"), header("surrogate-key", "k"),
                            header("etag", "not an entity tag")};
    struct js_result r = {
        .status = 200, .headers = h, .header_count = 5, .body = "abc", .body_bytes = 3};
    struct cache_verdict verdict = {.store = true};
    struct reply_text t = fresh();

    (void)state;
    reply_page_head(&t, &policy, &r, &verdict, (struct span){"\"e\"", 3}, &about);
    assert_string_equal(buffer, "HTTP/1.1 200 OK\r\n"
                                "Content-Type: text/html; charset=utf-8\r\n"
                                "Content-Length: 3\r\n"
                                "ETag: \"e\"\r\n"
                                "x-a: 1\r\n"
                                "Cache-Control: public, max-age=0, must-revalidate\r\n"
                                "x-frame-options: DENY\r\n");
}

static void the_page_has_the_last_word_on_its_headers(void **state)
{
    struct config_policy policy = {.headers = {added, 1}};
    struct js_header h[] = {header("content-type", "text/plain"),
                            header("cache-control", "max-age=5"),
                            header("x-frame-options", "SAMEORIGIN")};
    struct js_result r = {
        .status = 404, .headers = h, .header_count = 3, .body = "", .body_bytes = 0};
    struct cache_verdict verdict = {.has_control = true};
    struct reply_text t = fresh();

    (void)state;
    reply_page_head(&t, &policy, &r, &verdict, (struct span){NULL, 0}, &about);
    assert_string_equal(buffer, "HTTP/1.1 404 Not Found\r\n"
                                "Content-Length: 0\r\n"
                                "content-type: text/plain\r\n"
                                "cache-control: max-age=5\r\n"
                                "x-frame-options: SAMEORIGIN\r\n");
}

static void a_204_has_no_length_and_a_private_page_says_so(void **state)
{
    struct config_policy policy = {.ttl_ms = 0};
    struct js_result r = {.status = 204, .body = "", .body_bytes = 0};
    struct cache_verdict verdict = {.store = false};
    struct reply_text t = fresh();

    (void)state;
    reply_page_head(&t, &policy, &r, &verdict, (struct span){NULL, 0}, &about);
    assert_string_equal(buffer, "HTTP/1.1 204 No Content\r\nCache-Control: private, no-cache\r\n");
}

static void vary_names_what_the_key_does(void **state)
{
    struct config_policy policy = {
        .key = {.headers = {header_names, 1}, .cookies = {cookie_names, 1}}};
    struct js_header h = header("vary", "Accept-Encoding");
    struct js_result r = {.status = 204, .headers = &h, .header_count = 1};
    struct cache_verdict verdict = {.has_control = true};
    struct reply_text t = fresh();

    (void)state;
    reply_page_head(&t, &policy, &r, &verdict, (struct span){NULL, 0}, &about);
    assert_string_equal(
        buffer, "HTTP/1.1 204 No Content\r\nVary: Accept-Encoding, accept-language, cookie\r\n");
}

static void a_304_keeps_what_rfc_9110_names(void **state)
{
    static const char head[] =
        "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 3\r\n"
        "ETag: \"e\"\r\ncache-control: max-age=5\r\nx-a: etag: b\r\nVary: a\r\n";
    struct reply_text t = fresh();

    (void)state;
    reply_not_modified_head(&t, head, sizeof head - 1);
    assert_string_equal(
        buffer,
        "HTTP/1.1 304 Not Modified\r\nETag: \"e\"\r\ncache-control: max-age=5\r\nVary: a\r\n");
}

static void what_the_application_says_itself_stays(void **state)
{
    struct config_policy policy = {.ttl_ms = 0};
    struct js_header h[] = {header("etag", "W/\"own\""),
                            header("date", "Sun, 06 Nov 1994 08:49:37 GMT"),
                            header("last-modified", "Sun, 06 Nov 1994 08:49:37 GMT"),
                            header("connection", "x-b, close"), header("x-b", "1")};
    struct js_result r = {
        .status = 205, .headers = h, .header_count = 5, .body = "x", .body_bytes = 1};
    struct cache_verdict verdict = {.has_control = true};
    struct reply_text t = fresh();

    (void)state;
    reply_page_head(&t, &policy, &r, &verdict, (struct span){"\"e\"", 3}, &about);
    assert_string_equal(buffer, "HTTP/1.1 205 Reset Content\r\n"
                                "Content-Length: 0\r\n"
                                "ETag: W/\"own\"\r\n"
                                "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
                                "last-modified: Sun, 06 Nov 1994 08:49:37 GMT\r\n");
    assert_int_equal(about.flags, PAGE_OWN_ETAG | PAGE_OWN_DATE | PAGE_OWN_MODIFIED);
    assert_int_equal(about.etag.bytes, 7);
    assert_memory_equal(about.etag.data, "W/\"own\"", 7);
}

static void a_part_has_a_head_of_its_own(void **state)
{
    static const char head[] =
        "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 30\r\n"
        "ETag: \"e\"\r\n";
    struct reply_text t = fresh();

    (void)state;
    reply_part_head(&t, head, sizeof head - 1, 5, 9, 30);
    assert_string_equal(buffer, "HTTP/1.1 206 Partial Content\r\n"
                                "Content-Range: bytes 5-9/30\r\n"
                                "Content-Length: 5\r\n"
                                "Content-Type: text/html\r\n"
                                "ETag: \"e\"\r\n");
}

static void cache_status_is_as_rfc_9211_has_it(void **state)
{
    struct reply_text t = fresh();

    (void)state;
    reply_cache_lines(&t, &(struct reply_cache){.origin = REPLY_HOT, .ttl_s = 12, .age_s = 3});
    reply_cache_lines(&t, &(struct reply_cache){.origin = REPLY_COLD, .ttl_s = 12});
    reply_cache_lines(&t, &(struct reply_cache){.origin = REPLY_STALE, .ttl_s = -4, .age_s = 9});
    reply_cache_lines(&t,
                      &(struct reply_cache){.origin = REPLY_MISS, .stored = true, .ttl_s = 300});
    reply_cache_lines(
        &t, &(struct reply_cache){.origin = REPLY_COLLAPSED, .stored = true, .ttl_s = 300});
    reply_cache_lines(&t, &(struct reply_cache){
                              .origin = REPLY_MISS, .detail = "read-cookie", .was_stale = true});
    reply_cache_lines(&t, &(struct reply_cache){.origin = REPLY_BYPASS});
    assert_string_equal(buffer, "Age: 3\r\nCache-Status: ssrd; hit; ttl=12; detail=hot\r\n"
                                "Age: 0\r\nCache-Status: ssrd; hit; ttl=12; detail=cold\r\n"
                                "Age: 9\r\nCache-Status: ssrd; hit; ttl=-4; detail=stale\r\n"
                                "Cache-Status: ssrd; fwd=uri-miss; stored; ttl=300\r\n"
                                "Cache-Status: ssrd; fwd=uri-miss; stored; ttl=300; collapsed\r\n"
                                "Cache-Status: ssrd; fwd=stale; detail=read-cookie\r\n"
                                "Cache-Status: ssrd; fwd=bypass\r\n");
}

static void the_date_is_renewed_at_the_next_second(void **state)
{
    struct reply_date date;

    (void)state;
    reply_date_renew(&date, 5000, 784111777250);
    assert_memory_equal(date.line, "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n", REPLY_DATE_BYTES);
    assert_int_equal(date.renew_ms, 5750);
}

static void nothing_is_written_beyond_the_capacity(void **state)
{
    struct reply_text t = {buffer, 0, 4, false};

    (void)state;
    memset(buffer, 0, sizeof buffer);
    reply_add_literal(&t, "abc");
    reply_add_literal(&t, "de");
    reply_add_literal(&t, "f"); /* nothing after an overflow, so that no line loses its middle */
    assert_true(t.overflow);
    assert_string_equal(buffer, "abc");
}

static void numbers_are_written_in_full(void **state)
{
    struct reply_text t = fresh();

    (void)state;
    reply_add_int(&t, INT64_MIN);
    reply_add_literal(&t, " ");
    reply_add_int(&t, 0);
    assert_string_equal(buffer, "-9223372036854775808 0");
}

static void an_etag_follows_the_body(void **state)
{
    char a[REPLY_ETAG_BYTES];
    char b[REPLY_ETAG_BYTES];

    (void)state;
    reply_etag("x", 1, a);
    reply_etag("y", 1, b);
    assert_memory_not_equal(a, b, sizeof a);
    assert_int_equal(a[0], '"');
    assert_int_equal(a[17], '"');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_page_head_holds_what_does_not_change),
        cmocka_unit_test(the_page_has_the_last_word_on_its_headers),
        cmocka_unit_test(a_204_has_no_length_and_a_private_page_says_so),
        cmocka_unit_test(vary_names_what_the_key_does),
        cmocka_unit_test(a_304_keeps_what_rfc_9110_names),
        cmocka_unit_test(what_the_application_says_itself_stays),
        cmocka_unit_test(a_part_has_a_head_of_its_own),
        cmocka_unit_test(cache_status_is_as_rfc_9211_has_it),
        cmocka_unit_test(the_date_is_renewed_at_the_next_second),
        cmocka_unit_test(nothing_is_written_beyond_the_capacity),
        cmocka_unit_test(numbers_are_written_in_full),
        cmocka_unit_test(an_etag_follows_the_body),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
