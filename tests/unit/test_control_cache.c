/* SPDX-License-Identifier: MIT */
/*
 * test_control_cache.c - the commands of the control socket about the cache: cache-stat, purge,
 * cache-ls and cache-get.
 */
#include "master/control.h"

#include "tests/unit/control_fixture.h"

static size_t lines_of(const struct master *master, const char *command, char *end, size_t cap)
{
    size_t count = 0;
    autofd int fd = client(master);

    say(master, fd, command);
    for (;;) {
        const char *line = hear(master, fd);

        if (strncmp(line, "{\"ok\":", 6) == 0) {
            (void)snprintf(end, cap, "%s", line);
            return count;
        }
        assert_non_null(strstr(line, "\"url\":"));
        count++;
    }
}

static void cache_stat_answers_with_the_report(void **state)
{
    const char *answer = ask(*state, "{\"command\":\"cache-stat\"}");

    assert_int_equal(strncmp(answer, "{\"ok\":true,\"cache\":{", 20), 0);
}

static void purge_by_url_uses_the_normal_form(void **state)
{
    struct master *master = *state;
    char end[100];

    put_page(master, "h", "/a?x=1&y=2");
    put_page(master, "h", "/b");
    assert_non_null(
        strstr(ask(master, "{\"command\":\"purge\",\"urls\":[\"http://other/a?y=2&x=1#top\"]}"),
               "\"ok\":true"));
    assert_int_equal(lines_of(master, "{\"command\":\"cache-ls\"}\n", end, sizeof end), 1);
}

static void purge_by_prefix_spares_the_others(void **state)
{
    struct master *master = *state;
    char end[100];

    put_page(master, "h", "/blog/1");
    put_page(master, "i", "/blog/2");
    put_page(master, "h", "/shop");
    assert_non_null(
        strstr(ask(master, "{\"command\":\"purge\",\"prefixes\":[\"/blog/\"]}"), "\"ok\":true"));
    assert_int_equal(lines_of(master, "{\"command\":\"cache-ls\"}\n", end, sizeof end), 1);
}

static void purge_of_all_leaves_nothing(void **state)
{
    struct master *master = *state;
    char end[100];

    put_page(master, "h", "/a");
    assert_non_null(strstr(ask(master, "{\"command\":\"purge\",\"all\":true}"), "\"ok\":true"));
    assert_int_equal(lines_of(master, "{\"command\":\"cache-ls\"}\n", end, sizeof end), 0);
}

static void a_purge_with_one_bad_url_purges_nothing(void **state)
{
    struct master *master = *state;
    uint64_t epoch = purge_epoch(purge_of(master->region));

    assert_refused(master, "{\"command\":\"purge\",\"all\":true,\"urls\":[\"/a\",\"b\"]}",
                   "not a URL");
    assert_refused(master, "{\"command\":\"purge\",\"tags\":[\"t\"],\"prefixes\":[\"b\"]}",
                   "not a prefix");
    assert_true(purge_epoch(purge_of(master->region)) == epoch);
}

static void cache_ls_lists_what_begins_with_the_prefix(void **state)
{
    struct master *master = *state;
    char end[100];

    put_page(master, "h", "/blog/1");
    put_page(master, "h", "/shop");
    assert_int_equal(
        lines_of(master, "{\"command\":\"cache-ls\",\"prefix\":\"/bl\"}\n", end, sizeof end), 1);
    assert_string_equal(end, "{\"ok\":true,\"entries\":1,\"truncated\":false}");
}

static void cache_get_shows_each_entry_of_a_url(void **state)
{
    struct master *master = *state;
    autofd int fd = client(master);
    const char *line;

    put_page(master, "one.example", "/a");
    put_page(master, "two.example", "/a");
    put_page(master, "one.example", "/ab");
    say(master, fd, "{\"command\":\"cache-get\",\"url\":\"/a\"}\n");
    for (int i = 0; i < 2; i++) {
        line = hear(master, fd);
        assert_non_null(strstr(line, "\"url\":\"/a\""));
        assert_non_null(strstr(line, "\"host\":\""));
        assert_non_null(strstr(line, "X-A: b\\r\\n"));
        assert_non_null(strstr(line, "\"body_bytes\":3"));
    }
    assert_string_equal(hear(master, fd), "{\"ok\":true,\"entries\":2,\"truncated\":false}");
    assert_refused(master, "{\"command\":\"cache-get\",\"url\":\"/none\"}",
                   "not in the cold cache");
    assert_refused(master, "{\"command\":\"cache-get\",\"url\":\"none\"}", "not a URL");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(cache_stat_answers_with_the_report),
        TEST(purge_by_url_uses_the_normal_form),
        TEST(purge_by_prefix_spares_the_others),
        TEST(purge_of_all_leaves_nothing),
        TEST(a_purge_with_one_bad_url_purges_nothing),
        TEST(cache_ls_lists_what_begins_with_the_prefix),
        TEST(cache_get_shows_each_entry_of_a_url),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
