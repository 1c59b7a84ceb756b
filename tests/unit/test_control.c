/* SPDX-License-Identifier: MIT */
/*
 * test_control.c - the control socket: lines and connections, and the commands that ask the master.
 * Those about the cache are in test_control_cache.c.
 */
#include "master/control.h"

#include "master/control_command.h"
#include "shm/log.h"
#include "tests/unit/control_fixture.h"

#define CONNECTIONS_MAX 32 /* as control.c has it */

static void where_tells_the_admin_socket(void **state)
{
    const char *answer = ask(*state, "{\"command\":\"where\"}");

    assert_non_null(strstr(answer, "\"ok\":true"));
    assert_non_null(strstr(answer, "\"http\":\"/run/test.http\""));
}

static void status_names_this_process_as_the_master(void **state)
{
    const char *answer = ask(*state, "{\"command\":\"status\"}");
    char pid[40];

    (void)snprintf(pid, sizeof pid, "\"pid\":%d,", (int)getpid());
    assert_int_equal(strncmp(answer, "{\"ok\":true,\"status\":{", 21), 0);
    assert_non_null(strstr(answer, pid));
}

static void garbage_is_refused_and_the_connection_stays(void **state)
{
    struct master *master = *state;
    autofd int fd = client(master);

    say(master, fd, "\xff\xfe nonsense\n");
    assert_non_null(strstr(hear(master, fd), "\"ok\":false"));
    say(master, fd, "{\"command\":\"where\"}\n");
    assert_non_null(strstr(hear(master, fd), "\"ok\":true"));
}

static void lines_sent_at_once_are_answered_in_order(void **state)
{
    struct master *master = *state;
    autofd int fd = client(master);

    say(master, fd, "{\"command\":\"where\"}\n{\"command\":\"x\"}\n{\"command\":\"where\"}\n");
    assert_non_null(strstr(hear(master, fd), "\"ok\":true"));
    assert_non_null(strstr(hear(master, fd), "\"ok\":false"));
    assert_non_null(strstr(hear(master, fd), "\"ok\":true"));
}

static void a_line_in_pieces_is_one_line(void **state)
{
    struct master *master = *state;
    autofd int fd = client(master);

    say(master, fd, "{\"comm");
    assert_true(silent(master, fd));
    say(master, fd, "and\":\"where\"}");
    assert_true(silent(master, fd));
    say(master, fd, "\n");
    assert_non_null(strstr(hear(master, fd), "\"ok\":true"));
}

static void a_last_line_without_line_feed_is_answered(void **state)
{
    struct master *master = *state;
    autofd int fd = client(master);

    say(master, fd, "{\"command\":\"where\"}");
    assert_int_equal(shutdown(fd, SHUT_WR), 0);
    assert_non_null(strstr(hear(master, fd), "\"ok\":true"));
    assert_string_equal(hear(master, fd), ""); /* closed after it */
}

static void an_endless_line_is_refused_and_closed(void **state)
{
    struct master *master = *state;
    autofd int fd = client(master);
    autofree char *line = malloc(CONTROL_LINE_BYTES_MAX + 2);

    assert_non_null(line);
    memset(line, 'x', CONTROL_LINE_BYTES_MAX + 2);
    say_bytes(master, fd, line, CONTROL_LINE_BYTES_MAX + 2);
    assert_non_null(strstr(hear(master, fd), "line too long"));
    assert_string_equal(hear(master, fd), "");
}

static void a_reload_is_answered_with_its_outcome(void **state)
{
    struct master *master = *state;
    autofd int fd = client(master);

    say(master, fd, "{\"command\":\"reload\"}\n");
    assert_true(silent(master, fd));
    assert_int_equal(master->reloads, 1);
    master->done(master->done_arg, true, "generation 2 serves");
    assert_string_equal(hear(master, fd), "{\"ok\":true,\"text\":\"generation 2 serves\"}");
    assert_int_equal(master->forgotten, 0);
}

static void a_refused_reload_carries_the_error_whole(void **state)
{
    struct master *master = *state;
    autofd int fd = client(master);

    say(master, fd, "{\"command\":\"reload\"}\n");
    assert_true(silent(master, fd));
    master->done(master->done_arg, false, "app.js:3:7: TypeError: \"x\"\n    at f\xff");
    assert_string_equal(
        hear(master, fd),
        "{\"ok\":false,\"text\":\"app.js:3:7: TypeError: \\\"x\\\"\\n    at f\\\\xff\"}");
}

static void the_next_line_waits_for_the_reload(void **state)
{
    struct master *master = *state;
    autofd int fd = client(master);

    say(master, fd, "{\"command\":\"reload\"}\n{\"command\":\"where\"}\n");
    assert_true(silent(master, fd));
    master->done(master->done_arg, true, "done");
    assert_non_null(strstr(hear(master, fd), "done"));
    assert_non_null(strstr(hear(master, fd), "\"http\""));
}

static void an_asker_that_goes_away_is_forgotten(void **state)
{
    struct master *master = *state;
    int fd = client(master);

    say(master, fd, "{\"command\":\"reload\"}\n");
    assert_true(silent(master, fd));
    (void)close(fd);
    settle(master);
    assert_int_equal(master->forgotten, 1);
    assert_null(master->done);
}

static void an_asker_that_only_stops_sending_hears_the_outcome(void **state)
{
    struct master *master = *state;
    autofd int fd = client(master);

    say(master, fd, "{\"command\":\"reload\"}\n");
    assert_int_equal(shutdown(fd, SHUT_WR), 0);
    assert_true(silent(master, fd));
    master->done(master->done_arg, true, "done");
    assert_non_null(strstr(hear(master, fd), "done"));
    assert_string_equal(hear(master, fd), "");
}

