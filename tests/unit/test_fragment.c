/* SPDX-License-Identifier: MIT */
/* test_fragment.c - ssr.cache without JavaScript: what is kept, for how long, and apart from pages. */
#include "shm/cold.h"
#include "worker/fragment.h"

#include "tests/unit/http_fixture.h"

static const struct js_fragments *open_fragments(struct fixture *f)
{
    assert_int_equal(fragments_new(&f->worker, &f->worker.fragments), 0);
    return fragments_js(f->worker.fragments);
}

static bool set(const struct js_fragments *js, const char *key, const char *value, uint64_t ttl_ms,
                const char *tag)
{
    const struct js_fragment fragment = {JS_FRAGMENT_LATIN1, value, strlen(value)};
    const struct js_header tags = {.name = tag, .name_bytes = tag ? strlen(tag) : 0};

    return js->set(js->arg, key, strlen(key), &fragment, ttl_ms, &tags, tag != NULL);
}

static const char *get(const struct js_fragments *js, const char *key)
{
    static char text[100];
    struct js_fragment found;

    if (!js->get(js->arg, key, strlen(key), &found))
        return NULL;
    assert_int_equal(found.kind, JS_FRAGMENT_LATIN1);
    assert_int_equal((uintptr_t)found.data % 8, 0);
    assert_in_range(found.bytes, 0, sizeof text - 1);
    memcpy(text, found.data, found.bytes);
    text[found.bytes] = '\0';
    return text;
}

static void value_is_found_until_it_is_deleted(void **state)
{
    struct fixture *f = *state;
    const struct js_fragments *js = open_fragments(f);

    assert_null(get(js, "a"));
    assert_true(set(js, "a", "one", 1000000, NULL));
    assert_true(set(js, "b", "", 1000000, NULL));
    assert_string_equal(get(js, "a"), "one");
    assert_string_equal(get(js, "b"), "");
    assert_true(set(js, "a", "two", 1000000, NULL));
    assert_string_equal(get(js, "a"), "two");
    assert_true(js->remove(js->arg, "a", 1));
    assert_false(js->remove(js->arg, "a", 1));
    assert_null(get(js, "a"));
    assert_int_equal(count_of(&f->worker.stats->fragments_stored), 3);
    assert_int_equal(count_of(&f->worker.stats->fragments_hit), 3);
    assert_int_equal(count_of(&f->worker.stats->fragments_miss), 2);
    fragments_free(f->worker.fragments);
}

static void fragment_never_answers_a_request_and_no_page_is_a_fragment(void **state)
{
    struct fixture *f = *state;
    const struct js_fragments *js = open_fragments(f);
    int fd = client(f);

    static const char bad[] = "GET /p HTTP/1.1\r\nHost: \1a\r\n\r\n";

    assert_true(set(js, "a/p", "fragment", 1000000, NULL));
    ask(f, fd, "/p", "");
    render_all(f);
    assert_hears(fd, "200", "render 1 /p");
    assert_string_equal(get(js, "a/p"), "fragment");
    assert_int_equal(send(fd, bad, sizeof bad - 1, 0), sizeof bad - 1);
    turn(f);
    assert_hears(fd, "400", "malformed");
    (void)close(fd);
    fragments_free(f->worker.fragments);
}

static void purges_and_another_bundle_end_it(void **state)
{
    struct fixture *f = *state;
    const struct js_fragments *js = open_fragments(f);

    assert_true(set(js, "tagged", "x", 1000000, "t"));
    assert_true(set(js, "plain", "x", 1000000, "u"));
    purge_tag(f->worker.purge, "t", 1);
    assert_null(get(js, "tagged"));
    assert_non_null(get(js, "plain"));
    purge_url(f->worker.purge, "plain", 5);
    assert_int_equal(purge_prefix(f->worker.purge, "/", 1), 0);
    assert_non_null(get(js, "plain"));
    f->heritage.edition_before = f->heritage.edition; /* a page would be stale now */
    f->heritage.edition++;
    assert_null(get(js, "plain"));
    assert_true(set(js, "plain", "y", 1000000, NULL));
    purge_all(f->worker.purge);
    assert_null(get(js, "plain"));
    fragments_free(f->worker.fragments);
}

static void render_begun_before_a_purge_keeps_nothing_that_it_covers(void **state)
{
    struct fixture *f = *state;
    const struct js_fragments *js = open_fragments(f);
    int fd = client(f);

    ask(f, fd, "/p", "");
    turn(f);
    assert_true(begin(f));
    purge_tag(f->worker.purge, "t", 1);
    assert_false(set(js, "tagged", "x", 1000000, "t"));
    assert_true(set(js, "plain", "x", 1000000, NULL));
    assert_null(get(js, "tagged"));
    end(f);
    assert_true(set(js, "tagged", "x", 1000000, "t"));
    assert_non_null(get(js, "tagged"));
    (void)close(fd);
    fragments_free(f->worker.fragments);
}

static void what_is_too_large_is_refused(void **state)
{
    struct fixture *f = *state;
    const struct js_fragments *js = open_fragments(f);
    char *large = malloc(MIB + 1);
    char *key = malloc(20001);

    memset(large, 'x', MIB);
    large[MIB] = '\0';
    memset(key, 'k', 20000);
    key[20000] = '\0';
    assert_false(set(js, "large", large, 1000000, NULL));
    assert_false(set(js, key, "x", 1000000, NULL));
    assert_null(get(js, key));
    assert_false(js->remove(js->arg, key, 20000));
    large[9000] = '\0';
    assert_true(set(js, "large", large, 1000000, NULL));
    free(large);
    free(key);
    fragments_free(f->worker.fragments);
}

static unsigned entered;
static unsigned left;

static bool enter_native(struct worker *worker)
{
    (void)worker;
    assert_int_equal(entered, left); /* one at a time */
    entered++;
    return true;
}

static void leave_native(struct worker *worker)
{
    (void)worker;
    left++;
    assert_int_equal(entered, left);
}

/* While JavaScript runs the watchdog's thread may turn the loop, on the same caches. */
static void what_the_loop_owns_is_touched_only_with_the_lane(void **state)
{
    struct fixture *f = *state;
    const struct js_fragments *js = open_fragments(f);

    f->worker.enter_native = enter_native;
    f->worker.leave_native = leave_native;
    assert_true(set(js, "a", "one", 1000000, NULL));
    assert_int_equal(left, 1);
    assert_string_equal(get(js, "a"), "one");
    assert_null(get(js, "b"));
    assert_int_equal(left, 3);
    assert_true(js->remove(js->arg, "a", 1));
    assert_int_equal(left, 4);
    fragments_free(f->worker.fragments);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(value_is_found_until_it_is_deleted, setup, teardown),
        cmocka_unit_test_setup_teardown(fragment_never_answers_a_request_and_no_page_is_a_fragment,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(purges_and_another_bundle_end_it, setup, teardown),
        cmocka_unit_test_setup_teardown(render_begun_before_a_purge_keeps_nothing_that_it_covers,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_too_large_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(what_the_loop_owns_is_touched_only_with_the_lane, setup,
                                        teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
