/* SPDX-License-Identifier: MIT */
/* test_watch.c - master/watch.c: a change is told once, when it is over. */
#include "master/watch.h"

#include <event2/event.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static unsigned told;

static void on_changed(void *arg)
{
    (void)arg;
    told++;
}

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "we");

    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void a_change_is_told_when_it_is_over(void **state)
{
    struct event_base *base = event_base_new();
    char dir[] = "/tmp/ssrd-test-watch-XXXXXX";
    char entry[64], part[64];
    struct heritage_file file = {.name = part};
    struct heritage heritage = {.bundle_name = entry, .file = &file, .file_count = 1};
    struct watch *watch = NULL;

    (void)state;
    assert_non_null(mkdtemp(dir));
    (void)snprintf(entry, sizeof entry, "%s/a.js", dir);
    (void)snprintf(part, sizeof part, "%s/b.js", dir);
    write_file(entry, "1");
    write_file(part, "1");
    assert_int_equal(watch_new(base, on_changed, NULL, &watch), 0);
    watch_look(watch); /* nothing to look at */
    assert_int_equal(watch_files(watch, &heritage), 0);
    watch_look(watch);
    assert_int_equal(told, 0);
    write_file(part, "12");
    watch_look(watch);
    assert_int_equal(told, 0);
    write_file(part, "123"); /* it goes on */
    watch_look(watch);
    assert_int_equal(told, 0);
    watch_look(watch);
    assert_int_equal(told, 1);
    watch_look(watch);
    assert_int_equal(told, 1);
    assert_int_equal(unlink(entry), 0); /* gone, as builds do */
    watch_look(watch);
    write_file(entry, "new");
    watch_look(watch);
    assert_int_equal(told, 1);
    watch_look(watch);
    assert_int_equal(told, 2);
    assert_int_equal(watch_files(watch, NULL), 0);
    write_file(part, "1234");
    watch_look(watch);
    watch_look(watch);
    assert_int_equal(told, 2);
    watch_free(watch);
    event_base_free(base);
    (void)unlink(entry);
    (void)unlink(part);
    (void)rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_change_is_told_when_it_is_over)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
