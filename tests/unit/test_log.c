/* SPDX-License-Identifier: MIT */
/* test_log.c - lines as they arrive at standard error, which is a memfd here. */
#include "shm/log.h"

#include "shm/base.h"
#include "shm/log_shared.h"

#include <errno.h>
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#define TIME_BYTES (sizeof "2026-11-20T08:00:00.123Z " - 1)

static int saved_stderr;
static int log_fd;
static char text[16384];

static int setup(void **state)
{
    saved_stderr = dup(STDERR_FILENO);
    log_fd = memfd_create("log", MFD_CLOEXEC);
    log_process("master", -1);
    log_set_format(LOG_TEXT);
    log_set_level(LOG_INFO);
    return saved_stderr < 0 || log_fd < 0;
}

static int teardown(void **state)
{
    (void)close(saved_stderr);
    (void)close(log_fd);
    return 0;
}

static void begin(void)
{
    assert_int_equal(ftruncate(log_fd, 0), 0);
    assert_int_equal(lseek(log_fd, 0, SEEK_SET), 0);
    assert_true(dup2(log_fd, STDERR_FILENO) >= 0);
}

/* What was logged since begin(); standard error is the test's own again. */
static const char *logged(void)
{
    ssize_t bytes;

    assert_true(dup2(saved_stderr, STDERR_FILENO) >= 0);
    bytes = pread(log_fd, text, sizeof text - 1, 0);
    assert_true(bytes >= 0);
    text[bytes] = '\0';
    return text;
}

/* The line without its time, whose form is checked. */
static const char *logged_after_time(void)
{
    static const char form[] = "dddd-dd-ddTdd:dd:dd.dddZ ";
    const char *line = logged();

    assert_true(strlen(line) > TIME_BYTES);
    for (size_t i = 0; i < TIME_BYTES; i++) {
        if (form[i] == 'd')
            assert_true(line[i] >= '0' && line[i] <= '9');
        else
            assert_int_equal(line[i], form[i]);
    }
    return line + TIME_BYTES;
}

static void a_text_line_has_time_level_process_message_and_fields(void **state)
{
    begin();
    log_info("worker started", log_int("pid", 12), log_uint("cpu", 0), log_ms("took", 1.5));
    assert_string_equal(logged_after_time(),
                        "info  master  worker started pid=12 cpu=0 took=1.500\n");
    log_process("worker", 3);
    begin();
    log_warn("slow");
    assert_string_equal(logged_after_time(), "warn  worker3 slow\n");
}

static void values_are_quoted_where_bare_they_would_be_ambiguous(void **state)
{
    begin();
    log_info("m", log_str("a", "x/y?z"), log_str("b", "a b"), log_str("c", "k=v"), log_str("d", ""),
             log_str("e", NULL), log_str("f", "say \"hi\"\\"));
    assert_string_equal(logged_after_time(), "info  master  m a=x/y?z b=\"a b\" c=\"k=v\" d=\"\" "
                                             "f=\"say \\\"hi\\\"\\\\\"\n");
}

static void foreign_text_cannot_forge_a_line(void **state)
{
    static const char bad[] = "a\nb\r\t\x1b[31m\0\xc3\x28\xed\xa0\x80\xc2\x85\xe2\x80\xa8ü";

    begin();
    log_info("m", log_span("url", bad, sizeof bad - 1));
    assert_string_equal(
        logged_after_time(),
        "info  master  m url=\"a\\nb\\r\\t\\x1b[31m\\x00\\xc3(\\xed\\xa0\\x80\\x85\\u2028ü\"\n");
}

static void json_lines_are_json_whatever_the_values(void **state)
{
    static const char bad[] = "q\"\\\n\x01\xff\x7fü";
    json_t *line;

    log_set_format(LOG_JSON);
    log_process("worker", 2);
    begin();
    log_error("it broke", log_span("url", bad, sizeof bad - 1), log_int("n", -5),
              log_ms("ms", 0.25));
    line = json_loads(logged(), 0, NULL);
    assert_non_null(line);
    assert_string_equal(json_string_value(json_object_get(line, "level")), "error");
    assert_string_equal(json_string_value(json_object_get(line, "process")), "worker");
    assert_int_equal(json_integer_value(json_object_get(line, "worker")), 2);
    assert_string_equal(json_string_value(json_object_get(line, "message")), "it broke");
    assert_string_equal(json_string_value(json_object_get(line, "url")),
                        "q\"\\\n\x01\xef\xbf\xbd\x7fü");
    assert_int_equal(json_integer_value(json_object_get(line, "n")), -5);
    assert_true(json_real_value(json_object_get(line, "ms")) == 0.25);
    assert_int_equal(strlen(json_string_value(json_object_get(line, "time"))), TIME_BYTES - 1);
    json_decref(line);
}

