/* SPDX-License-Identifier: MIT */
/* test_cache_policy.c - what may be shared, and for how long. */
#include "worker/cache_policy.h"

#include "shm/purge.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct cache_verdict verdict;
static struct status_ttl listed[] = {{404, 10000}, {302, 5000}};
static char *header_names[] = {(char[]){"accept-language"}};
static char *cookie_names[] = {(char[]){"theme"}};

static struct config_policy policy_auto(void)
{
    return (struct config_policy){.ttl_ms = CONFIG_TTL_AUTO, .status = {listed, 2}};
}

static struct js_header header(const char *name, const char *value)
{
    return (struct js_header){name, strlen(name), value, strlen(value)};
}

static struct js_result page(uint16_t status)
{
    return (struct js_result){.outcome = JS_OK,
                              .status = status,
                              .ttl_ms = JS_UNSET,
                              .swr_ms = JS_UNSET,
                              .sie_ms = JS_UNSET};
}

static void judge_with(const char *name, const char *value)
{
    struct config_policy policy = policy_auto();
    struct js_header h = header(name, value);
    struct js_result r = page(200);

    r.headers = &h;
    r.header_count = 1;
    cache_policy_judge(&policy, &r, &verdict);
}

static void assert_denied(const char *detail)
{
    assert_false(verdict.store);
    assert_string_equal(verdict.detail, detail);
}

static void a_plain_page_is_stored_for_the_configured_time(void **state)
{
    struct config_policy policy = policy_auto();
    struct js_result r = page(200);

    (void)state;
    cache_policy_judge(&policy, &r, &verdict);
    assert_true(verdict.store);
    assert_int_equal(verdict.ttl_ms, 300000);
    policy.ttl_ms = 7000;
    policy.swr_ms = 1000;
    cache_policy_judge(&policy, &r, &verdict);
    assert_int_equal(verdict.ttl_ms, 7000);
    assert_int_equal(verdict.swr_ms, 1000);
    policy.ttl_ms = 0;
    cache_policy_judge(&policy, &r, &verdict);
    assert_denied("ttl-0");
}

static void a_fetch_handlers_answer_is_stored_only_as_it_says(void **state)
{
    struct config_policy policy = policy_auto();
    struct js_header h = header("cache-control", "s-maxage=9");
    struct js_result r = page(404);

    (void)state;
    r.is_fetch = true;
    cache_policy_judge(&policy, &r, &verdict);
    assert_denied("no-cache-control");
    r.headers = &h;
    r.header_count = 1;
    cache_policy_judge(&policy, &r, &verdict);
    assert_true(verdict.store);
    assert_int_equal(verdict.ttl_ms, 9000);
    r.header_count = 0;
    r.ttl_ms = 2000;
    cache_policy_judge(&policy, &r, &verdict);
    assert_int_equal(verdict.ttl_ms, 2000);
    r.ttl_ms = JS_UNSET;
    policy.ttl_ms = 7000;
    r.status = 200;
    cache_policy_judge(&policy, &r, &verdict);
    assert_int_equal(verdict.ttl_ms, 7000);
}

static void what_belongs_to_one_visitor_is_never_stored(void **state)
{
    (void)state;
    judge_with("set-cookie", "a=b");
    assert_denied("set-cookie");
    judge_with("cache-control", "max-age=60, Private");
    assert_denied("private");
    judge_with("cache-control", "no-store");
    assert_denied("no-store");
    judge_with("cache-control", "no-cache");
    assert_denied("no-cache");
    judge_with("cache-control", "private=\"x, y\", max-age=5");
    assert_denied("private");
    judge_with("vary", "Cookie");
    assert_denied("vary");
    judge_with("vary", "*");
    assert_denied("vary");
    judge_with("vary", "Accept-Encoding");
    assert_true(verdict.store);
}

static void a_page_is_private_when_its_object_says_so(void **state)
{
    struct config_policy policy = policy_auto();
    struct js_result r = page(200);

    (void)state;
    r.is_private = true;
    r.ttl_ms = 60000;
    cache_policy_judge(&policy, &r, &verdict);
    assert_denied("private");
}

static void what_the_render_read_must_be_in_the_key(void **state)
{
    struct config_policy policy = policy_auto();
    struct js_result r = page(200);
    struct js_header read[] = {header("host", ""), header("accept-language", "")};

    (void)state;
    r.reads.cookie = true;
    cache_policy_judge(&policy, &r, &verdict);
    assert_denied("read-cookie");
    policy.key.cookies = (struct str_list){cookie_names, 1};
    cache_policy_judge(&policy, &r, &verdict);
    assert_true(verdict.store);
    r.reads.authorization = true;
    cache_policy_judge(&policy, &r, &verdict);
    assert_denied("read-authorization");
    r.reads = (struct js_reads){.header = read, .header_count = 2};
    cache_policy_judge(&policy, &r, &verdict);
    assert_true(verdict.store);
    assert_int_equal(verdict.vary.count, 1);
    assert_true(vary_has(&verdict.vary, "accept-language", 15));
    policy.key.headers = (struct str_list){header_names, 1};
    cache_policy_judge(&policy, &r, &verdict);
    assert_true(verdict.store);
    assert_int_equal(verdict.vary.count, 0);
    r.reads = (struct js_reads){.all = true};
    cache_policy_judge(&policy, &r, &verdict);
    assert_denied("read-headers");
}