static void stop_and_drain_ask_the_master(void **state)
{
    struct master *master = *state;
    autofd int fd = client(master);

    say(master, fd, "{\"command\":\"drain\"}\n");
    assert_true(silent(master, fd));
    assert_int_equal(master->stop, 2);
    master->done(master->done_arg, true, "drained");
    assert_non_null(strstr(hear(master, fd), "drained")); /* sent without a turn of the loop */
    say(master, fd, "{\"command\":\"stop\"}\n");
    assert_true(silent(master, fd));
    assert_int_equal(master->stop, 1);
}

static void who_waits_for_a_stop_hears_the_end(void **state)
{
    struct master *master = *state;
    autofd int fd = client(master);

    say(master, fd, "{\"command\":\"stop\"}\n");
    assert_true(silent(master, fd));
    control_free(master->control);
    master->control = NULL;
    assert_string_equal(hear(master, fd), "{\"ok\":true,\"text\":\"stopped\"}");
    assert_string_equal(hear(master, fd), "");
    assert_int_equal(master->forgotten, 1);
}

static void one_connection_too_many_takes_the_place_of_the_idlest(void **state)
{
    struct master *master = *state;
    int idle[CONNECTIONS_MAX];
    autofd int late = -1;

    for (size_t i = 0; i < array_len(idle); i++)
        idle[i] = client(master);
    settle(master);
    say(master, idle[0], "{\"command\":\"where\"}\n"); /* no longer the idlest */
    assert_non_null(strstr(hear(master, idle[0]), "\"ok\":true"));
    say(master, idle[1], "{\"comm"); /* half a line is no reason to stay */
    late = client(master);
    say(master, late, "{\"command\":\"where\"}\n");
    assert_non_null(strstr(hear(master, late), "\"ok\":true"));
    assert_string_equal(hear(master, idle[1]), "");
    assert_true(silent(master, idle[0]));
    assert_true(silent(master, idle[2]));
    for (size_t i = 0; i < array_len(idle); i++)
        (void)close(idle[i]);
}

static void while_all_connections_are_busy_one_more_waits(void **state)
{
    struct master *master = *state;
    int busy[CONNECTIONS_MAX];
    autofd int late = -1;

    for (size_t i = 0; i < array_len(busy); i++) {
        busy[i] = client(master);
        say(master, busy[i], "{\"command\":\"reload\"}\n");
    }
    for (int i = 0; i < TURNS && master->reloads < array_len(busy); i++)
        turn(master);
    late = client(master);
    say(master, late, "{\"command\":\"where\"}\n");
    assert_true(silent(master, late));
    master->done(master->done_arg, true, "done"); /* of the last asker */
    assert_non_null(strstr(hear(master, late), "\"ok\":true"));
    for (size_t i = 0; i < array_len(busy); i++)
        (void)close(busy[i]);
    settle(master);
    assert_int_equal(master->forgotten, array_len(busy) - 1);
}

static void while_a_client_does_not_read_nothing_more_is_done_for_it(void **state)
{
    struct master *master = *state;
    autofd int fd = client(master);
    char path[160];
    const char *line;

    for (int i = 0; i < 200; i++) {
        (void)snprintf(path, sizeof path, "/%0100d", i);
        put_page(master, "h", path);
    }
    log_set_level(LOG_WARN);
    for (int i = 0; i < 40; i++) /* 50 kB each: more than the sockets hold */
        say(master, fd, "{\"command\":\"cache-ls\"}\n");
    say(master, fd, "{\"command\":\"log\",\"level\":\"error\"}\n");
    settle(master);
    assert_int_equal(log_get_level(), LOG_WARN);
    do
        line = hear(master, fd);
    while (strstr(line, "log level") == NULL && line[0] != '\0');
    assert_int_equal(log_get_level(), LOG_ERROR);
}

static void log_changes_the_level(void **state)
{
    assert_non_null(
        strstr(ask(*state, "{\"command\":\"log\",\"level\":\"error\"}"), "\"ok\":true"));
    assert_int_equal(log_get_level(), LOG_ERROR);
    assert_refused(*state, "{\"command\":\"log\",\"level\":\"loud\"}", "unknown level");
    assert_int_equal(log_get_level(), LOG_ERROR);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(where_tells_the_admin_socket),
        TEST(status_names_this_process_as_the_master),
        TEST(garbage_is_refused_and_the_connection_stays),
        TEST(lines_sent_at_once_are_answered_in_order),
        TEST(a_line_in_pieces_is_one_line),
        TEST(a_last_line_without_line_feed_is_answered),
        TEST(an_endless_line_is_refused_and_closed),
        TEST(a_reload_is_answered_with_its_outcome),
        TEST(a_refused_reload_carries_the_error_whole),
        TEST(the_next_line_waits_for_the_reload),
        TEST(an_asker_that_goes_away_is_forgotten),
        TEST(an_asker_that_only_stops_sending_hears_the_outcome),
        TEST(stop_and_drain_ask_the_master),
        TEST(who_waits_for_a_stop_hears_the_end),
        TEST(one_connection_too_many_takes_the_place_of_the_idlest),
        TEST(while_all_connections_are_busy_one_more_waits),
        TEST(while_a_client_does_not_read_nothing_more_is_done_for_it),
        TEST(log_changes_the_level),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
