/* SPDX-License-Identifier: MIT */
/* test_hot.c - the pages of one worker: budget, eviction, and pages that a client still reads. */
#include "worker/hot.h"

#include "worker/key.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <stdio.h>

#define BODY_BYTES 1000

/* The caller is holder. */
static struct hot_page *make(struct hot *hot, const char *key, size_t body_bytes)
{
    static char body[100000];
    struct page_source source = {
        .hash = key_hash(key, strlen(key)),
        .status = 200,
        .key = {key, strlen(key)},
        .path_bytes = (uint32_t)strlen(key),
    };
    struct hot_page *page;

    memset(body, 'x', sizeof body);
    source.variant[PAGE_IDENTITY].head = (struct span){"HTTP/1.1 200 OK\r\n", 17};
    source.variant[PAGE_IDENTITY].body = (struct span){body, body_bytes};
    page = hot_alloc(hot, page_bytes(&source));
    assert_non_null(page);
    page_build(&source, &page->page);
    return page;
}

static void put(struct hot *hot, const char *key)
{
    struct hot_page *page = make(hot, key, BODY_BYTES);

    hot_put(hot, page);
    hot_release(page);
}

static void put_number(struct hot *hot, int number)
{
    char key[32];

    (void)snprintf(key, sizeof key, "/page/%d", number);
    put(hot, key);
}

static struct hot_page *get(struct hot *hot, const char *key)
{
    return hot_get(hot, key, strlen(key), key_hash(key, strlen(key)));
}

static struct hot_page *get_number(struct hot *hot, int number)
{
    char key[32];

    (void)snprintf(key, sizeof key, "/page/%d", number);
    return get(hot, key);
}

static struct hot_figures figures(const struct hot *hot)
{
    struct hot_figures f;

    hot_figures(hot, &f);
    return f;
}

static struct hot *new_hot(uint64_t budget_bytes)
{
    struct hot *hot;

    assert_int_equal(hot_new(budget_bytes, NULL, &hot), 0);
    return hot;
}

static void what_was_put_is_got_until_it_is_removed(void **state)
{
    struct hot *hot = new_hot(MIB);

    (void)state;
    assert_null(get(hot, "/a"));
    put(hot, "/a");
    assert_non_null(get(hot, "/a"));
    assert_null(get(hot, "/b"));
    hot_remove(hot, get(hot, "/a"));
    assert_null(get(hot, "/a"));
    assert_int_equal(figures(hot).bytes, 0);
    hot_free(hot);
}

static void the_whole_key_is_compared(void **state)
{
    struct hot *hot = new_hot(MIB);

    (void)state;
    put(hot, "/a");
    assert_null(hot_get(hot, "/b", 2, key_hash("/a", 2)));
    hot_free(hot);
}

static void putting_a_key_again_replaces_its_page(void **state)
{
    struct hot *hot = new_hot(MIB);

    (void)state;
    put(hot, "/a");
    put(hot, "/a");
    assert_int_equal(figures(hot).entries, 1);
    hot_free(hot);
}

static void many_pages_stay_reachable_while_others_go(void **state)
{
    struct hot *hot = new_hot(64 * MIB);

    (void)state;
    for (int i = 0; i < 3000; i++)
        put_number(hot, i);
    for (int i = 0; i < 3000; i += 3)
        hot_remove(hot, get_number(hot, i));
    for (int i = 0; i < 3000; i++)
        assert_int_equal(get_number(hot, i) != NULL, i % 3 != 0);
    hot_free(hot);
}

static void the_budget_holds_and_recently_used_pages_stay(void **state)
{
    struct hot *hot = new_hot(64 * KIB);

    (void)state;
    for (int i = 0; i < 1000; i++) {
        put_number(hot, i);
        assert_true(figures(hot).bytes <= 64 * KIB);
        if (i > 0)
            assert_non_null(get_number(hot, 0)); /* used all the time */
    }
    assert_null(get_number(hot, 1));
    assert_true(figures(hot).evictions > 900);
    hot_free(hot);
}

static void a_held_page_outlives_its_place_and_counts_until_released(void **state)
{
    struct hot *hot = new_hot(64 * KIB);
    struct hot_page *held = make(hot, "/held", 30000);
    uint64_t without;

    (void)state;
    hot_put(hot, held);
    assert_null(get(hot, "/held")); /* above a quarter of the budget */
    assert_int_equal(figures(hot).bytes, held->bytes);
    for (int i = 0; i < 100; i++)
        put_number(hot, i);
    assert_true(figures(hot).bytes <= 64 * KIB); /* the cache made itself smaller */
    assert_int_equal(
        page_at(&held->page, page_variant(&held->page, PAGE_IDENTITY)->body_offset)[29999], 'x');
    without = figures(hot).bytes - held->bytes;
    hot_release(held);
    assert_int_equal(figures(hot).bytes, without);
    hot_free(hot);
}

static void held_pages_that_fill_the_budget_keep_others_out(void **state)
{
    struct hot *hot = new_hot(16 * KIB);
    struct hot_page *held[12];
    char key[32];

    (void)state;
    for (int i = 0; i < 12; i++) {
        (void)snprintf(key, sizeof key, "/held/%d", i);
        held[i] = make(hot, key, 1500);
        hot_put(hot, held[i]);
    }
    put(hot, "/late");
    assert_null(get(hot, "/late"));
    for (int i = 0; i < 12; i++)
        hot_release(held[i]);
    put(hot, "/late");
    assert_non_null(get(hot, "/late"));
    assert_true(figures(hot).bytes <= 16 * KIB);
    hot_free(hot);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_put_is_got_until_it_is_removed),
        cmocka_unit_test(the_whole_key_is_compared),
        cmocka_unit_test(putting_a_key_again_replaces_its_page),
        cmocka_unit_test(many_pages_stay_reachable_while_others_go),
        cmocka_unit_test(the_budget_holds_and_recently_used_pages_stay),
        cmocka_unit_test(a_held_page_outlives_its_place_and_counts_until_released),
        cmocka_unit_test(held_pages_that_fill_the_budget_keep_others_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
