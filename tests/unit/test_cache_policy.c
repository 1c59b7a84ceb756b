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
static const struct cache_asked asked = {.now_s = 1794925600};
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
    cache_policy_judge(&policy, &r, &asked, &verdict);
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
    cache_policy_judge(&policy, &r, &asked, &verdict);
    assert_true(verdict.store);
    assert_int_equal(verdict.ttl_ms, 300000);
    policy.ttl_ms = 7000;
    policy.swr_ms = 1000;
    cache_policy_judge(&policy, &r, &asked, &verdict);
    assert_int_equal(verdict.ttl_ms, 7000);
    assert_int_equal(verdict.swr_ms, 1000);
    policy.ttl_ms = 0;
    cache_policy_judge(&policy, &r, &asked, &verdict);
    assert_denied("ttl-0");
}

static void a_fetch_handlers_answer_is_stored_only_as_it_says(void **state)
{
    struct config_policy policy = policy_auto();
    struct js_header h = header("cache-control", "s-maxage=9");
    struct js_result r = page(404);

    (void)state;
    r.is_fetch = true;
    cache_policy_judge(&policy, &r, &asked, &verdict);
    assert_denied("no-cache-control");
    r.headers = &h;
    r.header_count = 1;
    cache_policy_judge(&policy, &r, &asked, &verdict);
    assert_true(verdict.store);
    assert_int_equal(verdict.ttl_ms, 9000);
    r.header_count = 0;
    r.ttl_ms = 2000;
    cache_policy_judge(&policy, &r, &asked, &verdict);
    assert_int_equal(verdict.ttl_ms, 2000);
    r.ttl_ms = JS_UNSET;
    policy.ttl_ms = 7000;
    r.status = 200;
    cache_policy_judge(&policy, &r, &asked, &verdict);
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
    cache_policy_judge(&policy, &r, &asked, &verdict);
    assert_denied("private");
}

static void what_the_render_read_must_be_in_the_key(void **state)
{
    struct config_policy policy = policy_auto();
    struct js_result r = page(200);
    struct js_header read[] = {header("host", ""), header("accept-language", "")};

    (void)state;
    r.reads.cookie = true;
    cache_policy_judge(&policy, &r, &asked, &verdict);
    assert_denied("read-cookie");
    policy.key.cookies = (struct str_list){cookie_names, 1};
    cache_policy_judge(&policy, &r, &asked, &verdict);
    assert_true(verdict.store);
    r.reads.other = true; /* the key is of this request, what was read is not */
    cache_policy_judge(&policy, &r, &asked, &verdict);
    assert_denied("read-other");
    r.reads.other = false;
    r.reads.authorization = true;
    cache_policy_judge(&policy, &r, &asked, &verdict);
    assert_denied("read-authorization");
    r.reads = (struct js_reads){.header = read, .header_count = 2};
    cache_policy_judge(&policy, &r, &asked, &verdict);
    assert_true(verdict.store);
    assert_int_equal(verdict.vary.count, 1);
    assert_true(vary_has(&verdict.vary, "accept-language", 15));
    policy.key.headers = (struct str_list){header_names, 1};
    cache_policy_judge(&policy, &r, &asked, &verdict);
    assert_true(verdict.store);
    assert_int_equal(verdict.vary.count, 0);
    r.reads = (struct js_reads){.all = true};
    cache_policy_judge(&policy, &r, &asked, &verdict);
    assert_denied("read-headers");
}

static void statuses_are_stored_by_list(void **state)
{
    static const uint16_t stored[] = {200, 203, 204, 301, 308, 404, 410, 302};
    static const uint16_t not_stored[] = {201, 206, 303, 307, 400, 500, 503};
    struct config_policy policy = policy_auto();
    struct js_header control = header("cache-control", "max-age=5");
    struct js_result r;

    (void)state;
    for (size_t i = 0; i < array_len(stored); i++) {
        r = page(stored[i]);
        cache_policy_judge(&policy, &r, &asked, &verdict);
        assert_true(verdict.store);
    }
    assert_int_equal(verdict.ttl_ms, 5000);
    for (size_t i = 0; i < array_len(not_stored); i++) {
        r = page(not_stored[i]);
        cache_policy_judge(&policy, &r, &asked, &verdict);
        assert_denied("status");
    }
    listed[1] = (struct status_ttl){500, 0}; /* listed, for as long as the page says */
    r = page(500);
    cache_policy_judge(&policy, &r, &asked, &verdict);
    assert_denied("ttl-0");
    r.headers = &control;
    r.header_count = 1;
    cache_policy_judge(&policy, &r, &asked, &verdict);
    assert_true(verdict.store);
    control = header("cache-control", "max-age=5, must-understand");
    cache_policy_judge(&policy, &r, &asked, &verdict);
    assert_denied("status");
    r.status = 200;
    control = header("cache-control", "max-age=5, must-understand, no-store");
    cache_policy_judge(&policy, &r, &asked, &verdict);
    assert_true(verdict.store);
    listed[1] = (struct status_ttl){302, 5000};
}

