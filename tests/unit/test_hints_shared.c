/* SPDX-License-Identifier: MIT */
/* test_hints_shared.c - links that all workers know: told, changed, taken back, ended by purges and bundles. */
#include "shm/cold.h"
#include "worker/hints_shared.h"

#include "tests/unit/http_fixture.h"

#define NONE ((char *)-1) /* no entry; "": a page without links */

static const char *told(const struct fixture *f, uint64_t hash)
{
    static char text[HINTS_BYTES_MAX + 1];
    size_t bytes = 0;

    if (!hints_shared(&f->worker, hash, text, &bytes))
        return NONE;
    text[bytes] = '\0';
    return text;
}

static void share(const struct fixture *f, uint64_t hash, const char *links)
{
    hints_share(&f->worker, hash, purge_epoch(f->worker.purge),
                (struct span){links, strlen(links)});
}

static void links_are_told_until_the_page_has_others_or_none(void **state)
{
    struct fixture *f = *state;

    assert_ptr_equal(told(f, 7), NONE);
    share(f, 7, "</a.js>; rel=preload");
    assert_string_equal(told(f, 7), "</a.js>; rel=preload");
    assert_ptr_equal(told(f, 8), NONE);
    share(f, 7, "</b.js>; rel=preload");
    assert_string_equal(told(f, 7), "</b.js>; rel=preload");
    share(f, 7, "");
    assert_string_equal(told(f, 7), "");
}

static void a_page_that_never_had_links_takes_no_room(void **state)
{
    struct fixture *f = *state;

    share(f, 7, "");
    assert_ptr_equal(told(f, 7), NONE);
}

static void as_many_as_there_may_be_fit(void **state)
{
    struct fixture *f = *state;
    char most[HINTS_BYTES_MAX + 1];

    memset(most, 'x', HINTS_BYTES_MAX);
    most[HINTS_BYTES_MAX] = '\0';
    share(f, 7, most);
    assert_string_equal(told(f, 7), most);
}

static void purge_all_and_another_bundle_end_them(void **state)
{
    struct fixture *f = *state;

    share(f, 7, "</a.js>; rel=preload");
    (void)purge_prefix(f->worker.purge, "/", 1);
    assert_string_equal(told(f, 7), "</a.js>; rel=preload"); /* what it covers is pages */
    purge_all(f->worker.purge);
    assert_ptr_equal(told(f, 7), NONE);
    share(f, 7, "</a.js>; rel=preload");
    f->heritage.edition++;
    assert_ptr_equal(told(f, 7), NONE);
}

static void a_render_that_began_before_a_purge_brings_nothing_back(void **state)
{
    struct fixture *f = *state;
    uint64_t epoch = purge_epoch(f->worker.purge);

    purge_all(f->worker.purge);
    hints_share(&f->worker, 7, epoch, (struct span){"</a.js>; rel=preload", 20});
    assert_ptr_equal(told(f, 7), NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(links_are_told_until_the_page_has_others_or_none),
        TEST(a_page_that_never_had_links_takes_no_room),
        TEST(as_many_as_there_may_be_fit),
        TEST(purge_all_and_another_bundle_end_them),
        TEST(a_render_that_began_before_a_purge_brings_nothing_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
