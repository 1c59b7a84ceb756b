/* SPDX-License-Identifier: MIT */
/* test_access.c - lines of the access log, and what clients can't write into it. */
#include "worker/access.h"

#include "tests/unit/http_sample.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define WALL_MS 1795161600000u /* 2026-11-20 08:00 */

static char folder[] = "/tmp/ssrd-test-access-XXXXXX";
static char path[sizeof folder + 8];

static int set_up(void **state)
{
    (void)state;
    if (!folder[0] || access(folder, F_OK) != 0) {
        if (!mkdtemp(folder))
            return -1;
        (void)snprintf(path, sizeof path, "%s/log", folder);
    }
    return access_open(path);
}

static int tear_down(void **state)
{
    (void)state;
    access_close();
    return unlink(path);
}

static int remove_folder(void **state)
{
    (void)state;
    return rmdir(folder);
}

/* All that is in a file. */
static const char *content_of(const char *name)
{
    static char text[1 << 17];
    FILE *file = fopen(name, "r");
    size_t bytes;

    assert_non_null(file);
    bytes = fread(text, 1, sizeof text - 1, file);
    text[bytes] = 0;
    (void)fclose(file);
    return text;
}

static const char *written(void)
{
    access_flush();
    return content_of(path);
}

static void note(const char *request, uint16_t status)
{
    struct http_parse head;

    if (request)
        assert_int_equal(sample_parse(request, &head), HTTP_WHOLE);
    access_write(&(struct access_line){.peer = request ? "192.0.2.1" : "",
                                       .head = request ? &head : NULL,
                                       .status = status,
                                       .body_bytes = 12,
                                       .cache = "hot",
                                       .took_us = 34,
                                       .wall_ms = WALL_MS});
}

static void a_line_is_what_nginx_calls_combined_and_two_fields_more(void **state)
{
    (void)state;
    note("GET /a?b=c HTTP/1.1\r\nHost: a\r\nReferer: http://r/\r\nUser-Agent: curl/8\r\n\r\n", 200);
    assert_string_equal(written(),
                        "192.0.2.1 - - [20/Nov/2026:08:00:00 +0000] \"GET /a?b=c HTTP/1.1\" 200 12 "
                        "\"http://r/\" \"curl/8\" cache=hot us=34\n");
}

static void what_is_not_known_is_a_dash(void **state)
{
    (void)state;
    note(NULL, 400);
    assert_string_equal(
        written(), "- - - [20/Nov/2026:08:00:00 +0000] \"\" 400 12 \"-\" \"-\" cache=hot us=34\n");
}

/* A line stays a line, and a field a field: no quote, no backslash, no escape sequence of a terminal. */
static void what_clients_write_is_escaped(void **state)
{
    (void)state;
    note("GET /\"' HTTP/1.1\r\nHost: a\r\nReferer: a\" 200 \"\\x\r\nUser-Agent: "
         "\xff\x80\t\xc3\xa4\r\n\r\n",
         200);
    assert_non_null(strstr(written(), "\"GET /\\x22' HTTP/1.1\" 200 12 \"a\\x22 200 \\x22\\x5Cx\" "
                                      "\"\\xFF\\x80\\x09\\xC3\\xA4\" cache="));
}

static void long_fields_are_cut(void **state)
{
    char request[9000];
    char cut[3 * 400 + 1];
    const char *line;

    (void)state;
    (void)snprintf(request, sizeof request,
                   "GET /%04000d HTTP/1.1\r\nHost: a\r\nUser-Agent: %03000d\r\n\r\n", 0, 0);
    note(request, 200);
    line = written();
    assert_true(strlen(line) < 1000);
    assert_int_equal(line[strlen(line) - 1], '\n');
    memset(cut, '0', sizeof cut);
    cut[399] = 0;
    assert_non_null(strstr(line, cut));
    assert_non_null(strstr(line, " HTTP/1.1\" 200 12 \"-\" \"0"));
}

static void many_lines_come_whole_and_in_order(void **state)
{
    const char *at;

    (void)state;
    for (int i = 0; i < 600; i++) /* more than the buffer holds */
        note("GET / HTTP/1.1\r\nHost: a\r\n\r\n", (uint16_t)(200 + i % 400));
    at = written();
    for (int i = 0; i < 600; i++) {
        char status[16];
        const char *end = strchr(at, '\n');

        assert_non_null(end);
        (void)snprintf(status, sizeof status, "\" %d 12 \"", 200 + i % 400);
        assert_non_null(memmem(at, (size_t)(end - at), status, strlen(status)));
        at = end + 1;
    }
    assert_int_equal(*at, 0);
}

static void after_a_rotation_lines_go_to_the_new_file(void **state)
{
    char old[sizeof path + 8];

    (void)state;
    (void)snprintf(old, sizeof old, "%s.1", path);
    note("GET /old HTTP/1.1\r\nHost: a\r\n\r\n", 200);
    assert_int_equal(rename(path, old), 0);
    access_reopen();
    note("GET /new HTTP/1.1\r\nHost: a\r\n\r\n", 200);
    assert_non_null(strstr(written(), "/new"));
    assert_non_null(strstr(content_of(old), "/old"));
    assert_null(strstr(content_of(old), "/new"));
    assert_int_equal(unlink(old), 0);
}

static void off_writes_nothing_and_a_bad_path_is_an_error(void **state)
{
    (void)state;
    access_close();
    assert_int_equal(access_open("off"), 0);
    assert_false(access_is_on());
    note("GET / HTTP/1.1\r\nHost: a\r\n\r\n", 200);
    assert_int_equal(access_open("/nowhere/at/all"), -ENOENT);
    assert_false(access_is_on());
    assert_int_equal(access_open(path), 0);
    assert_string_equal(written(), "");
}

int main(void)
{
#define WITH_LOG(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        WITH_LOG(a_line_is_what_nginx_calls_combined_and_two_fields_more),
        WITH_LOG(what_is_not_known_is_a_dash),
        WITH_LOG(what_clients_write_is_escaped),
        WITH_LOG(long_fields_are_cut),
        WITH_LOG(many_lines_come_whole_and_in_order),
        WITH_LOG(after_a_rotation_lines_go_to_the_new_file),
        WITH_LOG(off_writes_nothing_and_a_bad_path_is_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, remove_folder);
}