static void long_values_are_cut_and_the_line_stays_whole(void **state)
{
    char *huge = malloc(20000);
    json_t *line;
    const char *value;

    assert_non_null(huge);
    for (int shift = 0; shift < 8; shift++) { /* every alignment of what has to be escaped */
        memset(huge, 'x', (size_t)shift);
        memset(huge + shift, '\x01', 20000 - (size_t)shift);
        log_set_format(LOG_JSON);
        begin();
        log_info("m", log_int("first", 1), log_span("huge", huge, 20000), log_int("after", 2));
        assert_true(strlen(logged()) <= 8192);
        assert_int_equal(text[strlen(text) - 1], '\n');
        line = json_loads(text, 0, NULL);
        assert_non_null(line);
        assert_int_equal(json_integer_value(json_object_get(line, "first")), 1);
        value = json_string_value(json_object_get(line, "huge"));
        assert_string_equal(value + strlen(value) - 3, "…");
        assert_null(json_object_get(line, "after")); /* no room was left */
        json_decref(line);

        log_set_format(LOG_TEXT);
        begin();
        log_info("m", log_span("huge", huge, 20000));
        assert_string_equal(logged() + strlen(text) - 5, "…\"\n");
    }
    free(huge);
}

static void lines_below_the_level_are_not_written(void **state)
{
    begin();
    log_debug("no");
    assert_string_equal(logged(), "");
    log_set_level(LOG_ERROR);
    begin();
    log_warn("no");
    assert_string_equal(logged(), "");
    log_set_level(LOG_DEBUG);
    begin();
    log_debug("yes");
    assert_string_equal(logged_after_time(), "debug master  yes\n");
}

static void a_shared_level_takes_over_the_present_one_and_rules_from_then_on(void **state)
{
    static struct log_shared word; /* 0, as in a fresh region: error */

    log_set_level(LOG_WARN);
    log_share(&word);
    assert_int_equal(log_get_level(), LOG_WARN);
    atomic_store_explicit(&word.level, LOG_DEBUG, memory_order_relaxed);
    assert_true(log_enabled(LOG_DEBUG));
    atomic_store_explicit(&word.level, 12345, memory_order_relaxed); /* another process's mistake */
    assert_int_equal(log_get_level(), LOG_DEBUG);
}

static void level_names_go_both_ways(void **state)
{
    for (int level = LOG_ERROR; level <= LOG_DEBUG; level++) {
        enum log_level back = LOG_ERROR;

        assert_int_equal(log_level_parse(log_level_name((enum log_level)level), &back), 0);
        assert_int_equal(back, level);
    }
    enum log_level untouched = LOG_WARN;
    assert_int_equal(log_level_parse("loud", &untouched), -EINVAL);
    assert_int_equal(untouched, LOG_WARN);
}

static void errno_survives_a_line(void **state)
{
    (void)close(dup2(saved_stderr, STDERR_FILENO)); /* so that write(2) fails */
    errno = ENOENT;
    log_error("m");
    assert_int_equal(errno, ENOENT);
    assert_true(dup2(saved_stderr, STDERR_FILENO) >= 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_text_line_has_time_level_process_message_and_fields,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(values_are_quoted_where_bare_they_would_be_ambiguous, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(foreign_text_cannot_forge_a_line, setup, teardown),
        cmocka_unit_test_setup_teardown(json_lines_are_json_whatever_the_values, setup, teardown),
        cmocka_unit_test_setup_teardown(long_values_are_cut_and_the_line_stays_whole, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(lines_below_the_level_are_not_written, setup, teardown),
        cmocka_unit_test_setup_teardown(level_names_go_both_ways, setup, teardown),
        cmocka_unit_test_setup_teardown(errno_survives_a_line, setup, teardown),
        cmocka_unit_test_setup_teardown(
            a_shared_level_takes_over_the_present_one_and_rules_from_then_on, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