static void the_nearest_word_on_ttl_counts(void **state)
{
    struct config_policy policy = policy_auto();
    struct js_result r = page(404);
    struct js_header h[] = {header("cache-control", "max-age=5, s-maxage=6, stale-if-error=9"),
                            header("cdn-cache-control", "max-age=7")};

    (void)state;
    cache_policy_judge(&policy, &r, &asked, &verdict);
    assert_int_equal(verdict.ttl_ms, 10000);
    r.headers = h;
    r.header_count = 1;
    cache_policy_judge(&policy, &r, &asked, &verdict);
    assert_int_equal(verdict.ttl_ms, 6000);
    assert_int_equal(verdict.sie_ms, 9000);
    assert_true(verdict.has_control);
    r.header_count = 2;
    cache_policy_judge(&policy, &r, &asked, &verdict);
    assert_int_equal(verdict.ttl_ms, 7000);
    assert_int_equal(verdict.sie_ms, 0);
    r.ttl_ms = 8000;
    r.swr_ms = -5;
    cache_policy_judge(&policy, &r, &asked, &verdict);
    assert_int_equal(verdict.ttl_ms, 8000);
    assert_int_equal(verdict.swr_ms, 0);
}

static void judge_all(const struct config_policy *policy, struct js_header *h, size_t count)
{
    struct js_result r = page(200);

    r.headers = h;
    r.header_count = count;
    cache_policy_judge(policy, &r, &asked, &verdict);
}

/* asked.now_s is Tue, 17 Nov 2026 14:26:40 GMT */
static void expires_counts_from_the_pages_date(void **state)
{
    struct config_policy policy = policy_auto();
    struct js_header h[] = {header("expires", "Wed, 18 Nov 2026 00:00:00 GMT"),
                            header("date", "Tue, 17 Nov 2026 23:00:00 GMT"),
                            header("cache-control", "public")};

    (void)state;
    judge_all(&policy, h, 3);
    assert_true(verdict.store && verdict.fresh && verdict.has_control);
    assert_int_equal(verdict.ttl_ms, 3600000);
    h[1] = header("date", "Wed, 18 Nov 2026 00:00:00 GMT");
    judge_all(&policy, h, 3);
    assert_denied("ttl-0");
    h[0] = header("expires", "0");
    judge_all(&policy, h, 1);
    assert_denied("ttl-0");
    h[2] = header("cache-control", "max-age=5");
    judge_all(&policy, h, 3);
    assert_int_equal(verdict.ttl_ms, 5000);
    h[0] = h[1] = header("expires", "Wed, 18 Nov 2036 00:00:00 GMT");
    judge_all(&policy, h, 2);
    assert_denied("ttl-0"); /* said twice */
}

static void age_and_an_old_date_make_a_page_older(void **state)
{
    struct config_policy policy = policy_auto();
    struct js_header h[] = {header("cache-control", "max-age=100"), header("age", "40, 90"),
                            header("date", "Tue, 17 Nov 2026 14:26:10 GMT")};

    (void)state;
    judge_all(&policy, h, 3);
    assert_true(verdict.fresh);
    assert_int_equal(verdict.age_ms, 40000);
    h[1] = header("age", "7.0");
    judge_all(&policy, h, 3);
    assert_int_equal(verdict.age_ms, 30000);
    h[1] = header("age", "99999999999999999999");
    judge_all(&policy, h, 3);
    assert_denied("age");
}

static void a_page_that_can_be_asked_for_is_kept_stale(void **state)
{
    struct config_policy policy = policy_auto();
    struct js_header h[] = {header("cache-control", "no-cache"), header("etag", "\"a\"")};

    (void)state;
    judge_all(&policy, h, 2);
    assert_true(verdict.store);
    assert_false(verdict.fresh);
    judge_all(&policy, h, 1);
    assert_denied("no-cache");
    h[0] = header("cache-control", "max-age=0");
    judge_all(&policy, h, 2);
    assert_true(verdict.store && !verdict.fresh);
    policy.ttl_ms = 0;
    judge_all(&policy, h + 1, 1);
    assert_denied("ttl-0"); /* by policy, not by the page's own word */
}