static void statuses_are_stored_by_list(void **state)
{
    static const uint16_t stored[] = {200, 203, 204, 301, 308, 404, 410, 302};
    static const uint16_t not_stored[] = {201, 206, 303, 307, 400, 500, 503};
    struct config_policy policy = policy_auto();
    struct js_result r;

    (void)state;
    for (size_t i = 0; i < array_len(stored); i++) {
        r = page(stored[i]);
        cache_policy_judge(&policy, &r, &verdict);
        assert_true(verdict.store);
    }
    assert_int_equal(verdict.ttl_ms, 5000);
    for (size_t i = 0; i < array_len(not_stored); i++) {
        r = page(not_stored[i]);
        cache_policy_judge(&policy, &r, &verdict);
        assert_denied("status");
    }
    listed[1].status = 500; /* not even when listed */
    r = page(500);
    cache_policy_judge(&policy, &r, &verdict);
    listed[1].status = 302;
    assert_denied("status");
}

static void the_nearest_word_on_ttl_counts(void **state)
{
    struct config_policy policy = policy_auto();
    struct js_result r = page(404);
    struct js_header h[] = {header("cache-control", "max-age=5, s-maxage=6, stale-if-error=9"),
                            header("cdn-cache-control", "max-age=7")};

    (void)state;
    cache_policy_judge(&policy, &r, &verdict);
    assert_int_equal(verdict.ttl_ms, 10000);
    r.headers = h;
    r.header_count = 1;
    cache_policy_judge(&policy, &r, &verdict);
    assert_int_equal(verdict.ttl_ms, 6000);
    assert_int_equal(verdict.sie_ms, 9000);
    assert_true(verdict.has_control);
    r.header_count = 2;
    cache_policy_judge(&policy, &r, &verdict);
    assert_int_equal(verdict.ttl_ms, 7000);
    assert_int_equal(verdict.sie_ms, 0);
    r.ttl_ms = 8000;
    r.swr_ms = -5;
    cache_policy_judge(&policy, &r, &verdict);
    assert_int_equal(verdict.ttl_ms, 8000);
    assert_int_equal(verdict.swr_ms, 0);
}

static void strange_cache_control_is_read_carefully(void **state)
{
    struct cache_control c;

    (void)state;
    cache_control_init(&c);
    cache_control_parse(",, MAX-AGE = 5 ,max-age=\"7\",x=\"no-store, private\"", 50, &c);
    assert_false(c.no_store || c.is_private);
    assert_int_equal(c.max_age_s, 7);
    cache_control_parse("max-age=99999999999999999999", 28, &c);
    assert_int_equal(c.max_age_s, INT32_MAX);
    cache_control_parse("max-age=-1", 10, &c);
    assert_int_equal(c.max_age_s, 0);
    cache_control_parse("x=\"unclosed, no-store", 21, &c);
    assert_false(c.no_store);
}

static void tags_come_from_all_three_places(void **state)
{
    struct config_policy policy = policy_auto();
    struct js_result r = page(200);
    struct js_header h[] = {header("surrogate-key", "a  b"), header("cache-tag", "c d , e")};
    struct js_header tag = header("f", "");

    (void)state;
    r.headers = h;
    r.header_count = 2;
    r.tags = &tag;
    r.tag_count = 1;
    cache_policy_judge(&policy, &r, &verdict);
    assert_int_equal(verdict.tag_count, 5);
    assert_int_equal(verdict.tag[2], purge_tag_hash("c d", 3));
    assert_int_equal(verdict.tag[4], purge_tag_hash("f", 1));
}

static void a_page_with_too_many_tags_is_not_stored(void **state)
{
    static struct js_header tags[PAGE_TAGS_MAX + 1];
    struct config_policy policy = policy_auto();
    struct js_result r = page(200);

    (void)state;
    for (size_t i = 0; i < array_len(tags); i++)
        tags[i] = header("t", "");
    r.tags = tags;
    r.tag_count = array_len(tags);
    cache_policy_judge(&policy, &r, &verdict);
    assert_denied("tags");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_fetch_handlers_answer_is_stored_only_as_it_says),
        cmocka_unit_test(a_plain_page_is_stored_for_the_configured_time),
        cmocka_unit_test(what_belongs_to_one_visitor_is_never_stored),
        cmocka_unit_test(a_page_is_private_when_its_object_says_so),
        cmocka_unit_test(what_the_render_read_must_be_in_the_key),
        cmocka_unit_test(statuses_are_stored_by_list),
        cmocka_unit_test(the_nearest_word_on_ttl_counts),
        cmocka_unit_test(strange_cache_control_is_read_carefully),
        cmocka_unit_test(tags_come_from_all_three_places),
        cmocka_unit_test(a_page_with_too_many_tags_is_not_stored),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