static void revalidation_forbids_what_policy_allows(void **state)
{
    struct config_policy policy = policy_auto();
    struct js_header h = header("cache-control", "max-age=5, must-revalidate, stale-if-error=9");

    (void)state;
    policy.swr_ms = policy.sie_ms = 60000;
    judge_all(&policy, &h, 1);
    assert_int_equal(verdict.swr_ms + verdict.sie_ms, 0);
    h = header("cache-control", "s-maxage=5");
    judge_all(&policy, &h, 1);
    assert_int_equal(verdict.swr_ms + verdict.sie_ms, 0);
    h = header("cache-control", "s-maxage=5, stale-while-revalidate=7");
    judge_all(&policy, &h, 1);
    assert_int_equal(verdict.swr_ms, 7000);
    h = header("cache-control", "max-age=5");
    judge_all(&policy, &h, 1);
    assert_int_equal(verdict.sie_ms, 60000);
}

static void a_bad_cdn_cache_control_is_as_none(void **state)
{
    struct config_policy policy = policy_auto();
    struct js_header h[] = {header("cdn-cache-control", "max-age=100"),
                            header("cache-control", "no-store")};

    (void)state;
    judge_all(&policy, h, 2);
    assert_true(verdict.store);
    h[0] = header("cdn-cache-control", "max-age=\"100\"");
    judge_all(&policy, h, 2);
    assert_denied("no-store");
    h[0] = header("cdn-cache-control", "");
    judge_all(&policy, h, 2);
    assert_denied("no-store");
}

static void what_authorization_asked_for_is_shared_only_on_the_pages_word(void **state)
{
    const struct cache_asked authorized = {.now_s = asked.now_s, .authorization = true};
    static const char *const allowed[] = {"public", "s-maxage=5", "max-age=5, must-revalidate"};
    struct config_policy policy = policy_auto();
    struct js_header h = header("cache-control", "max-age=100");
    struct js_result r = page(200);

    (void)state;
    r.headers = &h;
    r.header_count = 1;
    cache_policy_judge(&policy, &r, &authorized, &verdict);
    assert_denied("authorization");
    for (size_t i = 0; i < array_len(allowed); i++) {
        h = header("cache-control", allowed[i]);
        cache_policy_judge(&policy, &r, &authorized, &verdict);
        assert_true(verdict.store);
    }
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
    cache_policy_judge(&policy, &r, &asked, &verdict);
    assert_int_equal(verdict.tag_count, 5);
    assert_int_equal(verdict.tag[2].bytes, 3);
    assert_memory_equal(verdict.tag[2].data, "c d", 3);
    assert_int_equal(verdict.tag[4].bytes, 1);
    assert_memory_equal(verdict.tag[4].data, "f", 1);
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
    cache_policy_judge(&policy, &r, &asked, &verdict);
    assert_denied("tags");
}

static void a_page_with_too_much_text_in_its_tags_is_not_stored(void **state)
{
    static char text[PAGE_TAG_TEXT_BYTES_MAX];
    struct config_policy policy = policy_auto();
    struct js_result r = page(200);
    struct js_header h = {.name = "surrogate-key", .name_bytes = 13, .value = text};

    (void)state;
    memset(text, 't', sizeof text);
    r.headers = &h;
    r.header_count = 1;
    h.value_bytes = PAGE_TAG_TEXT_BYTES_MAX - sizeof(uint16_t);
    cache_policy_judge(&policy, &r, &asked, &verdict);
    assert_true(verdict.store);
    h.value_bytes++;
    cache_policy_judge(&policy, &r, &asked, &verdict);
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
        cmocka_unit_test(expires_counts_from_the_pages_date),
        cmocka_unit_test(age_and_an_old_date_make_a_page_older),
        cmocka_unit_test(a_page_that_can_be_asked_for_is_kept_stale),
        cmocka_unit_test(revalidation_forbids_what_policy_allows),
        cmocka_unit_test(a_bad_cdn_cache_control_is_as_none),
        cmocka_unit_test(what_authorization_asked_for_is_shared_only_on_the_pages_word),
        cmocka_unit_test(tags_come_from_all_three_places),
        cmocka_unit_test(a_page_with_too_many_tags_is_not_stored),
        cmocka_unit_test(a_page_with_too_much_text_in_its_tags_is_not_stored),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
